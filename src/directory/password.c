/*
 * directory/password.c: see password.h.  What is stored, and how it is made and checked; what makes a
 * password good is in password_rules.c.
 */
#include "directory/password.h"

#include <errno.h>

#include <openssl/evp.h>
#include <sodium.h>
#include <utf8proc.h>

#include "base/ascii.h"

_Static_assert((int)PASSWORD_ARGON2ID_MAX == (int)crypto_pwhash_argon2id_STRBYTES,
	       "text of a hash");
_Static_assert((int)PASSWORD_SALT_LEN == (int)crypto_pwhash_argon2id_SALTBYTES, "salt of a hash");
_Static_assert((int)PASSWORD_KEY_LEN == (int)crypto_auth_hmacsha256_BYTES, "SHA-256");

enum err password_init(void)
{
	return sodium_init() < 0 ? ERR_IO : OK;
}

static utf8proc_int32_t space_point(utf8proc_int32_t c, void *data)
{
	(void)data;
	return utf8proc_category(c) == UTF8PROC_CATEGORY_ZS ? ' ' : c;
}

static bool is_plain(struct view v)
{
	for (size_t i = 0; i < v.n; i++)
		if (!ascii_is_print(view_at(v, i)))
			return false;
	return true;
}

/* Octets below 0x20 and 0x7f; the C1 controls are two octets c2 80..c2 9f. */
static bool has_controls(struct view v)
{
	for (size_t i = 0; i < v.n; i++) {
		if (ascii_is_ctl(view_at(v, i)))
			return true;
		if (view_at(v, i) == 0xc2 && i + 1 < v.n && view_at(v, i + 1) < 0xa0)
			return true;
	}
	return false;
}

enum err password_prepare(struct view password, struct buf *out)
{
	utf8proc_uint8_t *to = NULL;
	utf8proc_ssize_t n;
	enum err err;

	if (password.n > PASSWORD_MAX)
		return ERR_LIMIT;
	if (password.n == 0 || has_controls(password))
		return ERR_SYNTAX;
	if (is_plain(password)) {
		buf_add(out, password);
		return buf_err(out);
	}
	n = utf8proc_map_custom((const utf8proc_uint8_t *)password.p, (utf8proc_ssize_t)password.n,
				&to, UTF8PROC_STABLE | UTF8PROC_COMPOSE, space_point, NULL);
	if (n < 0)
		return n == UTF8PROC_ERROR_NOMEM ? ERR_NOMEM : ERR_SYNTAX;
	if (n > PASSWORD_MAX)
		err = ERR_LIMIT;
	else {
		buf_add(out, view_of(to, (size_t)n));
		err = buf_err(out);
	}
	sodium_memzero(to, (size_t)n);
	free(to);
	return err;
}

void password_generate(struct buf *out)
{
	static const char letters[] = "abcdefghjkmnpqrstuvwxyz023456789"; /* 32: five bits each */
	uint8_t random[PASSWORD_GENERATED_BITS / 5];

	_Static_assert(sizeof(letters) - 1 == 32, "five bits");
	randombytes_buf(random, sizeof(random));
	for (size_t i = 0; i < sizeof(random); i++) {
		if (i > 0 && i % 4 == 0)
			buf_add_char(out, '-');
		buf_add_char(out, letters[random[i] % 32]);
	}
	sodium_memzero(random, sizeof(random));
}

static void hmac(const uint8_t key[PASSWORD_KEY_LEN], const char *text,
		 uint8_t ret[PASSWORD_KEY_LEN])
{
	crypto_auth_hmacsha256(ret, (const uint8_t *)text, strlen(text), key);
}

/* StoredKey = H(HMAC(SaltedPassword, "Client Key")), ServerKey = HMAC(SaltedPassword, "Server Key")
 * RFC 5802#3 */
static enum err derive_scram(struct view password, uint64_t iterations, struct verifiers *v)
{
	uint8_t salted[PASSWORD_KEY_LEN];
	uint8_t client[PASSWORD_KEY_LEN];

	randombytes_buf(v->scram_salt, sizeof(v->scram_salt));
	v->scram_iterations = (uint32_t)iterations;
	if (PKCS5_PBKDF2_HMAC(password.p, (int)password.n, v->scram_salt, sizeof(v->scram_salt),
			      (int)iterations, EVP_sha256(), sizeof(salted), salted) != 1)
		return ERR_NOMEM;
	hmac(salted, "Client Key", client);
	crypto_hash_sha256(v->scram_stored_key, client, sizeof(client));
	hmac(salted, "Server Key", v->scram_server_key);
	sodium_memzero(salted, sizeof(salted));
	sodium_memzero(client, sizeof(client));
	v->has_scram = true;
	return OK;
}

enum err password_derive(struct view password, const struct password_cost *cost,
			 struct verifiers *ret)
{
	struct verifiers v = { .has_argon2id = true };
	enum err err;

	if (crypto_pwhash_argon2id_str(v.argon2id, password.p, password.n, cost->passes,
				       (size_t)cost->memory))
		return ERR_NOMEM;
	err = derive_scram(password, cost->iterations, &v);
	if (!err)
		*ret = v;
	return err;
}

/* The work of a check whose outcome is known. */
static enum err verify_nobody(struct view password, const struct password_cost *cost)
{
	static const uint8_t salt[PASSWORD_SALT_LEN];
	uint8_t out[PASSWORD_KEY_LEN];

	if (crypto_pwhash_argon2id(out, sizeof(out), password.p, password.n, salt, cost->passes,
				   (size_t)cost->memory, crypto_pwhash_argon2id_ALG_ARGON2ID13))
		return ERR_NOMEM;
	return ERR_CRYPTO;
}

enum err password_verify(struct view password, const struct verifiers *v,
			 const struct password_cost *cost)
{
	if (!v || !v->has_argon2id)
		return verify_nobody(password, cost);
	errno = 0;
	if (crypto_pwhash_argon2id_str_verify(v->argon2id, password.p, password.n) == 0)
		return OK;
	return errno == ENOMEM ? ERR_NOMEM : ERR_CRYPTO;
}

bool password_outdated(const struct verifiers *v, const struct password_cost *cost)
{
	return !v->has_argon2id || !v->has_scram || v->scram_iterations != cost->iterations ||
	       crypto_pwhash_argon2id_str_needs_rehash(v->argon2id, cost->passes,
						       (size_t)cost->memory) != 0;
}
