/*
 * proto/mime/encoded_word.h: encoded words of RFC 2047, with the language tags of RFC 2231#5.
 *
 * For display and search only, after the grammar of the field has been applied: addresses are never
 * decoded.  Decoded text may hold any character, CR, LF and NUL included: it is data, and whoever
 * writes it into a header goes through the encoders here or build.h.  Linear time.
 */
#ifndef PROTO_MIME_ENCODED_WORD_H
#define PROTO_MIME_ENCODED_WORD_H

#include "proto/mime/charset.h"

enum {
	ENCODED_WORD_MAX = 75, /* characters of one encoded word that we write */
	ENCODED_WORD_LINE = 76, /* of a line that contains one */
};

/*
 * text (a Subject, or a display name without quoting) in UTF-8: unfolded, encoded words decoded,
 * white space between them dropped.  Bytes of neighbouring words in the same charset are joined
 * before they are converted.  Raw 8-bit text is UTF-8, or Windows-1252 if it is not.  What is no
 * valid encoded word stays as it is.  conv may be NULL.  Look at out->err.
 */
void encoded_word_decode(struct buf *out, struct view text, const struct mime_converter *conv);
/* Is there anything to decode (an "=?", 8-bit bytes, or a line end)? */
bool encoded_word_present(struct view text);

/*
 * Unstructured UTF-8 text for a header: as it is when it is plain ASCII, else with encoded words,
 * folded with CRLF SP.  column: where the text begins in its line.  ERR_SYNTAX for CR, LF or NUL.
 */
MUST_USE enum err encoded_word_add_text(struct buf *out, struct view text, size_t column);
/* A display name: atoms, a quoted string, or encoded words.  As above. */
MUST_USE enum err encoded_word_add_phrase(struct buf *out, struct view name, size_t column);

#endif
