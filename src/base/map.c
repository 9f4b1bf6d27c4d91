/*
 * base/map.c: open addressing with linear probing.
 *
 * An entry sits at its home slot (hash modulo cap) or in the run of used slots that starts there.
 * Removing moves later entries of the run back, so that there are no tombstones.  At most three
 * quarters of the slots are used: every search ends at an empty one.
 */
#include "base/map.h"

#include "base/num.h"

enum { MAP_FIRST = 16 };

struct sip {
	uint64_t v0, v1, v2, v3;
};

static uint64_t rotate_left(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = rotate_left(s->v1, 13) ^ s->v0;
	s->v3 = rotate_left(s->v3, 16) ^ s->v2;
	s->v0 = rotate_left(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = rotate_left(s->v1, 17) ^ s->v2;
	s->v3 = rotate_left(s->v3, 21) ^ s->v0;
	s->v2 = rotate_left(s->v2, 32);
}

static void sip_word(struct sip *s, uint64_t word)
{
	s->v3 ^= word;
	sip_round(s);
	sip_round(s);
	s->v0 ^= word;
}

uint64_t siphash(const uint8_t secret[16], struct view v)
{
	uint64_t k0 = num_get64(secret), k1 = num_get64(secret + 8);
	struct sip s = {
		k0 ^ 0x736f6d6570736575,
		k1 ^ 0x646f72616e646f6d,
		k0 ^ 0x6c7967656e657261,
		k1 ^ 0x7465646279746573,
	};
	size_t whole = v.n - v.n % 8;
	uint64_t last = (uint64_t)v.n << 56;

	for (size_t i = 0; i < whole; i += 8)
		sip_word(&s, num_get64(v.p + i));
	for (size_t i = whole; i < v.n; i++)
		last |= (uint64_t)view_at(v, i) << (8 * (i - whole));
	sip_word(&s, last);
	s.v2 ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

void map_init(struct map *m, size_t max, const uint8_t secret[16])
{
	*m = (struct map){ .max = max };
	memcpy(m->secret, secret, sizeof(m->secret));
}

void map_done(struct map *m)
{
	for (size_t i = 0; i < m->cap; i++)
		free(m->slots[i].key);
	free(m->slots);
	m->slots = NULL;
	m->cap = m->n = 0;
}

/* The slot of key, or the empty one where it would go.  cap must not be 0. */
static struct map_entry *find_slot(const struct map *m, uint64_t hash, struct view key)
{
	size_t mask = m->cap - 1;

	for (size_t i = (size_t)hash & mask;; i = (i + 1) & mask) {
		struct map_entry *entry = &m->slots[i];

		if (!entry->key)
			return entry;
		if (entry->hash == hash && view_eq(view_of(entry->key, entry->key_n), key))
			return entry;
	}
}

void *map_get(const struct map *m, struct view key)
{
	return m->cap ? find_slot(m, siphash(m->secret, key), key)->value : NULL;
}

static enum err grow(struct map *m)
{
	size_t cap = MAP_FIRST;

	if (m->cap && !size_mul(m->cap, 2, &cap))
		return ERR_NOMEM;

	struct map bigger = { .slots = calloc(cap, sizeof(struct map_entry)), .cap = cap };

	if (!bigger.slots)
		return ERR_NOMEM;
	for (size_t i = 0; i < m->cap; i++) {
		struct map_entry *entry = &m->slots[i];

		if (entry->key)
			*find_slot(&bigger, entry->hash, view_of(entry->key, entry->key_n)) =
				*entry;
	}
	free(m->slots);
	m->slots = bigger.slots;
	m->cap = cap;
	return OK;
}

enum err map_put(struct map *m, struct view key, void *value)
{
	uint64_t hash = siphash(m->secret, key);

	if (m->cap) {
		struct map_entry *entry = find_slot(m, hash, key);

		if (entry->key) {
			entry->value = value;
			return OK;
		}
	}
	if (m->n >= m->max)
		return ERR_LIMIT;
	if (m->n >= m->cap / 4 * 3) {
		enum err err = grow(m);

		if (err)
			return err;
	}

	char *copy = malloc(size_max(key.n, 1));

	if (!copy)
		return ERR_NOMEM;
	if (key.n)
		memcpy(copy, key.p, key.n);
	*find_slot(m, hash, key) = (struct map_entry){ hash, copy, key.n, value };
	m->n++;
	return OK;
}

void *map_remove(struct map *m, struct view key)
{
	if (!m->cap)
		return NULL;

	struct map_entry *entry = find_slot(m, siphash(m->secret, key), key);
	void *value = entry->value;

	if (!entry->key)
		return NULL;
	free(entry->key);
	m->n--;

	size_t mask = m->cap - 1;
	size_t hole = (size_t)(entry - m->slots);

	for (size_t i = (hole + 1) & mask; m->slots[i].key; i = (i + 1) & mask) {
		size_t home = (size_t)m->slots[i].hash & mask;

		/* It may go back to the hole if its home is not between hole and itself. */
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			m->slots[hole] = m->slots[i];
			hole = i;
		}
	}
	m->slots[hole] = (struct map_entry){ 0 };
	return value;
}

bool map_next(const struct map *m, size_t *at, struct view *ret_key, void **ret_value)
{
	while (*at < m->cap) {
		const struct map_entry *entry = &m->slots[(*at)++];

		if (!entry->key)
			continue;
		*ret_key = view_of(entry->key, entry->key_n);
		*ret_value = entry->value;
		return true;
	}
	return false;
}
