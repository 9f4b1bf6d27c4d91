/*
 * Tests of proto/imap/name.c and match.c.
 */
#include "unit.h"

#include "proto/imap/match.h"
#include "proto/imap/name.h"

static void both_ways(const char *utf7, const char *utf8)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(IMAP_NAME_WIRE_MAX);

	assert_int_equal(imap_utf7_decode(&out, view_str(utf7)), OK);
	assert_string_equal(buf_cstr(&out), utf8);
	buf_clear(&out);
	imap_utf7_encode(&out, view_str(utf8));
	assert_string_equal(buf_cstr(&out), utf7);
}

static void utf7(void **state)
{
	both_ways("INBOX", "INBOX");
	both_ways("", "");
	both_ways("a&-b", "a&b");
	both_ways("&-&-", "&&");
	both_ways("&AOQ-", "\xc3\xa4");
	both_ways("&AOQA9g-", "\xc3\xa4\xc3\xb6");
	both_ways("&AOQ-&-&APY-", "\xc3\xa4&\xc3\xb6");
	both_ways("~peter/mail/&U,BTFw-/&ZeVnLIqe-",
		  "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e");
	both_ways("&2D3eAA-", "\xf0\x9f\x98\x80");
}

static void bad_utf7(void **state)
{
	/* unended, empty digits, padding, ASCII encoded, lone surrogates, bits left, 8-bit, control,
	 * two runs in a row */
	static const char *const bad[] = {
		"&",	    "&AOQ",  "&A-",	 "&AO-", "&AOQ=-",     "&AGE-",	 "&2D0-", "&3gA-",
		"&2D3YPQ-", "&AOR-", "\xc3\xa4", "a\tb", "&AOQ-&APY-", "&AAA/-", "&AOQA-"
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct buf CLEANUP(buf_done) out = BUF_INIT(IMAP_NAME_WIRE_MAX);

		if (imap_utf7_decode(&out, view_str(bad[i])) != ERR_SYNTAX) {
			print_error("%s was accepted\n", bad[i]);
			fail();
		}
	}
}

static void normal_form(void **state)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(IMAP_NAME_WIRE_MAX);
	struct buf CLEANUP(buf_done) text = BUF_INIT(IMAP_NAME_WIRE_MAX);

	assert_int_equal(imap_name_normalise(&out, VIEW("a\xcc\x88")), OK);
	assert_view(buf_view(&out), "\xc3\xa4");
	assert_int_equal(imap_name_normalise(&out, VIEW("a\x01")), ERR_SYNTAX);
	assert_int_equal(imap_name_normalise(&out, VIEW("a\xff")), ERR_SYNTAX);
	assert_int_equal(imap_name_normalise(&out, VIEW("a\xc2\x85")), ERR_SYNTAX);
	assert_int_equal(imap_name_normalise(&out, VIEW("a\xe2\x80\xa8")), ERR_SYNTAX);
	buf_add_fill(&text, 'x', IMAP_NAME_MAX);
	buf_clear(&out);
	assert_int_equal(imap_name_normalise(&out, buf_view(&text)), OK);
	buf_add_char(&text, 'x');
	assert_int_equal(imap_name_normalise(&out, buf_view(&text)), ERR_LIMIT);
	/* 500 characters that double in length, or decompose into three. */
	buf_clear(&text);
	for (int i = 0; i < 333; i++)
		buf_add(&text, VIEW("\xe1\xb8\xa9"));
	buf_clear(&out);
	assert_int_equal(imap_name_normalise(&out, buf_view(&text)), OK);
}

static bool match(const char *pattern, const char *name)
{
	struct arena a;
	struct imap_pattern p;
	bool ret;

	arena_init(&a, (size_t)1 << 20);
	assert_int_equal(imap_pattern_compile(&a, view_str(pattern), &p), OK);
	ret = imap_pattern_match(&p, view_str(name));
	arena_done(&a);
	return ret;
}

static void patterns(void **state)
{
	assert_true(match("*", "a/b/c"));
	assert_true(match("*", ""));
	assert_true(match("%", "a"));
	assert_false(match("%", "a/b"));
	assert_true(match("%/%", "a/b"));
	assert_false(match("%/%", "a/b/c"));
	assert_true(match("a%c", "abc"));
	assert_true(match("a%c", "ac"));
	assert_false(match("a%c", "a/c"));
	assert_true(match("a*c", "a/b/c"));
	assert_true(match("*%", "a/b"));
	assert_true(match("%*", "a/b"));
	assert_true(match("INBOX", "INBOX"));
	assert_true(match("inbox", "INBOX"));
	assert_true(match("InBox/x", "INBOX/x"));
	assert_false(match("InBox/x", "INBOX/X"));
	assert_true(match("in%", "INBOX"));
	assert_false(match("inboxx", "INBOXx"));
	assert_false(match("A", "a"));
	assert_false(match("", "a"));
	assert_true(match("", ""));
	assert_true(match("*%*%*%*%*", "a/b"));
}

/* Against a naive matcher, on all short texts over a small alphabet. */
static bool naive(const char *p, const char *t)
{
	if (!*p)
		return !*t;
	if (*p == '*' || *p == '%')
		return naive(p + 1, t) || (*t && !(*p == '%' && *t == '/') && naive(p, t + 1));
	return *t == *p && naive(p + 1, t + 1);
}

static void patterns_against_naive(void **state)
{
	static const char letters[] = "ab/*%";

	for (unsigned p = 0; p < 3125; p++) {
		char pattern[6] = { 0 };

		for (unsigned i = 0, n = p; i < 5; i++, n /= 5)
			pattern[i] = letters[n % 5];
		for (unsigned t = 0; t < 243; t++) {
			char text[6] = { 0 };

			for (unsigned i = 0, n = t; i < 5; i++, n /= 3)
				text[i] = letters[n % 3];
			assert_int_equal(match(pattern, text), naive(pattern, text));
		}
	}
}

/* Hostile wildcards on the longest name are linear. */
static void patterns_do_not_explode(void **state)
{
	struct buf CLEANUP(buf_done) pattern = BUF_INIT(2000);
	struct buf CLEANUP(buf_done) name = BUF_INIT(2000);
	struct arena a;
	struct imap_pattern p;

	while (pattern.n < IMAP_PATTERN_MAX - 2)
		buf_add(&pattern, VIEW("*a%a"));
	buf_add_char(&pattern, 'b');
	buf_add_fill(&name, 'a', IMAP_NAME_MAX);
	arena_init(&a, (size_t)1 << 20);
	assert_int_equal(
		imap_pattern_compile(&a, view_head(buf_view(&pattern), IMAP_PATTERN_MAX), &p), OK);
	for (int i = 0; i < 1000; i++)
		assert_false(imap_pattern_match(&p, buf_view(&name)) &&
			     pattern.n <= IMAP_PATTERN_MAX);
	buf_add_fill(&pattern, 'a', 10);
	assert_int_equal(
		imap_pattern_compile(&a, view_head(buf_view(&pattern), IMAP_PATTERN_MAX + 1), &p),
		ERR_LIMIT);
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(utf7),
		cmocka_unit_test(bad_utf7),
		cmocka_unit_test(normal_form),
		cmocka_unit_test(patterns),
		cmocka_unit_test(patterns_against_naive),
		cmocka_unit_test(patterns_do_not_explode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
