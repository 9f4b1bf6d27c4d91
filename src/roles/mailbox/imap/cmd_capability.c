/*
 * roles/mailbox/imap/cmd_capability.c: CAPABILITY.
 */
#include "roles/mailbox/imap/imap.h"

/* RFC 9051#6.1.1 */
void cmd_capability(struct imap_session *s)
{
	buf_add(&s->out, VIEW("* CAPABILITY "));
	buf_add(&s->out, imap_session_capabilities());
	buf_add(&s->out, VIEW("\r\n"));
	session_reply(s, "OK Done");
}
