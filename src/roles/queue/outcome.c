/*
 * roles/queue/outcome.c: what became of a recipient: recorded, tried again, or reported.
 *
 * A final outcome and the duty to report it are one record; the report, when it is made, and the end of
 * the duty are one group.  So a kill in between neither loses a report nor repeats it.
 */
#include "proto/dsn/status.h"
#include "roles/queue/queue.h"
#include "sys/clock.h"
#include "sys/log.h"

bool outcome_is_stopped(const struct queue *q)
{
	return journal_marks(q->journal) & MARK_STOPPED;
}

void outcome_encode(const struct rcpt *r, struct buf *out)
{
	int64_t now = clock_mono_ms();
	struct rcpt_change c = {
		.index = r->index,
		.outcome = r->outcome,
		.flags = (uint8_t)((r->report ? CHANGE_REPORT : 0) |
				   (r->warned ? CHANGE_WARNED : 0)),
		.attempts = r->attempts,
		.code = r->last ? r->last->code : 0,
		.wall_ms = clock_wall_ms(),
		.age_ms = message_age(r->message, now),
		.status = rcpt_status(r),
		.reply = rcpt_reply(r),
		.remote = rcpt_remote(r),
	};

	if (r->stage == STAGE_TIMED && r->next_ms > now)
		c.next_ms = c.wall_ms + (r->next_ms - now);
	rcpt_change_encode(out, &c);
}

void outcome_record(struct queue *q, struct rcpt *r)
{
	struct buf CLEANUP(buf_done) head = BUF_INIT(CHANGE_SIZE_MAX);
	struct journal_record record = { .type = RECORD_RCPT,
					 .sequence = r->message->entry.sequence };
	enum err err;

	outcome_encode(r, &head);
	record.head = buf_view(&head);
	err = buf_err(&head);
	if (!err)
		err = journal_add(q->journal, &record, 1, NULL, NULL);
	if (err)
		LOG_ERROR("queue.record",
			  "an outcome could not be recorded; a restart may repeat it",
			  LOG_ID("trace", r->message->trace), LOG_ERR(err));
}

/* RFC 3461#4.1: without NOTIFY failures and delays are reported. */
static bool is_wanted(const struct rcpt *r, unsigned notify)
{
	if (r->message->null_sender)
		return false;
	if (!r->notify)
		return notify != NOTIFY_SUCCESS;
	return !(r->notify & NOTIFY_NEVER) && r->notify & notify;
}

static bool is_to_be_reported(const struct rcpt *r)
{
	switch (r->outcome) {
	case RCPT_FAILED: return is_wanted(r, NOTIFY_FAILURE);
	case RCPT_DELIVERED:
	case RCPT_RELAYED: return is_wanted(r, NOTIFY_SUCCESS);
	default: return false;
	}
}

static void log_outcome(struct queue *q, struct rcpt *r, const struct outcome *o)
{
	uint64_t trace = r->message->trace;
	struct view to;

	/* Logged when the mailbox had it.  By now the message may have to be read from the disk. */
	if (o->what == RCPT_DELIVERED)
		return;
	to = open_address(q, r);
	switch (o->what) {
	case RCPT_SENT:
	case RCPT_RELAYED:
		q->figures.sent++;
		LOG_INFO("queue.sent", "another server has the message", LOG_ID("trace", trace),
			 LOG_VIEW("to", to), LOG_VIEW("server", o->remote),
			 LOG_VIEW("reply", o->reply));
		break;
	case RCPT_FAILED:
		q->figures.failed++;
		LOG_NOTICE("queue.failed", "a delivery has failed for good", LOG_ID("trace", trace),
			   LOG_VIEW("to", to), LOG_VIEW("status", o->status),
			   LOG_VIEW("server", o->remote), LOG_VIEW("reply", o->reply));
		break;
	case RCPT_DEFERRED:
		q->figures.deferred++;
		LOG_INFO("queue.deferred", "a delivery is tried again later",
			 LOG_ID("trace", trace), LOG_VIEW("to", to),
			 LOG_UINT("attempts", r->attempts),
			 LOG_UINT("wait_ms", r->next_ms - clock_mono_ms()),
			 LOG_VIEW("status", o->status), LOG_VIEW("server", o->remote),
			 LOG_VIEW("reply", o->reply));
		break;
	case RCPT_DELETED:
		LOG_NOTICE("queue.deleted", "the administrator deleted a delivery",
			   LOG_ID("trace", trace), LOG_VIEW("to", to));
		break;
	default: break;
	}
}

/* Not yet: when again?  The life of a message ends with an attempt, never without one. */
static void defer(struct queue *q, struct rcpt *r, struct outcome *o)
{
	const struct config *c = q->config;
	int64_t now = clock_mono_ms();
	int64_t left = (int64_t)c->queue_life - message_age(r->message, now);
	int64_t wait;

	if (r->attempts < UINT16_MAX)
		r->attempts++;
	if (left <= 0) {
		o->what = RCPT_FAILED;
		o->status = VIEW("4.4.7");
		return;
	}
	wait = retry_wait(r->attempts, (int64_t)c->retry_first, (int64_t)c->retry_max);
	r->outcome = RCPT_DEFERRED;
	r->next_ms = now + (wait < left ? wait : left);
	rcpt_stage(r, STAGE_TIMED);
	r->message->lasting = true;
}

static void finalise(struct rcpt *r, const struct outcome *o)
{
	struct message *m = r->message;

	r->outcome = o->what;
	m->open_n--;
	r->report = is_to_be_reported(r);
	m->report_n += r->report;
}

/* Is the end of this recipient worth a record, or does that of the message come at once, or a repeated
 * delivery do no harm? */
static bool is_recorded(const struct rcpt *r)
{
	const struct message *m = r->message;

	if (r->outcome != RCPT_DELIVERED || r->report)
		return m->open_n || m->report_n || r->outcome == RCPT_DEFERRED ||
		       r->outcome == RCPT_SENT || r->outcome == RCPT_RELAYED;
	return m->lasting && m->open_n;
}

void outcome_set(struct queue *q, struct rcpt *r, const struct outcome *outcome)
{
	struct outcome o = *outcome;
	struct dsn_status status;

	if (rcpt_is_final(r))
		return;
	r->tried_ms = r->outcome == RCPT_DELIVERED ? r->tried_ms : clock_wall_ms();
	/* A status that is none, or says the opposite, is left out. */
	if (dsn_status_parse(o.status, &status) || (o.what == RCPT_FAILED && status.class == 2) ||
	    (o.what == RCPT_DEFERRED && status.class != 4))
		o.status = o.what == RCPT_DEFERRED ? VIEW("4.0.0")
			   : o.what == RCPT_FAILED ? VIEW("5.0.0")
						   : VIEW("2.0.0");
	if (o.what == RCPT_DEFERRED)
		defer(q, r, &o);
	if (o.what == RCPT_DEFERRED || o.what == RCPT_FAILED || o.reply.n)
		rcpt_set_last(r, o.code, o.status, o.reply, o.remote);
	if (o.what != RCPT_DEFERRED)
		finalise(r, &o);
	log_outcome(q, r, &o);
	if (is_recorded(r)) {
		outcome_record(q, r);
		if (o.what == RCPT_DELIVERED)
			queue_commit_lazily(q);
		else
			queue_commit_soon(q);
	}
	queue_count_memory(q, r->message);
}

void outcome_again(struct queue *q, struct rcpt *r, int64_t wait_ms)
{
	r->next_ms = clock_mono_ms() + wait_ms;
	rcpt_stage(r, STAGE_TIMED);
}

static void finish(struct queue *q, struct message *m)
{
	m->finished = true;
	due_remove(&q->due, m);
	journal_finish(q->journal, &m->entry);
	queue_commit_lazily(q);
}

void outcome_settle(struct queue *q, struct message *m)
{
	if (m->finished)
		return;
	if (!m->open_n && !m->report_n) {
		finish(q, m);
		return;
	}
	if (m->routed_n && !m->routing_n)
		remote_release(q, m);
	/* One report for all that fails at once: not while others are on their way. */
	if (m->report_n && !m->busy_n && !m->reporting) {
		m->reporting = true;
		m->report_next = q->reports;
		q->reports = m;
		loop_defer_add(&q->report);
	}
	dispatch_schedule(q, m);
}
