/*
 * spool/record.h: the framing of journal records and the first block of a segment.
 *
 * A record is a header of RECORD_HEADER octets, a head (the envelope, or what has changed), a body (the
 * message, or nothing), and zeros up to RECORD_ALIGN.  All sums are XXH3 (64 bits) seeded with
 * the salt of the segment's present use: octets of an earlier use are no record, and neither is what a
 * sender has written into a message, since nobody outside knows the salt.  They find damage; against who
 * can write to the disk they are no defence.
 */
#ifndef SPOOL_RECORD_H
#define SPOOL_RECORD_H

#include "base/num.h"
#include "base/view.h"

enum {
	SPOOL_BLOCK = 4096, /* unit of writing: covers the logical blocks of all disks */
	SPOOL_SALT = 16,
	RECORD_HEADER = 64,
	RECORD_ALIGN = 8,
	RECORD_HEAD_MAX = 2 * 1024 * 1024, /* 1000 recipients with everything */
	SEGMENT_DISTRUST_MAX = 8, /* segments given up after a failed write and not yet cleaned */
};

/* Part of the file format: never renumber. */
enum record_type {
	RECORD_ACCEPT = 1, /* head: envelope; body: message */
	RECORD_RCPT = 2, /* head: spool/change.h, what became of one recipient */
	RECORD_EXPAND = 3, /* head: spool/change.h, one more recipient out of an alias */
	RECORD_HOLD = 4, /* head: one octet, 1 to hold the message and 0 to release it */
	RECORD_DONE = 5, /* head: sequences, 8 octets each, of messages that are finished */
	RECORD_MARKS = 6, /* head: 8 octets, marks of the whole queue (stopped) */
	RECORD_TYPE_END
};

/* The next record belongs to the same group: both count or none. */
enum { RECORD_MORE = 1 };

struct record {
	uint8_t type; /* enum record_type */
	uint8_t flags;
	uint32_t batch; /* counts writes, all segments through; 1 is the first */
	uint64_t sequence;
	uint32_t head_n;
	uint64_t body_n;
	uint64_t offset; /* in its segment */
	uint64_t head_sum;
	uint64_t body_sum;
};

/* Octets in a file, a multiple of RECORD_ALIGN. */
static inline uint64_t record_size(uint64_t head_n, uint64_t body_n)
{
	return (RECORD_HEADER + head_n + body_n + RECORD_ALIGN - 1) & ~(uint64_t)(RECORD_ALIGN - 1);
}

static inline uint64_t spool_block_up(uint64_t n)
{
	return (n + SPOOL_BLOCK - 1) & ~(uint64_t)(SPOOL_BLOCK - 1);
}

/* Write header, head, body and padding to `to`, record_size(head.n, body.n) octets.  The lengths and sums
 * of r are filled in.  A body that already lies in its place behind the head is not copied. */
void record_write(char *to, struct record *r, const uint8_t salt[SPOOL_SALT], struct view head,
		  struct view body);
/* at: RECORD_HEADER octets found at offset.  ERR_CORRUPT unless they are the header of a record. */
MUST_USE enum err record_read(const char *at, const uint8_t salt[SPOOL_SALT], uint64_t offset,
			      struct record *ret);
/* Cheap test before record_read. */
static inline bool record_maybe(const char *at)
{
	return num_get32(at) == 0x31726850; /* "Phr1" */
}
/* Do head and body agree with r?  ERR_CORRUPT. */
MUST_USE enum err record_check(const struct record *r, const uint8_t salt[SPOOL_SALT],
			       struct view head, struct view body);

/* A segment from whose octet `from` on nothing counts: a write there has failed. */
struct distrust {
	uint64_t order;
	uint64_t from;
};

/* The first block of a segment, repeated in its last. */
struct segment_header {
	uint64_t order; /* 1, 2, 3 ... in order of use; 0: made in advance, not used yet */
	uint64_t oldest; /* segments of a lower order hold nothing that counts */
	uint64_t next_sequence; /* lower ones were given out */
	int64_t wall_ms; /* when it was opened */
	uint64_t marks; /* as in RECORD_MARKS */
	uint64_t size; /* of the file */
	uint32_t first_batch;
	uint32_t distrust_count;
	uint8_t salt[SPOOL_SALT];
	struct distrust distrust[SEGMENT_DISTRUST_MAX];
};

/* to: SPOOL_BLOCK octets. */
void segment_header_write(char *to, const struct segment_header *h);
/* ERR_CORRUPT; ERR_UNSUPPORTED for a version that this program does not know. */
MUST_USE enum err segment_header_read(const char *at, struct segment_header *ret);

#endif
