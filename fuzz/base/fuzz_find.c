/*
 * Search without case finds what the naive search finds.  The first byte says how long the pattern is.
 */
#include "base/view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t naive_find(struct view v, struct view what)
{
	for (size_t at = 0; at + what.n <= v.n; at++) {
		if (view_eq_nocase(view_part(v, at, what.n), what))
			return at;
	}
	return VIEW_NONE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;

	struct view rest = view_of(data + 1, size - 1);
	struct view what = view_head(rest, data[0]);
	struct view text = view_from(rest, what.n);

	ASSERT(view_find_nocase(text, what) == naive_find(text, what));
	return 0;
}
