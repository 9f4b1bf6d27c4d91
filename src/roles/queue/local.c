/*
 * roles/queue/local.c: deliveries to the mailbox processes of this server.
 *
 * One account, one process, one channel.  When nothing happens a message is handed over at once; under
 * load an account's messages wait a little for company (rate_gather_ms), because a mailbox stores a batch
 * in one transaction (FEASIBILITY.md 1).  What a mailbox has stored stays here until it says that it is durable;
 * a channel that ends before is delivered to again, which the mailbox's mark makes a no-op.
 */
#include "roles/queue/queue.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/log.h"

enum { CHECKPOINT_LOOK_MS = 1000 };

static void account_flush(struct queue *q, struct account *a);

static struct account *account_get(struct queue *q, uint64_t id)
{
	struct view key = map_key_u64(&id);
	struct account *a = map_get(&q->locals.accounts, key);

	if (a)
		return a;
	a = calloc(1, sizeof(*a));
	if (!a || map_put(&q->locals.accounts, key, a)) {
		free(a);
		return NULL;
	}
	a->queue = q;
	a->id = id;
	return a;
}

static void account_push(struct list *l, struct account *a)
{
	a->due = true;
	list_push_back(l, &a->due_link);
}

/* From a list that is not empty. */
static struct account *account_pop(struct list *l)
{
	struct account *a = LIST_ITEM(list_pop(l), struct account, due_link);

	a->due = false;
	return a;
}

static void flush_soon(void *ctx)
{
	struct queue *q = ctx;
	struct locals *l = &q->locals;

	while (l->soon.n)
		account_flush(q, account_pop(&l->soon));
}

/* All whose time has come. */
static void flush_due(void *ctx)
{
	struct queue *q = ctx;
	struct locals *l = &q->locals;
	struct account *a;
	int64_t now = clock_mono_ms();

	while ((a = LIST_FIRST(&l->due, struct account, due_link)) && a->due_ms <= now)
		account_flush(q, account_pop(&l->due));
	if (a)
		loop_timer_set(&l->timer, a->due_ms - now);
}

static void flush_at_once(struct queue *q, struct account *a)
{
	if (a->due)
		return;
	account_push(&q->locals.soon, a);
	loop_defer_add(&q->locals.flush);
}

static void wake_soon(struct queue *q, struct account *a)
{
	struct locals *l = &q->locals;
	int64_t now = clock_mono_ms();
	int64_t wait = rate_gather_ms(&q->rate, now);

	if (a->due)
		return;
	if (!wait) {
		flush_at_once(q, a);
		return;
	}
	/* Nobody overtakes: the list stays in order when the wait becomes shorter. */
	a->due_ms = now + wait;
	if (l->due.n && a->due_ms < l->due_last_ms)
		a->due_ms = l->due_last_ms;
	if (!l->due.n)
		loop_timer_set(&l->timer, wait);
	l->due_last_ms = a->due_ms;
	account_push(&l->due, a);
}

void local_add(struct queue *q, struct rcpt *r, uint64_t id)
{
	struct account *a = account_get(q, id);

	if (!a) {
		outcome_again(q, r, 1000);
		return;
	}
	rcpt_stage(r, STAGE_LOCAL);
	r->owner = a;
	rcpt_list_push(&a->waiting, r);
	wake_soon(q, a);
}

static void account_drop_if_idle(struct queue *q, struct account *a)
{
	if (a->chan || a->state != ACCOUNT_NONE || a->due || a->waiting.n || a->handed.n ||
	    a->stored.n)
		return;
	map_remove(&q->locals.accounts, map_key_u64(&a->id));
	free(a);
}

static size_t body_octets(const struct rcpt *r)
{
	return (size_t)r->message->entry.body_n;
}

/* The channel is gone: everything that is not durable there is delivered again, in order. */
static void account_lost(struct queue *q, struct account *a)
{
	struct list rest = a->waiting;
	struct rcpt *r;

	ipc_chan_free(a->chan);
	a->chan = NULL;
	a->state = ACCOUNT_NONE;
	a->waiting = (struct list){ 0 };
	a->handed_bytes = 0;
	a->stored_n = a->durable_n = 0;
	a->checkpointing = false;
	while ((r = rcpt_list_pop(&a->stored)) || (r = rcpt_list_pop(&a->handed)) ||
	       (r = rcpt_list_pop(&rest))) {
		rcpt_stage(r, STAGE_LOCAL);
		r->owner = a;
		rcpt_list_push(&a->waiting, r);
	}
	if (a->waiting.n)
		wake_soon(q, a);
	else
		account_drop_if_idle(q, a);
}

void local_withdraw(struct queue *q, struct rcpt *r)
{
	struct account *a = r->owner;

	if (r->stage == STAGE_LOCAL) {
		rcpt_list_remove(&a->waiting, r);
	} else if (r->stage == STAGE_HANDED) {
		rcpt_list_remove(&a->handed, r);
		a->handed_bytes -= body_octets(r);
	} else {
		/* Its place in the count of what is durable must stay: taken out when that comes. */
		rcpt_list_remove(&a->stored, r);
		a->durable_n++;
	}
}

/* ---- handing over ---- */

static enum err hand_over(struct queue *q, struct account *a, struct rcpt *r)
{
	struct message *m = r->message;
	struct envelope_recipients item;
	struct deliver_put put;
	enum err err = open_rcpt(q, r, &item);
	int fd = -1;

	if (err)
		return err;
	put = (struct deliver_put){
		.sequence = m->entry.sequence,
		.recipient = r->index,
		.trace = m->trace,
		.received_ms = m->received_ms,
		.mailbox = rcpt_added_mailbox(r),
		.sender = q->opened.envelope.sender,
		.address = item.address,
		.body_n = q->opened.body.n,
	};
	if (q->opened.body.n <= DELIVER_PUT_PAYLOAD_MAX) {
		put.payload = q->opened.body;
	} else {
		put.body_at = m->fd_at;
		fd = kept_take(q, m);
		if (fd < 0) {
			put.body_at = 0;
			fd = open_body_fd(q);
		}
		if (fd < 0)
			return ERR_BUSY;
	}
	return deliver_send_put(a->chan, &put, fd);
}

static bool may_hand_over(const struct account *a)
{
	return a->handed.n < HANDED_MAX && a->handed_bytes < HANDED_BYTES_MAX &&
	       !ipc_chan_full(a->chan) && !ipc_chan_is_closed(a->chan);
}

static void spawn_want(struct queue *q, struct account *a)
{
	struct spawn_want want = { .account = a->id };
	int64_t now = clock_mono_ms();

	if (a->state != ACCOUNT_NONE || !q->locals.spawn)
		return;
	if (now < a->spawn_ms) {
		loop_timer_set(&q->locals.checkpoint, CHECKPOINT_LOOK_MS);
		return;
	}
	if (!spawn_send_want(q->locals.spawn, &want))
		a->state = ACCOUNT_WANTED;
}

static void account_flush(struct queue *q, struct account *a)
{
	if (a->state != ACCOUNT_READY) {
		if (a->waiting.n)
			spawn_want(q, a);
		else
			account_drop_if_idle(q, a);
		return;
	}
	while (a->waiting.n && may_hand_over(a)) {
		struct rcpt *r = rcpt_list_first(&a->waiting);
		enum err err = hand_over(q, a, r);

		if (err == ERR_PEER || err == ERR_LIMIT)
			return; /* closed, or drained, follows */
		rcpt_list_remove(&a->waiting, r);
		if (err) {
			outcome_again(q, r, 60000);
			outcome_settle(q, r->message);
			continue;
		}
		rcpt_stage(r, STAGE_HANDED);
		if (r->message->entry.sequence > a->last_sequence)
			a->last_sequence = r->message->entry.sequence;
		rcpt_list_push(&a->handed, r);
		a->handed_bytes += body_octets(r);
	}
}

/* ---- answers ---- */

static struct rcpt *find_handed(const struct account *a, const struct deliver_done *m)
{
	struct rcpt *r = rcpt_list_first(&a->handed);

	while (r && (r->message->entry.sequence != m->sequence || r->index != m->recipient))
		r = rcpt_list_next(r);
	return r;
}

static void stored(struct queue *q, struct account *a, struct rcpt *r)
{
	rcpt_stage(r, STAGE_STORED);
	r->tried_ms = clock_wall_ms();
	if (!a->stored.n) {
		a->stored_ms = clock_mono_ms();
		if (!loop_timer_is_set(&q->locals.checkpoint))
			loop_timer_set(&q->locals.checkpoint, CHECKPOINT_LOOK_MS);
	}
	rcpt_list_push(&a->stored, r);
	a->stored_n++;
	q->figures.delivered++;
	/* The mailbox has said so at INFO. */
	LOG_DEBUG("queue.delivered", "a mailbox has the message",
		  LOG_ID("trace", r->message->trace), LOG_VIEW("to", open_address(q, r)),
		  LOG_UINT("account", a->id));
	outcome_settle(q, r->message);
}

static enum err on_done(void *ctx, const struct deliver_done *m)
{
	struct account *a = ctx;
	struct queue *q = a->queue;
	struct rcpt *r = find_handed(a, m);
	struct outcome o = { .what = RCPT_DEFERRED, .status = VIEW("4.2.0"), .reply = m->reason };

	if (!r) {
		/* Withdrawn by the administrator meanwhile; it still counts as an answer. */
		if (m->status == DELIVER_OK) {
			a->stored_n++;
			a->durable_n++;
		}
		return OK;
	}
	rcpt_list_remove(&a->handed, r);
	a->handed_bytes -= body_octets(r);
	if (m->status == DELIVER_OK) {
		stored(q, a, r);
	} else {
		if (m->status == DELIVER_QUOTA)
			o.status = VIEW("4.2.2");
		if (m->status == DELIVER_FAILED) {
			o.what = RCPT_FAILED;
			o.status = VIEW("5.2.0");
		}
		rcpt_stage(r, STAGE_IDLE);
		outcome_set(q, r, &o);
		outcome_settle(q, r->message);
	}
	if (a->waiting.n)
		flush_at_once(q, a);
	return OK;
}

static enum err on_durable(void *ctx, const struct deliver_durable *m)
{
	struct account *a = ctx;
	struct queue *q = a->queue;

	if (m->count > a->stored_n)
		return ERR_PEER;
	a->stored_ms = clock_mono_ms();
	while (a->durable_n < m->count) {
		struct rcpt *r = rcpt_list_pop(&a->stored);

		/* Withdrawn ones were counted in advance. */
		if (!r)
			break;
		a->durable_n++;
		rcpt_stage(r, STAGE_IDLE);
		outcome_set(q, r,
			    &(struct outcome){ .what = RCPT_DELIVERED, .status = VIEW("2.1.5") });
		outcome_settle(q, r->message);
	}
	return OK;
}

static enum err on_checkpointed(void *ctx, const struct deliver_checkpointed *m)
{
	struct account *a = ctx;

	a->checkpointing = false;
	if (!m->ok)
		LOG_WARNING("queue.checkpoint", "a mailbox could not make its mail durable",
			    LOG_UINT("account", a->id));
	return OK;
}

static const struct deliver_client_ops ops = {
	.done = on_done,
	.durable = on_durable,
	.checkpointed = on_checkpointed,
};

static enum err on_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	return deliver_client_dispatch(&ops, ctx, type, body, fd);
}

static void on_closed(void *ctx, enum err why)
{
	struct account *a = ctx;

	if (why != ERR_EOF) {
		LOG_ERROR("queue.peer", "a mailbox process broke the rules of its channel",
			  LOG_UINT("account", a->id), LOG_ERR(why));
		/* The next one may well do the same. */
		a->spawn_ms = clock_mono_ms() + SPAWN_RETRY_MS;
	}
	account_lost(a->queue, a);
}

static void on_drained(void *ctx)
{
	struct account *a = ctx;

	account_flush(a->queue, a);
}

static const struct ipc_ops chan_ops = { on_message, on_closed, on_drained };

/* ---- spawning ---- */

static enum err on_have(void *ctx, const struct spawn_have *m, int *fd)
{
	struct queue *q = ctx;
	struct account *a = map_get(&q->locals.accounts, map_key_u64(&m->account));
	int taken = *fd;
	enum err err;

	*fd = -1;
	if (!a || a->state != ACCOUNT_WANTED) {
		fd_close(&taken);
		return OK;
	}
	a->state = ACCOUNT_NONE;
	if (taken < 0) {
		LOG_WARNING("queue.spawn", "the mailbox process cannot be started now",
			    LOG_UINT("account", a->id), LOG_UINT("waiting", a->waiting.n));
		a->spawn_ms = clock_mono_ms() + SPAWN_RETRY_MS;
		loop_timer_set(&q->locals.checkpoint, CHECKPOINT_LOOK_MS);
		return OK;
	}
	err = ipc_chan_new(q->loop, taken, &deliver_channel, IPC_CLIENT, &chan_ops, a, &a->chan);
	if (err)
		return OK; /* asked for again */
	a->state = ACCOUNT_READY;
	account_flush(q, a);
	return OK;
}

static const struct spawn_client_ops spawn_ops = { .have = on_have };

static enum err on_spawn_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	return spawn_client_dispatch(&spawn_ops, ctx, type, body, fd);
}

static void forget_spawn(struct queue *q)
{
	size_t at = 0;
	struct view key;
	void *value;

	ipc_chan_free(q->locals.spawn);
	q->locals.spawn = NULL;
	while (map_next(&q->locals.accounts, &at, &key, &value)) {
		struct account *a = value;

		if (a->state == ACCOUNT_WANTED)
			a->state = ACCOUNT_NONE;
	}
}

static void on_spawn_closed(void *ctx, enum err why)
{
	forget_spawn(ctx);
}

static const struct ipc_ops spawn_chan_ops = { on_spawn_message, on_spawn_closed, NULL };

static void wake_all(struct queue *q)
{
	size_t at = 0;
	struct view key;
	void *value;

	while (map_next(&q->locals.accounts, &at, &key, &value)) {
		struct account *a = value;

		if (a->waiting.n && a->state == ACCOUNT_NONE)
			wake_soon(q, a);
	}
}

enum err local_attach_spawn(struct queue *q, int fd)
{
	enum err err;

	forget_spawn(q);
	err = ipc_chan_new(q->loop, fd, &spawn_channel, IPC_CLIENT, &spawn_chan_ops, q,
			   &q->locals.spawn);
	if (!err)
		wake_all(q);
	return err;
}

/* ---- checkpoints ---- */

/* Every lower sequence is finished for good: no account needs its marks any more. */
static uint64_t settled_below(const struct queue *q)
{
	struct journal_figures f;
	uint64_t below;

	journal_figures(q->journal, &f);
	below = f.next_sequence;
	for (const struct message *m = message_first(&q->messages); m; m = message_next(m))
		if (m->entry.sequence < below)
			below = m->entry.sequence;
	return below;
}

void local_checkpoint(struct queue *q, bool all)
{
	static const struct deliver_checkpoint ask;
	int64_t now = clock_mono_ms();
	/* Mailboxes do it by themselves after checkpoint_time; who does not is asked. */
	int64_t patience = 2 * (int64_t)q->config->checkpoint_time;
	size_t at = 0;
	struct view key;
	void *value;

	while (map_next(&q->locals.accounts, &at, &key, &value)) {
		struct account *a = value;

		if (!a->stored.n || a->checkpointing || a->state != ACCOUNT_READY)
			continue;
		if ((all || now - a->stored_ms > patience) &&
		    !deliver_send_checkpoint(a->chan, &ask))
			a->checkpointing = true;
	}
}

static void look_after(void *ctx)
{
	struct queue *q = ctx;
	bool again = false;
	uint64_t below = settled_below(q);
	size_t at = 0;
	struct view key;
	void *value;

	local_checkpoint(q, false);
	wake_all(q);
	while (map_next(&q->locals.accounts, &at, &key, &value)) {
		struct account *a = value;
		struct deliver_settled settled = { .below = below };

		if (a->state == ACCOUNT_READY && a->settled < below &&
		    !deliver_send_settled(a->chan, &settled))
			a->settled = below;
		again = again || a->stored.n || a->handed.n || a->waiting.n ||
			(a->chan && a->settled <= a->last_sequence);
	}
	if (again)
		loop_timer_set(&q->locals.checkpoint, CHECKPOINT_LOOK_MS);
}

void local_init(struct queue *q)
{
	struct locals *l = &q->locals;
	uint8_t secret[16];

	random_bytes(secret, sizeof(secret));
	map_init(&l->accounts, ACCOUNTS_MAX, secret);
	loop_defer_init(&l->flush, q->loop, flush_soon, q);
	loop_timer_init(&l->timer, q->loop, flush_due, q);
	loop_timer_init(&l->checkpoint, q->loop, look_after, q);
}

void local_done(struct queue *q)
{
	struct locals *l = &q->locals;
	size_t at = 0;
	struct view key;
	void *value;

	ipc_chan_free(l->spawn);
	l->spawn = NULL;
	loop_defer_done(&l->flush);
	loop_timer_done(&l->timer);
	loop_timer_done(&l->checkpoint);
	while (map_next(&l->accounts, &at, &key, &value)) {
		struct account *a = value;

		ipc_chan_free(a->chan);
		free(a);
	}
	map_done(&l->accounts);
}
