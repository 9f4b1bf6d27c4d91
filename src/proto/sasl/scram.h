/*
 * proto/sasl/scram.h: the messages of SCRAM (RFC 5802, RFC 7677), as the server sees them.
 *
 * Grammar only: no key is derived and nothing is decided here (src/roles/auth/scram.h does).  Views are
 * borrowed from the message.
 */
#ifndef PROTO_SASL_SCRAM_H
#define PROTO_SASL_SCRAM_H

#include "base/buf.h"

enum {
	SCRAM_MESSAGE_MAX = 4096, /* octets of a client's message; past it ERR_LIMIT */
	SCRAM_NONCE_MAX = 512, /* octets of the client's part of the nonce */
	SCRAM_BINDING_NAME_MAX = 32,
	SCRAM_BINDING_MAX = 512, /* octets of the channel binding, decoded, with its header */
	SCRAM_KEY_LEN = 32, /* SHA-256 */
	SCRAM_SALT_LEN = 16,
};

/* gs2-cbind-flag   RFC 5802#7 */
enum scram_flag {
	SCRAM_FLAG_NONE, /* n: the client cannot bind */
	SCRAM_FLAG_UNUSED, /* y: it could, but thinks that the server cannot */
	SCRAM_FLAG_REQUIRED, /* p: it does, by binding_name */
};

struct scram_first {
	enum scram_flag flag;
	struct view binding_name; /* with SCRAM_FLAG_REQUIRED */
	struct view authzid; /* as sent, see scram_name_decode; empty: not given */
	struct view gs2_header; /* "n,," */
	struct view bare; /* client-first-message-bare, which the signature covers */
	struct view name; /* as sent */
	struct view nonce;
};

/*
 * client-first-message = gs2-header client-first-message-bare    RFC 5802#7
 * ERR_SYNTAX (also for the reserved "m=": an extension that we must not ignore), ERR_LIMIT.
 */
MUST_USE enum err scram_first_parse(struct view message, struct scram_first *ret);

struct scram_final {
	struct view binding; /* base64, as sent */
	struct view nonce;
	struct view without_proof; /* client-final-message-without-proof */
	uint8_t proof[SCRAM_KEY_LEN];
};

/* client-final-message = client-final-message-without-proof "," proof    RFC 5802#7 */
MUST_USE enum err scram_final_parse(struct view message, struct scram_final *ret);

/* saslname: "=2C" is a comma, "=3D" an equals sign, no other "=".   RFC 5802#5.1.  ERR_SYNTAX. */
MUST_USE enum err scram_name_decode(struct view name, struct buf *out);

/* server-first-message = nonce "," salt "," iteration-count    RFC 5802#7 */
void scram_add_challenge(struct buf *out, struct view nonce, struct view salt, uint32_t iterations);
/* server-final-message = "v=" base64    RFC 5802#7 */
void scram_add_verifier(struct buf *out, struct view signature);

#endif
