/*
 * roles/supervisor/attach.c: sessions that login gives away, and the queue's wishes for mailboxes.
 *
 * The ticket decides which account a session belongs to; login never names one.
 */
#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "ipc/attach.h"
#include "ipc/redeem.h"
#include "ipc/spawn.h"
#include "ipc/types.h"
#include "sys/file.h"

enum { WAITING_MAX = 256, LOGIN_TRIES = 40, LOGIN_TRY_MS = 50 };

/* A session between login's attach and its mailbox process. */
struct waiting {
	struct supervisor *sup;
	bool used;
	bool redeemed;
	int fd;
	uint64_t session, account;
	uint8_t service;
	uint16_t peer_port;
	unsigned tries;
	struct buf name, peer_ip, tag, pending;
	struct loop_timer again; /* the account's former process is leaving */
};

static struct waiting *slots(struct supervisor *sup)
{
	return sup->attach_state;
}

static void waiting_clear(struct waiting *w)
{
	fd_close(&w->fd);
	loop_timer_done(&w->again);
	buf_done(&w->name);
	buf_done(&w->peer_ip);
	buf_done(&w->tag);
	buf_done(&w->pending);
	w->used = w->redeemed = false;
}

static void answer(struct supervisor *sup, uint64_t session, enum attach_status status)
{
	struct attach_attached m = { session, (uint8_t)status };

	if (sup->attach && attach_send_attached(sup->attach, &m))
		LOG_WARNING("supervisor.attach", "cannot answer login", LOG_ID("session", session));
}

static void finish(struct waiting *w, enum attach_status status)
{
	struct supervisor *sup = w->sup;
	uint64_t session = w->session;

	waiting_clear(w);
	answer(sup, session, status);
}

static void hand_over(struct waiting *w)
{
	struct mailbox_session s = {
		.session = w->session,
		.service = w->service,
		.peer_port = w->peer_port,
		.name = buf_view(&w->name),
		.peer_ip = buf_view(&w->peer_ip),
		.tag = buf_view(&w->tag),
		.pending = buf_view(&w->pending),
	};
	int fd = fcntl(w->fd, F_DUPFD_CLOEXEC, 0);
	enum err err;

	if (fd < 0) {
		finish(w, ATTACH_TEMPORARY);
		return;
	}
	err = mailbox_attach(w->sup, w->account, &s, fd);
	if (err == ERR_BUSY && ++w->tries < LOGIN_TRIES) {
		loop_timer_set(&w->again, LOGIN_TRY_MS);
		return;
	}
	finish(w, err ? ATTACH_TEMPORARY : ATTACH_OK);
}

static void on_again(void *ctx)
{
	hand_over(ctx);
}

static enum err fill(struct waiting *w, const struct attach_attach *m, int *fd)
{
	buf_init(&w->name, 320);
	buf_init(&w->peer_ip, 16);
	buf_init(&w->tag, ATTACH_ATTACH_TAG_MAX);
	buf_init(&w->pending, ATTACH_ATTACH_PENDING_MAX);
	buf_add(&w->peer_ip, m->peer_ip);
	buf_add(&w->tag, m->tag);
	buf_add(&w->pending, m->pending);
	w->session = m->session;
	w->service = m->service;
	w->peer_port = m->peer_port;
	w->tries = 0;
	w->fd = *fd;
	*fd = -1;
	w->used = true;
	loop_timer_init(&w->again, w->sup->loop, on_again, w);
	return buf_err(&w->peer_ip) ? ERR_NOMEM
	       : buf_err(&w->tag)   ? ERR_NOMEM
				    : buf_err(&w->pending);
}

static enum err on_attach(void *ctx, const struct attach_attach *m, int *fd)
{
	struct supervisor *sup = ctx;
	struct redeem_redeem ask = { .session = m->session, .ticket = m->ticket };
	struct waiting *w = NULL;

	for (uint32_t i = 0; i < WAITING_MAX && !w; i++) {
		if (!slots(sup)[i].used) {
			w = &slots(sup)[i];
			ask.tag = i;
		}
	}
	if (!w || !sup->redeem) {
		answer(sup, m->session, ATTACH_TEMPORARY);
		return OK;
	}
	if (fill(w, m, fd) || redeem_send_redeem(sup->redeem, &ask))
		finish(w, ATTACH_TEMPORARY);
	return OK;
}

static enum err on_redeemed(void *ctx, const struct redeem_redeemed *m)
{
	struct supervisor *sup = ctx;
	struct waiting *w = m->tag < WAITING_MAX ? &slots(sup)[m->tag] : NULL;

	if (!w || !w->used || w->redeemed)
		return ERR_PEER;
	w->redeemed = true;
	if (!m->ok) {
		LOG_WARNING("supervisor.ticket", "login showed a ticket that is not valid",
			    LOG_ID("session", w->session));
		finish(w, ATTACH_BAD_TICKET);
		return OK;
	}
	w->account = m->account;
	buf_add(&w->name, m->name);
	hand_over(w);
	return OK;
}

static enum err on_revoked(void *ctx, const struct redeem_revoked *m)
{
	mailbox_revoked(ctx, m->account);
	return OK;
}

static enum err on_want(void *ctx, const struct spawn_want *m)
{
	struct supervisor *sup = ctx;
	struct spawn_have have = { m->account };
	int fd = -1;

	if (mailbox_deliver(sup, m->account, &fd))
		fd = -1;
	return spawn_send_have(sup->spawn, &have, fd);
}

static const struct attach_server_ops attach_ops = { on_attach };
static const struct redeem_client_ops redeem_ops = { on_redeemed, on_revoked };
static const struct spawn_server_ops spawn_ops = { on_want };

static enum err attach_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	return attach_server_dispatch(&attach_ops, ctx, type, body, fd);
}

static enum err redeem_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	return redeem_client_dispatch(&redeem_ops, ctx, type, body, fd);
}

static enum err spawn_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	return spawn_server_dispatch(&spawn_ops, ctx, type, body, fd);
}

static void report(const char *channel, enum err why)
{
	if (why != ERR_EOF)
		LOG_ERROR("supervisor.protocol",
			  "a role broke the rules of a channel; it is closed",
			  LOG_STR("channel", channel), LOG_ERR(why));
}

static void attach_closed(void *ctx, enum err why)
{
	struct supervisor *sup = ctx;

	report("attach", why);
	ipc_chan_free(sup->attach);
	sup->attach = NULL;
}

/* auth is gone: what waits for it is refused, the client may try again. */
static void redeem_closed(void *ctx, enum err why)
{
	struct supervisor *sup = ctx;

	report("redeem", why);
	ipc_chan_free(sup->redeem);
	sup->redeem = NULL;
	for (size_t i = 0; i < WAITING_MAX; i++)
		if (slots(sup)[i].used && !slots(sup)[i].redeemed)
			finish(&slots(sup)[i], ATTACH_TEMPORARY);
}

static void spawn_closed(void *ctx, enum err why)
{
	struct supervisor *sup = ctx;

	report("spawn", why);
	ipc_chan_free(sup->spawn);
	sup->spawn = NULL;
}

static const struct ipc_ops attach_ipc = { attach_message, attach_closed, NULL };
static const struct ipc_ops redeem_ipc = { redeem_message, redeem_closed, NULL };
static const struct ipc_ops spawn_ipc = { spawn_message, spawn_closed, NULL };

static void replace(struct supervisor *sup, int fd, const struct ipc_channel *channel,
		    enum ipc_side side, const struct ipc_ops *ops, struct ipc_chan **at)
{
	ipc_chan_free(*at);
	*at = NULL;
	if (ipc_chan_new(sup->loop, fd, channel, side, ops, sup, at))
		LOG_ERROR("supervisor.memory", "no memory for a channel",
			  LOG_STR("channel", channel->name));
}

static void make_slots(struct supervisor *sup)
{
	struct waiting *all;

	if (sup->attach_state)
		return;
	all = calloc(WAITING_MAX, sizeof(*all));
	ASSERT(all);
	for (size_t i = 0; i < WAITING_MAX; i++) {
		all[i].sup = sup;
		all[i].fd = -1;
	}
	sup->attach_state = all;
}

void attach_take(struct supervisor *sup, int fd)
{
	make_slots(sup);
	replace(sup, fd, &attach_channel, IPC_SERVER, &attach_ipc, &sup->attach);
}

void redeem_take(struct supervisor *sup, int fd)
{
	make_slots(sup);
	replace(sup, fd, &redeem_channel, IPC_CLIENT, &redeem_ipc, &sup->redeem);
}

void spawn_take(struct supervisor *sup, int fd)
{
	replace(sup, fd, &spawn_channel, IPC_SERVER, &spawn_ipc, &sup->spawn);
}
