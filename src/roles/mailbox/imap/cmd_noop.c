/*
 * roles/mailbox/imap/cmd_noop.c: NOOP and CHECK: the updates before the reply are all they do.
 */
#include "roles/mailbox/imap/imap.h"

/* RFC 9051#6.1.2, RFC 3501#6.4.1 */
void cmd_noop(struct imap_session *s)
{
	session_reply(s, "OK Done");
}
