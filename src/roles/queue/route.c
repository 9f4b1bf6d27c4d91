/*
 * roles/queue/route.c: what auth says about addresses, asked once for all that wait for it.
 */
#include "roles/queue/queue.h"
#include "sys/file.h"
#include "sys/log.h"

struct ask {
	struct ask *next;
	struct list rcpts;
	uint32_t tag;
	bool sent;
	uint16_t address_n;
	char address[];
};

static struct view ask_address(const struct ask *a)
{
	return view_of(a->address, a->address_n);
}

static void targets_free(struct targets *t)
{
	if (!t)
		return;
	free(t->at);
	free(t->text);
	free(t);
}

static void cache_clear(struct router *r)
{
	struct view key;
	void *value;
	size_t at = 0;
	uint8_t secret[16];

	while (map_next(&r->cache, &at, &key, &value))
		targets_free(value);
	map_done(&r->cache);
	random_bytes(secret, sizeof(secret));
	map_init(&r->cache, ROUTE_CACHE_MAX, secret);
}

void route_init(struct queue *q)
{
	struct router *r = &q->router;
	uint8_t secret[16];

	random_bytes(secret, sizeof(secret));
	map_init(&r->cache, ROUTE_CACHE_MAX, secret);
	map_init(&r->asks, SIZE_MAX, secret);
	r->waiting_end = &r->waiting;
}

void route_done(struct queue *q)
{
	struct router *r = &q->router;
	struct view key;
	void *value;
	size_t at = 0;

	ipc_chan_free(r->chan);
	r->chan = NULL;
	while (map_next(&r->asks, &at, &key, &value))
		free(value);
	map_done(&r->asks);
	cache_clear(r);
	map_done(&r->cache);
}

static void push_waiting(struct router *r, struct ask *a)
{
	a->sent = false;
	a->next = NULL;
	*r->waiting_end = a;
	r->waiting_end = &a->next;
}

static void send_waiting(struct queue *q)
{
	struct router *r = &q->router;

	while (r->waiting && r->chan && r->asked_n < ROUTE_ASKED_MAX) {
		struct ask *a = r->waiting;
		uint32_t tag = 0;
		struct route_targets m;

		while (r->tagged[tag])
			tag++;
		m = (struct route_targets){ .tag = tag, .address = ask_address(a) };
		if (route_send_targets(r->chan, &m))
			return; /* closed follows */
		r->waiting = a->next;
		if (!r->waiting)
			r->waiting_end = &r->waiting;
		a->tag = tag;
		a->sent = true;
		r->tagged[tag] = a;
		r->asked_n++;
	}
}

void route_ask(struct queue *q, struct rcpt *r, struct view address)
{
	struct router *router = &q->router;
	const struct targets *known = map_get(&router->cache, address);
	struct ask *a;

	if (known) {
		dispatch_routed(q, r, known);
		return;
	}
	a = map_get(&router->asks, address);
	if (!a) {
		a = calloc(1, sizeof(*a) + address.n);
		if (!a || map_put(&router->asks, address, a)) {
			free(a);
			outcome_again(q, r, 1000);
			return;
		}
		a->address_n = (uint16_t)address.n;
		memcpy(a->address, address.p, address.n);
		push_waiting(router, a);
	}
	rcpt_stage(r, STAGE_ASKED);
	r->owner = a;
	rcpt_list_push(&a->rcpts, r);
	send_waiting(q);
}

void route_withdraw(struct queue *q, struct rcpt *r)
{
	struct ask *a = r->owner;

	/* The question stays: its answer is worth keeping. */
	rcpt_list_remove(&a->rcpts, r);
}

/* All texts in one piece. */
static struct targets *targets_new(const struct route_targets_are *m)
{
	struct targets *t = calloc(1, sizeof(*t));
	struct view raw = m->targets_raw;
	char *text;

	if (!t)
		return NULL;
	t->status = m->status;
	t->at = calloc(size_max(m->targets_count, 1), sizeof(t->at[0]));
	t->text = text = malloc(size_max(m->targets_raw.n, 1));
	if (!t->at || !t->text) {
		targets_free(t);
		return NULL;
	}
	while (t->count < m->targets_count &&
	       route_targets_are_targets_next(&raw, &t->at[t->count])) {
		struct route_targets_are_targets *each = &t->at[t->count++];

		if (each->address.n)
			memcpy(text, each->address.p, each->address.n);
		each->address.p = text;
		text += each->address.n;
		if (each->mailbox.n)
			memcpy(text, each->mailbox.p, each->mailbox.n);
		each->mailbox.p = text;
		text += each->mailbox.n;
	}
	return t;
}

static enum err on_targets(void *ctx, const struct route_targets_are *m)
{
	static const struct targets temporary = { .status = ROUTE_TEMPORARY };
	struct queue *q = ctx;
	struct router *router = &q->router;
	struct ask *a = m->tag < ROUTE_ASKED_MAX ? router->tagged[m->tag] : NULL;
	struct targets *t;
	struct rcpt *r;
	bool keep;

	if (!a)
		return ERR_PEER;
	router->tagged[m->tag] = NULL;
	router->asked_n--;
	map_remove(&router->asks, ask_address(a));
	t = targets_new(m);
	while ((r = rcpt_list_pop(&a->rcpts))) {
		rcpt_stage(r, STAGE_IDLE);
		dispatch_routed(q, r, t ? t : &temporary);
		outcome_settle(q, r->message);
	}
	keep = t && m->status != ROUTE_TEMPORARY && m->status != ROUTE_FULL;
	if (keep && router->cache.n == ROUTE_CACHE_MAX)
		cache_clear(router);
	if (!keep || map_put(&router->cache, ask_address(a), t))
		targets_free(t);
	free(a);
	send_waiting(q);
	return OK;
}

static enum err on_unasked_recipient(void *ctx, const struct route_recipient_is *m)
{
	return ERR_PEER;
}

static enum err on_unasked_sender(void *ctx, const struct route_sender_is *m)
{
	return ERR_PEER;
}

static enum err on_changed(void *ctx, const struct route_changed *m)
{
	struct queue *q = ctx;

	cache_clear(&q->router);
	return OK;
}

static const struct route_client_ops ops = {
	.recipient_is = on_unasked_recipient,
	.targets_are = on_targets,
	.sender_is = on_unasked_sender,
	.changed = on_changed,
};

static enum err on_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	return route_client_dispatch(&ops, ctx, type, body, fd);
}

/* Ask again what was asked, once there is somebody. */
static void forget_channel(struct router *r)
{
	ipc_chan_free(r->chan);
	r->chan = NULL;
	for (size_t i = 0; i < ROUTE_ASKED_MAX; i++) {
		if (r->tagged[i])
			push_waiting(r, r->tagged[i]);
		r->tagged[i] = NULL;
	}
	r->asked_n = 0;
	cache_clear(r);
}

static void on_closed(void *ctx, enum err why)
{
	struct queue *q = ctx;

	if (why != ERR_EOF)
		LOG_ERROR("queue.peer", "auth broke the rules of its channel", LOG_ERR(why));
	forget_channel(&q->router);
}

static const struct ipc_ops chan_ops = { on_message, on_closed, NULL };

enum err route_attach(struct queue *q, int fd)
{
	struct router *r = &q->router;
	enum err err;

	forget_channel(r);
	err = ipc_chan_new(q->loop, fd, &route_channel, IPC_CLIENT, &chan_ops, q, &r->chan);
	if (!err)
		send_waiting(q);
	return err;
}
