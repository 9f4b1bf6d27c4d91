/*
 * base/arena.c: memory with one lifetime, handed out from a list of blocks.
 *
 * The newest block stands first and is the only one that still gives memory.  Bytes of a block that
 * are not handed out are zero.  A large request gets a block of its own size.
 */
#include "base/arena.h"

#include <stdalign.h>

enum {
	ARENA_BLOCK_MIN = 1024,
	ARENA_BLOCK_MAX = 64 * 1024,
	ARENA_ALIGN = alignof(max_align_t),
};

struct arena_block {
	struct arena_block *next;
	size_t size; /* of bytes */
	size_t used;
	alignas(max_align_t) char bytes[];
};

void arena_init(struct arena *a, size_t max)
{
	*a = (struct arena){ .max = max };
}

static void free_blocks(struct arena_block *block)
{
	while (block) {
		struct arena_block *next = block->next;

		free(block);
		block = next;
	}
}

void arena_done(struct arena *a)
{
	free_blocks(a->blocks);
	arena_init(a, a->max);
}

void arena_clear(struct arena *a)
{
	a->used = 0;
	if (!a->blocks)
		return;
	free_blocks(a->blocks->next);
	a->blocks->next = NULL;
	memset(a->blocks->bytes, 0, a->blocks->used);
	a->blocks->used = 0;
}

/* Put a block with room for size bytes in front. */
static bool add_block(struct arena *a, size_t size)
{
	size_t doubled = a->blocks ? size_min(a->blocks->size, ARENA_BLOCK_MAX / 2) * 2 : 0;
	size_t room = size_max(size, size_max(doubled, ARENA_BLOCK_MIN));
	size_t total;

	if (!size_add(room, sizeof(struct arena_block), &total))
		return false;

	struct arena_block *block = calloc(1, total);

	if (!block)
		return false;
	block->size = room;
	block->next = a->blocks;
	a->blocks = block;
	return true;
}

void *arena_alloc(struct arena *a, size_t size)
{
	size_t padded;

	/* Also nothing gets an address of its own. */
	if (!size_add(size_max(size, 1), ARENA_ALIGN - 1, &padded))
		return NULL;
	padded -= padded % ARENA_ALIGN;
	if (padded > a->max - a->used)
		return NULL;
	if (!a->blocks || padded > a->blocks->size - a->blocks->used) {
		if (!add_block(a, padded))
			return NULL;
	}

	char *p = a->blocks->bytes + a->blocks->used;

	a->blocks->used += padded;
	a->used += padded;
	return p;
}

void *arena_alloc_array(struct arena *a, size_t count, size_t size)
{
	size_t total;

	return size_mul(count, size, &total) ? arena_alloc(a, total) : NULL;
}

struct view arena_copy(struct arena *a, struct view v)
{
	if (!v.n)
		return VIEW_EMPTY;

	char *p = arena_alloc(a, v.n);

	if (!p)
		return VIEW_EMPTY;
	memcpy(p, v.p, v.n);
	return view_of(p, v.n);
}
