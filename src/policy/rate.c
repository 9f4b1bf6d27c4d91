/*
 * policy/rate.c: see rate.h.
 *
 * due is the moment at which the key will have everything back.  In microseconds, so that a thousand
 * an hour divides without drift.
 */
#include "policy/rate.h"

struct cell {
	struct lru_node node;
	int64_t due_us;
};

void rate_init(struct rate *r, size_t max, const uint8_t secret[16])
{
	lru_init(&r->keys, size_min(max, RATE_KEYS_MAX), secret);
}

void rate_done(struct rate *r)
{
	lru_done(&r->keys);
}

static struct cell *cell_of(struct rate *r, struct view key)
{
	struct cell *cell = (struct cell *)lru_get(&r->keys, key);

	if (cell)
		return cell;
	cell = calloc(1, sizeof(*cell));
	if (cell && lru_add(&r->keys, &cell->node, key)) {
		free(cell);
		return NULL;
	}
	return cell;
}

enum err rate_take(struct rate *r, struct view key, uint64_t limit, int64_t per_ms, int64_t now_ms,
		   int64_t *ret_wait_ms)
{
	int64_t per_us = per_ms * 1000;
	int64_t now_us = now_ms * 1000;
	int64_t step_us;
	int64_t due_us;
	struct cell *cell;

	ASSERT(limit > 0 && per_ms > 0);
	cell = cell_of(r, key);
	if (!cell)
		return ERR_NOMEM;
	step_us = limit < (uint64_t)per_us ? per_us / (int64_t)limit : 1;
	due_us = (cell->due_us > now_us ? cell->due_us : now_us) + step_us;
	if (due_us - now_us > step_us * (int64_t)limit) {
		*ret_wait_ms = (due_us - now_us - step_us * (int64_t)limit + 999) / 1000;
		return ERR_LIMIT;
	}
	cell->due_us = due_us;
	return OK;
}
