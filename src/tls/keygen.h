/*
 * tls/keygen.h: make a certificate authority and certificates for quickstart and tests, and check what
 * an administrator gives us.
 */
#ifndef TLS_KEYGEN_H
#define TLS_KEYGEN_H

#include "tls/env.h"

enum {
	KEYGEN_NAMES_MAX = 32,
	KEYGEN_CA_DAYS = 3650,
	KEYGEN_SERVER_DAYS = 730,
	KEYGEN_WARN_DAYS = 14, /* keygen_check says how soon; doctor warns from here */
};

enum keygen_type { KEYGEN_P256, KEYGEN_RSA3072, KEYGEN_ED25519 };

/*
 * A new authority.  key and certificate are added as PEM; key is a secret that the caller wipes.
 * now: seconds since 1970, from which it is valid (an hour before, for clocks that are wrong).
 */
MUST_USE enum err keygen_authority(struct tls_env *env, const char *name, int64_t now,
				   struct buf *key, struct buf *certificate);

struct keygen_request {
	struct view ca_key, ca_certificate; /* PEM */
	const struct view *names; /* DNS names and addresses; the first is the subject */
	size_t name_count;
	enum keygen_type type;
	int64_t now;
	int days;
};

/* A server certificate.  key and chain (leaf, then authority) as PEM.  ERR_LIMIT, ERR_SYNTAX for a name. */
MUST_USE enum err keygen_server(struct tls_env *env, const struct keygen_request *request,
				struct buf *key, struct buf *chain);

struct keygen_report {
	int64_t from, until; /* seconds since 1970 */
	char type[16]; /* "EC", "RSA", "ED25519" */
	int bits;
};

/*
 * Do certificate and key belong together, and can we use them?  ERR_SYNTAX: not readable; ERR_CRYPTO: the
 * key is of another certificate; ERR_UNSUPPORTED: a type or size that TLS peers refuse.  ret is also
 * right for an expired certificate: compare until.  names gets its names, separated by spaces.
 */
MUST_USE enum err keygen_check(struct tls_env *env, struct view chain, struct view key,
			       struct keygen_report *ret, struct buf *names);

#endif
