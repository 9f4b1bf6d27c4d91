/*
 * roles/smtp/conn.c: one connection: its stream, its session, its turns.
 *
 * A connection is freed when its stream has closed, or when front says that it is gone.  A turn runs the session
 * until it waits: for the client, for an answer, for its clock, or for room in the output.
 */
#include <arpa/inet.h>

#include "ipc/session.h"
#include "ipc/types.h"
#include "smtp_role.h"
#include "sys/clock.h"
#include "sys/file.h"

enum { TAG_SLOT_BITS = 16, TAG_SLOT_MASK = (1 << TAG_SLOT_BITS) - 1 };

struct conn *conn_by_session(struct smtp_role *r, uint64_t session)
{
	return map_get(&r->by_session, map_key_u64(&session));
}

uint32_t conn_tag(struct conn *c)
{
	struct smtp_role *r = c->role;

	/* Never 0; the serial tells a late answer to the slot's former owner from ours. */
	do
		c->tag = c->slot | ++r->tag_serial << TAG_SLOT_BITS;
	while (!c->tag);
	return c->tag;
}

struct conn *conn_by_tag(struct smtp_role *r, uint32_t tag)
{
	struct conn *c = r->slots[tag & TAG_SLOT_MASK];

	return c && c->speaking && c->tag == tag && tag ? c : NULL;
}

/* Storage for a session's sink. */

static enum err sink_write(void *ctx, struct view bytes)
{
	return message_write(ctx, bytes);
}

static void sink_abort(void *ctx)
{
	message_done(ctx);
}

/* Life. */

void conn_free(struct conn *c)
{
	struct smtp_role *r = c->role;

	loop_timer_done(&c->timer);
	if (c->speaking) {
		smtp_session_eof(&c->smtp);
		ask_auth_sync(c);
		smtp_session_done(&c->smtp);
	}
	if (c->streaming)
		stream_done(&c->stream);
	message_done(c);
	map_remove(&r->by_session, map_key_u64(&c->session));
	r->slots[c->slot] = NULL;
	r->conns--;
	smtp_options_pressure(r);
	free(c);
	if (r->stopping && !r->conns)
		role_exit(r->role, 0);
}

static void on_input(void *ctx)
{
	conn_turn(ctx);
}

static void on_drained(void *ctx)
{
	struct conn *c = ctx;

	if (c->out_full && !c->closing && !c->handshaking)
		conn_turn(c);
}

static void on_closed(void *ctx, enum err why)
{
	struct conn *c = ctx;

	if (!c->handshaking) {
		conn_free(c);
		return;
	}
	/* The clear stream is over; the next one comes from front. */
	stream_done(&c->stream);
	c->streaming = false;
}

static const struct stream_ops stream_ops = { on_input, on_drained, on_closed };

static void on_timer(void *ctx)
{
	struct conn *c = ctx;

	if (c->handshaking || c->closing)
		conn_free(c);
	else
		conn_turn(c);
}

static void binding_set(struct conn *c, struct view exporter, struct view end_point)
{
	c->exporter_n = size_min(exporter.n, BINDING_MAX);
	c->end_point_n = size_min(end_point.n, BINDING_MAX);
	if (c->exporter_n)
		memcpy(c->exporter, exporter.p, c->exporter_n);
	if (c->end_point_n)
		memcpy(c->end_point, end_point.p, c->end_point_n);
}

static void tls_set(struct conn *c, struct view version, struct view cipher)
{
	c->tls = true;
	snprintf(c->tls_text, sizeof(c->tls_text), VIEW_FMT " with cipher " VIEW_FMT,
		 VIEW_ARG(version), VIEW_ARG(cipher));
}

/* Begin to speak over a stream. */
static void conn_speak(struct conn *c, int fd, bool after_starttls)
{
	struct smtp_role *r = c->role;
	bool limited = !c->loopback || role_config(r->role)->loopback_limits;
	struct smtp_peer peer = {
		.address = view_str(c->ip_text),
		.tls = c->tls,
		.tls_text = view_str(c->tls_text),
		.carry = after_starttls ? &c->carry : NULL,
		.no_greeting_wait = c->known || !limited,
	};
	struct smtp_sink sink = { c, sink_write, sink_abort };

	smtp_session_init(&c->smtp, smtp_options_for(r, c), &peer, &sink);
	c->speaking = true;
	stream_init(&c->stream, role_loop(r->role), fd, CONN_IN_MAX, CONN_OUT_MAX, &stream_ops, c);
	c->streaming = true;
	conn_turn(c);
}

static struct conn *conn_new(struct smtp_role *r, uint64_t session)
{
	struct conn *c;

	for (size_t tries = 0; tries < CONNS_MAX && r->slots[r->slot_next]; tries++)
		r->slot_next = (r->slot_next + 1) % CONNS_MAX;
	if (r->slots[r->slot_next] || conn_by_session(r, session))
		return NULL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	*c = (struct conn){ .role = r, .session = session, .slot = r->slot_next };
	if (map_put(&r->by_session, map_key_u64(&session), c)) {
		free(c);
		return NULL;
	}
	r->slots[c->slot] = c;
	r->slot_next = (r->slot_next + 1) % CONNS_MAX;
	r->conns++;
	smtp_options_pressure(r);
	message_init(&c->message);
	loop_timer_init(&c->timer, role_loop(r->role), on_timer, c);
	return c;
}

void conn_open(struct smtp_role *r, const struct session_open *m, int fd)
{
	struct conn *c = r->stopping ? NULL : conn_new(r, m->session);

	if (!c) {
		LOG_WARNING("smtp.full", "no room for a connection", LOG_ID("session", m->session));
		fd_close(&fd);
		return;
	}
	c->service = m->service;
	c->loopback = m->loopback;
	c->known = m->known;
	c->ip_n = m->peer_ip.n;
	memcpy(c->ip, m->peer_ip.p, m->peer_ip.n);
	if (!inet_ntop(c->ip_n == 4 ? AF_INET : AF_INET6, c->ip, c->ip_text, sizeof(c->ip_text)))
		c->ip_text[0] = '\0';
	if (m->tls)
		tls_set(c, m->tls_version, m->tls_cipher);
	binding_set(c, m->binding_exporter, m->binding_end_point);
	LOG_DEBUG("smtp.open", "a connection", LOG_ID("session", c->session),
		  LOG_IP("ip", m->peer_ip), LOG_UINT("service", c->service));
	conn_speak(c, fd, false);
}

void conn_secured(struct conn *c, const struct session_secured *m, int fd)
{
	if (!c->handshaking) {
		fd_close(&fd);
		return;
	}
	c->handshaking = false;
	if (c->streaming)
		stream_done(&c->stream);
	c->streaming = false;
	tls_set(c, m->tls_version, m->tls_cipher);
	binding_set(c, m->binding_exporter, m->binding_end_point);
	conn_speak(c, fd, true);
}

void conn_shutdown_all(struct smtp_role *r, uint64_t account)
{
	for (uint32_t i = 0; i < CONNS_MAX; i++) {
		struct conn *c = r->slots[i];
		uint64_t of = 0;

		if (!c)
			continue;
		if (c->speaking)
			smtp_session_account(&c->smtp, &of);
		if (account && of != account)
			continue;
		if (!c->speaking) {
			conn_free(c);
			continue;
		}
		smtp_session_shutdown(&c->smtp);
		conn_turn(c);
	}
}

/* Turns. */

static void timer_set(struct conn *c, int64_t now, int64_t ms)
{
	c->timer_ms = now + ms;
	loop_timer_set(&c->timer, ms);
}

/* Nothing of the clear session is left but what it has used up; octets that came too early end the
 * connection.  RFC 3207#4.2 */
static void conn_starttls(struct conn *c)
{
	struct session_starttls m = { .session = c->session };

	c->carry = smtp_session_carry(&c->smtp);
	smtp_session_done(&c->smtp);
	c->speaking = false;
	if (c->stream.in.n || !c->role->session || session_send_starttls(c->role->session, &m)) {
		LOG_NOTICE("smtp.starttls_refused", "octets behind STARTTLS",
			   LOG_ID("session", c->session));
		c->closing = true;
	} else {
		c->handshaking = true;
		/*
		 * Front must know before the client can answer the 220: else it would take the
		 * beginning of the handshake for clear text behind STARTTLS.
		 */
		ipc_chan_flush(c->role->session);
	}
	stream_flush(&c->stream);
	stream_finish(&c->stream);
	timer_set(c, clock_mono_ms(), CONN_HANDSHAKE_MS);
}

static void conn_finish(struct conn *c)
{
	c->closing = true;
	stream_finish(&c->stream);
	timer_set(c, clock_mono_ms(), CONN_HANDSHAKE_MS); /* a client that does not read */
}

static void timer_rearm(struct conn *c)
{
	int64_t at = smtp_session_deadline(&c->smtp);
	int64_t now = clock_mono_ms();

	/* A deadline moves on with every command: one look too early costs less than setting it anew. */
	if (at != INT64_MAX && !(loop_timer_is_set(&c->timer) && c->timer_ms <= at))
		timer_set(c, now, at > now ? at - now : 0);
}

/* Why a message was refused or the session ended, as the client was told. */
static void log_note(struct conn *c)
{
	enum smtp_verdict v = smtp_session_note(&c->smtp);
	const struct smtp_verdict_row *row = smtp_verdict_row(v);

	if (v == SMTP_V_OK)
		return;
	log_event(LOG_LEVEL_INFO, row->close ? "smtp.ended" : "smtp.refused",
		  row->close ? "ended a connection" : "refused a message",
		  (struct log_field[]){
			  LOG_ID("session", c->session), LOG_IP("ip", view_of(c->ip, c->ip_n)),
			  LOG_UINT("code", row->code), LOG_STR("status", row->enhanced),
			  LOG_STR("why", row->text) },
		  5);
}

/* One step of the session; false: it waits. */
static bool conn_step(struct conn *c)
{
	struct smtp_session *s = &c->smtp;
	int64_t wall = clock_wall();
	size_t used = 0;
	bool moved = false;

	smtp_session_clock(s, clock_mono_ms(), wall, clock_zone(wall));
	c->out_full = stream_out_waiting(&c->stream) > c->stream.out_high;
	if (!c->out_full) {
		smtp_session_input(s, buf_view(&c->stream.in), &used);
		buf_consume(&c->stream.in, used);
		moved = used;
	}
	log_note(c);

	struct view out = smtp_session_output(s);

	if (out.n) {
		stream_write(&c->stream, out);
		smtp_session_sent(s, out.n);
		moved = true;
	}
	if (c->tag)
		return false; /* asked, not answered */
	return ask_perform(c) || moved;
}

void conn_turn(struct conn *c)
{
	if (!c->speaking || c->closing || !c->streaming)
		return;
	while (conn_step(c))
		ask_auth_sync(c);
	ask_auth_sync(c);
	switch (smtp_session_request(&c->smtp)->action) {
	case SMTP_ASK_STARTTLS: conn_starttls(c); return;
	case SMTP_ASK_CLOSE: conn_finish(c); return;
	default: timer_rearm(c);
	}
	/* Reading goes on only when what was read could be taken; a client's end, too, waits for the answer. */
	if (c->tag)
		stream_pause(&c->stream);
	else if (c->stream.paused)
		stream_resume(&c->stream);
}
