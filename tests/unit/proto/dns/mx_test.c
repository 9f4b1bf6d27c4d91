/*
 * tests/unit/proto/dns/mx_test.c: which exchangers are tried, in which order.
 */
#include "proto/dns/mx.h"

#include "unit.h"

#define MX(preference, literal)                                                                    \
	{                                                                                          \
		(preference), VIEW_INIT(literal)                                                   \
	}

static const struct view own = VIEW_INIT("own.test");

static void test_order(void **state)
{
	struct dns_mx mx[] = { MX(30, "c"), MX(10, "a"), MX(20, "b") };
	size_t n = ARRAY_LEN(mx);

	assert_int_equal(dns_mx_choose(mx, &n, own, 7), DNS_MX_HOSTS);
	assert_int_equal(n, 3);
	assert_view(mx[0].name, "a");
	assert_view(mx[1].name, "b");
	assert_view(mx[2].name, "c");
}

/* Equals come first about equally often, and never before a better one. */
static void test_shuffle(void **state)
{
	size_t first = 0;

	for (uint64_t seed = 0; seed < 1000; seed++) {
		struct dns_mx mx[] = { MX(20, "x"), MX(20, "y"), MX(10, "best") };
		size_t n = ARRAY_LEN(mx);

		assert_int_equal(dns_mx_choose(mx, &n, own, seed * 0x9e3779b97f4a7c15),
				 DNS_MX_HOSTS);
		assert_view(mx[0].name, "best");
		first += view_eq(mx[1].name, VIEW("x"));
	}
	assert_in_range(first, 400, 600);
}

static void test_null(void **state)
{
	struct dns_mx mx[] = { MX(0, ""), MX(10, "a") };
	size_t n = 1;

	assert_int_equal(dns_mx_choose(mx, &n, own, 1), DNS_MX_REFUSED);
	assert_int_equal(n, 0);
	n = 2;
	assert_int_equal(dns_mx_choose(mx, &n, own, 1), DNS_MX_HOSTS);
	assert_int_equal(n, 1);
	assert_view(mx[0].name, "a");
}

static void test_none(void **state)
{
	struct dns_mx mx[] = { MX(0, ""), MX(1, "") };
	size_t n = 0;

	assert_int_equal(dns_mx_choose(mx, &n, own, 1), DNS_MX_NONE);
	n = 2;
	assert_int_equal(dns_mx_choose(mx, &n, own, 1), DNS_MX_NONE);
	assert_int_equal(n, 0);
}

static void test_self(void **state)
{
	struct dns_mx backup[] = { MX(20, "own.test"), MX(10, "main"), MX(20, "peer"),
				   MX(30, "worse") };
	struct dns_mx loop[] = { MX(10, "own.test"), MX(10, "peer"), MX(20, "worse") };
	size_t n = ARRAY_LEN(backup);

	assert_int_equal(dns_mx_choose(backup, &n, own, 3), DNS_MX_HOSTS);
	assert_int_equal(n, 1);
	assert_view(backup[0].name, "main");
	for (uint64_t seed = 0; seed < 20; seed++) {
		n = ARRAY_LEN(loop);
		assert_int_equal(dns_mx_choose(loop, &n, own, seed), DNS_MX_SELF);
		assert_int_equal(n, 0);
	}
}

static void test_repeated(void **state)
{
	struct dns_mx mx[] = { MX(20, "a"), MX(15, "b"), MX(10, "a") };
	size_t n = ARRAY_LEN(mx);

	assert_int_equal(dns_mx_choose(mx, &n, own, 1), DNS_MX_HOSTS);
	assert_int_equal(n, 2);
	assert_view(mx[0].name, "a");
	assert_int_equal(mx[0].preference, 10);
	assert_view(mx[1].name, "b");
}

static void test_limit(void **state)
{
	struct dns_mx mx[DNS_MX_MAX + 1];
	char names[DNS_MX_MAX + 1][2];
	size_t n = DNS_MX_MAX;

	for (size_t round = 0; round < 2; round++, n = DNS_MX_MAX + 1) {
		for (size_t i = 0; i < n; i++) {
			names[i][0] = (char)('a' + i / 10);
			names[i][1] = (char)('0' + i % 10);
			mx[i] = (struct dns_mx){ (uint16_t)i, view_of(names[i], 2) };
		}
		assert_int_equal(dns_mx_choose(mx, &n, own, 1), DNS_MX_HOSTS);
		assert_int_equal(n, DNS_MX_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order), cmocka_unit_test(test_shuffle),
		cmocka_unit_test(test_null),  cmocka_unit_test(test_none),
		cmocka_unit_test(test_self),  cmocka_unit_test(test_repeated),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
