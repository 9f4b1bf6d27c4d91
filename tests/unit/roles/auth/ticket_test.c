/* Tests of tickets. */
#include "unit.h"

#include <sodium.h>

#include "ticket.h"

static const uint8_t key[32] = "0123456789abcdef0123456789abcde";

static int setup(void **state)
{
	struct tickets *t = malloc(sizeof(*t));

	if (!t || sodium_init() < 0)
		return -1;
	tickets_init(t, key);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	tickets_done(*state);
	free(*state);
	return 0;
}

static enum err redeem(struct tickets *t, const uint8_t *ticket, uint64_t session, int64_t now)
{
	uint64_t account = CANARY;
	enum err err = ticket_redeem(t, view_of(ticket, TICKET_LEN), session, now, &account);

	assert_true(account == (err ? CANARY : 7));
	return err;
}

static void test_once_by_its_session_in_time(void **state)
{
	uint8_t a[TICKET_LEN];
	uint8_t b[TICKET_LEN];

	assert_int_equal(ticket_issue(*state, 7, 1, 10000, a), OK);
	assert_int_equal(ticket_issue(*state, 7, 1, 10000, b), OK);
	assert_memory_not_equal(a, b, TICKET_LEN);
	assert_int_equal(redeem(*state, a, 1, 9999), OK);
	assert_int_equal(redeem(*state, a, 1, 9999), ERR_DENIED); /* twice */
	assert_int_equal(redeem(*state, b, 1, 10000), ERR_DENIED); /* late */
	assert_int_equal(redeem(*state, b, 1, 0), ERR_DENIED); /* and burnt by that */
}

static void test_another_session_burns_it(void **state)
{
	uint8_t a[TICKET_LEN];

	assert_int_equal(ticket_issue(*state, 7, 1, 10000, a), OK);
	assert_int_equal(redeem(*state, a, 2, 0), ERR_DENIED);
	assert_int_equal(redeem(*state, a, 1, 0), ERR_DENIED);
}

static void test_invented_ones(void **state)
{
	uint8_t a[TICKET_LEN] = { 0 };
	uint64_t account = CANARY;

	assert_int_equal(redeem(*state, a, 0, 0), ERR_DENIED);
	assert_int_equal(ticket_redeem(*state, VIEW_EMPTY, 0, 0, &account), ERR_DENIED);
}

static void test_forgotten_with_their_account(void **state)
{
	uint8_t a[TICKET_LEN];
	uint8_t b[TICKET_LEN];

	assert_int_equal(ticket_issue(*state, 8, 1, 10000, a), OK);
	assert_int_equal(ticket_issue(*state, 7, 1, 10000, b), OK);
	tickets_forget(*state, 8);
	assert_int_equal(redeem(*state, a, 1, 0), ERR_DENIED);
	assert_int_equal(redeem(*state, b, 1, 0), OK);
}

static void test_bounded(void **state)
{
	struct tickets *t = *state;
	uint8_t first[TICKET_LEN];
	uint8_t other[TICKET_LEN];

	assert_int_equal(ticket_issue(t, 7, 1, 10000, first), OK);
	for (int i = 0; i < TICKETS_MAX - 1; i++)
		assert_int_equal(ticket_issue(t, 7, 1, 10000, other), OK);
	assert_int_equal(lru_count(&t->table), TICKETS_MAX);
	assert_int_equal(ticket_issue(t, 7, 1, 10000, other), OK);
	assert_int_equal(lru_count(&t->table), TICKETS_MAX);
	assert_int_equal(redeem(t, first, 1, 0), ERR_DENIED);
	assert_int_equal(redeem(t, other, 1, 0), OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_once_by_its_session_in_time),
		TEST(test_another_session_burns_it),
		TEST(test_invented_ones),
		TEST(test_forgotten_with_their_account),
		TEST(test_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
