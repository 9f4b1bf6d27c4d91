/*
 * base/ascii.h: byte classes that do not depend on a locale.
 */
#ifndef BASE_ASCII_H
#define BASE_ASCII_H

#include "base/base.h"

static inline bool ascii_is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static inline bool ascii_is_upper(uint8_t c)
{
	return c >= 'A' && c <= 'Z';
}

static inline bool ascii_is_lower(uint8_t c)
{
	return c >= 'a' && c <= 'z';
}

static inline bool ascii_is_alpha(uint8_t c)
{
	return ascii_is_upper(c) || ascii_is_lower(c);
}

static inline bool ascii_is_alnum(uint8_t c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c);
}

static inline bool ascii_is_hex(uint8_t c)
{
	return ascii_is_digit(c) || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
}

/* Printable, without space. */
static inline bool ascii_is_graph(uint8_t c)
{
	return c > 0x20 && c < 0x7f;
}

static inline bool ascii_is_print(uint8_t c)
{
	return c >= 0x20 && c < 0x7f;
}

/* SP or HTAB. */
static inline bool ascii_is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static inline bool ascii_is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static inline bool ascii_is_ctl(uint8_t c)
{
	return c < 0x20 || c == 0x7f;
}

static inline uint8_t ascii_lower(uint8_t c)
{
	return ascii_is_upper(c) ? (uint8_t)(c + 32) : c;
}

static inline uint8_t ascii_upper(uint8_t c)
{
	return ascii_is_lower(c) ? (uint8_t)(c - 32) : c;
}

/* 0..15, or -1. */
static inline int ascii_hex_value(uint8_t c)
{
	if (ascii_is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

#endif
