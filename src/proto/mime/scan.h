/*
 * proto/mime/scan.h: THE structure of a message: one scanner with octet offsets for all readers.
 *
 * IMAP, JMAP, Sieve, spam scan and webmail all use this tree, so that they agree on every part.
 * One pass, linear in the message (times the number of open boundaries, at most 32, for lines that
 * begin with "--"), no recursion.  Malformed input never fails: what cannot be understood is a
 * leaf with a flag, and every byte of the message lies in exactly one header, body leaf, preamble,
 * epilogue or delimiter.  Offsets are octets from the start of the message.
 *
 * Invariants: kind MULTIPART <=> type is multipart and there is a child; kind MESSAGE <=> type is
 * message/rfc822 or message/global and there is exactly one child, the embedded message; all else
 * is a LEAF.  header_at <= body_at <= body_end <= message size; the header is [header_at,
 * body_at), the empty line included.
 */
#ifndef PROTO_MIME_SCAN_H
#define PROTO_MIME_SCAN_H

#include "base/arena.h"
#include "proto/mime/param.h"
#include "proto/mime/transfer.h"

enum {
	MIME_DEPTH_MAX = 32, /* levels, the message itself is level 1 */
	MIME_PARTS_MAX = 1000, /* parts in one message, all levels together */
	MIME_BOUNDARY_MAX = 8192, /* bytes; longer ones are no boundary (RFC says 70) */
	MIME_SCAN_TEXT_MAX = 4 * 1024 * 1024, /* arena bytes past which values are left out */
	MIME_SCAN_ARENA_MAX = 8 * 1024 * 1024, /* an arena of this size is always enough */
};

enum mime_kind {
	MIME_LEAF,
	MIME_MULTIPART,
	MIME_MESSAGE,
};

enum mime_part_flag {
	MIME_PART_DEPTH = 1 << 0, /* composite below MIME_DEPTH_MAX: kept as opaque leaf */
	MIME_PART_COUNT = 1 << 1, /* last of MIME_PARTS_MAX: an opaque leaf to the end of message */
	MIME_PART_NO_BOUNDARY = 1 << 2, /* multipart without a usable boundary: leaf */
	MIME_PART_NO_PARTS = 1 << 3, /* multipart whose boundary never came: leaf */
	MIME_PART_UNCLOSED = 1 << 4, /* multipart without its closing delimiter */
	MIME_PART_ENCODED = 1 << 5, /* composite with base64 or quoted-printable */
	MIME_PART_DUPLICATE = 1 << 6, /* a Content- field or a parameter twice; the first counts */
	MIME_PART_BAD_TYPE = 1 << 7, /* unreadable Content-Type, taken as text/plain */
	MIME_PART_BAD_ENCODING = 1 << 8, /* unknown or oddly written Content-Transfer-Encoding */
	MIME_PART_BAD_PARAM = 1 << 9, /* junk, gaps, or too many parameters */
	MIME_PART_BAD_HEADER = 1 << 10, /* header ended by junk or without an empty line */
	MIME_PART_BIG_HEADER = 1 << 11, /* past the limits of header.h */
	MIME_PART_PREAMBLE = 1 << 12, /* text before the first delimiter */
	MIME_PART_EPILOGUE = 1 << 13, /* text behind the closing delimiter */
	MIME_PART_TEXT_LIMIT = 1 << 14, /* values left out: MIME_SCAN_TEXT_MAX */
};

struct mime_part {
	struct mime_part *parent; /* NULL for the message itself */
	struct mime_part *child; /* first child */
	struct mime_part *next; /* next sibling */
	struct mime_part *last; /* last child */
	size_t children;
	size_t index; /* position in a walk from above, 0 is the message itself */
	size_t depth; /* 1 is the message itself */

	enum mime_kind kind;
	unsigned flags; /* enum mime_part_flag */

	size_t header_at; /* first byte of the header */
	size_t body_at; /* first byte of the body, behind the empty line */
	size_t body_end; /* behind the last byte; the line end before a delimiter is not counted */
	size_t body_lines; /* line ends (LF) in the body, as in the example of RFC 9051#7.5.2 */
	size_t preamble_end; /* MULTIPART: start of the first delimiter line */
	size_t epilogue_at; /* MULTIPART: behind the closing delimiter line, else body_end */

	/* What the part is for all readers; lower or upper case as written.  A leaf never has
	 * multipart, message/rfc822 or message/global here: see declared. */
	struct view type, subtype;
	struct view declared_type, declared_subtype; /* as written; empty if absent or unreadable */
	struct mime_params params; /* decoded; of Content-Type */
	struct mime_params raw_params; /* as IMAP shows them; charset=us-ascii where defaulted */

	struct view encoding; /* as written, without comments; p == NULL if absent */
	enum mime_encoding encoding_kind;

	/* Values without folding; p == NULL where the field is absent. */
	struct view id; /* Content-ID, with its angle brackets */
	struct view description; /* Content-Description, encoded words not decoded */
	struct view md5;
	struct view location;
	struct view language; /* Content-Language, the whole list; see mime_language_next */
	struct view disposition; /* "attachment", "inline", as written */
	struct mime_params disposition_params; /* decoded */
	struct mime_params raw_disposition_params; /* as IMAP shows them */
};

/*
 * The tree of message (at most 50 MiB in practice).  Parts live in a; their views borrow from
 * message or lie in a.  ERR_NOMEM only (an arena below MIME_SCAN_ARENA_MAX).
 */
MUST_USE enum err mime_scan(struct arena *a, struct view message, struct mime_part **ret_root);
/*
 * The message itself without its parts: reads only the header at the start of prefix.  kind is what
 * the header says, without children; body_end is prefix.n; MIME_PART_BAD_HEADER when the header
 * does not end within prefix.
 */
MUST_USE enum err mime_scan_header(struct arena *a, struct view prefix,
				   struct mime_part **ret_part);

/* Borrowed from message, which must be the one that was scanned. */
static inline struct view mime_part_header(struct view message, const struct mime_part *p)
{
	return view_part(message, p->header_at, p->body_at - p->header_at);
}

static inline struct view mime_part_body(struct view message, const struct mime_part *p)
{
	return view_part(message, p->body_at, p->body_end - p->body_at);
}

/* Walk from above: the part that follows p below top, or NULL.  Start with p = top. */
const struct mime_part *mime_part_walk(const struct mime_part *top, const struct mime_part *p);

/*
 * The part that a section number of IMAP names (RFC 9051#6.4.5.1): path holds n numbers from 1.
 * Children of a multipart are counted; below a message/rfc822 part the numbers go on with the
 * parts of the embedded message; "1" of what is not a multipart is itself.  n == 0 gives root.
 * NULL if none. For PATH.HEADER and PATH.TEXT take the child of the found MESSAGE part.
 */
const struct mime_part *mime_part_find(const struct mime_part *root, const uint32_t *path,
				       size_t n);
/* The reverse: "2.1.3" for p, nothing for the message itself when it is a multipart (else "1"). */
void mime_part_add_section(struct buf *out, const struct mime_part *p);

/* The charset of a text part: parameter, or us-ascii.  Borrowed from p. */
struct view mime_part_charset(const struct mime_part *p);
/* type/subtype compare without case. */
bool mime_part_is(const struct mime_part *p, struct view type, struct view subtype);
/* The file name: filename of the disposition, else name of the type; NULL if none. */
const struct mime_param *mime_part_filename(const struct mime_part *p);

/* Content-Language = tag *("," tag): *at starts at 0; false at the end.   RFC 3282#2 */
bool mime_language_next(struct view list, size_t *at, struct view *ret_tag);

#endif
