/*
 * tls/env.c: see env.h.
 */
#include "tls/env.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>

#include "tls/conn_bio.h"
#include "tls/remote_key.h"

enum { SECRETS_MAX = 256 * 1024, SECRET_MIN = 32 };

void tls_env_lock_secrets(void)
{
	(void)CRYPTO_secure_malloc_init(SECRETS_MAX, SECRET_MIN);
}

enum err tls_env_init(struct tls_env *env)
{
	*env = (struct tls_env){ 0 };
	if (!OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_SSL_STRINGS |
				      OPENSSL_INIT_LOAD_CRYPTO_STRINGS,
			      NULL))
		return ERR_CRYPTO;
	env->lib = OSSL_LIB_CTX_new();
	if (env->lib)
		env->standard = OSSL_PROVIDER_load(env->lib, "default");
	if (env->standard &&
	    OSSL_PROVIDER_add_builtin(env->lib, REMOTE_KEY_PROVIDER, remote_key_provider_init))
		env->remote = OSSL_PROVIDER_load(env->lib, REMOTE_KEY_PROVIDER);
	env->bio = conn_bio_method_new();
	/* Ours is asked only for keys that are its own. */
	if (!env->remote || !env->bio || !EVP_set_default_properties(env->lib, TLS_PROPERTIES)) {
		tls_env_done(env);
		return ERR_CRYPTO;
	}
	return OK;
}

void tls_env_done(struct tls_env *env)
{
	BIO_meth_free(env->bio);
	if (env->remote)
		OSSL_PROVIDER_unload(env->remote);
	if (env->standard)
		OSSL_PROVIDER_unload(env->standard);
	OSSL_LIB_CTX_free(env->lib);
	*env = (struct tls_env){ 0 };
}

const char *tls_env_reason(void)
{
	const char *text = ERR_reason_error_string(ERR_peek_error());

	ERR_clear_error();
	return text ? text : "unknown";
}
