/*
 * policy/ban.h: which networks may not log in, and when one gets there.
 *
 * A peer is an IPv4 address or an IPv6 /64, never an account: whoever knows a name must not be able to lock
 * its owner out.  Peers are watched and banned by themselves; other networks (IPv4 /8 to /32, IPv6 /16 to /128)
 * are banned by hand.  Pure decisions over the time that the caller tells; the caller keeps bans on disk, and
 * exempts loopback and known devices.  Bounded: past BAN_NETWORKS_MAX the peer that failed longest ago is
 * forgotten, banned ones last; past BAN_RANGES_MAX no more networks are taken.
 */
#ifndef POLICY_BAN_H
#define POLICY_BAN_H

#include "base/buf.h"
#include "policy/lru.h"

enum {
	BAN_NETWORKS_MAX = 32768, /* peers watched, and as many banned */
	BAN_RANGES_MAX = 1000, /* other networks banned; each log-in is held against all of them */
	BAN_V4_BITS_MIN = 8,
	BAN_V6_BITS_MIN = 16,
	BAN_KEY_MAX = 17, /* octets of a network's key */
	BAN_FAILURES_MAX = 1000, /* highest value of ban_rules.failures */
};

#define BAN_TIME_MAX_MS ((int64_t)7 * 24 * 3600 * 1000)

struct ban_network {
	uint8_t n; /* octets of an address: 4 or 16 */
	uint8_t bits; /* of the address that count; those beyond are zero */
	uint8_t at[16];
};

/* Options ban_failures, ban_window, ban_time. */
struct ban_rules {
	uint64_t failures;
	int64_t window_ms;
	int64_t time_ms;
};

struct ban_table {
	struct lru watched; /* by peer: failures in the window */
	struct lru banned; /* by peer: bans, and past ones that still count for doubling */
	struct lru ranges; /* by network that is no peer: bans */
};

/* One ban; ended ones are kept for BAN_TIME_MAX_MS so that the next one is longer. */
struct ban {
	struct lru_node node; /* private */
	struct ban_network network;
	int64_t until_ms; /* wall clock, 1970 */
	uint32_t count; /* how often this network was banned */
};

/* The peer of 4 or 16 octets; IPv4 mapped into IPv6 is IPv4.  ERR_SYNTAX for another length. */
MUST_USE enum err ban_network_of(struct view ip, struct ban_network *ret);
/* The address alone: an IPv4 /32, an IPv6 /128. */
MUST_USE enum err ban_address_of(struct view ip, struct ban_network *ret);
/* "192.0.2.1", "2001:db8::1" (a peer), "192.0.2.0/24", "2001:db8::/32"; octets beyond the bits are dropped.
 * ERR_SYNTAX: no address.  ERR_RANGE: the bits are none that can be banned. */
MUST_USE enum err ban_network_parse(struct view text, struct ban_network *ret);
/* "192.0.2.1", "192.0.2.0/24" or "2001:db8::/64": what ban_network_parse takes. */
void ban_network_add(struct buf *out, const struct ban_network *n);
/* An IPv4 address or an IPv6 /64? */
bool ban_network_is_peer(const struct ban_network *n);
bool ban_network_contains(const struct ban_network *outer, const struct ban_network *inner);
/* For tables and disk: a peer's is 4 or 8 octets.  Borrowed from room. */
struct view ban_network_key(const struct ban_network *n, uint8_t room[BAN_KEY_MAX]);
/* ERR_CORRUPT. */
MUST_USE enum err ban_network_of_key(struct view key, struct ban_network *ret);

/* secret: 16 random octets. */
void ban_table_init(struct ban_table *t, const uint8_t secret[16]);
void ban_table_done(struct ban_table *t);

/* NULL, or a ban in force of the network or of one around it.  Borrowed until the table changes. */
const struct ban *ban_find(struct ban_table *t, const struct ban_network *n, int64_t now_ms);
/*
 * A failed authentication of a peer.  Returns the ban if this one was too many (time_ms, doubled for each earlier
 * ban, at most BAN_TIME_MAX_MS), else NULL.  Out of memory counts nothing.
 */
const struct ban *ban_failure(struct ban_table *t, const struct ban_rules *rules,
			      const struct ban_network *n, int64_t now_ms);
/* Set a ban, by hand or from disk.  ERR_NOMEM; ERR_LIMIT past BAN_RANGES_MAX. */
MUST_USE enum err ban_set(struct ban_table *t, const struct ban_network *n, int64_t until_ms,
			  uint32_t count, int64_t now_ms);
/* Forget the network, its failures and earlier bans.  ERR_NOTFOUND if it was not banned. */
MUST_USE enum err ban_lift(struct ban_table *t, const struct ban_network *n, int64_t now_ms);
/* Walk: start with NULL, NULL at the end.  The table must not change meanwhile; past bans are shown too. */
const struct ban *ban_next(const struct ban_table *t, const struct ban *after);

#endif
