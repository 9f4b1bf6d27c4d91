/*
 * proto/mime/utf8.c: UTF-8 checked, repaired and folded.
 *
 * Decoding is by the table of well-formed sequences (Unicode, table 3-7), so that each maximal
 * ill-formed piece is one replacement.  Character properties come from utf8proc, a pure library.
 */
#include "proto/mime/utf8.h"

#include <utf8proc.h>

#include "base/ascii.h"

enum {
	FOLD_POINTS_MAX = 32, /* code points that one character can become (18 is the most) */
	FOLD_MARKS_MAX = 32, /* marks in a row that are put in order; longer runs keep theirs */
};

bool mime_ascii_only(struct view text)
{
	size_t i = 0;
	uint64_t word;

	for (; text.n - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, text.p + i, sizeof(word));
		if (word & 0x8080808080808080U)
			return false;
	}
	for (; i < text.n; i++)
		if (view_at(text, i) >= 0x80)
			return false;
	return true;
}

/* Length of the sequence that lead begins, or 0; the permitted range of its second byte. */
static size_t sequence_of(uint8_t lead, uint8_t *low, uint8_t *high)
{
	*low = 0x80;
	*high = 0xbf;
	if (lead >= 0xc2 && lead <= 0xdf)
		return 2;
	if (lead >= 0xe0 && lead <= 0xef) {
		if (lead == 0xe0)
			*low = 0xa0;
		if (lead == 0xed)
			*high = 0x9f; /* surrogates */
		return 3;
	}
	if (lead >= 0xf0 && lead <= 0xf4) {
		if (lead == 0xf0)
			*low = 0x90;
		if (lead == 0xf4)
			*high = 0x8f; /* above U+10FFFF */
		return 4;
	}
	return 0;
}

size_t mime_utf8_next(struct view text, size_t at, uint32_t *ret_point, bool *ret_valid)
{
	uint8_t lead = view_at(text, at);
	uint8_t low, high;

	*ret_valid = true;
	*ret_point = lead;
	if (lead < 0x80)
		return 1;

	size_t length = sequence_of(lead, &low, &high);
	uint32_t point = lead & (0x7fU >> length);
	size_t i;

	for (i = 1; i < length && at + i < text.n; i++) {
		uint8_t c = view_at(text, at + i);

		if (c < low || c > high)
			break;
		point = point << 6 | (c & 0x3f);
		low = 0x80;
		high = 0xbf;
	}
	*ret_valid = length && i == length;
	*ret_point = *ret_valid ? point : MIME_REPLACEMENT;
	return i;
}

bool mime_utf8_valid(struct view text)
{
	uint32_t point;
	bool valid;

	if (mime_ascii_only(text))
		return true;
	for (size_t i = 0; i < text.n;) {
		i += mime_utf8_next(text, i, &point, &valid);
		if (!valid)
			return false;
	}
	return true;
}

void mime_utf8_add(struct buf *out, uint32_t point)
{
	char room[4];
	size_t n = 0;

	if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
		point = MIME_REPLACEMENT;
	if (point < 0x80) {
		room[n++] = (char)point;
	} else if (point < 0x800) {
		room[n++] = (char)(0xc0 | point >> 6);
		room[n++] = (char)(0x80 | (point & 0x3f));
	} else if (point < 0x10000) {
		room[n++] = (char)(0xe0 | point >> 12);
		room[n++] = (char)(0x80 | (point >> 6 & 0x3f));
		room[n++] = (char)(0x80 | (point & 0x3f));
	} else {
		room[n++] = (char)(0xf0 | point >> 18);
		room[n++] = (char)(0x80 | (point >> 12 & 0x3f));
		room[n++] = (char)(0x80 | (point >> 6 & 0x3f));
		room[n++] = (char)(0x80 | (point & 0x3f));
	}
	buf_add(out, view_of(room, n));
}

void mime_utf8_add_repaired(struct buf *out, struct view text)
{
	size_t good_at = 0;
	uint32_t point;
	bool valid;

	for (size_t i = 0; i < text.n && !out->err;) {
		size_t n = mime_utf8_next(text, i, &point, &valid);

		if (!valid) {
			buf_add(out, view_part(text, good_at, i - good_at));
			mime_utf8_add(out, MIME_REPLACEMENT);
			good_at = i + n;
		}
		i += n;
	}
	buf_add(out, view_from(text, good_at));
}

struct view mime_utf8_head(struct view text, size_t max)
{
	size_t n = max;

	if (text.n <= max)
		return text;
	/* At most three bytes of a character lie before a cut inside it. */
	while (n > 0 && max - n < 3 && (view_at(text, n) & 0xc0) == 0x80)
		n--;
	if ((view_at(text, n) & 0xc0) == 0x80)
		n = max; /* not UTF-8 there: any cut will do */
	return view_head(text, n);
}

bool mime_utf8_is_control(uint32_t point)
{
	return point < 0x20 || (point >= 0x7f && point <= 0x9f) ||
	       (point >= 0x200e && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
	       (point >= 0x2066 && point <= 0x2069);
}

bool mime_utf8_hides_ascii(uint32_t point)
{
	const utf8proc_property_t *property;
	utf8proc_int32_t to[FOLD_POINTS_MAX];
	int boundary = 0;
	utf8proc_ssize_t n;

	if (point < 0x80)
		return false;
	if (point == 0x3002) /* ideographic full stop: IDNA front ends take it for a dot */
		return true;
	property = utf8proc_get_property((utf8proc_int32_t)point);
	if (property->decomp_type == 0)
		return false; /* none, or canonical as of accented letters */
	n = utf8proc_decompose_char((utf8proc_int32_t)point, to, FOLD_POINTS_MAX,
				    UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, &boundary);
	for (utf8proc_ssize_t i = 0; i < n && i < FOLD_POINTS_MAX; i++)
		if (to[i] < 0x80)
			return true;
	return false;
}

/* Marks that wait for the next starter, in canonical order by their class. */
struct fold_marks {
	uint32_t point[FOLD_MARKS_MAX];
	int class[FOLD_MARKS_MAX];
	size_t n;
};

static void flush_marks(struct buf *out, struct fold_marks *marks)
{
	for (size_t i = 0; i < marks->n; i++)
		mime_utf8_add(out, marks->point[i]);
	marks->n = 0;
}

static void add_folded_point(struct buf *out, struct fold_marks *marks, uint32_t point)
{
	int class = utf8proc_get_property((utf8proc_int32_t)point)->combining_class;
	size_t i;

	if (class == 0 || marks->n == FOLD_MARKS_MAX)
		flush_marks(out, marks);
	if (class == 0) {
		mime_utf8_add(out, point);
		return;
	}
	for (i = marks->n; i > 0 && marks->class[i - 1] > class; i--) {
		marks->point[i] = marks->point[i - 1];
		marks->class[i] = marks->class[i - 1];
	}
	marks->point[i] = point;
	marks->class[i] = class;
	marks->n++;
}

static void fold_point(struct buf *out, struct fold_marks *marks, uint32_t point)
{
	utf8proc_int32_t to[FOLD_POINTS_MAX];
	const utf8proc_option_t how = UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD;
	int boundary = 0;
	utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)point, to, FOLD_POINTS_MAX,
						     how, &boundary);

	if (n < 0 || n > FOLD_POINTS_MAX) {
		add_folded_point(out, marks, point);
		return;
	}
	for (utf8proc_ssize_t i = 0; i < n; i++)
		add_folded_point(out, marks, (uint32_t)to[i]);
}

void mime_casefold(struct buf *out, struct view text)
{
	struct fold_marks marks = { .n = 0 };
	size_t i = 0;

	while (i < text.n && !out->err) {
		size_t run = i;
		uint32_t point;
		bool valid;

		while (run < text.n && view_at(text, run) < 0x80)
			run++;
		if (run > i) {
			flush_marks(out, &marks);
			buf_add_lower(out, view_part(text, i, run - i));
			i = run;
			continue;
		}
		i += mime_utf8_next(text, i, &point, &valid);
		fold_point(out, &marks, point);
	}
	flush_marks(out, &marks);
}
