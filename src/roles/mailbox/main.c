/*
 * roles/mailbox/main.c: open the account, serve its sessions and deliveries, leave when idle.
 */
#include "mailbox.h"

#include <malloc.h>
#include <sodium.h>

#include "ipc/account_key.h"
#include "proto/mime/charset_table.h"
#include "sys/clock.h"
#include "sys/file.h"

void mailbox_touch(struct mailbox *m)
{
	m->last_work_ms = clock_mono_ms();
	m->trimmed = false;
	if (!loop_timer_is_set(&m->idle_timer))
		loop_timer_set(&m->idle_timer, QUIET_TRIM_MS);
	if (!loop_timer_is_set(&m->sync_timer) && m->store && store_sync_due(m->store))
		loop_timer_set(&m->sync_timer, (int64_t)role_config(m->role)->flag_sync);
}

enum err mailbox_sync(struct mailbox *m)
{
	enum err err;

	loop_timer_cancel(&m->sync_timer);
	if (!m->store)
		return ERR_WRONG_STATE;
	err = store_checkpoint_due(m->store) ? store_checkpoint(m->store, NULL)
					     : store_sync(m->store, NULL);
	if (err)
		LOG_ERROR("mailbox.sync",
			  "cannot make an account durable; its mail stays in the journal",
			  LOG_UINT("account", m->account), LOG_ERR(err));
	else
		deliver_durable(m);
	return err;
}

static void on_sync_timer(void *ctx)
{
	(void)mailbox_sync(ctx);
}

/* ---- in the background ---- */

static void set_background(struct mailbox *m, bool on)
{
	if (m->background == on)
		return;
	m->background = on;
	role_background(m->role, on);
}

void mailbox_flood(struct mailbox *m, int64_t waited_ms)
{
	int64_t now = clock_mono_ms();

	if (m->client_ms && now - m->client_ms < CLIENT_QUIET_MS)
		return;
	m->flood_ms = now;
	/* Some other work may take all of the machine; and what the queue must read back costs it more. */
	if (waited_ms > BEHIND_MS)
		set_background(m, false);
	else if (waited_ms < CAUGHT_UP_MS)
		set_background(m, true);
	if (!loop_timer_is_set(&m->flood_timer))
		loop_timer_set(&m->flood_timer, FLOOD_OVER_MS);
}

static void on_flood_timer(void *ctx)
{
	struct mailbox *m = ctx;
	int64_t left = m->flood_ms + FLOOD_OVER_MS - clock_mono_ms();

	if (!m->background)
		return;
	if (left > 0)
		loop_timer_set(&m->flood_timer, left);
	else
		set_background(m, false);
}

void mailbox_client(struct mailbox *m)
{
	m->client_ms = clock_mono_ms();
	set_background(m, false);
}

/* ---- leaving ---- */

/* Give the room of expunged messages back, when nobody waits: it takes the time of copying what is left. */
static void compact(struct mailbox *m)
{
	uint64_t freed = 0;
	enum err err;

	if (m->session_count > 0 || store_usage(m->store).dead_bytes < COMPACT_DUE)
		return;
	err = store_compact(m->store, &freed);
	if (err)
		LOG_WARNING("mailbox.compact", "cannot give the room of expunged messages back",
			    LOG_UINT("account", m->account), LOG_ERR(err));
	else if (freed > 0)
		LOG_NOTICE("mailbox.compacted", "gave the room of expunged messages back",
			   LOG_UINT("account", m->account), LOG_UINT("octets", freed));
}

/* Everything that comes back by itself when there is work. */
static void give_back_memory(struct mailbox *m)
{
	m->trimmed = true;
	search_cache_clear(&m->search_cache);
	deliver_trim(m);
	digest_maker_trim(&m->digest);
	compact(m);
	if (store_trim(m->store))
		LOG_WARNING("mailbox.trim", "cannot close an idle index",
			    LOG_UINT("account", m->account));
	else
		deliver_durable(m);
	malloc_trim(0);
}

static void on_idle_timer(void *ctx)
{
	struct mailbox *m = ctx;
	int64_t quiet = clock_mono_ms() - m->last_work_ms;
	int64_t leave = (int64_t)role_config(m->role)->mailbox_idle;
	int64_t next = QUIET_TRIM_MS - quiet;

	if (m->store && next <= 0 && !m->trimmed)
		give_back_memory(m);
	if (m->session_count == 0 && quiet >= leave && !deliver_waiting(m) && !m->stopping)
		role_idle(m->role);
	/* Sessions that only wait shall not make the machine wake up; the next work sets it again. */
	if (m->session_count > 0 && m->trimmed)
		return;
	if (m->trimmed || (leave > quiet && leave - quiet < next))
		next = leave - quiet;
	loop_timer_set(&m->idle_timer, next > 0 ? next : QUIET_TRIM_MS);
}

static void leave(struct mailbox *m)
{
	enum err err = OK, closed = OK;

	for (struct session *s = m->sessions; s; s = s->next)
		s->dead = true;
	sessions_sweep(m);
	deliver_flush(m);
	if (m->store) {
		err = store_sync(m->store, NULL);
		if (!err)
			deliver_durable(m);
		closed = store_close(&m->store);
	}
	if (!err)
		err = closed;
	if (err)
		LOG_ERROR("mailbox.close",
			  "cannot close an account in order; it is mended at the next start",
			  LOG_UINT("account", m->account), LOG_ERR(err));
	role_exit(m->role, 0);
}

static void on_stop_timer(void *ctx)
{
	leave(ctx);
}

static void on_sweep(void *ctx)
{
	struct mailbox *m = ctx;

	sessions_sweep(m);
	if (m->stopping && m->session_count == 0)
		leave(m);
}

static void on_stop(struct role *role, void *ctx)
{
	struct mailbox *m = ctx;

	m->stopping = true;
	if (m->session_count == 0) {
		leave(m);
		return;
	}
	sessions_bye(m, "The server ends this session; please log in again");
	loop_timer_set(&m->stop_timer, STOP_FLUSH_MS);
}

/* ---- start ---- */

static enum err take_keys(const struct account_key_keys *m, struct store_key *at,
			  struct store_keys *ret)
{
	struct account_key_keys_keys item;
	struct view raw = m->keys_raw;
	size_t n = 0;

	if (!m->ok)
		return ERR_CRYPTO;
	while (account_key_keys_keys_next(&raw, &item)) {
		if (item.key.n != STORE_KEY_LEN)
			return ERR_PEER;
		at[n].generation = item.generation;
		memcpy(at[n].key, item.key.p, STORE_KEY_LEN);
		n++;
	}
	*ret = (struct store_keys){ at, n };
	return n ? OK : ERR_CRYPTO;
}

struct store_config mailbox_store_config(struct mailbox *m)
{
	return (struct store_config){
		.account = m->account,
		.quota_bytes = role_config(m->role)->quota,
		.message_size_max = role_config(m->role)->message_size * 2,
		.mailbox_name_max = role_config(m->role)->mailbox_name,
		.mailbox_depth_max = role_config(m->role)->mailbox_depth,
		.mailbox_count_max = role_config(m->role)->mailbox_count,
		.digest = mailbox_digest,
		.digest_ctx = &m->digest,
	};
}

enum err mailbox_open(struct mailbox *m, const struct store_keys *keys)
{
	struct store_config config = mailbox_store_config(m);
	enum err err = store_open(m->dir, keys, &config, &m->store);

	if (err == ERR_CORRUPT) {
		LOG_ERROR("mailbox.damaged",
			  "the index of an account is damaged; it is built anew from the packs",
			  LOG_UINT("account", m->account));
		config.rebuild = true;
		err = store_open(m->dir, keys, &config, &m->store);
	}
	if (err)
		LOG_ERROR("mailbox.open", "cannot open an account", LOG_UINT("account", m->account),
			  LOG_ERR(err));
	m->imap.store = m->store;
	return err;
}

enum err mailbox_keys(struct mailbox *m, struct store_key *at, struct store_keys *ret)
{
	struct buf room = BUF_INIT(IPC_PACKET_MAX);
	struct account_key_keys answer;
	struct view body;
	uint16_t type;
	int CLEANUP(fd_close) fd = -1;
	enum err err = ipc_send_blocking(m->keys_fd, ACCOUNT_KEY_GET, VIEW_EMPTY, -1);

	if (!err)
		err = ipc_recv_blocking(m->keys_fd, &room, &type, &body, &fd);
	if (!err)
		err = type == ACCOUNT_KEY_KEYS ? account_key_keys_decode(body, &answer) : ERR_PEER;
	if (!err)
		err = take_keys(&answer, at, ret);
	if (err)
		LOG_ERROR("mailbox.keys", "the key of an account cannot be had",
			  LOG_UINT("account", m->account), LOG_ERR(err));
	buf_wipe(&room);
	buf_done(&room);
	return err;
}

/* Without the keys there is nothing to do. */
static enum err open_account(struct mailbox *m)
{
	struct store_key at[STORE_KEY_GENERATION_MAX];
	struct store_keys keys;
	enum err err = mailbox_keys(m, at, &keys);

	if (!err)
		err = mailbox_open(m, &keys);
	sodium_memzero(at, sizeof(at));
	return err;
}

static enum err on_prepare(struct role *role, void *ctx)
{
	return sodium_init() < 0 ? ERR_CRYPTO : OK;
}

/* Options of sessions, at the start and when they change. */
static void set_options(struct mailbox *m, const struct config *config)
{
	m->imap.message_size = config->message_size;
	m->imap.idle_ms = (int64_t)config->imap_idle;
	m->imap.search_ms = (int64_t)config->imap_search_cpu;
	m->imap.bad_commands = (unsigned)config->bad_commands_user;
	m->imap.line = (size_t)config->imap_line;
	m->imap.nonsync = (size_t)config->literal_nonsync;
	m->imap.output = (size_t)config->imap_output_queue;
	m->append_memory.max = config->account_memory + config->message_size;
	if (m->store) {
		struct store_config limits = mailbox_store_config(m);

		store_mailbox_limits_set(m->store, &limits);
	}
}

static enum err on_start(struct role *role, void *ctx)
{
	struct mailbox *m = ctx;
	const struct config *config = role_config(role);
	enum err err;

	digest_maker_init(&m->digest, &mime_table_converter);
	search_cache_init(&m->search_cache);
	loop_defer_init(&m->sweep, role_loop(role), on_sweep, m);
	loop_timer_init(&m->sync_timer, role_loop(role), on_sync_timer, m);
	loop_timer_init(&m->idle_timer, role_loop(role), on_idle_timer, m);
	loop_timer_init(&m->stop_timer, role_loop(role), on_stop_timer, m);
	loop_timer_init(&m->flood_timer, role_loop(role), on_flood_timer, m);
	err = open_account(m);
	if (err)
		return err;
	m->imap = (struct imap_session_config){
		.store = m->store,
		.account = VIEW(""),
		.mono_ms = clock_mono_ms,
		.wall = clock_wall,
		.converter = &mime_table_converter,
		.search_cache = &m->search_cache,
		.append_memory = &m->append_memory,
	};
	set_options(m, config);
	mailbox_touch(m);
	loop_timer_set(&m->idle_timer, QUIET_TRIM_MS);
	return OK;
}

static void on_channel(struct role *role, void *ctx, struct view name, uint64_t id, int fd)
{
	struct mailbox *m = ctx;

	m->role = role;
	if (view_eq(name, VIEW("deliver"))) {
		deliver_channel_take(m, fd);
	} else if (view_eq(name, VIEW("account_key")) && m->keys_fd < 0) {
		m->keys_fd = fd;
	} else {
		fd_close(&fd);
	}
}

static void on_descriptor(struct role *role, void *ctx, struct view kind, struct view name,
			  uint64_t id, int fd)
{
	struct mailbox *m = ctx;

	m->role = role;
	if (view_eq(kind, VIEW("dir")) && view_eq(name, VIEW("account"))) {
		m->dir = fd;
		m->account = id;
	} else {
		fd_close(&fd);
	}
}

static void on_check(struct role *role, void *ctx, uint32_t tag, bool rebuild)
{
	mailbox_check(ctx, tag, rebuild);
}

static void on_session(struct role *role, void *ctx, const struct role_session *s, int fd)
{
	sessions_add(ctx, s, fd);
}

static void on_reload(struct role *role, void *ctx)
{
	struct mailbox *m = ctx;

	set_options(m, role_config(role));
}

static void on_status(struct role *role, void *ctx, struct buf *json)
{
	struct mailbox *m = ctx;
	struct store_usage usage = { 0 };

	if (m->store)
		usage = store_usage(m->store);
	buf_addf(json,
		 "\"sessions\":%zu,\"served\":%llu,\"delivered\":%llu,\"messages\":%llu,\"bytes\":%"
		 "llu,",
		 m->session_count, (unsigned long long)m->served, (unsigned long long)m->delivered,
		 (unsigned long long)usage.messages, (unsigned long long)usage.bytes);
}

int main(int argc, char **argv)
{
	static struct mailbox mailbox = { .dir = -1, .keys_fd = -1 };
	static const struct role_spec spec = {
		.name = "mailbox",
		.sandbox = SANDBOX_FS,
		.prepare = on_prepare,
		.start = on_start,
		.channel = on_channel,
		.descriptor = on_descriptor,
		.reload = on_reload,
		.stop = on_stop,
		.status = on_status,
		.session = on_session,
		.check = on_check,
	};

	return role_main(argc, argv, &spec, &mailbox);
}
