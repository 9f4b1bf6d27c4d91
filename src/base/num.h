/*
 * base/num.h: numbers from and to text and little-endian bytes.
 */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include "base/view.h"

/* The whole text is 1*DIGIT and at most max.  ERR_SYNTAX or ERR_RANGE. */
MUST_USE enum err num_u64(struct view text, uint64_t max, uint64_t *ret);
MUST_USE enum err num_hex(struct view text, uint64_t *ret);

#define NUM_TEXT_MAX 24
/* Decimal digits at the end of room; borrowed from room. */
struct view num_text(uint64_t n, char room[NUM_TEXT_MAX]);

/* "64 KiB", "10 m", "5 d": sizes in bytes, times in milliseconds.  ERR_SYNTAX or ERR_RANGE. */
MUST_USE enum err num_size(struct view text, uint64_t *ret_bytes);
MUST_USE enum err num_duration(struct view text, uint64_t *ret_ms);

/* Little-endian, unaligned. */
static inline void num_put16(void *at, uint16_t v)
{
	uint8_t *p = (uint8_t *)at;

	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static inline void num_put32(void *at, uint32_t v)
{
	num_put16(at, (uint16_t)v);
	num_put16((uint8_t *)at + 2, (uint16_t)(v >> 16));
}

static inline void num_put64(void *at, uint64_t v)
{
	num_put32(at, (uint32_t)v);
	num_put32((uint8_t *)at + 4, (uint32_t)(v >> 32));
}

static inline uint16_t num_get16(const void *at)
{
	const uint8_t *p = (const uint8_t *)at;

	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t num_get32(const void *at)
{
	return num_get16(at) | (uint32_t)num_get16((const uint8_t *)at + 2) << 16;
}

static inline uint64_t num_get64(const void *at)
{
	return num_get32(at) | (uint64_t)num_get32((const uint8_t *)at + 4) << 32;
}

#endif
