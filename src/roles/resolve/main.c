/*
 * roles/resolve/main.c: the only role that speaks DNS.
 *
 * Questions come by the channel and go to libunbound, which works in a thread of its own; its results are
 * read in the loop.  The role holds a cache and nothing else, has no files once it serves, and nobody
 * else in the system reads an octet of a DNS message.
 */
#include "resolve.h"
#include "sys/role.h"

static enum err on_query(void *ctx, const struct resolve_query *m)
{
	question_ask(ctx, m);
	return OK;
}

static const struct resolve_server_ops server_ops = { on_query };

static enum err chan_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	return resolve_server_dispatch(&server_ops, ctx, type, body, fd);
}

static void chan_closed(void *ctx, enum err why)
{
	struct resolve *r = ctx;

	question_drop_all(r);
	ipc_chan_free(r->chan);
	r->chan = NULL;
}

static const struct ipc_ops chan_ops = { chan_message, chan_closed, NULL };

static void on_channel(struct role *role, void *ctx, struct view name, uint64_t id, int fd)
{
	struct resolve *r = ctx;

	if (r->chan)
		chan_closed(r, OK);
	if (ipc_chan_new(role_loop(role), fd, &resolve_channel, IPC_SERVER, &chan_ops, r, &r->chan))
		LOG_ERROR("resolve.memory", "no memory for a channel");
}

static void on_ready(void *ctx, unsigned events)
{
	struct resolve *r = ctx;
	int e = ub_process(r->unbound);

	if (e)
		LOG_ERROR("resolve.library", "the resolver library fails",
			  LOG_STR("why", ub_strerror(e)));
}

/* Before the sandbox: the library reads the trust anchor. */
static enum err on_prepare(struct role *role, void *ctx)
{
	struct resolve *r = ctx;

	return context_new(view_str(role_config(role)->resolver), &r->unbound);
}

static enum err on_start(struct role *role, void *ctx)
{
	struct resolve *r = ctx;

	r->loop = role_loop(role);
	loop_io_init(&r->io, r->loop, ub_fd(r->unbound), on_ready, r);
	loop_io_want(&r->io, LOOP_READ);
	return OK;
}

static void on_status(struct role *role, void *ctx, struct buf *json)
{
	const struct resolve *r = ctx;

	buf_addf(json, "\"questions\":%llu,\"refused\":%llu,\"temporary\":%llu,",
		 (unsigned long long)r->asked, (unsigned long long)r->refused,
		 (unsigned long long)r->temporary);
	buf_addf(json, "\"timeouts\":%llu,\"bogus\":%llu,\"waiting\":%zu,",
		 (unsigned long long)r->timeouts, (unsigned long long)r->bogus, r->waiting);
}

int main(int argc, char **argv)
{
	static struct resolve resolve = { .data = BUF_INIT(ANSWER_DATA_MAX) };
	static const struct role_spec spec = {
		.name = "resolve",
		.sandbox = SANDBOX_NET,
		.threads = true,
		.prepare = on_prepare,
		.start = on_start,
		.channel = on_channel,
		.status = on_status,
	};

	return role_main(argc, argv, &spec, &resolve);
}
