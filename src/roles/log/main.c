/*
 * roles/log/main.c: channels of all roles in, lines out, questions of the administrator answered.
 */
#include <errno.h>
#include <unistd.h>

#include "base/num.h"
#include "log_role.h"
#include "sys/clock.h"
#include "sys/file.h"

enum { SOURCES_MAX = 100100, ROLE_NAME_MAX = 32, LAST_DEFAULT = 50 };

/* One role that speaks. */
struct source {
	struct source *next;
	struct log_role *role;
	struct ipc_chan *chan;
	char name[ROLE_NAME_MAX];
	uint64_t id;
};

struct log_role {
	struct role *role;
	struct log_file file;
	struct source *sources;
	struct ipc_chan *admin;
	struct loop_defer flush;
	int dir;
	uint64_t records, dropped;
	uint64_t lost_told; /* of file.lost */
};

static void write_line(struct log_role *l, struct view role, uint64_t id,
		       const struct log_record *m)
{
	struct buf CLEANUP(buf_done) line = BUF_INIT(LINE_MAX_OCTETS);
	ssize_t UNUSED ignored;

	log_format_json(&line, role, id, m);
	if (buf_err(&line))
		l->file.lost++;
	else
		log_file_add(&l->file, buf_view(&line));
	if (role_config(l->role)->log_stdout) {
		buf_clear(&line);
		log_format_text(&line, role, m);
		buf_add_char(&line, '\n');
		/* A closed standard output is no reason to lose the file. */
		ignored = write(STDOUT_FILENO, line.p, line.n);
	}
	l->records++;
	loop_defer_add(&l->flush);
}

static enum err on_record(void *ctx, const struct log_record *m)
{
	struct source *s = ctx;

	write_line(s->role, view_str(s->name), s->id, m);
	return OK;
}

static enum err on_dropped(void *ctx, const struct log_dropped *m)
{
	struct source *s = ctx;
	struct log_record record = {
		.level = LOG_LEVEL_WARNING,
		.time_ms = clock_wall_ms(),
		.event = VIEW("log.dropped"),
		.text = VIEW("a role had to drop events because the log was slow"),
	};

	s->role->dropped += m->count;
	write_line(s->role, view_str(s->name), s->id, &record);
	return OK;
}

static const struct log_server_ops log_ops = { on_record, on_dropped };

static enum err source_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	return log_server_dispatch(&log_ops, ctx, type, body, fd);
}

static void source_free(struct source *s)
{
	struct source **at;

	for (at = &s->role->sources; *at && *at != s; at = &(*at)->next)
		;
	if (*at)
		*at = s->next;
	ipc_chan_free(s->chan);
	free(s);
}

static void source_closed(void *ctx, enum err why)
{
	source_free(ctx);
}

static const struct ipc_ops source_ipc = { source_message, source_closed, NULL };

static void source_add(struct log_role *l, struct view name, uint64_t id, int fd)
{
	struct source *s = calloc(1, sizeof(*s));

	if (!s) {
		fd_close(&fd);
		return;
	}
	s->role = l;
	s->id = id;
	snprintf(s->name, sizeof(s->name), VIEW_FMT, VIEW_ARG(view_head(name, ROLE_NAME_MAX - 1)));
	if (ipc_chan_new(role_loop(l->role), fd, &log_channel, IPC_SERVER, &source_ipc, s,
			 &s->chan)) {
		free(s);
		return;
	}
	s->next = l->sources;
	l->sources = s;
}

/* ---- questions ---- */

struct question {
	struct log_query query;
	struct buf pieces; /* what query.contains points into */
	const char *why; /* it is refused */
};

static void add_piece(struct question *q, const char *key, struct view value)
{
	size_t from = q->pieces.n;

	if (q->query.contains_count >= ARRAY_LEN(q->query.contains))
		return;
	if (key)
		buf_addf(&q->pieces, "\"%s\":\"" VIEW_FMT "\"", key, VIEW_ARG(value));
	else
		buf_add(&q->pieces, value);
	if (!buf_err(&q->pieces))
		q->query.contains[q->query.contains_count++] =
			view_from(buf_view(&q->pieces), from);
}

static enum err parse_question(const struct admin_request *m, struct question *q)
{
	static const char *const keys[] = { "trace", "session", "role", "event", "account" };
	struct view raw = m->args_raw;
	struct admin_request_args arg;

	q->query.level = LOG_LEVEL_DEBUG;
	q->query.last = view_eq(m->verb, VIEW("trace")) ? TAIL_MAX : LAST_DEFAULT;
	while (admin_request_args_next(&raw, &arg)) {
		if (view_eq(arg.key, VIEW("last")) &&
		    num_u64(arg.value, TAIL_MAX, &q->query.last)) {
			q->why = "last: expected is a number up to 10000";
			return ERR_RANGE;
		}
		if (view_eq(arg.key, VIEW("level")) &&
		    log_level_parse(arg.value, &q->query.level)) {
			q->why = "level: expected is error, warning, notice, info or debug";
			return ERR_SYNTAX;
		}
		if (view_eq(arg.key, VIEW("text")))
			add_piece(q, NULL, arg.value);
		for (size_t i = 0; i < ARRAY_LEN(keys); i++)
			if (view_eq(arg.key, view_str(keys[i])))
				add_piece(q, keys[i], arg.value);
	}
	return buf_err(&q->pieces);
}

static enum err on_request(void *ctx, const struct admin_request *m)
{
	struct log_role *l = ctx;
	struct question q = { .pieces = BUF_INIT(8192) };
	struct admin_end end = { .tag = m->tag };
	char *kept;
	enum err err;

	/* The pieces are pointed into while they grow: take the room once. */
	kept = buf_room(&q.pieces, 8192);
	err = kept ? parse_question(m, &q) : ERR_NOMEM;
	if (!err && !view_eq(m->verb, VIEW("log.tail")) && !view_eq(m->verb, VIEW("trace")))
		err = ERR_UNSUPPORTED;
	if (!err)
		err = log_query_run(&l->file, &q.query, l->admin, m->tag);
	buf_done(&q.pieces);
	end.err = (uint8_t)err;
	end.text = err ? view_str(q.why ? q.why : err_text(err)) : VIEW_EMPTY;
	return admin_send_end(l->admin, &end);
}

static const struct admin_server_ops admin_ops = { on_request };

static enum err admin_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	return admin_server_dispatch(&admin_ops, ctx, type, body, fd);
}

static void admin_closed(void *ctx, enum err why)
{
	struct log_role *l = ctx;

	ipc_chan_free(l->admin);
	l->admin = NULL;
}

static const struct ipc_ops admin_ipc = { admin_message, admin_closed, NULL };

/* ---- role ---- */

static void on_channel(struct role *role, void *ctx, struct view name, uint64_t id, int fd)
{
	struct log_role *l = ctx;

	l->role = role;
	if (!view_eq(name, VIEW("admin"))) {
		source_add(l, name, id, fd);
		return;
	}
	ipc_chan_free(l->admin);
	if (ipc_chan_new(role_loop(role), fd, &admin_channel, IPC_SERVER, &admin_ipc, l, &l->admin))
		l->admin = NULL;
}

static void on_descriptor(struct role *role, void *ctx, struct view kind, struct view name,
			  uint64_t id, int fd)
{
	struct log_role *l = ctx;

	if (view_eq(kind, VIEW("dir")))
		l->dir = fd;
	else
		fd_close(&fd);
}

/* Writing works again: say how much is missing. */
static void tell_lost(struct log_role *l)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(LOG_RECORD_TEXT_MAX);
	struct log_record record = { .level = LOG_LEVEL_ERROR,
				     .time_ms = clock_wall_ms(),
				     .event = VIEW("log.lost") };

	buf_addf(&text, "%llu events could not be written and are lost",
		 (unsigned long long)(l->file.lost - l->lost_told));
	l->lost_told = l->file.lost;
	record.text = buf_view(&text);
	write_line(l, VIEW("log"), 0, &record);
}

static void on_flush(void *ctx)
{
	struct log_role *l = ctx;
	uint64_t lost = l->file.lost;

	log_file_flush(&l->file);
	if (l->file.lost == lost && lost > l->lost_told)
		tell_lost(l);
}

static enum err on_start(struct role *role, void *ctx)
{
	struct log_role *l = ctx;

	l->role = role;
	loop_defer_init(&l->flush, role_loop(role), on_flush, l);
	return log_file_open(&l->file, l->dir, role_config(role));
}

static void on_reload(struct role *role, void *ctx)
{
	struct log_role *l = ctx;

	l->file.max = role_config(role)->log_file_size;
	l->file.keep = role_config(role)->log_files;
}

/* The others have ended before us: what they said last is in their sockets. */
static void on_stop(struct role *role, void *ctx)
{
	struct log_role *l = ctx;

	log_file_flush(&l->file);
	role_exit(role, 0);
}

static void on_status(struct role *role, void *ctx, struct buf *json)
{
	struct log_role *l = ctx;

	buf_addf(json, "\"records\":%llu,\"dropped\":%llu,\"lost\":%llu,",
		 (unsigned long long)l->records, (unsigned long long)l->dropped,
		 (unsigned long long)l->file.lost);
}

int main(int argc, char **argv)
{
	static struct log_role log = { .dir = -1 };
	static const struct role_spec spec = {
		.name = "log",
		.sandbox = SANDBOX_FS,
		.start = on_start,
		.channel = on_channel,
		.descriptor = on_descriptor,
		.reload = on_reload,
		.stop = on_stop,
		.status = on_status,
	};

	return role_main(argc, argv, &spec, &log);
}
