/*
 * tests/unit/proto/smtp/trace_test.c: Received and Return-Path, also out of hostile values.
 */
#include "proto/smtp/trace.h"

#include "unit.h"

static struct smtp_trace sample(void)
{
	return (struct smtp_trace){ .hello = VIEW("c.test"),
				    .address = VIEW("192.0.2.7"),
				    .hostname = VIEW("mx.here.test"),
				    .id = VIEW("abc"),
				    .extended = true,
				    .wall_s = 1795233600 };
}

static void check(const struct smtp_trace *t, struct view want)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(SMTP_TRACE_MAX);

	smtp_trace_received(&out, t);
	assert_int_equal(buf_err(&out), OK);
	if (!view_eq(buf_view(&out), want))
		print_error("got " VIEW_FMT, VIEW_ARG(buf_view(&out)));
	assert_true(view_eq(buf_view(&out), want));
}

static void test_received(void **state)
{
	struct smtp_trace t = sample();

	check(&t,
	      VIEW("Received: from c.test ([192.0.2.7])\r\n\tby mx.here.test with ESMTP id abc;\r\n"
		   "\tSat, 21 Nov 2026 04:00:00 +0000\r\n"));
	t.name = VIEW("rev.test");
	t.address = VIEW("2001:db8::1");
	t.tls = true;
	t.tls_text = VIEW("TLSv1.3 with cipher X");
	t.recipient = VIEW("u@here.test");
	t.zone_min = 60;
	check(&t, VIEW("Received: from c.test (rev.test [IPv6:2001:db8::1])\r\n"
		       "\tby mx.here.test with ESMTPS id abc\r\n\t(TLSv1.3 with cipher X)\r\n"
		       "\tfor <u@here.test>;\r\n\tSat, 21 Nov 2026 05:00:00 +0100\r\n"));
	t = sample();
	t.address = t.hello = VIEW_EMPTY;
	t.authenticated = t.tls = true;
	check(&t, VIEW("Received: by mx.here.test with ESMTPSA id abc;\r\n"
		       "\tSat, 21 Nov 2026 04:00:00 +0000\r\n"));
}

static void test_protocol(void **state)
{
	struct smtp_trace t = { 0 };

	assert_string_equal(smtp_trace_protocol(&t), "SMTP");
	t.extended = true;
	assert_string_equal(smtp_trace_protocol(&t), "ESMTP");
	t.authenticated = true;
	assert_string_equal(smtp_trace_protocol(&t), "ESMTPA");
	t.tls = true;
	assert_string_equal(smtp_trace_protocol(&t), "ESMTPSA");
	t.smtputf8 = true;
	assert_string_equal(smtp_trace_protocol(&t), "UTF8SMTPSA");
	t.authenticated = false;
	t.lmtp = true;
	assert_string_equal(smtp_trace_protocol(&t), "UTF8LMTPS");
	t.smtputf8 = false;
	assert_string_equal(smtp_trace_protocol(&t), "LMTPS");
}

/* Whatever stands in a value: the number of lines and brackets is ours (THREATS 2.8). */
static void test_injection(void **state)
{
	static const struct view evil =
		VIEW_INIT("x\r\nRCPT TO:<w@evil.test>\r\n\r\n(a)\\\"b;\0\x7f\xff\xe2\x80\xa8 z");
	struct smtp_trace t = { .hello = evil,
				.address = evil,
				.name = evil,
				.hostname = VIEW("mx"),
				.id = evil,
				.recipient = evil,
				.tls_text = evil,
				.tls = true,
				.extended = true };
	struct buf CLEANUP(buf_done) out = BUF_INIT(SMTP_TRACE_MAX);
	size_t lines = 0, open = 0, shut = 0;

	smtp_trace_received(&out, &t);
	assert_int_equal(buf_err(&out), OK);
	for (size_t i = 0; i < out.n; i++) {
		char c = out.p[i];

		assert_true(c != '\0' && c != '\x7f');
		if (c == '\n') {
			lines++;
			assert_true(out.p[i - 1] == '\r');
			assert_true(i + 1 == out.n || out.p[i + 1] == '\t');
		}
		assert_true(c != '\r' || out.p[i + 1] == '\n');
	}
	assert_int_equal(lines, 5);
	/* In front of the recipient nothing opens or closes but our own comments. */
	for (size_t i = 0; i < view_find(buf_view(&out), VIEW("for <")); i++) {
		open += out.p[i] == '(';
		shut += out.p[i] == ')';
	}
	assert_int_equal(open, 2);
	assert_int_equal(shut, 2);
}

/* The longest values that can occur fit. */
static void test_longest(void **state)
{
	struct smtp_trace t = sample();
	struct buf CLEANUP(buf_done) fill = BUF_INIT(4000);
	struct buf CLEANUP(buf_done) out = BUF_INIT(SMTP_TRACE_MAX);

	buf_add_fill(&fill, 'x', 4000);
	t.hello = t.name = t.address = t.hostname = t.id = t.recipient = t.tls_text =
		buf_view(&fill);
	t.tls = true;
	smtp_trace_received(&out, &t);
	assert_int_equal(buf_err(&out), OK);
}

static void test_return_path(void **state)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(1000);

	assert_int_equal(smtp_trace_return_path(&out, VIEW("a@b.test")), OK);
	assert_view(buf_view(&out), "Return-Path: <a@b.test>\r\n");
	buf_clear(&out);
	assert_int_equal(smtp_trace_return_path(&out, VIEW_EMPTY), OK);
	assert_view(buf_view(&out), "Return-Path: <>\r\n");
	buf_clear(&out);
	assert_int_equal(smtp_trace_return_path(&out, VIEW("a@b>\r\nX: y")), ERR_SYNTAX);
	assert_int_equal(smtp_trace_return_path(&out, VIEW("a>@b")), ERR_SYNTAX);
	assert_int_equal(smtp_trace_return_path(&out, VIEW("a\0@b")), ERR_SYNTAX);
	assert_int_equal(out.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_received),    cmocka_unit_test(test_protocol),
		cmocka_unit_test(test_injection),   cmocka_unit_test(test_longest),
		cmocka_unit_test(test_return_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
