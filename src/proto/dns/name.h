/*
 * proto/dns/name.h: domain names as text and as they stand in records.
 *
 * One form inside Posthold: lower case, no final dot, labels of letters, digits, hyphens and
 * underscores.  Names in other scripts must have been turned into A-labels before (RFC 5890); anything
 * else is no name that mail could be sent to, and is refused here, so that no text out of the DNS can
 * carry a dot, a NUL or a line end into a log, a header or a comparison.
 */
#ifndef PROTO_DNS_NAME_H
#define PROTO_DNS_NAME_H

#include "base/view.h"

enum {
	DNS_NAME_MAX =
		253, /* octets of text: 255 on the wire with lengths and root   RFC 1035#2.3.4 */
	DNS_LABEL_MAX = 63, /* RFC 1035#2.3.4 */
	DNS_NAME_ROOM = DNS_NAME_MAX + 1
};

/*
 * The one form of a name: "Example.TEST." becomes "example.test".  ERR_LIMIT for a name or label that
 * is too long, ERR_SYNTAX for an empty name or label, a label that begins or ends with a hyphen, or any
 * other character.  *ret is borrowed from room.
 */
MUST_USE enum err dns_name_normalize(struct view text, char room[DNS_NAME_ROOM], struct view *ret);

/*
 * A name as it stands in a record, without compression, to text in the form above; the root becomes
 * the empty text.  *ret_used is its length on the wire.  ERR_SYNTAX, ERR_LIMIT.   RFC 1035#3.1
 */
MUST_USE enum err dns_name_from_wire(struct view wire, char room[DNS_NAME_ROOM], struct view *ret,
				     size_t *ret_used);

#endif
