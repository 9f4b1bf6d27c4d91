/*
 * tests/unit/sys/stream_test.c: output in one piece a turn, bounded buffers, ends.
 */
#include "unit.h"

#include <sys/socket.h>
#include <unistd.h>

#include "sys/ipc.h"
#include "sys/stream.h"

struct side {
	struct loop *loop;
	struct stream stream;
	int peer;
	struct buf got;
	size_t inputs, drains, closes;
	enum err why;
	bool take;
	struct loop_timer timer;
};

static void on_input(void *ctx)
{
	struct side *s = ctx;

	s->inputs++;
	if (!s->take)
		return;
	buf_add(&s->got, buf_view(&s->stream.in));
	buf_consume(&s->stream.in, s->stream.in.n);
}

static void on_drained(void *ctx)
{
	struct side *s = ctx;

	s->drains++;
}

static void on_closed(void *ctx, enum err why)
{
	struct side *s = ctx;

	s->closes++;
	s->why = why;
	loop_stop(s->loop);
}

static void on_timer(void *ctx)
{
	struct side *s = ctx;

	loop_stop(s->loop);
}

static const struct stream_ops ops = { on_input, on_drained, on_closed };

static void side_start(struct side *s, size_t in_max, size_t out_max)
{
	int pair[2];

	*s = (struct side){ .take = true };
	assert_int_equal(loop_new(&s->loop), OK);
	assert_int_equal(stream_pair(pair), OK);
	s->peer = pair[1];
	buf_init(&s->got, 1 << 20);
	stream_init(&s->stream, s->loop, pair[0], in_max, out_max, &ops, s);
	loop_timer_init(&s->timer, s->loop, on_timer, s);
}

static void side_run(struct side *s, int64_t ms)
{
	loop_timer_set(&s->timer, ms);
	loop_run(s->loop);
}

static void side_end(struct side *s)
{
	stream_done(&s->stream);
	loop_timer_done(&s->timer);
	buf_done(&s->got);
	close(s->peer);
	loop_free(s->loop);
}

static void bytes_go_both_ways(void **state)
{
	struct side s;
	char back[16];

	side_start(&s, 100, 100);
	assert_int_equal(write(s.peer, "hello", 5), 5);
	stream_write(&s.stream, VIEW("one "));
	stream_write(&s.stream, VIEW("two"));
	side_run(&s, 20);
	assert_view(buf_view(&s.got), "hello");
	assert_int_equal(recv(s.peer, back, sizeof(back), MSG_DONTWAIT), 7);
	assert_memory_equal(back, "one two", 7);
	assert_int_equal(s.drains, 1);
	side_end(&s);
}

static void a_pause_leaves_all_in_the_kernel(void **state)
{
	struct side s;
	char back[8];

	side_start(&s, 100, 100);
	stream_pause(&s.stream);
	side_run(&s, 5);
	assert_int_equal(write(s.peer, "late", 4), 4);
	assert_int_equal(shutdown(s.peer, SHUT_WR), 0);
	side_run(&s, 5);
	assert_int_equal(s.inputs, 0);
	assert_int_equal(s.closes, 0);
	/* The loop sleeps meanwhile, and what is written leaves. */
	assert_int_equal(s.stream.io.wanted, 0);
	stream_write(&s.stream, VIEW("answer"));
	side_run(&s, 5);
	assert_int_equal(recv(s.peer, back, sizeof(back), MSG_DONTWAIT), 6);
	assert_int_equal(s.closes, 0);
	stream_resume(&s.stream);
	side_run(&s, 5);
	assert_view(buf_view(&s.got), "late");
	if (!s.closes)
		side_run(&s, 5);
	assert_int_equal(s.closes, 1);
	assert_int_equal(s.why, ERR_EOF);
	side_end(&s);
}

/* Nothing comes: the loop is not told of the pause at all. */
static void a_short_pause(void **state)
{
	struct side s;

	side_start(&s, 100, 100);
	stream_pause(&s.stream);
	stream_write(&s.stream, VIEW("x"));
	side_run(&s, 5);
	assert_int_equal(s.stream.io.wanted, LOOP_READ);
	stream_resume(&s.stream);
	assert_int_equal(write(s.peer, "now", 3), 3);
	side_run(&s, 5);
	assert_view(buf_view(&s.got), "now");
	stream_pause(&s.stream);
	assert_int_equal(write(s.peer, "!", 1), 1);
	side_run(&s, 5);
	stream_pause(&s.stream); /* once more is the same */
	side_run(&s, 5);
	assert_int_equal(s.inputs, 1);
	stream_resume(&s.stream);
	side_run(&s, 5);
	assert_view(buf_view(&s.got), "now!");
	side_end(&s);
}

static void a_full_input_stops_reading_until_resumed(void **state)
{
	struct side s;

	side_start(&s, 4, 100);
	s.take = false;
	assert_int_equal(write(s.peer, "12345678", 8), 8);
	side_run(&s, 20);
	assert_int_equal(s.stream.in.n, 4);
	assert_int_equal(s.inputs, 1);
	s.take = true;
	stream_resume(&s.stream);
	side_run(&s, 20);
	assert_view(buf_view(&s.got), "12345678");
	side_end(&s);
}

static void output_past_its_cap_ends_the_stream(void **state)
{
	struct side s;

	side_start(&s, 100, 10);
	stream_write(&s.stream, VIEW("0123456789"));
	stream_write(&s.stream, VIEW("x"));
	side_run(&s, 50);
	assert_int_equal(s.closes, 1);
	assert_int_equal(s.why, ERR_LIMIT);
	side_end(&s);
}

static void a_peer_that_does_not_read_is_not_read(void **state)
{
	struct side s;
	char junk[4096] = "";

	side_start(&s, 1 << 20, 8 << 20);
	for (int i = 0; i < 1500; i++)
		stream_write(&s.stream, view_of(junk, sizeof(junk)));
	assert_int_equal(write(s.peer, "more", 4), 4);
	side_run(&s, 50);
	assert_int_equal(s.inputs, 0);
	assert_true(stream_out_waiting(&s.stream) > s.stream.out_high);
	side_end(&s);
}

static void the_end_is_told_once(void **state)
{
	struct side s;

	side_start(&s, 100, 100);
	assert_int_equal(write(s.peer, "bye", 3), 3);
	shutdown(s.peer, SHUT_WR);
	side_run(&s, 50);
	assert_view(buf_view(&s.got), "bye");
	assert_int_equal(s.closes, 1);
	assert_int_equal(s.why, ERR_EOF);
	side_end(&s);
}

static void finish_closes_after_the_output_left(void **state)
{
	struct side s;
	char back[64];

	side_start(&s, 100, 100);
	stream_write(&s.stream, VIEW("last words"));
	stream_finish(&s.stream);
	side_run(&s, 50);
	assert_int_equal(s.closes, 1);
	assert_int_equal(read(s.peer, back, sizeof(back)), 10);
	assert_int_equal(read(s.peer, back, sizeof(back)), 0);
	side_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_go_both_ways),
		cmocka_unit_test(a_pause_leaves_all_in_the_kernel),
		cmocka_unit_test(a_short_pause),
		cmocka_unit_test(a_full_input_stops_reading_until_resumed),
		cmocka_unit_test(output_past_its_cap_ends_the_stream),
		cmocka_unit_test(a_peer_that_does_not_read_is_not_read),
		cmocka_unit_test(the_end_is_told_once),
		cmocka_unit_test(finish_closes_after_the_output_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
