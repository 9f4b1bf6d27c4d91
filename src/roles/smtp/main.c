/*
 * roles/smtp/main.c: the SMTP role: one program for port 25, submission and LMTP.
 */
#include "ipc/session.h"
#include "smtp_role.h"
#include "sys/file.h"

static enum err on_open(void *ctx, const struct session_open *m, int *fd)
{
	int stream = *fd;

	if (m->peer_ip.n != 4 && m->peer_ip.n != 16)
		return ERR_SYNTAX;
	*fd = -1;
	conn_open(ctx, m, stream);
	return OK;
}

static enum err on_secured(void *ctx, const struct session_secured *m, int *fd)
{
	struct conn *c = conn_by_session(ctx, m->session);
	int stream = *fd;

	if (!c)
		return OK; /* it ended meanwhile; the descriptor is closed by the caller */
	*fd = -1;
	conn_secured(c, m, stream);
	return OK;
}

static enum err on_gone(void *ctx, const struct session_gone *m)
{
	struct conn *c = conn_by_session(ctx, m->session);

	if (c)
		conn_free(c);
	return OK;
}

static const struct session_server_ops session_ops = { on_open, on_secured, on_gone };

static enum err session_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	return session_server_dispatch(&session_ops, ctx, type, body, fd);
}

/* Front went away: streams end by themselves, handshakes never. */
static void session_closed(void *ctx, enum err why)
{
	struct smtp_role *r = ctx;

	ipc_chan_free(r->session);
	r->session = NULL;
	for (uint32_t i = 0; i < CONNS_MAX; i++)
		if (r->slots[i] && r->slots[i]->handshaking)
			conn_free(r->slots[i]);
}

static const struct ipc_ops session_ipc = { session_message, session_closed, NULL };

static void on_channel(struct role *role, void *ctx, struct view name, uint64_t id, int fd)
{
	struct smtp_role *r = ctx;

	r->role = role;
	if (view_eq(name, VIEW("route"))) {
		ask_route_channel(r, fd);
	} else if (view_eq(name, VIEW("accept"))) {
		ask_accept_channel(r, fd);
	} else if (view_eq(name, VIEW("authn"))) {
		ask_authn_channel(r, fd);
	} else if (view_eq(name, VIEW("session"))) {
		if (r->session)
			session_closed(r, ERR_PEER);
		if (ipc_chan_new(role_loop(role), fd, &session_channel, IPC_SERVER, &session_ipc, r,
				 &r->session))
			r->session = NULL;
	} else {
		fd_close(&fd);
	}
}

static void on_descriptor(struct role *role, void *ctx, struct view kind, struct view name,
			  uint64_t id, int fd)
{
	fd_close(&fd); /* the role is given none */
}

static void on_stop_timer(void *ctx)
{
	struct smtp_role *r = ctx;

	role_exit(r->role, 0);
}

static enum err on_start(struct role *role, void *ctx)
{
	struct smtp_role *r = ctx;

	r->role = role;
	smtp_options_load(r);
	loop_timer_init(&r->stop_timer, role_loop(role), on_stop_timer, r);
	return OK;
}

static void on_reload(struct role *role, void *ctx)
{
	struct smtp_role *r = ctx;

	/* Sessions that are open borrow the same structures and follow. */
	smtp_options_load(r);
}

/* Who waits for a commit gets its answer first; the others are told to come back. */
static void on_stop(struct role *role, void *ctx)
{
	struct smtp_role *r = ctx;

	r->stopping = true;
	if (!r->conns) {
		role_exit(role, 0);
		return;
	}
	loop_timer_set(&r->stop_timer, (int64_t)role_config(role)->stop_grace);
	conn_shutdown_all(r, 0);
}

static void on_status(struct role *role, void *ctx, struct buf *json)
{
	struct smtp_role *r = ctx;

	buf_addf(json, "\"sessions\":%zu,\"accepted\":%llu,\"refused\":%llu,\"in_flight\":%llu,",
		 r->conns, (unsigned long long)r->accepted, (unsigned long long)r->refused,
		 (unsigned long long)r->in_flight);
}

/* Tables exist before the first channel. */
static bool tables_init(struct smtp_role *r)
{
	uint8_t secret[16];

	random_bytes(secret, sizeof(secret));
	map_init(&r->by_session, CONNS_MAX, secret);
	random_bytes(secret, sizeof(secret));
	rate_init(&r->clients, RATE_KEYS_MAX, secret);
	random_bytes(secret, sizeof(secret));
	rate_init(&r->accounts, RATE_KEYS_MAX, secret);
	random_bytes(secret, sizeof(secret));
	rate_init(&r->notices, RATE_KEYS_MAX, secret);
	r->slots = calloc(CONNS_MAX, sizeof(struct conn *));
	return r->slots;
}

int main(int argc, char **argv)
{
	static struct smtp_role smtp;
	static const struct role_spec spec = {
		.name = "smtp",
		.sandbox = SANDBOX_PURE,
		.start = on_start,
		.channel = on_channel,
		.descriptor = on_descriptor,
		.reload = on_reload,
		.stop = on_stop,
		.status = on_status,
	};

	return tables_init(&smtp) ? role_main(argc, argv, &spec, &smtp) : 1;
}
