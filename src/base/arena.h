/*
 * base/arena.h: memory with one lifetime.
 *
 * Everything allocated from an arena is freed together.  The arena has a cap; past it allocation
 * returns NULL and the arena stays usable.  Memory comes zeroed.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/view.h"

struct arena_block;

struct arena {
	struct arena_block *blocks;
	size_t used; /* bytes handed out, with alignment */
	size_t max;
};

void arena_init(struct arena *a, size_t max);
/* Free all; the arena is as after init. */
void arena_done(struct arena *a);
/* Forget all, keep one block for reuse. */
void arena_clear(struct arena *a);

/* Zeroed, aligned for any type, lives in a.  NULL past the cap or out of memory. */
void *arena_alloc(struct arena *a, size_t size);
/* count * size, checked. */
void *arena_alloc_array(struct arena *a, size_t count, size_t size);
/* A copy of v in a; with p == NULL on failure when v is not empty. */
struct view arena_copy(struct arena *a, struct view v);

#define ARENA_NEW(a, type)	    ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, count) ((type *)arena_alloc_array((a), (count), sizeof(type)))

#endif
