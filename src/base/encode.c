/*
 * base/encode.c: bytes as text and back, strict in what is accepted.
 *
 * Decoders accept exactly one text for each sequence of bytes (hex_decode and id_parse: but for the
 * case of letters), so that two readers cannot understand the same text differently.
 */
#include "base/encode.h"

#include "base/ascii.h"

static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct buf *out, struct view bytes)
{
	for (size_t i = 0; i < bytes.n; i += 3) {
		size_t left = bytes.n - i;
		uint32_t group = (uint32_t)view_at(bytes, i) << 16;

		if (left > 1)
			group |= (uint32_t)view_at(bytes, i + 1) << 8;
		if (left > 2)
			group |= view_at(bytes, i + 2);

		char text[4] = {
			base64_digits[group >> 18],
			base64_digits[group >> 12 & 63],
			left > 1 ? base64_digits[group >> 6 & 63] : '=',
			left > 2 ? base64_digits[group & 63] : '=',
		};

		buf_add(out, view_of(text, sizeof(text)));
	}
}

char base64_digit(uint32_t value)
{
	return base64_digits[value & 63];
}

int base64_value(uint8_t c)
{
	if (ascii_is_upper(c))
		return c - 'A';
	if (ascii_is_lower(c))
		return c - 'a' + 26;
	if (ascii_is_digit(c))
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

enum err base64_decode(struct buf *out, struct view text)
{
	size_t padding = 0;

	if (text.n % 4)
		return ERR_SYNTAX;
	while (padding < 2 && padding < text.n && view_at(text, text.n - 1 - padding) == '=')
		padding++;
	for (size_t i = 0; i < text.n; i += 4) {
		size_t digits = i + 4 == text.n ? 4 - padding : 4;
		uint32_t group = 0;

		for (size_t j = 0; j < digits; j++) {
			int value = base64_value(view_at(text, i + j));

			if (value < 0)
				return ERR_SYNTAX;
			group |= (uint32_t)value << (18 - 6 * j);
		}

		char bytes[3] = { (char)(group >> 16), (char)(group >> 8), (char)group };

		/* Bits that belong to no byte must be zero   RFC 4648#3.5 */
		if (group & (0xffffffU >> (8 * (digits - 1))))
			return ERR_SYNTAX;
		buf_add(out, view_of(bytes, digits - 1));
	}
	return buf_err(out);
}

static const char hex_digits[] = "0123456789abcdef";

void hex_encode(struct buf *out, struct view bytes)
{
	for (size_t i = 0; i < bytes.n; i++) {
		char text[2] = { hex_digits[view_at(bytes, i) >> 4],
				 hex_digits[view_at(bytes, i) & 15] };

		buf_add(out, view_of(text, sizeof(text)));
	}
}

enum err hex_decode(struct buf *out, struct view text)
{
	if (text.n % 2)
		return ERR_SYNTAX;
	for (size_t i = 0; i < text.n; i += 2) {
		int high = ascii_hex_value(view_at(text, i));
		int low = ascii_hex_value(view_at(text, i + 1));

		if (high < 0 || low < 0)
			return ERR_SYNTAX;
		buf_add_char(out, (char)(high << 4 | low));
	}
	return buf_err(out);
}

/* No i, l, o, u: they are misread, or make words. */
#define ID_DIGITS "0123456789abcdefghjkmnpqrstvwxyz"

struct view id_text(uint64_t id, char room[ID_TEXT_LEN])
{
	for (size_t i = ID_TEXT_LEN; i-- > 0; id >>= 5)
		room[i] = ID_DIGITS[id & 31];
	return view_of(room, ID_TEXT_LEN);
}

enum err id_parse(struct view text, uint64_t *ret)
{
	uint64_t id = 0;

	if (text.n != ID_TEXT_LEN)
		return ERR_SYNTAX;
	for (size_t i = 0; i < text.n; i++) {
		size_t digit = view_find_char(VIEW(ID_DIGITS), (char)ascii_lower(view_at(text, i)));

		if (digit == VIEW_NONE)
			return ERR_SYNTAX;
		if (id >> 59) /* 13 digits hold 65 bits */
			return ERR_RANGE;
		id = id << 5 | digit;
	}
	*ret = id;
	return OK;
}

/* xchar: "!" to "~" without "+" and "="   RFC 3461#4 */
static bool is_xchar(uint8_t c)
{
	return ascii_is_graph(c) && c != '+' && c != '=';
}

void xtext_encode(struct buf *out, struct view text)
{
	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = view_at(text, i);

		if (is_xchar(c))
			buf_add_char(out, (char)c);
		else
			buf_addf(out, "+%02X", c);
	}
}

/* hexchar = "+" 2 upper-case hexadecimal digits   RFC 3461#4 */
static int hexchar_value(struct view text, size_t at)
{
	if (text.n - at < 3)
		return -1;

	int high = ascii_hex_value(view_at(text, at + 1));
	int low = ascii_hex_value(view_at(text, at + 2));

	if (ascii_is_lower(view_at(text, at + 1)) || ascii_is_lower(view_at(text, at + 2)))
		return -1;
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

enum err xtext_decode(struct buf *out, struct view text)
{
	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = view_at(text, i);

		if (c == '+') {
			int value = hexchar_value(text, i);

			if (value < 0)
				return ERR_SYNTAX;
			c = (uint8_t)value;
			i += 2;
		} else if (!is_xchar(c)) {
			return ERR_SYNTAX;
		}
		buf_add_char(out, (char)c);
	}
	return buf_err(out);
}
