/*
 * base/date.c: calendar arithmetic, and the dates of mail.
 *
 * Years are counted from March, so that the leap day comes last, in eras of 400 years (146097 days).
 */
#include "base/date.h"

#include "base/ascii.h"
#include "base/cursor.h"

enum {
	DAY_SECONDS = 86400,
	ERA_DAYS = 146097,
	EPOCH_DAYS = 719468, /* from 0000-03-01 to 1970-01-01 */
	ZONE_MAX = 99 * 60 + 59, /* what the grammar can say   RFC 5322#3.3 */
	DATE_COMMENT_DEPTH_MAX = 16, /* of comments within comments */
	DATE_WORD_MAX = 16, /* letters of a zone, month or weekday */
};

static const struct view month_names[12] = {
	VIEW_INIT("Jan"), VIEW_INIT("Feb"), VIEW_INIT("Mar"), VIEW_INIT("Apr"),
	VIEW_INIT("May"), VIEW_INIT("Jun"), VIEW_INIT("Jul"), VIEW_INIT("Aug"),
	VIEW_INIT("Sep"), VIEW_INIT("Oct"), VIEW_INIT("Nov"), VIEW_INIT("Dec"),
};

static const struct view weekday_names[7] = {
	VIEW_INIT("Sun"), VIEW_INIT("Mon"), VIEW_INIT("Tue"), VIEW_INIT("Wed"),
	VIEW_INIT("Thu"), VIEW_INIT("Fri"), VIEW_INIT("Sat"),
};

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Days since 1970-01-01. */
static int64_t days_of(int year, int month, int day)
{
	int64_t y = month > 2 ? year : year - 1;
	int64_t era = floor_div(y, 400);
	int64_t year_of_era = y - era * 400;
	int64_t month_from_march = (month + 9) % 12;
	int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;

	return era * ERA_DAYS + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
	       day_of_year - EPOCH_DAYS;
}

struct date date_of(int64_t seconds, int zone)
{
	const int64_t first = days_of(1, 1, 1) * DAY_SECONDS;
	const int64_t last = (days_of(9999, 12, 31) + 1) * DAY_SECONDS - 1;
	int64_t local;

	/* What no year of four digits can show is shown as the nearest that can. */
	if (__builtin_add_overflow(seconds, (int64_t)zone * 60, &local))
		local = seconds;
	local = local < first ? first : local > last ? last : local;

	int64_t days = floor_div(local, DAY_SECONDS);
	int second_of_day = (int)(local - days * DAY_SECONDS);
	int64_t shifted = days + EPOCH_DAYS;
	int64_t era = floor_div(shifted, ERA_DAYS);
	int64_t day_of_era = shifted - era * ERA_DAYS;
	int64_t year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year =
		day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t month_from_march = (5 * day_of_year + 2) / 153;
	int month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);

	return (struct date){
		.year = (int)(year_of_era + era * 400) + (month <= 2),
		.month = month,
		.day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1),
		.hour = second_of_day / 3600,
		.minute = second_of_day / 60 % 60,
		.second = second_of_day % 60,
		.weekday = (int)(days + 4 - floor_div(days + 4, 7) * 7),
		.zone = zone,
	};
}

static int month_days(int year, int month)
{
	static const int days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month - 1] + (month == 2 && leap);
}

static bool between(int value, int low, int high)
{
	return value >= low && value <= high;
}

enum err date_seconds(const struct date *d, int64_t *ret)
{
	if (!between(d->year, 1, 9999) || !between(d->month, 1, 12) ||
	    !between(d->day, 1, month_days(d->year, d->month)))
		return ERR_RANGE;
	if (!between(d->hour, 0, 23) || !between(d->minute, 0, 59) || !between(d->second, 0, 60) ||
	    !between(d->zone, -ZONE_MAX, ZONE_MAX))
		return ERR_RANGE;

	int64_t seconds = d->hour * 3600 + (d->minute - d->zone) * 60 + d->second;

	*ret = days_of(d->year, d->month, d->day) * DAY_SECONDS + seconds;
	return OK;
}

/* "03:48:54 +0000" */
static void add_time_and_zone(struct buf *out, const struct date *d)
{
	int zone = d->zone < 0 ? -d->zone : d->zone;

	buf_addf(out, "%02d:%02d:%02d %c%02d%02d", d->hour, d->minute, d->second,
		 d->zone < 0 ? '-' : '+', zone / 60, zone % 60);
}

void date_add_rfc5322(struct buf *out, int64_t seconds, int zone)
{
	struct date d = date_of(seconds, zone);

	buf_addf(out, VIEW_FMT ", %d " VIEW_FMT " %04d ", VIEW_ARG(weekday_names[d.weekday]), d.day,
		 VIEW_ARG(month_names[d.month - 1]), d.year);
	add_time_and_zone(out, &d);
}

void date_add_imap(struct buf *out, int64_t seconds, int zone)
{
	struct date d = date_of(seconds, zone);

	buf_addf(out, "%2d-" VIEW_FMT "-%04d ", d.day, VIEW_ARG(month_names[d.month - 1]), d.year);
	add_time_and_zone(out, &d);
}

/* value in width digits, and what follows. */
static void add_digits(struct buf *out, int value, int width, char behind)
{
	char text[8];

	for (int i = width - 1; i >= 0; i--) {
		text[i] = (char)('0' + value % 10);
		value /= 10;
	}
	text[width] = behind;
	buf_add(out, view_of(text, (size_t)width + 1));
}

void date_add_rfc3339(struct buf *out, int64_t milliseconds)
{
	int64_t seconds = floor_div(milliseconds, 1000);
	struct date d = date_of(seconds, 0);

	/* Each line of the log has one: printf would take longer than all the rest. */
	add_digits(out, d.year, 4, '-');
	add_digits(out, d.month, 2, '-');
	add_digits(out, d.day, 2, 'T');
	add_digits(out, d.hour, 2, ':');
	add_digits(out, d.minute, 2, ':');
	add_digits(out, d.second, 2, '.');
	add_digits(out, (int)(milliseconds - seconds * 1000), 3, 'Z');
}

int date_month(struct view name)
{
	for (size_t i = 0; i < ARRAY_LEN(month_names); i++) {
		if (view_eq_nocase(name, month_names[i]))
			return (int)i + 1;
	}
	return 0;
}

/* Exactly n digits. */
static int digits(struct cursor *c, size_t n)
{
	struct view text = cursor_take(c, n);
	int value = 0;

	for (size_t i = 0; i < text.n; i++) {
		if (!ascii_is_digit(view_at(text, i)))
			cursor_fail(c, ERR_SYNTAX);
		value = value * 10 + (view_at(text, i) - '0');
	}
	return c->err ? 0 : value;
}

/* ( "+" / "-" ) 4DIGIT   RFC 5322#3.3 zone */
static int numeric_zone(struct cursor *c)
{
	bool west = cursor_skip_char(c, '-');

	if (!west)
		cursor_char(c, '+');

	int hours = digits(c, 2);
	int minutes = digits(c, 2);

	if (minutes > 59)
		cursor_fail(c, ERR_RANGE);
	return (west ? -1 : 1) * (hours * 60 + minutes);
}

/* The last step of both parsers: check ranges, find the weekday. */
static enum err finish(struct date d, struct date *ret)
{
	int64_t seconds;
	enum err err = date_seconds(&d, &seconds);

	if (err)
		return err;
	/* A second 60 or a zone must not move the weekday of the date as written. */
	d.weekday = date_of(days_of(d.year, d.month, d.day) * DAY_SECONDS, 0).weekday;
	*ret = d;
	return OK;
}

/* Inside a comment, behind its "(".  Counts depth instead of recursing. */
static void skip_comment(struct cursor *c)
{
	int depth = 1;

	while (depth && !c->err) {
		uint8_t ch = cursor_byte(c);

		if (ch == '\\')
			cursor_byte(c);
		else if (ch == ')')
			depth--;
		else if (ch == '(' && ++depth > DATE_COMMENT_DEPTH_MAX)
			cursor_fail(c, ERR_LIMIT);
	}
}

/* [CFWS]   RFC 5322#3.2.2 */
static void skip_cfws(struct cursor *c)
{
	while (!cursor_at_end(c)) {
		if (cursor_skip_char(c, '('))
			skip_comment(c);
		else if (ascii_is_space((uint8_t)cursor_peek(c)))
			c->at++;
		else
			return;
	}
}

/* [CFWS] 1*2DIGIT [CFWS], and how many digits where asked */
static int obs_number(struct cursor *c, size_t max_digits, size_t *ret_digits)
{
	skip_cfws(c);

	size_t from = c->at;
	struct view text = cursor_span(c, ascii_is_digit, max_digits);
	int value = 0;

	for (size_t i = 0; i < text.n; i++)
		value = value * 10 + (view_at(text, i) - '0');
	if (ret_digits)
		*ret_digits = c->at - from;
	skip_cfws(c);
	return value;
}

/* year / obs-year = [CFWS] 2*DIGIT [CFWS]   RFC 5322#4.3 */
static int obs_year(struct cursor *c)
{
	size_t n;
	int year = obs_number(c, 4, &n);

	if (n < 2)
		cursor_fail(c, ERR_SYNTAX);
	if (n == 2)
		return year < 50 ? year + 2000 : year + 1900;
	return n == 3 ? year + 1900 : year;
}

static bool is_weekday(struct view name)
{
	for (size_t i = 0; i < ARRAY_LEN(weekday_names); i++) {
		if (view_eq_nocase(name, weekday_names[i]))
			return true;
	}
	return false;
}

/* [ [CFWS] day-name [CFWS] "," ]   RFC 5322#4.3 obs-day-of-week */
static void skip_weekday(struct cursor *c)
{
	skip_cfws(c);
	if (c->err || !ascii_is_alpha((uint8_t)cursor_peek(c)))
		return;
	if (!is_weekday(cursor_span(c, ascii_is_alpha, DATE_WORD_MAX)))
		cursor_fail(c, ERR_SYNTAX);
	skip_cfws(c);
	cursor_char(c, ',');
}

static const struct {
	struct view name;
	int minutes;
} zone_names[] = {
	{ VIEW_INIT("EST"), -5 * 60 }, { VIEW_INIT("EDT"), -4 * 60 }, { VIEW_INIT("CST"), -6 * 60 },
	{ VIEW_INIT("CDT"), -5 * 60 }, { VIEW_INIT("MST"), -7 * 60 }, { VIEW_INIT("MDT"), -6 * 60 },
	{ VIEW_INIT("PST"), -8 * 60 }, { VIEW_INIT("PDT"), -7 * 60 },
};

/* zone / obs-zone   RFC 5322#4.3: names without an agreed meaning count as -0000. */
static int obs_zone(struct cursor *c)
{
	skip_cfws(c);
	if (c->err || !ascii_is_alpha((uint8_t)cursor_peek(c)))
		return numeric_zone(c);

	struct view name = cursor_span(c, ascii_is_alpha, DATE_WORD_MAX);

	for (size_t i = 0; i < ARRAY_LEN(zone_names); i++) {
		if (view_eq_nocase(name, zone_names[i].name))
			return zone_names[i].minutes;
	}
	return 0;
}

enum err date_parse_rfc5322(struct view text, struct date *ret)
{
	struct cursor c = cursor_init(text);
	struct date d = { 0 };

	skip_weekday(&c);
	d.day = obs_number(&c, 2, NULL);
	d.month = date_month(cursor_span(&c, ascii_is_alpha, DATE_WORD_MAX));
	if (!d.month)
		cursor_fail(&c, ERR_SYNTAX);
	d.year = obs_year(&c);
	d.hour = obs_number(&c, 2, NULL);
	cursor_char(&c, ':');
	d.minute = obs_number(&c, 2, NULL);
	if (cursor_skip_char(&c, ':'))
		d.second = obs_number(&c, 2, NULL);
	d.zone = obs_zone(&c);
	skip_cfws(&c);
	cursor_end(&c);
	return c.err ? c.err : finish(d, ret);
}

enum err date_parse_imap(struct view text, struct date *ret)
{
	struct cursor c = cursor_init(text);
	struct date d = { 0 };

	/* date-day-fixed = (SP DIGIT) / 2DIGIT   RFC 9051#9 */
	d.day = cursor_skip_char(&c, ' ') ? digits(&c, 1) : digits(&c, 2);
	cursor_char(&c, '-');
	d.month = date_month(cursor_take(&c, 3));
	if (!d.month)
		cursor_fail(&c, ERR_SYNTAX);
	cursor_char(&c, '-');
	d.year = digits(&c, 4);
	cursor_space(&c);
	d.hour = digits(&c, 2);
	cursor_char(&c, ':');
	d.minute = digits(&c, 2);
	cursor_char(&c, ':');
	d.second = digits(&c, 2);
	cursor_space(&c);
	d.zone = numeric_zone(&c);
	cursor_end(&c);
	return c.err ? c.err : finish(d, ret);
}
