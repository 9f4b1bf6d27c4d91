/*
 * roles/mailbox/imap/search_cache.c: see search_cache.h.  Open addressing; nothing is removed singly.
 */
#include "roles/mailbox/imap/search_cache.h"

enum { SLOTS_FIRST = 1024 };

void search_cache_init(struct search_cache *c)
{
	*c = (struct search_cache){ 0 };
	buf_init(&c->text, SEARCH_CACHE_TEXT_MAX);
}

void search_cache_clear(struct search_cache *c)
{
	free(c->slots);
	buf_done(&c->text);
	search_cache_init(c);
}

/* The slot of blob, or the free one where it belongs.  Blobs are numbered by the store, not by a peer:
 * they need to be spread, not to be kept secret. */
static struct search_cache_slot *slot_of(struct search_cache_slot *slots, size_t cap, uint64_t blob)
{
	size_t at = (size_t)(blob * 0x9e3779b97f4a7c15 >> 32) & (cap - 1);

	while (slots[at].blob && slots[at].blob != blob)
		at = (at + 1) & (cap - 1);
	return &slots[at];
}

static bool grow(struct search_cache *c)
{
	size_t cap = c->cap ? c->cap * 2 : SLOTS_FIRST;
	struct search_cache_slot *slots;

	if (cap > SEARCH_CACHE_SLOTS_MAX)
		return false;
	slots = calloc(cap, sizeof(*slots));
	if (!slots)
		return false;
	for (size_t i = 0; i < c->cap; i++)
		if (c->slots[i].blob)
			*slot_of(slots, cap, c->slots[i].blob) = c->slots[i];
	free(c->slots);
	c->slots = slots;
	c->cap = cap;
	return true;
}

void search_cache_add(struct search_cache *c, uint64_t blob, struct view column, int64_t sent)
{
	struct search_cache_slot *slot;
	size_t at = c->text.n;

	if (!blob || column.n > buf_left(&c->text) || (c->n >= c->cap / 4 * 3 && !grow(c)))
		return;
	slot = slot_of(c->slots, c->cap, blob);
	if (slot->blob)
		return;
	buf_add(&c->text, column);
	if (buf_err(&c->text)) { /* no memory: what is kept stays usable */
		c->text.err = OK;
		return;
	}
	*slot = (struct search_cache_slot){ blob, sent, (uint32_t)at, (uint32_t)column.n };
	c->n++;
}

bool search_cache_get(const struct search_cache *c, uint64_t blob, struct view *ret_column,
		      int64_t *ret_sent)
{
	const struct search_cache_slot *slot;

	if (!c->n)
		return false;
	slot = slot_of(c->slots, c->cap, blob);
	if (!slot->blob)
		return false;
	*ret_column = view_part(buf_view(&c->text), slot->at, slot->n);
	*ret_sent = slot->sent;
	return true;
}
