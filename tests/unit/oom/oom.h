/*
 * tests/unit/oom/oom.h: the nth allocation fails (THREATS.md 5.2).
 *
 * The linker leads malloc, calloc, realloc and aligned_alloc of Posthold's own code here, and SQLite is given
 * the same functions, so that a test counts every allocation of what it tests and makes one of them fail.
 * What a file that includes this allocates itself is never failed: include it behind the system's headers
 * and before helpers that allocate.
 */
#ifndef TESTS_OOM_H
#define TESTS_OOM_H

#include <stdlib.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t count, size_t n);
void *__real_realloc(void *p, size_t n);

/* From here on in the files of the tests. */
#ifndef OOM_OWN
#define malloc	__real_malloc
#define calloc	__real_calloc
#define realloc __real_realloc
#endif

#include "unit.h"

enum oom_mode {
	OOM_ONCE, /* one allocation fails, those behind it succeed */
	OOM_FROM_THERE, /* and so do all behind it */
	OOM_MODES
};

/*
 * Try one thing, armed by oom_arm(nth, mode) for that part of it which is tested, and check what is left.
 * Returns what oom_disarm said: false ends the series.
 */
typedef bool oom_attempt(size_t nth, enum oom_mode mode);

/*
 * attempt(1), attempt(2), ... until one sees no failure, in both modes.  At least `least` allocations must
 * have been there to fail, else the test looks at nothing.  Prints how many there were.
 */
void oom_each(const char *what, oom_attempt *attempt, size_t least);
/*
 * The same with every step-th number, from 1 in one mode and from step / 2 in the other: for thousands of
 * allocations.  POSTHOLD_LONG=1 in the environment: all of them.
 */
void oom_each_step(const char *what, oom_attempt *attempt, size_t least, size_t step);

/* The nth allocation from now fails. */
void oom_arm(size_t nth, enum oom_mode mode);
/* No more fail.  Did one? */
bool oom_disarm(void);
/* Around calls that a callback of the test makes into code that is counted. */
void oom_pause(void);
void oom_resume(void);
/* Give SQLite these functions; before its first use.  At first its allocations do not count. */
void oom_sqlite(void);
void oom_sqlite_count(bool on);

#endif
