/*
 * roles/queue/replay.c: messages from the journal, and back into it.
 *
 * While the journal is replayed, born_ms of a message is the wall clock at which it had the age age_ms,
 * and next_ms of a recipient is wall clock too; replay_finish turns both into monotonic time.  What a
 * record says is believed as far as it fits: sums were checked, the rest is our own writing.
 */
#include "roles/queue/queue.h"
#include "sys/clock.h"
#include "sys/log.h"

static struct message *find(struct queue *q, uint64_t sequence)
{
	return map_get(q->replay, map_key_u64(&sequence));
}

enum err replay_accepted(void *ctx, uint64_t sequence, struct view head, uint64_t body_n,
			 struct journal_entry **ret)
{
	struct queue *q = ctx;
	struct message *m = find(q, sequence);
	struct envelope e;

	if (m) {
		/* A copy: what follows it describes the message as it was then. */
		message_reset(m);
	} else {
		if (envelope_decode(head, &e) || !e.recipients_count) {
			LOG_ERROR("queue.envelope", "an envelope in the journal makes no sense",
				  LOG_UINT("sequence", sequence));
			*ret = NULL;
			return OK;
		}
		m = message_new(&e);
		if (!m || map_put(q->replay, map_key_u64(&sequence), m)) {
			message_free(m);
			return ERR_NOMEM;
		}
		queue_link(q, m);
	}
	m->age_ms = 0;
	m->born_ms = m->received_ms;
	*ret = &m->entry;
	return OK;
}

static void apply_rcpt(struct message *m, const struct rcpt_change *c)
{
	struct rcpt *r = message_rcpt(m, c->index);

	if (!r || c->outcome == RCPT_WAITING)
		return;
	m->open_n -= !rcpt_is_final(r);
	m->report_n -= r->report;
	r->outcome = c->outcome;
	r->report = c->flags & CHANGE_REPORT;
	r->warned = c->flags & CHANGE_WARNED;
	r->attempts = c->attempts;
	r->next_ms = c->next_ms;
	r->tried_ms = c->wall_ms;
	m->open_n += !rcpt_is_final(r);
	m->report_n += r->report;
	m->warned = m->warned || r->warned;
	m->lasting = true;
	if (c->status.n || c->reply.n)
		rcpt_set_last(r, c->code, c->status, c->reply, c->remote);
	if (c->wall_ms > m->born_ms) {
		m->born_ms = c->wall_ms;
		m->age_ms = c->age_ms;
	}
}

/* Again after a copy, or out of order after damage: only the next one, or one that is there, fits. */
static void apply_expand(struct message *m, const struct expand_change *e)
{
	struct rcpt *r = message_rcpt(m, e->index);

	if (!r && e->index == message_rcpt_count(m))
		r = message_add(m, 1);
	if (!r || e->index < m->rcpt_n || e->parent >= message_rcpt_count(m))
		return;
	r->notify = e->notify;
	m->lasting = true;
	if (!rcpt_set_added(r, e)) {
		r->outcome = RCPT_DELETED;
		m->open_n--;
	}
}

enum err replay_changed(void *ctx, uint8_t type, uint64_t sequence, struct view head)
{
	struct queue *q = ctx;
	struct message *m = find(q, sequence);
	struct rcpt_change rcpt;
	struct expand_change expand;
	enum err err = OK;

	if (!m)
		return OK; /* of one that is finished, or lies in a part that was lost */
	if (type == RECORD_HOLD) {
		m->held = head.n == 1 && view_at(head, 0) == 1;
	} else if (type == RECORD_RCPT) {
		err = rcpt_change_decode(head, &rcpt);
		if (!err)
			apply_rcpt(m, &rcpt);
	} else {
		err = expand_change_decode(head, &expand);
		if (!err)
			apply_expand(m, &expand);
	}
	if (err)
		LOG_ERROR("queue.change", "a change in the journal makes no sense",
			  LOG_ID("trace", m->trace), LOG_UINT("type", type), LOG_ERR(err));
	queue_count_memory(q, m);
	return OK;
}

void replay_forgotten(void *ctx, uint64_t sequence)
{
	struct queue *q = ctx;
	struct message *m = find(q, sequence);

	if (!m)
		return;
	map_remove(q->replay, map_key_u64(&sequence));
	journal_entry_drop(q->journal, &m->entry);
	queue_free_message(q, m);
}

static int64_t clamp(int64_t v, int64_t most)
{
	return v < 0 ? 0 : v < most ? v : most;
}

static void wake(struct queue *q, struct message *m)
{
	int64_t wall = clock_wall_ms();
	int64_t mono = clock_mono_ms();

	m->age_ms += clamp(wall - m->born_ms, DOWNTIME_MAX_MS);
	m->born_ms = mono;
	for (uint32_t i = 0; i < message_rcpt_count(m); i++) {
		struct rcpt *r = message_rcpt(m, i);

		if (r->outcome != RCPT_DEFERRED)
			continue;
		r->next_ms = mono + clamp(r->next_ms - wall, (int64_t)q->config->retry_max);
		rcpt_stage(r, STAGE_TIMED);
	}
	/* Settled when it is its turn: not all at once. */
	if (!m->held && !due_set(&q->due, m, mono))
		LOG_ERROR("queue.memory", "no memory to remember when a message is due",
			  LOG_ID("trace", m->trace));
}

void replay_finish(struct queue *q)
{
	for (struct message *m = message_first(&q->messages); m; m = message_next(m))
		wake(q, m);
	if (q->messages.n)
		LOG_NOTICE("queue.replayed", "found messages in the journal",
			   LOG_UINT("messages", q->messages.n));
	if (due_first(&q->due))
		loop_timer_set(&q->dispatch, 0);
}

enum err replay_describe(void *ctx, struct journal_entry *entry, struct journal_changes *out)
{
	struct message *m = (struct message *)entry;
	static const char held = 1;
	enum err err = OK;

	if (m->held)
		err = journal_changes_add(out, RECORD_HOLD, entry->sequence, view_of(&held, 1));
	for (uint32_t i = m->rcpt_n; i < message_rcpt_count(m) && !err; i++) {
		struct buf CLEANUP(buf_done) head = BUF_INIT(CHANGE_SIZE_MAX);
		const struct rcpt *r = message_rcpt(m, i);

		if (!r->added)
			continue;
		expand_change_encode(&head,
				     &(struct expand_change){ .index = r->index,
							      .parent = r->added->parent,
							      .kind = r->added->kind,
							      .notify = r->notify,
							      .account = r->added->account,
							      .address = rcpt_added_address(r),
							      .mailbox = rcpt_added_mailbox(r) });
		err = journal_changes_add(out, RECORD_EXPAND, entry->sequence, buf_view(&head));
	}
	for (uint32_t i = 0; i < message_rcpt_count(m) && !err; i++) {
		struct buf CLEANUP(buf_done) head = BUF_INIT(CHANGE_SIZE_MAX);
		const struct rcpt *r = message_rcpt(m, i);

		if (r->outcome == RCPT_WAITING)
			continue;
		outcome_encode(r, &head);
		err = journal_changes_add(out, RECORD_RCPT, entry->sequence, buf_view(&head));
	}
	return err;
}
