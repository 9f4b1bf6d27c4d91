/*
 * tests/unit/oom/directory_test.c: accounts, aliases and look-ups when memory is short, the directory's own and
 * SQLite's.
 *
 * A change that was said OK to is there after the next start, one that was refused is not.  A look-up is right
 * or says that it failed: "unknown" would bounce mail of somebody who exists.
 */
#include "oom.h"

#include "../directory/fixture.h"

enum { STEP = 17, DEPTH_SECONDS = 3600 };

static struct {
	struct fixture *f;
	enum err domain, anna, ben, alias, catch_all, password, state, ban, device, removed;
	uint64_t anna_id;
} t;

/* Nobody logs in here. */
static const struct verifiers made = { .has_argon2id = true,
				       .has_scram = true,
				       .argon2id = "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA",
				       .scram_iterations = 4096 };

static void world_begin(void)
{
	void *state;

	memset(&t, 0, sizeof(t));
	assert_int_equal(fixture_setup(&state), 0);
	t.f = state;
	assert_int_equal(directory_domain_add(t.f->d, VIEW("here.test"), NOW), OK);
	t.anna_id = fixture_account(t.f, "anna@here.test");
}

static void world_end(void)
{
	void *state = t.f;

	assert_int_equal(fixture_teardown(&state), 0);
}

static enum err allowed(enum err err)
{
	if (err != OK && err != ERR_NOMEM)
		fail_msg("%s", err_text(err));
	return err;
}

static void work(void)
{
	struct directory *d = t.f->d;
	struct directory_account_new ben = { .address = VIEW("Ben@Here.test"),
					     .display = VIEW("Ben"),
					     .now = NOW,
					     .verifiers = &made };
	struct directory_ban ban = { VIEW("\xc0\x00\x02\x01"), 1000000, 3 };
	uint64_t id;

	t.domain = allowed(directory_domain_add(d, VIEW("f\xc3\xbcr.test"), NOW));
	t.ben = allowed(directory_account_add(d, &ben, &id));
	t.alias = allowed(directory_alias_add(d, &fixture_rules, VIEW("info@here.test"),
					      VIEW("anna@here.test")));
	t.catch_all = allowed(
		directory_alias_add(d, &fixture_rules, VIEW("@here.test"), VIEW("anna@here.test")));
	t.password = allowed(directory_account_set_password(d, t.anna_id, &made, NOW + 1));
	t.state = allowed(directory_account_set_state(d, t.anna_id, ACCOUNT_DISABLED));
	t.device = allowed(directory_device_seen(d, t.anna_id, VIEW("\x7f\x00\x00"), NOW));
	t.ban = allowed(directory_ban_put(d, &ban));
	t.removed = t.catch_all
			    ? ERR_NOMEM
			    : allowed(directory_alias_remove(d, VIEW("@here.test"), VIEW_EMPTY));
}

static enum err count_ban(void *ctx, const struct directory_ban *ban)
{
	++*(size_t *)ctx;
	return OK;
}

static enum lookup_status status_of(const char *address)
{
	static struct directory_targets targets;

	assert_int_equal(directory_lookup(t.f->d, &fixture_rules, view_str(address), &targets), OK);
	return targets.status;
}

static void check(void)
{
	struct directory *d = t.f->d;
	struct directory_account a;
	struct directory_domain domain;
	struct verifiers v;
	bool catches = !t.catch_all && t.removed;
	size_t bans = 0;
	bool known;

	assert_int_equal(directory_domain_find(d, VIEW("f\xc3\xbcr.test"), &domain),
			 t.domain ? ERR_NOTFOUND : OK);
	assert_int_equal(directory_account_by_id(d, t.anna_id, &a), OK);
	assert_int_equal(a.state, t.state ? ACCOUNT_ACTIVE : ACCOUNT_DISABLED);
	assert_int_equal(a.password_changed, t.password ? 0 : NOW + 1);
	assert_int_equal(directory_verifiers(d, t.anna_id, &v), OK);
	assert_int_equal(v.has_argon2id, !t.password);
	assert_int_equal(v.has_scram, !t.password);
	assert_int_equal(directory_account_find(d, VIEW("ben@here.test"), &a),
			 t.ben ? ERR_NOTFOUND : OK);
	if (!t.ben) {
		assert_string_equal(a.display, "Ben");
		assert_int_equal(directory_verifiers(d, a.id, &v), OK);
		assert_true(v.has_argon2id);
	}
	/* Its only target is disabled; without the alias and the catch-all nobody has the address. */
	if (!t.state)
		assert_int_equal(status_of("info@here.test"),
				 t.alias && !catches ? LOOKUP_UNKNOWN : LOOKUP_DISABLED);
	assert_int_equal(directory_device_known(d, t.anna_id, VIEW("\x7f\x00\x00"),
						NOW - DEPTH_SECONDS, &known),
			 OK);
	assert_int_equal(known, !t.device);
	assert_int_equal(directory_ban_each(d, 0, count_ban, &bans), OK);
	assert_int_equal(bans, t.ban ? 0 : 1);
}

static bool changes(size_t nth, enum oom_mode mode)
{
	bool failed;

	world_begin();
	oom_arm(nth, mode);
	work();
	failed = oom_disarm();
	check();
	fixture_reopen(t.f);
	check();
	/* And it goes on. */
	(void)fixture_account(t.f, "last@here.test");
	world_end();
	return failed;
}

static bool opens(size_t nth, enum oom_mode mode)
{
	struct directory *d = NULL;
	bool failed;
	enum err err;

	world_begin();
	work();
	directory_close(t.f->d);
	oom_arm(nth, mode);
	err = directory_open(t.f->path, &d);
	failed = oom_disarm();
	if (err) {
		assert_true(failed);
		assert_int_equal(err, ERR_NOMEM);
		assert_null(d);
		assert_int_equal(directory_open(t.f->path, &d), OK);
	}
	t.f->d = d;
	check();
	world_end();
	return failed;
}

/* ---- look-ups ---- */

static struct fixture *looked;

static bool looks_up(size_t nth, enum oom_mode mode)
{
	static const struct {
		const char *address;
		enum lookup_status status;
		size_t n;
	} cases[] = {
		{ "anna@here.test", LOOKUP_OK, 1 },
		{ "anna+x@here.test", LOOKUP_OK, 1 },
		{ "team@here.test", LOOKUP_OK, 3 },
		{ "nobody@here.test", LOOKUP_UNKNOWN, 0 },
		{ "x@elsewhere.test", LOOKUP_NOT_OURS, 1 },
		{ "anna@f\xc3\xbcr.test", LOOKUP_OK, 1 },
		{ "postmaster@here.test", LOOKUP_OK, 1 },
	};
	static struct directory_targets targets;
	bool failed;

	oom_arm(nth, mode);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		enum err err = directory_lookup(looked->d, &fixture_rules,
						view_str(cases[i].address), &targets);

		if (allowed(err))
			continue;
		if (targets.status != cases[i].status)
			fail_msg("%s, allocation %zu: status %d", cases[i].address, nth,
				 (int)targets.status);
		assert_int_equal(targets.n, cases[i].n);
	}
	failed = oom_disarm();
	/* Statements are prepared at their first use: forget them. */
	fixture_reopen(looked);
	return failed;
}

static void each_with_sqlite(const char *what, oom_attempt *attempt)
{
	oom_sqlite_count(true);
	oom_each_step(what, attempt, 20, STEP);
	oom_sqlite_count(false);
}

static void changing(void **state)
{
	oom_each("changes", changes, 1);
	each_with_sqlite("changes, with SQLite", changes);
}

static void opening(void **state)
{
	oom_each("directory_open", opens, 1);
	each_with_sqlite("directory_open, with SQLite", opens);
}

static void looking_up(void **state)
{
	void *fixture;

	assert_int_equal(fixture_setup(&fixture), 0);
	looked = fixture;
	assert_int_equal(directory_domain_add(looked->d, VIEW("here.test"), NOW), OK);
	assert_int_equal(directory_domain_add(looked->d, VIEW("f\xc3\xbcr.test"), NOW), OK);
	(void)fixture_account(looked, "anna@here.test");
	(void)fixture_account(looked, "anna@f\xc3\xbcr.test");
	(void)fixture_account(looked, "ben@here.test");
	assert_int_equal(fixture_alias(looked, "both@here.test", "anna@here.test"), OK);
	assert_int_equal(fixture_alias(looked, "both@here.test", "ben@here.test"), OK);
	assert_int_equal(fixture_alias(looked, "team@here.test", "both@here.test"), OK);
	assert_int_equal(fixture_alias(looked, "team@here.test", "far@elsewhere.test"), OK);
	oom_each("look-ups", looks_up, 5);
	each_with_sqlite("look-ups, with SQLite", looks_up);
	assert_int_equal(fixture_teardown(&fixture), 0);
}

static int setup(void **state)
{
	oom_sqlite();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changing),
		cmocka_unit_test(opening),
		cmocka_unit_test(looking_up),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
