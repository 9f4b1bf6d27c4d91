/* Submission: log-in, owners of addresses, limits of an account. */
#include "world.h"

/* Past submit_rcpt_hour the owner is told by a message from <>, once, whatever the queue says to it. */
static void test_owner_is_told(void **state)
{
	struct envelope e;
	struct envelope_recipients r;

	connect_as(SERVICE_SUBMISSIONS, true);
	send_text("EHLO c.test\r\nAUTH PLAIN AG1lAHNlY3JldA==\r\nMAIL FROM:<me@here.test>\r\n");
	for (int i = 0; i < 3; i++) {
		send_text("RCPT TO:<far@out.test>\r\n");
		expect("250 2.1.5");
	}
	assert_int_equal(w.puts, 0);
	w.hold = true;
	for (int i = 0; i < 2; i++) {
		send_text("RCPT TO:<far@out.test>\r\n");
		expect("450 4.7.1");
	}
	assert_int_equal(w.puts, 1);
	assert_int_equal(envelope_decode(view_head(buf_view(&w.stored), w.envelope_n), &e), OK);
	assert_int_equal(e.sender.n, 0);
	assert_int_equal(e.service, SERVICE_LOCAL);
	assert_int_equal(e.recipients_count, 1);
	assert_true(envelope_recipients_next(&e.recipients_raw, &r));
	assert_view(r.address, "me@here.test");
	assert_int_equal(r.notify, NOTIFY_NEVER);
	assert_true(view_find(stored_body(), VIEW("\r\nTo: me@here.test\r\n")) != VIEW_NONE);
	assert_true(view_find(stored_body(), VIEW("<MAILER-DAEMON@mx.here.test>")) != VIEW_NONE);
	assert_true(view_find(stored_body(), VIEW("more than 3 recipients")) != VIEW_NONE);
	put_answer();
	pump();
	/* The session goes on, and its own message is another. */
	w.hold = false;
	send_text("DATA\r\n");
	expect("354");
	send_text("From: me@here.test\r\n\r\nhi\r\n.\r\n");
	expect("250 2.0.0");
	assert_int_equal(w.puts, 2);
}

static void test_submission(void **state)
{
	connect_as(SERVICE_SUBMISSIONS, true);
	send_text("EHLO c.test\r\nMAIL FROM:<me@here.test>\r\n");
	expect("530 5.7.0");
	send_text("AUTH PLAIN AG1lAHdyb25n\r\n");
	expect("535 5.7.8");
	send_text("AUTH LOGIN\r\n");
	expect("334 bW9yZQ==");
	send_text("*\r\n");
	expect("501 5.7.0");
	assert_int_equal(w.cancels, 1);
	assert_int_equal(w.served, 0);
	send_text("AUTH PLAIN AG1lAHNlY3JldA==\r\n");
	expect("235 2.7.0");
	assert_int_equal(w.served, 1); /* front learns that it knows this client */
	send_text("MAIL FROM:<you@here.test>\r\n");
	expect("550 5.7.1");
	send_text("MAIL FROM:<me@here.test>\r\nRCPT TO:<far@out.test>\r\n");
	expect("250 2.1.5");
	send_text("DATA\r\n");
	expect("354");
	send_text("From: me@here.test\r\nBcc: x@y\r\n\r\nhi\r\n.\r\n");
	expect("250 2.0.0");
	assert_true(view_find(stored_body(), VIEW("\r\nMessage-ID: <")) != VIEW_NONE);
	assert_true(view_find(stored_body(), VIEW("Bcc")) == VIEW_NONE);
	assert_true(view_find(stored_body(), VIEW(" with ESMTPSA id ")) != VIEW_NONE);
	assert_int_equal(w.served, 1); /* once */
}

/* The account's rights end: so do its sessions, at once. */
static void test_revoked(void **state)
{
	struct authn_revoked other = { .account = 43 }, own = { .account = 42 };

	connect_as(SERVICE_SUBMISSIONS, true);
	send_text("EHLO c.test\r\nAUTH PLAIN AG1lAHNlY3JldA==\r\n");
	expect("235 2.7.0");
	assert_int_equal(authn_send_revoked(w.authn, &other), OK);
	pump();
	assert_int_equal(w.said.n, 0);
	assert_int_equal(authn_send_revoked(w.authn, &own), OK);
	pump();
	expect("421 4.3.2");
	assert_int_equal(w.smtp.conns, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_owner_is_told),
		TEST(test_submission),
		TEST(test_revoked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
