/*
 * tests/unit/proto/smtp/header_test.c: the watch on passing headers, whole and in pieces.
 */
#include "proto/smtp/header.h"

#include "cuts.h"

static void keep(void *ctx, struct view span)
{
	buf_add(ctx, span);
}

static struct smtp_header_config plain(void)
{
	return (struct smtp_header_config){ .block = 1000,
					    .fields = 10,
					    .hostname = VIEW("mx.here.test") };
}

static void run(const struct smtp_header_config *config, struct view text, size_t step,
		struct smtp_header_watch *w, struct buf *out)
{
	smtp_header_watch_init(w, config, keep, out);
	for (struct cuts c = cuts_steps(text, step); cuts_next(&c);)
		smtp_header_watch_span(w, c.piece);
	smtp_header_watch_end(w);
}

/* The flags that decide, and the octets that come out, however the text is cut. */
static void check(const struct smtp_header_config *config, struct view text, unsigned flags,
		  struct view want)
{
	for (size_t step = 1; step <= size_max(text.n, 1); step++) {
		struct buf CLEANUP(buf_done) out = BUF_INIT(1 << 16);
		struct smtp_header_watch w;

		run(config, text, step, &w, &out);
		if (w.flags != flags)
			print_error("flags %u for \"" VIEW_FMT "\"\n", w.flags, VIEW_ARG(text));
		assert_int_equal(w.flags, flags);
		assert_true(view_eq(buf_view(&out), want));
		smtp_header_watch_done(&w);
	}
}

static void check_same(struct view text, unsigned flags)
{
	struct smtp_header_config config = plain();

	check(&config, text, flags, text);
}

static void test_flags(void **state)
{
	unsigned from = SMTP_HAS_FIELDS | SMTP_HAS_FROM;

	check_same(VIEW(""), 0);
	check_same(VIEW("\r\nFrom: a@b.test\r\n"), 0);
	check_same(VIEW("From: a@b.test\r\n\r\nFrom: x\r\n"), from);
	check_same(VIEW("From: a@b.test\r\nDate: x\r\nMessage-ID: <x>\r\nbcc: y\r\n\r\n"),
		   from | SMTP_HAS_DATE | SMTP_HAS_MESSAGE_ID | SMTP_HAS_BCC);
	check_same(VIEW("From:\r\n a@b.test\r\nSender: c@d.test\r\n\r\n"), from | SMTP_HAS_SENDER);
	check_same(VIEW("FROM: a@b.test\r\nfrom: a@b.test\r\n\r\n"), from | SMTP_FROM_TWICE);
	check_same(VIEW("From : a@b.test\r\n\r\n"), from | SMTP_FROM_BAD);
	check_same(VIEW("From: a\r\n\r\n"), from | SMTP_FROM_BAD);
	check_same(VIEW("From: a@b.test\r\nSender: a@b.test, c@d.test\r\n\r\n"),
		   from | SMTP_HAS_SENDER | SMTP_SENDER_BAD);
	check_same(VIEW(" From: a@b.test\r\n\r\n"), SMTP_FROM_BAD);
	check_same(VIEW("junk\r\nFrom\r\n\r\n"), SMTP_FROM_BAD);
	check_same(VIEW("junk\r\nX-From: a\r\nfromage: x\r\n\r\nFrom: a\r\n"), 0);
	check_same(VIEW("TLS-Required: no\r\nFrom: a@b.test\r\n\r\n"),
		   from | SMTP_HAS_TLS_REQUIRED_NO);
	check_same(VIEW("TLS-Required: yes\r\nFrom: a@b.test\r\n\r\n"), from);
	check_same(VIEW("From: a@b.test"), from); /* no line end at all */
}

static void test_authors(void **state)
{
	struct smtp_header_config config = plain();
	struct buf CLEANUP(buf_done) out = BUF_INIT(1 << 16);
	struct smtp_header_watch w;

	run(&config, VIEW("Sender: S <s@x.test>\r\nFrom: \"A, B\" <a@Y.test>, b@z.test\r\n\r\n"), 7,
	    &w, &out);
	assert_int_equal(w.authors.n, 3);
	assert_true(w.authors.at[0].sender);
	assert_view(w.authors.at[0].address, "s@x.test");
	assert_false(w.authors.at[1].sender);
	assert_view(w.authors.at[1].address, "a@y.test");
	assert_view(w.authors.at[2].local, "b");
	smtp_header_watch_done(&w);
}

static void hops(struct view text, unsigned received, unsigned own)
{
	struct smtp_header_config config = plain();

	for (size_t step = 1; step <= text.n; step++) {
		struct buf CLEANUP(buf_done) out = BUF_INIT(1 << 16);
		struct smtp_header_watch w;

		run(&config, text, step, &w, &out);
		assert_int_equal(w.received_n, received);
		assert_int_equal(w.own_n, own);
		smtp_header_watch_done(&w);
	}
}

static void test_hops(void **state)
{
	hops(VIEW("Received: from x by mx.here.test; date\r\n\r\n"), 1, 1);
	hops(VIEW("Received: by\r\n MX.HERE.TEST (y)\r\nReceived: by other\r\n\r\n"), 2, 1);
	hops(VIEW("Received: from mx.here.test by o\r\nReceived: (by mx.here.test) x\r\n\r\n"), 2,
	     0);
	hops(VIEW("Received: x; by mx.here.test\r\nReceived: by (\r\n\r\n"), 2, 0);
	hops(VIEW("\r\nReceived: by mx.here.test\r\n"), 0, 0);
}

/* Limits at and past: octets of the header with its empty line, fields. */
static void test_limits(void **state)
{
	struct smtp_header_config config = plain();
	struct view text = VIEW("From: a@b.test\r\nX: 1\r\n\r\nbody");
	unsigned from = SMTP_HAS_FIELDS | SMTP_HAS_FROM;

	config.block = 24;
	check(&config, text, from, text);
	config.block = 23;
	check(&config, text, from | SMTP_TOO_BIG, text);
	config = plain();
	config.fields = 2;
	check(&config, text, from, text);
	config.fields = 1;
	check(&config, text, from | SMTP_TOO_MANY, text);
}

static void test_complete(void **state)
{
	struct smtp_header_config config = plain();
	unsigned all = SMTP_HAS_FIELDS | SMTP_HAS_FROM;

	config.complete = true;
	config.sender = VIEW("me@here.test");
	config.id = VIEW("id");
	config.wall_s = 1795233600;
	check(&config,
	      VIEW("From: a@b.test\r\nBcc: x@y.test,\r\n z\r\nResent-Bcc: q\r\nTo: t\r\n\r\nb"),
	      all | SMTP_HAS_BCC,
	      VIEW("From: a@b.test\r\nTo: t\r\nDate: Sat, 21 Nov 2026 04:00:00 +0000\r\n"
		   "Message-ID: <id@mx.here.test>\r\n\r\nb"));
	check(&config, VIEW("Date: x\r\nMessage-ID: y"), all | SMTP_HAS_DATE | SMTP_HAS_MESSAGE_ID,
	      VIEW("Date: x\r\nMessage-ID: y\r\nFrom: <me@here.test>\r\n"));
	check(&config, VIEW("just text\r\nmore"), SMTP_HAS_FROM,
	      VIEW("From: <me@here.test>\r\nDate: Sat, 21 Nov 2026 04:00:00 +0000\r\n"
		   "Message-ID: <id@mx.here.test>\r\n\r\njust text\r\nmore\r\n"));
	check(&config, VIEW("X: 1\r\nBCC : hidden\r\n\r\n"), all | SMTP_HAS_BCC,
	      VIEW("X: 1\r\nFrom: <me@here.test>\r\nDate: Sat, 21 Nov 2026 04:00:00 +0000\r\n"
		   "Message-ID: <id@mx.here.test>\r\n\r\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flags),	 cmocka_unit_test(test_authors),
		cmocka_unit_test(test_hops),	 cmocka_unit_test(test_limits),
		cmocka_unit_test(test_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
