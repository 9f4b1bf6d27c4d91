/*
 * roles/send/main.c: mail leaves here.
 *
 * Jobs come from the queue, names are looked up by resolve, connections are made by front.  The role has
 * no network, no files and no keys; what it reads from outside is replies of remote servers, by the
 * strict reader in proto/smtp.  What is not reported when it dies the queue gives out again.
 */
#include "send.h"
#include "sys/file.h"

/* ---- transfer ---- */

/* Not our fault and not the queue's: say so for each recipient. */
static void refuse(struct send *s, const struct transfer_job *m)
{
	struct transfer_job_recipients item;
	struct view raw = m->recipients_raw;
	struct transfer_finished end = { m->job };
	enum err err = OK;

	while (!err && transfer_job_recipients_next(&raw, &item)) {
		struct transfer_result r = {
			.job = m->job,
			.index = item.index,
			.outcome = TRANSFER_DEFERRED,
			.enhanced = VIEW("4.3.0"),
			.text = VIEW("out of memory"),
		};

		err = transfer_send_result(s->transfer, &r);
	}
	if (!err)
		err = transfer_send_finished(s->transfer, &end);
	if (err)
		LOG_WARNING("send.memory", "no memory for a job");
}

static enum err on_job(void *ctx, const struct transfer_job *m, int *fd)
{
	struct send *s = ctx;
	struct job *j;
	enum err err = job_new(s, m, fd, &j);

	if (err == ERR_NOMEM) {
		refuse(s, m);
		return OK;
	}
	if (err)
		return err;
	if (destination_add(s, m->domain, j)) {
		job_free(j);
		refuse(s, m);
	}
	return OK;
}

static const struct transfer_server_ops transfer_ops = { on_job };

static enum err transfer_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	return transfer_server_dispatch(&transfer_ops, ctx, type, body, fd);
}

static void transfer_closed(void *ctx, enum err why)
{
	struct send *s = ctx;

	if (why && why != ERR_EOF)
		LOG_ERROR("send.peer", "the queue broke the rules of its channel", LOG_ERR(why));
	ipc_chan_free(s->transfer);
	s->transfer = NULL;
	destination_drop_jobs(s);
}

static const struct ipc_ops transfer_ipc = { transfer_message, transfer_closed, NULL };

/* ---- resolve ---- */

static enum err on_answer(void *ctx, const struct resolve_answer *m)
{
	return lookup_answer(ctx, m);
}

static const struct resolve_client_ops resolve_ops = { on_answer };

static enum err resolve_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	return resolve_client_dispatch(&resolve_ops, ctx, type, body, fd);
}

static void resolve_closed(void *ctx, enum err why)
{
	struct send *s = ctx;

	if (why && why != ERR_EOF)
		LOG_ERROR("send.peer", "resolve broke the rules of its channel", LOG_ERR(why));
	ipc_chan_free(s->resolve);
	s->resolve = NULL;
	lookup_forget(s);
}

static const struct ipc_ops resolve_ipc = { resolve_message, resolve_closed, NULL };

/* ---- connect ---- */

static enum err on_opened(void *ctx, const struct connect_opened *m, int *fd)
{
	return connection_opened(ctx, m, fd);
}

static enum err on_secured(void *ctx, const struct connect_secured *m, int *fd)
{
	return connection_secured(ctx, m, fd);
}

static enum err on_gone(void *ctx, const struct connect_gone *m)
{
	return connection_gone(ctx, m);
}

static const struct connect_client_ops connect_ops = { on_opened, on_secured, on_gone };

static enum err connect_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	return connect_client_dispatch(&connect_ops, ctx, type, body, fd);
}

static void connect_closed(void *ctx, enum err why)
{
	struct send *s = ctx;

	if (why && why != ERR_EOF)
		LOG_ERROR("send.peer", "front broke the rules of its channel", LOG_ERR(why));
	ipc_chan_free(s->connect);
	s->connect = NULL;
	connection_forget_front(s);
}

static const struct ipc_ops connect_ipc = { connect_message, connect_closed, NULL };

/* ---- role ---- */

static void prepare(struct send *s, struct role *role)
{
	uint8_t secret[16];

	if (s->role)
		return;
	s->role = role;
	s->loop = role_loop(role);
	s->last_session = random_u64();
	random_bytes(secret, sizeof(secret));
	map_init(&s->by_key, DESTINATIONS_MAX, secret);
	map_init(&s->by_session, CONNECTIONS_MAX, secret);
	map_init(&s->by_tag, QUESTIONS_MAX, secret);
	loop_defer_init(&s->dispatch, s->loop, destination_run_all, s);
}

static void on_channel(struct role *role, void *ctx, struct view name, uint64_t id, int fd)
{
	static const struct {
		const char *name;
		size_t at;
		const struct ipc_channel *channel;
		enum ipc_side side;
		const struct ipc_ops *ops;
	} rows[] = {
		{ "transfer", offsetof(struct send, transfer), &transfer_channel, IPC_SERVER,
		  &transfer_ipc },
		{ "resolve", offsetof(struct send, resolve), &resolve_channel, IPC_CLIENT,
		  &resolve_ipc },
		{ "connect", offsetof(struct send, connect), &connect_channel, IPC_CLIENT,
		  &connect_ipc },
	};
	struct send *s = ctx;

	prepare(s, role);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ipc_chan **at = (struct ipc_chan **)((char *)s + rows[i].at);

		if (!view_eq(name, view_str(rows[i].name)))
			continue;
		if (*at)
			rows[i].ops->closed(s, OK);
		if (ipc_chan_new(s->loop, fd, rows[i].channel, rows[i].side, rows[i].ops, s, at)) {
			*at = NULL;
			LOG_ERROR("send.memory", "no memory for a channel");
		}
		destination_dispatch(s);
		return;
	}
	fd_close(&fd);
}

static enum err on_start(struct role *role, void *ctx)
{
	prepare(ctx, role);
	return OK;
}

/* Messages that are being sent are finished; the rest is the queue's again. */
static void on_stop(struct role *role, void *ctx)
{
	struct send *s = ctx;
	struct connection *next;

	s->stopping = true;
	for (struct destination *d = s->destinations; d; d = d->next) {
		for (struct connection *c = d->connections; c; c = next) {
			struct job *j = c->job;

			next = c->next;
			if (c->idle) {
				connection_quit(c);
			} else if (!c->open || c->client.stage < SMTP_STAGE_BODY) {
				connection_free(c);
				if (j)
					job_free(j);
			}
		}
	}
	destination_dispatch(s);
}

static void on_status(struct role *role, void *ctx, struct buf *json)
{
	const struct send *s = ctx;

	buf_addf(json, "\"jobs\":%zu,\"destinations\":%zu,\"connections\":%zu,", s->job_n,
		 s->by_key.n, s->connection_n);
	buf_addf(json, "\"delivered\":%llu,\"deferred\":%llu,\"failed\":%llu,",
		 (unsigned long long)s->counters.delivered,
		 (unsigned long long)s->counters.deferred, (unsigned long long)s->counters.failed);
	buf_addf(json, "\"possible_duplicates\":%llu,\"opened\":%llu,",
		 (unsigned long long)s->counters.duplicates,
		 (unsigned long long)s->counters.connections);
	buf_addf(json, "\"tls\":%llu,\"tls_failed\":%llu,", (unsigned long long)s->counters.tls,
		 (unsigned long long)s->counters.tls_failed);
}

int main(int argc, char **argv)
{
	static struct send send;
	static const struct role_spec spec = {
		.name = "send",
		.sandbox = SANDBOX_PURE,
		.start = on_start,
		.channel = on_channel,
		.stop = on_stop,
		.status = on_status,
	};

	return role_main(argc, argv, &spec, &send);
}
