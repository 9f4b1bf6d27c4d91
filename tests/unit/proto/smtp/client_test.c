/*
 * tests/unit/proto/smtp/client_test.c: the outgoing session against scripted servers, honest and hostile.
 *
 * A script is a text: "S: " the server says a line, "C: " the client must have said exactly this line by now.
 * Each script is also run with the server's lines cut into single octets.
 */
#include "proto/smtp/client.h"

#include "unit.h"

enum { RCPT_MAX = 8 };

struct play {
	struct smtp_client_config config;
	struct smtp_client client;
	struct smtp_client_message messages[3];
	struct smtp_client_rcpt rcpt[3][RCPT_MAX];
	size_t message_n, next;
	const char *body;
	bool never_end; /* the body stays open */
	bool body_begun;
	bool octets;
	bool no_handshake;
	size_t handshakes, reports;
	struct buf said; /* by the client, not yet looked at */
	int64_t now;
	bool closed;
};

static void play_init(struct play *p)
{
	*p = (struct play){ .body = "From: a@b\r\n\r\n.dot\n" };
	p->config.hello = VIEW("out.test");
	buf_init(&p->said, 1 << 20);
}

static void play_done(struct play *p)
{
	smtp_client_done(&p->client);
	buf_done(&p->said);
}

static void message_add(struct play *p, size_t recipients)
{
	static const char *const names[RCPT_MAX] = { "r1@far.test", "r2@far.test", "r3@far.test",
						     "r4@far.test", "r5@far.test", "r6@far.test",
						     "r7@far.test", "r8@far.test" };
	size_t i = p->message_n++;

	p->messages[i] = (struct smtp_client_message){ .sender = VIEW("a@here.test"),
						       .rcpt = p->rcpt[i],
						       .rcpt_n = recipients };
	for (size_t k = 0; k < recipients; k++)
		p->rcpt[i][k] = (struct smtp_client_rcpt){ .address = view_str(names[k]) };
}

static void body_write(struct play *p)
{
	struct view rest = view_str(p->body);

	while (rest.n) {
		size_t used;
		enum err err = smtp_client_body(&p->client, rest, &used);

		assert_true(err == OK || err == ERR_AGAIN);
		rest = view_from(rest, used);
		if (err == ERR_AGAIN) {
			struct view out = smtp_client_output(&p->client);

			buf_add(&p->said, out);
			smtp_client_sent(&p->client, out.n);
		}
	}
	if (!p->never_end)
		assert_int_equal(smtp_client_body_end(&p->client), OK);
}

/* Do what the client asks; false: nothing. */
static bool perform(struct play *p)
{
	struct smtp_client *c = &p->client;

	switch (smtp_client_request(c)) {
	case SMTP_CLIENT_WAIT: return false;
	case SMTP_CLIENT_STARTTLS:
		if (p->no_handshake)
			return false;
		p->handshakes++;
		smtp_client_tls_done(c, true);
		return true;
	case SMTP_CLIENT_READY:
		if (p->next < p->message_n)
			smtp_client_send(c, &p->messages[p->next++]);
		else
			smtp_client_quit(c);
		return true;
	case SMTP_CLIENT_BODY:
		if (p->never_end && p->body_begun)
			return false;
		p->body_begun = true;
		body_write(p);
		return true;
	case SMTP_CLIENT_REPORT:
		p->reports++;
		smtp_client_reported(c);
		return true;
	case SMTP_CLIENT_CLOSE: p->closed = true; return false;
	}
	return false;
}

static void turn(struct play *p)
{
	bool moved = true;

	while (moved) {
		struct view out = smtp_client_output(&p->client);

		buf_add(&p->said, out);
		smtp_client_sent(&p->client, out.n);
		moved = out.n;
		moved |= perform(p);
	}
}

static void server_says(struct play *p, struct view text)
{
	for (size_t i = 0; i < text.n && p->octets; i++) {
		smtp_client_input(&p->client, view_part(text, i, 1));
		turn(p);
	}
	if (!p->octets)
		smtp_client_input(&p->client, text);
	turn(p);
}

static void client_said(struct play *p, struct view line)
{
	struct buf CLEANUP(buf_done) want = BUF_INIT(4096);

	buf_add(&want, line);
	buf_add(&want, VIEW("\r\n"));
	if (!view_starts(buf_view(&p->said), buf_view(&want))) {
		print_error("said \"" VIEW_FMT "\", not \"" VIEW_FMT "\"\n",
			    VIEW_ARG(buf_view(&p->said)), VIEW_ARG(line));
		fail();
	}
	buf_consume(&p->said, want.n);
}

/* Server lines in a row arrive together. */
static void play_run(struct play *p, const char *script)
{
	struct view rest = view_str(script);
	struct buf CLEANUP(buf_done) together = BUF_INIT(1 << 16);

	smtp_client_init(&p->client, &p->config, 1000);
	turn(p);
	while (rest.n) {
		struct view line;

		rest = view_cut(rest, '\n', &line);
		if (view_starts(line, VIEW("S: "))) {
			buf_add(&together, view_from(line, 3));
			buf_add(&together, VIEW("\r\n"));
			if (view_starts(rest, VIEW("S: ")))
				continue;
			server_says(p, buf_view(&together));
			buf_clear(&together);
		} else {
			client_said(p, view_from(line, 3));
		}
	}
	if (p->said.n) {
		print_error("also said \"" VIEW_FMT "\"\n", VIEW_ARG(buf_view(&p->said)));
		fail();
	}
}

#define EHLO_BARE "S: 220 far\nC: EHLO out.test\nS: 250 far\n"
#define EHLO_PIPE "S: 220 far\nC: EHLO out.test\nS: 250-far\nS: 250-PIPELINING\nS: 250 SIZE 1000\n"
#define BODY	  "C: From: a@b\nC: \nC: ..dot\nC: .\n"
#define BYE	  "C: QUIT\nS: 221 bye\n"

static void outcome(struct play *p, size_t message, size_t rcpt, enum smtp_outcome_kind kind,
		    unsigned code)
{
	const struct smtp_outcome *o = &p->rcpt[message][rcpt].outcome;

	if (o->kind != kind || o->reply.code != code)
		print_error("recipient %zu: kind %d code %u\n", rcpt, o->kind, o->reply.code);
	assert_int_equal(o->kind, kind);
	assert_int_equal(o->reply.code, code);
}

/* Run a script both ways with the same preparation and checks. */
static void both(void (*prepare)(struct play *), const char *script, void (*check)(struct play *))
{
	for (int octets = 0; octets < 2; octets++) {
		struct play p;

		play_init(&p);
		p.octets = octets;
		prepare(&p);
		play_run(&p, script);
		check(&p);
		play_done(&p);
	}
}

static void one(struct play *p)
{
	message_add(p, 1);
}

static void two_rcpt(struct play *p)
{
	message_add(p, 2);
}

static void delivered(struct play *p)
{
	outcome(p, 0, 0, SMTP_OUT_DELIVERED, 250);
	assert_int_equal(p->client.end, SMTP_END_QUIT);
	assert_true(p->closed);
}

static void test_plain(void **state)
{
	both(one,
	     EHLO_BARE
	     "C: MAIL FROM:<a@here.test>\nS: 250 ok\nC: RCPT TO:<r1@far.test>\nS: 250 ok\n"
	     "C: DATA\nS: 354 go\n" BODY "S: 250 2.0.0 queued\n" BYE,
	     delivered);
}

static void test_pipelined(void **state)
{
	both(one,
	     EHLO_PIPE "C: MAIL FROM:<a@here.test>\nC: RCPT TO:<r1@far.test>\nC: DATA\n"
		       "S: 250 ok\nS: 250 ok\nS: 354 go\n" BODY "S: 250 queued\n" BYE,
	     delivered);
}

static void test_helo(void **state)
{
	both(one,
	     "S: 220 far\nC: EHLO out.test\nS: 502 what\nC: HELO out.test\nS: 250 far\n"
	     "C: MAIL FROM:<a@here.test>\nS: 250 ok\nC: RCPT TO:<r1@far.test>\nS: 250 ok\n"
	     "C: DATA\nS: 354 go\n" BODY "S: 250 queued\n" BYE,
	     delivered);
}

static void two_messages(struct play *p)
{
	message_add(p, 1);
	message_add(p, 1);
	message_add(p, 1);
}

static void check_two_messages(struct play *p)
{
	outcome(p, 0, 0, SMTP_OUT_DELIVERED, 250);
	outcome(p, 1, 0, SMTP_OUT_PERM, 550);
	outcome(p, 2, 0, SMTP_OUT_DELIVERED, 250);
	assert_int_equal(p->rcpt[1][0].outcome.reply.enhanced[2], 1);
	assert_int_equal(p->reports, 3);
}

/* A refused transaction is reset before the next one. */
static void test_many_messages(void **state)
{
	both(two_messages,
	     EHLO_BARE
	     "C: MAIL FROM:<a@here.test>\nS: 250 ok\nC: RCPT TO:<r1@far.test>\nS: 250 ok\n"
	     "C: DATA\nS: 354 go\n" BODY "S: 250 queued\n"
	     "C: MAIL FROM:<a@here.test>\nS: 250 ok\nC: RCPT TO:<r1@far.test>\n"
	     "S: 550 5.1.1 no\nC: RSET\nC: MAIL FROM:<a@here.test>\nS: 250 ok\nS: 250 ok\n"
	     "C: RCPT TO:<r1@far.test>\nS: 250 ok\nC: DATA\nS: 354 go\n" BODY "S: 250 queued\n" BYE,
	     check_two_messages);
}

static void check_mixed(struct play *p)
{
	outcome(p, 0, 0, SMTP_OUT_TEMP, 450);
	outcome(p, 0, 1, SMTP_OUT_DELIVERED, 250);
}

static void test_mixed_recipients(void **state)
{
	both(two_rcpt,
	     EHLO_PIPE
	     "C: MAIL FROM:<a@here.test>\nC: RCPT TO:<r1@far.test>\nC: RCPT TO:<r2@far.test>\n"
	     "C: DATA\nS: 250 ok\nS: 450 4.2.1 busy\nS: 250 ok\nS: 354 go\n" BODY
	     "S: 250 queued\n" BYE,
	     check_mixed);
}

static void check_all_refused(struct play *p)
{
	outcome(p, 0, 0, SMTP_OUT_PERM, 550);
	outcome(p, 0, 1, SMTP_OUT_PERM, 551);
}

/* All refused, and 354 nevertheless: nothing but the dot. */
static void test_all_refused(void **state)
{
	both(two_rcpt,
	     EHLO_PIPE
	     "C: MAIL FROM:<a@here.test>\nC: RCPT TO:<r1@far.test>\nC: RCPT TO:<r2@far.test>\n"
	     "C: DATA\nS: 250 ok\nS: 550 no\nS: 551 no\nS: 354 go\nC: .\nS: 554 none\n" BYE,
	     check_all_refused);
	both(two_rcpt,
	     EHLO_PIPE
	     "C: MAIL FROM:<a@here.test>\nC: RCPT TO:<r1@far.test>\nC: RCPT TO:<r2@far.test>\n"
	     "C: DATA\nS: 250 ok\nS: 550 no\nS: 551 no\nS: 503 none\n" BYE,
	     check_all_refused);
	both(two_rcpt,
	     EHLO_BARE
	     "C: MAIL FROM:<a@here.test>\nS: 250 ok\nC: RCPT TO:<r1@far.test>\nS: 550 no\n"
	     "C: RCPT TO:<r2@far.test>\nS: 551 no\n" BYE,
	     check_all_refused);
}

static void check_mail_refused(struct play *p)
{
	outcome(p, 0, 0, SMTP_OUT_PERM, 553);
	outcome(p, 0, 1, SMTP_OUT_PERM, 553);
}

static void test_mail_refused(void **state)
{
	both(two_rcpt, EHLO_BARE "C: MAIL FROM:<a@here.test>\nS: 553 5.1.8 no\n" BYE,
	     check_mail_refused);
	both(two_rcpt,
	     EHLO_PIPE
	     "C: MAIL FROM:<a@here.test>\nC: RCPT TO:<r1@far.test>\nC: RCPT TO:<r2@far.test>\n"
	     "C: DATA\nS: 553 no\nS: 503 x\nS: 503 x\nS: 503 x\n" BYE,
	     check_mail_refused);
}

static void check_dot_refused(struct play *p)
{
	outcome(p, 0, 0, SMTP_OUT_PERM, 550);
	assert_int_equal(p->rcpt[0][0].outcome.stage, SMTP_STAGE_DOT);
}

static void test_dot_refused(void **state)
{
	both(one,
	     EHLO_BARE
	     "C: MAIL FROM:<a@here.test>\nS: 250 ok\nC: RCPT TO:<r1@far.test>\nS: 250 ok\n"
	     "C: DATA\nS: 354 go\n" BODY "S: 550 5.7.1 spam\n" BYE,
	     check_dot_refused);
}

static void lmtp(struct play *p)
{
	p->config.lmtp = true;
	message_add(p, 3);
}

static void check_lmtp(struct play *p)
{
	outcome(p, 0, 0, SMTP_OUT_DELIVERED, 250);
	outcome(p, 0, 1, SMTP_OUT_PERM, 550);
	outcome(p, 0, 2, SMTP_OUT_TEMP, 452);
}

/* One reply for each accepted recipient.   RFC 2033#4.2 */
static void test_lmtp(void **state)
{
	both(lmtp,
	     "S: 220 far\nC: LHLO out.test\nS: 250-far\nS: 250 PIPELINING\n"
	     "C: MAIL FROM:<a@here.test>\nC: RCPT TO:<r1@far.test>\nC: RCPT TO:<r2@far.test>\n"
	     "C: RCPT TO:<r3@far.test>\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 550 no\nS: 250 ok\n"
	     "S: 354 go\n" BODY "S: 250 ok\nS: 452 4.2.2 full\n" BYE,
	     check_lmtp);
}

/* STARTTLS. */

static void tls_must(struct play *p)
{
	p->config.tls = SMTP_CLIENT_TLS_MUST;
	message_add(p, 1);
}

static void check_tls(struct play *p)
{
	assert_int_equal(p->handshakes, 1);
	delivered(p);
}

static void test_starttls(void **state)
{
	/* Capabilities are asked again: the first EHLO offered more. */
	both(tls_must,
	     "S: 220 far\nC: EHLO out.test\nS: 250-far\nS: 250-PIPELINING\nS: 250 STARTTLS\n"
	     "C: STARTTLS\nS: 220 go\nC: EHLO out.test\nS: 250 far\n"
	     "C: MAIL FROM:<a@here.test>\nS: 250 ok\nC: RCPT TO:<r1@far.test>\nS: 250 ok\n"
	     "C: DATA\nS: 354 go\n" BODY "S: 250 queued\n" BYE,
	     check_tls);
}

static void check_tls_missing(struct play *p)
{
	assert_int_equal(p->client.end, SMTP_END_TLS_MISSING);
	assert_int_equal(p->reports, 0);
	assert_true(p->closed);
}

static void check_tls_refused(struct play *p)
{
	assert_int_equal(p->client.end, SMTP_END_TLS_REFUSED);
	assert_int_equal(p->client.last.reply.code, 500);
}

static void test_starttls_refused(void **state)
{
	both(tls_must, EHLO_BARE "C: QUIT\n", check_tls_missing);
	both(tls_must,
	     "S: 220 far\nC: EHLO out.test\nS: 500 x\nC: HELO out.test\nS: 250 far\nC: QUIT\n",
	     check_tls_missing);
	both(tls_must,
	     "S: 220 far\nC: EHLO out.test\nS: 250-far\nS: 250 STARTTLS\nC: STARTTLS\nS: 500 x\nC: "
	     "QUIT\n",
	     check_tls_refused);
}

/* Octets in the same segment as the 220 were said in clear (THREATS 2.3). */
static void test_starttls_injected(void **state)
{
	struct play p;

	play_init(&p);
	tls_must(&p);
	play_run(&p, "S: 220 far\nC: EHLO out.test\nS: 250-far\nS: 250 STARTTLS\nC: STARTTLS\n"
		     "S: 220 go\nS: 250-AUTH PLAIN\nS: 250 X\n");
	assert_int_equal(p.client.end, SMTP_END_TLS_INJECTED);
	assert_int_equal(p.handshakes, 0);
	play_done(&p);
	/* ... and also when they come before the handshake is done. */
	play_init(&p);
	tls_must(&p);
	p.no_handshake = true;
	play_run(&p, "S: 220 far\nC: EHLO out.test\nS: 250-far\nS: 250 STARTTLS\nC: STARTTLS\nS: "
		     "220 go\n");
	smtp_client_input(&p.client, VIEW("2"));
	assert_int_equal(p.client.end, SMTP_END_TLS_INJECTED);
	play_done(&p);
}

/* AUTH. */

static void auth(struct play *p)
{
	p->config.tls = SMTP_CLIENT_TLS_DONE;
	p->config.sasl_plain = VIEW("\0me\0secret");
	message_add(p, 1);
}

static void auth_clear(struct play *p)
{
	auth(p);
	p->config.tls = SMTP_CLIENT_TLS_NONE;
}

static void check_auth_end(struct play *p)
{
	assert_int_equal(p->client.end, SMTP_END_AUTH);
}

static void test_auth(void **state)
{
	both(auth,
	     "S: 220 far\nC: EHLO out.test\nS: 250-far\nS: 250 AUTH LOGIN PLAIN\n"
	     "C: AUTH PLAIN AG1lAHNlY3JldA==\nS: 235 ok\n"
	     "C: MAIL FROM:<a@here.test>\nS: 250 ok\nC: RCPT TO:<r1@far.test>\nS: 250 ok\n"
	     "C: DATA\nS: 354 go\n" BODY "S: 250 queued\n" BYE,
	     delivered);
	both(auth,
	     "S: 220 far\nC: EHLO out.test\nS: 250-far\nS: 250 AUTH PLAIN\n"
	     "C: AUTH PLAIN AG1lAHNlY3JldA==\nS: 535 no\nC: QUIT\n",
	     check_auth_end);
	/* Never in clear. */
	both(auth_clear, "S: 220 far\nC: EHLO out.test\nS: 250-far\nS: 250 AUTH PLAIN\nC: QUIT\n",
	     check_auth_end);
}

/* Parameters, only where offered. */

static void parameters(struct play *p)
{
	struct smtp_client_message *m;

	p->config.tls = SMTP_CLIENT_TLS_DONE;
	message_add(p, 1);
	m = &p->messages[0];
	m->size = 500;
	m->body = SMTP_BODY_8BITMIME;
	m->smtputf8 = true;
	m->requiretls = true;
	m->ret = SMTP_RET_HDRS;
	m->envid = VIEW("a+b");
	m->rcpt[0].address = VIEW("\xc3\xbc@far.test");
	m->rcpt[0].notify = SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_DELAY;
	m->rcpt[0].orcpt = VIEW("rfc822;x=y@z");
}

static void test_parameters(void **state)
{
	both(parameters,
	     "S: 220 far\nC: EHLO out.test\nS: 250-far\nS: 250-SIZE 1000\nS: 250-8BITMIME\n"
	     "S: 250-SMTPUTF8\nS: 250-DSN\nS: 250 REQUIRETLS\n"
	     "C: MAIL FROM:<a@here.test> SIZE=500 BODY=8BITMIME SMTPUTF8 REQUIRETLS RET=HDRS "
	     "ENVID=a+2Bb\n"
	     "S: 250 ok\nC: RCPT TO:<\xc3\xbc@far.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x+3Dy@z\n"
	     "S: 250 ok\nC: DATA\nS: 354 go\n" BODY "S: 250 queued\n" BYE,
	     delivered);
}

/* What the server cannot take is refused here, and the connection goes on. */
static void unfit(void (*change)(struct smtp_client_message *), unsigned code, unsigned subject,
		  unsigned detail)
{
	struct play p;

	play_init(&p);
	message_add(&p, 2);
	change(&p.messages[0]);
	play_run(&p, EHLO_PIPE "C: QUIT\n");
	outcome(&p, 0, 0, SMTP_OUT_PERM, code);
	assert_true(p.rcpt[0][0].outcome.local);
	assert_int_equal(p.rcpt[0][0].outcome.reply.enhanced[1], subject);
	assert_int_equal(p.rcpt[0][0].outcome.reply.enhanced[2], detail);
	play_done(&p);
}

static void too_big(struct smtp_client_message *m)
{
	m->size = 1001;
}

static void needs_utf8(struct smtp_client_message *m)
{
	m->smtputf8 = true;
}

static void needs_8bit(struct smtp_client_message *m)
{
	m->body = SMTP_BODY_8BITMIME;
}

static void needs_tls(struct smtp_client_message *m)
{
	m->requiretls = true;
}

static void bad_sender(struct smtp_client_message *m)
{
	m->sender = VIEW("x\r\nRCPT TO:<w@evil.test>");
}

static void test_unfit(void **state)
{
	unfit(too_big, 552, 3, 4);
	unfit(needs_utf8, 550, 6, 7);
	unfit(needs_8bit, 550, 6, 3);
	unfit(needs_tls, 550, 7, 30);
	unfit(bad_sender, 501, 1, 7);
}

/* An address that could write a line of its own is never sent (THREATS 2.8); the others are. */
static void injection(struct play *p)
{
	message_add(p, 3);
	p->rcpt[0][0].address = VIEW("x@far.test>\r\nRCPT TO:<w@evil.test");
	p->rcpt[0][2].address = VIEW("\xc3\xbc@far.test");
}

static void check_injection(struct play *p)
{
	outcome(p, 0, 0, SMTP_OUT_DELIVERED, 250); /* moved to the front */
	assert_true(view_eq(p->rcpt[0][0].address, VIEW("r2@far.test")));
	outcome(p, 0, 1, SMTP_OUT_PERM, 501);
	outcome(p, 0, 2, SMTP_OUT_PERM, 501);
}

static void test_injection(void **state)
{
	both(injection,
	     EHLO_BARE
	     "C: MAIL FROM:<a@here.test>\nS: 250 ok\nC: RCPT TO:<r2@far.test>\nS: 250 ok\n"
	     "C: DATA\nS: 354 go\n" BODY "S: 250 queued\n" BYE,
	     check_injection);
}

/* LIMITS RCPTMAX: the rest is left for another transaction.   RFC 9422 */
static void three_rcpt(struct play *p)
{
	message_add(p, 3);
}

static void check_limits(struct play *p)
{
	outcome(p, 0, 0, SMTP_OUT_DELIVERED, 250);
	outcome(p, 0, 1, SMTP_OUT_DELIVERED, 250);
	outcome(p, 0, 2, SMTP_OUT_UNTRIED, 0);
}

static void test_limits(void **state)
{
	both(three_rcpt,
	     "S: 220 far\nC: EHLO out.test\nS: 250-far\nS: 250 LIMITS MAILMAX=5 RCPTMAX=2 X=Y\n"
	     "C: MAIL FROM:<a@here.test>\nS: 250 ok\nC: RCPT TO:<r1@far.test>\nS: 250 ok\n"
	     "C: RCPT TO:<r2@far.test>\nS: 250 ok\nC: DATA\nS: 354 go\n" BODY "S: 250 ok\n" BYE,
	     check_limits);
}

/* Ends. */

static enum smtp_client_end end_of(const char *script, struct smtp_outcome *ret)
{
	struct play p;
	enum smtp_client_end end;

	play_init(&p);
	message_add(&p, 1);
	play_run(&p, script);
	if (p.client.end == SMTP_END_NONE) {
		smtp_client_eof(&p.client);
		turn(&p);
	}
	end = p.client.end;
	*ret = p.rcpt[0][0].outcome;
	assert_true(p.closed);
	play_done(&p);
	return end;
}

#define RCPT EHLO_BARE "C: MAIL FROM:<a@here.test>\nS: 250 ok\nC: RCPT TO:<r1@far.test>\n"
#define DOT  RCPT "S: 250 ok\nC: DATA\nS: 354 go\n" BODY

static void test_ends(void **state)
{
	struct smtp_outcome o;

	assert_int_equal(end_of("S: 554 no\nC: QUIT\n", &o), SMTP_END_GREETING);
	assert_int_equal(o.kind, SMTP_OUT_UNTRIED);
	assert_int_equal(end_of("S: 421 later\n", &o), SMTP_END_SHUTDOWN);
	assert_int_equal(end_of("S: 250 odd\nC: QUIT\n", &o), SMTP_END_GREETING);
	assert_int_equal(end_of("S: 220 far\nC: EHLO out.test\nS: 450 no\nC: QUIT\n", &o),
			 SMTP_END_HELLO);
	assert_int_equal(end_of(EHLO_BARE "C: MAIL FROM:<a@here.test>\nS: garbage\n", &o),
			 SMTP_END_PROTOCOL);
	assert_int_equal(o.kind, SMTP_OUT_TEMP);
	assert_int_equal(end_of(RCPT "S: 421 4.3.2 bye\n", &o), SMTP_END_SHUTDOWN);
	assert_int_equal(o.kind, SMTP_OUT_TEMP);
	assert_int_equal(o.reply.code, 421);
	assert_false(o.maybe_sent);
	assert_int_equal(end_of(DOT, &o), SMTP_END_LOST);
	assert_int_equal(o.kind, SMTP_OUT_TEMP);
	assert_true(o.maybe_sent);
	assert_int_equal(end_of(RCPT, &o), SMTP_END_LOST);
	assert_int_equal(o.kind, SMTP_OUT_TEMP);
	assert_false(o.maybe_sent);
	assert_int_equal(end_of(DOT "S: 354 what\n", &o), SMTP_END_PROTOCOL);
	assert_int_equal(o.kind, SMTP_OUT_TEMP);
	assert_int_equal(end_of(RCPT "S: 250 ok\nC: DATA\nS: 250 too early\n", &o),
			 SMTP_END_PROTOCOL);
	assert_int_equal(o.kind, SMTP_OUT_TEMP);
}

/* A second reply in one segment is one that nobody asked for. */
static void test_unasked(void **state)
{
	struct smtp_outcome o;

	assert_int_equal(end_of("S: 220 far\nS: 250 far\nC: EHLO out.test\n", &o),
			 SMTP_END_PROTOCOL);
	assert_int_equal(end_of(RCPT "S: 250 ok\nS: 354 go\nC: DATA\n", &o), SMTP_END_PROTOCOL);
	assert_int_equal(o.kind, SMTP_OUT_TEMP);
}

/* Replies while the body is still going out. */
static void test_in_body(void **state)
{
	static const struct {
		const char *reply;
		enum smtp_outcome_kind kind;
		enum smtp_client_end end;
	} cases[] = {
		{ "250 ok\r\n", SMTP_OUT_TEMP, SMTP_END_PROTOCOL },
		{ "552 5.3.4 too big\r\n", SMTP_OUT_PERM, SMTP_END_PROTOCOL },
		{ "421 4.3.2 bye\r\n", SMTP_OUT_TEMP, SMTP_END_SHUTDOWN },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct play p;

		play_init(&p);
		message_add(&p, 1);
		p.never_end = true;
		play_run(&p, RCPT "S: 250 ok\nC: DATA\nS: 354 go\nC: From: a@b\nC: \nC: ..dot\n");
		assert_int_equal(smtp_client_request(&p.client), SMTP_CLIENT_BODY);
		server_says(&p, view_str(cases[i].reply));
		assert_int_equal(p.client.end, cases[i].end);
		assert_int_equal(p.rcpt[0][0].outcome.kind, cases[i].kind);
		assert_true(p.closed);
		play_done(&p);
	}
}

static void test_body_abort(void **state)
{
	struct play p;

	play_init(&p);
	message_add(&p, 1);
	p.never_end = true;
	play_run(&p, RCPT "S: 250 ok\nC: DATA\nS: 354 go\nC: From: a@b\nC: \nC: ..dot\n");
	smtp_client_body_abort(&p.client);
	turn(&p);
	assert_int_equal(p.said.n, 0); /* no final dot */
	outcome(&p, 0, 0, SMTP_OUT_TEMP, 0);
	assert_false(p.rcpt[0][0].outcome.maybe_sent);
	play_done(&p);
}

static void test_timeouts(void **state)
{
	struct play p;

	play_init(&p);
	message_add(&p, 1);
	play_run(&p, EHLO_BARE "C: MAIL FROM:<a@here.test>\n");
	assert_int_equal(smtp_client_deadline(&p.client), 1000 + SMTP_CLIENT_STAGE_MS);
	smtp_client_clock(&p.client, 1000 + SMTP_CLIENT_STAGE_MS - 1);
	assert_int_equal(p.client.end, SMTP_END_NONE);
	smtp_client_clock(&p.client, 1000 + SMTP_CLIENT_STAGE_MS);
	assert_int_equal(p.client.end, SMTP_END_TIMEOUT);
	outcome(&p, 0, 0, SMTP_OUT_TEMP, 0);
	play_done(&p);

	play_init(&p);
	message_add(&p, 1);
	play_run(&p, DOT);
	assert_int_equal(smtp_client_deadline(&p.client), 1000 + SMTP_CLIENT_DOT_MS);
	smtp_client_clock(&p.client, 1000 + SMTP_CLIENT_DOT_MS);
	assert_int_equal(p.client.end, SMTP_END_TIMEOUT);
	assert_true(p.rcpt[0][0].outcome.maybe_sent);
	play_done(&p);
}

/* Numbers and words without sense in EHLO. */
static void test_capabilities(void **state)
{
	struct play p;

	play_init(&p);
	play_run(&p, "S: 220 far\nC: EHLO out.test\nS: 250-PIPELINING\nS: 250-SIZE "
		     "99999999999999999999\n"
		     "S: 250-size\nS: 250-8bitmime\nS: 250-LIMITS RCPTMAX=x MAILMAX=3\nS: 250-\n"
		     "S: 250 STARTTLSX\nC: QUIT\n");
	assert_false(p.client.caps.pipelining); /* the first line is a greeting */
	assert_true(p.client.caps.size);
	assert_int_equal(p.client.caps.size_max, 0);
	assert_true(p.client.caps.eightbit);
	assert_false(p.client.caps.starttls);
	assert_int_equal(p.client.caps.rcpt_max, 0);
	assert_int_equal(p.client.caps.mail_max, 3);
	play_done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_pipelined),
		cmocka_unit_test(test_helo),
		cmocka_unit_test(test_many_messages),
		cmocka_unit_test(test_mixed_recipients),
		cmocka_unit_test(test_all_refused),
		cmocka_unit_test(test_mail_refused),
		cmocka_unit_test(test_dot_refused),
		cmocka_unit_test(test_lmtp),
		cmocka_unit_test(test_starttls),
		cmocka_unit_test(test_starttls_refused),
		cmocka_unit_test(test_starttls_injected),
		cmocka_unit_test(test_auth),
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_unfit),
		cmocka_unit_test(test_injection),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_unasked),
		cmocka_unit_test(test_in_body),
		cmocka_unit_test(test_body_abort),
		cmocka_unit_test(test_timeouts),
		cmocka_unit_test(test_capabilities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
