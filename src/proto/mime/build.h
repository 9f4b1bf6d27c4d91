/*
 * proto/mime/build.h: writes header fields and boundaries.
 *
 * Takes typed values and refuses CR, LF and NUL in all of them, so that no value can become a line
 * (THREATS 2.8).  All lines end in CRLF, are folded at 78 and never exceed 998 octets
 * (RFC 5322#2.1.1). On an error the buffer is as before the call.
 */
#ifndef PROTO_MIME_BUILD_H
#define PROTO_MIME_BUILD_H

#include "proto/mime/address_list.h"
#include "proto/mime/param.h"

enum {
	MIME_LINE_SOFT = 78,
	MIME_LINE_HARD = 998,
	MIME_BOUNDARY_RANDOM = 16, /* random octets for a boundary */
	MIME_BOUNDARY_TEXT = 3 + 2 * MIME_BOUNDARY_RANDOM, /* characters of a boundary */
};

/* field-name of RFC 5322#2.2: printable ASCII without colon, 1 to 76 octets. */
bool mime_field_name_valid(struct view name);

/*
 * name ": " value CRLF, folded at blanks.  The value is written as it is.  ERR_SYNTAX for a bad
 * name or for CR, LF, NUL in the value; ERR_LIMIT when a word alone is longer than MIME_LINE_HARD.
 */
MUST_USE enum err mime_add_field(struct buf *out, struct view name, struct view value);
/* As above with UTF-8 text that becomes encoded words where needed (Subject). */
MUST_USE enum err mime_add_text_field(struct buf *out, struct view name, struct view text);
/* "Name <local@domain>", ... : names (may be empty views) in UTF-8, n addresses. */
MUST_USE enum err mime_add_address_field(struct buf *out, struct view name,
					 const struct view *names, const struct address *addresses,
					 size_t n);
/* Date field of RFC 5322#3.6.1.  zone: minutes east of UTC. */
MUST_USE enum err mime_add_date_field(struct buf *out, struct view name, int64_t seconds, int zone);
/*
 * A value with parameters (Content-Type, Content-Disposition): params as decoded, UTF-8; quoted
 * where needed, RFC 2231 where not ASCII or too long.
 */
MUST_USE enum err mime_add_param_field(struct buf *out, struct view name, struct view main,
				       struct mime_params params);

/* A boundary out of MIME_BOUNDARY_RANDOM octets that nobody can guess.  It begins with "=_", which
 * no quoted-printable or base64 line contains.  Borrowed from room. */
struct view mime_boundary(const uint8_t random[MIME_BOUNDARY_RANDOM],
			  char room[MIME_BOUNDARY_TEXT]);
/* CRLF "--" boundary ["--"] CRLF, without the first CRLF if out is at the start of a line
 * already. */
void mime_add_delimiter(struct buf *out, struct view boundary, bool last);

#endif
