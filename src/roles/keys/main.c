/*
 * roles/keys/main.c: start of the keys role.
 *
 * It reads no byte that a stranger chose except digests to be signed.  It opens nothing but its own
 * folder; certificates and their keys come as open files from the supervisor.
 */
#include <sodium.h>

#include "keys_role.h"
#include "sys/file.h"

static void on_channel(struct role *role, void *ctx, struct view name, uint64_t id, int fd)
{
	struct keys_role *k = ctx;

	k->role = role;
	if (view_eq(name, VIEW("tls")))
		keys_tls_take(k, id, fd);
	else if (view_eq(name, VIEW("account_key")))
		keys_account_take(k, id, fd);
	else if (view_eq(name, VIEW("admin")))
		keys_admin_take(k, fd);
	else
		fd_close(&fd);
}

static void on_descriptor(struct role *role, void *ctx, struct view kind, struct view name,
			  uint64_t id, int fd)
{
	struct keys_role *k = ctx;

	if (view_eq(kind, VIEW("dir")))
		k->dir = fd;
	else if (view_eq(name, VIEW("certificate")))
		certificates_take(&k->certificates, false, id, fd);
	else if (view_eq(name, VIEW("certificate_key")))
		certificates_take(&k->certificates, true, id, fd);
	else
		fd_close(&fd);
}

/* Libraries allocate locked memory and read what they need before the sandbox. */
static enum err on_prepare(struct role *role, void *ctx)
{
	struct keys_role *k = ctx;

	return key_store_init(&k->store);
}

static enum err on_start(struct role *role, void *ctx)
{
	struct keys_role *k = ctx;
	enum err err = key_store_open(&k->store, k->dir);

	k->role = role;
	if (err) {
		LOG_ERROR("keys.server_key",
			  err == ERR_NOTFOUND
				  ? "keys/server.key is missing, but accounts were encrypted with "
				    "it; restore it from a backup"
				  : "keys/server.key cannot be used",
			  LOG_ERR(err));
		return err;
	}
	loop_timer_init(&k->expiry, role_loop(role), keys_tls_check_expiry, k);
	keys_tls_reload(k);
	return OK;
}

static void on_reload(struct role *role, void *ctx)
{
	keys_tls_reload(ctx);
}

static void on_stop(struct role *role, void *ctx)
{
	struct keys_role *k = ctx;

	key_store_done(&k->store);
	certificates_done(&k->certificates);
	role_exit(role, 0);
}

static void on_status(struct role *role, void *ctx, struct buf *json)
{
	struct keys_role *k = ctx;

	buf_addf(json,
		 "\"certificates\":%zu,\"signatures\":%llu,\"unwrapped\":%llu,\"refused\":%llu,"
		 "\"mailboxes\":%zu,",
		 k->certificates.count, (unsigned long long)k->signatures,
		 (unsigned long long)k->unwrapped, (unsigned long long)k->refused, k->accounts.n);
}

int main(int argc, char **argv)
{
	static struct keys_role keys = { .dir = -1 };
	static const struct role_spec spec = {
		.name = "keys",
		.sandbox = SANDBOX_FS,
		.prepare = on_prepare,
		.start = on_start,
		.channel = on_channel,
		.descriptor = on_descriptor,
		.reload = on_reload,
		.stop = on_stop,
		.status = on_status,
	};
	uint8_t secret[16];

	random_bytes(secret, sizeof(secret));
	map_init(&keys.accounts, ACCOUNT_PEERS_MAX, secret);
	/* Descriptors of certificates come before prepare is called. */
	if (certificates_init(&keys.certificates)) {
		fprintf(stderr, "posthold-keys: OpenSSL cannot be used\n");
		return 1;
	}
	return role_main(argc, argv, &spec, &keys);
}
