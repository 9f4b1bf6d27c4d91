/*
 * tests/unit/oom/auth_test.c: log-ins and requests of the administrator when memory is short.
 *
 * Whatever allocation fails: every question is answered once; a right password is never called wrong, a wrong
 * one never lets anybody in, and nobody is banned for it; what said OK was done, and the next one works.
 */
#include "oom.h"

#include "roles/auth/fixture.h"
#include "sys/clock.h"

static struct fixture *f;

static const struct view right = VIEW_INIT("\0anna@example.org\0" PASSWORD);
static const struct view wrong = VIEW_INIT("\0anna@example.org\0"
					   "wrong");

/* A request with one argument, encoded with memory enough. */
static bool admin(const char *verb, const char *key, const char *value, size_t nth,
		  enum oom_mode mode)
{
	struct admin_request_args arg = { .key = view_str(key), .value = view_str(value) };
	struct admin_request decoded,
		m = { .tag = 77, .verb = view_str(verb), .args = &arg, .args_count = key ? 1 : 0 };
	struct buf body = BUF_INIT(IPC_BODY_MAX);
	bool failed;

	admin_request_encode(&body, &m);
	assert_int_equal(admin_request_decode(buf_view(&body), &decoded), OK);
	buf_clear(&f->rows);
	f->end_count = 0;
	oom_arm(nth, mode);
	auth_admin(f->auth, &decoded);
	(void)fixture_hash(f);
	failed = oom_disarm();
	buf_done(&body);
	assert_int_equal(f->end_count, 1);
	if (!failed)
		assert_int_equal(f->end_err, OK);
	return failed;
}

/* PLAIN from anna's usual address; the message lies in memory of the test. */
static bool plain(struct view message, size_t nth, enum oom_mode mode)
{
	struct authn_start m = fixture_start("PLAIN");

	/* Nothing is known from before. */
	clock_set_mono_ms(clock_mono_ms() + 24 * 3600 * 1000);
	m.has_initial = true;
	m.initial = message;
	f->said = SAID_NOTHING;
	if (nth)
		oom_arm(nth, mode);
	assert_int_equal(auth_start(f->auth, AUTH_CLIENT_LOGIN, &m), OK);
	(void)fixture_hash(f);
	assert_true(f->said == SAID_SUCCESS || f->said == SAID_FAILURE);
	return nth && oom_disarm();
}

/* 1. log-ins */

static bool right_password(size_t nth, enum oom_mode mode)
{
	bool failed = plain(right, nth, mode);

	if (f->said != SAID_SUCCESS) {
		assert_true(failed);
		assert_int_equal(f->said, SAID_FAILURE);
		if (f->kind != AUTHN_TEMPORARY && f->kind != AUTHN_BUSY)
			fail_msg("allocation %zu: failure of kind %d", nth, (int)f->kind);
	} else {
		assert_int_equal(f->account, f->anna);
	}
	(void)plain(right, 0, mode);
	assert_int_equal(f->said, SAID_SUCCESS);
	return failed;
}

static bool wrong_password(size_t nth, enum oom_mode mode)
{
	bool failed = plain(wrong, nth, mode);

	assert_int_equal(f->said, SAID_FAILURE);
	if (!failed)
		assert_int_equal(f->kind, AUTHN_BAD_CREDENTIALS);
	(void)plain(right, 0, mode);
	assert_int_equal(f->said, SAID_SUCCESS);
	return failed;
}

static void test_log_in(void **state)
{
	f = *state;
	oom_each("right password", right_password, 1);
	oom_each("wrong password", wrong_password, 1);
}

/* 2. requests */

static const struct request {
	const char *verb, *key, *value;
	size_t least; /* allocations */
} requests[] = {
	{ "domain.list", NULL, NULL, 1 },
	{ "account.list", NULL, NULL, 1 },
	{ "account.list", "domain", "example.org", 1 },
	{ "account.show", "address", "anna@example.org", 1 },
	{ "account.disable", "address", "ben@example.org", 1 },
	{ "account.enable", "address", "ben@example.org", 1 },
	{ "alias.list", NULL, NULL, 1 },
	{ "ban.add", "network", "203.0.113.0/24", 1 },
	{ "ban.list", NULL, NULL, 1 },
	{ "auth.status", NULL, NULL, 1 },
};
static const struct request *request;

static bool one_request(size_t nth, enum oom_mode mode)
{
	return admin(request->verb, request->key, request->value, nth, mode);
}

/* A new password is the one that is shown; what was not changed is as before. */
static bool new_password(size_t nth, enum oom_mode mode)
{
	static char last[40] = PASSWORD;
	char message[100];
	struct view text;
	bool failed = admin("account.password", "address", "ben@example.org", nth, mode);
	size_t at = view_find(buf_view(&f->rows), VIEW("\"password\":\""));
	struct authn_start m = fixture_start("PLAIN");
	int n;

	assert_int_equal(f->end_err == OK, at != VIEW_NONE);
	if (f->end_err == OK) {
		(void)view_cut(view_from(buf_view(&f->rows), at + 12), '"', &text);
		assert_true(text.n >= 20 && text.n < sizeof(last));
		memcpy(last, text.p, text.n);
		last[text.n] = 0;
	}
	n = snprintf(message, sizeof(message), "%cben@example.org%c%s", 0, 0, last);
	m.has_initial = true;
	m.initial = view_of(message, (size_t)n);
	assert_int_equal(auth_start(f->auth, AUTH_CLIENT_LOGIN, &m), OK);
	(void)fixture_hash(f);
	assert_int_equal(f->said, SAID_SUCCESS);
	return failed;
}

static void test_new_password(void **state)
{
	f = *state;
	/* What the test hears with needs no memory more. */
	assert_non_null(buf_room(&f->rows, 50000));
	oom_each("account.password", new_password, 4);
}

static void test_requests(void **state)
{
	f = *state;
	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		request = &requests[i];
		oom_each(request->verb, one_request, request->least);
		/* With memory it does what it says. */
		assert_int_equal(
			fixture_admin(f, request->verb, request->key, request->value, NULL), OK);
	}
}

/* Added means that it is there and can be taken away; not added, that it is not. */
static bool ban(size_t nth, enum oom_mode mode)
{
	bool failed = admin("ban.add", "network", "192.0.2.0/24", nth, mode);
	bool banned = f->end_err == OK;

	assert_int_equal(fixture_admin(f, "ban.list", NULL), OK);
	assert_int_equal(view_find(buf_view(&f->rows), VIEW("192.0.2.0/24")) != VIEW_NONE, banned);
	if (banned)
		assert_int_equal(fixture_admin(f, "ban.remove", "network", "192.0.2.0/24", NULL),
				 OK);
	return failed;
}

static void test_ban(void **state)
{
	f = *state;
	oom_each("ban.add", ban, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		AUTH_TEST(test_log_in),
		AUTH_TEST(test_new_password),
		AUTH_TEST(test_requests),
		AUTH_TEST(test_ban),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
