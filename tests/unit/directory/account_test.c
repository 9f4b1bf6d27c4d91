/* Tests of domains, accounts and verifiers. */
#include "directory/fixture.h"

static struct verifiers sample_verifiers(uint8_t fill)
{
	struct verifiers v = { .has_argon2id = true, .has_scram = true, .scram_iterations = 4096 };

	(void)snprintf(v.argon2id, sizeof(v.argon2id), "$argon2id$sample-%d", fill);
	memset(v.scram_salt, fill, sizeof(v.scram_salt));
	memset(v.scram_stored_key, fill + 1, sizeof(v.scram_stored_key));
	memset(v.scram_server_key, fill + 2, sizeof(v.scram_server_key));
	return v;
}

static enum err count_domain(void *ctx, const struct directory_domain *domain)
{
	(void)domain;
	++*(int *)ctx;
	return OK;
}

static enum err count_account(void *ctx, const struct directory_account *account)
{
	(void)account;
	++*(int *)ctx;
	return OK;
}

static void test_domains(void **state)
{
	struct fixture *f = *state;
	struct directory_domain domain;
	int count = 0;

	assert_int_equal(directory_domain_add(f->d, VIEW("Example.ORG"), NOW), OK);
	assert_int_equal(directory_domain_add(f->d, VIEW("example.org"), NOW), ERR_EXISTS);
	assert_int_equal(directory_domain_add(f->d,
					      VIEW("b\xc3\xbc"
						   "cher.example"),
					      NOW),
			 OK);
	assert_int_equal(directory_domain_add(f->d, VIEW("xn--bcher-kva.example"), NOW),
			 ERR_EXISTS);
	assert_int_equal(directory_domain_add(f->d, VIEW("not a domain"), NOW), ERR_SYNTAX);
	assert_int_equal(directory_domain_find(f->d,
					       VIEW("B\xc3\x9c"
						    "CHER.example"),
					       &domain),
			 OK);
	assert_string_equal(domain.name, "xn--bcher-kva.example");
	assert_int_equal(domain.created, NOW);
	assert_int_equal(directory_domain_each(f->d, count_domain, &count), OK);
	assert_int_equal(count, 2);
	assert_int_equal(directory_domain_remove(f->d, VIEW("example.org")), OK);
	assert_int_equal(directory_domain_remove(f->d, VIEW("example.org")), ERR_NOTFOUND);
}

static void test_a_domain_in_use_stays(void **state)
{
	struct fixture *f = *state;
	struct directory_domain domain;
	uint64_t id;

	assert_int_equal(directory_domain_add(f->d, VIEW("example.org"), NOW), OK);
	id = fixture_account(f, "anna@example.org");
	assert_int_equal(directory_domain_remove(f->d, VIEW("example.org")), ERR_WRONG_STATE);
	assert_int_equal(fixture_alias(f, "info@example.org", "someone@elsewhere.example"), OK);
	assert_int_equal(directory_domain_find(f->d, VIEW("example.org"), &domain), OK);
	assert_int_equal(domain.accounts, 1);
	assert_int_equal(domain.aliases, 1);
	assert_int_equal(directory_account_remove(f->d, id), OK);
	assert_int_equal(directory_domain_remove(f->d, VIEW("example.org")), ERR_WRONG_STATE);
	assert_int_equal(directory_alias_remove(f->d, VIEW("info@example.org"), VIEW_EMPTY), OK);
	assert_int_equal(directory_domain_remove(f->d, VIEW("example.org")), OK);
}

static void test_accounts(void **state)
{
	struct fixture *f = *state;
	struct directory_account a;
	struct directory_account_new add = { .address = VIEW("Anna@Example.org"),
					     .display = VIEW("Anna \xc3\x84"),
					     .quota = 1 << 30,
					     .now = NOW };
	uint64_t id = 0;
	int count = 0;

	assert_int_equal(directory_account_add(f->d, &add, &id), ERR_NOTFOUND);
	assert_int_equal(directory_domain_add(f->d, VIEW("example.org"), NOW), OK);
	assert_int_equal(directory_account_add(f->d, &add, &id), OK);
	add.address = VIEW("aNNa@example.org");
	assert_int_equal(directory_account_add(f->d, &add, &id), ERR_EXISTS);
	assert_int_equal(directory_account_find(f->d, VIEW("ANNA@EXAMPLE.ORG"), &a), OK);
	assert_int_equal(a.id, id);
	assert_string_equal(a.address, "Anna@example.org");
	assert_string_equal(a.display, "Anna \xc3\x84");
	assert_int_equal(a.quota, 1 << 30);
	assert_int_equal(a.state, ACCOUNT_ACTIVE);
	assert_int_equal(a.password_changed, 0);
	assert_int_equal(directory_account_set_state(f->d, id, ACCOUNT_DISABLED), OK);
	assert_int_equal(directory_account_set_quota(f->d, id, 5), OK);
	assert_int_equal(directory_account_set_quota(f->d, id, UINT64_MAX), ERR_LIMIT);
	assert_int_equal(directory_account_set_display(f->d, id, VIEW("A")), OK);
	fixture_reopen(f);
	assert_int_equal(directory_account_by_id(f->d, id, &a), OK);
	assert_int_equal(a.state, ACCOUNT_DISABLED);
	assert_int_equal(a.quota, 5);
	assert_string_equal(a.display, "A");
	assert_int_equal(directory_account_each(f->d, VIEW("EXAMPLE.org"), count_account, &count),
			 OK);
	assert_int_equal(directory_account_each(f->d, VIEW(""), count_account, &count), OK);
	assert_int_equal(directory_account_each(f->d, VIEW("other.org"), count_account, &count),
			 OK);
	assert_int_equal(count, 2);
}

static void test_refused_accounts(void **state)
{
	static const char *const rows[] = { "",
					    "anna",
					    "@example.org",
					    "a b@example.org",
					    "anna@[192.0.2.1]",
					    "anna@example.org." };
	struct fixture *f = *state;
	char display[DIRECTORY_DISPLAY_MAX + 1];
	struct directory_account_new add = { .now = NOW };
	uint64_t id = CANARY;

	assert_int_equal(directory_domain_add(f->d, VIEW("example.org"), NOW), OK);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		add.address = view_str(rows[i]);
		assert_int_equal(directory_account_add(f->d, &add, &id), ERR_SYNTAX);
	}
	memset(display, 'x', sizeof(display));
	add.address = VIEW("anna@example.org");
	add.display = view_of(display, DIRECTORY_DISPLAY_MAX + 1);
	assert_int_equal(directory_account_add(f->d, &add, &id), ERR_LIMIT);
	assert_true(id == CANARY);
	add.display = view_of(display, DIRECTORY_DISPLAY_MAX);
	assert_int_equal(directory_account_add(f->d, &add, &id), OK);
}

static void test_numbers_are_never_used_again(void **state)
{
	struct fixture *f = *state;
	uint64_t first;

	assert_int_equal(directory_domain_add(f->d, VIEW("example.org"), NOW), OK);
	first = fixture_account(f, "anna@example.org");
	assert_int_equal(directory_account_remove(f->d, first), OK);
	assert_int_equal(directory_account_remove(f->d, first), ERR_NOTFOUND);
	fixture_reopen(f);
	assert_true(fixture_account(f, "anna@example.org") > first);
}

static void test_an_account_with_aliases_stays(void **state)
{
	struct fixture *f = *state;
	uint64_t id;

	assert_int_equal(directory_domain_add(f->d, VIEW("example.org"), NOW), OK);
	id = fixture_account(f, "Anna@example.org");
	assert_int_equal(fixture_alias(f, "info@example.org", "ANNA@example.org"), OK);
	assert_int_equal(directory_account_remove(f->d, id), ERR_WRONG_STATE);
	assert_int_equal(
		directory_alias_remove(f->d, VIEW("info@example.org"), VIEW("anna@EXAMPLE.org")),
		OK);
	assert_int_equal(directory_account_remove(f->d, id), OK);
}

static void test_verifiers(void **state)
{
	struct fixture *f = *state;
	struct verifiers v = sample_verifiers(1);
	struct verifiers got;
	struct directory_account a;
	struct directory_account_new add = { .address = VIEW("anna@example.org"),
					     .now = NOW,
					     .verifiers = &v };
	uint64_t id;

	assert_int_equal(directory_domain_add(f->d, VIEW("example.org"), NOW), OK);
	assert_int_equal(directory_account_add(f->d, &add, &id), OK);
	assert_int_equal(directory_verifiers(f->d, id, &got), OK);
	assert_memory_equal(&got, &v, sizeof(v));
	v = sample_verifiers(9);
	assert_int_equal(directory_account_set_password(f->d, id, &v, NOW + 5), OK);
	fixture_reopen(f);
	assert_int_equal(directory_verifiers(f->d, id, &got), OK);
	assert_memory_equal(&got, &v, sizeof(v));
	assert_int_equal(directory_account_by_id(f->d, id, &a), OK);
	assert_int_equal(a.password_changed, NOW + 5);
	assert_int_equal(directory_account_set_password(f->d, id + 1, &v, NOW), ERR_NOTFOUND);
	assert_int_equal(directory_verifiers(f->d, id + 1, &got), OK);
	assert_false(got.has_argon2id || got.has_scram);
}

static void test_the_secret_is_stable(void **state)
{
	struct fixture *f = *state;
	uint8_t before[DIRECTORY_SECRET_LEN];
	uint8_t after[DIRECTORY_SECRET_LEN];

	directory_secret(f->d, before);
	fixture_reopen(f);
	directory_secret(f->d, after);
	assert_memory_equal(before, after, sizeof(before));
}

static void test_devices(void **state)
{
	struct fixture *f = *state;
	uint8_t network[4] = { 192, 0, 2, 0 };
	uint64_t id;
	bool known = true;

	assert_int_equal(directory_domain_add(f->d, VIEW("example.org"), NOW), OK);
	id = fixture_account(f, "anna@example.org");
	assert_int_equal(directory_device_known(f->d, id, VIEW("abcd"), 0, &known), OK);
	assert_false(known);
	/* One more than are kept: the oldest goes. */
	for (uint8_t i = 0; i <= DIRECTORY_DEVICES_MAX; i++) {
		network[3] = i;
		assert_int_equal(directory_device_seen(f->d, id, view_of(network, 4), NOW + i), OK);
	}
	network[3] = 0;
	assert_int_equal(directory_device_known(f->d, id, view_of(network, 4), 0, &known), OK);
	assert_false(known);
	network[3] = 1;
	assert_int_equal(directory_device_known(f->d, id, view_of(network, 4), NOW + 1, &known),
			 OK);
	assert_true(known);
	assert_int_equal(directory_device_known(f->d, id, view_of(network, 4), NOW + 2, &known),
			 OK);
	assert_false(known);
	assert_int_equal(directory_device_known(f->d, id + 1, view_of(network, 4), 0, &known), OK);
	assert_false(known);
	/* Within the hour the time is not written again. */
	assert_int_equal(directory_device_seen(f->d, id, view_of(network, 4), NOW + 3600), OK);
	assert_int_equal(directory_device_known(f->d, id, view_of(network, 4), NOW + 2, &known),
			 OK);
	assert_false(known);
	assert_int_equal(directory_device_seen(f->d, id, view_of(network, 4), NOW + 3601), OK);
	assert_int_equal(directory_device_known(f->d, id, view_of(network, 4), NOW + 2, &known),
			 OK);
	assert_true(known);
}

static enum err sum_bans(void *ctx, const struct directory_ban *ban)
{
	*(int64_t *)ctx += ban->until_ms + ban->count;
	return OK;
}

static void test_bans(void **state)
{
	struct fixture *f = *state;
	struct directory_ban ban = { .network = VIEW("abcd"), .until_ms = 100, .count = 1 };
	int64_t sum = 0;

	assert_int_equal(directory_ban_put(f->d, &ban), OK);
	ban.until_ms = 200;
	ban.count = 2;
	assert_int_equal(directory_ban_put(f->d, &ban), OK);
	ban = (struct directory_ban){ .network = VIEW("efgh"), .until_ms = 50, .count = 7 };
	assert_int_equal(directory_ban_put(f->d, &ban), OK);
	fixture_reopen(f);
	assert_int_equal(directory_ban_each(f->d, 51, sum_bans, &sum), OK);
	assert_int_equal(sum, 202);
	assert_int_equal(directory_ban_remove(f->d, VIEW("abcd")), OK);
	assert_int_equal(directory_ban_remove(f->d, VIEW("abcd")), OK);
	assert_int_equal(directory_ban_each(f->d, 0, sum_bans, &sum), OK);
	assert_int_equal(sum, 202);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

/* Whatever is read instead, the answer is about the address. */
static void test_found_in_even_time(void **state)
{
	struct fixture *f = *state;
	struct directory_account a = { .id = CANARY };
	uint64_t anna, ben;

	assert_int_equal(directory_domain_add(f->d, VIEW("even.test"), NOW), OK);
	anna = fixture_account(f, "anna@even.test");
	ben = fixture_account(f, "ben@even.test");
	assert_int_equal(directory_account_find_even(f->d, VIEW("nobody@even.test"), anna, &a),
			 ERR_NOTFOUND);
	assert_int_equal(directory_account_find_even(f->d, VIEW("x@elsewhere.test"), anna, &a),
			 ERR_NOTFOUND);
	assert_int_equal(directory_account_find_even(f->d, VIEW("no address"), anna, &a),
			 ERR_NOTFOUND);
	assert_int_equal(directory_account_find_even(f->d, VIEW("nobody@even.test"), 0, &a),
			 ERR_NOTFOUND);
	assert_int_equal(a.id, CANARY);
	assert_int_equal(directory_account_find_even(f->d, VIEW("Ben@EVEN.test"), anna, &a), OK);
	assert_int_equal(a.id, ben);
	assert_string_equal(a.address, "ben@even.test");
	assert_int_equal(directory_account_find_even(f->d, VIEW("anna@even.test"), 0, &a), OK);
	assert_int_equal(a.id, anna);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_domains),
		TEST(test_a_domain_in_use_stays),
		TEST(test_accounts),
		TEST(test_refused_accounts),
		TEST(test_numbers_are_never_used_again),
		TEST(test_an_account_with_aliases_stays),
		TEST(test_verifiers),
		TEST(test_the_secret_is_stable),
		TEST(test_devices),
		TEST(test_bans),
		TEST(test_found_in_even_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
