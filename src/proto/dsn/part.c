/*
 * proto/dsn/part.c: see part.h.
 */
#include "proto/dsn/part.h"

#include "base/date.h"
#include "proto/mime/utf8.h"

static const struct {
	const char *happened;
	const char *next; /* what the sender need not or should do; NULL: by status */
} texts[] = {
	[DSN_FAILED] = { "Your message could not be delivered to the recipients below. No "
			 "further\r\n"
			 "attempt is made: they have not received it.",
			 NULL },
	[DSN_DELAYED] = { "Your message could not be delivered to the recipients below until "
			  "now.\r\n"
			  "This server goes on trying. You need not send the message again.",
			  "You need not do anything. If the delivery fails for good you get "
			  "another "
			  "report." },
	[DSN_DELIVERED] = { "Your message was delivered to the mailboxes below. You asked for "
			    "this\r\n"
			    "report.",
			    "It does not tell whether the message was read." },
	[DSN_RELAYED] = { "Your message was passed on to the mail servers of the recipients "
			  "below.\r\n"
			  "You asked for a report of the delivery; those servers do not send any.",
			  "You get no report of what becomes of the message there, unless the "
			  "delivery fails." },
	[DSN_EXPANDED] = { "Your message was passed on to everybody for whom the addresses "
			   "below\r\n"
			   "stand. You asked for a report of the delivery.",
			   "You get no report of the delivery to each of them." },
};

/* An address for the eye. */
static void add_shown(struct buf *out, struct view address, bool utf8)
{
	if (!utf8 || !mime_utf8_valid(address)) {
		dsn_add_clean(out, address, CLEAN_ADDRESS_MAX);
		return;
	}
	for (size_t at = 0; at < address.n;) {
		uint32_t point;
		bool valid;

		at += mime_utf8_next(address, at, &point, &valid);
		if (mime_utf8_is_control(point))
			buf_add_char(out, '?');
		else
			mime_utf8_add(out, point);
	}
}

/* "  text", wrapped at blanks. */
static void add_wrapped(struct buf *out, struct view text)
{
	size_t column = 0;

	while (text.n) {
		struct view word;

		text = view_cut(text, ' ', &word);
		if (column && column + 1 + word.n > 72) {
			buf_add_str(out, "\r\n");
			column = 0;
		}
		buf_add_str(out, column ? " " : "    ");
		column += column ? 1 : 4;
		buf_add(out, word);
		column += word.n;
	}
	buf_add_str(out, "\r\n");
}

static void add_reply(struct buf *out, const struct dsn_recipient *rcpt)
{
	struct buf CLEANUP(buf_done) line = BUF_INIT(2000);

	if (!rcpt->reply.n)
		return;
	if (rcpt->reply_is_smtp && rcpt->remote.n) {
		buf_add_str(&line, "The server ");
		dsn_add_clean(&line, rcpt->remote, 255);
		buf_add_str(&line, " said: ");
	} else {
		buf_add_str(&line, rcpt->reply_is_smtp ? "The other server said: " : "Reason: ");
	}
	dsn_add_clean(&line, rcpt->reply, DSN_REPLY_MAX);
	add_wrapped(out, buf_view(&line));
}

static void add_recipient_words(struct buf *out, const struct dsn_report *r,
				const struct dsn_recipient *rcpt)
{
	struct dsn_status s = { 0 };

	buf_add_str(out, "\r\n  ");
	add_shown(out, rcpt->address, r->utf8);
	buf_add_str(out, "\r\n");
	if (r->action != DSN_FAILED && r->action != DSN_DELAYED)
		return;
	if (!dsn_status_parse(dsn_status_of(r, rcpt), &s)) {
		const struct dsn_words *words = dsn_status_words(&s);

		add_wrapped(out, view_str(words->meaning));
		if (r->action == DSN_FAILED)
			add_wrapped(out, view_str(words->advice));
	}
	add_reply(out, rcpt);
}

void dsn_add_words(struct buf *out, const struct dsn_report *r)
{
	buf_add_str(out, "This is the mail server ");
	dsn_add_clean(out, r->hostname, 255);
	buf_addf(out, ".\r\n\r\n%s\r\n", texts[r->action].happened);
	for (size_t i = 0; i < r->recipient_count; i++)
		add_recipient_words(out, r, &r->recipients[i]);
	if (texts[r->action].next)
		buf_addf(out, "\r\n%s\r\n", texts[r->action].next);
	if (r->action == DSN_DELAYED && r->retry_until) {
		buf_add_str(out, "Attempts go on until ");
		date_add_rfc5322(out, r->retry_until, 0);
		buf_add_str(out, ".\r\n");
	}
	buf_add_str(out, "\r\nYour administrator finds the message by this number: ");
	dsn_add_clean(out, r->id, 32);
	buf_add_str(out, "\r\n");
}

/* ---- quotation ---- */

bool dsn_can_quote(struct view message)
{
	size_t line = 0;

	for (size_t i = 0; i < message.n; i++) {
		char c = message.p[i];

		if (c == 0 || c == '\n')
			return false;
		if (c != '\r') {
			if (++line > MIME_LINE_HARD)
				return false;
			continue;
		}
		if (i + 1 == message.n || message.p[i + 1] != '\n')
			return false;
		i++;
		line = 0;
	}
	return true;
}

struct view dsn_header_of(struct view message)
{
	size_t end = view_find(message, VIEW("\r\n\r\n"));
	struct view header = end == VIEW_NONE ? message : view_head(message, end + 2);

	/* A message without header begins with the empty line. */
	if (view_starts(message, VIEW("\r\n")))
		return VIEW_EMPTY;
	if (header.n > DSN_HEADER_MAX) {
		size_t cut = view_rfind_char(view_head(header, DSN_HEADER_MAX), '\n');

		header = view_head(header, cut == VIEW_NONE ? 0 : cut + 1);
	}
	return header;
}

void dsn_add_lines(struct buf *out, struct view text)
{
	size_t at = 0;

	while (at < text.n && !buf_err(out)) {
		size_t n = 0;

		while (at + n < text.n && text.p[at + n] != '\r' && text.p[at + n] != '\n')
			n++;
		size_t start = out->n;

		buf_add(out, view_part(text, at, size_min(n, MIME_LINE_HARD)));
		for (size_t i = start; i < out->n; i++)
			if (out->p[i] == 0)
				out->p[i] = '?';
		at += n;
		if (at + 1 < text.n && text.p[at] == '\r' && text.p[at + 1] == '\n')
			at++;
		at++;
		buf_add_str(out, "\r\n");
	}
}
