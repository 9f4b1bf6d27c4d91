/*
 * roles/login/conn.c: the life of a connection: opened, perhaps secured, and gone.
 */
#include <sodium.h>

#include "login.h"
#include "sys/file.h"

struct conn *conn_by_session(struct login_server *s, uint64_t session)
{
	return map_get(&s->sessions, map_key_u64(&session));
}

struct conn *conn_by_tag(struct login_server *s, uint32_t tag)
{
	return map_get(&s->tags, view_of(&tag, sizeof(tag)));
}

void conn_forget_tag(struct conn *c)
{
	if (c->tag)
		(void)map_remove(&c->server->tags, view_of(&c->tag, sizeof(c->tag)));
	c->tag = 0;
	c->asked = false;
}

void conn_cancel(struct conn *c)
{
	struct authn_cancel m = { .tag = c->tag };

	if (c->tag && c->server->authn && authn_send_cancel(c->server->authn, &m))
		LOG_WARNING("login.auth", "auth could not be told", LOG_ID("session", c->session));
	conn_forget_tag(c);
}

void conn_free(struct conn *c)
{
	struct login_server *s = c->server;

	conn_cancel(c);
	if (c->streaming)
		stream_done(&c->stream);
	loop_timer_done(&c->timer);
	login_session_free(c->login);
	(void)map_remove(&s->sessions, map_key_u64(&c->session));
	sodium_memzero(c->ticket, sizeof(c->ticket));
	free(c);
	loop_defer_add(&s->tell_load);
	if (s->stopping && s->sessions.n == 0)
		role_exit(s->role, 0);
}

static void on_input(void *ctx)
{
	conn_turn(ctx);
}

static void on_drained(void *ctx)
{
	conn_turn(ctx);
}

static void on_closed(void *ctx, enum err why)
{
	struct conn *c = ctx;

	/* In clear, before the handshake: the next stream comes from front. */
	if (c->login->request.ask == LOGIN_ASK_STARTTLS && why == ERR_EOF) {
		stream_done(&c->stream);
		c->streaming = false;
		return;
	}
	conn_free(c);
}

static const struct stream_ops stream_ops = { on_input, on_drained, on_closed };

static void on_time(void *ctx)
{
	struct conn *c = ctx;

	if (c->closing || !c->streaming) { /* it does not even read our goodbye, or the handshake */
		conn_free(c);
		return;
	}
	/* With the supervisor: it will answer, or its channel end. */
	if (c->attaching)
		return;
	LOG_INFO("login.timeout", "not logged in within preauth_time",
		 LOG_ID("session", c->session));
	conn_cancel(c);
	login_session_end(c->login, "Time to log in is over");
	conn_turn(c);
}

static void speak(struct conn *c, int fd)
{
	stream_init(&c->stream, role_loop(c->server->role), fd, LOGIN_INPUT_MAX, LOGIN_OUTPUT_MAX,
		    &stream_ops, c);
	c->streaming = true;
	conn_turn(c);
}

static uint8_t keep(uint8_t *room, size_t max, struct view v)
{
	size_t n = size_min(v.n, max);

	if (n)
		memcpy(room, v.p, n);
	return (uint8_t)n;
}

static void keep_bindings(struct conn *c, struct view exporter, struct view end_point)
{
	c->exporter_n = keep(c->exporter, sizeof(c->exporter), exporter);
	c->end_point_n = keep(c->end_point, sizeof(c->end_point), end_point);
}

static struct conn *conn_new(struct login_server *s, const struct session_open *m)
{
	struct conn *c = calloc(1, sizeof(*c));
	struct login_peer peer = { m->service, m->tls,
				   m->binding_exporter.n > 0 || m->binding_end_point.n > 0 };

	if (!c)
		return NULL;
	c->server = s;
	c->session = m->session;
	c->service = m->service;
	c->peer_port = m->peer_port;
	c->loopback = m->loopback;
	c->tls = m->tls;
	c->peer_ip_n = keep(c->peer_ip, sizeof(c->peer_ip), m->peer_ip);
	keep_bindings(c, m->binding_exporter, m->binding_end_point);
	if (login_session_new(&s->config, &peer, &c->login)) {
		free(c);
		return NULL;
	}
	if (map_put(&s->sessions, map_key_u64(&c->session), c)) {
		login_session_free(c->login);
		free(c);
		return NULL;
	}
	loop_timer_init(&c->timer, role_loop(s->role), on_time, c);
	return c;
}

void conn_open(struct login_server *s, const struct session_open *m, int fd)
{
	const struct config *config = role_config(s->role);
	struct conn *c = NULL;

	if (!conn_by_session(s, m->session) && login_service_known(m->service))
		c = conn_new(s, m);
	if (!c) {
		s->refused++;
		LOG_WARNING("login.refused", "a connection cannot be served",
			    LOG_ID("session", m->session), LOG_UINT("service", m->service));
		fd_close(&fd);
		return;
	}
	s->opened++;
	loop_timer_set(&c->timer, (int64_t)config->preauth_time);
	loop_defer_add(&s->tell_load);
	if (s->sessions.n > login_sessions_max(s) || s->stopping) {
		s->refused++;
		login_session_end(c->login, "Too many connections, try again later");
	}
	speak(c, fd);
}

void conn_secured(struct login_server *s, const struct session_secured *m, int fd)
{
	struct conn *c = conn_by_session(s, m->session);
	bool can_bind = m->binding_exporter.n > 0 || m->binding_end_point.n > 0;

	if (!c || c->login->request.ask != LOGIN_ASK_STARTTLS) {
		fd_close(&fd); /* it ended meanwhile */
		return;
	}
	if (c->streaming)
		stream_done(&c->stream);
	c->streaming = false;
	if (login_session_secured(c->login, can_bind)) {
		fd_close(&fd);
		conn_free(c);
		return;
	}
	c->tls = true;
	keep_bindings(c, m->binding_exporter, m->binding_end_point);
	speak(c, fd);
}

/* ---- all of them ---- */

/* fn may free the connection it is given, and no other. */
static void each(struct login_server *s, void (*fn)(struct conn *c, const char *reason),
		 const char *reason)
{
	size_t n = s->sessions.n;
	struct conn **all = calloc(size_max(n, 1), sizeof(struct conn *));
	struct view key;
	void *value;
	size_t at = 0;
	size_t count = 0;

	if (!all)
		return;
	while (count < n && map_next(&s->sessions, &at, &key, &value))
		all[count++] = value;
	for (size_t i = 0; i < count; i++)
		fn(all[i], reason);
	free(all);
}

static void end_one(struct conn *c, const char *reason)
{
	if (c->attaching)
		return;
	if (!c->streaming) { /* between two streams */
		conn_free(c);
		return;
	}
	conn_cancel(c);
	login_session_end(c->login, reason);
	conn_turn(c);
}

static void drop_one(struct conn *c, const char *reason)
{
	conn_free(c);
}

static void auth_lost_one(struct conn *c, const char *reason)
{
	if (!c->tag)
		return;
	conn_forget_tag(c);
	conn_failure(c, AUTHN_TEMPORARY);
}

static void attach_lost_one(struct conn *c, const char *reason)
{
	if (c->attaching)
		conn_attached(c, ATTACH_TEMPORARY);
}

void conn_end_all(struct login_server *s, const char *reason)
{
	each(s, end_one, reason);
}

void conn_drop_all(struct login_server *s)
{
	each(s, drop_one, NULL);
}

void conn_auth_lost(struct login_server *s)
{
	each(s, auth_lost_one, NULL);
}

void conn_attach_lost(struct login_server *s)
{
	each(s, attach_lost_one, NULL);
}
