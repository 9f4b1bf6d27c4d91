/*
 * roles/mailbox/imap/cmd_expunge.c: EXPUNGE and UID EXPUNGE.
 */
#include "roles/mailbox/imap/imap.h"

/* RFC 9051#6.4.3, RFC 9051#6.4.9.  The numbers are told by the update before the reply.  Only messages
 * that the client knows are removed. */
void cmd_expunge(struct imap_session *s)
{
	struct store_range all = { 1, s->view.known };
	struct store_uids uids = { &all, s->view.known ? 1 : 0 };
	struct imap_ranges seqs;
	enum err err;

	if (s->view.read_only) {
		session_reply(s, "NO [CANNOT] Mailbox is read-only");
		return;
	}
	if (s->cmd.expunge.has_uids) {
		if (mbox_resolve(s, &s->cmd.expunge.uids, true, &seqs))
			return;
		err = mbox_uids(s, seqs, &uids);
		if (err) {
			session_fail(s, err);
			return;
		}
	}
	err = uids.n ? store_expunge(s->store, s->view.mailbox, uids, true, NULL) : OK;
	if (err) {
		session_fail(s, err);
		return;
	}
	const struct store_mailbox *m = store_mailbox_by_id(s->store, s->view.mailbox);

	if (session_has(s, FEATURE_QRESYNC) && m)
		session_replyf(s, "OK [HIGHESTMODSEQ %llu] Done",
			       (unsigned long long)m->highestmodseq);
	else
		session_reply(s, "OK Done");
}
