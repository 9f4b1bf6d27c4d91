/* proto/dsn/dsn.h: reports are written as promised, whatever they are made of. */
#include "unit.h"

#include "proto/dsn/dsn.h"
#include "proto/dsn/part.h"

static const struct dsn_recipient unknown = {
	.address = VIEW_INIT("nobody@far.test"),
	.orcpt = VIEW_INIT("rfc822;first@near.test"),
	.status = VIEW_INIT("5.1.1"),
	.reply = VIEW_INIT("550 5.1.1 no such user"),
	.reply_is_smtp = true,
	.remote = VIEW_INIT("mx.far.test"),
	.last_attempt = 1763700000,
};

static struct dsn_report report(const struct dsn_recipient *recipients, size_t n)
{
	return (struct dsn_report){
		.action = DSN_FAILED,
		.hostname = VIEW("mail.near.test"),
		.sender = VIEW("ann@near.test"),
		.id = VIEW("0123456789abc"),
		.envid = VIEW("QQ314159"),
		.arrival = 1763690000,
		.now = 1763700001,
		.random = { 1, 2, 3 },
		.recipients = recipients,
		.recipient_count = n,
		.message = VIEW("Subject: hello\r\nFrom: ann@near.test\r\n\r\nbody\r\n"),
	};
}

static struct buf built(const struct dsn_report *r, struct dsn_result *ret)
{
	struct buf b = BUF_INIT(DSN_OVERHEAD_MAX);

	assert_int_equal(dsn_build(&b, r, ret), OK);
	/* Always: CRLF lines of at most 998 octets, and no NUL. */
	assert_true(dsn_can_quote(buf_view(&b)));
	return b;
}

static bool has(const struct buf *b, const char *text)
{
	return view_find(buf_view(b), view_str(text)) != VIEW_NONE;
}

static void test_failed(void **state)
{
	struct dsn_report r = report(&unknown, 1);
	struct dsn_result result;
	struct buf CLEANUP(buf_done) b = built(&r, &result);

	assert_false(result.eight_bit);
	assert_false(result.utf8);
	assert_true(has(&b, "\r\nTo: ann@near.test\r\n") || has(&b, "\r\nTo: <ann@near.test>\r\n"));
	assert_true(has(&b, "MAILER-DAEMON@mail.near.test"));
	assert_true(has(&b, "\r\nAuto-Submitted: auto-replied\r\n"));
	assert_true(has(&b, "multipart/report; report-type=delivery-status;"));
	assert_true(has(&b, "There is no mailbox of this name"));
	assert_true(has(&b, "The server mx.far.test said: 550 5.1.1 no such user"));
	assert_true(has(&b, "Reporting-MTA: dns; mail.near.test\r\n"));
	assert_true(has(&b, "Original-Envelope-Id: QQ314159\r\n"));
	assert_true(has(&b, "\r\n\r\nOriginal-Recipient: rfc822; first@near.test\r\n"
			    "Final-Recipient: rfc822; nobody@far.test\r\n"
			    "Action: failed\r\nStatus: 5.1.1\r\n"
			    "Remote-MTA: dns; mx.far.test\r\n"
			    "Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n"
			    "Last-Attempt-Date: "));
	assert_true(has(&b, "Content-Type: message/rfc822\r\n\r\nSubject: hello\r\n"));
	assert_true(has(&b, "\r\n\r\nbody\r\n"));
}

static void test_actions(void **state)
{
	static const char *const words[] = { "failed", "delayed", "delivered", "relayed",
					     "expanded" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		struct dsn_recipient plain = { .address = VIEW("x@far.test") };
		struct dsn_report r = report(&plain, 1);
		struct dsn_result result;
		char line[64];

		r.action = (enum dsn_action)i;
		r.retry_until = 1763800000;
		r.quote = DSN_QUOTE_HEADER;

		struct buf CLEANUP(buf_done) b = built(&r, &result);

		(void)snprintf(line, sizeof(line), "\r\nAction: %s\r\nStatus: %s", words[i],
			       i == 0	? "5.0.0"
			       : i == 1 ? "4.0.0"
					: "2.0.0");
		assert_true(has(&b, line));
		assert_int_equal(has(&b, "\r\nWill-Retry-Until: "), i == 1);
		assert_true(has(&b, "Content-Type: text/rfc822-headers\r\n"));
		assert_false(has(&b, "\r\nbody"));
	}
}

/* THREATS.md 2.8 and 2.25: nothing becomes a line. */
static void test_injection(void **state)
{
	struct dsn_recipient evil = {
		.address = VIEW("x\r\nBcc: v@evil.test"),
		.orcpt = VIEW("rfc822\r\nBcc: v;a\r\nBcc: w"),
		.status = VIEW("5.1.1\r\nBcc: v"),
		.reply = VIEW("550 5.1.1 x\r\nBcc: y\r\n\r\n--=_x"),
		.reply_is_smtp = true,
		.remote = VIEW("mx\nBcc: z"),
	};
	struct dsn_report r = report(&evil, 1);
	struct dsn_result result;

	r.envid = VIEW("a\r\nBcc: q");
	r.id = VIEW("i\r\nBcc: q");

	struct buf CLEANUP(buf_done) b = built(&r, &result);

	assert_false(has(&b, "\nBcc"));
	assert_false(has(&b, "\r\n--=_x"));
	assert_true(has(&b, "Status: 5.0.0\r\n"));
}

static void test_sender(void **state)
{
	static const char *const bad[] = { "",
					   "nobody",
					   "a\r\nb@x.test",
					   "a@x.test, b@x.test",
					   "<a@x.test>",
					   "a@x.test\r\nBcc: b@x.test" };
	struct dsn_report r = report(&unknown, 1);
	struct dsn_result result = { .utf8 = true };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct buf CLEANUP(buf_done) b = BUF_INIT(DSN_OVERHEAD_MAX);

		r.sender = view_str(bad[i]);
		assert_int_equal(dsn_build(&b, &r, &result), ERR_SYNTAX);
		assert_true(result.utf8);
	}
}

static void test_utf8(void **state)
{
	struct dsn_recipient rcpt = { .address = VIEW("\xc3\xa9@far.test"),
				      .orcpt = VIEW("utf-8;\xc3\xa9@far.test"),
				      .status = VIEW("5.6.7") };
	struct dsn_report r = report(&rcpt, 1);
	struct dsn_result result;

	r.sender = VIEW("\xc3\xbc@near.test");
	r.message = VIEW("Subject: \xc3\xa4\r\n\r\n");
	r.utf8 = true;
	{
		struct buf CLEANUP(buf_done) b = built(&r, &result);

		assert_true(result.utf8);
		assert_true(result.eight_bit);
		assert_true(has(&b, "Content-Type: message/global-delivery-status\r\n"));
		assert_true(has(&b, "Content-Type: message/global\r\n"));
		assert_true(has(&b, "Final-Recipient: utf-8; \xc3\xa9@far.test\r\n"));
		assert_true(has(&b, "Original-Recipient: utf-8; \xc3\xa9@far.test\r\n"));
	}
	/* The sender did not ask for SMTPUTF8: ASCII only. */
	r.sender = VIEW("ann@near.test");
	r.message = VIEW("Subject: x\r\n\r\n");
	r.utf8 = false;
	{
		struct buf CLEANUP(buf_done) b = built(&r, &result);

		assert_false(result.utf8);
		assert_false(result.eight_bit);
		assert_true(has(&b, "Final-Recipient: utf-8; \\x{E9}@far.test\r\n"));
	}
}

static void test_quote(void **state)
{
	static const struct {
		struct view message;
		const char *want;
		bool whole;
	} cases[] = {
		{ VIEW_INIT("A: b\r\n\r\nx\ny\r\n"), "\r\n\r\nA: b\r\n", false },
		{ VIEW_INIT("A: b\r\n\r\nx\0y\r\n"), "\r\n\r\nA: b\r\n", false },
		{ VIEW_INIT("A: b\nC: d\r\n\r\nbody"), "\r\n\r\nA: b\r\nC: d\r\n", false },
		{ VIEW_INIT("\r\nbody\r\n"), "message/rfc822\r\n\r\n\r\nbody\r\n", true },
		{ VIEW_INIT(""), "message/rfc822\r\n\r\n", true },
		{ VIEW_INIT("A: b\r\n\r\nno end"), "no end\r\n--=_", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dsn_report r = report(&unknown, 1);
		struct dsn_result result;

		r.message = cases[i].message;

		struct buf CLEANUP(buf_done) b = built(&r, &result);

		assert_true(has(&b, cases[i].want));
		assert_int_equal(has(&b, "message/rfc822"), cases[i].whole);
		assert_int_equal(has(&b, "text/rfc822-headers"), !cases[i].whole);
	}
}

static void test_long_lines(void **state)
{
	struct buf CLEANUP(buf_done) message = BUF_INIT(200000);
	struct dsn_report r = report(&unknown, 1);
	struct dsn_result result;

	for (size_t n = 990; n < 1003; n++) {
		buf_clear(&message);
		buf_add_fill(&message, 'x', n);
		buf_add_str(&message, "\r\n\r\nbody");
		buf_add_str(&message, "\r\n");
		r.message = buf_view(&message);

		struct buf CLEANUP(buf_done) b = built(&r, &result);

		assert_int_equal(has(&b, "message/rfc822"), n <= 998);
	}
	/* A header without end is cut at a line. */
	buf_clear(&message);
	while (message.n < DSN_HEADER_MAX + 1000)
		buf_add_str(&message, "A: 0123456789012345678901234567890123456789\r\n");
	r.message = buf_view(&message);
	r.quote = DSN_QUOTE_HEADER;

	struct buf CLEANUP(buf_done) b = built(&r, &result);

	assert_true(b.n < DSN_HEADER_MAX + 4000);
	assert_true(b.n > DSN_HEADER_MAX - 100);
}

static void test_limits(void **state)
{
	static struct dsn_recipient many[DSN_RECIPIENTS_MAX + 1];
	struct dsn_report r = report(many, DSN_RECIPIENTS_MAX);
	struct dsn_result result;

	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = unknown;
	{
		struct buf CLEANUP(buf_done) b = built(&r, &result);

		assert_true(b.n < DSN_OVERHEAD_MAX);
	}
	struct buf CLEANUP(buf_done) b = BUF_INIT(DSN_OVERHEAD_MAX);

	r.recipient_count++;
	assert_int_equal(dsn_build(&b, &r, &result), ERR_LIMIT);
	r.recipient_count = 0;
	assert_int_equal(dsn_build(&b, &r, &result), ERR_LIMIT);
	r.recipient_count = 1;
	for (size_t max = 0; max < 2500; max += 13) {
		struct buf CLEANUP(buf_done) small = BUF_INIT(max);
		enum err err = dsn_build(&small, &r, &result);

		if (err)
			assert_int_equal(err, ERR_LIMIT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_failed),	   cmocka_unit_test(test_actions),
		cmocka_unit_test(test_injection),  cmocka_unit_test(test_sender),
		cmocka_unit_test(test_utf8),	   cmocka_unit_test(test_quote),
		cmocka_unit_test(test_long_lines), cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
