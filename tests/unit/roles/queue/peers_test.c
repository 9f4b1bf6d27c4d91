/*
 * roles/queue/route.c, local.c, remote.c, accept.c: peers that answer late, wrongly or not at all.
 *
 * Who breaks the rules loses the channel; the mail stays and goes again when there is another.
 */
#include "letter.h"

/* ---- auth ---- */

/* Answer the oldest question with a status and targets of the test's own. */
static void answer_with(struct world *w, uint8_t status, struct route_targets_are_targets *targets,
			uint16_t n)
{
	struct route_targets_are a = { .status = status, .targets = targets, .targets_count = n };

	SPIN_UNTIL(w, w->question_n > 0);
	a.tag = w->questions[0].tag;
	assert_int_equal(route_send_targets_are(w->auth, &a), OK);
	memmove(&w->questions[0], &w->questions[1], --w->question_n * sizeof(w->questions[0]));
}

/* Each status of route_status says in its own words what becomes of the mail. */
static void test_route_status(void **state)
{
	static struct world w;
	static const struct {
		uint8_t status;
		bool final;
		const char *code, *words;
	} rows[] = {
		{ ROUTE_UNKNOWN, true, "5.1.1", "there is no such address here" },
		{ ROUTE_DISABLED, true, "5.2.1", "the account is closed" },
		{ ROUTE_LOOP, true, "5.4.6", "aliases lead in a circle" },
		{ ROUTE_OK, true, "5.1.1", "the address leads nowhere" },
		{ ROUTE_FULL, false, "4.2.2", "the mailbox is full" },
		{ ROUTE_TEMPORARY, false, "4.3.0", "the directory cannot be asked now" },
		{ ROUTE_NOT_OWNED, false, "4.3.0", "the directory cannot be asked now" },
		{ 200, false, "4.3.0", "the directory cannot be asked now" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		world_init(&w);
		w.auth_waits = true;
		simple(&w, "u3@near.test", "u1@near.test");
		SPIN_UNTIL(&w, w.question_n == 1);
		w.auth_waits = false;
		answer_with(&w, rows[i].status, NULL, 0);
		spin(&w, 20);
		if (rows[i].final) {
			SPIN_UNTIL(&w, w.stored_n == 1 && w.queue.messages.n == 0);
			assert_int_equal(w.stored[0].account, 3);
			assert_true(says(&w.stored[0].body, rows[i].code));
			assert_true(says(&w.stored[0].body, rows[i].words));
		} else {
			ask(&w, "queue.list", "state", VIEW("deferred"));
			assert_true(says(&w.rows, rows[i].code));
			assert_true(says(&w.rows, rows[i].words));
			assert_int_equal(w.stored_n, 0);
		}
		world_done_all(&w);
	}
}

/* The same target twice is one, in any case of letters; other kinds and accounts are others. */
static void test_route_repeated(void **state)
{
	static struct world w;
	struct route_targets_are_targets t[] = {
		{ .kind = ROUTE_REMOTE, .address = VIEW("x@far.test") },
		{ .kind = ROUTE_MAILBOX, .account = 1, .address = VIEW("u1@near.test") },
		{ .kind = ROUTE_REMOTE, .address = VIEW("X@FAR.test") },
		{ .kind = ROUTE_MAILBOX, .account = 1, .address = VIEW("other@near.test") },
		{ .kind = ROUTE_MAILBOX, .account = 2, .address = VIEW("u1@near.test") },
		{ .kind = ROUTE_REMOTE, .address = VIEW("y@far.test") },
	};

	world_init(&w);
	w.auth_waits = true;
	simple(&w, "u3@near.test", "all@near.test");
	answer_with(&w, ROUTE_OK, t, ARRAY_LEN(t));
	SPIN_UNTIL(&w, w.stored_n == 2 && w.sent == 2 && w.queue.messages.n == 0);
	world_done_all(&w);
}

/* An address that leads to itself elsewhere is no alias. */
static void test_route_itself(void **state)
{
	static struct world w;
	struct route_targets_are_targets t = { .kind = ROUTE_REMOTE,
					       .address = VIEW("M@far.test") };

	world_init(&w);
	w.auth_waits = true;
	simple(&w, "u3@near.test", "m@far.test");
	answer_with(&w, ROUTE_OK, &t, 1);
	SPIN_UNTIL(&w, w.sent == 1 && w.queue.messages.n == 0);
	world_done_all(&w);
}

/* Answers are kept until the directory changes; "full" and "later" are not kept at all. */
static void test_route_cache(void **state)
{
	static struct world w;

	world_init(&w);
	simple(&w, "u3@near.test", "u1@near.test");
	simple(&w, "u3@near.test", "u1@near.test");
	SPIN_UNTIL(&w, w.stored_n == 2);
	assert_int_equal(w.asked, 1);
	assert_int_equal(route_send_changed(w.auth, &(struct route_changed){ 0 }), OK);
	spin(&w, 10);
	simple(&w, "u3@near.test", "u1@near.test");
	SPIN_UNTIL(&w, w.stored_n == 3);
	assert_int_equal(w.asked, 2);
	simple(&w, "u3@near.test", "busy@near.test");
	spin(&w, 20);
	simple(&w, "u3@near.test", "busy@near.test");
	spin(&w, 20);
	assert_int_equal(w.asked, 4);
	world_done_all(&w);
}

static void lie_tag(struct world *w)
{
	struct route_targets_are a = { .tag = 77 };

	(void)!route_send_targets_are(w->auth, &a);
}

static void lie_big_tag(struct world *w)
{
	struct route_targets_are a = { .tag = ROUTE_ASKED_MAX };

	(void)!route_send_targets_are(w->auth, &a);
}

/* Nobody has asked these; the question of the letter is still open. */
static void test_route_lies(void **state)
{
	static struct world w;
	static void (*const lies[])(struct world *) = { lie_tag, lie_big_tag };

	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		world_init(&w);
		w.auth_waits = true;
		simple(&w, "u3@near.test", "u1@near.test");
		SPIN_UNTIL(&w, w.question_n == 1);
		lies[i](&w);
		SPIN_UNTIL(&w, !w.queue.router.chan);
		spin(&w, 20);
		assert_int_equal(w.queue.messages.n, 1);
		w.auth_waits = false;
		w.question_n = 0;
		connect_auth(&w);
		SPIN_UNTIL(&w, w.stored_n == 1 && w.queue.messages.n == 0);
		assert_int_equal(w.stored[0].times, 1);
		world_done_all(&w);
	}
}

/* ---- send ---- */

static const struct transfer_result wrong_results[] = {
	{ .job = 5 << 16, .outcome = TRANSFER_DELIVERED }, /* no such job */
	{ .job = (1 << 16) + 1, .outcome = TRANSFER_DELIVERED },
	{ .job = 0, .outcome = TRANSFER_DELIVERED },
	{ .job = 1 << 16, .index = 1, .outcome = TRANSFER_DELIVERED }, /* no such recipient */
	{ .job = 1 << 16, .outcome = 0 }, /* no outcome */
	{ .job = 1 << 16, .outcome = TRANSFER_RELAYED + 1 },
};

/* Whether it left is not known then: it goes again, and that is counted as a possible duplicate. */
static void test_send_lies(void **state)
{
	static struct world w;

	for (size_t i = 0; i < ARRAY_LEN(wrong_results); i++) {
		world_init(&w);
		w.silent = true;
		simple(&w, "u3@near.test", "a@far.test");
		SPIN_UNTIL(&w, w.jobs == 1);
		assert_int_equal(transfer_send_result(w.send, &wrong_results[i]), OK);
		SPIN_UNTIL(&w, !w.queue.remotes.chan);
		assert_int_equal(w.queue.figures.duplicates_possible, 1);
		assert_int_equal(w.queue.remotes.jobs_n, 0);
		w.silent = false;
		connect_send(&w);
		ask(&w, "queue.retry", "what", VIEW("all"));
		SPIN_UNTIL(&w, w.sent == 1 && w.queue.messages.n == 0);
		world_done_all(&w);
	}
}

/* A job that ends without a result for somebody is no result: it is tried again. */
static void test_send_forgets(void **state)
{
	static struct world w;

	world_init(&w);
	w.config.retry_first = 20;
	w.silent = true;
	simple(&w, "u3@near.test", "a@far.test");
	SPIN_UNTIL(&w, w.jobs == 1);
	w.silent = false;
	assert_int_equal(transfer_send_finished(w.send, &(struct transfer_finished){ 1 << 16 }),
			 OK);
	SPIN_UNTIL(&w, w.sent == 1 && w.queue.messages.n == 0);
	assert_int_equal(w.jobs, 2);
	assert_non_null(w.queue.remotes.chan);
	world_done_all(&w);
}

/* RFC 5321#4.1.2: mail for elsewhere has a domain. */
static void test_no_domain(void **state)
{
	static struct world w;

	world_init(&w);
	posted(&w, &(struct letter){ .sender = "u3@near.test", .to = { "nodomain", "a@" } });
	SPIN_UNTIL(&w, w.stored_n == 1 && w.queue.messages.n == 0);
	assert_int_equal(w.stored[0].account, 3);
	assert_true(says(&w.stored[0].body, "5.1.3"));
	assert_int_equal(w.jobs, 0);
	world_done_all(&w);
}

/* ---- mailboxes ---- */

/* An answer to what was never asked changes nothing. */
static void test_mailbox_unasked(void **state)
{
	static struct world w;
	struct deliver_done done = { .sequence = 999, .status = DELIVER_FAILED };

	world_init(&w);
	w.mailboxes_wait = true;
	simple(&w, "u3@near.test", "u1@near.test");
	SPIN_UNTIL(&w, w.handed == 1);
	done.sequence = message_first(&w.queue.messages)->entry.sequence + 1;
	assert_int_equal(deliver_send_done(w.mailboxes[1].chan, &done), OK);
	spin(&w, 20);
	assert_int_equal(w.queue.messages.n, 1);
	w.mailboxes_wait = false;
	world_restart(&w);
	SPIN_UNTIL(&w, w.stored_n == 1 && w.queue.messages.n == 0);
	assert_int_equal(w.stored[0].times, 1);
	world_done_all(&w);
}

/* Under pressure mailboxes are asked to make durable what they have; who cannot is asked again. */
static void test_checkpoint(void **state)
{
	static struct world w;

	world_init(&w);
	w.undurable = true;
	w.checkpoints_fail = true;
	simple(&w, "u3@near.test", "u1@near.test");
	SPIN_UNTIL(&w, w.stored_n == 1);
	spin(&w, 20);
	local_checkpoint(&w.queue, false);
	spin(&w, 20);
	assert_int_equal(w.checkpoints, 0); /* it has waited for no time */
	local_checkpoint(&w.queue, true);
	local_checkpoint(&w.queue, true);
	spin(&w, 20);
	assert_int_equal(w.checkpoints, 1); /* not twice at the same time */
	assert_int_equal(w.queue.messages.n, 1);
	w.checkpoints_fail = false;
	local_checkpoint(&w.queue, true);
	SPIN_UNTIL(&w, w.queue.messages.n == 0);
	assert_int_equal(w.checkpoints, 2);
	/* Nothing is left that could be. */
	local_checkpoint(&w.queue, true);
	spin(&w, 20);
	assert_int_equal(w.checkpoints, 2);
	world_done_all(&w);
}

/* Who has waited longer than twice checkpoint_time is asked without pressure. */
static void test_checkpoint_late(void **state)
{
	static struct world w;

	world_init(&w);
	w.undurable = true;
	w.config.checkpoint_time = 5;
	simple(&w, "u3@near.test", "u1@near.test");
	SPIN_UNTIL(&w, w.checkpoints == 1 && w.queue.messages.n == 0);
	world_done_all(&w);
}

/* The supervisor goes away while a mailbox process is awaited: the next one is asked. */
static void test_spawn_lost(void **state)
{
	static struct world w;
	int pair[2];

	world_init(&w);
	/* One that hears and does not answer. */
	assert_int_equal(ipc_pair(pair), OK);
	assert_int_equal(local_attach_spawn(&w.queue, pair[0]), OK);
	simple(&w, "u3@near.test", "u1@near.test");
	spin(&w, 50);
	assert_int_equal(w.spawned, 0);
	close(pair[1]);
	SPIN_UNTIL(&w, !w.queue.locals.spawn);
	/* Mail comes also now. */
	simple(&w, "u3@near.test", "u1@near.test");
	spin(&w, 20);
	assert_int_equal(w.stored_n, 0);
	world_restart(&w);
	SPIN_UNTIL(&w, w.stored_n == 2 && w.queue.messages.n == 0);
	world_done_all(&w);
}

/* A mailbox that nobody asked for is not talked to. */
static void test_spawn_unasked(void **state)
{
	static struct world w;
	struct spawn_have have = { .account = 5 };
	int pair[2];
	char byte;

	world_init(&w);
	assert_int_equal(ipc_pair(pair), OK);
	(void)!spawn_send_have(w.supervisor, &have, pair[0]);
	spin(&w, 30);
	/* The queue has closed its end, or its whole channel to who says such things. */
	assert_int_equal(recv(pair[1], &byte, 1, MSG_DONTWAIT), 0);
	close(pair[1]);
	assert_int_equal(w.queue.locals.accounts.n, 0);
	world_done_all(&w);
}

/* ---- smtp ---- */

/* The smtp process ends before its answer: the mail that was written is delivered all the same. */
static void test_smtp_lost(void **state)
{
	static struct world w;
	struct letter l = { .sender = "u3@near.test", .to = { "u1@near.test" } };

	world_init(&w);
	(void)post(&w, &l);
	ipc_chan_flush(w.smtp);
	ipc_chan_free(w.smtp);
	w.smtp = NULL;
	SPIN_UNTIL(&w, w.stored_n == 1);
	SPIN_UNTIL(&w, !w.queue.peers[0].chan);
	/* Another takes its place, and hears nothing of the first one's tag. */
	connect_smtp(&w);
	w.next_tag = 10;
	simple(&w, "u3@near.test", "u1@near.test");
	SPIN_UNTIL(&w, w.stored_n == 2);
	assert_int_equal(w.answers[1], 0);
	world_done_all(&w);
}

/* A channel's end behind which stands a peer that says something that no channel knows. */
static int nonsense(void)
{
	int pair[2];

	assert_int_equal(ipc_pair(pair), OK);
	assert_int_equal(ipc_send_blocking(pair[1], 99, VIEW("x"), -1), OK);
	close(pair[1]);
	return pair[0];
}

/* What is not a message of the channel ends the channel, of everybody, and nothing else. */
static void test_nonsense(void **state)
{
	static struct world w;

	world_init(&w);
	simple(&w, "u3@near.test", "u1@near.test");
	SPIN_UNTIL(&w, w.stored_n == 1);
	assert_int_equal(accept_attach(&w.queue, 0, nonsense()), OK);
	assert_int_equal(route_attach(&w.queue, nonsense()), OK);
	assert_int_equal(remote_attach(&w.queue, nonsense()), OK);
	assert_int_equal(admin_attach(&w.queue, nonsense()), OK);
	SPIN_UNTIL(&w, !w.queue.peers[0].chan && !w.queue.router.chan && !w.queue.remotes.chan &&
			       !w.queue.admin);
	connect_smtp(&w);
	connect_auth(&w);
	connect_send(&w);
	posted(&w, &(struct letter){ .sender = "u3@near.test",
				     .to = { "u1@near.test", "a@far.test" } });
	SPIN_UNTIL(&w, w.stored_n == 2 && w.sent == 1 && w.queue.messages.n == 0);
	world_done_all(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_route_status),	cmocka_unit_test(test_route_repeated),
		cmocka_unit_test(test_route_itself),	cmocka_unit_test(test_route_cache),
		cmocka_unit_test(test_route_lies),	cmocka_unit_test(test_send_lies),
		cmocka_unit_test(test_send_forgets),	cmocka_unit_test(test_no_domain),
		cmocka_unit_test(test_mailbox_unasked), cmocka_unit_test(test_checkpoint),
		cmocka_unit_test(test_checkpoint_late), cmocka_unit_test(test_spawn_lost),
		cmocka_unit_test(test_spawn_unasked),	cmocka_unit_test(test_smtp_lost),
		cmocka_unit_test(test_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
