/*
 * proto/imap/set.c: parse, resolve, search and grow sets of numbers.
 */
#include "proto/imap/set.h"

#include "base/ascii.h"
#include "base/vec.h"

/* seq-number = nz-number / "*" */
static uint32_t number_parse(struct cursor *c)
{
	if (cursor_skip_char(c, '*'))
		return IMAP_STAR;

	uint64_t n = cursor_u64(c, UINT32_MAX);

	if (n == 0)
		cursor_fail(c, ERR_SYNTAX);
	return (uint32_t)n;
}

static bool is_seq_byte(uint8_t b)
{
	return ascii_is_digit(b) || b == ':' || b == '*' || b == ',';
}

void imap_seq_parse(struct cursor *c, struct arena *a, struct imap_seq *ret)
{
	struct view text = cursor_rest(c);
	size_t end = 0;
	size_t count = 1;

	if (cursor_skip_char(c, '$')) {
		*ret = (struct imap_seq){ .saved = true };
		return;
	}
	for (; end < text.n && is_seq_byte(view_at(text, end)); end++)
		count += text.p[end] == ',';
	if (count > IMAP_SEQ_RANGES_MAX) {
		cursor_fail(c, ERR_LIMIT);
		return;
	}
	struct imap_range *at = ARENA_ARRAY(a, struct imap_range, count);

	if (!at) {
		cursor_fail(c, ERR_NOMEM);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			cursor_char(c, ',');
		at[i].first = number_parse(c);
		at[i].last = cursor_skip_char(c, ':') ? number_parse(c) : at[i].first;
	}
	if (!c->err)
		*ret = (struct imap_seq){ .at = at, .n = count };
}

static int range_order(const void *a, const void *b)
{
	uint32_t x = ((const struct imap_range *)a)->first;
	uint32_t y = ((const struct imap_range *)b)->first;

	return (x > y) - (x < y);
}

enum err imap_seq_resolve(struct arena *a, const struct imap_seq *seq, uint32_t star,
			  struct imap_ranges *ret)
{
	struct imap_range *at = ARENA_ARRAY(a, struct imap_range, size_max(seq->n, 1));
	size_t n = 0;
	bool sorted = true;

	if (!at)
		return ERR_NOMEM;
	for (size_t i = 0; i < seq->n; i++) {
		uint32_t first = seq->at[i].first == IMAP_STAR ? star : seq->at[i].first;
		uint32_t last = seq->at[i].last == IMAP_STAR ? star : seq->at[i].last;
		uint32_t low = first < last ? first : last;
		uint32_t high = first < last ? last : first;

		if (high == 0)
			continue;
		at[n] = (struct imap_range){ low ? low : 1, high };
		sorted = sorted && (n == 0 || at[n].first >= at[n - 1].first);
		n++;
	}
	if (!sorted)
		qsort(at, n, sizeof(*at), range_order);

	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (kept &&
		    (at[kept - 1].last == UINT32_MAX || at[i].first <= at[kept - 1].last + 1)) {
			if (at[i].last > at[kept - 1].last)
				at[kept - 1].last = at[i].last;
			continue;
		}
		at[kept++] = at[i];
	}
	*ret = (struct imap_ranges){ at, kept };
	return OK;
}

/* The first range whose last is at least number; n if none. */
static size_t range_find(struct imap_ranges r, uint32_t number)
{
	size_t low = 0;
	size_t high = r.n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (r.at[mid].last < number)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

bool imap_ranges_contain(struct imap_ranges r, uint32_t number)
{
	size_t i = range_find(r, number);

	return i < r.n && r.at[i].first <= number;
}

bool imap_ranges_next(struct imap_ranges r, uint32_t from, uint32_t *ret)
{
	size_t i = range_find(r, from);

	if (i >= r.n)
		return false;
	*ret = r.at[i].first > from ? r.at[i].first : from;
	return true;
}

uint64_t imap_ranges_count(struct imap_ranges r)
{
	uint64_t count = 0;

	for (size_t i = 0; i < r.n; i++)
		count += (uint64_t)r.at[i].last - r.at[i].first + 1;
	return count;
}

void imap_ranges_add_text(struct buf *out, struct imap_ranges r)
{
	for (size_t i = 0; i < r.n; i++) {
		if (i > 0)
			buf_add_char(out, ',');
		buf_add_u64(out, r.at[i].first);
		if (r.at[i].last == r.at[i].first)
			continue;
		buf_add_char(out, ':');
		buf_add_u64(out, r.at[i].last);
	}
}

void imap_set_init(struct imap_set *s, size_t max)
{
	*s = (struct imap_set){ .max = max };
}

void imap_set_done(struct imap_set *s)
{
	free(s->at);
	imap_set_init(s, s->max);
}

void imap_set_clear(struct imap_set *s)
{
	s->n = 0;
}

/* Make ranges [from, to) one. */
static void set_join(struct imap_set *s, size_t from, size_t to)
{
	s->at[from].last = s->at[to - 1].last;
	memmove(s->at + from + 1, s->at + to, (s->n - to) * sizeof(*s->at));
	s->n -= to - from - 1;
}

enum err imap_set_add(struct imap_set *s, uint32_t first, uint32_t last)
{
	ASSERT(first >= 1 && first <= last);

	/* The first range that touches [first, last] or lies behind it. */
	size_t from = s->n;

	if (s->n && s->at[s->n - 1].last >= first - 1)
		from = range_find(imap_set_ranges(s), first - 1 ? first - 1 : 1);

	size_t to = from;

	while (to < s->n && (last == UINT32_MAX || s->at[to].first <= last + 1))
		to++;
	if (from < to) {
		uint32_t low = s->at[from].first < first ? s->at[from].first : first;
		uint32_t high = s->at[to - 1].last > last ? s->at[to - 1].last : last;

		set_join(s, from, to);
		s->at[from] = (struct imap_range){ low, high };
		return OK;
	}
	if (s->n >= s->max)
		return ERR_LIMIT;
	if (!vec_grow((void **)&s->at, s->n, &s->cap, s->max, sizeof(*s->at)))
		return ERR_NOMEM;
	memmove(s->at + from + 1, s->at + from, (s->n - from) * sizeof(*s->at));
	s->at[from] = (struct imap_range){ first, last };
	s->n++;
	return OK;
}
