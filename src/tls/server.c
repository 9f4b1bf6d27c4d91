/*
 * tls/server.c: see server.h.
 *
 * One SSL_CTX per group of certificates with the same names.  Every connection begins with the first;
 * the name that the client sends moves it to another.
 */
#include "tls/server.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "tls/pem.h"

/* Server's order: the list of internet.nl, "good" before "sufficient". */
#define CIPHERS                                                                                    \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:"                             \
	"ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305:"                                 \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"

enum { TICKETS_PER_HANDSHAKE = 1 };

struct group {
	SSL_CTX *ctx;
	struct buf names; /* of its certificates, see pem_names */
	X509 *leaf; /* one of them, to match names */
};

struct tls_server {
	struct tls_env *env;
	const struct remote_signer *signer;
	struct ticket_keys tickets;
	struct group groups[TLS_CERTIFICATES_MAX];
	size_t group_count;
};

enum err tls_server_new(struct tls_env *env, const struct remote_signer *signer,
			struct tls_server **ret)
{
	struct tls_server *s = calloc(1, sizeof(*s));
	enum err err;

	if (!s)
		return ERR_NOMEM;
	s->env = env;
	s->signer = signer;
	err = ticket_keys_init(&s->tickets, env->lib);
	if (err) {
		free(s);
		return err;
	}
	*ret = s;
	return OK;
}

void tls_server_clear(struct tls_server *s)
{
	for (size_t i = 0; i < s->group_count; i++) {
		SSL_CTX_free(s->groups[i].ctx);
		X509_free(s->groups[i].leaf);
		buf_done(&s->groups[i].names);
	}
	s->group_count = 0;
}

void tls_server_free(struct tls_server *s)
{
	if (!s)
		return;
	tls_server_clear(s);
	ticket_keys_done(&s->tickets);
	free(s);
}

bool tls_server_ready(const struct tls_server *s)
{
	return s->group_count > 0;
}

struct tls_env *tls_server_env(struct tls_server *s)
{
	return s->env;
}

/* ---- callbacks ---- */

static int on_server_name(SSL *ssl, int *alert, void *ctx)
{
	struct tls_server *s = ctx;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	/* An unknown name is no error: mail servers are called by many. */
	for (size_t i = 0; name && i < s->group_count; i++) {
		if (X509_check_host(s->groups[i].leaf, name, 0, 0, NULL) != 1)
			continue;
		SSL_set_SSL_CTX(ssl, s->groups[i].ctx);
		break;
	}
	return SSL_TLSEXT_ERR_OK;
}

/* A client that asks for other protocols than ours is not talking to us (THREATS.md 2.5). */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
		   const unsigned char *in, unsigned in_n, void *ctx)
{
	const char *const *ours = SSL_get_app_data(ssl);

	for (; ours && *ours; ours++) {
		struct view offered = view_of(in, in_n);

		while (offered.n > 0) {
			struct view name = view_part(offered, 1, view_at(offered, 0));

			if (view_eq(name, view_str(*ours))) {
				*out = (const unsigned char *)name.p;
				*out_n = (unsigned char)name.n;
				return SSL_TLSEXT_ERR_OK;
			}
			offered = view_from(offered, 1U + view_at(offered, 0));
		}
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
		     EVP_MAC_CTX *mac, int encrypt)
{
	struct tls_server *s = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	return ticket_keys_use(&s->tickets, name, iv, cipher, mac, encrypt);
}

/* ---- certificates ---- */

static SSL_CTX *ctx_new(struct tls_server *s)
{
	SSL_CTX *ctx = SSL_CTX_new_ex(s->env->lib, TLS_PROPERTIES, TLS_server_method());

	if (!ctx)
		return NULL;
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					 SSL_OP_CIPHER_SERVER_PREFERENCE |
					 SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(ctx, TICKET_LIFE);
	SSL_CTX_set_app_data(ctx, s);
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	SSL_CTX_set_tlsext_servername_arg(ctx, s);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) &&
	    SSL_CTX_set_cipher_list(ctx, CIPHERS) && SSL_CTX_set_max_early_data(ctx, 0) &&
	    SSL_CTX_set_num_tickets(ctx, TICKETS_PER_HANDSHAKE))
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

/* The group of certificates for the same names, or a new one. */
static enum err group_for(struct tls_server *s, X509 *leaf, struct group **ret)
{
	struct buf CLEANUP(buf_done) names = BUF_INIT(PEM_NAMES_MAX);
	struct group *g;

	pem_names(leaf, &names);
	for (size_t i = 0; i < s->group_count; i++) {
		if (view_eq(buf_view(&s->groups[i].names), buf_view(&names))) {
			*ret = &s->groups[i];
			return OK;
		}
	}
	if (s->group_count == TLS_CERTIFICATES_MAX)
		return ERR_LIMIT;
	g = &s->groups[s->group_count];
	*g = (struct group){ .ctx = ctx_new(s) };
	if (!g->ctx)
		return ERR_CRYPTO;
	buf_init(&g->names, PEM_NAMES_MAX);
	buf_add(&g->names, buf_view(&names));
	X509_up_ref(leaf);
	g->leaf = leaf;
	s->group_count++;
	*ret = g;
	return OK;
}

enum err tls_server_add(struct tls_server *s, struct view chain_pem, uint32_t index)
{
	STACK_OF(X509) *chain = NULL;
	X509 *leaf = NULL;
	EVP_PKEY *key = NULL;
	struct group *g = NULL;
	enum err err = pem_read_chain(s->env, chain_pem, TLS_CHAIN_MAX, &chain);

	if (err)
		return err;
	leaf = sk_X509_shift(chain);
	err = remote_key_new(s->env, X509_get0_pubkey(leaf), s->signer, index, &key);
	if (!err)
		err = group_for(s, leaf, &g);
	if (!err && SSL_CTX_use_cert_and_key(g->ctx, leaf, key, chain, 1) != 1)
		err = ERR_CRYPTO;
	EVP_PKEY_free(key);
	X509_free(leaf);
	sk_X509_pop_free(chain, X509_free);
	ERR_clear_error();
	return err;
}

SSL *tls_server_ssl(struct tls_server *s, const char *const *protocols)
{
	SSL *ssl;
	const char *purpose = protocols && *protocols ? *protocols : "posthold";

	if (s->group_count == 0)
		return NULL;
	ssl = SSL_new(s->groups[0].ctx);
	if (!ssl)
		return NULL;
	SSL_set_app_data(ssl, (char *)(uintptr_t)protocols);
	/* A session of one protocol is never resumed in another. */
	SSL_set_session_id_context(ssl, (const unsigned char *)purpose,
				   (unsigned)size_min(strlen(purpose), SSL_MAX_SID_CTX_LENGTH));
	SSL_set_accept_state(ssl);
	return ssl;
}
