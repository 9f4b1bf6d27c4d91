/*
 * Decoders: what is accepted encodes to the same text again.  Encoders: what they write decodes to the
 * same bytes.  Numbers with units share the input.
 */
#include "base/encode.h"
#include "base/num.h"

enum { OUT_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef void (*encoder)(struct buf *out, struct view bytes);
typedef enum err (*decoder)(struct buf *out, struct view text);

/* exact: one text only for each sequence of bytes. */
static void check(encoder encode, decoder decode, bool exact, struct view v)
{
	struct buf CLEANUP(buf_done) first = BUF_INIT(OUT_MAX);
	struct buf CLEANUP(buf_done) second = BUF_INIT(OUT_MAX);

	if (!decode(&first, v)) {
		encode(&second, buf_view(&first));
		ASSERT(view_eq_nocase(buf_view(&second), v));
		ASSERT(!exact || view_eq(buf_view(&second), v));
	}
	buf_clear(&first);
	buf_clear(&second);
	encode(&first, v);
	ASSERT(!buf_err(&first));
	ASSERT(!decode(&second, buf_view(&first)) && view_eq(buf_view(&second), v));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view v = view_of(data, size);
	char room[ID_TEXT_LEN];
	uint64_t number;

	if (size > OUT_MAX / 4)
		return 0;
	check(base64_encode, base64_decode, true, v);
	check(hex_encode, hex_decode, false, v);
	/* xtext may encode more than it must. */
	struct buf CLEANUP(buf_done) xtext = BUF_INIT(OUT_MAX);

	if (!xtext_decode(&xtext, v))
		ASSERT(xtext.n <= v.n);
	if (!id_parse(v, &number))
		ASSERT(view_eq_nocase(id_text(number, room), v));
	(void)!num_u64(v, UINT64_MAX, &number);
	(void)!num_hex(v, &number);
	(void)!num_size(v, &number);
	(void)!num_duration(v, &number);
	return 0;
}
