/*
 * spool/change.c: see change.h.
 */
#include "spool/change.h"

#include "base/cursor.h"
#include "base/num.h"

static void put(struct buf *out, uint64_t v, size_t octets)
{
	char room[8];

	num_put64(room, v);
	buf_add(out, view_of(room, octets));
}

static void put_text(struct buf *out, struct view v, size_t max)
{
	v = view_head(v, max);
	put(out, v.n, 2);
	buf_add(out, v);
}

static uint64_t get(struct cursor *c, size_t octets)
{
	struct view v = cursor_take(c, octets);
	uint64_t n = 0;

	for (size_t i = 0; i < v.n; i++)
		n |= (uint64_t)view_at(v, i) << (8 * i);
	return n;
}

static struct view get_text(struct cursor *c, size_t max)
{
	size_t n = (size_t)get(c, 2);

	if (n > max)
		cursor_fail(c, ERR_LIMIT);
	return cursor_take(c, n);
}

void rcpt_change_encode(struct buf *out, const struct rcpt_change *c)
{
	put(out, c->index, 4);
	put(out, c->outcome, 1);
	put(out, c->flags, 1);
	put(out, c->attempts, 2);
	put(out, c->code, 2);
	put(out, (uint64_t)c->wall_ms, 8);
	put(out, (uint64_t)c->age_ms, 8);
	put(out, (uint64_t)c->next_ms, 8);
	put_text(out, c->status, CHANGE_STATUS_MAX);
	put_text(out, c->reply, CHANGE_REPLY_MAX);
	put_text(out, c->remote, CHANGE_REMOTE_MAX);
}

enum err rcpt_change_decode(struct view text, struct rcpt_change *ret)
{
	struct cursor c = cursor_init(text);
	struct rcpt_change r = { .index = (uint32_t)get(&c, 4) };

	r.outcome = (uint8_t)get(&c, 1);
	r.flags = (uint8_t)get(&c, 1);
	r.attempts = (uint16_t)get(&c, 2);
	r.code = (uint16_t)get(&c, 2);
	r.wall_ms = (int64_t)get(&c, 8);
	r.age_ms = (int64_t)get(&c, 8);
	r.next_ms = (int64_t)get(&c, 8);
	r.status = get_text(&c, CHANGE_STATUS_MAX);
	r.reply = get_text(&c, CHANGE_REPLY_MAX);
	r.remote = get_text(&c, CHANGE_REMOTE_MAX);
	cursor_end(&c);
	if (!c.err && r.outcome >= RCPT_OUTCOME_END)
		return ERR_SYNTAX;
	if (c.err)
		return c.err;
	*ret = r;
	return OK;
}

void expand_change_encode(struct buf *out, const struct expand_change *c)
{
	put(out, c->index, 4);
	put(out, c->parent, 4);
	put(out, c->kind, 1);
	put(out, c->notify, 1);
	put(out, c->account, 8);
	put_text(out, c->address, CHANGE_ADDRESS_MAX);
	put_text(out, c->mailbox, CHANGE_MAILBOX_MAX);
}

enum err expand_change_decode(struct view text, struct expand_change *ret)
{
	struct cursor c = cursor_init(text);
	struct expand_change e = { .index = (uint32_t)get(&c, 4) };

	e.parent = (uint32_t)get(&c, 4);
	e.kind = (uint8_t)get(&c, 1);
	e.notify = (uint8_t)get(&c, 1);
	e.account = get(&c, 8);
	e.address = get_text(&c, CHANGE_ADDRESS_MAX);
	e.mailbox = get_text(&c, CHANGE_MAILBOX_MAX);
	cursor_end(&c);
	if (c.err)
		return c.err;
	*ret = e;
	return OK;
}
