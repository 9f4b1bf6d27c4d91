/*
 * proto/smtp/client.c: life of an outgoing connection, its time, its messages.
 */
#include "base/encode.h"
#include "proto/mime/address.h"
#include "proto/smtp/client_priv.h"

enum { PIPELINE_MAX = SMTP_CLIENT_OUTPUT_MAX / 2 }; /* octets of commands written ahead */

void smtp_client_init(struct smtp_client *c, const struct smtp_client_config *config,
		      int64_t mono_ms)
{
	int64_t session_ms = config->session_ms ? config->session_ms : SMTP_CLIENT_SESSION_MS;
	size_t line = config->reply_line ? config->reply_line : SMTP_REPLY_LINE;
	size_t lines = config->reply_lines ? config->reply_lines : SMTP_REPLY_LINES;

	*c = (struct smtp_client){ .config = config, .now_ms = mono_ms };
	smtp_reply_parser_init(&c->parser, line, lines);
	buf_init(&c->out, SMTP_CLIENT_OUTPUT_MAX);
	c->tls = config->tls == SMTP_CLIENT_TLS_DONE;
	c->session_end_ms = mono_ms + session_ms;
	client_expect(c, SMTP_STAGE_GREETING, 1);
	c->due = c->queued; /* the greeting is not asked for */
	c->queued = 0;
}

void smtp_client_done(struct smtp_client *c)
{
	smtp_reply_parser_done(&c->parser);
	buf_wipe(&c->out); /* AUTH may stand there */
	buf_done(&c->out);
}

/* Time. */

static void stage_restart(struct smtp_client *c)
{
	const struct smtp_client_config *config = c->config;
	int64_t stage_ms = config->stage_ms ? config->stage_ms : SMTP_CLIENT_STAGE_MS;
	int64_t dot_ms = config->dot_ms ? config->dot_ms : SMTP_CLIENT_DOT_MS;

	c->stage_end_ms = c->now_ms + (c->stage == SMTP_STAGE_DOT ? dot_ms : stage_ms);
}

int64_t smtp_client_deadline(const struct smtp_client *c)
{
	if (c->stage == SMTP_STAGE_CLOSED)
		return INT64_MAX;
	if (c->stage == SMTP_STAGE_READY)
		return c->session_end_ms;
	return c->stage_end_ms < c->session_end_ms ? c->stage_end_ms : c->session_end_ms;
}

void smtp_client_clock(struct smtp_client *c, int64_t mono_ms)
{
	c->now_ms = mono_ms;
	if (mono_ms >= smtp_client_deadline(c))
		client_end(c, SMTP_END_TIMEOUT);
}

/* Output. */

void client_expect(struct smtp_client *c, enum smtp_stage stage, size_t n)
{
	c->stage = stage;
	c->action = SMTP_CLIENT_WAIT;
	c->queued += n;
	stage_restart(c);
	if (buf_err(&c->out))
		client_end(c, SMTP_END_ABORTED);
}

struct view smtp_client_output(const struct smtp_client *c)
{
	return buf_view(&c->out);
}

void smtp_client_sent(struct smtp_client *c, size_t n)
{
	if (!n)
		return;
	buf_consume(&c->out, n);
	c->due += c->queued;
	c->queued = 0;
	if (c->stage != SMTP_STAGE_CLOSED && c->stage != SMTP_STAGE_READY)
		stage_restart(c);
	if (c->message && c->stage >= SMTP_STAGE_MAIL && c->stage < SMTP_STAGE_DATA)
		client_pump(c);
}

enum smtp_client_action smtp_client_request(const struct smtp_client *c)
{
	return c->action;
}

void client_write_hello(struct smtp_client *c)
{
	const char *verb = c->config->lmtp ? "LHLO" : c->helo ? "HELO" : "EHLO";

	buf_addf(&c->out, "%s " VIEW_FMT "\r\n", verb, VIEW_ARG(c->config->hello));
	client_expect(c, SMTP_STAGE_HELLO, 1);
}

/* Input. */

void smtp_client_input(struct smtp_client *c, struct view input)
{
	while (input.n && c->stage != SMTP_STAGE_CLOSED) {
		struct smtp_reply reply;
		size_t used;

		if (c->action == SMTP_CLIENT_STARTTLS) {
			client_end(c, SMTP_END_TLS_INJECTED);
			return;
		}

		enum err err = smtp_reply_parser_take(&c->parser, input, &reply, &used);

		input = view_from(input, used);
		if (err == ERR_AGAIN)
			return;
		if (err) {
			client_end(c, SMTP_END_PROTOCOL);
			return;
		}
		client_reply(c, &reply, input.n);
	}
}

void smtp_client_eof(struct smtp_client *c)
{
	client_end(c, c->stage == SMTP_STAGE_QUIT ? SMTP_END_QUIT : SMTP_END_LOST);
}

void smtp_client_tls_done(struct smtp_client *c, bool ok)
{
	ASSERT(c->action == SMTP_CLIENT_STARTTLS);
	if (!ok) {
		client_end(c, SMTP_END_TLS_FAILED);
		return;
	}
	/* Nothing that was said in clear counts any more.   RFC 3207#4.2 */
	c->caps = (struct smtp_capabilities){ 0 };
	smtp_reply_parser_clear(&c->parser);
	buf_clear(&c->out);
	c->queued = 0;
	c->due = 0;
	c->tls = true;
	c->helo = false;
	client_write_hello(c);
}

/* Ends. */

void client_report(struct smtp_client *c)
{
	c->action = SMTP_CLIENT_REPORT;
	if (c->stage != SMTP_STAGE_CLOSED)
		c->stage = SMTP_STAGE_READY;
}

void client_end(struct smtp_client *c, enum smtp_client_end why)
{
	struct smtp_client_message *m = c->message;

	if (c->stage == SMTP_STAGE_CLOSED)
		return;
	for (size_t i = 0; m && i < c->tried_n; i++) {
		struct smtp_outcome *o = &m->rcpt[i].outcome;

		if (o->kind != SMTP_OUT_UNTRIED)
			continue;
		*o = (struct smtp_outcome){
			.kind = SMTP_OUT_TEMP,
			.stage = c->stage,
			.local = why != SMTP_END_SHUTDOWN,
			.maybe_sent = c->stage == SMTP_STAGE_DOT && m->rcpt[i].accepted,
		};
		if (why == SMTP_END_SHUTDOWN)
			o->reply = c->last.reply;
	}
	if (!c->last.reply.code)
		c->last.stage = c->stage;
	if (why != SMTP_END_QUIT && c->last.kind == SMTP_OUT_UNTRIED)
		c->last.kind = SMTP_OUT_TEMP;
	c->end = why;
	c->stage = SMTP_STAGE_CLOSED;
	c->action = m ? SMTP_CLIENT_REPORT : SMTP_CLIENT_CLOSE;
}

void client_end_quit(struct smtp_client *c, enum smtp_client_end why)
{
	buf_add(&c->out, VIEW("QUIT\r\n"));
	client_end(c, why);
}

void smtp_client_abort(struct smtp_client *c, enum smtp_client_end why)
{
	client_end(c, why);
}

void smtp_client_reported(struct smtp_client *c)
{
	ASSERT(c->action == SMTP_CLIENT_REPORT);
	c->message = NULL;
	c->action = c->stage == SMTP_STAGE_CLOSED ? SMTP_CLIENT_CLOSE : SMTP_CLIENT_READY;
}

void smtp_client_quit(struct smtp_client *c)
{
	ASSERT(c->action == SMTP_CLIENT_READY);
	buf_add(&c->out, VIEW("QUIT\r\n"));
	client_expect(c, SMTP_STAGE_QUIT, 1);
}

/* Messages. */

static void local_outcome(struct smtp_outcome *o, enum smtp_stage stage, unsigned code,
			  uint16_t subject, uint16_t detail, const char *text)
{
	struct view v = view_str(text);

	*o = (struct smtp_outcome){ .kind = SMTP_OUT_PERM, .stage = stage, .local = true };
	o->reply.code = code;
	o->reply.enhanced[0] = 5;
	o->reply.enhanced[1] = subject;
	o->reply.enhanced[2] = detail;
	o->reply.text_n = size_min(v.n, SMTP_REPLY_TEXT);
	memcpy(o->reply.text, v.p, o->reply.text_n);
}

/* A text that may stand between brackets on the wire: an address, or what our own parser made of one. */
static bool path_is_safe(struct view address, bool smtputf8, bool lmtp)
{
	struct address a;
	unsigned options = smtputf8 ? ADDRESS_UTF8 : 0;

	return address_parse_mailbox(address, options, &a) == OK ||
	       (lmtp && view_eq_nocase(address, VIEW("postmaster")));
}

/* Why this server cannot take the message, if so, as an outcome for every recipient. */
static bool message_unfit(const struct smtp_client *c, const struct smtp_client_message *m,
			  struct smtp_outcome *ret)
{
	const struct smtp_capabilities *caps = &c->caps;

	if (m->sender.n && !path_is_safe(m->sender, m->smtputf8, false))
		local_outcome(ret, SMTP_STAGE_MAIL, 501, 1, 7, "The sender address is not usable");
	else if (caps->size_max && m->size > caps->size_max)
		local_outcome(ret, SMTP_STAGE_MAIL, 552, 3, 4,
			      "The message is bigger than the receiving server takes");
	else if (m->smtputf8 && !caps->smtputf8)
		local_outcome(ret, SMTP_STAGE_MAIL, 550, 6, 7,
			      "The receiving server takes no addresses beyond ASCII");
	else if (m->requiretls && !(caps->requiretls && c->tls))
		local_outcome(ret, SMTP_STAGE_MAIL, 550, 7, 30,
			      "The receiving server does not promise TLS on the whole way");
	else if (m->body == SMTP_BODY_BINARYMIME ||
		 (m->body == SMTP_BODY_8BITMIME && !caps->eightbit))
		local_outcome(ret, SMTP_STAGE_MAIL, 550, 6, 3,
			      "The receiving server takes only 7-bit messages");
	else
		return false;
	return true;
}

static void write_xtext(struct smtp_client *c, const char *name, struct view text)
{
	buf_add_str(&c->out, name);
	xtext_encode(&c->out, text);
}

static void write_mail(struct smtp_client *c)
{
	const struct smtp_client_message *m = c->message;

	buf_addf(&c->out, "MAIL FROM:<" VIEW_FMT ">", VIEW_ARG(m->sender));
	if (c->caps.size && m->size)
		buf_addf(&c->out, " SIZE=%llu", (unsigned long long)m->size);
	if (c->caps.eightbit && m->body == SMTP_BODY_8BITMIME)
		buf_add(&c->out, VIEW(" BODY=8BITMIME"));
	if (m->smtputf8)
		buf_add(&c->out, VIEW(" SMTPUTF8"));
	if (m->requiretls)
		buf_add(&c->out, VIEW(" REQUIRETLS"));
	if (c->caps.dsn && m->ret)
		buf_add_str(&c->out, m->ret == SMTP_RET_FULL ? " RET=FULL" : " RET=HDRS");
	if (c->caps.dsn && m->envid.n)
		write_xtext(c, " ENVID=", m->envid);
	buf_add(&c->out, VIEW("\r\n"));
}

static void write_notify(struct smtp_client *c, unsigned notify)
{
	static const struct {
		unsigned bit;
		const char *name;
	} names[] = {
		{ SMTP_NOTIFY_NEVER, "NEVER" },
		{ SMTP_NOTIFY_SUCCESS, "SUCCESS" },
		{ SMTP_NOTIFY_FAILURE, "FAILURE" },
		{ SMTP_NOTIFY_DELAY, "DELAY" },
	};
	char separator = '=';

	buf_add(&c->out, VIEW(" NOTIFY"));
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (!(notify & names[i].bit))
			continue;
		buf_add_char(&c->out, separator);
		buf_add_str(&c->out, names[i].name);
		separator = ',';
	}
}

static void write_rcpt(struct smtp_client *c, const struct smtp_client_rcpt *r)
{
	buf_addf(&c->out, "RCPT TO:<" VIEW_FMT ">", VIEW_ARG(r->address));
	if (c->caps.dsn && r->notify)
		write_notify(c, r->notify);
	if (c->caps.dsn && r->orcpt.n) {
		struct view type;
		struct view text = view_cut(r->orcpt, ';', &type);
		bool utf8 = view_eq_nocase(type, VIEW("utf-8"));

		/* utf-8 addresses are kept as they came; others are decoded and coded again. */
		if (utf8) {
			buf_addf(&c->out, " ORCPT=" VIEW_FMT, VIEW_ARG(r->orcpt));
		} else {
			buf_addf(&c->out, " ORCPT=" VIEW_FMT ";", VIEW_ARG(type));
			xtext_encode(&c->out, text);
		}
	}
	buf_add(&c->out, VIEW("\r\n"));
}

void client_pump(struct smtp_client *c)
{
	struct smtp_client_message *m = c->message;
	enum smtp_stage stage = c->stage;
	bool ahead = c->caps.pipelining;

	if (c->data_sent || c->mail_refused || (!ahead && (c->due || c->queued)))
		return;
	while (c->sent_n < c->tried_n && c->out.n < PIPELINE_MAX) {
		write_rcpt(c, &m->rcpt[c->sent_n++]);
		client_expect(c, stage, 1);
		if (!ahead)
			return;
	}
	if (c->sent_n < c->tried_n || (!ahead && !c->accepted_n))
		return;
	buf_add(&c->out, VIEW("DATA\r\n"));
	c->data_sent = true;
	client_expect(c, stage, 1);
}

/* Recipients with addresses that cannot be sent get their outcome and move behind the others. */
static size_t rcpt_sort(struct smtp_client_message *m, bool lmtp)
{
	size_t good = 0;

	for (size_t i = 0; i < m->rcpt_n; i++) {
		if (!path_is_safe(m->rcpt[i].address, m->smtputf8, lmtp)) {
			local_outcome(&m->rcpt[i].outcome, SMTP_STAGE_RCPT, 501, 1, 3,
				      "The recipient address is not usable");
			continue;
		}

		struct smtp_client_rcpt swap = m->rcpt[good];

		m->rcpt[good++] = m->rcpt[i];
		if (good - 1 != i)
			m->rcpt[i] = swap;
	}
	return good;
}

void smtp_client_send(struct smtp_client *c, struct smtp_client_message *message)
{
	struct smtp_outcome unfit;

	ASSERT(c->action == SMTP_CLIENT_READY && !c->message);
	c->message = message;
	c->sent_n = c->answered_n = c->accepted_n = 0;
	c->data_sent = false;
	c->mail_refused = false;
	c->tried_n = rcpt_sort(message, c->config->lmtp);
	if (c->caps.rcpt_max)
		c->tried_n = size_min(c->tried_n, (size_t)c->caps.rcpt_max);
	if (message_unfit(c, message, &unfit)) {
		for (size_t i = 0; i < message->rcpt_n; i++)
			message->rcpt[i].outcome = unfit;
		c->tried_n = 0;
	}
	if (!c->tried_n) {
		client_report(c);
		return;
	}
	c->mail_n++;
	c->resetting = c->dirty;
	if (c->dirty)
		buf_add(&c->out, VIEW("RSET\r\n"));
	write_mail(c);
	client_expect(c, SMTP_STAGE_MAIL, c->dirty ? 2 : 1);
	c->dirty = true;
	client_pump(c);
}

/* Bodies. */

enum err smtp_client_body(struct smtp_client *c, struct view bytes, size_t *ret_used)
{
	*ret_used = 0;
	if (c->action != SMTP_CLIENT_BODY)
		return ERR_WRONG_STATE;
	return smtp_wire_write(&c->wire, &c->out, bytes, ret_used);
}

enum err smtp_client_body_end(struct smtp_client *c)
{
	if (c->action != SMTP_CLIENT_BODY)
		return ERR_WRONG_STATE;

	enum err err = smtp_wire_end(&c->wire, &c->out);

	if (err)
		return err;
	c->answered_n = 0;
	client_expect(c, SMTP_STAGE_DOT, c->config->lmtp ? c->accepted_n : 1);
	return OK;
}

void smtp_client_body_abort(struct smtp_client *c)
{
	client_end(c, SMTP_END_ABORTED);
}
