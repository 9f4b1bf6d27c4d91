/*
 * tls/keygen.c: see keygen.h.
 */
#include "tls/keygen.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "sys/file.h"
#include "tls/pem.h"
#include "tls/remote_key.h"
#include "tls/server.h"

enum { SERIAL_OCTETS = 16, SLACK = 3600, RSA_BITS = 3072, RSA_BITS_MIN = 2048, SUBJECT_MAX = 64 };

static EVP_PKEY *key_make(struct tls_env *env, enum keygen_type type)
{
	const char *standard = "provider=default";

	switch (type) {
	case KEYGEN_P256: return EVP_PKEY_Q_keygen(env->lib, standard, "EC", "P-256");
	case KEYGEN_RSA3072: return EVP_PKEY_Q_keygen(env->lib, standard, "RSA", (size_t)RSA_BITS);
	case KEYGEN_ED25519: return EVP_PKEY_Q_keygen(env->lib, standard, "ED25519");
	}
	return NULL;
}

static bool set_serial(X509 *x)
{
	unsigned char octets[SERIAL_OCTETS];
	BIGNUM *n;
	bool ok;

	random_bytes(octets, sizeof(octets));
	octets[0] = (unsigned char)((octets[0] & 0x7f) | 0x40); /* positive, of constant length */
	n = BN_bin2bn(octets, sizeof(octets), NULL);
	ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x));
	BN_free(n);
	return ok;
}

static bool set_validity(X509 *x, int64_t now, int days)
{
	return ASN1_TIME_set(X509_getm_notBefore(x), now - SLACK) &&
	       ASN1_TIME_set(X509_getm_notAfter(x), now + (int64_t)days * 86400);
}

static bool add_name(X509_NAME *n, struct view text)
{
	struct view cut = view_head(text, SUBJECT_MAX);

	return X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_UTF8, (const unsigned char *)cut.p,
					  (int)cut.n, -1, 0) == 1;
}

static bool add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;
	bool ok;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = e && X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
	return ok;
}

/* Serial, times, key and subject; the rest differs. */
static X509 *certificate_new(struct tls_env *env, EVP_PKEY *key, struct view subject, int64_t now,
			     int days)
{
	X509 *x = X509_new_ex(env->lib, TLS_PROPERTIES);

	if (x && X509_set_version(x, X509_VERSION_3) && set_serial(x) &&
	    set_validity(x, now, days) && X509_set_pubkey(x, key) &&
	    add_name(X509_get_subject_name(x), subject))
		return x;
	X509_free(x);
	return NULL;
}

enum err keygen_authority(struct tls_env *env, const char *name, int64_t now, struct buf *key,
			  struct buf *certificate)
{
	EVP_PKEY *k = key_make(env, KEYGEN_P256);
	X509 *x = k ? certificate_new(env, k, view_str(name), now, KEYGEN_CA_DAYS) : NULL;
	bool ok = x && X509_set_issuer_name(x, X509_get_subject_name(x)) &&
		  add_extension(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
		  add_extension(x, x, NID_key_usage, "critical,keyCertSign,cRLSign") &&
		  add_extension(x, x, NID_subject_key_identifier, "hash") &&
		  X509_sign(x, k, EVP_sha256()) > 0;
	enum err err = ok ? pem_write_key(k, key) : ERR_CRYPTO;

	if (!err)
		err = pem_write_certificate(x, certificate);
	X509_free(x);
	EVP_PKEY_free(k);
	ERR_clear_error();
	return err;
}

/* One name into the list of the certificate. */
static enum err push_name(GENERAL_NAMES *list, struct view name)
{
	unsigned char ip[16];
	char *text = view_to_cstr(name);
	int ip_n = 0;
	GENERAL_NAME *g = GENERAL_NAME_new();
	ASN1_STRING *s = NULL;

	if (text && inet_pton(AF_INET, text, ip) == 1)
		ip_n = 4;
	else if (text && inet_pton(AF_INET6, text, ip) == 1)
		ip_n = 16;
	if (text && g && name.n > 0)
		s = ip_n ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
	if (!s || !ASN1_STRING_set(s, ip_n ? (const void *)ip : text, ip_n ? ip_n : (int)name.n)) {
		ASN1_STRING_free(s);
		GENERAL_NAME_free(g);
		free(text);
		return ERR_SYNTAX;
	}
	GENERAL_NAME_set0_value(g, ip_n ? GEN_IPADD : GEN_DNS, s);
	free(text);
	if (sk_GENERAL_NAME_push(list, g))
		return OK;
	GENERAL_NAME_free(g);
	return ERR_NOMEM;
}

static enum err add_names(X509 *x, const struct keygen_request *r)
{
	GENERAL_NAMES *list = sk_GENERAL_NAME_new_null();
	enum err err = list ? OK : ERR_NOMEM;

	for (size_t i = 0; !err && i < r->name_count; i++)
		err = push_name(list, r->names[i]);
	if (!err && X509_add1_ext_i2d(x, NID_subject_alt_name, list, 0, 0) != 1)
		err = ERR_CRYPTO;
	GENERAL_NAMES_free(list);
	return err;
}

static enum err server_certificate(struct tls_env *env, const struct keygen_request *r,
				   EVP_PKEY *key, EVP_PKEY *ca_key, X509 *ca, X509 **ret)
{
	X509 *x = certificate_new(env, key, r->names[0], r->now, r->days);
	bool ok = x && X509_set_issuer_name(x, X509_get_subject_name(ca)) &&
		  add_extension(x, ca, NID_basic_constraints, "critical,CA:FALSE") &&
		  add_extension(x, ca, NID_key_usage, "critical,digitalSignature") &&
		  add_extension(x, ca, NID_ext_key_usage, "serverAuth") &&
		  add_extension(x, ca, NID_subject_key_identifier, "hash") &&
		  add_extension(x, ca, NID_authority_key_identifier, "keyid:always");
	enum err err = ok ? add_names(x, r) : ERR_CRYPTO;

	if (!err && X509_sign(x, ca_key, EVP_sha256()) <= 0)
		err = ERR_CRYPTO;
	if (err) {
		X509_free(x);
		return err;
	}
	*ret = x;
	return OK;
}

enum err keygen_server(struct tls_env *env, const struct keygen_request *r, struct buf *key,
		       struct buf *chain)
{
	EVP_PKEY *ca_key = NULL, *k = NULL;
	STACK_OF(X509) *ca = NULL;
	X509 *x = NULL;
	enum err err;

	if (r->name_count == 0 || r->name_count > KEYGEN_NAMES_MAX)
		return ERR_LIMIT;
	err = pem_read_key(env, r->ca_key, &ca_key);
	if (!err)
		err = pem_read_chain(env, r->ca_certificate, 1, &ca);
	if (!err && !(k = key_make(env, r->type)))
		err = ERR_CRYPTO;
	if (!err)
		err = server_certificate(env, r, k, ca_key, sk_X509_value(ca, 0), &x);
	if (!err)
		err = pem_write_key(k, key);
	if (!err)
		err = pem_write_certificate(x, chain);
	if (!err)
		err = pem_write_chain(ca, chain);
	X509_free(x);
	sk_X509_pop_free(ca, X509_free);
	EVP_PKEY_free(k);
	EVP_PKEY_free(ca_key);
	ERR_clear_error();
	return err;
}

/* What TLS peers take from us: P-256, P-384, P-521, Ed25519, RSA of 2048 bits and more. */
static bool key_is_usable(const EVP_PKEY *key, struct keygen_report *report)
{
	static const char *const types[] = { "EC", "RSA", "ED25519" };

	report->bits = EVP_PKEY_get_bits(key);
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (!EVP_PKEY_is_a(key, types[i]))
			continue;
		snprintf(report->type, sizeof(report->type), "%s", types[i]);
		return !EVP_PKEY_is_a(key, "RSA") || report->bits >= RSA_BITS_MIN;
	}
	return false;
}

enum err keygen_check(struct tls_env *env, struct view chain, struct view key,
		      struct keygen_report *ret, struct buf *names)
{
	STACK_OF(X509) *certificates = NULL;
	EVP_PKEY *k = NULL;
	struct keygen_report report = { 0 };
	X509 *leaf;
	enum err err = pem_read_chain(env, chain, TLS_CHAIN_MAX, &certificates);

	if (!err)
		err = pem_read_key(env, key, &k);
	if (err)
		goto out;
	leaf = sk_X509_value(certificates, 0);
	err = pem_validity(leaf, &report.from, &report.until);
	if (!err && X509_check_private_key(leaf, k) != 1)
		err = ERR_CRYPTO;
	if (!err && !key_is_usable(k, &report))
		err = ERR_UNSUPPORTED;
	if (!err) {
		pem_names(leaf, names);
		err = buf_err(names);
	}
	if (!err)
		*ret = report;
out:
	sk_X509_pop_free(certificates, X509_free);
	EVP_PKEY_free(k);
	ERR_clear_error();
	return err;
}
