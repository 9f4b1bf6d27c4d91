/*
 * tests/unit/proto/smtp/reply_test.c: replies of honest and hostile servers (THREATS 2.25).
 */
#include "proto/smtp/reply.h"

#include "unit.h"

/* As the options reply_line and reply_lines, changed by a test. */
static size_t line_max = SMTP_REPLY_LINE, lines_max = SMTP_REPLY_LINES;

/* Feed text in pieces of at most step octets; the result of the last call, *ret_used over all. */
static enum err feed(struct view text, size_t step, struct smtp_reply *ret, size_t *ret_used)
{
	struct smtp_reply_parser p;
	char *tight = tight_copy(text);
	enum err err = ERR_AGAIN;

	smtp_reply_parser_init(&p, line_max, lines_max);
	*ret_used = 0;
	while (err == ERR_AGAIN && *ret_used < text.n) {
		size_t used;

		err = smtp_reply_parser_take(
			&p, view_of(tight + *ret_used, size_min(step, text.n - *ret_used)), ret,
			&used);
		*ret_used += used;
	}
	smtp_reply_parser_done(&p);
	free(tight);
	return err;
}

static void check(struct view text, enum err want, unsigned code, const char *said)
{
	for (size_t step = 1; step <= text.n; step++) {
		struct smtp_reply r = { .code = 999 };
		size_t used;

		assert_int_equal(feed(text, step, &r, &used), want);
		assert_int_equal(r.code, want ? 999 : code);
		if (want)
			continue;
		assert_int_equal(used, text.n);
		assert_true(view_eq(view_of(r.text, r.text_n), view_str(said)));
	}
}

static void test_good(void **state)
{
	check(VIEW("250 ok\r\n"), OK, 250, "ok");
	check(VIEW("250\r\n"), OK, 250, "");
	check(VIEW("250 \r\n"), OK, 250, "");
	check(VIEW("250-a\r\n250-b\r\n250 c\r\n"), OK, 250, "a b c");
	check(VIEW("250-\r\n250\r\n"), OK, 250, "");
	check(VIEW("550 5.1.1 no such user\r\n"), OK, 550, "no such user");
	check(VIEW("550-5.1.1 no such\r\n550 5.1.1 user\r\n"), OK, 550, "no such user");
	check(VIEW("354 go\r\n"), OK, 354, "go");
	check(VIEW("250 \x1b[31mred\x07 \xc3\xbc\r\n"), OK, 250, "?[31mred? ??");
}

static void test_bad(void **state)
{
	static const struct view texts[] = {
		VIEW_INIT("5.7.2 x\r\n"),      VIEW_INIT("25\r\n"),
		VIEW_INIT("999 x\r\n"),	       VIEW_INIT("150 x\r\n"),
		VIEW_INIT("260x\r\n"),	       VIEW_INIT("250\0ok\r\n"),
		VIEW_INIT("250 o\0k\r\n"),     VIEW_INIT("250 ok\n"),
		VIEW_INIT("250 a\rb\r\n"),     VIEW_INIT("250-a\r\n251 b\r\n"),
		VIEW_INIT("250_ok\r\n"),       VIEW_INIT("\r\n"),
		VIEW_INIT(" 250 ok\r\n"),      VIEW_INIT("2500 ok\r\n"),
		VIEW_INIT("250-a\n250 b\r\n"), VIEW_INIT("HTTP/1.1 200 OK\r\n"),
		VIEW_INIT("-250 a\r\n"),       VIEW_INIT("250 a\r\r\n"),
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		check(texts[i], ERR_SYNTAX, 0, "");
}

/* The first reply ends where it ends; what follows is the caller's. */
static void test_two_in_one(void **state)
{
	struct smtp_reply r;
	size_t used;

	assert_int_equal(feed(VIEW("553-\r\n553\r\n250 x\r\n"), 100, &r, &used), OK);
	assert_int_equal(r.code, 553);
	assert_int_equal(r.lines, 2);
	assert_int_equal(used, 11);
}

static void enhanced(struct view text, unsigned a, unsigned b, unsigned c)
{
	struct smtp_reply r;
	size_t used;

	assert_int_equal(feed(text, 100, &r, &used), OK);
	assert_int_equal(r.enhanced[0], a);
	assert_int_equal(r.enhanced[1], b);
	assert_int_equal(r.enhanced[2], c);
}

static void test_enhanced(void **state)
{
	enhanced(VIEW("550 5.1.1 x\r\n"), 5, 1, 1);
	enhanced(VIEW("421 4.7.28\r\n"), 4, 7, 28);
	enhanced(VIEW("250 2.999.999 x\r\n"), 2, 999, 999);
	enhanced(VIEW("550 4.1.1 x\r\n"), 0, 0, 0); /* not of the code's class */
	enhanced(VIEW("550 5.1000.1 x\r\n"), 0, 0, 0);
	enhanced(VIEW("550 5.1.1x\r\n"), 0, 0, 0);
	enhanced(VIEW("550 5.1 x\r\n"), 0, 0, 0);
	enhanced(VIEW("550 x\r\n"), 0, 0, 0);
}

static enum err feed_repeat(const char *line, size_t line_n, size_t times)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(1 << 20);
	struct smtp_reply r;
	size_t used;

	for (size_t i = 0; i < times; i++)
		buf_add(&text, view_of(line, line_n));
	buf_add(&text, VIEW("250 end\r\n"));
	return feed(buf_view(&text), 777, &r, &used);
}

static void test_limits(void **state)
{
	struct buf CLEANUP(buf_done) line = BUF_INIT(2000);

	/* reply_lines */
	assert_int_equal(feed_repeat("250-x\r\n", 7, SMTP_REPLY_LINES - 1), OK);
	assert_int_equal(feed_repeat("250-x\r\n", 7, SMTP_REPLY_LINES), ERR_LIMIT);
	/* reply_line: 512 with CRLF */
	buf_add(&line, VIEW("250-"));
	buf_add_fill(&line, 'x', 512 - 6);
	buf_add(&line, VIEW("\r\n"));
	assert_int_equal(feed_repeat(line.p, line.n, 1), OK);
	/* reply_total: 15 * 512 + 9 fits, 16 * 512 + 9 does not */
	assert_int_equal(feed_repeat(line.p, line.n, 15), OK);
	assert_int_equal(feed_repeat(line.p, line.n, 16), ERR_LIMIT);
	buf_clear(&line);
	buf_add(&line, VIEW("250-"));
	buf_add_fill(&line, 'x', 512 - 5);
	buf_add(&line, VIEW("\r\n"));
	assert_int_equal(feed_repeat(line.p, line.n, 1), ERR_LIMIT);
	/* A line without end stops at the limit, not at the end of memory. */
	buf_clear(&line);
	buf_add_fill(&line, 'x', 1000);
	assert_int_equal(feed_repeat(line.p, line.n, 1000), ERR_LIMIT);
}

static enum err feed_line(size_t n)
{
	struct buf CLEANUP(buf_done) line = BUF_INIT(5000);

	buf_add(&line, VIEW("250-"));
	buf_add_fill(&line, 'x', n - 6);
	buf_add(&line, VIEW("\r\n"));
	return feed_repeat(line.p, line.n, 1);
}

/* The least and the most that the options allow: at each limit and one past it. */
static void test_given_limits(void **state)
{
	static const size_t lines[] = { 128, 4096 }, counts[] = { 8, 1000 };

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		line_max = lines[i];
		assert_int_equal(feed_line(lines[i]), OK);
		assert_int_equal(feed_line(lines[i] + 1), ERR_LIMIT);
	}
	line_max = SMTP_REPLY_LINE;
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		lines_max = counts[i];
		assert_int_equal(feed_repeat("250-x\r\n", 7, counts[i] - 1), OK);
		assert_int_equal(feed_repeat("250-x\r\n", 7, counts[i]), ERR_LIMIT);
	}
	/* What all lines have together stays bounded. */
	assert_int_equal(feed_repeat("250-xxxx\r\n", 10, counts[1] - 1), ERR_LIMIT);
	lines_max = SMTP_REPLY_LINES;
}

static void test_lines(void **state)
{
	struct smtp_reply_parser p;
	struct smtp_reply r;
	size_t used;

	smtp_reply_parser_init(&p, SMTP_REPLY_LINE, SMTP_REPLY_LINES);
	assert_true(smtp_reply_parser_empty(&p));
	assert_int_equal(smtp_reply_parser_take(&p, VIEW("250-mx\r\n250-SIZE 5\r\n25"), &r, &used),
			 ERR_AGAIN);
	assert_false(smtp_reply_parser_empty(&p));
	assert_int_equal(smtp_reply_parser_take(&p, VIEW("0 DSN\r\n"), &r, &used), OK);
	assert_view(smtp_reply_line(&p, 0), "mx");
	assert_view(smtp_reply_line(&p, 1), "SIZE 5");
	assert_view(smtp_reply_line(&p, 2), "DSN");
	assert_view(smtp_reply_line(&p, 3), "");
	assert_true(smtp_reply_parser_empty(&p));
	/* A failure is final. */
	assert_int_equal(smtp_reply_parser_take(&p, VIEW("x\r\n"), &r, &used), ERR_SYNTAX);
	assert_int_equal(smtp_reply_parser_take(&p, VIEW("250 ok\r\n"), &r, &used), ERR_SYNTAX);
	smtp_reply_parser_done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),	   cmocka_unit_test(test_bad),
		cmocka_unit_test(test_two_in_one), cmocka_unit_test(test_enhanced),
		cmocka_unit_test(test_limits),	   cmocka_unit_test(test_given_limits),
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
