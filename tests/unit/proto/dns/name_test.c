/*
 * tests/unit/proto/dns/name_test.c: names as text and on the wire.
 */
#include "proto/dns/name.h"

#include "base/buf.h"
#include "unit.h"

static void assert_refused(struct view text, enum err want)
{
	char room[DNS_NAME_ROOM];
	struct view name = VIEW_INIT("canary");

	assert_int_equal(dns_name_normalize(text, room, &name), want);
	assert_view(name, "canary");
}

static void test_normalize(void **state)
{
	char room[DNS_NAME_ROOM];
	struct view name;

	assert_int_equal(dns_name_normalize(VIEW("Example.TEST."), room, &name), OK);
	assert_view(name, "example.test");
	assert_int_equal(dns_name_normalize(VIEW("_25._tcp.mx-1.test"), room, &name), OK);
	assert_view(name, "_25._tcp.mx-1.test");
	assert_int_equal(dns_name_normalize(VIEW("localhost"), room, &name), OK);
	assert_view(name, "localhost");
}

static void test_refused(void **state)
{
	assert_refused(VIEW(""), ERR_SYNTAX);
	assert_refused(VIEW("."), ERR_SYNTAX);
	assert_refused(VIEW("a..b"), ERR_SYNTAX);
	assert_refused(VIEW("a.."), ERR_SYNTAX);
	assert_refused(VIEW(".a"), ERR_SYNTAX);
	assert_refused(VIEW("-a.test"), ERR_SYNTAX);
	assert_refused(VIEW("a-.test"), ERR_SYNTAX);
	assert_refused(VIEW("a b"), ERR_SYNTAX);
	assert_refused(VIEW("a\0b"), ERR_SYNTAX);
	assert_refused(VIEW("a\r\nb"), ERR_SYNTAX);
	assert_refused(VIEW("%n.test"), ERR_SYNTAX);
	assert_refused(VIEW("\xff.test"), ERR_SYNTAX);
	assert_refused(VIEW("b\xc3\xbc"
			    "cher.test"),
		       ERR_SYNTAX);
}

/* A name of labels of 63 octets, the last cut to make n octets in all. */
static struct view long_name(char *room, size_t n)
{
	for (size_t i = 0; i < n; i++)
		room[i] = i % 64 == 63 ? '.' : 'a';
	return view_of(room, n);
}

static void test_limits(void **state)
{
	char text[DNS_NAME_MAX + 1];
	char room[DNS_NAME_ROOM];
	struct view name;

	assert_int_equal(dns_name_normalize(long_name(text, DNS_NAME_MAX), room, &name), OK);
	assert_int_equal(name.n, DNS_NAME_MAX);
	assert_refused(long_name(text, DNS_NAME_MAX + 1), ERR_LIMIT);
	memset(text, 'a', sizeof(text));
	assert_int_equal(dns_name_normalize(view_of(text, DNS_LABEL_MAX), room, &name), OK);
	assert_refused(view_of(text, DNS_LABEL_MAX + 1), ERR_LIMIT);
}

static void test_from_wire(void **state)
{
	char room[DNS_NAME_ROOM];
	struct view name;
	size_t used;
	struct view wire = VIEW_INIT("\3Mx1\7example\4test\0rest");

	assert_int_equal(dns_name_from_wire(wire, room, &name, &used), OK);
	assert_view(name, "mx1.example.test");
	assert_int_equal(used, 18);
	assert_int_equal(dns_name_from_wire(VIEW("\0"), room, &name, &used), OK);
	assert_int_equal(name.n, 0);
	assert_int_equal(used, 1);
}

static void test_from_wire_hostile(void **state)
{
	static const struct view bad[] = {
		VIEW_INIT(""),	       VIEW_INIT("\3mx1"),	 VIEW_INIT("\4mx1"),
		VIEW_INIT("\xc0\x00"), VIEW_INIT("\1a\xc0\x0c"), VIEW_INIT("\3a.b\0"),
		VIEW_INIT("\3a\0b\0"), VIEW_INIT("\2\r\n\0"),	 VIEW_INIT("\2%n\0"),
		VIEW_INIT("\1\xff\0"), VIEW_INIT("\2a \0"),
	};
	char room[DNS_NAME_ROOM];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct view name = VIEW_INIT("canary");
		size_t used = (size_t)CANARY;
		char *tight = tight_copy(bad[i]);

		assert_int_equal(dns_name_from_wire(view_of(tight, bad[i].n), room, &name, &used),
				 ERR_SYNTAX);
		assert_view(name, "canary");
		assert_int_equal(used, (size_t)CANARY);
		free(tight);
	}
}

static void test_from_wire_limits(void **state)
{
	struct buf CLEANUP(buf_done) wire = BUF_INIT(1000);
	char room[DNS_NAME_ROOM];
	struct view name;
	size_t used;

	for (size_t i = 0; i < 3; i++) {
		buf_add_char(&wire, 63);
		buf_add_fill(&wire, 'a', 63);
	}
	buf_add_char(&wire, 61);
	buf_add_fill(&wire, 'a', 61);
	buf_add_char(&wire, '\0');
	assert_int_equal(dns_name_from_wire(buf_view(&wire), room, &name, &used), OK);
	assert_int_equal(name.n, DNS_NAME_MAX);
	assert_int_equal(used, 255);
	wire.p[192] = 62;
	buf_add_char(&wire, '\0');
	wire.p[wire.n - 2] = 'a';
	assert_int_equal(dns_name_from_wire(buf_view(&wire), room, &name, &used), ERR_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_normalize),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_from_wire),
		cmocka_unit_test(test_from_wire_hostile),
		cmocka_unit_test(test_from_wire_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
