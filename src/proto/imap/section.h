/*
 * proto/imap/section.h: from BODY[2.1.HEADER] to octets of the message.
 *
 * Works on a compact table of parts that can be kept with the message, so that a part is served from
 * its range without scanning again.  Header subsets are generated from the header's octets.
 * RFC 9051#6.4.5.1.
 */
#ifndef PROTO_IMAP_SECTION_H
#define PROTO_IMAP_SECTION_H

#include "proto/imap/command.h"
#include "proto/mime/scan.h"

enum {
	IMAP_PARTS_NONE = 0xffff, /* no such part */
	IMAP_PARTS_MAX = 1024, /* parts in a table, above MIME_PARTS_MAX */
	IMAP_PART_CODE_MAX = 2 + 4 * 10, /* octets of one encoded part at most */
};

/* One part, in the order of a walk from above; the message itself is number 0. */
struct imap_part {
	uint16_t parent; /* IMAP_PARTS_NONE for the message itself */
	uint16_t child; /* the first; IMAP_PARTS_NONE for a leaf */
	uint16_t next; /* sibling */
	uint8_t kind; /* enum mime_kind */
	uint8_t encoding; /* enum mime_encoding */
	uint64_t header_at;
	uint64_t body_at;
	uint64_t body_end;
};

struct imap_parts {
	const struct imap_part *at;
	size_t n; /* at least 1 */
};

/* Lives in a.  ERR_NOMEM, ERR_LIMIT past IMAP_PARTS_MAX. */
MUST_USE enum err imap_parts_of(struct arena *a, const struct mime_part *root,
				struct imap_parts *ret);
/* A compact form, and back (ERR_CORRUPT for anything that imap_parts_encode cannot have made). */
void imap_parts_encode(struct buf *out, struct imap_parts parts);
MUST_USE enum err imap_parts_decode(struct arena *a, struct view code, struct imap_parts *ret);

/* What a section comes to. */
struct imap_extent {
	bool none; /* there is no such part: NIL */
	bool filter; /* HEADER.FIELDS: the subset of the header at from..to */
	uint8_t encoding; /* enum mime_encoding of the part, for BINARY */
	bool leaf; /* BINARY: the part can be decoded */
	uint64_t from;
	uint64_t to;
};

struct imap_extent imap_section_find(struct imap_parts parts, const struct imap_section *s);

/*
 * The fields of header whose names are (not) in names, in their order, and the empty line.  header: a
 * whole header.  RFC 9051#6.4.5.1
 */
void imap_add_header_fields(struct buf *out, struct view header, struct imap_views names,
			    bool not );

#endif
