/*
 * tls/client.h: how we are a TLS client, towards other mail servers.
 *
 * Two ways: opportunistic takes whatever the server can do from TLS 1.2 on, because the alternative is
 * clear text, and only records whether the certificate was good; verify insists on it.
 */
#ifndef TLS_CLIENT_H
#define TLS_CLIENT_H

#include "tls/env.h"

enum { TLS_CLIENT_CHAIN_MAX = 64 * 1024 }; /* octets of certificates that a server may send */

struct tls_client;

/*
 * roots_pem: trusted authorities; empty: the system's, read now (before the sandbox).  Without any every
 * verification fails.  Owned by caller, tls_client_free.
 */
MUST_USE enum err tls_client_new(struct tls_env *env, struct view roots_pem,
				 struct tls_client **ret);
void tls_client_free(struct tls_client *c);
/* How many authorities are trusted. */
size_t tls_client_roots(const struct tls_client *c);

/* For tls/conn.c: a client-side SSL towards name.  NULL without memory or for a name that cannot be. */
SSL *tls_client_ssl(struct tls_client *c, struct view name, bool verify);
struct tls_env *tls_client_env(struct tls_client *c);

#endif
