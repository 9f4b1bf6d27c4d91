/*
 * store/rebuild.c: the index anew, from the packs alone.
 *
 * First pass: where every message's octets are, and where the last complete snapshot of the log is.
 * Second pass: that snapshot, then every event behind it.  Then what nobody refers to is dropped and the
 * rest is described anew.  All of it is one index transaction on a fresh file.
 */
#include "store/internal.h"

#include "sys/clock.h"
#include "sys/file.h"

struct rebuild {
	struct store *s;
	const struct rebuild_watch *watch;
	bool damaged;
	uint64_t octets, octets_total;
	uint64_t part_first; /* of the snapshot being read */
	uint32_t parts;
	uint64_t first, last; /* sequences of the last complete one; 0: none */
	uint64_t last_seq;
	enum record_type last_type;
	uint64_t group_seq; /* as in recover.c */
	struct pack_pos group_pos;
	bool copies; /* there are packs of compaction */
	uint32_t end_pack;
	uint64_t end;
};

static void tell_progress(struct rebuild *v, const struct record *r)
{
	v->octets += record_stored(&r->head);
	if (v->watch && v->watch->progress)
		v->watch->progress(v->watch->ctx, v->octets, v->octets_total);
}

static void on_damage(void *ctx, uint32_t pack, uint64_t from, uint64_t to, bool tail)
{
	struct rebuild *v = (struct rebuild *)ctx;

	/* The torn end of the log is what a power cut leaves: nothing there was promised. */
	if (tail && pack == pack_set_last(&v->s->packs))
		return;
	v->damaged = true;
	if (v->watch && v->watch->damage)
		v->watch->damage(v->watch->ctx, pack, from, to);
}

/* ---- first pass ------------------------------------------------------------------------------ */

/*
 * A snapshot counts when every part of it is there.  What was damaged before it did not matter to the
 * state: octets of messages that are missing are told one by one.
 */
static void note_snapshot(struct rebuild *v, const struct record *r)
{
	struct cursor c = cursor_init(r->events);
	struct event e;

	if (r->head.type == RECORD_SNAPSHOT) {
		if (v->last_type != RECORD_SNAPSHOT) {
			v->part_first = r->head.seq;
			v->parts = 0;
		}
		v->parts++;
		return;
	}
	if (r->head.type != RECORD_SNAPSHOT_END || event_decode(&c, &e))
		return;
	if (e.blob != v->part_first || e.size != v->parts)
		return;
	v->first = e.blob;
	v->last = r->head.seq;
	v->damaged = false;
}

static enum err locate(void *ctx, const struct record *r)
{
	static const struct store_digest empty;
	struct rebuild *v = (struct rebuild *)ctx;
	struct blob_row row = { r->head.seq, r->pos, record_stored(&r->head), r->size, 0 };
	struct pack *p = pack_set_find(&v->s->packs, r->pos.pack);

	tell_progress(v, r);
	if (p->kind == PACK_LOG) {
		note_snapshot(v, r);
		v->last_type = r->head.type;
		v->last_seq = r->head.seq > v->last_seq ? r->head.seq : v->last_seq;
		if (!(r->head.flags & RECORD_MORE))
			v->group_seq = 0;
		else if (v->group_seq == 0)
			v->group_seq = r->head.seq, v->group_pos = r->pos;
	}
	if (r->head.type != RECORD_EVENTS)
		return OK;
	return apply_blob(v->s, &row, &empty);
}

static enum err list_pack(struct store *s, const struct pack *p)
{
	sqlite3_stmt *q = index_sql(&s->index, SQL_PACK_ADD);

	if (!q)
		return index_error(&s->index);
	bind_u64(q, 1, p->number);
	bind_u64(q, 2, p->kind);
	return index_run(&s->index, q);
}

static enum err locate_all(struct rebuild *v)
{
	struct scan_calls call = { .ctx = v, .record = locate, .damage = on_damage };
	struct pack_set *set = &v->s->packs;
	uint64_t end;
	enum err err = OK;

	for (size_t i = 0; i < set->packs.n && !err; i++) {
		const struct pack *p = &set->packs.at[i];
		uint64_t last_seq = p->first_seq - 1;

		err = list_pack(v->s, p);
		if (!err)
			err = pack_scan(&v->s->reader, p->number, 0, SCAN_META, &call, &last_seq,
					&end);
		if (p->kind == PACK_LOG) {
			v->end_pack = p->number;
			v->end = end;
		} else {
			v->copies = true;
		}
	}
	return err;
}

/* ---- second pass ----------------------------------------------------------------------------- */

static enum err play(void *ctx, const struct record *r)
{
	struct rebuild *v = (struct rebuild *)ctx;
	struct store *s = v->s;
	bool snapshot = r->head.type == RECORD_SNAPSHOT;

	if (v->group_seq && r->head.seq >= v->group_seq)
		return OK;
	if (snapshot && (r->head.seq < v->first || r->head.seq > v->last))
		return OK;
	if (!snapshot && (r->head.type != RECORD_EVENTS || r->head.seq <= v->last))
		return OK;
	return recover_record(s, r, false);
}

static enum err play_all(struct rebuild *v)
{
	struct scan_calls call = { .ctx = v, .record = play };
	struct pack_set *set = &v->s->packs;
	/* Without a snapshot the events of compacted packs are the best there is. */
	bool salvage = v->copies && v->last == 0;
	uint64_t end;
	enum err err = OK;

	v->damaged = v->damaged || salvage;
	for (size_t i = 0; i < set->packs.n && !err; i++) {
		const struct pack *p = &set->packs.at[i];
		uint64_t last_seq = p->first_seq - 1;

		if (p->kind == PACK_LOG || salvage)
			err = pack_scan(&v->s->reader, p->number, 0, SCAN_META, &call, &last_seq,
					&end);
	}
	return err;
}

/* ---- what remains ---------------------------------------------------------------------------- */

static enum err drop_unused(struct store *s)
{
	uint64_t id = 0;

	for (;;) {
		sqlite3_stmt *q = index_sql(&s->index, SQL_BLOB_UNUSED);
		uint64_t stored;
		uint32_t pack;
		enum err err;

		if (!q)
			return index_error(&s->index);
		bind_u64(q, 1, id);
		err = index_step(&s->index, q);
		if (err)
			return err == ERR_EOF ? OK : err;
		id = column_u64(q, 0);
		pack = column_u32(q, 1);
		stored = column_u64(q, 2);
		sqlite3_reset(q);
		err = blob_delete(s, id, pack, stored);
		if (err)
			return err;
	}
}

static enum err digest_set(struct store *s, uint64_t id, const struct store_digest *d)
{
	const struct view columns[] = { d->envelope, d->structure, d->preview, d->search,
					d->header };
	sqlite3_stmt *q = index_sql(&s->index, SQL_BLOB_DIGEST_SET);

	if (!q)
		return index_error(&s->index);
	bind_u64(q, 1, id);
	bind_i64(q, 2, d->sent);
	bind_u64(q, 3, d->thread);
	for (size_t i = 0; i < ARRAY_LEN(columns); i++)
		bind_view(q, (int)i + 4, columns[i].n > STORE_COLUMN_MAX ? VIEW_EMPTY : columns[i]);
	return index_run(&s->index, q);
}

static enum err digest_one(struct store *s, const struct blob_row *row, struct buf *message)
{
	struct store_digest d;
	struct record r;
	enum err err = record_load(&s->reader, row->pos, row->stored, &r);

	if (err)
		return err == ERR_CORRUPT ? OK : err; /* fsck tells of it */
	err = recover_digest(s, &r, message, &d);
	record_done(&r);
	return err ? err : digest_set(s, row->id, &d);
}

static enum err digest_all(struct store *s)
{
	struct buf CLEANUP(buf_done) message = BUF_INIT(STORE_MESSAGE_SIZE_MAX + FRAME_TEXT);
	struct blob_row row = { 0 };
	enum err err;

	while (!(err = blob_next(s, row.id, &row))) {
		err = digest_one(s, &row, &message);
		if (err)
			return err;
	}
	return err == ERR_EOF ? OK : err;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static enum err fill(struct rebuild *v)
{
	struct store *s = v->s;
	enum err err = locate_all(v);

	failpoint("store.rebuild.located");
	if (!err)
		err = play_all(v);
	failpoint("store.rebuild.replayed");
	if (!err)
		err = drop_unused(s);
	if (!err)
		err = digest_all(s);
	failpoint("store.rebuild.digested");
	if (!err && v->group_seq && v->group_pos.pack == v->end_pack)
		v->end = v->group_pos.off;
	s->applied = (struct log_place){ v->last_seq, { v->end_pack, v->end } };
	if (!err)
		err = txn_write_state(s, false);
	return err ? err : index_ready(&s->index);
}

enum err rebuild_run(struct store *s, const struct rebuild_watch *watch, bool *ret_damaged,
		     bool *ret_clean)
{
	struct rebuild v = { .s = s, .watch = watch, .octets_total = pack_set_bytes(&s->packs) };
	enum err err;

	index_close(&s->index);
	err = index_remove(&s->index, false);
	failpoint("store.rebuild.dropped");
	if (!err)
		err = index_open(&s->index, true);
	if (!err)
		err = memory_reload(s);
	if (!err)
		err = index_begin(&s->index);
	if (err)
		return err;
	marks_done(&s->marks);
	marks_init(&s->marks);
	s->rebuilding = true;
	err = index_end(&s->index, fill(&v));
	s->rebuilding = false;
	if (!err)
		err = recover_cut(s, v.end_pack, v.end);
	if (err)
		return err;
	s->writer.last_seq = v.last_seq;
	pack_writer_attach(&s->writer, v.end_pack, v.end);
	v.damaged = v.damaged || s->packs.refused > 0;
	*ret_damaged = v.damaged;
	*ret_clean = v.last_type == RECORD_CLOSE && !v.damaged && v.group_seq == 0;
	if (!*ret_clean)
		s->writer.last_seq += SEQ_JUMP;
	return OK;
}

/* ---- afterwards, through the log ---------------------------------------------------------------- */

static enum err drop_lost(struct txn *t, const struct rebuild_watch *watch, uint64_t mailbox)
{
	const struct store_snapshot *n;
	struct blob_row row;
	enum err err = store_mailbox_load(t->s, mailbox, &n);

	if (err)
		return err == ERR_WRONG_STATE ? OK : err;
	for (size_t i = 0; i < n->n && !err; i++) {
		struct event e = {
			.kind = EVENT_EXPUNGE,
			.mailbox = mailbox,
			.uid = n->at[i].uid,
			.uid_last = n->at[i].uid,
		};

		err = blob_find(t->s, n->at[i].blob, &row);
		if (err != ERR_NOTFOUND)
			continue;
		if (watch && watch->lost)
			watch->lost(watch->ctx, mailbox, e.uid);
		err = numbers_modseq(t, &e.modseq);
		if (!err)
			err = txn_event(t, &e);
	}
	store_mailbox_release(t->s, n);
	return err;
}

/* After damage flags or removals may be lost: clients must not trust what they know. */
static enum err raise_validity(struct txn *t, const struct mailbox *m)
{
	struct event e = {
		.kind = EVENT_MAILBOX,
		.mailbox = m->pub.id,
		.name = m->pub.name,
		.special = m->pub.special,
		.attributes = m->pub.selectable ? 0 : MAILBOX_NOSELECT,
	};
	uint64_t unused;
	enum err err = numbers_mailbox(t, &unused, &e.uidvalidity);

	return err ? err : txn_event(t, &e);
}

enum err rebuild_finish(struct store *s, const struct rebuild_watch *watch, bool damaged)
{
	struct txn t;
	enum err err = txn_begin(s, true, &t);

	if (err)
		return err;
	for (size_t i = 0; i < s->mailboxes.by_id.n && !err; i++) {
		struct mailbox *m = s->mailboxes.by_id.at[i];

		err = drop_lost(&t, watch, m->pub.id);
		if (!err && damaged)
			err = raise_validity(&t, m);
	}
	return txn_end(&t, err);
}
