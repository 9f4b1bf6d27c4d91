/*
 * roles/mailbox/imap/cmd_delete.c: DELETE.
 */
#include "roles/mailbox/imap/imap.h"

/* RFC 9051#6.3.5.  Who deletes the mailbox that is selected has it no longer. */
void cmd_delete(struct imap_session *s)
{
	const struct store_mailbox *m = session_mailbox(s, &s->cmd.mailbox);
	bool own;

	if (!m)
		return;
	own = session_selected(s) && m->id == s->view.mailbox;

	enum err err = store_mailbox_delete(s->store, s->cmd.mailbox.name);

	if (err) {
		session_fail(s, err);
		return;
	}
	if (own) {
		mbox_close(s);
		session_untagged(s, "OK [CLOSED] The selected mailbox is deleted");
	}
	session_reply(s, "OK Deleted");
}
