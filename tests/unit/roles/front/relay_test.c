/*
 * Tests of roles/front/relay.c: the test plays the peer at the socket and the role at the stream.
 */
#include "unit.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "roles/front/relay.h"
#include "sys/file.h"
#include "sys/ipc.h"
#include "tls/tls_fixture.h"

static struct fixture f;
static struct loop *loop;

/* One relay with both its neighbours. */
static struct {
	struct relay relay;
	int role; /* the role's end of the stream */
	int peer; /* until TLS */
	struct tls_conn client; /* from then on */
	bool ended, secured, refuse;
	char why[200];
} t;

static enum err on_secure(void *ctx, struct view early)
{
	return tls_conn_accept(&t.relay.conn, f.server, NULL, early);
}

static enum err on_secured(void *ctx)
{
	t.secured = true;
	return t.refuse ? ERR_BUSY : relay_open(&t.relay, &t.role);
}

static void on_ended(void *ctx, const char *why)
{
	t.ended = true;
	snprintf(t.why, sizeof(t.why), "%s", why);
	relay_done(&t.relay);
}

static const struct relay_ops ops = { on_secure, on_secured, on_ended };

static int setup(void **state)
{
	int pair[2];

	fixture_init(&f);
	assert_int_equal(loop_new(&loop), OK);
	assert_int_equal(stream_pair(pair), OK);
	memset(&t, 0, sizeof(t));
	t.role = -1;
	t.peer = pair[1];
	t.client.fd = -1;
	relay_init(&t.relay, loop, pair[0], &f.room, true, &ops, NULL);
	t.relay.times = (struct relay_times){ .handshake_ms = 10000, .stall_ms = 10000 };
	return 0;
}

static int teardown(void **state)
{
	if (!t.ended)
		relay_done(&t.relay);
	fd_close(&t.role);
	if (t.client.room)
		tls_conn_done(&t.client);
	else
		fd_close(&t.peer);
	loop_free(loop);
	fixture_done(&f);
	return 0;
}

static void stop(void *ctx)
{
	loop_stop(loop);
}

static void spin(int64_t ms)
{
	struct loop_timer timer;

	loop_timer_init(&timer, loop, stop, NULL);
	loop_timer_set(&timer, ms);
	loop_run(loop);
	loop_timer_done(&timer);
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void expect(int fd, const char *text)
{
	char room[1000];
	ssize_t n;

	spin(5);
	n = recv(fd, room, sizeof(room), 0);
	assert_int_equal(n, strlen(text));
	assert_memory_equal(room, text, strlen(text));
}

static void expect_end(int fd)
{
	char c;

	spin(5);
	assert_int_equal(recv(fd, &c, 1, 0), 0);
}

static void start_clear(void)
{
	assert_int_equal(relay_open(&t.relay, &t.role), OK);
}

static void peer_begins_tls(void)
{
	tls_conn_init(&t.client, t.peer, &f.room);
	assert_int_equal(tls_conn_connect(&t.client, f.client, VIEW("localhost"), true, VIEW_EMPTY),
			 OK);
}

static enum err peer_shakes(void)
{
	enum err err = ERR_AGAIN;

	for (int i = 0; i < 50 && err == ERR_AGAIN; i++) {
		err = tls_conn_handshake(&t.client);
		spin(2);
	}
	return err;
}

static void start_tls(void)
{
	peer_begins_tls();
	relay_handshake(&t.relay);
	assert_int_equal(peer_shakes(), OK);
	assert_true(t.secured);
	assert_true(t.role >= 0);
}

static void expect_tls(const char *text)
{
	struct view got = VIEW_EMPTY;

	spin(5);
	assert_int_equal(conn_read_some(&t.client, &got), OK);
	assert_true(view_eq(got, view_str(text)));
}

static void copies_clear_text(void **state)
{
	start_clear();
	say(t.role, "220 hi\r\n");
	expect(t.peer, "220 hi\r\n");
	say(t.peer, "EHLO x\r\n");
	expect(t.role, "EHLO x\r\n");
	assert_null(t.relay.conn.out.p);
	assert_null(t.relay.to_app.p);
}

static void copies_tls(void **state)
{
	start_tls();
	say(t.role, "220 hi\r\n");
	expect_tls("220 hi\r\n");
	assert_int_equal(tls_conn_write(&t.client, VIEW("EHLO x\r\n")), OK);
	expect(t.role, "EHLO x\r\n");
}

/* The peer ends in order: the role sees the end, may still answer, and its end ends all. */
static void half_close(void **state)
{
	start_clear();
	say(t.peer, "QUIT\r\n");
	shutdown(t.peer, SHUT_WR);
	expect(t.role, "QUIT\r\n");
	expect_end(t.role);
	say(t.role, "221 bye\r\n");
	fd_close(&t.role);
	expect(t.peer, "221 bye\r\n");
	expect_end(t.peer);
	assert_true(t.ended);
	assert_string_equal(t.why, "");
}

static void role_closes(void **state)
{
	start_clear();
	say(t.role, "421 busy\r\n");
	fd_close(&t.role);
	expect(t.peer, "421 busy\r\n");
	spin(150); /* no STARTTLS came */
	expect_end(t.peer);
	/* The peer's last words are thrown away, not answered by a reset. */
	say(t.peer, "NOOP\r\n");
	spin(5);
	assert_false(t.ended);
	fd_close(&t.peer);
	spin(5);
	assert_true(t.ended);
	assert_string_equal(t.why, "");
}

/* Both close: nobody waits for a STARTTLS that cannot come. */
static void both_close(void **state)
{
	start_clear();
	say(t.role, "221 bye\r\n");
	fd_close(&t.role);
	expect(t.peer, "221 bye\r\n");
	fd_close(&t.peer);
	spin(10);
	assert_true(t.ended);
	assert_string_equal(t.why, "");
}

static void role_closes_tls(void **state)
{
	struct view got;

	start_tls();
	say(t.role, "* BYE\r\n");
	fd_close(&t.role);
	expect_tls("* BYE\r\n");
	assert_int_equal(conn_read_some(&t.client, &got), ERR_EOF);
	assert_int_equal(tls_conn_finish(&t.client), OK);
	spin(5);
	assert_true(t.ended);
	assert_string_equal(t.why, "");
}

static void tls_cut(void **state)
{
	start_tls();
	assert_int_equal(tls_conn_write(&t.client, VIEW("DATA half")), OK);
	spin(5);
	shutdown(t.client.fd, SHUT_WR);
	spin(5);
	assert_true(t.ended);
	assert_string_equal(t.why, "the connection ended without close_notify");
	expect(t.role, "DATA half");
	expect_end(t.role);
}

static void tls_end_in_order(void **state)
{
	start_tls();
	assert_int_equal(tls_conn_write(&t.client, VIEW("LOGOUT\r\n")), OK);
	assert_int_equal(tls_conn_finish(&t.client), OK);
	expect(t.role, "LOGOUT\r\n");
	expect_end(t.role);
	assert_false(t.ended);
	fd_close(&t.role);
	spin(5);
	assert_true(t.ended);
	assert_string_equal(t.why, "");
}

static void peer_resets(void **state)
{
	start_clear();
	say(t.role, "unread");
	spin(5);
	fd_close(&t.peer); /* with unread octets: a reset */
	spin(5);
	assert_true(t.ended);
	assert_string_equal(t.why, "the connection was reset");
	expect_end(t.role);
}

static void starttls(void **state)
{
	start_clear();
	say(t.peer, "STARTTLS\r\n");
	expect(t.role, "STARTTLS\r\n");
	say(t.role, "220 go\r\n");
	fd_close(&t.role);
	spin(5);
	assert_int_equal(relay_starttls(&t.relay), OK);
	expect(t.peer, "220 go\r\n");
	peer_begins_tls();
	assert_int_equal(peer_shakes(), OK);
	assert_true(t.secured);
	say(t.role, "hello");
	expect_tls("hello");
	/* A second time is a mistake of the role. */
	assert_int_equal(relay_starttls(&t.relay), ERR_WRONG_STATE);
}

/* The message of the role arrives before the end of its stream. */
static void starttls_said_first(void **state)
{
	start_clear();
	say(t.role, "220 go\r\n");
	assert_int_equal(relay_starttls(&t.relay), OK);
	expect(t.peer, "220 go\r\n");
	fd_close(&t.role);
	peer_begins_tls();
	assert_int_equal(peer_shakes(), OK);
	assert_true(t.secured);
}

/* The peer is so fast that its hello comes before the message of the role. */
static void starttls_quick_peer(void **state)
{
	start_clear();
	say(t.role, "220 go\r\n");
	spin(2);
	fd_close(&t.role);
	expect(t.peer, "220 go\r\n");
	peer_begins_tls();
	assert_int_equal(tls_conn_handshake(&t.client), ERR_AGAIN);
	spin(5);
	assert_int_equal(relay_starttls(&t.relay), OK);
	assert_int_equal(peer_shakes(), OK);
	assert_true(t.secured);
}

/* The peer answers the 220 before the role has closed its stream: its octets are the handshake's. */
static void starttls_hello_before_end(void **state)
{
	start_clear();
	say(t.role, "220 go\r\n");
	assert_int_equal(relay_starttls(&t.relay), OK);
	expect(t.peer, "220 go\r\n");
	peer_begins_tls();
	assert_int_equal(tls_conn_handshake(&t.client), ERR_AGAIN);
	spin(5);
	fd_close(&t.role);
	assert_int_equal(peer_shakes(), OK);
	assert_true(t.secured);
}

/* The same with the stream not yet read as ended: the hello is read as clear text first. */
static void starttls_hello_read_in_clear(void **state)
{
	start_clear();
	peer_begins_tls();
	assert_int_equal(tls_conn_handshake(&t.client), ERR_AGAIN);
	fd_close(&t.role);
	spin(5);
	assert_int_equal(relay_starttls(&t.relay), OK);
	assert_int_equal(peer_shakes(), OK);
	assert_true(t.secured);
}

static void starttls_with_command_behind(void **state)
{
	char room[10];

	start_clear();
	say(t.peer, "STARTTLS\r\nNOOP\r\n");
	spin(5);
	assert_int_equal(recv(t.role, room, 10, 0), 10);
	say(t.role, "220 go\r\n");
	fd_close(&t.role);
	spin(5);
	assert_int_equal(relay_starttls(&t.relay), OK);
	spin(5);
	assert_true(t.ended);
	assert_false(t.secured);
	assert_string_equal(t.why, "clear text behind STARTTLS");
}

static void starttls_in_tls(void **state)
{
	start_tls();
	assert_int_equal(relay_starttls(&t.relay), ERR_WRONG_STATE);
}

static void handshake_time(void **state)
{
	t.relay.times.handshake_ms = 20;
	relay_handshake(&t.relay);
	spin(10);
	assert_false(t.ended);
	spin(30);
	assert_true(t.ended);
	assert_string_equal(t.why, "the TLS handshake took too long");
}

static void starttls_without_handshake(void **state)
{
	t.relay.times.handshake_ms = 20;
	start_clear();
	assert_int_equal(relay_starttls(&t.relay), OK);
	fd_close(&t.role);
	spin(40);
	assert_true(t.ended);
	assert_string_equal(t.why, "the TLS handshake took too long");
}

static void handshake_fails(void **state)
{
	relay_handshake(&t.relay);
	say(t.peer, "POST / HTTP/1.1\r\n");
	spin(5);
	assert_true(t.ended);
	assert_string_equal(t.why, "http request");
}

static void nobody_takes_it(void **state)
{
	t.refuse = true;
	peer_begins_tls();
	relay_handshake(&t.relay);
	(void)peer_shakes();
	assert_true(t.ended);
	assert_string_equal(t.why, "the role cannot take the connection");
}

/* Write until the other side is full; what was taken. */
static size_t pour(int fd, size_t n)
{
	char block[65536];
	size_t done = 0;
	int quiet = 0;

	while (done < n && quiet < 20) {
		size_t want = size_min(sizeof(block), n - done);
		ssize_t got;

		for (size_t i = 0; i < want; i++)
			block[i] = (char)((done + i) % 251);
		got = send(fd, block, want, MSG_NOSIGNAL);
		if (got > 0) {
			done += (size_t)got;
			quiet = 0;
		} else {
			assert_int_equal(errno, EAGAIN);
			quiet++;
			spin(1);
		}
	}
	return done;
}

static size_t drain(int fd, size_t seen)
{
	char block[65536];
	ssize_t n;

	while ((n = recv(fd, block, sizeof(block), 0)) > 0)
		for (ssize_t i = 0; i < n; i++, seen++)
			assert_int_equal((uint8_t)block[i], seen % 251);
	return seen;
}

/* A role that does not read: the peer is held back, and nothing is lost. */
static void slow_role(void **state)
{
	size_t sent, seen = 0;

	start_clear();
	sent = pour(t.peer, 64 * 1024 * 1024);
	assert_true(sent < 4 * 1024 * 1024);
	assert_true(t.relay.to_app.n > 0 && t.relay.to_app.n <= 128 * 1024);
	for (int i = 0; i < 200 && seen < sent; i++) {
		seen = drain(t.role, seen);
		spin(1);
	}
	assert_int_equal(seen, sent);
	assert_null(t.relay.to_app.p);
	/* And it ends behind the last octet. */
	shutdown(t.peer, SHUT_WR);
	expect_end(t.role);
}

static void slow_role_end_waits(void **state)
{
	size_t sent, seen = 0;

	start_clear();
	sent = pour(t.peer, 64 * 1024 * 1024);
	shutdown(t.peer, SHUT_WR);
	for (int i = 0; i < 200 && seen < sent; i++) {
		seen = drain(t.role, seen);
		spin(1);
	}
	assert_int_equal(seen, sent);
	expect_end(t.role);
	assert_false(t.ended);
}

static void slow_peer(void **state)
{
	size_t sent, seen = 0;
	struct view got;

	start_tls();
	sent = pour(t.role, 64 * 1024 * 1024);
	assert_true(sent < 8 * 1024 * 1024);
	assert_true(tls_conn_is_waiting(&t.relay.conn));
	fd_close(&t.role); /* what was written still arrives */
	for (int i = 0; i < 2000 && seen < sent; i++) {
		enum err err = tls_conn_read(&t.client, &got);

		if (err == ERR_AGAIN) {
			spin(1);
			continue;
		}
		assert_int_equal(err, OK);
		for (size_t k = 0; k < got.n; k++, seen++)
			assert_int_equal((uint8_t)got.p[k], seen % 251);
	}
	assert_int_equal(seen, sent);
	spin(5);
	assert_int_equal(conn_read_some(&t.client, &got), ERR_EOF);
}

static void stalled_peer(void **state)
{
	/* Long enough that filling the buffers is over before, on a busy machine too. */
	t.relay.times.stall_ms = 2000;
	start_clear();
	pour(t.role, 64 * 1024 * 1024);
	spin(2500);
	assert_true(t.ended);
	assert_string_equal(t.why, "the peer did not read for too long");
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(copies_clear_text),
		T(copies_tls),
		T(half_close),
		T(role_closes),
		T(both_close),
		T(role_closes_tls),
		T(tls_cut),
		T(tls_end_in_order),
		T(peer_resets),
		T(starttls),
		T(starttls_said_first),
		T(starttls_quick_peer),
		T(starttls_hello_before_end),
		T(starttls_hello_read_in_clear),
		T(starttls_with_command_behind),
		T(starttls_in_tls),
		T(handshake_time),
		T(starttls_without_handshake),
		T(handshake_fails),
		T(nobody_takes_it),
		T(slow_role),
		T(slow_role_end_waits),
		T(slow_peer),
		T(stalled_peer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
