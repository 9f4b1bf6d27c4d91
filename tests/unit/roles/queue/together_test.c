/*
 * roles/queue: recipients of one message in one domain travel in one job (RFC 5321#4.5.4.1), whenever they
 * are due together; those of others do not wait for them.
 */
#include "letter.h"

enum { A_WHILE_MS = 60 };

/* Answers of auth come one by one, in turns of their own. */
static void test_answers_apart(void **state)
{
	static struct world w;

	world_init(&w);
	w.auth_waits = true;
	posted(&w, &(struct letter){
			   .sender = "u1@near.test",
			   .to = { "a@far.test", "b@far.test", "c@rel.test", "d@FAR.test" } });
	SPIN_UNTIL(&w, w.asked == 4);
	for (int i = 0; i < 3; i++) {
		answer_one(&w);
		spin(&w, A_WHILE_MS);
		assert_int_equal(w.jobs, 0);
	}
	/* Another message goes its way meanwhile. */
	w.auth_waits = false;
	simple(&w, "u1@near.test", "x@far.test");
	SPIN_UNTIL(&w, w.sent == 1);
	answer_one(&w);
	SPIN_UNTIL(&w, w.sent == 5 && w.queue.messages.n == 0);
	assert_int_equal(w.jobs, 3);
	assert_int_equal(w.queue.remotes.domains.n, 0);
	world_done_all(&w);
}

/* Some are known, others are to be asked about, whichever comes first. */
static void test_known_and_unknown(void **state)
{
	static struct world w;

	world_init(&w);
	simple(&w, "u1@near.test", "known@far.test");
	SPIN_UNTIL(&w, w.sent == 1 && w.queue.messages.n == 0);
	w.jobs = 0;
	w.auth_waits = true;
	posted(&w, &(struct letter){ .sender = "u1@near.test",
				     .to = { "known@far.test", "new@far.test" } });
	SPIN_UNTIL(&w, w.question_n == 1);
	spin(&w, A_WHILE_MS);
	assert_int_equal(w.jobs, 0);
	answer_one(&w);
	SPIN_UNTIL(&w, w.sent == 3 && w.queue.messages.n == 0);
	assert_int_equal(w.jobs, 1);
	posted(&w, &(struct letter){ .sender = "u1@near.test",
				     .to = { "other@far.test", "known@far.test" } });
	SPIN_UNTIL(&w, w.question_n == 1);
	answer_one(&w);
	SPIN_UNTIL(&w, w.sent == 5 && w.queue.messages.n == 0);
	assert_int_equal(w.jobs, 2);
	world_done_all(&w);
}

/* What an alias adds goes along, though it is recorded first. */
static void test_alias(void **state)
{
	static struct world w;

	world_init(&w);
	w.config.journal_gather = A_WHILE_MS;
	posted(&w, &(struct letter){ .sender = "u1@near.test",
				     .to = { "a@far.test", "fwd@near.test", "team@near.test" } });
	SPIN_UNTIL(&w, w.sent == 3 && w.stored_n == 2 && w.queue.messages.n == 0);
	assert_int_equal(w.jobs, 1);
	world_done_all(&w);
}

/* Told of their failures one behind the other, they are tried again together. */
static void test_retry(void **state)
{
	static struct world w;
	struct message *m;

	world_init(&w);
	w.config.retry_first = 1000;
	posted(&w, &(struct letter){ .sender = "u1@near.test",
				     .to = { "a@slow.test", "b@slow.test", "c@slow.test" } });
	SPIN_UNTIL(&w, message_first(&w.queue.messages) &&
			       message_first(&w.queue.messages)->at[2].stage == STAGE_TIMED);
	assert_int_equal(w.jobs, 1);
	m = message_first(&w.queue.messages);
	m->at[0].next_ms += 30;
	m->at[2].next_ms += 10000;
	dispatch_schedule(&w.queue, m);
	SPIN_UNTIL(&w, w.jobs == 2 && m->at[0].attempts == 2);
	assert_int_equal(m->at[1].attempts, 2);
	assert_int_equal(m->at[2].attempts, 1);
	spin(&w, A_WHILE_MS);
	assert_int_equal(w.jobs, 2);
	world_done_all(&w);
}

/* They wait for their turn apart from each other. */
static void test_waiting_apart(void **state)
{
	static struct world w;
	struct message *m;

	world_init(&w);
	ask(&w, "queue.stop", NULL, VIEW_EMPTY);
	assert_int_equal(w.end, OK);
	posted(&w,
	       &(struct letter){ .sender = "u1@near.test", .to = { "a@far.test", "b@far.test" } });
	SPIN_UNTIL(&w, message_first(&w.queue.messages)->at[1].stage == STAGE_REMOTE);
	m = message_first(&w.queue.messages);
	dispatch_withdraw(&w.queue, &m->at[1]);
	simple(&w, "u1@near.test", "c@far.test");
	SPIN_UNTIL(&w, message_next(m) && message_next(m)->at[0].stage == STAGE_REMOTE);
	dispatch_message(&w.queue, m);
	SPIN_UNTIL(&w, m->at[1].stage == STAGE_REMOTE);
	ask(&w, "queue.start", NULL, VIEW_EMPTY);
	SPIN_UNTIL(&w, w.sent == 3 && w.queue.messages.n == 0);
	assert_int_equal(w.jobs, 2);
	world_done_all(&w);
}

/* The administrator takes the message back while one recipient is known and another is not. */
static void test_taken_back(void **state)
{
	static struct world w;
	struct letter two = { .sender = "u1@near.test", .to = { "a@far.test", "b@far.test" } };

	world_init(&w);
	w.auth_waits = true;
	posted(&w, &two);
	SPIN_UNTIL(&w, w.question_n == 2);
	answer_one(&w);
	SPIN_UNTIL(&w, message_first(&w.queue.messages)->at[0].stage == STAGE_ROUTED);
	ask_id(&w, "queue.hold", w.last_trace);
	assert_int_equal(w.end, OK);
	assert_int_equal(w.queue.remotes.domains.n, 0);
	answer_one(&w);
	spin(&w, A_WHILE_MS);
	assert_int_equal(w.jobs, 0);
	w.auth_waits = false;
	ask_id(&w, "queue.release", w.last_trace);
	SPIN_UNTIL(&w, w.sent == 2 && w.queue.messages.n == 0);
	assert_int_equal(w.jobs, 1);

	w.auth_waits = true;
	two.to[0] = "new@far.test";
	two.to[1] = "newer@far.test";
	posted(&w, &two);
	SPIN_UNTIL(&w, w.question_n == 2);
	answer_one(&w);
	SPIN_UNTIL(&w, message_first(&w.queue.messages)->at[0].stage == STAGE_ROUTED);
	ask_id(&w, "queue.delete", w.last_trace);
	SPIN_UNTIL(&w, w.queue.messages.n == 0);
	assert_int_equal(w.jobs, 1);
	assert_int_equal(w.queue.remotes.domains.n, 0);
	answer_one(&w);
	world_done_all(&w);
}

/* auth is restarted in between: the questions are asked again, and then all go. */
static void test_auth_restarts(void **state)
{
	static struct world w;

	world_init(&w);
	w.auth_waits = true;
	posted(&w,
	       &(struct letter){ .sender = "u1@near.test", .to = { "a@far.test", "b@far.test" } });
	SPIN_UNTIL(&w, w.question_n == 2);
	answer_one(&w);
	spin(&w, A_WHILE_MS);
	assert_int_equal(w.jobs, 0);
	w.auth_waits = false;
	connect_auth(&w);
	SPIN_UNTIL(&w, w.sent == 2 && w.queue.messages.n == 0);
	assert_int_equal(w.jobs, 1);
	world_done_all(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers_apart), cmocka_unit_test(test_known_and_unknown),
		cmocka_unit_test(test_alias),	      cmocka_unit_test(test_retry),
		cmocka_unit_test(test_waiting_apart), cmocka_unit_test(test_taken_back),
		cmocka_unit_test(test_auth_restarts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
