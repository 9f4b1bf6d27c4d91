/* Tests of remembered passwords. */
#include "unit.h"

#include <sodium.h>

#include "verified.h"

static const uint8_t key[32] = "0123456789abcdef0123456789abcde";

static void test_exact_account_password_and_time(void **state)
{
	struct verified v;

	(void)state;
	assert_true(sodium_init() >= 0);
	verified_init(&v, key);
	verified_put(&v, 1, VIEW("secret"), 100);
	assert_true(verified_has(&v, 1, VIEW("secret"), 99));
	assert_false(verified_has(&v, 2, VIEW("secret"), 99));
	assert_false(verified_has(&v, 1, VIEW("secreT"), 99));
	assert_false(verified_has(&v, 1, VIEW("secret"), 100));
	assert_false(verified_has(&v, 1, VIEW("secret"), 99)); /* gone for good */
	verified_put(&v, 1, VIEW("secret"), 100);
	verified_put(&v, 1, VIEW("secret"), 200);
	assert_true(verified_has(&v, 1, VIEW("secret"), 150));
	verified_done(&v);
}

static void test_forget_one_account(void **state)
{
	struct verified v;

	(void)state;
	verified_init(&v, key);
	verified_put(&v, 1, VIEW("a"), 100);
	verified_put(&v, 1, VIEW("b"), 100);
	verified_put(&v, 2, VIEW("a"), 100);
	verified_forget(&v, 1);
	assert_false(verified_has(&v, 1, VIEW("a"), 0));
	assert_false(verified_has(&v, 1, VIEW("b"), 0));
	assert_true(verified_has(&v, 2, VIEW("a"), 0));
	verified_done(&v);
}

static void test_no_password_is_kept(void **state)
{
	struct verified v;

	(void)state;
	verified_init(&v, key);
	verified_put(&v, 1, VIEW("a secret that is long enough to be seen"), 100);
	assert_int_equal(lru_newest(&v.table)->key_n, 32);
	assert_null(memmem(lru_newest(&v.table)->key, 32, "secret", 6));
	verified_done(&v);
}

static void test_bounded(void **state)
{
	struct verified v;
	char text[16];

	(void)state;
	verified_init(&v, key);
	for (int i = 0; i <= VERIFIED_MAX; i++) {
		(void)snprintf(text, sizeof(text), "%d", i);
		verified_put(&v, 1, view_str(text), 100);
	}
	assert_int_equal(lru_count(&v.table), VERIFIED_MAX);
	assert_false(verified_has(&v, 1, VIEW("0"), 0));
	assert_true(verified_has(&v, 1, VIEW("1"), 0));
	verified_done(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact_account_password_and_time),
		cmocka_unit_test(test_forget_one_account),
		cmocka_unit_test(test_no_password_is_kept),
		cmocka_unit_test(test_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
