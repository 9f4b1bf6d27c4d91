/*
 * store/pack_write.h: appending records to a pack.
 *
 * One transaction collects records; flush brings them to the file, commit makes them part of the pack,
 * abort cuts them off again.  Sequences are never used twice by one writer, so that bytes of an aborted
 * transaction that outlive a power cut are recognised as stale.
 */
#ifndef STORE_PACK_WRITE_H
#define STORE_PACK_WRITE_H

#include "store/pack.h"

struct pack_writer {
	struct pack_set *set;
	uint32_t pack; /* 0: none yet */
	uint64_t end; /* behind the last committed record */
	uint64_t synced; /* up to here a power cut takes nothing */
	uint64_t last_seq; /* given to a record, committed or not */
	int level; /* of zstd */
	void *zstd; /* context, made when needed */
	uint8_t salt[RECORD_SALT];

	struct buf pending; /* not yet in the file */
	uint64_t pending_at; /* where it goes */
	bool touched; /* octets beyond end may be in the file */
	bool failed; /* a write or sync failed: this pack is to be abandoned */

	struct record_head head; /* of the record being written */
	uint64_t record_at;
	uint64_t body_plain;
	size_t frame_n;
	struct buf frames; /* their lengths, as the meta holds them */
	uint8_t key[STORE_KEY_LEN];
};

void pack_writer_init(struct pack_writer *w, struct pack_set *set, int level);
void pack_writer_done(struct pack_writer *w);
/* Go on writing at the end of a pack of the set. */
void pack_writer_attach(struct pack_writer *w, uint32_t pack, uint64_t end);
/* Give back buffers and the zstd context. */
void pack_writer_trim(struct pack_writer *w);

/* Begin a transaction; nothing may be pending. */
void pack_writer_begin(struct pack_writer *w);
/* Begin a record; *ret_seq is its sequence. */
void record_begin(struct pack_writer *w, enum record_type type, unsigned flags, uint64_t *ret_seq);
/* Append to the message of the record: all of it in one call. */
MUST_USE enum err record_body(struct pack_writer *w, struct view text);
/* Finish the record. */
MUST_USE enum err record_end(struct pack_writer *w, struct view events, struct pack_pos *ret_pos,
			     uint64_t *ret_stored);
/* An old record, octet by octet as it was. */
MUST_USE enum err record_copy(struct pack_writer *w, struct view octets, struct pack_pos *ret_pos);
/* Where the next record would begin. */
uint64_t pack_writer_next(const struct pack_writer *w);

/* Bring pending octets to the file. */
MUST_USE enum err pack_writer_flush(struct pack_writer *w);
/* What was flushed belongs to the pack from now on. */
void pack_writer_commit(struct pack_writer *w);
/* Forget the transaction; durable: it had been synced, so sync that it is gone.  On failure the pack
 * is to be abandoned. */
MUST_USE enum err pack_writer_abort(struct pack_writer *w, bool durable);
/* fdatasync all that was flushed. */
MUST_USE enum err pack_writer_sync(struct pack_writer *w);

#endif
