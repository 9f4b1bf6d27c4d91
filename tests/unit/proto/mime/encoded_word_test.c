/*
 * tests/unit/proto/mime/encoded_word_test.c: RFC 2047 in both directions.
 */
#include "proto/mime/encoded_word.h"

#include "cuts.h"
#include "proto/mime/header.h"
#include "proto/mime/utf8.h"

static void check_decode(struct view text, struct view want)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(100000);
	char *copy = tight_copy(text);

	encoded_word_decode(&out, view_of(copy, text.n), NULL);
	free(copy);
	assert_int_equal(buf_err(&out), OK);
	if (!view_eq(buf_view(&out), want))
		print_error("\"" VIEW_FMT "\" gives \"" VIEW_FMT "\"\n", VIEW_ARG(text),
			    VIEW_ARG(buf_view(&out)));
	assert_true(view_eq(buf_view(&out), want));
}

#define decode(text, want) check_decode(VIEW(text), VIEW(want))

static void test_decode(void **state)
{
	decode("", "");
	decode("plain", "plain");
	decode(" a\r\n b", "a b");
	decode("=?us-ascii?q?a?=", "a");
	decode("=?UTF-8?Q?=C3=A4_b=5F?=", "\xc3\xa4 b_");
	decode("=?utf-8?b?w6Q=?=", "\xc3\xa4");
	decode("=?iso-8859-1?q?=E4?=", "\xc3\xa4");
	decode("=?iso-8859-1*de?q?=E4?=", "\xc3\xa4");
	decode("=?utf-8?q?\?=", "");
	decode("a =?utf-8?q?b?= c", "a b c");
	/* The examples of RFC 2047#8, in the same sense. */
	decode("(=?ISO-8859-1?Q?a?=)", "(a)");
	decode("=?ISO-8859-1?Q?a?= b", "a b");
	decode("=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab");
	decode("=?ISO-8859-1?Q?a?=\r\n \t=?ISO-8859-1?Q?b?=", "ab");
	decode("=?ISO-8859-1?Q?a_b?=", "a b");
	decode("=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b");
	/* A character cut in two by words of one charset. */
	decode("=?utf-8?q?=C3?= =?UTF-8?q?=A4?=", "\xc3\xa4");
	decode("=?utf-8?b?ww==?= =?utf-8?q?=A4?=", "\xc3\xa4");
	decode("=?utf-8?q?=C3?= =?iso-8859-1?q?=A4?=", "\xef\xbf\xbd\xc2\xa4");
	decode("=?utf-8?q?=C3?=x=?utf-8?q?=A4?=", "\xef\xbf\xbdx\xef\xbf\xbd");
	/* Not words. */
	decode("=?utf-8?q?a", "=?utf-8?q?a");
	decode("=?utf-8?q?a?", "=?utf-8?q?a?");
	decode("=?utf-8?x?a?=", "=?utf-8?x?a?=");
	decode("=??q?a?=", "=\?\?q?a?=");
	decode("=?*de?q?a?=", "=?*de?q?a?=");
	decode("=?utf 8?q?a?=", "=?utf 8?q?a?=");
	decode("=?utf-8?q?a\r\n b?=", "=?utf-8?q?a b?=");
	decode("=?=?utf-8?q?a?=", "=?a");
	decode("= ?utf-8?q?a?=", "= ?utf-8?q?a?=");
	/* Tolerated: blanks in Q text, no blank around. */
	decode("=?utf-8?q?a b?=", "a b");
	decode("x=?utf-8?q?a?=y", "xay");
	/* Decoded text is data, whatever it holds. */
	decode("=?utf-8?q?a=0D=0ABcc:_x=00?=", "a\r\nBcc: x\0");
	/* Raw 8-bit. */
	decode("\xc3\xa4", "\xc3\xa4");
	decode("\xe4", "\xc3\xa4");
	/* Bad escapes and bad base64 stay readable. */
	decode("=?utf-8?q?a=ZZ=4?=", "a=ZZ=4");
	decode("=?utf-8?b?YW*I=?=", "ab");
	decode("=?x-unknown?q?a=E4?=", "a\xef\xbf\xbd");
}

static void test_present(void **state)
{
	assert_false(encoded_word_present(VIEW("abc = ? =")));
	assert_true(encoded_word_present(VIEW("=?")));
	assert_true(encoded_word_present(VIEW("\xe4")));
	assert_true(encoded_word_present(VIEW("a\n b")));
}

static void test_linear(void **state)
{
	static const char *const pieces[] = { "=?",
					      "=?a?q?",
					      "=?a",
					      "=?a?q?x ",
					      "=?utf-8?q?a?= ",
					      "=?utf-8?b?YQ==?=",
					      "=?a?b?c?=\r\n ",
					      " =?a?q?\?=?" };
	struct buf CLEANUP(buf_done) text = BUF_INIT(4 * 1024 * 1024);

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		struct buf CLEANUP(buf_done) out = BUF_INIT(8 * 1024 * 1024);

		buf_clear(&text);
		while (text.n < 2000000)
			buf_add_str(&text, pieces[i]);
		encoded_word_decode(&out, buf_view(&text), NULL);
		assert_int_equal(buf_err(&out), OK);
	}
}

/* What a writer must keep: lines, words, and the text. */
static void check_written(struct view written, size_t column, struct view text, bool phrase)
{
	struct buf CLEANUP(buf_done) back = BUF_INIT(1000000);
	bool words = view_find(written, VIEW("=?")) != VIEW_NONE;

	for (struct view rest = written, line; rest.p; column = 0) {
		rest = view_cut(rest, '\n', &line);
		assert_true(column + line.n <= (words ? ENCODED_WORD_LINE + 1 : 999));
		if (rest.p)
			assert_true(rest.n && rest.p[0] == ' ');
	}
	if (phrase)
		return;
	encoded_word_decode(&back, written, NULL);
	assert_true(view_eq(buf_view(&back), text));
}

static void check_text(struct view text, size_t column, struct view want)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(1000000);

	assert_int_equal(encoded_word_add_text(&out, text, column), OK);
	if (want.p && !view_eq(buf_view(&out), want))
		print_error("gives \"" VIEW_FMT "\"\n", VIEW_ARG(buf_view(&out)));
	if (want.p)
		assert_true(view_eq(buf_view(&out), want));
	check_written(buf_view(&out), column, text, false);
}

static void test_encode_text(void **state)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(100000);
	struct buf CLEANUP(buf_done) out = BUF_INIT(100000);

	check_text(VIEW(""), 9, VIEW(""));
	check_text(VIEW("plain text"), 9, VIEW("plain text"));
	check_text(VIEW("a \xc3\xa4"), 9, VIEW("=?utf-8?q?a_=C3=A4?="));
	check_text(VIEW("a long ascii text with one \xc3\xa4"), 9,
		   VIEW("=?utf-8?q?a_long_ascii_text_with_one_=C3=A4?="));
	check_text(VIEW("=?utf-8?q?x?="), 9, VIEW("=?utf-8?b?PT91dGYtOD9xP3g/PQ==?="));
	check_text(VIEW("a\x01"), 9, VIEW("=?utf-8?q?a=01?="));
	for (size_t n = 0; n < 400; n++) {
		buf_add(&text, n % 3 ? VIEW("\xe2\x82\xac") : VIEW("x "));
		if (n % 3)
			check_text(buf_view(&text), n % 70, VIEW_EMPTY);
	}
	buf_clear(&text);
	buf_add_fill(&text, 'x', 5000);
	check_text(buf_view(&text), 9, VIEW_EMPTY);
	buf_clear(&text);
	for (size_t n = 0; n < 200; n++)
		buf_add(&text, VIEW("word "));
	buf_add_char(&text, 'x');
	check_text(buf_view(&text), 9, VIEW_EMPTY);

	buf_clear(&out);
	assert_int_equal(encoded_word_add_text(&out, VIEW("a\r\nBcc: x"), 0), ERR_SYNTAX);
	assert_int_equal(encoded_word_add_text(&out, VIEW("a\nb"), 0), ERR_SYNTAX);
	assert_int_equal(encoded_word_add_text(&out, VIEW("a\0"), 0), ERR_SYNTAX);
	assert_int_equal(encoded_word_add_text(&out, VIEW("a\xff"), 0), ERR_SYNTAX);
	assert_int_equal(out.n, 0);
}

static void check_phrase(struct view name, struct view want)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(100000);

	assert_int_equal(encoded_word_add_phrase(&out, name, 6), OK);
	if (!view_eq(buf_view(&out), want))
		print_error("gives \"" VIEW_FMT "\"\n", VIEW_ARG(buf_view(&out)));
	assert_true(view_eq(buf_view(&out), want));
	check_written(buf_view(&out), 6, name, true);
}

static void test_encode_phrase(void **state)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(1000);

	check_phrase(VIEW(""), VIEW(""));
	check_phrase(VIEW("John Doe"), VIEW("John Doe"));
	check_phrase(VIEW("John Q. Doe"), VIEW("\"John Q. Doe\""));
	check_phrase(VIEW("Doe, \"J\" \\"), VIEW("\"Doe, \\\"J\\\" \\\\\""));
	check_phrase(VIEW(" a"), VIEW("\" a\""));
	check_phrase(VIEW("a  b"), VIEW("\"a  b\""));
	check_phrase(VIEW("a@b <c>,"), VIEW("\"a@b <c>,\""));
	check_phrase(VIEW("J\xc3\xbc\x72g M"), VIEW("=?utf-8?q?J=C3=BCrg_M?="));
	check_phrase(VIEW("=?a?="), VIEW("=?utf-8?b?PT9hPz0=?="));
	check_phrase(VIEW("\xc3\xa4 <a@b>, (x)"), VIEW("=?utf-8?b?w6QgPGFAYj4sICh4KQ==?="));
	assert_int_equal(encoded_word_add_phrase(&out, VIEW("a\rb"), 0), ERR_SYNTAX);
}

static void test_every_cut(void **state)
{
	struct view text = VIEW("a =?utf-8?q?=C3?=\r\n =?utf-8*de?b?pA==?= b=?\xe4?= =?x?Q?_?=");

	for (struct cuts c = cuts_parts(text); cuts_next(&c);) {
		struct buf CLEANUP(buf_done) out = BUF_INIT(1000);

		encoded_word_decode(&out, c.piece, NULL);
		assert_int_equal(buf_err(&out), OK);
		assert_true(mime_utf8_valid(buf_view(&out)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode),	      cmocka_unit_test(test_present),
		cmocka_unit_test(test_linear),	      cmocka_unit_test(test_encode_text),
		cmocka_unit_test(test_encode_phrase), cmocka_unit_test(test_every_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
