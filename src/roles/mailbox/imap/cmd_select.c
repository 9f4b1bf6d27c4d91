/*
 * roles/mailbox/imap/cmd_select.c: SELECT and EXAMINE, with quick resynchronisation.
 */
#include "roles/mailbox/imap/imap.h"

/* Sequence number of the first message without \Seen, 0 if none. */
static size_t first_unseen(const struct imap_view *v)
{
	for (size_t i = 0; i < v->snapshot->n; i++)
		if (!(v->snapshot->at[i].flags & STORE_FLAG_SEEN))
			return i + 1;
	return 0;
}

/* RFC 9051#6.3.2, RFC 3501#6.3.1 (RECENT, UNSEEN), RFC 7162#3.1.2, RFC 8474#4.2 */
static void tell_mailbox(struct imap_session *s, const struct store_mailbox *m)
{
	size_t unseen = first_unseen(&s->view);

	session_add_flag_list(s, true);
	buf_addf(&s->out, "* %zu EXISTS\r\n", s->view.n);
	if (!session_has(s, FEATURE_REV2)) {
		buf_addf(&s->out, "* %zu RECENT\r\n", mbox_recent_count(&s->view));
		if (unseen)
			buf_addf(&s->out, "* OK [UNSEEN %zu] First unseen\r\n", unseen);
	}
	buf_addf(&s->out,
		 "* OK [UIDVALIDITY %lu] UIDs valid\r\n* OK [UIDNEXT %lu] Predicted next UID\r\n"
		 "* OK [HIGHESTMODSEQ %llu] Highest\r\n* OK [MAILBOXID (M%llx)] Ok\r\n",
		 (unsigned long)m->uidvalidity, (unsigned long)m->uidnext,
		 (unsigned long long)m->highestmodseq, (unsigned long long)m->id);
	if (session_has(s, FEATURE_REV2))
		list_add_selected(s, m);
}

/* Ask for what vanished since the client was here   RFC 7162#3.2.5.1 */
static enum err resync_begin(struct imap_session *s)
{
	const struct imap_qresync_args *q = &s->cmd.select.q;
	struct imap_range all = { 1, UINT32_MAX };
	struct imap_ranges known = { &all, 1 };

	if (q->has_known) {
		enum err err = imap_seq_resolve(&s->arena, &q->known, s->view.known, &known);

		if (err)
			return err;
	}
	return vanished_begin(s, q->modseq, known);
}

void cmd_select(struct imap_session *s)
{
	const struct imap_select_args *args = &s->cmd.select;
	bool examine = s->cmd.info->id == IMAP_CMD_EXAMINE;
	bool was_selected = session_selected(s);

	if (args->qresync && !session_has(s, FEATURE_QRESYNC)) {
		session_reply(s, "BAD QRESYNC has not been enabled");
		return;
	}
	mbox_close(s);
	if (was_selected)
		session_untagged(s, "OK [CLOSED] Previous mailbox closed");

	const struct store_mailbox *m = session_mailbox(s, &args->mailbox);
	enum err err;

	if (!m)
		return;
	err = mbox_open(s, m->id, examine);
	if (err) {
		session_fail(s, err);
		return;
	}
	m = store_mailbox_by_id(s->store, s->view.mailbox);
	ASSERT(m);
	if (args->condstore)
		s->features |= FEATURE_CONDSTORE;
	tell_mailbox(s, m);
	s->sync.flag_uid = 1;
	if (!args->qresync || args->q.uidvalidity != m->uidvalidity)
		s->sync.flag_uid = 0;
	else if (resync_begin(s))
		s->out.err = ERR_NOMEM; /* the client would keep what is gone */
}

/* Messages whose flags changed since the client knew them, in slices. */
enum job_step cmd_select_step(struct imap_session *s)
{
	const struct store_snapshot *snap = s->view.snapshot;
	uint32_t uid = s->sync.flag_uid;
	size_t i;

	if (vanished_step(s) == STEP_MORE)
		return STEP_MORE;
	i = uid ? store_snapshot_from(snap, uid) : snap->n;

	for (size_t n = 0; i < snap->n && n < SESSION_SYNC_SLICE && session_room(s); i++, n++) {
		const struct store_message *m = &snap->at[i];
		size_t seq = mbox_seq(&s->view, m->uid);

		if (m->modseq > s->cmd.select.q.modseq && seq)
			session_add_fetch_flags(s, seq, m);
	}
	if (i < snap->n) {
		s->sync.flag_uid = snap->at[i].uid;
		return STEP_MORE;
	}
	session_reply(s,
		      s->view.read_only ? "OK [READ-ONLY] Selected" : "OK [READ-WRITE] Selected");
	return STEP_DONE;
}
