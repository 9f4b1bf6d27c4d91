/* Tests of policy/lru.h. */
#include "unit.h"

#include "policy/lru.h"

struct item {
	struct lru_node node;
	int number;
};

static const uint8_t secret[16] = "0123456789abcde";

static void add(struct lru *l, const char *key, int number)
{
	struct item *item = calloc(1, sizeof(*item));

	assert_non_null(item);
	item->number = number;
	assert_int_equal(lru_add(l, &item->node, view_str(key)), OK);
}

static void test_forgets_what_was_not_used_for_longest(void **state)
{
	struct lru l;

	(void)state;
	lru_init(&l, 3, secret);
	add(&l, "a", 1);
	add(&l, "b", 2);
	add(&l, "c", 3);
	assert_int_equal(lru_count(&l), 3);
	assert_int_equal(((struct item *)lru_get(&l, VIEW("a")))->number, 1);
	add(&l, "d", 4);
	assert_int_equal(lru_count(&l), 3);
	assert_null(lru_get(&l, VIEW("b")));
	assert_non_null(lru_get(&l, VIEW("a")));
	assert_non_null(lru_get(&l, VIEW("c")));
	assert_non_null(lru_get(&l, VIEW("d")));
	lru_done(&l);
}

static void test_remove_from_all_places(void **state)
{
	struct lru l;

	(void)state;
	for (int which = 0; which < 3; which++) {
		static const char *const keys[] = { "a", "b", "c" };

		lru_init(&l, 3, secret);
		for (int i = 0; i < 3; i++)
			add(&l, keys[i], i);
		lru_remove(&l, lru_get(&l, view_str(keys[which])));
		assert_int_equal(lru_count(&l), 2);
		for (int i = 0; i < 3; i++)
			assert_int_equal(lru_get(&l, view_str(keys[i])) != NULL, i != which);
		add(&l, "d", 4);
		assert_int_equal(lru_count(&l), 3);
		lru_clear(&l);
		assert_int_equal(lru_count(&l), 0);
		assert_null(lru_newest(&l));
		lru_done(&l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forgets_what_was_not_used_for_longest),
		cmocka_unit_test(test_remove_from_all_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
