/*
 * proto/mime/utf8.h: UTF-8 as it stands in messages: checked, repaired, folded for comparison.
 *
 * Valid means RFC 3629: shortest form, no surrogates, at most U+10FFFF.  Repair replaces each
 * maximal ill-formed piece by one U+FFFD.  No function here needs valid input.
 */
#ifndef PROTO_MIME_UTF8_H
#define PROTO_MIME_UTF8_H

#include "base/buf.h"

#define MIME_REPLACEMENT 0xfffdU

bool mime_utf8_valid(struct view text);
/* No byte above 0x7f? */
bool mime_ascii_only(struct view text);

/*
 * Length of the character at text[at] (1..4) and its code point.  An ill-formed piece counts as one
 * character: *ret_point is MIME_REPLACEMENT and *ret_valid false.  at must be below text.n.
 */
size_t mime_utf8_next(struct view text, size_t at, uint32_t *ret_point, bool *ret_valid);

/* point in UTF-8; what is no scalar value becomes U+FFFD. */
void mime_utf8_add(struct buf *out, uint32_t point);
/* text, with every ill-formed piece replaced by U+FFFD. */
void mime_utf8_add_repaired(struct buf *out, struct view text);

/* Longest head of text of at most max bytes that does not split a character. */
struct view mime_utf8_head(struct view text, size_t max);

/* C0, DEL, C1, line and paragraph separator, and the bidirectional controls U+200E..200F,
 * U+202A..202E, U+2066..2069: never wanted in an address, stripped where names are shown. */
bool mime_utf8_is_control(uint32_t point);

/* Does the point look like other text to software that normalises (compatibility forms of ASCII
 * such as U+FF20, and the ideographic full stop)?  Never allowed in a domain. */
bool mime_utf8_hides_ascii(uint32_t point);

/*
 * text in the form that searching and comparing use: case folded, compatibility decomposed, marks
 * in canonical order (RFC 5051, except that full case folding replaces its title-case map).
 * Ill-formed pieces become U+FFFD.  Two texts are alike when their folded forms are equal bytes.
 * At most about 18 times as long as text; look at out->err.
 */
void mime_casefold(struct buf *out, struct view text);

#endif
