/*
 * roles/front/session.c: an accepted connection, from the role's first octet to the last.
 */
#include <netinet/in.h>

#include "front.h"
#include "ipc/session.h"
#include "sys/clock.h"
#include "sys/file.h"

enum {
	/* The role notices first that its output is not read, and says so in the log. */
	STALL_GRACE_MS = 10 * 1000,
};

static enum err on_secure(void *ctx, struct view early);
static enum err on_secured(void *ctx);
static void on_ended(void *ctx, const char *why);

static const struct relay_ops relay_ops = { on_secure, on_secured, on_ended };

bool front_ip_is_loopback(struct view ip)
{
	static const uint8_t one[16] = { [15] = 1 };

	return ip.n == 4 ? view_at(ip, 0) == 127 : view_eq(ip, view_of(one, sizeof(one)));
}

static struct backend *backend_of(struct session *s)
{
	return &s->front->backends[s->service->backend];
}

/* The process that knows the session, if it still lives. */
static struct ipc_chan *known_at(struct session *s)
{
	struct backend *b = backend_of(s);

	return s->generation && b->generation == s->generation ? b->chan : NULL;
}

static struct view ip_of(const struct session *s)
{
	return view_of(s->peer_ip, s->ip_n);
}

static void session_free(struct session *s)
{
	struct front *f = s->front;

	if (s->served) /* a session may have lasted for days */
		clients_served(&f->clients, ip_of(s), clock_mono_ms());

	f->open[front_service_index(s->service)]--;
	if (s->client)
		clients_close(&f->clients, s->client, clock_mono_ms());
	map_remove(&f->sessions, map_key_u64(&s->id));
	relay_done(&s->relay);
	free(s);
	front_check_stop(f);
}

static void log_tls_failed(struct session *s, const char *why)
{
	s->front->counters.tls_failed++;
	LOG_INFO("front.tls_failed", "a TLS handshake failed", LOG_ID("session", s->id),
		 LOG_STR("service", s->service->name), LOG_IP("address", ip_of(s)),
		 LOG_STR("why", why));
}

static void on_ended(void *ctx, const char *why)
{
	struct session *s = ctx;
	struct ipc_chan *chan = known_at(s);
	bool broken = why[0] != '\0';

	if (broken)
		s->front->counters.broken++;
	if (broken && s->relay.conn.ssl && !s->relay.conn.open)
		log_tls_failed(s, why);
	if (broken && chan) {
		struct session_gone m = { s->id, view_head(view_str(why), SESSION_GONE_WHY_MAX) };

		/* Before the stream ends: the role must know why. */
		if (!session_send_gone(chan, &m))
			ipc_chan_flush(chan);
	}
	session_free(s);
}

/* ---- handing over ---- */

static enum err send_open(struct session *s, const struct tls_info *tls)
{
	struct backend *b = backend_of(s);
	struct session_open m = {
		.session = s->id,
		.service = (uint8_t)s->service->number,
		.peer_ip = ip_of(s),
		.peer_port = s->peer_port,
		.local_ip = view_of(s->local_ip, s->ip_n),
		.local_port = s->local_port,
		.loopback = s->loopback,
		.known = clients_is_known(&s->front->clients, ip_of(s), clock_mono_ms()),
		.tls = tls != NULL,
	};
	int fd;
	enum err err;

	if (!b->chan)
		return ERR_BUSY;
	if (tls) {
		m.tls_version = view_str(tls->version);
		m.tls_cipher = view_str(tls->cipher);
		m.sni = view_head(tls->sni, SESSION_OPEN_SNI_MAX);
		m.binding_exporter = view_of(tls->exporter, tls->exporter_n);
		m.binding_end_point = view_of(tls->end_point, tls->end_point_n);
	}
	err = relay_open(&s->relay, &fd);
	if (err)
		return err;
	s->generation = b->generation;
	return session_send_open(b->chan, &m, fd);
}

static enum err send_secured(struct session *s, struct ipc_chan *chan, const struct tls_info *tls)
{
	struct session_secured m = {
		.session = s->id,
		.tls_version = view_str(tls->version),
		.tls_cipher = view_str(tls->cipher),
		.sni = view_head(tls->sni, SESSION_SECURED_SNI_MAX),
		.binding_exporter = view_of(tls->exporter, tls->exporter_n),
		.binding_end_point = view_of(tls->end_point, tls->end_point_n),
	};
	int fd;
	enum err err = relay_open(&s->relay, &fd);

	return err ? err : session_send_secured(chan, &m, fd);
}

static enum err on_secure(void *ctx, struct view early)
{
	struct session *s = ctx;

	return tls_conn_accept(&s->relay.conn, s->front->server, s->service->alpn, early);
}

static enum err on_secured(void *ctx)
{
	struct session *s = ctx;
	struct ipc_chan *chan = known_at(s);
	struct tls_info tls;

	tls_conn_info(&s->relay.conn, &tls);
	s->front->counters.handshakes++;
	if (tls.resumed)
		s->front->counters.resumed++;
	if (!s->generation)
		return send_open(s, &tls);
	/* The role was restarted during the handshake: nobody knows the session any more. */
	return chan ? send_secured(s, chan, &tls) : ERR_PEER;
}

static void find_local(struct session *s, int fd)
{
	struct sockaddr_storage here = { 0 };
	socklen_t n = sizeof(here);
	struct session_peer local = { 0 };

	if (!getsockname(fd, (struct sockaddr *)&here, &n))
		front_address(&here, &local);
	memcpy(s->local_ip, local.ip, sizeof(s->local_ip));
	s->local_port = local.port;
}

static struct session *session_new(struct front *f, const struct service_row *service, int fd,
				   const struct session_peer *peer, struct client *client)
{
	struct session *s = calloc(1, sizeof(*s));
	const struct config *c = role_config(f->role);

	if (!s)
		return NULL;
	s->front = f;
	s->service = service;
	s->client = client;
	s->id = random_u64();
	memcpy(s->peer_ip, peer->ip, sizeof(s->peer_ip));
	s->ip_n = peer->ip_n;
	s->peer_port = peer->port;
	s->loopback = front_ip_is_loopback(view_of(peer->ip, peer->ip_n));
	if (map_get(&f->sessions, map_key_u64(&s->id)) ||
	    map_put(&f->sessions, map_key_u64(&s->id), s)) {
		free(s);
		return NULL;
	}
	find_local(s, fd);
	f->open[front_service_index(service)]++;
	relay_init(&s->relay, role_loop(f->role), fd, &f->room, !service->implicit_tls, &relay_ops,
		   s);
	s->relay.times = (struct relay_times){
		.handshake_ms = (int64_t)c->tls_handshake_time,
		.stall_ms = (int64_t)c->imap_output_stall + STALL_GRACE_MS,
	};
	return s;
}

void front_session_begin(struct front *f, const struct service_row *service, int fd,
			 const struct session_peer *peer, struct client *client)
{
	struct session *s = session_new(f, service, fd, peer, client);

	if (!s) {
		if (client)
			clients_close(&f->clients, client, clock_mono_ms());
		fd_close(&fd);
		return;
	}
	if (service->implicit_tls)
		relay_handshake(&s->relay);
	else if (send_open(s, NULL))
		relay_end(&s->relay, "the role cannot take the connection");
}

/* ---- what the roles say ---- */

static enum err on_starttls(void *ctx, const struct session_starttls *m)
{
	struct backend *b = ctx;
	struct front *f = b->front;
	struct session *s = map_get(&f->sessions, map_key_u64(&m->session));

	/* The connection may have ended on the way. */
	if (!s || known_at(s) != b->chan)
		return OK;
	if (s->client && !client_may_shake(s->client, clock_mono_ms(),
					   (uint32_t)role_config(f->role)->tls_handshake_rate)) {
		f->counters.refused++;
		if (client_may_log(s->client, clock_mono_ms()))
			LOG_NOTICE("front.refused", "refused a TLS handshake",
				   LOG_STR("limit", "tls_handshake_rate"),
				   LOG_STR("service", s->service->name),
				   LOG_IP("address", ip_of(s)));
		relay_end(&s->relay, "too many TLS handshakes");
		return OK;
	}
	return relay_starttls(&s->relay);
}

static enum err on_load(void *ctx, const struct session_load *m)
{
	struct backend *b = ctx;

	b->sessions = m->sessions;
	b->busy = m->busy;
	return OK;
}

static enum err on_served(void *ctx, const struct session_served *m)
{
	struct backend *b = ctx;
	struct front *f = b->front;
	struct session *s = map_get(&f->sessions, map_key_u64(&m->session));

	if (!s || known_at(s) != b->chan)
		return OK;
	s->served = true;
	clients_served(&f->clients, ip_of(s), clock_mono_ms());
	return OK;
}

static const struct session_client_ops ops = {
	.starttls = on_starttls,
	.load = on_load,
	.served = on_served,
};

static enum err on_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	return session_client_dispatch(&ops, ctx, type, body, fd);
}

/* The streams of its sessions end by themselves; those that were given to mailboxes go on. */
static void on_closed(void *ctx, enum err why)
{
	struct backend *b = ctx;

	if (why != ERR_EOF)
		LOG_ERROR("front.backend", "a role broke the rules of its channel", LOG_ERR(why));
	ipc_chan_free(b->chan);
	b->chan = NULL;
}

static const struct ipc_ops ipc = { on_message, on_closed, NULL };

void front_backend_take(struct front *f, uint64_t id, int fd)
{
	struct backend *b = id < BACKENDS ? &f->backends[id] : NULL;

	if (!b) {
		fd_close(&fd);
		return;
	}
	ipc_chan_free(b->chan);
	b->front = f;
	b->busy = false;
	b->sessions = 0;
	b->generation++;
	if (ipc_chan_new(role_loop(f->role), fd, &session_channel, IPC_CLIENT, &ipc, b, &b->chan))
		b->chan = NULL;
}
