/*
 * policy/ban.h: which networks may not log in, and when one gets there.
 *
 * A network is an IPv4 address or an IPv6 /64, never an account: whoever knows a name must not be able
 * to lock its owner out.  Pure decisions over the time that the caller tells; the caller keeps bans on
 * disk, and exempts loopback and known devices.  Bounded: past BAN_NETWORKS_MAX the network that failed
 * longest ago is forgotten, banned ones last.
 */
#ifndef POLICY_BAN_H
#define POLICY_BAN_H

#include "base/buf.h"
#include "policy/lru.h"

enum {
	BAN_NETWORK_LEN = 8, /* octets: 4, or the first 8 of an IPv6 address */
	BAN_NETWORKS_MAX = 32768, /* watched, and as many banned */
	BAN_FAILURES_MAX = 1000, /* highest value of ban_rules.failures */
};

#define BAN_TIME_MAX_MS ((int64_t)7 * 24 * 3600 * 1000)

struct ban_network {
	uint8_t n; /* 4 or 8 */
	uint8_t at[BAN_NETWORK_LEN];
};

/* Options ban_failures, ban_window, ban_time. */
struct ban_rules {
	uint64_t failures;
	int64_t window_ms;
	int64_t time_ms;
};

struct ban_table {
	struct lru watched; /* by network: failures in the window */
	struct lru banned; /* by network: bans, and past ones that still count for doubling */
};

/* One ban; ended ones are kept for BAN_TIME_MAX_MS so that the next one is longer. */
struct ban {
	struct lru_node node; /* private */
	struct ban_network network;
	int64_t until_ms; /* wall clock, 1970 */
	uint32_t count; /* how often this network was banned */
};

/* 4 or 16 octets; IPv4 mapped into IPv6 is IPv4.  ERR_SYNTAX for another length. */
MUST_USE enum err ban_network_of(struct view ip, struct ban_network *ret);
/* "192.0.2.1", "2001:db8::", "2001:db8::1", "2001:db8::/64".  ERR_SYNTAX. */
MUST_USE enum err ban_network_parse(struct view text, struct ban_network *ret);
/* "192.0.2.1" or "2001:db8::/64". */
void ban_network_add(struct buf *out, const struct ban_network *n);

/* secret: 16 random octets. */
void ban_table_init(struct ban_table *t, const uint8_t secret[16]);
void ban_table_done(struct ban_table *t);

/* NULL, or the ban in force.  Borrowed until the table changes. */
const struct ban *ban_find(struct ban_table *t, const struct ban_network *n, int64_t now_ms);
/*
 * A failed authentication.  Returns the ban if this one was too many (time_ms, doubled for each earlier
 * ban, at most BAN_TIME_MAX_MS), else NULL.  Out of memory counts nothing.
 */
const struct ban *ban_failure(struct ban_table *t, const struct ban_rules *rules,
			      const struct ban_network *n, int64_t now_ms);
/* Set a ban, by hand or from disk.  ERR_NOMEM. */
MUST_USE enum err ban_set(struct ban_table *t, const struct ban_network *n, int64_t until_ms,
			  uint32_t count);
/* Forget the network, its failures and earlier bans.  ERR_NOTFOUND if it was not banned. */
MUST_USE enum err ban_lift(struct ban_table *t, const struct ban_network *n, int64_t now_ms);
/* Walk: start with NULL, NULL at the end.  The table must not change meanwhile; past bans are shown too. */
const struct ban *ban_next(const struct ban_table *t, const struct ban *after);

#endif
