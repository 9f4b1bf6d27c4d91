/* Any octets as a message of PLAIN: what is accepted is made of exactly its three parts. */
#include "proto/sasl/plain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sasl_plain p;

	if (sasl_plain_parse(view_of(data, size), &p) == OK) {
		ASSERT(p.authzid.n + p.authcid.n + p.password.n + 2 == size);
		ASSERT(!view_has(p.authzid, 0) && !view_has(p.authcid, 0) &&
		       !view_has(p.password, 0));
		ASSERT(p.authcid.n > 0 && p.password.n > 0);
	}
	return 0;
}
