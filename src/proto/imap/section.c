/*
 * proto/imap/section.c: tables of parts, sections, header subsets.
 */
#include "proto/imap/section.h"

#include "proto/mime/header.h"

enum { PARTS_VERSION = 1 }; /* first octet of the encoded form */

enum err imap_parts_of(struct arena *a, const struct mime_part *root, struct imap_parts *ret)
{
	size_t n = 0;

	for (const struct mime_part *p = root; p; p = mime_part_walk(root, p))
		n++;
	if (n > IMAP_PARTS_MAX)
		return ERR_LIMIT;

	struct imap_part *at = ARENA_ARRAY(a, struct imap_part, n);

	if (!at)
		return ERR_NOMEM;
	for (const struct mime_part *p = root; p; p = mime_part_walk(root, p))
		at[p->index] = (struct imap_part){
			.parent = p->parent ? (uint16_t)p->parent->index : IMAP_PARTS_NONE,
			.child = p->child ? (uint16_t)p->child->index : IMAP_PARTS_NONE,
			.next = p->next ? (uint16_t)p->next->index : IMAP_PARTS_NONE,
			.kind = (uint8_t)p->kind,
			.encoding = (uint8_t)p->encoding_kind,
			.header_at = p->header_at,
			.body_at = p->body_at,
			.body_end = p->body_end,
		};
	*ret = (struct imap_parts){ at, n };
	return OK;
}

static void add_varint(struct buf *out, uint64_t n)
{
	for (; n >= 0x80; n >>= 7)
		buf_add_char(out, (char)(n | 0x80));
	buf_add_char(out, (char)n);
}

static uint64_t varint(struct cursor *c)
{
	uint64_t n = 0;

	for (unsigned shift = 0; shift < 63; shift += 7) {
		uint8_t byte = cursor_byte(c);

		n |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return n;
	}
	cursor_fail(c, ERR_CORRUPT);
	return 0;
}

void imap_parts_encode(struct buf *out, struct imap_parts parts)
{
	buf_add_char(out, PARTS_VERSION);
	add_varint(out, parts.n);
	for (size_t i = 0; i < parts.n; i++) {
		const struct imap_part *p = &parts.at[i];

		add_varint(out, i ? p->parent : 0);
		buf_add_char(out, (char)(p->kind | p->encoding << 2));
		add_varint(out, p->header_at);
		add_varint(out, p->body_at - p->header_at);
		add_varint(out, p->body_end - p->body_at);
	}
}

/* One part; last[i] is the last child of part i so far. */
static void part_decode(struct cursor *c, struct imap_part *at, uint16_t *last, size_t i)
{
	uint64_t parent = varint(c);
	uint8_t what = cursor_byte(c);
	struct imap_part p = {
		.parent = i ? (uint16_t)parent : IMAP_PARTS_NONE,
		.child = IMAP_PARTS_NONE,
		.next = IMAP_PARTS_NONE,
		.kind = what & 3,
		.encoding = what >> 2,
	};

	p.header_at = varint(c);
	p.body_at = p.header_at + varint(c);
	p.body_end = p.body_at + varint(c);
	if (c->err)
		return;
	if (p.kind > MIME_MESSAGE || p.encoding > MIME_ENCODING_UNKNOWN ||
	    p.body_at < p.header_at || p.body_end < p.body_at || (i ? parent >= i : parent != 0) ||
	    (i && at[parent].kind == MIME_LEAF)) {
		cursor_fail(c, ERR_CORRUPT);
		return;
	}
	at[i] = p;
	last[i] = IMAP_PARTS_NONE;
	if (i == 0)
		return;
	if (last[parent] == IMAP_PARTS_NONE)
		at[parent].child = (uint16_t)i;
	else
		at[last[parent]].next = (uint16_t)i;
	last[parent] = (uint16_t)i;
}

enum err imap_parts_decode(struct arena *a, struct view code, struct imap_parts *ret)
{
	struct cursor c = cursor_init(code);
	uint16_t last[IMAP_PARTS_MAX];

	if (cursor_byte(&c) != PARTS_VERSION)
		return ERR_CORRUPT;

	uint64_t n = varint(&c);

	if (c.err || n == 0 || n > IMAP_PARTS_MAX)
		return ERR_CORRUPT;

	struct imap_part *at = ARENA_ARRAY(a, struct imap_part, (size_t)n);

	if (!at)
		return ERR_NOMEM;
	for (size_t i = 0; i < n && !c.err; i++)
		part_decode(&c, at, last, i);
	cursor_end(&c);
	/* A message has its one child, a multipart one at least. */
	for (size_t i = 0; i < n && !c.err; i++) {
		const struct imap_part *p = &at[i];

		if ((p->kind != MIME_LEAF) != (p->child != IMAP_PARTS_NONE) ||
		    (p->kind == MIME_MESSAGE && at[p->child].next != IMAP_PARTS_NONE))
			cursor_fail(&c, ERR_CORRUPT);
	}
	if (c.err)
		return ERR_CORRUPT;
	*ret = (struct imap_parts){ at, (size_t)n };
	return OK;
}

/* Part `number` of an entity: a child of a multipart, else "1" is the entity itself. */
static uint16_t part_of_entity(struct imap_parts parts, uint16_t entity, uint32_t number)
{
	uint16_t at;

	if (parts.at[entity].kind != MIME_MULTIPART)
		return number == 1 ? entity : IMAP_PARTS_NONE;
	at = parts.at[entity].child;
	while (at != IMAP_PARTS_NONE && --number)
		at = parts.at[at].next;
	return at;
}

/* The numbers of RFC 9051#6.4.5.1; path is not empty. */
static uint16_t part_find(struct imap_parts parts, const uint32_t *path, size_t n)
{
	uint16_t part = part_of_entity(parts, 0, path[0]);

	for (size_t i = 1; i < n && part != IMAP_PARTS_NONE; i++) {
		switch (parts.at[part].kind) {
		case MIME_MULTIPART: part = part_of_entity(parts, part, path[i]); break;
		case MIME_MESSAGE:
			part = part_of_entity(parts, parts.at[part].child, path[i]);
			break;
		default: return IMAP_PARTS_NONE;
		}
	}
	return part;
}

struct imap_extent imap_section_find(struct imap_parts parts, const struct imap_section *s)
{
	struct imap_extent ret = { 0 };
	uint16_t number = s->path_n ? part_find(parts, s->path, s->path_n) : 0;

	if (number == IMAP_PARTS_NONE)
		return (struct imap_extent){ .none = true };

	const struct imap_part *p = &parts.at[number];

	ret.encoding = p->encoding;
	ret.leaf = s->path_n > 0 && p->kind == MIME_LEAF;
	if (s->path_n && s->kind != IMAP_SECTION_ALL && s->kind != IMAP_SECTION_MIME) {
		/* HEADER and TEXT of a part are those of the message in it. */
		if (p->kind != MIME_MESSAGE)
			return (struct imap_extent){ .none = true };
		p = &parts.at[p->child];
	}
	switch (s->kind) {
	case IMAP_SECTION_ALL:
		ret.from = s->path_n ? p->body_at : p->header_at;
		ret.to = p->body_end;
		break;
	case IMAP_SECTION_TEXT:
		ret.from = p->body_at;
		ret.to = p->body_end;
		break;
	case IMAP_SECTION_HEADER_FIELDS:
	case IMAP_SECTION_HEADER_FIELDS_NOT: ret.filter = true; FALLTHROUGH;
	case IMAP_SECTION_HEADER:
	case IMAP_SECTION_MIME:
		ret.from = p->header_at;
		ret.to = p->body_at;
		break;
	}
	return ret;
}

static bool names_have(struct imap_views names, struct view name)
{
	for (size_t i = 0; i < names.n; i++)
		if (view_eq_nocase(names.at[i], name))
			return true;
	return false;
}

void imap_add_header_fields(struct buf *out, struct view header, struct imap_views names, bool not )
{
	struct mime_header_iter it = mime_header_iter_init(header);
	struct mime_field field;

	while (mime_header_next(&it, &field)) {
		if (names_have(names, field.name) == not )
			continue;
		buf_add(out, field.raw);
		if (!view_ends(field.raw, VIEW("\n")))
			buf_add(out, VIEW("\r\n"));
	}
	buf_add(out, VIEW("\r\n"));
}
