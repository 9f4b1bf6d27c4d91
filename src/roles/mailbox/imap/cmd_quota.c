/*
 * roles/mailbox/imap/cmd_quota.c: GETQUOTA and GETQUOTAROOT: one root, "", for the account.
 */
#include "roles/mailbox/imap/imap.h"

/* quota-response = "QUOTA" SP quota-root SP "(" [resources] ")"   RFC 9208#4.2.1 */
static void add_quota(struct imap_session *s)
{
	struct store_usage u = store_usage(s->store);
	bool both = u.quota_bytes && u.quota_messages;

	buf_add(&s->out, VIEW("* QUOTA \"\" ("));
	if (u.quota_bytes) /* units of 1024 octets */
		buf_addf(&s->out, "STORAGE %llu %llu",
			 (unsigned long long)(u.bytes / 1024 + (u.bytes % 1024 != 0)),
			 (unsigned long long)(u.quota_bytes / 1024));
	if (u.quota_messages)
		buf_addf(&s->out, "%sMESSAGE %llu %llu", both ? " " : "",
			 (unsigned long long)u.messages, (unsigned long long)u.quota_messages);
	buf_add(&s->out, VIEW(")\r\n"));
}

/* RFC 9208#4.1.2 */
void cmd_quota(struct imap_session *s)
{
	if (s->cmd.quota_root.n) {
		session_reply(s, "NO [NONEXISTENT] No such quota root");
		return;
	}
	add_quota(s);
	session_reply(s, "OK Done");
}

/* RFC 9208#4.1.3 */
void cmd_quotaroot(struct imap_session *s)
{
	const struct store_mailbox *m = session_mailbox(s, &s->cmd.mailbox);

	if (!m)
		return;
	buf_add(&s->out, VIEW("* QUOTAROOT "));
	imap_add_mailbox(&s->out, m->name, session_utf8(s));
	buf_add(&s->out, VIEW(" \"\"\r\n"));
	add_quota(s);
	session_reply(s, "OK Done");
}
