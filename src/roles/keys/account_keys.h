/*
 * roles/keys/account_keys.h: the keys under which the mail of one account is stored, wrapped by the
 * server key.
 *
 * A file keys/account-ID.key holds all generations in one authenticated box (XChaCha20-Poly1305) that is
 * bound to the account's number, so that no file can be put in another's place and no generation can be
 * cut off.  An erased account keeps a file without a box: its mail can never be read again, and no new
 * key silently takes the old one's place.
 */
#ifndef KEYS_ACCOUNT_KEYS_H
#define KEYS_ACCOUNT_KEYS_H

#include "base/buf.h"

enum {
	SERVER_KEY_OCTETS = 32,
	ACCOUNT_KEY_OCTETS = 32,
	ACCOUNT_GENERATIONS_MAX = 16, /* account_key.ipc */
	ACCOUNT_FILE_MAX = 1024,
};

struct account_key {
	uint32_t generation;
	uint8_t key[ACCOUNT_KEY_OCTETS];
};

/* A secret: account_keys_wipe when done. */
struct account_keys {
	size_t count;
	struct account_key at[ACCOUNT_GENERATIONS_MAX]; /* oldest first */
};

void account_keys_wipe(struct account_keys *k);
/* One key of generation 1. */
void account_keys_make(struct account_keys *ret);

/* The content of the file. */
void account_keys_seal(const uint8_t *server_key, uint64_t account, const struct account_keys *k,
		       struct buf *out);
void account_keys_seal_erased(uint64_t account, struct buf *out);
/* ERR_CORRUPT: no such file content; ERR_CRYPTO: changed, of another account or server key;
 * ERR_DENIED: the key was erased. */
MUST_USE enum err account_keys_open(const uint8_t *server_key, uint64_t account, struct view file,
				    struct account_keys *ret);

#endif
