/*
 * store/feed.c: snapshots of mailboxes in memory, and telling listeners what changed.
 *
 * A snapshot is changed only after its transaction is committed, from the same events that went to the log;
 * room for new rows is made before, so that publishing cannot fail.
 */
#include "store/internal.h"

/* ---- snapshots ------------------------------------------------------------------------------- */

void snapshot_free(struct snapshot *snapshot)
{
	if (!snapshot)
		return;
	free(snapshot->rows);
	free(snapshot);
}

static enum err snapshot_room(struct snapshot *n, size_t more)
{
	size_t cap = n->cap;
	struct store_message *rows;

	if (n->pub.n + more <= cap)
		return OK;
	while (cap < n->pub.n + more)
		cap = cap < 16 ? 16 : cap + cap / 2;
	rows = (struct store_message *)realloc(n->rows, cap * sizeof(*rows));
	if (!rows)
		return ERR_NOMEM;
	n->rows = rows;
	n->pub.at = rows;
	n->cap = cap;
	return OK;
}

static struct store_message row_of(sqlite3_stmt *q)
{
	return (struct store_message){
		.uid = column_u32(q, 0),
		.blob = column_u64(q, 1),
		.flags = (uint16_t)column_u32(q, 2),
		.keywords = column_u64(q, 3),
		.modseq = column_u64(q, 4),
		.date = sqlite3_column_int64(q, 5),
		.zone = (int16_t)sqlite3_column_int(q, 6),
		.saved = sqlite3_column_int64(q, 7),
		.size = column_u32(q, 8),
	};
}

static enum err snapshot_fill(struct store *s, const struct mailbox *m, struct snapshot *n)
{
	sqlite3_stmt *q = index_sql(&s->index, SQL_MESSAGE_EACH);
	enum err err = snapshot_room(n, m->pub.messages);

	if (!q)
		return index_error(&s->index);
	if (err)
		return err;
	bind_u64(q, 1, m->pub.id);
	while (!(err = index_step(&s->index, q))) {
		err = snapshot_room(n, 1);
		if (err)
			break;
		n->rows[n->pub.n++] = row_of(q);
	}
	sqlite3_reset(q);
	return err == ERR_EOF ? OK : err;
}

enum err store_mailbox_load(struct store *s, uint64_t mailbox, const struct store_snapshot **ret)
{
	struct mailbox *m = mailbox_by_id(s, mailbox);
	struct snapshot *n;
	enum err err;

	if (!m)
		return ERR_NOTFOUND;
	if (!m->pub.selectable)
		return ERR_WRONG_STATE;
	if (!m->snapshot) {
		n = (struct snapshot *)calloc(1, sizeof(*n));
		err = n ? store_wake(s) : ERR_NOMEM;
		if (n)
			n->pub.mailbox = mailbox;
		if (!err)
			err = snapshot_fill(s, m, n);
		if (err) {
			snapshot_free(n);
			return err;
		}
		m->snapshot = n;
	}
	m->snapshot->refs++;
	*ret = &m->snapshot->pub;
	return OK;
}

void store_mailbox_release(struct store *s, const struct store_snapshot *snapshot)
{
	struct snapshot *n = (struct snapshot *)(uintptr_t)snapshot;
	struct mailbox *m;

	if (!n)
		return;
	ASSERT(n->refs > 0);
	if (--n->refs > 0)
		return;
	m = mailbox_by_id(s, n->pub.mailbox);
	if (m && m->snapshot == n)
		m->snapshot = NULL;
	snapshot_free(n);
}

size_t store_snapshot_from(const struct store_snapshot *snapshot, uint32_t uid)
{
	size_t low = 0, high = snapshot->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (snapshot->at[middle].uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct store_message *store_snapshot_find(const struct store_snapshot *snapshot, uint32_t uid)
{
	size_t at = store_snapshot_from(snapshot, uid);

	return at < snapshot->n && snapshot->at[at].uid == uid ? &snapshot->at[at] : NULL;
}

/* ---- from events to snapshots ---------------------------------------------------------------- */

enum err feed_reserve(struct store *s, const struct event *e)
{
	struct mailbox *m = e->kind == EVENT_ADD ? mailbox_by_id(s, e->mailbox) : NULL;

	if (!m || !m->snapshot)
		return OK;
	return snapshot_room(m->snapshot, ++m->snapshot->adding);
}

static void snapshot_add(struct snapshot *n, const struct event *e)
{
	ASSERT(n->pub.n < n->cap && n->adding > 0);
	n->adding--;
	n->rows[n->pub.n++] = (struct store_message){
		.uid = e->uid,
		.blob = e->blob,
		.flags = (uint16_t)e->flags,
		.keywords = e->keywords,
		.modseq = e->modseq,
		.date = e->date,
		.zone = (int16_t)e->zone,
		.saved = e->saved,
		.size = e->size,
	};
}

/* Rows of a range that are still there: call for each. */
static void snapshot_range(struct snapshot *n, const struct event *e,
			   void (*change)(struct snapshot *n, struct store_message *row,
					  const struct event *e))
{
	size_t at = store_snapshot_from(&n->pub, e->uid);

	for (; at < n->pub.n && n->rows[at].uid <= e->uid_last; at++)
		change(n, &n->rows[at], e);
}

static void row_flags(struct snapshot *n, struct store_message *row, const struct event *e)
{
	row->flags = (uint16_t)e->flags;
	row->keywords = e->keywords;
	row->modseq = e->modseq;
}

/* UIDs must stay sorted while more ranges are looked up: mark, and squeeze once at the end. */
static void row_remove(struct snapshot *n, struct store_message *row, const struct event *e)
{
	row->unused = 1;
	n->holes = true;
}

static void snapshot_squeeze(struct snapshot *n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n->pub.n; i++) {
		if (!n->rows[i].unused)
			n->rows[kept++] = n->rows[i];
	}
	n->pub.n = kept;
	n->holes = false;
}

static void snapshot_apply(struct snapshot *n, const struct event *e)
{
	switch (e->kind) {
	case EVENT_ADD: snapshot_add(n, e); break;
	case EVENT_FLAGS: snapshot_range(n, e, row_flags); break;
	case EVENT_EXPUNGE: snapshot_range(n, e, row_remove); break;
	default: break;
	}
}

static void snapshots_update(struct store *s, const struct event *events, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct mailbox *m = mailbox_by_id(s, events[i].mailbox);

		if (m && m->snapshot)
			snapshot_apply(m->snapshot, &events[i]);
	}
	for (size_t i = 0; i < n; i++) {
		struct mailbox *m = events[i].kind == EVENT_EXPUNGE
					    ? mailbox_by_id(s, events[i].mailbox)
					    : NULL;

		if (m && m->snapshot && m->snapshot->holes)
			snapshot_squeeze(m->snapshot);
	}
}

/* ---- listeners ------------------------------------------------------------------------------- */

enum err store_listen(struct store *s, uint64_t mailbox, store_change_fn fn, void *ctx,
		      struct store_listener **ret)
{
	struct store_listener *l = (struct store_listener *)calloc(1, sizeof(*l));

	if (!l)
		return ERR_NOMEM;
	*l = (struct store_listener){ mailbox, fn, ctx };
	if (!VEC_PUSH(&s->listeners, l)) {
		free(l);
		return s->listeners.n >= s->listeners.max ? ERR_LIMIT : ERR_NOMEM;
	}
	*ret = l;
	return OK;
}

void store_unlisten(struct store *s, struct store_listener **listener)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->listeners.n; i++) {
		if (s->listeners.at[i] != *listener)
			s->listeners.at[kept++] = s->listeners.at[i];
	}
	s->listeners.n = kept;
	free(*listener);
	*listener = NULL;
}

void store_origin_set(struct store *s, const void *origin)
{
	s->origin = origin;
}

static bool change_of(const struct event *e, struct store_change *ret)
{
	static const struct {
		bool tell;
		enum store_change_kind kind;
	} kinds[EVENT_KIND_COUNT] = {
		[EVENT_ADD] = { true, STORE_CHANGE_NEW },
		[EVENT_FLAGS] = { true, STORE_CHANGE_FLAGS },
		[EVENT_EXPUNGE] = { true, STORE_CHANGE_EXPUNGED },
		[EVENT_VANISH] = { true, STORE_CHANGE_VANISHED },
		[EVENT_MAILBOX] = { true, STORE_CHANGE_MAILBOX },
		[EVENT_MAILBOX_GONE] = { true, STORE_CHANGE_MAILBOX_GONE },
		[EVENT_KEYWORD] = { true, STORE_CHANGE_KEYWORDS },
	};

	if (!kinds[e->kind].tell)
		return false;
	*ret = (struct store_change){
		.mailbox = e->mailbox,
		.kind = kinds[e->kind].kind,
		.uid = e->uid,
		.uid_last = e->kind == EVENT_ADD ? e->uid : e->uid_last,
		.modseq = e->modseq,
	};
	return true;
}

static void tell(struct store *s, const struct store_change *change)
{
	for (size_t i = 0; i < s->listeners.n; i++) {
		const struct store_listener *l = s->listeners.at[i];

		if (l->mailbox == 0 || l->mailbox == change->mailbox || change->mailbox == 0)
			l->fn(l->ctx, change);
	}
}

/* A subscription changes what LIST says of a mailbox, if there is one. */
static bool subscription_change(struct store *s, const struct event *e, struct store_change *ret)
{
	struct mailbox *m = e->kind == EVENT_SUBSCRIBE ? mailbox_by_name(s, e->name) : NULL;

	if (!m)
		return false;
	*ret = (struct store_change){ .mailbox = m->pub.id, .kind = STORE_CHANGE_MAILBOX };
	return true;
}

void feed_publish(struct store *s, const struct event *events, size_t n)
{
	struct store_change change;

	snapshots_update(s, events, n);
	if (s->listeners.n == 0)
		return;
	for (size_t i = 0; i < n; i++) {
		if (!change_of(&events[i], &change) && !subscription_change(s, &events[i], &change))
			continue;
		change.origin = s->origin;
		tell(s, &change);
	}
}
