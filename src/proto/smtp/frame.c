/*
 * proto/smtp/frame.c: line, DATA and BDAT framers.
 *
 * The DATA framer is a table of five states by five byte classes.  Only the row DOT_CR has a way to the
 * end, and only the byte sequence CRLF . CRLF (or . CRLF as first line) leads there.  In text it skips by
 * memchr.  Spans emitted are slices of the input; nothing is ever put back together.
 */
#include "proto/smtp/frame.h"

/* Command lines. */

void smtp_line_framer_init(struct smtp_line_framer *f)
{
	*f = (struct smtp_line_framer){ 0 };
	buf_init(&f->partial, SMTP_LINE_HARD_MAX);
}

void smtp_line_framer_done(struct smtp_line_framer *f)
{
	buf_wipe(&f->partial); /* AUTH lines pass here */
	buf_done(&f->partial);
	f->skipped = 0;
	f->held = false;
}

/*
 * How much of text belongs to the line that begins before it; cr: the octet before text is a CR.
 * OK: its LF is included.  ERR_AGAIN: no end yet.  ERR_SYNTAX: an octet that must not be.
 */
static enum err line_end(struct view text, bool cr, size_t *ret_n)
{
	const char *lf = text.n ? memchr(text.p, '\n', text.n) : NULL;
	size_t n = lf ? (size_t)(lf - text.p) + 1 : text.n;
	struct view line = view_head(text, n);
	size_t at = view_find_char(line, '\r');

	if (view_has(line, '\0') || (cr && line.n && line.p[0] != '\n'))
		return ERR_SYNTAX;
	if (at != VIEW_NONE && at + 1 < n && !(lf && at + 2 == n))
		return ERR_SYNTAX;
	if (lf && at == VIEW_NONE && !(cr && n == 1))
		return ERR_SYNTAX;
	*ret_n = n;
	return lf ? OK : ERR_AGAIN;
}

static bool ends_in_cr(const struct smtp_line_framer *f)
{
	return f->partial.n && f->partial.p[f->partial.n - 1] == '\r';
}

/* Remember how a too long line begins, so that its command can be told. */
static void line_head(struct smtp_line_framer *f, struct view part)
{
	size_t n = size_min(f->partial.n, sizeof(f->head));
	size_t more = size_min(part.n, sizeof(f->head) - n);

	memset(f->head, 0, sizeof(f->head));
	if (n)
		memcpy(f->head, f->partial.p, n);
	if (more)
		memcpy(f->head + n, part.p, more);
}

/* Drop octets of a line that is known to be too long; only its last CR is kept, to see the end. */
static enum err line_skip(struct smtp_line_framer *f, struct view part, bool ended)
{
	bool cr = part.n ? part.p[part.n - 1] == '\r' : ends_in_cr(f);

	if (!f->skipped) {
		f->skipped = f->partial.n;
		line_head(f, part);
	}
	f->skipped += part.n;
	buf_wipe(&f->partial);
	if (f->skipped > SMTP_LINE_SKIP_MAX)
		return ERR_RANGE;
	if (ended) {
		f->skipped = 0;
		return ERR_LIMIT;
	}
	if (cr)
		buf_add_char(&f->partial, '\r');
	return f->partial.err ? f->partial.err : ERR_AGAIN;
}

enum err smtp_line_framer_take(struct smtp_line_framer *f, struct view input, size_t max,
			       struct view *ret_line, size_t *ret_used)
{
	size_t n = 0;

	if (f->held) {
		buf_wipe(&f->partial);
		f->held = false;
	}
	*ret_used = 0;

	enum err err = line_end(input, ends_in_cr(f), &n);

	if (err && err != ERR_AGAIN)
		return err;
	*ret_used = n;

	struct view part = view_head(input, n);

	if (f->skipped || f->partial.n + n > max)
		return line_skip(f, part, err == OK);
	if (err == OK && !f->partial.n) {
		*ret_line = view_head(part, n - 2);
		return OK;
	}
	buf_add(&f->partial, part);
	if (f->partial.err)
		return f->partial.err;
	if (err == ERR_AGAIN)
		return err;
	f->held = true;
	*ret_line = view_head(buf_view(&f->partial), f->partial.n - 2);
	return OK;
}

/* DATA. */

enum data_state { LINE_START, TEXT, CR, DOT, DOT_CR, DATA_STATES, END = DATA_STATES };
enum data_class { IS_OTHER, IS_CR, IS_LF, IS_NUL, IS_DOT, DATA_CLASSES };

enum {
	BAD = 0x10, /* the message is bad from here on */
	DROP = 0x20, /* this octet is not part of the message */
	NEXT = 0x0f /* mask of the next state */
};

/* clang-format off */
static const uint8_t data_table[DATA_STATES][DATA_CLASSES] = {
	/*		  other		CR			LF		NUL		dot */
	[LINE_START] =	{ TEXT,		CR,			TEXT | BAD,	TEXT | BAD,	DOT | DROP },
	[TEXT] =	{ TEXT,		CR,			TEXT | BAD,	TEXT | BAD,	TEXT },
	[CR] =		{ TEXT | BAD,	CR | BAD,		LINE_START,	TEXT | BAD,	TEXT | BAD },
	[DOT] =		{ TEXT,		DOT_CR | DROP,		TEXT | BAD,	TEXT | BAD,	TEXT },
	[DOT_CR] =	{ TEXT | BAD,	CR | BAD,		END | DROP,	TEXT | BAD,	TEXT | BAD },
};
/* clang-format on */

static enum data_class data_class(uint8_t c)
{
	switch (c) {
	case '\r': return IS_CR;
	case '\n': return IS_LF;
	case '\0': return IS_NUL;
	case '.': return IS_DOT;
	default: return IS_OTHER;
	}
}

void smtp_data_framer_init(struct smtp_body_framer *f)
{
	*f = (struct smtp_body_framer){ .state = LINE_START };
}

static void body_emit(struct smtp_body_framer *f, struct view span, smtp_span_fn emit, void *ctx)
{
	if (!span.n || f->bad)
		return;
	f->size += span.n;
	emit(ctx, span);
}

static void line_grow(struct smtp_body_framer *f, size_t n)
{
	f->line += n;
	if (f->line > f->longest)
		f->longest = f->line;
}

/* The run of octets at the head of input that are neither CR nor LF nor NUL. */
static size_t text_run(struct view input)
{
	const char *cr = memchr(input.p, '\r', input.n);
	size_t n = cr ? (size_t)(cr - input.p) : input.n;
	const char *lf = memchr(input.p, '\n', n);

	n = lf ? (size_t)(lf - input.p) : n;

	const char *nul = memchr(input.p, '\0', n);

	return nul ? (size_t)(nul - input.p) : n;
}

size_t smtp_data_framer_take(struct smtp_body_framer *f, struct view input, smtp_span_fn emit,
			     void *ctx, bool *ret_end)
{
	size_t at = 0, from = 0; /* input[from..at) is not yet emitted */

	*ret_end = false;
	while (at < input.n) {
		if (f->state == TEXT) {
			size_t run = text_run(view_from(input, at));

			line_grow(f, run);
			at += run;
			if (at == input.n)
				break;
		}

		uint8_t step = data_table[f->state][data_class(view_at(input, at))];

		if (step & (BAD | DROP)) {
			body_emit(f, view_part(input, from, at - from), emit, ctx);
			from = at + 1;
		}
		if (step & BAD)
			f->bad = true;
		f->state = step & NEXT;
		at++;
		if (f->state == END) {
			*ret_end = true;
			break;
		}
		if (f->state == TEXT)
			line_grow(f, 1);
		else if (f->state == LINE_START)
			f->line = 0;
	}
	f->seen += at;
	body_emit(f, view_part(input, from, at - size_min(from, at)), emit, ctx);
	return at;
}

/* BDAT. */

void smtp_bdat_framer_init(struct smtp_body_framer *f, bool binary)
{
	*f = (struct smtp_body_framer){ .state = LINE_START, .binary = binary };
}

void smtp_bdat_framer_chunk(struct smtp_body_framer *f, uint64_t octets)
{
	f->left = octets;
}

/* Octets of a text chunk, with bare LF mended and bare CR and NUL marked. */
static void bdat_text(struct smtp_body_framer *f, struct view part, smtp_span_fn emit, void *ctx)
{
	size_t at = 0, from = 0;

	while (at < part.n) {
		uint8_t c = view_at(part, at);

		if (f->state == CR && c != '\n') {
			f->bad = true;
			return;
		}
		if (c == '\n' && f->state != CR) {
			body_emit(f, view_part(part, from, at - from), emit, ctx);
			body_emit(f, VIEW("\r\n"), emit, ctx);
			from = at + 1;
		}
		if (c == '\0') {
			f->bad = true;
			return;
		}
		at++;
		if (c == '\n') {
			f->line = 0;
			f->state = LINE_START;
		} else if (c == '\r') {
			f->state = CR;
		} else {
			size_t run = text_run(view_from(part, at));

			line_grow(f, run + 1);
			at += run;
			f->state = TEXT;
		}
	}
	body_emit(f, view_part(part, from, at - from), emit, ctx);
}

size_t smtp_bdat_framer_take(struct smtp_body_framer *f, struct view input, smtp_span_fn emit,
			     void *ctx)
{
	struct view part = input;

	if (part.n > f->left)
		part.n = (size_t)f->left;
	f->left -= part.n;
	f->seen += part.n;
	if (f->binary)
		body_emit(f, part, emit, ctx);
	else if (!f->bad)
		bdat_text(f, part, emit, ctx);
	return part.n;
}

void smtp_bdat_framer_end(struct smtp_body_framer *f)
{
	if (!f->binary && f->state == CR)
		f->bad = true;
}
