/*
 * roles/queue/dispatch.c: which recipient goes where, now.
 *
 * Every attempt asks auth again where an address leads, except for recipients that an alias has added:
 * those are recorded before anything is done for them, so that a restart does the same again.  Mail that an
 * alias forwards to another server keeps its sender; no sender rewriting is done.
 */
#include "base/vec.h"
#include "roles/queue/queue.h"
#include "sys/clock.h"
#include "sys/log.h"

enum {
	ASKS_ENOUGH = 4 * ROUTE_ASKED_MAX,
	ASKS_WAIT_MS = 20,
	/* Recipients that failed in one transaction were told so one behind the other; they are tried
	 * again in one. */
	DUE_TOGETHER_MS = 500
};

static bool is_busy(enum rcpt_stage stage)
{
	return stage == STAGE_ASKED || stage == STAGE_EXPANDING || stage == STAGE_LOCAL ||
	       stage == STAGE_HANDED || stage == STAGE_SENDING;
}

static bool is_routing(enum rcpt_stage stage)
{
	return stage == STAGE_ASKED || stage == STAGE_EXPANDING;
}

void rcpt_stage(struct rcpt *r, enum rcpt_stage stage)
{
	struct message *m = r->message;
	enum rcpt_stage old = (enum rcpt_stage)r->stage;

	m->busy_n = m->busy_n - is_busy(old) + is_busy(stage);
	m->routing_n = m->routing_n - is_routing(old) + is_routing(stage);
	m->routed_n = m->routed_n - (old == STAGE_ROUTED) + (stage == STAGE_ROUTED);
	r->stage = (uint8_t)stage;
	if (stage == STAGE_IDLE || stage == STAGE_TIMED)
		r->owner = NULL;
}

void dispatch_schedule(struct queue *q, struct message *m)
{
	int64_t due = INT64_MAX;
	bool waits = false;

	for (uint32_t i = 0; i < message_rcpt_count(m); i++) {
		const struct rcpt *r = message_rcpt(m, i);

		if (r->stage == STAGE_TIMED && r->next_ms < due)
			due = r->next_ms;
		waits = waits || r->stage == STAGE_TIMED;
	}
	if (waits) {
		int64_t warning = bounce_warning_due(q, m);

		due = warning < due ? warning : due;
	}
	if (m->held || m->finished || due == INT64_MAX)
		due_remove(&q->due, m);
	else if (!due_set(&q->due, m, due))
		LOG_ERROR("queue.memory", "no memory to remember when a message is due",
			  LOG_ID("trace", m->trace));
	if (due_first(&q->due)) {
		int64_t wait = due_first(&q->due)->due_ms - clock_mono_ms();

		loop_timer_set(&q->dispatch, wait > 0 ? wait : 0);
	}
}

static void fail(struct queue *q, struct rcpt *r, struct view status, struct view words)
{
	outcome_set(q, r,
		    &(struct outcome){ .what = RCPT_FAILED, .status = status, .reply = words });
}

static void defer(struct queue *q, struct rcpt *r, struct view status, struct view words)
{
	outcome_set(q, r,
		    &(struct outcome){ .what = RCPT_DEFERRED, .status = status, .reply = words });
}

static void dispatch_rcpt(struct queue *q, struct rcpt *r)
{
	struct envelope_recipients item;

	rcpt_stage(r, STAGE_IDLE);
	if (open_rcpt(q, r, &item)) {
		/* Told by open_message; kept for the administrator. */
		r->message->held = true;
		return;
	}
	if (r->index < r->message->rcpt_n)
		route_ask(q, r, item.address);
	else if (r->added->kind == ROUTE_MAILBOX)
		local_add(q, r, r->added->account);
	else
		remote_add(q, r, item.address);
}

void dispatch_message(struct queue *q, struct message *m)
{
	int64_t due = clock_mono_ms() + DUE_TOGETHER_MS;

	ASSERT(m->entry.segment);
	/* Those whose way is known wait for those that are still to be asked about. */
	m->routing_n++;
	for (uint32_t i = 0; i < message_rcpt_count(m) && !m->held && !m->finished; i++) {
		struct rcpt *r = message_rcpt(m, i);

		if (rcpt_is_final(r))
			continue;
		if (r->stage == STAGE_IDLE || (r->stage == STAGE_TIMED && r->next_ms <= due))
			dispatch_rcpt(q, r);
	}
	m->routing_n--;
	outcome_settle(q, m);
}

void dispatch_due(void *ctx)
{
	struct queue *q = ctx;
	struct message *m;
	int64_t now = clock_mono_ms();

	for (int i = 0; i < DISPATCH_SLICE; i++) {
		m = due_first(&q->due);
		if (!m || m->due_ms > now)
			break;
		if (q->router.asks.n > ASKS_ENOUGH) {
			loop_timer_set(&q->dispatch, ASKS_WAIT_MS);
			return;
		}
		due_remove(&q->due, m);
		if (bounce_warning_due(q, m) <= now)
			bounce_warn(q, m);
		dispatch_message(q, m);
		dispatch_schedule(q, m);
	}
	m = due_first(&q->due);
	if (m)
		loop_timer_set(&q->dispatch, m->due_ms > now ? m->due_ms - now : 0);
}

/* ---- aliases ---- */

static uint8_t inherited_notify(const struct rcpt *r)
{
	uint8_t rest = r->notify & (uint8_t)~NOTIFY_SUCCESS;

	/* A success was reported as "expanded"; who asked for nothing else gets nothing else. */
	return r->notify && !rest ? NOTIFY_NEVER : rest;
}

static void on_expanded(void *ctx, enum err err)
{
	struct message *m = ctx;
	struct queue *q = m->queue;

	for (uint32_t i = m->rcpt_n; i < message_rcpt_count(m); i++) {
		struct rcpt *r = message_rcpt(m, i);

		if (r->stage == STAGE_EXPANDING)
			rcpt_stage(r, STAGE_IDLE);
	}
	/* ERR_NOMEM: not recorded, but done nevertheless; a restart may then do it twice. */
	dispatch_message(q, m);
}

static bool is_repeated(const struct targets *t, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (t->at[i].kind == t->at[n].kind && t->at[i].account == t->at[n].account &&
		    (t->at[n].kind == ROUTE_MAILBOX ||
		     view_eq_nocase(t->at[i].address, t->at[n].address)))
			return true;
	return false;
}

/* Records under way, their heads one behind the other in bytes. */
struct expansion {
	struct journal_record records[ROUTE_TARGETS_ARE_TARGETS_MAX + 1];
	size_t ends[ROUTE_TARGETS_ARE_TARGETS_MAX + 1];
	uint32_t n;
	struct buf bytes;
};

static void expansion_add(struct expansion *x, const struct message *m, enum record_type type)
{
	x->records[x->n].type = (uint8_t)type;
	x->records[x->n].sequence = m->entry.sequence;
	x->ends[x->n++] = x->bytes.n;
}

/* Give added the target's place, and record it. */
static void expand_one(struct rcpt *r, struct rcpt *added,
		       const struct route_targets_are_targets *t, struct expansion *x)
{
	struct message *m = r->message;
	struct expand_change e = { .index = added->index,
				   .parent = r->index,
				   .kind = t->kind,
				   .notify = inherited_notify(r),
				   .account = t->account,
				   .address = t->address,
				   .mailbox = t->mailbox };

	added->notify = e.notify;
	if (!rcpt_set_added(added, &e)) {
		LOG_ERROR("queue.memory", "no memory to follow an alias",
			  LOG_ID("trace", m->trace));
		added->outcome = RCPT_DELETED;
		m->open_n--;
		return;
	}
	rcpt_stage(added, STAGE_EXPANDING);
	expand_change_encode(&x->bytes, &e);
	expansion_add(x, m, RECORD_EXPAND);
}

static void end_expanded(struct rcpt *r, struct expansion *x)
{
	struct message *m = r->message;

	r->outcome = RCPT_EXPANDED;
	m->open_n--;
	m->lasting = true;
	if (!(r->notify & NOTIFY_NEVER) && r->notify & NOTIFY_SUCCESS && !m->null_sender) {
		r->report = true;
		m->report_n++;
	}
	outcome_encode(r, &x->bytes);
	expansion_add(x, m, RECORD_RCPT);
}

/* The recipients that r stands for, and the end of r, become one group of the journal. */
static void expand(struct queue *q, struct rcpt *r, const struct targets *t)
{
	struct message *m = r->message;
	struct expansion x = { .bytes = BUF_INIT(64 * 1024) };
	struct rcpt *added;
	uint32_t n = 0;

	for (size_t i = 0; i < t->count; i++)
		n += !is_repeated(t, i);
	added = message_add(m, n);
	if (!added) {
		fail(q, r, VIEW("5.2.4"), VIEW("the address stands for too many others"));
		return;
	}
	for (size_t i = 0; i < t->count; i++)
		if (!is_repeated(t, i))
			expand_one(r, added++, &t->at[i], &x);
	end_expanded(r, &x);
	for (size_t i = 0, from = 0; i < x.n; from = x.ends[i++])
		x.records[i].head = view_part(buf_view(&x.bytes), from, x.ends[i] - from);
	LOG_INFO("queue.expanded", "an address stands for others", LOG_ID("trace", m->trace),
		 LOG_VIEW("to", open_address(q, r)), LOG_UINT("count", n));
	if (buf_err(&x.bytes) || journal_add(q->journal, x.records, x.n, on_expanded, m))
		on_expanded(m, ERR_NOMEM);
	buf_done(&x.bytes);
	queue_count_memory(q, m);
	queue_commit_soon(q);
}

static bool is_alias(struct queue *q, struct rcpt *r, const struct route_targets_are_targets *only)
{
	struct envelope_recipients item;

	return !only->mailbox.n && !open_rcpt(q, r, &item) &&
	       !view_eq_nocase(item.address, only->address);
}

void dispatch_routed(struct queue *q, struct rcpt *r, const struct targets *t)
{
	const struct route_targets_are_targets *only = t->count == 1 ? &t->at[0] : NULL;
	struct envelope_recipients item;

	switch (t->status) {
	case ROUTE_OK: break;
	case ROUTE_NOT_OURS:
		if (open_rcpt(q, r, &item))
			r->message->held = true;
		else
			remote_add(q, r, item.address);
		return;
	case ROUTE_UNKNOWN:
		fail(q, r, VIEW("5.1.1"), VIEW("there is no such address here"));
		return;
	case ROUTE_DISABLED: fail(q, r, VIEW("5.2.1"), VIEW("the account is closed")); return;
	case ROUTE_LOOP: fail(q, r, VIEW("5.4.6"), VIEW("aliases lead in a circle")); return;
	case ROUTE_FULL: defer(q, r, VIEW("4.2.2"), VIEW("the mailbox is full")); return;
	default: defer(q, r, VIEW("4.3.0"), VIEW("the directory cannot be asked now")); return;
	}
	if (t->count == 0) {
		fail(q, r, VIEW("5.1.1"), VIEW("the address leads nowhere"));
		return;
	}
	/* An alias is recorded as what it stood for now: after a restart it may stand for something else,
	 * and the mail would go there again. */
	if (only && only->kind == ROUTE_MAILBOX && !is_alias(q, r, only)) {
		struct expand_change e = { .kind = ROUTE_MAILBOX,
					   .account = only->account,
					   .mailbox = only->mailbox };

		if (only->mailbox.n && !rcpt_set_added(r, &e))
			LOG_WARNING("queue.memory", "no memory to remember a folder",
				    LOG_ID("trace", r->message->trace));
		local_add(q, r, only->account);
		return;
	}
	if (only && !open_rcpt(q, r, &item) && view_eq_nocase(item.address, only->address)) {
		remote_add(q, r, only->address);
		return;
	}
	expand(q, r, t);
}

void dispatch_withdraw(struct queue *q, struct rcpt *r)
{
	switch ((enum rcpt_stage)r->stage) {
	case STAGE_ASKED: route_withdraw(q, r); break;
	case STAGE_LOCAL:
	case STAGE_HANDED:
	case STAGE_STORED: local_withdraw(q, r); break;
	case STAGE_ROUTED:
	case STAGE_REMOTE:
	case STAGE_SENDING: remote_withdraw(q, r); break;
	default: break;
	}
	rcpt_stage(r, STAGE_IDLE);
}
