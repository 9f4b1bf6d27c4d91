/*
 * roles/mailbox/imap/cmd_id.c: ID.  What the client says is not kept.
 */
#include "roles/mailbox/imap/imap.h"

/* RFC 2971#3.1 */
void cmd_id(struct imap_session *s)
{
	session_untagged(s, "ID (\"name\" \"Posthold\")");
	session_reply(s, "OK Done");
}
