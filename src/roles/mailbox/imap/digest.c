/*
 * roles/mailbox/imap/digest.c: make and read the columns that are kept with every message.
 */
#include "roles/mailbox/imap/digest.h"

#include "base/num.h"
#include "proto/imap/bodystructure.h"
#include "proto/imap/envelope.h"
#include "proto/mime/encoded_word.h"
#include "proto/mime/header.h"
#include "proto/mime/utf8.h"

enum {
	SEARCH_VERSION = 1,
	SEARCH_FIXED = 4, /* version, has_sent, zone */
	PREVIEW_CHARS_MAX = 200, /* RFC 8970#3.1 */
	PREVIEW_READ_MAX = 4096, /* octets of the text part that are looked at */
};

/* Fields that clients ask for in lists of messages. */
static const struct view cached_names[] = {
	VIEW_INIT("Bcc"),	   VIEW_INIT("Cc"),
	VIEW_INIT("Content-Type"), VIEW_INIT("Date"),
	VIEW_INIT("From"),	   VIEW_INIT("Importance"),
	VIEW_INIT("In-Reply-To"),  VIEW_INIT("List-Id"),
	VIEW_INIT("List-Post"),	   VIEW_INIT("List-Unsubscribe"),
	VIEW_INIT("Message-ID"),   VIEW_INIT("Newsgroups"),
	VIEW_INIT("Priority"),	   VIEW_INIT("References"),
	VIEW_INIT("Reply-To"),	   VIEW_INIT("Sender"),
	VIEW_INIT("Subject"),	   VIEW_INIT("To"),
	VIEW_INIT("X-Priority"),
};

void digest_maker_init(struct digest_maker *m, const struct mime_converter *converter)
{
	*m = (struct digest_maker){ .converter = converter };
	arena_init(&m->arena, MIME_SCAN_ARENA_MAX + MIME_ENVELOPE_ARENA_MAX);
	buf_init(&m->envelope, STORE_COLUMN_MAX);
	buf_init(&m->structure, STORE_COLUMN_MAX);
	buf_init(&m->cuts, STORE_COLUMN_MAX);
	buf_init(&m->header, STORE_COLUMN_MAX);
	buf_init(&m->search, STORE_COLUMN_MAX);
	buf_init(&m->preview, STORE_COLUMN_MAX);
}

void digest_maker_done(struct digest_maker *m)
{
	arena_done(&m->arena);
	buf_done(&m->envelope);
	buf_done(&m->structure);
	buf_done(&m->cuts);
	buf_done(&m->header);
	buf_done(&m->search);
	buf_done(&m->preview);
}

void digest_maker_trim(struct digest_maker *m)
{
	const struct mime_converter *converter = m->converter;

	digest_maker_done(m);
	digest_maker_init(m, converter);
}

/* A column that could not be made whole is left out. */
static struct view column(const struct buf *b)
{
	return b->err ? VIEW_EMPTY : buf_view(b);
}

/* Room for a length that is known later. */
static size_t length_begin(struct buf *out)
{
	size_t at = out->n;

	buf_add_fill(out, 0, 4);
	return at;
}

static void length_end(struct buf *out, size_t at)
{
	if (!out->err)
		num_put32(out->p + at, (uint32_t)(out->n - at - 4));
}

static bool name_cached(struct view name)
{
	for (size_t i = 0; i < ARRAY_LEN(cached_names); i++)
		if (view_eq_nocase(name, cached_names[i]))
			return true;
	return false;
}

bool digest_header_cached(struct imap_views names)
{
	for (size_t i = 0; i < names.n; i++)
		if (!name_cached(names.at[i]))
			return false;
	return true;
}

static void header_make(struct buf *out, struct view message)
{
	struct mime_header_iter it = mime_header_iter_init(message);
	struct mime_field field;

	while (mime_header_next(&it, &field))
		if (name_cached(field.name)) {
			buf_add(out, field.raw);
			if (!view_ends(field.raw, VIEW("\n")))
				buf_add(out, VIEW("\r\n"));
		}
	buf_add(out, VIEW("\r\n"));
}

static void structure_make(struct digest_maker *m, struct view message,
			   const struct mime_part *root, struct arena *scratch)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(STORE_COLUMN_MAX);
	struct buf *out = &m->structure;
	struct imap_parts parts;
	size_t at = length_begin(out);

	if (imap_parts_of(&m->arena, root, &parts) ||
	    imap_add_bodystructure(&text, scratch, message, root, true, &m->cuts)) {
		out->err = ERR_NOMEM;
		return;
	}
	imap_parts_encode(out, parts);
	length_end(out, at);
	at = length_begin(out);
	buf_add(out, buf_view(&m->cuts));
	length_end(out, at);
	buf_add(out, buf_view(&text));
	if (text.err || m->cuts.err)
		out->err = ERR_LIMIT;
}

/* Folded "name <local@host>, ..." of a field's addresses. */
static void addresses_make(struct digest_maker *m, struct buf *text,
			   const struct address_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct address_entry *e = &list->at[i];

		if (e->kind == ADDRESS_GROUP_END)
			continue;
		if (e->name.p)
			encoded_word_decode(text, e->name, m->converter);
		if (e->kind == ADDRESS_GROUP_START) {
			buf_add(text, VIEW(": "));
			continue;
		}
		buf_add(text, VIEW(" <"));
		buf_add(text, e->mailbox);
		buf_add_char(text, '@');
		buf_add(text, e->host);
		buf_add(text, VIEW(">, "));
	}
}

static void search_field(struct digest_maker *m, bool present, const struct address_list *list,
			 struct view subject)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(STORE_COLUMN_MAX);

	buf_add_char(&m->search, present);
	if (!present)
		return;

	size_t at = length_begin(&m->search);

	if (list)
		addresses_make(m, &text, list);
	else
		encoded_word_decode(&text, subject, m->converter);
	if (text.err)
		m->search.err = text.err;
	mime_casefold(&m->search, buf_view(&text));
	length_end(&m->search, at);
}

static void search_make(struct digest_maker *m, const struct mime_envelope *e)
{
	char fixed[SEARCH_FIXED] = { SEARCH_VERSION, (char)e->date_valid };

	num_put16(fixed + 2, (uint16_t)(int16_t)e->date_zone);
	buf_add(&m->search, view_of(fixed, sizeof(fixed)));
	search_field(m, e->has_from, &e->from, VIEW_EMPTY);
	search_field(m, e->has_to, &e->to, VIEW_EMPTY);
	search_field(m, e->has_cc, &e->cc, VIEW_EMPTY);
	search_field(m, e->has_bcc, &e->bcc, VIEW_EMPTY);
	search_field(m, e->subject.p != NULL, NULL, e->subject);
}

/* Text with single blanks, at most PREVIEW_CHARS_MAX characters. */
static void preview_squeeze(struct buf *out, struct view text)
{
	size_t chars = 0;
	bool blank = false;
	uint32_t point = 0;
	bool valid;

	for (size_t i = 0; i < text.n && chars < PREVIEW_CHARS_MAX;) {
		i += mime_utf8_next(text, i, &point, &valid);
		if (point == ' ' || point == '\t' || point == '\r' || point == '\n' ||
		    point == 0xa0 || mime_utf8_is_control(point)) {
			blank = chars > 0;
			continue;
		}
		if (blank && ++chars < PREVIEW_CHARS_MAX)
			buf_add_char(out, ' ');
		blank = false;
		mime_utf8_add(out, point);
		chars++;
	}
}

/* The first text/plain part that is no attachment   RFC 8970#3.1 */
static void preview_make(struct digest_maker *m, struct view message, const struct mime_part *root)
{
	struct buf CLEANUP(buf_done) raw = BUF_INIT(PREVIEW_READ_MAX);
	struct buf CLEANUP(buf_done) text = BUF_INIT((size_t)16 * PREVIEW_READ_MAX);
	const struct mime_part *p = root;

	while (p && !(mime_part_is(p, VIEW("text"), VIEW("plain")) &&
		      !view_eq_nocase(p->disposition, VIEW("attachment"))))
		p = mime_part_walk(root, p);
	if (!p)
		return;

	struct view body = view_head(mime_part_body(message, p), PREVIEW_READ_MAX);

	if (mime_decode(p->encoding_kind, body, &raw, NULL))
		return;
	mime_to_utf8(&text, mime_part_charset(p), buf_view(&raw), m->converter);
	if (!text.err)
		preview_squeeze(&m->preview, buf_view(&text));
}

enum err mailbox_digest(void *ctx, struct view message, struct store_digest *ret)
{
	struct digest_maker *m = ctx;
	struct mime_envelope envelope;
	struct mime_part *root;
	struct arena scratch;

	arena_clear(&m->arena);
	buf_clear(&m->envelope);
	buf_clear(&m->structure);
	buf_clear(&m->cuts);
	buf_clear(&m->header);
	buf_clear(&m->search);
	buf_clear(&m->preview);
	if (mime_scan(&m->arena, message, &root) ||
	    mime_envelope_parse(&m->arena, mime_part_header(message, root), &envelope))
		return ERR_NOMEM;
	arena_init(&scratch, MIME_ENVELOPE_ARENA_MAX);
	imap_add_envelope(&m->envelope, &envelope);
	structure_make(m, message, root, &scratch);
	arena_done(&scratch);
	header_make(&m->header, message);
	search_make(m, &envelope);
	preview_make(m, message, root);
	*ret = (struct store_digest){
		.envelope = column(&m->envelope),
		.structure = column(&m->structure),
		.header = column(&m->header),
		.search = column(&m->search),
		.preview = column(&m->preview),
		.sent = envelope.date_seconds,
	};
	return OK;
}

/* What begins with its length; false when it is not whole. */
static bool length_take(struct view *text, struct view *ret)
{
	uint32_t n;

	if (text->n < 4)
		return false;
	n = num_get32(text->p);
	if (n > text->n - 4)
		return false;
	*ret = view_part(*text, 4, n);
	*text = view_from(*text, 4 + (size_t)n);
	return true;
}

enum err digest_structure_parse(struct view text, struct digest_structure *ret)
{
	struct digest_structure d;

	if (!length_take(&text, &d.parts) || !length_take(&text, &d.cuts) || !text.n)
		return ERR_CORRUPT;
	d.bodystructure = text;
	*ret = d;
	return OK;
}

enum err digest_search_parse(struct view text, struct digest_search *ret)
{
	struct digest_search d = { 0 };
	size_t at = SEARCH_FIXED;

	if (text.n < SEARCH_FIXED || text.p[0] != SEARCH_VERSION)
		return ERR_CORRUPT;
	d.has_sent = text.p[1] != 0;
	d.zone = (int16_t)num_get16(text.p + 2);
	for (size_t i = 0; i < DIGEST_FIELDS; i++) {
		if (at >= text.n)
			return ERR_CORRUPT;
		if (!text.p[at++])
			continue;
		if (text.n - at < 4)
			return ERR_CORRUPT;

		uint32_t n = num_get32(text.p + at);

		at += 4;
		if (n > text.n - at)
			return ERR_CORRUPT;
		d.text[i] = view_part(text, at, n);
		at += n;
	}
	if (at != text.n)
		return ERR_CORRUPT;
	*ret = d;
	return OK;
}
