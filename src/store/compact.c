/*
 * store/compact.c: giving back the space of messages that are gone.
 *
 * Order: state into the log and synced; live records copied, octet by octet, to a COPY pack and
 * synced; index follows; checkpoint; only then the old packs go.  A crash at any point leaves either old
 * packs that are still used, or ones that recovery removes.
 */
#include "store/internal.h"

#include "sys/calls.h"
#include "sys/file.h"

enum { COPY_CHUNK = 256 * 1024 };

struct live {
	uint64_t id;
	uint64_t off;
	uint64_t stored;
	struct pack_pos to;
};

struct compact {
	struct store *s;
	struct pack_writer w; /* of the COPY pack */
	VEC(uint32_t) victims;
	VEC(struct live) live;
	uint64_t freed;
};

static enum err find_victims(struct compact *c)
{
	struct store *s = c->s;
	sqlite3_stmt *q = index_sql(&s->index, SQL_PACK_EACH);
	enum err err;

	if (!q)
		return index_error(&s->index);
	while (!(err = index_step(&s->index, q))) {
		uint32_t number = column_u32(q, 0);
		uint64_t dead = column_u64(q, 2);
		const struct pack *p = pack_set_find(&s->packs, number);

		if (!p || number == s->writer.pack || dead * 2 <= p->size)
			continue;
		if (!VEC_PUSH(&c->victims, number)) {
			sqlite3_reset(q);
			return ERR_NOMEM;
		}
	}
	return err == ERR_EOF ? OK : err;
}

static enum err list_live(struct compact *c, uint32_t number)
{
	sqlite3_stmt *q = index_sql(&c->s->index, SQL_BLOB_OF_PACK);
	enum err err;

	c->live.n = 0;
	if (!q)
		return index_error(&c->s->index);
	bind_u64(q, 1, number);
	while (!(err = index_step(&c->s->index, q))) {
		struct live l = { column_u64(q, 0), column_u64(q, 1), column_u64(q, 2), { 0, 0 } };

		if (!VEC_PUSH(&c->live, l)) {
			sqlite3_reset(q);
			return ERR_NOMEM;
		}
	}
	return err == ERR_EOF ? OK : err;
}

static enum err copy_one(struct compact *c, uint32_t from, struct live *l)
{
	struct buf CLEANUP(buf_done) chunk = BUF_INIT(COPY_CHUNK);
	struct pack_pos part;

	l->to = (struct pack_pos){ c->w.pack, pack_writer_next(&c->w) };
	for (uint64_t done = 0; done < l->stored;) {
		uint64_t left = l->stored - done;
		size_t n = left < COPY_CHUNK ? (size_t)left : COPY_CHUNK;
		char *room;
		int fd;
		enum err err = pack_set_fd(&c->s->packs, from, &fd);

		buf_clear(&chunk);
		room = buf_room(&chunk, n);
		if (!err)
			err = room ? file_read_at(fd, room, n, (off_t)(l->off + done)) : ERR_NOMEM;
		if (!err)
			err = record_copy(&c->w, view_of(room, n), &part);
		if (err)
			return err == ERR_EOF ? ERR_CORRUPT : err;
		done += n;
	}
	return OK;
}

/* The COPY pack takes everything of one victim; a new one is begun when it has grown. */
static enum err copy_pack_ready(struct compact *c)
{
	uint32_t number;
	enum err err = OK;

	if (c->w.pack && pack_writer_next(&c->w) < c->s->config.pack_size_max)
		return OK;
	if (c->w.pack) {
		err = pack_writer_flush(&c->w);
		if (!err)
			err = pack_writer_sync(&c->w);
		if (!err)
			pack_writer_commit(&c->w);
	}
	if (!err)
		err = pack_set_create(&c->s->packs, PACK_COPY, 0, false, &number);
	if (!err)
		pack_writer_attach(&c->w, number, PACK_HEADER);
	return err;
}

static enum err rows_follow(struct compact *c, uint32_t victim)
{
	struct index *x = &c->s->index;
	sqlite3_stmt *q = index_sql(x, SQL_PACK_ADD);
	enum err err;

	if (!q)
		return index_error(x);
	bind_u64(q, 1, c->w.pack);
	bind_u64(q, 2, PACK_COPY);
	err = c->live.n ? index_run(x, q) : OK;
	for (size_t i = 0; i < c->live.n && !err; i++) {
		q = index_sql(x, SQL_BLOB_MOVE);
		if (!q)
			return index_error(x);
		bind_u64(q, 1, c->live.at[i].id);
		bind_u64(q, 2, c->live.at[i].to.pack);
		bind_u64(q, 3, c->live.at[i].to.off);
		err = index_run(x, q);
	}
	q = index_sql(x, SQL_PACK_DELETE);
	if (err || !q)
		return err ? err : index_error(x);
	bind_u64(q, 1, victim);
	return index_run(x, q);
}

static enum err compact_one(struct compact *c, uint32_t victim)
{
	const struct pack *p = pack_set_find(&c->s->packs, victim);
	uint64_t before = p->size, kept = 0;
	enum err err = list_live(c, victim);

	if (!err && c->live.n)
		err = copy_pack_ready(c);
	for (size_t i = 0; i < c->live.n && !err; i++) {
		err = copy_one(c, victim, &c->live.at[i]);
		kept += c->live.at[i].stored;
	}
	if (!err && c->live.n)
		err = pack_writer_flush(&c->w);
	if (!err && c->live.n)
		err = pack_writer_sync(&c->w);
	failpoint("store.compact.copied");
	if (err)
		return err;
	if (c->live.n)
		pack_writer_commit(&c->w);
	err = index_begin(&c->s->index);
	if (!err)
		err = index_end(&c->s->index, rows_follow(c, victim));
	failpoint("store.compact.index");
	if (!err)
		c->freed += before > kept ? before - kept : 0;
	return err;
}

static enum err unlink_victims(struct compact *c, size_t n)
{
	enum err err = OK;

	for (size_t i = 0; i < n && !err; i++) {
		err = pack_set_remove(&c->s->packs, c->victims.at[i]);
		failpoint("store.compact.unlinked");
	}
	if (!err && n > 0 && calls()->fsync(c->s->dir))
		err = ERR_IO;
	return err;
}

static enum err compact_run(struct compact *c)
{
	struct store *s = c->s;
	size_t done = 0;
	enum err err = find_victims(c), last;

	if (err || c->victims.n == 0)
		return err;
	/* Counts of dead octets and the state are durable before anything moves. */
	err = state_log_write(s);
	if (!err)
		err = checkpoint_run(s, false, false);
	while (done < c->victims.n && !err) {
		err = compact_one(c, c->victims.at[done]);
		done += !err;
	}
	if (done == 0)
		return err;
	last = checkpoint_run(s, false, false);
	failpoint("store.compact.checkpoint");
	if (!last)
		last = unlink_victims(c, done);
	(void)!memory_reload(s);
	return err ? err : last;
}

enum err store_compact(struct store *s, uint64_t *ret_freed)
{
	struct compact c = { .s = s,
			     .victims = VEC_INIT(PACK_MAX),
			     .live = VEC_INIT((size_t)1 << 26) };
	enum err err = s->broken ? ERR_WRONG_STATE : store_wake(s);

	if (err)
		return err;
	/* What is counted in memory only must be seen by find_victims. */
	err = checkpoint_run(s, false, false);
	if (err)
		return err;
	pack_writer_init(&c.w, &s->packs, s->config.zstd_level);
	err = compact_run(&c);
	pack_writer_done(&c.w);
	VEC_DONE(&c.victims);
	VEC_DONE(&c.live);
	if (!err && ret_freed)
		*ret_freed = c.freed;
	return err;
}
