/*
 * roles/mailbox/imap/sync.c: tell the client what other sessions and deliveries did.
 *
 * Runs between the output of a command and its tagged reply, and during IDLE.  Order: EXPUNGE (unless
 * the command forbids it, RFC 9051#7.5.1), EXISTS and RECENT, new keywords, FETCH with flags.  Goes on
 * in slices; the rows [0, write) and [read, n) of the view are valid in between.
 */
#include "roles/mailbox/imap/imap.h"

enum { VANISHED_LINE = 2000 }; /* ranges in one response */

enum { SYNC_NONE, SYNC_EXPUNGE, SYNC_NEW, SYNC_FLAGS };

void sync_begin(struct imap_session *s, bool expunge)
{
	s->sync.phase = SYNC_NONE;
	if (!session_selected(s) || s->view.gone || !mbox_pending(&s->view, expunge))
		return;
	s->sync.phase = SYNC_EXPUNGE;
	s->sync.expunge = expunge && s->view.pending_expunge;
	s->sync.read = 0;
	s->sync.write = 0;
	s->sync.flag_uid = 1;
	imap_set_clear(&s->sync.flags);
	imap_set_clear(&s->sync.vanished);
	if (s->sync.expunge)
		s->view.pending_expunge = false;
}

void sync_done(struct imap_session *s)
{
	imap_set_clear(&s->sync.flags);
	imap_set_clear(&s->sync.vanished);
	s->sync.phase = SYNC_NONE;
}

static void tell_expunged(struct imap_session *s, uint32_t uid)
{
	if (session_has(s, FEATURE_QRESYNC)) {
		/* A failure is only of memory; the row goes all the same. */
		if (imap_set_add(&s->sync.vanished, uid, uid))
			s->out.err = ERR_NOMEM;
		return;
	}
	buf_add(&s->out, VIEW("* "));
	buf_add_u64(&s->out, s->sync.write + 1);
	buf_add(&s->out, VIEW(" EXPUNGE\r\n"));
}

/* Compare the view with the snapshot, both ascending. */
static void expunge_slice(struct imap_session *s)
{
	struct imap_view *v = &s->view;
	struct imap_sync *y = &s->sync;
	size_t end = size_min(v->n, y->read + SESSION_SYNC_SLICE);
	size_t at = y->read < v->n ? store_snapshot_from(v->snapshot, v->uids[y->read]) : 0;

	for (; y->read < end && session_room(s); y->read++) {
		uint32_t uid = v->uids[y->read];

		while (at < v->snapshot->n && v->snapshot->at[at].uid < uid)
			at++;
		if (at < v->snapshot->n && v->snapshot->at[at].uid == uid)
			v->uids[y->write++] = uid;
		else
			tell_expunged(s, uid);
	}
	if (y->vanished.n) {
		buf_add(&s->out, VIEW("* VANISHED "));
		imap_ranges_add_text(&s->out, imap_set_ranges(&y->vanished));
		buf_add(&s->out, VIEW("\r\n"));
		imap_set_clear(&y->vanished);
	}
	if (y->read < v->n)
		return;
	v->n = y->write;
	y->phase = SYNC_NEW;
}

static void tell_new(struct imap_session *s)
{
	struct imap_view *v = &s->view;
	size_t n = v->n;
	bool recent = false;

	if (mbox_append_new(s, &recent)) {
		s->out.err = ERR_NOMEM; /* numbers would be wrong from here on */
		return;
	}
	if (v->n != n) {
		buf_add(&s->out, VIEW("* "));
		buf_add_u64(&s->out, v->n);
		buf_add(&s->out, VIEW(" EXISTS\r\n"));
	}
	if (recent && !session_has(s, FEATURE_REV2)) {
		buf_add(&s->out, VIEW("* "));
		buf_add_u64(&s->out, mbox_recent_count(v));
		buf_add(&s->out, VIEW(" RECENT\r\n"));
	}
}

/* Take the pending flags over; what changes from now on is for the next time. */
static void flags_begin(struct imap_session *s)
{
	struct imap_set empty = s->sync.flags;

	s->sync.flags = s->view.pending_flags;
	s->view.pending_flags = empty;
	s->sync.flag_uid = 1;
	s->sync.phase = SYNC_FLAGS;
	if (s->sync.flags.n && store_keywords_known(s->store) & ~s->view.keywords_told)
		session_add_flag_list(s, true);
}

static void flags_slice(struct imap_session *s)
{
	struct imap_view *v = &s->view;
	uint32_t uid = s->sync.flag_uid;

	for (size_t i = 0; i < SESSION_SYNC_SLICE && session_room(s); i++) {
		size_t at;

		if (!uid || !imap_ranges_next(imap_set_ranges(&s->sync.flags), uid, &uid))
			goto out;
		at = mbox_from(v, uid);
		if (at >= v->n)
			goto out;
		if (v->uids[at] != uid) {
			uid = v->uids[at]; /* maybe not in the set: look again */
			continue;
		}
		const struct store_message *m = store_snapshot_find(v->snapshot, uid);

		if (m)
			session_add_fetch_flags(s, at + 1, m);
		uid++;
	}
	s->sync.flag_uid = uid;
	return;
out:
	imap_set_clear(&s->sync.flags);
	s->sync.phase = SYNC_NONE;
}

struct vanished_filter {
	struct imap_session *s;
	struct imap_ranges known;
};

/* What is gone, among what the client knows. */
static void vanished_add(void *ctx, struct store_range range)
{
	struct vanished_filter *f = ctx;
	uint32_t uid = range.first;

	while (uid <= range.last && imap_ranges_next(f->known, uid, &uid) && uid <= range.last) {
		uint32_t last = uid;

		for (size_t i = 0; i < f->known.n; i++)
			if (f->known.at[i].first <= uid && f->known.at[i].last >= uid)
				last = f->known.at[i].last < range.last ? f->known.at[i].last
									: range.last;
		if (imap_set_add(&f->s->sync.vanished, uid, last))
			f->s->out.err = ERR_NOMEM;
		if (last == UINT32_MAX)
			return;
		uid = last + 1;
	}
}

enum err vanished_begin(struct imap_session *s, uint64_t since, struct imap_ranges known)
{
	struct vanished_filter f = { s, known };

	imap_set_clear(&s->sync.vanished);
	s->sync.vanished_at = 0;
	return store_vanished(s->store, s->view.mailbox, since, vanished_add, &f);
}

enum job_step vanished_step(struct imap_session *s)
{
	struct imap_sync *y = &s->sync;

	while (y->vanished_at < y->vanished.n) {
		size_t n = size_min(y->vanished.n - y->vanished_at, VANISHED_LINE);

		if (!session_room(s))
			return STEP_MORE;
		buf_add(&s->out, VIEW("* VANISHED (EARLIER) "));
		imap_ranges_add_text(&s->out,
				     (struct imap_ranges){ y->vanished.at + y->vanished_at, n });
		buf_add(&s->out, VIEW("\r\n"));
		y->vanished_at += n;
	}
	return STEP_DONE;
}

enum job_step sync_step(struct imap_session *s)
{
	if (s->out.err || s->view.gone)
		s->sync.phase = SYNC_NONE;
	switch (s->sync.phase) {
	case SYNC_EXPUNGE:
		if (s->sync.expunge)
			expunge_slice(s);
		else
			s->sync.phase = SYNC_NEW;
		break;
	case SYNC_NEW:
		tell_new(s);
		flags_begin(s);
		break;
	case SYNC_FLAGS: flags_slice(s); break;
	default: break;
	}
	return s->sync.phase == SYNC_NONE ? STEP_DONE : STEP_MORE;
}
