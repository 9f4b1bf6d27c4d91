/*
 * base/vec.h: a typed growing array with a maximum.
 *
 *	VEC(struct row) rows = VEC_INIT(1000);
 *	if (!VEC_PUSH(&rows, row)) ...		past the maximum, or out of memory
 *	VEC_DONE(&rows);
 */
#ifndef BASE_VEC_H
#define BASE_VEC_H

#include "base/base.h"

#define VEC(type)                                                                                  \
	struct {                                                                                   \
		type *at;                                                                          \
		size_t n;                                                                          \
		size_t cap;                                                                        \
		size_t max;                                                                        \
	}

#define VEC_INIT(max_items)                                                                        \
	{                                                                                          \
		NULL, 0, 0, (max_items)                                                            \
	}

/* Grow room so that one more item of size fits; false past max or without memory. */
bool vec_grow(void **at, size_t n, size_t *cap, size_t max, size_t item_size);

#define VEC_PUSH(v, item)                                                                          \
	(vec_grow((void **)&(v)->at, (v)->n, &(v)->cap, (v)->max, sizeof((v)->at[0])) &&           \
	 ((v)->at[(v)->n++] = (item), true))

#define VEC_DONE(v)                                                                                \
	do {                                                                                       \
		free((v)->at);                                                                     \
		(v)->at = NULL;                                                                    \
		(v)->n = (v)->cap = 0;                                                             \
	} while (0)

#endif
