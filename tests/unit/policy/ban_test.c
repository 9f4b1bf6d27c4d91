/* Tests of policy/ban.h: numbers at the limit and one past it, doubling, networks. */
#include "unit.h"

#include <arpa/inet.h>

#include "policy/ban.h"

static const uint8_t secret[16] = "0123456789abcde";
static const struct ban_rules rules = { .failures = 5, .window_ms = 600000, .time_ms = 3600000 };

static struct ban_network net(const char *text)
{
	struct ban_network n;

	assert_int_equal(ban_network_parse(view_str(text), &n), OK);
	return n;
}

static int setup(void **state)
{
	struct ban_table *t = malloc(sizeof(*t));

	ban_table_init(t, secret);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	ban_table_done(*state);
	free(*state);
	return 0;
}

/* count failures at the given time; the last one's result. */
static const struct ban *fail_times(struct ban_table *t, const char *text, int count, int64_t at)
{
	struct ban_network n = net(text);
	const struct ban *ban = NULL;

	for (int i = 0; i < count; i++)
		ban = ban_failure(t, &rules, &n, at);
	return ban;
}

static void test_the_fifth_failure_bans_for_an_hour(void **state)
{
	struct ban_network n = net("192.0.2.1");
	const struct ban *ban;

	assert_null(fail_times(*state, "192.0.2.1", 4, 1000));
	assert_null(ban_find(*state, &n, 1000));
	ban = fail_times(*state, "192.0.2.1", 1, 1000);
	assert_non_null(ban);
	assert_int_equal(ban->until_ms, 3601000);
	assert_non_null(ban_find(*state, &n, 3600999));
	assert_null(ban_find(*state, &n, 3601000));
}

static void test_failures_outside_the_window_do_not_count(void **state)
{
	assert_null(fail_times(*state, "192.0.2.1", 1, 0));
	assert_null(fail_times(*state, "192.0.2.1", 3, 1));
	assert_null(fail_times(*state, "192.0.2.1", 1, 600001)); /* the first is just too old */
	assert_non_null(fail_times(*state, "192.0.2.1", 1, 600001)); /* the second is just in */
}

static void test_bans_double_up_to_seven_days(void **state)
{
	static const int64_t hours[] = { 1, 2, 4, 8, 16, 32, 64, 128, 168, 168 };
	int64_t now = 0;

	for (size_t i = 0; i < ARRAY_LEN(hours); i++) {
		const struct ban *ban = fail_times(*state, "192.0.2.1", 5, now);

		assert_non_null(ban);
		assert_int_equal(ban->until_ms - now, hours[i] * 3600000);
		now = ban->until_ms + 1;
	}
	/* Seven quiet days later it begins anew. */
	now += BAN_TIME_MAX_MS + 1;
	assert_int_equal(fail_times(*state, "192.0.2.1", 5, now)->until_ms - now, 3600000);
}

static void test_a_v6_network_is_one_peer_and_its_neighbour_another(void **state)
{
	struct ban_network same = net("2001:db8:0:1:ffff::9");
	struct ban_network other = net("2001:db8:0:2::1");

	assert_null(fail_times(*state, "2001:db8:0:1::1", 2, 0));
	assert_null(fail_times(*state, "2001:db8:0:1::2", 2, 0));
	assert_non_null(fail_times(*state, "2001:db8:0:1::3", 1, 0));
	assert_non_null(ban_find(*state, &same, 1));
	assert_null(ban_find(*state, &other, 1));
}

static void test_lift_and_set(void **state)
{
	struct ban_network n = net("192.0.2.1");

	assert_int_equal(ban_lift(*state, &n, 0), ERR_NOTFOUND);
	assert_int_equal(ban_set(*state, &n, 100, 1, 0), OK);
	assert_int_equal(ban_set(*state, &n, 200, 2, 0), OK);
	assert_non_null(ban_find(*state, &n, 199));
	assert_int_equal(ban_lift(*state, &n, 199), OK);
	assert_null(ban_find(*state, &n, 0));
	assert_null(ban_next(*state, NULL));
}

static void test_lift_forgets_earlier_failures(void **state)
{
	struct ban_network n = net("192.0.2.1");

	assert_null(fail_times(*state, "192.0.2.1", 4, 0));
	assert_int_equal(ban_lift(*state, &n, 0), ERR_NOTFOUND);
	assert_null(fail_times(*state, "192.0.2.1", 4, 0));
	assert_non_null(fail_times(*state, "192.0.2.1", 1, 0));
}

static void test_the_table_is_bounded(void **state)
{
	struct ban_table *t = *state;
	struct ban_network n = { .n = 4, .bits = 32 };

	for (uint32_t i = 0; i < BAN_NETWORKS_MAX + 10; i++) {
		memcpy(n.at, &i, sizeof(i));
		assert_null(ban_failure(t, &rules, &n, 0));
		assert_int_equal(ban_set(t, &n, 10, 1, 0), OK);
	}
	assert_int_equal(lru_count(&t->watched), BAN_NETWORKS_MAX);
	assert_int_equal(lru_count(&t->banned), BAN_NETWORKS_MAX);
}

/* The address alone, as guard asks. */
static const struct ban *find(struct ban_table *t, const char *ip, int64_t now)
{
	struct ban_network peer = net(ip), n = peer;
	uint8_t at[16];

	if (inet_pton(AF_INET6, ip, at) == 1)
		assert_int_equal(ban_address_of(view_of(at, 16), &n), OK);
	assert_true(ban_network_contains(&peer, &n));
	return ban_find(t, &n, now);
}

static void set(struct ban_table *t, const char *network, int64_t until)
{
	struct ban_network n = net(network);

	assert_int_equal(ban_set(t, &n, until, 1, 0), OK);
}

static void test_networks_by_hand(void **state)
{
	static const struct {
		const char *network, *first, *last, *before, *after;
	} rows[] = {
		{ "10.0.0.0/8", "10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0" },
		{ "203.0.113.0/25", "203.0.113.0", "203.0.113.127", "203.0.112.255",
		  "203.0.113.128" },
		{ "192.0.2.6/31", "192.0.2.6", "192.0.2.7", "192.0.2.5", "192.0.2.8" },
		{ "192.0.2.6/32", "192.0.2.6", "192.0.2.6", "192.0.2.5", "192.0.2.7" },
		{ "2001::/16", "2001::", "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		  "2000:ffff::", "2002::" },
		{ "2001:db8::/33",
		  "2001:db8::", "2001:db8:7fff:ffff::", "2001:db7:ffff::", "2001:db8:8000::" },
		{ "2001:db8::/64", "2001:db8::", "2001:db8::ffff:ffff:ffff:ffff",
		  "2001:db7:ffff:ffff::", "2001:db8:0:1::" },
		{ "2001:db8::10/124", "2001:db8::10", "2001:db8::1f", "2001:db8::f",
		  "2001:db8::20" },
		{ "2001:db8::1/128", "2001:db8::1", "2001:db8::1", "2001:db8::", "2001:db8::2" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ban_network n = net(rows[i].network);

		set(*state, rows[i].network, 100);
		assert_non_null(find(*state, rows[i].first, 99));
		assert_non_null(find(*state, rows[i].last, 99));
		assert_null(find(*state, rows[i].before, 99));
		assert_null(find(*state, rows[i].after, 99));
		assert_int_equal(ban_lift(*state, &n, 99), OK);
		assert_int_equal(ban_lift(*state, &n, 99), ERR_NOTFOUND);
		assert_null(find(*state, rows[i].first, 99));
		set(*state, rows[i].network, 100);
		assert_null(find(*state, rows[i].first, 100)); /* over */
		assert_int_equal(ban_lift(*state, &n, 100), ERR_NOTFOUND);
	}
}

/* A peer's own ban, and a network's around it, do not touch each other. */
static void test_nested(void **state)
{
	struct ban_table *t = *state;
	struct ban_network inner = net("192.0.2.1"), outer = net("192.0.2.0/24");
	const struct ban *ban;

	set(t, "192.0.2.0/24", 1000);
	assert_non_null(fail_times(t, "192.0.2.1", 5, 0)); /* until 3600000 */
	assert_true(ban_network_is_peer(&find(t, "192.0.2.1", 1)->network));
	assert_int_equal(ban_lift(t, &inner, 1), OK);
	assert_int_equal(find(t, "192.0.2.1", 1)->network.bits, 24);
	assert_int_equal(ban_lift(t, &inner, 1), ERR_NOTFOUND);
	assert_non_null(fail_times(t, "192.0.2.1", 5, 1));
	assert_int_equal(ban_lift(t, &outer, 1), OK);
	assert_non_null(find(t, "192.0.2.1", 1));
	assert_null(find(t, "192.0.2.2", 1));
	/* Shown: peers first, then networks. */
	set(t, "2001:db8::/32", 1000);
	ban = ban_next(t, NULL);
	assert_int_equal(ban->network.bits, 32);
	assert_int_equal(ban->network.n, 4);
	ban = ban_next(t, ban);
	assert_int_equal(ban->network.n, 16);
	assert_null(ban_next(t, ban));
}

static void test_ranges_are_bounded(void **state)
{
	struct ban_table *t = *state;
	struct ban_network n = { .n = 4, .bits = 24 };

	for (uint32_t i = 0; i < BAN_RANGES_MAX; i++) {
		n.at[0] = (uint8_t)(i >> 8);
		n.at[1] = (uint8_t)i;
		assert_int_equal(ban_set(t, &n, 10, 1, 0), OK);
	}
	assert_int_equal(ban_set(t, &n, 20, 1, 0), OK); /* there already */
	n.at[2] = 1;
	assert_int_equal(ban_set(t, &n, 10, 1, 9), ERR_LIMIT);
	set(t, "192.0.2.1", 10); /* not one of them */
	assert_int_equal(ban_set(t, &n, 20, 1, 10), OK); /* the others are over */
	assert_int_equal(lru_count(&t->ranges), 2);
}

static void test_keys(void **state)
{
	static const struct {
		const char *text;
		size_t n;
	} rows[] = {
		{ "192.0.2.1", 4 },	 { "192.0.2.0/24", 5 },	    { "2001:db8::/64", 8 },
		{ "2001:db8::/63", 17 }, { "2001:db8::1/128", 17 },
	};
	static const uint8_t wrong[] = { 10, 0, 0, 1, 24 }, narrow[] = { 10, 0, 0, 0, 33 },
			     wide[] = { 10, 0, 0, 0, 7 };
	struct ban_network n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ban_network from = net(rows[i].text), to;
		uint8_t room[BAN_KEY_MAX];
		struct view key = ban_network_key(&from, room);

		assert_int_equal(key.n, rows[i].n);
		assert_int_equal(ban_network_of_key(key, &to), OK);
		assert_memory_equal(&from, &to, sizeof(from));
		assert_int_equal(ban_network_of_key(view_head(key, key.n - 2), &to), ERR_CORRUPT);
	}
	assert_int_equal(ban_network_of_key(view_of(wrong, 5), &n), ERR_CORRUPT);
	assert_int_equal(ban_network_of_key(view_of(narrow, 5), &n), ERR_CORRUPT);
	assert_int_equal(ban_network_of_key(view_of(wide, 5), &n), ERR_CORRUPT);
	assert_int_equal(ban_network_of_key(VIEW_EMPTY, &n), ERR_CORRUPT);
}

static void test_networks_as_text(void **state)
{
	static const struct {
		const char *text;
		const char *shown; /* NULL: refused */
		enum err err;
	} rows[] = {
		{ "192.0.2.1", "192.0.2.1", OK },
		{ "192.0.2.1/32", "192.0.2.1", OK },
		{ "::ffff:192.0.2.1", "192.0.2.1", OK },
		{ "2001:db8::1", "2001:db8::/64", OK },
		{ "2001:db8:1:2:3:4:5:6/64", "2001:db8:1:2::/64", OK },
		{ "192.0.2.0/24", "192.0.2.0/24", OK },
		{ "192.0.2.77/24", "192.0.2.0/24", OK },
		{ "10.1.2.3/8", "10.0.0.0/8", OK },
		{ "::ffff:192.0.2.77/120", "192.0.2.0/24", OK },
		{ "2001:db8::/48", "2001:db8::/48", OK },
		{ "2001:db8::1/16", "2001::/16", OK },
		{ "2001:db8::1/128", "2001:db8::1/128", OK },
		{ "10.0.0.0/7", NULL, ERR_RANGE },
		{ "10.0.0.0/0", NULL, ERR_RANGE },
		{ "10.0.0.0/33", NULL, ERR_RANGE },
		{ "2001::/15", NULL, ERR_RANGE },
		{ "2001::/129", NULL, ERR_RANGE },
		{ "2001::/0064", NULL, ERR_RANGE },
		{ "::ffff:0.0.0.0/96", NULL, ERR_RANGE },
		{ "::ffff:10.0.0.0/103", NULL, ERR_RANGE },
		{ "192.0.2.0/", NULL, ERR_RANGE },
		{ "192.0.2.0/-1", NULL, ERR_RANGE },
		{ "192.0.2.0/24/24", NULL, ERR_RANGE },
		{ "192.0.2/24", NULL, ERR_SYNTAX },
		{ "/24", NULL, ERR_SYNTAX },
		{ "example.org", NULL, ERR_SYNTAX },
		{ "", NULL, ERR_SYNTAX },
		{ "192.0.2.1 ", NULL, ERR_SYNTAX },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf CLEANUP(buf_done) out = BUF_INIT(100);
		struct ban_network n = { .n = 99 };
		enum err err = ban_network_parse(view_str(rows[i].text), &n);

		assert_int_equal(err, rows[i].err);
		if (!rows[i].shown) {
			assert_int_equal(n.n, 99);
			continue;
		}
		ban_network_add(&out, &n);
		assert_string_equal(buf_cstr(&out), rows[i].shown);
	}
}

static void test_addresses_of_a_wrong_length(void **state)
{
	struct ban_network n;

	(void)state;
	for (size_t i = 0; i <= 17; i++) {
		static const char zero[17];

		assert_int_equal(ban_network_of(view_of(zero, i), &n),
				 i == 4 || i == 16 ? OK : ERR_SYNTAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_fifth_failure_bans_for_an_hour, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_failures_outside_the_window_do_not_count,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_bans_double_up_to_seven_days, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_v6_network_is_one_peer_and_its_neighbour_another, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lift_and_set, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lift_forgets_earlier_failures, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_the_table_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_networks_by_hand, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nested, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ranges_are_bounded, setup, teardown),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_networks_as_text),
		cmocka_unit_test(test_addresses_of_a_wrong_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
