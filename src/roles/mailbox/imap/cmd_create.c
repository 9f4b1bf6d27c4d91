/*
 * roles/mailbox/imap/cmd_create.c: CREATE, with a special use.
 */
#include "roles/mailbox/imap/imap.h"

_Static_assert((int)IMAP_USE_ALL == STORE_USE_ALL && (int)IMAP_USE_ARCHIVE == STORE_USE_ARCHIVE &&
		       (int)IMAP_USE_DRAFTS == STORE_USE_DRAFTS &&
		       (int)IMAP_USE_FLAGGED == STORE_USE_FLAGGED &&
		       (int)IMAP_USE_JUNK == STORE_USE_JUNK &&
		       (int)IMAP_USE_SENT == STORE_USE_SENT &&
		       (int)IMAP_USE_TRASH == STORE_USE_TRASH &&
		       (int)IMAP_USE_IMPORTANT == STORE_USE_IMPORTANT,
	       "special uses have the same bits in protocol and store");

/* RFC 9051#6.3.4, RFC 6154#3, RFC 8474#4.1 */
void cmd_create(struct imap_session *s)
{
	const struct imap_create_args *args = &s->cmd.create;
	uint64_t id = 0;

	/* \All and \Flagged would be virtual mailboxes. */
	if (args->bad_use || (args->use & (IMAP_USE_ALL | IMAP_USE_FLAGGED))) {
		session_reply(s, "NO [USEATTR] Special use not supported");
		return;
	}
	if (args->mailbox.err) {
		session_reply(s, "NO [CANNOT] Not a mailbox name");
		return;
	}
	enum err err = store_mailbox_create(s->store, args->mailbox.name, args->use, &id);

	if (err)
		session_fail(s, err);
	else
		session_replyf(s, "OK [MAILBOXID (M%llx)] Created", (unsigned long long)id);
}
