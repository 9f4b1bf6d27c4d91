/*
 * Tests of base/date.c.
 */
#include "cuts.h"

#include "base/date.h"

static int64_t seconds_of(int year, int month, int day, int hour, int minute, int second)
{
	struct date d = { year, month, day, hour, minute, second, 0, 0 };
	int64_t seconds = (int64_t)CANARY;

	assert_int_equal(date_seconds(&d, &seconds), OK);
	return seconds;
}

static void known_moments(void **state)
{
	assert_true(seconds_of(1970, 1, 1, 0, 0, 0) == 0);
	assert_true(seconds_of(1969, 12, 31, 23, 59, 59) == -1);
	assert_true(seconds_of(2000, 2, 29, 12, 0, 0) == 951825600);
	assert_true(seconds_of(2026, 11, 21, 3, 48, 54) == 1795232934);
	assert_true(seconds_of(2038, 1, 19, 3, 14, 8) == 2147483648);
	assert_true(seconds_of(1, 1, 1, 0, 0, 0) == -62135596800);
	assert_true(seconds_of(9999, 12, 31, 23, 59, 59) == 253402300799);
	assert_true(seconds_of(2016, 12, 31, 23, 59, 60) == seconds_of(2017, 1, 1, 0, 0, 0));
}

/* Every day of eight centuries, counted up by the simplest rules. */
static void every_day_in_a_row(void **state)
{
	struct date d = date_of(seconds_of(1600, 1, 1, 0, 0, 0), 0);
	int64_t seconds = seconds_of(1600, 1, 1, 0, 0, 0);
	int weekday = 6; /* a Saturday */

	assert_int_equal(d.year, 1600);
	while (d.year < 2400) {
		int64_t back;

		assert_int_equal(d.weekday, weekday);
		assert_int_equal(date_seconds(&d, &back), OK);
		assert_true(back == seconds);
		assert_int_equal(date_of(seconds + 86399, 0).day, d.day);
		seconds += 86400;
		weekday = (weekday + 1) % 7;

		struct date next = date_of(seconds, 0);

		assert_true((next.day == d.day + 1 && next.month == d.month) ||
			    (next.day == 1 && d.day >= 28 && next.month == d.month % 12 + 1));
		assert_int_equal(next.year, d.year + (d.month == 12 && d.day == 31));
		d = next;
	}
	assert_true(seconds == seconds_of(2400, 1, 1, 0, 0, 0));
}

static void out_of_range(void **state)
{
	static const struct date bad[] = {
		{ 0, 1, 1, 0, 0, 0, 0, 0 },	   { 10000, 1, 1, 0, 0, 0, 0, 0 },
		{ 2026, 0, 1, 0, 0, 0, 0, 0 },	   { 2026, 13, 1, 0, 0, 0, 0, 0 },
		{ 2026, 1, 0, 0, 0, 0, 0, 0 },	   { 2026, 1, 32, 0, 0, 0, 0, 0 },
		{ 2026, 4, 31, 0, 0, 0, 0, 0 },	   { 2026, 2, 29, 0, 0, 0, 0, 0 },
		{ 1900, 2, 29, 0, 0, 0, 0, 0 },	   { 2000, 2, 30, 0, 0, 0, 0, 0 },
		{ 2026, 1, 1, -1, 0, 0, 0, 0 },	   { 2026, 1, 1, 24, 0, 0, 0, 0 },
		{ 2026, 1, 1, 0, -1, 0, 0, 0 },	   { 2026, 1, 1, 0, 60, 0, 0, 0 },
		{ 2026, 1, 1, 0, 0, -1, 0, 0 },	   { 2026, 1, 1, 0, 0, 61, 0, 0 },
		{ 2026, 1, 1, 0, 0, 0, 0, -6000 }, { 2026, 1, 1, 0, 0, 0, 0, 6000 },
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int64_t seconds = (int64_t)CANARY;

		assert_int_equal(date_seconds(&bad[i], &seconds), ERR_RANGE);
		assert_true(seconds == (int64_t)CANARY);
	}
}

static void what_cannot_be_shown_is_clamped(void **state)
{
	assert_int_equal(date_of(INT64_MAX, 0).year, 9999);
	assert_int_equal(date_of(INT64_MAX, 60).second, 59);
	assert_int_equal(date_of(INT64_MIN, 0).year, 1);
	assert_int_equal(date_of(INT64_MIN, -60).day, 1);
}

static void written(void **state)
{
	struct buf CLEANUP(buf_done) b = BUF_INIT(100);

	date_add_rfc5322(&b, 1795232934, 0);
	assert_view(buf_view(&b), "Sat, 21 Nov 2026 03:48:54 +0000");
	buf_clear(&b);
	date_add_rfc5322(&b, 1795232934, -330);
	assert_view(buf_view(&b), "Fri, 20 Nov 2026 22:18:54 -0530");
	buf_clear(&b);
	date_add_imap(&b, 1793505600, 60);
	assert_view(buf_view(&b), " 1-Nov-2026 05:00:00 +0100");
	buf_clear(&b);
	date_add_rfc3339(&b, 1795232934123);
	assert_view(buf_view(&b), "2026-11-21T03:48:54.123Z");
	buf_clear(&b);
	date_add_rfc3339(&b, -1);
	assert_view(buf_view(&b), "1969-12-31T23:59:59.999Z");
}

static void mail_date(const char *text, int64_t want, int zone, int weekday)
{
	struct date d;
	int64_t seconds;
	enum err err = date_parse_rfc5322(view_str(text), &d);

	if (err)
		fail_msg("\"%s\": %s", text, err_text(err));
	assert_int_equal(date_seconds(&d, &seconds), OK);
	if (seconds != want)
		fail_msg("\"%s\" is %jd, not %jd", text, (intmax_t)seconds, (intmax_t)want);
	assert_int_equal(d.zone, zone);
	assert_int_equal(d.weekday, weekday);
}

/* RFC 5322#3.3, examples of its appendix A */
static void mail_dates(void **state)
{
	mail_date("Fri, 21 Nov 1997 09:55:06 -0600", 880127706, -360, 5);
	mail_date("Tue, 1 Jul 2003 10:52:37 +0200", 1057049557, 120, 2);
	mail_date("21 nov 1997 09:55:06 -0600", 880127706, -360, 5);
	mail_date("Fri, 21 Nov 1997 09:55 -0600", 880127700, -360, 5);
	mail_date("  Fri,\r\n 21  Nov 1997\t09:55:06 -0600 (CST)  ", 880127706, -360, 5);
	/* The weekday is what the date says. */
	mail_date("Mon, 21 Nov 1997 09:55:06 -0600", 880127706, -360, 5);
	mail_date("Sat, 31 Dec 2016 23:59:60 +0000", 1483228800, 0, 6);
}

/* RFC 5322#4.3 */
static void obsolete_mail_dates(void **state)
{
	mail_date("21 Nov 97 09:55:06 GMT", 880106106, 0, 5);
	mail_date("Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", 880127706, -360, 5);
	mail_date("Fri (f) , (a(b)\\)c) 21 Nov 097 09:55:06 CST", 880127706, -360, 5);
	mail_date("1 Jan 49 00:00 UT", 2493072000, 0, 5);
	mail_date("1 Jan 50 00:00 UT", -631152000, 0, 0);
	mail_date("1 Jan 126 00:00 UT", 1767225600, 0, 4);
	mail_date("1 Jan 1970 00:00 EDT", 14400, -240, 4);
	mail_date("1 Jan 1970 00:00 PST", 28800, -480, 4);
	mail_date("1 Jan 1970 00:00 Z", 0, 0, 4);
	mail_date("1 Jan 1970 00:00 A", 0, 0, 4);
	mail_date("1 Jan 1970 00:00 CEST", 0, 0, 4);
}

static void not_mail_date(struct view text, enum err want)
{
	struct date d = { .year = 12345 };
	char *tight = tight_copy(text);
	enum err err = date_parse_rfc5322(view_of(tight, text.n), &d);

	free(tight);
	if (err != want)
		fail_msg("\"" VIEW_FMT "\": %s", VIEW_ARG(text), err_text(err));
	assert_int_equal(d.year, 12345);
}

static void bad_mail_dates(void **state)
{
	static const char *const syntax[] = {
		"",
		"Fri",
		"Fri 21 Nov 1997 09:55:06 -0600",
		"Xxx, 21 Nov 1997 09:55:06 -0600",
		"Fri, 21 Nov 1997",
		"Fri, 21 Nov 1997 09 -0600",
		"Fri, 21 Nov 1997 09:55:06",
		"Fri, 21 Nov 1997 09:55:06 0600",
		"Fri, 21 Nov 1997 09:55:06 -060",
		"Fri, 21 Nov 1997 09:55:06 -06000",
		"Fri, 21 Nov 1997 09:55:06 -0600 x",
		"Fri, 21 Nov 1 09:55:06 -0600",
		"Fri, 21 Nov -1997 09:55:06 -0600",
		"Fri, 21 November 1997 09:55:06 -0600",
		"Fri, 21 Nov 1997 09:55:06 -0600 (",
		"Fri, 21 Nov 1997 09:55:06 -0600 (\\",
	};
	static const char *const range[] = {
		"32 Nov 1997 09:55:06 -0600", "31 Nov 1997 09:55:06 -0600",
		"29 Feb 1997 09:55:06 -0600", "0 Nov 1997 09:55:06 -0600",
		"21 Nov 1997 24:00:00 -0600", "21 Nov 1997 09:60:00 -0600",
		"21 Nov 1997 09:00:61 -0600", "21 Nov 1997 09:55:06 -0660",
		"21 Nov 0000 09:55:06 -0600",
	};

	for (size_t i = 0; i < ARRAY_LEN(syntax); i++)
		not_mail_date(view_str(syntax[i]), ERR_SYNTAX);
	for (size_t i = 0; i < ARRAY_LEN(range); i++)
		not_mail_date(view_str(range[i]), ERR_RANGE);
	not_mail_date(VIEW("121 Nov 1997 09:55:06 -0600"), ERR_LIMIT);
	not_mail_date(VIEW("21 Nov 19970 09:55:06 -0600"), ERR_LIMIT);
	not_mail_date(VIEW("21 Nov 1997 09:55:06 ABCDEFGHIJKLMNOPQ"), ERR_LIMIT);
	not_mail_date(VIEW("21 Nov 1997 09:55\0 -0600"), ERR_SYNTAX);
}

static void comments_nest_to_a_depth(void **state)
{
	struct buf CLEANUP(buf_done) b = BUF_INIT(1000);
	struct date d;

	buf_add_fill(&b, '(', 16);
	buf_add_fill(&b, ')', 16);
	buf_add_str(&b, "1 Jan 1970 00:00 UT");
	assert_int_equal(date_parse_rfc5322(buf_view(&b), &d), OK);
	buf_clear(&b);
	buf_add_fill(&b, '(', 17);
	buf_add_fill(&b, ')', 17);
	buf_add_str(&b, "1 Jan 1970 00:00 UT");
	not_mail_date(buf_view(&b), ERR_LIMIT);
}

static void every_cut_of_a_mail_date_fails(void **state)
{
	struct view whole = VIEW("Fri, 21 Nov 1997 09:55:06 -0600");

	for (size_t n = 0; n < whole.n; n++)
		not_mail_date(view_head(whole, n), ERR_SYNTAX);
}

/* RFC 9051#9 */
static void imap_dates(void **state)
{
	struct view whole = VIEW("17-Jul-1996 02:44:25 -0700");
	struct date d = { .year = 12345 };
	int64_t seconds;

	for (struct cuts c = cuts_short_heads(whole); cuts_next(&c);) {
		assert_int_equal(date_parse_imap(c.piece, &d), ERR_SYNTAX);
		assert_int_equal(d.year, 12345);
	}
	assert_int_equal(date_parse_imap(whole, &d), OK);
	assert_int_equal(date_seconds(&d, &seconds), OK);
	assert_true(seconds == 837596665);
	assert_int_equal(d.zone, -420);
	assert_int_equal(date_parse_imap(VIEW(" 7-jul-1996 02:44:25 +0000"), &d), OK);
	assert_int_equal(d.day, 7);
}

static void bad_imap_dates(void **state)
{
	static const char *const syntax[] = {
		"7-Jul-1996 02:44:25 -0700",   "17-Jul-96 02:44:25 -0700",
		"17 Jul 1996 02:44:25 -0700",  "17-Jul-1996  02:44:25 -0700",
		"17-Jul-1996 02:44:25 -0700 ", "17-Jul-1996 02:44:25 GMT",
		"17-Foo-1996 02:44:25 -0700",  "\"17-Jul-1996 02:44:25 -0700\"",
		"17-Jul-1996 2:44:25 -0700",   "+7-Jul-1996 02:44:25 -0700",
	};
	struct date d = { .year = 12345 };

	for (size_t i = 0; i < ARRAY_LEN(syntax); i++)
		assert_int_equal(date_parse_imap(view_str(syntax[i]), &d), ERR_SYNTAX);
	assert_int_equal(date_parse_imap(VIEW("31-Jun-1996 02:44:25 -0700"), &d), ERR_RANGE);
	assert_int_equal(date_parse_imap(VIEW("17-Jul-1996 24:44:25 -0700"), &d), ERR_RANGE);
	assert_int_equal(date_parse_imap(VIEW("17-Jul-1996 02:44:25 -0760"), &d), ERR_RANGE);
	assert_int_equal(d.year, 12345);
}

static void months(void **state)
{
	assert_int_equal(date_month(VIEW("Jan")), 1);
	assert_int_equal(date_month(VIEW("dEC")), 12);
	assert_int_equal(date_month(VIEW("De")), 0);
	assert_int_equal(date_month(VIEW("Sept")), 0);
	assert_int_equal(date_month(VIEW_EMPTY), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_moments),
		cmocka_unit_test(every_day_in_a_row),
		cmocka_unit_test(out_of_range),
		cmocka_unit_test(what_cannot_be_shown_is_clamped),
		cmocka_unit_test(written),
		cmocka_unit_test(mail_dates),
		cmocka_unit_test(obsolete_mail_dates),
		cmocka_unit_test(bad_mail_dates),
		cmocka_unit_test(comments_nest_to_a_depth),
		cmocka_unit_test(every_cut_of_a_mail_date_fails),
		cmocka_unit_test(imap_dates),
		cmocka_unit_test(bad_imap_dates),
		cmocka_unit_test(months),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
