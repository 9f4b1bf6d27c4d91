/*
 * store/keywords.c: keywords of an account, and its small values.
 *
 * A keyword is a bit of 64; names take a free bit when they are first used.  When all are taken those
 * that no message carries are freed.
 */
#include "store/internal.h"

#include "base/ascii.h"

enum err keyword_apply(struct store *s, const struct event *e)
{
	sqlite3_stmt *q = index_sql(&s->index, e->name.n ? SQL_KEYWORD_PUT : SQL_KEYWORD_DELETE);
	char *name = NULL;

	if (e->number >= STORE_KEYWORD_MAX)
		return ERR_CORRUPT;
	if (!q)
		return index_error(&s->index);
	if (e->name.n) {
		name = view_to_cstr(e->name);
		if (!name)
			return ERR_NOMEM;
		bind_view(q, 2, e->name);
	}
	free(s->keywords[e->number]);
	s->keywords[e->number] = name;
	bind_u64(q, 1, e->number);
	return index_run(&s->index, q);
}

struct view store_keyword_name(const struct store *s, unsigned number)
{
	return number < STORE_KEYWORD_MAX ? view_str(s->keywords[number]) : VIEW_EMPTY;
}

uint64_t store_keywords_known(const struct store *s)
{
	uint64_t known = 0;

	for (unsigned i = 0; i < STORE_KEYWORD_MAX; i++) {
		if (s->keywords[i])
			known |= (uint64_t)1 << i;
	}
	return known;
}

/* flag-keyword = atom; atom-specials are refused   RFC 9051#9 */
static bool is_keyword(struct view name)
{
	for (size_t i = 0; i < name.n; i++) {
		uint8_t c = view_at(name, i);

		if (!ascii_is_graph(c) || view_has(VIEW("(){%*\"\\]"), (char)c))
			return false;
	}
	return name.n > 0;
}

/* Bits that some message of the account carries. */
static enum err keywords_used(struct store *s, uint64_t *ret)
{
	sqlite3_stmt *q;
	uint64_t used = 0;
	enum err err = store_wake(s);

	if (err)
		return err;
	q = index_sql(&s->index, SQL_KEYWORDS_USED);
	if (!q)
		return index_error(&s->index);
	while (!(err = index_step(&s->index, q)))
		used |= column_u64(q, 0);
	*ret = used;
	return err == ERR_EOF ? OK : err;
}

static bool free_number(uint64_t taken, unsigned *ret)
{
	if (taken == UINT64_MAX)
		return false;
	*ret = (unsigned)__builtin_ctzll(~taken);
	return true;
}

enum err store_keyword(struct store *s, struct view name, bool create, unsigned *ret)
{
	struct event e = { .kind = EVENT_KEYWORD, .name = name };
	unsigned number = 0;
	uint64_t used = 0;
	struct txn t;
	enum err err;

	for (unsigned i = 0; i < STORE_KEYWORD_MAX; i++) {
		if (s->keywords[i] && view_eq_nocase(view_str(s->keywords[i]), name)) {
			*ret = i;
			return OK;
		}
	}
	if (!create)
		return ERR_NOTFOUND;
	if (name.n > STORE_KEYWORD_LEN_MAX)
		return ERR_LIMIT;
	if (!is_keyword(name))
		return ERR_SYNTAX;
	if (!free_number(store_keywords_known(s), &number)) {
		err = keywords_used(s, &used);
		if (err)
			return err;
		if (!free_number(used, &number))
			return ERR_LIMIT;
	}
	e.number = number;
	err = txn_begin(s, false, &t);
	if (err)
		return err;
	err = txn_end(&t, txn_event(&t, &e));
	if (!err)
		*ret = number;
	return err;
}

/* ---- values ---------------------------------------------------------------------------------- */

enum err value_apply(struct store *s, const struct event *e)
{
	sqlite3_stmt *q = index_sql(&s->index, e->value.n ? SQL_VALUE_PUT : SQL_VALUE_DELETE);

	if (!q)
		return index_error(&s->index);
	bind_view(q, 1, e->name);
	if (e->value.n)
		bind_view(q, 2, e->value);
	return index_run(&s->index, q);
}

static enum err value_count(struct store *s, uint64_t *ret)
{
	sqlite3_stmt *q = index_sql(&s->index, SQL_VALUE_COUNT);
	enum err err = q ? index_step(&s->index, q) : index_error(&s->index);

	if (err)
		return err;
	*ret = column_u64(q, 0);
	sqlite3_reset(q);
	return OK;
}

enum err store_value_set(struct store *s, struct view key, struct view value)
{
	struct event e = { .kind = EVENT_VALUE, .name = key, .value = value };
	uint64_t n = 0;
	struct txn t;
	enum err err;

	if (key.n == 0 || key.n > STORE_VALUE_KEY_MAX || value.n > STORE_VALUE_MAX)
		return ERR_LIMIT;
	err = txn_begin(s, false, &t);
	if (err)
		return err;
	err = txn_event(&t, &e);
	if (!err && value.n)
		err = value_count(s, &n);
	if (!err && n > STORE_VALUE_COUNT_MAX)
		err = ERR_LIMIT;
	return txn_end(&t, err);
}

enum err store_value_get(struct store *s, struct view key, struct view *ret)
{
	sqlite3_stmt *q;
	enum err err = store_wake(s);

	if (err)
		return err;
	q = index_sql(&s->index, SQL_VALUE_GET);
	if (!q)
		return index_error(&s->index);
	bind_view(q, 1, key);
	err = index_step(&s->index, q);
	if (err)
		return err == ERR_EOF ? ERR_NOTFOUND : err;
	*ret = column_view(q, 0);
	return OK;
}

enum err store_value_each(struct store *s, struct view prefix, store_value_fn fn, void *ctx)
{
	sqlite3_stmt *q;
	enum err err = store_wake(s);

	if (err)
		return err;
	q = index_sql(&s->index, SQL_VALUE_FROM);
	if (!q)
		return index_error(&s->index);
	bind_view(q, 1, prefix);
	while (!(err = index_step(&s->index, q))) {
		struct view key = column_view(q, 0);

		if (!view_starts(key, prefix))
			break;
		err = fn(ctx, key, column_view(q, 1));
		if (err)
			break;
	}
	sqlite3_reset(q);
	return err == ERR_EOF ? OK : err;
}
