/*
 * proto/dns/mx.h: which of a domain's mail exchangers are tried, and in which order.
 *
 * A decision over an answer; it asks nothing.   RFC 5321#5.1, RFC 7505
 */
#ifndef PROTO_DNS_MX_H
#define PROTO_DNS_MX_H

#include "base/view.h"

enum { DNS_MX_MAX = 64 }; /* exchangers looked at; a resolver's answer has no more */

struct dns_mx {
	uint16_t preference;
	struct view name; /* in the form of name.h; empty: the root */
};

enum dns_mx_choice {
	DNS_MX_HOSTS, /* try these */
	DNS_MX_NONE, /* no record, or none with a usable name */
	DNS_MX_REFUSED, /* a null MX: the domain takes no mail   RFC 7505#3 */
	DNS_MX_SELF /* what is left is us: a loop   RFC 5321#5.1 */
};

/*
 * Sort mx[0..*n) by preference, equals in a random order drawn from seed; drop names that occur twice
 * and, when own (in the form of name.h) is in the list, everything of its preference and above.  *n
 * becomes the number of hosts left, 0 unless the result is DNS_MX_HOSTS.  Past DNS_MX_MAX the rest is
 * not looked at.
 */
enum dns_mx_choice dns_mx_choose(struct dns_mx *mx, size_t *n, struct view own, uint64_t seed);

#endif
