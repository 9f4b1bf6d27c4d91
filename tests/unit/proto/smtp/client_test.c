/*
 * tests/unit/proto/smtp/client_test.c: the outgoing session against servers that behave.
 */
#include "play.h"

static void one(struct play *p)
{
	play_message(p, 1);
}

static void two_rcpt(struct play *p)
{
	play_message(p, 2);
}

static void delivered(struct play *p)
{
	play_outcome(p, 0, 0, SMTP_OUT_DELIVERED, 250);
	assert_int_equal(p->client.end, SMTP_END_QUIT);
	assert_true(p->closed);
}

static void test_plain(void **state)
{
	play_both(one,
		  EHLO_BARE
		  "C: MAIL FROM:<a@here.test>\nS: 250 ok\nC: RCPT TO:<r1@far.test>\nS: 250 ok\n"
		  "C: DATA\nS: 354 go\n" BODY "S: 250 2.0.0 queued\n" BYE,
		  delivered);
}

static void test_pipelined(void **state)
{
	play_both(one,
		  EHLO_PIPE "C: MAIL FROM:<a@here.test>\nC: RCPT TO:<r1@far.test>\nC: DATA\n"
			    "S: 250 ok\nS: 250 ok\nS: 354 go\n" BODY "S: 250 queued\n" BYE,
		  delivered);
}

static void test_helo(void **state)
{
	play_both(one,
		  "S: 220 far\nC: EHLO out.test\nS: 502 what\nC: HELO out.test\nS: 250 far\n"
		  "C: MAIL FROM:<a@here.test>\nS: 250 ok\nC: RCPT TO:<r1@far.test>\nS: 250 ok\n"
		  "C: DATA\nS: 354 go\n" BODY "S: 250 queued\n" BYE,
		  delivered);
}

static void two_messages(struct play *p)
{
	play_message(p, 1);
	play_message(p, 1);
	play_message(p, 1);
}

static void check_two_messages(struct play *p)
{
	play_outcome(p, 0, 0, SMTP_OUT_DELIVERED, 250);
	play_outcome(p, 1, 0, SMTP_OUT_PERM, 550);
	play_outcome(p, 2, 0, SMTP_OUT_DELIVERED, 250);
	assert_int_equal(p->rcpt[1][0].outcome.reply.enhanced[2], 1);
	assert_int_equal(p->reports, 3);
}

/* A refused transaction is reset before the next one. */
static void test_many_messages(void **state)
{
	play_both(two_messages,
		  EHLO_BARE
		  "C: MAIL FROM:<a@here.test>\nS: 250 ok\nC: RCPT TO:<r1@far.test>\nS: 250 ok\n"
		  "C: DATA\nS: 354 go\n" BODY "S: 250 queued\n"
		  "C: MAIL FROM:<a@here.test>\nS: 250 ok\nC: RCPT TO:<r1@far.test>\n"
		  "S: 550 5.1.1 no\nC: RSET\nC: MAIL FROM:<a@here.test>\nS: 250 ok\nS: 250 ok\n"
		  "C: RCPT TO:<r1@far.test>\nS: 250 ok\nC: DATA\nS: 354 go\n" BODY
		  "S: 250 queued\n" BYE,
		  check_two_messages);
}

static void check_mixed(struct play *p)
{
	play_outcome(p, 0, 0, SMTP_OUT_TEMP, 450);
	play_outcome(p, 0, 1, SMTP_OUT_DELIVERED, 250);
}

static void test_mixed_recipients(void **state)
{
	play_both(two_rcpt,
		  EHLO_PIPE
		  "C: MAIL FROM:<a@here.test>\nC: RCPT TO:<r1@far.test>\nC: RCPT TO:<r2@far.test>\n"
		  "C: DATA\nS: 250 ok\nS: 450 4.2.1 busy\nS: 250 ok\nS: 354 go\n" BODY
		  "S: 250 queued\n" BYE,
		  check_mixed);
}

static void check_all_refused(struct play *p)
{
	play_outcome(p, 0, 0, SMTP_OUT_PERM, 550);
	play_outcome(p, 0, 1, SMTP_OUT_PERM, 551);
}

/* All refused, and 354 nevertheless: nothing but the dot. */
static void test_all_refused(void **state)
{
	play_both(two_rcpt,
		  EHLO_PIPE
		  "C: MAIL FROM:<a@here.test>\nC: RCPT TO:<r1@far.test>\nC: RCPT TO:<r2@far.test>\n"
		  "C: DATA\nS: 250 ok\nS: 550 no\nS: 551 no\nS: 354 go\nC: .\nS: 554 none\n" BYE,
		  check_all_refused);
	play_both(two_rcpt,
		  EHLO_PIPE
		  "C: MAIL FROM:<a@here.test>\nC: RCPT TO:<r1@far.test>\nC: RCPT TO:<r2@far.test>\n"
		  "C: DATA\nS: 250 ok\nS: 550 no\nS: 551 no\nS: 503 none\n" BYE,
		  check_all_refused);
	play_both(two_rcpt,
		  EHLO_BARE
		  "C: MAIL FROM:<a@here.test>\nS: 250 ok\nC: RCPT TO:<r1@far.test>\nS: 550 no\n"
		  "C: RCPT TO:<r2@far.test>\nS: 551 no\n" BYE,
		  check_all_refused);
}

static void check_mail_refused(struct play *p)
{
	play_outcome(p, 0, 0, SMTP_OUT_PERM, 553);
	play_outcome(p, 0, 1, SMTP_OUT_PERM, 553);
}

static void test_mail_refused(void **state)
{
	play_both(two_rcpt, EHLO_BARE "C: MAIL FROM:<a@here.test>\nS: 553 5.1.8 no\n" BYE,
		  check_mail_refused);
	play_both(two_rcpt,
		  EHLO_PIPE
		  "C: MAIL FROM:<a@here.test>\nC: RCPT TO:<r1@far.test>\nC: RCPT TO:<r2@far.test>\n"
		  "C: DATA\nS: 553 no\nS: 503 x\nS: 503 x\nS: 503 x\n" BYE,
		  check_mail_refused);
}

static void check_dot_refused(struct play *p)
{
	play_outcome(p, 0, 0, SMTP_OUT_PERM, 550);
	assert_int_equal(p->rcpt[0][0].outcome.stage, SMTP_STAGE_DOT);
}

static void test_dot_refused(void **state)
{
	play_both(one,
		  EHLO_BARE
		  "C: MAIL FROM:<a@here.test>\nS: 250 ok\nC: RCPT TO:<r1@far.test>\nS: 250 ok\n"
		  "C: DATA\nS: 354 go\n" BODY "S: 550 5.7.1 spam\n" BYE,
		  check_dot_refused);
}

static void lmtp(struct play *p)
{
	p->config.lmtp = true;
	play_message(p, 3);
}

static void check_lmtp(struct play *p)
{
	play_outcome(p, 0, 0, SMTP_OUT_DELIVERED, 250);
	play_outcome(p, 0, 1, SMTP_OUT_PERM, 550);
	play_outcome(p, 0, 2, SMTP_OUT_TEMP, 452);
}

/* One reply for each accepted recipient.   RFC 2033#4.2 */
static void test_lmtp(void **state)
{
	play_both(lmtp,
		  "S: 220 far\nC: LHLO out.test\nS: 250-far\nS: 250 PIPELINING\n"
		  "C: MAIL FROM:<a@here.test>\nC: RCPT TO:<r1@far.test>\nC: RCPT TO:<r2@far.test>\n"
		  "C: RCPT TO:<r3@far.test>\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 550 no\nS: 250 ok\n"
		  "S: 354 go\n" BODY "S: 250 ok\nS: 452 4.2.2 full\n" BYE,
		  check_lmtp);
}

/* AUTH. */

static void auth(struct play *p)
{
	p->config.tls = SMTP_CLIENT_TLS_DONE;
	p->config.sasl_plain = VIEW("\0me\0secret");
	play_message(p, 1);
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
	play_both(auth,
		  "S: 220 far\nC: EHLO out.test\nS: 250-far\nS: 250 AUTH LOGIN PLAIN\n"
		  "C: AUTH PLAIN AG1lAHNlY3JldA==\nS: 235 ok\n"
		  "C: MAIL FROM:<a@here.test>\nS: 250 ok\nC: RCPT TO:<r1@far.test>\nS: 250 ok\n"
		  "C: DATA\nS: 354 go\n" BODY "S: 250 queued\n" BYE,
		  delivered);
	play_both(auth,
		  "S: 220 far\nC: EHLO out.test\nS: 250-far\nS: 250 AUTH PLAIN\n"
		  "C: AUTH PLAIN AG1lAHNlY3JldA==\nS: 535 no\nC: QUIT\n",
		  check_auth_end);
	/* Never in clear. */
	play_both(auth_clear,
		  "S: 220 far\nC: EHLO out.test\nS: 250-far\nS: 250 AUTH PLAIN\nC: QUIT\n",
		  check_auth_end);
}

/* Parameters, only where offered. */

static void parameters(struct play *p)
{
	struct smtp_client_message *m;

	p->config.tls = SMTP_CLIENT_TLS_DONE;
	play_message(p, 1);
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
	play_both(parameters,
		  "S: 220 far\nC: EHLO out.test\nS: 250-far\nS: 250-SIZE 1000\nS: 250-8BITMIME\n"
		  "S: 250-SMTPUTF8\nS: 250-DSN\nS: 250 REQUIRETLS\n"
		  "C: MAIL FROM:<a@here.test> SIZE=500 BODY=8BITMIME SMTPUTF8 REQUIRETLS RET=HDRS "
		  "ENVID=a+2Bb\n"
		  "S: 250 ok\nC: RCPT TO:<\xc3\xbc@far.test> NOTIFY=SUCCESS,DELAY "
		  "ORCPT=rfc822;x+3Dy@z\n"
		  "S: 250 ok\nC: DATA\nS: 354 go\n" BODY "S: 250 queued\n" BYE,
		  delivered);
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
		cmocka_unit_test(test_auth),
		cmocka_unit_test(test_parameters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
