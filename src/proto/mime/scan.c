/*
 * proto/mime/scan.c: one pass over the lines of a message.
 *
 * The stack holds the chain of open parts, the message first.  A line is looked at closer only
 * when a header is being read or when it begins with "--" while boundaries are awaited.  A
 * delimiter of any open multipart closes all parts inside that multipart.
 */
#include "proto/mime/scan.h"

#include "base/ascii.h"
#include "proto/mime/header.h"
#include "proto/mime/part.h"

struct open_part {
	struct mime_part *part;
	struct view boundary; /* empty: none, or its closing delimiter was seen */
};

struct scanner {
	struct arena *a;
	size_t values_from;
	struct view text;
	size_t at; /* start of the line being read */
	size_t lines; /* LF before at */
	size_t parts;
	bool in_header; /* of the innermost open part */
	bool sealed; /* MIME_PARTS_MAX was passed: no boundary counts any more */
	size_t boundaries; /* how many open parts await one */
	size_t depth; /* open parts */
	struct open_part open[MIME_DEPTH_MAX];
};

static struct open_part *innermost(struct scanner *s)
{
	return &s->open[s->depth - 1];
}

/* Begin a part whose header starts at the given offset. */
static enum err begin_part(struct scanner *s, struct mime_part *parent, size_t at)
{
	struct mime_part *p = ARENA_NEW(s->a, struct mime_part);

	if (!p)
		return ERR_NOMEM;
	p->parent = parent;
	p->index = s->parts++;
	p->depth = parent ? parent->depth + 1 : 1;
	p->header_at = p->body_at = p->body_end = at;
	if (parent) {
		if (parent->last)
			parent->last->next = p;
		else
			parent->child = p;
		parent->last = p;
		parent->children++;
	}
	s->open[s->depth++] = (struct open_part){ .part = p };
	s->in_header = true;
	return OK;
}

/* The header of the innermost part ends; its body begins at the given offset, behind lines LF. */
static enum err end_header(struct scanner *s, size_t body_at, size_t lines)
{
	struct open_part *o = innermost(s);
	struct mime_part *p = o->part;

	s->in_header = false;
	p->body_at = body_at;
	p->body_lines = lines; /* LF before the body, until the part is closed */

	enum err err = part_read_header(s->a, s->values_from, s->text, p, &o->boundary);

	if (err)
		return err;
	if (o->boundary.n)
		s->boundaries++;
	if (p->kind != MIME_MESSAGE)
		return OK;
	if (s->parts == MIME_PARTS_MAX) {
		part_make_opaque(p, MIME_PART_COUNT);
		return OK;
	}
	return begin_part(s, p, body_at);
}

static bool has_text(struct view text, size_t from, size_t to)
{
	return to > from && view_trim(view_part(text, from, to - from)).n > 0;
}

static void close_multipart(struct scanner *s, struct mime_part *p, bool closed)
{
	if (!p->child) {
		part_make_text(p, MIME_PART_NO_PARTS);
		p->preamble_end = p->epilogue_at = 0;
		return;
	}
	if (!closed)
		p->flags |= MIME_PART_UNCLOSED;
	/* The line end of a closing delimiter may be the one that belongs to the outer
	 * delimiter. */
	if (!closed || p->epilogue_at > p->body_end)
		p->epilogue_at = p->body_end;
	if (has_text(s->text, p->body_at, p->preamble_end))
		p->flags |= MIME_PART_PREAMBLE;
	if (has_text(s->text, p->epilogue_at, p->body_end))
		p->flags |= MIME_PART_EPILOGUE;
}

/*
 * Close the innermost part: its body ends at *end, behind *lines LF.  If that is before its body
 * begins, because the empty line of the header is also the line end before the delimiter, the body
 * is empty and the parts around it, closed next, end there too.
 */
static void close_part(struct scanner *s, size_t *end, size_t *lines)
{
	struct open_part *o = innermost(s);
	struct mime_part *p = o->part;

	if (*end < p->body_at) {
		*end = p->body_at;
		*lines = p->body_lines;
	}
	p->body_end = *end;
	p->body_lines = *lines - p->body_lines;
	if (p->kind == MIME_MULTIPART)
		close_multipart(s, p, o->boundary.n == 0);
	if (o->boundary.n)
		s->boundaries--;
	s->depth--;
}

/* ---- boundaries ------------------------------------------------------------------------- */

enum delimiter {
	NO_DELIMITER,
	DELIMITER,
	CLOSE_DELIMITER,
};

/*
 * delimiter := "--" boundary; close-delimiter := delimiter "--"; transport padding may follow
 * (RFC 2046#5.1.1).  line is without blanks at its end.  whole: the delimiter must be all of the
 * line; else a blank and other text may follow it.
 */
static enum delimiter match_one(struct view line, struct view boundary, bool whole)
{
	if (line.n < 2 + boundary.n || memcmp(line.p + 2, boundary.p, boundary.n) != 0)
		return NO_DELIMITER;

	struct view rest = view_from(line, 2 + boundary.n);

	if (rest.n == 0)
		return whole ? DELIMITER : NO_DELIMITER;
	if (view_eq(rest, VIEW("--")))
		return whole ? CLOSE_DELIMITER : NO_DELIMITER;
	if (whole)
		return NO_DELIMITER;
	if (ascii_is_blank(view_at(rest, 0)))
		return view_eq(view_trim(rest), VIEW("--")) ? CLOSE_DELIMITER : DELIMITER;
	return rest.n > 2 && view_starts(rest, VIEW("--")) && ascii_is_blank(view_at(rest, 2))
		       ? CLOSE_DELIMITER
		       : NO_DELIMITER;
}

/*
 * Which open part's boundary is this line?  Whole lines first, so that a boundary that begins with
 * another one is told apart; inner parts before outer ones.
 */
static enum delimiter match_boundary(const struct scanner *s, struct view line, size_t *ret_open)
{
	while (line.n && ascii_is_space(view_at(line, line.n - 1)))
		line.n--;
	for (int whole = 1; whole >= 0; whole--) {
		for (size_t i = s->depth; i-- > 0;) {
			if (s->open[i].boundary.n == 0)
				continue;

			enum delimiter found = match_one(line, s->open[i].boundary, whole);

			if (found) {
				*ret_open = i;
				return found;
			}
		}
	}
	return NO_DELIMITER;
}

/* Length of the line end before offset at: 0, 1 or 2. */
static size_t line_end_before(struct view text, size_t at)
{
	if (at == 0 || text.p[at - 1] != '\n')
		return 0;
	return at > 1 && text.p[at - 2] == '\r' ? 2 : 1;
}

/* No room for one more part: what is open now goes on to the end of the message. */
static void seal(struct scanner *s)
{
	struct mime_part *p = innermost(s)->part;

	s->sealed = true;
	if (p->kind == MIME_LEAF)
		part_make_opaque(p, MIME_PART_COUNT);
	else
		p->flags |= MIME_PART_COUNT;
}

/* The line from s->at to line_end is a delimiter of open part number target. */
static enum err take_delimiter(struct scanner *s, enum delimiter kind, size_t target,
			       size_t line_end)
{
	size_t gap = line_end_before(s->text, s->at);
	size_t end = s->at - gap, lines = s->lines - (gap ? 1 : 0);
	struct mime_part *p = s->open[target].part;
	enum err err = OK;

	while (s->in_header && !err)
		err = end_header(s, s->at, s->lines);
	if (err)
		return err;
	if (kind == DELIMITER && s->parts == MIME_PARTS_MAX) {
		seal(s);
		return OK;
	}
	while (s->depth > target + 1)
		close_part(s, &end, &lines);
	if (!p->child)
		p->preamble_end = s->at;
	if (kind == DELIMITER)
		return begin_part(s, p, line_end);
	s->open[target].boundary = VIEW_EMPTY;
	s->boundaries--;
	p->epilogue_at = line_end;
	return OK;
}

/* ---- lines ------------------------------------------------------------------------------ */

/* A line within a header: does the header end at it or behind it? */
static enum err take_header_line(struct scanner *s, struct view line)
{
	size_t name_n, value_at;
	size_t line_end = s->at + line.n;

	switch (mime_line_kind(line, &name_n, &value_at)) {
	case MIME_LINE_FIELD: return OK;
	case MIME_LINE_FOLD:
		if (s->at > innermost(s)->part->header_at)
			return OK;
		break;
	case MIME_LINE_EMPTY: return end_header(s, line_end, s->lines + 1);
	case MIME_LINE_JUNK:
		if (s->at == innermost(s)->part->header_at &&
		    mime_mbox_line(view_from(s->text, s->at)))
			return OK;
		break;
	}

	/* The line is the first one of the body, where it may again be part of a header. */
	enum err err = end_header(s, s->at, s->lines);

	while (!err && s->in_header)
		err = end_header(s, s->at, s->lines);
	return err;
}

static enum err take_line(struct scanner *s, struct view line)
{
	size_t target = 0;

	if (s->boundaries && !s->sealed && line.n > 2 && line.p[0] == '-' && line.p[1] == '-') {
		enum delimiter kind = match_boundary(s, line, &target);

		if (kind)
			return take_delimiter(s, kind, target, s->at + line.n);
	}
	return s->in_header ? take_header_line(s, line) : OK;
}

static enum err scan_lines(struct scanner *s)
{
	while (s->at < s->text.n) {
		const char *from = s->text.p + s->at;
		const char *lf = memchr(from, '\n', s->text.n - s->at);
		size_t n = lf ? (size_t)(lf - from) + 1 : s->text.n - s->at;
		enum err err = take_line(s, view_of(from, n));

		if (err)
			return err;
		s->at += n;
		s->lines += lf ? 1 : 0;
	}
	return OK;
}

enum err mime_scan(struct arena *a, struct view message, struct mime_part **ret_root)
{
	struct scanner s = { .a = a, .values_from = a->used, .text = message };
	enum err err = begin_part(&s, NULL, 0);

	if (err)
		return err;

	struct mime_part *root = innermost(&s)->part;

	err = scan_lines(&s);
	while (!err && s.in_header)
		err = end_header(&s, message.n, s.lines);
	if (err)
		return err;

	size_t end = message.n;

	while (s.depth > 0)
		close_part(&s, &end, &s.lines);
	*ret_root = root;
	return OK;
}

enum err mime_scan_header(struct arena *a, struct view prefix, struct mime_part **ret_part)
{
	struct mime_part *p = ARENA_NEW(a, struct mime_part);
	struct view boundary;

	if (!p)
		return ERR_NOMEM;
	p->depth = 1;
	p->body_at = mime_header_look(prefix).body_at;
	p->body_end = prefix.n;

	enum err err = part_read_header(a, a->used, prefix, p, &boundary);

	if (!err)
		*ret_part = p;
	return err;
}
