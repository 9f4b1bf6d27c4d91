/*
 * store/abandon.c: leaving a pack whose write or sync failed (THREATS.md 4, clause 2).
 *
 * What that pack held beyond its last good sync is written anew to the next one, octet by octet; the new
 * pack's first sequence voids it in the old one.  Where the old octets cannot be read back the store is
 * broken until it is reopened: replay then finds what is missing and the journal delivers it again.
 */
#include "store/internal.h"

#include "sys/file.h"

enum { COPY_CHUNK = 256 * 1024 };

struct moved {
	uint64_t id;
	struct pack_pos pos;
};

struct abandon {
	struct store *s;
	struct pack_writer *w;
	uint32_t old;
	uint64_t old_synced;
	uint64_t old_end;
	VEC(struct moved) moved;
};

static enum err copy_octets(struct abandon *a, const struct record *r, struct pack_pos *ret_pos)
{
	uint64_t left = record_stored(&r->head), at = r->pos.off;
	struct buf CLEANUP(buf_done) chunk = BUF_INIT(COPY_CHUNK);
	struct pack_pos pos = { a->w->pack, pack_writer_next(a->w) };
	struct pack_pos part;

	while (left > 0) {
		size_t n = left < COPY_CHUNK ? (size_t)left : COPY_CHUNK;
		char *room;
		int fd;
		enum err err = pack_set_fd(a->w->set, r->pos.pack, &fd);

		buf_clear(&chunk);
		room = buf_room(&chunk, n);
		if (!err)
			err = room ? file_read_at(fd, room, n, (off_t)at) : ERR_NOMEM;
		if (!err)
			err = record_copy(a->w, view_of(room, n), &part);
		if (err)
			return err;
		at += n;
		left -= n;
	}
	*ret_pos = pos;
	return OK;
}

static enum err copy_record(struct abandon *a, uint64_t *off)
{
	struct record r;
	struct moved m;
	enum err err = record_load(&a->s->reader, (struct pack_pos){ a->old, *off }, 0, &r);

	if (err)
		return err;
	err = record_verify(&a->s->reader, &r);
	if (!err)
		err = copy_octets(a, &r, &m.pos);
	if (!err) {
		m.id = r.head.seq;
		*off += record_stored(&r.head);
		if (!VEC_PUSH(&a->moved, m))
			err = ERR_NOMEM;
	}
	record_done(&r);
	return err;
}

/* Sequence of the first record that is not durable. */
static enum err first_seq(struct abandon *a, uint64_t *ret)
{
	struct record r;
	enum err err;

	if (a->old_synced >= a->old_end) {
		*ret = a->w->last_seq + 1;
		return OK;
	}
	err = record_load(&a->s->reader, (struct pack_pos){ a->old, a->old_synced }, 0, &r);
	if (err)
		return err;
	*ret = r.head.seq;
	record_done(&r);
	return OK;
}

static enum err move_rows(struct abandon *a)
{
	struct store *s = a->s;
	enum err err = OK;

	for (size_t i = 0; i < a->moved.n && !err; i++) {
		sqlite3_stmt *q = index_sql(&s->index, SQL_BLOB_MOVE);

		if (!q)
			return index_error(&s->index);
		bind_u64(q, 1, a->moved.at[i].id);
		bind_u64(q, 2, a->moved.at[i].pos.pack);
		bind_u64(q, 3, a->moved.at[i].pos.off);
		err = index_run(&s->index, q);
	}
	if (!err)
		err = pack_dead_add(s, a->old, a->old_end - a->old_synced);
	s->applied.pos = (struct pack_pos){ a->w->pack, a->w->end };
	return err ? err : txn_write_state(s, false);
}

static enum err index_follow(struct abandon *a)
{
	struct index *x = &a->s->index;
	enum err err = index_begin(x);

	return err ? err : index_end(x, move_rows(a));
}

static enum err abandon_steps(struct abandon *a)
{
	uint64_t off = a->old_synced, first;
	uint32_t number = 0;
	enum err err = store_wake(a->s);

	if (!err)
		err = first_seq(a, &first);
	if (!err)
		err = pack_set_create(&a->s->packs, PACK_LOG, first, true, &number);
	if (err)
		return err;
	pack_writer_attach(a->w, number, PACK_HEADER);
	while (off < a->old_end && !err)
		err = copy_record(a, &off);
	if (!err)
		err = pack_writer_flush(a->w);
	if (!err)
		err = pack_writer_sync(a->w);
	failpoint("store.abandon.copied");
	/* From here on it voids what the old pack holds of these records. */
	if (!err)
		err = pack_set_publish(&a->s->packs, number);
	if (err) {
		(void)!pack_set_remove(&a->s->packs, number);
		return err;
	}
	pack_writer_commit(a->w);
	err = index_follow(a);
	failpoint("store.abandon.done");
	return err;
}

enum err log_abandon(struct store *s)
{
	struct abandon a = {
		.s = s,
		.w = &s->writer,
		.old = s->writer.pack,
		.old_synced = s->writer.synced,
		.old_end = s->writer.end,
		.moved = VEC_INIT(LOG_DUE),
	};
	enum err err = abandon_steps(&a);

	VEC_DONE(&a.moved);
	if (err)
		s->broken = true;
	return err;
}
