/*
 * base/list.c: see list.h.
 */
#include "base/list.h"

static void insert(struct list *l, struct list_node *node, struct list_node *prev,
		   struct list_node *next)
{
	ASSERT(!node->prev && !node->next && l->first != node);
	node->prev = prev;
	node->next = next;
	if (prev)
		prev->next = node;
	else
		l->first = node;
	if (next)
		next->prev = node;
	else
		l->last = node;
	l->n++;
}

void list_push_back(struct list *l, struct list_node *node)
{
	insert(l, node, l->last, NULL);
}

void list_push_front(struct list *l, struct list_node *node)
{
	insert(l, node, NULL, l->first);
}

void list_remove(struct list *l, struct list_node *node)
{
	struct list_node **from_prev = node->prev ? &node->prev->next : &l->first;
	struct list_node **from_next = node->next ? &node->next->prev : &l->last;

	ASSERT(*from_prev == node && *from_next == node);
	*from_prev = node->next;
	*from_next = node->prev;
	*node = (struct list_node){ NULL, NULL };
	l->n--;
}

struct list_node *list_pop(struct list *l)
{
	struct list_node *node = l->first;

	if (node)
		list_remove(l, node);
	return node;
}
