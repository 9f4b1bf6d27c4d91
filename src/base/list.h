/*
 * base/list.h: a doubly linked list whose nodes are embedded in what it holds.
 *
 *	struct row { struct list_node link; ... };
 *
 *	list_push_back(&rows, &row->link);
 *	for (struct row *r = LIST_FIRST(&rows, struct row, link); r; r = LIST_NEXT(r, struct row, link))
 *
 * A zeroed list is empty and a zeroed node is in no list.  The list owns nothing and allocates nothing;
 * a node is in one list at most, and what it is embedded in may not move while it is in one.  A list
 * may be moved by assignment.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/base.h"

struct list_node {
	struct list_node *next, *prev;
};

struct list {
	struct list_node *first, *last;
	size_t n; /* nodes in it */
};

/* The node is in no list before: one that was never in any, or was removed. */
void list_push_back(struct list *l, struct list_node *node);
void list_push_front(struct list *l, struct list_node *node);
/* The node is in l, which is asserted as far as its neighbours tell: a node that was removed already is
 * a bug that stops the program.  Afterwards the node is as zeroed. */
void list_remove(struct list *l, struct list_node *node);
/* Removes the first.  NULL if the list is empty. */
struct list_node *list_pop(struct list *l);

/* What node, the member of a type, is embedded in; NULL stays NULL.  The compiler refuses a member that
 * is no struct list_node. */
#define LIST_ITEM(node, type, member)                                                              \
	((type *)list_item(true ? (node) : &((type *)NULL)->member, offsetof(type, member)))

static inline void *list_item(const struct list_node *node, size_t offset)
{
	return node ? (char *)node - offset : NULL;
}

/* The first, and the one behind an item; NULL at the end.  Borrowed while they are in the list. */
#define LIST_FIRST(list, type, member) LIST_ITEM((list)->first, type, member)
#define LIST_NEXT(item, type, member)  LIST_ITEM((item)->member.next, type, member)

#endif
