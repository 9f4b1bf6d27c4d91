/*
 * directory/password_rules.c: is a password good enough to be chosen?
 *
 * Guessers try words, names, dates, rows of keys and their repetition first.  So the password is read from
 * left to right in pieces: each such piece, however long, counts as one character, everything else as
 * what it is.  What counts less than PASSWORD_EFFECTIVE_MIN is refused.  No rule asks for digits or
 * capitals (NIST 800-63B-4).
 */
#include "directory/password.h"

#include "base/ascii.h"

enum {
	RUN_MIN = 3, /* "aaa", "abc", "321" */
	ROW_MIN = 4, /* "qwer" */
	NAME_MIN = 3, /* shorter parts of the account's own name occur by chance */
};

static const struct view words[] = {
#include "directory/weak_words.inc"
};

static const struct view rows[] = {
	VIEW_INIT("qwertyuiop"), VIEW_INIT("qwertzuiop"),
	VIEW_INIT("azertyuiop"), VIEW_INIT("asdfghjkl"),
	VIEW_INIT("qsdfghjklm"), VIEW_INIT("zxcvbnm"),
	VIEW_INIT("yxcvbnm"),	 VIEW_INIT("wxcvbn"),
	VIEW_INIT("1234567890"), VIEW_INIT("0987654321"),
	VIEW_INIT("poiuytrewq"), VIEW_INIT("lkjhgfdsa"),
	VIEW_INIT("mnbvcxz"),	 VIEW_INIT("1qaz2wsx3edc4rfv5tgb"),
	VIEW_INIT("!\"$%&/()="), VIEW_INIT("!@#$%^&*()"),
};

/* Does c stand for the letter w: itself, in capitals, or as people write it with digits? */
static bool stands_for(uint8_t c, uint8_t w)
{
	static const char pairs[] = "0o1i1l3e4a5s7t8b9g@a$s!i!l+t";

	if (ascii_lower(c) == w)
		return true;
	for (size_t i = 0; i + 1 < sizeof(pairs); i += 2)
		if (c == (uint8_t)pairs[i] && w == (uint8_t)pairs[i + 1])
			return true;
	return false;
}

static bool starts_with_word(struct view text, struct view word)
{
	if (word.n > text.n)
		return false;
	for (size_t i = 0; i < word.n; i++)
		if (!stands_for(view_at(text, i), ascii_lower(view_at(word, i))))
			return false;
	return true;
}

static size_t word_at(struct view text, struct view own)
{
	size_t best = own.n >= NAME_MIN && starts_with_word(text, own) ? own.n : 0;

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (words[i].n > best && starts_with_word(text, words[i]))
			best = words[i].n;
	return best;
}

/* Equal, rising or falling characters. */
static size_t run_at(struct view text)
{
	size_t n = 2;
	int step;

	if (text.n < RUN_MIN)
		return 0;
	step = view_at(text, 1) - view_at(text, 0);
	if (step < -1 || step > 1)
		return 0;
	while (n < text.n && view_at(text, n) - view_at(text, n - 1) == step)
		n++;
	return n >= RUN_MIN ? n : 0;
}

static size_t row_at(struct view text)
{
	size_t best = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t from = 0; from + ROW_MIN <= rows[i].n; from++) {
			size_t n = 0;

			while (n < text.n && from + n < rows[i].n &&
			       ascii_lower(view_at(text, n)) == view_at(rows[i], from + n))
				n++;
			best = size_max(best, n);
		}
	}
	return best >= ROW_MIN ? best : 0;
}

/* 1900..2099 */
static size_t year_at(struct view text)
{
	if (!view_starts(text, VIEW("19")) && !view_starts(text, VIEW("20")))
		return 0;
	if (text.n < 4 || !ascii_is_digit(view_at(text, 2)) || !ascii_is_digit(view_at(text, 3)))
		return 0;
	return 4;
}

/* The rest of a character of several octets counts with its first. */
static size_t character_at(struct view text)
{
	size_t n = 1;

	while (n < text.n && (view_at(text, n) & 0xc0) == 0x80)
		n++;
	return n;
}

static size_t piece_at(struct view text, struct view local, struct view domain)
{
	size_t n = size_max(word_at(text, local), word_at(text, domain));

	n = size_max(n, run_at(text));
	n = size_max(n, row_at(text));
	n = size_max(n, year_at(text));
	return size_max(n, character_at(text));
}

/* "abcabcabc": the length of the part that is repeated, or of the whole. */
static size_t period_of(struct view text)
{
	for (size_t p = 1; p <= text.n / 2; p++)
		if (text.n % p == 0 && memcmp(text.p, text.p + p, text.n - p) == 0)
			return p;
	return text.n;
}

static size_t effective_length(struct view password, struct view local, struct view domain)
{
	struct view rest = view_head(password, period_of(password));
	size_t count = rest.n < password.n ? 1 : 0;

	while (rest.n > 0) {
		rest = view_from(rest, piece_at(rest, local, domain));
		count++;
	}
	return count;
}

static uint64_t characters(struct view text)
{
	uint64_t count = 0;

	for (; text.n > 0; count++)
		text = view_from(text, character_at(text));
	return count;
}

enum err password_check(struct view password, struct view address, uint64_t min, struct buf *why)
{
	struct view local;
	struct view domain = view_cut(address, '@', &local);
	struct view label;

	(void)view_cut(domain, '.', &label);
	if (characters(password) < min) {
		buf_addf(why, "the password is too short: use at least %llu characters",
			 (unsigned long long)min);
		return ERR_DENIED;
	}
	if (effective_length(password, local, label) < PASSWORD_EFFECTIVE_MIN) {
		buf_add_str(
			why,
			"the password is easy to guess (common words, rows of keys, repetitions or "
			"the account's name): use several unrelated words, or let one be "
			"generated");
		return ERR_DENIED;
	}
	return OK;
}
