/*
 * roles/keys/key_store.h: the folder keys/: the server key and the wrapped account keys.
 *
 * server.key is made once, with the first account key after it; where account keys exist without it
 * nothing is made, because a new one would hide that all mail has become unreadable.
 */
#ifndef KEYS_KEY_STORE_H
#define KEYS_KEY_STORE_H

#include "account_keys.h"

struct key_store {
	int dir; /* borrowed */
	uint8_t *server_key; /* SERVER_KEY_OCTETS in guarded, locked memory */
};

/* Memory for the key; before the sandbox, which cannot lock memory. */
MUST_USE enum err key_store_init(struct key_store *s);
void key_store_done(struct key_store *s);
/* Read or make the server key.  ERR_NOTFOUND: it is missing although account keys exist; ERR_CORRUPT: it
 * has another length. */
MUST_USE enum err key_store_open(struct key_store *s, int dir);

/* The keys of an account, made at the first call.  Errors of account_keys_open, ERR_IO, ERR_FULL. */
MUST_USE enum err key_store_get(const struct key_store *s, uint64_t account,
				struct account_keys *ret);
/* For ever.  Also for an account that has no key yet. */
MUST_USE enum err key_store_erase(const struct key_store *s, uint64_t account);
/* How many accounts have a file. */
MUST_USE enum err key_store_count(const struct key_store *s, uint64_t *ret);

#endif
