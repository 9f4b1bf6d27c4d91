/*
 * proto/mime/transfer.c: base64 and quoted-printable, decoding side and the common parts.
 *
 * Both decoders are state machines over single bytes with a fast path for runs of plain ones; the
 * result does not depend on how the input is cut.  Encoders are in transfer_encode.c.
 */
#include "proto/mime/transfer.h"

#include "base/ascii.h"

enum {
	BASE64_SKIP = 64, /* white space */
	BASE64_PAD = 65,
	BASE64_BAD = 66,
	BASE64_CHUNK = 1024, /* bytes gathered before they go to the buffer */
};

/* States of the quoted-printable decoder. */
enum qp_state {
	QP_TEXT, /* held: blanks that may end the line */
	QP_CR, /* held: blanks, then a CR that may be followed by LF */
	QP_EQUALS, /* after "=" */
	QP_HEX, /* after "=" and one digit */
	QP_BLANK, /* after "=" and blanks, which are held */
	QP_SOFT_CR, /* after "=", held blanks, CR */
};

static const struct view ENCODING_NAMES[] = {
	[MIME_7BIT] = VIEW_INIT("7bit"),     [MIME_8BIT] = VIEW_INIT("8bit"),
	[MIME_BINARY] = VIEW_INIT("binary"), [MIME_QP] = VIEW_INIT("quoted-printable"),
	[MIME_BASE64] = VIEW_INIT("base64"), [MIME_ENCODING_UNKNOWN] = VIEW_INIT("x-unknown"),
};

enum mime_encoding mime_encoding_of(struct view name)
{
	if (name.n == 0)
		return MIME_7BIT;
	for (int how = MIME_7BIT; how < MIME_ENCODING_UNKNOWN; how++)
		if (view_eq_nocase(name, ENCODING_NAMES[how]))
			return (enum mime_encoding)how;
	return MIME_ENCODING_UNKNOWN;
}

struct view mime_encoding_name(enum mime_encoding how)
{
	return ENCODING_NAMES[how];
}

void mime_decoder_init(struct mime_decoder *d, enum mime_encoding how)
{
	/* Not the whole struct: held is large and short words are decoded often. */
	d->how = how;
	d->flags = 0;
	d->bits = 0;
	d->have = 0;
	d->pad = 0;
	d->hex = 0;
	d->padded = false;
	d->held_n = 0;
}

/* Value of each ASCII character: 0..63, or one of the BASE64_ marks. */
static const uint8_t BASE64_VALUES[128] = {
	/* clang-format off */
	66, 66, 66, 66, 66, 66, 66, 66, 66, 64, 64, 66, 66, 64, 66, 66,
	66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
	64, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 62, 66, 66, 66, 63,
	52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 66, 66, 66, 65, 66, 66,
	66, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
	15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 66, 66, 66, 66, 66,
	66, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
	41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 66, 66, 66, 66, 66,
	/* clang-format on */
};

static uint8_t base64_value(uint8_t c)
{
	return c < 128 ? BASE64_VALUES[c] : BASE64_BAD;
}

/* The bytes of an incomplete quantum of 2 or 3 sextets. */
static size_t base64_flush(struct mime_decoder *d, char *out)
{
	size_t n = 0;

	if (d->have >= 2)
		out[n++] = (char)(d->bits >> (d->have == 2 ? 4 : 10));
	if (d->have == 3)
		out[n++] = (char)(d->bits >> 2);
	d->have = 0;
	d->bits = 0;
	return n;
}

/* "=": the end of a quantum, or of nothing. */
static size_t base64_pad(struct mime_decoder *d, char *out)
{
	if (d->have >= 2) {
		d->pad = d->have == 2 ? 1 : 0;
		d->padded = true;
		return base64_flush(d, out);
	}
	if (d->have == 0 && d->pad)
		d->pad--;
	else
		d->flags |= MIME_DECODE_BAD_PAD;
	return 0;
}

/* One byte in, at most three out. */
static size_t base64_byte(struct mime_decoder *d, uint8_t c, char *out)
{
	uint8_t value = base64_value(c);

	if (value == BASE64_SKIP)
		return 0;
	if (value == BASE64_BAD) {
		d->flags |= MIME_DECODE_JUNK;
		return 0;
	}
	if (value == BASE64_PAD)
		return base64_pad(d, out);
	if (d->padded) {
		d->flags |= MIME_DECODE_AFTER_PAD | (d->pad ? MIME_DECODE_BAD_PAD : 0U);
		d->padded = false;
		d->pad = 0;
	}
	d->bits = d->bits << 6 | value;
	if (++d->have < 4)
		return 0;
	out[0] = (char)(d->bits >> 16);
	out[1] = (char)(d->bits >> 8);
	out[2] = (char)d->bits;
	d->have = 0;
	d->bits = 0;
	return 3;
}

/* Four digits that make one whole quantum; false, and nothing done, if they are not. */
static bool base64_four(const struct mime_decoder *d, const char *p, char *out)
{
	uint8_t a = base64_value((uint8_t)p[0]), b = base64_value((uint8_t)p[1]);
	uint8_t c = base64_value((uint8_t)p[2]), e = base64_value((uint8_t)p[3]);

	if (d->have || d->padded || (a | b | c | e) >= BASE64_SKIP)
		return false;

	uint32_t bits = (uint32_t)a << 18 | (uint32_t)b << 12 | (uint32_t)c << 6 | e;

	out[0] = (char)(bits >> 16);
	out[1] = (char)(bits >> 8);
	out[2] = (char)bits;
	return true;
}

static void base64_feed(struct mime_decoder *d, struct view piece, struct buf *out)
{
	char room[BASE64_CHUNK];
	size_t n = 0;

	for (size_t i = 0; i < piece.n && !out->err;) {
		if (piece.n - i >= 4 && base64_four(d, piece.p + i, room + n)) {
			i += 4;
			n += 3;
		} else {
			n += base64_byte(d, view_at(piece, i++), room + n);
		}
		if (n > sizeof(room) - 3) {
			buf_add(out, view_of(room, n));
			n = 0;
		}
	}
	buf_add(out, view_of(room, n));
}

static void base64_finish(struct mime_decoder *d, struct buf *out)
{
	char room[3];

	if (d->have == 1)
		d->flags |= MIME_DECODE_SHORT;
	if (d->have >= 2 || d->pad)
		d->flags |= MIME_DECODE_BAD_PAD;
	buf_add(out, view_of(room, base64_flush(d, room)));
}

/* Blanks turned out to be data. */
static void qp_release(struct mime_decoder *d, struct buf *out)
{
	buf_add(out, view_of(d->held, d->held_n));
	d->held_n = 0;
}

static void qp_hold(struct mime_decoder *d, uint8_t c, struct buf *out)
{
	/* Nobody writes so many blanks at the end of a line: take them as data. */
	if (d->held_n == MIME_QP_HELD_MAX)
		qp_release(d, out);
	d->held[d->held_n++] = (char)c;
}

static void qp_text(struct mime_decoder *d, uint8_t c, struct buf *out)
{
	if (ascii_is_blank(c)) {
		qp_hold(d, c, out);
		return;
	}
	if (c == '\r') {
		d->have = QP_CR;
		return;
	}
	if (c == '\n')
		d->held_n = 0; /* blanks at the end of a line were added on the way: rule 3 */
	else
		qp_release(d, out);
	if (c == '=')
		d->have = QP_EQUALS;
	else
		buf_add_char(out, (char)c);
}

/* "=" and what followed is no escape: keep it as text, then go on with c. */
static void qp_literal(struct mime_decoder *d, struct view seen, uint8_t c, struct buf *out)
{
	d->flags |= MIME_DECODE_JUNK;
	d->have = QP_TEXT;
	buf_add_char(out, '=');
	buf_add(out, seen);
	qp_text(d, c, out);
}

/* In the soft line break: "=" *blank [CR] so far. */
static void qp_soft(struct mime_decoder *d, uint8_t c, struct buf *out)
{
	if (c == '\n') {
		d->have = QP_TEXT;
		d->held_n = 0;
	} else if (ascii_is_blank(c) && d->have == QP_BLANK && d->held_n < MIME_QP_HELD_MAX) {
		qp_hold(d, c, out);
	} else if (c == '\r' && d->have == QP_BLANK) {
		d->have = QP_SOFT_CR;
	} else {
		struct view blanks = view_of(d->held, d->held_n);

		if (d->have == QP_SOFT_CR) {
			d->held[d->held_n] = '\r';
			blanks.n++;
		}
		d->held_n = 0; /* the bytes stay until qp_literal has copied them */
		qp_literal(d, blanks, c, out);
	}
}

static void qp_byte(struct mime_decoder *d, uint8_t c, struct buf *out)
{
	switch ((enum qp_state)d->have) {
	case QP_TEXT: qp_text(d, c, out); return;
	case QP_CR:
		d->have = QP_TEXT;
		if (c == '\n') {
			d->held_n = 0;
			buf_add(out, VIEW("\r\n"));
			return;
		}
		qp_release(d, out);
		buf_add_char(out, '\r');
		qp_text(d, c, out);
		return;
	case QP_EQUALS:
		if (ascii_is_hex(c)) {
			d->hex = c;
			d->have = QP_HEX;
			return;
		}
		d->have = QP_BLANK;
		qp_soft(d, c, out);
		return;
	case QP_HEX:
		if (!ascii_is_hex(c)) {
			char first = (char)d->hex;

			qp_literal(d, view_of(&first, 1), c, out);
			return;
		}
		buf_add_char(out, (char)(ascii_hex_value(d->hex) << 4 | ascii_hex_value(c)));
		d->have = QP_TEXT;
		return;
	case QP_BLANK:
	case QP_SOFT_CR: qp_soft(d, c, out); return;
	}
}

/* How many bytes at the start of piece are themselves, whatever follows. */
static size_t qp_plain_run(struct view piece)
{
	size_t n = 0;

	while (n < piece.n && ascii_is_graph(view_at(piece, n)) && piece.p[n] != '=')
		n++;
	return n;
}

static void qp_feed(struct mime_decoder *d, struct view piece, struct buf *out)
{
	size_t i = 0;

	while (i < piece.n && !out->err) {
		if (d->have == QP_TEXT) {
			size_t run = qp_plain_run(view_from(piece, i));

			if (run) {
				qp_release(d, out);
				buf_add(out, view_part(piece, i, run));
				i += run;
				continue;
			}
		}
		qp_byte(d, view_at(piece, i++), out);
	}
}

static void qp_finish(struct mime_decoder *d, struct buf *out)
{
	if (d->have == QP_CR) {
		qp_release(d, out);
		buf_add_char(out, '\r');
	}
	if (d->have == QP_HEX) {
		buf_add_char(out, '=');
		buf_add_char(out, (char)d->hex);
	}
	if (d->have > QP_CR)
		d->flags |= MIME_DECODE_SHORT;
	d->have = QP_TEXT;
	d->held_n = 0;
}

enum err mime_decoder_feed(struct mime_decoder *d, struct view piece, struct buf *out)
{
	switch (d->how) {
	case MIME_BASE64: base64_feed(d, piece, out); break;
	case MIME_QP: qp_feed(d, piece, out); break;
	default: buf_add(out, piece); break;
	}
	return buf_err(out);
}

enum err mime_decoder_finish(struct mime_decoder *d, struct buf *out)
{
	switch (d->how) {
	case MIME_BASE64: base64_finish(d, out); break;
	case MIME_QP: qp_finish(d, out); break;
	default: break;
	}
	return buf_err(out);
}

enum err mime_decode(enum mime_encoding how, struct view text, struct buf *out, unsigned *ret_flags)
{
	struct mime_decoder d;
	enum err err;

	mime_decoder_init(&d, how);
	err = mime_decoder_feed(&d, text, out);
	if (!err)
		err = mime_decoder_finish(&d, out);
	if (!err && ret_flags)
		*ret_flags = d.flags;
	return err;
}
