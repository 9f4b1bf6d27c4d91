/*
 * roles/login/main.c: posthold-login: everything that a client may say before it has logged in.
 *
 * Reads hostile bytes and holds nothing: what a password or proof is worth auth decides, and whose session it
 * then is the supervisor, by a ticket that login cannot make.  No files, no network.
 */
#include "login.h"
#include "sys/file.h"

/* ---- front ---- */

static enum err on_open(void *ctx, const struct session_open *m, int *fd)
{
	int taken = *fd;

	*fd = -1;
	conn_open(ctx, m, taken);
	return OK;
}

static enum err on_secured(void *ctx, const struct session_secured *m, int *fd)
{
	int taken = *fd;

	*fd = -1;
	conn_secured(ctx, m, taken);
	return OK;
}

static enum err on_gone(void *ctx, const struct session_gone *m)
{
	struct conn *c = conn_by_session(ctx, m->session);

	/* A session that is being handed over is the mailbox's; its end shows in the stream. */
	if (c && !c->attaching)
		conn_free(c);
	return OK;
}

static const struct session_server_ops session_ops = { on_open, on_secured, on_gone };

static enum err session_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	return session_server_dispatch(&session_ops, ctx, type, body, fd);
}

static void session_closed(void *ctx, enum err why)
{
	struct login_server *s = ctx;

	if (why != ERR_EOF)
		LOG_ERROR("login.protocol", "front broke the rules of its channel", LOG_ERR(why));
	ipc_chan_free(s->front);
	s->front = NULL;
	conn_drop_all(s); /* the connections were front's */
}

static const struct ipc_ops session_ipc = { session_message, session_closed, NULL };

size_t login_sessions_max(const struct login_server *s)
{
	return LOGIN_SERVICES * (size_t)role_config(s->role)->conn_service_max;
}

static void tell_load(void *ctx)
{
	struct login_server *s = ctx;
	struct session_load m = {
		.sessions = (uint32_t)s->sessions.n,
		.busy = s->stopping || s->sessions.n >= login_sessions_max(s),
	};

	if (s->front && session_send_load(s->front, &m))
		LOG_WARNING("login.load", "front could not be told");
}

/* ---- auth ---- */

static enum err on_challenge(void *ctx, const struct authn_challenge *m)
{
	struct conn *c = conn_by_tag(ctx, m->tag);

	if (c && !c->asked)
		return ERR_PEER;
	if (c)
		conn_challenge(c, m->text);
	return OK;
}

static enum err on_success(void *ctx, const struct authn_success *m)
{
	struct conn *c = conn_by_tag(ctx, m->tag);

	if (c && !c->asked)
		return ERR_PEER;
	if (c)
		conn_success(c, m);
	return OK;
}

static enum err on_failure(void *ctx, const struct authn_failure *m)
{
	struct conn *c = conn_by_tag(ctx, m->tag);

	if (c)
		conn_failure(c, (enum authn_failure_kind)m->kind);
	return OK;
}

/* Sessions that are logged in are not here any more, and auth has burnt the tickets of those on their way. */
static enum err on_revoked(void *ctx, const struct authn_revoked *m)
{
	return OK;
}

static const struct authn_client_ops authn_ops = { on_challenge, on_success, on_failure,
						   on_revoked };

static enum err authn_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	return authn_client_dispatch(&authn_ops, ctx, type, body, fd);
}

static void authn_closed(void *ctx, enum err why)
{
	struct login_server *s = ctx;

	if (why != ERR_EOF)
		LOG_ERROR("login.protocol", "auth broke the rules of its channel", LOG_ERR(why));
	ipc_chan_free(s->authn);
	s->authn = NULL;
	conn_auth_lost(s);
}

static const struct ipc_ops authn_ipc = { authn_message, authn_closed, NULL };

/* ---- the supervisor ---- */

static enum err on_attached(void *ctx, const struct attach_attached *m)
{
	struct conn *c = conn_by_session(ctx, m->session);

	if (c && c->attaching)
		conn_attached(c, (enum attach_status)m->status);
	return OK;
}

static const struct attach_client_ops attach_ops = { on_attached };

static enum err attach_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	return attach_client_dispatch(&attach_ops, ctx, type, body, fd);
}

static void attach_closed(void *ctx, enum err why)
{
	struct login_server *s = ctx;

	if (why != ERR_EOF)
		LOG_ERROR("login.protocol", "the supervisor broke the rules of its channel",
			  LOG_ERR(why));
	ipc_chan_free(s->attach);
	s->attach = NULL;
	conn_attach_lost(s);
}

static const struct ipc_ops attach_ipc = { attach_message, attach_closed, NULL };

/* ---- life ---- */

static const struct channel_row {
	struct view name;
	const struct ipc_channel *channel;
	enum ipc_side side;
	const struct ipc_ops *ops;
	size_t at; /* of the struct ipc_chan * in struct login_server */
} channels[] = {
	{ VIEW_INIT("session"), &session_channel, IPC_SERVER, &session_ipc,
	  offsetof(struct login_server, front) },
	{ VIEW_INIT("authn"), &authn_channel, IPC_CLIENT, &authn_ipc,
	  offsetof(struct login_server, authn) },
	{ VIEW_INIT("attach"), &attach_channel, IPC_CLIENT, &attach_ipc,
	  offsetof(struct login_server, attach) },
};

static void take_channel(struct role *role, void *ctx, struct view name, uint64_t id, int fd)
{
	struct login_server *s = ctx;

	for (size_t i = 0; i < ARRAY_LEN(channels); i++) {
		struct ipc_chan **chan = (struct ipc_chan **)((char *)s + channels[i].at);

		if (!view_eq(name, channels[i].name))
			continue;
		if (*chan) /* its peer is gone, as we shall hear no other way */
			channels[i].ops->closed(s, ERR_EOF);
		if (ipc_chan_new(role_loop(role), fd, channels[i].channel, channels[i].side,
				 channels[i].ops, s, chan)) {
			*chan = NULL;
			LOG_ERROR("login.channel", "a channel cannot be used",
				  LOG_VIEW("channel", name));
		}
		return;
	}
	LOG_ERROR("login.channel", "there is no such channel", LOG_VIEW("channel", name));
	fd_close(&fd);
}

static void read_options(struct login_server *s)
{
	const struct config *c = role_config(s->role);

	s->config = (struct login_config){
		.hostname = view_str(c->hostname),
		.bad_commands = c->bad_commands,
		.auth_tries = c->auth_tries,
		.line = (size_t)c->imap_preauth_line,
		.literals = (size_t)c->literal_preauth,
		.nonsync = (size_t)c->literal_nonsync,
		.arena = &s->arena,
	};
}

static enum err start(struct role *role, void *ctx)
{
	struct login_server *s = ctx;
	uint8_t secret[16];

	s->role = role;
	arena_init(&s->arena, LOGIN_ARENA_MAX);
	random_bytes(secret, sizeof(secret));
	map_init(&s->sessions, LOGIN_SESSIONS_HARD, secret);
	random_bytes(secret, sizeof(secret));
	map_init(&s->tags, LOGIN_SESSIONS_HARD, secret);
	loop_defer_init(&s->tell_load, role_loop(role), tell_load, s);
	read_options(s);
	return OK;
}

static void reload(struct role *role, void *ctx)
{
	read_options(ctx);
}

static void stop_now(void *ctx)
{
	struct login_server *s = ctx;

	role_exit(s->role, 0);
}

static void stop(struct role *role, void *ctx)
{
	struct login_server *s = ctx;

	s->stopping = true;
	if (s->sessions.n == 0) {
		role_exit(role, 0);
		return;
	}
	loop_timer_init(&s->stop_timer, role_loop(role), stop_now, s);
	loop_timer_set(&s->stop_timer, LOGIN_STOP_MS);
	conn_end_all(s, "The server is being stopped");
}

static void status(struct role *role, void *ctx, struct buf *json)
{
	const struct login_server *s = ctx;

	buf_addf(json, "\"sessions\":%zu,\"opened\":%llu,\"attached\":%llu,\"refused\":%llu,",
		 s->sessions.n, (unsigned long long)s->opened, (unsigned long long)s->attached,
		 (unsigned long long)s->refused);
}

static const struct role_spec spec = {
	.name = "login",
	.sandbox = SANDBOX_PURE,
	.start = start,
	.channel = take_channel,
	.reload = reload,
	.stop = stop,
	.status = status,
};

int main(int argc, char **argv)
{
	static struct login_server server;

	return role_main(argc, argv, &spec, &server);
}
