/*
 * roles/auth/ticket.h: proofs of a log-in that login shows once and cannot make.
 *
 * 32 random octets, valid for one session and a short time, burnt by the first attempt to use them, right
 * or wrong.  Only a keyed hash is kept, so that looking one up tells nothing by its time.
 */
#ifndef ROLES_AUTH_TICKET_H
#define ROLES_AUTH_TICKET_H

#include "policy/lru.h"

enum {
	TICKET_LEN = 32,
	TICKETS_MAX = 8192, /* unredeemed; past it the oldest is forgotten */
};

struct tickets {
	struct lru table;
	uint8_t key[32];
};

/* key: 32 random octets. */
void tickets_init(struct tickets *t, const uint8_t key[32]);
void tickets_done(struct tickets *t);
/* A new ticket for this account and session until this time.  ERR_NOMEM. */
MUST_USE enum err ticket_issue(struct tickets *t, uint64_t account, uint64_t session,
			       int64_t until_ms, uint8_t ret[TICKET_LEN]);
/* ERR_DENIED for one that is unknown, used, too old or of another session. */
MUST_USE enum err ticket_redeem(struct tickets *t, struct view ticket, uint64_t session,
				int64_t now_ms, uint64_t *ret_account);
/* The account's rights ended: so do its tickets. */
void tickets_forget(struct tickets *t, uint64_t account);

#endif
