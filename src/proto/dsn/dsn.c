/*
 * proto/dsn/dsn.c: the whole report, and the table for programs.  See dsn.h.
 */
#include "proto/dsn/dsn.h"

#include "base/date.h"
#include "base/encode.h"
#include "proto/dsn/part.h"
#include "proto/mime/utf8.h"

static const struct {
	struct view name;
	struct view subject;
	struct view status; /* where none is known */
} actions[] = {
	[DSN_FAILED] = { VIEW_INIT("failed"), VIEW_INIT("Your message could not be delivered"),
			 VIEW_INIT("5.0.0") },
	[DSN_DELAYED] = { VIEW_INIT("delayed"), VIEW_INIT("Your message is delayed"),
			  VIEW_INIT("4.0.0") },
	[DSN_DELIVERED] = { VIEW_INIT("delivered"), VIEW_INIT("Your message was delivered"),
			    VIEW_INIT("2.0.0") },
	[DSN_RELAYED] = { VIEW_INIT("relayed"), VIEW_INIT("Your message was passed on"),
			  VIEW_INIT("2.0.0") },
	[DSN_EXPANDED] = { VIEW_INIT("expanded"), VIEW_INIT("Your message was passed on to a list"),
			   VIEW_INIT("2.0.0") },
};

struct view dsn_status_of(const struct dsn_report *r, const struct dsn_recipient *rcpt)
{
	struct dsn_status s;

	return dsn_status_parse(rcpt->status, &s) ? actions[r->action].status : rcpt->status;
}

/* Text with the first error kept in b. */
static void field(struct buf *b, struct view name, struct view value)
{
	enum err err = buf_err(b) ? OK : mime_add_field(b, name, value);

	if (err && !b->err)
		b->err = err;
}

/*
 * utf-8-address of RFC 6533#3: as it is in a report in UTF-8, else every character outside ASCII as
 * \x{HEX}.
 */
static void add_utf8_address(struct buf *out, struct view address, bool utf8)
{
	for (size_t at = 0; at < address.n;) {
		uint32_t point;
		bool valid;
		size_t n = mime_utf8_next(address, at, &point, &valid);

		if (point < 0x80)
			dsn_add_clean(out, view_part(address, at, 1), 1);
		else if (utf8 && valid && !mime_utf8_is_control(point))
			mime_utf8_add(out, point);
		else
			buf_addf(out, "\\x{%X}", point);
		at += n;
	}
}

static void add_address(struct buf *out, struct view address, bool utf8)
{
	if (mime_ascii_only(address)) {
		buf_add_str(out, "rfc822; ");
		dsn_add_clean(out, address, CLEAN_ADDRESS_MAX);
	} else {
		buf_add_str(out, "utf-8; ");
		add_utf8_address(out, address, utf8);
	}
}

/* Original-Recipient: address-type ";" generic-address   RFC 3464#2.3.1 */
static void add_original(struct buf *out, struct view orcpt, bool utf8)
{
	struct buf CLEANUP(buf_done) value = BUF_INIT(CLEAN_ADDRESS_MAX * 10);
	struct view type;
	struct view address = view_cut(orcpt, ';', &type);

	if (!type.n || !address.n)
		return;
	dsn_add_clean(&value, type, 32);
	buf_add_str(&value, "; ");
	if (view_eq_nocase(type, VIEW("utf-8")) && !mime_ascii_only(address))
		add_utf8_address(&value, address, utf8);
	else
		dsn_add_clean(&value, address, CLEAN_ADDRESS_MAX);
	field(out, VIEW("Original-Recipient"), buf_view(&value));
}

static void date_field(struct buf *out, const char *name, int64_t seconds)
{
	if (!seconds)
		return;
	buf_addf(out, "%s: ", name);
	date_add_rfc5322(out, seconds, 0);
	buf_add_str(out, "\r\n");
}

/* RFC 3464#2.3 */
static void add_recipient(struct buf *out, const struct dsn_report *r,
			  const struct dsn_recipient *rcpt)
{
	struct buf CLEANUP(buf_done) value = BUF_INIT(CLEAN_ADDRESS_MAX * 10);

	buf_add_str(out, "\r\n");
	add_original(out, rcpt->orcpt, r->utf8);
	add_address(&value, rcpt->address, r->utf8);
	field(out, VIEW("Final-Recipient"), buf_view(&value));
	field(out, VIEW("Action"), actions[r->action].name);
	field(out, VIEW("Status"), dsn_status_of(r, rcpt));
	if (rcpt->remote.n) {
		buf_clear(&value);
		buf_add_str(&value, "dns; ");
		dsn_add_clean(&value, rcpt->remote, CLEAN_ADDRESS_MAX);
		field(out, VIEW("Remote-MTA"), buf_view(&value));
	}
	if (rcpt->reply.n) {
		buf_clear(&value);
		buf_add_str(&value, rcpt->reply_is_smtp ? "smtp; " : "x-posthold; ");
		dsn_add_clean(&value, rcpt->reply, DSN_REPLY_MAX);
		field(out, VIEW("Diagnostic-Code"), buf_view(&value));
	}
	date_field(out, "Last-Attempt-Date", rcpt->last_attempt);
	if (r->action == DSN_DELAYED)
		date_field(out, "Will-Retry-Until", r->retry_until);
}

/* message/delivery-status   RFC 3464#2.1 */
static void add_table(struct buf *out, const struct dsn_report *r)
{
	struct buf CLEANUP(buf_done) value = BUF_INIT(1000);

	buf_add_str(&value, "dns; ");
	dsn_add_clean(&value, r->hostname, CLEAN_ADDRESS_MAX);
	field(out, VIEW("Reporting-MTA"), buf_view(&value));
	if (r->envid.n) {
		buf_clear(&value);
		dsn_add_clean(&value, r->envid, CLEAN_ADDRESS_MAX);
		field(out, VIEW("Original-Envelope-Id"), buf_view(&value));
	}
	date_field(out, "Arrival-Date", r->arrival);
	for (size_t i = 0; i < r->recipient_count; i++)
		add_recipient(out, r, &r->recipients[i]);
}

static enum err add_addresses(struct buf *out, const struct dsn_report *r, bool *ret_utf8)
{
	static const struct view none;
	static const struct view daemon = VIEW_INIT("Mail delivery service");
	struct address from, to;
	enum err err = address_make(VIEW("MAILER-DAEMON"), r->hostname, 0, &from);

	if (!err)
		err = address_parse_mailbox(r->sender, ADDRESS_UTF8, &to);
	if (err)
		return ERR_SYNTAX;
	*ret_utf8 = to.utf8;
	err = mime_add_address_field(out, VIEW("From"), &daemon, &from, 1);
	return err ? err : mime_add_address_field(out, VIEW("To"), &none, &to, 1);
}

static void add_message_id(struct buf *out, const struct dsn_report *r)
{
	buf_add_str(out, "Message-ID: <");
	hex_encode(out, view_of(r->random, sizeof(r->random) / 2));
	buf_add_char(out, '.');
	dsn_add_clean(out, r->id, 32);
	buf_add_char(out, '@');
	dsn_add_clean(out, r->hostname, CLEAN_ADDRESS_MAX);
	buf_add_str(out, ">\r\n");
}

/* Header of the report   RFC 3464#2, RFC 3834#5 */
static enum err add_header(struct buf *out, const struct dsn_report *r, struct view boundary,
			   bool *ret_utf8)
{
	enum err err = mime_add_date_field(out, VIEW("Date"), r->now, 0);

	if (!err)
		err = add_addresses(out, r, ret_utf8);
	if (err)
		return err;
	field(out, VIEW("Subject"), actions[r->action].subject);
	add_message_id(out, r);
	field(out, VIEW("Auto-Submitted"), VIEW("auto-replied"));
	field(out, VIEW("MIME-Version"), VIEW("1.0"));
	buf_addf(out,
		 "Content-Type: multipart/report; report-type=delivery-status;\r\n"
		 "\tboundary=\"" VIEW_FMT "\"\r\n",
		 VIEW_ARG(boundary));
	return buf_err(out);
}

static void add_part_head(struct buf *out, const char *type, bool eight_bit)
{
	buf_addf(out, "Content-Type: %s\r\n", type);
	if (eight_bit)
		buf_add_str(out, "Content-Transfer-Encoding: 8bit\r\n");
	buf_add_str(out, "\r\n");
}

enum err dsn_build(struct buf *out, const struct dsn_report *r, struct dsn_result *ret)
{
	char room[MIME_BOUNDARY_TEXT];
	struct view boundary = mime_boundary(r->random, room);
	struct dsn_result result = { .utf8 = r->utf8 };
	bool header_only = r->quote == DSN_QUOTE_HEADER || !dsn_can_quote(r->message);
	struct view quoted = header_only ? dsn_header_of(r->message) : r->message;
	bool quoted_eight_bit = !mime_ascii_only(quoted);
	bool sender_utf8;
	enum err err;

	if (r->recipient_count == 0 || r->recipient_count > DSN_RECIPIENTS_MAX)
		return ERR_LIMIT;
	result.eight_bit = quoted_eight_bit || r->utf8;
	err = add_header(out, r, boundary, &sender_utf8);
	if (err)
		return err;
	result.utf8 = result.utf8 || sender_utf8;
	if (result.eight_bit)
		buf_add_str(out, "Content-Transfer-Encoding: 8bit\r\n");
	buf_add_str(out, "\r\nThis is a report in MIME format.\r\n");

	mime_add_delimiter(out, boundary, false);
	add_part_head(out, r->utf8 ? "text/plain; charset=utf-8" : "text/plain; charset=us-ascii",
		      r->utf8);
	dsn_add_words(out, r);

	mime_add_delimiter(out, boundary, false);
	add_part_head(out, r->utf8 ? "message/global-delivery-status" : "message/delivery-status",
		      r->utf8);
	add_table(out, r);

	mime_add_delimiter(out, boundary, false);
	if (header_only)
		add_part_head(out, r->utf8 ? "message/global-headers" : "text/rfc822-headers",
			      quoted_eight_bit);
	else
		add_part_head(out, r->utf8 ? "message/global" : "message/rfc822", quoted_eight_bit);
	dsn_add_lines(out, quoted);
	mime_add_delimiter(out, boundary, true);
	if (buf_err(out))
		return buf_err(out);
	*ret = result;
	return OK;
}
