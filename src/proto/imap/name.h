/*
 * proto/imap/name.h: mailbox names: modified UTF-7 at the edge, NFC UTF-8 inside.
 *
 * Only canonical text is accepted, so that encode(decode(x)) == x and two spellings never name one
 * mailbox.  RFC 3501#5.1.3, RFC 9051#5.1.
 */
#ifndef PROTO_IMAP_NAME_H
#define PROTO_IMAP_NAME_H

#include "base/buf.h"

enum {
	IMAP_NAME_MAX = 1000, /* octets of UTF-8; past it ERR_LIMIT: NO [CANNOT] */
	IMAP_NAME_WIRE_MAX = 4 * IMAP_NAME_MAX, /* octets as modified UTF-7 at most */
};

/*
 * Append the UTF-8 of modified UTF-7.  ERR_SYNTAX: bytes above 0x7f, an unended or superfluous shift,
 * ASCII that was encoded, surrogates without partner, bits left over.  out may hold a part then.
 */
MUST_USE enum err imap_utf7_decode(struct buf *out, struct view text);
/* Append name, valid UTF-8, as modified UTF-7. */
void imap_utf7_encode(struct buf *out, struct view name);

/*
 * Append name in the form that is stored: NFC.  ERR_SYNTAX: not UTF-8, or with a control character
 * (C0, DEL, C1, U+2028, U+2029).  ERR_LIMIT past IMAP_NAME_MAX.  Whether levels are empty or wildcards
 * occur is not looked at: a name may be asked for that could never be created.
 */
MUST_USE enum err imap_name_normalise(struct buf *out, struct view name);

#endif
