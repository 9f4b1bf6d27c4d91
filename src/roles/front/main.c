/*
 * roles/front/main.c: start of the front role.
 */
#include "front.h"

#include <netinet/in.h>

#include "sys/clock.h"
#include "sys/file.h"

enum { SWEEP_MS = 30 * 1000, STOP_MS = 1000, KEYS_WAIT_MS = 3000, OUTBOUNDS_MAX = 10000 };

void front_address(const struct sockaddr_storage *from, struct session_peer *ret)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;

	*ret = (struct session_peer){ 0 };
	if (from->ss_family == AF_INET) {
		memcpy(ret->ip, &v4->sin_addr, 4);
		ret->ip_n = 4;
		ret->port = ntohs(v4->sin_port);
	} else if (from->ss_family == AF_INET6) {
		bool mapped = IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);

		ret->ip_n = mapped ? 4 : 16;
		memcpy(ret->ip, v6->sin6_addr.s6_addr + (mapped ? 12 : 0), ret->ip_n);
		ret->port = ntohs(v6->sin6_port);
	}
}

static void on_channel(struct role *role, void *ctx, struct view name, uint64_t id, int fd)
{
	struct front *f = ctx;

	f->role = role;
	if (view_eq(name, VIEW("session")))
		front_backend_take(f, id, fd);
	else if (view_eq(name, VIEW("tls")))
		front_keys_take(f, fd);
	else if (view_eq(name, VIEW("connect")))
		front_connect_take(f, fd);
	else
		fd_close(&fd);
}

static void on_descriptor(struct role *role, void *ctx, struct view kind, struct view name,
			  uint64_t id, int fd)
{
	struct front *f = ctx;

	f->role = role;
	if (view_eq(kind, VIEW("listener")))
		front_listener_take(f, name, id, fd);
	else
		fd_close(&fd);
}

/* The system's authorities are read before the sandbox closes the files. */
static enum err on_prepare(struct role *role, void *ctx)
{
	struct front *f = ctx;
	enum err err = OK;

	f->role = role;
	if (f->wants_connect)
		err = tls_client_new(&f->env, VIEW_EMPTY, &f->client);
	if (!err && f->client && tls_client_roots(f->client) == 0)
		LOG_WARNING("front.no_roots",
			    "there are no certificate authorities: no remote server can be "
			    "verified. Install ca-certificates");
	return err;
}

static void on_sweep(void *ctx)
{
	struct front *f = ctx;

	clients_sweep(&f->clients, clock_mono_ms());
	loop_timer_set(&f->sweep, SWEEP_MS);
}

static void on_listen_time(void *ctx)
{
	front_listen(ctx);
}

static void on_stop_time(void *ctx)
{
	struct front *f = ctx;

	role_exit(f->role, 0);
}

static enum err on_start(struct role *role, void *ctx)
{
	struct front *f = ctx;

	loop_timer_init(&f->sweep, role_loop(role), on_sweep, f);
	loop_timer_set(&f->sweep, SWEEP_MS);
	loop_timer_init(&f->stop_timer, role_loop(role), on_stop_time, f);
	loop_timer_init(&f->listen_timer, role_loop(role), on_listen_time, f);
	loop_timer_set(&f->listen_timer, KEYS_WAIT_MS);
	return OK;
}

void front_check_stop(struct front *f)
{
	if (f->stopping && f->sessions.n == 0 && f->outbound_count == 0)
		role_exit(f->role, 0);
}

/* The roles behind us say goodbye and close their streams; wait for that a little. */
static void on_stop(struct role *role, void *ctx)
{
	struct front *f = ctx;

	f->stopping = true;
	front_listen_stop(f, -1);
	loop_timer_set(&f->stop_timer, STOP_MS);
	front_check_stop(f);
}

static void on_status(struct role *role, void *ctx, struct buf *json)
{
	struct front *f = ctx;
	const struct counters *c = &f->counters;
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{ "connections", f->sessions.n }, { "outbound", f->outbound_count },
		{ "clients", f->clients.map.n },  { "known", lru_count(&f->clients.known) },
		{ "accepted", c->accepted },	  { "refused", c->refused },
		{ "handshakes", c->handshakes },  { "resumed", c->resumed },
		{ "tls_failed", c->tls_failed },  { "broken", c->broken },
		{ "connects", c->connects },	  { "connect_failed", c->connect_failed },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		buf_addf(json, "\"%s\":%llu,", rows[i].name, (unsigned long long)rows[i].value);
	for (size_t i = 0; i < SERVICES; i++)
		buf_addf(json, "\"open_%s\":%u,", front_services[i].name, f->open[i]);
}

/* What the first descriptors already need. */
static enum err front_init(struct front *f)
{
	uint8_t secret[16];
	enum err err;

	random_bytes(secret, sizeof(secret));
	clients_init(&f->clients, secret);
	map_init(&f->sessions, SESSIONS_MAX, secret);
	map_init(&f->outbounds, OUTBOUNDS_MAX, secret);
	front_keys_init(f);
	err = tls_env_init(&f->env);
	if (!err)
		err = tls_room_init(&f->room);
	if (!err)
		err = tls_server_new(&f->env, &f->signer, &f->server);
	return err;
}

int main(int argc, char **argv)
{
	static struct front front;
	static const struct role_spec spec = {
		.name = "front",
		.sandbox = SANDBOX_NET,
		.prepare = on_prepare,
		.start = on_start,
		.channel = on_channel,
		.descriptor = on_descriptor,
		.stop = on_stop,
		.status = on_status,
	};

	if (front_init(&front)) {
		fprintf(stderr, "posthold-front: OpenSSL cannot be used\n");
		return 1;
	}
	return role_main(argc, argv, &spec, &front);
}
