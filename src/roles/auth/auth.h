/*
 * roles/auth/auth.h: the role without its channels: what main.c wires and the tests drive.
 *
 * Owns the directory, password hashing, exchanges, tickets, bans and caches.  Speaks through auth_hooks and
 * never to a descriptor.  Single-threaded but for the work of the pool.
 *
 * Invariants: no answer before TLS; a name that does not exist costs what one that does costs; a ban is on
 * a network, never on an account, and never keeps a known device of the owner out of its account; no
 * password and no verifier leaves this process or reaches a log.
 */
#ifndef ROLES_AUTH_AUTH_H
#define ROLES_AUTH_AUTH_H

#include "directory/directory.h"
#include "ipc/admin.h"
#include "ipc/authn.h"
#include "ipc/types.h"
#include "policy/ban.h"
#include "pool.h"
#include "scram.h"
#include "sys/config.h"
#include "ticket.h"
#include "verified.h"

enum {
	AUTH_CLIENTS = 2, /* smtp-submit, login: ids of the authn channels */
	AUTH_CLIENT_LOGIN = 1, /* the one that is given tickets */
	AUTH_EXCHANGES_MAX = 10000, /* of one client; past it AUTHN_BUSY */
	AUTH_ROUTES_MAX = 8192, /* remembered answers about addresses */
	AUTH_ROUTE_TARGETS_MAX = 4, /* longer answers are not remembered */
	AUTH_LIST_MAX = 20000, /* rows of one answer to the administrator */
};

#define AUTH_DEVICE_LIFE_S ((int64_t)30 * 24 * 3600) /* a known device */

/* What the core says.  ctx: that of auth_new.  Errors of sending are the wiring's business. */
struct auth_hooks {
	void (*challenge)(void *ctx, unsigned client, uint32_t tag, struct view text);
	void (*success)(void *ctx, unsigned client, const struct authn_success *m);
	void (*failure)(void *ctx, unsigned client, uint32_t tag, enum authn_failure_kind kind);
	/* End the account's sessions everywhere. */
	void (*revoked)(void *ctx, uint64_t account, bool removed);
	/* Answers about addresses may be different now. */
	void (*changed)(void *ctx);
	void (*admin_row)(void *ctx, uint32_t tag, struct view json);
	void (*admin_end)(void *ctx, uint32_t tag, enum err err, struct view text);
};

struct auth_counters {
	uint64_t successes;
	uint64_t failures;
	uint64_t cached; /* successes without a hash */
	uint64_t hashes; /* finished */
	uint64_t busy;
	uint64_t banned; /* refused because of a ban */
	uint64_t bans; /* made */
	uint64_t lookups;
	uint64_t lookup_hits;
};

struct exchange;

struct auth {
	const struct config *config; /* borrowed; may change between calls */
	const struct auth_hooks *hooks;
	void *ctx;
	struct directory *d;
	struct pool *pool;
	struct map exchanges[AUTH_CLIENTS]; /* by tag */
	struct tickets tickets;
	struct verified verified;
	struct lru routes;
	struct ban_table bans;
	uint8_t secret[DIRECTORY_SECRET_LEN];
	uint64_t
		somebody; /* the account that was found last: exchange.c looks at it where nobody is */
	struct auth_counters count;
};

/*
 * Takes d over on OK.  threads: 0 in tests, which then call pool_step(a->pool).  Owned by caller, auth_free.
 */
MUST_USE enum err auth_new(struct loop *loop, size_t threads, const struct config *config,
			   struct directory *d, const struct auth_hooks *hooks, void *ctx,
			   struct auth **ret);
void auth_free(struct auth *a);

/* exchange.c: errors end the client's channel. */
MUST_USE enum err auth_start(struct auth *a, unsigned client, const struct authn_start *m);
MUST_USE enum err auth_step(struct auth *a, unsigned client, const struct authn_step *m);
MUST_USE enum err auth_cancel(struct auth *a, unsigned client, const struct authn_cancel *m);
/* The client's channel ended: so do its exchanges. */
void auth_client_gone(struct auth *a, unsigned client);

/* tickets: ok is false for one that is not good or whose account may not log in any more. */
struct auth_redeemed {
	bool ok;
	struct directory_account account;
};
void auth_redeem(struct auth *a, struct view ticket, uint64_t session, struct auth_redeemed *ret);

/* route.c */
enum route_status auth_recipient(struct auth *a, struct view address);
/* *ret is written in every case. */
enum route_status auth_targets(struct auth *a, struct view address, struct directory_targets *ret);
/* May the account send as this address? */
enum route_status auth_sender(struct auth *a, uint64_t account, struct view address);

/* admin.c: answers by hooks->admin_row and, once, hooks->admin_end; maybe later. */
void auth_admin(struct auth *a, const struct admin_request *m);

/* guard.c: bans and known devices. */
struct guard {
	struct ban_network network; /* the peer, as failures and devices are counted */
	struct ban_network address; /* alone */
	bool exempt; /* loopback, or an address that cannot be counted */
};
struct guard guard_of(const struct auth *a, struct view peer_ip, bool loopback);
/* Must this peer be refused?  account: 0 if there is none. */
bool guard_refuses(struct auth *a, const struct guard *g, uint64_t account);
/* Has the account logged in from there within AUTH_DEVICE_LIFE_S? */
bool guard_knows(struct auth *a, const struct guard *g, uint64_t account);
void guard_failed(struct auth *a, const struct guard *g);
void guard_succeeded(struct auth *a, const struct guard *g, uint64_t account);
MUST_USE enum err guard_load(struct auth *a);

/* What a changed account means for all that was remembered. */
void auth_account_changed(struct auth *a, uint64_t account, bool end_sessions, bool removed);
void auth_addresses_changed(struct auth *a);

struct password_cost auth_cost(const struct auth *a);
struct lookup_rules auth_lookup_rules(const struct auth *a);

#endif
