/*
 * store/internal.h: the parts of struct store and what its files offer each other.
 *
 * Every change goes one way: txn_begin, txn_event (applied to index and memory at once, encoded for
 * the log), txn_commit (log first, then index, then snapshots and listeners).  txn_abort takes all of
 * it back: the pack is cut, the index rolled back, memory read anew from the index.
 */
#ifndef STORE_INTERNAL_H
#define STORE_INTERNAL_H

#include "base/arena.h"
#include "base/vec.h"
#include "store/event.h"
#include "store/index.h"
#include "store/pack.h"
#include "store/pack_write.h"
#include "store/record.h"
#include "store/store.h"

enum {
	WAL_DUE_DEFAULT = 4 * 1024 * 1024,
	LOG_DUE = 64 * 1024 * 1024, /* octets of log since the last checkpoint */
	PACK_SIZE_DEFAULT = 64 * 1024 * 1024,
	CHECKPOINT_FORCE = 4, /* times the due size at which a checkpoint runs by itself */
	VANISHED_MAX = 20000, /* rows kept per mailbox; then half of them are folded */
	LISTENER_MAX = 1000,
	SEQ_JUMP = 1 << 24, /* after an unclean stop: more records than can have been lost */
};

struct snapshot {
	struct store_snapshot pub;
	struct store_message *rows; /* pub.at */
	size_t cap;
	unsigned refs;
	size_t adding; /* rows that the open transaction will bring */
	bool holes; /* rows marked unused wait to be squeezed out */
};

struct mailbox {
	struct store_mailbox pub; /* pub.name is name */
	char *name;
	uint32_t ceiling; /* UIDs below are durably reserved */
	uint64_t vanished_from; /* what vanished up to this modseq is not listed one by one */
	bool dirty; /* row to be written at commit */
	bool gone; /* deleted by the transaction that is open */
	bool seen; /* by mailboxes_reload */
	struct snapshot *snapshot;
};

struct mailbox_table {
	VEC(struct mailbox *) by_name; /* '/' sorts lowest: children follow their parent */
	VEC(struct mailbox *) by_id;
	bool children_stale;
};

/* Deliveries done: for each recipient number, ranges of journal sequences. */
struct mark_range {
	uint32_t recipient;
	uint64_t first;
	uint64_t last;
};

struct marks {
	VEC(struct mark_range) ranges; /* by recipient, then first; disjoint, not adjacent */
	uint64_t highest;
};

/* Everything of the state row. */
struct counters {
	uint64_t modseq; /* last one given */
	uint64_t modseq_ceiling; /* those below are durably reserved */
	uint64_t next_mailbox;
	uint32_t uidvalidity; /* last one given */
};

struct log_place {
	uint64_t seq;
	struct pack_pos pos; /* behind that record */
};

struct store_listener {
	uint64_t mailbox;
	store_change_fn fn;
	void *ctx;
};

struct store {
	int dir;
	int lock;
	struct store_config config;
	struct key_ring keys;
	struct pack_set packs;
	struct pack_writer writer;
	struct record_reader reader;
	struct index index;
	struct mailbox_table mailboxes;
	VEC(char *) subscriptions; /* sorted by octets */
	char *keywords[STORE_KEYWORD_MAX];
	struct marks marks;
	struct counters counters;
	struct log_place applied; /* what the index holds */
	struct log_place checkpoint; /* what its file surely holds */
	uint64_t bytes; /* sum of the mailboxes */
	uint64_t messages;
	uint64_t dead_bytes;
	uint64_t event_bytes; /* of records without message, not yet counted as dead */
	uint32_t pack_listed; /* the current pack has its row in the index */
	VEC(struct store_listener *) listeners;
	const void *origin;
	bool dirty_durable; /* that this session writes is durably known: an unclean stop is noticed */
	bool folder_synced;
	bool broken; /* a write failed beyond repair: only reading until reopened */
	bool in_txn;
	bool checkpoint_owed; /* one failed half way: nothing may be added before one succeeds */
	bool holes; /* recovery went around damage: the log needs a snapshot behind it */
	bool rebuilding; /* rows without octets are kept until they have been told */
};

/* ---- txn.c ----------------------------------------------------------------------------------- */

struct txn {
	struct store *s;
	struct arena names; /* texts of events */
	VEC(struct event) events;
	struct buf wire; /* events of the record being collected */
	bool durable; /* sync before it counts */
	bool recording; /* a record is begun */
	bool synced;
	uint64_t seq; /* of that record */
	uint32_t own_refs; /* events of the record that add its own message */
	uint64_t modseq; /* of this transaction, 0: none taken */
	uint64_t body_size;
	bool has_body;
	struct store_digest digest;
	unsigned flags; /* of records begun from now on */
};

/* Opens the database if need be.  ERR_WRONG_STATE on a broken store. */
MUST_USE enum err txn_begin(struct store *s, bool durable, struct txn *ret);
/* Apply e, log it, keep it for the feed. */
MUST_USE enum err txn_event(struct txn *t, const struct event *e);
/* The message of the record; its sequence is *ret_blob. */
MUST_USE enum err txn_body(struct txn *t, struct view message, uint64_t *ret_blob);
/* The next event begins another record. */
MUST_USE enum err txn_next_record(struct txn *t);
/* On failure everything is as before txn_begin, and t is done. */
MUST_USE enum err txn_commit(struct txn *t);
void txn_abort(struct txn *t);
/* Commit if err is OK, else abort; returns the first error. */
MUST_USE enum err txn_end(struct txn *t, enum err err);
/* Write dirty mailboxes and the state row into the open index transaction. */
MUST_USE enum err txn_write_state(struct store *s, bool closed);

/* ---- numbers.c ------------------------------------------------------------------------------- */

/* The modseq of this transaction. */
MUST_USE enum err numbers_modseq(struct txn *t, uint64_t *ret);
/* The next UID of m (counted up when the EVENT_ADD is applied). */
MUST_USE enum err numbers_uid(struct txn *t, struct mailbox *m, uint32_t *ret);
/* A new mailbox id and UIDVALIDITY. */
MUST_USE enum err numbers_mailbox(struct txn *t, uint64_t *ret_id, uint32_t *ret_uidvalidity);
/* After an unclean stop: go on at every ceiling, skipped numbers vanish. */
MUST_USE enum err numbers_skip(struct store *s, uint32_t step);

/* ---- apply.c --------------------------------------------------------------------------------- */

/* Make e true in index and memory; messages of mailboxes that do not exist are left out.  own_seq,
 * own_refs: references to the record's own message are counted, not written.  */
MUST_USE enum err apply_event(struct store *s, const struct event *e, uint64_t own_seq,
			      uint32_t *own_refs);
struct blob_row {
	uint64_t id;
	struct pack_pos pos;
	uint64_t stored;
	uint64_t size;
	uint32_t refs;
};
MUST_USE enum err apply_blob(struct store *s, const struct blob_row *row,
			     const struct store_digest *digest);
/* ERR_NOTFOUND */
MUST_USE enum err blob_find(struct store *s, uint64_t id, struct blob_row *ret);
/* The blob with the next higher id, without size and refs.  ERR_EOF behind the last. */
MUST_USE enum err blob_next(struct store *s, uint64_t id, struct blob_row *ret);
/* The blob goes; its octets, stored in pack, are dead. */
MUST_USE enum err blob_delete(struct store *s, uint64_t id, uint32_t pack, uint64_t stored);
/* Add to the dead octets of a pack. */
MUST_USE enum err pack_dead_add(struct store *s, uint32_t pack, uint64_t octets);

/* ---- mailbox_table.c ------------------------------------------------------------------------- */

void mailbox_table_init(struct mailbox_table *t);
void mailbox_table_done(struct mailbox_table *t);
/* NULL if there is none, or it is gone. */
struct mailbox *mailbox_by_id(struct store *s, uint64_t id);
struct mailbox *mailbox_by_name(struct store *s, struct view name);
/* Insert, or change name and attributes. */
MUST_USE enum err mailbox_put(struct store *s, const struct event *e, struct mailbox **ret);
/* Free what is marked gone. */
void mailboxes_sweep(struct store *s);
/* Make memory what the index says. */
MUST_USE enum err memory_reload(struct store *s);
/* INBOX in capitals at the first level, and the rules of a name. */
MUST_USE enum err mailbox_name_clean(struct view name, struct buf *ret);

/* ---- marks.c --------------------------------------------------------------------------------- */

void marks_init(struct marks *m);
void marks_done(struct marks *m);
MUST_USE enum err marks_add(struct marks *m, struct store_mark mark);
bool marks_has(const struct marks *m, struct store_mark mark);
/* Undo marks_add of a transaction that failed. */
void marks_remove(struct marks *m, struct store_mark mark);
void marks_forget(struct marks *m, uint64_t below);
void marks_encode(const struct marks *m, struct buf *out);
MUST_USE enum err marks_decode(struct marks *m, struct view text);

/* ---- feed.c ---------------------------------------------------------------------------------- */

/* Make room in a loaded snapshot so that feed_publish cannot fail. */
MUST_USE enum err feed_reserve(struct store *s, const struct event *e);
/* Bring the events of a committed transaction to snapshots and listeners. */
void feed_publish(struct store *s, const struct event *events, size_t n);
/* Snapshots of mailboxes, anew from the index (after a failed transaction nothing has changed). */
void snapshot_free(struct snapshot *snapshot);

/* ---- keywords.c, values.c --------------------------------------------------------------------- */

MUST_USE enum err keyword_apply(struct store *s, const struct event *e);
MUST_USE enum err subscription_apply(struct store *s, const struct event *e);
MUST_USE enum err value_apply(struct store *s, const struct event *e);

/* ---- recover.c, checkpoint.c, abandon.c -------------------------------------------------------- */

/* After opening: check and replay the log's tail; *ret_clean: the last stop was in order. */
MUST_USE enum err recover_run(struct store *s, bool *ret_clean);
/* Apply one record; add_blob: with its message, else only refer to it.  Messages of a mailbox that damage
 * has swallowed go to one that is made for them. */
MUST_USE enum err recover_record(struct store *s, const struct record *r, bool add_blob);
/* Describe a message that is read back, as far as it can be read. */
MUST_USE enum err recover_digest(struct store *s, const struct record *r, struct buf *message,
				 struct store_digest *ret);
/* Close a gap between a log's end and its pack's: cut the file, sync it. */
MUST_USE enum err recover_cut(struct store *s, uint32_t pack, uint64_t end);
/* sync, mark, bring into the database file. */
MUST_USE enum err checkpoint_run(struct store *s, bool closed, bool truncate);
/* Begin a new pack when the present one is full or there is none. */
MUST_USE enum err log_rotate(struct store *s);
/* A write or sync of the current pack failed: put what is not durable into a new one. */
MUST_USE enum err log_abandon(struct store *s);
/* Octets that replay would have to read. */
uint64_t log_since_checkpoint(const struct store *s);
/* Database open and usable? */
MUST_USE enum err store_wake(struct store *s);
/* fdatasync of the log; abandons the pack on failure, and fails. */
MUST_USE enum err log_sync(struct store *s);
/* Write the whole state as RECORD_SNAPSHOT records and sync them. */
MUST_USE enum err state_log_write(struct store *s);

/* ---- rebuild.c --------------------------------------------------------------------------------- */

struct rebuild_watch {
	void *ctx;
	void (*progress)(void *ctx, uint64_t octets_done, uint64_t octets_total);
	void (*damage)(void *ctx, uint32_t pack, uint64_t from, uint64_t to);
	void (*lost)(void *ctx, uint64_t mailbox, uint32_t uid);
};
/* Make the index anew from the packs; watch may be NULL.  *ret_damaged: something is missing. */
MUST_USE enum err rebuild_run(struct store *s, const struct rebuild_watch *watch, bool *ret_damaged,
			      bool *ret_clean);
/* Raise every UIDVALIDITY, drop messages without octets, make sure of INBOX. */
MUST_USE enum err rebuild_finish(struct store *s, const struct rebuild_watch *watch, bool damaged);

/* ---- store.c ----------------------------------------------------------------------------------- */

/* Everything of store_open up to where the index is opened; store_abort undoes it. */
MUST_USE enum err store_prepare(int dir, const struct store_keys *keys,
				const struct store_config *config,
				void (*damaged)(void *ctx, uint32_t pack), void *ctx,
				struct store **ret);
/* INBOX and the special folders, as far as they are missing. */
MUST_USE enum err store_make_folders(struct store *s);

#endif
