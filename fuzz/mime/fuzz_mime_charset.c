/*
 * fuzz/mime/fuzz_mime_charset.c: whatever the octets and the charset, the result is UTF-8 of a bounded
 * size, and ASCII that cannot be part of a character stays.  The first octet chooses the charset.
 */
#include "proto/mime/charset_table.h"
#include "proto/mime/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "iso-8859-3", "gb18030", "big5",	     "euc-kr",
					     "shift_jis",  "euc-jp",  "iso-2022-jp", "x" };
	struct buf CLEANUP(buf_done) out = BUF_INIT((size_t)16 * 1024 * 1024);
	struct view text = view_of(data, size);
	struct view name;
	size_t ends = 0;

	if (!size)
		return 0;
	name = view_str(names[data[0] % ARRAY_LEN(names)]);
	text = view_from(text, 1);
	mime_to_utf8(&out, name, text, &mime_table_converter);
	ASSERT(buf_err(&out) == OK || out.err == ERR_LIMIT);
	ASSERT(mime_utf8_valid(buf_view(&out)));
	if (out.err)
		return 0;
	ASSERT(out.n <= text.n * 3);
	for (size_t i = 0; i < text.n; i++)
		ends += view_at(text, i) == '\n';
	for (size_t i = 0; i < out.n; i++)
		ends -= view_at(buf_view(&out), i) == '\n';
	ASSERT(ends == 0);
	return 0;
}
