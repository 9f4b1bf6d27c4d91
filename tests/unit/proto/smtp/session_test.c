/*
 * tests/unit/proto/smtp/session_test.c: what dialogues cannot show: deadlines, back-pressure, requests, the table of
 * verdicts.
 */
#include "base/ascii.h"
#include "drive.h"
#include "unit.h"

/* Every row is there, and code and enhanced code are of one class. */
static void test_verdicts(void **state)
{
	for (int v = 0; v < SMTP_V_COUNT; v++) {
		const struct smtp_verdict_row *row = smtp_verdict_row((enum smtp_verdict)v);
		struct buf CLEANUP(buf_done) out = BUF_INIT(600);

		assert_true(row->code >= 200 && row->code <= 599);
		assert_true(row->text && row->text[0]);
		if (row->enhanced[0])
			assert_int_equal(row->enhanced[0], '0' + row->code / 100);
		assert_true(row->code != 421 || row->close);
		smtp_verdict_write(&out, (enum smtp_verdict)v, VIEW_EMPTY);
		assert_true(view_ends(buf_view(&out), VIEW("\r\n")));
	}
}

/* Texts of others are cut and cleaned. */
static void test_verdict_text(void **state)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(600);
	struct buf CLEANUP(buf_done) text = BUF_INIT(1000);

	smtp_verdict_write(&out, SMTP_V_SPAM, VIEW("a\r\n250 ok\0\xff"));
	assert_view(buf_view(&out), "550 5.7.1 a??250 ok??\r\n");
	buf_clear(&out);
	buf_add_fill(&text, 'x', 1000);
	smtp_verdict_write(&out, SMTP_V_SPAM, buf_view(&text));
	assert_true(out.n <= 512);
}

static void start(struct drive *d, enum smtp_service service)
{
	drive_init(d, service);
	drive_start(d);
	drive_feed(d, VIEW("HELO c.test\r\n"));
	buf_clear(&d->replies);
}

static void test_deadlines(void **state)
{
	struct drive d;

	drive_init(&d, SMTP_MX);
	d.config.greeting_ms = 3000;
	drive_start(&d);
	assert_int_equal(smtp_session_deadline(&d.session), 3000);
	drive_wait(&d, 3000);
	assert_int_equal(smtp_session_deadline(&d.session), 3000 + 300000);
	drive_feed(&d, VIEW("HELO c.test\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<user@here.test>\r\n"));
	drive_wait(&d, 1000);
	drive_feed(&d, VIEW("DATA\r\n"));
	assert_int_equal(smtp_session_deadline(&d.session), 4000 + 60000); /* rate window */
	d.hold_commit = true;
	drive_feed(&d, VIEW("From: a@b.c\r\n\r\n.\r\n"));
	/* While a message is being made durable no clock ends the session. */
	assert_int_equal(smtp_session_request(&d.session)->action, SMTP_ASK_COMMIT);
	assert_true(smtp_session_deadline(&d.session) == INT64_MAX);
	drive_wait(&d, 100 * 3600 * 1000);
	assert_false(d.closed);
	d.hold_commit = false;
	drive_turn(&d);
	assert_int_equal(d.stored_n, 1);
	drive_done(&d);
}

/* What the owner logs: why a message was refused or the session ended, each once. */
static void test_note(void **state)
{
	struct drive d;

	start(&d, SMTP_MX);
	d.config.rcpt_per_message = 1;
	assert_int_equal(smtp_session_note(&d.session), SMTP_V_OK);
	drive_feed(&d, VIEW("MAIL FROM:<a@b.c> SIZE=99999999999\r\n"));
	assert_int_equal(smtp_session_note(&d.session), SMTP_V_TOO_BIG);
	assert_int_equal(smtp_session_note(&d.session), SMTP_V_OK);
	drive_feed(&d, VIEW("MAIL FROM:<a@b.c>\r\nRCPT TO:<user@here.test>\r\n"));
	assert_int_equal(smtp_session_note(&d.session), SMTP_V_OK);
	drive_feed(&d, VIEW("RCPT TO:<user2@here.test>\r\n"));
	assert_int_equal(smtp_session_note(&d.session), SMTP_V_TOO_MANY_RCPT);
	drive_feed(&d, VIEW("RCPT TO:<user2@here.test>\r\n"));
	assert_int_equal(smtp_session_note(&d.session), SMTP_V_OK);
	drive_feed(&d, VIEW("DATA\r\n"));
	drive_feed(&d, VIEW("Subject: no author\r\n\r\n.\r\n"));
	assert_int_equal(smtp_session_note(&d.session), SMTP_V_FROM_MISSING);
	drive_feed(&d, VIEW("NOOP\r\nQUIT\r\n"));
	assert_true(d.closed);
	assert_int_equal(smtp_session_note(&d.session), SMTP_V_OK);
	drive_done(&d);

	start(&d, SMTP_MX);
	drive_feed(&d, VIEW("GET / HTTP/1.1\r\n"));
	assert_true(d.closed);
	assert_int_equal(smtp_session_note(&d.session), SMTP_V_NOT_HTTP);
	drive_done(&d);
}

/* Replies that nobody reads stop the input at the high-water mark. */
static void test_output(void **state)
{
	struct drive d;
	struct buf CLEANUP(buf_done) noops = BUF_INIT(1 << 20);
	size_t used;

	start(&d, SMTP_MX);
	for (size_t i = 0; i < 100000; i++)
		buf_add(&noops, VIEW("NOOP\r\n"));
	smtp_session_input(&d.session, buf_view(&noops), &used);
	assert_true(used < noops.n);
	assert_true(smtp_session_output(&d.session).n < SMTP_OUTPUT_HIGH + 512);
	/* Nothing more until some of it has left. */
	buf_consume(&noops, used);
	smtp_session_input(&d.session, buf_view(&noops), &used);
	assert_int_equal(used, 0);
	smtp_session_sent(&d.session, smtp_session_output(&d.session).n);
	smtp_session_input(&d.session, buf_view(&noops), &used);
	assert_true(used > 0);
	drive_done(&d);
}

/* No input is taken while a request is pending; what follows a request stays with the owner. */
static void test_pending(void **state)
{
	struct drive d;
	struct view text = VIEW("MAIL FROM:<a@b.c>\r\nRCPT TO:<u@here.test>\r\nNOOP\r\n");
	size_t used;

	start(&d, SMTP_MX);
	smtp_session_input(&d.session, text, &used);
	assert_int_equal(used, text.n - 6);
	assert_int_equal(smtp_session_request(&d.session)->action, SMTP_ASK_RCPT);
	assert_view(smtp_session_request(&d.session)->address, "u@here.test");
	smtp_session_input(&d.session, VIEW("NOOP\r\n"), &used);
	assert_int_equal(used, 0);
	smtp_session_rcpt_done(&d.session, (struct smtp_result){ .verdict = SMTP_V_OK }, 99);
	smtp_session_input(&d.session, VIEW("NOOP\r\n"), &used);
	assert_int_equal(used, 6);
	assert_int_equal(d.session.env.rcpt.n, 1);
	assert_int_equal(d.session.env.rcpt.at[0].tag, 99);
	drive_done(&d);
}

/* Octets that come after DATA but before its 354 are as early as those behind it. */
static void test_early_octets(void **state)
{
	struct drive d;
	size_t used;

	start(&d, SMTP_MX);
	drive_feed(&d, VIEW("MAIL FROM:<a@b.c>\r\nRCPT TO:<user@here.test>\r\n"));
	buf_clear(&d.replies);
	smtp_session_input(&d.session, VIEW("DATA\r\n"), &used);
	assert_int_equal(smtp_session_request(&d.session)->action, SMTP_ASK_BEGIN);
	drive_feed(&d, VIEW("x"));
	assert_view(buf_view(&d.replies),
		    "554 5.5.1 Wait for reply 354 before you send the message\r\n");
	assert_true(d.closed);
	assert_int_equal(d.aborted_n, 1);
	drive_done(&d);
}

/* The envelope as the owner sees it. */
static void test_envelope(void **state)
{
	struct drive d;
	size_t used;
	const struct smtp_envelope *e = &d.session.env;

	start(&d, SMTP_MX);
	d.config.future_max_s = 1000;
	d.config.deliverby = d.config.priority = true;
	drive_feed(&d, VIEW("MAIL FROM:<\"a\\b\"@Far.TEST> SIZE=5 BODY=8BITMIME SMTPUTF8 RET=FULL "
			    "ENVID=a+2Bb HOLDFOR=100 BY=60;RT MT-PRIORITY=4\r\n"
			    "RCPT TO:<user@HERE.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x+3Dy@z\r\n"
			    "RCPT TO:<Postmaster>\r\n"));
	smtp_session_input(&d.session, VIEW("DATA\r\n"), &used);
	assert_int_equal(smtp_session_request(&d.session)->action, SMTP_ASK_BEGIN);
	assert_view(e->sender, "ab@far.test");
	assert_int_equal(e->size, 5);
	assert_int_equal(e->body, SMTP_BODY_8BITMIME);
	assert_int_equal(e->ret, SMTP_RET_FULL);
	assert_view(e->envid, "a+b");
	assert_int_equal(e->hold_until, 1795233600 + 100);
	assert_true(e->by_mode == 'R' && e->by_trace && e->by_seconds == 60);
	assert_true(e->has_priority && e->priority == 4);
	assert_int_equal(e->rcpt.n, 2);
	assert_view(e->rcpt.at[0].address, "user@here.test");
	assert_view(e->rcpt.at[0].orcpt, "rfc822;x=y@z");
	assert_int_equal(e->rcpt.at[0].notify, SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_DELAY);
	assert_view(e->rcpt.at[1].address, "postmaster");
	assert_view(e->rcpt.at[1].domain, "");
	drive_done(&d);
}

/* A hundred recipients with everything that they may carry fit into the envelope. */
static void test_envelope_full(void **state)
{
	struct drive d;
	struct buf CLEANUP(buf_done) line = BUF_INIT(4096);

	start(&d, SMTP_MX);
	drive_feed(&d, VIEW("MAIL FROM:<a@b.c>\r\n"));
	for (size_t i = 0; i < 100; i++) {
		buf_clear(&line);
		buf_add(&line, VIEW("RCPT TO:<many"));
		buf_add_fill(&line, 'x', 60);
		buf_add(&line, VIEW("@here.test> ORCPT=rfc822;"));
		buf_add_fill(&line, 'y', SMTP_ORCPT_MAX - 7);
		buf_add(&line, VIEW("\r\n"));
		drive_feed(&d, buf_view(&line));
	}
	assert_int_equal(d.session.env.rcpt.n, 100);
	drive_feed(&d, VIEW("RCPT TO:<user@here.test>\r\n"));
	assert_true(view_ends(buf_view(&d.replies),
			      VIEW("452 4.5.3 Too many recipients for one message\r\n")));
	drive_done(&d);
}

/* The Received field is the first thing in the sink, and names the client. */
static void test_received(void **state)
{
	struct drive d;

	drive_init(&d, SMTP_SUBMISSION);
	d.peer.tls = true;
	d.peer.tls_text = VIEW("TLSv1.3 with cipher X");
	d.config.hide_client = true;
	drive_start(&d);
	drive_feed(&d, VIEW("EHLO secret.host\r\nAUTH PLAIN AG1lAHNlY3JldA==\r\n"
			    "MAIL FROM:<me@here.test>\r\nRCPT TO:<b@far.test>\r\n"));
	drive_feed(&d, VIEW("DATA\r\n"));
	drive_feed(&d, VIEW("From: me@here.test\r\n\r\n.\r\n"));
	assert_int_equal(d.stored_n, 1);
	assert_true(view_starts(buf_view(&d.stored[0]),
				VIEW("Received: by mx.here.test with ESMTPSA id id1\r\n"
				     "\t(TLSv1.3 with cipher X)\r\n\tfor <b@far.test>;\r\n"
				     "\tSat, 21 Nov 2026 04:00:00 +0000\r\n")));
	drive_done(&d);
}

/* SASL is wiped, an exchange that the client leaves is no longer open. */
static void test_sasl(void **state)
{
	struct drive d;
	uint64_t account;

	drive_init(&d, SMTP_SUBMISSION);
	d.peer.tls = true;
	drive_start(&d);
	drive_feed(&d, VIEW("EHLO c.test\r\nAUTH SCRAM-TEST\r\n"));
	assert_true(smtp_session_sasl_open(&d.session));
	drive_feed(&d, VIEW("*\r\n"));
	assert_false(smtp_session_sasl_open(&d.session));
	drive_feed(&d, VIEW("AUTH PLAIN AG1lAHNlY3JldA==\r\n"));
	assert_view(smtp_session_account(&d.session, &account), "me@here.test");
	assert_int_equal(account, 42);
	assert_int_equal(d.session.sasl.n, 0);
	for (size_t i = 0; i < d.session.sasl.cap; i++)
		assert_int_equal(d.session.sasl.p[i], 0);
	drive_done(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts),     cmocka_unit_test(test_verdict_text),
		cmocka_unit_test(test_deadlines),    cmocka_unit_test(test_note),
		cmocka_unit_test(test_output),	     cmocka_unit_test(test_pending),
		cmocka_unit_test(test_envelope),     cmocka_unit_test(test_envelope_full),
		cmocka_unit_test(test_received),     cmocka_unit_test(test_sasl),
		cmocka_unit_test(test_early_octets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
