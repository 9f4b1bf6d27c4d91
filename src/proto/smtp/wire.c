/*
 * proto/smtp/wire.c: any octets in, CRLF lines out.
 *
 * A CR is written as CRLF at once and remembered, so that an LF behind it, even in the next call, adds
 * nothing.  Every step appends at most 4 octets and is taken only when that many fit, so a full buffer
 * never cuts a line end in two.
 */
#include "proto/smtp/wire.h"

enum { STEP_MAX = 4 }; /* CRLF of a wrap, a stuffed dot, the octet */

void smtp_wire_init(struct smtp_wire *w)
{
	*w = (struct smtp_wire){ 0 };
}

/* One octet that is no CR and no LF, at any column. */
static void wire_octet(struct smtp_wire *w, struct buf *out, char c)
{
	if (w->column == SMTP_WIRE_LINE_MAX) {
		buf_add(out, VIEW("\r\n"));
		w->column = 0;
		w->wraps++;
	}
	if (!w->column && c == '.')
		buf_add_char(out, '.');
	if (!c) {
		c = '?';
		w->mended++;
	}
	buf_add_char(out, c);
	w->column++;
}

static void wire_newline(struct smtp_wire *w, struct buf *out)
{
	buf_add(out, VIEW("\r\n"));
	w->column = 0;
}

/* A run of octets inside a line that needs no change: how many of text can be copied. */
static size_t plain_run(const struct smtp_wire *w, const struct buf *out, struct view text)
{
	static const char stops[] = { '\r', '\n', '\0' };

	if (!w->column)
		return 0;

	size_t n = size_min(size_min(text.n, SMTP_WIRE_LINE_MAX - w->column), buf_left(out));

	for (size_t i = 0; n && i < sizeof(stops); i++) {
		const char *at = memchr(text.p, stops[i], n);

		n = at ? (size_t)(at - text.p) : n;
	}
	return n;
}

enum err smtp_wire_write(struct smtp_wire *w, struct buf *out, struct view bytes, size_t *ret_used)
{
	size_t at = 0;

	*ret_used = 0;
	while (at < bytes.n) {
		size_t run = plain_run(w, out, view_from(bytes, at));

		if (run) {
			buf_add(out, view_part(bytes, at, run));
			w->column += run;
			w->cr = false;
			at += run;
			continue;
		}
		if (buf_left(out) < STEP_MAX)
			break;

		char c = bytes.p[at++];

		if (c == '\n' && w->cr) {
			w->mended--; /* the CR was not bare */
			w->cr = false;
			continue;
		}
		w->cr = c == '\r';
		w->mended += c == '\r' || c == '\n';
		if (c == '\r' || c == '\n')
			wire_newline(w, out);
		else
			wire_octet(w, out, c);
	}
	*ret_used = at;
	if (buf_err(out))
		return buf_err(out);
	return at < bytes.n ? ERR_AGAIN : OK;
}

enum err smtp_wire_end(struct smtp_wire *w, struct buf *out)
{
	if (buf_err(out))
		return buf_err(out);
	if (buf_left(out) < 5)
		return ERR_AGAIN;
	if (w->column)
		wire_newline(w, out);
	buf_add(out, VIEW(".\r\n"));
	return buf_err(out);
}
