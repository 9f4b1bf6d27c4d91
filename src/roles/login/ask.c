/*
 * roles/login/ask.c: what sessions ask of others, and the turns that the answers lead to.
 *
 * Passwords pass through here on their way to auth and are kept nowhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>

#include "login.h"
#include "sys/file.h"

enum { GOODBYE_MS = 5000 }; /* for a client that does not read its last reply */

/* ---- auth ---- */

static enum err new_tag(struct conn *c)
{
	struct login_server *s = c->server;

	do
		c->tag = ++s->last_tag;
	while (c->tag == 0 || conn_by_tag(s, c->tag));
	return map_put(&s->tags, view_of(&c->tag, sizeof(c->tag)), c);
}

static enum err send_start(struct conn *c)
{
	const struct login_request *r = &c->login->request;
	struct authn_start m = {
		.session = c->session,
		.service = (uint8_t)c->service,
		.mechanism = r->mechanism,
		.has_initial = r->has_initial,
		.initial = r->sasl,
		.peer_ip = view_of(c->peer_ip, c->peer_ip_n),
		.loopback = c->loopback,
		.tls = c->tls,
		.binding_exporter = view_of(c->exporter, c->exporter_n),
		.binding_end_point = view_of(c->end_point, c->end_point_n),
	};
	enum err err;

	if (!c->server->authn)
		return ERR_PEER;
	err = new_tag(c);
	if (err)
		return err;
	m.tag = c->tag;
	return authn_send_start(c->server->authn, &m);
}

static enum err send_step(struct conn *c)
{
	struct authn_step m = { .tag = c->tag, .response = c->login->request.sasl };

	return c->tag && c->server->authn ? authn_send_step(c->server->authn, &m) : ERR_PEER;
}

/* True if it could not even be asked. */
static bool ask_auth(struct conn *c, enum err err)
{
	if (!err) {
		c->asked = true;
		return false;
	}
	conn_forget_tag(c);
	login_session_failure(c->login, AUTHN_TEMPORARY);
	return true;
}

void conn_challenge(struct conn *c, struct view text)
{
	c->asked = false;
	login_session_challenge(c->login, text);
	conn_turn(c);
}

/* Front keeps room for this client from now on. */
static void tell_served(struct conn *c)
{
	struct session_served m = { .session = c->session };

	if (c->server->front && session_send_served(c->server->front, &m))
		LOG_WARNING("login.front", "front could not be told",
			    LOG_ID("session", c->session));
}

void conn_success(struct conn *c, const struct authn_success *m)
{
	conn_forget_tag(c);
	tell_served(c);
	c->ticket_n = (uint8_t)m->ticket.n;
	if (m->ticket.n)
		memcpy(c->ticket, m->ticket.p, m->ticket.n);
	login_session_success(c->login, m->final);
	conn_turn(c);
}

void conn_failure(struct conn *c, enum authn_failure_kind kind)
{
	conn_forget_tag(c);
	login_session_failure(c->login, kind);
	conn_turn(c);
}

static void cancel(struct conn *c)
{
	conn_cancel(c);
	sodium_memzero(c->ticket, sizeof(c->ticket));
	login_session_cancelled(c->login);
}

/* ---- the supervisor ---- */

/* What the client sent ahead goes along; our descriptor stays until the answer. */
static enum err send_attach(struct conn *c)
{
	struct attach_attach m = {
		.session = c->session,
		.ticket = view_of(c->ticket, c->ticket_n),
		.service = (uint8_t)c->service,
		.peer_ip = view_of(c->peer_ip, c->peer_ip_n),
		.peer_port = c->peer_port,
		.tag = c->login->request.tag,
		.pending = buf_view(&c->stream.in),
	};
	int fd;

	_Static_assert((int)LOGIN_INPUT_MAX <= ATTACH_ATTACH_PENDING_MAX, "fits the message");
	if (!c->server->attach)
		return ERR_PEER;
	fd = fcntl(c->stream.io.fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0) {
		LOG_ERROR("login.descriptor", "a descriptor cannot be copied", LOG_ERRNO());
		return ERR_IO;
	}
	return attach_send_attach(c->server->attach, &m, fd);
}

/* True when it was refused at once.  Our last words must have left before; else try when they have. */
static bool ask_attach(struct conn *c)
{
	enum err err;

	stream_flush(&c->stream);
	if (c->stream.ended || stream_out_waiting(&c->stream) > 0)
		return false;
	err = send_attach(c);
	sodium_memzero(c->ticket, sizeof(c->ticket));
	if (err) {
		login_session_refused(c->login, ATTACH_TEMPORARY);
		return true;
	}
	/* What the client sends from now on is for the mailbox process to read. */
	stream_pause(&c->stream);
	c->attaching = true;
	return false;
}

static void flush_output(struct conn *c)
{
	stream_write(&c->stream, buf_view(&c->login->out));
	buf_clear(&c->login->out);
}

void conn_attached(struct conn *c, enum attach_status status)
{
	if (status == ATTACH_OK) {
		c->server->attached++;
		conn_free(c); /* our copy of the descriptor only */
		return;
	}
	LOG_WARNING("login.attach", "a session could not be handed over",
		    LOG_ID("session", c->session), LOG_UINT("status", status));
	c->attaching = false;
	login_session_refused(c->login, status);
	flush_output(c);
	stream_resume(&c->stream);
}

/* ---- front ---- */

/* True if it is not possible. */
static bool start_tls(struct conn *c)
{
	struct session_starttls m = { .session = c->session };

	if (!c->server->front || session_send_starttls(c->server->front, &m)) {
		login_session_end(c->login, "TLS is not possible now");
		return true;
	}
	/* Front must know before the client can answer our OK with the beginning of the handshake. */
	ipc_chan_flush(c->server->front);
	stream_flush(&c->stream);
	stream_finish(&c->stream);
	return false;
}

/* ---- turns ---- */

/* Our last words leave, then the stream ends, and with it the connection. */
static void close_conn(struct conn *c)
{
	c->closing = true;
	LOG_INFO("login.closed", "a connection was closed before log-in",
		 LOG_ID("session", c->session), LOG_STR("why", c->login->request.why));
	loop_timer_set(&c->timer, GOODBYE_MS);
	stream_finish(&c->stream);
}

/* True when the request was answered at once and the session can go on. */
static bool perform(struct conn *c)
{
	switch (c->login->request.ask) {
	case LOGIN_ASK_START: return ask_auth(c, send_start(c));
	case LOGIN_ASK_STEP: return ask_auth(c, send_step(c));
	case LOGIN_ASK_CANCEL: cancel(c); return true;
	case LOGIN_ASK_ATTACH: return ask_attach(c);
	case LOGIN_ASK_STARTTLS: return start_tls(c);
	case LOGIN_ASK_CLOSE: close_conn(c); return false;
	case LOGIN_ASK_NOTHING: return false;
	}
	return false;
}

static bool is_waiting(const struct conn *c)
{
	return !c->streaming || c->closing || c->asked || c->attaching || c->stream.ended ||
	       c->stream.closing;
}

void conn_turn(struct conn *c)
{
	struct login_session *login = c->login;

	if (is_waiting(c))
		return;
	do {
		if (login->request.ask == LOGIN_ASK_NOTHING)
			stream_consume(&c->stream,
				       login_session_input(login, buf_view(&c->stream.in)));
		flush_output(c);
	} while (perform(c));
}
