/* Tests of policy/rate.h. */
#include "unit.h"

#include "policy/rate.h"

static const uint8_t secret[16] = "0123456789abcde";
enum { HOUR_MS = 3600000 };

static enum err take(struct rate *r, const char *key, int64_t now)
{
	int64_t wait = (int64_t)CANARY;
	enum err err = rate_take(r, view_str(key), 100, HOUR_MS, now, &wait);

	if (err == ERR_LIMIT)
		assert_in_range(wait, 1, HOUR_MS);
	else
		assert_true(wait == (int64_t)CANARY);
	return err;
}

static void test_limit_at_once_then_evenly(void **state)
{
	struct rate r;

	(void)state;
	rate_init(&r, 10, secret);
	for (int i = 0; i < 100; i++)
		assert_int_equal(take(&r, "a", 0), OK);
	assert_int_equal(take(&r, "a", 0), ERR_LIMIT);
	assert_int_equal(take(&r, "b", 0), OK);
	assert_int_equal(take(&r, "a", 35999), ERR_LIMIT);
	assert_int_equal(take(&r, "a", 36000), OK);
	assert_int_equal(take(&r, "a", 36000), ERR_LIMIT);
	for (int i = 0; i < 100; i++)
		assert_int_equal(take(&r, "a", 2 * HOUR_MS), OK);
	assert_int_equal(take(&r, "a", 2 * HOUR_MS), ERR_LIMIT);
	rate_done(&r);
}

static void test_wait_is_when_the_next_is_free(void **state)
{
	struct rate r;
	int64_t wait = 0;

	(void)state;
	rate_init(&r, 10, secret);
	for (int i = 0; i < 3; i++)
		assert_int_equal(rate_take(&r, VIEW("k"), 3, 3000, 500, &wait), OK);
	assert_int_equal(rate_take(&r, VIEW("k"), 3, 3000, 500, &wait), ERR_LIMIT);
	assert_int_equal(wait, 1000);
	assert_int_equal(rate_take(&r, VIEW("k"), 3, 3000, 500 + wait - 1, &wait), ERR_LIMIT);
	assert_int_equal(rate_take(&r, VIEW("k"), 3, 3000, 500 + 1000, &wait), OK);
	rate_done(&r);
}

static void test_many_keys_are_forgotten_oldest_first(void **state)
{
	struct rate r;

	(void)state;
	rate_init(&r, 2, secret);
	for (int i = 0; i < 100; i++)
		assert_int_equal(take(&r, "a", 0), OK);
	assert_int_equal(take(&r, "b", 0), OK);
	assert_int_equal(take(&r, "a", 0), ERR_LIMIT);
	assert_int_equal(take(&r, "c", 0), OK); /* b is forgotten */
	assert_int_equal(take(&r, "a", 0), ERR_LIMIT);
	assert_int_equal(lru_count(&r.keys), 2);
	rate_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limit_at_once_then_evenly),
		cmocka_unit_test(test_wait_is_when_the_next_is_free),
		cmocka_unit_test(test_many_keys_are_forgotten_oldest_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
