/*
 * directory/password.h: passwords and what is stored in their place.
 *
 * Pure computation, safe to call from worker threads after password_init.  A password comes in as a view
 * that the caller owns and wipes; copies made here are wiped here.
 */
#ifndef DIRECTORY_PASSWORD_H
#define DIRECTORY_PASSWORD_H

#include "base/buf.h"

enum {
	PASSWORD_MAX = 1024, /* octets, before and after normalisation */
	PASSWORD_ARGON2ID_MAX = 128, /* octets of the text form, with its NUL */
	PASSWORD_SALT_LEN = 16,
	PASSWORD_KEY_LEN = 32,
	PASSWORD_EFFECTIVE_MIN = 8, /* see password_check */
	PASSWORD_GENERATED_BITS = 140,
};

/* Options argon2_memory (octets), argon2_passes, scram_iterations. */
struct password_cost {
	uint64_t memory;
	uint64_t passes;
	uint64_t iterations;
};

/* What is stored for one password.  StoredKey and ServerKey never yield the password or SaltedPassword. */
struct verifiers {
	bool has_argon2id;
	bool has_scram;
	char argon2id[PASSWORD_ARGON2ID_MAX]; /* RFC 9106 text form, parameters and salt within */
	uint8_t scram_salt[PASSWORD_SALT_LEN]; /* SCRAM-SHA-256, RFC 7677 */
	uint32_t scram_iterations;
	uint8_t scram_stored_key[PASSWORD_KEY_LEN];
	uint8_t scram_server_key[PASSWORD_KEY_LEN];
};

/* Once before anything else, also before a sandbox.  ERR_IO when there is no randomness. */
MUST_USE enum err password_init(void);

/*
 * OpaqueString of RFC 8265#4.2: other spaces become SP, NFC, case kept; ERR_SYNTAX for invalid UTF-8,
 * control characters and nothing at all, ERR_LIMIT past PASSWORD_MAX.  Passwords are compared in this form.
 */
MUST_USE enum err password_prepare(struct view password, struct buf *out);

/*
 * Is it good enough?  password: prepared.  At least min characters, and at least PASSWORD_EFFECTIVE_MIN
 * when each common word, repetition, sequence, row of keys and the account's own name counts as one
 * character.  On ERR_DENIED why tells a person what to do.
 */
MUST_USE enum err password_check(struct view password, struct view address, uint64_t min,
				 struct buf *why);
/* A new one of PASSWORD_GENERATED_BITS bits: groups of letters and digits that are hard to confuse. */
void password_generate(struct buf *out);

/* Slow on purpose: memory and passes of cost.  password: prepared.  ERR_NOMEM. */
MUST_USE enum err password_derive(struct view password, const struct password_cost *cost,
				  struct verifiers *ret);
/*
 * Slow, and as slow for a wrong password.  NULL stands for an account that does not exist: the same work
 * at the same cost is done and the answer is ERR_CRYPTO.  OK, ERR_CRYPTO (wrong), ERR_NOMEM.
 */
MUST_USE enum err password_verify(struct view password, const struct verifiers *v,
				  const struct password_cost *cost);
/* Should the verifiers be made anew with this cost? */
bool password_outdated(const struct verifiers *v, const struct password_cost *cost);

#endif
