/*
 * Dates of mail and of IMAP: what is accepted is in range, and survives being written and read again.
 */
#include "base/date.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct date *d)
{
	struct buf CLEANUP(buf_done) mail = BUF_INIT(64);
	struct buf CLEANUP(buf_done) imap = BUF_INIT(64);
	struct date again;
	int64_t seconds, back;

	ASSERT(!date_seconds(d, &seconds));
	/* A zone near the ends of the calendar leads out of it; then the writer shows the nearest. */
	if (d->year < 2 || d->year > 9998)
		return;
	date_add_rfc5322(&mail, seconds, d->zone);
	ASSERT(!date_parse_rfc5322(buf_view(&mail), &again));
	ASSERT(!date_seconds(&again, &back) && back == seconds && again.zone == d->zone);
	date_add_imap(&imap, seconds, d->zone);
	ASSERT(!date_parse_imap(buf_view(&imap), &again));
	ASSERT(!date_seconds(&again, &back) && back == seconds && again.zone == d->zone);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view text = view_of(data, size);
	struct date d;

	if (!date_parse_rfc5322(text, &d))
		check(&d);
	if (!date_parse_imap(text, &d))
		check(&d);
	return 0;
}
