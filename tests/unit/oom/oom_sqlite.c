/*
 * tests/unit/oom/oom_sqlite.c: SQLite allocates by the functions of oom.c, too.
 */
#include <sqlite3.h>

#include <malloc.h>

#define OOM_OWN
#include "oom.h"

static bool counted;

void oom_sqlite_count(bool on)
{
	counted = on;
}

/* These names are led to oom.c by the linker. */
static void *take(int n)
{
	return counted ? malloc((size_t)n) : __real_malloc((size_t)n);
}

static void *resize(void *p, int n)
{
	return counted ? realloc(p, (size_t)n) : __real_realloc(p, (size_t)n);
}

static int size_of(void *p)
{
	return p ? (int)malloc_usable_size(p) : 0;
}

static int round_up(int n)
{
	return (n + 7) & ~7;
}

static int begin(void *ctx)
{
	return SQLITE_OK;
}

static void end(void *ctx)
{
}

void oom_sqlite(void)
{
	static const sqlite3_mem_methods methods = { take,     free,  resize, size_of,
						     round_up, begin, end,    NULL };

	assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &methods), SQLITE_OK);
}
