/*
 * tests/unit/unit.h: what every unit test includes.
 *
 * cmocka with the headers that it forgets, checks for views, and the canary that results are preset
 * to: a function that fails must leave it alone.
 */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/view.h"

#define CANARY 0x5ca1ab1e0ddba11ULL

/* The bytes of a view are those of a literal, NULs included. */
#define assert_view(v, literal) assert_view_at((v), VIEW(literal), #v, __FILE__, __LINE__)

static inline void assert_view_at(struct view v, struct view want, const char *what,
				  const char *file, int line)
{
	if (view_eq(v, want))
		return;
	print_error("%s is \"" VIEW_FMT "\", not \"" VIEW_FMT "\"\n", what, VIEW_ARG(v),
		    VIEW_ARG(want));
	_fail(file, line);
}

/*
 * A copy of v in memory of exactly its size, so that the address sanitizer sees one byte read too
 * many.  Owned by caller (free).
 */
static inline char *tight_copy(struct view v)
{
	char *p = malloc(size_max(v.n, 1));

	assert_non_null(p);
	if (v.n)
		memcpy(p, v.p, v.n);
	return p;
}

#endif
