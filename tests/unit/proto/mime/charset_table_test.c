/*
 * Tests of proto/mime/charset_table.c: known texts, every octet against the C library, damaged text.
 */
#include "unit.h"

#include <iconv.h>

#include "proto/mime/charset_table.h"
#include "proto/mime/utf8.h"

#define BAD "\xef\xbf\xbd"

static enum err convert(const char *charset, struct view text, struct buf *out)
{
	buf_clear(out);
	return mime_table_converter.convert(NULL, view_str(charset), text, out);
}

static void known_texts(void **state)
{
	static const struct {
		const char *charset;
		struct view text;
		const char *wanted;
	} rows[] = {
		{ "ISO-8859-2", VIEW_INIT("\xa3\xf3\x64\xbc"), "Łódź" },
		{ "iso-8859-5", VIEW_INIT("\xb4\xd0"), "Да" },
		{ "iso-8859-7", VIEW_INIT("\xcd\xe1\xdf"), "Ναί" },
		{ "iso-8859-9", VIEW_INIT("\xdd\x80"), "İ€" },
		{ "iso-8859-15", VIEW_INIT("\xa4 x"), "€ x" },
		{ "Windows-1251", VIEW_INIT("\xc4\xe0"), "Да" },
		{ "KOI8-R", VIEW_INIT("\xe4\xc1"), "Да" },
		{ "koi8-u", VIEW_INIT("\xa4"), "є" },
		{ "tis-620", VIEW_INIT("\xa1\xd2"), "กา" },
		{ "gb2312", VIEW_INIT("a\xc4\xe3\xba\xc3"), "a你好" },
		{ "gbk", VIEW_INIT("\x80\x81\x40"), "€丂" },
		{ "gb18030", VIEW_INIT("\x81\x30\x81\x30\x90\x30\x81\x30\xe3\x32\x9a\x35"),
		  "\xc2\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf" },
		{ "big5", VIEW_INIT("\xa7\x41\xa6\x6e"), "你好" },
		{ "euc-kr", VIEW_INIT("\xc7\xd1\xb1\xdb"), "한글" },
		{ "ks_c_5601-1987", VIEW_INIT("\x81\x41"), "갂" },
		{ "shift_jis", VIEW_INIT("\x93\xfa\x96\x7b\xb1\x87\x40"), "日本ｱ①" },
		{ "euc-jp", VIEW_INIT("\xc6\xfc\xcb\xdc\x8e\xb1\x8f\xb0\xa1"), "日本ｱ丂" },
		{ "iso-2022-jp", VIEW_INIT("a\x1b$BF|K\\\x1b(Bb\x1b(J\\\x1b(I1\x1b$(D0!\x1b(B!"),
		  "a日本b¥ｱ丂!" },
		/* The switch ends with the line. */
		{ "iso-2022-jp", VIEW_INIT("\x1b$BF|\r\nF|"), "日\r\nF|" },
	};
	struct buf CLEANUP(buf_done) out = BUF_INIT(1000);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(convert(rows[i].charset, rows[i].text, &out), OK);
		assert_string_equal(buf_cstr(&out), rows[i].wanted);
	}
	assert_int_equal(convert("utf-7", VIEW("x"), &out), ERR_UNSUPPORTED);
	assert_int_equal(convert("", VIEW("x"), &out), ERR_UNSUPPORTED);
	assert_int_equal(out.n, 0);
}

/* One character by the C library; false if it has no meaning there. */
static bool library_says(iconv_t with, struct view text, char *room, size_t *ret_n)
{
	char *in = (char *)text.p;
	char *to = room;
	size_t in_n = text.n;
	size_t to_n = 16;

	iconv(with, NULL, NULL, NULL, NULL);
	if (iconv(with, &in, &in_n, &to, &to_n) == (size_t)-1 ||
	    iconv(with, NULL, NULL, &to, &to_n) == (size_t)-1)
		return false;
	*ret_n = (size_t)(to - room);
	return true;
}

struct count {
	unsigned same, other, missing;
};

static void compare(iconv_t with, const char *charset, struct view text, struct count *c)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(100);
	char room[16];
	size_t n = 0;

	if (!library_says(with, text, room, &n))
		return;
	assert_int_equal(convert(charset, text, &out), OK);
	if (view_eq(buf_view(&out), view_of(room, n)))
		c->same++;
	else if (view_find(buf_view(&out), VIEW(BAD)) != VIEW_NONE)
		c->missing++;
	else
		c->other++;
}

static void single_octets_as_the_library(void **state)
{
	static const char *const names[] = {
		"iso-8859-2",	"iso-8859-3",	"iso-8859-4",	"iso-8859-5",	"iso-8859-6",
		"iso-8859-7",	"iso-8859-8",	"iso-8859-10",	"iso-8859-13",	"iso-8859-14",
		"iso-8859-15",	"iso-8859-16",	"windows-1250", "windows-1251", "windows-1253",
		"windows-1254", "windows-1256", "windows-1257", "koi8-r",	"koi8-u",
		"tis-620",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		iconv_t with = iconv_open("utf-8", names[i]);
		struct count c = { 0 };

		if (with == (iconv_t)-1) { /* a C library without it */
			print_message("%s: not compared\n", names[i]);
			continue;
		}
		for (unsigned octet = 0; octet < 256; octet++) {
			char text[1] = { (char)octet };

			compare(with, names[i], view_of(text, 1), &c);
		}
		iconv_close(with);
		assert_int_equal(c.other + c.missing, 0);
		assert_true(c.same > 190);
	}
}

static void pairs_as_the_library(void **state)
{
	/* Few characters differ between vendors, such as the wave dash; the ETEN rows of Big5 are for
	 * private use in the GNU library. */
	static const struct {
		const char *charset, *library;
		unsigned from, least, others;
	} rows[] = {
		{ "gb18030", "gb18030", 0x8000, 23900, 40 },
		{ "big5", "big5", 0x8000, 13500, 540 },
		{ "euc-kr", "uhc", 0x8000, 17000, 5 },
		{ "shift_jis", "cp932", 0x8000, 9000, 20 },
		{ "euc-jp", "euc-jp", 0xa000, 6800, 20 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		iconv_t with = iconv_open("utf-8", rows[i].library);
		struct count c = { 0 };

		if (with == (iconv_t)-1) {
			print_message("%s: not compared\n", rows[i].library);
			continue;
		}
		for (unsigned pair = rows[i].from; pair <= 0xffff; pair++) {
			char text[2] = { (char)(pair >> 8), (char)pair };

			compare(with, rows[i].charset, view_of(text, 2), &c);
		}
		iconv_close(with);
		print_message("%s: %u same, %u other, %u missing\n", rows[i].charset, c.same,
			      c.other, c.missing);
		assert_true(c.same >= rows[i].least);
		assert_true(c.other + c.missing <= rows[i].others);
	}
}

static void damaged_text(void **state)
{
	static const struct {
		const char *charset;
		struct view text;
		const char *wanted;
	} rows[] = {
		{ "iso-8859-3", VIEW_INIT("\xa5x"), BAD "x" },
		{ "gb18030", VIEW_INIT("\xc4"), BAD },
		{ "gb18030", VIEW_INIT("\xc4\"x"), BAD "\"x" },
		{ "gb18030", VIEW_INIT("\x81\x30\x81"), BAD "0" BAD },
		{ "gb18030", VIEW_INIT("\xff\xe3\x32\x9a\x36"), BAD BAD "2" BAD "6" },
		{ "big5", VIEW_INIT("\xa7\xff\xa7\r\n"), BAD BAD "\r\n" },
		{ "euc-kr", VIEW_INIT("\xff\x81<\x81<"), BAD "<" BAD "<" },
		{ "shift_jis", VIEW_INIT("\x80\xa0\xfd\x81"), BAD BAD BAD BAD },
		{ "euc-jp", VIEW_INIT("\x8e\x41\x8f\xb0"), BAD "A" BAD },
		{ "iso-2022-jp", VIEW_INIT("\x1b$C\x80\x1b$BF\r\nx\x1b$B~~\x1b(B."),
		  BAD "$C" BAD BAD "\r\nx" BAD "." },
	};
	struct buf CLEANUP(buf_done) out = BUF_INIT(1000);
	struct buf CLEANUP(buf_done) small = BUF_INIT(4);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(convert(rows[i].charset, rows[i].text, &out), OK);
		assert_string_equal(buf_cstr(&out), rows[i].wanted);
		/* At every cut: it ends, and what it gives is UTF-8. */
		for (size_t n = 0; n < rows[i].text.n; n++) {
			assert_int_equal(convert(rows[i].charset, view_head(rows[i].text, n), &out),
					 OK);
			assert_true(mime_utf8_valid(buf_view(&out)));
		}
	}
	assert_int_equal(convert("koi8-r", VIEW("\xe4\xe4\xe4"), &small), ERR_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_texts),
		cmocka_unit_test(single_octets_as_the_library),
		cmocka_unit_test(pairs_as_the_library),
		cmocka_unit_test(damaged_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
