/*
 * fuzz/smtp/fuzz_client.c: any server against the outgoing session, which must end, tell every recipient's
 * outcome once, and say no more than commands and one body.
 *
 * The first octet chooses the configuration.  0xff in the input is a control: the next octet cuts there, lets time
 * pass, loses the connection or breaks the body off.
 */
#include "proto/smtp/client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MESSAGES = 3, RECIPIENTS = 3 };

struct play {
	struct smtp_client client;
	struct smtp_client_message messages[MESSAGES];
	struct smtp_client_rcpt rcpt[MESSAGES][RECIPIENTS];
	size_t sent, reported;
	bool body_open; /* bodies are begun and not ended */
	bool body_begun;
	bool closed;
};

static void body(struct play *p)
{
	struct view rest = VIEW("From: a@b\r\n.\r\n.\n\r.\r\0x");
	size_t used;

	/* The output was just written: this fits. */
	ASSERT(smtp_client_body(&p->client, rest, &used) == OK && used == rest.n);
	if (!p->body_open)
		ASSERT(smtp_client_body_end(&p->client) == OK);
}

static void report(struct play *p)
{
	struct smtp_client_message *m = &p->messages[p->reported++];

	for (size_t i = 0; i < m->rcpt_n; i++) {
		const struct smtp_outcome *o = &m->rcpt[i].outcome;

		ASSERT(o->kind != SMTP_OUT_UNTRIED || p->client.caps.rcpt_max);
		ASSERT(o->kind != SMTP_OUT_DELIVERED || o->reply.code / 100 == 2);
		ASSERT(o->kind != SMTP_OUT_PERM || o->reply.code / 100 == 5);
	}
	smtp_client_reported(&p->client);
}

static bool perform(struct play *p)
{
	struct smtp_client *c = &p->client;

	switch (smtp_client_request(c)) {
	case SMTP_CLIENT_WAIT: return false;
	case SMTP_CLIENT_STARTTLS: smtp_client_tls_done(c, true); return true;
	case SMTP_CLIENT_READY:
		if (p->sent < MESSAGES)
			smtp_client_send(c, &p->messages[p->sent++]);
		else
			smtp_client_quit(c);
		return true;
	case SMTP_CLIENT_BODY:
		if (p->body_open && p->body_begun)
			return false;
		p->body_begun = true;
		body(p);
		return true;
	case SMTP_CLIENT_REPORT: report(p); return true;
	case SMTP_CLIENT_CLOSE: p->closed = true; return false;
	}
	return false;
}

static void turn(struct play *p)
{
	bool moved = true;

	while (moved) {
		struct view out = smtp_client_output(&p->client);

		ASSERT(!view_has(out, '\0'));
		smtp_client_sent(&p->client, out.n);
		moved = out.n;
		moved |= perform(p);
	}
}

static void control(struct play *p, uint8_t what)
{
	switch (what % 6) {
	case 0: smtp_client_clock(&p->client, p->client.now_ms + 301 * 1000); break;
	case 1: smtp_client_eof(&p->client); break;
	case 2: p->body_open = true; break;
	case 3:
		if (smtp_client_request(&p->client) == SMTP_CLIENT_BODY)
			smtp_client_body_abort(&p->client);
		break;
	default: break; /* only a cut */
	}
	turn(p);
}

static void prepare(struct play *p, struct smtp_client_config *config, uint8_t choice)
{
	static const char *const names[RECIPIENTS] = { "r1@far.test", "\xc3\xbc@far.test",
						       "x@y>\r\nz" };

	*p = (struct play){ 0 };
	*config = (struct smtp_client_config){ .hello = VIEW("out.test"),
					       .lmtp = choice & 1,
					       .tls = (enum smtp_client_tls)(choice >> 1 & 3) };
	if (choice & 8)
		config->sasl_plain = VIEW("\0a\0b");
	for (size_t i = 0; i < MESSAGES; i++) {
		p->messages[i] = (struct smtp_client_message){ .sender = VIEW("a@here.test"),
							       .rcpt = p->rcpt[i],
							       .rcpt_n = RECIPIENTS,
							       .size = 100,
							       .smtputf8 = choice & 16 && i,
							       .requiretls = choice & 32 && i,
							       .envid = VIEW("e") };
		for (size_t k = 0; k < RECIPIENTS; k++)
			p->rcpt[i][k].address = view_str(names[(k + i) % RECIPIENTS]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct play p;
	struct smtp_client_config config;
	size_t from = 1;

	if (!size || size > 1 << 16)
		return 0;
	prepare(&p, &config, data[0]);
	smtp_client_init(&p.client, &config, 0);
	turn(&p);
	for (size_t i = 1; i < size; i++) {
		if (data[i] != 0xff)
			continue;
		smtp_client_input(&p.client, view_of(data + from, i - from));
		turn(&p);
		if (++i < size)
			control(&p, data[i]);
		from = i + 1;
	}
	if (from < size)
		smtp_client_input(&p.client, view_of(data + from, size - from));
	turn(&p);
	smtp_client_eof(&p.client);
	turn(&p);
	ASSERT(p.closed && p.reported == p.sent);
	smtp_client_done(&p.client);
	return 0;
}
