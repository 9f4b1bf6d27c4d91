/*
 * tls/ticket.c: see ticket.h.
 */
#include "tls/ticket.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "sys/clock.h"
#include "sys/file.h"

/* What OpenSSL wants of the callback. */
enum { CALLBACK_ERROR = -1, CALLBACK_NO_TICKET = 0, CALLBACK_OK = 1, CALLBACK_RENEW = 2 };

static void key_new(struct ticket_key *k, int64_t now)
{
	random_bytes(k->name, sizeof(k->name));
	random_bytes(k->cipher, sizeof(k->cipher));
	random_bytes(k->mac, sizeof(k->mac));
	k->born = now;
}

enum err ticket_keys_init(struct ticket_keys *t, OSSL_LIB_CTX *lib)
{
	*t = (struct ticket_keys){ .cipher = EVP_CIPHER_fetch(lib, "AES-256-CBC", NULL) };
	if (!t->cipher)
		return ERR_CRYPTO;
	key_new(&t->current, clock_mono_ms());
	return OK;
}

void ticket_keys_done(struct ticket_keys *t)
{
	EVP_CIPHER_free(t->cipher);
	OPENSSL_cleanse(t, sizeof(*t));
}

static bool key_is_old(const struct ticket_key *k, int64_t now)
{
	return now - k->born >= (int64_t)TICKET_LIFE * 1000;
}

static void rotate(struct ticket_keys *t)
{
	int64_t now = clock_mono_ms();

	if (t->previous.born && now - t->previous.born >= 2 * (int64_t)TICKET_LIFE * 1000)
		OPENSSL_cleanse(&t->previous, sizeof(t->previous));
	if (!key_is_old(&t->current, now))
		return;
	t->previous = t->current;
	if (now - t->previous.born >= 2 * (int64_t)TICKET_LIFE * 1000)
		OPENSSL_cleanse(&t->previous, sizeof(t->previous));
	key_new(&t->current, now);
}

static const struct ticket_key *find(const struct ticket_keys *t, const unsigned char *name)
{
	struct view wanted = view_of(name, TICKET_NAME);

	if (view_eq(wanted, view_of(t->current.name, TICKET_NAME)))
		return &t->current;
	if (t->previous.born && view_eq(wanted, view_of(t->previous.name, TICKET_NAME)))
		return &t->previous;
	return NULL;
}

static bool set_mac(EVP_MAC_CTX *mac, const struct ticket_key *k)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)k->mac,
						  sizeof(k->mac)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, params) == 1;
}

int ticket_keys_use(struct ticket_keys *t, unsigned char *name, unsigned char *iv,
		    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt)
{
	const struct ticket_key *k;

	rotate(t);
	if (encrypt) {
		k = &t->current;
		memcpy(name, k->name, TICKET_NAME);
		random_bytes(iv, (size_t)EVP_CIPHER_get_iv_length(t->cipher));
	} else {
		k = find(t, name);
		if (!k)
			return CALLBACK_NO_TICKET;
	}
	if (!EVP_CipherInit_ex2(cipher, t->cipher, k->cipher, iv, encrypt, NULL) ||
	    !set_mac(mac, k))
		return CALLBACK_ERROR;
	return !encrypt && k == &t->previous ? CALLBACK_RENEW : CALLBACK_OK;
}
