/*
 * tls/pem.h: read certificates and private keys as text, and say what they are.
 */
#ifndef TLS_PEM_H
#define TLS_PEM_H

#include <openssl/x509.h>

#include "tls/env.h"

enum {
	PEM_NAMES_MAX = 16384,
	PEM_TEXT_MAX = 64 * 1024, /* a file with a chain or a key */
};

/* At least one certificate, leaf first.  ERR_SYNTAX, ERR_LIMIT past max.  Owned by caller. */
MUST_USE enum err pem_read_chain(struct tls_env *env, struct view pem, int max,
				 STACK_OF(X509) * *ret);
/* An unencrypted private key.  ERR_SYNTAX.  Owned by caller, EVP_PKEY_free. */
MUST_USE enum err pem_read_key(struct tls_env *env, struct view pem, EVP_PKEY **ret);
MUST_USE enum err pem_write_chain(STACK_OF(X509) * chain, struct buf *out);
/* The certificates of a text and nothing else that is in it: no comment, no private key. */
MUST_USE enum err pem_clean_chain(struct tls_env *env, struct view pem, int max, struct buf *out);
MUST_USE enum err pem_write_certificate(X509 *certificate, struct buf *out);
/* PKCS #8.  out holds a secret: the caller wipes it. */
MUST_USE enum err pem_write_key(EVP_PKEY *key, struct buf *out);

/* The DNS names and addresses of a certificate, separated by spaces, in its order. */
void pem_names(X509 *certificate, struct buf *out);
/* Seconds since 1970. */
MUST_USE enum err pem_validity(X509 *certificate, int64_t *ret_from, int64_t *ret_until);

#endif
