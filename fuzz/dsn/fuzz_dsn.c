/*
 * Reports made of anything: the result is always CRLF lines of at most 998 octets without NUL, and what was
 * put in never begins a header field of its own.  The input is cut at 0xff.
 */
#include "proto/dsn/dsn.h"
#include "proto/dsn/part.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct view next(struct view *rest)
{
	struct view part;

	*rest = view_cut(*rest, (char)0xff, &part);
	return part;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(DSN_OVERHEAD_MAX);
	struct view rest = view_from(view_of(data, size), 1);
	struct dsn_recipient rcpt = { .reply_is_smtp = true };
	struct dsn_report r = { .recipients = &rcpt, .recipient_count = 1, .now = 1763700000 };
	struct dsn_result result;
	struct dsn_status status;

	if (size == 0)
		return 0;
	r.action = (enum dsn_action)(data[0] % 5);
	r.quote = data[0] & 64 ? DSN_QUOTE_HEADER : DSN_QUOTE_MESSAGE;
	r.utf8 = data[0] & 128;
	r.hostname = VIEW("mail.example.test");
	r.sender = data[0] & 32 ? next(&rest) : VIEW("ann@example.test");
	r.id = next(&rest);
	r.envid = next(&rest);
	rcpt.address = next(&rest);
	rcpt.orcpt = next(&rest);
	rcpt.status = next(&rest);
	rcpt.reply = next(&rest);
	rcpt.remote = next(&rest);
	r.message = rest;
	if (dsn_status_find(rcpt.reply, 0, &status) == OK)
		ASSERT(dsn_status_words(&status)->meaning);
	if (dsn_build(&out, &r, &result) == OK) {
		ASSERT(dsn_can_quote(buf_view(&out)));
		ASSERT(view_starts(buf_view(&out), VIEW("Date: ")));
	}
	return 0;
}
