/*
 * roles/queue/replay.c: what the queue knows of a message is the same after a restart, also when the
 * journal has copied the message forward and the queue described it anew.
 */
#include "letter.h"

enum { FILL = 256 * 1024, ROUNDS_MAX = 400 };

/* What the administrator is shown of a message, without times. */
static void show(struct world *w, uint64_t trace, struct buf *out)
{
	static const struct view moving[] = { VIEW_INIT("\"next\":\""), VIEW_INIT("\"age\":"),
					      VIEW_INIT("\"received\":\"") };
	struct view rest;

	ask_id(w, "queue.show", trace);
	assert_int_equal(w->end, OK);
	for (rest = buf_view(&w->rows); rest.n;) {
		struct view member;
		bool moves = false;

		rest = view_cut(rest, ',', &member);
		for (size_t i = 0; i < ARRAY_LEN(moving); i++)
			moves = moves || view_starts(member, moving[i]);
		if (!moves)
			buf_add(out, member);
	}
}

static void assert_shown(struct world *w, uint64_t trace, const struct buf *want)
{
	struct buf CLEANUP(buf_done) now = BUF_INIT(1 << 20);

	show(w, trace, &now);
	if (!view_eq(buf_view(&now), buf_view(want)))
		fail_msg(VIEW_FMT "\nis now\n" VIEW_FMT, VIEW_ARG(buf_view(want)),
			 VIEW_ARG(buf_view(&now)));
}

static uint64_t copied(const struct world *w)
{
	struct journal_figures f;

	journal_figures(w->queue.journal, &f);
	return f.copied;
}

/* Mail comes and goes until the journal needs the room of its oldest file. */
static void fill(struct world *w, uint64_t copies)
{
	char *bytes = malloc(FILL);

	assert_non_null(bytes);
	memset(bytes, 'x', FILL);
	for (int i = 0; i < ROUNDS_MAX && copied(w) < copies; i++) {
		size_t before = w->stored_n;

		posted(w, &(struct letter){ .sender = "u3@near.test",
					    .to = { "u4@near.test" },
					    .body = view_of(bytes, FILL),
					    .by_descriptor = true });
		SPIN_UNTIL(w, w->stored_n == before + 1);
		spin(w, 20);
	}
	free(bytes);
	assert_true(copied(w) >= copies);
}

/*
 * Held; deferred with an answer of the other side; an alias of which some are served and one waits: all
 * of it described by the queue when the journal copies it forward.
 */
static void test_copied_forward(void **state)
{
	static struct world w;
	uint64_t traces[3];
	struct buf shown[3] = { BUF_INIT(1 << 20), BUF_INIT(1 << 20), BUF_INIT(1 << 20) };

	world_init(&w);
	w.config.journal_segments = 2;
	queue_reload(&w.queue, &w.config);
	world_restart(&w);
	posted(&w, &(struct letter){ .sender = "u3@near.test",
				     .to = { "a@slow.test", "b@far.test" },
				     .notify = NOTIFY_FAILURE });
	traces[0] = w.last_trace;
	SPIN_UNTIL(&w, w.jobs == 2 && w.sent == 1);
	spin(&w, 20);
	ask(&w, "queue.stop", NULL, VIEW_EMPTY);
	simple(&w, "u3@near.test", "team@near.test");
	traces[1] = w.last_trace;
	SPIN_UNTIL(&w, w.stored_n == 2);
	simple(&w, "u3@near.test", "c@far.test");
	traces[2] = w.last_trace;
	ask_id(&w, "queue.hold", w.last_trace);
	spin(&w, 20);
	for (size_t i = 0; i < 3; i++)
		show(&w, traces[i], &shown[i]);
	assert_true(view_find(buf_view(&shown[0]), VIEW("451 4.7.1 not now")) != VIEW_NONE);
	assert_true(view_find(buf_view(&shown[1]), VIEW("\"expanded\"")) != VIEW_NONE);
	assert_true(view_find(buf_view(&shown[2]), VIEW("\"held\":1")) != VIEW_NONE);

	fill(&w, 3);
	for (size_t i = 0; i < 3; i++)
		assert_shown(&w, traces[i], &shown[i]);
	world_restart(&w);
	for (size_t i = 0; i < 3; i++)
		assert_shown(&w, traces[i], &shown[i]);
	assert_int_equal(w.queue.messages.n, 3);

	/* And they go on from there: nobody gets a thing twice. */
	ask_id(&w, "queue.release", traces[2]);
	ask(&w, "queue.start", NULL, VIEW_EMPTY);
	SPIN_UNTIL(&w, w.sent == 3 && w.queue.messages.n == 1);
	ask_id(&w, "queue.delete", traces[0]);
	SPIN_UNTIL(&w, w.queue.messages.n == 0);
	for (size_t i = 0; i < w.stored_n; i++)
		assert_int_equal(w.stored[i].times, 1);
	for (size_t i = 0; i < 3; i++)
		buf_done(&shown[i]);
	world_done_all(&w);
}

/* A clock that was set back over the restart makes nobody wait longer than retry_max. */
static void test_waits(void **state)
{
	static struct world w;

	world_init(&w);
	w.config.retry_first = w.config.retry_max = 3600 * 1000;
	simple(&w, "u3@near.test", "a@slow.test");
	SPIN_UNTIL(&w, w.jobs == 1);
	spin(&w, 20);
	w.config.retry_max = 10;
	world_restart(&w);
	SPIN_UNTIL(&w, w.jobs >= 2);
	world_done_all(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copied_forward),
		cmocka_unit_test(test_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
