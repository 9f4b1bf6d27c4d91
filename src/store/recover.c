/*
 * store/recover.c: after opening, make index and log agree.
 *
 * The log's tail beyond the last checkpoint is read and checked, frames too, since a power cut may
 * have taken any part of it.  If the record that the index holds last is not there, or a hole lies before
 * it, the WAL is newer than the packs: it is dropped, and the database file is the state of the checkpoint.
 * Then every valid record is applied that the index does not have, and a torn tail is cut off.
 */
#include "store/internal.h"

#include "sys/calls.h"
#include "sys/file.h"

enum {
	RECOVERED_NAME_MAX = 64,
};

struct recovery {
	struct store *s;
	struct log_place until; /* what the index claims to have */
	bool has_until; /* that record is there, */
	bool hole; /* but something before it is not */
	bool pending_hole; /* damage before the next record */
	uint64_t last_seq;
	enum record_type last_type;
	uint64_t group_seq; /* first record of an operation whose end has not come; 0: none */
	struct pack_pos group_pos;
	uint32_t end_pack; /* last LOG pack and the end of what is valid there */
	uint64_t end;
	uint64_t records;
};

/* ---- one record ------------------------------------------------------------------------------ */

static enum err make_mailbox(struct store *s, uint64_t id)
{
	struct buf CLEANUP(buf_done) name = BUF_INIT(RECOVERED_NAME_MAX);
	struct event e = { .kind = EVENT_MAILBOX, .mailbox = id };

	buf_add_str(&name, "Recovered-");
	buf_add_u64(&name, id);
	if (buf_err(&name))
		return buf_err(&name);
	e.name = buf_view(&name);
	e.uidvalidity = s->counters.uidvalidity + 1;
	return apply_event(s, &e, 0, NULL);
}

enum err recover_digest(struct store *s, const struct record *r, struct buf *message,
			struct store_digest *ret)
{
	enum err err;

	*ret = (struct store_digest){ 0 };
	buf_clear(message);
	err = record_message(&s->reader, r, message);
	if (err && err != ERR_CORRUPT) /* of a damaged message describe what comes before */
		return err;
	if (s->config.digest && s->config.digest(s->config.digest_ctx, buf_view(message), ret))
		*ret = (struct store_digest){ 0 };
	return OK;
}

static enum err add_own(struct store *s, const struct record *r, uint32_t refs)
{
	struct buf CLEANUP(buf_done) message = BUF_INIT(STORE_MESSAGE_SIZE_MAX + FRAME_TEXT);
	struct blob_row row = { r->head.seq, r->pos, record_stored(&r->head), r->size, refs };
	struct store_digest digest;
	enum err err;

	if (refs == 0)
		return r->frame_n ? pack_dead_add(s, r->pos.pack, row.stored) : OK;
	err = recover_digest(s, r, &message, &digest);
	return err ? err : apply_blob(s, &row, &digest);
}

enum err recover_record(struct store *s, const struct record *r, bool add_blob)
{
	struct cursor c = cursor_init(r->events);
	uint32_t own_refs = 0;
	struct event e;
	enum err err;

	while (!(err = event_decode(&c, &e))) {
		if (e.kind == EVENT_ADD && !mailbox_by_id(s, e.mailbox))
			err = make_mailbox(s, e.mailbox);
		if (!err)
			err = apply_event(s, &e, add_blob ? r->head.seq : 0, &own_refs);
		if (err)
			return err;
	}
	if (err != ERR_EOF)
		return err;
	return add_blob ? add_own(s, r, own_refs) : OK;
}

/* ---- scanning the tail ----------------------------------------------------------------------- */

static enum err tail_each(struct recovery *v, const struct scan_calls *call)
{
	struct store *s = v->s;
	struct pack_pos from = s->checkpoint.pos;
	uint64_t last_seq = s->checkpoint.seq;
	enum err err = OK;

	for (size_t i = 0; i < s->packs.packs.n && !err; i++) {
		const struct pack *p = &s->packs.packs.at[i];
		uint64_t off = p->number == from.pack ? from.off : 0;

		if (p->kind != PACK_LOG || p->number < from.pack)
			continue;
		if (p->number > from.pack && p->first_seq <= last_seq)
			last_seq = p->first_seq - 1; /* it voids the end of the one before */
		v->end_pack = p->number;
		v->end = PACK_HEADER;
		err = pack_scan(&s->reader, p->number, off, SCAN_FRAMES, call, &last_seq, &v->end);
	}
	return err;
}

static enum err look_record(void *ctx, const struct record *r)
{
	struct recovery *v = (struct recovery *)ctx;

	v->records++;
	if (r->head.seq <= v->until.seq && v->pending_hole)
		v->hole = true;
	v->pending_hole = false;
	v->has_until = v->has_until || r->head.seq == v->until.seq;
	if (r->head.seq > v->last_seq)
		v->last_seq = r->head.seq;
	v->last_type = r->head.type;
	if (!(r->head.flags & RECORD_MORE)) {
		v->group_seq = 0;
	} else if (v->group_seq == 0) {
		v->group_seq = r->head.seq;
		v->group_pos = r->pos;
	}
	return OK;
}

static void look_damage(void *ctx, uint32_t pack, uint64_t from, uint64_t to, bool tail)
{
	struct recovery *v = (struct recovery *)ctx;
	const struct pack *p = pack_set_find(&v->s->packs, pack);

	/* The end of an abandoned pack: its records are in the next one. */
	if (tail && p->cut_seq <= v->last_seq + 1)
		return;
	v->pending_hole = true;
	v->s->holes = v->s->holes || !tail;
}

/* Read the tail without applying it. */
static enum err look(struct recovery *v)
{
	static const struct scan_calls none = { 0 };
	struct scan_calls call = none;

	call.ctx = v;
	call.record = look_record;
	call.damage = look_damage;
	v->until = v->s->applied;
	v->has_until = v->s->applied.seq == v->s->checkpoint.seq;
	v->hole = v->pending_hole = false;
	v->last_seq = v->s->checkpoint.seq;
	v->last_type = RECORD_EVENTS;
	v->group_seq = 0;
	v->records = 0;
	return tail_each(v, &call);
}

static enum err marks_load(struct store *s)
{
	sqlite3_stmt *q = index_sql(&s->index, SQL_MARKS_GET);
	enum err err = q ? index_step(&s->index, q) : index_error(&s->index);

	if (err)
		return err == ERR_EOF ? OK : err;
	err = marks_decode(&s->marks, column_view(q, 0));
	sqlite3_reset(q);
	return err;
}

/* ---- replay ---------------------------------------------------------------------------------- */

static enum err marks_of(struct store *s, const struct record *r)
{
	struct cursor c = cursor_init(r->events);
	struct event e;
	enum err err;

	while (!(err = event_decode(&c, &e))) {
		err = e.kind == EVENT_MARK ? apply_event(s, &e, 0, NULL) : OK;
		if (err)
			return err;
	}
	return err == ERR_EOF ? OK : err;
}

/* A record that the index knows may have been written anew when its pack was abandoned. */
static enum err follow_blob(struct store *s, const struct record *r)
{
	struct blob_row row;
	sqlite3_stmt *q;
	enum err err = r->frame_n ? blob_find(s, r->head.seq, &row) : ERR_NOTFOUND;

	if (err)
		return err == ERR_NOTFOUND ? OK : err;
	if (row.pos.pack == r->pos.pack && row.pos.off == r->pos.off)
		return OK;
	q = index_sql(&s->index, SQL_BLOB_MOVE);
	if (!q)
		return index_error(&s->index);
	bind_u64(q, 1, row.id);
	bind_u64(q, 2, r->pos.pack);
	bind_u64(q, 3, r->pos.off);
	return index_run(&s->index, q);
}

static enum err replay_record(void *ctx, const struct record *r)
{
	struct recovery *v = (struct recovery *)ctx;
	struct store *s = v->s;
	enum err err;

	if (v->group_seq && r->head.seq >= v->group_seq)
		return OK; /* an APPEND that was not finished, nor answered */
	if (r->head.type != RECORD_EVENTS) {
		/* Nothing to do: a snapshot says what the index knows. */
	} else if (r->head.seq <= v->until.seq) {
		err = marks_of(s, r);
		return err ? err : follow_blob(s, r);
	} else {
		err = recover_record(s, r, true);
		if (err)
			return err;
	}
	if (r->head.seq > s->applied.seq) {
		s->applied.seq = r->head.seq;
		s->applied.pos.pack = r->pos.pack;
		s->applied.pos.off = r->pos.off + record_stored(&r->head);
	}
	return OK;
}

/* Packs get their row; those that compaction had done with go. */
static enum err packs_settle(struct store *s);

static enum err replay(struct recovery *v)
{
	struct scan_calls call = { .ctx = v, .record = replay_record };
	struct store *s = v->s;
	enum err err = index_begin(&s->index);

	if (err)
		return err;
	err = packs_settle(s);
	if (!err)
		err = tail_each(v, &call);
	if (!err)
		err = txn_write_state(s, false);
	err = index_end(&s->index, err);
	failpoint("store.recover.replayed");
	return err;
}

/* ---- packs ----------------------------------------------------------------------------------- */

static bool is_listed(const uint32_t *at, size_t n, uint32_t number)
{
	for (size_t i = 0; i < n; i++) {
		if (at[i] == number)
			return true;
	}
	return false;
}

/* Does any message lie in that pack? */
static enum err pack_in_use(struct store *s, uint32_t number, bool *ret)
{
	sqlite3_stmt *q = index_sql(&s->index, SQL_BLOB_OF_PACK);
	enum err err;

	if (!q)
		return index_error(&s->index);
	bind_u64(q, 1, number);
	err = index_step(&s->index, q);
	sqlite3_reset(q);
	if (err && err != ERR_EOF)
		return err;
	*ret = !err;
	return OK;
}

static enum err pack_settle(struct store *s, const struct pack *p, bool *ret_remove)
{
	sqlite3_stmt *q;
	bool used = false;
	enum err err = pack_in_use(s, p->number, &used);

	*ret_remove = false;
	if (err)
		return err;
	if (!used && (p->kind == PACK_COPY || p->number < s->checkpoint.pos.pack)) {
		*ret_remove = true;
		return OK;
	}
	q = index_sql(&s->index, SQL_PACK_ADD);
	if (!q)
		return index_error(&s->index);
	bind_u64(q, 1, p->number);
	bind_u64(q, 2, p->kind);
	return index_run(&s->index, q);
}

static enum err packs_settle(struct store *s)
{
	VEC(uint32_t) listed = VEC_INIT(PACK_MAX);
	sqlite3_stmt *q = index_sql(&s->index, SQL_PACK_EACH);
	enum err err = OK;

	if (!q)
		return index_error(&s->index);
	while (!(err = index_step(&s->index, q))) {
		if (!VEC_PUSH(&listed, column_u32(q, 0))) {
			sqlite3_reset(q);
			VEC_DONE(&listed);
			return ERR_NOMEM;
		}
	}
	err = err == ERR_EOF ? OK : err;
	for (size_t i = s->packs.packs.n; i > 0 && !err; i--) {
		struct pack *p = &s->packs.packs.at[i - 1];
		bool remove = false;

		if (is_listed(listed.at, listed.n, p->number))
			continue;
		err = pack_settle(s, p, &remove);
		if (!err && remove)
			err = pack_set_remove(&s->packs, p->number);
	}
	VEC_DONE(&listed);
	return err;
}

enum err recover_cut(struct store *s, uint32_t pack, uint64_t end)
{
	struct pack *p = pack_set_find(&s->packs, pack);
	int fd;
	enum err err;

	if (!p || p->size <= end)
		return OK;
	err = pack_set_fd(&s->packs, pack, &fd);
	if (err)
		return err;
	if (calls()->ftruncate(fd, (off_t)end) || calls()->fdatasync(fd))
		return ERR_IO;
	p->size = end;
	failpoint("store.recover.cut");
	return OK;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static enum err drop_wal(struct store *s)
{
	enum err err;

	index_close(&s->index);
	err = index_remove(&s->index, true);
	failpoint("store.recover.wal-dropped");
	if (!err)
		err = index_open(&s->index, false);
	/* Was a checkpoint interrupted while the packs were damaged as well? */
	if (!err)
		err = index_check(&s->index);
	return err ? err : memory_reload(s);
}

static enum err is_closed(struct store *s, bool *ret)
{
	sqlite3_stmt *q = index_sql(&s->index, SQL_STATE_GET);
	enum err err = q ? index_step(&s->index, q) : index_error(&s->index);

	if (err)
		return err;
	*ret = column_u64(q, 7) != 0;
	sqlite3_reset(q);
	return OK;
}

/*
 * The WAL is to be kept: bring it into the database before anything is added to it.  A checkpoint may have
 * been interrupted, and then the database is not whole without this WAL; were it to be dropped after the next
 * stop, because of what is added now, the database would be lost with it.
 */
static enum err keep_wal(struct store *s)
{
	enum err err = OK;

	for (size_t i = 0; i < s->packs.packs.n && !err; i++) {
		const struct pack *p = &s->packs.packs.at[i];
		int fd;

		if (p->kind != PACK_LOG || p->number < s->checkpoint.pos.pack)
			continue;
		err = pack_set_fd(&s->packs, p->number, &fd);
		if (!err)
			err = file_sync(fd);
	}
	if (!err && calls()->fsync(s->dir))
		err = ERR_IO;
	failpoint("store.recover.wal-kept");
	return err ? err : index_checkpoint(&s->index, false);
}

/* Index and log differ, or may: bring them together. */
static enum err agree(struct recovery *v)
{
	struct store *s = v->s;
	enum err err = OK;

	if (!v->has_until || v->hole) {
		err = drop_wal(s);
		if (!err)
			err = look(v);
	} else {
		err = keep_wal(s);
	}
	if (!err)
		err = marks_load(s);
	if (!err)
		err = replay(v);
	if (!err && v->group_seq && v->group_pos.pack == v->end_pack)
		v->end = v->group_pos.off;
	return err ? err : recover_cut(s, v->end_pack, v->end);
}

enum err recover_run(struct store *s, bool *ret_clean)
{
	struct recovery v = { .s = s };
	bool closed = false;
	enum err err = is_closed(s, &closed);

	if (!err)
		err = look(&v);
	/* Not when closing was interrupted: it leaves the WAL empty. */
	closed = closed && v.records == 0 && !v.pending_hole && vfs_wal_size(s->index.vfs) == 0;
	if (!err)
		err = closed ? marks_load(s) : agree(&v);
	if (err)
		return err;
	*ret_clean = closed || (v.last_type == RECORD_CLOSE && v.group_seq == 0);
	s->writer.last_seq = v.last_seq > s->applied.seq ? v.last_seq : s->applied.seq;
	if (!*ret_clean)
		s->writer.last_seq += SEQ_JUMP;
	if (v.end_pack)
		pack_writer_attach(&s->writer, v.end_pack, v.end);
	return OK;
}
