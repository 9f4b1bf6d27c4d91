/*
 * spool/journal.h: the one durable thing of the queue.
 *
 * An append-only sequence of groups of records in files SPOOL/journal-NNNN.log (segments).  Groups that
 * were added since the last commit are one write; what was to be told of them is told when the write
 * has returned and never before (THREATS.md 4, clause 1).  Segments are freed in the order of their use
 * alone, so that the end of a message (RECORD_DONE) always outlives its beginning; what still lives in
 * the oldest is copied forward when its room is needed.  A failed write ends a segment for good: what
 * lived there is written anew elsewhere (clause 2).
 *
 * The journal knows nothing of envelopes and schedules: its owner rebuilds those from what replay tells,
 * and keeps a struct journal_entry in the object that stands for each message.  No threads, no log, no
 * exit: news come through journal_ops.event.
 */
#ifndef SPOOL_JOURNAL_H
#define SPOOL_JOURNAL_H

#include "base/buf.h"
#include "spool/record.h"

enum {
	JOURNAL_SLAB = 512 * 1024, /* octets gathered in one aligned piece of memory */
	/* Written octets that stay in memory for the dispatch.  What is read back from a disk that is being
	 * written to makes everybody wait: this is half a second of a flood and more. */
	JOURNAL_CACHE = 128 * 1024 * 1024,
	JOURNAL_GROUP_MAX = 4096, /* records in a group */
	JOURNAL_SEGMENT_MIN = 64 * 1024, /* tests; the option begins at 1 MiB */
	JOURNAL_FILES_MAX = 9999, /* of four digits */
	JOURNAL_PARKED_MAX = 64 * 1024 * 1024, /* octets that wait while nothing can be written */
};

struct segment;
struct journal;

/* Where the copy of a message that counts lives; embedded in the owner's object for the message. */
struct journal_entry {
	struct journal_entry *next, *prev; /* of its segment */
	struct journal_entry *finish_next;
	struct segment *segment; /* NULL: not (yet) in the journal */
	uint64_t sequence;
	uint64_t offset;
	uint64_t body_n;
	uint32_t head_n;
	bool moving; /* its copy waits for a commit */
	bool finishing; /* its RECORD_DONE is wanted */
	bool unreadable; /* was reported so */
};

/* A body that lies in a file which nobody changes: it is read straight to where it is written from. */
struct journal_file {
	int fd; /* borrowed for the call */
	uint64_t at;
	uint64_t n;
};

struct journal_record {
	uint8_t type; /* enum record_type */
	uint64_t sequence;
	struct view head;
	struct view body;
	const struct journal_file *file; /* instead of body; with journal_offer only */
	struct journal_entry *entry; /* RECORD_ACCEPT: placed when the group is durable */
};

/* A group that the owner describes, record by record. */
struct journal_changes;
/* head is copied. */
MUST_USE enum err journal_changes_add(struct journal_changes *c, uint8_t type, uint64_t sequence,
				      struct view head);

enum journal_event_kind {
	JOURNAL_TORN, /* the tail of the last write before the stop is incomplete; it was cut */
	JOURNAL_DAMAGE, /* n octets at offset are no record although some must have been there */
	JOURNAL_UNREADABLE, /* a message, or the file, cannot be read */
	JOURNAL_FAILED, /* a write failed; the segment was given up */
	JOURNAL_RECOVERED, /* a segment could be opened again after that */
};

struct journal_event {
	enum journal_event_kind kind;
	const char *file; /* borrowed for the call */
	uint64_t offset;
	uint64_t n;
	uint64_t sequence; /* JOURNAL_UNREADABLE: of the message, 0 for a file */
	enum err err;
	int error; /* errno, or 0 */
};

struct journal_ops {
	/*
	 * Replay: a message.  The entry is the owner's; a sequence may come again (a copy), then the
	 * same entry must be given.  *ret_entry NULL: not wanted, e.g. finished before.  Errors end
	 * the replay.
	 */
	enum err (*accepted)(void *ctx, uint64_t sequence, struct view head, uint64_t body_n,
			     struct journal_entry **ret_entry);
	/* Replay: RCPT, EXPAND, HOLD, in order.  The owner ignores what it cannot use. */
	enum err (*changed)(void *ctx, uint8_t type, uint64_t sequence, struct view head);
	/* Replay: the message is finished; the owner forgets it (after journal_entry_drop). */
	void (*forgotten)(void *ctx, uint64_t sequence);
	/* The message is copied forward: add the changes that make a fresh message into this one. */
	enum err (*describe)(void *ctx, struct journal_entry *entry, struct journal_changes *out);
	/* Neither memory nor disk has the message any more (an event told it): give it up by
	 * journal_finish, now or soon; it stands in the way of every segment behind it. */
	void (*unreadable)(void *ctx, struct journal_entry *entry);
	/* RECORD_DONE is durable, the entry is no longer linked: free it. */
	void (*released)(void *ctx, struct journal_entry *entry);
	/* Room is short: let mailboxes make durable what they have. */
	void (*pressed)(void *ctx);
	void (*event)(void *ctx, const struct journal_event *e);
};

struct journal_options {
	int dir; /* held open by the caller for the journal's life */
	uint64_t segment_size; /* rounded up to SPOOL_BLOCK */
	unsigned
		keep; /* so many files stay; up to four times as many for some time behind a flood */
	bool buffered; /* do not try O_DIRECT (tests) */
};

/* Reads all there is and tells it by ops; opens the first segment only when something is added.
 * Owned by caller, journal_close.  ERR_IO, ERR_NOMEM, ERR_UNSUPPORTED (written by a newer version), or what
 * an op returned. */
MUST_USE enum err journal_open(const struct journal_options *options, const struct journal_ops *ops,
			       void *ctx, struct journal **ret);
/* Commits what waits and frees; entries must not be used afterwards. */
void journal_close(struct journal *j);

/* A number that was never given out before. */
uint64_t journal_sequence(struct journal *j);

/* err: OK (durable), ERR_FULL, ERR_IO.  Called from journal_commit, or from journal_work for parked groups. */
typedef void journal_fn(void *ctx, enum err err);

/*
 * Add a group to the next commit; the bytes are copied.  then may be NULL.  A file that is shorter than it
 * was said to be is ERR_EOF, one that cannot be read ERR_IO.
 *
 * journal_offer is for what a client waits for: when no room can be made or the write fails, nothing of
 * it counts and then(err) says so; an error return means that then is not called.  journal_add is for
 * our own changes: they wait as long as it takes (ERR_NOMEM past JOURNAL_PARKED_MAX is the only error).
 */
MUST_USE enum err journal_offer(struct journal *j, const struct journal_record *records, size_t n,
				journal_fn *then, void *ctx);
MUST_USE enum err journal_add(struct journal *j, const struct journal_record *records, size_t n,
			      journal_fn *then, void *ctx);
/* Note that a message is finished.  One RECORD_DONE for many goes out with the next commit; released
 * follows. */
void journal_finish(struct journal *j, struct journal_entry *entry);
/* Owner-defined bits that concern the whole queue; part of every segment's header. */
uint64_t journal_marks(const struct journal *j);
MUST_USE enum err journal_set_marks(struct journal *j, uint64_t marks, journal_fn *then, void *ctx);

/* Write all that was added, in one go; afterwards it is durable or was told to have failed. */
void journal_commit(struct journal *j);
/* Is there something to commit? */
bool journal_is_waiting(const struct journal *j);

/*
 * Envelope and body of a message.  Borrowed from the journal's memory or from room, until the next call
 * that adds or commits, or the next change of room.  ERR_CORRUPT, ERR_IO, ERR_NOMEM, ERR_LIMIT (room).
 */
MUST_USE enum err journal_read(struct journal *j, const struct journal_entry *entry,
			       struct buf *room, struct view *ret_head, struct view *ret_body);

/* Take the entry out of its segment without a record (the owner frees it). */
void journal_entry_drop(struct journal *j, struct journal_entry *entry);

/*
 * A slice of work in the background: prepare the next segment, copy forward, free, retry what is
 * parked.  Call it again after the time that it returns, in milliseconds; -1: not before the next commit.
 */
int journal_work(struct journal *j);

/* Room is short: delete the files that are only kept because as many were wanted lately. */
void journal_shrink(struct journal *j);

struct journal_figures {
	uint64_t next_sequence; /* the lowest that was not given out */
	uint64_t segments; /* with something in them */
	uint64_t spare;
	uint64_t live; /* messages */
	uint64_t live_bytes;
	uint64_t used_bytes; /* of all segments in use */
	uint64_t commits;
	uint64_t groups;
	uint64_t copied; /* messages moved forward */
	uint64_t failures; /* of writes */
	uint64_t parked;
	bool direct; /* the newest segment is written with O_DIRECT */
};
void journal_figures(const struct journal *j, struct journal_figures *ret);

#endif
