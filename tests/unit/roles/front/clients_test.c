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
	struct client *gone, *here, *known;

	assert_int_equal(clients_open(&c, ip(1), 0, &limits, &gone), OK);
	assert_int_equal(clients_open(&c, ip(2), 0, &limits, &here), OK);
	assert_int_equal(clients_open(&c, ip(3), 0, &limits, &known), OK);
	known->known = true;
	clients_close(&c, gone, 100);
	clients_close(&c, known, 100);
	clients_sweep(&c, 60099);
	assert_int_equal(c.map.n, 3);
	clients_sweep(&c, 60100);
	assert_int_equal(c.map.n, 2);
	assert_true(clients_is_known(&c, ip(3)));
	assert_false(clients_is_known(&c, ip(2)));
	assert_false(clients_is_known(&c, ip(1)));
	clients_sweep(&c, 100 + CLIENT_KNOWN_MS);
	assert_int_equal(c.map.n, 1);
}

/* More addresses than can be remembered: who is gone makes room, who is here stays. */
static void full(void **state)
{
	struct client *k, *here;

	assert_int_equal(clients_open(&c, ip(1), 0, &limits, &here), OK);
	for (uint32_t i = 0; i < CLIENTS_MAX + 1000U; i++) {
		uint8_t a[4] = { 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i };

		assert_int_equal(clients_open(&c, view_of(a, 4), 0, &limits, &k), OK);
		clients_close(&c, k, 0);
	}
	assert_true(c.map.n <= CLIENTS_MAX);
	assert_int_equal(clients_open(&c, ip(1), 0, &limits, &k), OK);
	assert_ptr_equal(k, here);
	assert_int_equal(k->active, 2);
}

static void full_of_open_connections(void **state)
{
	struct client *k;
	uint8_t a[4] = { 11, 0, 0, 0 };

	for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
		uint8_t b[4] = { 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i };

		assert_int_equal(clients_open(&c, view_of(b, 4), 0, &limits, &k), OK);
	}
	assert_int_equal(clients_open(&c, view_of(a, 4), 0, &limits, &k), ERR_NOMEM);
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
		cmocka_unit_test_setup_teardown(full, setup, teardown),
		cmocka_unit_test_setup_teardown(full_of_open_connections, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
