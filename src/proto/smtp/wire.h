/*
 * proto/smtp/wire.h: the one writer of outgoing DATA.
 *
 * Any octets go in; what comes out matches ^([^\r\n\0]*\r\n)*\.\r\n$ with one end, every line at most 998
 * octets without its CRLF, lines that begin with a dot stuffed.  Bare CR and bare LF become CRLF, NUL
 * becomes '?' (it has no meaning in a text message and breaks others' parsers); longer lines are wrapped
 * hard.  Mail that must not be altered (a DKIM signature, binary) has to be encoded before it comes here.
 * Nothing else writes DATA.   RFC 5321#4.5.2, RFC 5321#4.5.3.1.6
 */
#ifndef PROTO_SMTP_WIRE_H
#define PROTO_SMTP_WIRE_H

#include "base/buf.h"

enum { SMTP_WIRE_LINE_MAX = 998 }; /* octets of a line before dot-stuffing, without CRLF */

struct smtp_wire {
	size_t column; /* octets of the current line */
	bool cr; /* the last octet in was a CR, already written as CRLF */
	uint64_t wraps; /* lines that had to be cut */
	uint64_t mended; /* bare CR, bare LF and NUL replaced */
};

void smtp_wire_init(struct smtp_wire *w);
/*
 * Append to out as much of bytes as fits; *ret_used counts what was taken.  out never gets past its max:
 * ERR_AGAIN when it is full before the end of bytes (write it out, clear it, call again with the rest).
 */
MUST_USE enum err smtp_wire_write(struct smtp_wire *w, struct buf *out, struct view bytes,
				  size_t *ret_used);
/* End the last line and append ".CRLF".  ERR_AGAIN when out has no room for 5 octets. */
MUST_USE enum err smtp_wire_end(struct smtp_wire *w, struct buf *out);

#endif
