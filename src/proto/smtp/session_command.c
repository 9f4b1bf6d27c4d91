/*
 * proto/smtp/session_command.c: from a line to its command; EHLO, STARTTLS and the small ones.
 */
#include "proto/smtp/session_priv.h"

/* The state of the transaction, as a bit of the command table. */
static unsigned state_bit(const struct smtp_session *s)
{
	if (!s->hello.n)
		return SMTP_IN_START;
	if (s->bdat)
		return SMTP_IN_BDAT;
	if (!s->mail)
		return SMTP_IN_READY;
	return s->env.rcpt.n ? SMTP_IN_RCPT : SMTP_IN_MAIL;
}

enum smtp_verdict session_fault_verdict(enum smtp_fault fault, enum smtp_verdict bad_path)
{
	switch (fault) {
	case SMTP_FAULT_ARGUMENT: return SMTP_V_BAD_ARGUMENT;
	case SMTP_FAULT_PATH: return bad_path;
	case SMTP_FAULT_PARAMETER: return SMTP_V_BAD_PARAMETER;
	case SMTP_FAULT_UNKNOWN_PARAM: return SMTP_V_UNKNOWN_PARAMETER;
	default: return SMTP_V_SYNTAX;
	}
}

/* The extensions in EHLO's reply, in order; each is offered when its test says so. */

static bool always(const struct smtp_session *s)
{
	return true;
}

static bool offers_chunking(const struct smtp_session *s)
{
	return s->config->chunking;
}

static bool offers_binarymime(const struct smtp_session *s)
{
	return s->config->chunking && s->config->binarymime;
}

static bool offers_smtputf8(const struct smtp_session *s)
{
	return s->config->smtputf8;
}

static bool offers_dsn(const struct smtp_session *s)
{
	return s->config->dsn;
}

/* RFC 3207#4.2: not again inside TLS */
static bool offers_starttls(const struct smtp_session *s)
{
	return s->config->starttls && !s->peer.tls;
}

/* RFC 8689#2: only inside TLS */
static bool offers_requiretls(const struct smtp_session *s)
{
	return s->config->requiretls && s->peer.tls;
}

static bool offers_deliverby(const struct smtp_session *s)
{
	return s->config->deliverby;
}

static bool offers_priority(const struct smtp_session *s)
{
	return s->config->priority;
}

static const struct {
	const char *text;
	bool (*offered)(const struct smtp_session *s);
} extensions[] = {
	{ "PIPELINING", always },
	{ "8BITMIME", always },
	{ "SMTPUTF8", offers_smtputf8 },
	{ "CHUNKING", offers_chunking },
	{ "BINARYMIME", offers_binarymime },
	{ "DSN", offers_dsn },
	{ "STARTTLS", offers_starttls },
	{ "REQUIRETLS", offers_requiretls },
	{ "DELIVERBY", offers_deliverby },
	{ "MT-PRIORITY", offers_priority },
};

/* ehlo-ok-rsp   RFC 5321#4.1.1.1 */
static void write_extensions(struct smtp_session *s)
{
	const struct smtp_server_config *c = s->config;

	buf_addf(&s->out, "250-" VIEW_FMT "\r\n", VIEW_ARG(c->hostname));
	for (size_t i = 0; i < ARRAY_LEN(extensions); i++) {
		if (extensions[i].offered(s))
			buf_addf(&s->out, "250-%s\r\n", extensions[i].text);
	}
	buf_addf(&s->out, "250-SIZE %llu\r\n", (unsigned long long)c->message_size);
	if (c->mechanisms.n && (s->peer.tls || c->auth_without_tls))
		buf_addf(&s->out, "250-AUTH " VIEW_FMT "\r\n", VIEW_ARG(c->mechanisms));
	if (c->future_max_s) /* RFC 4865#4 */
		buf_addf(&s->out, "250-FUTURERELEASE %llu 9999-12-31T23:59:59Z\r\n",
			 (unsigned long long)c->future_max_s);
	buf_addf(&s->out, "250-LIMITS MAILMAX=%u RCPTMAX=%u\r\n", c->mail_per_session,
		 c->rcpt_per_message); /* RFC 9422 */
	buf_add(&s->out, VIEW("250 ENHANCEDSTATUSCODES\r\n"));
}

/* EHLO, HELO, LHLO: also end a transaction.   RFC 5321#4.1.4 */
static void run_hello(struct smtp_session *s, const struct smtp_command *command)
{
	bool lmtp = s->config->service == SMTP_LMTP;

	if ((command->verb == SMTP_LHLO) != lmtp) {
		session_reply_bad(s, SMTP_V_NOT_HERE);
		return;
	}
	session_transaction_end(s);
	s->excused_n = 0;
	buf_clear(&s->hello);
	buf_add(&s->hello, command->name);
	if (buf_err(&s->hello)) {
		session_reply(s, SMTP_V_SHUTDOWN);
		return;
	}
	s->extended = command->verb != SMTP_HELO;
	if (s->extended)
		write_extensions(s);
	else
		buf_addf(&s->out, "250 " VIEW_FMT "\r\n", VIEW_ARG(s->config->hostname));
	session_wrote(s);
}

/* RFC 3207#4.2.  Octets behind the command were sent in clear and would be read as if they were not. */
static void run_starttls(struct smtp_session *s, bool more)
{
	if (s->peer.tls) {
		session_reply_bad(s, SMTP_V_TLS_ALREADY);
	} else if (!s->config->starttls) {
		session_reply_bad(s, SMTP_V_NOT_HERE);
	} else if (more) {
		session_reply(s, SMTP_V_EARLY_TLS);
	} else {
		session_transaction_end(s);
		session_reply(s, SMTP_V_TLS_GO);
		if (s->phase != SMTP_PHASE_CLOSED)
			session_ask(s, SMTP_ASK_STARTTLS);
	}
}

static void run(struct smtp_session *s, const struct smtp_command *command, bool more)
{
	switch (command->verb) {
	case SMTP_EHLO:
	case SMTP_HELO:
	case SMTP_LHLO: run_hello(s, command); break;
	case SMTP_DATA: session_data(s, more); break;
	case SMTP_BDAT: session_bdat(s, command); break;
	case SMTP_RSET:
		session_transaction_end(s);
		s->excused_n = 0;
		session_reply(s, SMTP_V_FLUSHED);
		break;
	case SMTP_NOOP: session_reply(s, SMTP_V_NOOP); break;
	case SMTP_VRFY: session_reply(s, SMTP_V_VRFY); break;
	case SMTP_EXPN: session_reply_bad(s, SMTP_V_EXPN); break;
	case SMTP_HELP: session_reply(s, SMTP_V_HELP); break;
	case SMTP_QUIT: session_reply(s, SMTP_V_BYE); break;
	case SMTP_AUTH: session_auth(s, command); break;
	case SMTP_STARTTLS: run_starttls(s, more); break;
	default: session_reply_bad(s, SMTP_V_UNKNOWN_COMMAND);
	}
}

/* Why is a known command not allowed now? */
static enum smtp_verdict sequence_verdict(enum smtp_verb verb, unsigned state)
{
	if (state == SMTP_IN_START)
		return SMTP_V_HELLO_FIRST;
	return verb == SMTP_AUTH ? SMTP_V_AUTH_IN_MAIL : SMTP_V_SEQUENCE;
}

/* A fault in the arguments of anything but MAIL and RCPT. */
static void reply_fault(struct smtp_session *s, enum smtp_verb verb, enum smtp_fault fault)
{
	if (verb == SMTP_BDAT) /* the chunk behind it cannot be told from commands */
		session_reply(s, SMTP_V_BDAT_SYNTAX);
	else if (verb == SMTP_EHLO || verb == SMTP_HELO || verb == SMTP_LHLO)
		session_reply_bad(s, SMTP_V_BAD_HELLO);
	else if (verb == SMTP_VRFY || verb == SMTP_EXPN)
		session_reply_bad(s, SMTP_V_NO_ARGUMENT);
	else
		session_reply_bad(s, session_fault_verdict(fault, SMTP_V_SYNTAX));
}

static void command_line(struct smtp_session *s, struct view line, bool more)
{
	const struct smtp_command_row *row;
	struct smtp_command command;
	struct view args;
	unsigned state = state_bit(s);

	if (smtp_command_find(line, &row, &args)) {
		if (smtp_line_is_http(line))
			session_reply(s, SMTP_V_NOT_HTTP);
		else
			session_reply_bad(s, line.n + 2 > s->config->line_max
						     ? SMTP_V_LINE_TOO_LONG
						     : SMTP_V_UNKNOWN_COMMAND);
		return;
	}
	if (line.n + 2 > s->config->line_max && row->verb != SMTP_AUTH) {
		session_reply_bad(s, SMTP_V_LINE_TOO_LONG);
		return;
	}
	if (!(row->states & state)) {
		session_reply_bad(s, sequence_verdict(row->verb, state));
		return;
	}
	if (row->verb == SMTP_MAIL) {
		session_mail(s, row, args);
		return;
	}
	if (row->verb == SMTP_RCPT) {
		session_rcpt(s, row, args);
		return;
	}

	enum smtp_fault fault = smtp_command_parse(row, args, &command);

	if (fault)
		reply_fault(s, row->verb, fault);
	else
		run(s, &command, more);
}

void session_line(struct smtp_session *s, struct view line, bool more)
{
	session_wait_command(s);
	if (s->phase == SMTP_PHASE_SASL)
		session_sasl_line(s, line);
	else
		command_line(s, line, more);
}
