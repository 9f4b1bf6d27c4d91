/*
 * fuzz_imap_utf7: what decodes encodes back to the same octets; what is normal stays so.
 */
#include "proto/imap/match.h"
#include "proto/imap/name.h"
#include "proto/mime/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf CLEANUP(buf_done) name = BUF_INIT((size_t)1 << 20);
	struct buf CLEANUP(buf_done) back = BUF_INIT((size_t)1 << 20);
	struct view text = view_of(data, size_min(size, 10000));
	struct imap_pattern pattern;
	struct arena a;

	if (imap_utf7_decode(&name, text) == OK) {
		ASSERT(mime_utf8_valid(buf_view(&name)));
		imap_utf7_encode(&back, buf_view(&name));
		ASSERT(view_eq(buf_view(&back), text));
	}
	buf_clear(&name);
	buf_clear(&back);
	if (imap_name_normalise(&name, text) == OK &&
	    imap_name_normalise(&back, buf_view(&name)) == OK)
		ASSERT(view_eq(buf_view(&back), buf_view(&name)));
	arena_init(&a, (size_t)1 << 20);
	if (imap_pattern_compile(&a, view_head(text, text.n / 2), &pattern) == OK)
		(void)imap_pattern_match(&pattern, view_from(text, text.n / 2));
	arena_done(&a);
	return 0;
}
