/*
 * tests/unit/oom/base_test.c: buffers, maps, arenas and vectors when memory is short: the error is told, what
 * was there stays, and they can be used again.
 */
#include "oom.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/num.h"
#include "base/vec.h"

enum { KEYS = 200, ITEMS = 300 };

static bool buf_adds(size_t nth, enum oom_mode mode)
{
	static const char text[] = "0123456789abcdef";
	struct buf b = BUF_INIT(100000);
	size_t whole = 0;
	bool failed;

	oom_arm(nth, mode);
	for (int i = 0; i < 60; i++) {
		buf_add(&b, VIEW("0123456789abcdef"));
		if (buf_err(&b))
			break;
		whole = b.n;
		buf_addf(&b, "%s", text);
		if (buf_err(&b))
			break;
		whole = b.n;
		buf_add_fill(&b, 'x', 0);
	}
	failed = oom_disarm();
	/* All that was added before the failure, and nothing of what failed. */
	assert_int_equal(b.n, whole);
	assert_int_equal(b.n % 16, 0);
	for (size_t i = 0; i < b.n; i++)
		assert_int_equal(b.p[i], text[i % 16]);
	assert_int_equal(buf_err(&b), failed ? ERR_NOMEM : OK);
	if (failed) { /* it sticks, also now that there is memory */
		buf_add_char(&b, 'x');
		buf_add_u64(&b, 1);
		assert_int_equal(b.n, whole);
		assert_string_equal(buf_cstr(&b), "");
	}
	buf_clear(&b);
	buf_add_str(&b, "again");
	assert_string_equal(buf_cstr(&b), "again");
	buf_done(&b);
	return failed;
}

static bool buf_terminates(size_t nth, enum oom_mode mode)
{
	struct buf b = BUF_INIT(100);
	bool failed;
	const char *text;

	buf_add_fill(&b, 'x', 64); /* the first allocation is full */
	oom_arm(nth, mode);
	text = buf_cstr(&b);
	failed = oom_disarm();
	assert_int_equal(strlen(text), failed ? 0 : 64);
	assert_int_equal(b.n, 64);
	buf_done(&b);
	return failed;
}

static bool map_puts(size_t nth, enum oom_mode mode)
{
	static const uint8_t secret[16] = { 1 };
	enum err errs[KEYS];
	struct map m;
	bool failed;

	map_init(&m, KEYS, secret);
	oom_arm(nth, mode);
	for (uint64_t i = 0; i < KEYS; i++)
		errs[i] = map_put(&m, map_key_u64(&i), &errs[i]);
	failed = oom_disarm();
	for (uint64_t i = 0; i < KEYS; i++) {
		assert_true(errs[i] == OK || errs[i] == ERR_NOMEM);
		assert_ptr_equal(map_get(&m, map_key_u64(&i)), errs[i] ? NULL : &errs[i]);
		if (errs[i])
			assert_int_equal(map_put(&m, map_key_u64(&i), &errs[i]), OK);
	}
	assert_int_equal(m.n, KEYS);
	for (uint64_t i = 0; i < KEYS; i++)
		assert_ptr_equal(map_remove(&m, map_key_u64(&i)), &errs[i]);
	map_done(&m);
	return failed;
}

static bool arena_allocates(size_t nth, enum oom_mode mode)
{
	struct arena a;
	size_t before = 0;
	bool failed;

	arena_init(&a, 1000000);
	oom_arm(nth, mode);
	for (size_t i = 1; i < 300; i++) {
		struct view copy;
		char *p = arena_alloc_array(&a, i, 7);

		if (!p)
			assert_int_equal(a.used, before);
		else
			memset(p, 'x', i * 7);
		before = a.used;
		copy = arena_copy(&a, VIEW("some text"));
		assert_true(view_eq(copy, VIEW("some text")) || (!copy.p && !copy.n));
		before = a.used;
	}
	failed = oom_disarm();
	assert_non_null(arena_alloc(&a, 5000));
	arena_clear(&a);
	assert_non_null(arena_alloc(&a, 5000));
	arena_done(&a);
	return failed;
}

static bool vec_pushes(size_t nth, enum oom_mode mode)
{
	VEC(size_t) v = VEC_INIT(ITEMS);
	bool failed;

	oom_arm(nth, mode);
	for (size_t i = 0; i < ITEMS; i++)
		if (!VEC_PUSH(&v, i))
			break;
	failed = oom_disarm();
	assert_true(failed ? v.n < ITEMS : v.n == ITEMS);
	for (size_t i = 0; i < v.n; i++)
		assert_int_equal(v.at[i], i);
	while (v.n < ITEMS)
		assert_true(VEC_PUSH(&v, (size_t)8));
	VEC_DONE(&v);
	return failed;
}

static bool text_copies(size_t nth, enum oom_mode mode)
{
	char *text;
	bool failed;

	oom_arm(nth, mode);
	text = view_to_cstr(VIEW("a name"));
	failed = oom_disarm();
	assert_int_equal(text == NULL, failed);
	free(text);
	return failed;
}

static void buffers(void **state)
{
	oom_each("buf", buf_adds, 5);
	oom_each("buf_cstr", buf_terminates, 1);
}

static void maps(void **state)
{
	oom_each("map", map_puts, KEYS);
}

static void arenas(void **state)
{
	oom_each("arena", arena_allocates, 5);
}

static void vectors(void **state)
{
	oom_each("vec", vec_pushes, 5);
	oom_each("view_to_cstr", text_copies, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buffers),
		cmocka_unit_test(maps),
		cmocka_unit_test(arenas),
		cmocka_unit_test(vectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
