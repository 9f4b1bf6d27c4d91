/*
 * tests/unit/oom/oom.c: see oom.h.
 */
#define OOM_OWN
#include "oom.h"

#include <malloc.h>

enum { OOM_MAX = 200000 };

void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t count, size_t n);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t alignment, size_t n);
void *__real_aligned_alloc(size_t alignment, size_t n);

static struct {
	size_t left; /* until one fails; 0: not armed */
	enum oom_mode mode;
	bool failing; /* OOM_FROM_THERE, and it is past there */
	bool failed;
	unsigned paused;
} state;

static bool fails(void)
{
	if (state.paused)
		return false;
	if (state.failing)
		return true;
	if (!state.left || --state.left)
		return false;
	state.failed = true;
	state.failing = state.mode == OOM_FROM_THERE;
	return true;
}

void *__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t count, size_t n)
{
	return fails() ? NULL : __real_calloc(count, n);
}

void *__wrap_realloc(void *p, size_t n)
{
	return fails() ? NULL : __real_realloc(p, n);
}

void *__wrap_aligned_alloc(size_t alignment, size_t n)
{
	return fails() ? NULL : __real_aligned_alloc(alignment, n);
}

void oom_arm(size_t nth, enum oom_mode mode)
{
	state.left = nth;
	state.mode = mode;
	state.failing = state.failed = false;
	state.paused = 0;
}

bool oom_disarm(void)
{
	state.left = 0;
	state.failing = false;
	return state.failed;
}

void oom_pause(void)
{
	state.paused++;
}

void oom_resume(void)
{
	state.paused--;
}

void oom_each_step(const char *what, oom_attempt *attempt, size_t least, size_t step)
{
	if (getenv("POSTHOLD_LONG"))
		step = 1;
	for (int mode = 0; mode < OOM_MODES; mode++) {
		size_t n = mode && step > 1 ? step / 2 : 1, tried = 0;

		for (; attempt(n, (enum oom_mode)mode); n += step, tried++)
			assert_true(n < OOM_MAX);
		print_message("%s: %zu allocations, %zu of them failed\n", what, n - 1, tried);
		assert_true(n - 1 >= least);
	}
}

void oom_each(const char *what, oom_attempt *attempt, size_t least)
{
	oom_each_step(what, attempt, least, 1);
}
