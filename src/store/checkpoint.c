/*
 * store/checkpoint.c: making durable what was acknowledged, in the one order that is safe.
 *
 * packs synced -> place and marks noted in the index -> WAL synced -> database written -> database synced.
 * The database file therefore never holds what the packs might lose.
 */
#include "store/internal.h"

#include "sys/calls.h"
#include "sys/file.h"

enum err log_sync(struct store *s)
{
	enum err err = pack_writer_sync(&s->writer);

	if (err && log_abandon(s))
		s->broken = true;
	return err;
}

enum err log_rotate(struct store *s)
{
	struct pack_writer *w = &s->writer;
	uint32_t number;
	enum err err;

	if (w->pack != 0 && w->end < s->config.pack_size_max)
		return OK;
	err = w->pack ? log_sync(s) : OK;
	if (!err)
		err = pack_set_create(&s->packs, PACK_LOG, w->last_seq + 1, false, &number);
	if (!err)
		pack_writer_attach(w, number, PACK_HEADER);
	return err;
}

static enum err marks_write(struct store *s)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT((size_t)STORE_MARK_MAX * 32);
	sqlite3_stmt *q = index_sql(&s->index, SQL_MARKS_SET);

	if (!q)
		return index_error(&s->index);
	marks_encode(&s->marks, &text);
	if (buf_err(&text))
		return buf_err(&text);
	bind_view(q, 1, buf_view(&text));
	return index_run(&s->index, q);
}

static enum err place_write(struct store *s, bool closed)
{
	sqlite3_stmt *q;
	enum err err = txn_write_state(s, closed);

	if (!err)
		err = marks_write(s);
	if (!err && s->event_bytes)
		err = pack_dead_add(s, s->writer.pack, s->event_bytes);
	q = index_sql(&s->index, SQL_CHECKPOINT_SET);
	if (err || !q)
		return err ? err : index_error(&s->index);
	bind_u64(q, 1, closed);
	return index_run(&s->index, q);
}

static enum err place_note(struct store *s, bool closed)
{
	enum err err = index_begin(&s->index);

	if (!err)
		err = index_end(&s->index, place_write(s, closed));
	if (!err)
		s->event_bytes = 0;
	return err;
}

/* The last record of a log that was closed in order. */
static enum err close_record(struct store *s)
{
	struct pack_pos pos;
	uint64_t seq, stored;
	enum err err = log_rotate(s);

	if (err)
		return err;
	pack_writer_begin(&s->writer);
	record_begin(&s->writer, RECORD_CLOSE, 0, &seq);
	err = record_end(&s->writer, VIEW_EMPTY, &pos, &stored);
	if (!err)
		err = pack_writer_flush(&s->writer);
	if (err) {
		if (pack_writer_abort(&s->writer, false) && log_abandon(s))
			s->broken = true;
		return err;
	}
	pack_writer_commit(&s->writer);
	s->applied = (struct log_place){ seq, { s->writer.pack, s->writer.end } };
	failpoint("store.close.recorded");
	return OK;
}

/* Fold the older half of a mailbox's vanished rows into "anything may have gone". */
static enum err vanished_fold(struct store *s, struct mailbox *m)
{
	sqlite3_stmt *q = index_sql(&s->index, SQL_VANISHED_OF);
	enum err err;

	if (!q)
		return index_error(&s->index);
	bind_u64(q, 1, m->pub.id);
	bind_u64(q, 2, VANISHED_MAX / 2);
	err = index_step(&s->index, q);
	if (err)
		return err == ERR_EOF ? OK : err;
	m->vanished_from = column_u64(q, 0);
	m->dirty = true;
	sqlite3_reset(q);
	q = index_sql(&s->index, SQL_VANISHED_PRUNE);
	if (!q)
		return index_error(&s->index);
	bind_u64(q, 1, m->pub.id);
	bind_u64(q, 2, m->vanished_from);
	return index_run(&s->index, q);
}

static enum err vanished_fold_all(struct store *s)
{
	VEC(uint64_t) large = VEC_INIT(STORE_MAILBOX_COUNT_MAX);
	sqlite3_stmt *q = index_sql(&s->index, SQL_VANISHED_COUNT);
	enum err err = OK;

	if (!q)
		return index_error(&s->index);
	bind_u64(q, 1, VANISHED_MAX);
	while (!(err = index_step(&s->index, q))) {
		if (!VEC_PUSH(&large, column_u64(q, 0)))
			break;
	}
	sqlite3_reset(q);
	err = err == ERR_EOF ? OK : err;
	for (size_t i = 0; i < large.n && !err; i++) {
		struct mailbox *m = mailbox_by_id(s, large.at[i]);

		if (m)
			err = vanished_fold(s, m);
	}
	VEC_DONE(&large);
	return err;
}

/* Names of new files must be on disk before the database relies on its WAL. */
static enum err folder_sync(struct store *s)
{
	if (s->folder_synced)
		return OK;
	if (calls()->fsync(s->dir))
		return ERR_IO;
	s->folder_synced = true;
	return OK;
}

static enum err checkpoint_steps(struct store *s, bool closed, bool truncate)
{
	enum err err = closed && s->dirty_durable ? close_record(s) : OK;

	if (!err)
		err = log_sync(s);
	failpoint("store.checkpoint.pack-done");
	if (!err && closed)
		err = vanished_fold_all(s);
	if (!err)
		err = place_note(s, closed);
	failpoint("store.checkpoint.marked");
	if (!err)
		err = folder_sync(s);
	if (!err)
		err = index_checkpoint(&s->index, truncate);
	else
		return err;
	s->checkpoint_owed = err != OK;
	failpoint("store.checkpoint.done");
	return err;
}

enum err checkpoint_run(struct store *s, bool closed, bool truncate)
{
	enum err err;

	ASSERT(!s->in_txn);
	if (s->broken)
		return ERR_WRONG_STATE;
	/* An untouched store stays as it was closed. */
	if (!s->dirty_durable && s->checkpoint.seq == s->applied.seq &&
	    vfs_wal_size(s->index.vfs) == 0)
		return OK;
	err = store_wake(s);
	if (!err)
		err = checkpoint_steps(s, closed, truncate);
	if (!err) {
		s->checkpoint = s->applied;
		s->checkpoint_owed = false;
		if (closed)
			s->dirty_durable = false;
	} else if (err == ERR_IO || vfs_failed(s->index.vfs)) {
		s->broken = true;
	}
	return err;
}

/* ---- for callers ------------------------------------------------------------------------------- */

enum err store_sync(struct store *s, uint64_t *ret_sequence)
{
	uint64_t highest = s->marks.highest;
	enum err err = s->broken ? ERR_WRONG_STATE : log_sync(s);

	failpoint("store.sync.after");
	if (!err && ret_sequence)
		*ret_sequence = highest;
	return err;
}

enum err store_checkpoint(struct store *s, uint64_t *ret_sequence)
{
	uint64_t highest = s->marks.highest;
	enum err err = checkpoint_run(s, false, false);

	if (!err && ret_sequence)
		*ret_sequence = highest;
	return err;
}

bool store_sync_due(const struct store *s)
{
	return s->writer.synced < s->writer.end;
}

uint64_t log_since_checkpoint(const struct store *s)
{
	bool same = s->writer.pack == s->checkpoint.pos.pack;

	return s->writer.end - (same ? s->checkpoint.pos.off : 0);
}

bool store_checkpoint_due(const struct store *s)
{
	return vfs_wal_size(s->index.vfs) > s->config.wal_size_due ||
	       log_since_checkpoint(s) > LOG_DUE;
}

void store_marks_forget(struct store *s, uint64_t below_sequence)
{
	marks_forget(&s->marks, below_sequence);
}
