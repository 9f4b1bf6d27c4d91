/*
 * proto/sasl/plain.h: the mechanisms PLAIN (RFC 4616) and LOGIN (of old clients, never standardised).
 *
 * Splits complete messages of the client; decides nothing.  What is returned is borrowed from the
 * message, which holds a password: the caller wipes it.
 */
#ifndef PROTO_SASL_PLAIN_H
#define PROTO_SASL_PLAIN_H

#include "base/view.h"

enum {
	SASL_NAME_MAX = 320, /* octets of a log-in name: an address as RFC 5321 allows it */
	SASL_PASSWORD_MAX = 1024, /* octets of a password */
};

struct sasl_plain {
	struct view authzid; /* empty: not given */
	struct view authcid; /* who logs in; never empty */
	struct view password; /* never empty */
};

/*
 * message = [authzid] UTF8NUL authcid UTF8NUL passwd    RFC 4616#2
 * ERR_SYNTAX unless there are exactly two NULs and name and password are not empty, ERR_LIMIT past
 * SASL_NAME_MAX or SASL_PASSWORD_MAX.  Views are borrowed from message.
 */
MUST_USE enum err sasl_plain_parse(struct view message, struct sasl_plain *ret);

/* The prompts of LOGIN, as every client expects them, not in base64. */
#define SASL_LOGIN_NAME	    VIEW("Username:")
#define SASL_LOGIN_PASSWORD VIEW("Password:")
/* One answer of LOGIN: 1 to max octets without NUL.  ERR_SYNTAX, ERR_LIMIT. */
MUST_USE enum err sasl_login_check(struct view answer, size_t max);

#endif
