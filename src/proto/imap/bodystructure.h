/*
 * proto/imap/bodystructure.h: BODY and BODYSTRUCTURE of RFC 9051#7.5.2.
 *
 * Walks the tree of proto/mime without recursion.  The result suits every session: 8-bit text stands in
 * literals.
 */
#ifndef PROTO_IMAP_BODYSTRUCTURE_H
#define PROTO_IMAP_BODYSTRUCTURE_H

#include "proto/mime/scan.h"

/*
 * message is what root was scanned from (embedded messages have an envelope in it); scratch is used for
 * those envelopes and cleared in between.  extended: BODYSTRUCTURE, else BODY.  cuts (may be NULL)
 * gets what imap_add_body_cut needs to make BODY of a BODYSTRUCTURE.  ERR_NOMEM; look at out->err and
 * cuts->err too.
 */
MUST_USE enum err imap_add_bodystructure(struct buf *out, struct arena *scratch,
					 struct view message, const struct mime_part *root,
					 bool extended, struct buf *cuts);

/*
 * BODY out of a BODYSTRUCTURE and its cuts: pairs of offset and length, 4 octets each, ascending, of the
 * extension data.  ERR_CORRUPT, with out unchanged, when they do not fit together.
 */
MUST_USE enum err imap_add_body_cut(struct buf *out, struct view bodystructure, struct view cuts);

#endif
