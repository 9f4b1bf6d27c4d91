/*
 * proto/mime/envelope.h: what lists, threads and searches of messages need of a header.
 *
 * ENVELOPE of RFC 9051#7.5.2, References, sent date, and the base subject of RFC 5256#2.1.
 */
#ifndef PROTO_MIME_ENVELOPE_H
#define PROTO_MIME_ENVELOPE_H

#include "proto/mime/address_list.h"
#include "proto/mime/charset.h"

enum {
	MIME_ENVELOPE_ARENA_MAX =
		16 * 1024 * 1024, /* an arena of this size is enough for any header */
};

/* Texts are raw without folding and outer blanks, not decoded; p == NULL where the field is absent.
 * Of fields that may stand once the first counts; address fields of one name are joined. */
struct mime_envelope {
	struct view date;
	struct view subject;
	struct view in_reply_to;
	struct view message_id;
	struct view references;
	struct address_list from, sender, reply_to, to, cc, bcc;
	bool has_from, has_sender, has_reply_to, has_to, has_cc, has_bcc; /* field is present */
	bool date_valid;
	int64_t date_seconds; /* UTC; 0 unless date_valid */
	int date_zone; /* minutes east of UTC */
};

/* header: a header or a whole message.  Views lie in header or in a.  ERR_NOMEM only. */
MUST_USE enum err mime_envelope_parse(struct arena *a, struct view header,
				      struct mime_envelope *ret);

/* As IMAP shows them: From where the field is absent or without any address.   RFC 9051#7.5.2 */
const struct address_list *mime_envelope_sender(const struct mime_envelope *e);
const struct address_list *mime_envelope_reply_to(const struct mime_envelope *e);

/* Message ids in References, In-Reply-To, Message-ID: "<" id "@" host ">", white space and comments
 * between.  *at starts at 0; *ret is the id without angle brackets and inner blanks where that
 * needs no copy (ids with blanks are skipped).  False at the end.  The caller limits how many it
 * takes. */
bool mime_id_next(struct view list, size_t *at, struct view *ret);

/*
 * The base subject of a raw Subject value: decoded, white space collapsed, "Re:", "Fwd:", "[list]"
 * and "(fwd)" removed; UTF-8, case kept.  *ret_reply (may be NULL): was it a reply or forward?
 * RFC 5256#2.1.  Look at out->err.
 */
void mime_subject_base(struct buf *out, struct view subject, const struct mime_converter *conv,
		       bool *ret_reply);

#endif
