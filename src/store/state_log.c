/*
 * store/state_log.c: the whole state as records of the log.
 *
 * Written before compaction removes packs: what happened before it is then told by these records alone.
 * They are one operation: RECORD_SNAPSHOT parts, then RECORD_SNAPSHOT_END, whose one event says where the
 * first part is (EVENT_ADD: blob = its sequence, size = number of parts).
 */
#include "store/internal.h"

#include "sys/file.h"

enum { PART = 512 * 1024 }; /* octets of events after which a new record is begun */

struct state_log {
	struct store *s;
	struct buf part;
	uint64_t first; /* sequence of the first part */
	uint32_t parts;
	uint64_t seq;
};

static enum err part_write(struct state_log *v, enum record_type type, struct view events)
{
	struct pack_pos pos;
	uint64_t stored;
	enum err err;

	record_begin(&v->s->writer, type, type == RECORD_SNAPSHOT ? RECORD_MORE : 0, &v->seq);
	if (v->first == 0)
		v->first = v->seq;
	err = record_end(&v->s->writer, events, &pos, &stored);
	v->parts++;
	v->s->event_bytes += stored;
	return err;
}

static enum err put(struct state_log *v, const struct event *e)
{
	enum err err;

	event_encode(&v->part, e);
	if (buf_err(&v->part))
		return buf_err(&v->part);
	if (v->part.n < PART)
		return OK;
	err = part_write(v, RECORD_SNAPSHOT, buf_view(&v->part));
	buf_clear(&v->part);
	return err;
}

static enum err put_account(struct state_log *v)
{
	const struct counters *c = &v->s->counters;
	struct event e = {
		.kind = EVENT_ACCOUNT,
		.modseq = c->modseq,
		.modseq_ceiling = c->modseq_ceiling,
		.mailbox = c->next_mailbox,
		.uidvalidity = c->uidvalidity,
	};
	enum err err = put(v, &e);

	for (uint32_t i = 0; i < STORE_KEYWORD_MAX && !err; i++) {
		struct event k = { .kind = EVENT_KEYWORD,
				   .number = i,
				   .name = view_str(v->s->keywords[i]) };

		if (k.name.n)
			err = put(v, &k);
	}
	for (size_t i = 0; i < v->s->subscriptions.n && !err; i++) {
		struct event sub = { .kind = EVENT_SUBSCRIBE, .attributes = 1 };

		sub.name = view_str(v->s->subscriptions.at[i]);
		err = put(v, &sub);
	}
	for (size_t i = 0; i < v->s->marks.ranges.n && !err; i++) {
		const struct mark_range *r = &v->s->marks.ranges.at[i];
		struct event mark = {
			.kind = EVENT_MARK,
			.sequence = r->first,
			.sequence_last = r->last,
			.recipient = r->recipient,
		};

		err = put(v, &mark);
	}
	return err;
}

static enum err put_messages(struct state_log *v, uint64_t mailbox)
{
	sqlite3_stmt *q = index_sql(&v->s->index, SQL_MESSAGE_EACH);
	enum err err;

	if (!q)
		return index_error(&v->s->index);
	bind_u64(q, 1, mailbox);
	while (!(err = index_step(&v->s->index, q))) {
		struct event e = {
			.kind = EVENT_ADD,
			.mailbox = mailbox,
			.uid = column_u32(q, 0),
			.blob = column_u64(q, 1),
			.flags = column_u32(q, 2),
			.keywords = column_u64(q, 3),
			.modseq = column_u64(q, 4),
			.date = sqlite3_column_int64(q, 5),
			.zone = sqlite3_column_int64(q, 6),
			.saved = sqlite3_column_int64(q, 7),
			.size = column_u32(q, 8),
		};

		err = put(v, &e);
		if (err)
			break;
	}
	sqlite3_reset(q);
	return err == ERR_EOF ? OK : err;
}

static enum err put_vanished(struct state_log *v, uint64_t mailbox)
{
	sqlite3_stmt *q = index_sql(&v->s->index, SQL_VANISHED_EACH);
	enum err err;

	if (!q)
		return index_error(&v->s->index);
	bind_u64(q, 1, mailbox);
	bind_u64(q, 2, 0);
	while (!(err = index_step(&v->s->index, q))) {
		struct event e = {
			.kind = EVENT_VANISH,
			.mailbox = mailbox,
			.uid = column_u32(q, 0),
			.uid_last = column_u32(q, 1),
			.modseq = column_u64(q, 2),
		};

		err = put(v, &e);
		if (err)
			break;
	}
	sqlite3_reset(q);
	return err == ERR_EOF ? OK : err;
}

static enum err put_mailbox(struct state_log *v, const struct mailbox *m)
{
	struct event e = {
		.kind = EVENT_MAILBOX,
		.mailbox = m->pub.id,
		.name = m->pub.name,
		.special = m->pub.special,
		.attributes = m->pub.selectable ? 0 : MAILBOX_NOSELECT,
		.uidvalidity = m->pub.uidvalidity,
	};
	struct event counters = {
		.kind = EVENT_COUNTERS,
		.mailbox = m->pub.id,
		.uid = m->pub.uidnext,
		.uid_last = m->ceiling,
		.modseq = m->pub.highestmodseq,
		.number = m->pub.recent_from,
		.modseq_ceiling = m->vanished_from,
	};
	enum err err = put(v, &e);

	if (!err)
		err = put(v, &counters);
	if (!err)
		err = put_vanished(v, m->pub.id);
	if (!err)
		err = put_messages(v, m->pub.id);
	return err;
}

static enum err put_value(void *ctx, struct view key, struct view value)
{
	struct event e = { .kind = EVENT_VALUE, .name = key, .value = value };

	return put((struct state_log *)ctx, &e);
}

static enum err put_all(struct state_log *v)
{
	struct event end = { .kind = EVENT_ADD, .uid = 1 };
	struct store *s = v->s;
	enum err err = put_account(v);

	for (size_t i = 0; i < s->mailboxes.by_id.n && !err; i++)
		err = put_mailbox(v, s->mailboxes.by_id.at[i]);
	if (!err)
		err = store_value_each(s, VIEW_EMPTY, put_value, v);
	if (!err)
		err = part_write(v, RECORD_SNAPSHOT, buf_view(&v->part));
	buf_clear(&v->part);
	end.blob = v->first;
	end.size = v->parts;
	event_encode(&v->part, &end);
	if (!err)
		err = buf_err(&v->part);
	return err ? err : part_write(v, RECORD_SNAPSHOT_END, buf_view(&v->part));
}

enum err state_log_write(struct store *s)
{
	struct state_log v = { .s = s, .part = BUF_INIT(META_MAX / 2) };
	enum err err = store_wake(s);

	if (!err)
		err = log_rotate(s);
	if (err)
		return err;
	pack_writer_begin(&s->writer);
	err = put_all(&v);
	buf_done(&v.part);
	if (!err)
		err = pack_writer_flush(&s->writer);
	if (!err)
		err = pack_writer_sync(&s->writer);
	if (err) {
		if (pack_writer_abort(&s->writer, false) && log_abandon(s))
			s->broken = true;
		return err;
	}
	pack_writer_commit(&s->writer);
	s->dirty_durable = true;
	s->applied = (struct log_place){ v.seq, { s->writer.pack, s->writer.end } };
	failpoint("store.compact.snapshot");
	return OK;
}
