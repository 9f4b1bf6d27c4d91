/*
 * roles/supervisor/mailbox.c: one process per active account.
 *
 * Started by the first session or delivery, ended when it says that it is idle and nothing is on its
 * way to it.  While one is leaving, or has just died, wishes are refused with ERR_BUSY: who has them
 * tries again and gets its successor.
 */
#include "supervisor.h"

#include <signal.h>

#include "ipc/account_key.h"
#include "ipc/lifecycle.h"
#include "sys/clock.h"
#include "sys/file.h"

struct mailbox {
	struct process process;
	uint64_t account;
	uint32_t check_tag; /* of the administrator's request; 0: none */
	int64_t not_before_ms;
};

uint64_t mailbox_account(const struct mailbox *m)
{
	return m->account;
}

size_t mailbox_count(const struct supervisor *sup)
{
	return sup->mailboxes.n;
}

bool mailbox_next(struct supervisor *sup, size_t *at, struct process **ret)
{
	struct view key;
	void *m;

	if (!map_next(&sup->mailboxes, at, &key, &m))
		return false;
	*ret = &((struct mailbox *)m)->process;
	return true;
}

static void mailbox_free(struct supervisor *sup, struct mailbox *m)
{
	map_remove(&sup->mailboxes, map_key_u64(&m->account));
	loop_timer_done(&m->process.restart);
	ipc_chan_free(m->process.lifecycle);
	free(m);
}

static enum err give_keys_channel(struct supervisor *sup, struct mailbox *m)
{
	int pair[2];
	enum err err = ipc_pair(pair);

	if (err)
		return err;
	process_give(&sup->fixed[I_KEYS], "channel", "account_key", m->account, pair[1]);
	process_give(&m->process, "channel", "account_key", 0, pair[0]);
	return OK;
}

static enum err mailbox_start(struct supervisor *sup, struct mailbox *m)
{
	int dir = dirs_open_account(sup, m->account);
	enum err err;

	if (dir < 0) {
		LOG_ERROR("supervisor.account_dir", "cannot open the folder of an account",
			  LOG_UINT("account", m->account), LOG_ERRNO());
		return ERR_IO;
	}
	err = process_start(&m->process);
	if (err) {
		fd_close(&dir);
		return err;
	}
	process_give(&m->process, "dir", "account", m->account, dir);
	err = give_keys_channel(sup, m);
	if (!err)
		err = wire_log(sup, &m->process, m->account);
	if (!err)
		err = process_go(&m->process);
	if (err) /* it would wait for the rest for ever */
		kill(m->process.pid, SIGKILL);
	return err;
}

static struct mailbox *mailbox_new(struct supervisor *sup, uint64_t account)
{
	struct mailbox *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->account = account;
	process_init(&m->process, sup, &mailbox_row, I_COUNT);
	m->process.mailbox = m;
	if (map_put(&sup->mailboxes, map_key_u64(&m->account), m)) {
		free(m);
		return NULL;
	}
	return m;
}

/* The account's process, running and not about to leave. */
static enum err mailbox_want(struct supervisor *sup, uint64_t account, struct mailbox **ret)
{
	struct mailbox *m = map_get(&sup->mailboxes, map_key_u64(&account));
	enum err err;

	if (sup->stopping)
		return ERR_BUSY;
	if (!m)
		m = mailbox_new(sup, account);
	if (!m)
		return ERR_NOMEM;
	if (m->process.state == PROCESS_LEAVING)
		return ERR_BUSY;
	if (m->process.state == PROCESS_DOWN) {
		if (clock_mono_ms() < m->not_before_ms)
			return ERR_BUSY;
		err = mailbox_start(sup, m);
		if (err)
			return err;
	}
	/* A dead process closes its channel before it is reaped. */
	if (!m->process.lifecycle)
		return ERR_BUSY;
	*ret = m;
	return OK;
}

enum err mailbox_attach(struct supervisor *sup, uint64_t account, const struct mailbox_session *s,
			int fd)
{
	struct mailbox *m;
	enum err err = mailbox_want(sup, account, &m);
	struct lifecycle_session message = {
		.session = s->session,
		.service = s->service,
		.name = s->name,
		.peer_ip = s->peer_ip,
		.peer_port = s->peer_port,
		.tag = s->tag,
		.pending = s->pending,
	};

	if (err) {
		fd_close(&fd);
		return err;
	}
	m->process.sent++;
	return lifecycle_send_session(m->process.lifecycle, &message, fd);
}

enum err mailbox_deliver(struct supervisor *sup, uint64_t account, int *ret_fd)
{
	struct mailbox *m;
	enum err err = mailbox_want(sup, account, &m);
	int pair[2];

	if (!err)
		err = ipc_pair(pair);
	if (err)
		return err;
	process_give(&m->process, "channel", "deliver", 0, pair[1]);
	*ret_fd = pair[0];
	return OK;
}

enum err mailbox_check(struct supervisor *sup, uint64_t account, uint32_t tag, bool rebuild)
{
	struct lifecycle_check message = { tag, rebuild };
	struct mailbox *m;
	enum err err = mailbox_want(sup, account, &m);

	if (!err && m->check_tag)
		err = ERR_BUSY;
	if (!err)
		err = lifecycle_send_check(m->process.lifecycle, &message);
	if (!err) {
		m->process.sent++;
		m->check_tag = tag;
	}
	return err;
}

uint32_t mailbox_check_tag(struct mailbox *m, bool over)
{
	uint32_t tag = m->check_tag;

	if (over)
		m->check_tag = 0;
	return tag;
}

void mailbox_revoked(struct supervisor *sup, uint64_t account)
{
	struct mailbox *m = map_get(&sup->mailboxes, map_key_u64(&account));

	if (m)
		process_stop(&m->process);
}

void mailbox_idle(struct process *p, uint64_t seen)
{
	if (seen == p->sent)
		process_stop(p);
}

void mailbox_ended(struct mailbox *m)
{
	struct supervisor *sup = m->process.sup;
	bool clean = strcmp(m->process.last_end, "ended with status 0") == 0;

	if (m->check_tag)
		admin_checked(&m->process, ERR_PEER,
			      VIEW("the mailbox process ended during the check; see the log"));
	m->not_before_ms = clean ? 0 : clock_mono_ms() + m->process.backoff_ms;
	m->process.restarts += !clean;
	if (clean)
		mailbox_free(sup, m);
}
