/*
 * policy/lru.h: a bounded table by key that forgets what was not used for longest.
 *
 * Every table whose keys a peer can choose is one of these: it cannot grow, only forget.  Nodes are
 * embedded in, and are the first member of, the caller's structures, which come from malloc and which
 * the table frees.
 */
#ifndef POLICY_LRU_H
#define POLICY_LRU_H

#include "base/list.h"
#include "base/map.h"

struct lru_node {
	struct list_node link;
	char *key; /* owned by the table */
	size_t key_n;
};

struct lru {
	struct map map;
	struct list nodes; /* the newest first */
	size_t max;
};

/* secret: 16 random octets. */
void lru_init(struct lru *l, size_t max, const uint8_t secret[16]);
/* Frees all. */
void lru_done(struct lru *l);
void lru_clear(struct lru *l);

/* NULL if absent; what is found becomes the newest.  Borrowed until the table changes. */
struct lru_node *lru_get(struct lru *l, struct view key);

/* For a walk from the newest to the oldest, which may remove what it has passed; NULL at the end. */
static inline struct lru_node *lru_newest(const struct lru *l)
{
	return LIST_FIRST(&l->nodes, struct lru_node, link);
}

static inline struct lru_node *lru_older(const struct lru_node *node)
{
	return LIST_NEXT(node, struct lru_node, link);
}

/*
 * Add a zeroed node whose key (copied) is absent; a full table frees its oldest.  The node is the
 * table's from then on.  ERR_NOMEM: the caller keeps the node.
 */
MUST_USE enum err lru_add(struct lru *l, struct lru_node *node, struct view key);
/* Take out and free. */
void lru_remove(struct lru *l, struct lru_node *node);

static inline size_t lru_count(const struct lru *l)
{
	return l->map.n;
}

/* Borrowed while the node is in the table. */
static inline struct view lru_key(const struct lru_node *node)
{
	return view_of(node->key, node->key_n);
}

#endif
