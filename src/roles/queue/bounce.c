/*
 * roles/queue/bounce.c: senders are told what became of their mail.
 *
 * A report is a message of our own from <>, put into the journal in one group with the records that say
 * that it was made.  Nothing that came from <> is ever reported (RFC 5321#6.1).
 */
#include "base/encode.h"
#include "proto/dsn/dsn.h"
#include "roles/queue/queue.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/log.h"

enum { ENVELOPE_BYTES_MAX = 4096 };

/* What goes into one report. */
struct selection {
	struct rcpt *at[DSN_RECIPIENTS_MAX];
	struct dsn_recipient lines[DSN_RECIPIENTS_MAX];
	size_t n;
	enum dsn_action action;
};

static bool action_of(const struct rcpt *r, enum dsn_action *ret)
{
	switch (r->outcome) {
	case RCPT_FAILED: *ret = DSN_FAILED; return true;
	case RCPT_DELIVERED: *ret = DSN_DELIVERED; return true;
	case RCPT_RELAYED: *ret = DSN_RELAYED; return true;
	case RCPT_EXPANDED: *ret = DSN_EXPANDED; return true;
	default: return false;
	}
}

/* Waits, and not for an attempt that is due just now. */
static bool is_delayed(const struct rcpt *r)
{
	return !rcpt_is_final(r) && r->stage == STAGE_TIMED && r->next_ms > clock_mono_ms();
}

/* The recipients of one kind whose sender is to be told; for DSN_DELAYED those that wait. */
static void select_rcpts(struct message *m, struct selection *s)
{
	s->n = 0;
	for (uint32_t i = 0; i < message_rcpt_count(m) && s->n < DSN_RECIPIENTS_MAX; i++) {
		struct rcpt *r = message_rcpt(m, i);
		enum dsn_action action;
		bool fits;

		if (s->action == DSN_DELAYED)
			fits = !r->warned && is_delayed(r) &&
			       (!r->notify || r->notify & NOTIFY_DELAY);
		else
			fits = r->report && action_of(r, &action) && action == s->action;
		if (fits)
			s->at[s->n++] = r;
	}
}

static enum err describe_rcpts(struct queue *q, struct selection *s)
{
	for (size_t i = 0; i < s->n; i++) {
		struct rcpt *r = s->at[i];
		struct envelope_recipients item;
		enum err err = open_rcpt(q, r, &item);

		if (err)
			return err;
		s->lines[i] = (struct dsn_recipient){
			.address = item.address,
			.orcpt = item.orcpt,
			.status = s->action == DSN_FAILED || s->action == DSN_DELAYED
					  ? rcpt_status(r)
					  : VIEW_EMPTY,
			.reply = rcpt_reply(r),
			.reply_is_smtp = r->last && r->last->code,
			.remote = rcpt_remote(r),
			.last_attempt = r->tried_ms / 1000,
		};
	}
	return OK;
}

static enum err build(struct queue *q, struct message *m, struct selection *s, struct buf *out,
		      struct dsn_result *ret)
{
	struct dsn_report report;
	struct opened *o;
	char id[ID_TEXT_LEN];
	int64_t left = (int64_t)q->config->queue_life - message_age(m, clock_mono_ms());
	enum err err = describe_rcpts(q, s);

	if (!err)
		err = open_message(q, m, &o);
	if (err)
		return err;
	report = (struct dsn_report){
		.action = s->action,
		.hostname = view_str(q->config->hostname),
		.sender = o->envelope.sender,
		.id = id_text(m->trace, id),
		.envid = o->envelope.envid,
		.arrival = m->received_ms / 1000,
		.now = clock_wall(),
		.retry_until = clock_wall() + (left > 0 ? left / 1000 : 0),
		.recipients = s->lines,
		.recipient_count = s->n,
		.message = o->body,
		.utf8 = o->envelope.smtputf8,
	};
	random_bytes(report.random, sizeof(report.random));
	/* Only a failure brings the message back (RFC 3461#6.2); of mail under REQUIRETLS no body is
	 * ever returned (RFC 8689#5). */
	if (s->action != DSN_FAILED || o->envelope.ret == RET_HDRS || o->envelope.requiretls ||
	    o->body.n > q->config->bounce_quote)
		report.quote = DSN_QUOTE_HEADER;
	return dsn_build(out, &report, ret);
}

static enum err encode_envelope(struct queue *q, uint64_t trace, const struct dsn_result *result,
				struct buf *out)
{
	const struct envelope *about = &q->opened.envelope;
	struct envelope_recipients to = { .address = about->sender, .notify = NOTIFY_NEVER };
	struct envelope e = {
		.trace = trace,
		.received_ms = clock_wall_ms(),
		.service = SERVICE_LOCAL,
		.body_type = result->eight_bit ? BODY_8BITMIME : BODY_7BIT,
		.smtputf8 = result->utf8,
		.requiretls = about->requiretls,
		.recipients_count = 1,
		.recipients = &to,
	};

	envelope_encode(out, &e);
	return buf_err(out);
}

static void on_durable(void *ctx, enum err err)
{
	struct message *m = ctx;
	struct queue *q = m->queue;

	if (err) {
		LOG_ERROR("queue.report-lost", "a report to a sender could not be written",
			  LOG_ID("trace", m->trace), LOG_ERR(err));
		queue_free_message(q, m);
		return;
	}
	dispatch_message(q, m);
}

static void mark_told(struct selection *s)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->action == DSN_DELAYED) {
			s->at[i]->warned = true;
		} else {
			s->at[i]->report = false;
			s->at[i]->message->report_n--;
		}
	}
}

/* The report and the end of the duty to make it, as one group. */
static enum err put(struct queue *q, struct message *about, struct selection *s,
		    struct view envelope, struct view body)
{
	struct journal_record *records = calloc(s->n + 1, sizeof(*records));
	size_t *ends = calloc(s->n + 1, sizeof(*ends));
	struct buf CLEANUP(buf_done) bytes = BUF_INIT(RECORD_HEAD_MAX);
	struct envelope e;
	struct message *m = envelope_decode(envelope, &e) ? NULL : message_new(&e);
	enum err err = records && ends && m ? OK : ERR_NOMEM;

	if (!err) {
		m->queue = q;
		m->entry.sequence = journal_sequence(q->journal);
		m->born_ms = clock_mono_ms();
		records[0] = (struct journal_record){ .type = RECORD_ACCEPT,
						      .sequence = m->entry.sequence,
						      .head = envelope,
						      .body = body,
						      .entry = &m->entry };
		mark_told(s);
		for (size_t i = 0; i < s->n; i++) {
			outcome_encode(s->at[i], &bytes);
			ends[i] = bytes.n;
		}
		for (size_t i = 0, from = 0; i < s->n; from = ends[i++])
			records[i + 1] = (struct journal_record){
				.type = RECORD_RCPT,
				.sequence = about->entry.sequence,
				.head = view_part(buf_view(&bytes), from, ends[i] - from),
			};
		err = buf_err(&bytes);
	}
	if (!err) {
		queue_link(q, m);
		err = journal_add(q->journal, records, s->n + 1, on_durable, m);
		if (err)
			queue_free_message(q, m);
	} else {
		message_free(m);
	}
	free(records);
	free(ends);
	return err;
}

static enum err tell(struct queue *q, struct message *m, struct selection *s)
{
	struct buf CLEANUP(buf_done) envelope = BUF_INIT(ENVELOPE_BYTES_MAX);
	struct buf CLEANUP(buf_done) body = BUF_INIT(DSN_OVERHEAD_MAX + 16 * 1024 * 1024);
	struct dsn_result result;
	uint64_t trace = random_u64();
	enum err err = build(q, m, s, &body, &result);

	if (!err)
		err = encode_envelope(q, trace, &result, &envelope);
	if (!err)
		err = put(q, m, s, buf_view(&envelope), buf_view(&body));
	if (err)
		return err;
	q->figures.bounced += s->action == DSN_FAILED;
	LOG_INFO(s->action == DSN_FAILED ? "queue.bounced" : "queue.reported",
		 "the sender is told by a report", LOG_ID("trace", m->trace),
		 LOG_ID("report", trace), LOG_UINT("recipients", s->n),
		 LOG_STR("what", s->action == DSN_FAILED      ? "failed"
				 : s->action == DSN_DELAYED   ? "delayed"
				 : s->action == DSN_DELIVERED ? "delivered"
				 : s->action == DSN_RELAYED   ? "relayed"
							      : "expanded"));
	queue_commit_soon(q);
	return OK;
}

/* A sender who cannot be written to, or no memory: the duty ends here, and is told to the log. */
static void give_up(struct queue *q, struct message *m, struct selection *s, enum err err)
{
	LOG_ERROR("queue.report-failed", "no report could be made", LOG_ID("trace", m->trace),
		  LOG_ERR(err));
	for (size_t i = 0; i < s->n; i++) {
		struct rcpt *r = s->at[i];

		if (s->action != DSN_DELAYED && r->report) {
			r->report = false;
			m->report_n--;
		}
		r->warned = r->warned || s->action == DSN_DELAYED;
		outcome_record(q, r);
	}
	queue_commit_soon(q);
}

static void report(struct queue *q, struct message *m, enum dsn_action action)
{
	struct selection *s = calloc(1, sizeof(*s));

	if (!s)
		return;
	s->action = action;
	for (;;) {
		enum err err;

		select_rcpts(m, s);
		if (!s->n)
			break;
		err = tell(q, m, s);
		if (err)
			give_up(q, m, s, err);
	}
	free(s);
}

void bounce_run(void *ctx)
{
	struct queue *q = ctx;

	while (q->reports) {
		struct message *m = q->reports;

		q->reports = m->report_next;
		m->reporting = false;
		if (m->finished || m->busy_n)
			continue; /* settled again when those on their way are back */
		report(q, m, DSN_FAILED);
		report(q, m, DSN_EXPANDED);
		report(q, m, DSN_RELAYED);
		report(q, m, DSN_DELIVERED);
		queue_count_memory(q, m);
		if (m->report_n) {
			/* No memory: later. */
			if (!due_set(&q->due, m, clock_mono_ms() + 60000))
				LOG_ERROR("queue.memory", "no memory for a report",
					  LOG_ID("trace", m->trace));
			continue;
		}
		outcome_settle(q, m);
	}
}

int64_t bounce_warning_due(const struct queue *q, const struct message *m)
{
	int64_t warning = (int64_t)q->config->delay_warning;

	if (m->null_sender || m->warned)
		return INT64_MAX;
	return m->born_ms + warning - m->age_ms;
}

void bounce_warn(struct queue *q, struct message *m)
{
	if (m->null_sender || m->finished)
		return;
	for (uint32_t i = 0; i < message_rcpt_count(m); i++)
		m->warned = m->warned || is_delayed(message_rcpt(m, i));
	if (!m->warned)
		return;
	report(q, m, DSN_DELAYED);
	queue_count_memory(q, m);
}
