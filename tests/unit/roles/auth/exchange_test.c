/* Tests of PLAIN and LOGIN: who comes in, who does not, at what cost. */
#include "fixture.h"

#include "sys/clock.h"

static void test_plain(void **state)
{
	struct fixture *f = *state;
	struct auth_redeemed redeemed;

	fixture_plain(f, NULL, "anna@example.org", PASSWORD);
	assert_int_equal(f->said, SAID_SUCCESS);
	assert_int_equal(f->client, AUTH_CLIENT_LOGIN);
	assert_int_equal(f->tag, 5);
	assert_int_equal(f->account, f->anna);
	assert_string_equal(f->name, "anna@example.org");
	assert_int_equal(f->ticket_n, TICKET_LEN);
	auth_redeem(f->auth, view_of(f->ticket, TICKET_LEN), 42, &redeemed);
	assert_true(redeemed.ok);
	assert_int_equal(redeemed.account.id, f->anna);
	auth_redeem(f->auth, view_of(f->ticket, TICKET_LEN), 42, &redeemed);
	assert_false(redeemed.ok);
}

static void test_names_are_found_in_every_spelling(void **state)
{
	fixture_plain(*state, NULL, "ANNA@Example.ORG", PASSWORD);
	assert_int_equal(((struct fixture *)*state)->said, SAID_SUCCESS);
}

static void test_wrong(void **state)
{
	static const struct {
		const char *name;
		const char *password;
	} rows[] = {
		{ "anna@example.org", "gurken salat zebr" },
		{ "anna@example.org", "GURKEN SALAT ZEBRA" },
		{ "nobody@example.org", PASSWORD },
		{ "anna", PASSWORD },
		{ "anna@other.example", PASSWORD },
		{ "anna+x@example.org", PASSWORD },
		{ "anna@example.org", "bad\nbad" },
	};
	struct fixture *f = *state;

	f->config.ban_failures = 1000;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		fixture_plain(f, NULL, rows[i].name, rows[i].password);
		assert_int_equal(f->said, SAID_FAILURE);
		assert_int_equal(f->kind, AUTHN_BAD_CREDENTIALS);
	}
}

/* Whether a name exists cannot be told from the work that its refusal took. */
static void test_unknown_names_cost_as_many_hashes(void **state)
{
	static const char *const names[] = { "anna@example.org", "nobody@example.org", "anna",
					     "\xff@x" };
	struct fixture *f = *state;

	f->config.ban_failures = 1000;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		uint64_t before = f->auth->count.hashes;

		fixture_plain(f, NULL, names[i], "wrong password");
		assert_int_equal(f->auth->count.hashes - before, 1);
		assert_int_equal(f->kind, AUTHN_BAD_CREDENTIALS);
	}
}

static void test_malformed(void **state)
{
	static const struct view rows[] = {
		VIEW_INIT(""),
		VIEW_INIT("anna@example.org"),
		VIEW_INIT("\0anna@example.org"),
		VIEW_INIT("anna@example.org\0" PASSWORD),
		VIEW_INIT("\0anna@example.org\0" PASSWORD "\0"),
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct authn_start m = fixture_start("plain");

		m.has_initial = true;
		m.initial = rows[i];
		assert_int_equal(auth_start(f->auth, 0, &m), OK);
		assert_int_equal(f->said, SAID_FAILURE);
		assert_int_equal(f->kind, AUTHN_MALFORMED);
		assert_int_equal(fixture_hash(f), 0);
	}
}

static void test_another_identity_is_refused(void **state)
{
	struct fixture *f = *state;
	struct authn_start m = fixture_start("PLAIN");

	m.has_initial = true;
	m.initial = VIEW("ben@example.org\0anna@example.org\0" PASSWORD);
	assert_int_equal(auth_start(f->auth, 0, &m), OK);
	assert_int_equal(fixture_hash(f), 0);
	assert_int_equal(f->said, SAID_FAILURE);
	assert_int_equal(f->kind, AUTHN_BAD_CREDENTIALS);
	m.initial = VIEW("Anna@EXAMPLE.org\0anna@example.org\0" PASSWORD);
	assert_int_equal(auth_start(f->auth, 0, &m), OK);
	(void)fixture_hash(f);
	assert_int_equal(f->said, SAID_SUCCESS);
	/* Only login is given tickets. */
	assert_int_equal(f->ticket_n, 0);
}

static void test_nothing_without_tls(void **state)
{
	struct fixture *f = *state;
	struct authn_start m = fixture_start("PLAIN");

	m.tls = false;
	m.loopback = true;
	m.has_initial = true;
	m.initial = VIEW("\0anna@example.org\0" PASSWORD);
	assert_int_equal(auth_start(f->auth, 0, &m), OK);
	assert_int_equal(f->kind, AUTHN_NEEDS_TLS);
	m.tls = true;
	m.mechanism = VIEW("CRAM-MD5");
	assert_int_equal(auth_start(f->auth, 0, &m), OK);
	assert_int_equal(f->kind, AUTHN_NO_MECHANISM);
}

static void test_plain_when_asked(void **state)
{
	struct fixture *f = *state;
	struct authn_start m = fixture_start("PLAIN");

	assert_int_equal(auth_start(f->auth, 0, &m), OK);
	assert_int_equal(f->said, SAID_CHALLENGE);
	assert_int_equal(f->text.n, 0);
	fixture_step(f, 0, VIEW("\0anna@example.org\0" PASSWORD));
	(void)fixture_hash(f);
	assert_int_equal(f->said, SAID_SUCCESS);
}

static void test_login(void **state)
{
	struct fixture *f = *state;
	struct authn_start m = fixture_start("LOGIN");

	assert_int_equal(auth_start(f->auth, 0, &m), OK);
	assert_view(buf_view(&f->text), "Username:");
	fixture_step(f, 0, VIEW("anna@example.org"));
	assert_int_equal(f->said, SAID_CHALLENGE);
	assert_view(buf_view(&f->text), "Password:");
	fixture_step(f, 0, VIEW(PASSWORD));
	(void)fixture_hash(f);
	assert_int_equal(f->said, SAID_SUCCESS);
	m.has_initial = true;
	m.initial = VIEW("anna@example.org");
	assert_int_equal(auth_start(f->auth, 0, &m), OK);
	assert_view(buf_view(&f->text), "Password:");
	fixture_step(f, 0, VIEW(""));
	assert_int_equal(f->said, SAID_FAILURE);
	assert_int_equal(f->kind, AUTHN_MALFORMED);
}

static void test_exchanges_end_and_cannot_be_misused(void **state)
{
	struct fixture *f = *state;
	struct authn_start m = fixture_start("LOGIN");
	struct authn_step step = { .tag = 5, .response = VIEW("x") };
	struct authn_cancel cancel = { .tag = 5 };

	assert_int_equal(auth_step(f->auth, 0, &step), ERR_PEER);
	assert_int_equal(auth_start(f->auth, 0, &m), OK);
	assert_int_equal(auth_start(f->auth, 0, &m), ERR_PEER); /* the tag is in use */
	assert_int_equal(auth_start(f->auth, 1, &m), OK); /* by another client it is not */
	assert_int_equal(auth_cancel(f->auth, 0, &cancel), OK);
	assert_int_equal(auth_cancel(f->auth, 0, &cancel), OK);
	assert_int_equal(auth_step(f->auth, 0, &step), ERR_PEER);
	auth_client_gone(f->auth, 1);
	assert_int_equal(auth_step(f->auth, 1, &step), ERR_PEER);
}

static void test_cancelled_while_hashing(void **state)
{
	struct fixture *f = *state;
	struct authn_start m = fixture_start("PLAIN");
	struct authn_cancel cancel = { .tag = 5 };
	struct authn_step step = { .tag = 5, .response = VIEW("x") };

	m.has_initial = true;
	m.initial = VIEW("\0anna@example.org\0" PASSWORD);
	assert_int_equal(auth_start(f->auth, 0, &m), OK);
	assert_int_equal(auth_step(f->auth, 0, &step), ERR_PEER); /* nothing was asked */
	assert_int_equal(auth_cancel(f->auth, 0, &cancel), OK);
	assert_int_equal(fixture_hash(f), 1);
	assert_int_equal(f->said, SAID_NOTHING);
}

static void test_busy_past_the_queue(void **state)
{
	struct fixture *f = *state;
	struct authn_start m = fixture_start("PLAIN");

	f->config.auth_hash_queue = 3;
	m.has_initial = true;
	m.initial = VIEW("\0anna@example.org\0" PASSWORD);
	for (uint32_t i = 0; i < 3; i++) {
		m.tag = i;
		assert_int_equal(auth_start(f->auth, 0, &m), OK);
		assert_int_equal(f->said, SAID_NOTHING);
	}
	m.tag = 3;
	assert_int_equal(auth_start(f->auth, 0, &m), OK);
	assert_int_equal(f->said, SAID_FAILURE);
	assert_int_equal(f->kind, AUTHN_BUSY);
	assert_int_equal(f->tag, 3);
	assert_int_equal(fixture_hash(f), 3);
	assert_int_equal(f->auth->count.successes, 3);
}

/* Guessers can fill the queue but for the part of those who have logged in from where they are. */
static void test_a_part_of_the_queue_is_for_known_devices(void **state)
{
	struct fixture *f = *state;
	struct authn_start m = fixture_start("PLAIN");

	f->config.auth_cache = 0;
	f->config.auth_hash_queue = 8;
	fixture_plain(f, NULL, "anna@example.org", PASSWORD);
	m.has_initial = true;
	m.initial = VIEW("\0anna@example.org\0wrong password");
	m.peer_ip = VIEW("\x0a\x00\x00\x07");
	f->said = SAID_NOTHING;
	for (m.tag = 0; m.tag < 7; m.tag++) {
		assert_int_equal(f->said, SAID_NOTHING);
		assert_int_equal(auth_start(f->auth, 0, &m), OK);
	}
	assert_int_equal(f->said, SAID_FAILURE);
	assert_int_equal(f->kind, AUTHN_BUSY);
	f->said = SAID_NOTHING;
	m.initial = VIEW("\0anna@example.org\0" PASSWORD);
	m.peer_ip = VIEW("\xc0\x00\x02\x01");
	for (m.tag = 10; m.tag < 12; m.tag++) {
		assert_int_equal(auth_start(f->auth, 0, &m), OK);
		assert_int_equal(f->said, SAID_NOTHING);
	}
	assert_int_equal(auth_start(f->auth, 0, &m), OK);
	assert_int_equal(f->kind, AUTHN_BUSY);
	assert_int_equal(fixture_hash(f), 8);
	assert_int_equal(f->said, SAID_SUCCESS);
}

static void test_right_passwords_are_remembered_for_a_while(void **state)
{
	struct fixture *f = *state;

	fixture_plain(f, NULL, "anna@example.org", PASSWORD);
	assert_int_equal(f->auth->count.cached, 0);
	fixture_plain(f, NULL, "anna@example.org", PASSWORD);
	assert_int_equal(f->said, SAID_SUCCESS);
	assert_int_equal(f->auth->count.cached, 1);
	fixture_plain(f, NULL, "ben@example.org", PASSWORD); /* the same password is another's */
	assert_int_equal(f->auth->count.cached, 1);
	fixture_plain(f, NULL, "anna@example.org", "wrong password");
	assert_int_equal(f->said, SAID_FAILURE);
	clock_set_mono_ms(1000000 + (int64_t)f->config.auth_cache - 1);
	fixture_plain(f, NULL, "anna@example.org", PASSWORD);
	assert_int_equal(f->auth->count.cached, 2);
	clock_set_mono_ms(1000000 + (int64_t)f->config.auth_cache);
	fixture_plain(f, NULL, "anna@example.org", PASSWORD);
	assert_int_equal(f->auth->count.cached, 2);
}

static void test_changes_are_felt_at_once(void **state)
{
	struct fixture *f = *state;
	struct auth_redeemed redeemed;

	fixture_plain(f, NULL, "anna@example.org", PASSWORD);
	assert_int_equal(fixture_admin(f, "account.password", "address", "anna@example.org",
				       "password", "ocean teapot ladder", NULL),
			 OK);
	assert_int_equal(f->revoked, f->anna);
	assert_int_equal(f->revoked_count, 1);
	assert_false(f->removed);
	auth_redeem(f->auth, view_of(f->ticket, TICKET_LEN), 42, &redeemed);
	assert_false(redeemed.ok);
	fixture_plain(f, NULL, "anna@example.org", PASSWORD);
	assert_int_equal(f->said, SAID_FAILURE);
	fixture_plain(f, NULL, "anna@example.org", "ocean teapot ladder");
	assert_int_equal(f->said, SAID_SUCCESS);
	assert_int_equal(fixture_admin(f, "account.disable", "address", "anna@example.org", NULL),
			 OK);
	assert_int_equal(f->revoked_count, 2);
	fixture_plain(f, NULL, "anna@example.org", "ocean teapot ladder");
	assert_int_equal(f->kind, AUTHN_DISABLED);
	/* That it is disabled only its owner learns. */
	fixture_plain(f, NULL, "anna@example.org", "wrong password");
	assert_int_equal(f->kind, AUTHN_BAD_CREDENTIALS);
	assert_int_equal(fixture_admin(f, "account.enable", "address", "anna@example.org", NULL),
			 OK);
	fixture_plain(f, NULL, "anna@example.org", "ocean teapot ladder");
	assert_int_equal(f->said, SAID_SUCCESS);
	assert_int_equal(fixture_admin(f, "account.remove", "address", "anna@example.org", NULL),
			 OK);
	assert_true(f->removed);
	fixture_plain(f, NULL, "anna@example.org", "ocean teapot ladder");
	assert_int_equal(f->kind, AUTHN_BAD_CREDENTIALS);
}

static void test_a_password_changed_while_hashing_does_not_count(void **state)
{
	struct fixture *f = *state;
	struct authn_start m = fixture_start("PLAIN");
	struct password_cost cost = auth_cost(f->auth);
	struct verifiers v;

	m.has_initial = true;
	m.initial = VIEW("\0anna@example.org\0" PASSWORD);
	assert_int_equal(auth_start(f->auth, 0, &m), OK);
	assert_int_equal(password_derive(VIEW("ocean teapot ladder"), &cost, &v), OK);
	assert_int_equal(directory_account_set_password(f->auth->d, f->anna, &v, 1), OK);
	assert_int_equal(fixture_hash(f), 1);
	assert_int_equal(f->said, SAID_FAILURE);
	assert_int_equal(f->kind, AUTHN_TEMPORARY);
}

static void test_hashed_anew_when_the_cost_changed(void **state)
{
	struct fixture *f = *state;
	struct verifiers v;

	f->config.argon2_passes = 3;
	fixture_plain(f, NULL, "anna@example.org", "wrong password");
	assert_int_equal(directory_verifiers(f->auth->d, f->anna, &v), OK);
	assert_non_null(strstr(v.argon2id, "t=2"));
	fixture_plain(f, NULL, "anna@example.org", PASSWORD);
	assert_int_equal(f->said, SAID_SUCCESS);
	assert_int_equal(directory_verifiers(f->auth->d, f->anna, &v), OK);
	assert_non_null(strstr(v.argon2id, "t=3"));
	fixture_restart(f);
	fixture_plain(f, NULL, "anna@example.org", PASSWORD);
	assert_int_equal(f->said, SAID_SUCCESS);
}

/* ---- bans ---- */

static void fail_from(struct fixture *f, const char *ip, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		fixture_plain(f, ip, "ben@example.org", "wrong password");
}

static void test_too_many_failures_ban_the_address(void **state)
{
	struct fixture *f = *state;
	uint64_t hashes;

	fail_from(f, "\x0a\x00\x00\x01", 4);
	fixture_plain(f, "\x0a\x00\x00\x01", "ben@example.org", PASSWORD);
	assert_int_equal(f->said, SAID_SUCCESS);
	fail_from(f, "\x0a\x00\x00\x02", 5);
	assert_int_equal(f->kind, AUTHN_BAD_CREDENTIALS);
	hashes = f->auth->count.hashes;
	fixture_plain(f, "\x0a\x00\x00\x02", "ben@example.org", PASSWORD);
	assert_int_equal(f->kind, AUTHN_BANNED);
	fixture_plain(f, "\x0a\x00\x00\x02", "nobody@example.org", PASSWORD);
	assert_int_equal(f->kind, AUTHN_BANNED);
	assert_int_equal(f->auth->count.hashes, hashes); /* a banned address costs nothing */
	/* Others are not banned, and no account is. */
	fixture_plain(f, "\x0a\x00\x00\x03", "ben@example.org", PASSWORD);
	assert_int_equal(f->said, SAID_SUCCESS);
	/* It outlives a restart, and ends. */
	fixture_restart(f);
	fixture_plain(f, "\x0a\x00\x00\x02", "ben@example.org", PASSWORD);
	assert_int_equal(f->kind, AUTHN_BANNED);
	clock_set_wall_ms(1795233600000 + (int64_t)f->config.ban_time);
	fixture_plain(f, "\x0a\x00\x00\x02", "ben@example.org", PASSWORD);
	assert_int_equal(f->said, SAID_SUCCESS);
}

static void test_many_addresses_cannot_lock_an_owner_out(void **state)
{
	struct fixture *f = *state;
	char ip[4] = { 10, 1, 0, 0 };

	fixture_plain(f, NULL, "anna@example.org", PASSWORD);
	for (int i = 0; i < 300; i++) {
		ip[2] = (char)(i / 100);
		ip[3] = (char)(i % 100);
		fixture_plain(f, ip, "anna@example.org", "wrong password");
	}
	fixture_plain(f, NULL, "anna@example.org", PASSWORD);
	assert_int_equal(f->said, SAID_SUCCESS);
}

static void test_known_devices_are_never_locked_out_of_their_account(void **state)
{
	struct fixture *f = *state;
	const char *home = "\x0a\x00\x00\x09";

	fixture_plain(f, home, "anna@example.org", PASSWORD);
	fail_from(f, home, 5);
	fixture_plain(f, home, "ben@example.org", PASSWORD); /* never logged in from there */
	assert_int_equal(f->kind, AUTHN_BANNED);
	fixture_plain(f, home, "anna@example.org", PASSWORD);
	assert_int_equal(f->said, SAID_SUCCESS);
	fixture_restart(f);
	fixture_plain(f, home, "anna@example.org", PASSWORD);
	assert_int_equal(f->said, SAID_SUCCESS);
	/* Thirty days later it is a stranger. */
	clock_set_wall_ms(1795233600000 + (AUTH_DEVICE_LIFE_S + 1) * 1000);
	fail_from(f, home, 5);
	fixture_plain(f, home, "anna@example.org", PASSWORD);
	assert_int_equal(f->kind, AUTHN_BANNED);
}

static void test_loopback_is_exempt_unless_told_otherwise(void **state)
{
	struct fixture *f = *state;
	struct authn_start m = fixture_start("PLAIN");

	m.loopback = true;
	m.has_initial = true;
	for (int limits = 0; limits < 2; limits++) {
		f->config.loopback_limits = limits == 1;
		m.initial = VIEW("\0anna@example.org\0wrong password");
		for (int i = 0; i < 6; i++) {
			assert_int_equal(auth_start(f->auth, 0, &m), OK);
			(void)fixture_hash(f);
		}
		assert_int_equal(f->kind, limits ? AUTHN_BANNED : AUTHN_BAD_CREDENTIALS);
	}
}

static void test_a_spray_from_one_v6_network(void **state)
{
	struct fixture *f = *state;
	struct authn_start m = fixture_start("PLAIN");
	char ip[16] = "\x20\x01\x0d\xb8\x00\x00\x00\x01";

	m.has_initial = true;
	m.initial = VIEW("\0anna@example.org\0wrong password");
	m.peer_ip = view_of(ip, 16);
	for (char i = 0; i < 6; i++) {
		ip[15] = i;
		assert_int_equal(auth_start(f->auth, 0, &m), OK);
		(void)fixture_hash(f);
	}
	assert_int_equal(f->kind, AUTHN_BANNED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		AUTH_TEST(test_plain),
		AUTH_TEST(test_names_are_found_in_every_spelling),
		AUTH_TEST(test_wrong),
		AUTH_TEST(test_unknown_names_cost_as_many_hashes),
		AUTH_TEST(test_malformed),
		AUTH_TEST(test_another_identity_is_refused),
		AUTH_TEST(test_nothing_without_tls),
		AUTH_TEST(test_plain_when_asked),
		AUTH_TEST(test_login),
		AUTH_TEST(test_exchanges_end_and_cannot_be_misused),
		AUTH_TEST(test_cancelled_while_hashing),
		AUTH_TEST(test_busy_past_the_queue),
		AUTH_TEST(test_a_part_of_the_queue_is_for_known_devices),
		AUTH_TEST(test_right_passwords_are_remembered_for_a_while),
		AUTH_TEST(test_changes_are_felt_at_once),
		AUTH_TEST(test_a_password_changed_while_hashing_does_not_count),
		AUTH_TEST(test_hashed_anew_when_the_cost_changed),
		AUTH_TEST(test_too_many_failures_ban_the_address),
		AUTH_TEST(test_many_addresses_cannot_lock_an_owner_out),
		AUTH_TEST(test_known_devices_are_never_locked_out_of_their_account),
		AUTH_TEST(test_loopback_is_exempt_unless_told_otherwise),
		AUTH_TEST(test_a_spray_from_one_v6_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
