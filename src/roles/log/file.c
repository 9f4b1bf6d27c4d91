/*
 * roles/log/file.c: the event file and its rotation.
 *
 * A full disk loses events, never the process: what could not be written is counted and said as soon
 * as writing works again.
 */
#include <errno.h>
#include <fcntl.h>

#include "log_role.h"
#include "sys/calls.h"
#include "sys/file.h"

static void name_of(unsigned number, char room[32])
{
	if (number == 0)
		snprintf(room, 32, "events.jsonl");
	else
		snprintf(room, 32, "events.%u.jsonl", number);
}

static enum err open_current(struct log_file *f)
{
	struct stat st;

	f->fd = calls()->openat(f->dir, "events.jsonl", O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW,
				0600);
	if (f->fd < 0)
		return ERR_IO;
	f->size = calls()->fstat(f->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
	return OK;
}

enum err log_file_open(struct log_file *f, int dir, const struct config *config)
{
	*f = (struct log_file){ .dir = dir, .fd = -1 };
	f->max = config->log_file_size;
	f->keep = config->log_files;
	buf_init(&f->lines, PENDING_MAX);
	return open_current(f);
}

/* events.jsonl becomes events.1.jsonl, and so on; the oldest goes. */
static void rotate(struct log_file *f)
{
	char from[32], to[32];

	fd_close(&f->fd);
	for (unsigned n = (unsigned)f->keep; n > 0; n--) {
		name_of(n - 1, from);
		name_of(n, to);
		/* A missing one in between is no error: the first days of an instance. */
		if (calls()->renameat(f->dir, from, f->dir, to) && errno != ENOENT)
			f->lost++;
	}
	if (open_current(f))
		f->lost++;
}

void log_file_add(struct log_file *f, struct view line)
{
	if (buf_left(&f->lines) < line.n + 1) {
		f->lost++;
		return;
	}
	buf_add(&f->lines, line);
	buf_add_char(&f->lines, '\n');
}

static uint64_t count_lines(struct view text)
{
	uint64_t n = 0;

	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] == '\n';
	return n;
}

void log_file_flush(struct log_file *f)
{
	enum err err = OK;

	if (f->lines.n == 0)
		return;
	/* A file that could not be opened is no reason to move the others on once more. */
	if (f->fd < 0)
		err = open_current(f);
	else if (f->size >= f->max)
		rotate(f);
	if (f->fd < 0)
		err = ERR_IO;
	if (!err)
		err = file_write(f->fd, buf_view(&f->lines));
	if (!err) {
		f->size += f->lines.n;
	} else {
		f->lost += count_lines(buf_view(&f->lines));
		/* What a full disk took of them: half a line would spoil the next one. */
		if (f->fd >= 0 && calls()->ftruncate(f->fd, (off_t)f->size))
			fd_close(&f->fd);
	}
	buf_clear(&f->lines);
	buf_trim(&f->lines, 65536);
}

int log_file_open_old(const struct log_file *f, unsigned number)
{
	char name[32];

	name_of(number, name);
	return calls()->openat(f->dir, name, O_RDONLY | O_NOFOLLOW, 0);
}
