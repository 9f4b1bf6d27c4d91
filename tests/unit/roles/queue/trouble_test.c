/* roles/queue: the administrator, and what can go wrong around it. */
#include "letter.h"

static void test_hold(void **state)
{
	static struct world w;
	uint64_t id;

	world_init(&w);
	w.config.retry_first = w.config.retry_max = 20;
	simple(&w, "u1@near.test", "a@slow.test");
	id = w.last_trace;
	SPIN_UNTIL(&w, message_first(&w.queue.messages)->at[0].attempts >= 1);
	ask_id(&w, "queue.hold", id);
	assert_int_equal(w.end, OK);
	spin(&w, 30);
	size_t jobs = w.jobs;

	spin(&w, 100);
	assert_int_equal(w.jobs, jobs);
	world_restart(&w);
	spin(&w, 100);
	assert_int_equal(w.jobs, jobs);
	ask(&w, "queue.list", NULL, VIEW_EMPTY);
	assert_true(says(&w.rows, "\"state\":\"held\""));
	ask_id(&w, "queue.release", id);
	SPIN_UNTIL(&w, w.jobs > jobs);
	world_done_all(&w);
}

static void test_admin(void **state)
{
	static struct world w;
	uint64_t first, second;

	world_init(&w);
	simple(&w, "u1@near.test", "a@slow.test");
	first = w.last_trace;
	posted(&w, &(struct letter){ .sender = "u1@near.test",
				     .to = { "b@slow.test", "u2@near.test" } });
	second = w.last_trace;
	SPIN_UNTIL(&w, w.jobs == 2 && w.stored_n == 1);
	spin(&w, 20);
	ask(&w, "queue.list", NULL, VIEW_EMPTY);
	assert_int_equal(w.end, OK);
	assert_true(says(&w.rows, "\"recipient\":\"a@slow.test\",\"domain\":\"slow.test\","
				  "\"state\":\"deferred\",\"attempts\":1,\"next\":\"2"));
	assert_true(says(&w.rows, "\"reply\":\"451 4.7.1 not now\",\"server\":\"mx.other.test\""));
	ask(&w, "queue.list", "domain", VIEW("near.test"));
	assert_false(says(&w.rows, "slow.test"));
	ask_id(&w, "queue.show", second);
	assert_true(says(&w.rows, "\"sender\":\"u1@near.test\""));
	assert_true(says(&w.rows, "\"recipient\":\"b@slow.test\""));
	assert_false(says(&w.rows, "a@slow.test"));
	ask(&w, "queue.retry", "what", VIEW("all"));
	assert_int_equal(w.end, OK);
	assert_true(says(&w.end_text, "2 messages"));
	SPIN_UNTIL(&w, w.jobs == 4);
	ask(&w, "queue.retry", "domain", VIEW("slow.test"));
	SPIN_UNTIL(&w, w.jobs == 6);
	spin(&w, 20);
	ask_id(&w, "queue.delete", first);
	assert_int_equal(w.end, OK);
	ask_id(&w, "queue.delete", first);
	assert_int_equal(w.end, ERR_NOTFOUND);
	ask_id(&w, "queue.bounce", second);
	SPIN_UNTIL(&w, w.queue.messages.n == 0 && w.stored_n == 2);
	assert_true(says(&w.stored[1].body, "returned by the administrator"));
	ask(&w, "queue.status", NULL, VIEW_EMPTY);
	assert_true(says(&w.rows, "{\"messages\":0,"));
	ask(&w, "queue.nonsense", NULL, VIEW_EMPTY);
	assert_int_equal(w.end, ERR_UNSUPPORTED);
	ask(&w, "queue.retry", NULL, VIEW_EMPTY);
	assert_int_equal(w.end, ERR_SYNTAX);
	ask(&w, "queue.retry", "id", VIEW("xx"));
	assert_int_equal(w.end, ERR_NOTFOUND);
	ask(&w, "queue.list", "limit", VIEW("1001"));
	assert_int_equal(w.end, ERR_RANGE);
	ask(&w, "queue.list", "colour", VIEW("red"));
	assert_int_equal(w.end, ERR_SYNTAX);
	world_done_all(&w);
}

static void test_stop(void **state)
{
	static struct world w;

	world_init(&w);
	ask(&w, "queue.stop", NULL, VIEW_EMPTY);
	simple(&w, "u1@near.test", "a@far.test");
	simple(&w, "a@far.test", "u1@near.test");
	SPIN_UNTIL(&w, w.stored_n == 1);
	spin(&w, 50);
	assert_int_equal(w.jobs, 0);
	world_restart(&w);
	spin(&w, 50);
	assert_int_equal(w.jobs, 0);
	ask(&w, "queue.start", NULL, VIEW_EMPTY);
	SPIN_UNTIL(&w, w.sent == 1 && w.queue.messages.n == 0);
	world_done_all(&w);
}

static int little_room(int fd, struct statvfs *ret)
{
	*ret = (struct statvfs){ .f_frsize = 4096, .f_blocks = 1000, .f_bavail = 40 };
	return 0;
}

static void test_full(void **state)
{
	static struct world w;
	struct calls table = *calls_kernel();
	uint32_t tag;

	world_init(&w);
	log_set_level(LOG_LEVEL_ERROR);
	w.config.disk_reserve_percent = 5;
	table.fstatvfs = little_room;
	calls_set(&table);
	queue_reload(&w.queue, &w.config);
	SPIN_UNTIL(&w, w.told_full);
	tag = post(&w, &(struct letter){ .sender = "a@far.test", .to = { "u1@near.test" } });
	SPIN_UNTIL(&w, w.answers[tag]);
	assert_int_equal(w.answers[tag], ACCEPT_FULL + 1);
	calls_set(NULL);
	w.config.disk_reserve_percent = 0;
	SPIN_UNTIL(&w, !w.told_full);
	simple(&w, "a@far.test", "u1@near.test");
	/* Memory. */
	w.config.queue_memory = 0;
	w.undurable = true;
	simple(&w, "a@far.test", "u1@near.test");
	SPIN_UNTIL(&w, w.told_full);
	say_durable(&w.mailboxes[1]);
	SPIN_UNTIL(&w, !w.told_full);
	world_done_all(&w);
}

static int sync_fails(int fd)
{
	errno = EIO;
	return -1;
}

static ssize_t write_fails(int fd, const void *from, size_t n, off_t at)
{
	if (at > SPOOL_BLOCK) {
		errno = EIO;
		return -1;
	}
	return calls_kernel()->pwrite(fd, from, n, at);
}

/* THREATS.md 4, clause 2. */
static void test_failed_write(void **state)
{
	static struct world w;
	struct calls table = *calls_kernel();
	uint32_t tag;

	world_init(&w);
	log_set_level((enum log_level) - 1);
	simple(&w, "u1@near.test", "a@slow.test");
	SPIN_UNTIL(&w, w.jobs == 1);
	spin(&w, 20);
	table.pwrite = write_fails;
	table.fdatasync = sync_fails;
	calls_set(&table);
	tag = post(&w, &(struct letter){ .sender = "a@far.test", .to = { "u1@near.test" } });
	SPIN_UNTIL(&w, w.answers[tag]);
	assert_int_equal(w.answers[tag], ACCEPT_FAILED + 1);
	calls_set(NULL);
	/* A change of our own that meets the fault is kept. */
	simple(&w, "a@far.test", "u1@near.test");
	SPIN_UNTIL(&w, w.stored_n == 1 && w.queue.messages.n == 1);
	spin(&w, 50);
	world_restart(&w);
	assert_int_equal(w.queue.messages.n, 1);
	assert_int_equal(message_first(&w.queue.messages)->at[0].attempts, 1);
	world_done_all(&w);
}

static void test_many(void **state)
{
	static struct world w;

	world_init(&w);
	for (int round = 0; round < 10; round++) {
		uint32_t last = 0;

		for (int i = 0; i < 200; i++) {
			char to[32];

			(void)snprintf(to, sizeof(to), "u%d@near.test", i % 7);
			last = post(&w, &(struct letter){ .sender = "a@far.test", .to = { to } });
		}
		SPIN_UNTIL(&w, w.answers[last]);
	}
	SPIN_UNTIL(&w, w.stored_n == 2000 && w.queue.messages.n == 0);
	for (size_t i = 0; i < w.stored_n; i++)
		assert_int_equal(w.stored[i].times, 1);
	world_done_all(&w);
}

/* A mailbox process that breaks its channel is not asked for again at once, and nothing is lost. */
static void test_mailbox_lies(void **state)
{
	static struct world w;

	world_init(&w);
	w.mailboxes_lie = true;
	simple(&w, "ann@far.test", "u1@near.test");
	SPIN_UNTIL(&w, w.spawned == 1);
	spin(&w, SPAWN_RETRY_MS / 4);
	assert_int_equal(w.spawned, 1);
	assert_int_equal(w.queue.messages.n, 1);
	w.mailboxes_lie = false;
	SPIN_UNTIL(&w, w.stored_n == 1 && w.queue.messages.n == 0);
	assert_int_equal(w.spawned, 2);
	world_done_all(&w);
}

static void test_spawn_fails(void **state)
{
	static struct world w;

	world_init(&w);
	w.spawn_fails = true;
	simple(&w, "a@far.test", "u1@near.test");
	spin(&w, 100);
	assert_int_equal(w.stored_n, 0);
	assert_int_equal(w.queue.messages.n, 1);
	w.spawn_fails = false;
	for (int i = 0; i < 2000 && !w.stored_n; i++)
		spin(&w, 5);
	assert_int_equal(w.stored_n, 1);
	world_done_all(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hold),	     cmocka_unit_test(test_admin),
		cmocka_unit_test(test_stop),	     cmocka_unit_test(test_full),
		cmocka_unit_test(test_failed_write), cmocka_unit_test(test_many),
		cmocka_unit_test(test_mailbox_lies), cmocka_unit_test(test_spawn_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
