/*
 * roles/auth/verified.h: passwords that were right a moment ago need not be hashed again.
 *
 * Mail clients log in many times a minute.  Kept is a keyed hash of account and password under a key that
 * lives only in this process; an entry lives for auth_cache and dies with any change of its account.
 * A wrong password is never remembered.
 */
#ifndef ROLES_AUTH_VERIFIED_H
#define ROLES_AUTH_VERIFIED_H

#include "policy/lru.h"

enum { VERIFIED_MAX = 8192 }; /* past it the one not used for longest is forgotten */

struct verified {
	struct lru table;
	uint8_t key[32];
};

/* key: 32 random octets. */
void verified_init(struct verified *v, const uint8_t key[32]);
void verified_done(struct verified *v);
/* Was this right before until_ms as it was put? */
bool verified_has(struct verified *v, uint64_t account, struct view password, int64_t now_ms);
void verified_put(struct verified *v, uint64_t account, struct view password, int64_t until_ms);
void verified_forget(struct verified *v, uint64_t account);

#endif
