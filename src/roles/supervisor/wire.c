/*
 * roles/supervisor/wire.c: give every process the descriptors that its row and edges name.
 */
#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "sys/calls.h"
#include "sys/file.h"

static void give_end(struct supervisor *sup, unsigned instance, const char *name, uint64_t id,
		     int fd)
{
	if (instance == I_SUPERVISOR)
		wire_own(sup, name, fd);
	else
		process_give(&sup->fixed[instance], "channel", name, id, fd);
}

static bool is_up(const struct supervisor *sup, unsigned instance)
{
	return instance == I_SUPERVISOR || sup->fixed[instance].state != PROCESS_DOWN;
}

/* The log channel: its server end is named after the role that speaks. */
enum err wire_log(struct supervisor *sup, struct process *p, uint64_t id)
{
	int pair[2];
	enum err err;

	if (!is_up(sup, I_LOG))
		return OK;
	err = ipc_pair(pair);
	if (err)
		return err;
	process_give(&sup->fixed[I_LOG], "channel", p->row->name, id, pair[1]);
	process_give(p, "channel", "log", id, pair[0]);
	return OK;
}

static enum err wire_log_of_all(struct supervisor *sup)
{
	struct process *p;
	size_t at = 0;
	enum err err = OK;

	for (unsigned i = 0; i < I_COUNT && !err; i++)
		if (i != I_LOG && is_up(sup, i))
			err = wire_log(sup, &sup->fixed[i], 0);
	while (!err && mailbox_next(sup, &at, &p))
		if (p->state != PROCESS_DOWN)
			err = wire_log(sup, p, mailbox_account(p->mailbox));
	if (!err) {
		int pair[2];

		err = ipc_pair(pair);
		if (err)
			return err;
		process_give(&sup->fixed[I_LOG], "channel", "supervisor", 0, pair[1]);
		log_to_channel(sup->loop, pair[0]);
	}
	return err;
}

static enum err wire_edge(struct supervisor *sup, const struct edge_row *e)
{
	int pair[2];
	enum err err;

	if (!is_up(sup, e->client) || !is_up(sup, e->server))
		return OK;
	err = ipc_pair(pair);
	if (err)
		return err;
	give_end(sup, e->client, e->client_name, e->client_id, pair[0]);
	give_end(sup, e->server, e->server_name, e->server_id, pair[1]);
	return OK;
}

enum err wire_all(struct supervisor *sup)
{
	enum err err = wire_log_of_all(sup);

	for (size_t i = 0; i < edge_count && !err; i++)
		err = wire_edge(sup, &edge_rows[i]);
	return err;
}

enum err wire_instance(struct supervisor *sup, unsigned instance)
{
	enum err err = OK;

	for (size_t i = 0; i < edge_count && !err; i++) {
		const struct edge_row *e = &edge_rows[i];

		if (e->client == instance || e->server == instance)
			err = wire_edge(sup, e);
	}
	if (err)
		return err;
	return instance == I_LOG ? wire_log_of_all(sup) : wire_log(sup, &sup->fixed[instance], 0);
}

/* The files that an option names, separated by commas, opened by the supervisor for their reader. */
static void give_files(struct supervisor *sup, struct process *p, const char *option,
		       const char *paths)
{
	struct view rest = view_str(paths);

	for (uint64_t id = 0; rest.n > 0 && id < CERTIFICATES_MAX; id++) {
		struct view word;
		char *path;
		int fd;

		rest = view_cut(rest, ',', &word);
		path = view_to_cstr(view_trim(word));
		if (!path)
			return;
		fd = calls()->openat(AT_FDCWD, path, O_RDONLY, 0);
		if (fd < 0)
			LOG_ERROR("supervisor.file", "cannot open a file that an option names",
				  LOG_STR("option", option), LOG_STR("path", path), LOG_ERRNO());
		else
			process_give(p, "file", option, id, fd);
		free(path);
	}
}

void wire_certificates(struct supervisor *sup, struct process *keys)
{
	give_files(sup, keys, "certificate", sup->config.certificate);
	give_files(sup, keys, "certificate_key", sup->config.certificate_key);
}

static enum err give_dir(struct supervisor *sup, struct process *p)
{
	uint64_t uid = dirs_uid(sup, p->instance, 0);
	int fd;

	if (calls()->mkdirat(sup->data_dir, p->row->dir, 0700) && errno != EEXIST)
		return ERR_IO;
	fd = calls()->openat(sup->data_dir, p->row->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (fd < 0)
		return ERR_IO;
	if (uid && fchown(fd, (uid_t)uid, (gid_t)uid)) {
		fd_close(&fd);
		return ERR_IO;
	}
	process_give(p, "dir", p->row->dir_name, 0, fd);
	return OK;
}

enum err wire_descriptors(struct supervisor *sup, struct process *p)
{
	int empty = fcntl(sup->empty_dir, F_DUPFD_CLOEXEC, 0);
	enum err err = OK;

	if (empty >= 0)
		process_give(p, "dir", "empty", 0, empty);
	if (p->mailbox)
		return OK;
	if (p->row->dir)
		err = give_dir(sup, p);
	for (size_t i = 0; i < sup->listener_count; i++) {
		int fd;

		if (sup->listeners[i].instance != p->instance)
			continue;
		fd = fcntl(sup->listeners[i].fd, F_DUPFD_CLOEXEC, 0);
		if (fd >= 0)
			process_give(p, "listener", sup->listeners[i].name, sup->listeners[i].id,
				     fd);
	}
	if (p->instance == I_KEYS)
		wire_certificates(sup, p);
	return err;
}

void wire_own(struct supervisor *sup, const char *name, int fd)
{
	if (strcmp(name, "attach") == 0)
		attach_take(sup, fd);
	else if (strcmp(name, "redeem") == 0)
		redeem_take(sup, fd);
	else if (strcmp(name, "spawn") == 0)
		spawn_take(sup, fd);
	else
		admin_take(sup, fd);
}
