/*
 * base/err.c: names of errors, and the end of the process when a promise of ours is broken.
 */
#include "base/base.h"

static const char *const err_texts[ERR_COUNT] = {
	[OK] = "ok",
	[ERR_NOMEM] = "out of memory",
	[ERR_LIMIT] = "limit exceeded",
	[ERR_SYNTAX] = "syntax error",
	[ERR_RANGE] = "value out of range",
	[ERR_AGAIN] = "nothing to do now",
	[ERR_EOF] = "end of input",
	[ERR_IO] = "input or output error",
	[ERR_FULL] = "no space left",
	[ERR_DENIED] = "permission denied",
	[ERR_NOTFOUND] = "not found",
	[ERR_EXISTS] = "exists already",
	[ERR_WRONG_STATE] = "not allowed now",
	[ERR_CORRUPT] = "data corrupt",
	[ERR_CRYPTO] = "cryptographic check failed",
	[ERR_TIMEOUT] = "timed out",
	[ERR_PEER] = "peer failed",
	[ERR_UNSUPPORTED] = "not supported",
	[ERR_BUSY] = "busy, try later",
	[ERR_QUOTA] = "quota exceeded",
};

const char *err_text(enum err err)
{
	if ((size_t)err >= ARRAY_LEN(err_texts))
		return "unknown error";
	return err_texts[err];
}

void assert_failed(const char *text, const char *file, int line)
{
	fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, text);
	abort();
}
