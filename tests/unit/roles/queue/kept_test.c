/* roles/queue/kept.c: how many descriptors are kept, how large, how long, and who gets them. */
#include "letter.h"

struct room {
	struct queue queue;
	struct loop *loop;
	struct loop_timer stop;
	struct message *m[KEPT_MAX + 2];
	size_t n;
};

static void on_stop(void *ctx)
{
	loop_stop(ctx);
}

static void turn(struct room *r, int ms)
{
	loop_timer_set(&r->stop, ms);
	loop_run(r->loop);
}

static void room_init(struct room *r)
{
	*r = (struct room){ .n = 0 };
	assert_int_equal(loop_new(&r->loop), OK);
	loop_timer_init(&r->stop, r->loop, on_stop, r->loop);
	r->queue.loop = r->loop;
	kept_init(&r->queue);
	clock_set_mono_ms(1000000);
}

static void room_done(struct room *r)
{
	kept_done(&r->queue);
	for (size_t i = 0; i < r->n; i++) {
		assert_int_equal(r->m[i]->fd, -1);
		message_free(r->m[i]);
	}
	loop_timer_done(&r->stop);
	loop_free(r->loop);
	clock_set_mono_ms(-1);
}

/* A message that came in a descriptor, now, its body behind an envelope of 100 octets. */
static struct message *add(struct room *r, uint64_t body_n, uint32_t recipients)
{
	struct envelope_recipients to[2] = { { .address = VIEW("a@b") },
					     { .address = VIEW("c@d") } };
	struct buf CLEANUP(buf_done) text = BUF_INIT(1000);
	struct envelope e = { .recipients = to, .recipients_count = recipients };
	struct message *m;

	envelope_encode(&text, &e);
	assert_int_equal(envelope_decode(buf_view(&text), &e), OK);
	m = message_new(&e);
	assert_non_null(m);
	assert_true(r->n < ARRAY_LEN(r->m));
	r->m[r->n++] = m;
	m->entry.body_n = body_n;
	m->born_ms = clock_mono_ms();
	m->fd_at = 100;
	m->fd = memfd_create("body", MFD_CLOEXEC);
	assert_true(m->fd >= 0);
	kept_add(&r->queue, m);
	return m;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* At the limit all are kept; past it the oldest goes, and its descriptor is closed. */
static void test_count(void **state)
{
	static struct room r;
	int first;

	room_init(&r);
	for (size_t i = 0; i < KEPT_MAX; i++)
		(void)add(&r, 1000, 1);
	assert_int_equal(r.queue.kept.messages.n, KEPT_MAX);
	assert_int_equal(r.queue.kept.bytes, KEPT_MAX * 1100);
	first = r.m[0]->fd;
	assert_true(is_open(first));
	(void)add(&r, 1000, 1);
	assert_int_equal(r.queue.kept.messages.n, KEPT_MAX);
	assert_int_equal(r.queue.kept.bytes, KEPT_MAX * 1100);
	assert_int_equal(r.m[0]->fd, -1);
	assert_false(is_open(first));
	assert_true(r.m[1]->fd >= 0);
	assert_true(r.m[KEPT_MAX]->fd >= 0);
	room_done(&r);
}

static void test_bytes(void **state)
{
	static struct room r;
	const uint64_t half = KEPT_BYTES_MAX / 2;

	room_init(&r);
	(void)add(&r, half - 100, 1);
	(void)add(&r, half - 100, 1);
	assert_int_equal(r.queue.kept.bytes, KEPT_BYTES_MAX);
	assert_int_equal(r.queue.kept.messages.n, 2);
	/* One octet more, of the envelope that lies in front. */
	(void)add(&r, 0, 1);
	assert_int_equal(r.m[0]->fd, -1);
	assert_int_equal(r.queue.kept.messages.n, 2);
	assert_int_equal(r.queue.kept.bytes, half + 100);
	/* Larger than all: it is not kept, nor are the others. */
	(void)add(&r, KEPT_BYTES_MAX - 99, 1);
	assert_int_equal(r.queue.kept.messages.n, 0);
	assert_int_equal(r.queue.kept.bytes, 0);
	/* ... and just so large it is. */
	(void)add(&r, KEPT_BYTES_MAX - 100, 1);
	assert_int_equal(r.queue.kept.messages.n, 1);
	room_done(&r);
}

static void test_time(void **state)
{
	static struct room r;
	int64_t start;

	room_init(&r);
	start = clock_mono_ms();
	(void)add(&r, 1, 1);
	clock_set_mono_ms(start + KEPT_MS / 2);
	(void)add(&r, 1, 1);
	/* The timer comes by the real clock; the age is that of the clock which is set. */
	clock_set_mono_ms(start + KEPT_MS - 1);
	loop_timer_set(&r.queue.kept.timer, 0);
	turn(&r, 20);
	assert_int_equal(r.queue.kept.messages.n, 2);
	assert_true(loop_timer_is_set(&r.queue.kept.timer));
	clock_set_mono_ms(start + KEPT_MS);
	loop_timer_set(&r.queue.kept.timer, 0);
	turn(&r, 20);
	assert_int_equal(r.queue.kept.messages.n, 1);
	assert_int_equal(r.m[0]->fd, -1);
	clock_set_mono_ms(start + KEPT_MS + KEPT_MS / 2);
	loop_timer_set(&r.queue.kept.timer, 0);
	turn(&r, 20);
	assert_int_equal(r.queue.kept.messages.n, 0);
	assert_int_equal(r.queue.kept.bytes, 0);
	/* Nobody is woken for nothing. */
	assert_false(loop_timer_is_set(&r.queue.kept.timer));
	room_done(&r);
}

/* The only recipient gets the descriptor itself, once; what is taken is no longer ours. */
static void test_take(void **state)
{
	static struct room r;
	struct message *m;
	int fd;

	room_init(&r);
	m = add(&r, 1000, 1);
	fd = m->fd;
	assert_int_equal(kept_take(&r.queue, m), fd);
	assert_int_equal(kept_take(&r.queue, m), -1);
	assert_int_equal(r.queue.kept.messages.n, 0);
	assert_int_equal(r.queue.kept.bytes, 0);
	kept_drop(&r.queue, m);
	assert_true(is_open(fd));
	close(fd);
	room_done(&r);
}

/* Those of a list get copies of it, and it stays for the next. */
static void test_take_copies(void **state)
{
	static struct room r;
	struct message *m;
	int first, second;

	room_init(&r);
	m = add(&r, 1000, 2);
	first = kept_take(&r.queue, m);
	second = kept_take(&r.queue, m);
	assert_true(first >= 0 && second >= 0);
	assert_true(first != second && first != m->fd && second != m->fd);
	assert_int_equal(r.queue.kept.messages.n, 1);
	close(first);
	close(second);
	assert_true(is_open(m->fd));
	room_done(&r);
}

/* Dropped from the middle, and again: the others stay. */
static void test_drop(void **state)
{
	static struct room r;
	int fd;

	room_init(&r);
	for (size_t i = 0; i < 3; i++)
		(void)add(&r, i, 1);
	fd = r.m[1]->fd;
	kept_drop(&r.queue, r.m[1]);
	kept_drop(&r.queue, r.m[1]);
	assert_false(is_open(fd));
	assert_int_equal(r.queue.kept.messages.n, 2);
	assert_int_equal(r.queue.kept.bytes, 202);
	assert_true(is_open(r.m[0]->fd) && is_open(r.m[2]->fd));
	kept_done(&r.queue);
	assert_int_equal(r.queue.kept.messages.n, 0);
	assert_int_equal(r.queue.kept.bytes, 0);
	kept_init(&r.queue);
	room_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_count),	    cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_time),	    cmocka_unit_test(test_take),
		cmocka_unit_test(test_take_copies), cmocka_unit_test(test_drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
