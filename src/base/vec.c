/*
 * base/vec.c: growth of typed arrays; the macros of vec.h do the rest.
 */
#include "base/vec.h"

enum { VEC_FIRST = 8 };

bool vec_grow(void **at, size_t n, size_t *cap, size_t max, size_t item_size)
{
	if (n >= max)
		return false;
	if (n < *cap)
		return true;

	size_t grown, bytes;

	if (!size_add(n, n / 2, &grown))
		return false;
	grown = size_min(size_max(grown + 1, VEC_FIRST), max);
	if (!size_mul(grown, item_size, &bytes))
		return false;

	void *moved = realloc(*at, bytes);

	if (!moved)
		return false;
	*at = moved;
	*cap = grown;
	return true;
}
