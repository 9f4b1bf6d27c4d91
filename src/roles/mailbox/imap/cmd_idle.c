/*
 * roles/mailbox/imap/cmd_idle.c: IDLE.  Updates are told by imap_session_run as they come.
 */
#include "roles/mailbox/imap/imap.h"

/* RFC 9051#6.3.13 */
void cmd_idle(struct imap_session *s)
{
	buf_add(&s->out, VIEW("+ idling\r\n"));
	s->phase = PHASE_IDLE;
}
