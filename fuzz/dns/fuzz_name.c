/*
 * fuzz/dns/fuzz_name.c: any octets as a name, as text and on the wire, and as an endpoint.
 */
#include "base/ascii.h"
#include "proto/dns/ip.h"
#include "proto/dns/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct view name)
{
	ASSERT(name.n <= DNS_NAME_MAX);
	for (size_t i = 0; i < name.n; i++) {
		uint8_t c = view_at(name, i);

		ASSERT(ascii_is_graph(c) && !ascii_is_upper(c));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view input = view_of(data, size);
	char room[DNS_NAME_ROOM], again[DNS_NAME_ROOM];
	struct view name, same, host;
	struct dns_ip ip;
	size_t used;
	uint16_t port;

	if (!dns_name_from_wire(input, room, &name, &used)) {
		ASSERT(used <= size);
		check(name);
	}
	if (!dns_name_normalize(input, room, &name)) {
		check(name);
		ASSERT(!dns_name_normalize(name, again, &same) && view_eq(name, same));
	}
	if (!dns_endpoint_parse(input, 25, &host, &port))
		ASSERT(host.n && port);
	if (!dns_ip_parse(input, &ip))
		(void)dns_ip_classify(&ip);
	return 0;
}
