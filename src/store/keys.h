/*
 * store/keys.h: the keys of one account, derived per purpose.
 *
 * A master key is never used itself: packs and pages each get a subkey by crypto_kdf with the account's
 * number as subkey id, so that bytes of one account or purpose never open with the key of another.
 * The ring lives in locked memory and is wiped when freed.
 */
#ifndef STORE_KEYS_H
#define STORE_KEYS_H

#include "store/store.h"

struct key_pair {
	uint32_t generation;
	uint8_t pack[STORE_KEY_LEN];
	uint8_t page[STORE_KEY_LEN];
};

struct key_ring {
	struct key_pair *at; /* ascending generation */
	size_t n;
};

/* ERR_CRYPTO without keys or with a generation twice, ERR_LIMIT past STORE_KEY_GENERATION_MAX. */
MUST_USE enum err key_ring_init(struct key_ring *ring, const struct store_keys *keys,
				uint64_t account);
void key_ring_done(struct key_ring *ring);

/* Borrowed from the ring. */
const struct key_pair *key_ring_newest(const struct key_ring *ring);
/* NULL when that generation is not there. */
const struct key_pair *key_ring_find(const struct key_ring *ring, uint32_t generation);

#endif
