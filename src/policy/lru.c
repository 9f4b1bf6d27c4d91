/*
 * policy/lru.c: see lru.h.
 */
#include "policy/lru.h"

void lru_init(struct lru *l, size_t max, const uint8_t secret[16])
{
	*l = (struct lru){ .max = max };
	/* One more: a new node is in before the oldest leaves. */
	map_init(&l->map, max + 1, secret);
}

static struct lru_node *oldest(const struct lru *l)
{
	return LIST_ITEM(l->nodes.last, struct lru_node, link);
}

void lru_remove(struct lru *l, struct lru_node *node)
{
	list_remove(&l->nodes, &node->link);
	(void)map_remove(&l->map, lru_key(node));
	free(node->key);
	free(node);
}

void lru_clear(struct lru *l)
{
	while (l->nodes.n)
		lru_remove(l, oldest(l));
}

void lru_done(struct lru *l)
{
	lru_clear(l);
	map_done(&l->map);
}

struct lru_node *lru_get(struct lru *l, struct view key)
{
	struct lru_node *node = map_get(&l->map, key);

	if (node) {
		list_remove(&l->nodes, &node->link);
		list_push_front(&l->nodes, &node->link);
	}
	return node;
}

enum err lru_add(struct lru *l, struct lru_node *node, struct view key)
{
	enum err err;

	ASSERT(!map_get(&l->map, key));
	node->key = malloc(size_max(key.n, 1));
	if (!node->key)
		return ERR_NOMEM;
	if (key.n)
		memcpy(node->key, key.p, key.n);
	node->key_n = key.n;
	err = map_put(&l->map, key, node);
	if (err) {
		free(node->key);
		node->key = NULL;
		return err;
	}
	list_push_front(&l->nodes, &node->link);
	if (l->map.n > l->max)
		lru_remove(l, oldest(l));
	return OK;
}
