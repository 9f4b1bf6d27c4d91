/*
 * proto/dns/ip.c: see ip.h.
 */
#include "proto/dns/ip.h"

#include <arpa/inet.h>

#include "base/num.h"

static const uint8_t mapped_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

enum err dns_ip_from_octets(struct view octets, struct dns_ip *ret)
{
	if (octets.n != 4 && octets.n != 16)
		return ERR_SYNTAX;
	if (octets.n == 16 && view_starts(octets, view_of(mapped_prefix, sizeof(mapped_prefix))))
		octets = view_from(octets, sizeof(mapped_prefix));
	*ret = (struct dns_ip){ .n = octets.n };
	memcpy(ret->octets, octets.p, octets.n);
	return OK;
}

enum err dns_ip_parse(struct view text, struct dns_ip *ret)
{
	char room[DNS_IP_TEXT_MAX];
	uint8_t octets[16];

	if (text.n >= sizeof(room) || view_has(text, '\0'))
		return ERR_SYNTAX;
	if (text.n)
		memcpy(room, text.p, text.n);
	room[text.n] = '\0';
	if (inet_pton(AF_INET, room, octets) == 1)
		return dns_ip_from_octets(view_of(octets, 4), ret);
	if (inet_pton(AF_INET6, room, octets) == 1)
		return dns_ip_from_octets(view_of(octets, 16), ret);
	return ERR_SYNTAX;
}

struct view dns_ip_text(const struct dns_ip *ip, char room[DNS_IP_TEXT_MAX])
{
	return view_str(
		inet_ntop(ip->n == 4 ? AF_INET : AF_INET6, ip->octets, room, DNS_IP_TEXT_MAX));
}

/* ---- kinds ---- */

struct range {
	uint8_t prefix[4];
	uint8_t bits;
	enum dns_ip_kind kind;
};

/* RFC 6890#2.2.2 and its registry */
static const struct range ranges_v4[] = {
	{ { 0, 0, 0, 0 }, 8, DNS_IP_UNUSABLE },	      { { 10, 0, 0, 0 }, 8, DNS_IP_PRIVATE },
	{ { 100, 64, 0, 0 }, 10, DNS_IP_PRIVATE },    { { 127, 0, 0, 0 }, 8, DNS_IP_LOOPBACK },
	{ { 169, 254, 0, 0 }, 16, DNS_IP_PRIVATE },   { { 172, 16, 0, 0 }, 12, DNS_IP_PRIVATE },
	{ { 192, 0, 0, 0 }, 24, DNS_IP_UNUSABLE },    { { 192, 0, 2, 0 }, 24, DNS_IP_UNUSABLE },
	{ { 192, 168, 0, 0 }, 16, DNS_IP_PRIVATE },   { { 198, 18, 0, 0 }, 15, DNS_IP_PRIVATE },
	{ { 198, 51, 100, 0 }, 24, DNS_IP_UNUSABLE }, { { 203, 0, 113, 0 }, 24, DNS_IP_UNUSABLE },
	{ { 224, 0, 0, 0 }, 3, DNS_IP_UNUSABLE },
};

/* RFC 6890#2.2.3 and its registry; only 2000::/3 holds public hosts. */
static const struct range ranges_v6[] = {
	{ { 0xfc, 0, 0, 0 }, 7, DNS_IP_PRIVATE },
	{ { 0xfe, 0x80, 0, 0 }, 10, DNS_IP_PRIVATE },
	{ { 0xfe, 0xc0, 0, 0 }, 10, DNS_IP_PRIVATE },
	{ { 0x20, 0x01, 0x0d, 0xb8 }, 32, DNS_IP_UNUSABLE },
	{ { 0x20, 0x01, 0, 0x02 }, 32, DNS_IP_PRIVATE },
	{ { 0x20, 0x01, 0, 0 }, 32, DNS_IP_UNUSABLE }, /* Teredo: an IPv4 address in disguise */
	{ { 0x20, 0, 0, 0 }, 3, DNS_IP_PUBLIC },
};

static bool in_range(const uint8_t *octets, const struct range *r)
{
	uint32_t mask = r->bits == 32 ? UINT32_MAX : ~(UINT32_MAX >> r->bits);
	uint32_t a, b;

	memcpy(&a, octets, sizeof(a));
	memcpy(&b, r->prefix, sizeof(b));
	return !((a ^ b) & htonl(mask));
}

static enum dns_ip_kind look_up(const uint8_t *octets, const struct range *ranges, size_t n,
				enum dns_ip_kind otherwise)
{
	for (size_t i = 0; i < n; i++)
		if (in_range(octets, &ranges[i]))
			return ranges[i].kind;
	return otherwise;
}

static enum dns_ip_kind classify_v4(const uint8_t *octets)
{
	return look_up(octets, ranges_v4, ARRAY_LEN(ranges_v4), DNS_IP_PUBLIC);
}

static bool all_zero(const uint8_t *octets, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (octets[i])
			return false;
	return true;
}

static enum dns_ip_kind classify_v6(const uint8_t *octets)
{
	static const uint8_t nat64[12] = { 0, 0x64, 0xff, 0x9b };

	if (all_zero(octets, 15) && octets[15] == 1)
		return DNS_IP_LOOPBACK;
	if (all_zero(octets, 12) || !memcmp(octets, mapped_prefix, sizeof(mapped_prefix)) ||
	    !memcmp(octets, nat64, sizeof(nat64)))
		return classify_v4(octets + 12);
	if (octets[0] == 0x20 && octets[1] == 0x02)
		return classify_v4(octets + 2); /* RFC 3056#2 */
	return look_up(octets, ranges_v6, ARRAY_LEN(ranges_v6), DNS_IP_UNUSABLE);
}

enum dns_ip_kind dns_ip_classify(const struct dns_ip *ip)
{
	if (ip->n == 4)
		return classify_v4(ip->octets);
	return ip->n == 16 ? classify_v6(ip->octets) : DNS_IP_UNUSABLE;
}

/* ---- ends ---- */

enum err dns_endpoint_parse(struct view text, uint16_t port, struct view *ret_host,
			    uint16_t *ret_port)
{
	struct view host = text;
	struct view digits = VIEW_EMPTY;
	uint64_t number = port;
	size_t colon = view_find_char(text, ':');

	if (view_starts(text, VIEW("["))) {
		size_t close = view_find_char(text, ']');

		if (close == VIEW_NONE)
			return ERR_SYNTAX;
		host = view_part(text, 1, close - 1);
		digits = view_from(text, close + 1);
		if (digits.n && view_at(digits, 0) != ':')
			return ERR_SYNTAX;
		colon = digits.n ? 0 : VIEW_NONE;
		digits = view_from(digits, 1);
	} else if (colon != VIEW_NONE && colon == view_rfind_char(text, ':')) {
		host = view_head(text, colon);
		digits = view_from(text, colon + 1);
	} else {
		colon = VIEW_NONE; /* none, or several: a bare IPv6 address */
	}
	if (!host.n)
		return ERR_SYNTAX;
	if (colon != VIEW_NONE) {
		enum err err = num_u64(digits, UINT16_MAX, &number);

		if (err)
			return err;
		if (!number)
			return ERR_RANGE;
	}
	*ret_host = host;
	*ret_port = (uint16_t)number;
	return OK;
}
