/*
 * roles/mailbox/imap/cmd_copy.c: COPY and MOVE.
 */
#include "roles/mailbox/imap/imap.h"

static void add_uid_list(struct buf *out, const struct store_uid_list *list)
{
	for (size_t i = 0; i < list->n;) {
		size_t end = i + 1;

		while (end < list->n && list->at[end] == list->at[end - 1] + 1)
			end++;
		if (i > 0)
			buf_add_char(out, ',');
		buf_add_u64(out, list->at[i]);
		if (end - i > 1) {
			buf_add_char(out, ':');
			buf_add_u64(out, list->at[end - 1]);
		}
		i = end;
	}
}

/* resp-code-copy = "COPYUID" SP nz-number SP uid-set SP uid-set   RFC 9051#7.1 */
static void add_copyuid(struct buf *out, uint32_t uidvalidity, const struct store_uid_list *from,
			const struct store_uid_list *to)
{
	buf_add(out, VIEW("OK [COPYUID "));
	buf_add_u64(out, uidvalidity);
	buf_add_char(out, ' ');
	add_uid_list(out, from);
	buf_add_char(out, ' ');
	add_uid_list(out, to);
	buf_add_char(out, ']');
}

static void copied(struct imap_session *s, uint32_t uidvalidity, const struct store_uid_list *from,
		   const struct store_uid_list *to, bool move)
{
	buf_clear(&s->reply);
	if (!from->n) {
		session_reply(s, s->cmd.uid ? "OK Nothing to do"
					    : "NO [EXPUNGEISSUED] The messages no longer exist");
		return;
	}
	if (!move) {
		add_copyuid(&s->reply, uidvalidity, from, to);
		buf_add(&s->reply, VIEW(" Done"));
		return;
	}
	/* MOVE tells it before the expunges   RFC 9051#6.4.8 */
	buf_clear(&s->scratch);
	add_copyuid(&s->scratch, uidvalidity, from, to);
	buf_add(&s->out, VIEW("* "));
	if (s->scratch.n < IMAP_OUTPUT_MAX / 4)
		buf_add(&s->out, buf_view(&s->scratch));
	else /* the code is optional */
		buf_add(&s->out, VIEW("OK"));
	buf_add(&s->out, VIEW(" Moved\r\n"));
	session_reply(s, "OK Done");
}

/* RFC 9051#6.4.7, RFC 9051#6.4.8, RFC 4315#3 */
void cmd_copy(struct imap_session *s)
{
	bool move = s->cmd.info->id == IMAP_CMD_MOVE;
	const struct store_mailbox *to;
	struct store_uid_list old = { 0 };
	struct store_uid_list new = { 0 };
	struct imap_ranges seqs;
	struct store_uids uids;
	enum err err;

	if (mbox_resolve(s, &s->cmd.copy.seq, s->cmd.uid, &seqs))
		return;
	if (move && s->view.read_only) {
		session_reply(s, "NO [CANNOT] Mailbox is read-only");
		return;
	}
	to = session_mailbox(s, &s->cmd.copy.mailbox);
	if (!to) {
		if (!s->cmd.copy.mailbox.err)
			session_reply(s, "NO [TRYCREATE] No such mailbox");
		return;
	}
	uint64_t target = to->id;
	uint32_t uidvalidity = to->uidvalidity;

	err = mbox_uids(s, seqs, &uids);
	if (!err && move)
		err = store_move(s->store, s->view.mailbox, uids, target, &old, &new);
	else if (!err)
		err = store_copy(s->store, s->view.mailbox, uids, target, &old, &new);
	if (err)
		session_fail(s, err);
	else
		copied(s, uidvalidity, &old, &new, move);
	store_uid_list_done(&old);
	store_uid_list_done(&new);
}
