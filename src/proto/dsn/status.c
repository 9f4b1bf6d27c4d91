/*
 * proto/dsn/status.c: see status.h.
 */
#include "proto/dsn/status.h"

#include "base/ascii.h"
#include "base/cursor.h"
#include "base/vec.h"

/* Rows are searched in order; a detail of ANY fits all. */
enum { ANY = 0xffff };

struct row {
	uint16_t subject;
	uint16_t detail;
	struct dsn_words words;
};

/* RFC 3463#3, RFC 5248, RFC 7372, RFC 7505, RFC 8689 */
static const struct row rows[] = {
	{ 1,
	  1,
	  { "There is no mailbox of this name at that domain.",
	    "Check the part in front of the @ for mistakes, or ask the person for the current "
	    "address." } },
	{ 1,
	  2,
	  { "The domain of the address does not exist, or its mail server cannot be found.",
	    "Check the part behind the @ for mistakes." } },
	{ 1,
	  10,
	  { "The domain states that it receives no mail at all.",
	    "Write to another address of that person or company." } },
	{ 1,
	  ANY,
	  { "The address is not valid at its destination.",
	    "Check the address for mistakes, or ask the person for the current one." } },
	{ 2,
	  1,
	  { "The mailbox exists but is closed.",
	    "Reach the person in another way, or write to another address." } },
	{ 2,
	  2,
	  { "The mailbox is full.",
	    "Reach the person in another way, and send the message again once there is room." } },
	{ 2,
	  3,
	  { "The message is larger than the mailbox accepts.",
	    "Send a smaller message, or share large files by a link." } },
	{ 2,
	  ANY,
	  { "The mailbox does not take this message.",
	    "Send the message again later, or reach the person in another way." } },
	{ 3,
	  4,
	  { "The message is larger than the receiving server accepts.",
	    "Send a smaller message, or share large files by a link." } },
	{ 3,
	  ANY,
	  { "The receiving mail system cannot take the message in its present state.",
	    "Send the message again later; if that fails too, tell the administrator there." } },
	{ 4,
	  1,
	  { "The receiving mail server did not answer.",
	    "Check the part behind the @ for mistakes; if it is right, send the message again "
	    "later." } },
	{ 4,
	  6,
	  { "The message went in circles: a forwarding leads back to where it came from.",
	    "Tell the administrator of the address about this report." } },
	{ 4,
	  7,
	  { "All attempts over several days have failed.",
	    "Send the message again if it still matters, or reach the person in another way." } },
	{ 4,
	  ANY,
	  { "The receiving mail server could not be reached.",
	    "Check the part behind the @ for mistakes; if it is right, send the message again "
	    "later." } },
	{ 5,
	  3,
	  { "The receiving server does not take so many recipients at once.",
	    "Send the message to fewer people at a time." } },
	{ 5,
	  ANY,
	  { "The two mail servers could not agree on how to transfer the message.",
	    "Tell your administrator about this report." } },
	{ 6,
	  7,
	  { "An address in the message uses letters that the receiving server cannot handle.",
	    "Ask the person for an address in plain ASCII letters." } },
	{ 6,
	  ANY,
	  { "The receiving server cannot handle the format of the message.",
	    "Send it again in a simpler format, for instance as plain text." } },
	{ 7,
	  1,
	  { "The receiving server does not want this message.",
	    "Reach the person in another way; the words of the server below may tell why." } },
	{ 7,
	  10,
	  { "The connection to the receiving server could not be encrypted as it must be.",
	    "Tell your administrator about this report." } },
	{ 7,
	  30,
	  { "You asked for encryption on the whole way, and the receiving server does not "
	    "promise that.",
	    "Send the message again without that demand if you can do without it." } },
	{ 7,
	  ANY,
	  { "The receiving server refused the message by its rules, for instance as suspected "
	    "spam.",
	    "Read the words of the server below; your administrator can help." } },
};

static const struct dsn_words other = {
	"The receiving server refused the message without a reason that we know.",
	"Read the words of the server below; your administrator can help.",
};

static uint16_t part(struct cursor *c)
{
	size_t at = c->at;
	uint64_t n = cursor_u64(c, DSN_SUBJECT_MAX);

	if (c->at - at > 3)
		cursor_fail(c, ERR_RANGE);
	return (uint16_t)n;
}

static struct dsn_status status(struct cursor *c)
{
	struct dsn_status s = { 0 };
	uint8_t class = cursor_byte(c);

	if (class != '2' && class != '4' && class != '5')
		cursor_fail(c, ERR_SYNTAX);
	s.class = (uint8_t)(class - '0');
	cursor_char(c, '.');
	s.subject = part(c);
	cursor_char(c, '.');
	s.detail = part(c);
	return s;
}

enum err dsn_status_parse(struct view text, struct dsn_status *ret)
{
	struct cursor c = cursor_init(text);
	struct dsn_status s = status(&c);

	cursor_end(&c);
	if (c.err)
		return c.err;
	*ret = s;
	return OK;
}

enum err dsn_status_find(struct view reply, unsigned code, struct dsn_status *ret)
{
	struct cursor c = cursor_init(reply);
	struct dsn_status s;

	if (reply.n > 4 && ascii_is_digit(view_at(reply, 0)) && ascii_is_digit(view_at(reply, 1)) &&
	    ascii_is_digit(view_at(reply, 2)) && (reply.p[3] == ' ' || reply.p[3] == '-'))
		(void)cursor_take(&c, 4);
	s = status(&c);
	if (c.err || !(cursor_at_end(&c) || cursor_peek(&c) == ' '))
		return ERR_NOTFOUND;
	if (code && s.class != code / 100)
		return ERR_NOTFOUND;
	*ret = s;
	return OK;
}

const struct dsn_words *dsn_status_words(const struct dsn_status *s)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].subject == s->subject &&
		    (rows[i].detail == ANY || rows[i].detail == s->detail))
			return &rows[i].words;
	return &other;
}

void dsn_add_clean(struct buf *out, struct view text, size_t max)
{
	size_t start = out->n;
	bool blank = true;
	bool cut = false;

	for (size_t i = 0; i < text.n && !cut; i++) {
		uint8_t c = view_at(text, i);
		bool space = ascii_is_space(c);

		if (space && blank)
			continue;
		if (out->n - start == max) {
			cut = true;
			break;
		}
		blank = space;
		buf_add_char(out, (char)(space ? ' ' : ascii_is_graph(c) ? c : '?'));
	}
	while (!cut && out->n > start && out->p[out->n - 1] == ' ')
		buf_truncate(out, out->n - 1);
	if (cut && max >= 3) {
		buf_truncate(out, start + max - 3);
		buf_add_str(out, "...");
	}
}
