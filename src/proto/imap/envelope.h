/*
 * proto/imap/envelope.h: ENVELOPE of RFC 9051#7.5.2.
 *
 * Renders what proto/mime found, byte for byte, nothing decoded.  The result suits every session:
 * 8-bit text stands in literals.
 */
#ifndef PROTO_IMAP_ENVELOPE_H
#define PROTO_IMAP_ENVELOPE_H

#include "proto/mime/envelope.h"

/* "(" date subject from sender reply-to to cc bcc in-reply-to message-id ")" */
void imap_add_envelope(struct buf *out, const struct mime_envelope *e);

#endif
