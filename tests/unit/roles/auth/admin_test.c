/* Tests of the administrator's requests: what they do, and what their refusals say. */
#include "fixture.h"

static bool rows_have(const struct fixture *f, const char *text)
{
	return view_find(buf_view(&f->rows), view_str(text)) != VIEW_NONE;
}

static bool text_has(const struct fixture *f, const char *text)
{
	return strstr(f->end_text, text) != NULL;
}

static void test_domains(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fixture_admin(f, "domain.add", "domain",
				       "B\xc3\xbc"
				       "cher.example",
				       NULL),
			 OK);
	assert_true(text_has(f, "MX record"));
	assert_int_equal(fixture_admin(f, "domain.add", "domain", "xn--a.example", NULL),
			 ERR_SYNTAX);
	assert_int_equal(fixture_admin(f, "domain.add", "domain", "xn--bcher-kva.example", NULL),
			 ERR_EXISTS);
	assert_int_equal(fixture_admin(f, "domain.add", "domain", "a b", NULL), ERR_SYNTAX);
	assert_true(text_has(f, "like example.org"));
	assert_int_equal(fixture_admin(f, "domain.list", NULL), OK);
	assert_true(rows_have(f, "{\"domain\":\"example.org\",\"shown\":\"example.org\","
				 "\"accounts\":2,\"aliases\":0"));
	assert_true(rows_have(f, "\"xn--bcher-kva.example\",\"shown\":\"b\xc3\xbc"
				 "cher.example\""));
	assert_int_equal(fixture_admin(f, "domain.remove", "domain", "example.org", NULL),
			 ERR_WRONG_STATE);
	assert_true(text_has(f, "2 accounts"));
	assert_int_equal(fixture_admin(f, "domain.remove", "domain", "xn--bcher-kva.example", NULL),
			 OK);
	assert_int_equal(fixture_admin(f, "domain.remove", "domain", "xn--bcher-kva.example", NULL),
			 ERR_NOTFOUND);
}

static void test_generated_passwords_are_shown_once_and_work(void **state)
{
	struct fixture *f = *state;
	struct view row;
	char password[64];

	assert_int_equal(fixture_admin(f, "account.add", "address", "carl@example.org", "display",
				       "Carl", "quota", "2 GiB", NULL),
			 OK);
	assert_true(text_has(f, "this once only"));
	assert_true(rows_have(f, "\"quota\":2147483648"));
	row = view_from(buf_view(&f->rows),
			view_find(buf_view(&f->rows), VIEW("\"password\":\"")) + 12);
	(void)snprintf(password, sizeof(password), "%.34s", row.p);
	fixture_plain(f, NULL, "carl@example.org", password);
	assert_int_equal(f->said, SAID_SUCCESS);
	assert_int_equal(fixture_admin(f, "account.show", "address", "carl@example.org", NULL), OK);
	assert_false(rows_have(f, "\"password\":"));
	assert_true(rows_have(f, "\"display\":\"Carl\""));
}

static void test_refused_accounts(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fixture_admin(f, "account.add", "address", "anna@example.org", NULL),
			 ERR_EXISTS);
	assert_int_equal(fixture_admin(f, "account.add", "address", "anna", NULL), ERR_SYNTAX);
	assert_int_equal(fixture_admin(f, "account.add", "address", "a@other.example", NULL),
			 ERR_NOTFOUND);
	assert_true(text_has(f, "posthold domain add other.example"));
	assert_int_equal(fixture_admin(f, "account.add", "address", "carl@example.org", "password",
				       "short", NULL),
			 ERR_DENIED);
	assert_true(text_has(f, "at least 12 characters"));
	assert_int_equal(fixture_admin(f, "account.add", "address", "carl@example.org", "password",
				       "password12345", NULL),
			 ERR_DENIED);
	assert_true(text_has(f, "easy to guess"));
	assert_int_equal(fixture_admin(f, "account.add", "address", "carl@example.org", "quota",
				       "much", NULL),
			 ERR_SYNTAX);
	assert_int_equal(fixture_admin(f, "account.add", "address", "carl@example.org", "colour",
				       "red", NULL),
			 ERR_SYNTAX);
	assert_true(text_has(f, "no argument colour"));
	assert_int_equal(fixture_admin(f, "account.add", NULL), ERR_SYNTAX);
	assert_true(text_has(f, "needs the argument address"));
	assert_int_equal(fixture_admin(f, "account.paint", NULL), ERR_UNSUPPORTED);
	/* For test instances. */
	assert_int_equal(fixture_admin(f, "account.add", "address", "carl@example.org", "password",
				       "short", "unchecked", "yes", NULL),
			 OK);
	fixture_plain(f, NULL, "carl@example.org", "short");
	assert_int_equal(f->said, SAID_SUCCESS);
}

static void test_no_rights_are_given_by_a_failed_request(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fixture_admin(f, "account.password", "address", "anna@example.org",
				       "password", "short", NULL),
			 ERR_DENIED);
	fixture_plain(f, NULL, "anna@example.org", PASSWORD);
	assert_int_equal(f->said, SAID_SUCCESS);
	assert_int_equal(f->revoked_count, 0);
}

static void test_list_and_quota(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fixture_admin(f, "account.list", NULL), OK);
	assert_true(rows_have(f, "\"address\":\"anna@example.org\""));
	assert_true(rows_have(f, "\"address\":\"ben@example.org\""));
	assert_int_equal(fixture_admin(f, "account.list", "domain", "other.example", NULL), OK);
	assert_int_equal(f->rows.n, 0);
	assert_int_equal(fixture_admin(f, "account.list", "domain", "a b", NULL), ERR_SYNTAX);
	assert_int_equal(fixture_admin(f, "account.quota", "address", "anna@example.org", "quota",
				       "1 MiB", NULL),
			 OK);
	assert_int_equal(fixture_admin(f, "account.show", "address", "anna@example.org", NULL), OK);
	assert_true(rows_have(f, "\"quota\":1048576"));
	assert_int_equal(
		fixture_admin(f, "account.quota", "address", "eve@example.org", "quota", "0", NULL),
		ERR_NOTFOUND);
}

static void test_aliases(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fixture_admin(f, "alias.add", "address", "info@example.org", "target",
				       "anna@example.org", NULL),
			 OK);
	assert_int_equal(fixture_admin(f, "alias.add", "address", "info@example.org", "target",
				       "anna@example.org", NULL),
			 ERR_EXISTS);
	assert_int_equal(fixture_admin(f, "alias.add", "address", "info@example.org", "target",
				       "info@example.org", NULL),
			 ERR_WRONG_STATE);
	assert_int_equal(fixture_admin(f, "alias.add", "address", "x@example.org", "target",
				       "nobody@example.org", NULL),
			 ERR_NOTFOUND);
	assert_int_equal(fixture_admin(f, "alias.list", NULL), OK);
	assert_true(
		rows_have(f, "{\"address\":\"info@example.org\",\"target\":\"anna@example.org\"}"));
	assert_int_equal(fixture_admin(f, "account.show", "address", "anna@example.org", NULL), OK);
	assert_true(rows_have(f, "\"aliases\":[\"info@example.org\"]"));
	assert_int_equal(fixture_admin(f, "account.remove", "address", "anna@example.org", NULL),
			 ERR_WRONG_STATE);
	assert_true(text_has(f, "aliases lead to"));
	assert_int_equal(fixture_admin(f, "alias.remove", "address", "info@example.org", NULL), OK);
	assert_int_equal(fixture_admin(f, "alias.remove", "address", "info@example.org", NULL),
			 ERR_NOTFOUND);
	assert_int_equal(fixture_admin(f, "account.remove", "address", "anna@example.org", NULL),
			 OK);
	assert_int_equal(f->revoked, f->anna);
	assert_true(f->removed);
}

static void test_bans(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fixture_admin(f, "ban.add", "network", "192.0.2.1", "time", "2 h", NULL),
			 OK);
	assert_int_equal(fixture_admin(f, "ban.list", NULL), OK);
	assert_true(
		rows_have(f, "{\"network\":\"192.0.2.1\",\"until\":\"2026-11-21T06:00:00.000Z\""));
	fixture_plain(f, NULL, "anna@example.org", PASSWORD);
	assert_int_equal(f->kind, AUTHN_BANNED);
	assert_int_equal(fixture_admin(f, "ban.remove", "network", "192.0.2.1", NULL), OK);
	assert_int_equal(fixture_admin(f, "ban.remove", "network", "192.0.2.1", NULL),
			 ERR_NOTFOUND);
	fixture_plain(f, NULL, "anna@example.org", PASSWORD);
	assert_int_equal(f->said, SAID_SUCCESS);
	assert_int_equal(fixture_admin(f, "ban.add", "network", "192.0.2.1", "time", "soon", NULL),
			 ERR_SYNTAX);
	assert_int_equal(fixture_admin(f, "ban.add", "network", "192.0.2.1", "time", "0 s", NULL),
			 ERR_SYNTAX);
}

/* Wider ones, stored, listed, and lifted by their own name only. */
static void test_banned_networks(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fixture_admin(f, "ban.add", "network", "192.0.2.77/24", NULL), OK);
	assert_true(text_has(f, "banned 192.0.2.0/24"));
	fixture_restart(f);
	fixture_plain(f, NULL, "anna@example.org", PASSWORD);
	assert_int_equal(f->kind, AUTHN_BANNED);
	assert_int_equal(fixture_admin(f, "ban.list", NULL), OK);
	assert_true(rows_have(f, "{\"network\":\"192.0.2.0/24\""));
	assert_int_equal(fixture_admin(f, "ban.remove", "network", "192.0.2.1", NULL),
			 ERR_NOTFOUND);
	assert_true(text_has(f, "192.0.2.1 is banned as part of 192.0.2.0/24"));
	assert_int_equal(fixture_admin(f, "ban.remove", "network", "192.0.2.0/25", NULL),
			 ERR_NOTFOUND);
	assert_true(text_has(f, "as part of"));
	assert_int_equal(fixture_admin(f, "ban.remove", "network", "192.0.2.0/24", NULL), OK);
	fixture_plain(f, NULL, "anna@example.org", PASSWORD);
	assert_int_equal(f->said, SAID_SUCCESS);
	fixture_restart(f);
	assert_int_equal(fixture_admin(f, "ban.remove", "network", "192.0.2.0/24", NULL),
			 ERR_NOTFOUND);
	assert_true(text_has(f, "is not banned"));
	/* From there anna has logged in: others are kept out, she is not. */
	assert_int_equal(fixture_admin(f, "ban.add", "network", "192.0.2.0/24", NULL), OK);
	fixture_plain(f, NULL, "anna@example.org", PASSWORD);
	assert_int_equal(f->said, SAID_SUCCESS);
	assert_int_equal(fixture_admin(f, "ban.add", "network", "192.0.2.0/7", NULL), ERR_RANGE);
	assert_true(text_has(f, "a network is /8 to /32, with IPv6 /16 to /128"));
	assert_int_equal(fixture_admin(f, "ban.add", "network", "example.org", NULL), ERR_SYNTAX);
	assert_true(text_has(f, "no address or network"));
}

static void test_too_many_banned_networks(void **state)
{
	struct fixture *f = *state;
	char text[32];

	for (int i = 0; i < BAN_RANGES_MAX; i++) {
		snprintf(text, sizeof(text), "10.%d.%d.0/24", i / 256, i % 256);
		assert_int_equal(fixture_admin(f, "ban.add", "network", text, NULL), OK);
	}
	assert_int_equal(fixture_admin(f, "ban.add", "network", "11.0.0.0/24", NULL), ERR_LIMIT);
	assert_true(text_has(f, "1000 networks are banned already"));
	assert_int_equal(fixture_admin(f, "ban.add", "network", "10.0.0.0/24", NULL), OK);
	assert_int_equal(fixture_admin(f, "ban.add", "network", "11.0.0.1", NULL), OK);
	fixture_restart(f);
	assert_int_equal(fixture_admin(f, "ban.add", "network", "11.0.0.0/24", NULL), ERR_LIMIT);
	assert_int_equal(fixture_admin(f, "ban.remove", "network", "10.0.0.0/24", NULL), OK);
	assert_int_equal(fixture_admin(f, "ban.add", "network", "11.0.0.0/24", NULL), OK);
}

static void test_status(void **state)
{
	struct fixture *f = *state;

	fixture_plain(f, NULL, "anna@example.org", PASSWORD);
	assert_int_equal(fixture_admin(f, "auth.status", NULL), OK);
	assert_true(rows_have(f, "\"successes\":1,\"failures\":0"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		AUTH_TEST(test_domains),
		AUTH_TEST(test_generated_passwords_are_shown_once_and_work),
		AUTH_TEST(test_refused_accounts),
		AUTH_TEST(test_no_rights_are_given_by_a_failed_request),
		AUTH_TEST(test_list_and_quota),
		AUTH_TEST(test_aliases),
		AUTH_TEST(test_bans),
		AUTH_TEST(test_banned_networks),
		AUTH_TEST(test_too_many_banned_networks),
		AUTH_TEST(test_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
