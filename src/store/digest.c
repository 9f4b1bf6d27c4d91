/*
 * store/digest.c: reading what is kept about messages.
 */
#include "store/internal.h"

static const struct {
	unsigned column;
	size_t at;
} columns_at[] = {
	{ STORE_COL_ENVELOPE, offsetof(struct store_digest, envelope) },
	{ STORE_COL_STRUCTURE, offsetof(struct store_digest, structure) },
	{ STORE_COL_PREVIEW, offsetof(struct store_digest, preview) },
	{ STORE_COL_SEARCH, offsetof(struct store_digest, search) },
	{ STORE_COL_HEADER, offsetof(struct store_digest, header) },
};

/* The row stays current until the statement is used again. */
static enum err digest_step(struct store *s, uint64_t blob, unsigned columns,
			    struct store_digest *ret)
{
	sqlite3_stmt *q = index_sql(&s->index, SQL_BLOB_DIGEST);
	struct store_digest d = { 0 };
	enum err err;

	if (!q)
		return index_error(&s->index);
	bind_u64(q, 1, blob);
	bind_u64(q, 2, columns);
	err = index_step(&s->index, q);
	if (err)
		return err == ERR_EOF ? ERR_NOTFOUND : err;
	d.sent = sqlite3_column_int64(q, 0);
	d.thread = column_u64(q, 1);
	for (size_t i = 0; i < ARRAY_LEN(columns_at); i++) {
		if (columns & columns_at[i].column)
			*(struct view *)((char *)&d + columns_at[i].at) =
				column_view(q, (int)i + 2);
	}
	*ret = d;
	return OK;
}

enum err store_digest_get(struct store *s, uint64_t blob, unsigned columns,
			  struct store_digest *ret)
{
	enum err err = store_wake(s);

	return err ? err : digest_step(s, blob, columns, ret);
}

enum err store_digest_each(struct store *s, uint64_t mailbox, struct store_range range,
			   unsigned columns, store_digest_each_fn fn, void *ctx)
{
	const struct store_snapshot *n;
	enum err err = store_mailbox_load(s, mailbox, &n);

	if (err)
		return err;
	err = store_wake(s);
	for (size_t i = store_snapshot_from(n, range.first);
	     i < n->n && n->at[i].uid <= range.last && !err; i++) {
		struct store_digest d = { 0 };

		err = digest_step(s, n->at[i].blob, columns, &d);
		if (!err || err == ERR_NOTFOUND) /* octets lost: shown as empty */
			err = fn(ctx, &n->at[i], &d);
	}
	if (s->index.stmts[SQL_BLOB_DIGEST])
		sqlite3_reset(s->index.stmts[SQL_BLOB_DIGEST]);
	store_mailbox_release(s, n);
	return err;
}
