/*
 * store/record.h: reading records back, one or many.
 */
#ifndef STORE_RECORD_H
#define STORE_RECORD_H

#include "store/pack.h"

struct frame {
	uint64_t at; /* in the pack */
	uint32_t stored; /* octets without tag */
	bool packed; /* compressed */
};

struct record {
	struct record_head head;
	struct pack_pos pos;
	uint64_t size; /* octets of the message */
	struct frame *frames;
	size_t frame_n;
	struct buf meta;
	struct view events; /* borrowed from meta */
	struct buf raw; /* the whole record as stored when it is small, else empty */
	uint8_t key[STORE_KEY_LEN];
};

/* What reading needs: packs and a decompressor. */
struct record_reader {
	struct pack_set *set;
	void *zstd;
	struct buf scratch;
};

void record_reader_init(struct record_reader *reader, struct pack_set *set);
void record_reader_done(struct record_reader *reader);

/*
 * Read and check header and meta of the record at pos.  stored: its octets when known (then a small
 * record costs one system call), else 0.  ERR_CORRUPT; ERR_CRYPTO when its key is missing.
 */
MUST_USE enum err record_load(struct record_reader *reader, struct pack_pos pos, uint64_t stored,
			      struct record *ret);
void record_done(struct record *r);
/* Octets of frame i in room (FRAME_TEXT octets).  ERR_CORRUPT. */
MUST_USE enum err record_frame(struct record_reader *reader, const struct record *r, size_t i,
			       char *room, size_t *ret_n);
/* The whole message appended to out.  ERR_CORRUPT, ERR_LIMIT, ERR_NOMEM. */
MUST_USE enum err record_message(struct record_reader *reader, const struct record *r,
				 struct buf *out);
/* Do all frames open?  Does not decompress. */
MUST_USE enum err record_verify(struct record_reader *reader, const struct record *r);

/* ---- scanning ------------------------------------------------------------------------------ */

enum scan_depth {
	SCAN_META, /* header and meta of each record */
	SCAN_FRAMES, /* also every frame: a record with a bad one counts as damage */
};

struct scan_calls {
	void *ctx;
	/* Each valid record in order; borrowed for the call.  Not OK stops the scan with that result. */
	enum err (*record)(void *ctx, const struct record *r);
	/* Octets from..to of a pack are no record; tail: nothing valid follows.  May be NULL. */
	void (*damage)(void *ctx, uint32_t pack, uint64_t from, uint64_t to, bool tail);
};

/*
 * Read one pack from off (or its first record, with 0) to its end or where it is void.  *last_seq: LOG
 * packs must rise above it.  *ret_end: behind the last valid record.
 */
MUST_USE enum err pack_scan(struct record_reader *reader, uint32_t pack, uint64_t off,
			    enum scan_depth depth, const struct scan_calls *call,
			    uint64_t *last_seq, uint64_t *ret_end);

#endif
