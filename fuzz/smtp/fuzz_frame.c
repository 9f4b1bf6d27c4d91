/*
 * fuzz/smtp/fuzz_frame.c: a framer says the same however its input is cut, and its end is the right one.
 *
 * The first octet chooses how the second run is cut.
 */
#include "proto/smtp/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUT_MAX = 1 << 22 };

static void keep(void *ctx, struct view span)
{
	ASSERT(span.n);
	buf_add(ctx, span);
}

static void lines(struct view text, size_t step, struct buf *out)
{
	struct smtp_line_framer f;
	enum err err = OK;

	smtp_line_framer_init(&f);
	for (size_t at = 0; at < text.n && (err == OK || err == ERR_AGAIN || err == ERR_LIMIT);) {
		struct view line;
		size_t used;

		err = smtp_line_framer_take(&f, view_part(text, at, step), 64, &line, &used);
		at += used;
		if (!err) {
			ASSERT(line.n + 2 <= 64 && !view_has(line, '\n') && !view_has(line, '\r'));
			buf_add(out, line);
		}
		if (err != ERR_AGAIN)
			buf_addf(out, "<%d>", (int)err);
	}
	smtp_line_framer_done(&f);
}

static void data_body(struct view text, size_t step, struct buf *out)
{
	struct smtp_body_framer f;
	bool end = false;
	size_t at = 0;

	smtp_data_framer_init(&f);
	while (at < text.n && !end)
		at += smtp_data_framer_take(&f, view_part(text, at, step), keep, out, &end);
	if (f.bad)
		buf_clear(out);
	else
		ASSERT(f.size == out->n);
	/* An end is CRLF . CRLF, or . CRLF at the very start. */
	if (end)
		ASSERT(view_ends(view_head(text, at), at == 3 ? VIEW(".\r\n") : VIEW("\r\n.\r\n")));
	else if (!f.bad)
		ASSERT(view_find(text, VIEW("\r\n.\r\n")) == VIEW_NONE);
	buf_addf(out, "<%d %d %zu %llu>", end, f.bad, at, (unsigned long long)f.longest);
}

static void bdat_body(struct view text, size_t step, size_t chunk, bool binary, struct buf *out)
{
	struct smtp_body_framer f;
	size_t at = 0;

	smtp_bdat_framer_init(&f, binary);
	while (at < text.n) {
		smtp_bdat_framer_chunk(&f, size_min(chunk, text.n - at));
		while (f.left)
			at += smtp_bdat_framer_take(&f, view_part(text, at, step), keep, out);
	}
	smtp_bdat_framer_end(&f);
	if (f.bad)
		buf_clear(out);
	else if (binary)
		ASSERT(view_eq(buf_view(out), text));
	buf_addf(out, "<%d>", f.bad);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size || size > 1 << 16)
		return 0;

	struct view text = view_of(data + 1, size - 1);
	size_t step = 1 + data[0] % 31;

	for (int mode = 0; mode < 4; mode++) {
		struct buf CLEANUP(buf_done) a = BUF_INIT(OUT_MAX);
		struct buf CLEANUP(buf_done) b = BUF_INIT(OUT_MAX);

		switch (mode) {
		case 0:
			lines(text, SIZE_MAX, &a);
			lines(text, step, &b);
			break;
		case 1:
			data_body(text, SIZE_MAX, &a);
			data_body(text, step, &b);
			break;
		default:
			bdat_body(text, SIZE_MAX, SIZE_MAX, mode == 3, &a);
			bdat_body(text, step, 1 + data[0] / 8, mode == 3, &b);
		}
		ASSERT(view_eq(buf_view(&a), buf_view(&b)));
	}
	return 0;
}
