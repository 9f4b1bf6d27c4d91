/*
 * proto/smtp/client_reply.c: what each reply of the server means.
 */
#include "base/encode.h"
#include "base/num.h"
#include "proto/smtp/client_priv.h"

static enum smtp_outcome_kind reply_kind(const struct smtp_reply *r)
{
	switch (r->code / 100) {
	case 2: return SMTP_OUT_DELIVERED;
	case 5: return SMTP_OUT_PERM;
	default: return SMTP_OUT_TEMP;
	}
}

static bool is_positive(const struct smtp_reply *r)
{
	return r->code / 100 == 2;
}

static void connection_note(struct smtp_client *c, const struct smtp_reply *r)
{
	c->last = (struct smtp_outcome){ .kind = reply_kind(r), .stage = c->stage, .reply = *r };
}

/* Capabilities. */

static void cap_size(struct smtp_capabilities *caps, struct view args)
{
	caps->size = true;
	/* A number that makes no sense tells no limit. */
	if (num_u64(args, UINT64_MAX, &caps->size_max))
		caps->size_max = 0;
}

static void cap_auth(struct smtp_capabilities *caps, struct view args)
{
	while (args.n) {
		struct view one;

		args = view_cut(args, ' ', &one);
		caps->auth_plain |= view_eq_nocase(one, VIEW("PLAIN"));
	}
}

/* limits = *( SP name "=" value )   RFC 9422#4 */
static void cap_limits(struct smtp_capabilities *caps, struct view args)
{
	caps->limits = true;
	while (args.n) {
		struct view one, name;
		uint64_t number;

		args = view_cut(args, ' ', &one);

		struct view value = view_cut(one, '=', &name);

		if (num_u64(value, 999999, &number))
			continue;
		if (view_eq_nocase(name, VIEW("RCPTMAX")))
			caps->rcpt_max = number;
		else if (view_eq_nocase(name, VIEW("MAILMAX")))
			caps->mail_max = number;
	}
}

static const struct {
	struct view name;
	size_t flag; /* offset of a bool */
	void (*parse)(struct smtp_capabilities *caps, struct view args);
} keywords[] = {
#define FLAG(field) offsetof(struct smtp_capabilities, field), NULL
	{ VIEW_INIT("PIPELINING"), FLAG(pipelining) },
	{ VIEW_INIT("8BITMIME"), FLAG(eightbit) },
	{ VIEW_INIT("SMTPUTF8"), FLAG(smtputf8) },
	{ VIEW_INIT("DSN"), FLAG(dsn) },
	{ VIEW_INIT("CHUNKING"), FLAG(chunking) },
	{ VIEW_INIT("BINARYMIME"), FLAG(binarymime) },
	{ VIEW_INIT("STARTTLS"), FLAG(starttls) },
	{ VIEW_INIT("REQUIRETLS"), FLAG(requiretls) },
	{ VIEW_INIT("ENHANCEDSTATUSCODES"), FLAG(enhanced) },
	{ VIEW_INIT("DELIVERBY"), FLAG(deliverby) },
	{ VIEW_INIT("MT-PRIORITY"), FLAG(priority) },
	{ VIEW_INIT("SIZE"), 0, cap_size },
	{ VIEW_INIT("AUTH"), 0, cap_auth },
	{ VIEW_INIT("LIMITS"), 0, cap_limits },
#undef FLAG
};

static void capability_add(struct smtp_capabilities *caps, struct view line)
{
	struct view name;
	struct view args = view_cut(line, ' ', &name);

	for (size_t i = 0; i < ARRAY_LEN(keywords); i++) {
		if (!view_eq_nocase(name, keywords[i].name))
			continue;
		if (keywords[i].parse)
			keywords[i].parse(caps, view_trim(args));
		else
			*(bool *)((char *)caps + keywords[i].flag) = true;
	}
}

/* ehlo-ok-rsp   RFC 5321#4.1.1.1; the first line is a greeting.  reply_lines bounds the count. */
static void capabilities_read(struct smtp_client *c, const struct smtp_reply *r)
{
	c->caps = (struct smtp_capabilities){ 0 };
	for (size_t i = 1; i < r->lines; i++)
		capability_add(&c->caps, smtp_reply_line(&c->parser, i));
}

/* Up to READY. */

static void on_greeting(struct smtp_client *c, const struct smtp_reply *r)
{
	connection_note(c, r);
	if (r->code == 220)
		client_write_hello(c);
	else
		client_end_quit(c, SMTP_END_GREETING);
}

static void client_ready(struct smtp_client *c)
{
	c->stage = SMTP_STAGE_READY;
	c->action = SMTP_CLIENT_READY;
	c->last = (struct smtp_outcome){ 0 };
}

static void hello_done(struct smtp_client *c)
{
	const struct smtp_client_config *config = c->config;

	if (!c->tls && config->tls != SMTP_CLIENT_TLS_NONE && c->caps.starttls) {
		buf_add(&c->out, VIEW("STARTTLS\r\n"));
		client_expect(c, SMTP_STAGE_TLS, 1);
	} else if (!c->tls && config->tls == SMTP_CLIENT_TLS_MUST) {
		client_end_quit(c, SMTP_END_TLS_MISSING);
	} else if (config->sasl_plain.n && !(c->tls && c->caps.auth_plain)) {
		client_end_quit(c, SMTP_END_AUTH);
	} else if (config->sasl_plain.n) {
		buf_add(&c->out, VIEW("AUTH PLAIN "));
		base64_encode(&c->out, config->sasl_plain);
		buf_add(&c->out, VIEW("\r\n"));
		client_expect(c, SMTP_STAGE_AUTH, 1);
	} else {
		client_ready(c);
	}
}

static void on_hello(struct smtp_client *c, const struct smtp_reply *r)
{
	connection_note(c, r);
	if (is_positive(r)) {
		if (c->helo)
			c->caps = (struct smtp_capabilities){ 0 };
		else
			capabilities_read(c, r);
		hello_done(c);
	} else if (r->code / 100 == 5 && !c->helo && !c->config->lmtp) {
		c->helo = true; /* RFC 5321#3.2: an old server */
		client_write_hello(c);
	} else {
		client_end_quit(c, SMTP_END_HELLO);
	}
}

static void on_starttls(struct smtp_client *c, const struct smtp_reply *r, bool more)
{
	connection_note(c, r);
	if (r->code != 220)
		client_end_quit(c, SMTP_END_TLS_REFUSED);
	else if (more)
		client_end(c, SMTP_END_TLS_INJECTED);
	else
		c->action = SMTP_CLIENT_STARTTLS;
}

static void on_auth(struct smtp_client *c, const struct smtp_reply *r)
{
	connection_note(c, r);
	if (r->code == 235)
		client_ready(c);
	else
		client_end_quit(c, SMTP_END_AUTH);
}

/* The transaction. */

static void rcpt_settle(struct smtp_client *c, size_t i, const struct smtp_reply *r)
{
	struct smtp_outcome *o = &c->message->rcpt[i].outcome;

	if (o->kind == SMTP_OUT_UNTRIED)
		*o = (struct smtp_outcome){ .kind = reply_kind(r), .stage = c->stage, .reply = *r };
}

/* The same reply for all that have no outcome yet. */
static void rcpt_settle_all(struct smtp_client *c, const struct smtp_reply *r)
{
	for (size_t i = 0; i < c->tried_n; i++)
		rcpt_settle(c, i, r);
}

/* Nothing of the group is due any more and DATA was not sent. */
static void group_check(struct smtp_client *c)
{
	if (!c->due && !c->queued && !c->data_sent)
		client_report(c);
}

static void on_mail(struct smtp_client *c, const struct smtp_reply *r)
{
	c->stage = SMTP_STAGE_MAIL;
	if (is_positive(r)) {
		c->stage = SMTP_STAGE_RCPT;
		client_pump(c);
		return;
	}
	c->mail_refused = true;
	rcpt_settle_all(c, r);
	c->tried_n = c->sent_n;
	c->stage = c->sent_n ? SMTP_STAGE_RCPT : SMTP_STAGE_DATA;
	group_check(c);
}

static void on_rcpt(struct smtp_client *c, const struct smtp_reply *r)
{
	struct smtp_client_rcpt *rcpt = &c->message->rcpt[c->answered_n];

	if (!is_positive(r)) {
		rcpt_settle(c, c->answered_n, r);
	} else if (rcpt->outcome.kind == SMTP_OUT_UNTRIED) {
		rcpt->accepted = true;
		c->accepted_n++;
	}
	c->answered_n++;
	client_pump(c);
	if (c->answered_n == c->tried_n) {
		c->stage = SMTP_STAGE_DATA;
		group_check(c);
	}
}

static void on_data(struct smtp_client *c, const struct smtp_reply *r)
{
	bool go = r->code == 354;

	if (go && c->accepted_n) {
		smtp_wire_init(&c->wire);
		c->stage = SMTP_STAGE_BODY;
		c->action = SMTP_CLIENT_BODY;
	} else if (go) {
		/* Sent ahead, all recipients refused, and still taken: an empty message to nobody. */
		if (c->config->lmtp) {
			client_end(c, SMTP_END_PROTOCOL);
			return;
		}
		buf_add(&c->out, VIEW(".\r\n"));
		client_expect(c, SMTP_STAGE_DOT, 1);
	} else if (r->code / 100 < 4) {
		client_end(c, SMTP_END_PROTOCOL);
	} else {
		rcpt_settle_all(c, r);
		client_report(c);
	}
}

/* A reply before the body is complete: a refusal is believed, a yes is not. */
static void on_body(struct smtp_client *c, const struct smtp_reply *r)
{
	if (r->code / 100 >= 4)
		rcpt_settle_all(c, r);
	client_end(c, SMTP_END_PROTOCOL);
}

static void on_dot(struct smtp_client *c, const struct smtp_reply *r)
{
	struct smtp_client_message *m = c->message;

	if (r->code / 100 == 3) {
		client_end(c, SMTP_END_PROTOCOL);
		return;
	}
	if (!c->config->lmtp) {
		rcpt_settle_all(c, r);
	} else {
		while (c->answered_n < c->tried_n && !m->rcpt[c->answered_n].accepted)
			c->answered_n++;
		rcpt_settle(c, c->answered_n++, r);
		if (c->due)
			return;
	}
	c->dirty = false;
	client_report(c);
}

/* 421: the server closes, whatever was asked.   RFC 5321#3.8 */
static void on_shutdown(struct smtp_client *c, const struct smtp_reply *r)
{
	connection_note(c, r);
	client_end(c, SMTP_END_SHUTDOWN);
}

static void reply_dispatch(struct smtp_client *c, const struct smtp_reply *r, bool more)
{
	switch (c->stage) {
	case SMTP_STAGE_GREETING: on_greeting(c, r); break;
	case SMTP_STAGE_HELLO: on_hello(c, r); break;
	case SMTP_STAGE_TLS: on_starttls(c, r, more); break;
	case SMTP_STAGE_AUTH: on_auth(c, r); break;
	case SMTP_STAGE_MAIL: on_mail(c, r); break;
	case SMTP_STAGE_RCPT: on_rcpt(c, r); break;
	case SMTP_STAGE_DATA: on_data(c, r); break;
	case SMTP_STAGE_DOT: on_dot(c, r); break;
	case SMTP_STAGE_QUIT: client_end(c, SMTP_END_QUIT); break;
	default: client_end(c, SMTP_END_PROTOCOL);
	}
}

void client_reply(struct smtp_client *c, const struct smtp_reply *reply, bool more)
{
	bool asked = c->due;

	if (asked)
		c->due--;
	if (reply->code == 421)
		on_shutdown(c, reply);
	else if (c->stage == SMTP_STAGE_BODY)
		on_body(c, reply);
	else if (!asked)
		client_end(c, SMTP_END_PROTOCOL);
	else if (c->resetting)
		c->resetting = false; /* whatever it says: MAIL will tell */
	else
		reply_dispatch(c, reply, more);
}
