/*
 * Tests of base/arena.c.
 */
#include "unit.h"

#include <stdalign.h>

#include "base/arena.h"

static void memory_is_zero_and_aligned(void **state)
{
	struct arena CLEANUP(arena_done) a;

	arena_init(&a, 1 << 20);
	for (size_t size = 0; size < 300; size++) {
		char *p = arena_alloc(&a, size);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % alignof(max_align_t), 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xaa, size);
	}
}

static void allocations_do_not_overlap(void **state)
{
	struct arena CLEANUP(arena_done) a;
	uint8_t *parts[200];

	arena_init(&a, 1 << 20);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		parts[i] = arena_alloc(&a, i * 7 + 1);
		assert_non_null(parts[i]);
		memset(parts[i], (int)i, i * 7 + 1);
	}
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		for (size_t j = 0; j < i * 7 + 1; j++)
			assert_int_equal(parts[i][j], i);
	}
}

static void limit_at_and_past(void **state)
{
	struct arena CLEANUP(arena_done) a;

	arena_init(&a, 64);
	assert_non_null(arena_alloc(&a, 48));
	assert_null(arena_alloc(&a, 17));
	assert_non_null(arena_alloc(&a, 16));
	assert_null(arena_alloc(&a, 1));
	assert_null(arena_alloc(&a, 0));
	assert_int_equal(a.used, 64);
}

static void large_pieces_get_their_own_block(void **state)
{
	struct arena CLEANUP(arena_done) a;

	arena_init(&a, 4 << 20);
	assert_non_null(arena_alloc(&a, 10));

	char *p = arena_alloc(&a, 1 << 20);

	assert_non_null(p);
	memset(p, 1, 1 << 20);
	assert_non_null(arena_alloc(&a, 10));
}

static void overflow_is_refused(void **state)
{
	struct arena CLEANUP(arena_done) a;

	arena_init(&a, SIZE_MAX);
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_null(arena_alloc_array(&a, SIZE_MAX / 2, 3));
	assert_int_equal(a.used, 0);
	assert_non_null(arena_alloc_array(&a, 3, 5));
}

static void clearing_gives_zeroed_memory_again(void **state)
{
	struct arena CLEANUP(arena_done) a;

	arena_init(&a, 1 << 16);
	arena_clear(&a);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 100; i++) {
			uint8_t *p = arena_alloc(&a, 100);

			assert_non_null(p);
			for (size_t j = 0; j < 100; j++)
				assert_int_equal(p[j], 0);
			memset(p, 0xff, 100);
		}
		arena_clear(&a);
		assert_int_equal(a.used, 0);
	}
}

static void copies(void **state)
{
	struct arena CLEANUP(arena_done) a;

	arena_init(&a, 16);

	struct view copy = arena_copy(&a, VIEW("a\0b"));

	assert_view(copy, "a\0b");
	assert_int_equal(arena_copy(&a, VIEW_EMPTY).n, 0);
	copy = arena_copy(&a, VIEW("c"));
	assert_null(copy.p);
	assert_int_equal(copy.n, 0);
}

static void done_can_be_repeated(void **state)
{
	struct arena a;

	arena_init(&a, 100);
	assert_non_null(ARENA_NEW(&a, uint64_t));
	assert_non_null(ARENA_ARRAY(&a, uint64_t, 3));
	arena_done(&a);
	assert_int_equal(a.used, 0);
	assert_non_null(ARENA_NEW(&a, uint64_t));
	arena_done(&a);
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_zero_and_aligned),
		cmocka_unit_test(allocations_do_not_overlap),
		cmocka_unit_test(limit_at_and_past),
		cmocka_unit_test(large_pieces_get_their_own_block),
		cmocka_unit_test(overflow_is_refused),
		cmocka_unit_test(clearing_gives_zeroed_memory_again),
		cmocka_unit_test(copies),
		cmocka_unit_test(done_can_be_repeated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
