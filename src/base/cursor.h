/*
 * base/cursor.h: read through complete, bounded text and remember the first error.
 *
 * Rules of a grammar become straight-line calls; after the first failure every call is a no-op that
 * returns an empty result, so that a parser looks at err once, at its end.
 */
#ifndef BASE_CURSOR_H
#define BASE_CURSOR_H

#include "base/view.h"

struct cursor {
	struct view text;
	size_t at;
	enum err err;
};

static inline struct cursor cursor_init(struct view text)
{
	return (struct cursor){ text, 0, OK };
}

/* Record err unless one is recorded already. */
static inline void cursor_fail(struct cursor *c, enum err err)
{
	if (!c->err)
		c->err = err;
}

/* Nothing left, or failed. */
static inline bool cursor_at_end(const struct cursor *c)
{
	return c->err || c->at >= c->text.n;
}

/* The next byte as 0..255, or -1 at the end or after an error; does not move. */
static inline int cursor_peek(const struct cursor *c)
{
	return cursor_at_end(c) ? -1 : view_at(c->text, c->at);
}

/* What is left.  Borrowed from the text. */
static inline struct view cursor_rest(const struct cursor *c)
{
	return c->err ? VIEW_EMPTY : view_from(c->text, c->at);
}

/* The next byte, moving on; fails with ERR_SYNTAX at the end. */
uint8_t cursor_byte(struct cursor *c);
/* If the next byte is ch move on and return true; never fails. */
bool cursor_skip_char(struct cursor *c, char ch);
/* If the text goes on with word (ASCII case ignored) move on and return true; never fails. */
bool cursor_skip_nocase(struct cursor *c, struct view word);
/* The next byte must be ch. */
void cursor_char(struct cursor *c, char ch);
/* Exactly one SP. */
void cursor_space(struct cursor *c);
/* The longest run of bytes of a class, 1 to max bytes (0 to max with _any): ERR_SYNTAX if none,
 * ERR_LIMIT if longer. */
struct view cursor_span(struct cursor *c, bool (*is)(uint8_t), size_t max);
struct view cursor_span_any(struct cursor *c, bool (*is)(uint8_t), size_t max);
/* Exactly n bytes. */
struct view cursor_take(struct cursor *c, size_t n);
/* 1*DIGIT without sign, at most max: ERR_RANGE beyond. */
uint64_t cursor_u64(struct cursor *c, uint64_t max);
/* The text must end here. */
void cursor_end(struct cursor *c);

#endif
