/*
 * roles/mailbox/imap/search_cache.h: the search columns of messages that were searched lately.
 *
 * Clients search while their user types: the second of these commands shall not read the index again.
 * Shared by the sessions of a process; bounded, and given back when the account is quiet.  The octets of
 * a message never change and neither does the name of its blob, so nothing here goes stale; it is cleared
 * when the store is closed, for a rebuilt index may keep other columns.
 */
#ifndef ROLES_MAILBOX_IMAP_SEARCH_CACHE_H
#define ROLES_MAILBOX_IMAP_SEARCH_CACHE_H

#include "base/buf.h"

enum {
	SEARCH_CACHE_TEXT_MAX = 8 * 1024 * 1024, /* octets of columns; more are not kept */
	SEARCH_CACHE_SLOTS_MAX = 128 * 1024, /* of 24 octets, filled to three quarters */
};

struct search_cache_slot {
	uint64_t blob; /* 0: free */
	int64_t sent;
	uint32_t at, n; /* of text */
};

struct search_cache {
	struct search_cache_slot *slots;
	size_t cap; /* power of two, or 0 */
	size_t n;
	struct buf text;
};

void search_cache_init(struct search_cache *c);
/* Forget all and give the memory back; it can be used again. */
void search_cache_clear(struct search_cache *c);
/* Keep a column; without room, or for want of memory, it is not kept. */
void search_cache_add(struct search_cache *c, uint64_t blob, struct view column, int64_t sent);
/* false: not kept.  The column is borrowed until the next add. */
bool search_cache_get(const struct search_cache *c, uint64_t blob, struct view *ret_column,
		      int64_t *ret_sent);

#endif
