/*
 * spool/internal.h: what the files of the journal share.  Nobody else includes it.
 */
#ifndef SPOOL_INTERNAL_H
#define SPOOL_INTERNAL_H

#include "base/vec.h"
#include "spool/journal.h"

enum {
	SEGMENT_NAME = sizeof("journal-NNNN.log"),
	CLEAN_SLICE = 1024 * 1024, /* octets copied or zeroed in one call of journal_work */
	DONE_MAX = 512, /* sequences in one RECORD_DONE */
	SPARE_IS_WRITTEN = 1, /* header of order 0, marks: all of the file was written once */
};

struct segment {
	struct segment *next; /* in use: the next newer; spare: any */
	unsigned slot; /* the number in its name */
	uint64_t order;
	uint64_t size;
	uint64_t missing; /* octets that the file was longer when it was made */
	uint8_t salt[SPOOL_SALT];
	int fd; /* for writing; -1 after replay and after a failure */
	int read_fd; /* -1: not opened yet */
	bool direct; /* written with O_DIRECT | O_DSYNC: a write that returned is durable */
	bool given_up; /* a write failed: read what is left, then delete */
	bool replayed; /* from before the start: not written any more */
	bool ragged; /* neither header can be read, or damage was found: keep the file for people */
	uint64_t tail; /* octets laid out */
	uint64_t durable; /* octets written; what lies behind is in slabs */
	uint64_t zeroed; /* spare: prepared so far */
	struct journal_entry *live; /* newest first */
	uint64_t live_n;
	uint64_t live_bytes;
};

/* A piece of a segment in memory, as it is or will be on disk: what waits for the commit, and, behind
 * it, the cache of what was written. */
struct slab {
	struct slab *next; /* the next newer */
	struct segment *segment;
	uint64_t base; /* offset in the segment, a multiple of SPOOL_BLOCK */
	size_t size;
	size_t used;
	size_t written; /* a multiple of SPOOL_BLOCK, or used rounded up */
	char *bytes; /* aligned to SPOOL_BLOCK */
};

/* A record of the open batch, by its place in a slab. */
struct pending_record {
	struct slab *slab;
	size_t at;
	uint8_t type;
	struct journal_entry *entry;
};

struct pending_group {
	size_t first; /* in journal.records */
	size_t count;
	bool offered; /* a client waits: report a failure instead of writing it elsewhere */
	journal_fn *then;
	void *ctx;
};

/* What the next commit writes.  Two of them take turns, so that callbacks may add while they are told. */
struct batch {
	VEC(struct pending_record) records;
	VEC(struct pending_group) groups;
	struct journal_entry *finished; /* their RECORD_DONE is in it */
};

/* A group of our own that could not be written; the records follow in one piece of memory. */
struct parked {
	struct parked *next;
	journal_fn *then;
	void *ctx;
	size_t count;
	size_t bytes;
	struct journal_record *records;
};

struct journal_changes {
	VEC(struct journal_record) records;
	struct buf bytes; /* heads, by offset until the end */
	VEC(size_t) at;
};

struct journal {
	int dir;
	uint64_t segment_size;
	unsigned keep;
	bool try_direct;
	const struct journal_ops *ops;
	void *ctx;

	struct segment *oldest, *newest; /* in use, by order; newest may be NULL */
	struct segment *spare;
	unsigned spare_n;
	unsigned in_use_n;
	unsigned peak, peak_before; /* the most in use within this and the last stretch of time */
	int64_t peak_ms; /* when this stretch began */
	bool *slots; /* JOURNAL_FILES_MAX + 1: which names are taken */
	bool appending; /* newest takes records */

	uint64_t next_order;
	uint64_t next_sequence;
	uint32_t next_batch;
	uint64_t marks;
	struct distrust distrust[SEGMENT_DISTRUST_MAX];
	uint32_t distrust_count;
	uint64_t clean_through; /* segments up to this order are cleaned, however full */

	struct slab *slabs, *slabs_end; /* oldest first; the last one takes records */
	struct slab *spare_slabs; /* memory for the next ones; given back when nothing comes */
	size_t spare_bytes;
	size_t slab_bytes;
	struct batch *open, *closing; /* the one that is filled; the one whose groups are told */
	bool committing;
	struct parked *parked, **parked_end;
	size_t parked_bytes;
	enum err parked_why;
	struct journal_entry *finishing; /* wait for RECORD_DONE */
	size_t finishing_n;
	int64_t commit_ms; /* of the last one */
	bool failing; /* the last commit failed */
	unsigned failed_in_row;
	int64_t pause_until_ms; /* no new segment before, after too many failures */
	bool was_pressed;
	int64_t pressed_ms;

	uint64_t commits, group_total, copied, failures;
};

/* ---- segment.c ---- */

void segment_name(const struct segment *s, char ret[SEGMENT_NAME]);
/* Octets behind the first block and before the last. */
static inline uint64_t segment_end(const struct segment *s)
{
	return s->size - SPOOL_BLOCK;
}
/* Make the newest segment one with room for n octets.  ERR_FULL, ERR_IO. */
MUST_USE enum err segment_open_next(struct journal *j, uint64_t n);
/* One slice of making a spare; *ret_more as long as there is more to do. */
MUST_USE enum err segment_prepare(struct journal *j, bool *ret_more);
/* Take the oldest out of use: recycle, or delete. */
void segment_retire_oldest(struct journal *j);
/* Delete one spare file beyond those that are always kept; false: there is none. */
bool segment_give_back(struct journal *j);
/* Once in a while: delete a spare file that was not wanted lately. */
void segment_look_after(struct journal *j, int64_t now_ms);
/* A write to s failed: never use it again. */
void segment_give_up(struct journal *j, struct segment *s, enum err err, int error);
/* Write and make durable; octets and offset are multiples of SPOOL_BLOCK. */
MUST_USE enum err segment_write(struct segment *s, const char *bytes, size_t n, uint64_t at);
/* Octets of the file, from a descriptor of its own. */
MUST_USE enum err segment_read(struct journal *j, struct segment *s, char *to, size_t n,
			       uint64_t at);
void segment_free(struct segment *s);
void segment_link(struct journal_entry *entry, struct segment *s);
void segment_unlink(struct journal_entry *entry);

/* ---- slab.c ---- */

/* Where the last slab ends, to go back to. */
struct slab_mark {
	struct slab *slab;
	size_t used;
	struct segment *segment;
	uint64_t tail;
};
struct slab_mark slab_mark(const struct journal *j);
void slab_rollback(struct journal *j, const struct slab_mark *m);
/* Write what was not written; stops at the first failure and says where. */
MUST_USE enum err slab_write_all(struct journal *j, struct segment **ret_failed);
/* Room for n octets (a multiple of RECORD_ALIGN) at the tail of the newest segment, in a slab. */
MUST_USE enum err slab_room(struct journal *j, size_t n, struct slab **ret, size_t *ret_at);
/* The cached octets at an offset, or NULL. */
const struct slab *slab_find(const struct journal *j, const struct segment *s, uint64_t at,
			     uint64_t n);
/* Forget the oldest written slabs until the cache fits in so many octets; 0: give all memory back. */
void slab_trim(struct journal *j, size_t most);
/* Forget all of a segment, written or not. */
void slab_forget(struct journal *j, const struct segment *s);
void slab_done(struct journal *j);

/* ---- park.c ---- */

/* Keep a copy of a group until it can be laid out.  ERR_NOMEM past JOURNAL_PARKED_MAX. */
MUST_USE enum err park_group(struct journal *j, const struct journal_record *records, size_t n,
			     journal_fn *then, void *ctx);
/* The same for a group whose write has failed, while its slabs are still there. */
void park_unwritten(struct journal *j, const struct batch *b, const struct pending_group *g);
/* Lay parked groups out again, in order, as far as that goes. */
void park_retry(struct journal *j);
void park_done(struct journal *j);

/* ---- replay.c ---- */

MUST_USE enum err journal_replay(struct journal *j);

/* ---- clean.c ---- */

/* Free what can be freed, copy a slice forward where that pays; *ret_more as long as there is more. */
MUST_USE enum err journal_clean(struct journal *j, bool *ret_more);

/* Take away, or make spare, the oldest segments as far as nothing lives in them. */
void journal_retire(struct journal *j);

/* ---- journal.c ---- */

/* Lay the records out for the next commit.  ERR_FULL, ERR_IO, ERR_NOMEM: nothing was changed. */
MUST_USE enum err journal_lay_out(struct journal *j, const struct journal_record *records, size_t n,
				  const struct pending_group *group);
void journal_tell(struct journal *j, const struct journal_event *e, const struct segment *s);

#endif
