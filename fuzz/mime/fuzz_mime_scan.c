/*
 * fuzz/mime/fuzz_mime_scan.c: any bytes are a message whose tree keeps the promises of scan.h;
 * envelope, authors and sections are read from it too.
 */
#include "base/buf.h"
#include "proto/mime/encoded_word.h"
#include "proto/mime/envelope.h"
#include "proto/mime/header.h"
#include "proto/mime/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_part(struct view message, const struct mime_part *p)
{
	ASSERT(p->header_at <= p->body_at && p->body_at <= p->body_end && p->body_end <= message.n);
	ASSERT(p->type.n && p->subtype.n);
	ASSERT((p->kind == MIME_LEAF) == (p->child == NULL));
	ASSERT(p->kind != MIME_MESSAGE || p->children == 1);
	for (const struct mime_part *c = p->child; c; c = c->next) {
		ASSERT(c->header_at >= p->body_at && c->body_end <= p->body_end);
		ASSERT(!c->next || c->body_end <= c->next->header_at);
	}

	size_t lines = 0;
	struct view body = mime_part_body(message, p);

	for (size_t i = 0; i < body.n; i++)
		lines += body.p[i] == '\n';
	ASSERT(lines == p->body_lines);
}

/* The section number of a part leads back to it, except where two parts share one. */
static void check_section(const struct mime_part *root, const struct mime_part *p)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(1000);
	uint32_t path[MIME_DEPTH_MAX];
	size_t n = 0;

	mime_part_add_section(&text, p);
	for (struct view rest = buf_view(&text), number; rest.n;) {
		rest = view_cut(rest, '.', &number);
		path[n] = 0;
		for (size_t i = 0; i < number.n; i++)
			path[n] = path[n] * 10 + (uint32_t)(number.p[i] - '0');
		n++;
	}

	const struct mime_part *found = mime_part_find(root, path, n);

	ASSERT(found == p || (found && found->kind == MIME_MESSAGE && found->child == p));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view message = view_of(data, size);
	struct arena arena;
	struct mime_part *root = NULL;
	struct mime_envelope envelope;
	struct mime_authors authors;
	const char *why;
	struct buf CLEANUP(buf_done) out = BUF_INIT(64 * 1024 * 1024);

	arena_init(&arena, MIME_SCAN_ARENA_MAX);
	ASSERT(mime_scan(&arena, message, &root) == OK);
	for (const struct mime_part *p = root; p; p = mime_part_walk(root, p)) {
		check_part(message, p);
		check_section(root, p);
		mime_param_add_utf8(&out, mime_part_filename(p), NULL);
	}
	ASSERT(root->body_at == mime_header_look(message).body_at);
	arena_done(&arena);

	arena_init(&arena, MIME_ENVELOPE_ARENA_MAX);
	ASSERT(mime_envelope_parse(&arena, message, &envelope) == OK);
	mime_subject_base(&out, envelope.subject, NULL, NULL);
	ASSERT(mime_authors_parse(message, ADDRESS_UTF8, &authors, &why) != OK || authors.n > 0);
	arena_done(&arena);
	return 0;
}
