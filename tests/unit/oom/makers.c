/*
 * tests/unit/oom/makers.c: see makers.h.
 */
#include "makers.h"

enum { OUT_MAX = 1024 * 1024 };

static const struct maker *current;
static struct buf right; /* what it gives with enough memory */

static bool attempt(size_t nth, enum oom_mode mode)
{
	struct buf out = BUF_INIT(OUT_MAX);
	bool failed;
	enum err err;

	oom_arm(nth, mode);
	err = current->make(&out);
	failed = oom_disarm();
	if (!err)
		err = buf_err(&out);
	if (err == OK && !view_eq(buf_view(&out), buf_view(&right)))
		fail_msg("%s, allocation %zu: said OK to\n" VIEW_FMT "\ninstead of\n" VIEW_FMT,
			 current->what, nth, VIEW_ARG(buf_view(&out)), VIEW_ARG(buf_view(&right)));
	if (err != OK && (err != ERR_NOMEM || !failed))
		fail_msg("%s, allocation %zu: %s", current->what, nth, err_text(err));
	if (err != OK && current->undoes && out.n > 0)
		fail_msg("%s, allocation %zu: left a part", current->what, nth);
	buf_done(&out);
	return failed;
}

void makers_run(const struct maker *makers, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		current = &makers[i];
		buf_init(&right, OUT_MAX);
		assert_int_equal(current->make(&right), OK);
		assert_int_equal(buf_err(&right), OK);
		assert_true(right.n > 0);
		oom_each(current->what, attempt, 1);
		buf_done(&right);
	}
}
