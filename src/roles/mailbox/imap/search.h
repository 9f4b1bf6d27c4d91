/*
 * roles/mailbox/imap/search.h: the state of a SEARCH, shared by cmd_search.c and search_*.c.
 *
 * A program is asked in three levels: with the row of a message, with what is kept beside it, with its
 * octets.  Each level answers yes, no, or not yet, so that a message is read only when nothing cheaper
 * decides.  Work is done in slices of some milliseconds, for other sessions of the account.
 */
#ifndef ROLES_MAILBOX_IMAP_SEARCH_H
#define ROLES_MAILBOX_IMAP_SEARCH_H

#include "roles/mailbox/imap/imap.h"

enum {
	SEARCH_SLICE_MS = 10,
	SEARCH_SLICE_ROWS = 20000, /* rows looked at in one slice */
	SEARCH_MS_MAX = 10 * 1000, /* imap_search_cpu */
	SEARCH_PART_MAX = 8 * 1024 * 1024, /* octets of one decoded part that are searched */
	SEARCH_FOLD_MAX = 64 * 1024 * 1024, /* octets of its folded text */
	SEARCH_MESSAGE_MAX = 64 * 1024 * 1024, /* octets of a message that is read */
};

enum search_answer { SEARCH_NO, SEARCH_YES, SEARCH_UNKNOWN };
enum search_level { LEVEL_ROW, LEVEL_KEPT, LEVEL_BODY };

struct search_job {
	struct imap_search_key *root;
	unsigned columns; /* STORE_COL_ that the program may need */
	bool needs_body; /* TEXT or BODY: the whole message, not only its header */
	uint32_t next; /* sequence number to go on with */
	bool stopped; /* the walk over columns stopped at next: it needs its octets */
	bool telling; /* the result is complete */
	struct imap_set found; /* sequence numbers */
	uint64_t count;
	uint64_t modseq; /* highest of what is found */
	int64_t used_ms;
	int64_t slice_start;
	size_t rows; /* in this slice */

	/* Telling: what is told, and how far. */
	bool esearch;
	size_t part; /* of the response */
	uint32_t at; /* sequence number to go on with */
	uint64_t position; /* of at among what is found, from 0 */
	uint64_t from, to; /* positions that are told, to is behind the last */
	bool first;

	/* The message that is looked at. */
	size_t seq;
	const struct store_message *message;
	const struct store_digest *digest;
	struct digest_search kept;
	bool kept_valid;
	bool has_sent;
	int64_t sent;
	int sent_zone;
	struct arena arena;
	struct buf octets; /* the message, or its header */
	struct buf text;
	struct buf folded;
};

/* Resolve sets, keywords and texts of the program.  The reply is set on failure. */
MUST_USE enum err search_prepare(struct imap_session *s, struct search_job *job,
				 struct imap_search_key *key);
/* Does job->message match, as far as level knows? */
enum search_answer search_match(struct imap_session *s, struct search_job *job,
				const struct imap_search_key *key, enum search_level level);
/* Keys that look at octets (search_text.c); job->octets holds them. */
bool search_octets(struct imap_session *s, struct search_job *job,
		   const struct imap_search_key *key);
/* Is the folded needle in raw header text?  Decodes encoded words. */
bool search_header_text(struct imap_session *s, struct search_job *job, struct view raw,
			struct view needle);
/* A field of header (any form of header block) with that name that contains the folded needle. */
bool search_fields(struct imap_session *s, struct search_job *job, struct view header,
		   struct view name, struct view needle);

/* search_tell.c: the response, in slices. */
void search_tell_begin(struct imap_session *s, struct search_job *job);
enum job_step search_tell_step(struct imap_session *s, struct search_job *job);

#endif
