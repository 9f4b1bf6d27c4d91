/*
 * store/messages.c: copying, moving, expunging and flagging messages.
 *
 * Each works on the snapshot of its mailbox and turns a set of UIDs into few events: runs of messages that
 * end up alike become one.
 */
#include "store/internal.h"

#include "sys/clock.h"

enum { UID_LIST_MIN = 64 };

void store_uid_list_done(struct store_uid_list *list)
{
	free(list->at);
	*list = (struct store_uid_list){ NULL, 0, 0 };
}

/* list may be NULL. */
static enum err list_add(struct store_uid_list *list, uint32_t uid)
{
	if (!list)
		return OK;
	if (list->n == list->cap) {
		size_t cap = list->cap ? list->cap * 2 : UID_LIST_MIN;
		uint32_t *at = (uint32_t *)realloc(list->at, cap * sizeof(*at));

		if (!at)
			return ERR_NOMEM;
		list->at = at;
		list->cap = cap;
	}
	list->at[list->n++] = uid;
	return OK;
}

/* A list that failed half way must not look like a result. */
static void list_clear(struct store_uid_list *list, size_t n)
{
	if (list)
		list->n = n;
}

/* Walk over the messages of a snapshot that are in a set. */
struct walk {
	const struct store_snapshot *n;
	struct store_uids set;
	size_t range;
	size_t at;
};

static const struct store_message *walk_next(struct walk *w)
{
	for (; w->range < w->set.n; w->range++) {
		struct store_range r = w->set.at[w->range];

		if (w->at < w->n->n && w->n->at[w->at].uid < r.first)
			w->at = store_snapshot_from(w->n, r.first);
		if (w->at < w->n->n && w->n->at[w->at].uid <= r.last)
			return &w->n->at[w->at++];
	}
	return NULL;
}

/* A run of neighbours in the snapshot that get the same event. */
struct run {
	struct txn *t;
	struct event e; /* kind EVENT_NONE: empty */
	size_t next_index; /* of the message that would continue it */
};

static enum err run_end(struct run *r)
{
	enum err err = r->e.kind == EVENT_NONE ? OK : txn_event(r->t, &r->e);

	r->e.kind = EVENT_NONE;
	return err;
}

/* e has uid == uid_last; index: of its message in the snapshot. */
static enum err run_add(struct run *r, const struct event *e, size_t index)
{
	enum err err;

	if (r->e.kind != EVENT_NONE && index == r->next_index && r->e.flags == e->flags &&
	    r->e.keywords == e->keywords) {
		r->e.uid_last = e->uid;
		r->next_index++;
		return OK;
	}
	err = run_end(r);
	r->e = *e;
	r->next_index = index + 1;
	return err;
}

/* One more message changes, as told says, which may be NULL; index: of the message in the snapshot. */
static enum err run_change(struct run *r, struct event *e, size_t index,
			   struct store_uid_list *told)
{
	enum err err = numbers_modseq(r->t, &e->modseq);

	if (!err)
		err = run_add(r, e, index);
	return err ? err : list_add(told, e->uid);
}

/* ---- flags ----------------------------------------------------------------------------------- */

static void flags_wanted(const struct store_message *m, const struct store_flag_change *change,
			 struct event *e)
{
	uint16_t flags = change->flags & STORE_FLAG_MASK;

	switch (change->op) {
	case STORE_FLAGS_ADD:
		e->flags = m->flags | flags;
		e->keywords = m->keywords | change->keywords;
		break;
	case STORE_FLAGS_REMOVE:
		e->flags = m->flags & (uint16_t)~flags;
		e->keywords = m->keywords & ~change->keywords;
		break;
	case STORE_FLAGS_REPLACE:
		e->flags = flags;
		e->keywords = change->keywords;
		break;
	}
}

static enum err flags_run(struct txn *t, struct walk *w, const struct store_flag_change *change,
			  struct store_uid_list *ret_changed, struct store_uid_list *ret_modified)
{
	struct run r = { .t = t };
	const struct store_message *m;
	enum err err = OK;

	while (!err && (m = walk_next(w))) {
		struct event e = { .kind = EVENT_FLAGS,
				   .mailbox = w->n->mailbox,
				   .uid = m->uid,
				   .uid_last = m->uid };

		if (change->conditional && m->modseq > change->unchanged_since) {
			err = list_add(ret_modified, m->uid);
			continue;
		}
		flags_wanted(m, change, &e);
		if (e.flags == m->flags && e.keywords == m->keywords)
			continue;
		err = run_change(&r, &e, w->at - 1, ret_changed);
	}
	return err ? err : run_end(&r);
}

enum err store_flags(struct store *s, uint64_t mailbox, struct store_uids set,
		     const struct store_flag_change *change, struct store_uid_list *ret_changed,
		     struct store_uid_list *ret_modified)
{
	size_t changed_n = ret_changed ? ret_changed->n : 0;
	size_t modified_n = ret_modified ? ret_modified->n : 0;
	struct walk w = { .set = set };
	struct txn t;
	enum err err = store_mailbox_load(s, mailbox, &w.n);

	if (err)
		return err;
	err = txn_begin(s, false, &t);
	if (!err)
		err = txn_end(&t, flags_run(&t, &w, change, ret_changed, ret_modified));
	if (err) {
		list_clear(ret_changed, changed_n);
		list_clear(ret_modified, modified_n);
	}
	store_mailbox_release(s, w.n);
	return err;
}

/* ---- expunge --------------------------------------------------------------------------------- */

static enum err expunge_run(struct txn *t, struct walk *w, bool only_deleted,
			    struct store_uid_list *ret_gone)
{
	struct run r = { .t = t };
	const struct store_message *m;
	enum err err = OK;

	while (!err && (m = walk_next(w))) {
		struct event e = {
			.kind = EVENT_EXPUNGE,
			.mailbox = w->n->mailbox,
			.uid = m->uid,
			.uid_last = m->uid,
		};

		if (only_deleted && !(m->flags & STORE_FLAG_DELETED))
			continue;
		err = run_change(&r, &e, w->at - 1, ret_gone);
	}
	return err ? err : run_end(&r);
}

enum err store_expunge(struct store *s, uint64_t mailbox, struct store_uids set, bool only_deleted,
		       struct store_uid_list *ret_gone)
{
	size_t gone_n = ret_gone ? ret_gone->n : 0;
	struct walk w = { .set = set };
	struct txn t;
	enum err err = store_mailbox_load(s, mailbox, &w.n);

	if (err)
		return err;
	err = txn_begin(s, false, &t);
	if (!err)
		err = txn_end(&t, expunge_run(&t, &w, only_deleted, ret_gone));
	if (err)
		list_clear(ret_gone, gone_n);
	store_mailbox_release(s, w.n);
	return err;
}

/* ---- copy and move --------------------------------------------------------------------------- */

struct copy {
	struct store *s;
	uint64_t from;
	uint64_t to;
	bool move;
	struct store_uid_list *old;
	struct store_uid_list *new;
};

static enum err copy_quota(const struct copy *c, struct walk w)
{
	const struct store_config *config = &c->s->config;
	uint64_t bytes = c->s->bytes, messages = c->s->messages;
	const struct store_message *m;

	if (c->move)
		return OK;
	while ((m = walk_next(&w))) {
		bytes += m->size;
		messages++;
	}
	if (config->quota_bytes && bytes > config->quota_bytes && bytes > c->s->bytes)
		return ERR_QUOTA;
	if (config->quota_messages && messages > config->quota_messages &&
	    messages > c->s->messages)
		return ERR_QUOTA;
	return OK;
}

static enum err copy_one(struct txn *t, const struct copy *c, const struct store_message *m)
{
	struct mailbox *to = mailbox_by_id(c->s, c->to);
	struct event e = {
		.kind = EVENT_ADD,
		.mailbox = c->to,
		.blob = m->blob,
		.flags = m->flags,
		.keywords = m->keywords,
		.date = m->date,
		.zone = m->zone,
		.saved = clock_wall(),
		.size = m->size,
	};
	enum err err = numbers_modseq(t, &e.modseq);

	if (!err)
		err = numbers_uid(t, to, &e.uid);
	if (!err)
		err = list_add(c->old, m->uid);
	if (!err)
		err = list_add(c->new, e.uid);
	return err ? err : txn_event(t, &e);
}

/* All additions first: when source and target are the same the snapshot does not change meanwhile, and
 * its rows may only move with room for new ones, so they are read by value. */
static enum err copy_run(struct txn *t, const struct copy *c, struct walk w)
{
	struct walk again = w;
	const struct store_message *m;
	enum err err = copy_quota(c, w);

	while (!err && (m = walk_next(&w))) {
		struct store_message row = *m;

		err = copy_one(t, c, &row);
	}
	if (err || !c->move)
		return err;
	return expunge_run(t, &again, false, NULL);
}

static enum err copy_messages(const struct copy *c, struct store_uids set)
{
	size_t old_n = c->old ? c->old->n : 0, new_n = c->new ? c->new->n : 0;
	struct mailbox *to = mailbox_by_id(c->s, c->to);
	struct walk w = { .set = set };
	struct txn t;
	enum err err;

	if (!to)
		return ERR_NOTFOUND;
	if (!to->pub.selectable)
		return ERR_WRONG_STATE;
	err = store_mailbox_load(c->s, c->from, &w.n);
	if (err)
		return err;
	err = txn_begin(c->s, false, &t);
	if (!err)
		err = txn_end(&t, copy_run(&t, c, w));
	if (err) {
		list_clear(c->old, old_n);
		list_clear(c->new, new_n);
	}
	store_mailbox_release(c->s, w.n);
	return err;
}

enum err store_copy(struct store *s, uint64_t from, struct store_uids set, uint64_t to,
		    struct store_uid_list *ret_old, struct store_uid_list *ret_new)
{
	struct copy c = { s, from, to, false, ret_old, ret_new };

	return copy_messages(&c, set);
}

enum err store_move(struct store *s, uint64_t from, struct store_uids set, uint64_t to,
		    struct store_uid_list *ret_old, struct store_uid_list *ret_new)
{
	struct copy c = { s, from, to, true, ret_old, ret_new };

	return copy_messages(&c, set);
}
