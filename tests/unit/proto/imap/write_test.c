/*
 * Tests of proto/imap/write.c.
 */
#include "unit.h"

#include "proto/imap/write.h"

static void strings(void **state)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(10000);

#define WRITES(call, want)                                                                         \
	do {                                                                                       \
		buf_clear(&out);                                                                   \
		call;                                                                              \
		assert_view(buf_view(&out), want);                                                 \
	} while (0)
	WRITES(imap_add_string(&out, VIEW("abc"), false), "\"abc\"");
	WRITES(imap_add_string(&out, VIEW(""), false), "\"\"");
	WRITES(imap_add_string(&out, VIEW("a\"\\"), false), "\"a\\\"\\\\\"");
	WRITES(imap_add_string(&out, VIEW("a\r\nb"), false), "{4}\r\na\r\nb");
	WRITES(imap_add_string(&out, VIEW("\xc3\xa4"), false), "{2}\r\n\xc3\xa4");
	WRITES(imap_add_string(&out, VIEW("\xc3\xa4"), true), "\"\xc3\xa4\"");
	WRITES(imap_add_string(&out, VIEW("a\0b"), true), "{2}\r\nab");
	WRITES(imap_add_nstring(&out, VIEW_EMPTY, true), "NIL");
	WRITES(imap_add_astring(&out, VIEW("INBOX"), false), "INBOX");
	WRITES(imap_add_astring(&out, VIEW("nil"), false), "\"nil\"");
	WRITES(imap_add_astring(&out, VIEW("a b"), false), "\"a b\"");
	WRITES(imap_add_astring(&out, VIEW(""), false), "\"\"");
	WRITES(imap_add_mailbox(&out, VIEW("\xc3\xa4"), false), "&AOQ-");
	WRITES(imap_add_mailbox(&out, VIEW("\xc3\xa4"), true), "\"\xc3\xa4\"");
	WRITES(imap_add_mailbox(&out, VIEW("a&b"), false), "a&-b");
	WRITES(imap_add_mailbox(&out, VIEW("a&b"), true), "a&b");
	WRITES(imap_add_system_flags(&out, 0), "");
	WRITES(imap_add_system_flags(&out, IMAP_FLAG_SEEN | IMAP_FLAG_DELETED), "\\Deleted \\Seen");
	WRITES(imap_add_date_time(&out, 0, 0), "\" 1-Jan-1970 00:00:00 +0000\"");
	WRITES(imap_add_line(&out, VIEW("a"), "OK"), "a OK\r\n");
	WRITES(imap_add_line(&out, VIEW_EMPTY, "BAD x"), "* BAD x\r\n");
}

static void long_strings_are_literals(void **state)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(10000);
	struct buf CLEANUP(buf_done) text = BUF_INIT(10000);

	buf_add_fill(&text, 'x', IMAP_QUOTED_MAX);
	imap_add_string(&out, buf_view(&text), false);
	assert_int_equal(out.p[0], '"');
	buf_add_char(&text, 'x');
	buf_clear(&out);
	imap_add_string(&out, buf_view(&text), false);
	assert_true(view_starts(buf_view(&out), VIEW("{1001}\r\n")));
}

static void labels(void **state)
{
	static const uint32_t path[] = { 1, 2 };
	static const struct view names[] = { VIEW_INIT("To"), VIEW_INIT("X Y") };
	struct imap_fetch_item item = {
		.kind = IMAP_FETCH_SECTION,
		.peek = true,
		.partial = true,
		.offset = 7,
		.length = 9,
		.section = { .kind = IMAP_SECTION_HEADER_FIELDS,
			     .path = path,
			     .path_n = 2,
			     .names = { names, 2 } },
	};
	struct buf CLEANUP(buf_done) out = BUF_INIT(1000);

	WRITES(imap_add_fetch_label(&out, &item), "BODY[1.2.HEADER.FIELDS (To \"X Y\")]<7>");
	item = (struct imap_fetch_item){ .kind = IMAP_FETCH_SECTION };
	WRITES(imap_add_fetch_label(&out, &item), "BODY[]");
	item.kind = IMAP_FETCH_BINARY_SIZE;
	item.section.path = path;
	item.section.path_n = 1;
	WRITES(imap_add_fetch_label(&out, &item), "BINARY.SIZE[1]");
	item = (struct imap_fetch_item){ .kind = IMAP_FETCH_RFC822_HEADER };
	WRITES(imap_add_fetch_label(&out, &item), "RFC822.HEADER");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings),
		cmocka_unit_test(long_strings_are_literals),
		cmocka_unit_test(labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
