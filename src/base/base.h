/*
 * base/base.h: what every file of Posthold may assume.
 *
 * Attributes, the one error type, and checked sizes.  Layer base does no I/O, keeps no globals and
 * includes nothing of Posthold outside base/.
 */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/banned.h"

#define MUST_USE	    __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, a) __attribute__((format(printf, fmt, a)))
#define UNUSED		    __attribute__((unused))
#define NORETURN	    __attribute__((noreturn))
#define FALLTHROUGH	    __attribute__((fallthrough))
/* Run fn(&variable) when the variable leaves scope. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/*
 * The one result of a function that can fail.  OK is 0.  A function that returns enum err writes its
 * results (parameters named ret_ or ret) only when it returns OK.
 */
enum err {
	OK = 0,
	ERR_NOMEM, /* memory, or the cap of an arena */
	ERR_LIMIT, /* a named limit was passed: line, count, depth, size */
	ERR_SYNTAX, /* the text does not follow its grammar */
	ERR_RANGE, /* a number or date outside its range */
	ERR_AGAIN, /* nothing to do now: more input or an answer is awaited */
	ERR_EOF, /* orderly end of input */
	ERR_IO, /* a system call failed; the caller that saw errno has logged it */
	ERR_FULL, /* no space left, or below the reserve */
	ERR_DENIED, /* not allowed for this asker */
	ERR_NOTFOUND, /* no such thing */
	ERR_EXISTS, /* already there */
	ERR_WRONG_STATE, /* not allowed now (OpenSSL has a type ERR_STATE) */
	ERR_CORRUPT, /* stored bytes fail their checksum or make no sense */
	ERR_CRYPTO, /* a key is missing or a signature, tag or password is wrong */
	ERR_TIMEOUT, /* too slow */
	ERR_PEER, /* the other end went away or broke the protocol */
	ERR_UNSUPPORTED, /* known, but not offered here */
	ERR_BUSY, /* try later: a bounded resource is in use */
	ERR_QUOTA, /* the account's quota */
	ERR_COUNT
};

/* A short English text ("limit exceeded"); static, never NULL. */
const char *err_text(enum err err);

/* Checked arithmetic on sizes: false, and *ret untouched, when the result does not fit. */
static inline MUST_USE bool size_add(size_t a, size_t b, size_t *ret)
{
	size_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return false;
	*ret = sum;
	return true;
}

static inline MUST_USE bool size_mul(size_t a, size_t b, size_t *ret)
{
	size_t product;

	if (__builtin_mul_overflow(a, b, &product))
		return false;
	*ret = product;
	return true;
}

static inline size_t size_min(size_t a, size_t b)
{
	return a < b ? a : b;
}

static inline size_t size_max(size_t a, size_t b)
{
	return a > b ? a : b;
}

/*
 * Our own bugs only, never for input: prints place and text, aborts.  Kept in release builds.
 */
#define ASSERT(x) ((x) ? (void)0 : assert_failed(#x, __FILE__, __LINE__))
NORETURN void assert_failed(const char *text, const char *file, int line);

#endif
