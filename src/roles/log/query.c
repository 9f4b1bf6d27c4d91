/*
 * roles/log/query.c: find lines for the administrator.
 *
 * A line is kept when it contains every wanted piece, like "trace":"0j3k...".  Files are read newest
 * first until enough lines are found; one file is in memory at a time.
 */
#include <fcntl.h>
#include <sys/mman.h>

#include "base/arena.h"
#include "base/vec.h"
#include "log_role.h"
#include "sys/calls.h"
#include "sys/file.h"

enum { MATCHES_MAX_OCTETS = 32 * 1024 * 1024 };

typedef VEC(struct view) lines_t;

/* The first "level" of a line is its own: values in which a quote stands have it escaped. */
static bool is_important(struct view line, enum log_level wanted)
{
	static const struct view key = VIEW_INIT("\"level\":\"");
	size_t at = view_find(line, key);
	enum log_level level;
	struct view name;

	if (at == VIEW_NONE)
		return false;
	view_cut(view_from(line, at + key.n), '"', &name);
	return !log_level_parse(name, &level) && level <= wanted;
}

static bool matches(struct view line, const struct log_query *q)
{
	for (size_t i = 0; i < q->contains_count; i++)
		if (view_find(line, q->contains[i]) == VIEW_NONE)
			return false;
	return line.n > 0 && is_important(line, q->level);
}

/* The matches of one file, newest first, into lines, until there are q->last in all. */
static enum err search_text(struct view text, const struct log_query *q, struct arena *arena,
			    lines_t *lines)
{
	while (text.n > 0 && lines->n < q->last) {
		struct view body = view_head(text, text.n - 1);
		size_t nl = view_rfind_char(body, '\n');
		struct view line = nl == VIEW_NONE ? body : view_from(body, nl + 1);

		text = view_head(text, nl == VIEW_NONE ? 0 : nl + 1);
		if (!matches(line, q))
			continue;
		line = arena_copy(arena, line);
		if (!line.p || !VEC_PUSH(lines, line))
			return ERR_NOMEM;
	}
	return OK;
}

static enum err search_file(int fd, const struct log_query *q, struct arena *arena, lines_t *lines)
{
	struct stat st;
	void *at;
	enum err err;

	if (calls()->fstat(fd, &st))
		return ERR_IO;
	if (st.st_size == 0)
		return OK;
	at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (at == MAP_FAILED)
		return ERR_NOMEM;
	err = search_text(view_of(at, (size_t)st.st_size), q, arena, lines);
	munmap(at, (size_t)st.st_size);
	return err;
}

enum err log_query_run(struct log_file *f, const struct log_query *q, struct ipc_chan *admin,
		       uint32_t tag)
{
	struct arena CLEANUP(arena_done) arena;
	lines_t lines = VEC_INIT(TAIL_MAX);
	enum err err = OK;

	arena_init(&arena, MATCHES_MAX_OCTETS);
	log_file_flush(f);
	for (unsigned n = 0; n <= f->keep && lines.n < q->last && !err; n++) {
		int CLEANUP(fd_close) fd = log_file_open_old(f, n);

		if (fd >= 0)
			err = search_file(fd, q, &arena, &lines);
	}
	for (size_t i = lines.n; i > 0 && !err; i--) {
		struct admin_row row = { tag, view_head(lines.at[i - 1], ADMIN_ROW_JSON_MAX) };

		err = admin_send_row(admin, &row);
	}
	VEC_DONE(&lines);
	return err;
}
