/*
 * roles/queue/admin.c: what the administrator asks of the queue.
 *
 * Verbs and their arguments are rows of a table.  Messages are named by the trace id that logs, Received
 * fields and reports show.  What was handed to send or a mailbox cannot be called back: its result counts.
 */
#include "base/date.h"
#include "base/encode.h"
#include "base/num.h"
#include "proto/mime/utf8.h"
#include "roles/queue/queue.h"
#include "sys/clock.h"
#include "sys/log.h"

enum { ROW_MAX = ADMIN_ROW_JSON_MAX };

#define STOPPED_TEXT                                                                               \
	"nothing is sent to other servers until `posthold queue start`; mail for accounts here "   \
	"is delivered"

struct request {
	struct queue *queue;
	uint32_t tag;
	struct view id, domain, sender, recipient, state, limit, after;
	struct view what; /* an id, a domain, or "all" */
	bool all;
	bool waiting_only; /* not what a mailbox has and only its sync is awaited */
	struct buf *text; /* of the answer */
};

/* ---- rows ---- */

static void add_string(struct buf *out, const char *name, struct view v)
{
	bool utf8 = mime_utf8_valid(v);

	buf_addf(out, "\"%s\":\"", name);
	for (size_t i = 0; i < v.n; i++) {
		uint8_t c = view_at(v, i);

		if (c == '"' || c == '\\')
			buf_addf(out, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			buf_addf(out, "\\u%04x", c);
		else
			buf_add_char(out, c >= 0x80 && !utf8 ? '?' : (char)c);
	}
	buf_add_str(out, "\",");
}

static void add_number(struct buf *out, const char *name, int64_t n)
{
	buf_addf(out, "\"%s\":%lld,", name, (long long)n);
}

static void add_time(struct buf *out, const char *name, int64_t wall_ms)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(64);

	date_add_rfc3339(&text, wall_ms);
	add_string(out, name, buf_view(&text));
}

static void send_row(struct request *r, struct buf *row)
{
	struct admin_row m = { .tag = r->tag };

	if (row->n && row->p[row->n - 1] == ',')
		buf_truncate(row, row->n - 1);
	buf_add_char(row, '}');
	m.json = buf_view(row);
	if (buf_err(row) || admin_send_row(r->queue->admin, &m))
		LOG_WARNING("queue.admin", "a row of an answer could not be sent");
}

static const char *state_of(const struct rcpt *r)
{
	static const char *const stages[] = {
		[STAGE_IDLE] = "waiting",      [STAGE_ASKED] = "waiting",
		[STAGE_EXPANDING] = "waiting", [STAGE_LOCAL] = "waiting",
		[STAGE_HANDED] = "delivering", [STAGE_STORED] = "stored",
		[STAGE_ROUTED] = "waiting",    [STAGE_REMOTE] = "waiting",
		[STAGE_SENDING] = "sending",   [STAGE_TIMED] = "deferred",
	};
	static const char *const outcomes[] = {
		[RCPT_DELIVERED] = "delivered", [RCPT_SENT] = "sent",
		[RCPT_RELAYED] = "sent",	[RCPT_FAILED] = "failed",
		[RCPT_EXPANDED] = "expanded",	[RCPT_DELETED] = "deleted",
	};

	if (rcpt_is_final(r))
		return outcomes[r->outcome];
	return r->message->held && r->stage != STAGE_SENDING && r->stage != STAGE_HANDED
		       ? "held"
		       : stages[r->stage];
}

static struct view domain_of(struct view address)
{
	size_t at = view_rfind_char(address, '@');

	return at == VIEW_NONE ? VIEW_EMPTY : view_from(address, at + 1);
}

static void send_rcpt(struct request *q, struct rcpt *r, struct view address)
{
	struct buf CLEANUP(buf_done) row = BUF_INIT(ROW_MAX);
	const struct message *m = r->message;
	char id[ID_TEXT_LEN];
	int64_t now = clock_mono_ms();

	buf_add_char(&row, '{');
	add_string(&row, "id", id_text(m->trace, id));
	add_string(&row, "sender", q->queue->opened.envelope.sender);
	add_string(&row, "recipient", address);
	add_string(&row, "domain", domain_of(address));
	add_string(&row, "state", view_str(state_of(r)));
	add_number(&row, "attempts", r->attempts);
	if (r->stage == STAGE_TIMED)
		add_time(&row, "next", clock_wall_ms() + (r->next_ms - now));
	add_time(&row, "received", m->received_ms);
	add_number(&row, "age", message_age(m, now) / 1000);
	add_number(&row, "size", (int64_t)m->entry.body_n);
	add_string(&row, "status", rcpt_status(r));
	add_string(&row, "reply", rcpt_reply(r));
	add_string(&row, "server", rcpt_remote(r));
	send_row(q, &row);
}

/* ---- which ---- */

/* In the journal, and not on its way out. */
static bool is_here(const struct message *m)
{
	return m->entry.segment && !m->finished;
}

static struct message *find_id(struct request *r)
{
	uint64_t id;

	if (id_parse(r->id, &id)) {
		buf_add_str(r->text, "this is no message id: 13 letters and digits are expected");
		return NULL;
	}
	for (struct message *m = message_first(&r->queue->messages); m; m = message_next(m))
		if (m->trace == id && is_here(m))
			return m;
	buf_add_str(r->text, "there is no such message in the queue");
	return NULL;
}

static bool fits(const struct request *r, struct rcpt *rcpt, struct view address)
{
	const struct envelope *e = &r->queue->opened.envelope;

	if (r->waiting_only && rcpt->stage == STAGE_STORED)
		return false;
	return (!r->domain.n || view_eq_nocase(domain_of(address), r->domain)) &&
	       (!r->recipient.n || view_eq_nocase(address, r->recipient)) &&
	       (!r->sender.n || view_eq_nocase(e->sender, r->sender)) &&
	       (!r->state.n || view_eq(view_str(state_of(rcpt)), r->state));
}

/* Rows of a message that fit, at most *left. */
static void list_message(struct request *r, struct message *m, bool all, uint64_t *left)
{
	for (uint32_t i = 0; i < message_rcpt_count(m) && *left; i++) {
		struct rcpt *rcpt = message_rcpt(m, i);
		struct envelope_recipients item;

		/* Asked for nothing in particular: what still waits. */
		if (!all && !r->state.n && (rcpt_is_final(rcpt) || rcpt->stage == STAGE_STORED))
			continue;
		if (open_rcpt(r->queue, rcpt, &item))
			continue;
		if (!fits(r, rcpt, item.address))
			continue;
		send_rcpt(r, rcpt, item.address);
		--*left;
	}
}

static enum err do_list(struct request *r)
{
	struct message *m = message_first(&r->queue->messages);
	uint64_t left = ROWS_MAX;
	uint64_t after;

	r->waiting_only = !r->state.n;
	if (r->limit.n && num_u64(r->limit, ROWS_MAX, &left)) {
		buf_addf(r->text, "limit must be a number up to %d", ROWS_MAX);
		return ERR_RANGE;
	}
	if (r->after.n && id_parse(r->after, &after)) {
		buf_add_str(r->text, "after must be a message id");
		return ERR_SYNTAX;
	}
	if (r->after.n) {
		while (m && m->trace != after)
			m = message_next(m);
		m = m ? message_next(m) : NULL;
	}
	for (; m && left; m = message_next(m))
		if (is_here(m))
			list_message(r, m, false, &left);
	if (m)
		buf_addf(r->text, "there is more; ask again with --after the last id");
	else if (journal_marks(r->queue->journal) & MARK_STOPPED)
		buf_add_str(r->text, STOPPED_TEXT);
	return OK;
}

static enum err do_show(struct request *r)
{
	struct message *m = find_id(r);
	struct buf CLEANUP(buf_done) row = BUF_INIT(ROW_MAX);
	uint64_t left = ROWS_MAX;
	char id[ID_TEXT_LEN];
	struct opened *o;

	if (!m)
		return ERR_NOTFOUND;
	if (open_message(r->queue, m, &o)) {
		buf_add_str(r->text, "the message cannot be read from the journal");
		return ERR_CORRUPT;
	}
	buf_add_char(&row, '{');
	add_string(&row, "id", id_text(m->trace, id));
	add_number(&row, "sequence", (int64_t)m->entry.sequence);
	add_string(&row, "sender", o->envelope.sender);
	add_string(&row, "account", o->envelope.account_name);
	add_string(&row, "helo", o->envelope.helo);
	add_time(&row, "received", m->received_ms);
	add_number(&row, "age", message_age(m, clock_mono_ms()) / 1000);
	add_number(&row, "size", (int64_t)o->body.n);
	add_number(&row, "recipients", message_rcpt_count(m));
	add_number(&row, "held", m->held);
	send_row(r, &row);
	list_message(r, m, true, &left);
	return OK;
}

/* ---- changing ---- */

typedef void message_fn(struct queue *q, struct message *m);

static void retry(struct queue *q, struct message *m)
{
	int64_t now = clock_mono_ms();

	for (uint32_t i = 0; i < message_rcpt_count(m); i++) {
		struct rcpt *r = message_rcpt(m, i);

		if (r->stage == STAGE_TIMED)
			r->next_ms = now;
	}
	dispatch_message(q, m);
}

static void record_hold(struct queue *q, struct message *m)
{
	char head = (char)m->held;
	struct journal_record r = { .type = RECORD_HOLD,
				    .sequence = m->entry.sequence,
				    .head = view_of(&head, 1) };

	if (journal_add(q->journal, &r, 1, NULL, NULL))
		LOG_ERROR("queue.record", "holding a message could not be recorded",
			  LOG_ID("trace", m->trace));
	queue_commit_soon(q);
}

static bool is_out_of_reach(const struct rcpt *r)
{
	return r->stage == STAGE_SENDING || r->stage == STAGE_HANDED || r->stage == STAGE_STORED ||
	       r->stage == STAGE_EXPANDING;
}

static void hold(struct queue *q, struct message *m)
{
	m->held = true;
	for (uint32_t i = 0; i < message_rcpt_count(m); i++) {
		struct rcpt *r = message_rcpt(m, i);

		if (!is_out_of_reach(r) && r->stage != STAGE_TIMED)
			dispatch_withdraw(q, r);
	}
	dispatch_schedule(q, m);
	record_hold(q, m);
	LOG_NOTICE("queue.held", "the administrator holds a message", LOG_ID("trace", m->trace));
}

static void release(struct queue *q, struct message *m)
{
	if (!m->held)
		return;
	m->held = false;
	record_hold(q, m);
	LOG_NOTICE("queue.released", "the administrator released a message",
		   LOG_ID("trace", m->trace));
	dispatch_message(q, m);
}

static void end_all(struct queue *q, struct message *m, const struct outcome *o)
{
	for (uint32_t i = 0; i < message_rcpt_count(m); i++) {
		struct rcpt *r = message_rcpt(m, i);

		if (rcpt_is_final(r) || r->stage == STAGE_STORED)
			continue;
		dispatch_withdraw(q, r);
		outcome_set(q, r, o);
	}
	m->held = false;
	outcome_settle(q, m);
}

static void delete (struct queue *q, struct message *m)
{
	end_all(q, m, &(struct outcome){ .what = RCPT_DELETED });
}

static void bounce(struct queue *q, struct message *m)
{
	end_all(q, m,
		&(struct outcome){ .what = RCPT_FAILED,
				   .status = VIEW("5.0.0"),
				   .reply = VIEW("returned by the administrator") });
}

/* Some recipient's domain? */
static bool goes_to(struct queue *q, struct message *m, struct view domain)
{
	for (uint32_t i = 0; i < message_rcpt_count(m); i++) {
		struct rcpt *r = message_rcpt(m, i);

		if (!rcpt_is_final(r) && view_eq_nocase(domain_of(open_address(q, r)), domain))
			return true;
	}
	return false;
}

/* done: what is true of each message afterwards. */
static enum err do_each(struct request *r, message_fn *fn, const char *done)
{
	uint64_t n = 0, id;

	if (view_eq(r->what, VIEW("all")))
		r->all = true;
	else if (r->what.n && !id_parse(r->what, &id))
		r->id = r->what;
	else if (r->what.n)
		r->domain = r->what;
	if (r->id.n) {
		struct message *m = find_id(r);

		if (!m)
			return ERR_NOTFOUND;
		buf_addf(r->text, VIEW_FMT ": %s", VIEW_ARG(r->id), done);
		fn(r->queue, m);
		return OK;
	}
	if (!r->domain.n && !r->all) {
		buf_add_str(r->text, "say which: id=, domain= or all=yes");
		return ERR_SYNTAX;
	}
	for (struct message *m = message_first(&r->queue->messages), *next; m; m = next) {
		next = message_next(m);
		if (!is_here(m) || (r->domain.n && !goes_to(r->queue, m, r->domain)))
			continue;
		fn(r->queue, m);
		n++;
	}
	buf_addf(r->text, "%llu messages: %s", (unsigned long long)n, done);
	return OK;
}

static enum err do_retry(struct request *r)
{
	return do_each(r, retry, "tried again as soon as possible");
}

static enum err do_hold(struct request *r)
{
	return do_each(r, hold, "held until released");
}

static enum err do_release(struct request *r)
{
	return do_each(r, release, "no longer held");
}

static enum err do_delete(struct request *r)
{
	return do_each(r, delete, "deleted; nobody is told");
}

static enum err do_bounce(struct request *r)
{
	return do_each(r, bounce, "returned to the sender");
}

static enum err set_stopped(struct request *r, bool stopped)
{
	struct queue *q = r->queue;
	uint64_t marks = journal_marks(q->journal) & ~(uint64_t)MARK_STOPPED;

	if (journal_set_marks(q->journal, marks | (stopped ? MARK_STOPPED : 0), NULL, NULL))
		return ERR_NOMEM;
	queue_commit_soon(q);
	LOG_NOTICE(stopped ? "queue.stopped" : "queue.started",
		   stopped ? "the administrator stopped all sending"
			   : "the administrator started sending");
	buf_add_str(r->text, stopped ? STOPPED_TEXT : "mail for other servers is sent again");
	if (!stopped)
		remote_run(q);
	return OK;
}

static enum err do_stop(struct request *r)
{
	return set_stopped(r, true);
}

static enum err do_start(struct request *r)
{
	return set_stopped(r, false);
}

static enum err do_status(struct request *r)
{
	struct buf CLEANUP(buf_done) row = BUF_INIT(ROW_MAX);

	buf_add_char(&row, '{');
	queue_status(r->queue, &row);
	send_row(r, &row);
	return OK;
}

/* ---- requests ---- */

static const struct {
	struct view verb;
	enum err (*run)(struct request *r);
} verbs[] = {
	{ VIEW_INIT("queue.list"), do_list },	    { VIEW_INIT("queue.show"), do_show },
	{ VIEW_INIT("queue.retry"), do_retry },	    { VIEW_INIT("queue.hold"), do_hold },
	{ VIEW_INIT("queue.release"), do_release }, { VIEW_INIT("queue.delete"), do_delete },
	{ VIEW_INIT("queue.bounce"), do_bounce },   { VIEW_INIT("queue.stop"), do_stop },
	{ VIEW_INIT("queue.start"), do_start },	    { VIEW_INIT("queue.status"), do_status },
};

static enum err read_args(struct request *r, const struct admin_request *m)
{
	struct {
		struct view name;
		struct view *to;
	} args[] = {
		{ VIEW("id"), &r->id },		{ VIEW("domain"), &r->domain },
		{ VIEW("sender"), &r->sender }, { VIEW("recipient"), &r->recipient },
		{ VIEW("state"), &r->state },	{ VIEW("limit"), &r->limit },
		{ VIEW("after"), &r->after },	{ VIEW("what"), &r->what },
	};
	struct view raw = m->args_raw;
	struct admin_request_args item;

	while (admin_request_args_next(&raw, &item)) {
		bool known = view_eq(item.key, VIEW("all"));

		r->all = r->all || (known && view_eq(item.value, VIEW("yes")));
		for (size_t i = 0; i < ARRAY_LEN(args); i++) {
			if (!view_eq(item.key, args[i].name))
				continue;
			*args[i].to = item.value;
			known = true;
		}
		if (!known) {
			buf_addf(r->text, "unknown argument " VIEW_FMT, VIEW_ARG(item.key));
			return ERR_SYNTAX;
		}
	}
	return OK;
}

static enum err on_request(void *ctx, const struct admin_request *m)
{
	struct queue *q = ctx;
	struct buf CLEANUP(buf_done) text = BUF_INIT(ADMIN_END_TEXT_MAX);
	struct request r = { .queue = q, .tag = m->tag, .text = &text };
	struct admin_end end = { .tag = m->tag };
	enum err err = read_args(&r, m);
	size_t i = 0;

	while (i < ARRAY_LEN(verbs) && !view_eq(verbs[i].verb, m->verb))
		i++;
	if (!err && i == ARRAY_LEN(verbs)) {
		buf_add_str(&text, "the queue knows no such verb");
		err = ERR_UNSUPPORTED;
	}
	if (!err)
		err = verbs[i].run(&r);
	end.err = (uint8_t)err;
	end.text = buf_view(&text);
	return admin_send_end(q->admin, &end);
}

static const struct admin_server_ops ops = { .request = on_request };

static enum err on_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	return admin_server_dispatch(&ops, ctx, type, body, fd);
}

static void on_closed(void *ctx, enum err why)
{
	struct queue *q = ctx;

	ipc_chan_free(q->admin);
	q->admin = NULL;
}

static const struct ipc_ops chan_ops = { on_message, on_closed, NULL };

enum err admin_attach(struct queue *q, int fd)
{
	ipc_chan_free(q->admin);
	q->admin = NULL;
	return ipc_chan_new(q->loop, fd, &admin_channel, IPC_SERVER, &chan_ops, q, &q->admin);
}
