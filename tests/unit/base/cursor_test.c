/*
 * Tests of base/cursor.c.
 */
#include "unit.h"

#include "base/ascii.h"
#include "base/cursor.h"

static void a_straight_line(void **state)
{
	struct cursor c = cursor_init(VIEW("Size=42 (abc)"));

	assert_true(cursor_skip_nocase(&c, VIEW("SIZE")));
	cursor_char(&c, '=');
	assert_int_equal(cursor_u64(&c, 42), 42);
	cursor_space(&c);
	assert_true(cursor_skip_char(&c, '('));
	assert_false(cursor_skip_char(&c, '('));
	assert_int_equal(cursor_peek(&c), 'a');
	assert_view(cursor_span(&c, ascii_is_alpha, 3), "abc");
	assert_int_equal(cursor_byte(&c), ')');
	cursor_end(&c);
	assert_int_equal(c.err, OK);
	assert_true(cursor_at_end(&c));
	assert_int_equal(cursor_peek(&c), -1);
}

static void nothing_happens_after_an_error(void **state)
{
	struct cursor c = cursor_init(VIEW("a 1 bc"));

	cursor_char(&c, 'b');
	assert_int_equal(c.err, ERR_SYNTAX);
	cursor_fail(&c, ERR_LIMIT);
	assert_int_equal(c.err, ERR_SYNTAX);
	assert_int_equal(cursor_byte(&c), 0);
	assert_false(cursor_skip_char(&c, 'a'));
	assert_false(cursor_skip_nocase(&c, VIEW("A")));
	assert_false(cursor_skip_nocase(&c, VIEW("")));
	assert_int_equal(cursor_span(&c, ascii_is_alpha, 9).n, 0);
	assert_int_equal(cursor_span_any(&c, ascii_is_alpha, 9).n, 0);
	assert_int_equal(cursor_take(&c, 1).n, 0);
	assert_int_equal(cursor_u64(&c, 9), 0);
	assert_int_equal(cursor_rest(&c).n, 0);
	assert_int_equal(cursor_peek(&c), -1);
	assert_true(cursor_at_end(&c));
	cursor_end(&c);
	assert_int_equal(c.err, ERR_SYNTAX);
	assert_int_equal(c.at, 0);
}

static void spans_have_a_limit(void **state)
{
	struct cursor c = cursor_init(VIEW("abcd1"));

	assert_view(cursor_span(&c, ascii_is_alpha, 4), "abcd");
	assert_int_equal(c.err, OK);
	assert_int_equal(cursor_span_any(&c, ascii_is_alpha, 4).n, 0);
	assert_int_equal(c.err, OK);
	cursor_span(&c, ascii_is_alpha, 4);
	assert_int_equal(c.err, ERR_SYNTAX);

	c = cursor_init(VIEW("abcd1"));
	assert_int_equal(cursor_span(&c, ascii_is_alpha, 3).n, 0);
	assert_int_equal(c.err, ERR_LIMIT);

	c = cursor_init(VIEW("abcd"));
	assert_int_equal(cursor_span_any(&c, ascii_is_alpha, 0).n, 0);
	assert_int_equal(c.err, ERR_LIMIT);
}

static void the_end_is_an_error_for_who_wants_more(void **state)
{
	struct cursor c = cursor_init(VIEW_EMPTY);

	assert_int_equal(cursor_byte(&c), 0);
	assert_int_equal(c.err, ERR_SYNTAX);
	c = cursor_init(VIEW("ab"));
	assert_int_equal(cursor_take(&c, 3).n, 0);
	assert_int_equal(c.err, ERR_SYNTAX);
	c = cursor_init(VIEW("ab"));
	assert_view(cursor_take(&c, 2), "ab");
	assert_int_equal(cursor_take(&c, 0).n, 0);
	assert_int_equal(c.err, OK);
	c = cursor_init(VIEW("ab"));
	cursor_end(&c);
	assert_int_equal(c.err, ERR_SYNTAX);
	c = cursor_init(VIEW("ab"));
	assert_false(cursor_skip_nocase(&c, VIEW("abc")));
	assert_int_equal(c.err, OK);
}

static uint64_t number(const char *text, uint64_t max, enum err *ret_err)
{
	struct cursor c = cursor_init(view_str(text));
	uint64_t value = cursor_u64(&c, max);

	*ret_err = c.err;
	return value;
}

static void numbers_have_a_limit(void **state)
{
	enum err err;

	assert_int_equal(number("100", 100, &err), 100);
	assert_int_equal(err, OK);
	assert_int_equal(number("101", 100, &err), 0);
	assert_int_equal(err, ERR_RANGE);
	assert_true(number("18446744073709551615", UINT64_MAX, &err) == UINT64_MAX);
	assert_int_equal(err, OK);
	number("18446744073709551616", UINT64_MAX, &err);
	assert_int_equal(err, ERR_RANGE);
	number("99999999999999999999999", UINT64_MAX, &err);
	assert_int_equal(err, ERR_RANGE);
	assert_int_equal(number("000000000000000000000000007x", 9, &err), 7);
	assert_int_equal(err, OK);
	number("x", 9, &err);
	assert_int_equal(err, ERR_SYNTAX);
	number("-1", 9, &err);
	assert_int_equal(err, ERR_SYNTAX);
	number("", 9, &err);
	assert_int_equal(err, ERR_SYNTAX);
}

static void bytes_above_127_are_bytes(void **state)
{
	struct cursor c = cursor_init(VIEW("\xff\xfe\xfd"));

	assert_int_equal(cursor_peek(&c), 0xff);
	assert_true(cursor_skip_char(&c, '\xff'));
	assert_int_equal(cursor_byte(&c), 0xfe);
	cursor_char(&c, '\xfd');
	assert_int_equal(c.err, OK);
}

static void nothing_is_read_past_the_end(void **state)
{
	char *p = tight_copy(VIEW("abc12"));

	for (size_t n = 0; n <= 5; n++) {
		struct cursor c = cursor_init(view_of(p + 5 - n, n));

		cursor_skip_nocase(&c, VIEW("ABCDEFG"));
		cursor_span_any(&c, ascii_is_alpha, 9);
		cursor_span_any(&c, ascii_is_digit, 1);
		if (!cursor_at_end(&c))
			cursor_u64(&c, 99);
		cursor_byte(&c);
	}
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_straight_line),
		cmocka_unit_test(nothing_happens_after_an_error),
		cmocka_unit_test(spans_have_a_limit),
		cmocka_unit_test(the_end_is_an_error_for_who_wants_more),
		cmocka_unit_test(numbers_have_a_limit),
		cmocka_unit_test(bytes_above_127_are_bytes),
		cmocka_unit_test(nothing_is_read_past_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
