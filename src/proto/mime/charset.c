/*
 * proto/mime/charset.c: the charsets that need no library.
 */
#include "proto/mime/charset.h"

#include "proto/mime/utf8.h"

enum charset_kind {
	CHARSET_OTHER,
	CHARSET_GUESS, /* not stated, or stated as ASCII, which 8-bit text then contradicts */
	CHARSET_UTF8,
	CHARSET_1252,
};

static const struct {
	struct view name;
	enum charset_kind kind;
} CHARSETS[] = {
	{ VIEW_INIT("utf-8"), CHARSET_UTF8 },		{ VIEW_INIT("utf8"), CHARSET_UTF8 },
	{ VIEW_INIT("us-ascii"), CHARSET_GUESS },	{ VIEW_INIT("ascii"), CHARSET_GUESS },
	{ VIEW_INIT("ansi_x3.4-1968"), CHARSET_GUESS }, { VIEW_INIT("iso-8859-1"), CHARSET_1252 },
	{ VIEW_INIT("iso8859-1"), CHARSET_1252 },	{ VIEW_INIT("iso_8859-1"), CHARSET_1252 },
	{ VIEW_INIT("latin1"), CHARSET_1252 },		{ VIEW_INIT("windows-1252"), CHARSET_1252 },
	{ VIEW_INIT("cp1252"), CHARSET_1252 },
};

/* Windows-1252 from 0x80 to 0x9f; the five positions without meaning are 0. */
static const uint16_t WINDOWS_1252[32] = {
	0x20ac, 0,	0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
	0x2039, 0x0152, 0,	0x017d, 0,	0,	0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
	0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0,	0x017e, 0x0178,
};

static enum charset_kind kind_of(struct view charset)
{
	if (charset.n == 0)
		return CHARSET_GUESS;
	for (size_t i = 0; i < ARRAY_LEN(CHARSETS); i++)
		if (view_eq_nocase(charset, CHARSETS[i].name))
			return CHARSETS[i].kind;
	return CHARSET_OTHER;
}

bool mime_charset_builtin(struct view charset)
{
	return kind_of(charset) != CHARSET_OTHER;
}

static void add_1252(struct buf *out, struct view text)
{
	for (size_t i = 0; i < text.n && !out->err; i++) {
		uint8_t c = view_at(text, i);
		uint32_t point = c;

		if (c >= 0x80 && c < 0xa0)
			point = WINDOWS_1252[c - 0x80] ? WINDOWS_1252[c - 0x80] : MIME_REPLACEMENT;
		mime_utf8_add(out, point);
	}
}

static void add_unknown(struct buf *out, struct view text)
{
	for (size_t i = 0; i < text.n && !out->err; i++) {
		uint8_t c = view_at(text, i);

		mime_utf8_add(out, c < 0x80 ? c : MIME_REPLACEMENT);
	}
}

bool mime_to_utf8(struct buf *out, struct view charset, struct view text,
		  const struct mime_converter *conv)
{
	enum charset_kind kind = kind_of(charset);

	if (kind == CHARSET_GUESS)
		kind = mime_utf8_valid(text) ? CHARSET_UTF8 : CHARSET_1252;
	if (kind == CHARSET_UTF8) {
		mime_utf8_add_repaired(out, text);
		return true;
	}
	if (kind == CHARSET_1252) {
		add_1252(out, text);
		return true;
	}
	if (conv && charset.n <= MIME_CHARSET_NAME_MAX) {
		size_t before = out->n;
		enum err err = conv->convert(conv->context, charset, text, out);

		if (!err || out->err)
			return true;
		buf_truncate(out, before);
	}
	add_unknown(out, text);
	return false;
}
