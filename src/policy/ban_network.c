/*
 * policy/ban_network.c: networks of a ban, as octets, as text, and as keys of tables: see ban.h.
 */
#include <arpa/inet.h>

#include "base/num.h"
#include "policy/ban.h"

enum { V4_BITS = 32, V6_BITS = 128, PEER_V6_BITS = 64, MAPPED_BITS = 96, BITS_TEXT_MAX = 3 };

static unsigned peer_bits(const struct ban_network *n)
{
	return n->n == 4 ? V4_BITS : PEER_V6_BITS;
}

/* Octets beyond the network's bits are zero, so that one network has one spelling. */
static void mask(struct ban_network *n)
{
	for (unsigned i = 0; i < sizeof(n->at); i++) {
		unsigned from = i * 8;
		unsigned kept = n->bits > from ? n->bits - from : 0;

		if (kept < 8)
			n->at[i] &= (uint8_t)(0xff00U >> kept);
	}
}

enum err ban_address_of(struct view ip, struct ban_network *ret)
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	struct ban_network n = { 0 };

	if (ip.n == 16 && view_starts(ip, view_of(mapped, sizeof(mapped))))
		ip = view_from(ip, sizeof(mapped));
	if (ip.n != 4 && ip.n != 16)
		return ERR_SYNTAX;
	n.n = (uint8_t)ip.n;
	n.bits = (uint8_t)(ip.n * 8);
	memcpy(n.at, ip.p, ip.n);
	*ret = n;
	return OK;
}

enum err ban_network_of(struct view ip, struct ban_network *ret)
{
	enum err err = ban_address_of(ip, ret);

	if (!err) {
		ret->bits = (uint8_t)peer_bits(ret);
		mask(ret);
	}
	return err;
}

static bool bits_in_range(const struct ban_network *n)
{
	return n->n == 4 ? n->bits >= BAN_V4_BITS_MIN && n->bits <= V4_BITS
			 : n->bits >= BAN_V6_BITS_MIN && n->bits <= V6_BITS;
}

/* address "/" bits.  width: of the address as it was written, 4 or 16 octets. */
static enum err set_bits(struct ban_network *n, struct view text, size_t width)
{
	uint64_t bits;

	if (text.n > BITS_TEXT_MAX || num_u64(text, 8 * width, &bits))
		return ERR_RANGE;
	/* ::ffff:192.0.2.0/120 is 192.0.2.0/24. */
	if (width != n->n)
		bits = bits > MAPPED_BITS ? bits - MAPPED_BITS : 0;
	n->bits = (uint8_t)bits;
	mask(n);
	return bits_in_range(n) ? OK : ERR_RANGE;
}

enum err ban_network_parse(struct view text, struct ban_network *ret)
{
	struct ban_network n;
	uint8_t ip[16];
	struct view address;
	struct view bits = view_cut(text, '/', &address);
	char *copy = view_to_cstr(address);
	size_t width = 0;
	enum err err;

	if (copy && inet_pton(AF_INET, copy, ip) == 1)
		width = 4;
	else if (copy && inet_pton(AF_INET6, copy, ip) == 1)
		width = 16;
	free(copy);
	if (!bits.p)
		return ban_network_of(view_of(ip, width), ret);
	err = ban_address_of(view_of(ip, width), &n);
	if (!err)
		err = set_bits(&n, bits, width);
	if (!err)
		*ret = n;
	return err;
}

void ban_network_add(struct buf *out, const struct ban_network *n)
{
	char text[INET6_ADDRSTRLEN] = "";

	(void)inet_ntop(n->n == 4 ? AF_INET : AF_INET6, n->at, text, sizeof(text));
	buf_add_str(out, text);
	if (n->n != 4 || n->bits != V4_BITS)
		buf_addf(out, "/%u", n->bits);
}

bool ban_network_is_peer(const struct ban_network *n)
{
	return n->bits == peer_bits(n);
}

bool ban_network_contains(const struct ban_network *outer, const struct ban_network *inner)
{
	struct ban_network cut = *inner;

	if (outer->n != inner->n || outer->bits > inner->bits)
		return false;
	cut.bits = outer->bits;
	mask(&cut);
	return memcmp(cut.at, outer->at, sizeof(cut.at)) == 0;
}

/* Peers are 4 or 8 octets, other networks all of the address and the number of bits. */
struct view ban_network_key(const struct ban_network *n, uint8_t room[BAN_KEY_MAX])
{
	if (ban_network_is_peer(n)) {
		memcpy(room, n->at, n->bits / 8);
		return view_of(room, n->bits / 8);
	}
	memcpy(room, n->at, n->n);
	room[n->n] = n->bits;
	return view_of(room, n->n + 1U);
}

enum err ban_network_of_key(struct view key, struct ban_network *ret)
{
	struct ban_network n = { 0 }, whole;

	switch (key.n) {
	case 4:
	case 8:
		n.n = key.n == 4 ? 4 : 16;
		n.bits = (uint8_t)(key.n * 8);
		memcpy(n.at, key.p, key.n);
		break;
	case 5:
	case 17:
		n.n = (uint8_t)(key.n - 1);
		n.bits = view_at(key, n.n);
		memcpy(n.at, key.p, n.n);
		break;
	default: return ERR_CORRUPT;
	}
	whole = n;
	mask(&n);
	if (!bits_in_range(&n) || memcmp(n.at, whole.at, sizeof(n.at)) != 0)
		return ERR_CORRUPT;
	*ret = n;
	return OK;
}
