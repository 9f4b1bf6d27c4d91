/*
 * fuzz_imap_set: a resolved set is ascending and says the same when it is read again; a table of parts
 * that decodes can be walked.
 */
#include "proto/imap/section.h"
#include "proto/imap/set.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ranges_check(struct arena *a, struct imap_ranges r)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT((size_t)1 << 22);
	struct imap_seq seq = { 0 };
	struct imap_ranges again;

	for (size_t i = 0; i < r.n; i++) {
		ASSERT(r.at[i].first >= 1 && r.at[i].first <= r.at[i].last);
		ASSERT(i == 0 || r.at[i].first > r.at[i - 1].last + 1);
	}
	if (!r.n)
		return;
	imap_ranges_add_text(&text, r);

	struct cursor c = cursor_init(buf_view(&text));

	imap_seq_parse(&c, a, &seq);
	cursor_end(&c);
	if (c.err == ERR_NOMEM || imap_seq_resolve(a, &seq, 1, &again))
		return;
	ASSERT(!c.err && again.n == r.n);
	ASSERT(!memcmp(again.at, r.at, r.n * sizeof(*r.at)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_init(view_of(data, size));
	struct imap_seq seq = { 0 };
	struct imap_ranges ranges;
	struct imap_parts parts;
	struct arena a;

	arena_init(&a, (size_t)1 << 20);
	imap_seq_parse(&c, &a, &seq);
	if (!c.err && !imap_seq_resolve(&a, &seq, (uint32_t)size, &ranges))
		ranges_check(&a, ranges);
	if (!imap_parts_decode(&a, view_of(data, size), &parts)) {
		uint32_t path[3] = { 1, 2, 1 };

		for (size_t n = 0; n <= 3; n++)
			for (int kind = 0; kind <= IMAP_SECTION_MIME; kind++) {
				struct imap_section s = { .kind = (enum imap_section_kind)kind,
							  .path = path,
							  .path_n = n };
				struct imap_extent e = imap_section_find(parts, &s);

				ASSERT(e.none || e.from <= e.to);
			}
	}
	arena_done(&a);
	return 0;
}
