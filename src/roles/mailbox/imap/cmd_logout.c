/*
 * roles/mailbox/imap/cmd_logout.c: LOGOUT.
 */
#include "roles/mailbox/imap/imap.h"

/* RFC 9051#6.1.3 */
void cmd_logout(struct imap_session *s)
{
	session_untagged(s, "BYE Logging out");
	session_reply(s, "OK Done");
	mbox_close(s);
	s->bye = true;
}
