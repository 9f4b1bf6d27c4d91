/*
 * tls/remote_key.h: private keys that are in another process.
 *
 * An OpenSSL provider whose keys know their public half and whom to ask for signatures.  The private
 * half never enters this process, and nothing here can export it.
 */
#ifndef TLS_REMOTE_KEY_H
#define TLS_REMOTE_KEY_H

#include <openssl/core.h>
#include <openssl/types.h>

#include "tls/env.h"

#define REMOTE_KEY_PROVIDER "posthold"

enum { REMOTE_KEY_SIGNATURE_MAX = 1024 }; /* tls_keys.ipc */

/* TLS SignatureScheme   RFC 9846#4.2.3 */
enum tls_scheme {
	TLS_SCHEME_RSA_PKCS1_SHA256 = 0x0401,
	TLS_SCHEME_RSA_PKCS1_SHA384 = 0x0501,
	TLS_SCHEME_RSA_PKCS1_SHA512 = 0x0601,
	TLS_SCHEME_ECDSA_SHA256 = 0x0403,
	TLS_SCHEME_ECDSA_SHA384 = 0x0503,
	TLS_SCHEME_ECDSA_SHA512 = 0x0603,
	TLS_SCHEME_RSA_PSS_SHA256 = 0x0804,
	TLS_SCHEME_RSA_PSS_SHA384 = 0x0805,
	TLS_SCHEME_RSA_PSS_SHA512 = 0x0806,
	TLS_SCHEME_ED25519 = 0x0807,
};

/* Who signs.  Lives as long as the keys that name it. */
struct remote_signer {
	/* Add the signature of input (the digest; for Ed25519 the data) to ret, whose max is
	 * REMOTE_KEY_SIGNATURE_MAX.  May block for a few seconds. */
	enum err (*sign)(void *ctx, uint32_t index, uint16_t scheme, struct view input,
			 struct buf *ret);
	void *ctx;
};

/* The entry point of the provider, for tls_env_init. */
int remote_key_provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
			     const OSSL_DISPATCH **out, void **provctx);

/*
 * The private key number index of signer, whose public half is public (RSA, EC or Ed25519).
 * ERR_UNSUPPORTED for another type.  Owned by caller, EVP_PKEY_free.
 */
MUST_USE enum err remote_key_new(struct tls_env *env, EVP_PKEY *public,
				 const struct remote_signer *signer, uint32_t index,
				 EVP_PKEY **ret);

#endif
