/*
 * tls/remote_key.c: see remote_key.h.
 *
 * The shortest provider that libssl is content with: a key manager and a signature for each of three
 * types.  A key keeps its public half as a key of OpenSSL's own provider and lets that answer every
 * question about size, group and equality.
 */
#include "tls/remote_key.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/params.h>
#include <openssl/proverr.h>
#include <openssl/rsa.h>

/* Parameters of import that make a key a private one. */
#define PARAM_SIGNER "posthold-signer"
#define PARAM_INDEX  "posthold-index"

#define STANDARD_ONLY "provider=default"

enum { DIGEST_MAX = 64 };

struct remote_key {
	OSSL_LIB_CTX *lib;
	const char *type;
	EVP_PKEY *public;
	const struct remote_signer *signer; /* NULL: a public key */
	uint32_t index;
};

struct signing {
	OSSL_LIB_CTX *lib;
	const struct remote_key *key; /* borrowed from the EVP_PKEY that is being used */
	EVP_MD *md;
	bool pss;
};

typedef void (*any_fn)(void);
#define FN(id, fn)                                                                                 \
	{                                                                                          \
		(id), (any_fn)(fn)                                                                 \
	}

/* ---- keys ---- */

static void *key_new(void *provctx, const char *type)
{
	struct remote_key *k = calloc(1, sizeof(*k));

	if (k) {
		k->lib = provctx;
		k->type = type;
	}
	return k;
}

static void *key_new_rsa(void *provctx)
{
	return key_new(provctx, "RSA");
}

static void *key_new_ec(void *provctx)
{
	return key_new(provctx, "EC");
}

static void *key_new_ed25519(void *provctx)
{
	return key_new(provctx, "ED25519");
}

static void key_free(void *keydata)
{
	struct remote_key *k = keydata;

	if (!k)
		return;
	EVP_PKEY_free(k->public);
	free(k);
}

static int key_has(const void *keydata, int selection)
{
	const struct remote_key *k = keydata;

	if (!k || !k->public)
		return 0;
	return !(selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) || k->signer;
}

static int key_match(const void *a, const void *b, int selection)
{
	const struct remote_key *one = a, *two = b;

	return EVP_PKEY_eq(one->public, two->public) == 1;
}

static int key_import(void *keydata, int selection, const OSSL_PARAM params[])
{
	struct remote_key *k = keydata;
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(k->lib, k->type, STANDARD_ONLY);
	const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, PARAM_SIGNER);
	const void *signer = NULL;
	size_t used = 0;
	int ok = c && EVP_PKEY_fromdata_init(c) == 1 &&
		 EVP_PKEY_fromdata(c, &k->public, EVP_PKEY_PUBLIC_KEY,
				   (OSSL_PARAM *)(uintptr_t)params) == 1;

	EVP_PKEY_CTX_free(c);
	if (ok && p) {
		ok = OSSL_PARAM_get_octet_ptr(p, &signer, &used);
		k->signer = signer;
		p = OSSL_PARAM_locate_const(params, PARAM_INDEX);
		ok = ok && p && OSSL_PARAM_get_uint32(p, &k->index);
	}
	return ok;
}

static int key_export(void *keydata, int selection, OSSL_CALLBACK *give, void *arg)
{
	const struct remote_key *k = keydata;
	OSSL_PARAM *params = NULL;
	int ok;

	/* There is no private half here; the refusal makes OpenSSL come back to us for signatures. */
	if (!k->public || (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY && k->signer))
		return 0;
	if (!EVP_PKEY_todata(k->public, EVP_PKEY_PUBLIC_KEY, &params))
		return 0;
	ok = give(params, arg);
	OSSL_PARAM_free(params);
	return ok;
}

static int key_get_params(void *keydata, OSSL_PARAM params[])
{
	const struct remote_key *k = keydata;

	return k->public && EVP_PKEY_get_params(k->public, params);
}

static const OSSL_PARAM *key_gettable(void *provctx)
{
	static const OSSL_PARAM list[] = {
		OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, NULL, 0),
		OSSL_PARAM_END
	};

	return list;
}

static const OSSL_PARAM *key_types(int selection)
{
	static const OSSL_PARAM list[] = {
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
		OSSL_PARAM_END,
	};

	return list;
}

static const char *signature_of_ec(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "ECDSA" : "EC";
}

#define KEY_FUNCTIONS(new_fn)                                                                      \
	FN(OSSL_FUNC_KEYMGMT_NEW, new_fn), FN(OSSL_FUNC_KEYMGMT_FREE, key_free),                   \
		FN(OSSL_FUNC_KEYMGMT_HAS, key_has), FN(OSSL_FUNC_KEYMGMT_MATCH, key_match),        \
		FN(OSSL_FUNC_KEYMGMT_IMPORT, key_import),                                          \
		FN(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_types),                                     \
		FN(OSSL_FUNC_KEYMGMT_EXPORT, key_export),                                          \
		FN(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, key_types),                                     \
		FN(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get_params),                                  \
		FN(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable)

static const OSSL_DISPATCH rsa_keys[] = { KEY_FUNCTIONS(key_new_rsa), { 0, NULL } };
static const OSSL_DISPATCH ec_keys[] = {
	KEY_FUNCTIONS(key_new_ec),
	FN(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, signature_of_ec),
	{ 0, NULL },
};
static const OSSL_DISPATCH ed25519_keys[] = { KEY_FUNCTIONS(key_new_ed25519), { 0, NULL } };

/* ---- signatures ---- */

static void *signing_new(void *provctx, const char *properties)
{
	struct signing *s = calloc(1, sizeof(*s));

	if (s)
		s->lib = provctx;
	return s;
}

static void signing_free(void *ctx)
{
	struct signing *s = ctx;

	if (!s)
		return;
	EVP_MD_free(s->md);
	free(s);
}

/* OpenSSL says these by number or by name, as its version likes. */
static bool param_is(const OSSL_PARAM *p, int number, const char *name)
{
	int value;

	if (p->data_type == OSSL_PARAM_UTF8_STRING)
		return view_eq(view_str(p->data), view_str(name));
	return OSSL_PARAM_get_int(p, &value) && value == number;
}

static int signing_set_params(void *ctx, const OSSL_PARAM params[])
{
	struct signing *s = ctx;
	const OSSL_PARAM *p;

	if (!params)
		return 1;
	p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
	if (p) {
		s->pss = param_is(p, RSA_PKCS1_PSS_PADDING, OSSL_PKEY_RSA_PAD_MODE_PSS);
		if (!s->pss && !param_is(p, RSA_PKCS1_PADDING, OSSL_PKEY_RSA_PAD_MODE_PKCSV15))
			return 0;
	}
	/* The salt is always as long as the digest: the only form that TLS knows. */
	p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN);
	return !p || param_is(p, RSA_PSS_SALTLEN_DIGEST, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST);
}

static const OSSL_PARAM *signing_settable(void *ctx, void *provctx)
{
	static const OSSL_PARAM list[] = {
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
		OSSL_PARAM_END,
	};

	return list;
}

static int signing_begin(void *ctx, const char *digest, void *keydata, const OSSL_PARAM params[])
{
	struct signing *s = ctx;

	s->key = keydata;
	EVP_MD_free(s->md);
	s->md = NULL;
	if (!s->key || !s->key->signer)
		return 0;
	if (digest && digest[0] != '\0') {
		s->md = EVP_MD_fetch(s->lib, digest, STANDARD_ONLY);
		if (!s->md)
			return 0;
	}
	return signing_set_params(ctx, params);
}

/* The number by which TLS calls key type, padding and digest; 0 for what TLS does not use. */
static uint16_t scheme_of(const struct signing *s)
{
	static const struct {
		int digest; /* its size in octets */
		uint16_t ecdsa, pkcs1, pss;
	} rows[] = {
		{ 32, TLS_SCHEME_ECDSA_SHA256, TLS_SCHEME_RSA_PKCS1_SHA256,
		  TLS_SCHEME_RSA_PSS_SHA256 },
		{ 48, TLS_SCHEME_ECDSA_SHA384, TLS_SCHEME_RSA_PKCS1_SHA384,
		  TLS_SCHEME_RSA_PSS_SHA384 },
		{ 64, TLS_SCHEME_ECDSA_SHA512, TLS_SCHEME_RSA_PKCS1_SHA512,
		  TLS_SCHEME_RSA_PSS_SHA512 },
	};
	struct view type = view_str(s->key->type);

	if (view_eq(type, VIEW("ED25519")))
		return s->md ? 0 : TLS_SCHEME_ED25519;
	for (size_t i = 0; s->md && i < ARRAY_LEN(rows); i++) {
		if (EVP_MD_get_size(s->md) != rows[i].digest)
			continue;
		if (view_eq(type, VIEW("EC")))
			return rows[i].ecdsa;
		return s->pss ? rows[i].pss : rows[i].pkcs1;
	}
	return 0;
}

static int signing_sign(void *ctx, unsigned char *sig, size_t *sig_n, size_t room,
			const unsigned char *data, size_t n)
{
	struct signing *s = ctx;
	struct buf CLEANUP(buf_done) out = BUF_INIT(REMOTE_KEY_SIGNATURE_MAX);
	unsigned char digest[DIGEST_MAX];
	unsigned digest_n = 0;
	struct view input = view_of(data, n);
	uint16_t scheme = scheme_of(s);
	enum err err;

	if (!sig) {
		*sig_n = (size_t)EVP_PKEY_get_size(s->key->public);
		return 1;
	}
	if (!scheme)
		return 0;
	if (s->md) {
		if (!EVP_Digest(data, n, digest, &digest_n, s->md, NULL))
			return 0;
		input = view_of(digest, digest_n);
	}
	err = s->key->signer->sign(s->key->signer->ctx, s->key->index, scheme, input, &out);
	if (err || out.n == 0 || out.n > room) {
		ERR_raise(ERR_LIB_PROV, PROV_R_FAILED_TO_SIGN);
		return 0;
	}
	memcpy(sig, out.p, out.n);
	*sig_n = out.n;
	return 1;
}

static const OSSL_DISPATCH signatures[] = {
	FN(OSSL_FUNC_SIGNATURE_NEWCTX, signing_new),
	FN(OSSL_FUNC_SIGNATURE_FREECTX, signing_free),
	FN(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, signing_begin),
	FN(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, signing_sign),
	FN(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, signing_set_params),
	FN(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, signing_settable),
	{ 0, NULL },
};

/* ---- provider ---- */

#define PROPERTY "provider=" REMOTE_KEY_PROVIDER

static const OSSL_ALGORITHM key_list[] = {
	{ "RSA:rsaEncryption:1.2.840.113549.1.1.1", PROPERTY, rsa_keys, NULL },
	{ "EC:id-ecPublicKey:1.2.840.10045.2.1", PROPERTY, ec_keys, NULL },
	{ "ED25519:1.3.101.112", PROPERTY, ed25519_keys, NULL },
	{ NULL, NULL, NULL, NULL },
};

static const OSSL_ALGORITHM signature_list[] = {
	{ "RSA:rsaEncryption:1.2.840.113549.1.1.1", PROPERTY, signatures, NULL },
	{ "ECDSA", PROPERTY, signatures, NULL },
	{ "ED25519:1.3.101.112", PROPERTY, signatures, NULL },
	{ NULL, NULL, NULL, NULL },
};

static const OSSL_ALGORITHM *provider_query(void *provctx, int operation, int *no_cache)
{
	*no_cache = 0;
	switch (operation) {
	case OSSL_OP_KEYMGMT: return key_list;
	case OSSL_OP_SIGNATURE: return signature_list;
	default: return NULL;
	}
}

static const OSSL_DISPATCH provider_functions[] = {
	FN(OSSL_FUNC_PROVIDER_QUERY_OPERATION, provider_query),
	{ 0, NULL },
};

int remote_key_provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
			     const OSSL_DISPATCH **out, void **provctx)
{
	OSSL_FUNC_core_get_libctx_fn *get_libctx = NULL;

	for (; in->function_id; in++)
		if (in->function_id == OSSL_FUNC_CORE_GET_LIBCTX)
			get_libctx = OSSL_FUNC_core_get_libctx(in);
	if (!get_libctx)
		return 0;
	*provctx = get_libctx(handle);
	*out = provider_functions;
	return *provctx != NULL;
}

/* ---- making one ---- */

static const char *type_of(const EVP_PKEY *public)
{
	static const char *const types[] = { "RSA", "EC", "ED25519" };

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (EVP_PKEY_is_a(public, types[i]))
			return types[i];
	return NULL;
}

enum err remote_key_new(struct tls_env *env, EVP_PKEY *public, const struct remote_signer *signer,
			uint32_t index, EVP_PKEY **ret)
{
	const char *type = type_of(public);
	EVP_PKEY_CTX *c = NULL;
	EVP_PKEY *key = NULL;
	OSSL_PARAM *half = NULL, *all = NULL;
	void *at = (void *)(uintptr_t)signer;
	OSSL_PARAM ours[] = {
		OSSL_PARAM_construct_octet_ptr(PARAM_SIGNER, &at, sizeof(*signer)),
		OSSL_PARAM_construct_uint32(PARAM_INDEX, &index),
		OSSL_PARAM_construct_end(),
	};

	if (!type)
		return ERR_UNSUPPORTED;
	if (EVP_PKEY_todata(public, EVP_PKEY_PUBLIC_KEY, &half))
		all = OSSL_PARAM_merge(half, ours);
	if (all)
		c = EVP_PKEY_CTX_new_from_name(env->lib, type, PROPERTY);
	if (c && EVP_PKEY_fromdata_init(c) == 1 &&
	    EVP_PKEY_fromdata(c, &key, EVP_PKEY_KEYPAIR, all) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(c);
	OPENSSL_free(all); /* a shallow merge: the values belong to half and ours */
	OSSL_PARAM_free(half);
	if (!key)
		return ERR_CRYPTO;
	*ret = key;
	return OK;
}
