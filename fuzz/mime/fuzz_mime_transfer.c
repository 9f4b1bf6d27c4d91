/*
 * fuzz/mime/fuzz_mime_transfer.c: decoders give the same however the input is cut, and never more
 * than they were fed; what the encoders write decodes to the bytes.  The first byte says where to
 * cut.
 */
#include "base/buf.h"
#include "proto/mime/transfer.h"

enum {
	OUT_MAX = 64 * 1024 * 1024,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_decode(enum mime_encoding how, struct view text, size_t piece)
{
	struct buf CLEANUP(buf_done) whole = BUF_INIT(OUT_MAX);
	struct buf CLEANUP(buf_done) parts = BUF_INIT(OUT_MAX);
	struct mime_decoder d;
	unsigned flags = 0;

	ASSERT(mime_decode(how, text, &whole, &flags) == OK);
	ASSERT(whole.n <= text.n);
	mime_decoder_init(&d, how);
	for (size_t at = 0; at < text.n; at += piece)
		ASSERT(mime_decoder_feed(&d, view_part(text, at, piece), &parts) == OK);
	ASSERT(mime_decoder_finish(&d, &parts) == OK);
	ASSERT(d.flags == flags);
	ASSERT(view_eq(buf_view(&whole), buf_view(&parts)));
}

static void check_encode(enum mime_encoding how, bool as_text, struct view bytes, size_t piece)
{
	struct buf CLEANUP(buf_done) whole = BUF_INIT(OUT_MAX);
	struct buf CLEANUP(buf_done) text = BUF_INIT(OUT_MAX);
	struct buf CLEANUP(buf_done) back = BUF_INIT(OUT_MAX);
	struct mime_encoder e;
	unsigned flags = 0;

	mime_encoder_init(&e, how, as_text);
	for (size_t at = 0; at < bytes.n; at += piece)
		ASSERT(mime_encoder_feed(&e, view_part(bytes, at, piece), &text) == OK);
	ASSERT(mime_encoder_finish(&e, &text) == OK);
	ASSERT(mime_encode(how, as_text, bytes, &whole) == OK);
	ASSERT(view_eq(buf_view(&whole), buf_view(&text)));
	for (struct view rest = buf_view(&text), line; rest.n;) {
		rest = view_cut(rest, '\n', &line);
		ASSERT(line.n <= MIME_ENCODED_LINE + 1);
	}
	ASSERT(mime_decode(how, buf_view(&text), &back, &flags) == OK);
	ASSERT(flags == 0);
	/* As text a bare LF becomes CRLF. */
	ASSERT(as_text || view_eq(buf_view(&back), bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;

	size_t piece = (size_t)data[0] + 1;
	struct view text = view_of(data + 1, size - 1);

	check_decode(MIME_BASE64, text, piece);
	check_decode(MIME_QP, text, piece);
	check_decode(MIME_8BIT, text, piece);
	check_encode(MIME_BASE64, false, text, piece);
	check_encode(MIME_QP, false, text, piece);
	check_encode(MIME_QP, true, text, piece);
	return 0;
}
