/*
 * base/map.h: hash tables keyed by bytes or by 64-bit numbers.
 *
 * Keys are hashed by SipHash-2-4 with a key given at init, so that peers cannot choose collisions.
 * Values are pointers that the caller owns.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/view.h"

struct map_entry {
	uint64_t hash;
	char *key; /* owned by the map */
	size_t key_n;
	void *value;
};

struct map {
	struct map_entry *slots;
	size_t cap; /* power of two, or 0 */
	size_t n;
	size_t max;
	uint8_t secret[16];
};

/* secret: 16 random octets. */
void map_init(struct map *m, size_t max, const uint8_t secret[16]);
void map_done(struct map *m);
/* NULL if absent. */
void *map_get(const struct map *m, struct view key);
/* Adds or replaces; key is copied.  ERR_LIMIT past max, ERR_NOMEM. */
MUST_USE enum err map_put(struct map *m, struct view key, void *value);
/* The removed value, or NULL. */
void *map_remove(struct map *m, struct view key);

static inline struct view map_key_u64(const uint64_t *id)
{
	return (struct view){ (const char *)id, sizeof(*id) };
}

/* Walk: *at starts at 0; false at the end.  The map must not change during the walk. */
bool map_next(const struct map *m, size_t *at, struct view *ret_key, void **ret_value);

/* SipHash-2-4 of v. */
uint64_t siphash(const uint8_t secret[16], struct view v);

#endif
