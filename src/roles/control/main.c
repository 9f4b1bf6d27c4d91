/*
 * roles/control/main.c: the administrator's socket.
 *
 * One JSON object a line comes in, {"verb":"account.list","args":{...}}; rows and an end, one JSON object
 * a line, go out.  The verb's first word decides which role is asked; that role checks the arguments.
 * Control itself holds nothing and decides nothing.
 */
#include <errno.h>
#include <jansson.h>
#include <unistd.h>

#include "base/num.h"
#include "ipc/admin.h"
#include "sys/calls.h"
#include "sys/file.h"
#include "sys/role.h"
#include "sys/stream.h"

enum {
	OWNERS = 5,
	CLIENTS_MAX = 64,
	REQUEST_LINE_MAX = 64 * 1024,
	ANSWER_MAX = 4 * 1024 * 1024,
	ARGS_MAX = 24,
};

/* Which role answers a verb; id as in the table of channels. */
static const struct {
	const char *prefix;
	unsigned owner;
} verb_rows[] = {
	{ "account_key.", 4 }, { "account.", 0 }, { "domain.", 0 }, { "alias.", 0 }, { "ban.", 0 },
	{ "auth.", 0 },	       { "queue.", 1 },	  { "status", 2 },  { "reload", 2 }, { "log.", 3 },
	{ "fsck", 2 },	       { "trace", 3 },	  { "keys.", 4 },
};

struct control;

struct client {
	struct client *next;
	struct control *control;
	struct stream stream;
	uint32_t tag; /* of the request that is being answered; 0: none */
	unsigned owner;
	bool dead;
};

struct owner {
	struct control *control;
	struct ipc_chan *chan;
};

struct control {
	struct role *role;
	struct owner owners[OWNERS];
	struct client *clients;
	size_t client_count;
	struct loop_io listener;
	struct loop_defer sweep;
	uint32_t last_tag;
	uint64_t requests;
};

static void send_line(struct client *c, struct view json)
{
	stream_write(&c->stream, json);
	stream_write(&c->stream, VIEW("\n"));
}

static void send_end(struct client *c, enum err err, struct view text)
{
	json_t *line = json_pack("{s:b,s:i,s:s,s:s%}", "end", 1, "err", (int)err, "error",
				 err_text(err), "text", text.p ? text.p : "", text.n);
	char *bytes = line ? json_dumps(line, JSON_COMPACT) : NULL;

	send_line(c, bytes ? view_str(bytes)
			   : VIEW("{\"end\":true,\"err\":1,\"text\":\"answer is not text\"}"));
	free(bytes);
	json_decref(line);
	c->tag = 0;
}

static struct client *client_of(struct control *control, uint32_t tag)
{
	for (struct client *c = control->clients; c; c = c->next)
		if (c->tag == tag && !c->dead)
			return c;
	return NULL;
}

/* ---- answers ---- */

static enum err on_row(void *ctx, const struct admin_row *m)
{
	struct owner *o = ctx;
	struct client *c = client_of(o->control, m->tag);

	if (c)
		send_line(c, m->json);
	return OK;
}

static enum err on_end(void *ctx, const struct admin_end *m)
{
	struct owner *o = ctx;
	struct client *c = client_of(o->control, m->tag);

	if (c) {
		send_end(c, m->err < ERR_COUNT ? (enum err)m->err : ERR_PEER, m->text);
		stream_resume(&c->stream);
	}
	return OK;
}

static const struct admin_client_ops admin_ops = { on_row, on_end };

static enum err owner_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	return admin_client_dispatch(&admin_ops, ctx, type, body, fd);
}

static void owner_closed(void *ctx, enum err why)
{
	struct owner *o = ctx;
	unsigned number = (unsigned)(o - o->control->owners);

	ipc_chan_free(o->chan);
	o->chan = NULL;
	for (struct client *c = o->control->clients; c; c = c->next)
		if (c->tag && c->owner == number && !c->dead)
			send_end(c, ERR_PEER,
				 VIEW("the role that was asked has ended; it is started "
				      "again, try once more"));
}

static const struct ipc_ops owner_ipc = { owner_message, owner_closed, NULL };

/* ---- requests ---- */

static bool find_owner(struct view verb, unsigned *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(verb_rows); i++) {
		if (view_starts(verb, view_str(verb_rows[i].prefix))) {
			*ret = verb_rows[i].owner;
			return true;
		}
	}
	return false;
}

/* Arguments are strings, numbers or booleans; numbers and booleans are told as text. */
static enum err collect_args(json_t *args, struct admin_request_args *list,
			     char (*rooms)[NUM_TEXT_MAX], size_t *ret_count)
{
	const char *key;
	json_t *value;
	size_t n = 0;

	json_object_foreach(args, key, value)
	{
		if (n >= ARGS_MAX)
			return ERR_LIMIT;
		list[n].key = view_str(key);
		if (json_is_string(value))
			list[n].value =
				view_of(json_string_value(value), json_string_length(value));
		else if (json_is_integer(value) && json_integer_value(value) >= 0)
			list[n].value = num_text((uint64_t)json_integer_value(value), rooms[n]);
		else if (json_is_boolean(value))
			list[n].value = json_is_true(value) ? VIEW("yes") : VIEW("no");
		else
			return ERR_SYNTAX;
		n++;
	}
	*ret_count = n;
	return OK;
}

static void ask(struct client *c, struct view verb, json_t *args)
{
	struct control *control = c->control;
	struct admin_request_args list[ARGS_MAX];
	char rooms[ARGS_MAX][NUM_TEXT_MAX];
	struct admin_request m = { .verb = verb, .args = list };
	enum err err;

	if (!find_owner(verb, &c->owner)) {
		send_end(c, ERR_UNSUPPORTED, VIEW("there is no such request"));
		return;
	}
	if (!control->owners[c->owner].chan) {
		send_end(c, ERR_BUSY,
			 VIEW("the role that answers this is being started; try again"));
		return;
	}
	err = collect_args(args, list, rooms, &m.args_count);
	if (!err) {
		if (++control->last_tag == 0)
			control->last_tag = 1;
		m.tag = c->tag = control->last_tag;
		control->requests++;
		err = admin_send_request(control->owners[c->owner].chan, &m);
	}
	if (err)
		send_end(c, err,
			 err == ERR_LIMIT ? VIEW("an argument is too long, or there are too many")
					  : VIEW("an argument is not text, a number, or yes/no"));
}

static void run_line(struct client *c, struct view line)
{
	json_error_t error;
	json_t *root = json_loadb(line.p, line.n, JSON_REJECT_DUPLICATES, &error);
	json_t *verb = json_object_get(root, "verb");
	json_t *args = json_object_get(root, "args");

	if (!json_is_string(verb) || (args && !json_is_object(args)))
		send_end(c, ERR_SYNTAX,
			 VIEW("expected is a line {\"verb\":\"...\",\"args\":{...}}"));
	else
		ask(c, view_str(json_string_value(verb)), args);
	json_decref(root);
}

static void on_input(void *ctx)
{
	struct client *c = ctx;

	while (!c->tag && !c->dead) {
		size_t nl = view_find_char(buf_view(&c->stream.in), '\n');

		if (nl == VIEW_NONE) {
			if (c->stream.in.n >= REQUEST_LINE_MAX) {
				send_end(c, ERR_LIMIT, VIEW("the request is too long"));
				stream_finish(&c->stream);
				buf_clear(&c->stream.in);
			}
			return;
		}
		run_line(c, view_head(buf_view(&c->stream.in), nl));
		buf_consume(&c->stream.in, nl + 1);
	}
}

static void on_closed(void *ctx, enum err why)
{
	struct client *c = ctx;

	c->dead = true;
	loop_defer_add(&c->control->sweep);
}

static const struct stream_ops client_stream = { on_input, NULL, on_closed };

static void on_sweep(void *ctx)
{
	struct control *control = ctx;
	struct client **at = &control->clients;

	while (*at) {
		struct client *c = *at;

		if (!c->dead) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		stream_done(&c->stream);
		free(c);
		control->client_count--;
	}
	loop_io_want(&control->listener, control->client_count < CLIENTS_MAX ? LOOP_READ : 0);
}

static void on_accept(void *ctx, unsigned events)
{
	struct control *control = ctx;
	int fd = calls()->accept4(control->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct client *c;

	if (fd < 0)
		return;
	c = calloc(1, sizeof(*c));
	if (!c) {
		fd_close(&fd);
		return;
	}
	c->control = control;
	stream_init(&c->stream, role_loop(control->role), fd, REQUEST_LINE_MAX, ANSWER_MAX,
		    &client_stream, c);
	c->next = control->clients;
	control->clients = c;
	if (++control->client_count >= CLIENTS_MAX)
		loop_io_want(&control->listener, 0);
}

/* ---- role ---- */

static void on_channel(struct role *role, void *ctx, struct view name, uint64_t id, int fd)
{
	struct control *control = ctx;
	struct owner *o;

	if (id >= OWNERS) {
		fd_close(&fd);
		return;
	}
	o = &control->owners[id];
	o->control = control;
	ipc_chan_free(o->chan);
	o->chan = NULL;
	if (ipc_chan_new(role_loop(role), fd, &admin_channel, IPC_CLIENT, &owner_ipc, o, &o->chan))
		LOG_ERROR("control.memory", "no memory for a channel");
}

static void on_descriptor(struct role *role, void *ctx, struct view kind, struct view name,
			  uint64_t id, int fd)
{
	struct control *control = ctx;

	control->role = role;
	if (view_eq(kind, VIEW("listener")))
		loop_io_init(&control->listener, role_loop(role), fd, on_accept, control);
	else
		fd_close(&fd);
}

static enum err on_start(struct role *role, void *ctx)
{
	struct control *control = ctx;

	loop_defer_init(&control->sweep, role_loop(role), on_sweep, control);
	if (!control->listener.loop)
		return ERR_NOTFOUND;
	loop_io_want(&control->listener, LOOP_READ);
	return OK;
}

static void on_status(struct role *role, void *ctx, struct buf *json)
{
	struct control *control = ctx;

	buf_addf(json, "\"clients\":%zu,\"requests\":%llu,", control->client_count,
		 (unsigned long long)control->requests);
}

int main(int argc, char **argv)
{
	static struct control control;
	static const struct role_spec spec = {
		.name = "control",
		.sandbox = SANDBOX_PURE,
		.start = on_start,
		.channel = on_channel,
		.descriptor = on_descriptor,
		.status = on_status,
	};

	return role_main(argc, argv, &spec, &control);
}
