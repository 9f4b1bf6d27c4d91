/*
 * fuzz/dns/fuzz_rdata.c: records of every type; the first octet chooses it.
 */
#include "proto/dns/rdata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(4000);
	struct dns_record r;

	if (!size)
		return 0;
	if (!dns_rdata_decode(data[0], view_of(data + 1, size - 1), &out, &r))
		ASSERT(r.data.n == out.n);
	else
		ASSERT(!out.n);
	return 0;
}
