/*
 * base/num.c: numbers, sizes and times from text, without locale, sign or silent overflow.
 */
#include "base/num.h"

#include "base/ascii.h"
#include "base/cursor.h"

enum err num_u64(struct view text, uint64_t max, uint64_t *ret)
{
	struct cursor c = cursor_init(text);
	uint64_t value = cursor_u64(&c, max);

	cursor_end(&c);
	if (c.err)
		return c.err;
	*ret = value;
	return OK;
}

enum err num_hex(struct view text, uint64_t *ret)
{
	uint64_t value = 0;

	if (!text.n)
		return ERR_SYNTAX;
	for (size_t i = 0; i < text.n; i++) {
		int digit = ascii_hex_value(view_at(text, i));

		if (digit < 0)
			return ERR_SYNTAX;
		if (value >> 60)
			return ERR_RANGE;
		value = value << 4 | (uint64_t)digit;
	}
	*ret = value;
	return OK;
}

struct view num_text(uint64_t n, char room[NUM_TEXT_MAX])
{
	size_t at = NUM_TEXT_MAX;

	do {
		room[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	return view_of(room + at, NUM_TEXT_MAX - at);
}

struct unit {
	struct view name;
	uint64_t factor;
};

static const struct unit size_units[] = {
	{ VIEW_INIT(""), 1 },
	{ VIEW_INIT("B"), 1 },
	{ VIEW_INIT("KiB"), 1ULL << 10 },
	{ VIEW_INIT("MiB"), 1ULL << 20 },
	{ VIEW_INIT("GiB"), 1ULL << 30 },
	{ VIEW_INIT("TiB"), 1ULL << 40 },
};

static const struct unit duration_units[] = {
	{ VIEW_INIT("ms"), 1 },
	{ VIEW_INIT("s"), 1000 },
	{ VIEW_INIT("m"), 60 * 1000 },
	{ VIEW_INIT("h"), 60 * 60 * 1000 },
	{ VIEW_INIT("d"), 24 * 60 * 60 * 1000 },
	{ VIEW_INIT("w"), 7 * 24 * 60 * 60 * 1000 },
};

/* number [ *SP unit ] */
static enum err parse_with_unit(struct view text, const struct unit *units, size_t n, uint64_t *ret)
{
	struct cursor c = cursor_init(text);
	uint64_t value = cursor_u64(&c, UINT64_MAX);

	while (cursor_skip_char(&c, ' '))
		;
	if (c.err)
		return c.err;

	struct view name = cursor_rest(&c);

	/* A space and nothing behind it is a unit forgotten. */
	if (!name.n && text.n && !ascii_is_digit(view_at(text, text.n - 1)))
		return ERR_SYNTAX;
	for (size_t i = 0; i < n; i++) {
		if (!view_eq_nocase(name, units[i].name))
			continue;
		if (__builtin_mul_overflow(value, units[i].factor, &value))
			return ERR_RANGE;
		*ret = value;
		return OK;
	}
	return ERR_SYNTAX;
}

enum err num_size(struct view text, uint64_t *ret_bytes)
{
	return parse_with_unit(text, size_units, ARRAY_LEN(size_units), ret_bytes);
}

enum err num_duration(struct view text, uint64_t *ret_ms)
{
	/* Only nothing is the same in every unit. */
	if (view_eq(text, VIEW("0"))) {
		*ret_ms = 0;
		return OK;
	}
	return parse_with_unit(text, duration_units, ARRAY_LEN(duration_units), ret_ms);
}
