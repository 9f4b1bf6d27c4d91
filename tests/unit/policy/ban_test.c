/* Tests of policy/ban.h: numbers at the limit and one past it, doubling, networks. */
#include "unit.h"

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
	assert_int_equal(ban_set(*state, &n, 100, 1), OK);
	assert_int_equal(ban_set(*state, &n, 200, 2), OK);
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
	struct ban_network n = { .n = 4 };

	for (uint32_t i = 0; i < BAN_NETWORKS_MAX + 10; i++) {
		memcpy(n.at, &i, sizeof(i));
		assert_null(ban_failure(t, &rules, &n, 0));
		assert_int_equal(ban_set(t, &n, 10, 1), OK);
	}
	assert_int_equal(lru_count(&t->watched), BAN_NETWORKS_MAX);
	assert_int_equal(lru_count(&t->banned), BAN_NETWORKS_MAX);
}

static void test_networks_as_text(void **state)
{
	static const struct {
		const char *text;
		const char *shown; /* NULL: refused */
	} rows[] = {
		{ "192.0.2.1", "192.0.2.1" },
		{ "::ffff:192.0.2.1", "192.0.2.1" },
		{ "2001:db8::1", "2001:db8::/64" },
		{ "2001:db8:1:2:3:4:5:6/64", "2001:db8:1:2::/64" },
		{ "192.0.2.0/24", NULL },
		{ "2001:db8::/48", NULL },
		{ "example.org", NULL },
		{ "", NULL },
		{ "192.0.2.1 ", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf CLEANUP(buf_done) out = BUF_INIT(100);
		struct ban_network n = { .n = 99 };
		enum err err = ban_network_parse(view_str(rows[i].text), &n);

		if (!rows[i].shown) {
			assert_int_equal(err, ERR_SYNTAX);
			assert_int_equal(n.n, 99);
			continue;
		}
		assert_int_equal(err, OK);
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
		cmocka_unit_test(test_networks_as_text),
		cmocka_unit_test(test_addresses_of_a_wrong_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
