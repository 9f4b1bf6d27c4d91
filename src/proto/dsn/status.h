/*
 * proto/dsn/status.h: enhanced status codes and what they mean to a person.
 */
#ifndef PROTO_DSN_STATUS_H
#define PROTO_DSN_STATUS_H

#include "base/buf.h"

enum {
	DSN_STATUS_TEXT = 12, /* "5.999.999" and its NUL */
	DSN_SUBJECT_MAX = 999, /* three digits   RFC 3463#2 */
};

struct dsn_status {
	uint8_t class; /* 2 success, 4 persistent transient failure, 5 permanent failure */
	uint16_t subject;
	uint16_t detail;
};

/* status-code = class "." subject "." detail    RFC 3463#2
 * The whole text.  ERR_SYNTAX, ERR_RANGE. */
MUST_USE enum err dsn_status_parse(struct view text, struct dsn_status *ret);
/*
 * The status code at the start of a reply's text (behind "550 " or at once), if there is one and its
 * class is that of the reply code; ERR_NOTFOUND otherwise.  code: 0 when there is none.
 */
MUST_USE enum err dsn_status_find(struct view reply, unsigned code, struct dsn_status *ret);

struct dsn_words {
	const char *meaning; /* a sentence for the sender */
	const char *advice; /* what to do */
};
/* Never NULL, static. */
const struct dsn_words *dsn_status_words(const struct dsn_status *s);

/* text as printable ASCII on one line: other octets become '?', runs of white space one blank; at most
 * max octets, the last three of a cut one are dots. */
void dsn_add_clean(struct buf *out, struct view text, size_t max);

#endif
