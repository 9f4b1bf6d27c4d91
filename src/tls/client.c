/*
 * tls/client.c: see client.h.
 */
#include "tls/client.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "tls/pem.h"
#include "tls/remote_key.h"

enum { SNI_MAX = 255 };

struct tls_client {
	struct tls_env *env;
	SSL_CTX *opportunistic, *strict;
	size_t roots;
};

static SSL_CTX *ctx_new(struct tls_env *env)
{
	SSL_CTX *ctx = SSL_CTX_new_ex(env->lib, TLS_PROPERTIES, TLS_client_method());

	if (!ctx)
		return NULL;
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_max_cert_list(ctx, TLS_CLIENT_CHAIN_MAX);
	SSL_CTX_set_purpose(ctx, X509_PURPOSE_SSL_SERVER);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION))
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

/* Where distributions keep the authorities in one file. */
static int load_system_roots(X509_STORE *store)
{
	static const char *const files[] = {
		"/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt",
		"/etc/ssl/cert.pem",
	};

	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (X509_STORE_load_file(store, files[i]))
			return 1;
	ERR_clear_error();
	return 0;
}

enum { ROOTS_MAX = 1000 };

static enum err load_roots(struct tls_client *c, X509_STORE *store, struct view pem)
{
	STACK_OF(X509) *roots = NULL;
	STACK_OF(X509_OBJECT) * all;
	enum err err = OK;

	if (pem.n == 0) {
		(void)load_system_roots(store);
	} else {
		err = pem_read_chain(c->env, pem, ROOTS_MAX, &roots);
		for (int i = 0; !err && i < sk_X509_num(roots); i++)
			if (!X509_STORE_add_cert(store, sk_X509_value(roots, i)))
				err = ERR_CRYPTO;
		sk_X509_pop_free(roots, X509_free);
	}
	all = X509_STORE_get0_objects(store);
	c->roots = all ? (size_t)sk_X509_OBJECT_num(all) : 0;
	return err;
}

enum err tls_client_new(struct tls_env *env, struct view roots_pem, struct tls_client **ret)
{
	struct tls_client *c = calloc(1, sizeof(*c));
	X509_STORE *store = X509_STORE_new();
	enum err err = c && store ? OK : ERR_NOMEM;

	if (!err) {
		c->env = env;
		c->opportunistic = ctx_new(env);
		c->strict = ctx_new(env);
		if (!c->opportunistic || !c->strict)
			err = ERR_CRYPTO;
	}
	if (!err)
		err = load_roots(c, store, roots_pem);
	if (!err) {
		SSL_CTX_set1_cert_store(c->opportunistic, store);
		SSL_CTX_set1_cert_store(c->strict, store);
		/* The chain is checked in both; here the result is only recorded. */
		SSL_CTX_set_verify(c->opportunistic, SSL_VERIFY_NONE, NULL);
		SSL_CTX_set_security_level(c->opportunistic, 0);
		SSL_CTX_set_verify(c->strict, SSL_VERIFY_PEER, NULL);
		if (!SSL_CTX_set_cipher_list(c->opportunistic, "HIGH:MEDIUM:!aNULL:!eNULL"))
			err = ERR_CRYPTO;
	}
	X509_STORE_free(store);
	if (err) {
		tls_client_free(c);
		return err;
	}
	*ret = c;
	return OK;
}

void tls_client_free(struct tls_client *c)
{
	if (!c)
		return;
	SSL_CTX_free(c->opportunistic);
	SSL_CTX_free(c->strict);
	free(c);
}

size_t tls_client_roots(const struct tls_client *c)
{
	return c->roots;
}

struct tls_env *tls_client_env(struct tls_client *c)
{
	return c->env;
}

static bool is_address(const char *name)
{
	unsigned char room[16];

	return inet_pton(AF_INET, name, room) == 1 || inet_pton(AF_INET6, name, room) == 1;
}

/* What the certificate must match, and what the server is told (never an address, RFC 6066#3). */
static bool set_name(SSL *ssl, const char *name)
{
	if (is_address(name))
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name);
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(ssl, name) && SSL_set_tlsext_host_name(ssl, name);
}

SSL *tls_client_ssl(struct tls_client *c, struct view name, bool verify)
{
	SSL *ssl;
	char *text;
	bool ok;

	if (name.n > SNI_MAX || (verify && name.n == 0))
		return NULL;
	ssl = SSL_new(verify ? c->strict : c->opportunistic);
	text = view_to_cstr(name);
	ok = ssl && text && (name.n == 0 || set_name(ssl, text));
	free(text);
	if (!ok) {
		SSL_free(ssl);
		ERR_clear_error();
		return NULL;
	}
	SSL_set_connect_state(ssl);
	return ssl;
}
