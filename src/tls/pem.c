/*
 * tls/pem.c: see pem.h.
 */
#include "tls/pem.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/ascii.h"

/* Never ask a person for a passphrase. */
static int no_passphrase(char *to, int n, int writing, void *ctx)
{
	return -1;
}

static BIO *open_text(struct view pem)
{
	return pem.n <= PEM_TEXT_MAX ? BIO_new_mem_buf(pem.p ? pem.p : "", (int)pem.n) : NULL;
}

static enum err read_certificates(struct tls_env *env, BIO *b, int max, STACK_OF(X509) * chain)
{
	for (;;) {
		X509 *x = X509_new_ex(env->lib, TLS_PROPERTIES);

		if (!x)
			return ERR_NOMEM;
		if (!PEM_read_bio_X509(b, &x, no_passphrase, NULL)) {
			X509_free(x);
			break;
		}
		if (sk_X509_num(chain) >= max || !sk_X509_push(chain, x)) {
			X509_free(x);
			return ERR_LIMIT;
		}
	}
	/* The text must end where no further certificate begins. */
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE || sk_X509_num(chain) == 0)
		return ERR_SYNTAX;
	return OK;
}

enum err pem_read_chain(struct tls_env *env, struct view pem, int max, STACK_OF(X509) * *ret)
{
	BIO *b = open_text(pem);
	STACK_OF(X509) *chain = sk_X509_new_null();
	enum err err = b && chain ? read_certificates(env, b, max, chain) : ERR_LIMIT;

	BIO_free(b);
	ERR_clear_error();
	if (err) {
		sk_X509_pop_free(chain, X509_free);
		return err;
	}
	*ret = chain;
	return OK;
}

enum err pem_read_key(struct tls_env *env, struct view pem, EVP_PKEY **ret)
{
	BIO *b = open_text(pem);
	EVP_PKEY *key = b ? PEM_read_bio_PrivateKey_ex(b, NULL, no_passphrase, NULL, env->lib,
						       "provider=default")
			  : NULL;

	BIO_free(b);
	ERR_clear_error();
	if (!key)
		return ERR_SYNTAX;
	*ret = key;
	return OK;
}

/* Move what was written to a memory BIO into out; wipes the BIO's copy with it. */
static enum err collect(BIO *b, int written, struct buf *out)
{
	char *p = NULL;
	long n = b ? BIO_get_mem_data(b, &p) : 0;

	if (written == 1 && n > 0) {
		buf_add(out, view_of(p, (size_t)n));
		OPENSSL_cleanse(p, (size_t)n);
	}
	BIO_free(b);
	return written == 1 ? buf_err(out) : ERR_CRYPTO;
}

enum err pem_write_certificate(X509 *certificate, struct buf *out)
{
	BIO *b = BIO_new(BIO_s_mem());

	return collect(b, b ? PEM_write_bio_X509(b, certificate) : 0, out);
}

enum err pem_write_chain(STACK_OF(X509) * chain, struct buf *out)
{
	enum err err = OK;

	for (int i = 0; !err && i < sk_X509_num(chain); i++)
		err = pem_write_certificate(sk_X509_value(chain, i), out);
	return err;
}

enum err pem_clean_chain(struct tls_env *env, struct view pem, int max, struct buf *out)
{
	STACK_OF(X509) *chain = NULL;
	enum err err = pem_read_chain(env, pem, max, &chain);

	if (err)
		return err;
	err = pem_write_chain(chain, out);
	sk_X509_pop_free(chain, X509_free);
	return err;
}

enum err pem_write_key(EVP_PKEY *key, struct buf *out)
{
	BIO *b = BIO_new(BIO_s_mem());

	return collect(b,
		       b ? PEM_write_bio_PKCS8PrivateKey(b, key, NULL, NULL, 0, no_passphrase, NULL)
			 : 0,
		       out);
}

/* Names come from outside: what is no graphic ASCII is left out. */
static void add_name(struct buf *out, struct view name)
{
	if (out->n > 0)
		buf_add_char(out, ' ');
	for (size_t i = 0; i < name.n; i++)
		if (ascii_is_graph(view_at(name, i)))
			buf_add_char(out, name.p[i]);
}

static void add_address(struct buf *out, struct view ip)
{
	char room[64] = "";

	if (ip.n == 4) {
		snprintf(room, sizeof(room), "%u.%u.%u.%u", view_at(ip, 0), view_at(ip, 1),
			 view_at(ip, 2), view_at(ip, 3));
	} else if (ip.n == 16) {
		size_t at = 0;

		for (size_t i = 0; i < 16; i += 2)
			at += (size_t)snprintf(room + at, sizeof(room) - at, "%s%x", i ? ":" : "",
					       view_at(ip, i) << 8 | view_at(ip, i + 1));
	}
	add_name(out, view_str(room));
}

void pem_names(X509 *certificate, struct buf *out)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
		const ASN1_STRING *text;

		if (g->type != GEN_DNS && g->type != GEN_IPADD)
			continue;
		text = g->type == GEN_DNS ? g->d.dNSName : g->d.iPAddress;
		struct view v =
			view_of(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));

		if (g->type == GEN_DNS)
			add_name(out, v);
		else
			add_address(out, v);
	}
	GENERAL_NAMES_free(names);
}

static enum err seconds_of(const ASN1_TIME *t, int64_t *ret)
{
	ASN1_TIME *zero = ASN1_TIME_set(NULL, 0);
	int days = 0, seconds = 0;
	int ok = zero && ASN1_TIME_diff(&days, &seconds, zero, t);

	ASN1_TIME_free(zero);
	if (!ok)
		return ERR_SYNTAX;
	*ret = (int64_t)days * 86400 + seconds;
	return OK;
}

enum err pem_validity(X509 *certificate, int64_t *ret_from, int64_t *ret_until)
{
	int64_t from, until;
	enum err err = seconds_of(X509_get0_notBefore(certificate), &from);

	if (!err)
		err = seconds_of(X509_get0_notAfter(certificate), &until);
	if (err)
		return err;
	*ret_from = from;
	*ret_until = until;
	return OK;
}
