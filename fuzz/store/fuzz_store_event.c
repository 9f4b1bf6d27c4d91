/*
 * fuzz_store_event.c: events of a log record; what is decoded must encode to something that decodes alike.
 */
#include "store/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct cursor c = cursor_init(view_of(data, n));
	struct buf CLEANUP(buf_done) first = BUF_INIT(1 << 22), second = BUF_INIT(1 << 22);
	struct event e;

	while (!event_decode(&c, &e))
		event_encode(&first, &e);
	if (buf_err(&first))
		return 0;
	c = cursor_init(buf_view(&first));
	while (!event_decode(&c, &e))
		event_encode(&second, &e);
	ASSERT(view_eq(buf_view(&first), buf_view(&second)));
	return 0;
}
