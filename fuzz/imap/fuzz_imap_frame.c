/*
 * fuzz_imap_frame: any octets in any pieces: the frames must not depend on where input is cut.
 *
 * The first octet chooses limits, the size of the pieces, and what happens to messages.
 */
#include "proto/imap/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run(struct imap_frame_limits limits, struct view input, size_t step, uint8_t choice,
		struct buf *out)
{
	struct imap_framer f;
	size_t at = 0;
	size_t end = size_min(step, input.n);

	imap_framer_init(&f, limits);
	for (;;) {
		struct imap_frame frame;
		size_t used = 0;

		imap_framer_take(&f, view_part(input, at, end - at), &frame, &used);
		at += used;
		if (frame.kind != IMAP_FRAME_MORE && frame.kind != IMAP_FRAME_DATA)
			buf_add_char(out, (char)('0' + frame.kind));
		buf_add(out, frame.text);
		if (frame.kind == IMAP_FRAME_MESSAGE && (choice & 1))
			imap_framer_refuse(&f);
		else if (frame.kind == IMAP_FRAME_MESSAGE)
			imap_framer_accept(&f);
		if (frame.kind == IMAP_FRAME_DATA_END && (choice & 2))
			imap_framer_drop(&f);
		if (frame.kind == IMAP_FRAME_FATAL)
			break;
		if (frame.kind != IMAP_FRAME_MORE)
			continue;
		ASSERT(at == end);
		if (end == input.n)
			break;
		end = size_min(input.n, end + step);
	}
	imap_framer_done(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf CLEANUP(buf_done) whole = BUF_INIT((size_t)1 << 24);
	struct buf CLEANUP(buf_done) parts = BUF_INIT((size_t)1 << 24);
	struct imap_frame_limits limits = {
		.line = 64, .literals = 40, .nonsync = 16, .message = 99
	};

	if (size < 1)
		return 0;

	uint8_t choice = data[0];
	struct view input = view_of(data + 1, size - 1);

	if (choice & 4)
		limits.fatal = true;
	if (choice & 8)
		limits.message = 0;
	run(limits, input, input.n, choice, &whole);
	run(limits, input, (size_t)(choice >> 4) + 1, choice, &parts);
	/* A fatal octet may come before or behind others of its piece: only the frames before it are
	 * sure to be the same, and those of the shorter run are a prefix. */
	if (whole.n <= parts.n)
		ASSERT(view_starts(buf_view(&parts),
				   view_head(buf_view(&whole), whole.n ? whole.n - 1 : 0)));
	else
		ASSERT(view_starts(buf_view(&whole),
				   view_head(buf_view(&parts), parts.n ? parts.n - 1 : 0)));
	return 0;
}
