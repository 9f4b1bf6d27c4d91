/*
 * tests/unit/proto/dns/ip_test.c: addresses and endpoints.
 */
#include "proto/dns/ip.h"

#include "unit.h"

static void test_text(void **state)
{
	static const char *const same[] = { "192.0.2.1", "2001:db8::1", "::1", "255.255.255.255" };
	char room[DNS_IP_TEXT_MAX];
	struct dns_ip ip;

	for (size_t i = 0; i < ARRAY_LEN(same); i++) {
		assert_int_equal(dns_ip_parse(view_str(same[i]), &ip), OK);
		assert_true(view_eq(dns_ip_text(&ip, room), view_str(same[i])));
	}
	assert_int_equal(dns_ip_parse(VIEW("::ffff:10.0.0.1"), &ip), OK);
	assert_int_equal(ip.n, 4);
	assert_view(dns_ip_text(&ip, room), "10.0.0.1");
}

static void test_not_text(void **state)
{
	static const struct view bad[] = {
		VIEW_INIT(""),
		VIEW_INIT("1"),
		VIEW_INIT("1.2.3"),
		VIEW_INIT("256.1.1.1"),
		VIEW_INIT("1.2.3.4\0"),
		VIEW_INIT("1.2.3.4 "),
		VIEW_INIT("01.2.3.4"),
		VIEW_INIT(":::"),
		VIEW_INIT("::1%lo"),
		VIEW_INIT("12345:1::"),
		VIEW_INIT("example.test"),
		VIEW_INIT("1111111111111111111111111111111111111111111111"),
	};
	struct dns_ip ip = { .n = 99 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(dns_ip_parse(bad[i], &ip), ERR_SYNTAX);
		assert_int_equal(ip.n, 99);
	}
	assert_int_equal(dns_ip_from_octets(VIEW("12345"), &ip), ERR_SYNTAX);
	assert_int_equal(ip.n, 99);
}

static void test_kinds(void **state)
{
	static const struct {
		const char *text;
		enum dns_ip_kind kind;
	} rows[] = {
		{ "8.8.8.8", DNS_IP_PUBLIC },
		{ "100.63.255.255", DNS_IP_PUBLIC },
		{ "172.15.255.255", DNS_IP_PUBLIC },
		{ "172.32.0.0", DNS_IP_PUBLIC },
		{ "223.255.255.255", DNS_IP_PUBLIC },
		{ "2a00:1450::1", DNS_IP_PUBLIC },
		{ "2002:808:808::1", DNS_IP_PUBLIC },
		{ "64:ff9b::8.8.8.8", DNS_IP_PUBLIC },
		{ "127.0.0.1", DNS_IP_LOOPBACK },
		{ "127.255.255.255", DNS_IP_LOOPBACK },
		{ "::1", DNS_IP_LOOPBACK },
		{ "::ffff:127.0.0.1", DNS_IP_LOOPBACK },
		{ "::127.0.0.1", DNS_IP_LOOPBACK },
		{ "64:ff9b::127.0.0.1", DNS_IP_LOOPBACK },
		{ "2002:7f00:1::1", DNS_IP_LOOPBACK },
		{ "10.0.0.1", DNS_IP_PRIVATE },
		{ "100.64.0.0", DNS_IP_PRIVATE },
		{ "100.127.255.255", DNS_IP_PRIVATE },
		{ "172.16.0.0", DNS_IP_PRIVATE },
		{ "172.31.255.255", DNS_IP_PRIVATE },
		{ "192.168.1.1", DNS_IP_PRIVATE },
		{ "169.254.169.254", DNS_IP_PRIVATE },
		{ "fd00::1", DNS_IP_PRIVATE },
		{ "fe80::1", DNS_IP_PRIVATE },
		{ "2002:a00:1::1", DNS_IP_PRIVATE },
		{ "0.0.0.0", DNS_IP_UNUSABLE },
		{ "192.0.2.1", DNS_IP_UNUSABLE },
		{ "224.0.0.1", DNS_IP_UNUSABLE },
		{ "255.255.255.255", DNS_IP_UNUSABLE },
		{ "::", DNS_IP_UNUSABLE },
		{ "ff02::1", DNS_IP_UNUSABLE },
		{ "2001:db8::1", DNS_IP_UNUSABLE },
		{ "2001::1", DNS_IP_UNUSABLE },
		{ "4000::1", DNS_IP_UNUSABLE },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dns_ip ip;

		assert_int_equal(dns_ip_parse(view_str(rows[i].text), &ip), OK);
		if (dns_ip_classify(&ip) != rows[i].kind)
			fail_msg("%s is not of kind %d", rows[i].text, (int)rows[i].kind);
	}
}

static void test_endpoint(void **state)
{
	static const struct {
		const char *text;
		const char *host;
		uint16_t port;
	} rows[] = {
		{ "relay.test", "relay.test", 25 },
		{ "relay.test:587", "relay.test", 587 },
		{ "127.0.0.1:65535", "127.0.0.1", 65535 },
		{ "[::1]", "::1", 25 },
		{ "[::1]:2525", "::1", 2525 },
		{ "::1", "::1", 25 },
		{ "fd00::2:53", "fd00::2:53", 25 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct view host;
		uint16_t port;

		assert_int_equal(dns_endpoint_parse(view_str(rows[i].text), 25, &host, &port), OK);
		assert_true(view_eq(host, view_str(rows[i].host)));
		assert_int_equal(port, rows[i].port);
	}
}

static void test_endpoint_bad(void **state)
{
	static const char *const bad[] = { "",	      ":25",  "a:",    "a:x",	  "a:0",
					   "a:65536", "[::1", "[]:25", "[::1]25", "[::1]:" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct view host = VIEW_INIT("canary");
		uint16_t port = 7;

		assert_int_not_equal(dns_endpoint_parse(view_str(bad[i]), 25, &host, &port), OK);
		assert_view(host, "canary");
		assert_int_equal(port, 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),	     cmocka_unit_test(test_not_text),
		cmocka_unit_test(test_kinds),	     cmocka_unit_test(test_endpoint),
		cmocka_unit_test(test_endpoint_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
