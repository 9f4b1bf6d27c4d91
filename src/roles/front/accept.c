/*
 * roles/front/accept.c: take connections from the listeners, or refuse them.
 *
 * A refusal is a line of the protocol where the protocol lets us speak first in clear; where the client
 * expects TLS the connection just ends.
 */
#include <errno.h>
#include <netinet/in.h>

#include "front.h"
#include "sys/calls.h"
#include "sys/clock.h"
#include "sys/file.h"

enum {
	ACCEPTS_PER_TURN = 64,
	RETRY_MS = 500, /* after running out of descriptors */
	REPLY_MAX = 512,
};

struct refusal {
	const char *limit; /* the option, for the log */
	const char *code; /* SMTP */
	const char *text;
};

static const struct refusal refuse_active = { "conn_client_max", "4.7.0",
					      "too many connections from your address" };
static const struct refusal refuse_new = { "conn_client_new", "4.7.0",
					   "too many new connections from your address" };
static const struct refusal refuse_service = { "conn_service_max", "4.3.2",
					       "too many connections" };
static const struct refusal refuse_shakes = { "tls_handshake_rate", "4.7.0",
					      "too many TLS handshakes from your address" };
static const struct refusal refuse_busy = { "backend", "4.3.2", "the service is not available" };

static void refuse(struct listener *l, int fd, const struct session_peer *peer,
		   struct client *client, const struct refusal *why)
{
	struct front *f = l->front;
	struct buf CLEANUP(buf_done) line = BUF_INIT(REPLY_MAX);

	f->counters.refused++;
	/* One line a minute for each client: who floods us must not flood the log. */
	if (!client || client_may_log(client, clock_mono_ms()))
		LOG_NOTICE("front.refused", "refused a connection", LOG_STR("limit", why->limit),
			   LOG_STR("service", l->service->name),
			   LOG_IP("address", view_of(peer->ip, peer->ip_n)));
	if (l->service->implicit_tls)
		return;
	if (l->service->imap)
		buf_addf(&line, "* BYE %s\r\n", why->text);
	else
		buf_addf(&line, "421 %s %s %s\r\n", why->code, role_config(f->role)->hostname,
			 why->text);
	if (!buf_err(&line))
		(void)!calls()->send(fd, line.p, line.n, MSG_NOSIGNAL);
}

/* The last tenth of a service is for clients that have logged in or delivered mail lately. */
static bool service_is_full(const struct listener *l, struct view ip)
{
	struct front *f = l->front;
	uint64_t max = role_config(f->role)->conn_service_max;
	uint64_t now = f->open[front_service_index(l->service)];

	if (now >= max)
		return true;
	return now >= max - max / 10 && !clients_is_known(&f->clients, ip, clock_mono_ms());
}

static bool is_exempt(const struct front *f, struct view ip)
{
	return front_ip_is_loopback(ip) && !role_config(f->role)->loopback_limits;
}

static const struct refusal *check_client(struct listener *l, struct view ip, struct client **ret)
{
	struct front *f = l->front;
	const struct config *c = role_config(f->role);
	int64_t now = clock_mono_ms();
	struct client_limits limits = {
		.active = (uint32_t)(l->service->number == SERVICE_SMTP ? c->conn_client_max
									: c->conn_client_max_user),
		.per_minute = (uint32_t)c->conn_client_new,
	};

	switch (clients_open(&f->clients, ip, now, &limits, ret)) {
	case OK: break;
	case ERR_LIMIT: return &refuse_new;
	case ERR_BUSY: return &refuse_active;
	default: return &refuse_service;
	}
	if (l->service->implicit_tls &&
	    !client_may_shake(*ret, now, (uint32_t)c->tls_handshake_rate)) {
		clients_close(&f->clients, *ret, now);
		return &refuse_shakes;
	}
	return NULL;
}

static const struct refusal *check(struct listener *l, struct view ip, struct client **ret)
{
	const struct backend *b = &l->front->backends[l->service->backend];

	if (!b->chan || b->busy || ipc_chan_full(b->chan))
		return &refuse_busy;
	if (service_is_full(l, ip))
		return &refuse_service;
	return is_exempt(l->front, ip) ? NULL : check_client(l, ip, ret);
}

static void accepted(struct listener *l, int fd, const struct sockaddr_storage *from)
{
	struct session_peer peer;
	struct client *client = NULL;
	const struct refusal *why;

	front_address(from, &peer);
	why = check(l, view_of(peer.ip, peer.ip_n), &client);
	if (why) {
		refuse(l, fd, &peer, client, why);
		fd_close(&fd);
		return;
	}
	l->front->counters.accepted++;
	front_session_begin(l->front, l->service, fd, &peer, client);
}

/* No descriptors left: wait until some connection has ended. */
static void pause_all(struct front *f)
{
	LOG_WARNING("front.accept", "cannot accept connections for a moment", LOG_ERRNO());
	front_listen_stop(f, RETRY_MS);
}

static void on_ready(void *ctx, unsigned events)
{
	struct listener *l = ctx;

	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		struct sockaddr_storage from = { 0 };
		socklen_t n = sizeof(from);
		int fd = calls()->accept4(l->fd, (struct sockaddr *)&from, &n,
					  SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			accepted(l, fd, &from);
			continue;
		}
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return;
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			pause_all(l->front);
			return;
		}
		/* The client has gone already: the next one. */
	}
}

void front_listener_take(struct front *f, struct view service, uint64_t id, int fd)
{
	const struct service_row *row = front_service(service);
	struct listener *l = NULL;
	int one = 1;

	for (size_t i = 0; i < f->listener_count; i++)
		if (f->listeners[i].service == row && f->listeners[i].id == id)
			l = &f->listeners[i];
	if (!l && f->listener_count < LISTENERS_MAX)
		l = &f->listeners[f->listener_count];
	if (!row || !l) {
		LOG_ERROR("front.listener", "a listener cannot be used",
			  LOG_VIEW("service", service));
		fd_close(&fd);
		return;
	}
	if (l == &f->listeners[f->listener_count]) {
		f->listener_count++;
	} else {
		loop_io_done(&l->io);
		fd_close(&l->fd);
	}
	/* Accepted sockets inherit all of it. */
	relay_tune(fd);
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	*l = (struct listener){ .front = f, .service = row, .id = id, .fd = fd };
	loop_io_init(&l->io, role_loop(f->role), fd, on_ready, l);
}

void front_listen(struct front *f)
{
	for (size_t i = 0; i < f->listener_count && !f->stopping; i++)
		loop_io_want(&f->listeners[i].io, LOOP_READ);
}

void front_listen_stop(struct front *f, int64_t ms)
{
	if (ms >= 0)
		loop_timer_set(&f->listen_timer, ms);
	for (size_t i = 0; i < f->listener_count; i++)
		loop_io_want(&f->listeners[i].io, 0);
}
