/*
 * proto/smtp/session.c: life of a session, time, turns and replies.
 */
#include "proto/smtp/session_priv.h"

enum { REFUSAL_TEXT_MAX = SMTP_REPLY_TEXT_MAX, ID_MAX = 64 };

void smtp_server_config_init(struct smtp_server_config *c, enum smtp_service service)
{
	*c = (struct smtp_server_config){
		.service = service,
		.chunking = true,
		.dsn = true,
		.smtputf8 = true,
		.strict_from = service != SMTP_LMTP,
		.ask_sender = service == SMTP_SUBMISSION,
		.greeting_ms = service == SMTP_MX ? 3000 : 0,
		.bad_commands = 5,
		.bad_commands_auth = 20,
		.auth_tries = 3,
		.rcpt_per_message = 100,
		.mail_per_session = 100,
		.unknown_rcpt_delay = 5,
		.unknown_rcpt_wait_ms = 5000,
		.unknown_rcpt_close = 20,
		.message_size = 50ULL * 1024 * 1024,
		.message_line = 1024 * 1024,
		.header_block = SMTP_HEADER_BLOCK,
		.header_fields = SMTP_HEADER_FIELDS,
		.received_hops = 100,
		.own_hops = 5,
		.command_wait_ms = 300 * 1000,
		.data_rate_min = 512,
		.data_rate_ms = 60 * 1000,
		.data_time_ms = 30 * 60 * 1000,
		.session_time_ms = 60 * 60 * 1000,
		.preauth_ms = service == SMTP_SUBMISSION ? 60 * 1000 : 0,
		.line_max = SMTP_LINE_MAX,
		.auth_line_max = SMTP_AUTH_LINE_MAX,
	};
}

/* No greeting again, and what was used up stays so.   RFC 3207#4.2 */
static void carry_take(struct smtp_session *s, const struct smtp_carry *c)
{
	s->phase = SMTP_PHASE_COMMAND;
	s->bad_n = c->bad_n;
	s->auth_failed_n = c->auth_failed_n;
	s->mail_n = c->mail_n;
	s->unknown_n = c->unknown_n;
	s->session_end_ms = c->session_end_ms;
	s->preauth_end_ms = c->preauth_end_ms;
}

struct smtp_carry smtp_session_carry(const struct smtp_session *s)
{
	ASSERT(s->request.action == SMTP_ASK_STARTTLS);
	return (struct smtp_carry){
		.bad_n = s->bad_n,
		.auth_failed_n = s->auth_failed_n,
		.mail_n = s->mail_n,
		.unknown_n = s->unknown_n,
		.session_end_ms = s->session_end_ms,
		.preauth_end_ms = s->preauth_end_ms,
	};
}

void smtp_session_init(struct smtp_session *s, const struct smtp_server_config *config,
		       const struct smtp_peer *peer, const struct smtp_sink *sink)
{
	*s = (struct smtp_session){
		.config = config, .peer = *peer, .sink = *sink, .phase = SMTP_PHASE_GREETING
	};
	smtp_envelope_init(&s->env, config->rcpt_per_message);
	smtp_line_framer_init(&s->line);
	buf_init(&s->out, SMTP_OUTPUT_MAX);
	buf_init(&s->hello, SMTP_HELLO_MAX);
	buf_init(&s->asked, ADDRESS_TEXT_MAX);
	buf_init(&s->asked_orcpt, SMTP_ORCPT_MAX);
	buf_init(&s->account, SMTP_ACCOUNT_MAX);
	buf_init(&s->sasl, SMTP_SASL_MAX);
	buf_init(&s->mechanism, SMTP_MECHANISM_MAX);
	buf_init(&s->id, ID_MAX);
	buf_init(&s->refusal_text, REFUSAL_TEXT_MAX);
	s->fresh = true;
	if (peer->carry)
		carry_take(s, peer->carry);
	s->peer.carry = NULL;
}

static void message_abort(struct smtp_session *s)
{
	if (!s->open)
		return;
	s->open = false;
	s->sink.abort(s->sink.ctx);
}

void smtp_session_done(struct smtp_session *s)
{
	message_abort(s);
	smtp_header_watch_done(&s->header);
	smtp_envelope_done(&s->env);
	smtp_line_framer_done(&s->line);
	buf_wipe(&s->sasl);

	struct buf *all[] = { &s->out,	&s->hello,     &s->asked, &s->asked_orcpt, &s->account,
			      &s->sasl, &s->mechanism, &s->id,	  &s->refusal_text };

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		buf_done(all[i]);
}

/* Replies and requests. */

void session_ask(struct smtp_session *s, enum smtp_action action)
{
	ASSERT(s->request.action == SMTP_ASK_NOTHING);
	s->request.action = action;
}

void session_answered(struct smtp_session *s, enum smtp_action action)
{
	ASSERT(s->request.action == action);
	s->request = (struct smtp_request){ 0 };
	session_wait_command(s);
}

void session_close(struct smtp_session *s)
{
	message_abort(s);
	session_sasl_end(s);
	s->phase = SMTP_PHASE_CLOSED;
	s->request = (struct smtp_request){ .action = SMTP_ASK_CLOSE };
	s->delay_end_ms = 0;
}

void session_wrote(struct smtp_session *s)
{
	/* All later ones would be out of step. */
	if (buf_err(&s->out))
		session_close(s);
}

void session_note(struct smtp_session *s, enum smtp_verdict v)
{
	s->noted = v;
}

enum smtp_verdict smtp_session_note(struct smtp_session *s)
{
	enum smtp_verdict v = s->noted;

	s->noted = SMTP_V_OK;
	return v;
}

void session_reply_text(struct smtp_session *s, enum smtp_verdict v, struct view text)
{
	smtp_verdict_write(&s->out, v, text);
	/* That the server stops is its own doing. */
	if (smtp_verdict_row(v)->close && !smtp_verdict_is_ok(v) && v != SMTP_V_SHUTDOWN)
		session_note(s, v);
	if (smtp_verdict_row(v)->close)
		session_close(s);
	else
		session_wrote(s);
}

void session_reply(struct smtp_session *s, enum smtp_verdict v)
{
	session_reply_text(s, v, VIEW_EMPTY);
}

void session_reply_bad(struct smtp_session *s, enum smtp_verdict v)
{
	const struct smtp_server_config *c = s->config;
	uint32_t limit = s->authenticated ? c->bad_commands_auth : c->bad_commands;

	if (s->excused_n)
		s->excused_n--;
	else
		s->bad_n++;
	session_reply(s, s->bad_n > limit ? SMTP_V_TOO_MANY_BAD : v);
}

struct view smtp_session_output(const struct smtp_session *s)
{
	return buf_view(&s->out);
}

void smtp_session_sent(struct smtp_session *s, size_t n)
{
	buf_consume(&s->out, n);
	buf_trim(&s->out, 1024);
}

const struct smtp_request *smtp_session_request(const struct smtp_session *s)
{
	return &s->request;
}

/* Time. */

void session_wait_command(struct smtp_session *s)
{
	s->wait_end_ms = s->now_ms + s->config->command_wait_ms;
}

static bool in_body(const struct smtp_session *s)
{
	return s->phase == SMTP_PHASE_DATA || s->phase == SMTP_PHASE_BDAT;
}

int64_t smtp_session_deadline(const struct smtp_session *s)
{
	int64_t end = s->session_end_ms;

	if (s->fresh)
		return 0;
	if (s->request.action != SMTP_ASK_NOTHING)
		return INT64_MAX;
	if (s->delay_end_ms)
		return s->delay_end_ms;
	if (s->wait_end_ms < end)
		end = s->wait_end_ms;
	if (s->preauth_end_ms < end)
		end = s->preauth_end_ms;
	if (in_body(s) && s->rate_end_ms < end)
		end = s->rate_end_ms;
	return end;
}

/* A body must come at data_rate_min octets a second, judged once per window. */
static bool body_is_slow(struct smtp_session *s)
{
	uint64_t need = (uint64_t)s->config->data_rate_min * s->config->data_rate_ms / 1000;
	bool slow = s->body.seen - s->rate_seen < need;

	if (s->now_ms < s->rate_end_ms)
		return false;
	s->rate_seen = s->body.seen;
	s->rate_end_ms = s->now_ms + s->config->data_rate_ms;
	return slow;
}

static void delay_end(struct smtp_session *s)
{
	s->delay_end_ms = 0;
	session_wait_command(s);
	session_reply(s, s->delayed);
}

static void clock_start(struct smtp_session *s)
{
	s->fresh = false;
	session_wait_command(s);
	if (s->phase != SMTP_PHASE_GREETING)
		return; /* behind STARTTLS: the connection's times go on */
	s->session_end_ms = s->now_ms + s->config->session_time_ms;
	s->preauth_end_ms = s->config->preauth_ms ? s->now_ms + s->config->preauth_ms : INT64_MAX;
	if (!s->peer.no_greeting_wait && s->config->greeting_ms)
		s->delay_end_ms = s->now_ms + s->config->greeting_ms;
}

void smtp_session_clock(struct smtp_session *s, int64_t mono_ms, int64_t wall_s, int zone_min)
{
	s->now_ms = mono_ms;
	s->wall_s = wall_s;
	s->zone_min = zone_min;
	if (s->fresh)
		clock_start(s);
	if (s->phase == SMTP_PHASE_CLOSED || s->request.action != SMTP_ASK_NOTHING)
		return;
	if (s->delay_end_ms) {
		if (s->phase != SMTP_PHASE_GREETING && s->now_ms >= s->delay_end_ms)
			delay_end(s);
		return;
	}
	if (in_body(s) && (s->now_ms >= s->wait_end_ms || body_is_slow(s)))
		session_body_timeout(s);
	else if (s->now_ms >= s->wait_end_ms || s->now_ms >= s->session_end_ms ||
		 s->now_ms >= s->preauth_end_ms)
		session_reply(s, SMTP_V_TIMEOUT);
}

/* Turns. */

static void greet(struct smtp_session *s)
{
	s->delay_end_ms = 0;
	buf_addf(&s->out, "220 " VIEW_FMT " %s Posthold\r\n", VIEW_ARG(s->config->hostname),
		 s->config->service == SMTP_LMTP ? "LMTP" : "ESMTP");
	s->phase = SMTP_PHASE_COMMAND;
	session_wait_command(s);
	session_wrote(s);
}

/* Before the greeting nothing may come, unless the client need not wait for it. */
static void greeting_step(struct smtp_session *s, bool more)
{
	if (s->delay_end_ms && more)
		session_reply(s, SMTP_V_EARLY_TALK);
	else if (s->now_ms >= s->delay_end_ms)
		greet(s);
}

static void line_too_long(struct smtp_session *s)
{
	bool auth = s->phase == SMTP_PHASE_SASL ||
		    view_starts_nocase(view_of(s->line.head, sizeof(s->line.head)), VIEW("AUTH "));

	session_wait_command(s);
	if (s->phase == SMTP_PHASE_SASL) {
		s->auth_failed_n++;
		session_sasl_end(s);
	}
	session_reply_bad(s, auth ? SMTP_V_AUTH_LINE_TOO_LONG : SMTP_V_LINE_TOO_LONG);
}

/* Frame one line and run it; the result counts octets taken. */
static size_t line_step(struct smtp_session *s, struct view input)
{
	struct view line;
	size_t used;
	enum err err = smtp_line_framer_take(
		&s->line, input, size_max(s->config->line_max, s->config->auth_line_max), &line,
		&used);

	switch (err) {
	case OK: session_line(s, line, used < input.n); break;
	case ERR_AGAIN: break;
	case ERR_LIMIT: line_too_long(s); break;
	case ERR_NOMEM: session_reply(s, SMTP_V_SHUTDOWN); break;
	case ERR_RANGE:
		session_reply(s, SMTP_V_LINE_TOO_LONG);
		session_close(s);
		break;
	default: session_reply(s, SMTP_V_LINE_END);
	}
	return used;
}

/* May input be taken now? */
static bool is_taking(const struct smtp_session *s)
{
	return s->phase != SMTP_PHASE_CLOSED && s->request.action == SMTP_ASK_NOTHING &&
	       (!s->delay_end_ms || s->phase == SMTP_PHASE_GREETING) && s->out.n < SMTP_OUTPUT_HIGH;
}

void smtp_session_input(struct smtp_session *s, struct view input, size_t *ret_used)
{
	size_t at = 0;

	ASSERT(!s->fresh); /* the clock comes first */
	while (is_taking(s)) {
		struct view rest = view_from(input, at);

		if (s->phase == SMTP_PHASE_GREETING) {
			greeting_step(s, rest.n);
			if (s->phase == SMTP_PHASE_GREETING)
				break;
			continue;
		}
		if (s->data_ready) {
			session_data_go(s, rest.n);
			continue;
		}
		/* An empty chunk ends without input. */
		if (!rest.n && !(s->phase == SMTP_PHASE_BDAT && !s->body.left))
			break;
		at += in_body(s) ? session_body(s, rest) : line_step(s, rest);
	}
	*ret_used = at;
}

void smtp_session_eof(struct smtp_session *s)
{
	if (s->phase == SMTP_PHASE_CLOSED)
		return;
	if (s->request.action == SMTP_ASK_COMMIT)
		s->open = false; /* it is the owner's */
	session_close(s);
}

void smtp_session_shutdown(struct smtp_session *s)
{
	if (s->phase == SMTP_PHASE_CLOSED)
		return;
	if (s->request.action == SMTP_ASK_COMMIT)
		s->stopping = true;
	else
		session_reply(s, SMTP_V_SHUTDOWN);
}

struct view smtp_session_hello(const struct smtp_session *s)
{
	return buf_view(&s->hello);
}

struct view smtp_session_account(const struct smtp_session *s, uint64_t *ret_id)
{
	*ret_id = s->account_id;
	return s->authenticated ? buf_view(&s->account) : VIEW_EMPTY;
}
