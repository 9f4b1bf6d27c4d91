/*
 * base/encode.h: base64, hexadecimal and the short form of identifiers.
 */
#ifndef BASE_ENCODE_H
#define BASE_ENCODE_H

#include "base/buf.h"

/* RFC 4648#4, with padding, in one line. */
void base64_encode(struct buf *out, struct view bytes);
/* RFC 4648#4, strict: no line ends, correct padding.  ERR_SYNTAX; out may hold a part then. */
MUST_USE enum err base64_decode(struct buf *out, struct view text);

/* One digit of the alphabet of RFC 4648#4, for what packs bits in its own way: value is below 64. */
char base64_digit(uint32_t value);
/* 0..63, or -1 if c is no digit. */
int base64_value(uint8_t c);

void hex_encode(struct buf *out, struct view bytes);
MUST_USE enum err hex_decode(struct buf *out, struct view text);

/* A 64-bit identifier as 13 characters of [0-9a-z] without i, l, o, u.  Used in logs, Received, and
 * on command lines. */
#define ID_TEXT_LEN 13
struct view id_text(uint64_t id, char room[ID_TEXT_LEN]);
MUST_USE enum err id_parse(struct view text, uint64_t *ret);

/* xtext = *( xchar / hexchar )   RFC 3461#4 */
void xtext_encode(struct buf *out, struct view text);
MUST_USE enum err xtext_decode(struct buf *out, struct view text);

#endif
