/*
 * proto/imap/name.c: modified UTF-7 and normal form C.
 */
#include "proto/imap/name.h"

#include <utf8proc.h>

#include "base/ascii.h"
#include "base/encode.h"
#include "proto/mime/utf8.h"

enum {
	NAME_POINTS_MAX = 4 * IMAP_NAME_MAX, /* code points after decomposition */
};

/* Modified base64 has ',' for '/'.   RFC 3501#5.1.3 */
static int digit_value(uint8_t c)
{
	return c == ',' ? 63 : c == '/' ? -1 : base64_value(c);
}

static char digit_of(uint32_t value)
{
	return value == 63 ? ',' : base64_digit(value);
}

/* UTF-16 that comes out of one shifted run. */
struct utf16 {
	uint32_t high; /* surrogate that waits for its partner, or 0 */
	enum err err;
};

static void utf16_add(struct buf *out, struct utf16 *u, uint32_t unit)
{
	if (unit >= 0xdc00 && unit <= 0xdfff) {
		if (!u->high)
			u->err = ERR_SYNTAX;
		else
			mime_utf8_add(out, 0x10000 + ((u->high - 0xd800) << 10) + (unit - 0xdc00));
		u->high = 0;
		return;
	}
	if (u->high || (unit < 0x80 && ascii_is_print((uint8_t)unit))) {
		u->err = ERR_SYNTAX; /* a lone surrogate, or ASCII that needed no encoding */
		return;
	}
	if (unit >= 0xd800 && unit <= 0xdbff)
		u->high = unit;
	else
		mime_utf8_add(out, unit);
}

/* One run between '&' and '-'. */
static enum err run_decode(struct buf *out, struct view digits)
{
	struct utf16 u = { 0 };
	uint32_t bits = 0;
	unsigned have = 0;

	for (size_t i = 0; i < digits.n; i++) {
		int value = digit_value(view_at(digits, i));

		if (value < 0)
			return ERR_SYNTAX;
		bits = (bits << 6 | (uint32_t)value) & 0x3fffff;
		have += 6;
		if (have >= 16) {
			have -= 16;
			utf16_add(out, &u, bits >> have & 0xffff);
		}
	}
	if (u.err || u.high || have >= 6 || (bits & ((1U << have) - 1)))
		return ERR_SYNTAX;
	return OK;
}

enum err imap_utf7_decode(struct buf *out, struct view text)
{
	bool shifted = false; /* the octet before ended a run: another one would be superfluous */

	for (size_t i = 0; i < text.n;) {
		uint8_t c = view_at(text, i);

		if (!ascii_is_print(c))
			return ERR_SYNTAX;
		if (c != '&') {
			buf_add_char(out, (char)c);
			shifted = false;
			i++;
			continue;
		}
		struct view run;
		struct view rest = view_cut(view_from(text, i + 1), '-', &run);

		if (!rest.p)
			return ERR_SYNTAX;
		i += run.n + 2;
		if (run.n == 0) {
			buf_add_char(out, '&');
			shifted = false;
			continue;
		}
		if (shifted || run_decode(out, run))
			return ERR_SYNTAX;
		shifted = true;
	}
	return buf_err(out);
}

struct base64_out {
	struct buf *out;
	uint32_t bits;
	unsigned have;
};

static void base64_add16(struct base64_out *b, uint32_t unit)
{
	b->bits = b->bits << 16 | unit;
	b->have += 16;
	while (b->have >= 6) {
		b->have -= 6;
		buf_add_char(b->out, digit_of(b->bits >> b->have & 63));
	}
	b->bits &= (1U << b->have) - 1;
}

void imap_utf7_encode(struct buf *out, struct view name)
{
	struct base64_out b = { .out = out };
	bool shifted = false;
	uint32_t point = 0;
	bool valid;

	for (size_t i = 0; i < name.n;) {
		i += mime_utf8_next(name, i, &point, &valid);
		if (point < 0x80 && ascii_is_print((uint8_t)point)) {
			if (shifted && b.have)
				buf_add_char(out, digit_of(b.bits << (6 - b.have) & 63));
			if (shifted)
				buf_add_char(out, '-');
			shifted = false;
			buf_add_char(out, (char)point);
			if (point == '&')
				buf_add_char(out, '-');
			continue;
		}
		if (!shifted) {
			buf_add_char(out, '&');
			b = (struct base64_out){ .out = out };
			shifted = true;
		}
		if (point >= 0x10000) {
			base64_add16(&b, 0xd800 + ((point - 0x10000) >> 10));
			base64_add16(&b, 0xdc00 + ((point - 0x10000) & 0x3ff));
		} else {
			base64_add16(&b, point);
		}
	}
	if (shifted && b.have)
		buf_add_char(out, digit_of(b.bits << (6 - b.have) & 63));
	if (shifted)
		buf_add_char(out, '-');
}

static bool name_has_control(struct view name)
{
	uint32_t point = 0;
	bool valid;

	for (size_t i = 0; i < name.n;) {
		i += mime_utf8_next(name, i, &point, &valid);
		if (!valid || point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x2028 ||
		    point == 0x2029)
			return true;
	}
	return false;
}

/* Text with characters beyond ASCII, valid UTF-8 of at most IMAP_NAME_MAX octets. */
static enum err name_compose(struct buf *out, struct view name)
{
	const utf8proc_option_t options = (utf8proc_option_t)(UTF8PROC_COMPOSE | UTF8PROC_STABLE);
	utf8proc_int32_t points[NAME_POINTS_MAX + 1];
	utf8proc_ssize_t n =
		utf8proc_decompose((const utf8proc_uint8_t *)name.p, (utf8proc_ssize_t)name.n,
				   points, NAME_POINTS_MAX, options);

	if (n < 0 || n > NAME_POINTS_MAX)
		return ERR_LIMIT;
	n = utf8proc_normalize_utf32(points, n, options);
	if (n < 0)
		return ERR_SYNTAX;

	size_t from = out->n;

	for (utf8proc_ssize_t i = 0; i < n; i++)
		mime_utf8_add(out, (uint32_t)points[i]);
	if (out->n - from > IMAP_NAME_MAX)
		return ERR_LIMIT;
	return buf_err(out);
}

enum err imap_name_normalise(struct buf *out, struct view name)
{
	if (name.n > IMAP_NAME_MAX)
		return ERR_LIMIT;
	if (name_has_control(name))
		return ERR_SYNTAX;
	if (!mime_ascii_only(name))
		return name_compose(out, name);
	buf_add(out, name);
	return buf_err(out);
}
