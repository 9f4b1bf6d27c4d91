/*
 * tests/unit/proto/mime/utf8_test.c: UTF-8, folding for search, charsets.
 */
#include "proto/mime/utf8.h"

#include "proto/mime/charset.h"
#include "unit.h"

static void test_valid(void **state)
{
	assert_true(mime_utf8_valid(VIEW("")));
	assert_true(mime_utf8_valid(VIEW("abcdefghijk\0\x7f")));
	assert_true(mime_utf8_valid(VIEW("\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80")));
	assert_true(mime_utf8_valid(VIEW("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf")));
	assert_false(mime_utf8_valid(VIEW("\x80")));
	assert_false(mime_utf8_valid(VIEW("\xc0\x80")));
	assert_false(mime_utf8_valid(VIEW("\xc1\xbf")));
	assert_false(mime_utf8_valid(VIEW("\xc2")));
	assert_false(mime_utf8_valid(VIEW("\xe0\x9f\xbf")));
	assert_false(mime_utf8_valid(VIEW("\xed\xa0\x80")));
	assert_false(mime_utf8_valid(VIEW("\xf0\x8f\xbf\xbf")));
	assert_false(mime_utf8_valid(VIEW("\xf4\x90\x80\x80")));
	assert_false(mime_utf8_valid(VIEW("\xf5\x80\x80\x80")));
	assert_false(mime_utf8_valid(VIEW("abcdefgh\xff")));
	assert_true(mime_ascii_only(VIEW("abcdefgh\x7f")));
	assert_false(mime_ascii_only(VIEW("abcdefg\x80")));
	assert_false(mime_ascii_only(VIEW("abcdefgh\x80")));
}

static void check_repair(struct view text, struct view want)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(1000);
	char *copy = tight_copy(text);

	mime_utf8_add_repaired(&out, view_of(copy, text.n));
	free(copy);
	assert_true(view_eq(buf_view(&out), want));
	assert_true(mime_utf8_valid(buf_view(&out)));
}

#define BAD "\xef\xbf\xbd"

static void test_repair(void **state)
{
	check_repair(VIEW("a\xc3\xa4z"), VIEW("a\xc3\xa4z"));
	check_repair(VIEW("a\xffz"), VIEW("a" BAD "z"));
	check_repair(VIEW("\xc0\x80"), VIEW(BAD BAD));
	/* One mark for a maximal ill-formed piece. */
	check_repair(VIEW("\xe2\x82z"), VIEW(BAD "z"));
	check_repair(VIEW("\xf0\x9f\x98"), VIEW(BAD));
	check_repair(VIEW("\xed\xa0\x80"), VIEW(BAD BAD BAD));
	check_repair(VIEW("\xc3"), VIEW(BAD));
}

static void test_points(void **state)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(100);
	static const uint32_t points[] = { 0, 0x7f, 0x80, 0x7ff, 0x800, 0xffff, 0x10000, 0x10ffff };

	for (size_t i = 0; i < ARRAY_LEN(points); i++) {
		uint32_t point = 1;
		bool valid = false;

		buf_clear(&out);
		mime_utf8_add(&out, points[i]);
		assert_int_equal(mime_utf8_next(buf_view(&out), 0, &point, &valid), out.n);
		assert_true(valid);
		assert_int_equal(point, points[i]);
	}
	buf_clear(&out);
	mime_utf8_add(&out, 0xd800);
	mime_utf8_add(&out, 0x110000);
	assert_view(buf_view(&out), BAD BAD);

	assert_view(mime_utf8_head(VIEW("a\xc3\xa4z"), 2), "a");
	assert_view(mime_utf8_head(VIEW("a\xc3\xa4z"), 3), "a\xc3\xa4");
	assert_view(mime_utf8_head(VIEW("a\xc3\xa4z"), 9), "a\xc3\xa4z");
	assert_view(mime_utf8_head(VIEW("\x80\x80\x80\x80\x80\x80"), 5), "\x80\x80\x80\x80\x80");
	assert_view(mime_utf8_head(VIEW("\xf0\x9f\x98\x80"), 3), "");
	assert_true(mime_utf8_is_control(0x202e));
	assert_true(mime_utf8_is_control(0x2066));
	assert_true(mime_utf8_is_control(0x85));
	assert_false(mime_utf8_is_control(0x2013));
	assert_true(mime_utf8_hides_ascii(0xff20));
	assert_true(mime_utf8_hides_ascii(0xfe6b));
	assert_true(mime_utf8_hides_ascii(0x2024));
	assert_false(mime_utf8_hides_ascii(0xe4));
	assert_false(mime_utf8_hides_ascii(0x4e00));
}

static void check_fold(struct view text, struct view want)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(10000);
	struct buf CLEANUP(buf_done) again = BUF_INIT(10000);

	mime_casefold(&out, text);
	assert_int_equal(buf_err(&out), OK);
	assert_true(view_eq(buf_view(&out), want));
	mime_casefold(&again, buf_view(&out));
	assert_true(view_eq(buf_view(&out), buf_view(&again)));
}

static void test_casefold(void **state)
{
	check_fold(VIEW(""), VIEW(""));
	check_fold(VIEW("Hello WORLD 1"), VIEW("hello world 1"));
	check_fold(VIEW("\xc3\x84"), VIEW("a\xcc\x88")); /* A umlaut */
	check_fold(VIEW("A\xcc\x88"), VIEW("a\xcc\x88")); /* the same, decomposed */
	check_fold(VIEW("Stra\xc3\x9f"
			"e"),
		   VIEW("strasse")); /* sharp s */
	check_fold(VIEW("\xce\xa3\xcf\x83\xcf\x82"), VIEW("\xcf\x83\xcf\x83\xcf\x83")); /* sigmas */
	check_fold(VIEW("\xef\xbc\xa1"), VIEW("a")); /* full-width A */
	check_fold(VIEW("\xef\xac\x81"), VIEW("fi")); /* ligature */
	/* Marks in any order are the same. */
	check_fold(VIEW("a\xcc\xa3\xcc\x82"), VIEW("a\xcc\xa3\xcc\x82"));
	check_fold(VIEW("a\xcc\x82\xcc\xa3"), VIEW("a\xcc\xa3\xcc\x82"));
	check_fold(VIEW("\xe1\xba\xac"), VIEW("a\xcc\xa3\xcc\x82"));
	check_fold(VIEW("a\xff"
			"B"),
		   VIEW("a" BAD "b"));
}

static void check_charset(const char *charset, struct view text, struct view want, bool known)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(1000);

	assert_int_equal(mime_to_utf8(&out, view_str(charset), text, NULL), known);
	assert_true(view_eq(buf_view(&out), want));
}

static enum err convert_koi(void *context, struct view charset, struct view text, struct buf *out)
{
	++*(int *)context;
	buf_add(out, VIEW("half"));
	if (!view_eq_nocase(charset, VIEW("koi8-r")))
		return ERR_UNSUPPORTED;
	buf_truncate(out, out->n - 4);
	buf_add(out, VIEW("\xd0\xb0"));
	return OK;
}

static void test_charset(void **state)
{
	int calls = 0;
	struct mime_converter conv = { convert_koi, &calls };
	struct buf CLEANUP(buf_done) out = BUF_INIT(1000);

	check_charset("UTF-8", VIEW("\xc3\xa4\xff"), VIEW("\xc3\xa4" BAD), true);
	check_charset("ISO-8859-1", VIEW("\xe4\x80"), VIEW("\xc3\xa4\xe2\x82\xac"), true);
	check_charset("windows-1252", VIEW("\x93\x81"), VIEW("\xe2\x80\x9c" BAD), true);
	check_charset("us-ascii", VIEW("ab"), VIEW("ab"), true);
	check_charset("", VIEW("\xc3\xa4"), VIEW("\xc3\xa4"), true);
	check_charset("", VIEW("\xe4"), VIEW("\xc3\xa4"), true);
	check_charset("koi8-r", VIEW("a\xc1"), VIEW("a" BAD), false);
	assert_true(mime_to_utf8(&out, VIEW("koi8-r"), VIEW("\xc1"), &conv));
	assert_view(buf_view(&out), "\xd0\xb0");
	assert_false(mime_to_utf8(&out, VIEW("x-none"), VIEW("z\xc1"), &conv));
	assert_view(buf_view(&out), "\xd0\xb0z" BAD);
	assert_int_equal(calls, 2);
	assert_true(mime_to_utf8(&out, VIEW("utf-8"), VIEW("z"), &conv));
	assert_int_equal(calls, 2);
	assert_true(mime_charset_builtin(VIEW("Utf-8")));
	assert_false(mime_charset_builtin(VIEW("koi8-r")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid),	cmocka_unit_test(test_repair),
		cmocka_unit_test(test_points),	cmocka_unit_test(test_casefold),
		cmocka_unit_test(test_charset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
