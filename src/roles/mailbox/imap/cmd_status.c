/*
 * roles/mailbox/imap/cmd_status.c: STATUS.
 */
#include "roles/mailbox/imap/imap.h"

/* RECENT: messages that nobody has been told of. */
static size_t recent_count(struct imap_session *s, const struct store_mailbox *m)
{
	const struct store_snapshot *snap;
	size_t n;

	if (m->recent_from >= m->uidnext || store_mailbox_load(s->store, m->id, &snap))
		return 0;
	n = snap->n - store_snapshot_from(snap, m->recent_from);
	store_mailbox_release(s->store, snap);
	return n;
}

static void add_number(struct imap_session *s, bool *first, struct view name, uint64_t n)
{
	if (!*first)
		buf_add_char(&s->out, ' ');
	*first = false;
	buf_add(&s->out, name);
	buf_add_u64(&s->out, n);
}

void status_add(struct imap_session *s, const struct store_mailbox *m, unsigned items)
{
	size_t recent = items & IMAP_STATUS_RECENT ? recent_count(s, m) : 0;
	const struct {
		unsigned item;
		struct view name;
		uint64_t number;
	} rows[] = {
		{ IMAP_STATUS_MESSAGES, VIEW("MESSAGES "), m->messages },
		{ IMAP_STATUS_RECENT, VIEW("RECENT "), recent },
		{ IMAP_STATUS_UIDNEXT, VIEW("UIDNEXT "), m->uidnext },
		{ IMAP_STATUS_UIDVALIDITY, VIEW("UIDVALIDITY "), m->uidvalidity },
		{ IMAP_STATUS_UNSEEN, VIEW("UNSEEN "), m->unseen },
		{ IMAP_STATUS_DELETED, VIEW("DELETED "), m->deleted },
		{ IMAP_STATUS_SIZE, VIEW("SIZE "), m->size },
		{ IMAP_STATUS_HIGHESTMODSEQ, VIEW("HIGHESTMODSEQ "), m->highestmodseq },
		{ IMAP_STATUS_APPENDLIMIT, VIEW("APPENDLIMIT "), s->framer.limits.message },
	};
	bool first = true;

	buf_add(&s->out, VIEW("* STATUS "));
	imap_add_mailbox(&s->out, m->name, session_utf8(s));
	buf_add(&s->out, VIEW(" ("));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (items & rows[i].item)
			add_number(s, &first, rows[i].name, rows[i].number);
	if (items & IMAP_STATUS_MAILBOXID)
		buf_addf(&s->out, "%sMAILBOXID (M%llx)", first ? "" : " ",
			 (unsigned long long)m->id);
	buf_add(&s->out, VIEW(")\r\n"));
}

/* RFC 9051#6.3.11 */
void cmd_status(struct imap_session *s)
{
	const struct store_mailbox *m = session_mailbox(s, &s->cmd.status.mailbox);

	if (!m)
		return;
	if (!m->selectable) {
		session_reply(s, "NO [NONEXISTENT] It holds no messages");
		return;
	}
	if (s->cmd.status.items & IMAP_STATUS_HIGHESTMODSEQ)
		s->features |= FEATURE_CONDSTORE; /* RFC 7162#3.1 */
	status_add(s, m, s->cmd.status.items);
	session_reply(s, "OK Done");
}
