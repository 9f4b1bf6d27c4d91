/*
 * base/cursor.c: the steps of straight-line parsers.
 *
 * A step that fails records the first error and leaves the position where it was; from then on every
 * step gives an empty result.
 */
#include "base/cursor.h"

#include "base/ascii.h"

uint8_t cursor_byte(struct cursor *c)
{
	int byte = cursor_peek(c);

	if (byte < 0) {
		cursor_fail(c, ERR_SYNTAX);
		return 0;
	}
	c->at++;
	return (uint8_t)byte;
}

bool cursor_skip_char(struct cursor *c, char ch)
{
	if (cursor_peek(c) != (uint8_t)ch)
		return false;
	c->at++;
	return true;
}

bool cursor_skip_nocase(struct cursor *c, struct view word)
{
	if (c->err || !view_starts_nocase(cursor_rest(c), word))
		return false;
	c->at += word.n;
	return true;
}

void cursor_char(struct cursor *c, char ch)
{
	if (!cursor_skip_char(c, ch))
		cursor_fail(c, ERR_SYNTAX);
}

void cursor_space(struct cursor *c)
{
	cursor_char(c, ' ');
}

struct view cursor_span_any(struct cursor *c, bool (*is)(uint8_t), size_t max)
{
	struct view rest = cursor_rest(c);
	size_t n = 0;

	while (n < rest.n && is(view_at(rest, n))) {
		if (n == max) {
			cursor_fail(c, ERR_LIMIT);
			return VIEW_EMPTY;
		}
		n++;
	}
	c->at += n;
	return view_head(rest, n);
}

struct view cursor_span(struct cursor *c, bool (*is)(uint8_t), size_t max)
{
	struct view span = cursor_span_any(c, is, max);

	if (!span.n)
		cursor_fail(c, ERR_SYNTAX);
	return span;
}

struct view cursor_take(struct cursor *c, size_t n)
{
	struct view rest = cursor_rest(c);

	if (n > rest.n) {
		cursor_fail(c, ERR_SYNTAX);
		return VIEW_EMPTY;
	}
	c->at += n;
	return view_head(rest, n);
}

uint64_t cursor_u64(struct cursor *c, uint64_t max)
{
	struct view rest = cursor_rest(c);
	uint64_t value = 0;
	size_t n = 0;

	for (; n < rest.n && ascii_is_digit(view_at(rest, n)); n++) {
		uint64_t digit = (uint64_t)(view_at(rest, n) - '0');

		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, digit, &value) || value > max) {
			cursor_fail(c, ERR_RANGE);
			return 0;
		}
	}
	if (!n)
		cursor_fail(c, ERR_SYNTAX);
	c->at += n;
	return value;
}

void cursor_end(struct cursor *c)
{
	if (!cursor_at_end(c))
		cursor_fail(c, ERR_SYNTAX);
}
