/*
 * proto/smtp/session_data.c: DATA and BDAT, the message on its way to the sink, and its end.
 *
 * Octets go framer -> header watch -> sink.  The first reason to refuse aborts the sink; the message is then read
 * on to its real end, at most message_size octets and SMTP_DRAIN_MS, and answered once.
 */
#include "proto/smtp/session_priv.h"
#include "proto/smtp/trace.h"

void session_refuse(struct smtp_session *s, enum smtp_verdict v, struct view text)
{
	/* Bad line ends come before all else: who sends them is cut off. */
	if (s->refusal == SMTP_V_OK || v == SMTP_V_BODY_LINE_END) {
		s->refusal = v;
		buf_clear(&s->refusal_text);
		buf_add(&s->refusal_text, view_head(text, SMTP_REPLY_TEXT_MAX));
	}
	if (s->open) {
		s->open = false;
		s->sink.abort(s->sink.ctx);
	}
}

/* Octets that are to be kept. */
static void sink_span(void *ctx, struct view span)
{
	struct smtp_session *s = ctx;

	if (!s->open)
		return;

	enum err err = s->sink.write(s->sink.ctx, span);

	s->written += span.n;
	if (err)
		session_refuse(s, err == ERR_FULL ? SMTP_V_STORAGE : SMTP_V_TEMP, VIEW_EMPTY);
}

/* Octets from a framer. */
static void body_span(void *ctx, struct view span)
{
	struct smtp_session *s = ctx;

	if (s->open)
		smtp_header_watch_span(&s->header, span);
}

/* The message's beginning. */

static void write_trace(struct smtp_session *s)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(SMTP_TRACE_MAX);
	bool hidden = s->config->hide_client && s->authenticated;
	struct smtp_trace t = {
		.hello = hidden ? VIEW_EMPTY : buf_view(&s->hello),
		.address = hidden ? VIEW_EMPTY : s->peer.address,
		.name = s->peer.name,
		.hostname = s->config->hostname,
		.id = buf_view(&s->id),
		.recipient = s->env.rcpt.n == 1 ? s->env.rcpt.at[0].address : VIEW_EMPTY,
		.tls_text = s->peer.tls_text,
		.lmtp = s->config->service == SMTP_LMTP,
		.extended = s->extended,
		.tls = s->peer.tls,
		.authenticated = s->authenticated,
		.smtputf8 = s->env.smtputf8,
		.wall_s = s->wall_s,
		.zone_min = s->zone_min,
	};

	smtp_trace_received(&out, &t);
	if (buf_err(&out))
		session_refuse(s, SMTP_V_NO_MEMORY, VIEW_EMPTY);
	else
		sink_span(s, buf_view(&out));
}

static void watch_start(struct smtp_session *s)
{
	const struct smtp_server_config *c = s->config;
	struct smtp_header_config h = {
		.block = c->header_block,
		.fields = c->header_fields,
		.hostname = c->hostname,
		.smtputf8 = s->env.smtputf8,
		.complete = c->service == SMTP_SUBMISSION,
		.sender = s->env.sender,
		.id = buf_view(&s->id),
		.wall_s = s->wall_s,
		.zone_min = s->zone_min,
	};

	smtp_header_watch_init(&s->header, &h, sink_span, s);
}

static void body_clock_start(struct smtp_session *s)
{
	s->wait_end_ms = s->now_ms + s->config->data_time_ms;
	s->rate_end_ms = s->now_ms + s->config->data_rate_ms;
	s->rate_seen = s->body.seen;
}

void session_data(struct smtp_session *s, bool more)
{
	if (more) /* DATA ends a pipelined group   RFC 2920#3.1 */
		session_reply(s, SMTP_V_EARLY_DATA);
	else if (s->bdat)
		session_reply_bad(s, SMTP_V_DATA_AFTER_BDAT);
	else if (!s->mail)
		session_reply_bad(s, SMTP_V_NEED_MAIL);
	else if (!s->env.rcpt.n && s->rcpt_refused && s->config->service != SMTP_LMTP)
		session_reply_bad(s, SMTP_V_NO_RCPT_LEFT);
	else if (!s->env.rcpt.n)
		session_reply_bad(s, SMTP_V_NEED_RCPT);
	else if (s->env.body == SMTP_BODY_BINARYMIME)
		session_reply_bad(s, SMTP_V_BINARY_DATA);
	else
		session_ask(s, SMTP_ASK_BEGIN);
}

void session_data_go(struct smtp_session *s, bool more)
{
	s->data_ready = false;
	if (more) {
		session_reply(s, SMTP_V_EARLY_DATA);
		return;
	}
	smtp_data_framer_init(&s->body);
	s->phase = SMTP_PHASE_DATA;
	body_clock_start(s);
	session_reply(s, SMTP_V_DATA_GO);
}

static void chunk_start(struct smtp_session *s)
{
	smtp_bdat_framer_chunk(&s->body, s->chunk);
	s->phase = SMTP_PHASE_BDAT;
	body_clock_start(s);
}

void smtp_session_begin_done(struct smtp_session *s, struct smtp_result result, struct view id)
{
	bool ok = smtp_verdict_is_ok(result.verdict);

	session_answered(s, SMTP_ASK_BEGIN);
	if (!ok && !s->bdat) {
		session_note(s, result.verdict);
		session_transaction_end(s);
		session_reply_text(s, result.verdict, result.text);
		return;
	}
	buf_clear(&s->id);
	buf_add(&s->id, id);
	watch_start(s);
	s->open = ok;
	if (!ok)
		session_refuse(s, result.verdict, result.text);
	else if (buf_err(&s->id))
		session_refuse(s, SMTP_V_TEMP, VIEW_EMPTY);
	else
		write_trace(s);
	if (s->bdat)
		chunk_start(s);
	else
		s->data_ready = true;
}

/* Why there can be no chunk now. */
static enum smtp_verdict bdat_sequence(const struct smtp_session *s)
{
	if (!s->hello.n)
		return SMTP_V_HELLO_FIRST;
	if (!s->mail)
		return SMTP_V_NEED_MAIL;
	return s->rcpt_refused ? SMTP_V_NO_RCPT_LEFT : SMTP_V_NEED_RCPT;
}

/* RFC 3030#2.  A chunk is read even when it is refused, if it is not bigger than any message may be. */
void session_bdat(struct smtp_session *s, const struct smtp_command *command)
{
	const struct smtp_server_config *c = s->config;
	bool first = !s->bdat;

	if (!c->chunking) {
		/* What follows is not framed. */
		session_reply(s, SMTP_V_NOT_HERE);
		session_close(s);
		return;
	}
	if (first)
		smtp_bdat_framer_init(&s->body, s->env.body == SMTP_BODY_BINARYMIME);
	if (command->octets > c->message_size || s->body.seen > c->message_size - command->octets) {
		session_reply(s, SMTP_V_TOO_BIG);
		session_close(s);
		return;
	}
	s->chunk = command->octets;
	s->bdat_last = command->last;
	if (first && s->mail && s->env.rcpt.n) {
		s->bdat = true;
		session_ask(s, SMTP_ASK_BEGIN);
		return;
	}
	if (first)
		session_refuse(s, bdat_sequence(s), VIEW_EMPTY);
	s->bdat = true;
	chunk_start(s);
}

/* The message's end. */

/* One reply; LMTP: one for each recipient.   RFC 2033#4.2 */
static void reply_message(struct smtp_session *s, enum smtp_verdict v, struct view text)
{
	size_t n = s->config->service == SMTP_LMTP ? size_max(s->env.rcpt.n, 1) : 1;

	session_note(s, v);
	for (size_t i = 0; i < n && !buf_err(&s->out); i++)
		smtp_verdict_write(&s->out, v, text);
	if (smtp_verdict_row(v)->close || buf_err(&s->out))
		session_close(s);
}

static void message_refused(struct smtp_session *s)
{
	reply_message(s, s->refusal, buf_view(&s->refusal_text));
	session_transaction_end(s);
	session_wait_command(s);
}

/* Reasons that are known while the header passes. */
static enum smtp_verdict header_verdict_early(const struct smtp_header_watch *h)
{
	if (h->flags & SMTP_TOO_BIG)
		return SMTP_V_HEADER_TOO_BIG;
	if (h->flags & SMTP_TOO_MANY)
		return SMTP_V_HEADER_TOO_MANY;
	return h->flags & SMTP_HEADER_NOMEM ? SMTP_V_NO_MEMORY : SMTP_V_OK;
}

/*
 * Exactly one readable From (THREATS 2.6).  A message without any field claims no author and passes.
 */
static enum smtp_verdict from_verdict(const struct smtp_session *s)
{
	unsigned flags = s->header.flags;

	if (!s->config->strict_from)
		return SMTP_V_OK;
	if (flags & SMTP_FROM_TWICE)
		return SMTP_V_FROM_TWICE;
	if (flags & SMTP_FROM_BAD)
		return SMTP_V_FROM_BAD;
	if ((flags & SMTP_SENDER_BAD) && s->config->service == SMTP_SUBMISSION)
		return SMTP_V_FROM_BAD;
	return (flags & SMTP_HAS_FIELDS) && !(flags & SMTP_HAS_FROM) ? SMTP_V_FROM_MISSING
								     : SMTP_V_OK;
}

static enum smtp_verdict header_verdict(const struct smtp_session *s)
{
	enum smtp_verdict v = header_verdict_early(&s->header);

	if (v != SMTP_V_OK)
		return v;
	if (s->header.received_n > s->config->received_hops)
		return SMTP_V_HOPS;
	if (s->header.own_n > s->config->own_hops)
		return SMTP_V_OWN_HOPS;
	return from_verdict(s);
}

/* Ask about the next author, or for the commit. */
static void message_ask(struct smtp_session *s)
{
	const struct smtp_header_watch *h = &s->header;

	if (s->config->ask_sender && s->author_at < h->authors.n) {
		const struct smtp_author *author = &h->authors.at[s->author_at++];

		s->request.address = author->address;
		s->request.local = author->local;
		s->request.domain = author->domain;
		session_ask(s, SMTP_ASK_AUTHOR);
		return;
	}
	s->request.size = s->written;
	session_ask(s, SMTP_ASK_COMMIT);
}

static void message_end(struct smtp_session *s)
{
	s->phase = SMTP_PHASE_COMMAND;
	if (s->refusal == SMTP_V_OK) {
		smtp_header_watch_end(&s->header);

		enum smtp_verdict v = header_verdict(s);

		if (v != SMTP_V_OK)
			session_refuse(s, v, VIEW_EMPTY);
	}
	if (s->refusal != SMTP_V_OK)
		message_refused(s);
	else
		message_ask(s);
}

void smtp_session_author_done(struct smtp_session *s, struct smtp_result result)
{
	session_answered(s, SMTP_ASK_AUTHOR);
	if (smtp_verdict_is_ok(result.verdict)) {
		message_ask(s);
		return;
	}
	session_refuse(s, result.verdict, result.text);
	message_refused(s);
}

static void reply_result(struct smtp_session *s, const struct smtp_result *r)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(SMTP_REPLY_TEXT_MAX);

	if (smtp_verdict_is_ok(r->verdict) && !r->text.n) {
		buf_add_str(&text, smtp_verdict_row(SMTP_V_ACCEPTED)->text);
		buf_add_char(&text, ' ');
		buf_add(&text, buf_view(&s->id));
		session_reply_text(s, SMTP_V_ACCEPTED, buf_view(&text));
	} else {
		session_reply_text(s, r->verdict, r->text);
	}
}

void smtp_session_commit_done(struct smtp_session *s, const struct smtp_result *results, size_t n)
{
	size_t replies = s->config->service == SMTP_LMTP ? s->env.rcpt.n : 1;

	session_answered(s, SMTP_ASK_COMMIT);
	ASSERT(n == 1 || n == replies);
	s->open = false;
	for (size_t i = 0; i < replies && s->phase != SMTP_PHASE_CLOSED; i++)
		reply_result(s, &results[n == 1 ? 0 : i]);
	session_transaction_end(s);
	if (s->stopping && s->phase != SMTP_PHASE_CLOSED)
		session_reply(s, SMTP_V_SHUTDOWN);
}

/* The body. */

/* Look at what the framers and the watch have seen so far. */
static void body_check(struct smtp_session *s)
{
	const struct smtp_server_config *c = s->config;
	bool was_bad = s->refusal == SMTP_V_BODY_LINE_END;

	if (s->body.bad)
		session_refuse(s, s->bdat ? SMTP_V_BDAT_OCTETS : SMTP_V_BODY_LINE_END, VIEW_EMPTY);
	else if (s->body.size > c->message_size)
		session_refuse(s, SMTP_V_TOO_BIG, VIEW_EMPTY);
	else if (s->body.longest > c->message_line)
		session_refuse(s, SMTP_V_LONG_LINE, VIEW_EMPTY);
	else if (header_verdict_early(&s->header) != SMTP_V_OK)
		session_refuse(s, header_verdict_early(&s->header), VIEW_EMPTY);
	if (s->refusal == SMTP_V_BODY_LINE_END && !was_bad &&
	    s->now_ms + SMTP_DRAIN_MS < s->wait_end_ms)
		s->wait_end_ms = s->now_ms + SMTP_DRAIN_MS;
}

/* How many octets may come before we stop waiting for the end of a refused message. */
static bool drained_enough(const struct smtp_session *s)
{
	uint64_t size = s->config->message_size;

	if (s->refusal == SMTP_V_OK)
		return false;
	return s->body.seen > (s->refusal == SMTP_V_TOO_BIG ? 2 * size : size);
}

static size_t data_step(struct smtp_session *s, struct view input)
{
	bool end;
	size_t used = smtp_data_framer_take(&s->body, input, body_span, s, &end);

	body_check(s);
	if (end)
		message_end(s);
	else if (drained_enough(s))
		session_body_timeout(s);
	return used;
}

/* A chunk before any recipient: what was said of chunks is forgotten, the transaction stays as it is. */
static void chunk_forget(struct smtp_session *s)
{
	s->bdat = false;
	s->bdat_told = false;
	s->refusal = SMTP_V_OK;
}

static void chunk_refused(struct smtp_session *s)
{
	bool told = s->bdat_told;

	s->bdat_told = true;
	if (!told)
		session_note(s, s->refusal);
	if (told || !s->env.rcpt.n)
		session_reply_bad(s, told ? SMTP_V_BDAT_FAILED : s->refusal);
	else
		session_reply_text(s, s->refusal, buf_view(&s->refusal_text));
	if (s->bdat_last)
		session_transaction_end(s);
	else if (!s->env.rcpt.n)
		chunk_forget(s);
}

static void chunk_end(struct smtp_session *s)
{
	s->phase = SMTP_PHASE_COMMAND;
	session_wait_command(s);
	if (s->bdat_last) {
		smtp_bdat_framer_end(&s->body);
		body_check(s);
	}
	if (s->bdat_last && s->env.rcpt.n && !s->bdat_told)
		message_end(s);
	else if (s->refusal != SMTP_V_OK)
		chunk_refused(s);
	else
		session_reply(s, SMTP_V_BDAT_OK);
}

static size_t bdat_step(struct smtp_session *s, struct view input)
{
	size_t used = smtp_bdat_framer_take(&s->body, input, body_span, s);

	body_check(s);
	if (!s->body.left)
		chunk_end(s);
	return used;
}

size_t session_body(struct smtp_session *s, struct view input)
{
	return s->phase == SMTP_PHASE_DATA ? data_step(s, input) : bdat_step(s, input);
}

void session_body_timeout(struct smtp_session *s)
{
	if (s->refusal == SMTP_V_OK) {
		session_reply(s, SMTP_V_TIMEOUT);
		return;
	}
	reply_message(s, s->refusal, buf_view(&s->refusal_text));
	session_close(s);
}
