/*
 * roles/mailbox/imap/digest.h: what is kept about each message beside its octets, and how to read it.
 *
 * mailbox_digest is the store_digest_fn of the mailbox role.  Columns:
 *	envelope	ENVELOPE as sent
 *	structure	part table (proto/imap/section.h), cuts (proto/imap/bodystructure.h), then
 *			BODYSTRUCTURE as sent
 *	header		raw fields that clients often ask for (digest_header_cached)
 *	search		folded text of From, To, Cc, Bcc, Subject, and the zone of Date
 *	preview		RFC 8970 text
 * Every reader treats a column that does not parse as absent and falls back to the message.
 */
#ifndef ROLES_MAILBOX_IMAP_DIGEST_H
#define ROLES_MAILBOX_IMAP_DIGEST_H

#include "base/arena.h"
#include "proto/imap/section.h"
#include "proto/mime/charset.h"
#include "store/store.h"

struct digest_maker {
	struct arena arena;
	struct buf envelope, structure, cuts, header, search, preview;
	const struct mime_converter *converter; /* may be NULL */
};

void digest_maker_init(struct digest_maker *m, const struct mime_converter *converter);
void digest_maker_done(struct digest_maker *m);
/* Give back memory; it can be used again.  The last digest is gone. */
void digest_maker_trim(struct digest_maker *m);
/* store_digest_fn; ctx is a struct digest_maker. */
enum err mailbox_digest(void *ctx, struct view message, struct store_digest *ret);

struct digest_structure {
	struct view parts, cuts, bodystructure;
};
/* The structure column.  ERR_CORRUPT, also for an empty column. */
MUST_USE enum err digest_structure_parse(struct view column, struct digest_structure *ret);
/* Are all these field names kept in the header column?  Then imap_add_header_fields works on it. */
bool digest_header_cached(struct imap_views names);

enum digest_field { DIGEST_FROM, DIGEST_TO, DIGEST_CC, DIGEST_BCC, DIGEST_SUBJECT, DIGEST_FIELDS };

struct digest_search {
	struct view text[DIGEST_FIELDS]; /* folded; p == NULL: no such field */
	bool has_sent; /* the Date field could be read */
	int16_t zone; /* of Date, minutes east */
};
/* The search column.  ERR_CORRUPT. */
MUST_USE enum err digest_search_parse(struct view column, struct digest_search *ret);

#endif
