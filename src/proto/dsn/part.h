/*
 * proto/dsn/part.h: the words and the quotation of a report; for dsn.c alone.
 */
#ifndef PROTO_DSN_PART_H
#define PROTO_DSN_PART_H

#include "proto/dsn/dsn.h"

enum { CLEAN_ADDRESS_MAX = 500 };

/* The first part, for a person. */
void dsn_add_words(struct buf *out, const struct dsn_report *r);
/* The status code that is shown for a recipient.  Static, or borrowed from rcpt. */
struct view dsn_status_of(const struct dsn_report *r, const struct dsn_recipient *rcpt);
/* Can the message be quoted as it is: CRLF lines of at most 998 octets, no NUL, no bare CR or LF? */
bool dsn_can_quote(struct view message);
/* The header, up to the empty line or DSN_HEADER_MAX.  Borrowed from message. */
struct view dsn_header_of(struct view message);
/* text as CRLF lines of at most 998 octets: bare CR and LF end a line, too, NUL becomes '?', long
 * lines are cut. */
void dsn_add_lines(struct buf *out, struct view text);

#endif
