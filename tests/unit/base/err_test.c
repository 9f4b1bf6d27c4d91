/*
 * Tests of base/err.c and of the checked sizes in base/base.h.
 */
#include "unit.h"

static void every_error_has_its_own_text(void **state)
{
	for (int i = 0; i < ERR_COUNT; i++) {
		assert_true(strlen(err_text((enum err)i)) > 0);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(err_text((enum err)i), err_text((enum err)j));
	}
}

static void unknown_errors_have_a_text(void **state)
{
	assert_string_equal(err_text(ERR_COUNT), "unknown error");
	assert_string_equal(err_text((enum err) - 1), "unknown error");
	assert_string_equal(err_text((enum err)99999), "unknown error");
}

static void sums_are_checked(void **state)
{
	size_t sum = 7;

	assert_true(size_add(SIZE_MAX - 1, 1, &sum));
	assert_true(sum == SIZE_MAX);
	sum = 7;
	assert_false(size_add(SIZE_MAX, 1, &sum));
	assert_true(sum == 7);
}

static void products_are_checked(void **state)
{
	size_t product = 7;

	assert_true(size_mul(SIZE_MAX / 3, 3, &product));
	assert_true(product == SIZE_MAX);
	product = 7;
	assert_false(size_mul(SIZE_MAX / 2 + 1, 2, &product));
	assert_true(product == 7);
}

static void smaller_and_larger(void **state)
{
	assert_int_equal(size_min(2, 3), 2);
	assert_int_equal(size_min(3, 2), 2);
	assert_int_equal(size_max(2, 3), 3);
	assert_int_equal(size_max(3, 2), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_error_has_its_own_text),
		cmocka_unit_test(unknown_errors_have_a_text),
		cmocka_unit_test(sums_are_checked),
		cmocka_unit_test(products_are_checked),
		cmocka_unit_test(smaller_and_larger),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
