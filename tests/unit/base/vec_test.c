/*
 * Tests of base/vec.c and the macros of base/vec.h.
 */
#include "unit.h"

#include "base/vec.h"

struct row {
	int number;
	char text[20];
};

static void items_keep_their_order(void **state)
{
	VEC(struct row) rows = VEC_INIT(1000);

	for (int i = 0; i < 1000; i++) {
		struct row row = { .number = i };

		assert_true(VEC_PUSH(&rows, row));
		assert_true(rows.cap <= 1000);
	}
	for (int i = 0; i < 1000; i++)
		assert_int_equal(rows.at[i].number, i);
	VEC_DONE(&rows);
	assert_null(rows.at);
	assert_int_equal(rows.n, 0);
}

static void limit_at_and_past(void **state)
{
	VEC(int) numbers = VEC_INIT(3);

	assert_true(VEC_PUSH(&numbers, 1));
	assert_true(VEC_PUSH(&numbers, 2));
	assert_true(VEC_PUSH(&numbers, 3));
	assert_false(VEC_PUSH(&numbers, 4));
	assert_int_equal(numbers.n, 3);
	assert_int_equal(numbers.at[2], 3);
	VEC_DONE(&numbers);
}

static void nothing_fits_in_nothing(void **state)
{
	VEC(int) numbers = VEC_INIT(0);

	assert_false(VEC_PUSH(&numbers, 1));
	assert_null(numbers.at);
	VEC_DONE(&numbers);
}

static void a_failed_growth_changes_nothing(void **state)
{
	void *at = NULL;
	size_t cap = 0;

	assert_false(vec_grow(&at, SIZE_MAX - 1, &cap, SIZE_MAX, 1));
	assert_false(vec_grow(&at, SIZE_MAX / 4, &cap, SIZE_MAX, 8));
	assert_null(at);
	assert_int_equal(cap, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(items_keep_their_order),
		cmocka_unit_test(limit_at_and_past),
		cmocka_unit_test(nothing_fits_in_nothing),
		cmocka_unit_test(a_failed_growth_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
