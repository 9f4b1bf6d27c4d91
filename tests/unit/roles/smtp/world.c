/*
 * tests/unit/roles/smtp/world.c: see world.h.
 */
#include "world.h"

#include <fcntl.h>
#include <unistd.h>

struct world w;

/* What role.c would give. */

struct loop *role_loop(struct role *role)
{
	return role->loop;
}

const struct config *role_config(const struct role *role)
{
	return &role->config;
}

void role_exit(struct role *role, int status)
{
	role->exited = true;
}

void log_event(enum log_level level, const char *event, const char *text,
	       const struct log_field *fields, size_t count)
{
}

/* The others. */

static enum err auth_recipient(void *ctx, const struct route_recipient *m)
{
	struct route_recipient_is a = { .tag = m->tag, .status = ROUTE_NOT_OURS };

	w.rcpt_tag = m->tag;
	if (view_starts(m->address, VIEW("user@here.test")) ||
	    view_eq(m->address, VIEW("postmaster@here.test")))
		a.status = ROUTE_OK;
	else if (view_ends(m->address, VIEW("@here.test")))
		a.status = ROUTE_UNKNOWN;
	if (view_starts(m->address, VIEW("silent")))
		return OK;
	return route_send_recipient_is(w.auth, &a);
}

static enum err auth_targets(void *ctx, const struct route_targets *m)
{
	return ERR_WRONG_STATE;
}

static enum err auth_sender(void *ctx, const struct route_sender *m)
{
	bool owned = m->account == 42 && view_eq(m->address, VIEW("me@here.test"));
	struct route_sender_is a = { .tag = m->tag, .status = owned ? ROUTE_OK : ROUTE_NOT_OWNED };

	return route_send_sender_is(w.auth, &a);
}

static enum err route_in(void *ctx, uint16_t type, struct view body, int *fd)
{
	static const struct route_server_ops ops = { auth_recipient, auth_targets, auth_sender };

	return route_server_dispatch(&ops, ctx, type, body, fd);
}

static enum err authn_in_start(void *ctx, const struct authn_start *m)
{
	struct authn_success yes = { .tag = m->tag, .account = 42, .name = VIEW("me@here.test") };
	struct authn_failure no = { .tag = m->tag, .kind = AUTHN_BAD_CREDENTIALS };
	struct authn_challenge more = { .tag = m->tag, .text = VIEW("more") };

	if (view_eq(m->mechanism, VIEW("LOGIN")))
		return authn_send_challenge(w.authn, &more);
	if (m->tls && view_eq(m->initial, VIEW("\0me\0secret")))
		return authn_send_success(w.authn, &yes);
	return authn_send_failure(w.authn, &no);
}

static enum err authn_in_step(void *ctx, const struct authn_step *m)
{
	struct authn_failure no = { .tag = m->tag, .kind = AUTHN_BAD_CREDENTIALS };

	return authn_send_failure(w.authn, &no);
}

static enum err authn_in_cancel(void *ctx, const struct authn_cancel *m)
{
	w.cancels++;
	return OK;
}

static enum err authn_in(void *ctx, uint16_t type, struct view body, int *fd)
{
	static const struct authn_server_ops ops = { authn_in_start, authn_in_step,
						     authn_in_cancel };

	return authn_server_dispatch(&ops, ctx, type, body, fd);
}

void put_answer(void)
{
	struct accept_done done = { .tag = w.put_tag, .status = ACCEPT_OK, .sequence = w.puts };

	assert_int_equal(accept_send_done(w.queue, &done), OK);
}

static enum err queue_put(void *ctx, const struct accept_put *m, int *fd)
{
	buf_clear(&w.stored);
	w.by_fd = *fd >= 0;
	if (w.by_fd) {
		int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
		char *room = buf_room(&w.stored, m->envelope_n + m->body_n);

		assert_int_equal(fcntl(*fd, F_GET_SEALS) & seals, seals);
		assert_int_equal(lseek(*fd, 0, SEEK_END), m->envelope_n + m->body_n);
		assert_int_equal(file_read_at(*fd, room, m->envelope_n + m->body_n, 0), OK);
		buf_added(&w.stored, m->envelope_n + m->body_n);
	} else {
		assert_int_equal(m->payload.n, m->envelope_n + m->body_n);
		buf_add(&w.stored, m->payload);
	}
	w.envelope_n = m->envelope_n;
	w.put_tag = m->tag;
	w.puts++;
	if (!w.hold)
		put_answer();
	return OK;
}

static enum err accept_in(void *ctx, uint16_t type, struct view body, int *fd)
{
	static const struct accept_server_ops ops = { queue_put };

	return accept_server_dispatch(&ops, ctx, type, body, fd);
}

static enum err front_starttls(void *ctx, const struct session_starttls *m)
{
	w.starttls++;
	return OK;
}

static enum err front_load(void *ctx, const struct session_load *m)
{
	return OK;
}

static enum err front_served(void *ctx, const struct session_served *m)
{
	assert_int_equal(m->session, 77);
	w.served++;
	return OK;
}

static enum err session_in(void *ctx, uint16_t type, struct view body, int *fd)
{
	static const struct session_client_ops ops = { front_starttls, front_load, front_served };

	return session_client_dispatch(&ops, ctx, type, body, fd);
}

static void peer_closed(void *ctx, enum err why)
{
	struct ipc_chan **chan = ctx;

	ipc_chan_free(*chan);
	*chan = NULL;
}

static const struct ipc_ops route_peer = { route_in, peer_closed, NULL };
static const struct ipc_ops authn_peer = { authn_in, peer_closed, NULL };
static const struct ipc_ops accept_peer = { accept_in, peer_closed, NULL };
static const struct ipc_ops session_peer = { session_in, peer_closed, NULL };

/* Turning the world. */

static void on_pump(void *ctx)
{
	loop_stop(w.role.loop);
}

/* Let everything settle; then take what the client was told. */
void pump(void)
{
	struct loop_timer t;
	char room[65536];
	ssize_t n;

	loop_timer_init(&t, w.role.loop, on_pump, NULL);
	loop_timer_set(&t, 15);
	loop_run(w.role.loop);
	loop_timer_done(&t);
	while (w.client >= 0 && (n = read(w.client, room, sizeof(room))) > 0)
		buf_add(&w.said, view_of(room, (size_t)n));
}

void send_text(const char *text)
{
	assert_int_equal(write(w.client, text, strlen(text)), strlen(text));
	pump();
}

/* The last line said begins so; everything said is forgotten. */
void expect(const char *start)
{
	struct view all = buf_view(&w.said), head = all;
	size_t lf;

	if (view_ends(head, VIEW("\r\n")))
		head.n -= 2;
	lf = view_rfind_char(head, '\n');
	head = view_from(head, lf == VIEW_NONE ? 0 : lf + 1);
	if (!view_starts(head, view_str(start))) {
		print_error("said \"" VIEW_FMT "\", not \"%s\"\n", VIEW_ARG(all), start);
		fail();
	}
	buf_clear(&w.said);
}

static int role_end(struct ipc_chan **chan, const struct ipc_channel *channel, enum ipc_side side,
		    const struct ipc_ops *ops)
{
	int pair[2];

	assert_int_equal(ipc_pair(pair), OK);
	assert_int_equal(ipc_chan_new(w.role.loop, pair[0], channel, side, ops, chan, chan), OK);
	return pair[1];
}

/* main.c of the role, as far as the test needs it. */

static enum err role_open(void *ctx, const struct session_open *m, int *fd)
{
	int stream = *fd;

	*fd = -1;
	conn_open(ctx, m, stream);
	return OK;
}

static enum err role_secured(void *ctx, const struct session_secured *m, int *fd)
{
	int stream = *fd;
	struct conn *c = conn_by_session(ctx, m->session);

	*fd = -1;
	assert_non_null(c);
	conn_secured(c, m, stream);
	return OK;
}

static enum err role_gone(void *ctx, const struct session_gone *m)
{
	struct conn *c = conn_by_session(ctx, m->session);

	if (c)
		conn_free(c);
	return OK;
}

static enum err role_session_in(void *ctx, uint16_t type, struct view body, int *fd)
{
	static const struct session_server_ops ops = { role_open, role_secured, role_gone };

	return session_server_dispatch(&ops, ctx, type, body, fd);
}

static void role_session_closed(void *ctx, enum err why)
{
	ipc_chan_free(w.smtp.session);
	w.smtp.session = NULL;
}

static const struct ipc_ops role_session = { role_session_in, role_session_closed, NULL };

int world_setup(void **state)
{
	static const uint8_t secret[16] = { 1 };
	struct buf CLEANUP(buf_done) why = BUF_INIT(1000);

	w = (struct world){ .client = -1 };
	buf_init(&w.said, 1 << 20);
	buf_init(&w.stored, 64 << 20);
	assert_int_equal(loop_new(&w.role.loop), OK);
	assert_int_equal(config_init(&w.role.config), OK);
	assert_int_equal(config_set(&w.role.config, VIEW("hostname"), VIEW("mx.here.test"), &why),
			 OK);
	assert_int_equal(config_set(&w.role.config, VIEW("domain"), VIEW("here.test"), &why), OK);
	assert_int_equal(config_set(&w.role.config, VIEW("rcpt_client_hour"), VIEW("5"), &why), OK);
	assert_int_equal(config_set(&w.role.config, VIEW("submit_rcpt_hour"), VIEW("3"), &why), OK);
	w.smtp.role = &w.role;
	map_init(&w.smtp.by_session, CONNS_MAX, secret);
	rate_init(&w.smtp.clients, 100, secret);
	rate_init(&w.smtp.accounts, 100, secret);
	rate_init(&w.smtp.notices, 100, secret);
	w.smtp.slots = calloc(CONNS_MAX, sizeof(struct conn *));
	smtp_options_load(&w.smtp);
	ask_route_channel(&w.smtp, role_end(&w.auth, &route_channel, IPC_SERVER, &route_peer));
	ask_authn_channel(&w.smtp, role_end(&w.authn, &authn_channel, IPC_SERVER, &authn_peer));
	ask_accept_channel(&w.smtp, role_end(&w.queue, &accept_channel, IPC_SERVER, &accept_peer));

	int fd = role_end(&w.front, &session_channel, IPC_CLIENT, &session_peer);

	assert_int_equal(ipc_chan_new(w.role.loop, fd, &session_channel, IPC_SERVER, &role_session,
				      &w.smtp, &w.smtp.session),
			 OK);
	return 0;
}

int world_teardown(void **state)
{
	for (size_t i = 0; i < CONNS_MAX; i++)
		if (w.smtp.slots[i])
			conn_free(w.smtp.slots[i]);
	assert_int_equal(w.smtp.conns, 0);
	assert_int_equal(w.smtp.in_flight, 0);
	fd_close(&w.client);

	struct ipc_chan *all[] = { w.front,	 w.auth,       w.authn,	      w.queue,
				   w.smtp.route, w.smtp.authn, w.smtp.accept, w.smtp.session };

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		ipc_chan_free(all[i]);
	map_done(&w.smtp.by_session);
	rate_done(&w.smtp.clients);
	rate_done(&w.smtp.accounts);
	rate_done(&w.smtp.notices);
	free(w.smtp.slots);
	config_done(&w.role.config);
	loop_free(w.role.loop);
	buf_done(&w.said);
	buf_done(&w.stored);
	return 0;
}

void connect_as(unsigned service, bool tls)
{
	struct session_open m = {
		.session = 77,
		.service = (uint8_t)service,
		.peer_ip = VIEW("\x7f\0\0\x01"),
		.loopback = true,
		.tls = tls,
		.tls_version = VIEW("TLSv1.3"),
		.tls_cipher = VIEW("TLS_AES_128_GCM_SHA256"),
	};
	int pair[2];

	assert_int_equal(stream_pair(pair), OK);
	w.client = pair[0];
	assert_int_equal(session_send_open(w.front, &m, pair[1]), OK);
	pump();
	expect("220 mx.here.test");
}

struct view stored_body(void)
{
	return view_from(buf_view(&w.stored), w.envelope_n);
}

void begin_message(void)
{
	send_text("EHLO c.test\r\n");
	expect("250 ENHANCED");
	send_text("MAIL FROM:<a@far.test> SIZE=10 RET=HDRS ENVID=e1\r\n"
		  "RCPT TO:<user@here.test> NOTIFY=FAILURE ORCPT=rfc822;x@y\r\n"
		  "RCPT TO:<Postmaster>\r\n");
	expect("250 2.1.5");
}
