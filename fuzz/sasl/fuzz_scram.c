/* Any octets as messages of SCRAM and as a name. */
#include "proto/sasl/scram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view text = view_of(data, size);
	struct buf CLEANUP(buf_done) name = BUF_INIT(SCRAM_MESSAGE_MAX);
	struct scram_first first;
	struct scram_final final;

	if (scram_first_parse(text, &first) == OK) {
		ASSERT(first.gs2_header.n + first.bare.n == size);
		ASSERT(first.name.n > 0 && first.nonce.n > 0);
		if (scram_name_decode(first.name, &name) == OK)
			ASSERT(name.n <= first.name.n);
	}
	if (scram_final_parse(text, &final) == OK)
		ASSERT(final.without_proof.n < size && final.nonce.n > 0);
	return 0;
}
