/*
 * proto/mime/fold.h: header text in lines, for the writers of this folder.
 */
#ifndef PROTO_MIME_FOLD_H
#define PROTO_MIME_FOLD_H

#include "base/buf.h"

/* Does text have CR, LF or NUL, which no header value may have? */
bool fold_is_unsafe(struct view text);
/* Column behind the last byte of out: bytes since its last LF. */
size_t fold_column(const struct buf *out);
/*
 * Append text, with CRLF before the blanks where a line would pass MIME_LINE_SOFT; column is where
 * it begins.  A word that alone passes MIME_LINE_HARD is ERR_LIMIT.  text must not be unsafe.
 */
MUST_USE enum err fold_add(struct buf *out, struct view text, size_t column);

#endif
