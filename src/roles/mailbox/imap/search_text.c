/*
 * roles/mailbox/imap/search_text.c: look for text in the octets of a message.
 *
 * Headers with their encoded words decoded, text parts with transfer encoding and charset decoded; both
 * folded (proto/mime/utf8.h).  Of a part SEARCH_PART_MAX decoded octets are looked at.
 */
#include "proto/mime/encoded_word.h"
#include "proto/mime/header.h"
#include "proto/mime/scan.h"
#include "proto/mime/utf8.h"
#include "roles/mailbox/imap/search.h"

/* Is needle in the folded form of job->text? */
static bool text_has(struct search_job *job, struct view needle)
{
	buf_clear(&job->folded);
	mime_casefold(&job->folded, buf_view(&job->text));
	return view_find(buf_view(&job->folded), needle) != VIEW_NONE;
}

bool search_header_text(struct imap_session *s, struct search_job *job, struct view raw,
			struct view needle)
{
	buf_clear(&job->text);
	encoded_word_decode(&job->text, raw, s->config->converter);
	return text_has(job, needle);
}

bool search_fields(struct imap_session *s, struct search_job *job, struct view header,
		   struct view name, struct view needle)
{
	struct mime_header_iter it = mime_header_iter_init(header);
	struct mime_field field;

	while (mime_header_next(&it, &field))
		if (view_eq_nocase(field.name, name) &&
		    (!needle.n || search_header_text(s, job, field.value, needle)))
			return true;
	return false;
}

/* Every field, name and value, so that "subject: x" is found as well. */
static bool header_has(struct imap_session *s, struct search_job *job, struct view header,
		       struct view needle)
{
	struct mime_header_iter it = mime_header_iter_init(header);
	struct mime_field field;

	while (mime_header_next(&it, &field))
		if (search_header_text(s, job, field.raw, needle))
			return true;
	return !needle.n;
}

static bool part_has(struct imap_session *s, struct search_job *job, struct view message,
		     const struct mime_part *p, struct view needle)
{
	struct buf CLEANUP(buf_done) decoded = BUF_INIT(SEARCH_PART_MAX);
	struct view body = mime_part_body(message, p);
	struct view raw = view_head(body, SEARCH_PART_MAX);

	if (p->encoding_kind == MIME_QP || p->encoding_kind == MIME_BASE64) {
		/* Decoding never makes more of it; what failed is searched as far as it came. */
		if (mime_decode(p->encoding_kind, raw, &decoded, NULL) && !decoded.n)
			return false;
		raw = buf_view(&decoded);
	}
	buf_clear(&job->text);
	mime_to_utf8(&job->text, mime_part_charset(p), raw, s->config->converter);
	return text_has(job, needle);
}

/* Text parts, and the headers of embedded messages. */
static bool body_has(struct imap_session *s, struct search_job *job, struct view needle)
{
	struct view message = buf_view(&job->octets);
	struct mime_part *root;
	bool found = !needle.n;

	if (mime_scan(&job->arena, message, &root))
		return false;
	for (const struct mime_part *p = root; p && !found; p = mime_part_walk(root, p)) {
		if (p->parent && p->parent->kind == MIME_MESSAGE)
			found = header_has(s, job, mime_part_header(message, p), needle);
		if (!found && p->kind == MIME_LEAF && view_eq_nocase(p->type, VIEW("text")))
			found = part_has(s, job, message, p, needle);
	}
	arena_clear(&job->arena);
	return found;
}

bool search_octets(struct imap_session *s, struct search_job *job,
		   const struct imap_search_key *key)
{
	struct view header = buf_view(&job->octets); /* the iterator ends at its end */

	switch (key->op) {
	case IMAP_SEARCH_TEXT:
		return header_has(s, job, header, key->folded) || body_has(s, job, key->folded);
	case IMAP_SEARCH_BODY: return body_has(s, job, key->folded);
	case IMAP_SEARCH_HEADER: return search_fields(s, job, header, key->field, key->folded);
	case IMAP_SEARCH_FROM: return search_fields(s, job, header, VIEW("From"), key->folded);
	case IMAP_SEARCH_TO: return search_fields(s, job, header, VIEW("To"), key->folded);
	case IMAP_SEARCH_CC: return search_fields(s, job, header, VIEW("Cc"), key->folded);
	case IMAP_SEARCH_BCC: return search_fields(s, job, header, VIEW("Bcc"), key->folded);
	case IMAP_SEARCH_SUBJECT:
		return search_fields(s, job, header, VIEW("Subject"), key->folded);
	default: return false;
	}
}
