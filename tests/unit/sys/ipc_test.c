/*
 * tests/unit/sys/ipc_test.c: messages arrive whole and in order; whoever breaks a rule is ended, and the
 * receiver lives.
 */
#include "unit.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/num.h"
#include "ipc/deliver.h"
#include "ipc/lifecycle.h"
#include "ipc/route.h"
#include "sys/clock.h"
#include "sys/ipc.h"

struct end {
	struct loop *loop;
	struct ipc_chan *chan;
	struct loop_timer timer;
	int raw; /* the peer's descriptor, for bytes that no honest peer sends */
	size_t asked, targets, fds, closed;
	uint32_t last_tag;
	enum err why;
};

static enum err on_recipient(void *ctx, const struct route_recipient *m)
{
	struct end *e = ctx;

	e->asked++;
	e->last_tag = m->tag;
	return OK;
}

static enum err on_targets(void *ctx, const struct route_targets *m)
{
	struct end *e = ctx;

	e->targets++;
	return OK;
}

static enum err on_sender(void *ctx, const struct route_sender *m)
{
	return OK;
}

static const struct route_server_ops route_ops = { on_recipient, on_targets, on_sender };

static enum err on_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	return route_server_dispatch(&route_ops, ctx, type, body, fd);
}

static void on_closed(void *ctx, enum err why)
{
	struct end *e = ctx;

	e->closed++;
	e->why = why;
	loop_stop(e->loop);
}

static void on_timer(void *ctx)
{
	struct end *e = ctx;

	loop_stop(e->loop);
}

static const struct ipc_ops ops = { on_message, on_closed, NULL };

static void end_start(struct end *e)
{
	int pair[2];

	*e = (struct end){ 0 };
	assert_int_equal(loop_new(&e->loop), OK);
	assert_int_equal(ipc_pair(pair), OK);
	e->raw = pair[1];
	assert_int_equal(
		ipc_chan_new(e->loop, pair[0], &route_channel, IPC_SERVER, &ops, e, &e->chan), OK);
	loop_timer_init(&e->timer, e->loop, on_timer, e);
}

static void end_run(struct end *e)
{
	loop_timer_set(&e->timer, 30);
	loop_run(e->loop);
}

static void end_finish(struct end *e)
{
	ipc_chan_free(e->chan);
	loop_timer_done(&e->timer);
	close(e->raw);
	loop_free(e->loop);
}

/* One message as bytes, as a peer would put it into a packet. */
static void add_message(struct buf *packet, uint16_t type, uint16_t flags, struct view body)
{
	char header[IPC_HEADER];

	num_put16(header, type);
	num_put16(header + 2, flags);
	num_put32(header + 4, (uint32_t)body.n);
	buf_add(packet, view_of(header, sizeof(header)));
	buf_add(packet, body);
}

static void add_recipient(struct buf *packet, uint32_t tag)
{
	struct buf CLEANUP(buf_done) body = BUF_INIT(IPC_BODY_MAX);

	route_recipient_encode(&body, &(struct route_recipient){ tag, VIEW("anna@example.test") });
	add_message(packet, ROUTE_RECIPIENT, 0, buf_view(&body));
}

static void send_raw(struct end *e, struct view bytes)
{
	assert_int_equal(send(e->raw, bytes.p, bytes.n, 0), (ssize_t)bytes.n);
}

static void many_messages_share_a_packet(void **state)
{
	struct buf CLEANUP(buf_done) packet = BUF_INIT(IPC_PACKET_MAX);
	struct end e;

	end_start(&e);
	for (uint32_t tag = 1; tag <= 100; tag++)
		add_recipient(&packet, tag);
	send_raw(&e, buf_view(&packet));
	end_run(&e);
	assert_int_equal(e.asked, 100);
	assert_int_equal(e.last_tag, 100);
	assert_int_equal(e.closed, 0);
	end_finish(&e);
}

static void assert_ends(struct view bytes)
{
	struct end e;

	end_start(&e);
	send_raw(&e, bytes);
	end_run(&e);
	assert_int_equal(e.closed, 1);
	assert_int_not_equal(e.why, OK);
	assert_int_not_equal(e.why, ERR_EOF);
	end_finish(&e);
}

static void unknown_and_wrong_messages_end_the_peer(void **state)
{
	struct buf CLEANUP(buf_done) packet = BUF_INIT(IPC_PACKET_MAX);

	assert_ends(VIEW("x"));
	add_message(&packet, 999, 0, VIEW(""));
	assert_ends(buf_view(&packet));
	buf_clear(&packet);
	add_message(&packet, 0, 0, VIEW(""));
	assert_ends(buf_view(&packet));
	/* A message that only the server may say. */
	buf_clear(&packet);
	add_message(&packet, ROUTE_CHANGED, 0, VIEW(""));
	assert_ends(buf_view(&packet));
	/* Says that a descriptor is there, but none is. */
	buf_clear(&packet);
	add_message(&packet, ROUTE_RECIPIENT, 1, VIEW("\1\0\0\0\0\0"));
	assert_ends(buf_view(&packet));
	buf_clear(&packet);
	add_message(&packet, ROUTE_RECIPIENT, 0x8000, VIEW("\1\0\0\0\0\0"));
	assert_ends(buf_view(&packet));
}

static void every_cut_of_a_packet_ends_the_peer(void **state)
{
	struct buf CLEANUP(buf_done) packet = BUF_INIT(IPC_PACKET_MAX);

	add_recipient(&packet, 7);
	for (size_t n = 1; n < packet.n; n++)
		assert_ends(view_head(buf_view(&packet), n));
	buf_add_char(&packet, 'x');
	assert_ends(buf_view(&packet));
}

static void a_text_with_nul_ends_the_peer(void **state)
{
	struct buf CLEANUP(buf_done) packet = BUF_INIT(IPC_PACKET_MAX);

	add_message(&packet, ROUTE_RECIPIENT, 0, VIEW("\1\0\0\0\3\0a\0b"));
	assert_ends(buf_view(&packet));
}

static void an_unwanted_descriptor_ends_the_peer_and_is_closed(void **state)
{
	struct end e;
	int file = open("/dev/null", O_RDONLY), before, after;

	end_start(&e);
	before = dup(file);
	close(before);
	assert_int_equal(ipc_send_blocking(e.raw, ROUTE_RECIPIENT, VIEW("\1\0\0\0\0\0"), file), OK);
	end_run(&e);
	assert_int_equal(e.closed, 1);
	assert_int_equal(e.asked, 0);
	after = dup(file);
	/* The channel's own descriptor was closed too: no number above is in use. */
	assert_true(after <= before);
	close(after);
	close(file);
	end_finish(&e);
}

static void outstanding_requests_are_counted(void **state)
{
	struct buf CLEANUP(buf_done) packet = BUF_INIT(IPC_PACKET_MAX);
	struct end e;
	uint32_t sent = 0;

	/* route.ipc: recipient, outstanding 1024. */
	end_start(&e);
	while (sent < 1024) {
		buf_clear(&packet);
		for (int i = 0; i < 64; i++)
			add_recipient(&packet, ++sent);
		send_raw(&e, buf_view(&packet));
	}
	end_run(&e);
	assert_int_equal(e.asked, 1024);
	assert_int_equal(e.closed, 0);
	assert_int_equal(route_send_recipient_is(e.chan, &(struct route_recipient_is){ 1, 0 }), OK);
	buf_clear(&packet);
	add_recipient(&packet, ++sent);
	send_raw(&e, buf_view(&packet));
	end_run(&e);
	assert_int_equal(e.asked, 1025);
	send_raw(&e, buf_view(&packet));
	end_run(&e);
	assert_int_equal(e.asked, 1025);
	assert_int_equal(e.closed, 1);
	end_finish(&e);
}

static void an_answer_without_question_is_refused(void **state)
{
	struct end e;

	end_start(&e);
	assert_int_equal(route_send_recipient_is(e.chan, &(struct route_recipient_is){ 1, 0 }),
			 ERR_WRONG_STATE);
	end_finish(&e);
}

static void a_vanished_peer_is_an_end(void **state)
{
	struct end e;

	end_start(&e);
	close(e.raw);
	e.raw = -1;
	end_run(&e);
	assert_int_equal(e.closed, 1);
	assert_int_equal(e.why, ERR_EOF);
	assert_int_equal(route_send_changed(e.chan, &(struct route_changed){ 0 }), ERR_PEER);
	end_finish(&e);
}

/* What a variable that nobody set would hold. */
__attribute__((noinline)) static void paint_stack(int value)
{
	volatile int room[32 * 1024];

	for (size_t i = 0; i < ARRAY_LEN(room); i++)
		room[i] = value;
}

static void the_end_of_a_peer_closes_nothing_else(void **state)
{
	struct end e;
	int other = dup(STDIN_FILENO);

	assert_true(other >= 0);
	end_start(&e);
	assert_int_equal(shutdown(e.raw, SHUT_RDWR), 0);
	paint_stack(other);
	end_run(&e);
	assert_int_equal(e.closed, 1);
	assert_int_equal(e.why, ERR_EOF);
	assert_true(fcntl(other, F_GETFD) >= 0);
	close(other);
	end_finish(&e);
}

static void a_slow_peer_fills_the_queue_to_its_mark(void **state)
{
	struct end e;
	size_t n = 0;

	end_start(&e);
	while (!ipc_chan_full(e.chan) && n < 10000000) {
		assert_int_equal(route_send_changed(e.chan, &(struct route_changed){ 0 }), OK);
		n++;
		if (n % 1000 == 0)
			ipc_chan_flush(e.chan);
	}
	assert_true(ipc_chan_full(e.chan));
	end_finish(&e);
}

static void blocking_messages_carry_a_descriptor(void **state)
{
	struct buf CLEANUP(buf_done) room = BUF_INIT(IPC_PACKET_MAX);
	int pair[2], file = open("/dev/null", O_RDONLY), got = -1;
	struct view body;
	uint16_t type;

	assert_int_equal(ipc_pair(pair), OK);
	assert_int_equal(ipc_send_blocking(pair[0], 5, VIEW("hello"), file), OK);
	assert_int_equal(ipc_recv_blocking(pair[1], &room, &type, &body, &got), OK);
	assert_int_equal(type, 5);
	assert_view(body, "hello");
	assert_true(got >= 0);
	close(got);
	close(file);
	close(pair[0]);
	assert_int_equal(ipc_recv_blocking(pair[1], &room, &type, &body, &got), ERR_EOF);
	close(pair[1]);
}

/* A peer that never answers, and one that never reads. */
static void blocking_ends_in_time(void **state)
{
	struct buf CLEANUP(buf_done) room = BUF_INIT(IPC_PACKET_MAX);
	int pair[2], got = -1;
	struct view body;
	uint16_t type;
	int64_t begin = clock_mono_ms();
	enum err err;

	assert_int_equal(ipc_pair(pair), OK);
	assert_int_equal(ipc_recv_until(pair[1], &room, &type, &body, &got, begin + 50),
			 ERR_TIMEOUT);
	assert_true(clock_mono_ms() - begin >= 50);
	do
		err = ipc_send_until(pair[0], 5, VIEW("hello"), -1, begin + 100);
	while (!err);
	assert_int_equal(err, ERR_TIMEOUT);
	assert_true(clock_mono_ms() - begin >= 100);
	/* What is there already is taken, however late. */
	assert_int_equal(ipc_recv_until(pair[1], &room, &type, &body, &got, begin), OK);
	assert_view(body, "hello");
	close(pair[0]);
	close(pair[1]);
}

static void lists_are_counted_and_bounded(void **state)
{
	struct route_targets_are_targets items[ROUTE_TARGETS_ARE_TARGETS_MAX + 1] = { 0 };
	struct buf CLEANUP(buf_done) body = BUF_INIT(1 << 20);
	struct route_targets_are m = { .tag = 3, .targets = items }, back = { .tag = 99 };
	struct route_targets_are_targets item;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(items); i++)
		items[i] = (struct route_targets_are_targets){ 1, i, VIEW("a@b.test"), VIEW("") };
	m.targets_count = ROUTE_TARGETS_ARE_TARGETS_MAX;
	route_targets_are_encode(&body, &m);
	assert_int_equal(buf_err(&body), OK);
	assert_int_equal(route_targets_are_decode(buf_view(&body), &back), OK);
	while (route_targets_are_targets_next(&back.targets_raw, &item))
		assert_int_equal(item.account, n++);
	assert_int_equal(n, ROUTE_TARGETS_ARE_TARGETS_MAX);
	buf_clear(&body);
	m.targets_count++;
	route_targets_are_encode(&body, &m);
	assert_int_equal(buf_err(&body), ERR_LIMIT);
	/* A count that the bytes do not hold. */
	back.tag = 99;
	assert_int_equal(route_targets_are_decode(VIEW("\3\0\0\0\0\x28\0"), &back), ERR_SYNTAX);
	assert_int_equal(route_targets_are_decode(VIEW("\3\0\0\0\0\xff\xff"), &back), ERR_LIMIT);
	assert_int_equal(back.tag, 99);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_messages_share_a_packet),
		cmocka_unit_test(unknown_and_wrong_messages_end_the_peer),
		cmocka_unit_test(every_cut_of_a_packet_ends_the_peer),
		cmocka_unit_test(a_text_with_nul_ends_the_peer),
		cmocka_unit_test(an_unwanted_descriptor_ends_the_peer_and_is_closed),
		cmocka_unit_test(outstanding_requests_are_counted),
		cmocka_unit_test(an_answer_without_question_is_refused),
		cmocka_unit_test(a_vanished_peer_is_an_end),
		cmocka_unit_test(the_end_of_a_peer_closes_nothing_else),
		cmocka_unit_test(a_slow_peer_fills_the_queue_to_its_mark),
		cmocka_unit_test(blocking_messages_carry_a_descriptor),
		cmocka_unit_test(blocking_ends_in_time),
		cmocka_unit_test(lists_are_counted_and_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
