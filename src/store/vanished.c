/*
 * store/vanished.c: which UIDs went, for QRESYNC.  RFC 7162#3.2.5
 *
 * Every expunge leaves a row.  A mailbox keeps the youngest VANISHED_MAX; whoever asks further back gets
 * every number that is not in use, which the RFC allows.
 */
#include "store/internal.h"

/* All gaps between UIDs up to uidnext. */
static enum err gaps_each(struct store *s, const struct mailbox *m, store_range_fn fn, void *ctx)
{
	const struct store_snapshot *n;
	uint32_t next = 1;
	enum err err = store_mailbox_load(s, m->pub.id, &n);

	if (err)
		return err;
	for (size_t i = 0; i < n->n; i++) {
		if (n->at[i].uid > next)
			fn(ctx, (struct store_range){ next, n->at[i].uid - 1 });
		next = n->at[i].uid + 1;
	}
	if (m->pub.uidnext > next)
		fn(ctx, (struct store_range){ next, m->pub.uidnext - 1 });
	store_mailbox_release(s, n);
	return OK;
}

static int range_compare(const void *a, const void *b)
{
	const struct store_range *x = (const struct store_range *)a;
	const struct store_range *y = (const struct store_range *)b;

	return (x->first > y->first) - (x->first < y->first);
}

enum err store_vanished(struct store *s, uint64_t mailbox, uint64_t since, store_range_fn fn,
			void *ctx)
{
	VEC(struct store_range) found = VEC_INIT((size_t)VANISHED_MAX * 4);
	struct mailbox *m = mailbox_by_id(s, mailbox);
	sqlite3_stmt *q;
	enum err err = m ? store_wake(s) : ERR_NOTFOUND;

	if (err)
		return err;
	if (since < m->vanished_from)
		return gaps_each(s, m, fn, ctx);
	q = index_sql(&s->index, SQL_VANISHED_EACH);
	if (!q)
		return index_error(&s->index);
	bind_u64(q, 1, mailbox);
	bind_u64(q, 2, since > INT64_MAX ? INT64_MAX : since);
	while (!(err = index_step(&s->index, q))) {
		struct store_range r = { column_u32(q, 0), column_u32(q, 1) };

		if (!VEC_PUSH(&found, r)) {
			sqlite3_reset(q);
			VEC_DONE(&found);
			return gaps_each(s, m, fn, ctx);
		}
	}
	if (err == ERR_EOF && found.n)
		qsort(found.at, found.n, sizeof(found.at[0]), range_compare);
	for (size_t i = 0; i < found.n && err == ERR_EOF; i++)
		fn(ctx, found.at[i]);
	VEC_DONE(&found);
	return err == ERR_EOF ? OK : err;
}
