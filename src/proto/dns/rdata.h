/*
 * proto/dns/rdata.h: the inside of resource records.
 *
 * Input is RDATA as a resolver library gives it: names without compression.  Output is what roles say
 * to each other (src/ipc/resolve.ipc).
 */
#ifndef PROTO_DNS_RDATA_H
#define PROTO_DNS_RDATA_H

#include "base/buf.h"

/* RFC 1035#3.2.2, RFC 3596#2.1 */
enum dns_type {
	DNS_TYPE_A = 1,
	DNS_TYPE_CNAME = 5,
	DNS_TYPE_PTR = 12,
	DNS_TYPE_MX = 15,
	DNS_TYPE_TXT = 16,
	DNS_TYPE_AAAA = 28,
	DNS_TYPE_TLSA = 52
};

struct dns_record {
	uint16_t preference; /* MX, else 0 */
	/* 4 or 16 octets for A and AAAA; for MX, CNAME and PTR the name in the form of name.h, empty for
	 * the root; the joined strings for TXT; RDATA as it is otherwise. */
	struct view data;
};

/*
 * Decode one record; its data is appended to out and borrowed from there, until out changes.
 * ERR_SYNTAX for RDATA that does not follow its type's format, ERR_LIMIT past a name's length or out's
 * maximum, ERR_NOMEM.
 */
MUST_USE enum err dns_rdata_decode(unsigned type, struct view rdata, struct buf *out,
				   struct dns_record *ret);

#endif
