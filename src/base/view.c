/*
 * base/view.c: comparing, searching and cutting borrowed bytes.
 *
 * No function reads outside [p, p + n) or assumes that p is set when n is 0.  Searching is linear in
 * the length of the text whatever text and pattern a peer chooses.
 */
#include "base/view.h"

#include "base/ascii.h"

bool view_eq(struct view a, struct view b)
{
	return a.n == b.n && (!a.n || !memcmp(a.p, b.p, a.n));
}

bool view_eq_nocase(struct view a, struct view b)
{
	return a.n == b.n && !view_cmp_nocase(a, b);
}

bool view_starts(struct view v, struct view prefix)
{
	return v.n >= prefix.n && view_eq(view_head(v, prefix.n), prefix);
}

bool view_starts_nocase(struct view v, struct view prefix)
{
	return v.n >= prefix.n && view_eq_nocase(view_head(v, prefix.n), prefix);
}

bool view_ends(struct view v, struct view suffix)
{
	return v.n >= suffix.n && view_eq(view_from(v, v.n - suffix.n), suffix);
}

static int compare_sizes(size_t a, size_t b)
{
	return (a > b) - (a < b);
}

int view_cmp(struct view a, struct view b)
{
	size_t n = size_min(a.n, b.n);
	int order = n ? memcmp(a.p, b.p, n) : 0;

	return order ? order : compare_sizes(a.n, b.n);
}

int view_cmp_nocase(struct view a, struct view b)
{
	size_t n = size_min(a.n, b.n);

	for (size_t i = 0; i < n; i++) {
		int order = ascii_lower(view_at(a, i)) - ascii_lower(view_at(b, i));

		if (order)
			return order;
	}
	return compare_sizes(a.n, b.n);
}

size_t view_find_char(struct view v, char c)
{
	const char *at = v.n ? memchr(v.p, c, v.n) : NULL;

	return at ? (size_t)(at - v.p) : VIEW_NONE;
}

size_t view_rfind_char(struct view v, char c)
{
	const char *at = v.n ? memrchr(v.p, c, v.n) : NULL;

	return at ? (size_t)(at - v.p) : VIEW_NONE;
}

size_t view_find(struct view v, struct view what)
{
	if (!what.n)
		return 0;
	if (what.n > v.n)
		return VIEW_NONE;

	const char *at = memmem(v.p, v.n, what.p, what.n);

	return at ? (size_t)(at - v.p) : VIEW_NONE;
}

/*
 * Two-way search (Crochemore and Perrin, 1991) over folded bytes: linear time and constant memory.
 * The pattern is cut where its local period equals its global period; the right part is compared
 * left to right, then the left part right to left.
 */

static uint8_t fold_at(struct view v, size_t i)
{
	return ascii_lower(view_at(v, i));
}

/* Where the maximal suffix of v starts, in byte order or the reverse; *ret_period is its period. */
static size_t maximal_suffix(struct view v, bool reverse, size_t *ret_period)
{
	size_t start = 0, candidate = 1, matched = 0, period = 1;

	while (candidate + matched < v.n) {
		uint8_t have = fold_at(v, start + matched);
		uint8_t next = fold_at(v, candidate + matched);

		if (have == next) {
			matched++;
			if (matched == period) {
				candidate += period;
				matched = 0;
			}
		} else if ((next < have) != reverse) {
			candidate += matched + 1;
			matched = 0;
			period = candidate - start;
		} else {
			start = candidate;
			candidate = start + 1;
			matched = 0;
			period = 1;
		}
	}
	*ret_period = period;
	return start;
}

/* The critical cut of v (a length, below v.n) and the period of what stands behind it. */
static size_t critical_cut(struct view v, size_t *ret_period)
{
	size_t forward_period, reverse_period;
	size_t forward = maximal_suffix(v, false, &forward_period);
	size_t reverse = maximal_suffix(v, true, &reverse_period);

	*ret_period = forward > reverse ? forward_period : reverse_period;
	return size_max(forward, reverse);
}

size_t view_find_nocase(struct view v, struct view what)
{
	if (!what.n)
		return 0;
	if (what.n > v.n)
		return VIEW_NONE;

	size_t period;
	size_t cut = critical_cut(what, &period);
	bool periodic = view_eq_nocase(view_head(what, cut), view_part(what, period, cut));
	size_t known = 0; /* bytes at the pattern's start that are known to match */

	if (!periodic)
		period = size_max(cut, what.n - cut) + 1;
	for (size_t at = 0; at <= v.n - what.n;) {
		size_t right = size_max(cut, known);

		while (right < what.n && fold_at(what, right) == fold_at(v, at + right))
			right++;
		if (right < what.n) {
			at += right - cut + 1;
			known = 0;
			continue;
		}

		size_t left = cut;

		while (left > known && fold_at(what, left - 1) == fold_at(v, at + left - 1))
			left--;
		if (left <= known)
			return at;
		at += period;
		known = periodic ? what.n - period : 0;
	}
	return VIEW_NONE;
}

struct view view_cut(struct view v, char c, struct view *ret_head)
{
	size_t at = view_find_char(v, c);

	if (at == VIEW_NONE) {
		*ret_head = v;
		return VIEW_EMPTY;
	}
	*ret_head = view_head(v, at);
	return view_from(v, at + 1);
}

struct view view_trim(struct view v)
{
	size_t from = 0, to = v.n;

	while (from < to && ascii_is_space(view_at(v, from)))
		from++;
	while (to > from && ascii_is_space(view_at(v, to - 1)))
		to--;
	return view_part(v, from, to - from);
}

bool view_eq_secret(struct view a, struct view b)
{
	/* volatile: the compiler must not leave the loop at the first difference. */
	volatile uint8_t difference = 0;

	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		difference = (uint8_t)(difference | (view_at(a, i) ^ view_at(b, i)));
	return difference == 0;
}

char *view_to_cstr(struct view v)
{
	size_t size;

	if (view_has(v, '\0') || !size_add(v.n, 1, &size))
		return NULL;

	char *text = malloc(size);

	if (!text)
		return NULL;
	if (v.n)
		memcpy(text, v.p, v.n);
	text[v.n] = '\0';
	return text;
}
