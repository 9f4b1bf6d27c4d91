/*
 * Tests of proto/imap/set.c.
 */
#include "unit.h"

#include "proto/imap/set.h"

static void check(const char *text, uint32_t star, const char *want)
{
	struct arena a;
	struct cursor c = cursor_init(view_str(text));
	struct imap_seq seq = { 0 };
	struct imap_ranges r;
	struct buf CLEANUP(buf_done) out = BUF_INIT(1000);

	arena_init(&a, 100000);
	imap_seq_parse(&c, &a, &seq);
	cursor_end(&c);
	if (!want) {
		assert_int_not_equal(c.err, OK);
	} else {
		assert_int_equal(c.err, OK);
		assert_int_equal(imap_seq_resolve(&a, &seq, star, &r), OK);
		imap_ranges_add_text(&out, r);
		assert_string_equal(buf_cstr(&out), want);
	}
	arena_done(&a);
}

static void parse_and_resolve(void **state)
{
	check("1", 9, "1");
	check("3:1", 9, "1:3");
	check("5,1:3,4,9", 9, "1:5,9");
	check("*", 9, "9");
	check("*:4,2", 9, "2,4:9");
	check("20:*", 9, "9:20");
	check("1:*", 0, "1");
	check("*", 0, "");
	check("4294967295,1:4294967295", 9, "1:4294967295");
	check("4294967294,4294967295", 9, "4294967294:4294967295");
	check("1,1,1,2:2", 9, "1:2");
	check("0", 9, NULL);
	check("4294967296", 9, NULL);
	check("", 9, NULL);
	check("1,", 9, NULL);
	check(",1", 9, NULL);
	check("1:", 9, NULL);
	check("1:2:3", 9, NULL);
	check("a", 9, NULL);
}

static void saved_result(void **state)
{
	struct arena a;
	struct cursor c = cursor_init(VIEW("$"));
	struct imap_seq seq = { 0 };

	arena_init(&a, 1000);
	imap_seq_parse(&c, &a, &seq);
	assert_int_equal(c.err, OK);
	assert_true(seq.saved);
	arena_done(&a);
}

static void limit_of_ranges(void **state)
{
	for (size_t over = 0; over < 2; over++) {
		struct buf CLEANUP(buf_done) text = BUF_INIT((size_t)1 << 20);
		struct arena a;
		struct imap_seq seq = { 0 };

		for (size_t i = 1; i < IMAP_SEQ_RANGES_MAX + over; i++)
			buf_add(&text, VIEW("1,"));
		buf_add(&text, VIEW("1"));

		struct cursor c = cursor_init(buf_view(&text));

		arena_init(&a, (size_t)1 << 20);
		imap_seq_parse(&c, &a, &seq);
		assert_int_equal(c.err, over ? ERR_LIMIT : OK);
		arena_done(&a);
	}
}

static void searching(void **state)
{
	const struct imap_range at[] = { { 2, 4 }, { 8, 8 }, { 10, UINT32_MAX } };
	struct imap_ranges r = { at, 3 };
	uint32_t n = 0;

	assert_false(imap_ranges_contain(r, 1));
	assert_true(imap_ranges_contain(r, 2));
	assert_true(imap_ranges_contain(r, 4));
	assert_false(imap_ranges_contain(r, 5));
	assert_true(imap_ranges_contain(r, 8));
	assert_false(imap_ranges_contain(r, 9));
	assert_true(imap_ranges_contain(r, UINT32_MAX));
	assert_true(imap_ranges_next(r, 1, &n));
	assert_int_equal(n, 2);
	assert_true(imap_ranges_next(r, 5, &n));
	assert_int_equal(n, 8);
	assert_true(imap_ranges_next(r, 3, &n));
	assert_int_equal(n, 3);
	assert_false(imap_ranges_next((struct imap_ranges){ at, 2 }, 9, &n));
	assert_int_equal(imap_ranges_count((struct imap_ranges){ at, 2 }), 4);
	assert_int_equal(imap_ranges_count(r), 4 + (uint64_t)UINT32_MAX - 9);
}

/* Every order of adding gives the same set as a table of bits. */
static void growing(void **state)
{
	uint32_t seed = 1;

	for (int round = 0; round < 200; round++) {
		struct imap_set s;
		bool want[64] = { false };

		imap_set_init(&s, 64);
		for (int i = 0; i < 20; i++) {
			seed = seed * 1103515245 + 12345;

			uint32_t first = 1 + seed / 65536 % 60;
			uint32_t last = first + seed / 256 % 3;

			assert_int_equal(imap_set_add(&s, first, last), OK);
			for (uint32_t n = first; n <= last; n++)
				want[n] = true;
			for (uint32_t n = 1; n < 64; n++)
				assert_int_equal(imap_ranges_contain(imap_set_ranges(&s), n),
						 want[n]);
			for (size_t k = 1; k < s.n; k++)
				assert_true(s.at[k].first > s.at[k - 1].last + 1);
		}
		imap_set_done(&s);
	}
}

static void limit_of_a_set(void **state)
{
	struct imap_set s;

	imap_set_init(&s, 2);
	assert_int_equal(imap_set_add(&s, 1, 1), OK);
	assert_int_equal(imap_set_add(&s, 5, 5), OK);
	assert_int_equal(imap_set_add(&s, 3, 3), ERR_LIMIT);
	assert_int_equal(imap_set_add(&s, 2, 2), OK);
	assert_int_equal(imap_set_add(&s, 1, UINT32_MAX), OK);
	assert_int_equal(s.n, 1);
	imap_set_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse_and_resolve), cmocka_unit_test(saved_result),
		cmocka_unit_test(limit_of_ranges),   cmocka_unit_test(searching),
		cmocka_unit_test(growing),	     cmocka_unit_test(limit_of_a_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
