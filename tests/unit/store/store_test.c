/*
 * store_test.c: what a caller sees of an account that nothing happens to.
 */
#include "store_fixture.h"

static void test_first_open(void **state)
{
	struct account a;
	size_t at = 0, n = 0;

	fixture_init(&a);
	assert_int_equal(fixture_open(&a), OK);
	while (store_mailbox_next(a.store, &at))
		n++;
	assert_int_equal(n, 6);
	assert_string_equal(store_mailbox_by_use(a.store, STORE_USE_TRASH)->name.p, "Trash");
	assert_true(store_mailbox_by_name(a.store, VIEW("inbox"))->subscribed);
	fixture_reopen(&a);
	at = n = 0;
	while (store_mailbox_next(a.store, &at))
		n++;
	assert_int_equal(n, 6);
	fixture_done(&a);
}

static void test_deliver_read(void **state)
{
	struct account a;
	struct store_put_result r;
	const struct store_snapshot *snapshot;
	struct store_digest d;
	struct buf out;

	fixture_init(&a);
	assert_int_equal(fixture_open(&a), OK);
	assert_int_equal(
		fixture_put(&a, STORE_DELIVER, "INBOX", VIEW("Subject: x\r\n\r\nbody\r\n"), 5, &r),
		OK);
	assert_int_equal(r.uid, 1);
	assert_false(r.replayed);
	assert_int_equal(fixture_put(&a, STORE_DELIVER, "INBOX", VIEW("other"), 5, &r), OK);
	assert_true(r.replayed);
	fixture_reopen(&a);
	assert_true(store_mark_known(a.store, (struct store_mark){ 5, 0 }));
	assert_int_equal(store_mailbox_load(a.store, fixture_id(&a, "INBOX"), &snapshot), OK);
	assert_int_equal(snapshot->n, 1);
	assert_int_equal(snapshot->at[0].date, 1700000000);
	assert_int_equal(snapshot->at[0].zone, 60);
	out = fixture_read(&a, snapshot->at[0].blob);
	assert_true(view_eq(buf_view(&out), VIEW("Subject: x\r\n\r\nbody\r\n")));
	buf_done(&out);
	assert_int_equal(store_digest_get(a.store, snapshot->at[0].blob, STORE_COL_ENVELOPE, &d),
			 OK);
	assert_true(view_eq(d.envelope, VIEW("Subject: x")));
	assert_int_equal(d.structure.n, 0);
	assert_int_equal(d.sent, 42);
	store_mailbox_release(a.store, snapshot);
	fixture_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_open),
		cmocka_unit_test(test_deliver_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
