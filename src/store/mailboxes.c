/*
 * store/mailboxes.c: creating, deleting, renaming and subscribing mailboxes.  RFC 9051#6.3.4 to 6.3.8
 *
 * Each operation is one transaction, synced before it returns: a client that saw a mailbox (or saw it go)
 * never sees it otherwise after a power cut.
 */
#include "store/internal.h"

#include "base/ascii.h"
#include "sys/clock.h"

#define INBOX VIEW("INBOX")

/* ---- names ----------------------------------------------------------------------------------- */

/* Length of the UTF-8 sequence at v, 0 if malformed (RFC 3629#4).  Controls C1 are refused too. */
static size_t utf8_len(struct view v)
{
	uint8_t c = view_at(v, 0);
	size_t n = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
	uint8_t second;

	if (n < 2)
		return n;
	if (v.n < n)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((view_at(v, i) & 0xc0) != 0x80)
			return 0;
	}
	second = view_at(v, 1);
	if ((c == 0xe0 && second < 0xa0) || (c == 0xed && second >= 0xa0) ||
	    (c == 0xf0 && second < 0x90) || (c == 0xf4 && second >= 0x90) ||
	    (c == 0xc2 && second < 0xa0))
		return 0;
	return n;
}

static enum err level_check(struct view level)
{
	if (level.n == 0 || view_eq(level, VIEW(".")) || view_eq(level, VIEW("..")))
		return ERR_SYNTAX;
	while (level.n > 0) {
		uint8_t c = view_at(level, 0);
		size_t n = utf8_len(level);

		if (n == 0 || ascii_is_ctl(c) || c == '*' || c == '%')
			return ERR_SYNTAX;
		level = view_from(level, n);
	}
	return OK;
}

enum err mailbox_name_clean(struct view name, struct buf *ret)
{
	struct view rest = name, level;
	size_t depth = 0;
	enum err err = OK;

	if (name.n > STORE_MAILBOX_NAME_MAX)
		return ERR_RANGE;
	do {
		rest = view_cut(rest, '/', &level);
		err = level_check(level);
		if (!err && ++depth > STORE_MAILBOX_DEPTH_MAX)
			err = ERR_RANGE;
		if (err)
			return err;
		if (depth == 1 && view_eq_nocase(level, INBOX))
			level = INBOX;
		if (depth > 1)
			buf_add_char(ret, '/');
		buf_add(ret, level);
	} while (rest.p);
	return buf_err(ret);
}

static bool is_below(struct view name, struct view parent)
{
	return name.n > parent.n && view_starts(name, parent) && name.p[parent.n] == '/';
}

static size_t level_count(struct view name)
{
	size_t n = 1;

	for (size_t i = 0; i < name.n; i++)
		n += name.p[i] == '/';
	return n;
}

/* ---- creating -------------------------------------------------------------------------------- */

static uint64_t limit_of(uint64_t option, uint64_t bound)
{
	return option && option < bound ? option : bound;
}

/* May a mailbox get this name? */
static enum err limits_check(const struct store *s, struct view name)
{
	const struct store_config *c = &s->config;

	if (name.n > limit_of(c->mailbox_name_max, STORE_MAILBOX_NAME_MAX) ||
	    level_count(name) > limit_of(c->mailbox_depth_max, STORE_MAILBOX_DEPTH_MAX))
		return ERR_RANGE;
	return OK;
}

static enum err create_one(struct txn *t, struct view name, uint32_t special, uint64_t *ret_id)
{
	struct event e = { .kind = EVENT_MAILBOX, .name = name, .special = special };
	struct event counters = { .kind = EVENT_COUNTERS, .uid = 1 };
	enum err err;

	if (t->s->mailboxes.by_id.n >=
	    limit_of(t->s->config.mailbox_count_max, STORE_MAILBOX_COUNT_MAX))
		return ERR_LIMIT;
	err = limits_check(t->s, name);
	if (!err)
		err = numbers_mailbox(t, &e.mailbox, &e.uidvalidity);
	if (!err)
		err = txn_event(t, &e);
	if (!err)
		err = numbers_modseq(t, &counters.modseq);
	counters.mailbox = e.mailbox;
	counters.uid_last = 1 + STORE_NUMBER_BLOCK; /* this transaction is synced: reserve now */
	if (!err)
		err = txn_event(t, &counters);
	if (!err)
		*ret_id = e.mailbox;
	return err;
}

/* A name that is only there for its children: the old id goes, its place is taken by a new mailbox. */
static enum err drop_unselectable(struct txn *t, struct view name)
{
	struct mailbox *m = mailbox_by_name(t->s, name);
	struct event e = { .kind = EVENT_MAILBOX_GONE };

	if (!m)
		return OK;
	if (m->pub.selectable)
		return ERR_EXISTS;
	e.mailbox = m->pub.id;
	return txn_event(t, &e);
}

static enum err create_parents(struct txn *t, struct view name)
{
	uint64_t id;
	enum err err = OK;

	for (size_t i = 0; i < name.n && !err; i++) {
		if (name.p[i] == '/' && !mailbox_by_name(t->s, view_head(name, i)))
			err = create_one(t, view_head(name, i), 0, &id);
	}
	return err;
}

static enum err create_run(struct txn *t, struct view name, uint32_t special, uint64_t *ret_id)
{
	enum err err = drop_unselectable(t, name);

	if (!err)
		err = create_parents(t, name);
	if (!err)
		err = create_one(t, name, special, ret_id);
	return err;
}

enum err store_mailbox_create(struct store *s, struct view name, uint32_t special, uint64_t *ret_id)
{
	struct buf CLEANUP(buf_done) clean = BUF_INIT(STORE_MAILBOX_NAME_MAX);
	uint64_t id = 0;
	struct mailbox *m;
	struct txn t;
	enum err err = mailbox_name_clean(name, &clean);

	if (err)
		return err;
	m = mailbox_by_name(s, buf_view(&clean));
	if (m && m->pub.selectable)
		return ERR_EXISTS;
	err = txn_begin(s, true, &t);
	if (err)
		return err;
	err = txn_end(&t, create_run(&t, buf_view(&clean), special, &id));
	if (!err)
		*ret_id = id;
	return err;
}

/* One transaction: an account has all of them or is not made yet. */
static enum err make_folders(struct txn *t)
{
	static const struct {
		struct view name;
		uint32_t special;
	} folders[] = {
		{ VIEW_INIT("INBOX"), 0 },
		{ VIEW_INIT("Drafts"), STORE_USE_DRAFTS },
		{ VIEW_INIT("Sent"), STORE_USE_SENT },
		{ VIEW_INIT("Junk"), STORE_USE_JUNK },
		{ VIEW_INIT("Trash"), STORE_USE_TRASH },
		{ VIEW_INIT("Archive"), STORE_USE_ARCHIVE },
	};
	enum err err = OK;

	for (size_t i = 0; i < ARRAY_LEN(folders) && !err; i++) {
		struct event sub = { .kind = EVENT_SUBSCRIBE,
				     .name = folders[i].name,
				     .attributes = 1 };
		uint64_t id;

		if (mailbox_by_name(t->s, folders[i].name))
			continue;
		err = create_run(t, folders[i].name, folders[i].special, &id);
		if (!err)
			err = txn_event(t, &sub);
	}
	return err;
}

enum err store_make_folders(struct store *s)
{
	struct txn t;
	enum err err = txn_begin(s, true, &t);

	return err ? err : txn_end(&t, make_folders(&t));
}

/* ---- deleting -------------------------------------------------------------------------------- */

static bool has_children(struct store *s, struct view name)
{
	for (size_t i = 0; i < s->mailboxes.by_name.n; i++) {
		const struct mailbox *m = s->mailboxes.by_name.at[i];

		if (!m->gone && is_below(m->pub.name, name))
			return true;
	}
	return false;
}

static enum err delete_run(struct txn *t, struct mailbox *m, struct view name, bool keep_name)
{
	struct event gone = { .kind = EVENT_MAILBOX_GONE, .mailbox = m->pub.id };
	struct event e = { .kind = EVENT_MAILBOX, .name = name, .attributes = MAILBOX_NOSELECT };
	enum err err = txn_event(t, &gone);

	if (err || !keep_name)
		return err;
	err = numbers_mailbox(t, &e.mailbox, &e.uidvalidity);
	return err ? err : txn_event(t, &e);
}

enum err store_mailbox_delete(struct store *s, struct view name)
{
	struct buf CLEANUP(buf_done) clean = BUF_INIT(STORE_MAILBOX_NAME_MAX);
	struct mailbox *m;
	struct txn t;
	bool children;
	enum err err = mailbox_name_clean(name, &clean);

	m = err ? NULL : mailbox_by_name(s, buf_view(&clean));
	if (!m)
		return ERR_NOTFOUND;
	if (view_eq(buf_view(&clean), INBOX))
		return ERR_DENIED;
	children = has_children(s, buf_view(&clean));
	if (children && !m->pub.selectable)
		return ERR_WRONG_STATE;
	err = txn_begin(s, true, &t);
	if (err)
		return err;
	return txn_end(&t, delete_run(&t, m, buf_view(&clean), children));
}

/* ---- renaming -------------------------------------------------------------------------------- */

static struct event describe(const struct mailbox *m, struct view name)
{
	return (struct event){
		.kind = EVENT_MAILBOX,
		.mailbox = m->pub.id,
		.name = name,
		.special = m->pub.special,
		.attributes = m->pub.selectable ? 0 : MAILBOX_NOSELECT,
		.uidvalidity = m->pub.uidvalidity,
	};
}

/* Give m the name to + (its name behind from). */
static enum err rename_one(struct txn *t, struct mailbox *m, size_t from_n, struct view to)
{
	struct buf CLEANUP(buf_done) name = BUF_INIT(STORE_MAILBOX_NAME_MAX);
	struct event e;

	buf_add(&name, to);
	buf_add(&name, view_from(m->pub.name, from_n));
	if (buf_err(&name))
		return buf_err(&name) == ERR_LIMIT ? ERR_RANGE : buf_err(&name);

	enum err err = limits_check(t->s, buf_view(&name));

	if (err)
		return err;
	if (mailbox_by_name(t->s, buf_view(&name)))
		return ERR_EXISTS;
	e = describe(m, buf_view(&name));
	return txn_event(t, &e);
}

static enum err rename_tree(struct txn *t, struct view from, struct view to)
{
	struct mailbox_table *table = &t->s->mailboxes;
	enum err err = create_parents(t, to);

	/* By id: renaming moves entries of the list by name. */
	for (size_t i = 0; i < table->by_id.n && !err; i++) {
		struct mailbox *m = table->by_id.at[i];

		if (!m->gone && (view_eq(m->pub.name, from) || is_below(m->pub.name, from)))
			err = rename_one(t, m, from.n, to);
	}
	return err;
}

/* RFC 9051#6.3.6: the messages move to a new mailbox; INBOX and its inferiors stay. */
static enum err rename_inbox(struct store *s, struct view to)
{
	struct mailbox *inbox = mailbox_by_name(s, INBOX);
	struct store_range all = { 1, UINT32_MAX };
	uint64_t id;
	enum err err = inbox ? store_mailbox_create(s, to, 0, &id) : ERR_NOTFOUND;

	if (err)
		return err;
	err = store_move(s, inbox->pub.id, (struct store_uids){ &all, 1 }, id, NULL, NULL);
	return err ? err : store_sync(s, NULL);
}

enum err store_mailbox_rename(struct store *s, struct view from, struct view to)
{
	struct buf CLEANUP(buf_done) old = BUF_INIT(STORE_MAILBOX_NAME_MAX);
	struct buf CLEANUP(buf_done) new = BUF_INIT(STORE_MAILBOX_NAME_MAX);
	struct mailbox *m;
	struct txn t;
	enum err err = mailbox_name_clean(from, &old);

	m = err ? NULL : mailbox_by_name(s, buf_view(&old));
	if (!m)
		return ERR_NOTFOUND;
	err = mailbox_name_clean(to, &new);
	if (err)
		return err;
	if (mailbox_by_name(s, buf_view(&new)))
		return ERR_EXISTS;
	if (view_eq(buf_view(&old), INBOX))
		return rename_inbox(s, buf_view(&new));
	if (is_below(buf_view(&new), buf_view(&old)))
		return ERR_DENIED;
	err = txn_begin(s, true, &t);
	if (err)
		return err;
	return txn_end(&t, rename_tree(&t, buf_view(&old), buf_view(&new)));
}

/* ---- attributes ------------------------------------------------------------------------------ */

enum err store_mailbox_use_set(struct store *s, uint64_t mailbox, uint32_t special)
{
	struct mailbox *m = mailbox_by_id(s, mailbox);
	struct event e;
	struct txn t;
	enum err err;

	if (!m)
		return ERR_NOTFOUND;
	err = txn_begin(s, true, &t);
	if (err)
		return err;
	e = describe(m, m->pub.name);
	e.special = special;
	return txn_end(&t, txn_event(&t, &e));
}

enum err store_subscribe(struct store *s, struct view name, bool on)
{
	struct buf CLEANUP(buf_done) clean = BUF_INIT(STORE_MAILBOX_NAME_MAX);
	struct event e = { .kind = EVENT_SUBSCRIBE, .attributes = on };
	struct txn t;
	enum err err = mailbox_name_clean(name, &clean);

	if (err)
		return err;
	e.name = buf_view(&clean);
	err = txn_begin(s, false, &t);
	if (err)
		return err;
	return txn_end(&t, txn_event(&t, &e));
}

enum err store_recent_take(struct store *s, uint64_t mailbox, uint32_t *ret_from)
{
	struct mailbox *m = mailbox_by_id(s, mailbox);
	struct event e = { .kind = EVENT_COUNTERS, .mailbox = mailbox };
	uint32_t from;
	struct txn t;
	enum err err;

	if (!m)
		return ERR_NOTFOUND;
	from = m->pub.recent_from;
	if (from < m->pub.uidnext) {
		e.number = m->pub.uidnext;
		err = txn_begin(s, false, &t);
		if (err)
			return err;
		err = txn_end(&t, txn_event(&t, &e));
		if (err)
			return err;
	}
	*ret_from = from;
	return OK;
}
