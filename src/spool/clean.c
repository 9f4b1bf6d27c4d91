/*
 * spool/clean.c: give segments back, oldest first.
 *
 * What lives in the oldest is copied forward, with its sequence, when more files are in use than are to be
 * kept and at least half of their octets are dead, so that copying is bounded by what it frees; and
 * without regard to that when a write to a segment failed.  Mailboxes are first asked to make durable
 * what they have, which is cheaper than a copy; so they are when a flood has filled many files.
 */
#include "spool/failpoints.h"
#include "spool/internal.h"
#include "sys/clock.h"

enum {
	PRESS_GRACE_MS = 2000, /* from asking the mailboxes to copying */
	PRESS_AGAIN_MS = 5000,
	PRESS_FILES = 3, /* times what is always kept: less than what is used again (segment.c) */
};

enum err journal_changes_add(struct journal_changes *c, uint8_t type, uint64_t sequence,
			     struct view head)
{
	struct journal_record r = { .type = type, .sequence = sequence, .head = head };
	size_t at = c->bytes.n;

	buf_add(&c->bytes, head);
	if (buf_err(&c->bytes))
		return buf_err(&c->bytes);
	return VEC_PUSH(&c->records, r) && VEC_PUSH(&c->at, at) ? OK : ERR_LIMIT;
}

void journal_retire(struct journal *j)
{
	while (j->oldest && !j->oldest->live && j->oldest->durable == j->oldest->tail &&
	       !(j->oldest == j->newest && j->appending))
		segment_retire_oldest(j);
	if (j->clean_through && (!j->oldest || j->oldest->order > j->clean_through))
		j->clean_through = 0;
}

static enum err copy_one(struct journal *j, struct journal_entry *entry, struct buf *room)
{
	struct journal_changes c = { .records = VEC_INIT(JOURNAL_GROUP_MAX),
				     .bytes = BUF_INIT(RECORD_HEAD_MAX),
				     .at = VEC_INIT(JOURNAL_GROUP_MAX) };
	struct journal_record first = { .type = RECORD_ACCEPT,
					.sequence = entry->sequence,
					.entry = entry };
	enum err err = journal_read(j, entry, room, &first.head, &first.body);

	if (err)
		return err == ERR_NOMEM || err == ERR_LIMIT ? ERR_NOMEM : ERR_CORRUPT;
	if (!VEC_PUSH(&c.records, first) || !VEC_PUSH(&c.at, 0))
		err = ERR_NOMEM;
	if (!err)
		err = j->ops->describe(j->ctx, entry, &c);
	for (size_t i = 1; i < c.records.n; i++)
		c.records.at[i].head =
			view_part(buf_view(&c.bytes), c.at.at[i], c.records.at[i].head.n);
	/* A cached body lies in a slab; laying out may add slabs but drops none. */
	if (!err)
		err = journal_lay_out(j, c.records.at, c.records.n, &(struct pending_group){ 0 });
	if (!err) {
		entry->moving = true;
		j->copied++;
	}
	VEC_DONE(&c.records);
	VEC_DONE(&c.at);
	buf_done(&c.bytes);
	return err == ERR_CORRUPT ? ERR_BUSY : err;
}

static void give_message_up(struct journal *j, struct journal_entry *entry, enum err err)
{
	journal_tell(j,
		     &(struct journal_event){ .kind = JOURNAL_UNREADABLE,
					      .offset = entry->offset,
					      .n = record_size(entry->head_n, entry->body_n),
					      .sequence = entry->sequence,
					      .err = err },
		     entry->segment);
	entry->unreadable = true;
	entry->segment->ragged = true;
	j->ops->unreadable(j->ctx, entry);
}

static enum err copy_slice(struct journal *j, bool *ret_more)
{
	struct buf CLEANUP(buf_done) room = BUF_INIT(SIZE_MAX / 2);
	struct segment *s = j->oldest;
	uint64_t copied = 0;

	for (struct journal_entry *e = s->live, *next; e; e = next) {
		enum err err;

		next = e->next;
		if (e->moving || e->finishing || e->unreadable)
			continue;
		if (copied >= CLEAN_SLICE) {
			*ret_more = true;
			return OK;
		}
		err = copy_one(j, e, &room);
		if (err == ERR_CORRUPT)
			give_message_up(j, e, err);
		else if (err)
			return err;
		copied += record_size(e->head_n, e->body_n);
	}
	spool_failpoint(SPOOL_FAIL_COPYING);
	return OK;
}

static bool pays(const struct journal *j)
{
	uint64_t live = 0, used = 0;

	if (j->in_use_n < j->keep)
		return false;
	for (const struct segment *s = j->oldest; s; s = s->next) {
		live += s->live_bytes;
		used += s->size;
	}
	return live <= used / 2;
}

enum err journal_clean(struct journal *j, bool *ret_more)
{
	int64_t now = clock_mono_ms();

	*ret_more = false;
	journal_retire(j);
	if (j->in_use_n < j->keep)
		j->was_pressed = false;
	if (!j->oldest || (j->oldest == j->newest && j->appending) || j->parked)
		return OK;
	if (j->oldest->order <= j->clean_through)
		return copy_slice(j, ret_more);
	if (!pays(j) && j->in_use_n < PRESS_FILES * j->keep)
		return OK;
	if (!j->was_pressed || now - j->pressed_ms > PRESS_AGAIN_MS) {
		j->was_pressed = true;
		j->pressed_ms = now;
		j->ops->pressed(j->ctx);
		return OK;
	}
	if (now - j->pressed_ms < PRESS_GRACE_MS || !pays(j))
		return OK;
	return copy_slice(j, ret_more);
}
