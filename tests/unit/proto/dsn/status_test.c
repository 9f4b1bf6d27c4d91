/* proto/dsn/status.h */
#include "unit.h"

#include "proto/dsn/status.h"

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		enum err err;
		unsigned class, subject, detail;
	} cases[] = {
		{ "5.1.1", OK, 5, 1, 1 },	    { "2.0.0", OK, 2, 0, 0 },
		{ "4.999.999", OK, 4, 999, 999 },   { "4.1000.1", ERR_RANGE, 0, 0, 0 },
		{ "4.1.0001", ERR_RANGE, 0, 0, 0 }, { "3.1.1", ERR_SYNTAX, 0, 0, 0 },
		{ "5.1", ERR_SYNTAX, 0, 0, 0 },	    { "5.1.", ERR_SYNTAX, 0, 0, 0 },
		{ "5..1", ERR_SYNTAX, 0, 0, 0 },    { "5.1.1 ", ERR_SYNTAX, 0, 0, 0 },
		{ "", ERR_SYNTAX, 0, 0, 0 },	    { "5.1.-1", ERR_SYNTAX, 0, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dsn_status s = { 9, 9, 9 };

		assert_int_equal(dsn_status_parse(view_str(cases[i].text), &s), cases[i].err);
		if (cases[i].err) {
			assert_int_equal(s.class, 9);
			continue;
		}
		assert_int_equal(s.class, cases[i].class);
		assert_int_equal(s.subject, cases[i].subject);
		assert_int_equal(s.detail, cases[i].detail);
	}
}

static void test_find(void **state)
{
	struct dsn_status s;

	assert_int_equal(dsn_status_find(VIEW("550 5.7.26 no"), 550, &s), OK);
	assert_int_equal(s.detail, 26);
	assert_int_equal(dsn_status_find(VIEW("5.7.1"), 0, &s), OK);
	assert_int_equal(dsn_status_find(VIEW("451-4.7.1 wait"), 451, &s), OK);
	assert_int_equal(dsn_status_find(VIEW("550 4.7.1 liar"), 550, &s), ERR_NOTFOUND);
	assert_int_equal(dsn_status_find(VIEW("550 no such user"), 550, &s), ERR_NOTFOUND);
	assert_int_equal(dsn_status_find(VIEW("5.7.1x"), 0, &s), ERR_NOTFOUND);
	assert_int_equal(dsn_status_find(VIEW_EMPTY, 550, &s), ERR_NOTFOUND);
}

static void test_words(void **state)
{
	struct dsn_status s;

	/* Every status has a sentence, listed or not. */
	for (unsigned subject = 0; subject < 9; subject++) {
		for (unsigned detail = 0; detail < 40; detail++) {
			s = (struct dsn_status){ 5, (uint16_t)subject, (uint16_t)detail };
			assert_true(strlen(dsn_status_words(&s)->meaning) > 10);
			assert_true(strlen(dsn_status_words(&s)->advice) > 10);
		}
	}
	s = (struct dsn_status){ 5, 1, 1 };
	assert_non_null(strstr(dsn_status_words(&s)->meaning, "no mailbox"));
}

static void test_clean(void **state)
{
	static const struct {
		struct view text;
		size_t max;
		const char *want;
	} cases[] = {
		{ VIEW_INIT("550 5.1.1 x\r\nBcc: y"), 100, "550 5.1.1 x Bcc: y" },
		{ VIEW_INIT("a\0b\x7f\x80\xff"), 100, "a?b???" },
		{ VIEW_INIT("  a \t b  "), 100, "a b" },
		{ VIEW_INIT("123456"), 6, "123456" },
		{ VIEW_INIT("1234567"), 6, "123..." },
		{ VIEW_INIT(""), 6, "" },
		{ VIEW_INIT("\r\n\r\n"), 6, "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf CLEANUP(buf_done) b = BUF_INIT(100);

		dsn_add_clean(&b, cases[i].text, cases[i].max);
		assert_string_equal(buf_cstr(&b), cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
