/*
 * roles/auth/main.c: posthold-auth: accounts, secrets and bans behind small typed requests.
 *
 * Wires the core (auth.h) to its channels.  Reads no byte of the network; opens directory.db below its data
 * directory and nothing else.  A request that breaks its channel's rules ends the peer, never this role.
 */
#include "auth.h"

#include "ipc/redeem.h"
#include "ipc/route.h"
#include "sys/file.h"
#include "sys/role.h"

enum { ROUTE_PEERS = 3, PATH_SIZE = 64 };

struct server;

/* One end of a channel; ctx of its callbacks. */
struct peer {
	struct server *server;
	unsigned id;
	struct ipc_chan *chan;
};

struct server {
	struct role *role;
	struct auth *auth;
	char path[PATH_SIZE]; /* of directory.db */
	struct directory_targets targets; /* too large for a stack */
	struct peer route[ROUTE_PEERS];
	struct peer authn[AUTH_CLIENTS];
	struct peer redeem;
	struct peer admin;
};

/* Whom we cannot tell anything any more is noticed when its channel closes. */
static void note(enum err err, const char *channel)
{
	if (err && err != ERR_PEER)
		LOG_WARNING("auth.send", "a message could not be sent", LOG_STR("channel", channel),
			    LOG_ERR(err));
}

/* ---- what the core says ---- */

static void say_challenge(void *ctx, unsigned client, uint32_t tag, struct view text)
{
	struct server *s = ctx;

	if (s->authn[client].chan)
		note(authn_send_challenge(s->authn[client].chan,
					  &(struct authn_challenge){ tag, text }),
		     "authn");
}

static void say_success(void *ctx, unsigned client, const struct authn_success *m)
{
	struct server *s = ctx;

	if (s->authn[client].chan)
		note(authn_send_success(s->authn[client].chan, m), "authn");
}

static void say_failure(void *ctx, unsigned client, uint32_t tag, enum authn_failure_kind kind)
{
	struct server *s = ctx;

	if (s->authn[client].chan)
		note(authn_send_failure(s->authn[client].chan,
					&(struct authn_failure){ tag, (uint8_t)kind }),
		     "authn");
}

static void say_revoked(void *ctx, uint64_t account, bool removed)
{
	struct server *s = ctx;

	for (unsigned i = 0; i < AUTH_CLIENTS; i++)
		if (s->authn[i].chan)
			note(authn_send_revoked(s->authn[i].chan,
						&(struct authn_revoked){ account }),
			     "authn");
	if (s->redeem.chan)
		note(redeem_send_revoked(s->redeem.chan,
					 &(struct redeem_revoked){ account, removed }),
		     "redeem");
}

static void say_changed(void *ctx)
{
	struct server *s = ctx;

	for (unsigned i = 0; i < ROUTE_PEERS; i++)
		if (s->route[i].chan)
			note(route_send_changed(s->route[i].chan, &(struct route_changed){ 0 }),
			     "route");
}

static void say_row(void *ctx, uint32_t tag, struct view json)
{
	struct server *s = ctx;

	if (s->admin.chan)
		note(admin_send_row(s->admin.chan, &(struct admin_row){ tag, json }), "admin");
}

static void say_end(void *ctx, uint32_t tag, enum err err, struct view text)
{
	struct server *s = ctx;
	struct admin_end m = { tag, (uint8_t)err, view_head(text, ADMIN_END_TEXT_MAX) };

	if (s->admin.chan)
		note(admin_send_end(s->admin.chan, &m), "admin");
}

static const struct auth_hooks hooks = {
	.challenge = say_challenge,
	.success = say_success,
	.failure = say_failure,
	.revoked = say_revoked,
	.changed = say_changed,
	.admin_row = say_row,
	.admin_end = say_end,
};

/* ---- what the peers ask ---- */

static enum err on_recipient(void *ctx, const struct route_recipient *m)
{
	struct peer *p = ctx;
	struct route_recipient_is answer = {
		.tag = m->tag,
		.status = (uint8_t)auth_recipient(p->server->auth, m->address),
	};

	return route_send_recipient_is(p->chan, &answer);
}

static enum err on_targets(void *ctx, const struct route_targets *m)
{
	struct peer *p = ctx;
	struct directory_targets *t = &p->server->targets;
	struct route_targets_are_targets list[DIRECTORY_TARGETS_MAX];
	struct route_targets_are answer = { .tag = m->tag, .targets = list };

	_Static_assert(DIRECTORY_TARGETS_MAX <= ROUTE_TARGETS_ARE_TARGETS_MAX, "fits the message");
	answer.status = (uint8_t)auth_targets(p->server->auth, m->address, t);
	answer.targets_count = t->n;
	for (size_t i = 0; i < t->n; i++)
		list[i] = (struct route_targets_are_targets){
			.kind = t->at[i].account ? ROUTE_MAILBOX : ROUTE_REMOTE,
			.account = t->at[i].account,
			.address = view_of(t->at[i].address, t->at[i].address_n),
			.mailbox = view_of(t->at[i].detail, t->at[i].detail_n),
		};
	return route_send_targets_are(p->chan, &answer);
}

static enum err on_sender(void *ctx, const struct route_sender *m)
{
	struct peer *p = ctx;
	struct route_sender_is answer = {
		.tag = m->tag,
		.status = (uint8_t)auth_sender(p->server->auth, m->account, m->address),
	};

	return route_send_sender_is(p->chan, &answer);
}

static enum err on_start(void *ctx, const struct authn_start *m)
{
	struct peer *p = ctx;

	return auth_start(p->server->auth, p->id, m);
}

static enum err on_step(void *ctx, const struct authn_step *m)
{
	struct peer *p = ctx;

	return auth_step(p->server->auth, p->id, m);
}

static enum err on_cancel(void *ctx, const struct authn_cancel *m)
{
	struct peer *p = ctx;

	return auth_cancel(p->server->auth, p->id, m);
}

static enum err on_redeem(void *ctx, const struct redeem_redeem *m)
{
	struct peer *p = ctx;
	struct auth_redeemed found = { 0 };
	struct redeem_redeemed answer = { .tag = m->tag };

	auth_redeem(p->server->auth, m->ticket, m->session, &found);
	if (found.ok) {
		answer.ok = true;
		answer.account = found.account.id;
		answer.name = view_str(found.account.address);
		answer.quota = found.account.quota;
	}
	return redeem_send_redeemed(p->chan, &answer);
}

static enum err on_request(void *ctx, const struct admin_request *m)
{
	struct peer *p = ctx;

	auth_admin(p->server->auth, m);
	return OK;
}

static const struct route_server_ops route_ops = { on_recipient, on_targets, on_sender };
static const struct authn_server_ops authn_ops = { on_start, on_step, on_cancel };
static const struct redeem_server_ops redeem_ops = { on_redeem };
static const struct admin_server_ops admin_ops = { on_request };

static enum err route_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	return route_server_dispatch(&route_ops, ctx, type, body, fd);
}

static enum err authn_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	return authn_server_dispatch(&authn_ops, ctx, type, body, fd);
}

static enum err redeem_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	return redeem_server_dispatch(&redeem_ops, ctx, type, body, fd);
}

static enum err admin_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	return admin_server_dispatch(&admin_ops, ctx, type, body, fd);
}

/* ---- channels ---- */

static void peer_drop(struct peer *p)
{
	ipc_chan_free(p->chan);
	p->chan = NULL;
	if (p >= p->server->authn && p < p->server->authn + AUTH_CLIENTS && p->server->auth)
		auth_client_gone(p->server->auth, p->id);
}

static void on_closed(void *ctx, enum err why)
{
	struct peer *p = ctx;

	if (why != ERR_EOF)
		LOG_ERROR("auth.protocol", "a peer broke the rules of its channel", LOG_ERR(why),
			  LOG_UINT("id", p->id));
	peer_drop(p);
}

static const struct channel_row {
	struct view name;
	const struct ipc_channel *channel;
	struct ipc_ops ops;
	size_t at; /* of its peers in struct server */
	unsigned count;
} channels[] = {
	{ VIEW_INIT("route"),
	  &route_channel,
	  { route_message, on_closed, NULL },
	  offsetof(struct server, route),
	  ROUTE_PEERS },
	{ VIEW_INIT("authn"),
	  &authn_channel,
	  { authn_message, on_closed, NULL },
	  offsetof(struct server, authn),
	  AUTH_CLIENTS },
	{ VIEW_INIT("redeem"),
	  &redeem_channel,
	  { redeem_message, on_closed, NULL },
	  offsetof(struct server, redeem),
	  1 },
	{ VIEW_INIT("admin"),
	  &admin_channel,
	  { admin_message, on_closed, NULL },
	  offsetof(struct server, admin),
	  1 },
};

static void take_channel(struct role *role, void *ctx, struct view name, uint64_t id, int fd)
{
	struct server *s = ctx;

	for (size_t i = 0; i < ARRAY_LEN(channels); i++) {
		const struct channel_row *row = &channels[i];
		struct peer *p = (struct peer *)((char *)s + row->at);

		if (!view_eq(name, row->name) || id >= row->count)
			continue;
		p += id;
		p->server = s;
		p->id = (unsigned)id;
		if (p->chan)
			peer_drop(p);
		if (ipc_chan_new(role_loop(role), fd, row->channel, IPC_SERVER, &row->ops, p,
				 &p->chan)) {
			p->chan = NULL;
			LOG_ERROR("auth.channel", "a channel cannot be used",
				  LOG_VIEW("channel", name));
		}
		return;
	}
	LOG_ERROR("auth.channel", "there is no such channel", LOG_VIEW("channel", name));
	fd_close(&fd);
}

/* ---- life ---- */

/*
 * SQLite opens by name, and more than once.  The name goes through the descriptor: the folders above the
 * data directory need not be open to this role's user.  The descriptor stays open.
 */
static void take_descriptor(struct role *role, void *ctx, struct view kind, struct view name,
			    uint64_t id, int fd)
{
	struct server *s = ctx;

	(void)role;
	(void)id;
	if (!view_eq(kind, VIEW("dir")) || !view_eq(name, VIEW("data"))) {
		fd_close(&fd);
		return;
	}
	(void)snprintf(s->path, sizeof(s->path), "/proc/self/fd/%d/directory.db", fd);
}

static enum err start(struct role *role, void *ctx)
{
	struct server *s = ctx;
	struct directory *d = NULL;
	enum err err;

	s->role = role;
	if (!s->path[0]) {
		LOG_ERROR("auth.data", "no data directory was given");
		return ERR_NOTFOUND;
	}
	err = password_init();
	if (!err)
		err = directory_open(s->path, &d);
	if (err) {
		LOG_ERROR("auth.directory",
			  err == ERR_UNSUPPORTED ? "directory.db was written by a newer version"
						 : "directory.db cannot be opened",
			  LOG_ERR(err), LOG_STR("path", s->path));
		return err;
	}
	err = auth_new(role_loop(role), (size_t)role_config(role)->auth_workers, role_config(role),
		       d, &hooks, s, &s->auth);
	if (err)
		directory_close(d);
	return err;
}

/* Addresses may be read differently now (subaddress, alias_depth). */
static void reload(struct role *role, void *ctx)
{
	struct server *s = ctx;

	(void)role;
	auth_addresses_changed(s->auth);
}

static void status(struct role *role, void *ctx, struct buf *json)
{
	const struct server *s = ctx;
	const struct auth_counters *n = &s->auth->count;

	(void)role;
	buf_addf(json, "\"successes\":%llu,\"failures\":%llu,\"cached\":%llu,\"hashes\":%llu,",
		 (unsigned long long)n->successes, (unsigned long long)n->failures,
		 (unsigned long long)n->cached, (unsigned long long)n->hashes);
	buf_addf(json, "\"waiting\":%zu,\"busy\":%llu,\"refused_banned\":%llu,\"bans\":%llu,",
		 pool_waiting(s->auth->pool), (unsigned long long)n->busy,
		 (unsigned long long)n->banned, (unsigned long long)n->bans);
	buf_addf(json, "\"lookups\":%llu,\"lookup_hits\":%llu,", (unsigned long long)n->lookups,
		 (unsigned long long)n->lookup_hits);
}

static const struct role_spec spec = {
	.name = "auth",
	.sandbox = SANDBOX_FS,
	.threads = true,
	.start = start,
	.channel = take_channel,
	.descriptor = take_descriptor,
	.reload = reload,
	.status = status,
};

int main(int argc, char **argv)
{
	static struct server server;
	int code = role_main(argc, argv, &spec, &server);

	auth_free(server.auth); /* waits for hashes in work, closes the file in order */
	return code;
}
