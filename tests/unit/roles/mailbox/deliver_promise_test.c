/* roles/mailbox/deliver.c: batches, replay, what is durable, and what a channel or a disk that fails leaves. */
#include "deliver_world.h"
#include "sys/clock.h"

/* More than one batch holds: the first is stored to make room, and nobody is forgotten. */
static void test_full_batch(void **state)
{
	enum { N = DELIVER_BATCH_MAX + 1 };

	for (uint64_t i = 1; i <= N; i++)
		put_text(i, "x");
	spin_told(N);
	for (size_t i = 0; i < N; i++)
		assert_told(i, i + 1, DELIVER_OK, "");
	assert_int_equal(stored_count("INBOX"), N);
	assert_int_equal(w.box.delivered, N);
	assert_true(w.touches >= 2);
	assert_true(w.touches < N / 2);
}

/* Alone a small message is no flood; a large one is, and so are two. */
static void test_flood(void **state)
{
	struct deliver_put m;

	put_text(1, "x");
	spin_told(1);
	assert_int_equal(w.floods, 0);
	/* How long the older one has waited is told. */
	clock_set_wall_ms(1700000000999 + 250);
	put_text(2, "x");
	put_text(3, "x");
	spin_told(3);
	clock_set_wall_ms(-1);
	assert_int_equal(w.floods, 1);
	assert_int_equal(w.waited_ms, 250);

	w.role.config.message_size = 1024 * 1024;
	m = in_memory(4, 4096, 256 * 1024 - 4096 - 1);
	put(&m, memory(4096, 256 * 1024 - 4096 - 1, SEALED));
	spin_told(4);
	assert_int_equal(w.floods, 1);
	m = in_memory(5, 4096, 256 * 1024 - 4096);
	put(&m, memory(4096, 256 * 1024 - 4096, SEALED));
	spin_told(5);
	assert_int_equal(w.floods, 2);
}

static void test_quota(void **state)
{
	put_text(1, "fits");
	put_text(2,
		 "Subject: this is longer than what is left of a quota of one hundred octets\r\n");
	put_text(3, "fits");
	spin_told(3);
	assert_told(0, 1, DELIVER_OK, "");
	assert_told(1, 2, DELIVER_QUOTA, "the mailbox is full");
	assert_told(2, 3, DELIVER_OK, "");
	assert_int_equal(stored_count("INBOX"), 2);
	assert_int_equal(w.box.delivered, 2);
	assert_string_equal(w.event, "mailbox.refused");
}

static int setup_small_quota(void **state)
{
	return setup_quota(100);
}

/* The same delivery twice is one message; to another recipient it is another. */
static void test_replay(void **state)
{
	struct deliver_put m = message(1, VIEW("x"));

	put(&m, -1);
	put(&m, -1);
	spin_told(2);
	put(&m, -1);
	m.recipient = 1;
	put(&m, -1);
	spin_told(4);
	for (size_t i = 0; i < 4; i++)
		assert_told(i, 1, DELIVER_OK, "");
	assert_int_equal(w.told[3].recipient, 1);
	assert_int_equal(stored_count("INBOX"), 2);
}

/* Sequences that are settled never come again, so nothing needs to be remembered of them. */
static void test_settled(void **state)
{
	const struct store_mark first = { 1, 0 }, second = { 2, 0 };

	put_text(1, "x");
	put_text(2, "x");
	spin_told(2);
	assert_true(store_mark_known(w.account.store, first));
	assert_int_equal(deliver_send_settled(w.queue, &(struct deliver_settled){ 2 }), OK);
	spin(5);
	assert_false(store_mark_known(w.account.store, first));
	assert_true(store_mark_known(w.account.store, second));
}

/* An answer is no promise before the sync; durable counts the answers that are one. */
static void test_durable(void **state)
{
	struct deliver_put bad = message(9, VIEW("x"));

	assert_false(deliver_waiting(&w.box));
	put_text(1, "x");
	put_text(2, "x");
	bad.sender = VIEW("a\nb");
	put(&bad, -1);
	spin_told(3);
	assert_int_equal(w.durable, UINT64_MAX);
	assert_true(deliver_waiting(&w.box));
	assert_true(loop_timer_is_set(&w.box.sync_timer));

	assert_int_equal(mailbox_sync(&w.box), OK);
	spin(5);
	/* Refused ones do not count. */
	assert_int_equal(w.durable, 2);
	assert_false(deliver_waiting(&w.box));
	/* Nothing new, nothing said. */
	w.durable = UINT64_MAX;
	deliver_durable(&w.box);
	spin(5);
	assert_int_equal(w.durable, UINT64_MAX);
}

static void test_checkpoint(void **state)
{
	put_text(1, "x");
	assert_int_equal(deliver_send_checkpoint(w.queue, &(struct deliver_checkpoint){ 0 }), OK);
	spin_told(1);
	/* What came before it was stored first. */
	assert_int_equal(w.durable, 1);
	assert_int_equal(w.checkpointed, true);

	w.sync_fails = true;
	w.durable = UINT64_MAX;
	put_text(2, "x");
	assert_int_equal(deliver_send_checkpoint(w.queue, &(struct deliver_checkpoint){ 0 }), OK);
	spin_told(2);
	assert_int_equal(w.checkpointed, false);
	assert_int_equal(w.durable, UINT64_MAX);
	assert_true(deliver_waiting(&w.box));
}

/* So many octets are not left to the timer. */
static void test_checkpoint_bytes(void **state)
{
	size_t each = sizeof(FIELD) - 1 + 1;

	w.role.config.checkpoint_bytes = 2 * each;
	put_text(1, "x");
	spin_told(1);
	assert_int_equal(w.syncs, 0);
	put_text(2, "x");
	spin_told(2);
	assert_int_equal(w.syncs, 1);
	assert_int_equal(w.durable, 2);
	/* It is counted anew. */
	put_text(3, "x");
	spin_told(3);
	assert_int_equal(w.syncs, 1);
	/* And the rest by the timer. */
	w.role.config.checkpoint_time = 1;
	loop_timer_cancel(&w.box.sync_timer);
	put_text(4, "x");
	spin_told(4);
	spin(20);
	assert_int_equal(w.durable, 4);
}

/* The account closes: who comes now shall ask again. */
static void test_stopping(void **state)
{
	w.box.stopping = true;
	put_text(1, "x");
	spin_told(1);
	assert_told(0, 1, DELIVER_TEMPORARY, err_text(ERR_BUSY));
	w.box.stopping = false;
	w.box.store = NULL;
	put_text(1, "x");
	assert_int_equal(deliver_send_settled(w.queue, &(struct deliver_settled){ 1 }), OK);
	spin_told(2);
	assert_told(1, 1, DELIVER_TEMPORARY, err_text(ERR_BUSY));
	w.box.store = w.account.store;
	assert_int_equal(stored_count("INBOX"), 0);
	put_text(1, "x");
	spin_told(3);
	assert_told(2, 1, DELIVER_OK, "");
}

/* A disk that fails stores nothing of the batch, says so to each, and nothing is taken for durable. */
static ssize_t no_write(int fd, const void *from, size_t n, off_t at)
{
	errno = ENOSPC;
	return -1;
}

static ssize_t no_write_end(int fd, const void *from, size_t n)
{
	errno = ENOSPC;
	return -1;
}

static void test_disk_fails(void **state)
{
	struct calls broken = *calls_kernel();

	broken.pwrite = no_write;
	broken.write = no_write_end;
	put_text(1, "x");
	put_text(2, "x");
	calls_set(&broken);
	spin_told(2);
	calls_set(NULL);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(w.told[i].status, DELIVER_TEMPORARY);
	assert_int_equal(w.box.delivered, 0);
	assert_string_equal(w.event, "mailbox.store");
	assert_false(deliver_waiting(&w.box));
}

/* A body that cannot be read is not stored as something else. */
static ssize_t no_read(int fd, void *to, size_t n, off_t at)
{
	errno = EIO;
	return -1;
}

static void test_read_fails(void **state)
{
	struct calls broken = *calls_kernel();
	struct deliver_put m = in_memory(1, 0, 100);

	broken.pread = no_read;
	put(&m, memory(0, 100, SEALED));
	calls_set(&broken);
	spin_told(1);
	calls_set(NULL);
	assert_told(0, 1, DELIVER_TEMPORARY, err_text(ERR_IO));
	assert_int_equal(stored_count("INBOX"), 0);
}

/* The queue goes away with its last word on the way: it is kept, and known when it is said again. */
static void test_lost_channel(void **state)
{
	put_text(1, "x");
	put_text(2, "x");
	ipc_chan_flush(w.queue);
	ipc_chan_free(w.queue);
	w.queue = NULL;
	spin(20);
	assert_int_equal(stored_count("INBOX"), 2);
	assert_string_equal(w.event, "mailbox.answer");
	/* Nobody is there to be told. */
	assert_int_equal(mailbox_sync(&w.box), OK);
	assert_false(deliver_waiting(&w.box));

	connect_queue();
	put_text(2, "x");
	put_text(3, "x");
	spin_told(2);
	assert_int_equal(stored_count("INBOX"), 3);
	assert_int_equal(mailbox_sync(&w.box), OK);
	spin(5);
	/* Counted from the start of this channel. */
	assert_int_equal(w.durable, 2);
}

/* Another queue process comes while the old one is still there. */
static void test_replaced_channel(void **state)
{
	struct ipc_chan *old = w.queue;

	put_text(1, "x");
	spin_told(1);
	w.queue = NULL;
	connect_queue();
	put_text(2, "x");
	spin_told(2);
	assert_int_equal(mailbox_sync(&w.box), OK);
	spin(5);
	assert_int_equal(w.durable, 1);
	assert_true(ipc_chan_is_closed(old) || w.closed);
	ipc_chan_free(old);
	w.closed = false;
}

/* Before the first channel, and for who wants memory back, there is nothing to do. */
static void test_nothing(void **state)
{
	struct mailbox none = { .role = &w.role };

	deliver_flush(&none);
	deliver_trim(&none);
	deliver_durable(&none);
	assert_false(deliver_waiting(&none));

	put_text(1, "x");
	spin_told(1);
	deliver_flush(&w.box);
	deliver_trim(&w.box);
	put_text(2, "y");
	spin_told(2);
	assert_last("INBOX", VIEW(FIELD "y"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_full_batch),
		TEST(test_flood),
		cmocka_unit_test_setup_teardown(test_quota, setup_small_quota, teardown),
		TEST(test_replay),
		TEST(test_settled),
		TEST(test_durable),
		TEST(test_checkpoint),
		TEST(test_checkpoint_bytes),
		TEST(test_stopping),
		TEST(test_disk_fails),
		TEST(test_read_fails),
		TEST(test_lost_channel),
		TEST(test_replaced_channel),
		TEST(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
