/*
 * policy/rate.h: so many per time, for each of many keys.
 *
 * A key may spend `limit` at once, and gets it back evenly over `per_ms`.  One number is kept per key
 * (the generic cell rate algorithm); keys that have everything back are forgotten first by use.  Pure:
 * time is told.
 */
#ifndef POLICY_RATE_H
#define POLICY_RATE_H

#include "policy/lru.h"

enum { RATE_KEYS_MAX = 65536 }; /* past it the key not seen for longest is forgotten */

struct rate {
	struct lru keys;
};

/* secret: 16 random octets.  max: at most RATE_KEYS_MAX. */
void rate_init(struct rate *r, size_t max, const uint8_t secret[16]);
void rate_done(struct rate *r);

/*
 * Spend one.  ERR_LIMIT when the key has spent limit within per_ms: *ret_wait_ms is then how long until the
 * next is free (the one exception to results on success only).  ERR_NOMEM.
 */
MUST_USE enum err rate_take(struct rate *r, struct view key, uint64_t limit, int64_t per_ms,
			    int64_t now_ms, int64_t *ret_wait_ms);

#endif
