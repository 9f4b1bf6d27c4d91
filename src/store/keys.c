/*
 * store/keys.c: see keys.h.
 */
#include "store/keys.h"

#include <sodium.h>

#define CONTEXT_PACK "ph-packs"
#define CONTEXT_PAGE "ph-pages"

static void pair_derive(struct key_pair *pair, const struct store_key *key, uint64_t account)
{
	pair->generation = key->generation;
	crypto_kdf_derive_from_key(pair->pack, STORE_KEY_LEN, account, CONTEXT_PACK, key->key);
	crypto_kdf_derive_from_key(pair->page, STORE_KEY_LEN, account, CONTEXT_PAGE, key->key);
}

static int pair_compare(const void *a, const void *b)
{
	const struct key_pair *x = (const struct key_pair *)a;
	const struct key_pair *y = (const struct key_pair *)b;

	return (x->generation > y->generation) - (x->generation < y->generation);
}

enum err key_ring_init(struct key_ring *ring, const struct store_keys *keys, uint64_t account)
{
	*ring = (struct key_ring){ NULL, 0 };
	if (keys->n == 0 || sodium_init() < 0)
		return ERR_CRYPTO;
	if (keys->n > STORE_KEY_GENERATION_MAX)
		return ERR_LIMIT;
	ring->at = (struct key_pair *)sodium_allocarray(keys->n, sizeof(*ring->at));
	if (!ring->at)
		return ERR_NOMEM;
	ring->n = keys->n;
	for (size_t i = 0; i < keys->n; i++)
		pair_derive(&ring->at[i], &keys->at[i], account);
	qsort(ring->at, ring->n, sizeof(*ring->at), pair_compare);
	for (size_t i = 1; i < ring->n; i++) {
		if (ring->at[i].generation == ring->at[i - 1].generation) {
			key_ring_done(ring);
			return ERR_CRYPTO;
		}
	}
	return OK;
}

void key_ring_done(struct key_ring *ring)
{
	sodium_free(ring->at);
	*ring = (struct key_ring){ NULL, 0 };
}

const struct key_pair *key_ring_newest(const struct key_ring *ring)
{
	return &ring->at[ring->n - 1];
}

const struct key_pair *key_ring_find(const struct key_ring *ring, uint32_t generation)
{
	for (size_t i = ring->n; i > 0; i--) {
		if (ring->at[i - 1].generation == generation)
			return &ring->at[i - 1];
	}
	return NULL;
}
