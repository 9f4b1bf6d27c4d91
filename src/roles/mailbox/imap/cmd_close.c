/*
 * roles/mailbox/imap/cmd_close.c: CLOSE and UNSELECT.
 */
#include "roles/mailbox/imap/imap.h"

/* RFC 9051#6.4.1: CLOSE removes what is \Deleted and tells nothing of it.  RFC 9051#6.4.2 */
void cmd_close(struct imap_session *s)
{
	struct store_range all = { 1, UINT32_MAX };

	if (s->cmd.info->id == IMAP_CMD_CLOSE && !s->view.read_only) {
		enum err err = store_expunge(s->store, s->view.mailbox,
					     (struct store_uids){ &all, 1 }, true, NULL);

		if (err) {
			session_fail(s, err);
			return;
		}
	}
	mbox_close(s);
	session_reply(s, "OK Done");
}
