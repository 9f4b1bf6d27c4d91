/*
 * proto/imap/write.h: the pieces of responses.
 *
 * Every function appends to a capped buffer whose error sticks (base/buf.h).  Values are typed; strings
 * become quoted strings or literals so that no value can become a line (THREATS 2.8).  RFC 9051#9.
 */
#ifndef PROTO_IMAP_WRITE_H
#define PROTO_IMAP_WRITE_H

#include "proto/imap/command.h"

enum { IMAP_QUOTED_MAX = 1000 }; /* octets; longer strings become literals */

/* string = quoted / literal.  utf8: 8-bit text may be quoted (RFC 9051#4.3), else it is a literal.  NUL,
 * which neither can hold, is left out. */
void imap_add_string(struct buf *out, struct view text, bool utf8);
/* nstring: NIL where text.p is NULL. */
void imap_add_nstring(struct buf *out, struct view text, bool utf8);
/* astring: an atom where that is possible. */
void imap_add_astring(struct buf *out, struct view text, bool utf8);
/* mailbox: name is NFC UTF-8; written as modified UTF-7 unless utf8. */
void imap_add_mailbox(struct buf *out, struct view name, bool utf8);
/* "\Seen \Deleted", separated by blanks and in a fixed order, without parentheses. */
void imap_add_system_flags(struct buf *out, unsigned flags);
/* Quoted date-time of RFC 9051#9. */
void imap_add_date_time(struct buf *out, int64_t seconds, int zone);
/* "\Junk" and so on; use is one bit of enum imap_use. */
struct view imap_use_name(uint32_t use);
/* The "BODY[1.HEADER.FIELDS (From)]<0>" before a value: kind is IMAP_FETCH_SECTION, _BINARY,
 * _BINARY_SIZE or one of the plain items. */
void imap_add_fetch_label(struct buf *out, const struct imap_fetch_item *item);
/* tag SP text CRLF; an empty tag is "*". */
void imap_add_line(struct buf *out, struct view tag, const char *text);

#endif
