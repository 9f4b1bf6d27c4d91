/*
 * tls/signer.c: see signer.h.
 */
#include "tls/signer.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#define STANDARD_ONLY "provider=default"

struct scheme {
	uint16_t number; /* enum tls_scheme */
	const char *type;
	const char *digest; /* NULL: the data itself is signed */
	size_t digest_n;
	int padding; /* RSA */
};

static const struct scheme schemes[] = {
	{ TLS_SCHEME_ECDSA_SHA256, "EC", "SHA256", 32, 0 },
	{ TLS_SCHEME_ECDSA_SHA384, "EC", "SHA384", 48, 0 },
	{ TLS_SCHEME_ECDSA_SHA512, "EC", "SHA512", 64, 0 },
	{ TLS_SCHEME_RSA_PSS_SHA256, "RSA", "SHA256", 32, RSA_PKCS1_PSS_PADDING },
	{ TLS_SCHEME_RSA_PSS_SHA384, "RSA", "SHA384", 48, RSA_PKCS1_PSS_PADDING },
	{ TLS_SCHEME_RSA_PSS_SHA512, "RSA", "SHA512", 64, RSA_PKCS1_PSS_PADDING },
	{ TLS_SCHEME_RSA_PKCS1_SHA256, "RSA", "SHA256", 32, RSA_PKCS1_PADDING },
	{ TLS_SCHEME_RSA_PKCS1_SHA384, "RSA", "SHA384", 48, RSA_PKCS1_PADDING },
	{ TLS_SCHEME_RSA_PKCS1_SHA512, "RSA", "SHA512", 64, RSA_PKCS1_PADDING },
	{ TLS_SCHEME_ED25519, "ED25519", NULL, 0, 0 },
};

static const struct scheme *scheme_find(uint16_t number)
{
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (schemes[i].number == number)
			return &schemes[i];
	return NULL;
}

static bool sign_digest(struct tls_env *env, EVP_PKEY *key, const struct scheme *s,
			struct view input, unsigned char *to, size_t *n)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(env->lib, key, STANDARD_ONLY);
	EVP_MD *md = EVP_MD_fetch(env->lib, s->digest, STANDARD_ONLY);
	bool ok = c && md && EVP_PKEY_sign_init(c) == 1;

	if (ok && s->padding)
		ok = EVP_PKEY_CTX_set_rsa_padding(c, s->padding) == 1;
	if (ok)
		ok = EVP_PKEY_CTX_set_signature_md(c, md) == 1;
	if (ok && s->padding == RSA_PKCS1_PSS_PADDING)
		ok = EVP_PKEY_CTX_set_rsa_pss_saltlen(c, RSA_PSS_SALTLEN_DIGEST) == 1;
	ok = ok && EVP_PKEY_sign(c, to, n, (const unsigned char *)input.p, input.n) == 1;
	EVP_MD_free(md);
	EVP_PKEY_CTX_free(c);
	return ok;
}

static bool sign_data(struct tls_env *env, EVP_PKEY *key, struct view input, unsigned char *to,
		      size_t *n)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool ok = c &&
		  EVP_DigestSignInit_ex(c, NULL, NULL, env->lib, STANDARD_ONLY, key, NULL) == 1 &&
		  EVP_DigestSign(c, to, n, (const unsigned char *)input.p, input.n) == 1;

	EVP_MD_CTX_free(c);
	return ok;
}

enum err signer_sign(struct tls_env *env, EVP_PKEY *key, uint16_t number, struct view input,
		     struct buf *ret)
{
	const struct scheme *s = scheme_find(number);
	unsigned char room[REMOTE_KEY_SIGNATURE_MAX];
	size_t n = sizeof(room);
	bool ok;

	if (!s || !EVP_PKEY_is_a(key, s->type) || (s->digest && input.n != s->digest_n))
		return ERR_UNSUPPORTED;
	if (EVP_PKEY_get_size(key) > (int)sizeof(room))
		return ERR_UNSUPPORTED;
	ok = s->digest ? sign_digest(env, key, s, input, room, &n)
		       : sign_data(env, key, input, room, &n);
	ERR_clear_error();
	if (!ok)
		return ERR_CRYPTO;
	buf_add(ret, view_of(room, n));
	return buf_err(ret);
}

void signer_key_free(EVP_PKEY *key)
{
	EVP_PKEY_free(key);
}
