/*
 * proto/mime/charset_table.c: decoders of the charsets in the generated tables.
 *
 * A reader gives one point a call and always moves on.  What means nothing is U+FFFD; an ASCII octet
 * behind a lead octet that it cannot follow is never swallowed, for it may be a quote or a line end.
 */
#include "proto/mime/charset_table.h"

#include "proto/mime/charset_data.h"
#include "proto/mime/utf8.h"

enum {
	ESC = 0x1b,
	NO_POINT = 0, /* an escape sequence: nothing to add.  (NUL is passed on as itself.) */
	GB_BMP = 39420, /* four-octet codes of the basic plane */
	GB_PLANES = 189000, /* the first of the other planes */
	KANA_FIRST = 0xff61, /* half-width forms, for 0xa1 .. 0xdf */
	JIS_MIN = 0x21, /* octets of a character of JIS X 0208 and 0212 */
	JIS_MAX = 0x7e,
};

enum jis_set { JIS_ASCII, JIS_ROMAN, JIS_KANA, JIS_0208, JIS_0212 };

struct reader {
	struct view text;
	size_t at;
	const uint16_t *single;
	enum jis_set set; /* ISO-2022-JP: what is switched to */
	bool nothing; /* the call read an escape sequence */
};

typedef uint32_t next_fn(struct reader *r);

/* The octet n behind the present one; ASCII NUL behind the end, which follows no lead. */
static uint8_t peek(const struct reader *r, size_t n)
{
	return n < r->text.n - r->at ? view_at(r->text, r->at + n) : 0;
}

static uint32_t pair_point(const struct charset_pairs *t, unsigned lead, unsigned trail)
{
	size_t row = (size_t)t->trail_max - t->trail_min + 1;

	if (lead < t->lead_min || lead > t->lead_max || trail < t->trail_min ||
	    trail > t->trail_max)
		return 0;
	return t->points[(lead - t->lead_min) * row + (trail - t->trail_min)];
}

/* n octets were looked at, which mean point, or nothing. */
static uint32_t took(struct reader *r, size_t n, uint32_t point)
{
	if (!point) {
		point = MIME_REPLACEMENT;
		/* What is ASCII stays. */
		for (size_t i = 1; i < n; i++)
			if (peek(r, i) < 0x80)
				n = i;
	}
	r->at = size_min(r->at + n, r->text.n);
	return point;
}

static uint32_t next_single(struct reader *r)
{
	uint8_t c = peek(r, 0);

	return took(r, 1, r->single[c - 0x80]);
}

static uint32_t next_gb_four(struct reader *r)
{
	unsigned b3 = peek(r, 2), b4 = peek(r, 3);
	uint32_t linear = ((peek(r, 0) - 0x81U) * 10 + (peek(r, 1) - 0x30U)) * 1260;
	size_t low = 0, high = charset_gb_range_n;

	if (b3 < 0x81 || b3 > 0xfe || b4 < 0x30 || b4 > 0x39)
		return took(r, 1, 0);
	linear += (b3 - 0x81) * 10 + (b4 - 0x30);
	if (linear >= GB_PLANES && linear - GB_PLANES <= 0x10ffff - 0x10000)
		return took(r, 4, linear - GB_PLANES + 0x10000);
	if (linear >= GB_BMP)
		return took(r, 4, 0);
	while (high - low > 1) { /* the last range that begins at or before linear */
		size_t middle = low + (high - low) / 2;

		if (charset_gb_ranges[middle].linear <= linear)
			low = middle;
		else
			high = middle;
	}
	return took(r, 4, charset_gb_ranges[low].point + (linear - charset_gb_ranges[low].linear));
}

static uint32_t next_gb(struct reader *r)
{
	uint8_t lead = peek(r, 0), trail = peek(r, 1);

	if (lead == 0x80) /* code page 936 */
		return took(r, 1, 0x20ac);
	if (lead == 0xff)
		return took(r, 1, 0);
	if (trail >= 0x30 && trail <= 0x39)
		return next_gb_four(r);
	return took(r, 2, pair_point(&charset_gbk, lead, trail));
}

static uint32_t next_big5(struct reader *r)
{
	return took(r, 2, pair_point(&charset_big5, peek(r, 0), peek(r, 1)));
}

static uint32_t next_kr(struct reader *r)
{
	return took(r, 2, pair_point(&charset_kr, peek(r, 0), peek(r, 1)));
}

static uint32_t next_sjis(struct reader *r)
{
	uint8_t c = peek(r, 0);

	if (c >= 0xa1 && c <= 0xdf)
		return took(r, 1, KANA_FIRST + (c - 0xa1U));
	if (c == 0x80 || c == 0xa0 || c > 0xfc)
		return took(r, 1, 0);
	return took(r, 2, pair_point(&charset_cp932, c, peek(r, 1)));
}

/* A character of JIS X 0208 by its octets 0x21 .. 0x7e: code page 932 is the same in other places. */
static uint32_t jis_point(unsigned row, unsigned cell)
{
	unsigned lead, trail;

	if (row < JIS_MIN || row > JIS_MAX || cell < JIS_MIN || cell > JIS_MAX)
		return 0;
	lead = (row - JIS_MIN) / 2 + (row < 0x5f ? 0x81 : 0xc1);
	if (row % 2 == 0)
		trail = cell + 0x7e;
	else
		trail = cell + (cell < 0x60 ? 0x1f : 0x20);
	return pair_point(&charset_cp932, lead, trail);
}

static uint32_t next_euc_jp(struct reader *r)
{
	uint8_t c = peek(r, 0), second = peek(r, 1), third = peek(r, 2);

	if (c == 0x8e)
		return took(r, 2,
			    second >= 0xa1 && second <= 0xdf ? KANA_FIRST + (second - 0xa1U) : 0);
	if (c == 0x8f)
		return took(r, 3, pair_point(&charset_jis0212, second, third));
	if (c < 0xa1 || second < 0xa1)
		return took(r, second < 0x80 ? 2 : 1, 0);
	return took(r, 2, jis_point(c - 0x80U, second - 0x80U));
}

/* An escape sequence that switches; false if it is none of ours. */
static bool jis_switch(struct reader *r)
{
	static const struct {
		struct view sequence;
		enum jis_set set;
	} switches[] = {
		{ VIEW_INIT("(B"), JIS_ASCII }, { VIEW_INIT("(J"), JIS_ROMAN },
		{ VIEW_INIT("(I"), JIS_KANA },	{ VIEW_INIT("$@"), JIS_0208 },
		{ VIEW_INIT("$B"), JIS_0208 },	{ VIEW_INIT("$(D"), JIS_0212 },
	};
	struct view rest = view_from(r->text, r->at + 1);

	for (size_t i = 0; i < ARRAY_LEN(switches); i++) {
		if (!view_starts(rest, switches[i].sequence))
			continue;
		r->set = switches[i].set;
		r->at += 1 + switches[i].sequence.n;
		return true;
	}
	return false;
}

/* Both octets of a pair are ASCII here: the second is left only if it controls something. */
static uint32_t jis_took(struct reader *r, uint32_t point)
{
	r->at += peek(r, 1) >= JIS_MIN ? 2 : 1;
	return point ? point : MIME_REPLACEMENT;
}

static uint32_t next_iso_2022_jp(struct reader *r)
{
	uint8_t c = peek(r, 0), second = peek(r, 1);

	if (c == ESC) {
		r->nothing = jis_switch(r);
		return r->nothing ? NO_POINT : took(r, 1, 0);
	}
	if (c == '\r' || c == '\n') /* a line begins in ASCII */
		r->set = JIS_ASCII;
	if (c >= 0x80)
		return took(r, 1, 0);
	if (c < JIS_MIN || c > JIS_MAX || r->set == JIS_ASCII) {
		r->at++;
		return c;
	}
	switch (r->set) {
	case JIS_KANA: return took(r, 1, c <= 0x5f ? (uint32_t)(KANA_FIRST + c - JIS_MIN) : 0);
	case JIS_0208: return jis_took(r, jis_point(c, second));
	case JIS_0212: return jis_took(r, pair_point(&charset_jis0212, c + 0x80U, second + 0x80U));
	default: return took(r, 1, c == '\\' ? 0xa5 : c == '~' ? 0x203e : c);
	}
}

static const struct charset_label *label_find(struct view name)
{
	for (size_t i = 0; i < charset_label_n; i++)
		if (view_eq_nocase(name, charset_labels[i].name))
			return &charset_labels[i];
	return NULL;
}

static enum err table_convert(void *context, struct view charset, struct view text, struct buf *out)
{
	static next_fn *const next[] = {
		[CHARSET_SINGLE] = next_single,
		[CHARSET_GB] = next_gb,
		[CHARSET_BIG5] = next_big5,
		[CHARSET_KR] = next_kr,
		[CHARSET_SJIS] = next_sjis,
		[CHARSET_EUC_JP] = next_euc_jp,
		[CHARSET_ISO_2022_JP] = next_iso_2022_jp,
	};
	const struct charset_label *label = label_find(charset);
	struct reader r = { .text = text };
	bool ascii;

	if (!label)
		return ERR_UNSUPPORTED;
	r.single = charset_singles[label->single];
	ascii = label->form != CHARSET_ISO_2022_JP;
	while (r.at < text.n && !out->err) {
		uint8_t c = view_at(text, r.at);
		uint32_t point;

		if (ascii && c < 0x80) {
			buf_add_char(out, (char)c);
			r.at++;
			continue;
		}
		r.nothing = false;
		point = next[label->form](&r);
		if (!r.nothing)
			mime_utf8_add(out, point);
	}
	return out->err;
}

const struct mime_converter mime_table_converter = { table_convert, NULL };
