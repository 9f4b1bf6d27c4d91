/*
 * cli/client.c: requests to a running instance, over DATA/run/control.sock.
 */
#include "cli.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "sys/calls.h"
#include "sys/file.h"

enum { LINE_MAX_OCTETS = 64 * 1024 };

static void explain(const struct instance *instance)
{
	if (errno == ENOENT || errno == ECONNREFUSED)
		complain("no instance runs on %s. Start it with `posthold serve`, or name its "
			 "folder "
			 "with --dir.",
			 instance->data);
	else if (errno == EACCES)
		complain("not allowed to administer the instance on %s: run this as the user that "
			 "started it, or as root.",
			 instance->data);
	else
		complain("cannot reach the instance on %s: %s", instance->data,
			 strerrordesc_np(errno));
}

enum err client_open(const struct instance *instance, bool quiet, struct client *ret)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int n = snprintf(at.sun_path, sizeof(at.sun_path), "%s/run/control.sock", instance->data);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (n < 0 || (size_t)n >= sizeof(at.sun_path) || fd < 0) {
		complain("the path %s is too long", instance->data);
		fd_close(&fd);
		return ERR_LIMIT;
	}
	if (connect(fd, (struct sockaddr *)&at, sizeof(at))) {
		if (!quiet)
			explain(instance);
		fd_close(&fd);
		return ERR_NOTFOUND;
	}
	ret->fd = fd;
	buf_init(&ret->in, LINE_MAX_OCTETS);
	return OK;
}

void client_close(struct client *c)
{
	fd_close(&c->fd);
	buf_done(&c->in);
}

static enum err read_line(struct client *c, struct view *ret)
{
	for (;;) {
		size_t nl = view_find_char(buf_view(&c->in), '\n');
		char *room;
		ssize_t n;

		if (nl != VIEW_NONE) {
			*ret = view_head(buf_view(&c->in), nl + 1);
			return OK;
		}
		room = buf_room(&c->in, 4096);
		if (!room)
			return ERR_LIMIT;
		n = calls()->read(c->fd, room, 4096);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return ERR_PEER;
		buf_added(&c->in, (size_t)n);
	}
}

static enum err send_request(struct client *c, const char *verb, json_t *args)
{
	json_t *request = json_pack("{s:s,s:O}", "verb", verb, "args", args);
	char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
	enum err err = text ? OK : ERR_NOMEM;

	if (!err)
		err = file_write(c->fd, view_str(text));
	if (!err)
		err = file_write(c->fd, VIEW("\n"));
	free(text);
	json_decref(request);
	return err;
}

enum err client_request(struct client *c, const char *verb, json_t *args, client_row_fn *fn,
			void *ctx, struct buf *text)
{
	enum err err = send_request(c, verb, args);

	while (!err) {
		struct view line;
		json_t *row;
		bool end;

		err = read_line(c, &line);
		if (err)
			break;
		row = json_loadb(line.p, line.n, 0, NULL);
		buf_consume(&c->in, line.n);
		end = json_is_true(json_object_get(row, "end"));
		if (end) {
			err = (enum err)json_integer_value(json_object_get(row, "err"));
			buf_add(text, view_str(json_string_value(json_object_get(row, "text"))));
		} else if (fn) {
			fn(ctx, row);
		}
		json_decref(row);
		if (end)
			return err;
	}
	buf_add_str(text, "the instance ended while it was asked");
	return err;
}
