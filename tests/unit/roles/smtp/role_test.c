/* Port 25 of the SMTP role: messages, questions, STARTTLS, limits. */
#include "world.h"

#include <unistd.h>

/* A small message goes inline, with its envelope, and 250 comes only after the queue's answer. */
static void test_small(void **state)
{
	struct envelope e;
	struct envelope_recipients r;

	connect_as(SERVICE_SMTP, false);
	begin_message();
	w.hold = true;
	send_text("DATA\r\n");
	expect("354");
	send_text("From: a@far.test\r\n\r\nhello\r\n.\r\n");
	assert_int_equal(w.puts, 1);
	assert_false(w.by_fd);
	assert_int_equal(w.said.n, 0);
	assert_int_equal(envelope_decode(view_head(buf_view(&w.stored), w.envelope_n), &e), OK);
	assert_view(e.sender, "a@far.test");
	assert_view(e.helo, "c.test");
	assert_view(e.envid, "e1");
	assert_int_equal(e.ret, RET_HDRS);
	assert_int_equal(e.session, 77);
	assert_int_equal(e.recipients_count, 2);
	assert_true(envelope_recipients_next(&e.recipients_raw, &r));
	assert_view(r.address, "user@here.test");
	assert_view(r.orcpt, "rfc822;x@y");
	assert_int_equal(r.notify, NOTIFY_FAILURE);
	assert_true(view_starts(stored_body(), VIEW("Received: from c.test ([127.0.0.1])\r\n")));
	assert_true(view_ends(stored_body(), VIEW("\r\nFrom: a@far.test\r\n\r\nhello\r\n")));
	assert_int_equal(w.served, 0);
	put_answer();
	pump();
	assert_int_equal(w.served, 1);
	expect("250 2.0.0 Message accepted as ");
	assert_int_equal(w.smtp.accepted, 1);
	send_text("QUIT\r\n");
	expect("221");
	assert_int_equal(w.smtp.conns, 0);
}

/* A large one goes by a sealed descriptor, octet for octet. */
static void test_large(void **state)
{
	char line[1002];

	memset(line, 'x', 998);
	memcpy(line + 998, "\r\n", 3);
	connect_as(SERVICE_SMTP, false);
	begin_message();
	send_text("DATA\r\n");
	expect("354");
	send_text("From: a@far.test\r\n\r\n");
	for (size_t i = 0; i < 300; i++) {
		assert_int_equal(write(w.client, line, 1000), 1000);
		if (i % 20 == 0)
			pump();
	}
	send_text(".\r\n");
	expect("250 2.0.0");
	assert_true(w.by_fd);

	struct view body = stored_body();

	assert_true(body.n > 300000);
	assert_true(view_starts(body, VIEW("Received: ")));
	assert_true(view_ends(body, view_of(line, 1000)));
	for (size_t i = 0; i < 300; i++)
		assert_memory_equal(body.p + body.n - (i + 1) * 1000, line, 1000);
}

/* Nobody to ask: temporary failures, the session goes on. */
static void test_channels_lost(void **state)
{
	connect_as(SERVICE_SMTP, false);
	begin_message();
	send_text("DATA\r\n");
	w.hold = true;
	send_text("From: a@far.test\r\n\r\nhello\r\n.\r\n");
	assert_int_equal(w.puts, 1);
	buf_clear(&w.said);
	ipc_chan_free(w.queue);
	w.queue = NULL;
	pump();
	expect("451 4.3.0");
	send_text("MAIL FROM:<a@far.test>\r\nRCPT TO:<silent@here.test>\r\n");
	expect("250 2.1.0");
	ipc_chan_free(w.auth);
	w.auth = NULL;
	pump();
	expect("451 4.3.0");
	send_text("RCPT TO:<user@here.test>\r\n");
	expect("451 4.3.0");
}

/* An answer to a question that nobody asks any more changes nothing. */
static void test_late_answer(void **state)
{
	struct route_recipient_is late = { .status = ROUTE_OK };

	connect_as(SERVICE_SMTP, false);
	send_text("EHLO c.test\r\nMAIL FROM:<a@far.test>\r\nRCPT TO:<silent@here.test>\r\n");
	late.tag = w.rcpt_tag;
	expect("250 2.1.0");
	fd_close(&w.client);
	conn_free(conn_by_session(&w.smtp, 77));
	assert_int_equal(route_send_recipient_is(w.auth, &late), OK);
	pump();
	assert_non_null(w.smtp.route);
	assert_int_equal(w.smtp.conns, 0);
}

static void test_refusals(void **state)
{
	struct accept_state full = { .full = true };

	connect_as(SERVICE_SMTP, false);
	send_text("EHLO c.test\r\nMAIL FROM:<a@far.test>\r\nRCPT TO:<nobody@here.test>\r\n");
	expect("550 5.1.1");
	send_text("RCPT TO:<u@out.test>\r\n");
	expect("550 5.7.1");
	for (size_t i = 0; i < 5; i++) {
		send_text("RCPT TO:<user@here.test>\r\n");
		expect("250 2.1.5");
	}
	send_text("RCPT TO:<user@here.test>\r\n"); /* rcpt_client_hour is 5 */
	expect("450 4.7.1");
	assert_int_equal(accept_send_state(w.queue, &full), OK);
	pump();
	send_text("DATA\r\n");
	expect("452 4.3.1");
}

/* STARTTLS: the clear stream ends, front gives a new one, the session begins anew. */
static void test_starttls(void **state)
{
	struct session_secured m = { .session = 77,
				     .tls_version = VIEW("TLSv1.3"),
				     .tls_cipher = VIEW("X") };
	int pair[2];
	char c;

	connect_as(SERVICE_SMTP, false);
	send_text("EHLO c.test\r\n");
	send_text("NONSENSE\r\n");
	expect("500 5.5.2");
	send_text("STARTTLS\r\n");
	expect("220 2.0.0");
	assert_int_equal(w.starttls, 1);
	assert_int_equal(read(w.client, &c, 1), 0); /* closed */
	fd_close(&w.client);
	assert_int_equal(stream_pair(pair), OK);
	w.client = pair[0];
	assert_int_equal(session_send_secured(w.front, &m, pair[1]), OK);
	pump();
	assert_int_equal(w.said.n, 0); /* no second greeting */
	send_text("MAIL FROM:<a@far.test>\r\n");
	expect("503 5.5.1"); /* EHLO is forgotten */
	send_text("EHLO c.test\r\n");
	assert_true(view_find(buf_view(&w.said), VIEW("250-STARTTLS")) == VIEW_NONE);
	/* One error before, one behind, five are allowed: what was used up in clear stays so. */
	for (int i = 0; i < 3; i++) {
		send_text("NONSENSE\r\n");
		expect("500 5.5.2");
	}
	send_text("NONSENSE\r\n");
	expect("421 4.7.0");
}

static void test_starttls_injected(void **state)
{
	connect_as(SERVICE_SMTP, false);
	send_text("EHLO c.test\r\n");
	buf_clear(&w.said);
	send_text("STARTTLS\r\nEHLO x\r\n");
	expect("554 5.5.1");
	assert_int_equal(w.starttls, 0);
	assert_int_equal(w.smtp.conns, 0);
}

/* memory_in_flight bounds all bodies together. */
static void test_memory(void **state)
{
	connect_as(SERVICE_SMTP, false);
	begin_message();
	w.smtp.in_flight = w.role.config.memory_in_flight;
	send_text("DATA\r\n");
	expect("452 4.3.1");
	w.smtp.in_flight = 0;
	send_text("MAIL FROM:<a@far.test>\r\nRCPT TO:<user@here.test>\r\nDATA\r\n");
	expect("354");
	w.smtp.in_flight += w.role.config.memory_in_flight;
	send_text("From: a@far.test\r\n\r\nhello\r\n.\r\n");
	expect("452 4.3.1");
	w.smtp.in_flight -= w.role.config.memory_in_flight;
}

/* At 80 % of conn_service_max a silent client goes sooner. */
static void test_pressure(void **state)
{
	uint32_t usual = w.smtp.mx.command_wait_ms;

	w.role.config.conn_service_max = 5;
	w.smtp.conns = 3;
	smtp_options_pressure(&w.smtp);
	assert_int_equal(w.smtp.mx.command_wait_ms, usual);
	w.smtp.conns = 4;
	smtp_options_pressure(&w.smtp);
	assert_int_equal(w.smtp.mx.command_wait_ms, 60000);
	w.smtp.conns = 0;
	smtp_options_pressure(&w.smtp);
	assert_int_equal(w.smtp.mx.command_wait_ms, usual);
}

/* Vanishing at any point leaves nothing behind (teardown counts). */
static void test_vanish(void **state)
{
	connect_as(SERVICE_SMTP, false);
	begin_message();
	send_text("DATA\r\n");
	send_text("From: a@far.test\r\n\r\nhalf");
	fd_close(&w.client);
	pump();
	assert_int_equal(w.smtp.conns, 0);
	assert_int_equal(w.puts, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_small),
		TEST(test_large),
		TEST(test_channels_lost),
		TEST(test_late_answer),
		TEST(test_refusals),
		TEST(test_starttls),
		TEST(test_starttls_injected),
		TEST(test_memory),
		TEST(test_vanish),
		TEST(test_pressure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
