/*
 * fuzz/smtp/fuzz_reply.c: any server's octets through the reply parser, whole and cut alike.
 */
#include "base/ascii.h"
#include "proto/smtp/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(struct view text, size_t step, struct buf *out)
{
	struct smtp_reply_parser p;
	enum err err = OK;

	smtp_reply_parser_init(&p, SMTP_REPLY_LINE, SMTP_REPLY_LINES);
	for (size_t at = 0; at < text.n && (!err || err == ERR_AGAIN);) {
		struct smtp_reply r;
		size_t used;

		err = smtp_reply_parser_take(&p, view_part(text, at, step), &r, &used);
		at += used;
		if (err)
			continue;
		ASSERT(r.code >= 200 && r.code <= 559 && r.lines && r.lines <= SMTP_REPLY_LINES);
		ASSERT(r.text_n <= SMTP_REPLY_TEXT);
		for (size_t i = 0; i < r.text_n; i++)
			ASSERT(ascii_is_print((uint8_t)r.text[i]));
		for (size_t i = 0; i <= r.lines; i++)
			ASSERT(!view_has(smtp_reply_line(&p, i), '\n'));
		buf_addf(out, "%u %u.%u.%u " VIEW_FMT "\n", r.code, r.enhanced[0], r.enhanced[1],
			 r.enhanced[2], (int)r.text_n, r.text);
	}
	buf_addf(out, "<%d>", err == ERR_AGAIN ? 0 : (int)err);
	smtp_reply_parser_done(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf CLEANUP(buf_done) a = BUF_INIT(1 << 22);
	struct buf CLEANUP(buf_done) b = BUF_INIT(1 << 22);

	if (!size || size > 1 << 16)
		return 0;

	struct view text = view_of(data + 1, size - 1);

	read_all(text, SIZE_MAX, &a);
	read_all(text, 1 + data[0] % 61, &b);
	ASSERT(view_eq(buf_view(&a), buf_view(&b)));
	return 0;
}
