/*
 * Tests of base/buf.c.
 */
#include "unit.h"

#include "base/buf.h"

static void adding(void **state)
{
	struct buf CLEANUP(buf_done) b = BUF_INIT(1000);

	buf_add(&b, VIEW("ab"));
	buf_add(&b, VIEW_EMPTY);
	buf_add_char(&b, '\0');
	buf_add_fill(&b, 'x', 3);
	buf_add_fill(&b, 'y', 0);
	buf_add_str(&b, "cd");
	buf_add_lower(&b, VIEW("EF1"));
	assert_view(buf_view(&b), "ab\0xxxcdef1");
	assert_int_equal(buf_err(&b), OK);
}

static void numbers(void **state)
{
	struct buf CLEANUP(buf_done) b = BUF_INIT(1000);

	buf_add_u64(&b, 0);
	buf_add_char(&b, ' ');
	buf_add_u64(&b, UINT64_MAX);
	buf_add_char(&b, ' ');
	buf_add_i64(&b, INT64_MIN);
	buf_add_char(&b, ' ');
	buf_add_i64(&b, -1);
	buf_add_i64(&b, INT64_MAX);
	assert_view(buf_view(&b),
		    "0 18446744073709551615 -9223372036854775808 -19223372036854775807");
}

static void formats(void **state)
{
	struct buf CLEANUP(buf_done) b = BUF_INIT(5);

	buf_addf(&b, "%d-%s", 12, "ab");
	assert_view(buf_view(&b), "12-ab");
	assert_int_equal(buf_err(&b), OK);
	buf_addf(&b, "%s", "");
	assert_int_equal(buf_err(&b), OK);
	buf_addf(&b, "%d", 1);
	assert_int_equal(buf_err(&b), ERR_LIMIT);
	assert_view(buf_view(&b), "12-ab");
}

static void limit_at_and_past(void **state)
{
	struct buf CLEANUP(buf_done) b = BUF_INIT(4);

	buf_add(&b, VIEW("abcd"));
	assert_int_equal(buf_err(&b), OK);
	assert_int_equal(buf_left(&b), 0);
	buf_add_char(&b, 'e');
	assert_int_equal(buf_err(&b), ERR_LIMIT);
	assert_view(buf_view(&b), "abcd");
	buf_clear(&b);
	assert_int_equal(buf_err(&b), OK);
	buf_add(&b, VIEW("abcde"));
	assert_int_equal(buf_err(&b), ERR_LIMIT);
	assert_view(buf_view(&b), "");
}

static void first_error_sticks(void **state)
{
	struct buf CLEANUP(buf_done) b = BUF_INIT(3);

	buf_add(&b, VIEW("ab"));
	buf_add(&b, VIEW("cd"));
	buf_add_char(&b, 'c');
	buf_add_fill(&b, 'c', 1);
	buf_addf(&b, "c");
	buf_add_i64(&b, -1);
	buf_add_lower(&b, VIEW("C"));
	assert_null(buf_room(&b, 0));
	assert_view(buf_view(&b), "ab");
	assert_int_equal(buf_err(&b), ERR_LIMIT);
	assert_string_equal(buf_cstr(&b), "");
}

static void sign_and_digits_stay_together(void **state)
{
	struct buf CLEANUP(buf_done) b = BUF_INIT(1);

	buf_add_i64(&b, -1);
	assert_view(buf_view(&b), "");
	assert_int_equal(buf_err(&b), ERR_LIMIT);
}

static void room_is_counted_by_the_caller(void **state)
{
	struct buf CLEANUP(buf_done) b = BUF_INIT(100);
	char *room = buf_room(&b, 100);

	assert_non_null(room);
	memset(room, 'z', 100);
	assert_int_equal(b.n, 0);
	buf_added(&b, 2);
	assert_view(buf_view(&b), "zz");
	assert_non_null(buf_room(&b, 0));
	assert_null(buf_room(&b, 99));
	assert_int_equal(buf_err(&b), ERR_LIMIT);
}

static void memory_stays_below_max(void **state)
{
	struct buf CLEANUP(buf_done) b = BUF_INIT(1000);

	for (size_t i = 0; i < 1000; i++) {
		buf_add_char(&b, 'a');
		assert_true(b.cap <= 1000);
	}
	assert_int_equal(buf_err(&b), OK);
	assert_int_equal(strlen(buf_cstr(&b)), 1000);
	assert_int_equal(b.n, 1000);
	assert_int_equal(buf_err(&b), OK);
}

static void a_part_of_itself_may_be_added(void **state)
{
	struct buf CLEANUP(buf_done) b = BUF_INIT(10000);

	buf_add_str(&b, "0123456789");
	for (size_t i = 0; i < 9; i++)
		buf_add(&b, buf_view(&b));
	assert_int_equal(b.n, 5120);
	for (size_t i = 0; i < b.n; i++)
		assert_int_equal(b.p[i], '0' + (int)(i % 10));
}

static void consume_and_truncate(void **state)
{
	struct buf CLEANUP(buf_done) b = BUF_INIT(100);

	buf_consume(&b, 0);
	buf_add_str(&b, "abcdef");
	buf_consume(&b, 2);
	assert_view(buf_view(&b), "cdef");
	buf_truncate(&b, 3);
	assert_view(buf_view(&b), "cde");
	buf_truncate(&b, 30);
	assert_view(buf_view(&b), "cde");
	buf_consume(&b, 3);
	assert_view(buf_view(&b), "");
}

static void wiping_leaves_zeros(void **state)
{
	struct buf CLEANUP(buf_done) b = BUF_INIT(100);

	buf_wipe(&b);
	buf_add_str(&b, "secret");
	buf_truncate(&b, 2);
	buf_wipe(&b);
	assert_int_equal(b.n, 0);
	for (size_t i = 0; i < b.cap; i++)
		assert_int_equal(b.p[i], 0);
}

static void trimming_keeps_what_is_in_use(void **state)
{
	struct buf CLEANUP(buf_done) b = BUF_INIT(10000);

	buf_add_fill(&b, 'a', 5000);
	buf_trim(&b, 100);
	assert_int_equal(b.n, 5000);
	buf_clear(&b);
	buf_trim(&b, 10000);
	assert_non_null(b.p);
	buf_trim(&b, 100);
	assert_null(b.p);
	assert_int_equal(b.cap, 0);
	buf_add_str(&b, "again");
	assert_view(buf_view(&b), "again");
}

static void done_is_as_after_init(void **state)
{
	struct buf b;

	buf_init(&b, 3);
	buf_add_str(&b, "abcd");
	buf_done(&b);
	assert_int_equal(buf_err(&b), OK);
	assert_int_equal(buf_left(&b), 3);
	assert_string_equal(buf_cstr(&b), "");
	buf_done(&b);
}

static void nothing_fits_in_nothing(void **state)
{
	struct buf CLEANUP(buf_done) b = BUF_INIT(0);

	assert_non_null(buf_room(&b, 0));
	buf_add(&b, VIEW_EMPTY);
	assert_int_equal(buf_err(&b), OK);
	buf_add_char(&b, 'a');
	assert_int_equal(buf_err(&b), ERR_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adding),
		cmocka_unit_test(numbers),
		cmocka_unit_test(formats),
		cmocka_unit_test(limit_at_and_past),
		cmocka_unit_test(first_error_sticks),
		cmocka_unit_test(sign_and_digits_stay_together),
		cmocka_unit_test(room_is_counted_by_the_caller),
		cmocka_unit_test(memory_stays_below_max),
		cmocka_unit_test(a_part_of_itself_may_be_added),
		cmocka_unit_test(consume_and_truncate),
		cmocka_unit_test(wiping_leaves_zeros),
		cmocka_unit_test(trimming_keeps_what_is_in_use),
		cmocka_unit_test(done_is_as_after_init),
		cmocka_unit_test(nothing_fits_in_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
