/*
 * proto/mime/seven_bit.h: a message with 8-bit content, rewritten for servers that take only 7 bits.
 *
 * A plan is made once from the tree of scan.h; readers then give the result in pieces, in memory that
 * does not grow with the message.  Leaves with octets above 127 become quoted-printable (text) or base64,
 * their Content-Transfer-Encoding says so, and the composites around them say 7bit; every other octet
 * stays.  The same is done in passing to leaves that the wire would alter: lines past MIME_SEVEN_BIT_LINE, NUL,
 * bare CR or LF.
 *
 * Not rewritten, but refused: 8-bit octets in a header or between parts; what is signed (RFC 1847#2.1);
 * types message/ but message/rfc822; content that claims to be encoded already; and whatever two readers
 * may take for two different things.  Invariants: the decoded leaves, and the tree, are what they were;
 * no octet of the result is above 127; an encoded line has at most 76 characters.
 * RFC 6152#3, RFC 2045#6.4, RFC 2046#5.2.1
 */
#ifndef PROTO_MIME_SEVEN_BIT_H
#define PROTO_MIME_SEVEN_BIT_H

#include "base/vec.h"
#include "proto/mime/scan.h"

enum {
	MIME_SEVEN_BIT_LINE = 998, /* octets without CRLF; RFC 5321#4.5.3.1.6 */
	MIME_SEVEN_BIT_STEPS_MAX = 5 * MIME_PARTS_MAX + 1,
	MIME_SEVEN_BIT_ROOM = 256, /* octets that a piece needs at least */
};

/* What comes next in the result: octets of the message, encoded or not, or a field of our own. */
enum mime_seven_bit_kind {
	MIME_SEVEN_BIT_COPY,
	MIME_SEVEN_BIT_QP,
	MIME_SEVEN_BIT_BASE64,
	MIME_SEVEN_BIT_SAYS_QP,
	MIME_SEVEN_BIT_SAYS_BASE64,
	MIME_SEVEN_BIT_SAYS_7BIT,
	MIME_SEVEN_BIT_SAYS_MIME
};

struct mime_seven_bit_step {
	enum mime_seven_bit_kind kind;
	size_t at, n; /* of the message; 0 for fields */
};

/* All zeros: empty.  Offsets only, no pointer into the message. */
struct mime_seven_bit {
	VEC(struct mime_seven_bit_step) steps;
};

/*
 * Plan the rewriting of message.  Owned by caller, mime_seven_bit_done.  ERR_UNSUPPORTED: it cannot be
 * done, *ret_why (static) tells people the reason, and is written only then; ERR_NOMEM.
 */
MUST_USE enum err mime_seven_bit_plan(struct view message, struct mime_seven_bit *ret,
				      const char **ret_why);
void mime_seven_bit_done(struct mime_seven_bit *plan);

/* One pass through the result. */
struct mime_seven_bit_reader {
	const struct mime_seven_bit *plan;
	struct view message;
	size_t step;
	size_t taken; /* octets of that step */
	struct mime_encoder encoder;
};

/* plan and message (the one that was planned) are borrowed as long as the reader is used. */
void mime_seven_bit_reader_init(struct mime_seven_bit_reader *r, const struct mime_seven_bit *plan,
				struct view message);
/*
 * Append to out what fits.  OK: that was the end; ERR_AGAIN: write out and clear it, then call again (its
 * maximum must be at least MIME_SEVEN_BIT_ROOM); ERR_NOMEM.  The result does not depend on the pieces.
 */
MUST_USE enum err mime_seven_bit_read(struct mime_seven_bit_reader *r, struct buf *out);

/* Octets of the result: one pass, nothing kept.  ERR_NOMEM. */
MUST_USE enum err mime_seven_bit_size(const struct mime_seven_bit *plan, struct view message,
				      uint64_t *ret);

#endif
