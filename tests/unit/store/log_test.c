/*
 * log_test.c: events, marks and the numbers that never go back.
 */
#include "store/event.h"
#include "store/internal.h"
#include "store_fixture.h"

static const struct event samples[] = {
	{ .kind = EVENT_ADD,
	  .mailbox = 3,
	  .uid = 70000,
	  .blob = 1 << 30,
	  .modseq = INT64_MAX,
	  .flags = 31,
	  .keywords = UINT64_MAX,
	  .date = -5,
	  .zone = -720,
	  .saved = INT64_MIN,
	  .size = UINT32_MAX },
	{ .kind = EVENT_EXPUNGE, .mailbox = 1, .uid = 2, .uid_last = UINT32_MAX, .modseq = 9 },
	{ .kind = EVENT_MAILBOX, .mailbox = 1, .name = VIEW_INIT("INBOX/x"), .uidvalidity = 1 },
	{ .kind = EVENT_VALUE, .name = VIEW_INIT("k"), .value = VIEW_INIT("v\0w") },
	{ .kind = EVENT_MARK, .sequence = 1, .sequence_last = 500, .recipient = 7 },
};

static void test_events(void **state)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(4096), again = BUF_INIT(4096);
	struct cursor c;
	struct event e;

	for (size_t i = 0; i < ARRAY_LEN(samples); i++)
		event_encode(&text, &samples[i]);
	c = cursor_init(buf_view(&text));
	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		assert_int_equal(event_decode(&c, &e), OK);
		event_encode(&again, &e);
	}
	assert_int_equal(event_decode(&c, &e), ERR_EOF);
	assert_true(view_eq(buf_view(&text), buf_view(&again)));
	/* Every cut: whole events, then the end or an error, never more. */
	for (size_t n = 0; n < text.n; n++) {
		size_t whole = 0;
		enum err err;

		c = cursor_init(view_head(buf_view(&text), n));
		while (!(err = event_decode(&c, &e)))
			whole++;
		assert_true(whole < ARRAY_LEN(samples));
		assert_true(err == ERR_EOF || err == ERR_CORRUPT);
	}
	/* Canary: nothing is written on failure. */
	e.uid = 12345;
	c = cursor_init(VIEW("\xff"));
	assert_int_equal(event_decode(&c, &e), ERR_CORRUPT);
	assert_int_equal(e.uid, 12345);
}

/* Against a plain table. */
static void test_marks(void **state)
{
	bool plain[2][64] = { { false } };
	struct marks m, copy;
	struct buf CLEANUP(buf_done) text = BUF_INIT(1 << 16);

	marks_init(&m);
	marks_init(&copy);
	srand(7);
	for (int i = 0; i < 4000; i++) {
		struct store_mark mark = { 1 + (uint64_t)(rand() % 63), (uint32_t)(rand() % 2) };

		if (rand() % 3) {
			assert_int_equal(marks_add(&m, mark), OK);
			plain[mark.recipient][mark.sequence] = true;
		} else {
			marks_remove(&m, mark);
			plain[mark.recipient][mark.sequence] = false;
		}
		for (uint32_t r = 0; r < 2; r++) {
			for (uint64_t s = 1; s < 64; s++)
				assert_int_equal(marks_has(&m, (struct store_mark){ s, r }),
						 plain[r][s]);
		}
		for (size_t n = 1; n < m.ranges.n; n++)
			assert_true(m.ranges.at[n].recipient > m.ranges.at[n - 1].recipient ||
				    m.ranges.at[n].first > m.ranges.at[n - 1].last + 1);
	}
	marks_encode(&m, &text);
	assert_int_equal(marks_decode(&copy, buf_view(&text)), OK);
	assert_int_equal(copy.ranges.n, m.ranges.n);
	for (size_t i = 0; i < m.ranges.n; i++) {
		assert_int_equal(copy.ranges.at[i].recipient, m.ranges.at[i].recipient);
		assert_int_equal(copy.ranges.at[i].first, m.ranges.at[i].first);
		assert_int_equal(copy.ranges.at[i].last, m.ranges.at[i].last);
	}
	assert_int_equal(copy.highest, m.highest);
	marks_forget(&m, 32);
	for (uint64_t s = 1; s < 64; s++)
		assert_int_equal(marks_has(&m, (struct store_mark){ s, 0 }),
				 s >= 32 && plain[0][s]);
	marks_done(&m);
	marks_done(&copy);
}

static void on_vanished(void *ctx, struct store_range r)
{
	struct store_range *all = (struct store_range *)ctx;

	if (r.first < all->first)
		all->first = r.first;
	if (r.last > all->last)
		all->last = r.last;
}

/* THREATS.md 4, clause 6 */
static void test_ceiling(void **state)
{
	struct store_range gone = { UINT32_MAX, 0 };
	struct account a;
	uint64_t modseq, inbox;
	uint32_t uid, next;

	fixture_init(&a);
	assert_int_equal(fixture_open(&a), OK);
	inbox = fixture_id(&a, "INBOX");
	uid = fixture_deliver(&a, "INBOX", "x", 1);
	/* In order: counting goes on without a gap. */
	fixture_reopen(&a);
	assert_int_equal(fixture_deliver(&a, "INBOX", "x", 2), uid + 1);
	modseq = store_mailbox_by_id(a.store, inbox)->highestmodseq;
	store_abort(&a.store);
	/* Not in order: at the ceiling, and what lies between has vanished. */
	assert_int_equal(fixture_open(&a), OK);
	next = fixture_deliver(&a, "INBOX", "x", 3);
	assert_true(next > uid + 2 && next <= uid + 2 * STORE_NUMBER_BLOCK);
	assert_true(store_mailbox_by_id(a.store, inbox)->highestmodseq > modseq);
	assert_int_equal(store_vanished(a.store, inbox, modseq, on_vanished, &gone), OK);
	assert_int_equal(gone.first, uid + 2);
	assert_int_equal(gone.last, next - 1);
	/* Every mailbox tells that something may have changed. */
	assert_true(store_mailbox_by_name(a.store, VIEW("Trash"))->highestmodseq > modseq);
	/* After a restore. */
	assert_int_equal(store_numbers_jump(a.store, STORE_RESTORE_JUMP), OK);
	assert_true(fixture_deliver(&a, "INBOX", "x", 4) > next + STORE_RESTORE_JUMP);
	/* Many more than a block. */
	for (uint32_t i = 0; i < 3 * STORE_NUMBER_BLOCK; i++)
		uid = fixture_deliver(&a, "INBOX", "x", 5 + i);
	store_abort(&a.store);
	assert_int_equal(fixture_open(&a), OK);
	assert_true(fixture_deliver(&a, "INBOX", "x", 99999) > uid);
	fixture_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_ceiling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
