/* spool/change.h: what was encoded is decoded, and nothing shorter or longer is. */
#include "unit.h"

#include "spool/change.h"

static const struct rcpt_change rcpt = {
	.index = 70000,
	.outcome = RCPT_DEFERRED,
	.flags = CHANGE_REPORT | CHANGE_WARNED,
	.attempts = 17,
	.code = 451,
	.wall_ms = -5,
	.age_ms = 1LL << 40,
	.next_ms = 1763700000000,
	.status = VIEW_INIT("4.7.1"),
	.reply = VIEW_INIT("451 4.7.1 come back later"),
	.remote = VIEW_INIT("mx.example.test"),
};

static void test_rcpt(void **state)
{
	struct buf CLEANUP(buf_done) b = BUF_INIT(CHANGE_SIZE_MAX);
	struct rcpt_change got;

	rcpt_change_encode(&b, &rcpt);
	assert_int_equal(buf_err(&b), OK);
	assert_int_equal(rcpt_change_decode(buf_view(&b), &got), OK);
	assert_int_equal(got.index, 70000);
	assert_int_equal(got.outcome, RCPT_DEFERRED);
	assert_int_equal(got.flags, CHANGE_REPORT | CHANGE_WARNED);
	assert_int_equal(got.attempts, 17);
	assert_int_equal(got.code, 451);
	assert_int_equal(got.wall_ms, -5);
	assert_int_equal(got.age_ms, 1LL << 40);
	assert_int_equal(got.next_ms, 1763700000000);
	assert_view(got.status, "4.7.1");
	assert_view(got.reply, "451 4.7.1 come back later");
	assert_view(got.remote, "mx.example.test");
}

static void test_rcpt_cuts(void **state)
{
	struct buf CLEANUP(buf_done) b = BUF_INIT(CHANGE_SIZE_MAX);

	rcpt_change_encode(&b, &rcpt);
	for (size_t n = 0; n <= b.n + 1; n++) {
		struct rcpt_change got = { .index = 4711 };
		char *copy;

		if (n == b.n)
			continue;
		if (n > b.n)
			buf_add_char(&b, 0);
		copy = tight_copy(view_head(buf_view(&b), n));
		assert_int_not_equal(rcpt_change_decode(view_of(copy, n), &got), OK);
		assert_int_equal(got.index, 4711);
		free(copy);
	}
}

static void test_texts_are_cut(void **state)
{
	struct buf CLEANUP(buf_done) b = BUF_INIT(CHANGE_SIZE_MAX);
	struct buf CLEANUP(buf_done) text = BUF_INIT(1000);
	struct rcpt_change long_one = rcpt, got;

	buf_add_fill(&text, 'x', CHANGE_REPLY_MAX);
	long_one.reply = buf_view(&text);
	rcpt_change_encode(&b, &long_one);
	assert_int_equal(rcpt_change_decode(buf_view(&b), &got), OK);
	assert_int_equal(got.reply.n, CHANGE_REPLY_MAX);
	buf_add_char(&text, 'y');
	buf_clear(&b);
	long_one.reply = buf_view(&text);
	rcpt_change_encode(&b, &long_one);
	assert_int_equal(rcpt_change_decode(buf_view(&b), &got), OK);
	assert_int_equal(got.reply.n, CHANGE_REPLY_MAX);
}

static void test_bad_outcome(void **state)
{
	struct buf CLEANUP(buf_done) b = BUF_INIT(CHANGE_SIZE_MAX);
	struct rcpt_change bad = rcpt, got;

	bad.outcome = RCPT_OUTCOME_END;
	rcpt_change_encode(&b, &bad);
	assert_int_equal(rcpt_change_decode(buf_view(&b), &got), ERR_SYNTAX);
}

static void test_expand(void **state)
{
	struct buf CLEANUP(buf_done) b = BUF_INIT(CHANGE_SIZE_MAX);
	struct expand_change e = { .index = 12,
				   .parent = 3,
				   .kind = 2,
				   .notify = 4,
				   .account = 99,
				   .address = VIEW_INIT("a@example.test"),
				   .mailbox = VIEW_INIT("lists") };
	struct expand_change got;

	expand_change_encode(&b, &e);
	assert_int_equal(expand_change_decode(buf_view(&b), &got), OK);
	assert_int_equal(got.index, 12);
	assert_int_equal(got.parent, 3);
	assert_int_equal(got.kind, 2);
	assert_int_equal(got.notify, 4);
	assert_int_equal(got.account, 99);
	assert_view(got.address, "a@example.test");
	assert_view(got.mailbox, "lists");
	for (size_t n = 0; n < b.n; n++)
		assert_int_not_equal(expand_change_decode(view_head(buf_view(&b), n), &got), OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rcpt),	      cmocka_unit_test(test_rcpt_cuts),
		cmocka_unit_test(test_texts_are_cut), cmocka_unit_test(test_bad_outcome),
		cmocka_unit_test(test_expand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
