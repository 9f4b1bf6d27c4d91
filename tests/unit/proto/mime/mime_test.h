/*
 * tests/unit/proto/mime/mime_test.h: a part tree as one line of text, for comparing.
 *
 * Leaf: type/subtype<body>.  Multipart: type/subtype{part,part}.  Message: type/subtype(part).
 */
#ifndef TESTS_MIME_TEST_H
#define TESTS_MIME_TEST_H

#include "base/buf.h"
#include "proto/mime/scan.h"
#include "unit.h"

enum {
	DUMP_MAX = 64 * 1024 * 1024,
};

/* types: with type/subtype.  trim: bodies without white space at both ends. */
static inline void dump_tree(struct buf *out, struct view message, const struct mime_part *root,
			     bool types, bool trim)
{
	const struct mime_part *p = root;

	while (p) {
		if (types) {
			buf_add_lower(out, p->type);
			buf_add_char(out, '/');
			buf_add_lower(out, p->subtype);
		}
		if (p->kind == MIME_LEAF) {
			struct view body = mime_part_body(message, p);

			buf_add_char(out, '<');
			buf_add(out, trim ? view_trim(body) : body);
			buf_add_char(out, '>');
		} else {
			buf_add_char(out, p->kind == MIME_MULTIPART ? '{' : '(');
			p = p->child;
			continue;
		}
		while (p != root && !p->next) {
			p = p->parent;
			buf_add_char(out, p->kind == MIME_MULTIPART ? '}' : ')');
		}
		if (p == root)
			break;
		buf_add_char(out, ',');
		p = p->next;
	}
}

/* What scan.h promises of every tree. */
static inline void check_tree(struct view message, const struct mime_part *root)
{
	size_t n = 0;

	for (const struct mime_part *p = root; p; p = mime_part_walk(root, p)) {
		assert_int_equal(p->index, n);
		n++;
		assert_true(p->header_at <= p->body_at);
		assert_true(p->body_at <= p->body_end);
		assert_true(p->body_end <= message.n);
		assert_true(p->depth >= 1 && p->depth <= MIME_DEPTH_MAX);
		assert_true(p->type.n > 0 && p->subtype.n > 0);

		size_t lines = 0;
		struct view body = mime_part_body(message, p);

		for (size_t i = 0; i < body.n; i++)
			lines += body.p[i] == '\n';
		assert_int_equal(p->body_lines, lines);

		bool multipart = view_eq_nocase(p->type, VIEW("multipart"));
		bool embeds = mime_part_is(p, VIEW("message"), VIEW("rfc822")) ||
			      mime_part_is(p, VIEW("message"), VIEW("global"));

		assert_int_equal(p->kind == MIME_MULTIPART, multipart);
		assert_int_equal(p->kind == MIME_MESSAGE, embeds);
		if (p->kind == MIME_LEAF)
			assert_int_equal(p->children, 0);
		if (p->kind == MIME_MESSAGE) {
			assert_int_equal(p->children, 1);
			assert_int_equal(p->child->header_at, p->body_at);
			assert_int_equal(p->child->body_end, p->body_end);
		}
		if (p->kind == MIME_MULTIPART) {
			assert_true(p->children > 0);
			assert_true(p->body_at <= p->preamble_end);
			assert_true(p->preamble_end <= p->body_end);
			assert_true(p->epilogue_at <= p->body_end);
		}
		for (const struct mime_part *c = p->child; c; c = c->next) {
			assert_ptr_equal(c->parent, p);
			assert_true(c->header_at >= p->body_at);
			assert_true(c->body_end <= p->body_end);
			if (c->next)
				assert_true(c->body_end <= c->next->header_at);
		}
	}
	assert_true(n <= MIME_PARTS_MAX);
}

#endif
