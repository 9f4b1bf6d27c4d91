/*
 * roles/keys/admin.c: what the administrator may ask of the keys.
 *
 *	keys.list		one row a certificate: names, type, when it expires
 *	account_key.erase	id: the account's mail can never be read again
 */
#include "ipc/admin.h"
#include "base/date.h"
#include "base/num.h"
#include "keys_role.h"
#include "sys/clock.h"
#include "sys/file.h"

enum { TEXT_MAX = 1000 };

static enum err send_certificate(struct keys_role *k, uint32_t tag, const struct certificate *c)
{
	struct buf CLEANUP(buf_done) json = BUF_INIT(ADMIN_ROW_JSON_MAX);
	struct admin_row row = { .tag = tag };

	/* Names hold graphic ASCII only (tls/pem.c); a quote or backslash ends what is shown. */
	buf_addf(&json, "{\"certificate\":%u,\"names\":\"", c->source + 1);
	for (size_t i = 0; i < c->names.n && c->names.p[i] != '"' && c->names.p[i] != '\\'; i++)
		buf_add_char(&json, c->names.p[i]);
	buf_addf(&json, "\",\"type\":\"%s\",\"expires\":\"", c->type);
	date_add_rfc3339(&json, c->until * 1000);
	buf_addf(&json, "\",\"days\":%lld}", (long long)((c->until - clock_wall()) / 86400));
	row.json = buf_view(&json);
	return buf_err(&json) ? buf_err(&json) : admin_send_row(k->admin, &row);
}

static enum err run_list(struct keys_role *k, const struct admin_request *m, struct buf *text)
{
	uint64_t accounts = 0;
	enum err err = OK;

	for (size_t i = 0; i < k->certificates.count && !err; i++)
		err = send_certificate(k, m->tag, &k->certificates.at[i]);
	if (!err)
		err = key_store_count(&k->store, &accounts);
	if (!err)
		buf_addf(text, "%zu certificates, %llu account keys", k->certificates.count,
			 (unsigned long long)accounts);
	return err;
}

static enum err run_erase(struct keys_role *k, const struct admin_request *m, struct buf *text)
{
	struct view raw = m->args_raw;
	struct admin_request_args arg;
	uint64_t account;
	enum err err = ERR_SYNTAX;

	while (admin_request_args_next(&raw, &arg))
		if (view_eq(arg.key, VIEW("id")))
			err = num_u64(arg.value, UINT64_MAX, &account);
	if (err) {
		buf_add_str(text, "id: expected is the number of an account");
		return err;
	}
	err = key_store_erase(&k->store, account);
	if (err) {
		LOG_ERROR("keys.erase", "the key of an account could not be erased",
			  LOG_UINT("account", account), LOG_ERR(err));
		return err;
	}
	keys_account_drop(k, account);
	LOG_NOTICE("keys.erased", "the key of an account was erased", LOG_UINT("account", account));
	buf_addf(text, "the key of account %llu is erased", (unsigned long long)account);
	return OK;
}

static const struct {
	struct view verb;
	enum err (*run)(struct keys_role *k, const struct admin_request *m, struct buf *text);
} verbs[] = {
	{ VIEW_INIT("keys.list"), run_list },
	{ VIEW_INIT("account_key.erase"), run_erase },
};

static enum err on_request(void *ctx, const struct admin_request *m)
{
	struct keys_role *k = ctx;
	struct buf CLEANUP(buf_done) text = BUF_INIT(TEXT_MAX);
	struct admin_end end = { .tag = m->tag };
	enum err err = ERR_UNSUPPORTED;

	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (view_eq(m->verb, verbs[i].verb))
			err = verbs[i].run(k, m, &text);
	if (err && text.n == 0)
		buf_add_str(&text, err_text(err));
	end.err = (uint8_t)err;
	end.text = buf_view(&text);
	return admin_send_end(k->admin, &end);
}

static const struct admin_server_ops ops = { on_request };

static enum err on_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	return admin_server_dispatch(&ops, ctx, type, body, fd);
}

static void on_closed(void *ctx, enum err why)
{
	struct keys_role *k = ctx;

	ipc_chan_free(k->admin);
	k->admin = NULL;
}

static const struct ipc_ops ipc = { on_message, on_closed, NULL };

void keys_admin_take(struct keys_role *k, int fd)
{
	ipc_chan_free(k->admin);
	if (ipc_chan_new(role_loop(k->role), fd, &admin_channel, IPC_SERVER, &ipc, k, &k->admin))
		k->admin = NULL;
}
