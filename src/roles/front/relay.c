/*
 * roles/front/relay.c: see relay.h.
 */
#include "relay.h"

#include <errno.h>
#include <netinet/tcp.h>

#include "sys/calls.h"
#include "sys/file.h"
#include "sys/ipc.h"

enum {
	TO_APP_MAX = 128 * 1024, /* one read of the socket, decrypted */
	COPIES_PER_TURN = 4, /* full buffers from one role before others get their turn */
	STARTTLS_WAIT_MS = 100, /* between the end of the stream and the message that explains it */
	CLOSE_MS = 10 * 1000,
	LINGER_MS = 2 * 1000,
	LINGER_MAX = 1024 * 1024,
};

static void on_net(void *ctx, unsigned events);
static void on_app(void *ctx, unsigned events);
static void on_alarm(void *ctx);
static void on_bury(void *ctx);

void relay_tune(int fd)
{
	int one = 1, unsent = RELAY_UNSENT_MAX;

	/* A kernel that knows one of them not is only slower. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
}

void relay_init(struct relay *r, struct loop *loop, int fd, struct tls_room *room,
		bool may_starttls, const struct relay_ops *ops, void *ctx)
{
	*r = (struct relay){
		.ops = ops, .ctx = ctx, .stream = -1, .may_starttls = may_starttls, .why = ""
	};
	tls_conn_init(&r->conn, fd, room);
	buf_init(&r->to_app, TO_APP_MAX);
	loop_io_init(&r->net, loop, fd, on_net, r);
	loop_timer_init(&r->timer, loop, on_alarm, r);
	loop_defer_init(&r->bury, loop, on_bury, r);
}

static void close_stream(struct relay *r)
{
	if (r->stream < 0)
		return;
	loop_io_done(&r->app);
	fd_close(&r->stream);
}

void relay_done(struct relay *r)
{
	r->state = RELAY_ENDED;
	close_stream(r);
	loop_io_done(&r->net);
	loop_timer_done(&r->timer);
	loop_defer_done(&r->bury);
	tls_conn_done(&r->conn);
	buf_done(&r->to_app);
}

static void set_alarm(struct relay *r, enum relay_alarm alarm, int64_t ms)
{
	r->alarm = (uint8_t)alarm;
	if (alarm == ALARM_NONE)
		loop_timer_cancel(&r->timer);
	else
		loop_timer_set(&r->timer, ms);
}

/* What to wait for, by what is waiting. */
static void watch(struct relay *r)
{
	bool waiting = tls_conn_is_waiting(&r->conn);
	bool copying = r->state == RELAY_COPY;
	unsigned net = waiting ? LOOP_WRITE : 0, app = 0;

	if (r->state == RELAY_ENDED)
		return;
	if (r->state == RELAY_HANDSHAKE || r->state == RELAY_LINGER)
		net |= LOOP_READ;
	/* Once TLS is agreed on, what comes next belongs to the handshake. */
	if (copying && !r->conn.read_end && r->to_app.n == 0 && !r->starttls)
		net |= LOOP_READ;
	if (copying && !r->app_ended && !waiting)
		app |= LOOP_READ;
	if (copying && !r->app_ended && r->to_app.n > 0 && !r->to_app_late)
		app |= LOOP_WRITE;
	loop_io_want(&r->net, net);
	if (r->stream >= 0)
		loop_io_want(&r->app, app);
	if (copying && waiting && r->alarm == ALARM_NONE)
		set_alarm(r, ALARM_STALL, r->times.stall_ms);
	if (!waiting && r->alarm == ALARM_STALL)
		set_alarm(r, ALARM_NONE, 0);
}

/* ---- the end ---- */

void relay_end(struct relay *r, const char *why)
{
	if (r->state == RELAY_ENDED)
		return;
	r->state = RELAY_ENDED;
	r->why = why;
	loop_io_want(&r->net, 0);
	if (r->stream >= 0)
		loop_io_want(&r->app, 0);
	set_alarm(r, ALARM_NONE, 0);
	loop_defer_add(&r->bury);
}

static void on_bury(void *ctx)
{
	struct relay *r = ctx;

	r->ops->ended(r->ctx, r->why);
}

/* The role is done: send the rest, close_notify and FIN; then wait for the peer's, so that no reset
 * overtakes our last words. */
static void close_in_order(struct relay *r)
{
	enum err err;

	if (r->state != RELAY_CLOSING) {
		r->state = RELAY_CLOSING;
		close_stream(r);
		set_alarm(r, ALARM_CLOSE, CLOSE_MS);
	}
	err = tls_conn_finish(&r->conn);
	if (err == ERR_AGAIN)
		return;
	if (err || r->conn.read_end) {
		relay_end(r, "");
		return;
	}
	r->state = RELAY_LINGER;
	set_alarm(r, ALARM_CLOSE, LINGER_MS);
}

static void linger(struct relay *r)
{
	ssize_t n = calls()->recv(r->net.fd, r->conn.room->from_net, TLS_READ_MAX, 0);

	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	if (n > 0)
		r->drained += (size_t)n;
	if (n <= 0 || r->drained > LINGER_MAX)
		relay_end(r, "");
}

static void on_alarm(void *ctx)
{
	struct relay *r = ctx;
	enum relay_alarm alarm = (enum relay_alarm)r->alarm;

	r->alarm = ALARM_NONE;
	switch (alarm) {
	case ALARM_STALL: relay_end(r, "the peer did not read for too long"); break;
	case ALARM_HANDSHAKE: relay_end(r, "the TLS handshake took too long"); break;
	case ALARM_STARTTLS:
		/* No wish for TLS came: the role just closed. */
		close_in_order(r);
		watch(r);
		break;
	case ALARM_CLOSE: relay_end(r, ""); break;
	case ALARM_NONE: break;
	}
}

/* ---- TLS ---- */

static void net_to_app(struct relay *r);

static void shake(struct relay *r)
{
	enum err err = tls_conn_handshake(&r->conn);

	if (err == ERR_AGAIN)
		return;
	if (err) {
		relay_end(r, r->conn.why);
		return;
	}
	set_alarm(r, ALARM_NONE, 0);
	if (r->ops->secured(r->ctx)) {
		relay_end(r, "the role cannot take the connection");
		return;
	}
	if (r->state == RELAY_COPY && tls_conn_has_early(&r->conn))
		net_to_app(r);
}

static void begin_tls(struct relay *r)
{
	struct view early = r->to_app_late ? buf_view(&r->to_app) : VIEW_EMPTY;

	if (r->ops->secure(r->ctx, early)) {
		relay_end(r, "TLS cannot begin");
		return;
	}
	buf_clear(&r->to_app);
	buf_trim(&r->to_app, 0);
	r->may_starttls = r->starttls = false;
	r->state = RELAY_HANDSHAKE;
	if (r->alarm != ALARM_HANDSHAKE)
		set_alarm(r, ALARM_HANDSHAKE, r->times.handshake_ms);
	shake(r);
}

void relay_handshake(struct relay *r)
{
	begin_tls(r);
	watch(r);
}

/* Once the role has said STARTTLS and closed, and its reply has left. */
static void try_secure(struct relay *r)
{
	if (!r->starttls || !r->app_ended || tls_conn_is_waiting(&r->conn))
		return;
	/* RFC 3207#5: clear octets behind the command are an attack. */
	if (r->app_reset || (r->to_app.n > 0 && !r->to_app_late)) {
		relay_end(r, "clear text behind STARTTLS");
		return;
	}
	close_stream(r);
	begin_tls(r);
}

enum err relay_starttls(struct relay *r)
{
	if (r->state == RELAY_ENDED)
		return OK;
	if (r->conn.ssl || !r->may_starttls || r->starttls || r->state != RELAY_COPY)
		return ERR_WRONG_STATE;
	r->starttls = true;
	set_alarm(r, ALARM_HANDSHAKE, r->times.handshake_ms);
	try_secure(r);
	watch(r);
	return OK;
}

/* ---- copying ---- */

/* Pass the end of input on, behind all octets. */
static void tell_eof(struct relay *r)
{
	if (r->eof_told || r->conn.read_end != ERR_EOF || r->to_app.n > 0 || r->stream < 0)
		return;
	r->eof_told = true;
	(void)shutdown(r->stream, SHUT_WR);
}

/* *ret_n octets were taken; false when the role has closed its stream. */
static bool send_to_app(struct relay *r, struct view bytes, size_t *ret_n)
{
	ssize_t n;

	do
		n = calls()->send(r->stream, bytes.p, bytes.n, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	*ret_n = n > 0 ? (size_t)n : 0;
	if (n < 0 && errno == ECONNRESET)
		r->app_reset = true; /* told only once by the kernel */
	return n >= 0 || errno == EAGAIN || errno == EWOULDBLOCK;
}

static void net_to_app(struct relay *r)
{
	struct view bytes = VIEW_EMPTY;
	enum err err = tls_conn_read(&r->conn, &bytes);
	size_t n = 0;

	if (err == ERR_AGAIN)
		return;
	if (!err) {
		r->octets_in += bytes.n;
		/* A role that has closed reads no more; these may be the beginning of TLS. */
		if (r->app_ended || !send_to_app(r, bytes, &n))
			r->to_app_late = true;
		if (!r->to_app_late || r->may_starttls)
			buf_add(&r->to_app, view_from(bytes, n));
		if (buf_err(&r->to_app)) {
			relay_end(r, "out of memory");
			return;
		}
	}
	if (r->conn.read_end && r->app_ended && !r->starttls)
		close_in_order(r);
	else if (r->conn.read_end && r->conn.read_end != ERR_EOF)
		relay_end(r, r->conn.why);
	else
		tell_eof(r);
}

static void flush_to_app(struct relay *r)
{
	size_t n;

	if (r->to_app.n == 0 || r->to_app_late)
		return;
	/* A role that closed is seen by reading its stream; these octets came before. */
	if (!send_to_app(r, buf_view(&r->to_app), &n))
		return;
	buf_consume(&r->to_app, n);
	buf_trim(&r->to_app, 0);
	tell_eof(r);
}

static void app_end(struct relay *r, bool reset)
{
	r->app_ended = true;
	r->app_reset = r->app_reset || reset;
	if (r->starttls)
		try_secure(r);
	else if (r->may_starttls && !r->conn.read_end)
		set_alarm(r, ALARM_STARTTLS, STARTTLS_WAIT_MS);
	else
		close_in_order(r);
}

static void app_to_net(struct relay *r)
{
	char *room = r->conn.room->from_net;

	for (int i = 0; i < COPIES_PER_TURN; i++) {
		ssize_t n = calls()->recv(r->stream, room, TLS_WRITE_MAX, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n <= 0) {
			app_end(r, n < 0);
			return;
		}
		r->octets_out += (uint64_t)n;
		if (tls_conn_write(&r->conn, view_of(room, (size_t)n))) {
			relay_end(r, r->conn.why);
			return;
		}
		if (n < TLS_WRITE_MAX || tls_conn_is_waiting(&r->conn))
			return;
	}
}

static void flush_to_net(struct relay *r)
{
	size_t before = r->conn.out_sent;
	enum err err = tls_conn_flush(&r->conn);

	if (err == ERR_PEER) {
		relay_end(r, r->state == RELAY_CLOSING ? "" : r->conn.why);
		return;
	}
	if (err == ERR_AGAIN) {
		if (r->alarm == ALARM_STALL && r->conn.out_sent != before)
			set_alarm(r, ALARM_STALL, r->times.stall_ms);
		return;
	}
	if (r->state == RELAY_CLOSING)
		close_in_order(r);
	else
		try_secure(r);
}

static void on_net(void *ctx, unsigned events)
{
	struct relay *r = ctx;

	if (events & LOOP_WRITE && r->state != RELAY_ENDED)
		flush_to_net(r);
	if (events & LOOP_READ) {
		if (r->state == RELAY_HANDSHAKE)
			shake(r);
		else if (r->state == RELAY_COPY && r->to_app.n == 0 && !r->starttls)
			net_to_app(r);
		else if (r->state == RELAY_LINGER)
			linger(r);
	}
	watch(r);
}

static void on_app(void *ctx, unsigned events)
{
	struct relay *r = ctx;

	if (events & LOOP_WRITE && r->state == RELAY_COPY)
		flush_to_app(r);
	if (events & LOOP_READ && r->state == RELAY_COPY && !r->app_ended &&
	    !tls_conn_is_waiting(&r->conn))
		app_to_net(r);
	watch(r);
}

enum err relay_open(struct relay *r, int *ret_fd)
{
	int pair[2];
	enum err err = stream_pair(pair);

	if (err)
		return err;
	r->stream = pair[0];
	loop_io_init(&r->app, r->net.loop, r->stream, on_app, r);
	r->state = RELAY_COPY;
	r->app_ended = r->app_reset = r->to_app_late = r->eof_told = false;
	watch(r);
	*ret_fd = pair[1];
	return OK;
}
