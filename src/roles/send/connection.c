/*
 * roles/send/connection.c: one connection to a remote server, and those that follow it when it fails.
 *
 * A connection object goes through the steps of its destination's plan until one of them is of use; each
 * attempt is a session of front with a number of its own.  TLS is opportunistic: where the handshake
 * comes to nothing the same server is tried again in clear, and the log says so.
 *
 * Invariant: stream and client are in use exactly while open is set.  connection_turn may free.
 */
#include "send.h"
#include "sys/clock.h"

enum {
	STREAM_IN = 16 * 1024,
	STREAM_OUT = 256 * 1024,
	STREAM_OUT_HIGH = 64 * 1024, /* above this nothing is moved from the client to the stream */
	DOT_STAGES = 2 /* the reply to the final dot may take twice send_stage_time */
};

static void try_next(struct connection *c, size_t from);

/* ---- life ---- */

/* The session is over on our side. */
static void close_session(struct connection *c)
{
	if (c->open) {
		stream_done(&c->stream);
		smtp_client_done(&c->client);
	}
	if (c->session) {
		map_remove(&c->destination->send->by_session, map_key_u64(&c->session));
		if (c->state == CONNECTION_OPENING)
			c->destination->send->opening_n--;
	}
	loop_timer_cancel(&c->timer);
	c->session = 0;
	c->open = c->ready = c->idle = c->verified = false;
	c->why_n = 0;
	c->messages = 0;
}

void connection_free(struct connection *c)
{
	struct destination *d = c->destination;

	close_session(c);
	loop_timer_done(&c->timer);
	*c->before = c->next;
	if (c->next)
		c->next->before = c->before;
	d->connection_n--;
	d->send->connection_n--;
	if (c->job)
		job_body_close(c->job);
	free(c->rcpts);
	body_end(c);
	free(c);
	destination_dispatch(d->send);
}

static void on_timer(void *ctx)
{
	struct connection *c = ctx;

	if (c->state == CONNECTION_SECURING) {
		smtp_client_tls_done(&c->client, false);
		connection_turn(c);
	} else if (c->idle) {
		connection_quit(c);
	} else if (c->client.stage == SMTP_STAGE_QUIT) {
		connection_free(c);
	} else {
		connection_turn(c);
	}
}

enum err connection_new(struct destination *d, struct job *j)
{
	struct connection *c = calloc(1, sizeof(*c));

	if (!c)
		return ERR_NOMEM;
	c->destination = d;
	c->generation = d->generation;
	c->job = j;
	loop_timer_init(&c->timer, d->send->loop, on_timer, c);
	c->next = d->connections;
	c->before = &d->connections;
	if (c->next)
		c->next->before = &c->next;
	d->connections = c;
	d->connection_n++;
	d->send->connection_n++;
	try_next(c, 0);
	return OK;
}

/* ---- attempts ---- */

/* Nothing of the plan is left for it. */
static void give_up(struct connection *c)
{
	struct destination *d = c->destination;
	struct job *j = c->job;

	connection_free(c);
	destination_exhausted(d, j);
}

static uint16_t port_of(const struct send *s)
{
	const struct config *config = send_config(s);
	uint16_t port = (uint16_t)config->send_port;
	struct view host;

	/* A smart host that cannot be read has no plan, and never comes here. */
	if (dns_endpoint_parse(view_str(config->smart_host), port, &host, &port))
		port = (uint16_t)config->send_port;
	return port;
}

static void set_words(char *room, size_t max, size_t *ret_n, struct view text)
{
	*ret_n = size_min(text.n, max);
	if (*ret_n)
		memcpy(room, text.p, *ret_n);
}

static enum err open_session(struct connection *c)
{
	struct send *s = c->destination->send;
	struct connect_open m = { .ip = dns_ip_view(&c->ip), .port = port_of(s) };
	enum err err;

	if (!s->connect)
		return ERR_PEER;
	c->session = m.session = ++s->last_session;
	c->state = CONNECTION_OPENING;
	set_words(c->tls, sizeof(c->tls), &c->tls_n, VIEW("none"));
	err = map_put(&s->by_session, map_key_u64(&c->session), c);
	if (err) {
		c->session = 0;
		return err;
	}
	s->opening_n++;
	return connect_send_open(s->connect, &m);
}

/* The step c->step, or once more the same server. */
static void try_step(struct connection *c)
{
	struct verdict v;

	if (!open_session(c))
		return;
	verdict_ours(&v, TRANSFER_DEFERRED, "4.3.2", "no connection can be made at the moment");
	destination_step_failed(c->destination, c, &v);
	close_session(c);
	give_up(c);
}

static void try_next(struct connection *c, size_t from)
{
	struct destination *d = c->destination;
	struct view host;

	if (!destination_next_step(d, c->generation, from, &c->step)) {
		give_up(c);
		return;
	}
	host = plan_host_name(&d->plan, d->plan.steps[c->step].host);
	set_words(c->host, sizeof(c->host), &c->host_n, host);
	c->ip = d->plan.steps[c->step].ip;
	c->clear = false;
	try_step(c);
}

/* This server is of no use; the next one may be. */
static void step_failed(struct connection *c, const struct verdict *v)
{
	LOG_INFO("send.step", "a mail server could not be used", LOG_ID("session", c->session),
		 LOG_VIEW("host", connection_host(c)), LOG_IP("ip", dns_ip_view(&c->ip)),
		 LOG_STR("status", v->enhanced), LOG_VIEW("reply", verdict_text(v)));
	destination_step_failed(c->destination, c, v);
	close_session(c);
	try_next(c, c->step + 1);
}

/* ---- the dialogue ends ---- */

static bool is_tls_failure(enum smtp_client_end end)
{
	return end == SMTP_END_TLS_REFUSED || end == SMTP_END_TLS_INJECTED ||
	       end == SMTP_END_TLS_FAILED;
}

static void continue_in_clear(struct connection *c)
{
	c->destination->send->counters.tls_failed++;
	LOG_NOTICE("send.tls_failed",
		   "a server offers TLS that does not come about; going on without, which "
		   "opportunistic TLS allows",
		   LOG_ID("session", c->session), LOG_VIEW("host", connection_host(c)),
		   LOG_IP("ip", dns_ip_view(&c->ip)), LOG_VIEW("why", view_of(c->why, c->why_n)));
	close_session(c);
	c->clear = true;
	try_step(c);
}

static void ended_unused(struct connection *c)
{
	struct verdict v;

	if (is_tls_failure(c->client.end) && !c->clear) {
		continue_in_clear(c);
		return;
	}
	verdict_of_end(&v, &c->client, connection_host(c), view_of(c->why, c->why_n));
	step_failed(c, &v);
}

/* The client wants to close: what its job does now depends on how far the connection came. */
static void ended(struct connection *c)
{
	struct destination *d = c->destination;
	struct job *j = c->job;

	stream_flush(&c->stream);
	if (!c->ready) {
		ended_unused(c);
	} else if (!j) {
		connection_free(c);
	} else if (c->messages > 1 && j->retries < JOB_RETRIES_MAX) {
		/* A used connection may have been closed for reasons that are not the job's. */
		j->retries++;
		connection_free(c);
		destination_push_front(d, j);
	} else {
		ended_unused(c);
	}
}

/* ---- turns ---- */

static bool move_output(struct connection *c)
{
	struct view out = smtp_client_output(&c->client);

	if (!out.n)
		return true;
	if (stream_out_waiting(&c->stream) > STREAM_OUT_HIGH)
		return false;
	stream_write(&c->stream, out);
	smtp_client_sent(&c->client, out.n);
	return true;
}

static void set_timer(struct connection *c)
{
	int64_t left = smtp_client_deadline(&c->client) - clock_mono_ms();

	if (c->idle)
		left = (int64_t)send_config(c->destination->send)->send_reuse_idle;
	else if (c->client.stage == SMTP_STAGE_QUIT)
		left = QUIT_MS;
	loop_timer_set(&c->timer, left > 0 ? left : 0);
}

/* The old stream ends, which is how front knows that nothing in clear follows. */
static void secure(struct connection *c)
{
	struct send *s = c->destination->send;
	char room[DNS_IP_TEXT_MAX];
	struct connect_starttls m = { .session = c->session, .name = connection_host(c) };
	enum err err = ERR_PEER;

	if (c->host[0] == '[')
		m.name = dns_ip_text(&c->ip, room);
	if (s->connect)
		err = connect_send_starttls(s->connect, &m);
	if (err) {
		smtp_client_abort(&c->client, SMTP_END_ABORTED);
		ended(c);
		return;
	}
	ipc_chan_flush(s->connect);
	stream_done(&c->stream);
	c->state = CONNECTION_SECURING;
	loop_timer_set(&c->timer, SECURE_MS);
}

void connection_turn(struct connection *c)
{
	smtp_client_clock(&c->client, clock_mono_ms());
	for (;;) {
		bool more = false;

		(void)move_output(c);
		switch (smtp_client_request(&c->client)) {
		case SMTP_CLIENT_WAIT: break;
		case SMTP_CLIENT_STARTTLS: secure(c); return;
		case SMTP_CLIENT_READY: more = dialogue_ready(c); break;
		case SMTP_CLIENT_BODY: more = body_feed(c); break;
		case SMTP_CLIENT_REPORT:
			dialogue_report(c);
			more = true;
			break;
		case SMTP_CLIENT_CLOSE: ended(c); return;
		}
		if (!more)
			break;
	}
	set_timer(c);
}

void connection_wake(struct connection *c)
{
	c->idle = false;
	connection_turn(c);
}

void connection_quit(struct connection *c)
{
	c->idle = false;
	smtp_client_quit(&c->client);
	connection_turn(c);
}

/* ---- the stream ---- */

static void on_input(void *ctx)
{
	struct connection *c = ctx;

	smtp_client_input(&c->client, buf_view(&c->stream.in));
	buf_clear(&c->stream.in);
	c->idle = false;
	connection_turn(c);
}

static void on_drained(void *ctx)
{
	connection_turn(ctx);
}

static void on_closed(void *ctx, enum err why)
{
	struct connection *c = ctx;

	c->idle = false;
	smtp_client_eof(&c->client);
	connection_turn(c);
}

static const struct stream_ops stream_ops = { on_input, on_drained, on_closed };

static void begin_stream(struct connection *c, int fd)
{
	c->state = CONNECTION_TALKING;
	stream_init(&c->stream, c->destination->send->loop, fd, STREAM_IN, STREAM_OUT, &stream_ops,
		    c);
}

/* ---- front's answers ---- */

static struct connection *find(struct send *s, uint64_t session, enum connection_state state)
{
	struct connection *c = map_get(&s->by_session, map_key_u64(&session));

	return c && c->state == state ? c : NULL;
}

/* An address of ours connects from itself. */
static bool is_self(const struct connection *c, const struct connect_opened *m)
{
	struct dns_ip local;

	return !c->destination->plan.private_ok && !dns_ip_from_octets(m->local_ip, &local) &&
	       view_eq(dns_ip_view(&local), dns_ip_view(&c->ip));
}

static void begin_dialogue(struct connection *c, int fd)
{
	struct send *s = c->destination->send;
	const struct config *config = send_config(s);

	s->opening_n--;
	s->counters.connections++;
	begin_stream(c, fd);
	c->config = (struct smtp_client_config){
		.hello = view_str(config->hostname),
		.tls = c->clear ? SMTP_CLIENT_TLS_NONE : SMTP_CLIENT_TLS_MAY,
		.stage_ms = (int64_t)config->send_stage_time,
		.dot_ms = (int64_t)config->send_stage_time * DOT_STAGES,
		.session_ms = (int64_t)config->send_session_time,
		.reply_line = config->reply_line,
		.reply_lines = config->reply_lines,
	};
	smtp_client_init(&c->client, &c->config, clock_mono_ms());
	c->open = true;
	set_timer(c);
}

enum err connection_opened(struct send *s, const struct connect_opened *m, int *fd)
{
	struct connection *c = find(s, m->session, CONNECTION_OPENING);
	char room[DNS_IP_TEXT_MAX];
	struct verdict v;

	if (!c)
		return OK; /* given up meanwhile; the descriptor is closed behind us */
	if (m->ok && *fd < 0)
		return ERR_PEER;
	if (!m->ok)
		verdict_ours(&v, TRANSFER_DEFERRED, "4.4.1",
			     "no connection to " VIEW_FMT " at " VIEW_FMT ": " VIEW_FMT,
			     VIEW_ARG(connection_host(c)), VIEW_ARG(dns_ip_text(&c->ip, room)),
			     VIEW_ARG(m->why));
	else if (is_self(c, m))
		verdict_ours(&v, TRANSFER_FAILED, "5.4.6",
			     "mail for this domain loops back to this server: " VIEW_FMT
			     " at " VIEW_FMT " is an address of ours",
			     VIEW_ARG(connection_host(c)), VIEW_ARG(dns_ip_text(&c->ip, room)));
	if (!m->ok || is_self(c, m)) {
		step_failed(c, &v);
		return OK;
	}
	begin_dialogue(c, *fd);
	*fd = -1;
	return OK;
}

static void note_tls(struct connection *c, const struct connect_secured *m)
{
	struct buf CLEANUP(buf_done) words = BUF_INIT(TLS_WORDS_MAX);

	c->verified = m->verified;
	buf_addf(&words, VIEW_FMT " " VIEW_FMT " %s", VIEW_ARG(m->tls_version),
		 VIEW_ARG(m->tls_cipher), m->verified ? "verified" : "unverified");
	set_words(c->tls, sizeof(c->tls), &c->tls_n, buf_view(&words));
}

enum err connection_secured(struct send *s, const struct connect_secured *m, int *fd)
{
	struct connection *c = find(s, m->session, CONNECTION_SECURING);

	if (!c)
		return OK;
	if (m->ok && *fd < 0)
		return ERR_PEER;
	if (m->ok) {
		s->counters.tls++;
		begin_stream(c, *fd);
		*fd = -1;
		note_tls(c, m);
	} else {
		c->state = CONNECTION_TALKING;
		set_words(c->why, sizeof(c->why), &c->why_n, m->why);
	}
	smtp_client_tls_done(&c->client, m->ok);
	connection_turn(c);
	return OK;
}

enum err connection_gone(struct send *s, const struct connect_gone *m)
{
	struct connection *c = map_get(&s->by_session, map_key_u64(&m->session));

	if (c)
		set_words(c->why, sizeof(c->why), &c->why_n, m->why);
	return OK;
}

void connection_forget_front(struct send *s)
{
	struct verdict v;

	verdict_ours(&v, TRANSFER_DEFERRED, "4.3.2", "this server was restarting a part of itself");
	for (;;) {
		struct connection *lost = NULL;

		for (struct destination *d = s->destinations; d && !lost; d = d->next)
			for (struct connection *c = d->connections; c && !lost; c = c->next)
				if (c->state != CONNECTION_TALKING)
					lost = c;
		if (!lost)
			return;
		/* Those that talk learn it from their streams. */
		destination_step_failed(lost->destination, lost, &v);
		give_up(lost);
	}
}
