/*
 * store/store.c: opening, closing and the memory of an account; see store.h.
 */
#include "store/internal.h"

#include "store/folder.h"
#include "sys/calls.h"
#include "sys/file.h"

enum { ZSTD_LEVEL_DEFAULT = 1, ZSTD_LEVEL_MAX = 9 };

static void config_fill(struct store_config *c)
{
	if (c->message_size_max == 0 || c->message_size_max > STORE_MESSAGE_SIZE_MAX)
		c->message_size_max = STORE_MESSAGE_SIZE_MAX;
	if (c->pack_size_max == 0)
		c->pack_size_max = PACK_SIZE_DEFAULT;
	if (c->wal_size_due == 0)
		c->wal_size_due = WAL_DUE_DEFAULT;
	if (c->zstd_level <= 0 || c->zstd_level > ZSTD_LEVEL_MAX)
		c->zstd_level = ZSTD_LEVEL_DEFAULT;
}

static void store_free(struct store *s)
{
	index_done(&s->index);
	mailbox_table_done(&s->mailboxes);
	for (size_t i = 0; i < s->subscriptions.n; i++)
		free(s->subscriptions.at[i]);
	VEC_DONE(&s->subscriptions);
	for (size_t i = 0; i < s->listeners.n; i++)
		free(s->listeners.at[i]);
	VEC_DONE(&s->listeners);
	for (size_t i = 0; i < STORE_KEYWORD_MAX; i++)
		free(s->keywords[i]);
	marks_done(&s->marks);
	record_reader_done(&s->reader);
	pack_writer_done(&s->writer);
	pack_set_done(&s->packs);
	key_ring_done(&s->keys);
	fd_close(&s->lock);
	free(s);
}

enum err store_prepare(int dir, const struct store_keys *keys, const struct store_config *config,
		       void (*damaged)(void *ctx, uint32_t pack), void *ctx, struct store **ret)
{
	struct store *s = (struct store *)calloc(1, sizeof(*s));
	enum err err;

	if (!s)
		return ERR_NOMEM;
	s->dir = dir;
	s->lock = -1;
	s->config = *config;
	config_fill(&s->config);
	s->subscriptions.max = STORE_SUBSCRIPTION_MAX;
	s->listeners.max = LISTENER_MAX;
	mailbox_table_init(&s->mailboxes);
	marks_init(&s->marks);
	pack_set_init(&s->packs, dir, &s->keys);
	pack_writer_init(&s->writer, &s->packs, s->config.zstd_level);
	record_reader_init(&s->reader, &s->packs);
	err = folder_lock(dir, &s->lock);
	if (!err)
		err = key_ring_init(&s->keys, keys, config->account);
	if (!err)
		err = index_init(&s->index, dir, &s->keys);
	if (!err)
		err = pack_set_load(&s->packs, damaged, ctx);
	if (err) {
		store_free(s);
		return err;
	}
	*ret = s;
	return OK;
}

/* A new account, or one whose making was interrupted: nothing was ever logged. */
static enum err create_index(struct store *s)
{
	enum err err = index_remove(&s->index, false);

	if (!err)
		err = index_open(&s->index, true);
	if (!err)
		err = index_ready(&s->index);
	/* On disk before the first record: later the index may be old, but it is never missing. */
	if (!err)
		err = index_checkpoint(&s->index, false);
	if (!err && calls()->fsync(s->dir))
		err = ERR_IO;
	if (!err)
		err = memory_reload(s);
	return err;
}

/* An index that knows of records while every pack is missing is not a new account. */
static enum err refuse_lost_packs(struct store *s)
{
	enum err err;

	if (!folder_has(s->dir, FOLDER_INDEX) || index_open(&s->index, false))
		return OK;
	err = memory_reload(s);
	if (!err && s->applied.seq > 0)
		err = ERR_CORRUPT;
	index_close(&s->index);
	return err;
}

static bool log_is_empty(const struct store *s)
{
	for (size_t i = 0; i < s->packs.packs.n; i++) {
		if (s->packs.packs.at[i].size > PACK_HEADER)
			return false;
	}
	return true;
}

/* Open what is there and make it agree with the log. */
static enum err open_existing(struct store *s, bool *ret_clean)
{
	enum err err = index_open(&s->index, false);

	if (!err)
		err = memory_reload(s);
	return err ? err : recover_run(s, ret_clean);
}

static enum err open_index(struct store *s)
{
	bool clean = true, damaged = false, empty = log_is_empty(s), rebuilt = false, closed;
	enum err err;

	if (empty) {
		err = refuse_lost_packs(s);
		if (!err)
			err = create_index(s);
		if (!err && s->packs.packs.n)
			pack_writer_attach(&s->writer, pack_set_last(&s->packs), PACK_HEADER);
	} else {
		err = open_existing(s, &clean);
		if (err == ERR_CORRUPT && s->config.rebuild) {
			err = rebuild_run(s, NULL, &damaged, &clean);
			rebuilt = true;
		}
	}
	if (!err && !clean)
		err = numbers_skip(s, 0);
	if (!err && rebuilt)
		err = rebuild_finish(s, NULL, damaged);
	if (!err && !mailbox_by_name(s, VIEW("INBOX")))
		err = store_make_folders(s);
	/* So that a later rebuild does not take what a power cut left for the loss of something. */
	if (!err && s->holes)
		err = state_log_write(s);
	/* A log that was closed in order still is when nothing was added to it. */
	closed = rebuilt && clean && !s->dirty_durable;
	if (!err && (!clean || rebuilt || empty))
		err = checkpoint_run(s, closed, closed);
	return err;
}

enum err store_open(int account_dir_fd, const struct store_keys *keys,
		    const struct store_config *config, struct store **ret)
{
	struct store *s;
	enum err err = store_prepare(account_dir_fd, keys, config, NULL, NULL, &s);

	if (err)
		return err;
	err = open_index(s);
	if (err) {
		store_free(s);
		return err;
	}
	*ret = s;
	return OK;
}

enum err store_close(struct store **store)
{
	struct store *s = *store;
	enum err err;

	if (!s)
		return OK;
	err = s->broken ? ERR_WRONG_STATE : checkpoint_run(s, true, true);
	store_free(s);
	*store = NULL;
	return err;
}

void store_abort(struct store **store)
{
	if (*store)
		store_free(*store);
	*store = NULL;
}

enum err store_trim(struct store *s)
{
	enum err err = s->broken ? OK : checkpoint_run(s, false, true);

	if (err)
		return err;
	index_close(&s->index);
	pack_writer_trim(&s->writer);
	record_reader_done(&s->reader);
	record_reader_init(&s->reader, &s->packs);
	pack_set_trim(&s->packs);
	sqlite3_release_memory(INT32_MAX);
	return OK;
}

void store_mailbox_limits_set(struct store *s, const struct store_config *config)
{
	s->config.mailbox_name_max = config->mailbox_name_max;
	s->config.mailbox_depth_max = config->mailbox_depth_max;
	s->config.mailbox_count_max = config->mailbox_count_max;
}

void store_quota_set(struct store *s, uint64_t bytes, uint64_t messages)
{
	s->config.quota_bytes = bytes;
	s->config.quota_messages = messages;
}

struct store_usage store_usage(const struct store *s)
{
	return (struct store_usage){
		.bytes = s->bytes,
		.messages = s->messages,
		.quota_bytes = s->config.quota_bytes,
		.quota_messages = s->config.quota_messages,
		.pack_bytes = pack_set_bytes(&s->packs),
		.dead_bytes = s->dead_bytes + s->event_bytes,
	};
}
