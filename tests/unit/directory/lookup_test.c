/* Tests of aliases and lookup: chains, circles, catch-all, sub-addresses, people for postmaster. */
#include "directory/fixture.h"

static struct directory_targets found;

static int setup(void **state)
{
	struct fixture *f;

	assert_int_equal(fixture_setup(state), 0);
	f = *state;
	assert_int_equal(directory_domain_add(f->d, VIEW("example.org"), NOW), OK);
	assert_int_equal(directory_domain_add(f->d, VIEW("example.net"), NOW), OK);
	(void)fixture_account(f, "anna@example.org");
	(void)fixture_account(f, "ben@example.org");
	return 0;
}

static enum lookup_status look(struct fixture *f, const char *address)
{
	assert_int_equal(directory_lookup(f->d, &fixture_rules, view_str(address), &found), OK);
	return found.status;
}

static struct view target(size_t i)
{
	assert_true(i < found.n);
	return view_of(found.at[i].address, found.at[i].address_n);
}

static struct view detail(size_t i)
{
	assert_true(i < found.n);
	return view_of(found.at[i].detail, found.at[i].detail_n);
}

static void test_plain(void **state)
{
	assert_int_equal(look(*state, "ANNA@Example.org"), LOOKUP_OK);
	assert_int_equal(found.n, 1);
	assert_view(target(0), "anna@example.org");
	assert_int_not_equal(found.at[0].account, 0);
	assert_int_equal(look(*state, "carl@example.org"), LOOKUP_UNKNOWN);
	assert_int_equal(found.n, 0);
	assert_int_equal(look(*state, "anna@elsewhere.example"), LOOKUP_NOT_OURS);
	assert_int_equal(found.n, 1);
	assert_int_equal(found.at[0].account, 0);
	assert_int_equal(look(*state, "anna@[192.0.2.1]"), LOOKUP_NOT_OURS);
	assert_int_equal(look(*state, "no address"), LOOKUP_UNKNOWN);
	assert_int_equal(look(*state, ""), LOOKUP_UNKNOWN);
}

static void test_subaddress(void **state)
{
	struct fixture *f = *state;
	struct lookup_rules none = { .depth = 10 };
	struct lookup_rules two = { .separators = VIEW_INIT("+-"), .depth = 10 };

	assert_int_equal(look(f, "anna+Lists@example.org"), LOOKUP_OK);
	assert_view(target(0), "anna@example.org");
	assert_view(detail(0), "Lists");
	assert_int_equal(look(f, "anna+a+b@example.org"), LOOKUP_OK);
	assert_view(detail(0), "a+b");
	assert_int_equal(look(f, "anna+@example.org"), LOOKUP_OK);
	assert_view(detail(0), "");
	assert_int_equal(look(f, "+anna@example.org"), LOOKUP_UNKNOWN);
	assert_int_equal(look(f, "anna-x@example.org"), LOOKUP_UNKNOWN);
	assert_int_equal(directory_lookup(f->d, &two, VIEW("anna-x@example.org"), &found), OK);
	assert_int_equal(found.status, LOOKUP_OK);
	assert_int_equal(directory_lookup(f->d, &none, VIEW("anna+x@example.org"), &found), OK);
	assert_int_equal(found.status, LOOKUP_UNKNOWN);
	/* An account of exactly that name comes first. */
	(void)fixture_account(f, "anna+work@example.org");
	assert_int_equal(look(f, "anna+work@example.org"), LOOKUP_OK);
	assert_view(target(0), "anna+work@example.org");
	assert_view(detail(0), "");
}

static void test_aliases(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fixture_alias(f, "team@example.org", "anna@example.org"), OK);
	assert_int_equal(fixture_alias(f, "team@example.org", "ben@example.org"), OK);
	assert_int_equal(fixture_alias(f, "team@example.org", "BEN@example.org"), ERR_EXISTS);
	assert_int_equal(fixture_alias(f, "team@example.org", "carl@Elsewhere.example"), OK);
	assert_int_equal(look(f, "Team@example.org"), LOOKUP_OK);
	assert_int_equal(found.n, 3);
	assert_view(target(0), "anna@example.org");
	assert_view(target(1), "ben@example.org");
	assert_view(target(2), "carl@elsewhere.example");
	assert_int_equal(found.at[2].account, 0);
	/* A sub-address of an alias is one of its mailboxes. */
	assert_int_equal(look(f, "team+x@example.org"), LOOKUP_OK);
	assert_int_equal(found.n, 3);
	assert_view(detail(0), "x");
	/* An alias to an alias in another domain, and a mailbox reached twice. */
	assert_int_equal(fixture_alias(f, "all@example.net", "team@example.org"), OK);
	assert_int_equal(fixture_alias(f, "all@example.net", "anna@example.org"), OK);
	assert_int_equal(look(f, "all@example.net"), LOOKUP_OK);
	assert_int_equal(found.n, 3);
	assert_int_equal(directory_alias_remove(f->d, VIEW("team@example.org"),
						VIEW("carl@elsewhere.example")),
			 OK);
	assert_int_equal(look(f, "all@example.net"), LOOKUP_OK);
	assert_int_equal(found.n, 2);
	assert_int_equal(
		directory_alias_remove(f->d, VIEW("team@example.org"), VIEW("x@y.example")),
		ERR_NOTFOUND);
	assert_int_equal(directory_alias_remove(f->d, VIEW("team@example.org"), VIEW_EMPTY), OK);
	assert_int_equal(look(f, "team@example.org"), LOOKUP_UNKNOWN);
	assert_int_equal(directory_alias_remove(f->d, VIEW("team@example.org"), VIEW_EMPTY),
			 ERR_NOTFOUND);
}

static void test_alias_with_detail_in_its_target(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fixture_alias(f, "lists@example.org", "anna+Lists@example.org"), OK);
	assert_int_equal(look(f, "lists@example.org"), LOOKUP_OK);
	assert_view(target(0), "anna@example.org");
	assert_view(detail(0), "Lists");
}

static void test_refused_aliases(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fixture_alias(f, "anna@example.org", "ben@example.org"), ERR_EXISTS);
	assert_int_equal(fixture_alias(f, "x@other.example", "ben@example.org"), ERR_NOTFOUND);
	assert_int_equal(fixture_alias(f, "x@example.org", "nobody@example.org"), ERR_NOTFOUND);
	assert_int_equal(fixture_alias(f, "x@example.org", "nobody"), ERR_SYNTAX);
	assert_int_equal(fixture_alias(f, "x", "anna@example.org"), ERR_SYNTAX);
	assert_int_equal(fixture_alias(f, "@", "anna@example.org"), ERR_SYNTAX);
	assert_int_equal(look(f, "x@example.org"), LOOKUP_UNKNOWN);
}

static void test_circles(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fixture_alias(f, "a@example.org", "anna@example.org"), OK);
	assert_int_equal(fixture_alias(f, "b@example.org", "a@example.org"), OK);
	assert_int_equal(fixture_alias(f, "c@example.org", "b@example.org"), OK);
	assert_int_equal(fixture_alias(f, "a@example.org", "c@example.org"), ERR_WRONG_STATE);
	assert_int_equal(fixture_alias(f, "a@example.org", "a@example.org"), ERR_WRONG_STATE);
	/* Refused means undone. */
	assert_int_equal(look(f, "a@example.org"), LOOKUP_OK);
	assert_int_equal(found.n, 1);
}

static void test_depth_at_and_past_the_limit(void **state)
{
	struct fixture *f = *state;
	char from[64];
	char to[64] = "anna@example.org";

	for (int i = 1; i <= 11; i++) {
		(void)snprintf(from, sizeof(from), "chain%d@example.org", i);
		assert_int_equal(fixture_alias(f, from, to), i <= 10 ? OK : ERR_WRONG_STATE);
		memcpy(to, from, sizeof(to));
	}
	assert_int_equal(look(f, "chain10@example.org"), LOOKUP_OK);
	assert_int_equal(look(f, "chain11@example.org"), LOOKUP_UNKNOWN);
}

static void test_targets_at_and_past_the_limit(void **state)
{
	struct fixture *f = *state;
	char to[64];

	for (int i = 0; i < DIRECTORY_TARGETS_MAX; i++) {
		(void)snprintf(to, sizeof(to), "r%d@elsewhere.example", i);
		assert_int_equal(fixture_alias(f, "many@example.org", to), OK);
	}
	assert_int_equal(look(f, "many@example.org"), LOOKUP_OK);
	assert_int_equal(found.n, DIRECTORY_TARGETS_MAX);
	assert_int_equal(fixture_alias(f, "many@example.org", "anna@example.org"), ERR_LIMIT);
	/* Also through another alias. */
	assert_int_equal(fixture_alias(f, "more@example.org", "many@example.org"), OK);
	assert_int_equal(fixture_alias(f, "more@example.org", "anna@example.org"), ERR_WRONG_STATE);
}

static void test_catch_all(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fixture_alias(f, "@example.org", "nobody@example.org"), ERR_NOTFOUND);
	assert_int_equal(fixture_alias(f, "@example.org", "anna@example.org"), OK);
	assert_int_equal(look(f, "whoever@example.org"), LOOKUP_OK);
	assert_view(target(0), "anna@example.org");
	assert_int_equal(look(f, "ben@example.org"), LOOKUP_OK);
	assert_view(target(0), "ben@example.org");
	assert_int_equal(look(f, "ben+x@example.org"), LOOKUP_OK);
	assert_view(target(0), "ben@example.org");
	assert_int_equal(look(f, "whoever@example.net"), LOOKUP_UNKNOWN);
	/* With the catch-all there, everything leads somewhere; this leads to itself only. */
	assert_int_equal(directory_alias_remove(f->d, VIEW("@example.org"), VIEW_EMPTY), OK);
	assert_int_equal(look(f, "whoever@example.org"), LOOKUP_UNKNOWN);
}

static void test_postmaster_and_abuse_reach_a_person(void **state)
{
	struct fixture *f = *state;
	struct directory_account anna;

	assert_int_equal(look(f, "Postmaster@example.org"), LOOKUP_OK);
	assert_view(target(0), "anna@example.org");
	assert_int_equal(look(f, "abuse@example.org"), LOOKUP_OK);
	assert_view(target(0), "anna@example.org");
	/* A domain without accounts: the server's oldest. */
	assert_int_equal(look(f, "postmaster@example.net"), LOOKUP_OK);
	assert_view(target(0), "anna@example.org");
	assert_int_equal(look(f, "POSTMASTER"), LOOKUP_OK);
	assert_view(target(0), "anna@example.org");
	/* Not one who cannot read it. */
	assert_int_equal(directory_account_find(f->d, VIEW("anna@example.org"), &anna), OK);
	assert_int_equal(directory_account_set_state(f->d, anna.id, ACCOUNT_DISABLED), OK);
	assert_int_equal(look(f, "postmaster@example.org"), LOOKUP_OK);
	assert_view(target(0), "ben@example.org");
	/* Configured. */
	assert_int_equal(fixture_alias(f, "postmaster@example.org", "admin@elsewhere.example"), OK);
	assert_int_equal(look(f, "postmaster@example.org"), LOOKUP_OK);
	assert_view(target(0), "admin@elsewhere.example");
}

static void test_disabled(void **state)
{
	struct fixture *f = *state;
	struct directory_account anna;

	assert_int_equal(fixture_alias(f, "team@example.org", "anna@example.org"), OK);
	assert_int_equal(directory_account_find(f->d, VIEW("anna@example.org"), &anna), OK);
	assert_int_equal(directory_account_set_state(f->d, anna.id, ACCOUNT_DISABLED), OK);
	assert_int_equal(look(f, "anna@example.org"), LOOKUP_DISABLED);
	assert_int_equal(look(f, "team@example.org"), LOOKUP_DISABLED);
	assert_int_equal(fixture_alias(f, "team@example.org", "ben@example.org"), OK);
	assert_int_equal(look(f, "team@example.org"), LOOKUP_OK);
	assert_int_equal(found.n, 1);
}

static void test_unicode(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(directory_domain_add(f->d,
					      VIEW("b\xc3\xbc"
						   "cher.example"),
					      NOW),
			 OK);
	(void)fixture_account(f, "J\xc3\xb6rg@b\xc3\xbc"
				 "cher.example");
	assert_int_equal(look(f, "jo\xcc\x88RG@xn--bcher-kva.example"), LOOKUP_OK);
	assert_view(target(0), "J\xc3\xb6rg@xn--bcher-kva.example");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_plain),
		TEST(test_subaddress),
		TEST(test_aliases),
		TEST(test_alias_with_detail_in_its_target),
		TEST(test_refused_aliases),
		TEST(test_circles),
		TEST(test_depth_at_and_past_the_limit),
		TEST(test_targets_at_and_past_the_limit),
		TEST(test_catch_all),
		TEST(test_postmaster_and_abuse_reach_a_person),
		TEST(test_disabled),
		TEST(test_unicode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
