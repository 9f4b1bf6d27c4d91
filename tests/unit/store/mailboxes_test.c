/*
 * mailboxes_test.c: names, limits, deleting and renaming.
 */
#include "store_fixture.h"

static uint64_t create(struct account *a, const char *name)
{
	uint64_t id = 0;

	assert_int_equal(store_mailbox_create(a->store, view_str(name), 0, &id), OK);
	return id;
}

static void setup(struct account *a)
{
	fixture_init(a);
	assert_int_equal(fixture_open(a), OK);
}

static void test_names(void **state)
{
	static const struct {
		const char *name;
		enum err err;
	} rows[] = {
		{ "a", OK },
		{ "a", ERR_EXISTS },
		{ "inBOX", ERR_EXISTS },
		{ "iNbox/sub", OK },
		{ "INBOX/sub", ERR_EXISTS },
		{ "", ERR_SYNTAX },
		{ "/a", ERR_SYNTAX },
		{ "a/", ERR_SYNTAX },
		{ "a//b", ERR_SYNTAX },
		{ "x*", ERR_SYNTAX },
		{ "x%", ERR_SYNTAX },
		{ "x\ty", ERR_SYNTAX },
		{ "..", ERR_SYNTAX },
		{ "\xff", ERR_SYNTAX },
		{ "\xc0\xaf", ERR_SYNTAX },
		{ "\xed\xa0\x80", ERR_SYNTAX },
		{ "\xc2\x85", ERR_SYNTAX },
		{ "\xf4\x90\x80\x80", ERR_SYNTAX },
		{ "Entw\xc3\xbcrfe", OK },
		{ "\xf0\x9f\x93\xac", OK },
	};
	struct account a;
	uint64_t id;

	setup(&a);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(store_mailbox_create(a.store, view_str(rows[i].name), 0, &id),
				 rows[i].err);
	fixture_done(&a);
}

static void test_limits(void **state)
{
	char name[STORE_MAILBOX_NAME_MAX + 2];
	struct account a;
	uint64_t id;

	setup(&a);
	memset(name, 'n', sizeof(name));
	assert_int_equal(
		store_mailbox_create(a.store, view_of(name, STORE_MAILBOX_NAME_MAX), 0, &id), OK);
	assert_int_equal(
		store_mailbox_create(a.store, view_of(name, STORE_MAILBOX_NAME_MAX + 1), 0, &id),
		ERR_RANGE);
	for (size_t i = 0; i < sizeof(name); i++)
		name[i] = i % 2 ? '/' : 'd';
	assert_int_equal(store_mailbox_create(
				 a.store, view_of(name, STORE_MAILBOX_DEPTH_MAX * 2 + 1), 0, &id),
			 ERR_RANGE);
	assert_int_equal(store_mailbox_create(
				 a.store, view_of(name, STORE_MAILBOX_DEPTH_MAX * 2 - 1), 0, &id),
			 OK);
	assert_non_null(store_mailbox_by_name(a.store, VIEW("d/d/d")));
	assert_true(store_mailbox_by_name(a.store, VIEW("d/d/d"))->has_children);
	/* Renaming may not make names too deep or too long either. */
	assert_int_equal(store_mailbox_rename(a.store, VIEW("d"), VIEW("e/f")), ERR_RANGE);
	assert_non_null(store_mailbox_by_name(a.store, VIEW("d/d")));
	assert_null(store_mailbox_by_name(a.store, VIEW("e")));
	fixture_done(&a);
}

/* The options are below the store's own bounds and can change while it is open. */
static void test_limits_set(void **state)
{
	struct store_config limits = { .mailbox_name_max = 10, .mailbox_depth_max = 2 };
	struct account a;
	uint64_t id;

	setup(&a);
	store_mailbox_limits_set(a.store, &limits);
	assert_int_equal(store_mailbox_create(a.store, VIEW("0123456789"), 0, &id), OK);
	assert_int_equal(store_mailbox_create(a.store, VIEW("0123456789x"), 0, &id), ERR_RANGE);
	assert_int_equal(store_mailbox_create(a.store, VIEW("a/b"), 0, &id), OK);
	assert_int_equal(store_mailbox_create(a.store, VIEW("a/b/c"), 0, &id), ERR_RANGE);
	assert_int_equal(store_mailbox_rename(a.store, VIEW("a"), VIEW("c/d")), ERR_RANGE);
	assert_int_equal(store_mailbox_rename(a.store, VIEW("a"), VIEW("012345678")), ERR_RANGE);
	/* INBOX, five that every account has, and the three from above. */
	limits.mailbox_count_max = 10;
	store_mailbox_limits_set(a.store, &limits);
	assert_int_equal(store_mailbox_create(a.store, VIEW("tenth"), 0, &id), OK);
	assert_int_equal(store_mailbox_create(a.store, VIEW("eleventh"), 0, &id), ERR_LIMIT);
	fixture_done(&a);
}

static void test_delete(void **state)
{
	struct account a;
	uint64_t id, again;
	uint32_t validity;

	setup(&a);
	id = create(&a, "p/c");
	id = store_mailbox_by_name(a.store, VIEW("p"))->id;
	validity = store_mailbox_by_name(a.store, VIEW("p"))->uidvalidity;
	fixture_deliver(&a, "p", "text", 0);
	assert_int_equal(store_mailbox_delete(a.store, VIEW("INBOX")), ERR_DENIED);
	assert_int_equal(store_mailbox_delete(a.store, VIEW("q")), ERR_NOTFOUND);
	assert_int_equal(store_mailbox_delete(a.store, VIEW("p")), OK);
	assert_false(store_mailbox_by_name(a.store, VIEW("p"))->selectable);
	assert_int_equal(store_mailbox_delete(a.store, VIEW("p")), ERR_WRONG_STATE);
	assert_int_equal(store_usage(a.store).messages, 0);
	fixture_reopen(&a);
	again = create(&a, "p");
	assert_true(again > id);
	assert_true(store_mailbox_by_name(a.store, VIEW("p"))->uidvalidity > validity);
	assert_int_equal(store_mailbox_by_name(a.store, VIEW("p"))->uidnext, 1);
	assert_int_equal(store_mailbox_delete(a.store, VIEW("p/c")), OK);
	assert_false(store_mailbox_by_name(a.store, VIEW("p"))->has_children);
	assert_int_equal(store_mailbox_delete(a.store, VIEW("p")), OK);
	assert_null(store_mailbox_by_name(a.store, VIEW("p")));
	fixture_done(&a);
}

static void test_delete_loaded(void **state)
{
	const struct store_snapshot *n;
	struct account a;
	uint64_t id;

	setup(&a);
	id = create(&a, "p");
	fixture_deliver(&a, "p", "text", 0);
	assert_int_equal(store_mailbox_load(a.store, id, &n), OK);
	assert_int_equal(store_mailbox_delete(a.store, VIEW("p")), OK);
	assert_true(n->gone);
	assert_int_equal(n->n, 0);
	store_mailbox_release(a.store, n);
	fixture_done(&a);
}

static void test_rename(void **state)
{
	struct account a;
	uint64_t id;

	setup(&a);
	create(&a, "a/b/c");
	create(&a, "a b");
	id = fixture_id(&a, "a/b");
	assert_int_equal(store_mailbox_rename(a.store, VIEW("a"), VIEW("a/x")), ERR_DENIED);
	assert_int_equal(store_mailbox_rename(a.store, VIEW("a"), VIEW("Sent")), ERR_EXISTS);
	assert_int_equal(store_mailbox_rename(a.store, VIEW("a"), VIEW("x/y")), OK);
	assert_int_equal(fixture_id(&a, "x/y/b"), id);
	assert_non_null(store_mailbox_by_name(a.store, VIEW("x/y/b/c")));
	assert_null(store_mailbox_by_name(a.store, VIEW("a/b")));
	assert_non_null(store_mailbox_by_name(a.store, VIEW("a b")));
	/* INBOX */
	create(&a, "INBOX/sub");
	fixture_deliver(&a, "INBOX", "one", 0);
	assert_int_equal(store_mailbox_rename(a.store, VIEW("inbox"), VIEW("Old")), OK);
	assert_int_equal(store_mailbox_by_name(a.store, VIEW("INBOX"))->messages, 0);
	assert_int_equal(store_mailbox_by_name(a.store, VIEW("Old"))->messages, 1);
	assert_non_null(store_mailbox_by_name(a.store, VIEW("INBOX/sub")));
	fixture_reopen(&a);
	assert_int_equal(fixture_id(&a, "x/y/b"), id);
	fixture_done(&a);
}

static void test_subscribe(void **state)
{
	struct account a;
	struct view name;
	size_t at = 0, n = 0;

	setup(&a);
	assert_int_equal(store_subscribe(a.store, VIEW("nowhere/yet"), true), OK);
	assert_int_equal(store_subscribe(a.store, VIEW("Trash"), false), OK);
	assert_false(store_mailbox_by_name(a.store, VIEW("Trash"))->subscribed);
	fixture_reopen(&a);
	create(&a, "nowhere/yet");
	assert_true(store_mailbox_by_name(a.store, VIEW("nowhere/yet"))->subscribed);
	assert_int_equal(store_mailbox_delete(a.store, VIEW("nowhere/yet")), OK);
	while (store_subscription_next(a.store, &at, &name))
		n++;
	assert_int_equal(n, 6);
	fixture_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),	      cmocka_unit_test(test_limits),
		cmocka_unit_test(test_limits_set),    cmocka_unit_test(test_delete),
		cmocka_unit_test(test_delete_loaded), cmocka_unit_test(test_rename),
		cmocka_unit_test(test_subscribe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
