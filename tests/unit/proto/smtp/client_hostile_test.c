/*
 * tests/unit/proto/smtp/client_hostile_test.c: the outgoing session against servers that lie, vanish, or cannot take
 * the message (THREATS 2.3, 2.8, 2.25).
 */
#include "play.h"

static void delivered(struct play *p)
{
	play_outcome(p, 0, 0, SMTP_OUT_DELIVERED, 250);
	assert_int_equal(p->client.end, SMTP_END_QUIT);
	assert_true(p->closed);
}

/* STARTTLS. */

static void tls_must(struct play *p)
{
	p->config.tls = SMTP_CLIENT_TLS_MUST;
	play_message(p, 1);
}

static void check_tls(struct play *p)
{
	assert_int_equal(p->handshakes, 1);
	delivered(p);
}

static void test_starttls(void **state)
{
	/* Capabilities are asked again: the first EHLO offered more. */
	play_both(tls_must,
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
	play_both(tls_must, EHLO_BARE "C: QUIT\n", check_tls_missing);
	play_both(tls_must,
		  "S: 220 far\nC: EHLO out.test\nS: 500 x\nC: HELO out.test\nS: 250 far\nC: QUIT\n",
		  check_tls_missing);
	play_both(tls_must,
		  "S: 220 far\nC: EHLO out.test\nS: 250-far\nS: 250 STARTTLS\nC: STARTTLS\nS: 500 "
		  "x\nC: "
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

/* What the server cannot take is refused here, and the connection goes on. */
static void unfit(void (*change)(struct smtp_client_message *), unsigned code, unsigned subject,
		  unsigned detail)
{
	struct play p;

	play_init(&p);
	play_message(&p, 2);
	change(&p.messages[0]);
	play_run(&p, EHLO_PIPE "C: QUIT\n");
	play_outcome(&p, 0, 0, SMTP_OUT_PERM, code);
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
	play_message(p, 3);
	p->rcpt[0][0].address = VIEW("x@far.test>\r\nRCPT TO:<w@evil.test");
	p->rcpt[0][2].address = VIEW("\xc3\xbc@far.test");
}

static void check_injection(struct play *p)
{
	play_outcome(p, 0, 0, SMTP_OUT_DELIVERED, 250); /* moved to the front */
	assert_true(view_eq(p->rcpt[0][0].address, VIEW("r2@far.test")));
	play_outcome(p, 0, 1, SMTP_OUT_PERM, 501);
	play_outcome(p, 0, 2, SMTP_OUT_PERM, 501);
}

static void test_injection(void **state)
{
	play_both(injection,
		  EHLO_BARE
		  "C: MAIL FROM:<a@here.test>\nS: 250 ok\nC: RCPT TO:<r2@far.test>\nS: 250 ok\n"
		  "C: DATA\nS: 354 go\n" BODY "S: 250 queued\n" BYE,
		  check_injection);
}

/* LIMITS RCPTMAX: the rest is left for another transaction.   RFC 9422 */
static void three_rcpt(struct play *p)
{
	play_message(p, 3);
}

static void check_limits(struct play *p)
{
	play_outcome(p, 0, 0, SMTP_OUT_DELIVERED, 250);
	play_outcome(p, 0, 1, SMTP_OUT_DELIVERED, 250);
	play_outcome(p, 0, 2, SMTP_OUT_UNTRIED, 0);
}

static void test_limits(void **state)
{
	play_both(
		three_rcpt,
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
	play_message(&p, 1);
	play_run(&p, script);
	if (p.client.end == SMTP_END_NONE) {
		smtp_client_eof(&p.client);
		play_turn(&p);
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

/* The limits of replies are the owner's, where it has some. */
static void test_reply_limits(void **state)
{
	static const struct {
		size_t line, lines;
		enum smtp_client_end
			end; /* of a connection whose greeting has 3 lines of 130 octets */
	} rows[] = {
		{ 0, 0, SMTP_END_LOST },       { 130, 3, SMTP_END_LOST },
		{ 129, 3, SMTP_END_PROTOCOL }, { 130, 2, SMTP_END_PROTOCOL },
		{ 129, 0, SMTP_END_PROTOCOL }, { 0, 2, SMTP_END_PROTOCOL },
	};
	struct buf CLEANUP(buf_done) greeting = BUF_INIT(1000);

	for (size_t i = 0; i < 3; i++) {
		buf_add_str(&greeting, i < 2 ? "220-" : "220 ");
		buf_add_fill(&greeting, 'x', 124);
		buf_add_str(&greeting, "\r\n");
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct play p;

		play_init(&p);
		p.config.reply_line = rows[i].line;
		p.config.reply_lines = rows[i].lines;
		play_run(&p, "");
		play_server(&p, buf_view(&greeting));
		smtp_client_eof(&p.client);
		assert_int_equal(p.client.end, rows[i].end);
		play_done(&p);
	}
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
		play_message(&p, 1);
		p.never_end = true;
		play_run(&p, RCPT "S: 250 ok\nC: DATA\nS: 354 go\nC: From: a@b\nC: \nC: ..dot\n");
		assert_int_equal(smtp_client_request(&p.client), SMTP_CLIENT_BODY);
		play_server(&p, view_str(cases[i].reply));
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
	play_message(&p, 1);
	p.never_end = true;
	play_run(&p, RCPT "S: 250 ok\nC: DATA\nS: 354 go\nC: From: a@b\nC: \nC: ..dot\n");
	smtp_client_body_abort(&p.client);
	play_turn(&p);
	assert_int_equal(p.said.n, 0); /* no final dot */
	play_outcome(&p, 0, 0, SMTP_OUT_TEMP, 0);
	assert_false(p.rcpt[0][0].outcome.maybe_sent);
	play_done(&p);
}

static void test_timeouts(void **state)
{
	struct play p;

	play_init(&p);
	play_message(&p, 1);
	play_run(&p, EHLO_BARE "C: MAIL FROM:<a@here.test>\n");
	assert_int_equal(smtp_client_deadline(&p.client), 1000 + SMTP_CLIENT_STAGE_MS);
	smtp_client_clock(&p.client, 1000 + SMTP_CLIENT_STAGE_MS - 1);
	assert_int_equal(p.client.end, SMTP_END_NONE);
	smtp_client_clock(&p.client, 1000 + SMTP_CLIENT_STAGE_MS);
	assert_int_equal(p.client.end, SMTP_END_TIMEOUT);
	play_outcome(&p, 0, 0, SMTP_OUT_TEMP, 0);
	play_done(&p);

	play_init(&p);
	play_message(&p, 1);
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
		cmocka_unit_test(test_starttls),	  cmocka_unit_test(test_starttls_refused),
		cmocka_unit_test(test_starttls_injected), cmocka_unit_test(test_unfit),
		cmocka_unit_test(test_injection),	  cmocka_unit_test(test_limits),
		cmocka_unit_test(test_reply_limits),	  cmocka_unit_test(test_ends),
		cmocka_unit_test(test_unasked),		  cmocka_unit_test(test_in_body),
		cmocka_unit_test(test_body_abort),	  cmocka_unit_test(test_timeouts),
		cmocka_unit_test(test_capabilities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
