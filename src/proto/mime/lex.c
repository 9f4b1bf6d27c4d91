/*
 * proto/mime/lex.c: atoms, comments, quoted strings.
 */
#include "proto/mime/lex.h"

bool lex_is_atext(uint8_t c)
{
	return ascii_is_alnum(c) || (c && c < 0x80 && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

bool lex_is_token(uint8_t c)
{
	return ascii_is_graph(c) && !strchr("()<>@,;:\\\"/[]?=", c);
}

size_t lex_comment(struct view text, size_t at, struct lex_comment *ret)
{
	size_t depth = 0, from = at + 1;

	*ret = (struct lex_comment){ .depth = 1, .ended = false };
	for (; at < text.n; at++) {
		char c = text.p[at];

		if (c == '\\') {
			if (at + 1 < text.n)
				at++;
		} else if (c == '(') {
			depth++;
			ret->depth = size_max(ret->depth, depth);
		} else if (c == ')' && --depth == 0) {
			ret->text = view_part(text, from, at - from);
			ret->ended = true;
			return at + 1;
		}
	}
	ret->text = view_from(text, from);
	return text.n;
}

size_t lex_skip_blank(struct view text, size_t at)
{
	while (at < text.n && ascii_is_space(view_at(text, at)))
		at++;
	return at;
}

size_t lex_skip_cfws(struct view text, size_t at, bool *ret_comment)
{
	struct lex_comment comment;

	for (;;) {
		at = lex_skip_blank(text, at);
		if (at >= text.n || text.p[at] != '(')
			return at;
		at = lex_comment(text, at, &comment);
		if (ret_comment)
			*ret_comment = true;
	}
}

size_t lex_quoted(struct view text, size_t at, struct buf *out, bool *ret_ended)
{
	size_t run = ++at;

	*ret_ended = false;
	for (; at < text.n; at++) {
		char c = text.p[at];

		if (c != '"' && c != '\\' && c != '\r' && c != '\n')
			continue;
		/* CR that is not part of folding stays data. */
		if (c == '\r' && (at + 1 == text.n || text.p[at + 1] != '\n'))
			continue;
		if (out)
			buf_add(out, view_part(text, run, at - run));
		run = at + 1;
		if (c == '"') {
			*ret_ended = true;
			return at + 1;
		}
		if (c == '\\' && at + 1 < text.n)
			at++; /* the next byte is data; it stands in the new run */
	}
	if (out)
		buf_add(out, view_from(text, run));
	return text.n;
}
