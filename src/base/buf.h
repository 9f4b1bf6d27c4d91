/*
 * base/buf.h: a growing byte buffer whose maximum is declared at birth.
 *
 * Writers may chain calls and look once: the first failure sticks in err and every later add is a
 * no-op.  The bytes are never NUL-terminated unless buf_cstr is asked.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>

#include "base/view.h"

struct buf {
	char *p;
	size_t n; /* bytes in use */
	size_t cap; /* bytes allocated */
	size_t max; /* never more than this */
	enum err err;
};

/* For an automatic variable: struct buf CLEANUP(buf_done) b = BUF_INIT(max). */
#define BUF_INIT(max_bytes)                                                                        \
	{                                                                                          \
		NULL, 0, 0, (max_bytes), OK                                                        \
	}

void buf_init(struct buf *b, size_t max);
/* Free the bytes; the buffer is as after buf_init. */
void buf_done(struct buf *b);
/* Empty and without error; memory is kept for reuse. */
void buf_clear(struct buf *b);
/* Empty, wiped with zeros. */
void buf_wipe(struct buf *b);

/* Borrowed until the next change of b. */
static inline struct view buf_view(const struct buf *b)
{
	return (struct view){ b->p, b->n };
}

/* The first error since init or clear: OK, ERR_LIMIT past max, or ERR_NOMEM. */
static inline MUST_USE enum err buf_err(const struct buf *b)
{
	return b->err;
}

void buf_add(struct buf *b, struct view v);
void buf_add_char(struct buf *b, char c);
/* c, n times. */
void buf_add_fill(struct buf *b, char c, size_t n);
void buf_add_str(struct buf *b, const char *s);
void buf_addf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_vaddf(struct buf *b, const char *format, va_list args) PRINTF_LIKE(2, 0);
void buf_add_u64(struct buf *b, uint64_t n);
void buf_add_i64(struct buf *b, int64_t n);
void buf_add_lower(struct buf *b, struct view v);

/* Room for n bytes at the end, to be filled and then counted by buf_added.  NULL on failure. */
char *buf_room(struct buf *b, size_t n);
void buf_added(struct buf *b, size_t n);
/* How many more bytes max allows. */
static inline size_t buf_left(const struct buf *b)
{
	return b->max - b->n;
}

/* Forget the first n bytes (the rest moves to the front). */
void buf_consume(struct buf *b, size_t n);
/* Shorten to n bytes. */
void buf_truncate(struct buf *b, size_t n);
/* Terminate with NUL (not counted) and return the bytes; "" when that fails.  Borrowed. */
const char *buf_cstr(struct buf *b);
/* Give up unused memory when more than keep bytes are allocated and b is empty. */
void buf_trim(struct buf *b, size_t keep);

#endif
