/*
 * roles/queue/message.c: see message.h.
 */
#include "roles/queue/message.h"

#include "base/vec.h"

static void rcpt_init(struct rcpt *r, struct message *m, uint32_t index)
{
	*r = (struct rcpt){ .message = m, .index = index };
}

static void rcpt_clear(struct rcpt *r)
{
	if (r->last)
		r->message->bytes -= sizeof(*r->last) + r->last->remote_n + r->last->reply_n;
	if (r->added)
		r->message->bytes -= sizeof(*r->added) + r->added->address_n + r->added->mailbox_n;
	free(r->last);
	free(r->added);
	r->last = NULL;
	r->added = NULL;
}

struct message *message_new(const struct envelope *e)
{
	size_t bytes = sizeof(struct message) + e->recipients_count * sizeof(struct rcpt);
	struct message *m = malloc(bytes);
	struct view raw = e->recipients_raw;
	struct envelope_recipients item;
	uint32_t i = 0;

	if (!m)
		return NULL;
	memset(m, 0, sizeof(*m));
	m->fd = -1;
	m->trace = e->trace;
	m->received_ms = e->received_ms;
	m->null_sender = e->sender.n == 0;
	m->local_origin = e->service == SERVICE_LOCAL;
	m->rcpt_n = m->open_n = (uint32_t)e->recipients_count;
	m->bytes = bytes;
	while (i < m->rcpt_n && envelope_recipients_next(&raw, &item)) {
		rcpt_init(&m->at[i], m, i);
		m->at[i].notify = item.notify;
		i++;
	}
	ASSERT(i == m->rcpt_n);
	return m;
}

static void drop_added(struct message *m)
{
	while (m->more) {
		struct rcpt_chunk *c = m->more;

		for (uint32_t i = 0; i < c->n; i++)
			rcpt_clear(&c->at[i]);
		m->more = c->next;
		m->bytes -= sizeof(*c) + c->n * sizeof(c->at[0]);
		free(c);
	}
	m->more_end = NULL;
	m->added_n = 0;
}

void message_free(struct message *m)
{
	if (!m)
		return;
	for (uint32_t i = 0; i < m->rcpt_n; i++)
		rcpt_clear(&m->at[i]);
	drop_added(m);
	free(m);
}

void message_reset(struct message *m)
{
	drop_added(m);
	for (uint32_t i = 0; i < m->rcpt_n; i++) {
		uint8_t notify = m->at[i].notify;

		rcpt_clear(&m->at[i]);
		rcpt_init(&m->at[i], m, i);
		m->at[i].notify = notify;
	}
	m->open_n = m->rcpt_n;
	m->busy_n = m->routing_n = m->routed_n = m->report_n = 0;
	m->held = m->lasting = false;
}

struct rcpt *message_add(struct message *m, uint32_t n)
{
	size_t bytes = sizeof(struct rcpt_chunk) + n * sizeof(struct rcpt);
	struct rcpt_chunk *c;

	if (n == 0 || n > RCPT_ADDED_MAX - m->added_n)
		return NULL;
	c = malloc(bytes);
	if (!c)
		return NULL;
	c->next = NULL;
	c->n = n;
	for (uint32_t i = 0; i < n; i++)
		rcpt_init(&c->at[i], m, message_rcpt_count(m) + i);
	if (m->more_end)
		m->more_end->next = c;
	else
		m->more = c;
	m->more_end = c;
	m->added_n += n;
	m->open_n += n;
	m->bytes += bytes;
	return c->at;
}

struct rcpt *message_rcpt(struct message *m, uint32_t index)
{
	if (index < m->rcpt_n)
		return &m->at[index];
	index -= m->rcpt_n;
	for (struct rcpt_chunk *c = m->more; c; c = c->next) {
		if (index < c->n)
			return &c->at[index];
		index -= c->n;
	}
	return NULL;
}

int64_t message_age(const struct message *m, int64_t mono_ms)
{
	return m->age_ms + (mono_ms > m->born_ms ? mono_ms - m->born_ms : 0);
}

bool rcpt_set_added(struct rcpt *r, const struct expand_change *e)
{
	size_t bytes = sizeof(struct added) + e->address.n + e->mailbox.n;
	struct added *a = malloc(bytes);

	if (!a)
		return false;
	*a = (struct added){ .parent = e->parent,
			     .kind = e->kind,
			     .account = e->account,
			     .address_n = (uint16_t)e->address.n,
			     .mailbox_n = (uint16_t)e->mailbox.n };
	if (e->address.n)
		memcpy(a->text, e->address.p, e->address.n);
	if (e->mailbox.n)
		memcpy(a->text + e->address.n, e->mailbox.p, e->mailbox.n);
	if (r->added)
		r->message->bytes -= sizeof(*r->added) + r->added->address_n + r->added->mailbox_n;
	free(r->added);
	r->added = a;
	r->message->bytes += bytes;
	return true;
}

void rcpt_set_last(struct rcpt *r, unsigned code, struct view status, struct view reply,
		   struct view remote)
{
	struct last_reply *l;

	status = view_head(status, CHANGE_STATUS_MAX);
	reply = view_head(reply, REPLY_KEPT_MAX);
	remote = view_head(remote, REMOTE_KEPT_MAX);
	l = malloc(sizeof(*l) + remote.n + reply.n);
	if (!l)
		return; /* what is shown is older, nothing else */
	*l = (struct last_reply){ .code = (uint16_t)code,
				  .status_n = (uint8_t)status.n,
				  .remote_n = (uint8_t)remote.n,
				  .reply_n = (uint16_t)reply.n };
	if (status.n)
		memcpy(l->status, status.p, status.n);
	if (remote.n)
		memcpy(l->text, remote.p, remote.n);
	if (reply.n)
		memcpy(l->text + remote.n, reply.p, reply.n);
	if (r->last)
		r->message->bytes -= sizeof(*r->last) + r->last->remote_n + r->last->reply_n;
	free(r->last);
	r->last = l;
	r->message->bytes += sizeof(*l) + remote.n + reply.n;
}

struct view rcpt_status(const struct rcpt *r)
{
	return r->last ? view_of(r->last->status, r->last->status_n) : VIEW_EMPTY;
}

struct view rcpt_reply(const struct rcpt *r)
{
	return r->last ? view_of(r->last->text + r->last->remote_n, r->last->reply_n) : VIEW_EMPTY;
}

struct view rcpt_remote(const struct rcpt *r)
{
	return r->last ? view_of(r->last->text, r->last->remote_n) : VIEW_EMPTY;
}

struct view rcpt_added_address(const struct rcpt *r)
{
	return r->added ? view_of(r->added->text, r->added->address_n) : VIEW_EMPTY;
}

struct view rcpt_added_mailbox(const struct rcpt *r)
{
	return r->added ? view_of(r->added->text + r->added->address_n, r->added->mailbox_n)
			: VIEW_EMPTY;
}

/* ---- when ---- */

int64_t retry_wait(unsigned attempts, int64_t first_ms, int64_t most_ms)
{
	int64_t wait = first_ms;

	for (unsigned i = 1; i < attempts && wait < most_ms; i++)
		wait *= 2;
	return wait < most_ms ? wait : most_ms;
}

static void due_put(struct due *d, size_t at, struct message *m)
{
	d->at[at] = m;
	m->heap_at = at + 1;
}

static void due_up(struct due *d, size_t at)
{
	struct message *m = d->at[at];

	while (at > 0 && d->at[(at - 1) / 2]->due_ms > m->due_ms) {
		due_put(d, at, d->at[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	due_put(d, at, m);
}

static void due_down(struct due *d, size_t at)
{
	struct message *m = d->at[at];

	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= d->n)
			break;
		if (child + 1 < d->n && d->at[child + 1]->due_ms < d->at[child]->due_ms)
			child++;
		if (d->at[child]->due_ms >= m->due_ms)
			break;
		due_put(d, at, d->at[child]);
		at = child;
	}
	due_put(d, at, m);
}

bool due_set(struct due *d, struct message *m, int64_t due_ms)
{
	if (!m->heap_at) {
		if (!vec_grow((void **)&d->at, d->n, &d->cap, SIZE_MAX / sizeof(d->at[0]),
			      sizeof(d->at[0])))
			return false;
		due_put(d, d->n++, m);
	}
	m->due_ms = due_ms;
	due_up(d, m->heap_at - 1);
	due_down(d, m->heap_at - 1);
	return true;
}

void due_remove(struct due *d, struct message *m)
{
	size_t at = m->heap_at - 1;
	struct message *last;

	if (!m->heap_at)
		return;
	m->heap_at = 0;
	last = d->at[--d->n];
	if (last == m)
		return;
	due_put(d, at, last);
	due_up(d, at);
	due_down(d, last->heap_at - 1);
}

struct message *due_first(const struct due *d)
{
	return d->n ? d->at[0] : NULL;
}

void due_done(struct due *d)
{
	free(d->at);
	*d = (struct due){ 0 };
}

static void rate_turn(struct rate *r, int64_t window)
{
	r->before = window == r->window + 1 ? r->now : 0;
	r->now = 0;
	r->window = window;
}

void rate_count(struct rate *r, int64_t mono_ms)
{
	int64_t window = mono_ms / RATE_WINDOW_MS;

	if (window != r->window)
		rate_turn(r, window);
	r->now++;
}

int64_t rate_gather_ms(const struct rate *r, int64_t mono_ms)
{
	int64_t window = mono_ms / RATE_WINDOW_MS;
	int64_t events = 0, wait;

	if (window == r->window)
		events = r->now > r->before ? r->now : r->before;
	else if (window == r->window + 1)
		events = r->now;
	if (events < RATE_BUSY)
		return 0;
	wait = events / 2;
	return wait < GATHER_MIN_MS ? GATHER_MIN_MS : wait > GATHER_MAX_MS ? GATHER_MAX_MS : wait;
}
