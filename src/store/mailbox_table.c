/*
 * store/mailbox_table.c: the mailboxes in memory, so that LIST and STATUS read no file.
 *
 * The table mirrors the index; a transaction changes both, and when it fails memory is read anew.
 */
#include "store/internal.h"

#include "base/ascii.h"

void mailbox_table_init(struct mailbox_table *t)
{
	*t = (struct mailbox_table){
		.by_name = VEC_INIT(STORE_MAILBOX_COUNT_MAX + 1),
		.by_id = VEC_INIT(STORE_MAILBOX_COUNT_MAX + 1),
	};
}

static void mailbox_free(struct mailbox *m)
{
	if (m->snapshot) { /* whoever loaded it gives it back later */
		m->snapshot->pub.gone = true;
		m->snapshot->pub.n = 0;
		if (m->snapshot->refs == 0)
			snapshot_free(m->snapshot);
	}
	free(m->name);
	free(m);
}

void mailbox_table_done(struct mailbox_table *t)
{
	for (size_t i = 0; i < t->by_id.n; i++)
		mailbox_free(t->by_id.at[i]);
	VEC_DONE(&t->by_id);
	VEC_DONE(&t->by_name);
}

/* Octets in order, '/' before all others. */
static int name_compare(struct view a, struct view b)
{
	size_t n = size_min(a.n, b.n);

	for (size_t i = 0; i < n; i++) {
		unsigned x = view_at(a, i) == '/' ? 0 : view_at(a, i);
		unsigned y = view_at(b, i) == '/' ? 0 : view_at(b, i);

		if (x != y)
			return x < y ? -1 : 1;
	}
	return (a.n > b.n) - (a.n < b.n);
}

/* Index of the first mailbox whose name is not below name. */
static size_t name_position(const struct mailbox_table *t, struct view name)
{
	size_t low = 0, high = t->by_name.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (name_compare(t->by_name.at[middle]->pub.name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static size_t id_position(const struct mailbox_table *t, uint64_t id)
{
	size_t low = 0, high = t->by_id.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (t->by_id.at[middle]->pub.id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct mailbox *mailbox_by_id(struct store *s, uint64_t id)
{
	size_t at = id_position(&s->mailboxes, id);
	struct mailbox *m = at < s->mailboxes.by_id.n ? s->mailboxes.by_id.at[at] : NULL;

	return m && m->pub.id == id && !m->gone ? m : NULL;
}

struct mailbox *mailbox_by_name(struct store *s, struct view name)
{
	const struct mailbox_table *t = &s->mailboxes;

	for (size_t at = name_position(t, name); at < t->by_name.n; at++) {
		struct mailbox *m = t->by_name.at[at];

		if (!view_eq(m->pub.name, name))
			return NULL;
		if (!m->gone)
			return m;
	}
	return NULL;
}

static void name_insert(struct mailbox_table *t, struct mailbox *m)
{
	size_t at = name_position(t, m->pub.name);

	memmove(t->by_name.at + at + 1, t->by_name.at + at,
		(t->by_name.n - at) * sizeof(t->by_name.at[0]));
	t->by_name.at[at] = m;
	t->by_name.n++;
	t->children_stale = true;
}

static void name_remove(struct mailbox_table *t, const struct mailbox *m)
{
	for (size_t at = name_position(t, m->pub.name); at < t->by_name.n; at++) {
		if (t->by_name.at[at] != m)
			continue;
		t->by_name.n--;
		memmove(t->by_name.at + at, t->by_name.at + at + 1,
			(t->by_name.n - at) * sizeof(t->by_name.at[0]));
		break;
	}
	t->children_stale = true;
}

static void id_remove(struct mailbox_table *t, const struct mailbox *m)
{
	size_t at = id_position(t, m->pub.id);

	t->by_id.n--;
	memmove(t->by_id.at + at, t->by_id.at + at + 1, (t->by_id.n - at) * sizeof(t->by_id.at[0]));
}

/* Room for one more in both arrays, so that inserting cannot fail. */
static enum err table_reserve(struct mailbox_table *t)
{
	if (t->by_name.n >= t->by_name.max)
		return ERR_LIMIT;
	if (!vec_grow((void **)&t->by_name.at, t->by_name.n, &t->by_name.cap, t->by_name.max,
		      sizeof(t->by_name.at[0])) ||
	    !vec_grow((void **)&t->by_id.at, t->by_id.n, &t->by_id.cap, t->by_id.max,
		      sizeof(t->by_id.at[0])))
		return ERR_NOMEM;
	return OK;
}

static enum err mailbox_new(struct store *s, uint64_t id, char *name, struct mailbox **ret)
{
	struct mailbox_table *t = &s->mailboxes;
	enum err err = table_reserve(t);
	struct mailbox *m = err ? NULL : (struct mailbox *)calloc(1, sizeof(*m));
	size_t at;

	if (!m)
		return err ? err : ERR_NOMEM;
	m->name = name;
	m->pub.id = id;
	m->pub.name = view_str(name);
	m->pub.uidnext = m->pub.recent_from = m->ceiling = 1;
	m->pub.highestmodseq = 1;
	at = id_position(t, id);
	memmove(t->by_id.at + at + 1, t->by_id.at + at, (t->by_id.n - at) * sizeof(t->by_id.at[0]));
	t->by_id.at[at] = m;
	t->by_id.n++;
	name_insert(t, m);
	*ret = m;
	return OK;
}

static bool is_subscribed(const struct store *s, struct view name);

enum err mailbox_put(struct store *s, const struct event *e, struct mailbox **ret)
{
	struct mailbox *m = mailbox_by_id(s, e->mailbox);
	char *name = NULL;
	enum err err;

	if (!m || !view_eq(m->pub.name, e->name)) {
		name = view_to_cstr(e->name);
		if (!name)
			return ERR_NOMEM;
	}
	if (!m) {
		err = mailbox_new(s, e->mailbox, name, &m);
		if (err) {
			free(name);
			return err;
		}
	} else if (name) {
		name_remove(&s->mailboxes, m);
		free(m->name);
		m->name = name;
		m->pub.name = view_str(name);
		name_insert(&s->mailboxes, m);
	}
	m->pub.special = e->special;
	m->pub.selectable = !(e->attributes & MAILBOX_NOSELECT);
	m->pub.uidvalidity = e->uidvalidity;
	m->pub.subscribed = is_subscribed(s, m->pub.name);
	m->dirty = true;
	*ret = m;
	return OK;
}

void mailboxes_sweep(struct store *s)
{
	struct mailbox_table *t = &s->mailboxes;

	for (size_t i = t->by_id.n; i > 0; i--) {
		struct mailbox *m = t->by_id.at[i - 1];

		if (!m->gone)
			continue;
		name_remove(t, m);
		id_remove(t, m);
		mailbox_free(m);
	}
}

static size_t subscription_position(const struct store *s, struct view name)
{
	size_t low = 0, high = s->subscriptions.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (view_cmp(view_str(s->subscriptions.at[middle]), name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_subscribed(const struct store *s, struct view name)
{
	size_t at = subscription_position(s, name);

	return at < s->subscriptions.n && view_eq(view_str(s->subscriptions.at[at]), name);
}

static enum err subscription_insert(struct store *s, struct view name)
{
	size_t at = subscription_position(s, name), behind = s->subscriptions.n - at;
	char *copy;

	if (is_subscribed(s, name))
		return OK;
	if (s->subscriptions.n >= s->subscriptions.max)
		return ERR_LIMIT;
	copy = view_to_cstr(name);
	if (!copy || !VEC_PUSH(&s->subscriptions, copy)) {
		free(copy);
		return ERR_NOMEM;
	}
	memmove(s->subscriptions.at + at + 1, s->subscriptions.at + at, behind * sizeof(copy));
	s->subscriptions.at[at] = copy;
	return OK;
}

static void subscription_remove(struct store *s, struct view name)
{
	size_t at = subscription_position(s, name);

	if (!is_subscribed(s, name))
		return;
	free(s->subscriptions.at[at]);
	s->subscriptions.n--;
	memmove(s->subscriptions.at + at, s->subscriptions.at + at + 1,
		(s->subscriptions.n - at) * sizeof(s->subscriptions.at[0]));
}

enum err subscription_apply(struct store *s, const struct event *e)
{
	enum sql id = e->attributes ? SQL_SUBSCRIPTION_PUT : SQL_SUBSCRIPTION_DELETE;
	sqlite3_stmt *stmt = index_sql(&s->index, id);
	struct mailbox *m;
	enum err err = OK;

	if (!stmt)
		return index_error(&s->index);
	if (e->attributes)
		err = subscription_insert(s, e->name);
	else
		subscription_remove(s, e->name);
	if (err)
		return err;
	m = mailbox_by_name(s, e->name);
	if (m)
		m->pub.subscribed = e->attributes != 0;
	bind_view(stmt, 1, e->name);
	return index_run(&s->index, stmt);
}

bool store_subscription_next(struct store *s, size_t *at, struct view *ret_name)
{
	if (*at >= s->subscriptions.n)
		return false;
	*ret_name = view_str(s->subscriptions.at[(*at)++]);
	return true;
}

/* ---- what callers see ------------------------------------------------------------------------ */

static void children_refresh(struct mailbox_table *t)
{
	if (!t->children_stale)
		return;
	for (size_t i = 0; i < t->by_name.n; i++) {
		struct mailbox *m = t->by_name.at[i];
		struct view next =
			i + 1 < t->by_name.n ? t->by_name.at[i + 1]->pub.name : VIEW_EMPTY;

		m->pub.has_children = next.n > m->pub.name.n && view_starts(next, m->pub.name) &&
				      next.p[m->pub.name.n] == '/';
	}
	t->children_stale = false;
}

static const struct store_mailbox *public_of(struct store *s, struct mailbox *m)
{
	children_refresh(&s->mailboxes);
	return m ? &m->pub : NULL;
}

const struct store_mailbox *store_mailbox_next(struct store *s, size_t *at)
{
	if (*at >= s->mailboxes.by_name.n)
		return NULL;
	return public_of(s, s->mailboxes.by_name.at[(*at)++]);
}

const struct store_mailbox *store_mailbox_by_id(struct store *s, uint64_t id)
{
	return public_of(s, mailbox_by_id(s, id));
}

const struct store_mailbox *store_mailbox_by_name(struct store *s, struct view name)
{
	char room[STORE_MAILBOX_NAME_MAX];
	/* Never grows: NULL means that there is no such mailbox, and not that memory is short. */
	struct buf clean = { .p = room, .cap = sizeof(room), .max = sizeof(room) };

	if (mailbox_name_clean(name, &clean))
		return NULL;
	return public_of(s, mailbox_by_name(s, buf_view(&clean)));
}

const struct store_mailbox *store_mailbox_by_use(struct store *s, uint32_t use)
{
	for (size_t i = 0; i < s->mailboxes.by_name.n; i++) {
		struct mailbox *m = s->mailboxes.by_name.at[i];

		if (m->pub.special & use)
			return public_of(s, m);
	}
	return NULL;
}

/* ---- reading the index ------------------------------------------------------------------------- */

static enum err row_read(struct store *s, sqlite3_stmt *q)
{
	struct event e = {
		.kind = EVENT_MAILBOX,
		.mailbox = column_u64(q, 0),
		.name = column_view(q, 1),
		.special = column_u32(q, 2),
		.attributes = column_u32(q, 3),
		.uidvalidity = column_u32(q, 4),
	};
	struct mailbox *m;
	enum err err = mailbox_put(s, &e, &m);

	if (err)
		return err == ERR_LIMIT ? ERR_CORRUPT : err;
	m->pub.uidnext = column_u32(q, 5);
	m->ceiling = column_u32(q, 6);
	m->pub.highestmodseq = column_u64(q, 7);
	m->pub.messages = column_u32(q, 8);
	m->pub.unseen = column_u32(q, 9);
	m->pub.deleted = column_u32(q, 10);
	m->pub.recent_from = column_u32(q, 11);
	m->pub.size = column_u64(q, 12);
	m->vanished_from = column_u64(q, 13);
	m->dirty = false;
	m->seen = true;
	if (m->snapshot)
		m->snapshot->adding = 0;
	s->bytes += m->pub.size;
	s->messages += m->pub.messages;
	return OK;
}

static enum err mailboxes_reload(struct store *s)
{
	sqlite3_stmt *q = index_sql(&s->index, SQL_MAILBOX_EACH);
	enum err err;

	if (!q)
		return index_error(&s->index);
	for (size_t i = 0; i < s->mailboxes.by_id.n; i++)
		s->mailboxes.by_id.at[i]->gone = s->mailboxes.by_id.at[i]->seen = false;
	s->bytes = s->messages = 0;
	while (!(err = index_step(&s->index, q))) {
		err = row_read(s, q);
		if (err)
			break;
	}
	sqlite3_reset(q);
	if (err != ERR_EOF)
		return err;
	for (size_t i = 0; i < s->mailboxes.by_id.n; i++)
		s->mailboxes.by_id.at[i]->gone = !s->mailboxes.by_id.at[i]->seen;
	mailboxes_sweep(s);
	return OK;
}

static enum err subscriptions_reload(struct store *s)
{
	sqlite3_stmt *q = index_sql(&s->index, SQL_SUBSCRIPTION_EACH);
	enum err err;

	if (!q)
		return index_error(&s->index);
	for (size_t i = 0; i < s->subscriptions.n; i++)
		free(s->subscriptions.at[i]);
	s->subscriptions.n = 0;
	while (!(err = index_step(&s->index, q))) {
		err = subscription_insert(s, column_view(q, 0));
		if (err)
			break;
	}
	sqlite3_reset(q);
	return err == ERR_EOF ? OK : err;
}

static enum err keywords_reload(struct store *s)
{
	sqlite3_stmt *q = index_sql(&s->index, SQL_KEYWORD_EACH);
	enum err err;

	if (!q)
		return index_error(&s->index);
	for (size_t i = 0; i < STORE_KEYWORD_MAX; i++) {
		free(s->keywords[i]);
		s->keywords[i] = NULL;
	}
	while (!(err = index_step(&s->index, q))) {
		uint32_t number = column_u32(q, 0);

		if (number < STORE_KEYWORD_MAX && !s->keywords[number])
			s->keywords[number] = view_to_cstr(column_view(q, 1));
	}
	return err == ERR_EOF ? OK : err;
}

static enum err state_reload(struct store *s)
{
	sqlite3_stmt *q = index_sql(&s->index, SQL_STATE_GET);
	enum err err = q ? index_step(&s->index, q) : index_error(&s->index);

	if (err)
		return err == ERR_EOF ? ERR_CORRUPT : err;
	s->applied = (struct log_place){ column_u64(q, 1), { column_u32(q, 2), column_u64(q, 3) } };
	s->checkpoint =
		(struct log_place){ column_u64(q, 4), { column_u32(q, 5), column_u64(q, 6) } };
	s->counters = (struct counters){ column_u64(q, 8), column_u64(q, 9), column_u64(q, 10),
					 column_u32(q, 11) };
	sqlite3_reset(q);
	return OK;
}

static enum err dead_reload(struct store *s)
{
	sqlite3_stmt *q = index_sql(&s->index, SQL_PACK_EACH);
	enum err err;

	if (!q)
		return index_error(&s->index);
	s->dead_bytes = 0;
	s->pack_listed = 0;
	while (!(err = index_step(&s->index, q)))
		s->dead_bytes += column_u64(q, 2);
	return err == ERR_EOF ? OK : err;
}

enum err memory_reload(struct store *s)
{
	enum err err = state_reload(s);

	if (!err)
		err = subscriptions_reload(s);
	if (!err)
		err = mailboxes_reload(s);
	if (!err)
		err = keywords_reload(s);
	if (!err)
		err = dead_reload(s);
	return err;
}
