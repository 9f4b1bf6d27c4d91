/*
 * tests/unit/oom/makers.h: functions whose whole result is text, when memory is short.
 *
 * With the nth allocation failing a maker either gives what it always gives, or says ERR_NOMEM.  It never
 * says OK to less.
 */
#ifndef TESTS_OOM_MAKERS_H
#define TESTS_OOM_MAKERS_H

#include "oom.h"

#include "base/buf.h"

struct maker {
	const char *what;
	/* Add the result to out; what it allocates besides it frees, also on failure. */
	enum err (*make)(struct buf *out);
	/* On failure out must be as before ("On an error the buffer is as before the call"). */
	bool undoes;
};

/* Fails the test of cmocka when one of them does not hold to it. */
void makers_run(const struct maker *makers, size_t n);

#endif
