/*
 * tests/unit/talk.h: what those who run the dialogues of tests/talk share: the text of a line, and the ways
 * in which input is cut.  The format is described in tests/talk/README.md.
 */
#ifndef TESTS_UNIT_TALK_H
#define TESTS_UNIT_TALK_H

#include "unit.h"

#include "base/ascii.h"
#include "base/buf.h"
#include "base/num.h"

/* One way to cut the input. */
struct cutting {
	bool every; /* octet by octet */
	size_t block; /* this block ... */
	size_t at; /* ... is cut here; 0: nowhere */
};

/* Append text with its escapes resolved: \r \n \0 \t \\ \xNN and \R{count}{text}. */
static inline void talk_unescape(struct buf *out, struct view text)
{
	for (size_t i = 0; i < text.n; i++) {
		struct view count, what;
		uint64_t n = 0;

		if (text.p[i] != '\\' || i + 1 == text.n) {
			buf_add_char(out, text.p[i]);
			continue;
		}
		switch (text.p[++i]) {
		case 'r': buf_add_char(out, '\r'); break;
		case 'n': buf_add_char(out, '\n'); break;
		case 't': buf_add_char(out, '\t'); break;
		case '0': buf_add_char(out, '\0'); break;
		case 'x':
			buf_add_char(out, (char)(ascii_hex_value((uint8_t)text.p[i + 1]) << 4 |
						 ascii_hex_value((uint8_t)text.p[i + 2])));
			i += 2;
			break;
		case 'R':
			(void)view_cut(view_from(view_cut(view_from(text, i + 2), '}', &count), 1),
				       '}', &what);
			assert_int_equal(num_u64(count, 1000000, &n), OK);
			for (uint64_t k = 0; k < n; k++)
				buf_add(out, what);
			i += count.n + what.n + 4;
			break;
		default: buf_add_char(out, text.p[i]);
		}
	}
}

/* Give a block, number block_no, to feed as cut says. */
static inline void talk_feed(const struct cutting *cut, struct view block, size_t block_no,
			     void (*feed)(void *ctx, struct view piece), void *ctx)
{
	if (cut->every) {
		for (size_t i = 0; i < block.n; i++)
			feed(ctx, view_part(block, i, 1));
	} else if (cut->at && block_no == cut->block) {
		feed(ctx, view_head(block, cut->at));
		feed(ctx, view_from(block, cut->at));
	} else {
		feed(ctx, block);
	}
}

#endif
