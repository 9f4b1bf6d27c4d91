/*
 * roles/keys/account.c: the keys of an account for its mailbox process.
 *
 * The channel's id, which the supervisor gave it, says which account that is.
 */
#include "ipc/account_key.h"
#include "keys_role.h"
#include "sys/file.h"

static enum err answer(struct account_peer *p, const struct account_keys *keys, bool ok)
{
	struct account_key_keys_keys list[ACCOUNT_GENERATIONS_MAX];
	struct account_key_keys m = { .ok = ok, .keys = list };

	for (size_t i = 0; ok && i < keys->count; i++)
		list[m.keys_count++] = (struct account_key_keys_keys){
			.generation = keys->at[i].generation,
			.key = view_of(keys->at[i].key, ACCOUNT_KEY_OCTETS),
		};
	return account_key_send_keys(p->chan, &m);
}

static enum err on_get(void *ctx, const struct account_key_get *m)
{
	struct account_peer *p = ctx;
	struct keys_role *k = p->role;
	struct account_keys keys = { 0 };
	enum err err = key_store_get(&k->store, p->account, &keys);

	if (err) {
		k->refused++;
		LOG_ERROR("keys.account", "the key of an account cannot be given",
			  LOG_UINT("account", p->account), LOG_ERR(err));
	} else {
		k->unwrapped++;
	}
	err = answer(p, &keys, !err);
	account_keys_wipe(&keys);
	return err;
}

static const struct account_key_server_ops ops = { .get = on_get };

static enum err on_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	return account_key_server_dispatch(&ops, ctx, type, body, fd);
}

static void peer_free(struct account_peer *p)
{
	ipc_chan_free(p->chan);
	free(p);
}

static void on_closed(void *ctx, enum err why)
{
	struct account_peer *p = ctx;
	struct map *accounts = &p->role->accounts;

	if (why != ERR_EOF)
		LOG_ERROR("keys.peer", "a mailbox process broke the rules of its channel",
			  LOG_UINT("account", p->account), LOG_ERR(why));
	map_remove(accounts, map_key_u64(&p->account));
	peer_free(p);
}

static const struct ipc_ops ipc = { on_message, on_closed, NULL };

void keys_account_drop(struct keys_role *k, uint64_t account)
{
	struct account_peer *old = map_remove(&k->accounts, map_key_u64(&account));

	if (old)
		peer_free(old);
}

void keys_account_take(struct keys_role *k, uint64_t account, int fd)
{
	struct account_peer *p = calloc(1, sizeof(*p));

	keys_account_drop(k, account);
	if (!p) {
		fd_close(&fd);
		return;
	}
	*p = (struct account_peer){ .role = k, .account = account };
	if (ipc_chan_new(role_loop(k->role), fd, &account_key_channel, IPC_SERVER, &ipc, p,
			 &p->chan)) {
		free(p);
		return;
	}
	if (map_put(&k->accounts, map_key_u64(&account), p)) {
		LOG_ERROR("keys.peer", "too many mailbox processes", LOG_UINT("account", account));
		peer_free(p);
	}
}
