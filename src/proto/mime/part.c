/*
 * proto/mime/part.c: the Content- fields of one part.
 *
 * One row per field; the first field of a name counts.  Values are borrowed from the message where
 * they are not folded.
 */
#include "proto/mime/part.h"

#include "proto/mime/header.h"

struct part_reader {
	struct arena *a;
	size_t values_from;
	struct mime_part *part;
	bool encoding_seen;
	bool type_seen;
};

static const struct mime_param US_ASCII[] = {
	{ .name = VIEW_INIT("charset"), .value = VIEW_INIT("us-ascii") },
};
static const struct mime_params US_ASCII_PARAMS = { US_ASCII, ARRAY_LEN(US_ASCII) };

void part_make_opaque(struct mime_part *p, unsigned flag)
{
	p->kind = MIME_LEAF;
	p->flags |= flag;
	p->type = VIEW("application");
	p->subtype = VIEW("octet-stream");
}

void part_make_text(struct mime_part *p, unsigned flag)
{
	p->kind = MIME_LEAF;
	p->flags |= flag;
	p->type = VIEW("text");
	p->subtype = VIEW("plain");
	p->params = p->raw_params = US_ASCII_PARAMS;
}

/* The type of a part that does not state one.   RFC 2045#5.2, RFC 2046#5.1.5 */
static void set_default_type(struct mime_part *p)
{
	if (p->parent && mime_part_is(p->parent, VIEW("multipart"), VIEW("digest"))) {
		p->type = VIEW("message");
		p->subtype = VIEW("rfc822");
		p->params = p->raw_params = (struct mime_params){ NULL, 0 };
	} else {
		part_make_text(p, 0);
	}
}

/* The row of each field says which of these views it fills. */
static enum err read_text(struct part_reader *r, struct view value, struct view *to)
{
	if (to->p) {
		r->part->flags |= MIME_PART_DUPLICATE;
		return OK;
	}
	return mime_unfolded(r->a, value, to);
}

static void note_value(struct part_reader *r, const struct mime_value *value)
{
	if (value->flags & MIME_PARAM_DUPLICATE)
		r->part->flags |= MIME_PART_DUPLICATE;
	if (value->flags & (MIME_PARAM_JUNK | MIME_PARAM_MANY | MIME_PARAM_GAP))
		r->part->flags |= MIME_PART_BAD_PARAM;
}

/* Content-Type   RFC 2045#5.1 */
static enum err read_type(struct part_reader *r, struct view text)
{
	struct mime_part *p = r->part;
	struct mime_value value;

	if (r->type_seen) {
		p->flags |= MIME_PART_DUPLICATE;
		return OK;
	}
	r->type_seen = true;

	enum err err = mime_value_parse(r->a, text, &value);

	if (err)
		return err;
	note_value(r, &value);
	p->declared_type = value.main;
	p->declared_subtype = value.sub;
	if (value.main.n == 0 || value.sub.n == 0) {
		part_make_text(p, MIME_PART_BAD_TYPE);
		return OK;
	}
	p->type = value.main;
	p->subtype = value.sub;
	p->params = value.decoded;
	p->raw_params = value.raw;
	return OK;
}

/* Content-Disposition   RFC 2183#2 */
static enum err read_disposition(struct part_reader *r, struct view text)
{
	struct mime_part *p = r->part;
	struct mime_value value;

	if (p->disposition.p) {
		p->flags |= MIME_PART_DUPLICATE;
		return OK;
	}

	enum err err = mime_value_parse(r->a, text, &value);

	if (err)
		return err;
	note_value(r, &value);
	p->disposition = value.main.n ? value.main : VIEW("");
	p->disposition_params = value.decoded;
	p->raw_disposition_params = value.raw;
	return OK;
}

/* Content-Transfer-Encoding   RFC 2045#6 */
static enum err read_encoding(struct part_reader *r, struct view text)
{
	struct mime_part *p = r->part;
	bool clean;

	if (r->encoding_seen) {
		p->flags |= MIME_PART_DUPLICATE;
		return OK;
	}
	r->encoding_seen = true;

	struct view name = mime_token(text, &clean);

	p->encoding = name.n ? name : VIEW("");
	p->encoding_kind = mime_encoding_of(name);
	if (!clean || name.n == 0 || p->encoding_kind == MIME_ENCODING_UNKNOWN)
		p->flags |= MIME_PART_BAD_ENCODING;
	return OK;
}

static enum err read_id(struct part_reader *r, struct view text)
{
	return read_text(r, text, &r->part->id);
}

static enum err read_description(struct part_reader *r, struct view text)
{
	return read_text(r, text, &r->part->description);
}

static enum err read_md5(struct part_reader *r, struct view text)
{
	return read_text(r, text, &r->part->md5);
}

static enum err read_location(struct part_reader *r, struct view text)
{
	return read_text(r, text, &r->part->location);
}

static enum err read_language(struct part_reader *r, struct view text)
{
	return read_text(r, text, &r->part->language);
}

/* Names without their "Content-". */
static const struct {
	struct view name;
	enum err (*read)(struct part_reader *r, struct view value);
} FIELDS[] = {
	{ VIEW_INIT("Type"), read_type },
	{ VIEW_INIT("Transfer-Encoding"), read_encoding },
	{ VIEW_INIT("Disposition"), read_disposition },
	{ VIEW_INIT("ID"), read_id },
	{ VIEW_INIT("Description"), read_description },
	{ VIEW_INIT("MD5"), read_md5 },
	{ VIEW_INIT("Language"), read_language },
	{ VIEW_INIT("Location"), read_location },
};

static enum err read_field(struct part_reader *r, const struct mime_field *field)
{
	struct view prefix = VIEW("Content-");

	if (!view_starts_nocase(field->name, prefix))
		return OK;

	struct view name = view_from(field->name, prefix.n);

	for (size_t i = 0; i < ARRAY_LEN(FIELDS); i++) {
		if (!view_eq_nocase(name, FIELDS[i].name))
			continue;
		if (r->a->used - r->values_from > MIME_SCAN_TEXT_MAX) {
			r->part->flags |= MIME_PART_TEXT_LIMIT;
			return OK;
		}
		return FIELDS[i].read(r, field->value);
	}
	return OK;
}

static bool is_encoded(const struct mime_part *p)
{
	return p->encoding_kind == MIME_BASE64 || p->encoding_kind == MIME_QP;
}

/* multipart: RFC 2046#5.1.  Its parts stand as they are, whatever encoding is stated. */
static struct view decide_multipart(struct mime_part *p)
{
	const struct mime_param *param = mime_param_find(p->params, VIEW("boundary"));
	struct view boundary = param ? param->value : VIEW_EMPTY;

	while (boundary.n &&
	       (boundary.p[boundary.n - 1] == ' ' || boundary.p[boundary.n - 1] == '\t'))
		boundary.n--;
	if (boundary.n == 0 || boundary.n > MIME_BOUNDARY_MAX || view_has(boundary, '\n')) {
		part_make_text(p, MIME_PART_NO_BOUNDARY);
		return VIEW_EMPTY;
	}
	if (is_encoded(p))
		p->flags |= MIME_PART_ENCODED;
	if (p->depth >= MIME_DEPTH_MAX) {
		part_make_opaque(p, MIME_PART_DEPTH);
		return VIEW_EMPTY;
	}
	p->kind = MIME_MULTIPART;
	return boundary;
}

static void decide_message(struct mime_part *p)
{
	if (is_encoded(p)) /* forbidden by RFC 2046#5.2.1: offsets inside would mean nothing */
		part_make_opaque(p, MIME_PART_ENCODED);
	else if (p->depth >= MIME_DEPTH_MAX)
		part_make_opaque(p, MIME_PART_DEPTH);
	else
		p->kind = MIME_MESSAGE;
}

static void note_header(struct mime_part *p, unsigned flags)
{
	if (flags & (MIME_HEADER_JUNK | MIME_HEADER_UNENDED))
		p->flags |= MIME_PART_BAD_HEADER;
	if (flags & (MIME_HEADER_MANY_FIELDS | MIME_HEADER_LONG))
		p->flags |= MIME_PART_BIG_HEADER;
}

enum err part_read_header(struct arena *a, size_t values_from, struct view text,
			  struct mime_part *p, struct view *ret_boundary)
{
	struct part_reader r = { .a = a, .values_from = values_from, .part = p };
	struct mime_header_iter it = mime_header_iter_init(mime_part_header(text, p));
	struct mime_field field;
	struct view boundary = VIEW_EMPTY;

	p->kind = MIME_LEAF;
	set_default_type(p);
	while (mime_header_next(&it, &field)) {
		enum err err = read_field(&r, &field);

		if (err)
			return err;
	}
	note_header(p, it.flags);
	if (view_eq_nocase(p->type, VIEW("multipart")))
		boundary = decide_multipart(p);
	else if (mime_part_is(p, VIEW("message"), VIEW("rfc822")) ||
		 mime_part_is(p, VIEW("message"), VIEW("global")))
		decide_message(p);
	*ret_boundary = boundary;
	return OK;
}

/* ---- questions about parts -------------------------------------------------------------- */

bool mime_part_is(const struct mime_part *p, struct view type, struct view subtype)
{
	return view_eq_nocase(p->type, type) && view_eq_nocase(p->subtype, subtype);
}

struct view mime_part_charset(const struct mime_part *p)
{
	const struct mime_param *charset = mime_param_find(p->params, VIEW("charset"));

	return charset && charset->value.n ? charset->value : VIEW("us-ascii");
}

const struct mime_param *mime_part_filename(const struct mime_part *p)
{
	const struct mime_param *name = mime_param_find(p->disposition_params, VIEW("filename"));

	return name ? name : mime_param_find(p->params, VIEW("name"));
}

const struct mime_part *mime_part_walk(const struct mime_part *top, const struct mime_part *p)
{
	if (p->child)
		return p->child;
	for (; p != top; p = p->parent)
		if (p->next)
			return p->next;
	return NULL;
}

const struct mime_part *mime_part_find(const struct mime_part *root, const uint32_t *path, size_t n)
{
	const struct mime_part *p = root;

	for (size_t i = 0; i < n; i++) {
		/* p is now what earlier numbers named; go to what its own numbers count. */
		if (i > 0 && p->kind == MIME_MESSAGE)
			p = p->child;
		else if (i > 0 && p->kind == MIME_LEAF)
			return NULL;
		if (p->kind != MIME_MULTIPART) {
			if (path[i] != 1)
				return NULL;
			continue;
		}
		if (path[i] == 0 || path[i] > p->children)
			return NULL;
		p = p->child;
		for (uint32_t k = 1; k < path[i]; k++)
			p = p->next;
	}
	return p;
}

/* The number of p in its section, or 0 where it has none of its own. */
static uint32_t number_of(const struct mime_part *p)
{
	uint32_t n = 1;

	if (!p->parent || p->parent->kind == MIME_MESSAGE)
		return p->kind == MIME_MULTIPART ? 0 : 1;
	for (const struct mime_part *q = p->parent->child; q != p; q = q->next)
		n++;
	return n;
}

void mime_part_add_section(struct buf *out, const struct mime_part *p)
{
	uint32_t numbers[MIME_DEPTH_MAX];
	size_t n = 0;

	for (; p && n < ARRAY_LEN(numbers); p = p->parent) {
		uint32_t number = number_of(p);

		if (number)
			numbers[n++] = number;
	}
	while (n > 0) {
		buf_add_u64(out, numbers[--n]);
		if (n)
			buf_add_char(out, '.');
	}
}

bool mime_language_next(struct view list, size_t *at, struct view *ret_tag)
{
	while (*at < list.n) {
		size_t n = view_find_char(view_from(list, *at), ',');
		struct view tag = view_trim(view_part(list, *at, n));

		*at = n == VIEW_NONE ? list.n : *at + n + 1;
		if (tag.n) {
			*ret_tag = tag;
			return true;
		}
	}
	return false;
}
