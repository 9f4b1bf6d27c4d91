/*
 * fuzz_imap_parse: any text as a command, in each state and mode.  The first octet chooses them.
 */
#include "proto/imap/write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned states[] = { IMAP_NONAUTH, IMAP_AUTH, IMAP_SELECTED, IMAP_SELECTED };
	struct imap_command cmd;
	struct imap_problem problem = { 0 };
	struct imap_append_item item;
	const char *why = NULL;
	struct arena a;
	bool more;

	if (size < 1)
		return 0;

	struct imap_parse_mode mode = { .state = states[data[0] & 3], .utf8 = data[0] & 4 };
	struct view text = view_of(data + 1, size - 1);

	arena_init(&a, IMAP_PARSE_ARENA_MAX);
	if (imap_parse(&a, text, mode, &cmd, &problem)) {
		ASSERT(problem.text);
	} else if (cmd.info->id == IMAP_CMD_FETCH) {
		struct buf CLEANUP(buf_done) out = BUF_INIT((size_t)1 << 22);

		for (size_t i = 0; i < cmd.fetch.n; i++)
			imap_add_fetch_label(&out, &cmd.fetch.items[i]);
		ASSERT(!out.err);
	}
	if (imap_parse_append_next(&a, text, data[0] & 8, &item, &more, &why))
		ASSERT(why);
	arena_done(&a);
	return 0;
}
