/*
 * Tests of base/map.c.
 */
#include "unit.h"

#include "base/map.h"

static const uint8_t secret[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };

/* From the paper of SipHash (Aumasson and Bernstein, 2012), appendix A, and its test vectors. */
static void siphash_of_the_paper(void **state)
{
	char bytes[15];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)i;
	assert_true(siphash(secret, view_of(bytes, 15)) == 0xa129ca6149be45e5);
	assert_true(siphash(secret, VIEW_EMPTY) == 0x726fdb47dd0e0e31);
	assert_true(siphash(secret, view_of(bytes, 1)) == 0x74f839c593dc67fd);
	assert_true(siphash(secret, view_of(bytes, 8)) == 0x93f5f5799a932462);
}

static void put_get_replace_remove(void **state)
{
	struct map CLEANUP(map_done) m;
	int one, two;

	map_init(&m, 10, secret);
	assert_null(map_get(&m, VIEW("a")));
	assert_null(map_remove(&m, VIEW("a")));
	assert_int_equal(map_put(&m, VIEW("a"), &one), OK);
	assert_int_equal(map_put(&m, VIEW("a\0"), &two), OK);
	assert_int_equal(map_put(&m, VIEW_EMPTY, &two), OK);
	assert_ptr_equal(map_get(&m, VIEW("a")), &one);
	assert_ptr_equal(map_get(&m, VIEW("a\0")), &two);
	assert_ptr_equal(map_get(&m, VIEW("")), &two);
	assert_int_equal(map_put(&m, VIEW("a"), &two), OK);
	assert_int_equal(m.n, 3);
	assert_ptr_equal(map_remove(&m, VIEW("a")), &two);
	assert_null(map_get(&m, VIEW("a")));
	assert_null(map_remove(&m, VIEW("a")));
	assert_int_equal(m.n, 2);
}

static void limit_at_and_past(void **state)
{
	struct map CLEANUP(map_done) m;
	int value;

	map_init(&m, 2, secret);
	assert_int_equal(map_put(&m, VIEW("a"), &value), OK);
	assert_int_equal(map_put(&m, VIEW("b"), &value), OK);
	assert_int_equal(map_put(&m, VIEW("c"), &value), ERR_LIMIT);
	assert_null(map_get(&m, VIEW("c")));
	assert_int_equal(map_put(&m, VIEW("a"), NULL), OK);
	assert_null(map_remove(&m, VIEW("a")));
	assert_int_equal(map_put(&m, VIEW("c"), &value), OK);
}

/* Compared after each step with a plain array; long runs and wrap-around occur by themselves. */
static void agrees_with_an_array(void **state)
{
	enum { KEYS = 64, STEPS = 20000 };
	struct map CLEANUP(map_done) m;
	bool present[KEYS] = { false };
	int values[KEYS];
	size_t n = 0;
	uint32_t random = 1;

	map_init(&m, KEYS, secret);
	for (int step = 0; step < STEPS; step++) {
		random = random * 1664525 + 1013904223;

		uint64_t key = random >> 16 & (KEYS - 1);

		if (random >> 30 & 1) {
			assert_int_equal(map_put(&m, map_key_u64(&key), &values[key]), OK);
			n += !present[key];
			present[key] = true;
		} else {
			void *removed = map_remove(&m, map_key_u64(&key));

			assert_ptr_equal(removed, present[key] ? &values[key] : NULL);
			n -= present[key];
			present[key] = false;
		}
		assert_int_equal(m.n, n);
		assert_true(m.n <= m.cap / 4 * 3);
		for (key = 0; key < KEYS; key++) {
			void *got = map_get(&m, map_key_u64(&key));

			assert_ptr_equal(got, present[key] ? &values[key] : NULL);
		}
	}
}

static void walking_meets_each_once(void **state)
{
	struct map CLEANUP(map_done) m;
	int seen[100] = { 0 };
	size_t at = 0, n = 0;
	struct view key = VIEW("untouched");
	void *value = &n;

	map_init(&m, 100, secret);
	assert_false(map_next(&m, &at, &key, &value));
	assert_view(key, "untouched");
	assert_ptr_equal(value, &n);
	for (uint64_t i = 0; i < 100; i++)
		assert_int_equal(map_put(&m, map_key_u64(&i), &seen[i]), OK);
	for (at = 0; map_next(&m, &at, &key, &value); n++) {
		assert_int_equal(key.n, 8);
		++*(int *)value;
	}
	assert_int_equal(n, 100);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(seen[i], 1);
}

static void keys_are_copied(void **state)
{
	struct map CLEANUP(map_done) m;
	char key[] = "abc";
	int value;

	map_init(&m, 10, secret);
	assert_int_equal(map_put(&m, view_str(key), &value), OK);
	key[0] = 'x';
	assert_ptr_equal(map_get(&m, VIEW("abc")), &value);
	assert_null(map_get(&m, VIEW("xbc")));
	map_done(&m);
	assert_null(map_get(&m, VIEW("abc")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siphash_of_the_paper),	   cmocka_unit_test(put_get_replace_remove),
		cmocka_unit_test(limit_at_and_past),	   cmocka_unit_test(agrees_with_an_array),
		cmocka_unit_test(walking_meets_each_once), cmocka_unit_test(keys_are_copied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
