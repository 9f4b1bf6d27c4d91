/*
 * store/marks.c: which deliveries were done, as ranges; see internal.h.
 *
 * Kept in memory and derived from the log: each delivery's record carries its mark, the index keeps the
 * set as of its last checkpoint, and opening adds the marks of the log's tail.  So a delivery writes
 * no page for its mark.
 */
#include "store/internal.h"

void marks_init(struct marks *m)
{
	*m = (struct marks){ .ranges = VEC_INIT(STORE_MARK_MAX) };
}

void marks_done(struct marks *m)
{
	VEC_DONE(&m->ranges);
}

/* Index of the first range behind (recipient, sequence). */
static size_t upper_bound(const struct marks *m, struct store_mark mark)
{
	size_t low = 0, high = m->ranges.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct mark_range *r = &m->ranges.at[middle];

		if (r->recipient < mark.recipient ||
		    (r->recipient == mark.recipient && r->first <= mark.sequence))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool marks_has(const struct marks *m, struct store_mark mark)
{
	size_t at = upper_bound(m, mark);
	const struct mark_range *r = at > 0 ? &m->ranges.at[at - 1] : NULL;

	return r && r->recipient == mark.recipient && mark.sequence <= r->last;
}

static enum err insert_at(struct marks *m, size_t at, struct mark_range range)
{
	size_t behind = m->ranges.n - at;

	if (m->ranges.n >= m->ranges.max)
		return ERR_LIMIT;
	if (!VEC_PUSH(&m->ranges, range))
		return ERR_NOMEM;
	memmove(m->ranges.at + at + 1, m->ranges.at + at, behind * sizeof(range));
	m->ranges.at[at] = range;
	return OK;
}

static void remove_at(struct marks *m, size_t at)
{
	m->ranges.n--;
	memmove(m->ranges.at + at, m->ranges.at + at + 1,
		(m->ranges.n - at) * sizeof(m->ranges.at[0]));
}

enum err marks_add(struct marks *m, struct store_mark mark)
{
	size_t at = upper_bound(m, mark);
	struct mark_range *before = at > 0 ? &m->ranges.at[at - 1] : NULL;
	struct mark_range *after = at < m->ranges.n ? &m->ranges.at[at] : NULL;
	enum err err = OK;

	if (marks_has(m, mark))
		return OK;
	if (before && (before->recipient != mark.recipient || before->last + 1 != mark.sequence))
		before = NULL;
	if (after && (after->recipient != mark.recipient || after->first - 1 != mark.sequence))
		after = NULL;
	if (before && after) {
		before->last = after->last;
		remove_at(m, at);
	} else if (before) {
		before->last = mark.sequence;
	} else if (after) {
		after->first = mark.sequence;
	} else {
		err = insert_at(
			m, at, (struct mark_range){ mark.recipient, mark.sequence, mark.sequence });
	}
	if (!err && mark.sequence > m->highest)
		m->highest = mark.sequence;
	return err;
}

void marks_remove(struct marks *m, struct store_mark mark)
{
	size_t at = upper_bound(m, mark);
	struct mark_range *r = at > 0 ? &m->ranges.at[at - 1] : NULL;
	struct mark_range rest;

	if (!r || r->recipient != mark.recipient || mark.sequence > r->last)
		return;
	rest = (struct mark_range){ r->recipient, mark.sequence + 1, r->last };
	if (r->first == mark.sequence && r->last == mark.sequence) {
		remove_at(m, at - 1);
	} else if (r->first == mark.sequence) {
		r->first++;
	} else {
		r->last = mark.sequence - 1;
		/* Without memory for the rest those deliveries would come twice: keep the mark instead. */
		if (rest.first <= rest.last && insert_at(m, at, rest))
			m->ranges.at[at - 1].last = rest.last;
	}
}

void marks_forget(struct marks *m, uint64_t below)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->ranges.n; i++) {
		struct mark_range r = m->ranges.at[i];

		if (r.last < below)
			continue;
		if (r.first < below)
			r.first = below;
		m->ranges.at[kept++] = r;
	}
	m->ranges.n = kept;
}

void marks_encode(const struct marks *m, struct buf *out)
{
	wire_put_u64(out, m->highest);
	for (size_t i = 0; i < m->ranges.n; i++) {
		const struct mark_range *r = &m->ranges.at[i];

		wire_put_u64(out, r->recipient);
		wire_put_u64(out, r->first);
		wire_put_u64(out, r->last - r->first);
	}
}

enum err marks_decode(struct marks *m, struct view text)
{
	struct cursor c = cursor_init(text);

	m->ranges.n = 0;
	m->highest = text.n ? wire_get_u64(&c, UINT64_MAX) : 0;
	while (!cursor_at_end(&c)) {
		struct mark_range r;

		r.recipient = (uint32_t)wire_get_u64(&c, UINT32_MAX);
		r.first = wire_get_u64(&c, UINT64_MAX);
		r.last = r.first + wire_get_u64(&c, UINT64_MAX - r.first);
		if (!c.err && !VEC_PUSH(&m->ranges, r))
			return ERR_NOMEM;
	}
	return c.err ? ERR_CORRUPT : OK;
}
