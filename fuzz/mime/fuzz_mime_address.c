/*
 * fuzz/mime/fuzz_mime_address.c: what the strict grammar takes is written in one spelling that it
 * takes again; the tolerant reader takes everything and agrees with the strict one.
 */
#include "base/buf.h"
#include "proto/mime/address_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_strict(struct view text)
{
	struct address a, b;
	struct buf CLEANUP(buf_done) once = BUF_INIT(ADDRESS_TEXT_MAX);
	struct buf CLEANUP(buf_done) twice = BUF_INIT(ADDRESS_TEXT_MAX);

	if (address_parse_mailbox(text, ADDRESS_UTF8, &a))
		return;
	address_add(&once, &a);
	ASSERT(buf_err(&once) == OK);
	ASSERT(!view_has(buf_view(&once), '\n') && !view_has(buf_view(&once), '\r'));
	ASSERT(address_parse_mailbox(buf_view(&once), ADDRESS_UTF8, &b) == OK);
	ASSERT(address_equal(&a, &b));
	address_add(&twice, &b);
	ASSERT(view_eq(buf_view(&once), buf_view(&twice)));

	/* The header grammar reads the same address out of it. */
	struct arena arena;
	struct address_list list;

	arena_init(&arena, 32 * 1024 * 1024);
	ASSERT(address_list_parse(&arena, buf_view(&once), &list) == OK);
	ASSERT(list.n == 1 && !(list.odd & ADDRESS_ODD_REFUSED));
	ASSERT(address_of_entry(&list.at[0], ADDRESS_UTF8, &b) == OK);
	ASSERT(address_equal(&a, &b));
	arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view text = view_of(data, size);
	struct arena arena;
	struct address_list list;
	struct address a;
	size_t used = 0, open = 0;

	check_strict(text);
	if (address_parse_path(text, ADDRESS_UTF8 | ADDRESS_NULL | ADDRESS_POSTMASTER, &a, &used) ==
	    OK)
		ASSERT(used <= text.n && text.p[used - 1] == '>');
	arena_init(&arena, 32 * 1024 * 1024);
	ASSERT(address_list_parse(&arena, text, &list) == OK);
	for (size_t i = 0; i < list.n; i++) {
		open += list.at[i].kind == ADDRESS_GROUP_START;
		open -= list.at[i].kind == ADDRESS_GROUP_END;
		ASSERT(open <= 1);
		if (address_of_entry(&list.at[i], ADDRESS_UTF8, &a) == OK) {
			struct buf CLEANUP(buf_done) out = BUF_INIT(ADDRESS_TEXT_MAX);

			address_add(&out, &a);
			check_strict(buf_view(&out));
		} else {
			ASSERT(list.at[i].kind != ADDRESS_MAILBOX ||
			       (list.odd & ADDRESS_ODD_REFUSED));
		}
	}
	ASSERT(open == 0);
	arena_done(&arena);
	return 0;
}
