/*
 * base/date.h: calendar time without the C library's global state.
 *
 * Seconds since 1970-01-01 UTC, negative allowed, proleptic Gregorian calendar.
 */
#ifndef BASE_DATE_H
#define BASE_DATE_H

#include "base/buf.h"

struct date {
	int year; /* 1..9999 */
	int month; /* 1..12 */
	int day; /* 1..31 */
	int hour; /* 0..23 */
	int minute; /* 0..59 */
	int second; /* 0..60 */
	int weekday; /* 0 = Sunday; ignored by date_seconds */
	int zone; /* minutes east of UTC */
};

/* Local time at zone (minutes east). */
struct date date_of(int64_t seconds, int zone);
/* ERR_RANGE when a field is outside its range. */
MUST_USE enum err date_seconds(const struct date *d, int64_t *ret);

/* "Sat, 21 Nov 2026 03:48:54 +0000"   RFC 5322#3.3 */
void date_add_rfc5322(struct buf *out, int64_t seconds, int zone);
/* "21-Nov-2026 03:48:54 +0000", day padded with a space   RFC 9051#9 date-time, without quotes */
void date_add_imap(struct buf *out, int64_t seconds, int zone);
/* "2026-11-21T03:48:54.123Z"   RFC 3339 */
void date_add_rfc3339(struct buf *out, int64_t milliseconds);

/* date-time of RFC 5322#3.3 with the obsolete forms of 4.3: comments, two-digit years, zone names. */
MUST_USE enum err date_parse_rfc5322(struct view text, struct date *ret);
/* date-time of RFC 9051#9, without its quotes. */
MUST_USE enum err date_parse_imap(struct view text, struct date *ret);

/* "Jan".."Dec" to 1..12, 0 if none. */
int date_month(struct view name);

#endif
