/*
 * roles/queue/queue.c: the root: what is set up, counted, committed, and ended.
 */
#include "roles/queue/queue.h"

#include "sys/calls.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/log.h"

enum { WORK_SOON_MS = 5 };

void queue_link(struct queue *q, struct message *m)
{
	m->queue = q;
	list_push_back(&q->messages, &m->link);
	queue_count_memory(q, m);
}

void queue_free_message(struct queue *q, struct message *m)
{
	if (q->opened.message == m)
		open_forget(q);
	kept_drop(q, m);
	list_remove(&q->messages, &m->link);
	q->memory -= m->counted;
	due_remove(&q->due, m);
	message_free(m);
}

void queue_count_memory(struct queue *q, struct message *m)
{
	q->memory += m->bytes - m->counted;
	m->counted = m->bytes;
}

/* ---- the journal's news ---- */

static void on_released(void *ctx, struct journal_entry *entry)
{
	struct queue *q = ctx;
	struct message *m = (struct message *)entry;

	LOG_DEBUG("queue.done", "the message left the queue", LOG_ID("trace", m->trace));
	queue_free_message(q, m);
}

static void on_pressed(void *ctx)
{
	local_checkpoint(ctx, true);
}

static void on_unreadable(void *ctx, struct journal_entry *entry)
{
	struct queue *q = ctx;
	struct message *m = (struct message *)entry;

	LOG_ERROR("queue.lost", "a message cannot be read any more and is given up",
		  LOG_ID("trace", m->trace), LOG_UINT("sequence", entry->sequence));
	for (uint32_t i = 0; i < message_rcpt_count(m); i++)
		dispatch_withdraw(q, message_rcpt(m, i));
	m->finished = true;
	due_remove(&q->due, m);
	journal_finish(q->journal, entry);
}

static void on_event(void *ctx, const struct journal_event *e)
{
	static const struct {
		enum log_level level;
		const char *name, *text;
	} rows[] = {
		[JOURNAL_TORN] = { LOG_LEVEL_NOTICE, "queue.journal-torn",
				   "the last write before the stop was incomplete and was cut" },
		[JOURNAL_DAMAGE] = { LOG_LEVEL_ERROR, "queue.journal-damage",
				     "a part of the journal is damaged; the rest was salvaged" },
		[JOURNAL_UNREADABLE] = { LOG_LEVEL_ERROR, "queue.journal-unreadable",
					 "a part of the journal cannot be read" },
		[JOURNAL_FAILED] = { LOG_LEVEL_ERROR, "queue.journal-failed",
				     "a write to the journal failed; the file was given up" },
		[JOURNAL_RECOVERED] = { LOG_LEVEL_NOTICE, "queue.journal-recovered",
					"the journal can be written again" },
	};

	LOG_AT(rows[e->kind].level, rows[e->kind].name, rows[e->kind].text,
	       LOG_STR("file", e->file), LOG_UINT("offset", e->offset), LOG_UINT("octets", e->n),
	       LOG_ERR(e->err), LOG_STR("errno", e->error ? strerrordesc_np(e->error) : ""));
}

const struct journal_ops queue_journal_ops = {
	.accepted = replay_accepted,
	.changed = replay_changed,
	.forgotten = replay_forgotten,
	.describe = replay_describe,
	.released = on_released,
	.pressed = on_pressed,
	.unreadable = on_unreadable,
	.event = on_event,
};

/* ---- commits ---- */

static void work_soon(struct queue *q, int ms)
{
	if (!loop_timer_is_set(&q->work))
		loop_timer_set(&q->work, ms);
}

static void commit(void *ctx)
{
	struct queue *q = ctx;

	open_forget(q);
	loop_timer_cancel(&q->lazy);
	loop_timer_cancel(&q->gather);
	journal_commit(q->journal);
	open_forget(q);
	work_soon(q, WORK_SOON_MS);
	queue_check_full(q);
}

static void work(void *ctx)
{
	struct queue *q = ctx;
	int again;

	open_forget(q);
	again = journal_work(q->journal);
	open_forget(q);
	/* What callbacks have added while it committed. */
	if (journal_is_waiting(q->journal))
		queue_commit_soon(q);
	if (again >= 0)
		work_soon(q, again);
}

void queue_commit_soon(struct queue *q)
{
	if (!q->config->journal_gather)
		loop_defer_add(&q->commit);
	else if (!loop_timer_is_set(&q->gather))
		loop_timer_set(&q->gather, (int64_t)q->config->journal_gather);
}

void queue_commit_lazily(struct queue *q)
{
	if (!loop_timer_is_set(&q->lazy))
		loop_timer_set(&q->lazy, LAZY_COMMIT_MS);
}

/* ---- full ---- */

static bool is_disk_full(const struct queue *q)
{
	const struct config *c = q->config;
	struct statvfs v;
	uint64_t unit, reserve;

	if (calls()->fstatvfs(q->dir, &v))
		return false;
	unit = v.f_frsize ? v.f_frsize : v.f_bsize;
	reserve = (uint64_t)v.f_blocks / 100 * c->disk_reserve_percent * unit;
	if (reserve < c->disk_reserve)
		reserve = c->disk_reserve;
	if ((uint64_t)v.f_bavail * unit < reserve)
		return true;
	/* Some file systems have no bound of inodes and say 0. */
	return v.f_files && v.f_favail < (uint64_t)v.f_files * c->inode_reserve_percent / 100;
}

void queue_check_full(struct queue *q)
{
	bool full = q->disk_full || q->memory > q->config->queue_memory;

	if (full == q->full)
		return;
	q->full = full;
	if (full)
		LOG_ERROR("queue.full", "no mail is taken: no room",
			  LOG_STR("what", q->disk_full ? "disk" : "memory"),
			  LOG_UINT("messages", q->messages.n), LOG_UINT("memory", q->memory));
	else
		LOG_NOTICE("queue.room", "mail is taken again");
	accept_tell_full(q);
}

static void check_disk(void *ctx)
{
	struct queue *q = ctx;

	q->disk_full = is_disk_full(q);
	if (q->disk_full) {
		journal_shrink(q->journal);
		q->disk_full = is_disk_full(q);
	}
	queue_check_full(q);
	loop_timer_set(&q->disk, DISK_CHECK_MS);
}

/* ---- life ---- */

static enum err replay(struct queue *q)
{
	struct journal_options options = { .dir = q->dir,
					   .segment_size = q->config->journal_segment,
					   .keep = (unsigned)q->config->journal_segments };
	struct map map;
	uint8_t secret[16];
	enum err err;

	random_bytes(secret, sizeof(secret));
	map_init(&map, SIZE_MAX, secret);
	q->replay = &map;
	err = journal_open(&options, &queue_journal_ops, q, &q->journal);
	q->replay = NULL;
	map_done(&map);
	return err;
}

enum err queue_init(struct queue *q, struct loop *loop, const struct config *config, int dir)
{
	enum err err;

	*q = (struct queue){ .loop = loop, .config = config, .dir = dir, .opened = { .fd = -1 } };
	for (size_t i = 0; i < ACCEPT_PEERS; i++)
		q->peers[i].queue = q;
	buf_init(&q->room, SIZE_MAX / 2);
	loop_defer_init(&q->commit, loop, commit, q);
	loop_defer_init(&q->report, loop, bounce_run, q);
	loop_timer_init(&q->gather, loop, commit, q);
	loop_timer_init(&q->lazy, loop, commit, q);
	loop_timer_init(&q->work, loop, work, q);
	loop_timer_init(&q->dispatch, loop, dispatch_due, q);
	loop_timer_init(&q->disk, loop, check_disk, q);
	route_init(q);
	kept_init(q);
	local_init(q);
	remote_init(q);
	q->remotes.jobs = calloc(JOBS_MAX, sizeof(struct job));
	if (!q->remotes.jobs)
		return ERR_NOMEM;
	err = replay(q);
	if (err) {
		LOG_ERROR("queue.journal", "the journal cannot be opened", LOG_ERR(err),
			  LOG_ERRNO());
		return err;
	}
	replay_finish(q);
	check_disk(q);
	work_soon(q, WORK_SOON_MS);
	return OK;
}

void queue_stop(struct queue *q)
{
	q->stopping = true;
	commit(q);
}

void queue_done(struct queue *q)
{
	struct message *m;

	for (size_t i = 0; i < ACCEPT_PEERS; i++)
		ipc_chan_free(q->peers[i].chan);
	ipc_chan_free(q->admin);
	open_forget(q);
	/* Closing commits, which may tell messages that they are durable: while all is still there. */
	journal_close(q->journal);
	q->journal = NULL;
	open_forget(q);
	kept_done(q);
	route_done(q);
	local_done(q);
	remote_done(q);
	loop_defer_done(&q->commit);
	loop_defer_done(&q->report);
	loop_timer_done(&q->gather);
	loop_timer_done(&q->lazy);
	loop_timer_done(&q->work);
	loop_timer_done(&q->dispatch);
	loop_timer_done(&q->disk);
	while ((m = message_first(&q->messages))) {
		list_remove(&q->messages, &m->link);
		message_free(m);
	}
	due_done(&q->due);
	buf_done(&q->room);
}

void queue_reload(struct queue *q, const struct config *config)
{
	q->config = config;
	check_disk(q);
}

void queue_status(const struct queue *q, struct buf *json)
{
	struct journal_figures f;
	const struct queue_figures *g = &q->figures;
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{ "messages", q->messages.n },
		{ "memory", q->memory },
		{ "full", q->full },
		{ "stopped", outcome_is_stopped(q) },
		{ "accepted", g->accepted },
		{ "refused", g->refused },
		{ "delivered", g->delivered },
		{ "sent", g->sent },
		{ "deferred", g->deferred },
		{ "failed", g->failed },
		{ "bounced", g->bounced },
		{ "duplicates_possible", g->duplicates_possible },
		{ "journal_segments", (journal_figures(q->journal, &f), f.segments) },
		{ "journal_spare", f.spare },
		{ "journal_live_bytes", f.live_bytes },
		{ "journal_commits", f.commits },
		{ "journal_groups", f.groups },
		{ "journal_copied", f.copied },
		{ "journal_failures", f.failures },
		{ "journal_direct", f.direct },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		buf_addf(json, "\"%s\":%llu,", rows[i].name, (unsigned long long)rows[i].value);
}
