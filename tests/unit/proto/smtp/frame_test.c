/*
 * tests/unit/proto/smtp/frame_test.c: the framers alone.  Ends of data through sessions: eod_test.c.
 */
#include "proto/smtp/frame.h"

#include "unit.h"

enum { MAX = 20 };

/* All lines of text in order, each followed by '|', and the last result. */
static enum err lines_of(struct view text, size_t step, struct buf *ret)
{
	struct smtp_line_framer f;
	enum err err = ERR_AGAIN;
	size_t at = 0;

	smtp_line_framer_init(&f);
	while (at < text.n) {
		char *tight = tight_copy(view_part(text, at, step));
		struct view line;
		size_t used;

		err = smtp_line_framer_take(&f, view_of(tight, size_min(step, text.n - at)), MAX,
					    &line, &used);
		if (!err) {
			buf_add(ret, line);
			buf_add_char(ret, '|');
		} else if (err == ERR_LIMIT) {
			buf_add_char(ret, '#');
		}
		free(tight);
		at += used;
		if (err && err != ERR_AGAIN && err != ERR_LIMIT)
			break;
	}
	smtp_line_framer_done(&f);
	return err;
}

static void check_lines(struct view text, const char *want, enum err last)
{
	for (size_t step = 1; step <= text.n; step++) {
		struct buf CLEANUP(buf_done) got = BUF_INIT(1 << 20);

		assert_int_equal(lines_of(text, step, &got), last);
		assert_true(view_eq(buf_view(&got), view_str(want)));
	}
}

static void test_lines(void **state)
{
	check_lines(VIEW("a\r\n"), "a|", OK);
	check_lines(VIEW("\r\n\r\n"), "||", OK);
	check_lines(VIEW("one\r\ntwo\r\nthr"), "one|two|", ERR_AGAIN);
	check_lines(VIEW("one\r"), "", ERR_AGAIN);
	check_lines(VIEW("one\ntwo\r\n"), "", ERR_SYNTAX);
	check_lines(VIEW("\n"), "", ERR_SYNTAX);
	check_lines(VIEW("o\rne\r\n"), "", ERR_SYNTAX);
	check_lines(VIEW("one\r\r\n"), "", ERR_SYNTAX);
	check_lines(VIEW("ok\r\no\0ne\r\n"), "ok|", ERR_SYNTAX);
	check_lines(VIEW("\xff\xfe\r\n"), "\xff\xfe|", OK);
}

static void test_line_limit(void **state)
{
	/* 20 octets with CRLF, then 21. */
	check_lines(VIEW("123456789012345678\r\nx\r\n"), "123456789012345678|x|", OK);
	check_lines(VIEW("1234567890123456789\r\nx\r\n"), "#x|", OK);
	check_lines(VIEW("12345678901234567890123456789012345678901234567890\r\nx\r\n"), "#x|", OK);

	struct buf CLEANUP(buf_done) text = BUF_INIT(1 << 20);

	for (size_t extra = 0; extra < 2; extra++) {
		struct buf CLEANUP(buf_done) got = BUF_INIT(100);

		buf_clear(&text);
		buf_add_fill(&text, 'x', SMTP_LINE_SKIP_MAX - 2 + extra);
		buf_add(&text, VIEW("\r\n"));
		assert_int_equal(lines_of(buf_view(&text), 1000, &got),
				 extra ? ERR_RANGE : ERR_LIMIT);
		assert_int_equal(lines_of(buf_view(&text), text.n, &got),
				 extra ? ERR_RANGE : ERR_LIMIT);
	}
}

static void test_line_head(void **state)
{
	struct smtp_line_framer f;
	struct view line;
	size_t used;

	smtp_line_framer_init(&f);
	assert_int_equal(smtp_line_framer_take(&f, VIEW("AU"), MAX, &line, &used), ERR_AGAIN);
	assert_int_equal(
		smtp_line_framer_take(&f, VIEW("TH 0123456789012345678\r\n"), MAX, &line, &used),
		ERR_LIMIT);
	assert_memory_equal(f.head, "AUTH 012", 8);
	smtp_line_framer_done(&f);
}

static void keep(void *ctx, struct view span)
{
	assert_true(span.n > 0);
	buf_add(ctx, span);
}

/* The message up to its end; ERR_AGAIN: no end, ERR_SYNTAX: bad. */
static enum err data_of(struct view text, size_t step, struct buf *ret,
			struct smtp_body_framer *ret_f, size_t *ret_at)
{
	bool end = false;
	size_t at = 0;

	smtp_data_framer_init(ret_f);
	while (at < text.n && !end)
		at += smtp_data_framer_take(ret_f, view_part(text, at, step), keep, ret, &end);
	*ret_at = at;
	assert_int_equal(ret_f->seen, at);
	if (ret_f->bad)
		return end ? ERR_SYNTAX : ERR_RANGE;
	assert_int_equal(ret_f->size, ret->n);
	return end ? OK : ERR_AGAIN;
}

static void check_data(struct view text, enum err want, struct view body, size_t taken)
{
	for (size_t step = 1; step <= text.n; step++) {
		struct buf CLEANUP(buf_done) got = BUF_INIT(1 << 20);
		struct smtp_body_framer f;
		size_t at;

		assert_int_equal(data_of(text, step, &got, &f, &at), want);
		assert_int_equal(at, taken);
		if (want == OK)
			assert_true(view_eq(buf_view(&got), body));
	}
}

static void test_data(void **state)
{
	check_data(VIEW(".\r\nrest"), OK, VIEW(""), 3);
	check_data(VIEW("a\r\n.\r\n.\r\n"), OK, VIEW("a\r\n"), 6);
	check_data(VIEW("..\r\n.a\r\n.\r\n"), OK, VIEW(".\r\na\r\n"), 11);
	check_data(VIEW("a.\r\n.\r\n"), OK, VIEW("a.\r\n"), 7);
	check_data(VIEW("a\r\n. \r\n.\r\n"), OK, VIEW("a\r\n \r\n"), 10);
	check_data(VIEW("a\r\n."), ERR_AGAIN, VIEW(""), 4);
	check_data(VIEW("a\r\n.\r"), ERR_AGAIN, VIEW(""), 5);
	check_data(VIEW("a\n.\n"), ERR_RANGE, VIEW(""), 4);
	check_data(VIEW("a\n.\r\n\r\n.\r\nX"), ERR_SYNTAX, VIEW(""), 10);
	check_data(VIEW("a\r\r\n.\r\n"), ERR_SYNTAX, VIEW(""), 7);
	check_data(VIEW(".\r\r\n.\r\n"), ERR_SYNTAX, VIEW(""), 7);
	check_data(VIEW("a\0\r\n.\r\n"), ERR_SYNTAX, VIEW(""), 7);
}

static void longest(struct view text, uint64_t want)
{
	for (size_t step = 1; step <= text.n; step++) {
		struct buf CLEANUP(buf_done) got = BUF_INIT(1 << 20);
		struct smtp_body_framer f;
		size_t at;
		enum err UNUSED err = data_of(text, step, &got, &f, &at);

		assert_int_equal(f.longest, want);
	}
}

static void test_longest(void **state)
{
	longest(VIEW("\r\n.\r\n"), 0);
	longest(VIEW("abc\r\nab\r\n.\r\n"), 3);
	longest(VIEW("a\r\nabcd\r\n.\r\n"), 4);
	longest(VIEW("..ab\r\n.\r\n"), 3);
	longest(VIEW("abcd"), 4);
}

/* Chunks of sizes by the digits of borders ('3' '0' '9' ...), the last takes the rest. */
static enum err bdat_of(struct view text, const char *borders, size_t step, bool binary,
			struct buf *ret)
{
	struct smtp_body_framer f;
	size_t at = 0;

	smtp_bdat_framer_init(&f, binary);
	for (;;) {
		size_t n = *borders ? size_min((size_t)(*borders - '0'), text.n - at) : text.n - at;

		smtp_bdat_framer_chunk(&f, n);
		while (f.left)
			at += smtp_bdat_framer_take(&f, view_part(text, at, step), keep, ret);
		if (!*borders++)
			break;
	}
	smtp_bdat_framer_end(&f);
	assert_int_equal(f.seen, text.n);
	return f.bad ? ERR_SYNTAX : OK;
}

static void check_bdat(struct view text, bool binary, enum err want, struct view body)
{
	static const char *const borders[] = { "", "0", "1", "2", "3", "4", "5", "11111", "202" };

	for (size_t i = 0; i < ARRAY_LEN(borders); i++) {
		for (size_t step = 1; step <= size_max(text.n, 1); step++) {
			struct buf CLEANUP(buf_done) got = BUF_INIT(1000);

			assert_int_equal(bdat_of(text, borders[i], step, binary, &got), want);
			if (want == OK)
				assert_true(view_eq(buf_view(&got), body));
		}
	}
}

static void test_bdat(void **state)
{
	check_bdat(VIEW("a\r\nb\r\n"), false, OK, VIEW("a\r\nb\r\n"));
	check_bdat(VIEW("a\nb\n\n"), false, OK, VIEW("a\r\nb\r\n\r\n"));
	check_bdat(VIEW("\r\n.\r\nx"), false, OK, VIEW("\r\n.\r\nx"));
	check_bdat(VIEW("a\rb"), false, ERR_SYNTAX, VIEW(""));
	check_bdat(VIEW("a\r"), false, ERR_SYNTAX, VIEW(""));
	check_bdat(VIEW("a\r\r\n"), false, ERR_SYNTAX, VIEW(""));
	check_bdat(VIEW("a\0b"), false, ERR_SYNTAX, VIEW(""));
	check_bdat(VIEW("a\0\r\n\r\n"), true, OK, VIEW("a\0\r\n\r\n"));
	check_bdat(VIEW(""), false, OK, VIEW(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),	  cmocka_unit_test(test_line_limit),
		cmocka_unit_test(test_line_head), cmocka_unit_test(test_data),
		cmocka_unit_test(test_longest),	  cmocka_unit_test(test_bdat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
