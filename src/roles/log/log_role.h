/*
 * roles/log/log_role.h: the one place where events end up.
 *
 * Each record becomes one line of JSON in DATA/log/events.jsonl, rotated by size, and, when asked, one
 * line for a person on standard output.  Nothing of a record is trusted but its form.
 */
#ifndef LOG_ROLE_H
#define LOG_ROLE_H

#include "ipc/admin.h"
#include "ipc/log.h"
#include "sys/role.h"

enum {
	LINE_MAX_OCTETS = 12000,
	PENDING_MAX = 4 * 1024 * 1024, /* lines that wait for the end of the turn */
	TAIL_MAX = 10000, /* rows of one answer */
};

struct log_file {
	int dir;
	int fd;
	uint64_t size; /* of the current file */
	uint64_t max; /* octets before rotation */
	uint64_t keep; /* files besides the current one */
	uint64_t lost; /* lines that could not be written */
	struct buf lines; /* not yet written */
};

/* file.c */
MUST_USE enum err log_file_open(struct log_file *f, int dir, const struct config *config);
/* Append a line (without its end); written by log_file_flush at the end of the turn. */
void log_file_add(struct log_file *f, struct view line);
void log_file_flush(struct log_file *f);
/* events.jsonl is 0, the newest rotated one 1, and so on.  -1 if there is none. */
int log_file_open_old(const struct log_file *f, unsigned number);

/* format.c */
void log_format_json(struct buf *out, struct view role, uint64_t id, const struct log_record *m);
void log_format_text(struct buf *out, struct view role, const struct log_record *m);

/* query.c: what the administrator asks */
struct log_query {
	struct view contains[4]; /* every one must occur in the line */
	size_t contains_count;
	enum log_level level; /* this one and what is more important */
	uint64_t last; /* at most so many, the newest */
};
/* Rows to the channel; the lines that match, oldest first. */
MUST_USE enum err log_query_run(struct log_file *f, const struct log_query *q,
				struct ipc_chan *admin, uint32_t tag);

#endif
