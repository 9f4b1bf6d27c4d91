/*
 * fuzz/mime/fuzz_mime_seven_bit.c: any bytes, rewritten for 7 bits, keep their tree and their decoded
 * leaves, hold no octet above 127, and come out the same however they are read.
 */
#include "proto/mime/seven_bit_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view message = view_of(data, size);
	struct buf CLEANUP(buf_done) once = BUF_INIT(SEVEN_BIT_OUT_MAX);
	struct buf CLEANUP(buf_done) twice = BUF_INIT(SEVEN_BIT_OUT_MAX);

	if (seven_bit_check(message, &once))
		return 0;
	/* What was rewritten needs it no more. */
	ASSERT(!seven_bit_check(buf_view(&once), &twice));
	ASSERT(view_eq(buf_view(&once), buf_view(&twice)));
	return 0;
}
