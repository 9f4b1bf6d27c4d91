/*
 * proto/mime/charset.h: from the charsets of messages to UTF-8.
 *
 * UTF-8, US-ASCII, ISO-8859-1 and Windows-1252 are built in; others go to the converter that the
 * caller brings, so that this layer stays free of iconv.  The result is always valid UTF-8.
 */
#ifndef PROTO_MIME_CHARSET_H
#define PROTO_MIME_CHARSET_H

#include "base/buf.h"

enum {
	MIME_CHARSET_NAME_MAX = 64, /* longer names are unknown charsets */
};

struct mime_converter {
	/*
	 * Append text, which is in charset (any case, untrusted), to out as UTF-8.  ERR_UNSUPPORTED
	 * for an unknown charset, with out unchanged.  Bytes that mean nothing become U+FFFD.
	 */
	enum err (*convert)(void *context, struct view charset, struct view text, struct buf *out);
	void *context;
};

/* Is it known without a converter?  Empty and us-ascii included. */
bool mime_charset_builtin(struct view charset);

/*
 * Append text to out in UTF-8.  An empty charset and us-ascii mean: UTF-8 if text is valid as such,
 * else Windows-1252; iso-8859-1 is read as its superset Windows-1252.  conv may be NULL.  In an
 * unknown charset ASCII stays and other bytes become U+FFFD; the result is false then.  Look at
 * out->err for memory and limits.
 */
bool mime_to_utf8(struct buf *out, struct view charset, struct view text,
		  const struct mime_converter *conv);

#endif
