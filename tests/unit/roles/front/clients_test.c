/*
 * Tests of roles/front/clients.c: each limit at its value and one past it.
 */
#include "unit.h"

#include "roles/front/clients.h"

static struct clients c;
static const struct client_limits limits = { .active = 3, .per_minute = 5 };

static int setup(void **state)
{
	static const uint8_t secret[16] = "0123456789abcde";

	clients_init(&c, secret);
	return 0;
}

static int teardown(void **state)
{
	clients_done(&c);
	return 0;
}

static struct view ip(uint8_t last)
{
	static uint8_t room[256][4];

	memcpy(room[last], (uint8_t[]){ 192, 0, 2, last }, 4);
	return view_of(room[last], 4);
}

static void active(void **state)
{
	struct client *k[4];

	for (int i = 0; i < 3; i++)
		assert_int_equal(clients_open(&c, ip(1), 1000, &limits, &k[i]), OK);
	assert_int_equal(clients_open(&c, ip(1), 1000, &limits, &k[3]), ERR_BUSY);
	assert_ptr_equal(k[3], k[0]);
	assert_int_equal(clients_open(&c, ip(2), 1000, &limits, &k[3]), OK);
	clients_close(&c, k[0], 1000);
	assert_int_equal(clients_open(&c, ip(1), 1000, &limits, &k[0]), OK);
}

static void per_minute(void **state)
{
	struct client *k;

	for (int i = 0; i < 5; i++) {
		assert_int_equal(clients_open(&c, ip(1), 1000, &limits, &k), OK);
		clients_close(&c, k, 1000);
	}
	assert_int_equal(clients_open(&c, ip(1), 60999, &limits, &k), ERR_LIMIT);
	assert_int_equal(clients_open(&c, ip(1), 61000, &limits, &k), OK);
}

static void a_network_is_one_client(void **state)
{
	uint8_t a[16] = { 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 1, 1 };
	uint8_t b[16] = { 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 1, 2 };
	uint8_t other[16] = { 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 2, 1 };
	struct client *k, *first;

	assert_int_equal(clients_open(&c, view_of(a, 16), 1, &limits, &first), OK);
	assert_int_equal(clients_open(&c, view_of(b, 16), 1, &limits, &k), OK);
	assert_ptr_equal(k, first);
	assert_int_equal(clients_open(&c, view_of(other, 16), 1, &limits, &k), OK);
	assert_ptr_not_equal(k, first);
}

static void shakes(void **state)
{
	struct client *k;

	assert_int_equal(clients_open(&c, ip(1), 5000, &limits, &k), OK);
	for (int i = 0; i < 10; i++)
		assert_true(client_may_shake(k, 5000, 10));
	assert_false(client_may_shake(k, 5999, 10));
	assert_true(client_may_shake(k, 6000, 10));
}

static void logging(void **state)
{
	struct client *k;

	assert_int_equal(clients_open(&c, ip(1), 5000, &limits, &k), OK);
	assert_true(client_may_log(k, 5000));
	assert_false(client_may_log(k, 64999));
	assert_true(client_may_log(k, 65000));
}

static void sweeping(void **state)
{
	struct client *gone, *here;

	assert_int_equal(clients_open(&c, ip(1), 0, &limits, &gone), OK);
	assert_int_equal(clients_open(&c, ip(2), 0, &limits, &here), OK);
	clients_close(&c, gone, 100);
	clients_sweep(&c, 60099);
	assert_int_equal(c.map.n, 2);
	clients_sweep(&c, 60100);
	assert_int_equal(c.map.n, 1);
}

static struct view numbered(uint8_t net, uint32_t i)
{
	static uint8_t a[4];

	memcpy(a, (uint8_t[]){ net, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i }, 4);
	return view_of(a, 4);
}

/* Only who was served is known, for a while that begins anew each time. */
static void known(void **state)
{
	int64_t day = 24 * 3600 * 1000;
	struct client *k;

	assert_int_equal(clients_open(&c, ip(1), 0, &limits, &k), OK);
	clients_close(&c, k, 1000);
	assert_false(clients_is_known(&c, ip(1), 1000));
	clients_served(&c, ip(1), 1000);
	clients_sweep(&c, 2 * day);
	assert_int_equal(c.map.n, 0);
	assert_true(clients_is_known(&c, ip(1), 2 * day));
	assert_false(clients_is_known(&c, ip(2), 2 * day));
	assert_true(clients_is_known(&c, ip(1), 1000 + CLIENT_KNOWN_MS - 1));
	clients_served(&c, ip(1), 1000 + CLIENT_KNOWN_MS - 1);
	assert_true(clients_is_known(&c, ip(1), 1000 + CLIENT_KNOWN_MS));
	assert_false(clients_is_known(&c, ip(1), 1000 + 2 * (int64_t)CLIENT_KNOWN_MS));
	assert_int_equal(lru_count(&c.known), 0);
}

static void known_network(void **state)
{
	uint8_t a[16] = { 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 1, 1 };
	uint8_t b[16] = { 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 1, 2 };
	uint8_t other[16] = { 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 2, 1 };

	clients_served(&c, view_of(a, 16), 0);
	assert_true(clients_is_known(&c, view_of(b, 16), 1));
	assert_false(clients_is_known(&c, view_of(other, 16), 1));
}

/* Bounded; who came back lately stays, who was not seen for longest goes. */
static void known_full(void **state)
{
	clients_served(&c, ip(1), 0);
	for (uint32_t i = 0; i < CLIENTS_KNOWN_MAX - 1; i++)
		clients_served(&c, numbered(10, i), 1);
	assert_true(clients_is_known(&c, ip(1), 2)); /* seen again */
	clients_served(&c, numbered(11, 0), 3);
	assert_int_equal(lru_count(&c.known), CLIENTS_KNOWN_MAX);
	assert_true(clients_is_known(&c, ip(1), 4));
	assert_false(clients_is_known(&c, numbered(10, 0), 4));
	assert_true(clients_is_known(&c, numbered(10, 1), 4));
	assert_true(clients_is_known(&c, numbered(11, 0), 4));
}

/* More addresses than can be remembered: who is gone makes room, who is here stays, who is known is known. */
static void full(void **state)
{
	struct client *k, *here;

	clients_served(&c, ip(2), 0);
	assert_int_equal(clients_open(&c, ip(1), 0, &limits, &here), OK);
	for (uint32_t i = 0; i < CLIENTS_MAX + 1000U; i++) {
		assert_int_equal(clients_open(&c, numbered(10, i), 0, &limits, &k), OK);
		clients_close(&c, k, 0);
	}
	assert_true(c.map.n <= CLIENTS_MAX);
	assert_int_equal(clients_open(&c, ip(1), 0, &limits, &k), OK);
	assert_ptr_equal(k, here);
	assert_int_equal(k->active, 2);
	assert_true(clients_is_known(&c, ip(2), 0));
}

/* Strangers hold all that strangers can: one more is refused, known clients are not. */
static void full_of_open_connections(void **state)
{
	struct client *k;

	for (uint32_t i = 0; i < CLIENTS_STRANGERS_MAX; i++)
		assert_int_equal(clients_open(&c, numbered(10, i), 0, &limits, &k), OK);
	assert_int_equal(clients_open(&c, numbered(11, 0), 0, &limits, &k), ERR_NOMEM);
	for (uint32_t i = CLIENTS_STRANGERS_MAX; i < CLIENTS_MAX; i++) {
		clients_served(&c, numbered(12, i), 0);
		assert_int_equal(clients_open(&c, numbered(12, i), 0, &limits, &k), OK);
	}
	clients_served(&c, ip(1), 0);
	assert_int_equal(clients_open(&c, ip(1), 0, &limits, &k), ERR_NOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(active, setup, teardown),
		cmocka_unit_test_setup_teardown(per_minute, setup, teardown),
		cmocka_unit_test_setup_teardown(a_network_is_one_client, setup, teardown),
		cmocka_unit_test_setup_teardown(shakes, setup, teardown),
		cmocka_unit_test_setup_teardown(logging, setup, teardown),
		cmocka_unit_test_setup_teardown(sweeping, setup, teardown),
		cmocka_unit_test_setup_teardown(known, setup, teardown),
		cmocka_unit_test_setup_teardown(known_network, setup, teardown),
		cmocka_unit_test_setup_teardown(known_full, setup, teardown),
		cmocka_unit_test_setup_teardown(full, setup, teardown),
		cmocka_unit_test_setup_teardown(full_of_open_connections, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
