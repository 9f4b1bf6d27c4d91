/*
 * proto/smtp/session_auth.c: AUTH.   RFC 4954
 *
 * Carries opaque SASL messages between client and owner; knows no mechanism and keeps no secret longer than
 * the request that hands it on.
 */
#include "base/ascii.h"
#include "base/encode.h"
#include "proto/smtp/session_priv.h"

void session_sasl_end(struct smtp_session *s)
{
	buf_wipe(&s->sasl);
	s->sasl_open = false;
	s->sasl_final = false;
	if (s->phase == SMTP_PHASE_SASL)
		s->phase = SMTP_PHASE_COMMAND;
}

bool smtp_session_sasl_open(const struct smtp_session *s)
{
	return s->sasl_open;
}

/* Is name one of the offered mechanisms? */
static bool is_offered(const struct smtp_session *s, struct view name)
{
	struct view rest = s->config->mechanisms;

	while (rest.n) {
		struct view one;

		rest = view_cut(rest, ' ', &one);
		if (view_eq_nocase(one, name))
			return true;
	}
	return false;
}

/* base64 into s->sasl; "=" alone is the empty message of an initial response. */
static bool sasl_decode(struct smtp_session *s, struct view text)
{
	buf_wipe(&s->sasl);
	return base64_decode(&s->sasl, text) == OK;
}

static void sasl_ask(struct smtp_session *s, enum smtp_action action)
{
	s->phase = SMTP_PHASE_COMMAND;
	s->request.sasl = buf_view(&s->sasl);
	session_ask(s, action);
}

void session_auth(struct smtp_session *s, const struct smtp_command *command)
{
	const struct smtp_server_config *c = s->config;
	bool empty = view_eq(command->initial, VIEW("="));

	if (!c->mechanisms.n) {
		session_reply_bad(s, SMTP_V_NOT_HERE);
	} else if (!s->peer.tls && !c->auth_without_tls) {
		session_reply_bad(s, SMTP_V_NEED_TLS_FOR_AUTH);
	} else if (s->authenticated) {
		session_reply_bad(s, SMTP_V_AUTH_ALREADY);
	} else if (s->auth_failed_n >= c->auth_tries) {
		session_reply(s, SMTP_V_TOO_MANY_AUTH);
	} else if (!is_offered(s, command->name)) {
		session_reply_bad(s, SMTP_V_AUTH_MECHANISM);
	} else if (!sasl_decode(s, empty ? VIEW_EMPTY : command->initial)) {
		session_reply_bad(s, SMTP_V_AUTH_BASE64);
	} else {
		buf_clear(&s->mechanism);
		for (size_t i = 0; i < command->name.n; i++)
			buf_add_char(&s->mechanism, (char)ascii_upper(view_at(command->name, i)));
		s->request.mechanism = buf_view(&s->mechanism);
		s->request.has_initial = command->has_initial;
		s->sasl_open = true;
		sasl_ask(s, SMTP_ASK_AUTH_START);
	}
}

static void auth_success(struct smtp_session *s)
{
	session_sasl_end(s);
	s->authenticated = true;
	s->preauth_end_ms = INT64_MAX;
	session_reply(s, SMTP_V_AUTH_OK);
}

void session_sasl_line(struct smtp_session *s, struct view line)
{
	if (view_eq(line, VIEW("*"))) {
		session_sasl_end(s);
		s->auth_failed_n++;
		session_reply(s, SMTP_V_AUTH_CANCELLED);
	} else if (!sasl_decode(s, line) || (s->sasl_final && s->sasl.n)) {
		session_sasl_end(s);
		s->auth_failed_n++;
		session_reply_bad(s, SMTP_V_AUTH_BASE64);
	} else if (s->sasl_final) {
		auth_success(s);
	} else {
		sasl_ask(s, SMTP_ASK_AUTH_STEP);
	}
}

/* The pending AUTH_START or AUTH_STEP was answered. */
static void auth_answered(struct smtp_session *s)
{
	enum smtp_action action = s->request.action;

	ASSERT(action == SMTP_ASK_AUTH_START || action == SMTP_ASK_AUTH_STEP);
	session_answered(s, action);
	buf_wipe(&s->sasl);
}

/* continue-req = "334" SP [base64] CRLF   RFC 4954#8 */
static void write_challenge(struct smtp_session *s, struct view sasl)
{
	buf_add(&s->out, VIEW("334 "));
	base64_encode(&s->out, sasl);
	buf_add(&s->out, VIEW("\r\n"));
	s->phase = SMTP_PHASE_SASL;
	session_wrote(s);
}

void smtp_session_auth_challenge(struct smtp_session *s, struct view sasl)
{
	auth_answered(s);
	write_challenge(s, sasl);
}

void smtp_session_auth_ok(struct smtp_session *s, uint64_t account_id, struct view account_name,
			  struct view final)
{
	auth_answered(s);
	buf_clear(&s->account);
	buf_add(&s->account, account_name);
	s->account_id = account_id;
	if (buf_err(&s->account)) {
		session_sasl_end(s);
		session_reply(s, SMTP_V_AUTH_TEMP);
	} else if (final.n) {
		s->sasl_final = true;
		write_challenge(s, final);
	} else {
		auth_success(s);
	}
}

void smtp_session_auth_failed(struct smtp_session *s, enum smtp_verdict verdict)
{
	auth_answered(s);
	session_sasl_end(s);
	s->auth_failed_n++;
	session_reply(s, verdict);
}
