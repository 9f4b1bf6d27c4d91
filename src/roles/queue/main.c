/*
 * roles/queue/main.c: mail in transit.
 *
 * Holds the spool directory and nothing else; bodies are opaque here.  Its peers: smtp (accept), auth
 * (route), supervisor and mailboxes (spawn, deliver), send (transfer), control (admin).
 */
#include "roles/queue/queue.h"
#include "sys/file.h"
#include "sys/log.h"
#include "sys/role.h"

enum { CHANNELS_EARLY = 8 };

struct queue_role {
	struct queue queue;
	int dir;
	bool started;
	/* Channels that came before the start. */
	struct {
		char name[16];
		uint64_t id;
		int fd;
	} early[CHANNELS_EARLY];
	size_t early_n;
};

static void attach(struct queue *q, struct view name, uint64_t id, int fd)
{
	enum err err;

	if (view_eq(name, VIEW("accept")))
		err = accept_attach(q, id, fd);
	else if (view_eq(name, VIEW("route")))
		err = route_attach(q, fd);
	else if (view_eq(name, VIEW("spawn")))
		err = local_attach_spawn(q, fd);
	else if (view_eq(name, VIEW("transfer")))
		err = remote_attach(q, fd);
	else if (view_eq(name, VIEW("admin")))
		err = admin_attach(q, fd);
	else {
		fd_close(&fd);
		err = ERR_NOTFOUND;
	}
	if (err)
		LOG_ERROR("queue.channel", "a channel cannot be used", LOG_VIEW("name", name),
			  LOG_ERR(err));
}

static void on_channel(struct role *role, void *ctx, struct view name, uint64_t id, int fd)
{
	struct queue_role *r = ctx;

	if (r->started) {
		attach(&r->queue, name, id, fd);
		return;
	}
	if (r->early_n == CHANNELS_EARLY || name.n >= sizeof(r->early[0].name)) {
		fd_close(&fd);
		return;
	}
	memcpy(r->early[r->early_n].name, name.p, name.n);
	r->early[r->early_n].id = id;
	r->early[r->early_n++].fd = fd;
}

static void on_descriptor(struct role *role, void *ctx, struct view kind, struct view name,
			  uint64_t id, int fd)
{
	struct queue_role *r = ctx;

	if (view_eq(kind, VIEW("dir")) && view_eq(name, VIEW("spool")) && r->dir < 0)
		r->dir = fd;
	else
		fd_close(&fd);
}

static enum err on_start(struct role *role, void *ctx)
{
	struct queue_role *r = ctx;
	enum err err;

	if (r->dir < 0) {
		LOG_ERROR("queue.spool", "there is no spool directory");
		return ERR_NOTFOUND;
	}
	err = queue_init(&r->queue, role_loop(role), role_config(role), r->dir);
	if (err)
		return err;
	r->started = true;
	for (size_t i = 0; i < r->early_n; i++)
		attach(&r->queue, view_str(r->early[i].name), r->early[i].id, r->early[i].fd);
	return OK;
}

static void on_reload(struct role *role, void *ctx)
{
	struct queue_role *r = ctx;

	queue_reload(&r->queue, role_config(role));
}

static void on_stop(struct role *role, void *ctx)
{
	struct queue_role *r = ctx;

	queue_stop(&r->queue);
	role_exit(role, 0);
}

static void on_status(struct role *role, void *ctx, struct buf *json)
{
	const struct queue_role *r = ctx;

	queue_status(&r->queue, json);
}

static const struct role_spec spec = {
	.name = "queue",
	.sandbox = SANDBOX_FS,
	.start = on_start,
	.channel = on_channel,
	.descriptor = on_descriptor,
	.reload = on_reload,
	.stop = on_stop,
	.status = on_status,
};

int main(int argc, char **argv)
{
	static struct queue_role role = { .dir = -1 };

	return role_main(argc, argv, &spec, &role);
}
