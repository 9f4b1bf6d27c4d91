/*
 * tls/server.h: how we are a TLS server.
 *
 * TLS 1.2 and 1.3 with ECDHE and AEAD only; no renegotiation, compression or early data (THREATS.md
 * 2.4).  Certificates are chosen by server name, then by what the client can verify.  Private keys are
 * behind a remote_signer.
 */
#ifndef TLS_SERVER_H
#define TLS_SERVER_H

#include "tls/remote_key.h"
#include "tls/ticket.h"

enum {
	TLS_CERTIFICATES_MAX = 64,
	TLS_CHAIN_MAX = 10, /* certificates in one chain */
};

struct tls_server;

/* signer lives as long as the server.  Without certificates at first.  Owned by caller. */
MUST_USE enum err tls_server_new(struct tls_env *env, const struct remote_signer *signer,
				 struct tls_server **ret);
/* After all its connections. */
void tls_server_free(struct tls_server *s);

/*
 * Add a certificate; index names its key to the signer.  The first one is for clients that name no
 * server or an unknown one.  Certificates for the same names are offered side by side: one ECDSA, one
 * RSA.  ERR_SYNTAX for bad PEM, ERR_UNSUPPORTED for a key type, ERR_LIMIT, ERR_CRYPTO.
 */
MUST_USE enum err tls_server_add(struct tls_server *s, struct view chain_pem, uint32_t index);
/* Forget all certificates, before others are added; connections that exist go on. */
void tls_server_clear(struct tls_server *s);
/* Can handshakes succeed? */
bool tls_server_ready(const struct tls_server *s);

/*
 * For tls/conn.c: a server-side SSL.  Where the client sends ALPN it must offer one of protocols, a
 * list of static names that ends with NULL.  NULL without memory or certificates.
 */
SSL *tls_server_ssl(struct tls_server *s, const char *const *protocols);
struct tls_env *tls_server_env(struct tls_server *s);

#endif
