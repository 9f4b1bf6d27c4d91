/*
 * tests/unit/proto/mime/seven_bit_check.h: what seven_bit.h promises, for any message.
 *
 * For the unit test, which asserts by hand-made messages and all their prefixes, and for the fuzz target.
 */
#ifndef TESTS_SEVEN_BIT_CHECK_H
#define TESTS_SEVEN_BIT_CHECK_H

#include "base/buf.h"
#include "proto/mime/seven_bit.h"

enum { SEVEN_BIT_OUT_MAX = 64 * 1024 * 1024 };

/* The whole result, read in pieces of at most room octets. */
static inline void seven_bit_all(const struct mime_seven_bit *plan, struct view message,
				 size_t room, struct buf *out)
{
	struct mime_seven_bit_reader r;
	struct buf CLEANUP(buf_done) piece = BUF_INIT(room);
	enum err err;

	mime_seven_bit_reader_init(&r, plan, message);
	do {
		buf_clear(&piece);
		err = mime_seven_bit_read(&r, &piece);
		ASSERT(err == OK || err == ERR_AGAIN);
		ASSERT(err == OK || piece.n);
		buf_add(out, buf_view(&piece));
	} while (err);
	ASSERT(!buf_err(out));
}

/* Every octet below 128, and every line within the limit, unless the message had it longer. */
static inline void seven_bit_check_lines(struct view message, struct view result)
{
	size_t max = MIME_SEVEN_BIT_LINE + 2;

	for (struct view rest = message, line; rest.n;) {
		rest = view_cut(rest, '\n', &line);
		max = size_max(max, line.n + 1);
	}
	for (size_t i = 0, n = 0; i < result.n; i++) {
		ASSERT(!(view_at(result, i) & 0x80));
		n = result.p[i] == '\n' ? 0 : n + 1;
		ASSERT(n < max);
	}
}

static inline void seven_bit_check_leaf(struct view message, const struct mime_part *a,
					struct view result, const struct mime_part *b)
{
	struct buf CLEANUP(buf_done) before = BUF_INIT(SEVEN_BIT_OUT_MAX);
	struct buf CLEANUP(buf_done) after = BUF_INIT(SEVEN_BIT_OUT_MAX);
	bool changed = a->encoding_kind != b->encoding_kind;
	unsigned flags;

	ASSERT(!mime_decode(a->encoding_kind, mime_part_body(message, a), &before, NULL));
	ASSERT(!mime_decode(b->encoding_kind, mime_part_body(result, b), &after, &flags));
	ASSERT(view_eq(buf_view(&before), buf_view(&after)));
	if (!changed)
		return;
	ASSERT(b->encoding_kind == MIME_QP || b->encoding_kind == MIME_BASE64);
	ASSERT(!flags && !(b->flags & (MIME_PART_BAD_ENCODING | MIME_PART_DUPLICATE)));
	for (struct view rest = mime_part_body(result, b), line; rest.n;) {
		rest = view_cut(rest, '\n', &line);
		ASSERT(line.n <= MIME_ENCODED_LINE + 1);
	}
}

/* The same tree with the same leaves. */
static inline void seven_bit_check_trees(struct view message, struct view result)
{
	struct arena before, after;
	struct mime_part *a_root, *b_root;
	const struct mime_part *a, *b;

	arena_init(&before, MIME_SCAN_ARENA_MAX);
	arena_init(&after, MIME_SCAN_ARENA_MAX);
	ASSERT(!mime_scan(&before, message, &a_root) && !mime_scan(&after, result, &b_root));
	a = a_root;
	b = b_root;
	for (; a && b; a = mime_part_walk(a_root, a), b = mime_part_walk(b_root, b)) {
		ASSERT(a->kind == b->kind && a->depth == b->depth && a->children == b->children);
		ASSERT(view_eq(a->type, b->type) && view_eq(a->subtype, b->subtype));
		if (a->kind == MIME_LEAF)
			seven_bit_check_leaf(message, a, result, b);
	}
	ASSERT(!a && !b);
	arena_done(&before);
	arena_done(&after);
}

/* A reason of ours when it cannot be done, NULL when it was; result (may be NULL) gets the text. */
static inline const char *seven_bit_check(struct view message, struct buf *result)
{
	struct mime_seven_bit plan = { 0 };
	struct buf CLEANUP(buf_done) whole = BUF_INIT(SEVEN_BIT_OUT_MAX);
	struct buf CLEANUP(buf_done) small = BUF_INIT(SEVEN_BIT_OUT_MAX);
	const char *why = NULL;
	uint64_t size = 0;
	enum err err = mime_seven_bit_plan(message, &plan, &why);

	ASSERT(err == OK || err == ERR_UNSUPPORTED);
	ASSERT((err == ERR_UNSUPPORTED) == (why != NULL));
	if (why) {
		ASSERT(!plan.steps.at && !plan.steps.n);
		return why;
	}
	seven_bit_all(&plan, message, SEVEN_BIT_OUT_MAX, &whole);
	seven_bit_all(&plan, message, MIME_SEVEN_BIT_ROOM + message.n % 97, &small);
	ASSERT(view_eq(buf_view(&whole), buf_view(&small)));
	ASSERT(!mime_seven_bit_size(&plan, message, &size) && size == whole.n);
	mime_seven_bit_done(&plan);
	seven_bit_check_lines(message, buf_view(&whole));
	seven_bit_check_trees(message, buf_view(&whole));
	if (result)
		buf_add(result, buf_view(&whole));
	return NULL;
}

#endif
