/*
 * tests/unit/roles/smtp/role_test.c: the SMTP role between a front, an auth and a queue that the test plays.
 *
 * All run in one loop over real channels and streams; only role_main is replaced.
 */
#include <fcntl.h>
#include <unistd.h>

#include "ipc/accept.h"
#include "ipc/authn.h"
#include "ipc/envelope.h"
#include "ipc/route.h"
#include "ipc/session.h"
#include "ipc/types.h"
#include "roles/smtp/smtp_role.h"
#include "sys/config.h"
#include "sys/file.h"
#include "unit.h"

struct role {
	struct loop *loop;
	struct config config;
	bool exited;
};

static struct world {
	struct role role;
	struct smtp_role smtp;
	struct ipc_chan *front, *auth, *authn, *queue;
	int client; /* the far end of the stream */
	struct buf said;
	struct buf stored; /* envelope and body of the last put */
	uint32_t envelope_n;
	bool by_fd;
	bool hold; /* do not answer put */
	size_t puts, starttls, cancels, served;
	uint32_t put_tag, rcpt_tag;
} w;

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

static void put_answer(void)
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
static void pump(void)
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

static void send_text(const char *text)
{
	assert_int_equal(write(w.client, text, strlen(text)), strlen(text));
	pump();
}

/* The last line said begins so; everything said is forgotten. */
static void expect(const char *start)
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

static int setup(void **state)
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
	w.smtp.role = &w.role;
	map_init(&w.smtp.by_session, CONNS_MAX, secret);
	rate_init(&w.smtp.clients, 100, secret);
	rate_init(&w.smtp.accounts, 100, secret);
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

static int teardown(void **state)
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
	free(w.smtp.slots);
	config_done(&w.role.config);
	loop_free(w.role.loop);
	buf_done(&w.said);
	buf_done(&w.stored);
	return 0;
}

static void connect_as(unsigned service, bool tls)
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

static struct view stored_body(void)
{
	return view_from(buf_view(&w.stored), w.envelope_n);
}

static void begin_message(void)
{
	send_text("EHLO c.test\r\n");
	expect("250 ENHANCED");
	send_text("MAIL FROM:<a@far.test> SIZE=10 RET=HDRS ENVID=e1\r\n"
		  "RCPT TO:<user@here.test> NOTIFY=FAILURE ORCPT=rfc822;x@y\r\n"
		  "RCPT TO:<Postmaster>\r\n");
	expect("250 2.1.5");
}

/* A small message goes inline, with its envelope, and 250 comes only after the queue's answer. */
static void test_small(void **state)
{
	struct envelope e;
	struct envelope_recipients r;

	connect_as(SERVICE_SMTP, false);
	begin_message();
	w.hold = true;
	send_text("DATA\r\n");
	expect("354");
	send_text("From: a@far.test\r\n\r\nhello\r\n.\r\n");
	assert_int_equal(w.puts, 1);
	assert_false(w.by_fd);
	assert_int_equal(w.said.n, 0);
	assert_int_equal(envelope_decode(view_head(buf_view(&w.stored), w.envelope_n), &e), OK);
	assert_view(e.sender, "a@far.test");
	assert_view(e.helo, "c.test");
	assert_view(e.envid, "e1");
	assert_int_equal(e.ret, RET_HDRS);
	assert_int_equal(e.session, 77);
	assert_int_equal(e.recipients_count, 2);
	assert_true(envelope_recipients_next(&e.recipients_raw, &r));
	assert_view(r.address, "user@here.test");
	assert_view(r.orcpt, "rfc822;x@y");
	assert_int_equal(r.notify, NOTIFY_FAILURE);
	assert_true(view_starts(stored_body(), VIEW("Received: from c.test ([127.0.0.1])\r\n")));
	assert_true(view_ends(stored_body(), VIEW("\r\nFrom: a@far.test\r\n\r\nhello\r\n")));
	assert_int_equal(w.served, 0);
	put_answer();
	pump();
	assert_int_equal(w.served, 1);
	expect("250 2.0.0 Message accepted as ");
	assert_int_equal(w.smtp.accepted, 1);
	send_text("QUIT\r\n");
	expect("221");
	assert_int_equal(w.smtp.conns, 0);
}

/* A large one goes by a sealed descriptor, octet for octet. */
static void test_large(void **state)
{
	char line[1002];

	memset(line, 'x', 998);
	memcpy(line + 998, "\r\n", 3);
	connect_as(SERVICE_SMTP, false);
	begin_message();
	send_text("DATA\r\n");
	expect("354");
	send_text("From: a@far.test\r\n\r\n");
	for (size_t i = 0; i < 300; i++) {
		assert_int_equal(write(w.client, line, 1000), 1000);
		if (i % 20 == 0)
			pump();
	}
	send_text(".\r\n");
	expect("250 2.0.0");
	assert_true(w.by_fd);

	struct view body = stored_body();

	assert_true(body.n > 300000);
	assert_true(view_starts(body, VIEW("Received: ")));
	assert_true(view_ends(body, view_of(line, 1000)));
	for (size_t i = 0; i < 300; i++)
		assert_memory_equal(body.p + body.n - (i + 1) * 1000, line, 1000);
}

/* Nobody to ask: temporary failures, the session goes on. */
static void test_channels_lost(void **state)
{
	connect_as(SERVICE_SMTP, false);
	begin_message();
	send_text("DATA\r\n");
	w.hold = true;
	send_text("From: a@far.test\r\n\r\nhello\r\n.\r\n");
	assert_int_equal(w.puts, 1);
	buf_clear(&w.said);
	ipc_chan_free(w.queue);
	w.queue = NULL;
	pump();
	expect("451 4.3.0");
	send_text("MAIL FROM:<a@far.test>\r\nRCPT TO:<silent@here.test>\r\n");
	expect("250 2.1.0");
	ipc_chan_free(w.auth);
	w.auth = NULL;
	pump();
	expect("451 4.3.0");
	send_text("RCPT TO:<user@here.test>\r\n");
	expect("451 4.3.0");
}

/* An answer to a question that nobody asks any more changes nothing. */
static void test_late_answer(void **state)
{
	struct route_recipient_is late = { .status = ROUTE_OK };

	connect_as(SERVICE_SMTP, false);
	send_text("EHLO c.test\r\nMAIL FROM:<a@far.test>\r\nRCPT TO:<silent@here.test>\r\n");
	late.tag = w.rcpt_tag;
	expect("250 2.1.0");
	fd_close(&w.client);
	conn_free(conn_by_session(&w.smtp, 77));
	assert_int_equal(route_send_recipient_is(w.auth, &late), OK);
	pump();
	assert_non_null(w.smtp.route);
	assert_int_equal(w.smtp.conns, 0);
}

static void test_refusals(void **state)
{
	struct accept_state full = { .full = true };

	connect_as(SERVICE_SMTP, false);
	send_text("EHLO c.test\r\nMAIL FROM:<a@far.test>\r\nRCPT TO:<nobody@here.test>\r\n");
	expect("550 5.1.1");
	send_text("RCPT TO:<u@out.test>\r\n");
	expect("550 5.7.1");
	for (size_t i = 0; i < 5; i++) {
		send_text("RCPT TO:<user@here.test>\r\n");
		expect("250 2.1.5");
	}
	send_text("RCPT TO:<user@here.test>\r\n"); /* rcpt_client_hour is 5 */
	expect("450 4.7.1");
	assert_int_equal(accept_send_state(w.queue, &full), OK);
	pump();
	send_text("DATA\r\n");
	expect("452 4.3.1");
}

/* STARTTLS: the clear stream ends, front gives a new one, the session begins anew. */
static void test_starttls(void **state)
{
	struct session_secured m = { .session = 77,
				     .tls_version = VIEW("TLSv1.3"),
				     .tls_cipher = VIEW("X") };
	int pair[2];
	char c;

	connect_as(SERVICE_SMTP, false);
	send_text("EHLO c.test\r\n");
	send_text("NONSENSE\r\n");
	expect("500 5.5.2");
	send_text("STARTTLS\r\n");
	expect("220 2.0.0");
	assert_int_equal(w.starttls, 1);
	assert_int_equal(read(w.client, &c, 1), 0); /* closed */
	fd_close(&w.client);
	assert_int_equal(stream_pair(pair), OK);
	w.client = pair[0];
	assert_int_equal(session_send_secured(w.front, &m, pair[1]), OK);
	pump();
	assert_int_equal(w.said.n, 0); /* no second greeting */
	send_text("MAIL FROM:<a@far.test>\r\n");
	expect("503 5.5.1"); /* EHLO is forgotten */
	send_text("EHLO c.test\r\n");
	assert_true(view_find(buf_view(&w.said), VIEW("250-STARTTLS")) == VIEW_NONE);
	/* One error before, one behind, five are allowed: what was used up in clear stays so. */
	for (int i = 0; i < 3; i++) {
		send_text("NONSENSE\r\n");
		expect("500 5.5.2");
	}
	send_text("NONSENSE\r\n");
	expect("421 4.7.0");
}

static void test_starttls_injected(void **state)
{
	connect_as(SERVICE_SMTP, false);
	send_text("EHLO c.test\r\n");
	buf_clear(&w.said);
	send_text("STARTTLS\r\nEHLO x\r\n");
	expect("554 5.5.1");
	assert_int_equal(w.starttls, 0);
	assert_int_equal(w.smtp.conns, 0);
}

static void test_submission(void **state)
{
	connect_as(SERVICE_SUBMISSIONS, true);
	send_text("EHLO c.test\r\nMAIL FROM:<me@here.test>\r\n");
	expect("530 5.7.0");
	send_text("AUTH PLAIN AG1lAHdyb25n\r\n");
	expect("535 5.7.8");
	send_text("AUTH LOGIN\r\n");
	expect("334 bW9yZQ==");
	send_text("*\r\n");
	expect("501 5.7.0");
	assert_int_equal(w.cancels, 1);
	assert_int_equal(w.served, 0);
	send_text("AUTH PLAIN AG1lAHNlY3JldA==\r\n");
	expect("235 2.7.0");
	assert_int_equal(w.served, 1); /* front learns that it knows this client */
	send_text("MAIL FROM:<you@here.test>\r\n");
	expect("550 5.7.1");
	send_text("MAIL FROM:<me@here.test>\r\nRCPT TO:<far@out.test>\r\n");
	expect("250 2.1.5");
	send_text("DATA\r\n");
	expect("354");
	send_text("From: me@here.test\r\nBcc: x@y\r\n\r\nhi\r\n.\r\n");
	expect("250 2.0.0");
	assert_true(view_find(stored_body(), VIEW("\r\nMessage-ID: <")) != VIEW_NONE);
	assert_true(view_find(stored_body(), VIEW("Bcc")) == VIEW_NONE);
	assert_true(view_find(stored_body(), VIEW(" with ESMTPSA id ")) != VIEW_NONE);
	assert_int_equal(w.served, 1); /* once */
}

/* The account's rights end: so do its sessions, at once. */
static void test_revoked(void **state)
{
	struct authn_revoked other = { .account = 43 }, own = { .account = 42 };

	connect_as(SERVICE_SUBMISSIONS, true);
	send_text("EHLO c.test\r\nAUTH PLAIN AG1lAHNlY3JldA==\r\n");
	expect("235 2.7.0");
	assert_int_equal(authn_send_revoked(w.authn, &other), OK);
	pump();
	assert_int_equal(w.said.n, 0);
	assert_int_equal(authn_send_revoked(w.authn, &own), OK);
	pump();
	expect("421 4.3.2");
	assert_int_equal(w.smtp.conns, 0);
}

/* memory_in_flight bounds all bodies together. */
static void test_memory(void **state)
{
	connect_as(SERVICE_SMTP, false);
	begin_message();
	w.smtp.in_flight = w.role.config.memory_in_flight;
	send_text("DATA\r\n");
	expect("452 4.3.1");
	w.smtp.in_flight = 0;
	send_text("MAIL FROM:<a@far.test>\r\nRCPT TO:<user@here.test>\r\nDATA\r\n");
	expect("354");
	w.smtp.in_flight += w.role.config.memory_in_flight;
	send_text("From: a@far.test\r\n\r\nhello\r\n.\r\n");
	expect("452 4.3.1");
	w.smtp.in_flight -= w.role.config.memory_in_flight;
}

/* At 80 % of conn_service_max a silent client goes sooner. */
static void test_pressure(void **state)
{
	uint32_t usual = w.smtp.mx.command_wait_ms;

	w.role.config.conn_service_max = 5;
	w.smtp.conns = 3;
	smtp_options_pressure(&w.smtp);
	assert_int_equal(w.smtp.mx.command_wait_ms, usual);
	w.smtp.conns = 4;
	smtp_options_pressure(&w.smtp);
	assert_int_equal(w.smtp.mx.command_wait_ms, 60000);
	w.smtp.conns = 0;
	smtp_options_pressure(&w.smtp);
	assert_int_equal(w.smtp.mx.command_wait_ms, usual);
}

/* Vanishing at any point leaves nothing behind (teardown counts). */
static void test_vanish(void **state)
{
	connect_as(SERVICE_SMTP, false);
	begin_message();
	send_text("DATA\r\n");
	send_text("From: a@far.test\r\n\r\nhalf");
	fd_close(&w.client);
	pump();
	assert_int_equal(w.smtp.conns, 0);
	assert_int_equal(w.puts, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_small),	  TEST(test_large),
		TEST(test_channels_lost), TEST(test_late_answer),
		TEST(test_refusals),	  TEST(test_starttls),
		TEST(test_submission),	  TEST(test_starttls_injected),
		TEST(test_revoked),	  TEST(test_memory),
		TEST(test_vanish),	  TEST(test_pressure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
