/*
 * roles/front/outbound.c: connections to remote servers, for send.
 *
 * Which addresses are allowed, which server is next and what is said there is send's business.
 */
#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

#include "front.h"
#include "ipc/connect.h"
#include "sys/calls.h"
#include "sys/file.h"

enum { OUTBOUND_MAX = 10000, NAME_MAX_OCTETS = 255 };

static enum err on_secure(void *ctx, struct view early);
static enum err on_secured(void *ctx);
static void on_ended(void *ctx, const char *why);

static const struct relay_ops relay_ops = { on_secure, on_secured, on_ended };

static void outbound_unlist(struct outbound *o)
{
	if (o->listed)
		map_remove(&o->front->outbounds, map_key_u64(&o->id));
	o->listed = false;
}

static void outbound_free(struct outbound *o)
{
	struct front *f = o->front;

	outbound_unlist(o);
	f->outbound_count--;
	loop_io_done(&o->connecting);
	loop_timer_done(&o->timer);
	loop_defer_done(&o->bury);
	fd_close(&o->fd);
	if (o->relay.ops)
		relay_done(&o->relay);
	buf_done(&o->name);
	free(o);
	front_check_stop(f);
}

/* ---- connecting ---- */

static void send_failed(struct front *f, uint64_t id, const char *why)
{
	struct connect_opened m = {
		.session = id,
		.why = view_head(view_str(why), CONNECT_OPENED_WHY_MAX),
	};

	f->counters.connect_failed++;
	if (f->connect && connect_send_opened(f->connect, &m, -1))
		LOG_WARNING("front.connect", "cannot tell send about a connection");
}

static void on_bury(void *ctx)
{
	struct outbound *o = ctx;

	if (o->listed)
		send_failed(o->front, o->id, o->why);
	outbound_free(o);
}

/* Not connected; the object goes at the end of the turn. */
static void give_up(struct outbound *o, const char *why)
{
	loop_io_want(&o->connecting, 0);
	loop_timer_cancel(&o->timer);
	o->why = why;
	loop_defer_add(&o->bury);
}

static void on_time(void *ctx)
{
	give_up(ctx, "no answer");
}

static enum err send_opened(struct outbound *o, int fd)
{
	struct sockaddr_storage here = { 0 };
	socklen_t n = sizeof(here);
	struct session_peer local = { 0 };
	struct connect_opened m = { .session = o->id, .ok = true };

	if (!getsockname(o->relay.net.fd, (struct sockaddr *)&here, &n))
		front_address(&here, &local);
	m.local_ip = view_of(local.ip, local.ip_n);
	return connect_send_opened(o->front->connect, &m, fd);
}

static void connected(struct outbound *o)
{
	struct front *f = o->front;
	const struct config *c = role_config(f->role);
	int fd;

	loop_io_done(&o->connecting);
	loop_timer_cancel(&o->timer);
	relay_tune(o->fd);
	relay_init(&o->relay, role_loop(f->role), o->fd, &f->room, true, &relay_ops, o);
	o->fd = -1;
	o->relay.times = (struct relay_times){
		.handshake_ms = (int64_t)c->send_connect_time,
		.stall_ms = (int64_t)c->send_stage_time,
	};
	f->counters.connects++;
	if (!o->listed || !f->connect) {
		relay_end(&o->relay, "");
		return;
	}
	if (relay_open(&o->relay, &fd)) {
		relay_end(&o->relay, "out of descriptors");
		return;
	}
	if (send_opened(o, fd))
		relay_end(&o->relay, "");
}

static void on_connect(void *ctx, unsigned events)
{
	struct outbound *o = ctx;
	int error = 0;
	socklen_t n = sizeof(error);

	if (getsockopt(o->fd, SOL_SOCKET, SO_ERROR, &error, &n))
		error = errno;
	if (error)
		give_up(o, strerrordesc_np(error));
	else
		connected(o);
}

/* An address of 4 or 16 octets for connect and bind; its length, 0 for another. */
static socklen_t make_address(struct view ip, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

	*ret = (struct sockaddr_storage){ 0 };
	if (ip.n == 4) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		memcpy(&v4->sin_addr, ip.p, 4);
		return sizeof(*v4);
	}
	if (ip.n != 16)
		return 0;
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	memcpy(&v6->sin6_addr, ip.p, 16);
	return sizeof(*v6);
}

/* Begin to connect; NULL, or why it failed at once. */
static const char *start(struct outbound *o, const struct connect_open *m)
{
	struct sockaddr_storage to, from;
	socklen_t to_n = make_address(m->ip, m->port, &to);
	socklen_t from_n = make_address(m->source_ip, 0, &from);

	if (!to_n || (m->source_ip.n > 0 && m->source_ip.n != m->ip.n))
		return "not an address";
	o->fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (o->fd < 0)
		return strerrordesc_np(errno);
	if (m->source_ip.n > 0 && bind(o->fd, (struct sockaddr *)&from, from_n))
		return strerrordesc_np(errno);
	if (connect(o->fd, (struct sockaddr *)&to, to_n) && errno != EINPROGRESS)
		return strerrordesc_np(errno);
	return NULL;
}

static enum err on_open(void *ctx, const struct connect_open *m)
{
	struct front *f = ctx;
	struct outbound *o = NULL;
	const char *why;

	/* A number in use would be a bug of send. */
	if (map_get(&f->outbounds, map_key_u64(&m->session)))
		return ERR_PEER;
	if (f->outbound_count < OUTBOUND_MAX)
		o = calloc(1, sizeof(*o));
	if (!o || map_put(&f->outbounds, map_key_u64(&m->session), o)) {
		free(o);
		send_failed(f, m->session, "too many connections");
		return OK;
	}
	o->front = f;
	o->id = m->session;
	o->fd = -1;
	o->listed = true;
	o->why = "";
	f->outbound_count++;
	buf_init(&o->name, NAME_MAX_OCTETS + 1);
	loop_timer_init(&o->timer, role_loop(f->role), on_time, o);
	loop_defer_init(&o->bury, role_loop(f->role), on_bury, o);
	why = start(o, m);
	loop_io_init(&o->connecting, role_loop(f->role), o->fd, on_connect, o);
	if (why) {
		give_up(o, why);
		return OK;
	}
	loop_io_want(&o->connecting, LOOP_WRITE);
	loop_timer_set(&o->timer, (int64_t)role_config(f->role)->send_connect_time);
	return OK;
}

/* ---- TLS and the end ---- */

static enum err on_starttls(void *ctx, const struct connect_starttls *m)
{
	struct front *f = ctx;
	struct outbound *o = map_get(&f->outbounds, map_key_u64(&m->session));
	enum err err;

	/* It may have ended on the way: gone is under way then; the question still gets its answer. */
	if (!o || !o->relay.ops || o->relay.state == RELAY_ENDED) {
		struct connect_secured no = { .session = m->session,
					      .why = VIEW("the connection has ended") };

		return connect_send_secured(f->connect, &no, -1);
	}
	buf_clear(&o->name);
	buf_add(&o->name, m->name);
	o->verify = m->verify;
	o->securing = true;
	err = relay_starttls(&o->relay);
	if (err)
		o->securing = false;
	return err;
}

static enum err on_secure(void *ctx, struct view early)
{
	struct outbound *o = ctx;

	return tls_conn_connect(&o->relay.conn, o->front->client, buf_view(&o->name), o->verify,
				early);
}

static enum err on_secured(void *ctx)
{
	struct outbound *o = ctx;
	struct front *f = o->front;
	struct tls_info tls;
	struct connect_secured m = { .session = o->id, .ok = true };
	int fd;
	enum err err;

	tls_conn_info(&o->relay.conn, &tls);
	f->counters.handshakes++;
	if (!o->listed || !f->connect)
		return ERR_PEER;
	m.verified = tls.verified;
	m.tls_version = view_str(tls.version);
	m.tls_cipher = view_str(tls.cipher);
	err = relay_open(&o->relay, &fd);
	if (err)
		return err;
	o->securing = false;
	return connect_send_secured(f->connect, &m, fd);
}

static enum err send_end(struct outbound *o, const char *why)
{
	struct ipc_chan *chan = o->front->connect;

	if (o->securing) {
		struct connect_secured m = {
			.session = o->id,
			.why = view_head(view_str(why), CONNECT_SECURED_WHY_MAX),
		};

		o->front->counters.tls_failed++;
		LOG_INFO("front.tls_failed", "a TLS handshake with a remote server failed",
			 LOG_ID("session", o->id), LOG_VIEW("host", buf_view(&o->name)),
			 LOG_STR("why", why));
		return connect_send_secured(chan, &m, -1);
	}
	return connect_send_gone(
		chan,
		&(struct connect_gone){ o->id, view_head(view_str(why), CONNECT_GONE_WHY_MAX) });
}

static void on_ended(void *ctx, const char *why)
{
	struct outbound *o = ctx;
	struct front *f = o->front;
	bool broken = why[0] != '\0';

	if (broken)
		f->counters.broken++;
	/* Before the stream ends: send must know why. */
	if ((broken || o->securing) && o->listed && f->connect && !send_end(o, why))
		ipc_chan_flush(f->connect);
	outbound_free(o);
}

/* ---- channel ---- */

static const struct connect_server_ops ops = { .open = on_open, .starttls = on_starttls };

static enum err on_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	return connect_server_dispatch(&ops, ctx, type, body, fd);
}

/* send is gone: its numbers mean nothing any more.  Streams of open connections end by themselves. */
static void forget_all(struct front *f)
{
	size_t at = 0;
	struct view key;
	void *value;
	uint8_t secret[16];

	while (map_next(&f->outbounds, &at, &key, &value)) {
		struct outbound *o = value;

		o->listed = false;
		if (!o->relay.ops)
			give_up(o, "");
	}
	map_done(&f->outbounds);
	random_bytes(secret, sizeof(secret));
	map_init(&f->outbounds, OUTBOUND_MAX, secret);
}

static void on_closed(void *ctx, enum err why)
{
	struct front *f = ctx;

	if (why != ERR_EOF)
		LOG_ERROR("front.connect", "send broke the rules of its channel", LOG_ERR(why));
	ipc_chan_free(f->connect);
	f->connect = NULL;
	forget_all(f);
}

static const struct ipc_ops ipc = { on_message, on_closed, NULL };

void front_connect_take(struct front *f, int fd)
{
	ipc_chan_free(f->connect);
	f->connect = NULL;
	forget_all(f);
	f->wants_connect = true;
	if (ipc_chan_new(role_loop(f->role), fd, &connect_channel, IPC_SERVER, &ipc, f,
			 &f->connect))
		f->connect = NULL;
}
