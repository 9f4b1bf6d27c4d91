/*
 * roles/mailbox/imap/cmd_subscribe.c: SUBSCRIBE and UNSUBSCRIBE.
 */
#include "roles/mailbox/imap/imap.h"

/* RFC 9051#6.3.7, RFC 9051#6.3.8 */
void cmd_subscribe(struct imap_session *s)
{
	bool on = s->cmd.info->id == IMAP_CMD_SUBSCRIBE;
	enum err err;

	if (s->cmd.mailbox.err) {
		session_reply(s, "NO [CANNOT] Not a mailbox name");
		return;
	}
	err = store_subscribe(s->store, s->cmd.mailbox.name, on);
	if (err && !(err == ERR_NOTFOUND && !on))
		session_fail(s, err);
	else
		session_reply(s, "OK Done");
}
