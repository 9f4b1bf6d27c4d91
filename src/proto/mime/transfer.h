/*
 * proto/mime/transfer.h: content transfer encodings, streamed or whole.
 *
 * Decoders accept anything, in pieces cut anywhere, and never give more bytes than they were fed
 * plus what they held back (at most MIME_QP_HELD_MAX); what was wrong is kept in flags. 
 * RFC 2045#6.
 */
#ifndef PROTO_MIME_TRANSFER_H
#define PROTO_MIME_TRANSFER_H

#include "base/buf.h"

enum {
	MIME_ENCODED_LINE = 76, /* characters in an encoded line, RFC 2045#6.7 and 6.8 */
	MIME_QP_HELD_MAX =
		4096, /* blanks held back until the line goes on or ends; then they are kept */
};

enum mime_encoding {
	MIME_7BIT,
	MIME_8BIT,
	MIME_BINARY,
	MIME_QP,
	MIME_BASE64,
	MIME_ENCODING_UNKNOWN, /* bytes are passed through; RFC 2045#6.4 shows it as octet-stream */
};

/* A name as in Content-Transfer-Encoding, without comments.  Empty means 7bit. */
enum mime_encoding mime_encoding_of(struct view name);
/* "base64" and so on, lower case, static; "x-unknown" for unknown. */
struct view mime_encoding_name(enum mime_encoding how);

enum mime_decode_flag {
	MIME_DECODE_JUNK = 1 << 0, /* bytes outside the alphabet, skipped or taken literally */
	MIME_DECODE_AFTER_PAD = 1 << 1, /* base64 data behind padding, decoded too */
	MIME_DECODE_SHORT = 1 << 2, /* ended within a quantum or an escape */
	MIME_DECODE_BAD_PAD = 1 << 3, /* wrong number of = */
};

struct mime_decoder {
	enum mime_encoding how;
	unsigned flags; /* enum mime_decode_flag */
	uint32_t bits; /* base64: pending bits */
	uint8_t have; /* base64: pending sextets 0..3; quoted-printable: state */
	uint8_t pad; /* base64: = seen at the end of the quantum */
	uint8_t hex; /* quoted-printable: first digit of an escape */
	bool padded; /* base64: a quantum ended in = */
	char held[MIME_QP_HELD_MAX + 1]; /* and a CR */
	size_t held_n;
};

void mime_decoder_init(struct mime_decoder *d, enum mime_encoding how);
/* Decode piece, append to out.  Fails only as out does (ERR_LIMIT, ERR_NOMEM). */
MUST_USE enum err mime_decoder_feed(struct mime_decoder *d, struct view piece, struct buf *out);
/* No more input: append what was held back. */
MUST_USE enum err mime_decoder_finish(struct mime_decoder *d, struct buf *out);

/* All at once.  *ret_flags (may be NULL) is enum mime_decode_flag. */
MUST_USE enum err mime_decode(enum mime_encoding how, struct view text, struct buf *out,
			      unsigned *ret_flags);

struct mime_encoder {
	enum mime_encoding how;
	bool text; /* quoted-printable: CRLF and LF are line breaks, not data */
	uint8_t have; /* bytes pending */
	uint8_t pending[3];
	size_t column;
};

/*
 * how: MIME_QP or MIME_BASE64; all others pass bytes through.  text (quoted-printable only): line
 * ends stay line ends, written as CRLF; otherwise CR and LF are escaped.
 */
void mime_encoder_init(struct mime_encoder *e, enum mime_encoding how, bool text);
MUST_USE enum err mime_encoder_feed(struct mime_encoder *e, struct view piece, struct buf *out);
/* Writes the last line; base64 ends with CRLF unless it is empty. */
MUST_USE enum err mime_encoder_finish(struct mime_encoder *e, struct buf *out);
MUST_USE enum err mime_encode(enum mime_encoding how, bool text, struct view bytes,
			      struct buf *out);

#endif
