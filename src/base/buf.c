/*
 * base/buf.c: growing bytes below a maximum, with an error that sticks.
 *
 * Memory grows by half or more each time and never past max, but for the one byte that buf_cstr
 * needs for its NUL.  After an error no byte is added, so that what is there is a prefix of what was
 * meant.
 */
#include "base/buf.h"

#include "base/ascii.h"
#include "base/num.h"

enum { BUF_FIRST = 64 }; /* the first allocation, when max allows */

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf)BUF_INIT(max);
}

void buf_done(struct buf *b)
{
	free(b->p);
	buf_init(b, b->max);
}

void buf_clear(struct buf *b)
{
	b->n = 0;
	b->err = OK;
}

void buf_wipe(struct buf *b)
{
	if (b->cap)
		explicit_bzero(b->p, b->cap);
	buf_clear(b);
}

/* Make at least size bytes allocated; records ERR_NOMEM. */
static bool buf_allocate(struct buf *b, size_t size)
{
	if (b->p && size <= b->cap)
		return true;

	size_t grown;

	if (!size_add(b->cap, b->cap / 2, &grown))
		grown = SIZE_MAX;
	/* One byte at least, because malloc(0) may give NULL. */
	size_t cap = size_max(size_max(size, 1), size_min(size_max(grown, BUF_FIRST), b->max));
	char *p = realloc(b->p, cap);

	if (!p) {
		b->err = ERR_NOMEM;
		return false;
	}
	b->p = p;
	b->cap = cap;
	return true;
}

char *buf_room(struct buf *b, size_t n)
{
	if (b->err)
		return NULL;
	if (n > buf_left(b)) {
		b->err = ERR_LIMIT;
		return NULL;
	}
	return buf_allocate(b, b->n + n) ? b->p + b->n : NULL;
}

void buf_added(struct buf *b, size_t n)
{
	ASSERT(n <= b->cap - b->n && n <= buf_left(b));
	b->n += n;
}

void buf_add(struct buf *b, struct view v)
{
	if (!v.n)
		return;

	/* A part of b itself may be added: it moves when b grows. */
	uintptr_t offset = (uintptr_t)v.p - (uintptr_t)b->p;
	bool own = b->p && offset < b->n;
	char *room = buf_room(b, v.n);

	if (!room)
		return;
	memcpy(room, own ? b->p + offset : v.p, v.n);
	b->n += v.n;
}

void buf_add_char(struct buf *b, char c)
{
	char *room = buf_room(b, 1);

	if (!room)
		return;
	*room = c;
	b->n++;
}

void buf_add_fill(struct buf *b, char c, size_t n)
{
	char *room = buf_room(b, n);

	if (!room)
		return;
	memset(room, c, n);
	b->n += n;
}

void buf_add_str(struct buf *b, const char *s)
{
	buf_add(b, view_str(s));
}

void buf_addf(struct buf *b, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_vaddf(b, format, args);
	va_end(args);
}

void buf_vaddf(struct buf *b, const char *format, va_list args)
{
	va_list again;

	if (b->err)
		return;
	va_copy(again, args);

	int need = vsnprintf(NULL, 0, format, args);

	ASSERT(need >= 0);
	if ((size_t)need > buf_left(b)) {
		b->err = ERR_LIMIT;
	} else if (buf_allocate(b, b->n + (size_t)need + 1)) { /* vsnprintf writes a NUL */
		vsnprintf(b->p + b->n, (size_t)need + 1, format, again);
		b->n += (size_t)need;
	}
	va_end(again);
}

void buf_add_u64(struct buf *b, uint64_t n)
{
	char room[NUM_TEXT_MAX];

	buf_add(b, num_text(n, room));
}

void buf_add_i64(struct buf *b, int64_t n)
{
	char room[NUM_TEXT_MAX];
	uint64_t magnitude = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
	struct view digits = num_text(magnitude, room);

	/* Sign and digits together or nothing. */
	if (!buf_room(b, digits.n + (n < 0)))
		return;
	if (n < 0)
		buf_add_char(b, '-');
	buf_add(b, digits);
}

void buf_add_lower(struct buf *b, struct view v)
{
	size_t from = b->n;

	buf_add(b, v);
	for (size_t i = from; i < b->n; i++)
		b->p[i] = (char)ascii_lower((uint8_t)b->p[i]);
}

void buf_consume(struct buf *b, size_t n)
{
	ASSERT(n <= b->n);
	b->n -= n;
	if (n && b->n)
		memmove(b->p, b->p + n, b->n);
}

void buf_truncate(struct buf *b, size_t n)
{
	b->n = size_min(b->n, n);
}

const char *buf_cstr(struct buf *b)
{
	size_t size;

	if (b->err || !size_add(b->n, 1, &size) || !buf_allocate(b, size))
		return "";
	b->p[b->n] = '\0';
	return b->p;
}

void buf_trim(struct buf *b, size_t keep)
{
	if (b->n || b->cap <= keep)
		return;
	free(b->p);
	b->p = NULL;
	b->cap = 0;
}
