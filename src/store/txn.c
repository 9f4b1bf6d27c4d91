/*
 * store/txn.c: one operation, all or nothing; see internal.h.
 *
 * Order at commit: log record to the pack; fdatasync where the operation must be durable, where a block
 * of numbers was reserved, or where this is the first change since opening (so that an unclean stop is
 * noticed); index; memory.  A failure before the index has it takes everything back.
 */
#include "store/internal.h"

#include "base/num.h"
#include "sys/file.h"

enum {
	WIRE_MAX = META_MAX - 16 * 1024 * 1024, /* beside the lengths of frames */
	NAMES_MAX = 64 * 1024 * 1024,
	EVENTS_MAX = 16 * 1024 * 1024,
};

enum err store_wake(struct store *s)
{
	return s->index.db ? OK : index_open(&s->index, false);
}

enum err txn_begin(struct store *s, bool durable, struct txn *ret)
{
	enum err err;

	ASSERT(!s->in_txn);
	if (s->broken || vfs_failed(s->index.vfs))
		return ERR_WRONG_STATE;
	err = store_wake(s);
	if (!err && s->checkpoint_owed)
		err = checkpoint_run(s, false, false);
	if (!err)
		err = log_rotate(s);
	if (!err)
		err = index_begin(&s->index);
	if (err)
		return err;
	*ret = (struct txn){ .s = s, .durable = durable, .events = VEC_INIT(EVENTS_MAX) };
	arena_init(&ret->names, NAMES_MAX);
	buf_init(&ret->wire, WIRE_MAX);
	pack_writer_begin(&s->writer);
	s->in_txn = true;
	return OK;
}

static void txn_done(struct txn *t)
{
	VEC_DONE(&t->events);
	buf_done(&t->wire);
	arena_done(&t->names);
	t->s->in_txn = false;
}

static void txn_start_record(struct txn *t)
{
	if (t->recording)
		return;
	record_begin(&t->s->writer, RECORD_EVENTS, t->flags, &t->seq);
	buf_clear(&t->wire);
	t->recording = true;
	t->own_refs = 0;
	t->has_body = false;
}

enum err txn_event(struct txn *t, const struct event *e)
{
	struct event kept = *e;
	enum err err;

	txn_start_record(t);
	err = feed_reserve(t->s, e);
	if (!err)
		err = apply_event(t->s, e, t->seq, &t->own_refs);
	if (err)
		return err;
	event_encode(&t->wire, e);
	kept.name = arena_copy(&t->names, e->name);
	kept.value = VIEW_EMPTY;
	if (kept.name.n && !kept.name.p)
		return ERR_NOMEM;
	if (!VEC_PUSH(&t->events, kept))
		return t->events.n >= t->events.max ? ERR_LIMIT : ERR_NOMEM;
	return buf_err(&t->wire);
}

enum err txn_body(struct txn *t, struct view message, uint64_t *ret_blob)
{
	const struct store_config *c = &t->s->config;
	enum err err;

	txn_start_record(t);
	t->digest = (struct store_digest){ 0 };
	if (c->digest && c->digest(c->digest_ctx, message, &t->digest))
		t->digest = (struct store_digest){ 0 };
	err = record_body(&t->s->writer, message);
	if (err)
		return err;
	t->has_body = true;
	t->body_size = message.n;
	*ret_blob = t->seq;
	return OK;
}

enum err txn_next_record(struct txn *t)
{
	struct blob_row row = { .id = t->seq, .size = t->body_size };
	enum err err;

	if (!t->recording)
		return OK;
	t->recording = false;
	err = record_end(&t->s->writer, buf_view(&t->wire), &row.pos, &row.stored);
	row.refs = t->own_refs;
	if (!err && !t->has_body)
		t->s->event_bytes += row.stored;
	if (err || !t->has_body)
		return err;
	if (row.refs == 0)
		return pack_dead_add(t->s, row.pos.pack, row.stored);
	return apply_blob(t->s, &row, &t->digest);
}

static enum err mailbox_write(struct store *s, struct mailbox *m)
{
	sqlite3_stmt *q = index_sql(&s->index, SQL_MAILBOX_PUT);

	if (!q)
		return index_error(&s->index);
	bind_u64(q, 1, m->pub.id);
	bind_view(q, 2, m->pub.name);
	bind_u64(q, 3, m->pub.special);
	bind_u64(q, 4, m->pub.selectable ? 0 : MAILBOX_NOSELECT);
	bind_u64(q, 5, m->pub.uidvalidity);
	bind_u64(q, 6, m->pub.uidnext);
	bind_u64(q, 7, m->ceiling);
	bind_u64(q, 8, m->pub.highestmodseq);
	bind_u64(q, 9, m->pub.messages);
	bind_u64(q, 10, m->pub.unseen);
	bind_u64(q, 11, m->pub.deleted);
	bind_u64(q, 12, m->pub.recent_from);
	bind_u64(q, 13, m->pub.size);
	bind_u64(q, 14, m->vanished_from);
	m->dirty = false;
	return index_run(&s->index, q);
}

/* The row of the current pack: a LOG pack without one counts as left over from compaction. */
static enum err pack_list(struct store *s)
{
	sqlite3_stmt *q = index_sql(&s->index, SQL_PACK_ADD);

	if (s->pack_listed == s->writer.pack)
		return OK;
	if (!q)
		return index_error(&s->index);
	bind_u64(q, 1, s->writer.pack);
	bind_u64(q, 2, PACK_LOG);
	s->pack_listed = s->writer.pack;
	return index_run(&s->index, q);
}

enum err txn_write_state(struct store *s, bool closed)
{
	sqlite3_stmt *q;
	enum err err = OK;

	for (size_t i = 0; i < s->mailboxes.by_id.n && !err; i++) {
		struct mailbox *m = s->mailboxes.by_id.at[i];

		if (m->dirty && !m->gone)
			err = mailbox_write(s, m);
	}
	if (!err)
		err = pack_list(s);
	q = index_sql(&s->index, SQL_STATE_SET);
	if (err || !q)
		return err ? err : index_error(&s->index);
	bind_u64(q, 1, s->applied.seq);
	bind_u64(q, 2, s->applied.pos.pack);
	bind_u64(q, 3, s->applied.pos.off);
	bind_u64(q, 4, closed);
	bind_u64(q, 5, s->counters.modseq);
	bind_u64(q, 6, s->counters.modseq_ceiling);
	bind_u64(q, 7, s->counters.next_mailbox);
	bind_u64(q, 8, s->counters.uidvalidity);
	return index_run(&s->index, q);
}

/* The log has it: octets in the file, synced where that is due. */
static enum err txn_log(struct txn *t)
{
	struct store *s = t->s;
	enum err err;

	failpoint("store.commit.before-pack");
	err = pack_writer_flush(&s->writer);
	failpoint("store.commit.after-pack");
	if (!err && (t->durable || !s->dirty_durable)) {
		err = pack_writer_sync(&s->writer);
		t->synced = !err;
		failpoint("store.commit.after-sync");
	}
	return err;
}

static void txn_checkpoint_if_large(struct store *s)
{
	uint64_t due = s->config.wal_size_due;

	/* The operation is done; should this fail, the store is broken and the next one tells. */
	if (vfs_wal_size(s->index.vfs) > CHECKPOINT_FORCE * due ||
	    log_since_checkpoint(s) > (uint64_t)CHECKPOINT_FORCE * LOG_DUE)
		(void)!checkpoint_run(s, false, false);
}

enum err txn_commit(struct txn *t)
{
	struct store *s = t->s;
	enum err err = txn_next_record(t);

	if (!err && t->events.n == 0) { /* nothing happened */
		txn_abort(t);
		return OK;
	}
	if (!err) {
		s->applied.seq = t->seq;
		s->applied.pos.pack = s->writer.pack;
		s->applied.pos.off = pack_writer_next(&s->writer);
		err = txn_write_state(s, false);
	}
	if (!err)
		err = txn_log(t);
	if (!err)
		err = index_end(&s->index, OK);
	if (err) {
		txn_abort(t);
		return err;
	}
	failpoint("store.commit.after-index");
	pack_writer_commit(&s->writer);
	s->dirty_durable = s->dirty_durable || t->synced;
	mailboxes_sweep(s);
	feed_publish(s, t->events.at, t->events.n);
	txn_done(t);
	txn_checkpoint_if_large(s);
	return OK;
}

void txn_abort(struct txn *t)
{
	struct store *s = t->s;
	bool failed = t->events.n > 0 || t->recording || s->writer.touched || s->writer.failed;

	for (size_t i = 0; i < t->events.n; i++) {
		const struct event *e = &t->events.at[i];

		if (e->kind == EVENT_MARK)
			marks_remove(&s->marks, (struct store_mark){ e->sequence, e->recipient });
	}
	if (s->index.db && !sqlite3_get_autocommit(s->index.db))
		(void)!index_end(&s->index, ERR_IO);
	if (failed) {
		enum err err = pack_writer_abort(&s->writer, t->synced);

		if (store_wake(s) || memory_reload(s))
			s->broken = true;
		if (err && log_abandon(s))
			s->broken = true;
	}
	txn_done(t);
}

enum err txn_end(struct txn *t, enum err err)
{
	if (!err)
		return txn_commit(t);
	txn_abort(t);
	return err;
}
