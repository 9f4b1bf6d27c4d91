/*
 * base/view.h: a piece of memory that somebody else owns.
 *
 * All untrusted data is read through views.  Nothing here assumes a NUL at the end, and no function
 * reads outside [p, p + n).  A view with n == 0 may have any p, NULL included.
 */
#ifndef BASE_VIEW_H
#define BASE_VIEW_H

#include "base/base.h"

struct view {
	const char *p;
	size_t n;
};

#define VIEW_EMPTY ((struct view){ NULL, 0 })
/* A string literal as a view, without its NUL. */
#define VIEW(literal) ((struct view){ "" literal, sizeof(literal) - 1 })
/* For tables: a static initialiser. */
#define VIEW_INIT(literal)                                                                         \
	{                                                                                          \
		"" literal, sizeof(literal) - 1                                                    \
	}
/* printf: VIEW_FMT in the format, VIEW_ARG(v) in the arguments. */
#define VIEW_FMT    "%.*s"
#define VIEW_ARG(v) (int)(v).n, (v).p ? (v).p : ""

/* Borrowed until text changes. */
static inline struct view view_of(const void *p, size_t n)
{
	return (struct view){ (const char *)p, n };
}

/* The bytes of a C string; NULL gives the empty view.  Borrowed until s changes. */
static inline struct view view_str(const char *s)
{
	return (struct view){ s, s ? strlen(s) : 0 };
}

/* Byte i as 0..255.  i must be below v.n. */
static inline uint8_t view_at(struct view v, size_t i)
{
	return (uint8_t)v.p[i];
}

/* Parts; positions beyond the end are clipped to it. */
static inline struct view view_from(struct view v, size_t from)
{
	size_t cut = size_min(from, v.n);

	return (struct view){ v.n ? v.p + cut : v.p, v.n - cut };
}

static inline struct view view_head(struct view v, size_t n)
{
	return (struct view){ v.p, size_min(n, v.n) };
}

static inline struct view view_part(struct view v, size_t from, size_t n)
{
	return view_head(view_from(v, from), n);
}

bool view_eq(struct view a, struct view b);
/* ASCII letters compare without case. */
bool view_eq_nocase(struct view a, struct view b);
bool view_starts(struct view v, struct view prefix);
bool view_starts_nocase(struct view v, struct view prefix);
bool view_ends(struct view v, struct view suffix);
/* Total order by bytes, shorter first where one is the other's prefix. */
int view_cmp(struct view a, struct view b);
/* Total order with ASCII letters folded to lower case. */
int view_cmp_nocase(struct view a, struct view b);

#define VIEW_NONE ((size_t)-1)
/* Position of the first (last) byte c, or VIEW_NONE. */
size_t view_find_char(struct view v, char c);
size_t view_rfind_char(struct view v, char c);
/* Position of the first occurrence of what, or VIEW_NONE.  Linear time. */
size_t view_find(struct view v, struct view what);
/* As view_find with ASCII letters folded. */
size_t view_find_nocase(struct view v, struct view what);
/* Any byte that is c? */
static inline bool view_has(struct view v, char c)
{
	return view_find_char(v, c) != VIEW_NONE;
}

/*
 * Cut at the first c: *ret_head is what stands before it, the result what stands behind it.  Without c
 * the head is all of v and the rest is empty with p == NULL.
 */
struct view view_cut(struct view v, char c, struct view *ret_head);
/* Without SP, HTAB, CR, LF at both ends. */
struct view view_trim(struct view v);

/* Constant time in the contents; lengths may differ and are not secret. */
bool view_eq_secret(struct view a, struct view b);

/* A NUL-terminated copy, owned by caller (free).  NULL when memory is short or v contains NUL. */
char *view_to_cstr(struct view v);

#endif
