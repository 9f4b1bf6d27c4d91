/*
 * roles/front/keys.c: certificates and signatures from the keys role.
 *
 * A signature is awaited in the middle of a handshake, with blocking calls: it takes less time than
 * leaving the handshake and coming back to it.  Everything else that arrives on the way (a new list) is
 * put aside for the end of the turn.
 *
 * A keys role that does not answer costs all connections KEYS_ANSWER_MS, once: that handshake fails, and
 * those that follow fail at once until the late answer has come.
 */
#include "front.h"
#include "ipc/tls_keys.h"
#include "sys/clock.h"
#include "sys/file.h"

enum { KEYS_ANSWER_MS = 5000 }; /* a signature, and room for a question */

static void drop_channel(struct keys_client *k)
{
	if (k->fd < 0)
		return;
	loop_io_done(&k->io);
	fd_close(&k->fd);
}

static void forget_list(struct keys_client *k)
{
	for (size_t i = 0; i < k->chain_count; i++)
		buf_done(&k->chains[i]);
	k->chain_count = 0;
	k->complete = false;
}

/* One question at a time: lists that overlap could not be told apart. */
static enum err request_list(struct keys_client *k)
{
	if (k->asked) {
		k->again = true;
		return OK;
	}
	forget_list(k);
	k->asked = true;
	k->again = false;
	return ipc_send_until(k->fd, TLS_KEYS_LIST, VIEW_EMPTY, -1,
			      clock_mono_ms() + KEYS_ANSWER_MS);
}

static enum err take_certificate(struct keys_client *k, struct view body)
{
	struct tls_keys_certificate m;
	struct buf *to;
	enum err err = tls_keys_certificate_decode(body, &m);

	if (err || m.count == 0)
		return err;
	/* In order and complete, or the indices would not be those of the signer. */
	if (m.index != k->chain_count || k->chain_count >= CERTIFICATE_LIST_MAX || k->complete)
		return ERR_PEER;
	to = &k->chains[k->chain_count++];
	buf_init(to, TLS_KEYS_CERTIFICATE_CHAIN_PEM_MAX);
	buf_add(to, m.chain_pem);
	return buf_err(to);
}

/* The answer to a question that was given up. */
static enum err take_late(struct keys_client *k)
{
	if (!k->owed)
		return ERR_PEER;
	k->owed = false;
	LOG_NOTICE("front.keys_back", "the keys role answers again");
	return OK;
}

/* Whatever is no signature that is waited for. */
static enum err take_other(struct keys_client *k, uint16_t type, struct view body)
{
	switch (type) {
	case TLS_KEYS_CERTIFICATE: return take_certificate(k, body);
	case TLS_KEYS_LISTED:
		k->asked = false;
		if (k->again)
			return request_list(k);
		k->complete = true;
		loop_defer_add(&k->rebuild);
		return OK;
	case TLS_KEYS_CHANGED: return request_list(k);
	case TLS_KEYS_SIGNATURE: return take_late(k);
	default: return ERR_PEER;
	}
}

/* One message, by end_ms.  The views of *ret_body are borrowed until the next. */
static enum err receive(struct keys_client *k, int64_t end_ms, uint16_t *ret_type,
			struct view *ret_body)
{
	int CLEANUP(fd_close) fd = -1;
	enum err err = ipc_recv_until(k->fd, &k->packet, ret_type, ret_body, &fd, end_ms);

	return !err && fd >= 0 ? ERR_PEER : err;
}

static void fail(struct keys_client *k, enum err err)
{
	if (err != ERR_EOF)
		LOG_ERROR("front.keys", "the keys role broke the rules of its channel",
			  LOG_ERR(err));
	drop_channel(k);
}

static void on_ready(void *ctx, unsigned events)
{
	struct keys_client *k = ctx;
	uint16_t type;
	struct view body;
	enum err err = receive(k, clock_mono_ms(), &type, &body);

	if (err == ERR_TIMEOUT)
		return; /* it was read in the course of a handshake */
	if (!err)
		err = take_other(k, type, body);
	if (err)
		fail(k, err);
}

/* At the end of a turn, so that no handshake sees its certificates vanish. */
static void on_rebuild(void *ctx)
{
	struct keys_client *k = ctx;
	struct front *f = k->front;

	if (!k->complete)
		return;
	tls_server_clear(f->server);
	for (size_t i = 0; i < k->chain_count; i++) {
		enum err err = tls_server_add(f->server, buf_view(&k->chains[i]), (uint32_t)i);

		if (err)
			LOG_ERROR("front.certificate", "a certificate cannot be used",
				  LOG_UINT("certificate", i + 1), LOG_ERR(err));
	}
	if (!tls_server_ready(f->server))
		LOG_WARNING("front.no_certificate",
			    "there is no certificate: TLS is not possible. Set certificate and "
			    "certificate_key");
	forget_list(k);
	front_listen(f);
}

static enum err send_request(struct keys_client *k, const struct tls_keys_sign *m, int64_t end_ms)
{
	struct buf CLEANUP(buf_done) body = BUF_INIT(IPC_BODY_MAX);

	tls_keys_sign_encode(&body, m);
	return buf_err(&body) ? buf_err(&body)
			      : ipc_send_until(k->fd, TLS_KEYS_SIGN, buf_view(&body), -1, end_ms);
}

static enum err take_signature(struct view body, uint32_t tag, struct buf *ret)
{
	struct tls_keys_signature m;
	enum err err = tls_keys_signature_decode(body, &m);

	if (err || m.tag != tag)
		return ERR_PEER;
	if (!m.ok)
		return ERR_CRYPTO;
	buf_add(ret, m.octets);
	return buf_err(ret);
}

static enum err await_signature(struct keys_client *k, uint32_t tag, int64_t end_ms,
				struct buf *ret)
{
	for (;;) {
		uint16_t type;
		struct view body;
		enum err err = receive(k, end_ms, &type, &body);

		if (err == ERR_TIMEOUT)
			k->owed = true;
		if (!err && type == TLS_KEYS_SIGNATURE)
			return take_signature(body, tag, ret);
		if (!err)
			err = take_other(k, type, body);
		if (err)
			return err;
	}
}

static enum err sign(void *ctx, uint32_t index, uint16_t scheme, struct view input, struct buf *ret)
{
	struct keys_client *k = ctx;
	struct tls_keys_sign m = {
		.tag = ++k->tag, .index = index, .scheme = scheme, .input = input
	};
	int64_t end_ms = clock_mono_ms() + KEYS_ANSWER_MS;
	enum err err;

	if (k->fd < 0)
		return ERR_PEER;
	if (k->owed)
		return ERR_TIMEOUT;
	err = send_request(k, &m, end_ms);
	if (!err)
		err = await_signature(k, m.tag, end_ms, ret);
	if (err == ERR_TIMEOUT)
		LOG_ERROR("front.keys_silent",
			  "the keys role does not answer: TLS handshakes fail until it does",
			  LOG_UINT("seconds", KEYS_ANSWER_MS / 1000));
	else if (err && err != ERR_CRYPTO)
		fail(k, err);
	return err;
}

void front_keys_init(struct front *f)
{
	struct keys_client *k = &f->keys;

	*k = (struct keys_client){ .front = f, .fd = -1 };
	buf_init(&k->packet, IPC_PACKET_MAX);
	f->signer = (struct remote_signer){ sign, k };
}

void front_keys_take(struct front *f, int fd)
{
	struct keys_client *k = &f->keys;
	enum err err;

	if (!k->rebuild.fn)
		loop_defer_init(&k->rebuild, role_loop(f->role), on_rebuild, k);
	drop_channel(k);
	k->fd = fd;
	k->asked = false;
	k->owed = false;
	loop_io_init(&k->io, role_loop(f->role), fd, on_ready, k);
	loop_io_want(&k->io, LOOP_READ);
	err = request_list(k);
	if (err)
		fail(k, err);
}
