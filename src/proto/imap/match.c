/*
 * proto/imap/match.c: patterns as a nondeterministic automaton in bits.
 *
 * Position i of the pattern is bit i; "the whole pattern was read" is the bit behind the last.  Runs of
 * wildcards are one wildcard, so that an empty match leads on by one step.
 */
#include "proto/imap/match.h"

#include "base/ascii.h"

enum { PATTERN_WORDS_MAX = (IMAP_PATTERN_MAX + 1 + 63) / 64 };

static void bit_set(uint64_t *words, size_t bit)
{
	words[bit / 64] |= (uint64_t)1 << bit % 64;
}

enum err imap_pattern_compile(struct arena *a, struct view text, struct imap_pattern *ret)
{
	struct imap_pattern p = { .words = (text.n + 1 + 63) / 64 };

	if (text.n > IMAP_PATTERN_MAX)
		return ERR_LIMIT;
	p.literal = ARENA_ARRAY(a, uint64_t, 256 * p.words);
	p.star = ARENA_ARRAY(a, uint64_t, p.words);
	p.percent = ARENA_ARRAY(a, uint64_t, p.words);
	if (!p.literal || !p.star || !p.percent)
		return ERR_NOMEM;
	for (size_t i = 0; i < text.n;) {
		bool star = false;
		size_t from = i;

		for (; i < text.n && (text.p[i] == '*' || text.p[i] == '%'); i++)
			star = star || text.p[i] == '*';
		if (i > from) {
			bit_set(star ? p.star : p.percent, p.n++);
			continue;
		}
		bit_set(p.literal + view_at(text, i++) * p.words, p.n++);
	}
	*ret = p;
	return OK;
}

/* A wildcard may match nothing. */
static void closure(const struct imap_pattern *p, uint64_t *at)
{
	uint64_t carry = 0;

	for (size_t w = 0; w < p->words; w++) {
		uint64_t over = at[w] & (p->star[w] | p->percent[w]);

		at[w] |= over << 1 | carry;
		carry = over >> 63;
	}
}

/* Positions after one octet; other: the octet in its other case, or the same. */
static bool step(const struct imap_pattern *p, uint64_t *at, uint8_t c, uint8_t other)
{
	const uint64_t *literal = p->literal + c * p->words;
	const uint64_t *literal_other = p->literal + other * p->words;
	uint64_t carry = 0;
	uint64_t any = 0;

	for (size_t w = 0; w < p->words; w++) {
		uint64_t stay = at[w] & (p->star[w] | (c == '/' ? 0 : p->percent[w]));
		uint64_t over = at[w] & (literal[w] | literal_other[w]);

		at[w] = stay | over << 1 | carry;
		carry = over >> 63;
		any |= at[w];
	}
	return any != 0;
}

bool imap_pattern_match(const struct imap_pattern *p, struct view name)
{
	uint64_t at[PATTERN_WORDS_MAX] = { 1 };
	struct view first;

	view_cut(name, '/', &first);

	size_t fold = view_eq(first, VIEW("INBOX")) ? first.n : 0;

	closure(p, at);
	for (size_t i = 0; i < name.n; i++) {
		uint8_t c = view_at(name, i);

		if (!step(p, at, c, i < fold ? ascii_lower(c) : c))
			return false;
		closure(p, at);
	}
	return at[p->n / 64] >> p->n % 64 & 1;
}
