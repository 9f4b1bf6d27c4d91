/*
 * tls/ticket.h: the keys under which session tickets are sealed.
 *
 * They exist in this process only, are drawn at random, replaced every TICKET_LIFE and forgotten after
 * twice that: who later takes the process cannot open older sessions.
 */
#ifndef TLS_TICKET_H
#define TLS_TICKET_H

#include <openssl/types.h>

#include "base/view.h"

enum {
	TICKET_LIFE = 6 * 3600, /* seconds; also how long a session may be resumed */
	TICKET_NAME = 16,
	TICKET_KEY = 32,
};

struct ticket_key {
	uint8_t name[TICKET_NAME];
	uint8_t cipher[TICKET_KEY];
	uint8_t mac[TICKET_KEY];
	int64_t born; /* clock_mono_ms; 0: no key */
};

struct ticket_keys {
	struct ticket_key current, previous;
	EVP_CIPHER *cipher;
};

MUST_USE enum err ticket_keys_init(struct ticket_keys *t, OSSL_LIB_CTX *lib);
/* Wipes. */
void ticket_keys_done(struct ticket_keys *t);
/* For SSL_CTX_set_tlsext_ticket_key_evp_cb; encrypt: a new ticket. */
int ticket_keys_use(struct ticket_keys *t, unsigned char *name, unsigned char *iv,
		    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt);

#endif
