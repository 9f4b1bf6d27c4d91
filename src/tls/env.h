/*
 * tls/env.h: what all connections and keys of a process share: a private OpenSSL library context.
 *
 * It reads no configuration file and no environment, so that the system cannot weaken what this folder
 * decides.  Only src/tls includes OpenSSL's headers for connections and keys.
 */
#ifndef TLS_ENV_H
#define TLS_ENV_H

#include <openssl/bio.h>

#include "base/buf.h"

/* For every fetch: OpenSSL's own algorithms come first, those of tls/remote_key.h only for its keys. */
#define TLS_PROPERTIES "?provider=default"

struct tls_env {
	OSSL_LIB_CTX *lib;
	OSSL_PROVIDER *standard; /* OpenSSL's own algorithms */
	OSSL_PROVIDER *remote; /* keys of another process: tls/remote_key.h */
	BIO_METHOD *bio; /* how tls/conn.c meets OpenSSL */
};

/* Before the sandbox is entered.  ERR_CRYPTO when OpenSSL lacks what is needed. */
MUST_USE enum err tls_env_init(struct tls_env *env);
/* After everything that was made with it. */
void tls_env_done(struct tls_env *env);

/* Keep OpenSSL's private numbers in locked memory, where the system grants it.  Before the sandbox and
 * before tls_env_init; for processes that hold private keys. */
void tls_env_lock_secrets(void);

/* OpenSSL's words for what went wrong first since the queue was cleared, and clear it; static, never
 * NULL. */
const char *tls_env_reason(void);

#endif
