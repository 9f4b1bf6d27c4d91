/*
 * store/apply.c: what each event does to index and memory; see internal.h.
 *
 * The same code runs when an operation happens, when the log's tail is replayed and when the index is
 * rebuilt; hence nothing here assumes that a mailbox or message is there, and applying an event twice
 * changes nothing the second time.
 */
#include "store/internal.h"

static void bind_event_range(sqlite3_stmt *q, const struct event *e)
{
	bind_u64(q, 1, e->mailbox);
	bind_u64(q, 2, e->uid);
	bind_u64(q, 3, e->uid_last);
}

static void modseq_seen(struct store *s, struct mailbox *m, uint64_t modseq)
{
	if (modseq > s->counters.modseq)
		s->counters.modseq = modseq;
	if (m && modseq > m->pub.highestmodseq)
		m->pub.highestmodseq = modseq;
	if (m)
		m->dirty = true;
}

static void uid_seen(struct mailbox *m, uint32_t uid)
{
	if (uid >= m->pub.uidnext)
		m->pub.uidnext = uid + 1;
}

/* Count a message into its mailbox (by 1) or out of it (by -1). */
static void count(struct store *s, struct mailbox *m, uint32_t flags, uint32_t size, int by)
{
	uint32_t step = (uint32_t)by;

	m->pub.messages += step;
	if (!(flags & STORE_FLAG_SEEN))
		m->pub.unseen += step;
	if (flags & STORE_FLAG_DELETED)
		m->pub.deleted += step;
	m->pub.size += by > 0 ? size : -(uint64_t)size;
	s->bytes += by > 0 ? size : -(uint64_t)size;
	s->messages += (uint64_t)(int64_t)by;
	m->dirty = true;
}

enum err pack_dead_add(struct store *s, uint32_t pack, uint64_t octets)
{
	sqlite3_stmt *q = index_sql(&s->index, SQL_PACK_DEAD);

	if (!q)
		return index_error(&s->index);
	bind_u64(q, 1, pack);
	bind_u64(q, 2, octets);
	s->dead_bytes += octets;
	return index_run(&s->index, q);
}

enum err blob_delete(struct store *s, uint64_t id, uint32_t pack, uint64_t stored)
{
	sqlite3_stmt *q = index_sql(&s->index, SQL_BLOB_DELETE);
	enum err err;

	if (!q)
		return index_error(&s->index);
	bind_u64(q, 1, id);
	err = index_run(&s->index, q);
	return err ? err : pack_dead_add(s, pack, stored);
}

/* Change the number of references; without any the blob goes and its octets are dead.  ERR_NOTFOUND when
 * damage has swallowed it. */
static enum err blob_refer(struct store *s, uint64_t id, int by)
{
	sqlite3_stmt *q = index_sql(&s->index, SQL_BLOB_REFER);
	int64_t refs;
	uint32_t pack;
	uint64_t stored;
	enum err err;

	if (!q)
		return index_error(&s->index);
	bind_u64(q, 1, id);
	bind_i64(q, 2, by);
	err = index_step(&s->index, q);
	if (err)
		return err == ERR_EOF ? ERR_NOTFOUND : err;
	refs = sqlite3_column_int64(q, 0);
	pack = column_u32(q, 1);
	stored = column_u64(q, 2);
	err = index_run(&s->index, q);
	if (err || refs > 0 || by > 0)
		return err;
	return blob_delete(s, id, pack, stored);
}

static enum err messages_delete(struct store *s, uint64_t mailbox, uint32_t uid, uint32_t uid_last)
{
	sqlite3_stmt *q = index_sql(&s->index, SQL_MESSAGE_DELETE);

	if (!q)
		return index_error(&s->index);
	bind_u64(q, 1, mailbox);
	bind_u64(q, 2, uid);
	bind_u64(q, 3, uid_last);
	return index_run(&s->index, q);
}

static enum err apply_add(struct store *s, const struct event *e, uint64_t own_seq,
			  uint32_t *own_refs)
{
	struct mailbox *m = mailbox_by_id(s, e->mailbox);
	sqlite3_stmt *q = index_sql(&s->index, SQL_MESSAGE_ADD);
	enum err err;

	if (!q)
		return index_error(&s->index);
	modseq_seen(s, m, e->modseq);
	if (!m)
		return OK;
	bind_u64(q, 1, e->mailbox);
	bind_u64(q, 2, e->uid);
	bind_u64(q, 3, e->blob);
	bind_u64(q, 4, e->flags);
	bind_u64(q, 5, e->keywords);
	bind_u64(q, 6, e->modseq);
	bind_i64(q, 7, e->date);
	bind_i64(q, 8, e->zone);
	bind_i64(q, 9, e->saved);
	bind_u64(q, 10, e->size);
	err = index_run(&s->index, q);
	if (err || sqlite3_changes(s->index.db) == 0)
		return err;
	uid_seen(m, e->uid);
	if (e->blob != own_seq) {
		err = blob_refer(s, e->blob, 1);
		/* The power cut took the message and left its copy: the journal brings it again. */
		if (err == ERR_NOTFOUND && !s->rebuilding)
			return messages_delete(s, e->mailbox, e->uid, e->uid);
		if (err && err != ERR_NOTFOUND)
			return err;
	} else {
		++*own_refs;
	}
	count(s, m, e->flags, e->size, 1);
	return OK;
}

static enum err apply_flags(struct store *s, const struct event *e)
{
	struct mailbox *m = mailbox_by_id(s, e->mailbox);
	sqlite3_stmt *q = index_sql(&s->index, SQL_MESSAGE_RANGE);
	uint32_t n = 0, unseen = 0, deleted = 0;
	enum err err;

	if (!q)
		return index_error(&s->index);
	modseq_seen(s, m, e->modseq);
	if (!m)
		return OK;
	bind_event_range(q, e);
	while (!(err = index_step(&s->index, q))) {
		uint32_t flags = column_u32(q, 2);

		n++;
		unseen += !(flags & STORE_FLAG_SEEN);
		deleted += !!(flags & STORE_FLAG_DELETED);
	}
	if (err != ERR_EOF)
		return err;
	q = index_sql(&s->index, SQL_MESSAGE_FLAGS);
	if (!q)
		return index_error(&s->index);
	bind_event_range(q, e);
	bind_u64(q, 4, e->flags);
	bind_u64(q, 5, e->keywords);
	bind_u64(q, 6, e->modseq);
	m->pub.unseen += (e->flags & STORE_FLAG_SEEN ? 0 : n) - unseen;
	m->pub.deleted += (e->flags & STORE_FLAG_DELETED ? n : 0) - deleted;
	return index_run(&s->index, q);
}

/* Take the messages of a range out of the counts and let go of their octets. */
static enum err messages_drop(struct store *s, struct mailbox *m, const struct event *e)
{
	sqlite3_stmt *q = index_sql(&s->index, SQL_MESSAGE_RANGE);
	enum err err;

	if (!q)
		return index_error(&s->index);
	bind_event_range(q, e);
	while (!(err = index_step(&s->index, q))) {
		uint64_t blob = column_u64(q, 1);

		count(s, m, column_u32(q, 2), column_u32(q, 3), -1);
		err = blob_refer(s, blob, -1);
		if (err && err != ERR_NOTFOUND)
			break;
	}
	sqlite3_reset(q);
	return err == ERR_EOF ? messages_delete(s, e->mailbox, e->uid, e->uid_last) : err;
}

static enum err vanished_add(struct store *s, const struct event *e)
{
	sqlite3_stmt *q = index_sql(&s->index, SQL_VANISHED_ADD);

	if (!q)
		return index_error(&s->index);
	bind_u64(q, 1, e->mailbox);
	bind_u64(q, 2, e->modseq);
	bind_u64(q, 3, e->uid);
	bind_u64(q, 4, e->uid_last);
	return index_run(&s->index, q);
}

static enum err apply_expunge(struct store *s, const struct event *e)
{
	struct mailbox *m = mailbox_by_id(s, e->mailbox);
	enum err err;

	modseq_seen(s, m, e->modseq);
	if (!m)
		return OK;
	uid_seen(m, e->uid_last);
	err = e->kind == EVENT_EXPUNGE ? messages_drop(s, m, e) : OK;
	return err ? err : vanished_add(s, e);
}

static enum err apply_mailbox(struct store *s, const struct event *e)
{
	struct mailbox *m;
	enum err err = mailbox_put(s, e, &m);

	if (err)
		return err;
	if (e->mailbox >= s->counters.next_mailbox)
		s->counters.next_mailbox = e->mailbox + 1;
	if (e->uidvalidity > s->counters.uidvalidity)
		s->counters.uidvalidity = e->uidvalidity;
	return OK;
}

static enum err apply_mailbox_gone(struct store *s, const struct event *e)
{
	struct mailbox *m = mailbox_by_id(s, e->mailbox);
	struct event all = { .mailbox = e->mailbox, .uid = 0, .uid_last = UINT32_MAX };
	static const enum sql steps[] = { SQL_VANISHED_DELETE, SQL_MAILBOX_DELETE };
	enum err err;

	if (!m)
		return OK;
	err = messages_drop(s, m, &all);
	for (size_t i = 0; i < ARRAY_LEN(steps) && !err; i++) {
		sqlite3_stmt *q = index_sql(&s->index, steps[i]);

		if (!q)
			return index_error(&s->index);
		bind_u64(q, 1, e->mailbox);
		err = index_run(&s->index, q);
	}
	m->gone = true;
	s->mailboxes.children_stale = true;
	return err;
}

static void apply_counters(struct store *s, const struct event *e)
{
	struct mailbox *m = mailbox_by_id(s, e->mailbox);

	modseq_seen(s, m, e->modseq);
	if (!m)
		return;
	if (e->uid > m->pub.uidnext)
		m->pub.uidnext = e->uid;
	if (e->uid_last > m->ceiling)
		m->ceiling = e->uid_last;
	if (e->number > m->pub.recent_from)
		m->pub.recent_from = e->number;
	if (e->modseq_ceiling > m->vanished_from)
		m->vanished_from = e->modseq_ceiling;
}

static void apply_account(struct store *s, const struct event *e)
{
	struct counters *c = &s->counters;

	if (e->modseq > c->modseq)
		c->modseq = e->modseq;
	if (e->modseq_ceiling > c->modseq_ceiling)
		c->modseq_ceiling = e->modseq_ceiling;
	if (e->mailbox > c->next_mailbox)
		c->next_mailbox = e->mailbox;
	if (e->uidvalidity > c->uidvalidity)
		c->uidvalidity = e->uidvalidity;
}

static enum err apply_mark(struct store *s, const struct event *e)
{
	struct store_mark mark = { e->sequence, e->recipient };
	enum err err = marks_add(&s->marks, mark);

	while (!err && mark.sequence < e->sequence_last) {
		mark.sequence++;
		err = marks_add(&s->marks, mark);
	}
	return err;
}

enum err apply_event(struct store *s, const struct event *e, uint64_t own_seq, uint32_t *own_refs)
{
	switch (e->kind) {
	case EVENT_ADD: return apply_add(s, e, own_seq, own_refs);
	case EVENT_FLAGS: return apply_flags(s, e);
	case EVENT_EXPUNGE:
	case EVENT_VANISH: return apply_expunge(s, e);
	case EVENT_MAILBOX: return apply_mailbox(s, e);
	case EVENT_MAILBOX_GONE: return apply_mailbox_gone(s, e);
	case EVENT_COUNTERS: apply_counters(s, e); return OK;
	case EVENT_ACCOUNT: apply_account(s, e); return OK;
	case EVENT_KEYWORD: return keyword_apply(s, e);
	case EVENT_SUBSCRIBE: return subscription_apply(s, e);
	case EVENT_MARK: return apply_mark(s, e);
	case EVENT_VALUE: return value_apply(s, e);
	case EVENT_NONE:
	case EVENT_KIND_COUNT: break;
	}
	return ERR_CORRUPT;
}

static void bind_column(sqlite3_stmt *q, int at, struct view v)
{
	bind_view(q, at, v.n > STORE_COLUMN_MAX ? VIEW_EMPTY : v);
}

enum err apply_blob(struct store *s, const struct blob_row *row, const struct store_digest *digest)
{
	sqlite3_stmt *q = index_sql(&s->index, SQL_BLOB_ADD);

	if (!q)
		return index_error(&s->index);
	bind_u64(q, 1, row->id);
	bind_u64(q, 2, row->pos.pack);
	bind_u64(q, 3, row->pos.off);
	bind_u64(q, 4, row->stored);
	bind_u64(q, 5, row->size);
	bind_u64(q, 6, row->refs);
	bind_i64(q, 7, digest->sent);
	bind_u64(q, 8, digest->thread);
	bind_column(q, 9, digest->envelope);
	bind_column(q, 10, digest->structure);
	bind_column(q, 11, digest->preview);
	bind_column(q, 12, digest->search);
	bind_column(q, 13, digest->header);
	return index_run(&s->index, q);
}

enum err blob_find(struct store *s, uint64_t id, struct blob_row *ret)
{
	sqlite3_stmt *q = index_sql(&s->index, SQL_BLOB_FIND);
	enum err err;

	if (!q)
		return index_error(&s->index);
	bind_u64(q, 1, id);
	err = index_step(&s->index, q);
	if (err)
		return err == ERR_EOF ? ERR_NOTFOUND : err;
	*ret = (struct blob_row){
		.id = id,
		.pos = { column_u32(q, 0), column_u64(q, 1) },
		.stored = column_u64(q, 2),
		.size = column_u64(q, 3),
		.refs = column_u32(q, 4),
	};
	sqlite3_reset(q);
	return OK;
}

enum err blob_next(struct store *s, uint64_t id, struct blob_row *ret)
{
	sqlite3_stmt *q = index_sql(&s->index, SQL_BLOB_NEXT);
	enum err err;

	if (!q)
		return index_error(&s->index);
	bind_u64(q, 1, id);
	err = index_step(&s->index, q);
	if (err)
		return err;
	*ret = (struct blob_row){
		.id = column_u64(q, 0),
		.pos = { column_u32(q, 1), column_u64(q, 2) },
		.stored = column_u64(q, 3),
	};
	sqlite3_reset(q);
	return OK;
}
