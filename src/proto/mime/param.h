/*
 * proto/mime/param.h: values with parameters: Content-Type, Content-Disposition and their like.
 *
 * value *(";" attribute "=" value)  RFC 2045#5.1, with the continuations, charsets and languages of
 * RFC 2231.  Tolerant: what cannot be read is skipped and flagged, the rest is still found.
 */
#ifndef PROTO_MIME_PARAM_H
#define PROTO_MIME_PARAM_H

#include "base/arena.h"
#include "proto/mime/charset.h"

enum {
	MIME_PARAM_SECTIONS_MAX = 100, /* attributes in one field; the rest is ignored */
	MIME_PARAM_FIELD_MAX = 64 * 1024, /* bytes of one field that are looked at */
};

enum mime_param_flag {
	MIME_PARAM_JUNK = 1 << 0, /* something unreadable was skipped */
	MIME_PARAM_DUPLICATE = 1 << 1, /* one attribute twice: the first is used */
	MIME_PARAM_MANY = 1 << 2, /* past MIME_PARAM_SECTIONS_MAX or MIME_PARAM_FIELD_MAX */
	MIME_PARAM_GAP = 1 << 3, /* RFC 2231 sections missing, or a plain and an extended form */
};

struct mime_param {
	struct view name; /* as written; without *0* and the like in the decoded list */
	struct view value; /* octets in charset */
	struct view charset; /* RFC 2231 charset; empty if not stated */
	struct view language; /* RFC 2231 language tag; empty if not stated */
};

struct mime_params {
	const struct mime_param *at;
	size_t n;
};

struct mime_value {
	struct view main; /* token before the first ";": "text" of text/plain, "attachment" */
	struct view sub; /* token behind "/": "plain" of text/plain; empty if none */
	struct mime_params raw; /* as written, quotes removed: what IMAP shows */
	struct mime_params decoded; /* RFC 2231 joined and percent-decoded, first of duplicates */
	unsigned flags; /* enum mime_param_flag */
};

/* text: the raw value of a field.  Views lie in text or in a.  ERR_NOMEM only. */
MUST_USE enum err mime_value_parse(struct arena *a, struct view text, struct mime_value *ret);

/* By name, ASCII case ignored; NULL if none.  Lives as long as the list. */
const struct mime_param *mime_param_find(struct mime_params params, struct view name);

/* The value of a decoded parameter in UTF-8; encoded words in plain values are decoded, as everyone
 * writes them there.  p and conv may be NULL.  Look at out->err. */
void mime_param_add_utf8(struct buf *out, const struct mime_param *p,
			 const struct mime_converter *conv);

/* One token: skip comments and white space, take the token, skip again.  *ret_clean is false when
 * a comment or anything else stands beside it.  Borrowed from text. */
struct view mime_token(struct view text, bool *ret_clean);

#endif
