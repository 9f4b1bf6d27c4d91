/*
 * proto/mime/transfer_encode.c: base64 and quoted-printable, encoding side.
 *
 * Output does not depend on how the input is cut.  Lines are at most 76 characters with CRLF.
 */
#include "proto/mime/transfer.h"

#include "base/ascii.h"

enum {
	QUANTUM_MAX = 6, /* four digits and CRLF */
	CHUNK = 1024, /* characters gathered before they go to the buffer */
};

static const char BASE64_DIGITS[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char HEX_DIGITS[] = "0123456789ABCDEF";

void mime_encoder_init(struct mime_encoder *e, enum mime_encoding how, bool text)
{
	*e = (struct mime_encoder){ .how = how, .text = text };
}

/* One quantum out of the pending bytes (1 to 3), at most QUANTUM_MAX characters. */
static size_t base64_quantum(struct mime_encoder *e, char *out)
{
	uint32_t bits = (uint32_t)e->pending[0] << 16;
	size_t n = 0;

	if (e->have > 1)
		bits |= (uint32_t)e->pending[1] << 8;
	if (e->have > 2)
		bits |= e->pending[2];
	out[n++] = BASE64_DIGITS[bits >> 18];
	out[n++] = BASE64_DIGITS[bits >> 12 & 63];
	out[n++] = e->have > 1 ? BASE64_DIGITS[bits >> 6 & 63] : '=';
	out[n++] = e->have > 2 ? BASE64_DIGITS[bits & 63] : '=';
	e->have = 0;
	e->column += 4;
	if (e->column == MIME_ENCODED_LINE) {
		e->column = 0;
		out[n++] = '\r';
		out[n++] = '\n';
	}
	return n;
}

static void base64_feed(struct mime_encoder *e, struct view piece, struct buf *out)
{
	char room[CHUNK];
	size_t n = 0;

	for (size_t i = 0; i < piece.n && !out->err; i++) {
		e->pending[e->have++] = view_at(piece, i);
		if (e->have < 3)
			continue;
		n += base64_quantum(e, room + n);
		if (n > sizeof(room) - QUANTUM_MAX) {
			buf_add(out, view_of(room, n));
			n = 0;
		}
	}
	buf_add(out, view_of(room, n));
}

static void base64_finish(struct mime_encoder *e, struct buf *out)
{
	char room[QUANTUM_MAX];

	if (e->have)
		buf_add(out, view_of(room, base64_quantum(e, room)));
	if (e->column)
		buf_add(out, VIEW("\r\n"));
	e->column = 0;
}

/* Put a token of the line, after a soft line break where it would not leave room for the "=". */
static void qp_put(struct mime_encoder *e, struct view token, struct buf *out)
{
	if (e->column + token.n > MIME_ENCODED_LINE - 1) {
		buf_add(out, VIEW("=\r\n"));
		e->column = 0;
	}
	buf_add(out, token);
	e->column += token.n;
}

static void qp_escape(struct mime_encoder *e, uint8_t c, struct buf *out)
{
	char room[3] = { '=', HEX_DIGITS[c >> 4], HEX_DIGITS[c & 15] };

	qp_put(e, view_of(room, 3), out);
}

/*
 * RFC 2049#3: a line must not begin with "." or "From ".  Nor with "-" behind a soft break: that could
 * make a delimiter of a multipart out of text that was none.
 */
static bool qp_is_unfit_start(const struct mime_encoder *e, uint8_t c)
{
	bool soft = e->column + 1 > MIME_ENCODED_LINE - 1;

	return ((soft || e->column == 0) && (c == '.' || c == 'F')) || (soft && c == '-');
}

static void qp_char(struct mime_encoder *e, uint8_t c, struct buf *out)
{
	char plain = (char)c;

	if ((ascii_is_print(c) || c == '\t') && c != '=' && !qp_is_unfit_start(e, c))
		qp_put(e, view_of(&plain, 1), out);
	else
		qp_escape(e, c, out);
}

/* Write the pending blank: as it is inside a line, escaped at its end. */
static void qp_flush_blank(struct mime_encoder *e, bool line_ends, struct buf *out)
{
	if (e->have && ascii_is_blank(e->pending[0])) {
		if (line_ends)
			qp_escape(e, e->pending[0], out);
		else
			qp_char(e, e->pending[0], out);
	}
}

static bool qp_pending_cr(const struct mime_encoder *e)
{
	return e->have && e->pending[e->have - 1] == '\r';
}

static void qp_byte(struct mime_encoder *e, uint8_t c, struct buf *out)
{
	if (e->text && c == '\n') {
		qp_flush_blank(e, true, out);
		buf_add(out, VIEW("\r\n"));
		e->have = 0;
		e->column = 0;
		return;
	}
	if (e->text && c == '\r' && !qp_pending_cr(e)) {
		e->pending[e->have++] = c;
		return;
	}
	qp_flush_blank(e, false, out);
	if (qp_pending_cr(e))
		qp_escape(e, '\r', out);
	e->have = 0;
	if (ascii_is_blank(c) || (e->text && c == '\r'))
		e->pending[e->have++] = c;
	else
		qp_char(e, c, out);
}

static void qp_finish(struct mime_encoder *e, struct buf *out)
{
	bool cr = qp_pending_cr(e);

	qp_flush_blank(e, !cr, out);
	if (cr)
		qp_escape(e, '\r', out);
	e->have = 0;
}

/* Octets at the start of text that stand for themselves and stay in this line, blanks only between. */
static size_t qp_run(const struct mime_encoder *e, struct view text)
{
	size_t max = size_min(text.n, MIME_ENCODED_LINE - 1 - e->column), n = 0, kept = 0;

	if (e->have || !e->column)
		return 0;
	for (; n < max; n++) {
		uint8_t c = view_at(text, n);

		if (ascii_is_graph(c) && c != '=')
			kept = n + 1;
		else if (!ascii_is_blank(c))
			break;
	}
	return kept;
}

static void qp_feed(struct mime_encoder *e, struct view piece, struct buf *out)
{
	for (size_t i = 0; i < piece.n && !out->err;) {
		size_t run = qp_run(e, view_from(piece, i));

		if (!run) {
			qp_byte(e, view_at(piece, i++), out);
			continue;
		}
		buf_add(out, view_part(piece, i, run));
		e->column += run;
		i += run;
	}
}

enum err mime_encoder_feed(struct mime_encoder *e, struct view piece, struct buf *out)
{
	switch (e->how) {
	case MIME_BASE64: base64_feed(e, piece, out); break;
	case MIME_QP: qp_feed(e, piece, out); break;
	default: buf_add(out, piece); break;
	}
	return buf_err(out);
}

enum err mime_encoder_finish(struct mime_encoder *e, struct buf *out)
{
	switch (e->how) {
	case MIME_BASE64: base64_finish(e, out); break;
	case MIME_QP: qp_finish(e, out); break;
	default: break;
	}
	return buf_err(out);
}

enum err mime_encode(enum mime_encoding how, bool text, struct view bytes, struct buf *out)
{
	struct mime_encoder e;
	enum err err;

	mime_encoder_init(&e, how, text);
	err = mime_encoder_feed(&e, bytes, out);
	return err ? err : mime_encoder_finish(&e, out);
}
