/* Tests of the answers about addresses, and of forgetting them. */
#include "fixture.h"

static void test_recipients(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(auth_recipient(f->auth, VIEW("Anna@example.org")), ROUTE_OK);
	assert_int_equal(auth_recipient(f->auth, VIEW("anna+x@example.org")), ROUTE_OK);
	assert_int_equal(auth_recipient(f->auth, VIEW("eve@example.org")), ROUTE_UNKNOWN);
	assert_int_equal(auth_recipient(f->auth, VIEW("eve@elsewhere.example")), ROUTE_NOT_OURS);
	assert_int_equal(auth_recipient(f->auth, VIEW("postmaster")), ROUTE_OK);
	assert_int_equal(auth_recipient(f->auth, VIEW("")), ROUTE_UNKNOWN);
}

static void test_remembered_until_something_changes(void **state)
{
	struct fixture *f = *state;
	uint64_t hits = f->auth->count.lookup_hits;

	assert_int_equal(auth_recipient(f->auth, VIEW("info@example.org")), ROUTE_UNKNOWN);
	assert_int_equal(auth_recipient(f->auth, VIEW("info@example.org")), ROUTE_UNKNOWN);
	assert_int_equal(f->auth->count.lookup_hits, hits + 1);
	assert_int_equal(fixture_admin(f, "alias.add", "address", "info@example.org", "target",
				       "anna@example.org", NULL),
			 OK);
	assert_int_equal(f->changed_count, 1);
	assert_int_equal(auth_recipient(f->auth, VIEW("info@example.org")), ROUTE_OK);
	assert_int_equal(fixture_admin(f, "account.disable", "address", "anna@example.org", NULL),
			 OK);
	assert_int_equal(auth_recipient(f->auth, VIEW("info@example.org")), ROUTE_DISABLED);
	assert_int_equal(auth_recipient(f->auth, VIEW("anna@example.org")), ROUTE_DISABLED);
}

static void test_targets(void **state)
{
	struct fixture *f = *state;
	struct directory_targets *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	for (int round = 0; round < 2; round++) { /* found, then remembered */
		assert_int_equal(auth_targets(f->auth, VIEW("anna+Lists@example.org"), t),
				 ROUTE_OK);
		assert_int_equal(t->n, 1);
		assert_int_equal(t->at[0].account, f->anna);
		assert_view(view_of(t->at[0].address, t->at[0].address_n), "anna@example.org");
		assert_view(view_of(t->at[0].detail, t->at[0].detail_n), "Lists");
	}
	free(t);
}

static void test_senders(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fixture_admin(f, "alias.add", "address", "info@example.org", "target",
				       "anna@example.org", NULL),
			 OK);
	assert_int_equal(auth_sender(f->auth, f->anna, VIEW("")), ROUTE_OK);
	assert_int_equal(auth_sender(f->auth, f->anna, VIEW("anna@example.org")), ROUTE_OK);
	assert_int_equal(auth_sender(f->auth, f->anna, VIEW("ANNA+x@example.org")), ROUTE_OK);
	assert_int_equal(auth_sender(f->auth, f->anna, VIEW("info@example.org")), ROUTE_OK);
	assert_int_equal(auth_sender(f->auth, f->anna, VIEW("ben@example.org")), ROUTE_NOT_OWNED);
	assert_int_equal(auth_sender(f->auth, f->anna, VIEW("x@example.org")), ROUTE_NOT_OWNED);
	assert_int_equal(auth_sender(f->auth, f->anna, VIEW("x@elsewhere.example")),
			 ROUTE_NOT_OWNED);
	assert_int_equal(auth_sender(f->auth, 0, VIEW("x@elsewhere.example")), ROUTE_NOT_OWNED);
	/* An alias that leads elsewhere is nobody's. */
	assert_int_equal(fixture_admin(f, "alias.add", "address", "out@example.org", "target",
				       "x@elsewhere.example", NULL),
			 OK);
	assert_int_equal(auth_sender(f->auth, 0, VIEW("out@example.org")), ROUTE_NOT_OWNED);
	assert_int_equal(auth_sender(f->auth, f->anna, VIEW("out@example.org")), ROUTE_NOT_OWNED);
}

static void test_bounded(void **state)
{
	struct fixture *f = *state;
	char address[64];

	for (int i = 0; i < AUTH_ROUTES_MAX + 10; i++) {
		(void)snprintf(address, sizeof(address), "u%d@elsewhere.example", i);
		assert_int_equal(auth_recipient(f->auth, view_str(address)), ROUTE_NOT_OURS);
	}
	assert_int_equal(lru_count(&f->auth->routes), AUTH_ROUTES_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		AUTH_TEST(test_recipients), AUTH_TEST(test_remembered_until_something_changes),
		AUTH_TEST(test_targets),    AUTH_TEST(test_senders),
		AUTH_TEST(test_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
