/*
 * tls/signer.h: sign for TLS handshakes with a private key that is here (the keys role).
 */
#ifndef TLS_SIGNER_H
#define TLS_SIGNER_H

#include "tls/remote_key.h"

/*
 * Add the signature of input (a digest; for Ed25519 data) under scheme to ret.  ERR_UNSUPPORTED when key
 * and scheme do not go together or the digest has another length; ERR_CRYPTO.
 */
MUST_USE enum err signer_sign(struct tls_env *env, EVP_PKEY *key, uint16_t scheme,
			      struct view input, struct buf *ret);

/* NULL is allowed. */
void signer_key_free(EVP_PKEY *key);

#endif
