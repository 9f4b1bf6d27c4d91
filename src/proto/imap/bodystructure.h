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
 * those envelopes and cleared in between.  extended: BODYSTRUCTURE, else BODY.  ERR_NOMEM; look at
 * out->err too.
 */
MUST_USE enum err imap_add_bodystructure(struct buf *out, struct arena *scratch,
					 struct view message, const struct mime_part *root,
					 bool extended);

#endif
