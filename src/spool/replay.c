/*
 * spool/replay.c: read what a former life of the journal has left.
 *
 * Records are found by their keyed sums at every multiple of RECORD_ALIGN, so that whatever lies in
 * between, damaged octets or those of an earlier use, hides nothing behind it.  Valid records always
 * count, also behind a hole: one that was never acknowledged may come back, one that was is never
 * dropped.  What is missing is told by an event (THREATS.md 4, clause 7).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "spool/internal.h"
#include "sys/calls.h"
#include "sys/file.h"

enum { WINDOW = 1024 * 1024 };

/* A record of a group whose end was not seen yet; its head lies in replay.heads. */
struct held {
	struct record record;
	size_t head_at;
};

/* Octets that are no record, in front of one of a write.  Had that been the last write of all, it is
 * torn; when a later one follows, which was begun only after it had returned, they are damage. */
struct hole {
	struct segment *segment;
	uint64_t at;
	uint64_t n;
	uint32_t batch;
};

struct replay {
	struct journal *j;
	struct segment *s;
	char *bytes; /* window: octets [base, base + n) of the segment */
	size_t cap;
	size_t n;
	uint64_t base;
	uint64_t end; /* of what counts in this segment */
	uint32_t batch; /* of the last record seen */
	VEC(struct held) held;
	struct buf heads;
	bool broken; /* drop records until the end of the group */
	struct hole hole; /* not judged yet; n == 0: none */
	enum err
		err; /* ERR_NOMEM: octets were not looked at, so nothing may be concluded from them */
};

/* ---- files ---- */

struct found {
	struct segment *segment;
	struct segment_header header;
	bool valid;
};

struct scan {
	VEC(struct found) files;
};

static bool parse_name(const char *name, unsigned *ret_slot)
{
	struct view v = view_str(name);
	uint64_t n;

	if (v.n != SEGMENT_NAME - 1 || !view_starts(v, VIEW("journal-")) ||
	    !view_ends(v, VIEW(".log")) || num_u64(view_part(v, 8, 4), JOURNAL_FILES_MAX, &n) ||
	    n == 0)
		return false;
	*ret_slot = (unsigned)n;
	return true;
}

/* The newer of the two headers.  ERR_NOTFOUND: the file was never used. */
static enum err read_headers(struct journal *j, struct segment *s, struct segment_header *ret)
{
	struct segment_header first, last;
	char block[SPOOL_BLOCK];
	bool empty = true;
	enum err err =
		s->size >= SPOOL_BLOCK ? segment_read(j, s, block, sizeof(block), 0) : ERR_EOF;
	enum err err_last = ERR_EOF;

	for (size_t i = 0; !err && i < sizeof(block) && empty; i++)
		empty = block[i] == 0;
	if (!err)
		err = segment_header_read(block, &first);
	else if (err == ERR_EOF)
		err = ERR_NOTFOUND;
	if (s->size >= 2 * SPOOL_BLOCK) {
		err_last = segment_read(j, s, block, sizeof(block), s->size - SPOOL_BLOCK);
		if (!err_last)
			err_last = segment_header_read(block, &last);
	}
	if (!err_last && (err || last.order > first.order)) {
		*ret = last;
		return OK;
	}
	if (!err) {
		*ret = first;
		return OK;
	}
	return err == ERR_CORRUPT && empty ? ERR_NOTFOUND : err;
}

static enum err look_at(struct scan *scan, struct journal *j, unsigned slot)
{
	struct segment *s = calloc(1, sizeof(*s));
	struct found f = { .segment = s };
	char name[SEGMENT_NAME];
	struct stat st;
	enum err err;

	if (!s)
		return ERR_NOMEM;
	*s = (struct segment){ .slot = slot, .fd = -1, .read_fd = -1, .replayed = true };
	segment_name(s, name);
	if (calls()->fstatat(j->dir, name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode)) {
		segment_free(s);
		return ERR_IO;
	}
	s->size = (uint64_t)st.st_size;
	j->slots[slot] = true;
	err = read_headers(j, s, &f.header);
	if (err == ERR_NOTFOUND) {
		/* Stopped between making the file and writing its header. */
		(void)calls()->unlinkat(j->dir, name, 0);
		j->slots[slot] = false;
		segment_free(s);
		return OK;
	}
	f.valid = !err;
	if (err != ERR_UNSUPPORTED && VEC_PUSH(&scan->files, f))
		return OK;
	segment_free(s);
	return err == ERR_UNSUPPORTED ? err : ERR_NOMEM;
}

static enum err list_files(struct scan *scan, struct journal *j)
{
	int fd = calls()->openat(j->dir, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	enum err err = OK;

	if (!dir) {
		fd_close(&fd);
		return ERR_IO;
	}
	while (!err) {
		struct dirent *entry;
		unsigned slot;

		errno = 0;
		entry = readdir(dir);
		if (!entry) {
			err = errno ? ERR_IO : OK;
			break;
		}
		if (parse_name(entry->d_name, &slot))
			err = look_at(scan, j, slot);
	}
	(void)closedir(dir);
	return err;
}

/* Neither header is left: nothing in the file can be told from noise.  It is kept for people. */
static void set_aside(struct journal *j, struct segment *s)
{
	char name[SEGMENT_NAME];
	char aside[sizeof("journal-NNNN.damaged")];

	journal_tell(j,
		     &(struct journal_event){
			     .kind = JOURNAL_UNREADABLE, .n = s->size, .err = ERR_CORRUPT },
		     s);
	segment_name(s, name);
	(void)snprintf(aside, sizeof(aside), "journal-%04u.damaged", s->slot % 10000);
	(void)calls()->renameat(j->dir, name, j->dir, aside);
	j->slots[s->slot] = false;
	segment_free(s);
}

static void keep_spare(struct journal *j, struct segment *s, const struct segment_header *h)
{
	if (s->size != j->segment_size || j->spare_n + j->in_use_n >= j->keep) {
		char name[SEGMENT_NAME];

		segment_name(s, name);
		(void)calls()->unlinkat(j->dir, name, 0);
		j->slots[s->slot] = false;
		segment_free(s);
		return;
	}
	/* One that was being made: begin its zeros again. */
	s->zeroed = h->order || h->marks & SPARE_IS_WRITTEN ? segment_end(s) : SPOOL_BLOCK;
	fd_close(&s->read_fd);
	s->next = j->spare;
	j->spare = s;
	j->spare_n++;
}

/* Into the list of those in use, by order. */
static void insert(struct journal *j, struct segment *s)
{
	struct segment **at = &j->oldest;

	while (*at && (*at)->order < s->order)
		at = &(*at)->next;
	s->next = *at;
	*at = s;
	j->in_use_n++;
	if (!s->next)
		j->newest = s;
}

static void adopt(struct journal *j, struct scan *scan)
{
	const struct segment_header *newest = NULL;

	for (size_t i = 0; i < scan->files.n; i++) {
		const struct found *f = &scan->files.at[i];

		if (f->valid && (!newest || f->header.order > newest->order))
			newest = &f->header;
	}
	if (newest && newest->order) {
		j->next_order = newest->order + 1;
		j->next_sequence = newest->next_sequence;
		j->marks = newest->marks;
		j->distrust_count = newest->distrust_count;
		memcpy(j->distrust, newest->distrust, sizeof(j->distrust));
	}
	for (size_t i = 0; i < scan->files.n; i++) {
		struct found *f = &scan->files.at[i];

		if (!f->valid) {
			set_aside(j, f->segment);
		} else if (f->header.order && f->header.order >= newest->oldest) {
			f->segment->order = f->header.order;
			if (f->header.size > f->segment->size)
				f->segment->missing = f->header.size - f->segment->size;
			memcpy(f->segment->salt, f->header.salt, SPOOL_SALT);
			insert(j, f->segment);
		}
	}
	for (size_t i = 0; i < scan->files.n; i++) {
		struct found *f = &scan->files.at[i];

		if (f->valid && !(f->header.order && f->header.order >= newest->oldest))
			keep_spare(j, f->segment, &f->header);
	}
}

/* ---- reading ---- */

static void tell_of(struct replay *r, struct segment *s, enum journal_event_kind kind, uint64_t at,
		    uint64_t n)
{
	journal_tell(
		r->j,
		&(struct journal_event){ .kind = kind, .offset = at, .n = n, .err = ERR_CORRUPT },
		s);
	if (kind != JOURNAL_TORN)
		s->ragged = true;
}

static void tell(struct replay *r, enum journal_event_kind kind, uint64_t at, uint64_t n)
{
	tell_of(r, r->s, kind, at, n);
}

/* A block that the disk does not give reads as zeros. */
static void read_blocks(struct replay *r, uint64_t base, size_t n)
{
	for (size_t i = 0; i < n; i += SPOOL_BLOCK) {
		size_t part = size_min(SPOOL_BLOCK, n - i);

		if (!segment_read(r->j, r->s, r->bytes + i, part, base + i))
			continue;
		memset(r->bytes + i, 0, part);
		tell(r, JOURNAL_DAMAGE, base + i, part);
	}
}

/* n octets at `at`, which lie before r->end.  NULL without memory. */
static const char *octets(struct replay *r, uint64_t at, size_t n)
{
	size_t want = size_min(size_max(n, WINDOW), (size_t)(r->end - at));

	if (at >= r->base && at + n <= r->base + r->n)
		return r->bytes + (at - r->base);
	if (want > r->cap) {
		char *grown = malloc(want);

		if (!grown) {
			r->err = ERR_NOMEM;
			return NULL;
		}
		free(r->bytes);
		r->bytes = grown;
		r->cap = want;
	}
	r->base = at;
	r->n = want;
	if (segment_read(r->j, r->s, r->bytes, want, at))
		read_blocks(r, at, want);
	return r->bytes;
}

/* ---- telling ---- */

static enum err apply_done(struct journal *j, struct view head)
{
	for (size_t i = 0; i + 8 <= head.n; i += 8)
		j->ops->forgotten(j->ctx, num_get64(head.p + i));
	return OK;
}

static enum err apply_accept(struct replay *r, const struct record *record, struct view head)
{
	struct journal_entry *entry = NULL;
	enum err err =
		r->j->ops->accepted(r->j->ctx, record->sequence, head, record->body_n, &entry);

	if (err || !entry)
		return err;
	segment_unlink(entry);
	entry->sequence = record->sequence;
	entry->offset = record->offset;
	entry->head_n = record->head_n;
	entry->body_n = record->body_n;
	segment_link(entry, r->s);
	return OK;
}

static enum err apply(struct replay *r, const struct record *record, struct view head)
{
	struct journal *j = r->j;

	if (record->sequence >= j->next_sequence)
		j->next_sequence = record->sequence + 1;
	switch (record->type) {
	case RECORD_ACCEPT: return apply_accept(r, record, head);
	case RECORD_DONE: return apply_done(j, head);
	case RECORD_MARKS:
		if (head.n == 8)
			j->marks = num_get64(head.p);
		return OK;
	case RECORD_RCPT:
	case RECORD_EXPAND:
	case RECORD_HOLD: return j->ops->changed(j->ctx, record->type, record->sequence, head);
	default:
		/* Its sum is right: from a version that has not changed HEADER_VERSION. */
		return ERR_UNSUPPORTED;
	}
}

static void group_clear(struct replay *r)
{
	r->held.n = 0;
	buf_clear(&r->heads);
}

static enum err group_add(struct replay *r, const struct record *record, struct view head)
{
	struct held h = { *record, r->heads.n };
	enum err err = OK;

	if (!(record->flags & RECORD_MORE) && r->held.n == 0)
		return apply(r, record, head);
	buf_add(&r->heads, head);
	if (buf_err(&r->heads) || !VEC_PUSH(&r->held, h))
		return ERR_NOMEM;
	if (record->flags & RECORD_MORE)
		return OK;
	for (size_t i = 0; i < r->held.n && !err; i++) {
		const struct held *each = &r->held.at[i];

		err = apply(r, &each->record,
			    view_part(buf_view(&r->heads), each->head_at, each->record.head_n));
	}
	group_clear(r);
	return err;
}

/* A group that is not whole counts as if it were not there. */
static void group_break(struct replay *r)
{
	if (r->held.n)
		r->broken = true;
	group_clear(r);
}

/* ---- scanning ---- */

/* Judge the hole, now that a record of that write was seen (0: there is none any more). */
static void tell_hole(struct replay *r, uint32_t batch)
{
	struct hole h = r->hole;

	if (h.n)
		tell_of(r, h.segment, batch > h.batch ? JOURNAL_DAMAGE : JOURNAL_TORN, h.at, h.n);
	r->hole.n = 0;
}

/* Holes of one write are one. */
static void note_hole(struct replay *r, uint64_t from, uint64_t to, uint32_t batch)
{
	if (r->hole.n && r->hole.segment == r->s && r->hole.batch == batch) {
		r->hole.n = to - r->hole.at;
		return;
	}
	tell_hole(r, batch);
	r->hole = (struct hole){ r->s, from, to - from, batch };
}

/* Octets [from, to) are no record; batch is that of the record at `to`.  False for mere padding. */
static bool judge_hole(struct replay *r, uint64_t from, uint64_t to, uint32_t batch)
{
	bool zero = true;
	const char *at = to - from < SPOOL_BLOCK ? octets(r, from, (size_t)(to - from)) : NULL;

	for (size_t i = 0; at && zero && i < to - from; i++)
		zero = at[i] == 0;
	/* The end of a block behind the last record of a write. */
	if (r->err || (at && zero && to % SPOOL_BLOCK == 0))
		return false;
	group_break(r);
	note_hole(r, from, to, batch);
	return true;
}

static void judge_batch(struct replay *r, const struct record *record, bool after_hole)
{
	if (record->batch == r->batch)
		return;
	group_break(r);
	r->broken = false;
	if (!after_hole)
		tell_hole(r, record->batch);
	/* Whole writes are missing, and no hole shows it: at the end of the segment before this one. */
	if (r->batch && record->batch != r->batch + 1 && !after_hole)
		tell(r, JOURNAL_DAMAGE, record->offset, 0);
	r->batch = record->batch;
}

static enum err take(struct replay *r, const struct record *record)
{
	uint64_t n = record_size(record->head_n, record->body_n);
	const char *at = octets(r, record->offset, (size_t)n);
	struct view head, body;
	bool more = record->flags & RECORD_MORE;

	if (!at)
		return ERR_NOMEM;
	head = view_of(at + RECORD_HEADER, record->head_n);
	body = view_of(at + RECORD_HEADER + record->head_n, record->body_n);
	if (record_check(record, r->s->salt, head, body)) {
		note_hole(r, record->offset, record->offset + n, record->batch);
		group_clear(r);
		r->broken = more;
		return OK;
	}
	if (r->broken) {
		r->broken = more;
		return OK;
	}
	return group_add(r, record, head);
}

/* The next record at or behind *at; false at the end of the segment, or with r->err. */
static bool find(struct replay *r, uint64_t *at, struct record *ret)
{
	for (; *at + RECORD_HEADER <= r->end; *at += RECORD_ALIGN) {
		const char *p = octets(r, *at, RECORD_HEADER);

		if (!p)
			return false;
		if (record_maybe(p) && !record_read(p, r->s->salt, *at, ret) &&
		    *at + record_size(ret->head_n, ret->body_n) <= r->end)
			return true;
	}
	return false;
}

static enum err scan_segment(struct replay *r)
{
	uint64_t at = SPOOL_BLOCK;
	uint64_t behind = at; /* the end of the last record */
	struct record record;
	enum err err = OK;

	while (!err && !r->err && find(r, &at, &record)) {
		bool hole = at > behind && judge_hole(r, behind, at, record.batch);

		judge_batch(r, &record, hole);
		err = take(r, &record);
		at += record_size(record.head_n, record.body_n);
		behind = at;
	}
	if (!err)
		err = r->err;
	if (err)
		return err;
	if (r->held.n || r->broken) {
		tell(r, JOURNAL_TORN, behind, 0);
		group_clear(r);
		r->broken = false;
	}
	r->s->tail = r->s->durable = spool_block_up(behind);
	return err;
}

/* Octets of a file that was cut off count to its last one: the block with the second header is gone. */
static uint64_t trusted_end(const struct journal *j, const struct segment *s)
{
	uint64_t end = s->missing ? s->size & ~(uint64_t)(RECORD_ALIGN - 1) : segment_end(s);

	for (uint32_t i = 0; i < j->distrust_count; i++)
		if (j->distrust[i].order == s->order && j->distrust[i].from < end)
			end = j->distrust[i].from;
	return end > SPOOL_BLOCK ? end : SPOOL_BLOCK;
}

enum err journal_replay(struct journal *j)
{
	struct scan scan = { .files = VEC_INIT(JOURNAL_FILES_MAX) };
	struct replay r = { .j = j,
			    .held = VEC_INIT(JOURNAL_GROUP_MAX),
			    .heads = BUF_INIT(2 * RECORD_HEAD_MAX) };
	enum err err = list_files(&scan, j);

	if (!err) {
		adopt(j, &scan);
	} else {
		for (size_t i = 0; i < scan.files.n; i++)
			segment_free(scan.files.at[i].segment);
	}
	for (struct segment *s = j->oldest; s && !err; s = s->next) {
		r.s = s;
		r.n = 0;
		r.end = trusted_end(j, s);
		if (s->missing)
			tell(&r, JOURNAL_DAMAGE, s->size, s->missing);
		err = scan_segment(&r);
		fd_close(&s->read_fd);
	}
	if (!err)
		tell_hole(&r, 0);
	j->next_batch = r.batch + 1;
	VEC_DONE(&scan.files);
	VEC_DONE(&r.held);
	buf_done(&r.heads);
	free(r.bytes);
	return err;
}
