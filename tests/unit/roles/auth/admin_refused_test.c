/*
 * roles/auth/admin_*.c: what cannot be done is said, and leaves everything as it was.
 *
 * A disk that takes nothing is a limit of zero on the size of files: what is there can be read.
 */
#include "fixture.h"

#include <signal.h>
#include <sys/resource.h>

#include "sys/clock.h"

static bool text_has(const struct fixture *f, const char *text)
{
	return strstr(f->end_text, text) != NULL;
}

static bool rows_have(const struct fixture *f, const char *text)
{
	return view_find(buf_view(&f->rows), view_str(text)) != VIEW_NONE;
}

static void disk_takes(rlim_t most)
{
	struct rlimit now;

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &now), 0);
	now.rlim_cur = most < now.rlim_max ? most : now.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
}

/* A request without waiting for hashes. */
static void ask_at_once(struct fixture *f, const char *verb, const char *key, const char *value)
{
	struct admin_request_args arg = { .key = view_str(key), .value = view_str(value) };
	struct admin_request m = {
		.tag = 77, .verb = view_str(verb), .args = &arg, .args_count = 1
	};
	struct admin_request decoded;
	struct buf CLEANUP(buf_done) body = BUF_INIT(IPC_BODY_MAX);

	admin_request_encode(&body, &m);
	assert_int_equal(admin_request_decode(buf_view(&body), &decoded), OK);
	f->end_count = 0;
	auth_admin(f->auth, &decoded);
}

/* ---- a disk that takes nothing ---- */

static const struct {
	const char *verb, *args[5];
} changes[] = {
	{ "domain.add", { "domain", "other.example" } },
	{ "domain.remove", { "domain", "empty.example" } },
	{ "account.add", { "address", "carl@example.org", "password", PASSWORD } },
	{ "account.password", { "address", "ben@example.org", "password", "melone birne nuss" } },
	{ "account.disable", { "address", "ben@example.org" } },
	{ "account.enable", { "address", "dora@example.org" } },
	{ "account.quota", { "address", "ben@example.org", "quota", "1 MiB" } },
	{ "account.remove", { "address", "ben@example.org" } },
	{ "alias.add", { "address", "post@example.org", "target", "anna@example.org" } },
	{ "alias.remove", { "address", "info@example.org" } },
	{ "ban.add", { "network", "192.0.2.0/24" } },
	{ "ban.remove", { "network", "198.51.100.7" } },
};

static enum err change(struct fixture *f, size_t i)
{
	const char *const *a = changes[i].args;

	return fixture_admin(f, changes[i].verb, a[0], a[1], a[2], a[3], NULL);
}

/* All that the lists show. */
static void everything(struct fixture *f, struct buf *out)
{
	static const char *const lists[] = { "domain.list", "account.list", "alias.list",
					     "ban.list" };

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		assert_int_equal(fixture_admin(f, lists[i], NULL), OK);
		buf_add(out, buf_view(&f->rows));
	}
	assert_int_equal(buf_err(out), OK);
}

static void test_disk_takes_nothing(void **state)
{
	struct fixture *f = *state;
	struct buf CLEANUP(buf_done) before = BUF_INIT(1 << 20);

	assert_int_equal(fixture_admin(f, "domain.add", "domain", "empty.example", NULL), OK);
	assert_int_equal(fixture_admin(f, "alias.add", "address", "info@example.org", "target",
				       "anna@example.org", NULL),
			 OK);
	assert_int_equal(fixture_admin(f, "ban.add", "network", "198.51.100.7", NULL), OK);
	assert_int_equal(fixture_admin(f, "account.add", "address", "dora@example.org", NULL), OK);
	assert_int_equal(fixture_admin(f, "account.disable", "address", "dora@example.org", NULL),
			 OK);
	everything(f, &before);
	f->changed_count = f->revoked_count = 0;
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		struct buf CLEANUP(buf_done) after = BUF_INIT(1 << 20);
		enum err err;

		disk_takes(0);
		err = change(f, i);
		disk_takes(RLIM_INFINITY);
		if (err != ERR_IO && err != ERR_FULL)
			fail_msg("%s: %s, \"%s\"", changes[i].verb, err_text(err), f->end_text);
		assert_true(text_has(f, "nothing was changed"));
		assert_int_equal(f->end_count, 1);
		everything(f, &after);
		assert_true(view_eq(buf_view(&after), buf_view(&before)));
	}
	/* Nobody was told of a change that there was not, nor locked out or let in. */
	assert_int_equal(f->changed_count, 0);
	assert_int_equal(f->revoked_count, 0);
	fixture_plain(f, NULL, "ben@example.org", PASSWORD);
	assert_int_equal(f->said, SAID_SUCCESS);
	fixture_plain(f, "\xc6\x33\x64\x07", "ben@example.org", PASSWORD);
	assert_int_equal(f->kind, AUTHN_BANNED);
	/* The same, where the disk has room again. */
	for (size_t i = 0; i < ARRAY_LEN(changes); i++)
		assert_int_equal(change(f, i), OK);
}

/* What cannot be remembered of a log-in is no reason to refuse it; a wrong password stays one. */
static void test_log_in_with_a_full_disk(void **state)
{
	struct fixture *f = *state;

	disk_takes(0);
	fixture_plain(f, NULL, "anna@example.org", PASSWORD);
	assert_int_equal(f->said, SAID_SUCCESS);
	fixture_plain(f, NULL, "anna@example.org", "wrong");
	assert_int_equal(f->said, SAID_FAILURE);
	assert_int_equal(f->kind, AUTHN_BAD_CREDENTIALS);
	/* A ban holds although it cannot be stored. */
	for (int i = 0; i < 100 && f->kind != AUTHN_BANNED; i++)
		fixture_plain(f, "\xc6\x33\x64\x08", "anna@example.org", "wrong");
	disk_takes(RLIM_INFINITY);
	assert_int_equal(f->kind, AUTHN_BANNED);
}

/* ---- limits ---- */

/* n times c, NUL-terminated, in a buffer of the test. */
static const char *repeated(char *room, char c, size_t n)
{
	memset(room, c, n);
	room[n] = 0;
	return room;
}

static void test_display(void **state)
{
	struct fixture *f = *state;
	char name[DIRECTORY_DISPLAY_MAX + 2];

	assert_int_equal(fixture_admin(f, "account.add", "address", "carl@example.org", "display",
				       repeated(name, 'n', DIRECTORY_DISPLAY_MAX + 1), NULL),
			 ERR_LIMIT);
	assert_true(text_has(f, "at most 128 octets"));
	assert_int_equal(fixture_admin(f, "account.show", "address", "carl@example.org", NULL),
			 ERR_NOTFOUND);
	assert_int_equal(fixture_admin(f, "account.add", "address", "carl@example.org", "display",
				       repeated(name, 'n', DIRECTORY_DISPLAY_MAX), NULL),
			 OK);
}

static void test_passwords(void **state)
{
	struct fixture *f = *state;
	char password[PASSWORD_MAX + 2];

	assert_int_equal(fixture_admin(f, "account.password", "address", "anna@example.org",
				       "password", repeated(password, 'p', PASSWORD_MAX + 1),
				       "unchecked", "yes", NULL),
			 ERR_LIMIT);
	assert_true(text_has(f, "at most 1024 octets"));
	assert_int_equal(fixture_admin(f, "account.password", "address", "anna@example.org",
				       "password", "a bell \a rings here", NULL),
			 ERR_SYNTAX);
	assert_true(text_has(f, "cannot be typed"));
	fixture_plain(f, NULL, "anna@example.org", PASSWORD);
	assert_int_equal(f->said, SAID_SUCCESS);
	/* "unchecked" is said by yes, true and 1; what is something else is not it. */
	assert_int_equal(fixture_admin(f, "account.password", "address", "anna@example.org",
				       "password", "short", "unchecked", "no", NULL),
			 ERR_DENIED);
	assert_int_equal(fixture_admin(f, "account.password", "address", "anna@example.org",
				       "password", "short", "unchecked", "true", NULL),
			 OK);
	assert_int_equal(fixture_admin(f, "account.password", "address", "anna@example.org",
				       "password", repeated(password, 'p', PASSWORD_MAX),
				       "unchecked", "1", NULL),
			 OK);
	assert_int_equal(
		fixture_admin(f, "account.password", "address", "nobody@example.org", NULL),
		ERR_NOTFOUND);
	assert_int_equal(f->revoked_count, 2);
}

static void test_quota_and_time(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *text;
		enum err want;
	} quotas[] = { { "0", OK },
		       { "9223372036854775807", OK },
		       { "9223372036854775808", ERR_SYNTAX },
		       { "99999999999999999999", ERR_SYNTAX },
		       { "-1", ERR_SYNTAX } },
	  times[] = { { "2147483647 s", OK },
		      { "2147483648 s", ERR_SYNTAX },
		      { "1 s", OK },
		      { "0 s", ERR_SYNTAX } };

	for (size_t i = 0; i < ARRAY_LEN(quotas); i++)
		assert_int_equal(fixture_admin(f, "account.quota", "address", "anna@example.org",
					       "quota", quotas[i].text, NULL),
				 quotas[i].want);
	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		assert_int_equal(fixture_admin(f, "ban.add", "network", "203.0.113.9", "time",
					       times[i].text, NULL),
				 times[i].want);
	assert_int_equal(fixture_admin(f, "account.quota", "address", "nobody@example.org", "quota",
				       "1", NULL),
			 ERR_NOTFOUND);
}

/* A ban that is over is not shown any more. */
static void test_ban_ends(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fixture_admin(f, "ban.add", "network", "192.0.2.1", "time", "1 s", NULL),
			 OK);
	clock_set_wall_ms(1795233600000 + 999);
	assert_int_equal(fixture_admin(f, "ban.list", NULL), OK);
	assert_true(rows_have(f, "192.0.2.1"));
	clock_set_wall_ms(1795233600000 + 1000);
	assert_int_equal(fixture_admin(f, "ban.list", NULL), OK);
	assert_int_equal(f->rows.n, 0);
	assert_int_equal(fixture_admin(f, "ban.remove", "network", "not one", NULL), ERR_SYNTAX);
}

static void test_aliases(void **state)
{
	struct fixture *f = *state;
	char address[64];

	for (int i = 0; i < DIRECTORY_TARGETS_MAX; i++) {
		(void)snprintf(address, sizeof(address), "x%d@far.example", i);
		assert_int_equal(fixture_admin(f, "alias.add", "address", "all@example.org",
					       "target", address, NULL),
				 OK);
	}
	/* One target too many: of one alias, or over several. */
	assert_true(fixture_admin(f, "alias.add", "address", "all@example.org", "target",
				  "more@far.example", NULL) != OK);
	assert_true(text_has(f, "40"));
	assert_int_equal(fixture_admin(f, "alias.list", NULL), OK);
	assert_false(rows_have(f, "more@far.example"));
	assert_int_equal(fixture_admin(f, "alias.add", "address", "no address", "target",
				       "anna@example.org", NULL),
			 ERR_SYNTAX);
	assert_true(text_has(f, "write the alias like info@example.org"));
	assert_int_equal(fixture_admin(f, "alias.remove", "address", "no address", NULL),
			 ERR_NOTFOUND);
	assert_int_equal(fixture_admin(f, "alias.remove", "address", "all@example.org", "target",
				       "x0@far.example", NULL),
			 OK);
	assert_int_equal(fixture_admin(f, "alias.add", "address", "all@example.org", "target",
				       "more@far.example", NULL),
			 OK);
}

/* ---- at the same time ---- */

/* What happened while the password was hashed counts. */
static void test_removed_meanwhile(void **state)
{
	struct fixture *f = *state;

	ask_at_once(f, "account.password", "address", "ben@example.org");
	assert_int_equal(f->end_count, 0);
	ask_at_once(f, "account.remove", "address", "ben@example.org");
	assert_int_equal(f->end_count, 1);
	assert_int_equal(f->end_err, OK);
	assert_int_equal(fixture_hash(f), 1);
	assert_int_equal(f->end_err, ERR_NOTFOUND);
	assert_true(text_has(f, "removed meanwhile"));
	assert_int_equal(fixture_admin(f, "account.show", "address", "ben@example.org", NULL),
			 ERR_NOTFOUND);
}

static void test_added_twice(void **state)
{
	struct fixture *f = *state;

	ask_at_once(f, "account.add", "address", "carl@example.org");
	ask_at_once(f, "account.add", "address", "carl@example.org");
	assert_int_equal(fixture_hash(f), 2);
	assert_int_equal(f->end_err, ERR_EXISTS);
	assert_true(text_has(f, "is taken"));
}

/* At the option auth_hash_queue requests wait, past it they are refused. */
static void test_too_many_hashes(void **state)
{
	struct fixture *f = *state;

	f->config.auth_hash_queue = 2;
	ask_at_once(f, "account.password", "address", "anna@example.org");
	ask_at_once(f, "account.password", "address", "ben@example.org");
	assert_int_equal(f->end_count, 0);
	ask_at_once(f, "account.password", "address", "anna@example.org");
	assert_int_equal(f->end_count, 1);
	assert_int_equal(f->end_err, ERR_BUSY);
	assert_true(text_has(f, "try again in a moment"));
	assert_int_equal(fixture_hash(f), 2);
	assert_int_equal(f->end_err, OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		AUTH_TEST(test_disk_takes_nothing),
		AUTH_TEST(test_log_in_with_a_full_disk),
		AUTH_TEST(test_display),
		AUTH_TEST(test_passwords),
		AUTH_TEST(test_quota_and_time),
		AUTH_TEST(test_ban_ends),
		AUTH_TEST(test_aliases),
		AUTH_TEST(test_removed_meanwhile),
		AUTH_TEST(test_added_twice),
		AUTH_TEST(test_too_many_hashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
