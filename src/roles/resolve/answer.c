/*
 * roles/resolve/answer.c: what the library found, as the channel says it.
 *
 * Pure: no channel, no loop.  What does not follow its format is left out; a bogus answer is no answer.
 */
#include "resolve.h"

#include "ipc/types.h"
#include "proto/dns/rdata.h"

enum {
	RCODE_NOERROR = 0,
	RCODE_NXDOMAIN = 3,
	RECORD_OVERHEAD = 4, /* preference and length, on the channel */
	ANSWER_OVERHEAD = 16
};

static uint8_t status_of(int error, const struct ub_result *result)
{
	if (error || !result || result->bogus)
		return RESOLVE_TEMPORARY;
	if (result->nxdomain || result->rcode == RCODE_NXDOMAIN)
		return RESOLVE_NXDOMAIN;
	if (result->rcode != RCODE_NOERROR)
		return RESOLVE_TEMPORARY;
	return result->havedata ? RESOLVE_OK : RESOLVE_NODATA;
}

/* As many records as the list and a packet hold; returns their number. */
static size_t add_records(const struct ub_result *result, struct buf *data,
			  struct resolve_answer_records *records)
{
	size_t room = IPC_BODY_MAX - ANSWER_OVERHEAD;
	size_t n = 0;

	for (size_t i = 0; result->data[i] && n < RESOLVE_ANSWER_RECORDS_MAX; i++) {
		struct dns_record record;

		if (result->len[i] < 0 ||
		    dns_rdata_decode((unsigned)result->qtype,
				     view_of(result->data[i], (size_t)result->len[i]), data,
				     &record))
			continue;
		if (record.data.n > RESOLVE_ANSWER_RECORDS_DATA_MAX ||
		    record.data.n + RECORD_OVERHEAD > room)
			continue;
		room -= record.data.n + RECORD_OVERHEAD;
		records[n++] = (struct resolve_answer_records){ record.preference, record.data };
	}
	return n;
}

void answer_make(uint32_t tag, int error, const struct ub_result *result, struct buf *data,
		 struct resolve_answer_records *records, struct resolve_answer *ret)
{
	*ret = (struct resolve_answer){
		.tag = tag,
		.status = status_of(error, result),
		.records = records,
	};
	buf_clear(data);
	/* All room at once: records are borrowed from it while more are added. */
	if (!buf_room(data, data->max))
		ret->status = RESOLVE_TEMPORARY;
	if (ret->status == RESOLVE_TEMPORARY)
		return;
	ret->secure = result->secure;
	ret->ttl = result->ttl < 0 ? 0 : (uint32_t)result->ttl;
	if (ret->ttl > TTL_MAX)
		ret->ttl = TTL_MAX;
	if (ret->status != RESOLVE_OK)
		return;
	ret->records_count = add_records(result, data, records);
	/* There were records and none of them makes sense. */
	if (!ret->records_count)
		*ret = (struct resolve_answer){ .tag = tag, .status = RESOLVE_TEMPORARY };
}
