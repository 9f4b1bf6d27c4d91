/*
 * roles/auth/scram.h: the server's side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677).
 *
 * Our own and not libgsasl's server, because that knows neither tls-server-end-point nor the check of the
 * "y" flag against what was offered, and hands secrets through C strings.  The tests run libgsasl's client
 * against it.
 *
 * One struct is one exchange: scram_begin, scram_challenge, scram_finish.  An account that does not exist
 * goes through the same steps with verifiers that nobody can match.
 */
#ifndef ROLES_AUTH_SCRAM_H
#define ROLES_AUTH_SCRAM_H

#include "directory/password.h"
#include "proto/sasl/scram.h"

/* What front saw of the TLS connection; empty where it has none.  Either makes -PLUS an offer. */
struct scram_bindings {
	struct view exporter; /* tls-exporter, RFC 9266 */
	struct view end_point; /* tls-server-end-point, RFC 5929 */
};

struct scram {
	struct buf gs2; /* header and channel binding data, as c= must repeat them */
	struct buf name; /* decoded */
	struct buf bare; /* client-first-message-bare */
	struct buf nonce; /* the client's and ours */
	struct buf server_first;
	struct verifiers verifiers;
};

void scram_init(struct scram *s);
/* Wipes. */
void scram_done(struct scram *s);

/*
 * The client's first message.  plus: the mechanism's name ended in -PLUS.  After OK s->name says who.
 * ERR_SYNTAX, ERR_LIMIT; ERR_DENIED when the channel binding is not what it must be (a "y" although -PLUS was
 * offered: somebody between us removed the offer) or another identity is asked for; ERR_UNSUPPORTED for an
 * unknown kind of binding.
 */
MUST_USE enum err scram_begin(struct scram *s, struct view message, bool plus,
			      const struct scram_bindings *bindings);
/* server-first-message, borrowed until scram_done. */
MUST_USE enum err scram_challenge(struct scram *s, const struct verifiers *v, struct view *ret);
/*
 * The client's last message.  OK: the password was proven and out holds server-final-message.
 * ERR_CRYPTO: wrong proof, nonce or binding.  ERR_SYNTAX, ERR_LIMIT.
 */
MUST_USE enum err scram_finish(struct scram *s, struct view message, struct buf *out);

/*
 * Verifiers for an account that is not there: the salt is always the same for a name, as a real one's is,
 * and the keys match nothing.   RFC 5802#9
 */
void scram_nobody(const uint8_t secret[32], struct view name, uint32_t iterations,
		  struct verifiers *ret);

#endif
