/*
 * roles/mailbox/imap/cmd_rename.c: RENAME.
 */
#include "roles/mailbox/imap/imap.h"

/* RFC 9051#6.3.6 */
void cmd_rename(struct imap_session *s)
{
	const struct imap_rename_args *args = &s->cmd.rename;
	enum err err;

	if (!session_mailbox(s, &args->from))
		return;
	if (args->to.err) {
		session_reply(s, "NO [CANNOT] Not a mailbox name");
		return;
	}
	err = store_mailbox_rename(s->store, args->from.name, args->to.name);
	if (err)
		session_fail(s, err);
	else
		session_reply(s, "OK Renamed");
}
