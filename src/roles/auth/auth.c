/*
 * roles/auth/auth.c: birth and end of the core, tickets, and what changes do to what is remembered.
 */
#include "auth.h"

#include <sodium.h>

#include "sys/clock.h"
#include "sys/file.h"
#include "sys/log.h"

/* Every table has a key of its own. */
static void init_tables(struct auth *a)
{
	uint8_t key[32];

	for (unsigned i = 0; i < AUTH_CLIENTS; i++) {
		random_bytes(key, sizeof(key));
		map_init(&a->exchanges[i], AUTH_EXCHANGES_MAX, key);
	}
	random_bytes(key, sizeof(key));
	tickets_init(&a->tickets, key);
	random_bytes(key, sizeof(key));
	verified_init(&a->verified, key);
	random_bytes(key, sizeof(key));
	lru_init(&a->routes, AUTH_ROUTES_MAX, key);
	random_bytes(key, sizeof(key));
	ban_table_init(&a->bans, key);
	sodium_memzero(key, sizeof(key));
}

enum err auth_new(struct loop *loop, size_t threads, const struct config *config,
		  struct directory *d, const struct auth_hooks *hooks, void *ctx, struct auth **ret)
{
	struct auth *a = calloc(1, sizeof(*a));
	enum err err;

	if (!a)
		return ERR_NOMEM;
	a->config = config;
	a->hooks = hooks;
	a->ctx = ctx;
	a->d = d;
	init_tables(a);
	directory_secret(d, a->secret);
	err = pool_new(loop, threads, &a->pool);
	if (!err)
		err = guard_load(a);
	if (err) {
		a->d = NULL; /* stays with the caller */
		auth_free(a);
		return err;
	}
	*ret = a;
	return OK;
}

void auth_free(struct auth *a)
{
	if (!a)
		return;
	for (unsigned i = 0; i < AUTH_CLIENTS; i++)
		auth_client_gone(a, i);
	pool_free(a->pool);
	for (unsigned i = 0; i < AUTH_CLIENTS; i++)
		map_done(&a->exchanges[i]);
	tickets_done(&a->tickets);
	verified_done(&a->verified);
	lru_done(&a->routes);
	ban_table_done(&a->bans);
	directory_close(a->d);
	sodium_memzero(a->secret, sizeof(a->secret));
	free(a);
}

struct password_cost auth_cost(const struct auth *a)
{
	return (struct password_cost){
		.memory = a->config->argon2_memory,
		.passes = a->config->argon2_passes,
		.iterations = a->config->scram_iterations,
	};
}

struct lookup_rules auth_lookup_rules(const struct auth *a)
{
	return (struct lookup_rules){
		.separators = view_str(a->config->subaddress),
		.depth = a->config->alias_depth,
	};
}

void auth_redeem(struct auth *a, struct view ticket, uint64_t session, struct auth_redeemed *ret)
{
	uint64_t account = 0;

	ret->ok = false;
	if (ticket_redeem(&a->tickets, ticket, session, clock_mono_ms(), &account)) {
		LOG_WARNING("auth.ticket", "a ticket was refused", LOG_ID("session", session));
		return;
	}
	/* The administrator may have been quicker than the ticket. */
	if (directory_account_by_id(a->d, account, &ret->account) ||
	    ret->account.state != ACCOUNT_ACTIVE)
		return;
	ret->ok = true;
}

void auth_addresses_changed(struct auth *a)
{
	lru_clear(&a->routes);
	a->hooks->changed(a->ctx);
}

void auth_account_changed(struct auth *a, uint64_t account, bool end_sessions, bool removed)
{
	verified_forget(&a->verified, account);
	if (!end_sessions)
		return;
	tickets_forget(&a->tickets, account);
	a->hooks->revoked(a->ctx, account, removed);
}
