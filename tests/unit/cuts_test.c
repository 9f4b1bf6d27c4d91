/*
 * Tests of cuts.h, on which the tests of the parsers rest.
 */
#include "cuts.h"

#include "base/buf.h"

/* All pieces, each behind a '|'. */
static void check(struct cuts c, const char *want)
{
	struct buf CLEANUP(buf_done) got = BUF_INIT(1000);

	while (cuts_next(&c)) {
		buf_add_char(&got, '|');
		buf_add(&got, c.piece);
	}
	assert_string_equal(buf_cstr(&got), want);
	assert_null(c.piece.p);
}

static void test_heads(void **state)
{
	(void)state;
	check(cuts_heads(VIEW("abc")), "||a|ab|abc");
	check(cuts_heads(VIEW("")), "|");
	check(cuts_short_heads(VIEW("abc")), "||a|ab");
	check(cuts_short_heads(VIEW("a")), "|");
}

static void test_parts(void **state)
{
	(void)state;
	check(cuts_parts(VIEW("abc")), "||a|ab|abc||b|bc||c|");
	check(cuts_parts(VIEW("")), "|");
}

static void test_steps(void **state)
{
	(void)state;
	check(cuts_steps(VIEW("abcde"), 1), "|a|b|c|d|e");
	check(cuts_steps(VIEW("abcde"), 2), "|ab|cd|e");
	check(cuts_steps(VIEW("abcde"), 5), "|abcde");
	check(cuts_steps(VIEW("abcde"), 9), "|abcde");
	check(cuts_steps(VIEW(""), 1), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heads),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
