/*
 * roles/auth/verified.c: see verified.h.
 */
#include "verified.h"

#include <sodium.h>

#include "base/num.h"

struct entry {
	struct lru_node node;
	uint64_t account;
	int64_t until_ms;
};

void verified_init(struct verified *v, const uint8_t key[32])
{
	memcpy(v->key, key, sizeof(v->key));
	lru_init(&v->table, VERIFIED_MAX, key);
}

void verified_done(struct verified *v)
{
	lru_done(&v->table);
	sodium_memzero(v->key, sizeof(v->key));
}

static void hash_of(const struct verified *v, uint64_t account, struct view password,
		    uint8_t ret[32])
{
	crypto_generichash_state state;
	uint8_t id[8];

	num_put64(id, account);
	(void)crypto_generichash_init(&state, v->key, sizeof(v->key), 32);
	(void)crypto_generichash_update(&state, id, sizeof(id));
	(void)crypto_generichash_update(&state, (const uint8_t *)password.p, password.n);
	(void)crypto_generichash_final(&state, ret, 32);
	sodium_memzero(&state, sizeof(state));
}

bool verified_has(struct verified *v, uint64_t account, struct view password, int64_t now_ms)
{
	uint8_t hash[32];
	struct entry *e;

	hash_of(v, account, password, hash);
	e = (struct entry *)lru_get(&v->table, view_of(hash, sizeof(hash)));
	if (!e)
		return false;
	if (now_ms >= e->until_ms) {
		lru_remove(&v->table, &e->node);
		return false;
	}
	return true;
}

void verified_put(struct verified *v, uint64_t account, struct view password, int64_t until_ms)
{
	uint8_t hash[32];
	struct entry *e;

	hash_of(v, account, password, hash);
	e = (struct entry *)lru_get(&v->table, view_of(hash, sizeof(hash)));
	if (!e) {
		e = calloc(1, sizeof(*e));
		if (!e) /* it will be hashed again */
			return;
		if (lru_add(&v->table, &e->node, view_of(hash, sizeof(hash)))) {
			free(e);
			return;
		}
	}
	e->account = account;
	e->until_ms = until_ms;
}

void verified_forget(struct verified *v, uint64_t account)
{
	struct lru_node *next;

	for (struct lru_node *n = lru_newest(&v->table); n; n = next) {
		next = lru_older(n);
		if (((struct entry *)n)->account == account)
			lru_remove(&v->table, n);
	}
}
