/*
 * roles/keys/tls.c: certificates for the fronts, and signatures for their handshakes.
 *
 * Every message leaves in a packet of its own, because fronts wait for signatures with the blocking
 * functions of sys/ipc.h.
 */
#include "ipc/tls_keys.h"
#include "keys_role.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "tls/remote_key.h"

static enum err flush(struct tls_peer *p, enum err err)
{
	if (!err)
		ipc_chan_flush(p->chan);
	return err;
}

static enum err on_list(void *ctx, const struct tls_keys_list *m)
{
	struct tls_peer *p = ctx;
	const struct certificates *c = &p->role->certificates;
	struct tls_keys_certificate one = { .count = (uint32_t)c->count };
	enum err err = OK;

	if (c->count == 0)
		err = flush(p, tls_keys_send_certificate(p->chan, &one));
	for (size_t i = 0; i < c->count && !err; i++) {
		one.index = (uint32_t)i;
		one.names = buf_view(&c->at[i].names);
		one.chain_pem = buf_view(&c->at[i].chain);
		err = flush(p, tls_keys_send_certificate(p->chan, &one));
	}
	if (!err)
		err = flush(p, tls_keys_send_listed(p->chan, &(struct tls_keys_listed){ 0 }));
	return err;
}

static enum err on_sign(void *ctx, const struct tls_keys_sign *m)
{
	struct tls_peer *p = ctx;
	struct keys_role *k = p->role;
	struct buf CLEANUP(buf_done) out = BUF_INIT(REMOTE_KEY_SIGNATURE_MAX);
	enum err err = certificates_sign(&k->certificates, m->index, m->scheme, m->input, &out);
	struct tls_keys_signature answer = { .tag = m->tag, .ok = !err };

	if (err) {
		k->refused++;
		LOG_WARNING("keys.sign", "refused to sign for a TLS handshake",
			    LOG_UINT("certificate", m->index), LOG_UINT("scheme", m->scheme),
			    LOG_ERR(err));
	} else {
		k->signatures++;
		answer.octets = buf_view(&out);
	}
	return flush(p, tls_keys_send_signature(p->chan, &answer));
}

static const struct tls_keys_server_ops ops = { .list = on_list, .sign = on_sign };

static enum err on_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	return tls_keys_server_dispatch(&ops, ctx, type, body, fd);
}

static void on_closed(void *ctx, enum err why)
{
	struct tls_peer *p = ctx;

	if (why != ERR_EOF)
		LOG_ERROR("keys.peer", "a front broke the rules of its channel",
			  LOG_UINT("front", p->id), LOG_ERR(why));
	ipc_chan_free(p->chan);
	p->chan = NULL;
}

static const struct ipc_ops ipc = { on_message, on_closed, NULL };

void keys_tls_take(struct keys_role *k, uint64_t id, int fd)
{
	struct tls_peer *p = id < TLS_PEERS_MAX ? &k->tls[id] : NULL;

	if (!p) {
		LOG_ERROR("keys.peer", "too many fronts", LOG_UINT("front", id));
		fd_close(&fd);
		return;
	}
	ipc_chan_free(p->chan);
	*p = (struct tls_peer){ .role = k, .id = id };
	if (ipc_chan_new(role_loop(k->role), fd, &tls_keys_channel, IPC_SERVER, &ipc, p, &p->chan))
		p->chan = NULL;
}

void keys_tls_reload(struct keys_role *k)
{
	struct buf CLEANUP(buf_done) why = BUF_INIT(4096);
	enum err err = certificates_load(&k->certificates, &why);

	if (why.n > 0 || err)
		LOG_ERROR("keys.certificate", "a certificate cannot be used",
			  LOG_VIEW("why", buf_view(&why)),
			  LOG_UINT("in_use", k->certificates.count));
	for (size_t i = 0; i < TLS_PEERS_MAX; i++) {
		struct tls_peer *p = &k->tls[i];

		if (p->chan &&
		    flush(p, tls_keys_send_changed(p->chan, &(struct tls_keys_changed){ 0 })))
			LOG_WARNING("keys.peer", "cannot tell a front about new certificates",
				    LOG_UINT("front", p->id));
	}
	keys_tls_check_expiry(k);
}

void keys_tls_check_expiry(void *ctx)
{
	struct keys_role *k = ctx;
	int64_t now = clock_wall();

	for (size_t i = 0; i < k->certificates.count; i++) {
		const struct certificate *c = &k->certificates.at[i];
		int64_t days = (c->until - now) / 86400;

		if (c->until <= now)
			LOG_ERROR("keys.expired", "a certificate has expired; clients refuse it",
				  LOG_VIEW("names", buf_view(&c->names)));
		else if (days < EXPIRY_WARN_DAYS)
			LOG_WARNING("keys.expires", "a certificate expires soon",
				    LOG_VIEW("names", buf_view(&c->names)), LOG_INT("days", days));
	}
	loop_timer_set(&k->expiry, EXPIRY_CHECK_MS);
}
