/*
 * roles/auth/scram.c: see scram.h.
 */
#include "scram.h"

#include <sodium.h>

#include "base/encode.h"
#include "proto/sasl/plain.h"

enum {
	SERVER_NONCE_OCTETS = 18,
	NONCE_TEXT_MAX = SCRAM_NONCE_MAX + SERVER_NONCE_OCTETS * 4 / 3,
	SERVER_FIRST_MAX = NONCE_TEXT_MAX + 64,
	AUTH_MESSAGE_MAX = 2 * SCRAM_MESSAGE_MAX + SERVER_FIRST_MAX + 2,
};

void scram_init(struct scram *s)
{
	*s = (struct scram){ 0 };
	buf_init(&s->gs2, SCRAM_BINDING_MAX);
	buf_init(&s->name, SASL_NAME_MAX);
	buf_init(&s->bare, SCRAM_MESSAGE_MAX);
	buf_init(&s->nonce, NONCE_TEXT_MAX);
	buf_init(&s->server_first, SERVER_FIRST_MAX);
}

void scram_done(struct scram *s)
{
	buf_wipe(&s->gs2);
	buf_done(&s->gs2);
	buf_done(&s->name);
	buf_done(&s->bare);
	buf_done(&s->nonce);
	buf_done(&s->server_first);
	sodium_memzero(&s->verifiers, sizeof(s->verifiers));
}

/* What the client must prove that it sees of the connection.   RFC 5802#6 */
static enum err check_binding(const struct scram_first *f, bool plus,
			      const struct scram_bindings *b, struct view *ret_data)
{
	bool offered = b->exporter.n > 0 || b->end_point.n > 0;
	struct view data = VIEW_EMPTY;

	if (plus != (f->flag == SCRAM_FLAG_REQUIRED))
		return ERR_DENIED;
	if (f->flag == SCRAM_FLAG_UNUSED && offered)
		return ERR_DENIED;
	if (f->flag == SCRAM_FLAG_REQUIRED) {
		if (view_eq(f->binding_name, VIEW("tls-exporter")))
			data = b->exporter;
		else if (view_eq(f->binding_name, VIEW("tls-server-end-point")))
			data = b->end_point;
		if (data.n == 0)
			return ERR_UNSUPPORTED;
	}
	*ret_data = data;
	return OK;
}

/* Acting for another is not offered: an authzid must be the name itself. */
static enum err check_authzid(const struct scram_first *f, struct view name)
{
	struct buf CLEANUP(buf_done) authzid = BUF_INIT(SASL_NAME_MAX);
	enum err err;

	if (f->authzid.n == 0)
		return OK;
	err = scram_name_decode(f->authzid, &authzid);
	if (err)
		return err;
	return view_eq_nocase(buf_view(&authzid), name) ? OK : ERR_DENIED;
}

enum err scram_begin(struct scram *s, struct view message, bool plus,
		     const struct scram_bindings *bindings)
{
	struct scram_first first;
	struct view data = VIEW_EMPTY;
	uint8_t random[SERVER_NONCE_OCTETS];
	enum err err = scram_first_parse(message, &first);

	if (!err)
		err = check_binding(&first, plus, bindings, &data);
	if (!err)
		err = scram_name_decode(first.name, &s->name);
	if (!err)
		err = check_authzid(&first, buf_view(&s->name));
	if (err)
		return err;
	buf_add(&s->gs2, first.gs2_header);
	buf_add(&s->gs2, data);
	buf_add(&s->bare, first.bare);
	buf_add(&s->nonce, first.nonce);
	randombytes_buf(random, sizeof(random));
	base64_encode(&s->nonce, view_of(random, sizeof(random)));
	if (buf_err(&s->gs2) || buf_err(&s->bare) || buf_err(&s->nonce))
		return ERR_LIMIT;
	return OK;
}

enum err scram_challenge(struct scram *s, const struct verifiers *v, struct view *ret)
{
	s->verifiers = *v;
	scram_add_challenge(&s->server_first, buf_view(&s->nonce),
			    view_of(v->scram_salt, sizeof(v->scram_salt)), v->scram_iterations);
	if (buf_err(&s->server_first))
		return buf_err(&s->server_first);
	*ret = buf_view(&s->server_first);
	return OK;
}

static bool binding_matches(const struct scram *s, struct view base64)
{
	struct buf CLEANUP(buf_done) sent = BUF_INIT(SCRAM_BINDING_MAX);

	return base64_decode(&sent, base64) == OK &&
	       view_eq_secret(buf_view(&sent), buf_view(&s->gs2));
}

static void hmac(const uint8_t key[SCRAM_KEY_LEN], struct view text, uint8_t ret[SCRAM_KEY_LEN])
{
	crypto_auth_hmacsha256(ret, (const uint8_t *)text.p, text.n, key);
}

/* ClientKey = ClientProof XOR HMAC(StoredKey, AuthMessage); H(ClientKey) must be StoredKey   RFC 5802#3 */
static bool proof_matches(const struct scram *s, const uint8_t proof[SCRAM_KEY_LEN],
			  struct view auth_message)
{
	uint8_t key[SCRAM_KEY_LEN];
	uint8_t stored[SCRAM_KEY_LEN];
	bool same;

	hmac(s->verifiers.scram_stored_key, auth_message, key);
	for (size_t i = 0; i < SCRAM_KEY_LEN; i++)
		key[i] ^= proof[i];
	crypto_hash_sha256(stored, key, sizeof(key));
	same = sodium_memcmp(stored, s->verifiers.scram_stored_key, sizeof(stored)) == 0;
	sodium_memzero(key, sizeof(key));
	return same;
}

enum err scram_finish(struct scram *s, struct view message, struct buf *out)
{
	struct buf CLEANUP(buf_done) auth_message = BUF_INIT(AUTH_MESSAGE_MAX);
	struct scram_final final;
	uint8_t signature[SCRAM_KEY_LEN];
	enum err err = scram_final_parse(message, &final);
	bool good;

	if (err)
		return err;
	/* AuthMessage = client-first-bare "," server-first "," client-final-without-proof */
	buf_add(&auth_message, buf_view(&s->bare));
	buf_add_char(&auth_message, ',');
	buf_add(&auth_message, buf_view(&s->server_first));
	buf_add_char(&auth_message, ',');
	buf_add(&auth_message, final.without_proof);
	if (buf_err(&auth_message))
		return buf_err(&auth_message);
	/* All are looked at, so that the time says nothing about which was wrong. */
	good = view_eq_secret(final.nonce, buf_view(&s->nonce));
	good &= binding_matches(s, final.binding);
	good &= proof_matches(s, final.proof, buf_view(&auth_message));
	if (!good)
		return ERR_CRYPTO;
	hmac(s->verifiers.scram_server_key, buf_view(&auth_message), signature);
	scram_add_verifier(out, view_of(signature, sizeof(signature)));
	return buf_err(out);
}

/* One of two independent values for a name. */
static void name_hash(const uint8_t secret[32], uint8_t which, struct view name, uint8_t *ret,
		      size_t n)
{
	crypto_generichash_state state;

	(void)crypto_generichash_init(&state, secret, 32, n);
	(void)crypto_generichash_update(&state, &which, 1);
	(void)crypto_generichash_update(&state, (const uint8_t *)name.p, name.n);
	(void)crypto_generichash_final(&state, ret, n);
}

void scram_nobody(const uint8_t secret[32], struct view name, uint32_t iterations,
		  struct verifiers *ret)
{
	struct verifiers v = { .has_scram = true, .scram_iterations = iterations };

	name_hash(secret, 1, name, v.scram_salt, sizeof(v.scram_salt));
	/* A StoredKey whose ClientKey nobody knows, since nobody can invert SHA-256. */
	name_hash(secret, 2, name, v.scram_stored_key, sizeof(v.scram_stored_key));
	name_hash(secret, 3, name, v.scram_server_key, sizeof(v.scram_server_key));
	*ret = v;
}
