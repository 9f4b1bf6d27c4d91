/*
 * proto/smtp/session_mail.c: MAIL and RCPT, and the envelope they fill.   RFC 5321#4.1.1.2, RFC 5321#4.1.1.3
 */
#include "base/encode.h"
#include "proto/smtp/session_priv.h"

/* The client may have sent this many commands more in one go, all of which fail now. */
static void excuse_followers(struct smtp_session *s)
{
	s->excused_n = s->config->rcpt_per_message + 1;
}

void session_transaction_end(struct smtp_session *s)
{
	if (s->open) {
		s->open = false;
		s->sink.abort(s->sink.ctx);
	}
	smtp_header_watch_done(&s->header);
	smtp_envelope_clear(&s->env);
	s->mail = false;
	s->rcpt_refused = false;
	s->too_many_told = false;
	s->bdat = false;
	s->bdat_last = false;
	s->bdat_told = false;
	s->data_ready = false;
	s->refusal = SMTP_V_OK;
	buf_clear(&s->refusal_text);
	buf_clear(&s->id);
	s->written = 0;
	s->author_at = 0;
}

/* What stands before any look at MAIL's arguments; SMTP_V_OK: go on. */
static enum smtp_verdict mail_gate(const struct smtp_session *s)
{
	const struct smtp_server_config *c = s->config;

	if (s->mail)
		return SMTP_V_NESTED_MAIL;
	if (c->service == SMTP_SUBMISSION && !s->authenticated)
		return s->peer.tls || c->auth_without_tls ? SMTP_V_NEED_AUTH : SMTP_V_NEED_TLS;
	return SMTP_V_OK;
}

/* Are the parameters offered, and within our bounds? */
static enum smtp_verdict mail_params_check(const struct smtp_session *s,
					   const struct smtp_mail_args *a)
{
	const struct smtp_server_config *c = s->config;
	int64_t hold_max = (int64_t)c->future_max_s;

	if ((a->smtputf8 && !c->smtputf8) || (a->requiretls && !c->requiretls) ||
	    ((a->ret || a->envid.n) && !c->dsn) || (a->by_mode && !c->deliverby) ||
	    (a->has_priority && !c->priority) ||
	    (a->body == SMTP_BODY_BINARYMIME && !(c->chunking && c->binarymime)) ||
	    ((a->has_hold_for || a->has_hold_until) && !hold_max))
		return SMTP_V_UNKNOWN_PARAMETER;
	if (a->requiretls && !s->peer.tls)
		return SMTP_V_REQUIRETLS_NEEDS_TLS;
	if ((a->has_hold_for && a->hold > hold_max) ||
	    (a->has_hold_until && a->hold - s->wall_s > hold_max))
		return SMTP_V_HOLD_RANGE;
	if (a->size > c->message_size)
		return SMTP_V_TOO_BIG;
	return SMTP_V_OK;
}

static enum smtp_verdict sender_check(const struct smtp_path *path, bool smtputf8)
{
	/* A route before the sender, or octets that were not announced: two readers could differ. */
	return path->routed || (path->addr.utf8 && !smtputf8) ? SMTP_V_BAD_SENDER : SMTP_V_OK;
}

static struct view keep(struct smtp_session *s, struct view text)
{
	return arena_copy(&s->env.arena, text);
}

/* xtext, decoded into the envelope.  The parser has checked it. */
static struct view keep_xtext(struct smtp_session *s, struct view xtext)
{
	struct buf CLEANUP(buf_done) plain = BUF_INIT(SMTP_ORCPT_MAX);

	return smtp_xtext_printable(&plain, xtext) == OK ? keep(s, buf_view(&plain)) : VIEW_EMPTY;
}

static enum err envelope_fill(struct smtp_session *s, const struct smtp_mail_args *a)
{
	struct smtp_envelope *e = &s->env;

	buf_clear(&s->asked);
	address_add(&s->asked, &a->path.addr);
	e->sender = keep(s, buf_view(&s->asked));
	e->sender_local = keep(s, address_local(&a->path.addr));
	e->sender_domain = keep(s, address_domain(&a->path.addr));
	e->envid = keep_xtext(s, a->envid);
	if (buf_err(&s->asked) || (s->asked.n && (!e->sender.p || !e->sender_local.p)) ||
	    (a->envid.n && !e->envid.p))
		return ERR_NOMEM;
	e->body = a->body;
	e->ret = a->ret;
	e->size = a->size;
	e->smtputf8 = a->smtputf8;
	e->requiretls = a->requiretls;
	e->hold_until = a->has_hold_for ? s->wall_s + a->hold : a->hold;
	e->by_seconds = a->by_seconds;
	e->by_mode = a->by_mode;
	e->by_trace = a->by_trace;
	e->has_priority = a->has_priority;
	e->priority = a->priority;
	return OK;
}

static void mail_accept(struct smtp_session *s)
{
	s->mail = true;
	s->excused_n = 0;
	session_reply(s, SMTP_V_SENDER_OK);
}

static void mail_refuse(struct smtp_session *s, enum smtp_verdict v, struct view text)
{
	smtp_envelope_clear(&s->env);
	session_reply_text(s, v, text);
	excuse_followers(s);
}

static void mail_args(struct smtp_session *s, const struct smtp_mail_args *a)
{
	enum smtp_verdict v = sender_check(&a->path, a->smtputf8);

	if (v == SMTP_V_OK)
		v = mail_params_check(s, a);
	if (v != SMTP_V_OK) {
		session_note(s, v);
		session_reply_bad(s, v);
		excuse_followers(s);
		return;
	}
	if (envelope_fill(s, a)) {
		mail_refuse(s, SMTP_V_NO_MEMORY, VIEW_EMPTY);
		return;
	}
	if (!s->config->ask_sender) {
		mail_accept(s);
		return;
	}
	s->request.address = s->env.sender;
	s->request.local = s->env.sender_local;
	s->request.domain = s->env.sender_domain;
	session_ask(s, SMTP_ASK_SENDER);
}

void session_mail(struct smtp_session *s, const struct smtp_command_row *row, struct view args)
{
	struct smtp_command command;
	enum smtp_verdict v = mail_gate(s);

	if (v != SMTP_V_OK) {
		session_reply_bad(s, v);
		if (!s->mail)
			excuse_followers(s);
		return;
	}
	if (s->mail_n >= s->config->mail_per_session) {
		session_reply(s, SMTP_V_TOO_MANY_MAIL);
		return;
	}

	enum smtp_fault fault = smtp_command_parse(row, args, &command);

	if (fault) {
		session_reply_bad(s, session_fault_verdict(fault, SMTP_V_BAD_SENDER));
		excuse_followers(s);
		return;
	}
	s->mail_n++;
	mail_args(s, &command.mail);
}

void smtp_session_sender_done(struct smtp_session *s, struct smtp_result result)
{
	session_answered(s, SMTP_ASK_SENDER);
	if (smtp_verdict_is_ok(result.verdict))
		mail_accept(s);
	else
		mail_refuse(s, result.verdict, result.text);
}

/* RCPT. */

static enum smtp_verdict rcpt_check(const struct smtp_session *s, const struct smtp_rcpt_args *a)
{
	if (a->path.addr.utf8 && !s->env.smtputf8)
		return SMTP_V_RCPT_NOT_ASCII;
	if ((a->notify || a->orcpt.n) && !s->config->dsn)
		return SMTP_V_UNKNOWN_PARAMETER;
	return SMTP_V_OK;
}

/* "type;xtext" as "type;text" */
static enum err orcpt_decode(struct buf *out, struct view orcpt)
{
	struct view type;
	struct view text = view_cut(orcpt, ';', &type);

	buf_clear(out);
	if (!orcpt.n)
		return OK;
	buf_add(out, type);
	buf_add_char(out, ';');
	if (!view_eq_nocase(type, VIEW("utf-8")))
		return smtp_xtext_printable(out, text);
	buf_add(out, text);
	return buf_err(out);
}

static void rcpt_ask(struct smtp_session *s, const struct smtp_rcpt_args *a)
{
	buf_clear(&s->asked);
	s->asked_parts = a->path.addr;
	s->asked_notify = a->notify;
	address_add(&s->asked, &s->asked_parts);
	if (buf_err(&s->asked) || orcpt_decode(&s->asked_orcpt, a->orcpt)) {
		session_reply(s, SMTP_V_NO_MEMORY);
		return;
	}
	s->request.address = buf_view(&s->asked);
	s->request.local = address_local(&s->asked_parts);
	s->request.domain = address_domain(&s->asked_parts);
	s->request.size = s->env.size;
	session_ask(s, SMTP_ASK_RCPT);
}

void session_rcpt(struct smtp_session *s, const struct smtp_command_row *row, struct view args)
{
	struct smtp_command command;

	if (!s->mail) {
		session_reply_bad(s, SMTP_V_NEED_MAIL);
		return;
	}
	if (s->env.rcpt.n >= s->config->rcpt_per_message) {
		if (!s->too_many_told) /* who goes on and on does not fill the log */
			session_note(s, SMTP_V_TOO_MANY_RCPT);
		s->too_many_told = true;
		session_reply(s, SMTP_V_TOO_MANY_RCPT);
		return;
	}

	enum smtp_fault fault = smtp_command_parse(row, args, &command);
	enum smtp_verdict v = fault ? session_fault_verdict(fault, SMTP_V_BAD_RCPT)
				    : rcpt_check(s, &command.rcpt);

	if (v == SMTP_V_OK) {
		rcpt_ask(s, &command.rcpt);
		return;
	}
	s->rcpt_refused = true;
	session_reply_bad(s, v);
}

/* Move the address asked about into the envelope. */
static enum err rcpt_keep(struct smtp_session *s, uint64_t tag)
{
	struct smtp_recipient r = {
		.address = keep(s, buf_view(&s->asked)),
		.local = keep(s, address_local(&s->asked_parts)),
		.domain = keep(s, address_domain(&s->asked_parts)),
		.orcpt = keep(s, buf_view(&s->asked_orcpt)),
		.notify = s->asked_notify,
		.tag = tag,
	};

	if (!r.address.p || !r.local.p || (s->asked_parts.domain_n && !r.domain.p) ||
	    (s->asked_orcpt.n && !r.orcpt.p) || !VEC_PUSH(&s->env.rcpt, r))
		return ERR_NOMEM;
	return OK;
}

/* Who guesses addresses waits, and then goes. */
static void rcpt_unknown(struct smtp_session *s, struct smtp_result result)
{
	const struct smtp_server_config *c = s->config;

	s->unknown_n++;
	if (s->unknown_n > c->unknown_rcpt_close) {
		session_reply(s, SMTP_V_TOO_MANY_UNKNOWN);
	} else if (s->unknown_n > c->unknown_rcpt_delay && c->unknown_rcpt_wait_ms) {
		s->delayed = result.verdict;
		s->delay_end_ms = s->now_ms + c->unknown_rcpt_wait_ms;
	} else {
		session_reply_text(s, result.verdict, result.text);
	}
}

void smtp_session_rcpt_done(struct smtp_session *s, struct smtp_result result, uint64_t tag)
{
	session_answered(s, SMTP_ASK_RCPT);
	if (smtp_verdict_is_ok(result.verdict)) {
		if (rcpt_keep(s, tag))
			session_reply(s, SMTP_V_NO_MEMORY);
		else
			session_reply_text(s, SMTP_V_RCPT_OK, result.text);
		return;
	}
	s->rcpt_refused = true;
	excuse_followers(s);
	if (result.verdict == SMTP_V_RCPT_UNKNOWN || result.verdict == SMTP_V_RELAY_DENIED)
		rcpt_unknown(s, result);
	else
		session_reply_text(s, result.verdict, result.text);
}
