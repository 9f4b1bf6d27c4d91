/*
 * roles/keys/certificates.h: the certificates of this server and the private keys that belong to them.
 */
#ifndef KEYS_CERTIFICATES_H
#define KEYS_CERTIFICATES_H

#include "tls/env.h"

enum {
	CERTIFICATES_MAX = 16, /* as many as the supervisor hands over */
	CERTIFICATE_CHAIN_MAX = 15000, /* tls_keys.ipc */
	CERTIFICATE_NAMES_MAX = 1000,
};

struct certificate {
	struct buf chain; /* PEM, leaf first, nothing else in it */
	struct buf names; /* separated by spaces; cut at CERTIFICATE_NAMES_MAX */
	EVP_PKEY *key;
	int64_t from, until; /* seconds since 1970 */
	char type[16];
	uint32_t source; /* its place in the option certificate */
};

struct certificates {
	struct tls_env env;
	int chain_fd[CERTIFICATES_MAX], key_fd[CERTIFICATES_MAX];
	struct certificate at[CERTIFICATES_MAX];
	size_t count;
};

/* Before the sandbox. */
MUST_USE enum err certificates_init(struct certificates *c);
void certificates_done(struct certificates *c);
/* The open file number index of the option certificate or certificate_key; taken over. */
void certificates_take(struct certificates *c, bool is_key, uint64_t index, int fd);

/*
 * Read the files taken since the last time; they are closed.  A pair that cannot be used is left out
 * and told in why, one line each; when none is left the old ones stay, and ERR_NOTFOUND comes back.
 */
MUST_USE enum err certificates_load(struct certificates *c, struct buf *why);
/* ERR_NOTFOUND for an index that does not exist; else as signer_sign. */
MUST_USE enum err certificates_sign(struct certificates *c, uint32_t index, uint16_t scheme,
				    struct view input, struct buf *ret);

#endif
