/*
 * proto/mime/part.h: what the scanner reads out of the header of one part.
 *
 * For scan.c only; the public side is scan.h.
 */
#ifndef PROTO_MIME_PART_H
#define PROTO_MIME_PART_H

#include "proto/mime/scan.h"

/*
 * Fill in p from its header [header_at, body_at) of text: type, parameters, encoding and the other
 * Content- fields, header flags, and the kind that the part would like to be; *ret_boundary is
 * empty unless that is MIME_MULTIPART.  values_from: a->used at the start of the message, for
 * MIME_SCAN_TEXT_MAX.  parent, depth and index are set already.  ERR_NOMEM.
 */
MUST_USE enum err part_read_header(struct arena *a, size_t values_from, struct view text,
				   struct mime_part *p, struct view *ret_boundary);

/* Make p a leaf that nobody looks into: application/octet-stream. */
void part_make_opaque(struct mime_part *p, unsigned flag);
/* Make p a leaf of type text/plain: what RFC 2045#5.2 wants where the type cannot be used. */
void part_make_text(struct mime_part *p, unsigned flag);

#endif
