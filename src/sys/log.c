/*
 * sys/log.c: see log.h.  The process's one way out for events.
 *
 * State is of the process, like standard error itself: a logger that every call had to carry would be
 * left out where it matters.
 */
#include "sys/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/encode.h"
#include "ipc/log.h"
#include "sys/clock.h"

enum { TEXT_LINE_MAX = 8192 };

static struct {
	struct ipc_chan *chan;
	enum log_level level;
	const char *name;
	uint64_t dropped;
} state = { .level = LOG_LEVEL_INFO, .name = "posthold" };

static const char *const level_names[] = { "error", "warning", "notice", "info", "debug" };

enum err log_level_parse(struct view name, enum log_level *ret)
{
	for (unsigned i = 0; i < ARRAY_LEN(level_names); i++) {
		if (view_eq(name, view_str(level_names[i]))) {
			*ret = (enum log_level)i;
			return OK;
		}
	}
	return ERR_SYNTAX;
}

bool log_wanted(enum log_level level)
{
	return level <= state.level;
}

void log_set_level(enum log_level level)
{
	state.level = level;
}

void log_set_name(const char *name)
{
	state.name = name;
}

static void add_escaped(struct buf *out, struct view v)
{
	for (size_t i = 0; i < v.n; i++) {
		uint8_t c = view_at(v, i);

		if (ascii_is_ctl(c) || c == '"' || c == '\\')
			buf_addf(out, "\\x%02x", c);
		else
			buf_add_char(out, (char)c);
	}
}

static void add_value(struct buf *out, const struct log_field *f)
{
	char room[INET6_ADDRSTRLEN] = "?";
	char id[ID_TEXT_LEN];

	switch (f->type) {
	case LOG_TYPE_TEXT:
		buf_add_char(out, '"');
		add_escaped(out, f->text);
		buf_add_char(out, '"');
		return;
	case LOG_TYPE_UINT: buf_add_u64(out, f->number); return;
	case LOG_TYPE_INT: buf_add_i64(out, (int64_t)f->number); return;
	case LOG_TYPE_ID: buf_add(out, id_text(f->number, id)); return;
	case LOG_TYPE_IP:
		if (f->text.n == 4 || f->text.n == 16)
			inet_ntop(f->text.n == 4 ? AF_INET : AF_INET6, f->text.p, room,
				  sizeof(room));
		buf_add_str(out, room);
		return;
	}
}

static void to_stderr(enum log_level level, const char *event, const char *text,
		      const struct log_field *fields, size_t count)
{
	struct buf CLEANUP(buf_done) line = BUF_INIT(TEXT_LINE_MAX);
	ssize_t UNUSED ignored;

	buf_addf(&line, "%s: %s: %s [%s", state.name, level_names[level], text, event);
	for (size_t i = 0; i < count; i++) {
		buf_addf(&line, " %s=", fields[i].key);
		add_value(&line, &fields[i]);
	}
	buf_add_str(&line, "]\n");
	/* Nowhere to tell that standard error is closed. */
	ignored = write(STDERR_FILENO, line.p, line.n);
}

static struct view encode_value(const struct log_field *f, char room[8])
{
	if (f->type == LOG_TYPE_TEXT || f->type == LOG_TYPE_IP)
		return view_head(f->text, LOG_RECORD_FIELDS_VALUE_MAX);
	memcpy(room, &f->number, 8);
	return view_of(room, 8);
}

static enum err to_channel(enum log_level level, const char *event, const char *text,
			   const struct log_field *fields, size_t count)
{
	struct log_record_fields list[LOG_RECORD_FIELDS_MAX];
	char rooms[LOG_RECORD_FIELDS_MAX][8];
	struct log_record record = { .level = (uint8_t)level, .time_ms = clock_wall_ms() };

	record.event = view_str(event);
	record.text = view_head(view_str(text), LOG_RECORD_TEXT_MAX);
	record.fields = list;
	record.fields_count = size_min(count, LOG_RECORD_FIELDS_MAX);
	for (size_t i = 0; i < record.fields_count; i++) {
		list[i].type = (uint8_t)fields[i].type;
		list[i].key = view_str(fields[i].key);
		list[i].value = encode_value(&fields[i], rooms[i]);
	}
	return log_send_record(state.chan, &record);
}

void log_event(enum log_level level, const char *event, const char *text,
	       const struct log_field *fields, size_t count)
{
	int saved = errno;

	if (level > state.level)
		return;
	if (!state.chan || ipc_chan_is_closed(state.chan)) {
		to_stderr(level, event, text, fields, count);
	} else if (ipc_chan_full(state.chan)) {
		state.dropped++;
	} else if (to_channel(level, event, text, fields, count)) {
		to_stderr(level, event, text, fields, count);
	}
	errno = saved;
}

static void on_closed(void *ctx, enum err why)
{
	/* The log role ended; until its successor's channel comes, events go to standard error. */
}

static void on_drained(void *ctx)
{
	if (state.dropped > 0 &&
	    !log_send_dropped(state.chan, &(struct log_dropped){ state.dropped }))
		state.dropped = 0;
}

static enum err on_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	return ERR_PEER;
}

static const struct ipc_ops ops = { on_message, on_closed, on_drained };

void log_to_channel(struct loop *loop, int fd)
{
	if (state.chan) /* what was said in this turn of the loop */
		ipc_chan_flush(state.chan);
	ipc_chan_free(state.chan);
	state.chan = NULL;
	if (fd >= 0 && ipc_chan_new(loop, fd, &log_channel, IPC_CLIENT, &ops, NULL, &state.chan))
		state.chan = NULL;
}
