/*
 * proto/dns/mx.c: see mx.h.
 */
#include "proto/dns/mx.h"

static bool is_null_mx(const struct dns_mx *mx, size_t n)
{
	return n == 1 && !mx[0].name.n;
}

/* Without root names (a null MX among others means nothing) and repeated ones.  An exchanger that is
 * listed twice keeps its better preference. */
static size_t drop_useless(struct dns_mx *mx, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		size_t same = 0;

		if (!mx[i].name.n)
			continue;
		while (same < kept && !view_eq(mx[same].name, mx[i].name))
			same++;
		if (same == kept)
			mx[kept++] = mx[i];
		else if (mx[i].preference < mx[same].preference)
			mx[same].preference = mx[i].preference;
	}
	return kept;
}

/* An odd multiplier and a shift of the seed: good enough to spread load, and the same for the same seed. */
static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 33;
}

static void shuffle(struct dns_mx *mx, size_t n, uint64_t seed)
{
	for (size_t i = n; i > 1; i--) {
		size_t other = (size_t)(next_random(&seed) % i);
		struct dns_mx swap = mx[i - 1];

		mx[i - 1] = mx[other];
		mx[other] = swap;
	}
}

/* Insertion: stable, so that equals stay in the order of the shuffle. */
static void sort(struct dns_mx *mx, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct dns_mx one = mx[i];
		size_t at = i;

		for (; at && mx[at - 1].preference > one.preference; at--)
			mx[at] = mx[at - 1];
		mx[at] = one;
	}
}

enum dns_mx_choice dns_mx_choose(struct dns_mx *mx, size_t *n, struct view own, uint64_t seed)
{
	size_t count = size_min(*n, DNS_MX_MAX);

	*n = 0;
	if (is_null_mx(mx, count))
		return DNS_MX_REFUSED;
	count = drop_useless(mx, count);
	if (!count)
		return DNS_MX_NONE;
	shuffle(mx, count, seed);
	sort(mx, count);
	for (size_t i = 0; i < count; i++) {
		if (!own.n || !view_eq(mx[i].name, own))
			continue;
		while (i && mx[i - 1].preference == mx[i].preference)
			i--;
		count = i;
	}
	if (!count)
		return DNS_MX_SELF;
	*n = count;
	return DNS_MX_HOSTS;
}
