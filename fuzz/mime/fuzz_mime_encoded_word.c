/*
 * fuzz/mime/fuzz_mime_encoded_word.c: decoding gives UTF-8; what the encoders write decodes to the
 * text and holds the limits of lines; builders never let a value become a line.
 */
#include "base/buf.h"
#include "proto/mime/build.h"
#include "proto/mime/encoded_word.h"
#include "proto/mime/header.h"
#include "proto/mime/utf8.h"

enum {
	OUT_MAX = 64 * 1024 * 1024,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_field(struct view field)
{
	struct mime_header_info info = mime_header_look(field);

	ASSERT(info.fields == 1 && info.body_at == field.n);
	for (struct view rest = field, line; rest.n;) {
		rest = view_cut(rest, '\n', &line);
		ASSERT(line.n <= MIME_LINE_HARD + 1);
	}
}

static void check_encode(struct view text)
{
	struct buf CLEANUP(buf_done) field = BUF_INIT(OUT_MAX);
	struct buf CLEANUP(buf_done) back = BUF_INIT(OUT_MAX);
	struct mime_param param = { .name = VIEW("n"), .value = text };

	if (mime_add_text_field(&field, VIEW("Subject"), text) == OK) {
		check_field(buf_view(&field));
		encoded_word_decode(&back, view_from(buf_view(&field), 8), NULL);
		ASSERT(view_eq(view_trim(buf_view(&back)), view_trim(text)));
	}
	buf_clear(&field);
	if (mime_add_field(&field, VIEW("X"), text) == OK)
		check_field(buf_view(&field));
	buf_clear(&field);
	if (mime_add_param_field(&field, VIEW("X"), VIEW("x"), (struct mime_params){ &param, 1 }) ==
	    OK)
		check_field(buf_view(&field));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view text = view_of(data, size);
	struct buf CLEANUP(buf_done) out = BUF_INIT(OUT_MAX);
	struct buf CLEANUP(buf_done) folded = BUF_INIT(OUT_MAX);

	encoded_word_decode(&out, text, NULL);
	ASSERT(buf_err(&out) == OK);
	ASSERT(mime_utf8_valid(buf_view(&out)));
	mime_casefold(&folded, buf_view(&out));
	ASSERT(buf_err(&folded) == OK && mime_utf8_valid(buf_view(&folded)));
	check_encode(text);
	check_encode(buf_view(&out));
	return 0;
}
