/*
 * tests/unit/sys/loop_test.c: order of a turn, timers, descriptors.
 */
#include "unit.h"

#include <unistd.h>

#include "sys/ipc.h"
#include "sys/loop.h"

struct seen {
	struct loop *loop;
	struct loop_defer defer, second;
	struct loop_io io;
	struct loop_timer timer;
	char order[32];
	size_t n;
	int fd;
};

static void note(struct seen *s, char c)
{
	s->order[s->n++] = c;
}

static void on_defer(void *ctx)
{
	struct seen *s = ctx;

	note(s, 'd');
	loop_defer_add(&s->second);
}

static void on_second(void *ctx)
{
	note(ctx, 's');
}

static void on_read(void *ctx, unsigned events)
{
	struct seen *s = ctx;
	char c;

	assert_int_equal(events, LOOP_READ);
	assert_int_equal(read(s->fd, &c, 1), 1);
	note(s, 'r');
	loop_defer_add(&s->defer);
	loop_defer_add(&s->defer);
	if (c == '2')
		loop_io_want(&s->io, 0);
}

static void on_timer(void *ctx)
{
	struct seen *s = ctx;

	note(s, 't');
	loop_stop(s->loop);
}

static void deferred_work_runs_once_a_turn(void **state)
{
	struct seen s = { 0 };
	int pair[2];

	assert_int_equal(loop_new(&s.loop), OK);
	assert_int_equal(stream_pair(pair), OK);
	s.fd = pair[0];
	loop_defer_init(&s.defer, s.loop, on_defer, &s);
	loop_defer_init(&s.second, s.loop, on_second, &s);
	loop_io_init(&s.io, s.loop, pair[0], on_read, &s);
	loop_io_want(&s.io, LOOP_READ);
	loop_timer_init(&s.timer, s.loop, on_timer, &s);
	loop_timer_set(&s.timer, 50);
	assert_true(loop_timer_is_set(&s.timer));
	assert_int_equal(write(pair[1], "12x", 3), 3);
	loop_run(s.loop);
	/* Two readable turns, each with its deferred work, which may ask for more; x is not watched. */
	assert_string_equal(s.order, "rdsrdst");
	assert_false(loop_timer_is_set(&s.timer));
	loop_io_done(&s.io);
	loop_timer_done(&s.timer);
	close(pair[0]);
	close(pair[1]);
	loop_free(s.loop);
}

static void work_asked_for_before_the_start_runs(void **state)
{
	struct seen s = { 0 };

	assert_int_equal(loop_new(&s.loop), OK);
	loop_defer_init(&s.defer, s.loop, on_defer, &s);
	loop_defer_init(&s.second, s.loop, on_second, &s);
	loop_timer_init(&s.timer, s.loop, on_timer, &s);
	loop_defer_add(&s.defer);
	loop_timer_set(&s.timer, 0);
	loop_run(s.loop);
	assert_string_equal(s.order, "dst");
	loop_timer_done(&s.timer);
	loop_free(s.loop);
}

static void cancelled_work_does_not_run(void **state)
{
	struct seen s = { 0 };
	struct loop_timer other;

	assert_int_equal(loop_new(&s.loop), OK);
	loop_defer_init(&s.defer, s.loop, on_defer, &s);
	loop_defer_init(&s.second, s.loop, on_second, &s);
	loop_timer_init(&s.timer, s.loop, on_timer, &s);
	loop_timer_init(&other, s.loop, on_second, &s);
	loop_defer_add(&s.second);
	loop_defer_add(&s.defer);
	loop_defer_done(&s.second);
	loop_defer_done(&s.defer);
	loop_timer_set(&other, 1);
	loop_timer_cancel(&other);
	loop_timer_set(&s.timer, 20);
	loop_run(s.loop);
	assert_string_equal(s.order, "t");
	loop_free(s.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deferred_work_runs_once_a_turn),
		cmocka_unit_test(work_asked_for_before_the_start_runs),
		cmocka_unit_test(cancelled_work_does_not_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
