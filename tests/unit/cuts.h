/*
 * tests/unit/cuts.h: a parser's input, cut in every way.
 *
 *	for (struct cuts c = cuts_heads(text); cuts_next(&c);)
 *		assert_int_equal(parse(c.piece), ...);
 *
 * Each piece lies in memory of exactly its size, so that the address sanitizer sees one byte read too
 * many; it is gone with the next one.
 */
#ifndef TESTS_UNIT_CUTS_H
#define TESTS_UNIT_CUTS_H

#include "unit.h"

struct cuts {
	struct view piece;
	struct view text; /* borrowed */
	size_t from, n; /* of the next piece */
	size_t from_max;
	size_t step; /* 0: pieces of all sizes */
};

/* Every head of text, from the empty one to the whole. */
static inline struct cuts cuts_heads(struct view text)
{
	return (struct cuts){ .text = text };
}

/* ... without the whole: what no grammar may take for it.  text is not empty. */
static inline struct cuts cuts_short_heads(struct view text)
{
	return cuts_heads(view_head(text, text.n - 1));
}

/* Every head of what is left of text behind every start. */
static inline struct cuts cuts_parts(struct view text)
{
	return (struct cuts){ .text = text, .from_max = text.n };
}

/* All of text, step bytes at a time; the last piece may be shorter, none is empty. */
static inline struct cuts cuts_steps(struct view text, size_t step)
{
	return (struct cuts){ .text = text, .step = step, .n = step };
}

/* The next one as c->piece; false at the end. */
static inline bool cuts_next(struct cuts *c)
{
	struct view next;

	free((void *)c->piece.p);
	c->piece = VIEW_EMPTY;
	if (!c->step && c->n > c->text.n - c->from) {
		c->from++;
		c->n = 0;
	}
	if (c->step ? c->from >= c->text.n : c->from > c->from_max)
		return false;
	next = view_part(c->text, c->from, c->n);
	c->piece = view_of(tight_copy(next), next.n);
	if (c->step)
		c->from += next.n;
	else
		c->n++;
	return true;
}

#endif
