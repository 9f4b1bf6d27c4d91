/*
 * proto/imap/set.h: sets of message numbers and UIDs as ascending ranges.
 *
 * Three forms: what a client wrote (struct imap_seq: unordered, with '*' and '$'), a resolved set that
 * is only read (struct imap_ranges: ascending, neither overlapping nor touching), and a growing one that
 * its owner keeps (struct imap_set, same order).  sequence-set of RFC 9051#9.
 */
#ifndef PROTO_IMAP_SET_H
#define PROTO_IMAP_SET_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/cursor.h"

enum {
	IMAP_SEQ_RANGES_MAX = 16384, /* ranges in one argument; past it BAD [LIMIT] */
	IMAP_STAR = 0, /* '*' in struct imap_seq */
};

/* first <= last, both at least 1; in struct imap_seq either may be IMAP_STAR, in any order. */
struct imap_range {
	uint32_t first;
	uint32_t last;
};

struct imap_seq {
	const struct imap_range *at;
	size_t n;
	bool saved; /* '$': the saved result, n is 0   RFC 5182#2.1 */
};

struct imap_ranges {
	const struct imap_range *at;
	size_t n;
};

struct imap_set {
	struct imap_range *at;
	size_t n;
	size_t cap;
	size_t max; /* ranges */
};

/* sequence-set = (seq-number / seq-range) *("," ...) / "$"   RFC 9051#9.  ERR_SYNTAX, ERR_LIMIT,
 * ERR_NOMEM in the cursor.  Lives in a. */
void imap_seq_parse(struct cursor *c, struct arena *a, struct imap_seq *ret);
/* Put star for '*', sort and join.  star 0 (an empty mailbox): ranges of '*' alone vanish.  Lives in
 * a.  ERR_NOMEM. */
MUST_USE enum err imap_seq_resolve(struct arena *a, const struct imap_seq *seq, uint32_t star,
				   struct imap_ranges *ret);

/* By binary search. */
bool imap_ranges_contain(struct imap_ranges r, uint32_t number);
uint64_t imap_ranges_count(struct imap_ranges r);
/* "1:3,5"; nothing for the empty set. */
void imap_ranges_add_text(struct buf *out, struct imap_ranges r);
/* The smallest member that is at least from; false if none. */
bool imap_ranges_next(struct imap_ranges r, uint32_t from, uint32_t *ret);

void imap_set_init(struct imap_set *s, size_t max);
void imap_set_done(struct imap_set *s);
/* Empty; memory is kept. */
void imap_set_clear(struct imap_set *s);
/* Add first..last.  Constant time at the upper end.  ERR_LIMIT past max ranges, ERR_NOMEM; the set is
 * unchanged then. */
MUST_USE enum err imap_set_add(struct imap_set *s, uint32_t first, uint32_t last);

/* Borrowed until the next change. */
static inline struct imap_ranges imap_set_ranges(const struct imap_set *s)
{
	return (struct imap_ranges){ s->at, s->n };
}

#endif
