/*
 * proto/dns/ip.h: addresses: text, kind, and the ends of connections that an administrator names.
 */
#ifndef PROTO_DNS_IP_H
#define PROTO_DNS_IP_H

#include "base/view.h"

enum { DNS_IP_TEXT_MAX = 46 }; /* octets of text with room for a NUL */

/* 4 or 16 octets. */
struct dns_ip {
	uint8_t octets[16];
	size_t n;
};

static inline struct view dns_ip_view(const struct dns_ip *ip)
{
	return view_of(ip->octets, ip->n);
}

/* From 4 or 16 octets; ERR_SYNTAX otherwise.  An IPv4 address inside IPv6 (::ffff:a.b.c.d) becomes the
 * four octets that it is. */
MUST_USE enum err dns_ip_from_octets(struct view octets, struct dns_ip *ret);
/* "192.0.2.1", "2001:db8::1".  ERR_SYNTAX. */
MUST_USE enum err dns_ip_parse(struct view text, struct dns_ip *ret);
/* The text; borrowed from room. */
struct view dns_ip_text(const struct dns_ip *ip, char room[DNS_IP_TEXT_MAX]);

enum dns_ip_kind {
	DNS_IP_PUBLIC,
	DNS_IP_LOOPBACK, /* this host */
	DNS_IP_PRIVATE, /* this site: RFC 1918, RFC 6598, unique local, link-local */
	DNS_IP_UNUSABLE /* no host at all: unspecified, multicast, reserved, documentation */
};

/*
 * What an address is by the registries of special-purpose addresses (RFC 6890).  Addresses that carry
 * an IPv4 address (64:ff9b::/96, 2002::/16, ::a.b.c.d) are what that address is.
 */
enum dns_ip_kind dns_ip_classify(const struct dns_ip *ip);

/*
 * "HOST", "HOST:PORT", "[IPv6]", "[IPv6]:PORT" or a bare IPv6 address.  Without port *ret_port becomes
 * port.  The host is not checked further; it is borrowed from text.  ERR_SYNTAX, ERR_RANGE.
 */
MUST_USE enum err dns_endpoint_parse(struct view text, uint16_t port, struct view *ret_host,
				     uint16_t *ret_port);

#endif
