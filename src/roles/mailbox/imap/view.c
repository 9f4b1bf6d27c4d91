/*
 * roles/mailbox/imap/view.c: the selected mailbox: sequence numbers, \Recent, and the feed of changes.
 *
 * The view changes only where the client is told (sync.c); the snapshot of the store changes at once.
 * Every message of the store with a UID up to `known` is in the view, which therefore may hold more (the
 * expunged ones) but never less.
 */
#include "base/vec.h"
#include "roles/mailbox/imap/imap.h"

static void mbox_changed(void *ctx, const struct store_change *change)
{
	struct imap_session *s = ctx;
	struct imap_view *v = &s->view;

	switch (change->kind) {
	case STORE_CHANGE_NEW: v->pending_new = true; break;
	case STORE_CHANGE_EXPUNGED: v->pending_expunge = true; break;
	case STORE_CHANGE_FLAGS:
		if (change->origin == s)
			return; /* the command that did it says so */
		if (imap_set_add(&v->pending_flags, change->uid, change->uid_last)) {
			imap_set_clear(&v->pending_flags);
			if (imap_set_add(&v->pending_flags, 1, UINT32_MAX))
				return;
		}
		break;
	case STORE_CHANGE_MAILBOX_GONE: v->gone = true; break;
	default: return;
	}
	if (s->phase == PHASE_IDLE)
		s->hooks.wake(s->hooks.ctx);
}

static enum err mbox_fill(struct imap_view *v)
{
	const struct store_snapshot *snap = v->snapshot;

	if (snap->n > SESSION_VIEW_MAX)
		return ERR_LIMIT;
	v->cap = size_max(snap->n, 16);
	v->uids = malloc(v->cap * sizeof(*v->uids));
	if (!v->uids)
		return ERR_NOMEM;
	for (size_t i = 0; i < snap->n; i++)
		v->uids[i] = snap->at[i].uid;
	v->n = snap->n;
	v->known = v->n ? v->uids[v->n - 1] : 0;
	return OK;
}

/*
 * Messages from the store's mark on are \Recent, for the first session that learns of them.  On a full disk
 * the mark stays where it is, and the next session sees them as \Recent, too: reading goes on.
 */
static enum err recent_take(struct imap_session *s, uint32_t above)
{
	struct imap_view *v = &s->view;
	const struct store_mailbox *m = store_mailbox_by_id(s->store, v->mailbox);
	uint32_t from = m ? m->recent_from : UINT32_MAX;

	if (!v->read_only) {
		enum err err = store_recent_take(s->store, v->mailbox, &from);

		if (err && err != ERR_FULL)
			return err;
	}
	if (from <= above)
		from = above + 1;
	if (from <= v->known)
		return imap_set_add(&v->recent, from, v->known) == ERR_NOMEM ? ERR_NOMEM : OK;
	return OK;
}

enum err mbox_open(struct imap_session *s, uint64_t mailbox, bool read_only)
{
	struct imap_view *v = &s->view;
	enum err err = store_mailbox_load(s->store, mailbox, &v->snapshot);

	if (err) {
		v->snapshot = NULL;
		return err;
	}
	v->mailbox = mailbox;
	v->read_only = read_only;
	err = store_listen(s->store, mailbox, mbox_changed, s, &v->listener);
	if (!err)
		err = mbox_fill(v);
	if (!err)
		err = recent_take(s, 0);
	if (err)
		mbox_close(s);
	return err;
}

void mbox_close(struct imap_session *s)
{
	struct imap_view *v = &s->view;

	if (v->listener)
		store_unlisten(s->store, &v->listener);
	if (v->snapshot)
		store_mailbox_release(s->store, v->snapshot);
	free(v->uids);
	imap_set_done(&v->recent);
	imap_set_done(&v->pending_flags);

	struct imap_set recent = v->recent;
	struct imap_set pending = v->pending_flags;

	*v = (struct imap_view){ .recent = recent, .pending_flags = pending };
	imap_set_clear(&s->saved);
}

size_t mbox_from(const struct imap_view *v, uint32_t uid)
{
	size_t low = 0;
	size_t high = v->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (v->uids[mid] < uid)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

size_t mbox_seq(const struct imap_view *v, uint32_t uid)
{
	size_t at = mbox_from(v, uid);

	return at < v->n && v->uids[at] == uid ? at + 1 : 0;
}

/* UIDs to sequence numbers. */
static enum err seqs_of_uids(struct imap_session *s, struct imap_ranges uids,
			     struct imap_ranges *ret)
{
	const struct imap_view *v = &s->view;
	struct imap_range *at = ARENA_ARRAY(&s->arena, struct imap_range, size_max(uids.n, 1));
	size_t n = 0;

	if (!at)
		return ERR_NOMEM;
	for (size_t i = 0; i < uids.n; i++) {
		size_t first = mbox_from(v, uids.at[i].first);
		size_t end =
			uids.at[i].last == UINT32_MAX ? v->n : mbox_from(v, uids.at[i].last + 1);

		if (first >= end)
			continue;
		if (n && at[n - 1].last == first)
			at[n - 1].last = (uint32_t)end;
		else
			at[n++] = (struct imap_range){ (uint32_t)first + 1, (uint32_t)end };
	}
	*ret = (struct imap_ranges){ at, n };
	return OK;
}

enum err mbox_resolve(struct imap_session *s, const struct imap_seq *seq, bool uid,
		      struct imap_ranges *ret)
{
	const struct imap_view *v = &s->view;
	uint32_t star = uid ? (v->n ? v->uids[v->n - 1] : 0) : (uint32_t)v->n;
	struct imap_ranges ranges;
	enum err err;

	if (seq->saved)
		err = seqs_of_uids(s, imap_set_ranges(&s->saved), ret);
	else
		err = imap_seq_resolve(&s->arena, seq, star, &ranges);
	if (!err && !seq->saved && uid)
		err = seqs_of_uids(s, ranges, ret);
	if (err) {
		session_fail(s, err);
		return err;
	}
	if (seq->saved || uid)
		return OK;
	if (ranges.n && ranges.at[ranges.n - 1].last > v->n) {
		session_reply(s, "BAD No message with that number");
		return ERR_RANGE;
	}
	*ret = ranges;
	return OK;
}

enum err mbox_uids(struct imap_session *s, struct imap_ranges seqs, struct store_uids *ret)
{
	struct store_range *at = ARENA_ARRAY(&s->arena, struct store_range, size_max(seqs.n, 1));

	if (!at)
		return ERR_NOMEM;
	/* Between two messages of the view that are neighbours there is none in the store. */
	for (size_t i = 0; i < seqs.n; i++)
		at[i] = (struct store_range){ s->view.uids[seqs.at[i].first - 1],
					      s->view.uids[seqs.at[i].last - 1] };
	*ret = (struct store_uids){ at, seqs.n };
	return OK;
}

size_t mbox_recent_count(const struct imap_view *v)
{
	size_t count = 0;

	for (size_t i = 0; i < v->recent.n; i++) {
		const struct imap_range *r = &v->recent.at[i];
		size_t end = r->last == UINT32_MAX ? v->n : mbox_from(v, r->last + 1);

		count += end - mbox_from(v, r->first);
	}
	return count;
}

bool mbox_pending(const struct imap_view *v, bool expunge)
{
	return v->snapshot &&
	       (v->pending_new || (expunge && v->pending_expunge) || v->pending_flags.n || v->gone);
}

enum err mbox_append_new(struct imap_session *s, bool *ret_recent)
{
	struct imap_view *v = &s->view;
	size_t recent = v->recent.n;
	uint32_t known = v->known;
	uint32_t last = recent ? v->recent.at[recent - 1].last : 0;

	v->pending_new = false;
	for (size_t i = store_snapshot_from(v->snapshot, known + 1); i < v->snapshot->n; i++) {
		if (!vec_grow((void **)&v->uids, v->n, &v->cap, SESSION_VIEW_MAX, sizeof(*v->uids)))
			return ERR_NOMEM;
		v->uids[v->n++] = v->snapshot->at[i].uid;
		v->known = v->snapshot->at[i].uid;
	}
	if (v->known == known)
		return OK;

	enum err err = recent_take(s, known);

	*ret_recent =
		v->recent.n > recent || (v->recent.n && v->recent.at[v->recent.n - 1].last > last);
	return err;
}
