/*
 * roles/mailbox/imap/fetch.h: the state of a FETCH, shared by cmd_fetch.c and fetch_body.c.
 *
 * A FETCH is a generator: it goes on while there is room for output.  Rows that need only what is kept
 * beside the messages are made in one walk (fast); others item by item, and the octets of a message
 * pass through in pieces of at most 128 KiB, so that no FETCH holds a whole message, except to find its
 * structure when that is not kept.
 */
#ifndef ROLES_MAILBOX_IMAP_FETCH_H
#define ROLES_MAILBOX_IMAP_FETCH_H

#include "proto/mime/transfer.h"
#include "roles/mailbox/imap/imap.h"

enum {
	FETCH_CHUNK_MAX = 512 * 1024, /* octets that one piece decodes to at most */
	FETCH_SLICE_COST = 4 * 1024 * 1024, /* octets read in one slice */
	FETCH_VALUE_MAX = 64 * 1024 * 1024, /* octets of one generated value */
};

enum fetch_source {
	SOURCE_NONE,
	SOURCE_BODY, /* octets from..to of the message */
	SOURCE_VALUE, /* octets from..to of value */
	SOURCE_DECODER, /* from..to of the message through the decoder */
};

struct fetch_job {
	struct imap_ranges seqs;
	uint32_t next; /* sequence number to go on with */
	const struct imap_fetch_item *items;
	size_t n;
	bool add_uid; /* UID FETCH: UID although it is not among the items */
	bool add_modseq; /* CHANGEDSINCE: MODSEQ although it is not among the items */
	bool has_flags;
	bool sets_seen;
	bool fast; /* every item comes from the message row or a kept column */
	unsigned columns; /* STORE_COL_, for fast */
	bool slow_once; /* this row lacks a column */
	bool missing; /* a message is gone */
	bool undecodable; /* BINARY with an unknown encoding */
	enum err failed; /* a message could not be read */
	uint64_t cost; /* octets read in this slice */

	/* The message that is being told. */
	bool open;
	uint32_t seq;
	uint32_t uid;
	uint64_t blob;
	uint64_t size;
	size_t item;
	bool seen_set;

	struct store_body *body;
	struct arena arena;
	bool have_parts;
	struct imap_parts parts;
	struct buf whole; /* the message, where it had to be read */
	struct mime_part *root; /* of whole */
	struct buf value;
	struct buf chunk;
	enum fetch_source source;
	uint64_t from, to;
	uint64_t skip, left; /* DECODER: octets to leave out, then to tell */
	bool decoder_ended;
	struct mime_decoder decoder;
};

/* ---- fetch_body.c: items that need the octets of the message -------------------------------------- */

/* Begin an item: writes its label and, where it is short, its value; else sets a source. */
void fetch_item_begin(struct imap_session *s, const struct imap_fetch_item *item);
/* Go on with the source; STEP_DONE when it is exhausted. */
enum job_step fetch_source_step(struct imap_session *s);
/* Forget the message. */
void fetch_message_close(struct imap_session *s);
/* Is the item only a field of the row? */
bool fetch_add_plain(struct imap_session *s, const struct store_message *m,
		     const struct imap_fetch_item *item);
/* An item out of kept columns; false when the column is missing (nothing was written). */
bool fetch_add_column(struct imap_session *s, const struct store_digest *d,
		      const struct imap_fetch_item *item);
/* The column that an item needs, 0 if it cannot come from one. */
unsigned fetch_column(const struct imap_fetch_item *item);

#endif
