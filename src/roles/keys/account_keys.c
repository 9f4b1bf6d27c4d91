/*
 * roles/keys/account_keys.c: see account_keys.h.
 *
 *	magic 8 | account 8 | state 1 | nonce 24 | box of count * (generation 4 | key 32)
 */
#include "account_keys.h"

#include <sodium.h>

#include "base/num.h"

#define MAGIC "PHACKEY1"

enum {
	STATE_ERASED = 0,
	STATE_LIVE = 1,
	HEADER = 8 + 8 + 1, /* also the additional data of the box */
	NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
	TAG = crypto_aead_xchacha20poly1305_ietf_ABYTES,
	RECORD = 4 + ACCOUNT_KEY_OCTETS,
	PLAIN_MAX = ACCOUNT_GENERATIONS_MAX * RECORD,
};

void account_keys_wipe(struct account_keys *k)
{
	sodium_memzero(k, sizeof(*k));
}

void account_keys_make(struct account_keys *ret)
{
	account_keys_wipe(ret);
	ret->count = 1;
	ret->at[0].generation = 1;
	randombytes_buf(ret->at[0].key, sizeof(ret->at[0].key));
}

static void add_header(struct buf *out, uint64_t account, char state)
{
	char room[8];

	num_put64(room, account);
	buf_add(out, VIEW(MAGIC));
	buf_add(out, view_of(room, sizeof(room)));
	buf_add_char(out, state);
}

void account_keys_seal_erased(uint64_t account, struct buf *out)
{
	add_header(out, account, STATE_ERASED);
}

void account_keys_seal(const uint8_t *server_key, uint64_t account, const struct account_keys *k,
		       struct buf *out)
{
	size_t from = out->n;
	uint8_t nonce[NONCE], plain[PLAIN_MAX], box[PLAIN_MAX + TAG];
	unsigned long long n = 0;

	ASSERT(k->count >= 1 && k->count <= ACCOUNT_GENERATIONS_MAX);
	for (size_t i = 0; i < k->count; i++) {
		num_put32(plain + i * RECORD, k->at[i].generation);
		memcpy(plain + i * RECORD + 4, k->at[i].key, ACCOUNT_KEY_OCTETS);
	}
	add_header(out, account, STATE_LIVE);
	randombytes_buf(nonce, sizeof(nonce));
	buf_add(out, view_of(nonce, sizeof(nonce)));
	if (!buf_err(out)) {
		crypto_aead_xchacha20poly1305_ietf_encrypt(box, &n, plain, k->count * RECORD,
							   (const uint8_t *)out->p + from, HEADER,
							   NULL, nonce, server_key);
		buf_add(out, view_of(box, (size_t)n));
	}
	sodium_memzero(plain, sizeof(plain));
}

static void unpack(const uint8_t *plain, size_t n, struct account_keys *ret)
{
	ret->count = n / RECORD;
	for (size_t i = 0; i < ret->count; i++) {
		ret->at[i].generation = num_get32(plain + i * RECORD);
		memcpy(ret->at[i].key, plain + i * RECORD + 4, ACCOUNT_KEY_OCTETS);
	}
}

enum err account_keys_open(const uint8_t *server_key, uint64_t account, struct view file,
			   struct account_keys *ret)
{
	uint8_t plain[PLAIN_MAX];
	unsigned long long n = 0;
	struct view box = view_from(file, HEADER + NONCE);
	enum err err = OK;

	if (file.n < HEADER || !view_starts(file, VIEW(MAGIC)))
		return ERR_CORRUPT;
	if (num_get64(file.p + 8) != account)
		return ERR_CRYPTO;
	if (view_at(file, HEADER - 1) == STATE_ERASED)
		return file.n == HEADER ? ERR_DENIED : ERR_CORRUPT;
	if (view_at(file, HEADER - 1) != STATE_LIVE || box.n < TAG + RECORD ||
	    box.n > PLAIN_MAX + TAG || (box.n - TAG) % RECORD)
		return ERR_CORRUPT;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(
		    plain, &n, NULL, (const uint8_t *)box.p, box.n, (const uint8_t *)file.p, HEADER,
		    (const uint8_t *)file.p + HEADER, server_key))
		err = ERR_CRYPTO;
	else
		unpack(plain, (size_t)n, ret);
	sodium_memzero(plain, sizeof(plain));
	return err;
}
