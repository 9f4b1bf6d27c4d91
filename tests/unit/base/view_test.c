/*
 * Tests of base/view.c.
 */
#include "unit.h"

static void parts_are_clipped(void **state)
{
	struct view v = VIEW("abcdef");

	assert_view(view_from(v, 2), "cdef");
	assert_view(view_from(v, 6), "");
	assert_view(view_from(v, 7), "");
	assert_view(view_head(v, 2), "ab");
	assert_view(view_head(v, 7), "abcdef");
	assert_view(view_part(v, 2, 3), "cde");
	assert_view(view_part(v, 4, SIZE_MAX), "ef");
	assert_view(view_part(v, SIZE_MAX, 1), "");
	assert_view(view_from(VIEW_EMPTY, 3), "");
}

static void equality(void **state)
{
	assert_true(view_eq(VIEW("a\0b"), VIEW("a\0b")));
	assert_false(view_eq(VIEW("a\0b"), VIEW("a\0c")));
	assert_false(view_eq(VIEW("ab"), VIEW("abc")));
	assert_false(view_eq(VIEW("ab"), VIEW("AB")));
	assert_true(view_eq(VIEW_EMPTY, VIEW("")));
	assert_true(view_eq_nocase(VIEW("aBz[{"), VIEW("AbZ[{")));
	assert_false(view_eq_nocase(VIEW("["), VIEW("{")));
	assert_false(view_eq_nocase(VIEW("@"), VIEW("`")));
	assert_false(view_eq_nocase(VIEW("a"), VIEW("ab")));
	assert_false(view_eq_nocase(VIEW("\xc4"), VIEW("\xe4")));
}

static void starts_and_ends(void **state)
{
	assert_true(view_starts(VIEW("abc"), VIEW("ab")));
	assert_true(view_starts(VIEW("abc"), VIEW("")));
	assert_true(view_starts(VIEW("abc"), VIEW("abc")));
	assert_false(view_starts(VIEW("abc"), VIEW("abcd")));
	assert_false(view_starts(VIEW("abc"), VIEW("B")));
	assert_true(view_starts_nocase(VIEW("abc"), VIEW("AB")));
	assert_false(view_starts_nocase(VIEW("a"), VIEW("AB")));
	assert_true(view_ends(VIEW("abc"), VIEW("bc")));
	assert_true(view_ends(VIEW("abc"), VIEW("")));
	assert_false(view_ends(VIEW("abc"), VIEW("ab")));
	assert_false(view_ends(VIEW("abc"), VIEW("zabc")));
}

static void order(void **state)
{
	assert_true(view_cmp(VIEW("a"), VIEW("b")) < 0);
	assert_true(view_cmp(VIEW("\xff"), VIEW("a")) > 0);
	assert_true(view_cmp(VIEW("a"), VIEW("ab")) < 0);
	assert_true(view_cmp(VIEW("ab"), VIEW("a")) > 0);
	assert_int_equal(view_cmp(VIEW_EMPTY, VIEW("")), 0);
	assert_true(view_cmp(VIEW("B"), VIEW("a")) < 0);
	assert_true(view_cmp_nocase(VIEW("B"), VIEW("a")) > 0);
	assert_int_equal(view_cmp_nocase(VIEW("aB"), VIEW("Ab")), 0);
	assert_true(view_cmp_nocase(VIEW("a"), VIEW("AB")) < 0);
	assert_true(view_cmp_nocase(VIEW("\xff"), VIEW("z")) > 0);
}

static void single_bytes_are_found(void **state)
{
	struct view v = VIEW("a\0bab");

	assert_int_equal(view_find_char(v, 'b'), 2);
	assert_int_equal(view_rfind_char(v, 'b'), 4);
	assert_int_equal(view_find_char(v, '\0'), 1);
	assert_true(view_find_char(v, 'z') == VIEW_NONE);
	assert_true(view_rfind_char(v, 'z') == VIEW_NONE);
	assert_true(view_find_char(VIEW_EMPTY, 'a') == VIEW_NONE);
	assert_true(view_rfind_char(VIEW_EMPTY, 'a') == VIEW_NONE);
	assert_true(view_has(v, 'a'));
	assert_false(view_has(v, 'A'));
}

static void texts_are_found(void **state)
{
	assert_int_equal(view_find(VIEW("abcabd"), VIEW("abd")), 3);
	assert_int_equal(view_find(VIEW("abc"), VIEW("")), 0);
	assert_int_equal(view_find(VIEW_EMPTY, VIEW_EMPTY), 0);
	assert_true(view_find(VIEW("ab"), VIEW("abc")) == VIEW_NONE);
	assert_true(view_find(VIEW("abcabd"), VIEW("ABD")) == VIEW_NONE);
	assert_int_equal(view_find_nocase(VIEW("abcaBd"), VIEW("AbD")), 3);
	assert_int_equal(view_find_nocase(VIEW("abc"), VIEW("")), 0);
	assert_true(view_find_nocase(VIEW("ab"), VIEW("abc")) == VIEW_NONE);
	assert_int_equal(view_find_nocase(VIEW("Hello"), VIEW("O")), 4);
}

static size_t naive_find(struct view v, struct view what)
{
	for (size_t at = 0; at + what.n <= v.n; at++) {
		if (view_eq_nocase(view_part(v, at, what.n), what))
			return at;
	}
	return VIEW_NONE;
}

/* The bits of n as letters: every text over two letters, in mixed case. */
static struct view letters(unsigned n, size_t length, const char *alphabet, char *room)
{
	for (size_t i = 0; i < length; i++)
		room[i] = alphabet[(n >> i & 1) + 2 * (i % 2)];
	return view_of(room, length);
}

static void search_agrees_with_the_naive_one(void **state)
{
	for (size_t pattern_n = 1; pattern_n <= 7; pattern_n++) {
		for (unsigned p = 0; p < 1u << pattern_n; p++) {
			char pattern_room[10], text_room[10];
			struct view what = letters(p, pattern_n, "abAB", pattern_room);

			for (unsigned t = 0; t < 1u << 10; t++) {
				struct view text = letters(t, 10, "ABab", text_room);

				assert_true(view_find_nocase(text, what) == naive_find(text, what));
			}
		}
	}
}

static void search_is_linear(void **state)
{
	enum { TEXT_N = 4 << 20, PATTERN_N = 1 << 20 };
	char *text = malloc(TEXT_N), *pattern = malloc(PATTERN_N);

	/* A quadratic search would need 3 * 10^12 steps for each of these. */
	assert_non_null(text);
	assert_non_null(pattern);
	memset(text, 'a', TEXT_N);
	memset(pattern, 'A', PATTERN_N);
	pattern[0] = 'B';
	assert_true(view_find_nocase(view_of(text, TEXT_N), view_of(pattern, PATTERN_N)) ==
		    VIEW_NONE);
	pattern[0] = 'A';
	pattern[PATTERN_N - 1] = 'B';
	assert_true(view_find_nocase(view_of(text, TEXT_N), view_of(pattern, PATTERN_N)) ==
		    VIEW_NONE);
	pattern[PATTERN_N - 1] = 'A';
	pattern[PATTERN_N / 2] = 'B';
	assert_true(view_find_nocase(view_of(text, TEXT_N), view_of(pattern, PATTERN_N)) ==
		    VIEW_NONE);
	free(text);
	free(pattern);
}

static void cutting(void **state)
{
	struct view head;
	struct view rest = view_cut(VIEW("a=b=c"), '=', &head);

	assert_view(head, "a");
	assert_view(rest, "b=c");
	rest = view_cut(VIEW("a="), '=', &head);
	assert_view(head, "a");
	assert_view(rest, "");
	assert_non_null(rest.p);
	rest = view_cut(VIEW("abc"), '=', &head);
	assert_view(head, "abc");
	assert_null(rest.p);
	assert_int_equal(rest.n, 0);
}

static void trimming(void **state)
{
	assert_view(view_trim(VIEW(" \t\r\na b\n ")), "a b");
	assert_view(view_trim(VIEW("a")), "a");
	assert_view(view_trim(VIEW(" \t ")), "");
	assert_view(view_trim(VIEW_EMPTY), "");
	assert_view(view_trim(VIEW("\0a\0")), "\0a\0");
}

static void secrets_are_compared_whole(void **state)
{
	assert_true(view_eq_secret(VIEW("secret"), VIEW("secret")));
	assert_true(view_eq_secret(VIEW_EMPTY, VIEW("")));
	assert_false(view_eq_secret(VIEW("secret"), VIEW("secreT")));
	assert_false(view_eq_secret(VIEW("secret"), VIEW("Secret")));
	assert_false(view_eq_secret(VIEW("secret"), VIEW("secre")));
	assert_false(view_eq_secret(VIEW("ab"), VIEW("ba")));
}

static void c_strings_contain_no_nul(void **state)
{
	char *text = view_to_cstr(view_head(VIEW("abcdef"), 3));

	assert_string_equal(text, "abc");
	free(text);
	text = view_to_cstr(VIEW_EMPTY);
	assert_string_equal(text, "");
	free(text);
	assert_null(view_to_cstr(VIEW("a\0b")));
	assert_view(view_str("abc"), "abc");
	assert_view(view_str(NULL), "");
}

static void nothing_is_read_past_the_end(void **state)
{
	char *p = tight_copy(VIEW("abcab"));
	struct view v = view_of(p, 5);

	assert_int_equal(view_find(v, VIEW("ab")), 0);
	assert_true(view_find(v, VIEW("abx")) == VIEW_NONE);
	assert_true(view_find_nocase(v, VIEW("ABX")) == VIEW_NONE);
	assert_true(view_find_nocase(v, VIEW("bb")) == VIEW_NONE);
	assert_false(view_starts_nocase(v, VIEW("abcabc")));
	assert_view(view_trim(v), "abcab");
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_are_clipped),
		cmocka_unit_test(equality),
		cmocka_unit_test(starts_and_ends),
		cmocka_unit_test(order),
		cmocka_unit_test(single_bytes_are_found),
		cmocka_unit_test(texts_are_found),
		cmocka_unit_test(search_agrees_with_the_naive_one),
		cmocka_unit_test(search_is_linear),
		cmocka_unit_test(cutting),
		cmocka_unit_test(trimming),
		cmocka_unit_test(secrets_are_compared_whole),
		cmocka_unit_test(c_strings_contain_no_nul),
		cmocka_unit_test(nothing_is_read_past_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
