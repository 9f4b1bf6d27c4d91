/*
 * proto/imap/match.h: the patterns of LIST.
 *
 * '*' matches anything, '%' anything without the separator '/'.  A pattern is compiled to sets of
 * bits; matching takes one step per octet of the name and word of the pattern, whatever the
 * wildcards.  RFC 9051#6.3.9.
 */
#ifndef PROTO_IMAP_MATCH_H
#define PROTO_IMAP_MATCH_H

#include "base/arena.h"

enum { IMAP_PATTERN_MAX = 1000 }; /* octets, in UTF-8; longer ones match nothing */

struct imap_pattern {
	size_t n; /* positions */
	size_t words; /* of 64 positions, the end included */
	uint64_t *literal; /* [256][words]: positions that this octet leads over */
	uint64_t *star; /* [words] */
	uint64_t *percent; /* [words] */
};

/* text in UTF-8.  Lives in a.  ERR_LIMIT past IMAP_PATTERN_MAX, ERR_NOMEM. */
MUST_USE enum err imap_pattern_compile(struct arena *a, struct view text, struct imap_pattern *ret);
/* Does the whole name match?  "INBOX", alone or as first level, matches in any case. */
bool imap_pattern_match(const struct imap_pattern *p, struct view name);

#endif
