/*
 * roles/keys/keys_role.h: the process that holds private keys and does nothing but sign and unwrap.
 */
#ifndef KEYS_ROLE_H
#define KEYS_ROLE_H

#include "base/map.h"
#include "certificates.h"
#include "key_store.h"
#include "sys/role.h"

enum {
	TLS_PEERS_MAX = 16,
	ACCOUNT_PEERS_MAX = 100000,
	EXPIRY_WARN_DAYS = 14,
	EXPIRY_CHECK_MS = 6 * 3600 * 1000,
};

/* A front that asks for signatures. */
struct tls_peer {
	struct keys_role *role;
	struct ipc_chan *chan;
	uint64_t id;
};

/* The mailbox process of one account. */
struct account_peer {
	struct keys_role *role;
	struct ipc_chan *chan;
	uint64_t account;
};

struct keys_role {
	struct role *role;
	struct certificates certificates;
	struct key_store store;
	int dir;
	struct tls_peer tls[TLS_PEERS_MAX];
	struct map accounts; /* account number: struct account_peer */
	struct ipc_chan *admin;
	struct loop_timer expiry;
	uint64_t signatures, refused, unwrapped;
};

/* tls.c */
void keys_tls_take(struct keys_role *k, uint64_t id, int fd);
/* Load the certificates, log what is wrong with them, tell all fronts. */
void keys_tls_reload(struct keys_role *k);
void keys_tls_check_expiry(void *ctx);
/* account.c */
void keys_account_take(struct keys_role *k, uint64_t account, int fd);
void keys_account_drop(struct keys_role *k, uint64_t account);
/* admin.c */
void keys_admin_take(struct keys_role *k, int fd);

#endif
