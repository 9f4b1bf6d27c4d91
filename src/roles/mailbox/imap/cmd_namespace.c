/*
 * roles/mailbox/imap/cmd_namespace.c: NAMESPACE: one personal one.
 */
#include "roles/mailbox/imap/imap.h"

/* RFC 9051#6.3.10 */
void cmd_namespace(struct imap_session *s)
{
	session_untagged(s, "NAMESPACE ((\"\" \"/\")) NIL NIL");
	session_reply(s, "OK Done");
}
