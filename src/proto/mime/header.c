/*
 * proto/mime/header.c: walks the fields of a header without copying.
 */
#include "proto/mime/header.h"

#include "base/ascii.h"
#include "proto/mime/utf8.h"

/* Length of the line that begins at text[at], its LF included. */
static size_t line_length(struct view text, size_t at)
{
	const char *lf = memchr(text.p + at, '\n', text.n - at);

	return lf ? (size_t)(lf - (text.p + at)) + 1 : text.n - at;
}

/* line without CRLF or LF at its end. */
static struct view without_line_end(struct view line)
{
	if (line.n && line.p[line.n - 1] == '\n') {
		line.n--;
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
	}
	return line;
}

/* ftext = %d33-57 / %d59-126   RFC 5322#3.6.8 */
static bool is_ftext(uint8_t c)
{
	return ascii_is_graph(c) && c != ':';
}

enum mime_line mime_line_kind(struct view line, size_t *ret_name_n, size_t *ret_value_at)
{
	struct view text = without_line_end(line);
	size_t name_n = 0;

	if (text.n == 0)
		return MIME_LINE_EMPTY;
	if (ascii_is_blank(view_at(text, 0)))
		return MIME_LINE_FOLD;
	while (name_n < text.n && is_ftext(view_at(text, name_n)))
		name_n++;

	size_t colon = name_n;

	while (colon < text.n && ascii_is_blank(view_at(text, colon)))
		colon++;
	if (name_n == 0 || colon == text.n || text.p[colon] != ':')
		return MIME_LINE_JUNK;
	*ret_name_n = name_n;
	*ret_value_at = colon + 1;
	return MIME_LINE_FIELD;
}

size_t mime_mbox_line(struct view text)
{
	struct view rest = text;
	size_t name_n, value_at;

	if (view_starts(rest, VIEW(">")))
		rest = view_from(rest, 1);
	if (!view_starts(rest, VIEW("From ")) || rest.n < 6 || !ascii_is_graph(view_at(rest, 5)))
		return 0;

	size_t n = line_length(text, 0);

	/* "From : x" is a field, and what is folded is no separator. */
	if (mime_line_kind(view_head(text, n), &name_n, &value_at) != MIME_LINE_JUNK ||
	    (n < text.n && ascii_is_blank(view_at(text, n))))
		return 0;
	return n;
}

struct mime_header_iter mime_header_iter_init(struct view text)
{
	return (struct mime_header_iter){ .text = text };
}

/* A line was taken into the header: what is odd about it. */
static void note_line(struct mime_header_iter *it, struct view line)
{
	if (line.p[line.n - 1] == '\n' && (line.n < 2 || line.p[line.n - 2] != '\r'))
		it->flags |= MIME_HEADER_BARE_LF;
	if (it->at > MIME_HEADER_BLOCK_MAX)
		it->flags |= MIME_HEADER_LONG;
}

/* Move over the lines that go on with the field. */
static void take_folds(struct mime_header_iter *it)
{
	while (it->at < it->text.n && ascii_is_blank(view_at(it->text, it->at))) {
		struct view line = view_part(it->text, it->at, line_length(it->text, it->at));

		if (view_trim(line).n == 0)
			it->flags |= MIME_HEADER_BLANK_FOLD;
		it->at += line.n;
		note_line(it, line);
	}
}

bool mime_header_next(struct mime_header_iter *it, struct mime_field *ret)
{
	size_t name_n = 0, value_at = 0;

	if (it->done)
		return false;
	if (it->at == 0 && mime_mbox_line(it->text)) {
		it->at = mime_mbox_line(it->text);
		it->flags |= MIME_HEADER_MBOX;
	}
	if (it->at >= it->text.n) {
		it->flags |= MIME_HEADER_UNENDED;
		it->done = true;
		return false;
	}

	size_t at = it->at;
	struct view line = view_part(it->text, at, line_length(it->text, at));
	enum mime_line kind = mime_line_kind(line, &name_n, &value_at);

	if (kind != MIME_LINE_FIELD) {
		it->done = true;
		if (kind == MIME_LINE_EMPTY) {
			it->at += line.n;
			note_line(it, line);
			return false;
		}
		it->flags |= MIME_HEADER_JUNK;
		if (kind == MIME_LINE_FOLD)
			it->flags |= MIME_HEADER_FOLD_FIRST;
		return false;
	}
	it->at += line.n;
	note_line(it, line);
	take_folds(it);
	if (value_at != name_n + 1)
		it->flags |= MIME_HEADER_SPACE_COLON;
	if (++it->n > MIME_HEADER_FIELDS_MAX)
		it->flags |= MIME_HEADER_MANY_FIELDS;

	struct view raw = view_part(it->text, at, it->at - at);

	*ret = (struct mime_field){
		.name = view_head(raw, name_n),
		.value = view_from(without_line_end(raw), value_at),
		.raw = raw,
		.at = at,
	};
	return true;
}

/* What is odd about the bytes of a header. */
static unsigned look_at_bytes(struct view header)
{
	unsigned flags = 0;

	if (view_has(header, '\0'))
		flags |= MIME_HEADER_NUL;
	if (!mime_ascii_only(header))
		flags |= mime_utf8_valid(header) ? MIME_HEADER_8BIT : MIME_HEADER_NOT_UTF8;
	for (size_t at = 0; at < header.n; at++) {
		size_t cr = view_find_char(view_from(header, at), '\r');

		if (cr == VIEW_NONE)
			break;
		at += cr;
		if (at + 1 == header.n || header.p[at + 1] != '\n')
			flags |= MIME_HEADER_BARE_CR;
	}
	return flags;
}

struct mime_header_info mime_header_look(struct view text)
{
	struct mime_header_iter it = mime_header_iter_init(text);
	struct mime_field field;

	while (mime_header_next(&it, &field))
		;
	return (struct mime_header_info){
		.body_at = it.at,
		.fields = it.n,
		.flags = it.flags | look_at_bytes(view_head(text, it.at)),
	};
}

enum err mime_header_check(struct view text, struct mime_header_info *ret)
{
	struct mime_header_info info = mime_header_look(text);

	if (info.flags & (MIME_HEADER_MANY_FIELDS | MIME_HEADER_LONG))
		return ERR_LIMIT;
	if (ret)
		*ret = info;
	return OK;
}

bool mime_header_find(struct view text, struct view name, size_t nth, struct mime_field *ret)
{
	struct mime_header_iter it = mime_header_iter_init(text);
	struct mime_field field;

	while (mime_header_next(&it, &field)) {
		if (!view_eq_nocase(field.name, name))
			continue;
		if (nth-- == 0) {
			*ret = field;
			return true;
		}
	}
	return false;
}

size_t mime_header_count(struct view text, struct view name)
{
	struct mime_header_iter it = mime_header_iter_init(text);
	struct mime_field field;
	size_t n = 0;

	while (mime_header_next(&it, &field))
		n += view_eq_nocase(field.name, name);
	return n;
}

bool mime_is_folded(struct view value)
{
	return view_has(value, '\n');
}

void mime_unfold(struct buf *out, struct view value)
{
	struct view rest = view_trim(value);

	while (rest.n) {
		size_t lf = view_find_char(rest, '\n');

		if (lf == VIEW_NONE) {
			buf_add(out, rest);
			return;
		}
		buf_add(out, without_line_end(view_head(rest, lf + 1)));
		rest = view_from(rest, lf + 1);
	}
}

enum err mime_unfolded(struct arena *a, struct view value, struct view *ret)
{
	struct view text = view_trim(value);

	if (!mime_is_folded(text)) {
		*ret = text.n ? text : VIEW("");
		return OK;
	}

	struct buf CLEANUP(buf_done) unfolded = BUF_INIT(text.n);

	mime_unfold(&unfolded, text);
	if (buf_err(&unfolded))
		return ERR_NOMEM;
	*ret = arena_copy(a, buf_view(&unfolded));
	return ret->p ? OK : ERR_NOMEM;
}
