/*
 * proto/imap/bodystructure.c: BODY and BODYSTRUCTURE.
 *
 * Parts are opened on the way down and closed on the way up; parent pointers are the stack.
 */
#include "proto/imap/bodystructure.h"

#include "base/num.h"
#include "proto/imap/envelope.h"
#include "proto/imap/write.h"

enum { CUT_SIZE = 8 };

/* body-fld-param = "(" string SP string *(SP string SP string) ")" / nil */
static void add_params(struct buf *out, struct mime_params params)
{
	if (params.n == 0) {
		buf_add(out, VIEW("NIL"));
		return;
	}
	for (size_t i = 0; i < params.n; i++) {
		buf_add_char(out, i ? ' ' : '(');
		imap_add_string(out, params.at[i].name, false);
		buf_add_char(out, ' ');
		imap_add_string(out, params.at[i].value, false);
	}
	buf_add_char(out, ')');
}

/* body-fld-lang = nstring / "(" string *(SP string) ")" */
static void add_languages(struct buf *out, struct view list)
{
	struct view tag;
	size_t at = 0;
	size_t n = 0;

	while (list.p && mime_language_next(list, &at, &tag)) {
		buf_add_char(out, n++ ? ' ' : '(');
		imap_add_string(out, tag, false);
	}
	if (n)
		buf_add_char(out, ')');
	else
		buf_add(out, VIEW("NIL"));
}

/* SP body-fld-dsp SP body-fld-lang SP body-fld-loc */
static void add_extension(struct buf *out, const struct mime_part *p)
{
	buf_add_char(out, ' ');
	if (p->disposition.p) {
		buf_add_char(out, '(');
		imap_add_string(out, p->disposition, false);
		buf_add_char(out, ' ');
		add_params(out, p->raw_disposition_params);
		buf_add_char(out, ')');
	} else {
		buf_add(out, VIEW("NIL"));
	}
	buf_add_char(out, ' ');
	add_languages(out, p->language);
	buf_add_char(out, ' ');
	imap_add_nstring(out, p->location, false);
}

/* media-basic SP body-fields: type, subtype, parameters, id, description, encoding, octets */
static void add_basic(struct buf *out, const struct mime_part *p)
{
	imap_add_string(out, p->type, false);
	buf_add_char(out, ' ');
	imap_add_string(out, p->subtype, false);
	buf_add_char(out, ' ');
	add_params(out, p->raw_params);
	buf_add_char(out, ' ');
	imap_add_nstring(out, p->id, false);
	buf_add_char(out, ' ');
	imap_add_nstring(out, p->description, false);
	buf_add_char(out, ' ');
	imap_add_string(out, p->encoding.p ? p->encoding : VIEW("7BIT"), false);
	buf_add_char(out, ' ');
	buf_add_u64(out, p->body_end - p->body_at);
}

static bool is_text(const struct mime_part *p)
{
	return view_eq_nocase(p->type, VIEW("text"));
}

static enum err part_open(struct buf *out, struct arena *scratch, struct view message,
			  const struct mime_part *p)
{
	struct mime_envelope envelope;

	buf_add_char(out, '(');
	if (p->kind == MIME_MULTIPART)
		return OK;
	add_basic(out, p);
	if (p->kind == MIME_LEAF)
		return OK;
	buf_add_char(out, ' ');

	enum err err = mime_envelope_parse(scratch, mime_part_header(message, p->child), &envelope);

	if (!err)
		imap_add_envelope(out, &envelope);
	arena_clear(scratch);
	buf_add_char(out, ' ');
	return err;
}

/* What BODYSTRUCTURE says more than BODY. */
static void add_extended(struct buf *out, const struct mime_part *p)
{
	buf_add_char(out, ' ');
	if (p->kind == MIME_MULTIPART)
		add_params(out, p->raw_params);
	else
		imap_add_nstring(out, p->md5, false);
	add_extension(out, p);
}

static void add_cut(struct buf *cuts, size_t from, size_t to)
{
	char room[CUT_SIZE];

	num_put32(room, (uint32_t)from);
	num_put32(room + 4, (uint32_t)(to - from));
	buf_add(cuts, view_of(room, sizeof(room)));
}

/* begin: where the whole structure begins in out */
static void part_close(struct buf *out, const struct mime_part *p, bool extended, size_t begin,
		       struct buf *cuts)
{
	size_t from;

	if (p->kind == MIME_MULTIPART) {
		buf_add_char(out, ' ');
		imap_add_string(out, p->subtype, false);
	} else if (p->kind == MIME_MESSAGE || is_text(p)) {
		buf_add_char(out, ' ');
		buf_add_u64(out, p->body_lines);
	}
	from = out->n;
	if (extended)
		add_extended(out, p);
	if (cuts)
		add_cut(cuts, from - begin, out->n - begin);
	buf_add_char(out, ')');
}

enum err imap_add_bodystructure(struct buf *out, struct arena *scratch, struct view message,
				const struct mime_part *root, bool extended, struct buf *cuts)
{
	const struct mime_part *p = root;
	size_t begin = out->n;

	for (;;) {
		enum err err = part_open(out, scratch, message, p);

		if (err)
			return err;
		if (p->child) {
			p = p->child;
			continue;
		}
		for (;;) {
			part_close(out, p, extended, begin, cuts);
			if (p == root)
				return OK;
			if (p->next)
				break;
			p = p->parent;
		}
		p = p->next;
	}
}

enum err imap_add_body_cut(struct buf *out, struct view bodystructure, struct view cuts)
{
	size_t mark = out->n;
	size_t at = 0;

	for (size_t i = 0; i + CUT_SIZE <= cuts.n; i += CUT_SIZE) {
		size_t from = num_get32(cuts.p + i);
		size_t n = num_get32(cuts.p + i + 4);

		if (from < at || from > bodystructure.n || n > bodystructure.n - from) {
			buf_truncate(out, mark);
			return ERR_CORRUPT;
		}
		buf_add(out, view_part(bodystructure, at, from - at));
		at = from + n;
	}
	buf_add(out, view_from(bodystructure, at));
	return OK;
}
