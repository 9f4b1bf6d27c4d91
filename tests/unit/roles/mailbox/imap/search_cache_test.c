/*
 * Tests of roles/mailbox/imap/search_cache.c: what is kept, at its limits and past them.
 */
#include "unit.h"

#include "roles/mailbox/imap/search_cache.h"

static void keeps_and_forgets(void **state)
{
	struct search_cache c;
	struct view v;
	int64_t sent;

	search_cache_init(&c);
	assert_false(search_cache_get(&c, 1, &v, &sent));
	for (uint64_t i = 1; i <= 5000; i++) {
		char text[24];
		int n = snprintf(text, sizeof(text), "column %llu", (unsigned long long)i);

		search_cache_add(&c, i, view_of(text, (size_t)n), (int64_t)i * 7);
	}
	search_cache_add(&c, 17, VIEW("another"), 1); /* the first stays */
	search_cache_add(&c, 0, VIEW("no blob"), 1);
	assert_int_equal(c.n, 5000);
	assert_true(search_cache_get(&c, 17, &v, &sent));
	assert_true(view_eq(v, VIEW("column 17")));
	assert_int_equal(sent, 17 * 7);
	assert_false(search_cache_get(&c, 5001, &v, &sent));
	search_cache_clear(&c);
	assert_false(search_cache_get(&c, 17, &v, &sent));
	search_cache_add(&c, 17, VIEW("again"), 1);
	assert_true(search_cache_get(&c, 17, &v, &sent));
	search_cache_clear(&c);
}

static void limit_of_text(void **state)
{
	struct search_cache c;
	struct buf CLEANUP(buf_done) big = BUF_INIT(SEARCH_CACHE_TEXT_MAX);
	struct view v;
	int64_t sent;

	search_cache_init(&c);
	buf_add_fill(&big, 'x', SEARCH_CACHE_TEXT_MAX - 1);
	search_cache_add(&c, 1, buf_view(&big), 0);
	search_cache_add(&c, 2, VIEW("xx"), 0); /* one past it */
	assert_false(search_cache_get(&c, 2, &v, &sent));
	search_cache_add(&c, 3, VIEW("x"), 0); /* at it */
	assert_true(search_cache_get(&c, 3, &v, &sent));
	assert_true(search_cache_get(&c, 1, &v, &sent));
	assert_int_equal(v.n, SEARCH_CACHE_TEXT_MAX - 1);
	search_cache_clear(&c);
}

static void limit_of_slots(void **state)
{
	const uint64_t max = SEARCH_CACHE_SLOTS_MAX / 4 * 3;
	struct search_cache c;
	struct view v;
	int64_t sent;

	search_cache_init(&c);
	for (uint64_t i = 1; i <= max + 1; i++)
		search_cache_add(&c, i << 20, VIEW("x"), 0);
	assert_int_equal(c.n, max);
	assert_true(search_cache_get(&c, max << 20, &v, &sent));
	assert_false(search_cache_get(&c, (max + 1) << 20, &v, &sent));
	search_cache_clear(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_and_forgets),
		cmocka_unit_test(limit_of_text),
		cmocka_unit_test(limit_of_slots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
