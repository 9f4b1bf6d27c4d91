/*
 * roles/auth/ticket.c: see ticket.h.
 */
#include "ticket.h"

#include <sodium.h>

struct ticket {
	struct lru_node node;
	uint64_t account;
	uint64_t session;
	int64_t until_ms;
};

void tickets_init(struct tickets *t, const uint8_t key[32])
{
	memcpy(t->key, key, sizeof(t->key));
	lru_init(&t->table, TICKETS_MAX, key);
}

void tickets_done(struct tickets *t)
{
	lru_done(&t->table);
	sodium_memzero(t->key, sizeof(t->key));
}

static void hash_of(const struct tickets *t, struct view ticket, uint8_t ret[32])
{
	(void)crypto_generichash(ret, 32, (const uint8_t *)ticket.p, ticket.n, t->key,
				 sizeof(t->key));
}

enum err ticket_issue(struct tickets *t, uint64_t account, uint64_t session, int64_t until_ms,
		      uint8_t ret[TICKET_LEN])
{
	struct ticket *ticket = calloc(1, sizeof(*ticket));
	uint8_t random[TICKET_LEN];
	uint8_t hash[32];
	enum err err;

	if (!ticket)
		return ERR_NOMEM;
	ticket->account = account;
	ticket->session = session;
	ticket->until_ms = until_ms;
	randombytes_buf(random, sizeof(random));
	hash_of(t, view_of(random, sizeof(random)), hash);
	err = lru_add(&t->table, &ticket->node, view_of(hash, sizeof(hash)));
	if (err) {
		free(ticket);
		return err;
	}
	memcpy(ret, random, sizeof(random));
	sodium_memzero(random, sizeof(random));
	return OK;
}

enum err ticket_redeem(struct tickets *t, struct view text, uint64_t session, int64_t now_ms,
		       uint64_t *ret_account)
{
	uint8_t hash[32];
	struct ticket *ticket;
	uint64_t account;
	bool good;

	hash_of(t, text, hash);
	ticket = (struct ticket *)lru_get(&t->table, view_of(hash, sizeof(hash)));
	if (!ticket)
		return ERR_DENIED;
	account = ticket->account;
	good = ticket->session == session && now_ms < ticket->until_ms;
	lru_remove(&t->table, &ticket->node);
	if (!good)
		return ERR_DENIED;
	*ret_account = account;
	return OK;
}

void tickets_forget(struct tickets *t, uint64_t account)
{
	struct lru_node *next;

	for (struct lru_node *n = lru_newest(&t->table); n; n = next) {
		next = lru_older(n);
		if (((struct ticket *)n)->account == account)
			lru_remove(&t->table, n);
	}
}
