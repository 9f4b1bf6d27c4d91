/*
 * proto/imap/envelope.c: ENVELOPE.
 */
#include "proto/imap/envelope.h"

#include "proto/imap/write.h"

/* address = "(" addr-name SP addr-adl SP addr-mailbox SP addr-host ")"; a group begins with an address
 * without host and ends with one that is NIL altogether.   RFC 9051#7.5.2 */
static void add_address(struct buf *out, const struct address_entry *e)
{
	switch (e->kind) {
	case ADDRESS_GROUP_START:
		buf_add(out, VIEW("(NIL NIL "));
		imap_add_string(out, e->name, false);
		buf_add(out, VIEW(" NIL)"));
		return;
	case ADDRESS_GROUP_END: buf_add(out, VIEW("(NIL NIL NIL NIL)")); return;
	case ADDRESS_MAILBOX: break;
	}
	buf_add_char(out, '(');
	imap_add_nstring(out, e->name, false);
	buf_add_char(out, ' ');
	imap_add_nstring(out, e->route, false);
	buf_add_char(out, ' ');
	/* NIL in these places would begin or end a group. */
	imap_add_string(out, e->mailbox.p ? e->mailbox : VIEW("MISSING_MAILBOX"), false);
	buf_add_char(out, ' ');
	imap_add_string(out, e->host.p ? e->host : VIEW("MISSING_DOMAIN"), false);
	buf_add_char(out, ')');
}

static void add_addresses(struct buf *out, const struct address_list *list)
{
	if (list->n == 0) {
		buf_add(out, VIEW(" NIL"));
		return;
	}
	buf_add(out, VIEW(" ("));
	for (size_t i = 0; i < list->n; i++)
		add_address(out, &list->at[i]);
	buf_add_char(out, ')');
}

void imap_add_envelope(struct buf *out, const struct mime_envelope *e)
{
	buf_add_char(out, '(');
	imap_add_nstring(out, e->date, false);
	buf_add_char(out, ' ');
	imap_add_nstring(out, e->subject, false);
	add_addresses(out, &e->from);
	add_addresses(out, mime_envelope_sender(e));
	add_addresses(out, mime_envelope_reply_to(e));
	add_addresses(out, &e->to);
	add_addresses(out, &e->cc);
	add_addresses(out, &e->bcc);
	buf_add_char(out, ' ');
	imap_add_nstring(out, e->in_reply_to, false);
	buf_add_char(out, ' ');
	imap_add_nstring(out, e->message_id, false);
	buf_add_char(out, ')');
}
