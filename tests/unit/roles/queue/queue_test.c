/* roles/queue: mail comes in, goes where it should, and its senders are told. */
#include "letter.h"

static void test_local(void **state)
{
	static struct world w;

	world_init(&w);
	simple(&w, "ann@far.test", "u1@near.test");
	SPIN_UNTIL(&w, w.stored_n == 1 && w.queue.messages.n == 0);
	assert_string_equal(w.stored[0].sender, "ann@far.test");
	assert_string_equal(w.stored[0].address, "u1@near.test");
	assert_string_equal(w.stored[0].mailbox, "");
	assert_view(buf_view(&w.stored[0].body), "Subject: x\r\n\r\nhello\r\n");
	/* The second needs no question. */
	simple(&w, "ann@far.test", "u1@near.test");
	simple(&w, "ann@far.test", "u1+box@near.test");
	SPIN_UNTIL(&w, w.stored_n == 3 && w.queue.messages.n == 0);
	assert_int_equal(w.asked, 2);
	assert_string_equal(w.stored[2].mailbox, "box");
	assert_string_equal(w.stored[2].address, "u1+box@near.test");
	assert_int_equal(w.queue.memory, 0);
	/* Nothing comes back after a restart, and numbers go on. */
	world_restart(&w);
	assert_int_equal(w.queue.messages.n, 0);
	simple(&w, "ann@far.test", "u2@near.test");
	SPIN_UNTIL(&w, w.stored_n == 4);
	assert_true(w.stored[3].sequence > w.stored[2].sequence);
	world_done_all(&w);
}

static void test_settled(void **state)
{
	static struct world w;

	world_init(&w);
	simple(&w, "ann@far.test", "u1@near.test");
	SPIN_UNTIL(&w, w.mailboxes[1].settled > w.stored[0].sequence);
	world_done_all(&w);
}

static void test_large(void **state)
{
	static struct world w;
	struct buf body = BUF_INIT(1 << 24);

	world_init(&w);
	buf_add_str(&body, "Subject: large\r\n\r\n");
	while (body.n < 300000)
		buf_add_str(&body, "0123456789 0123456789 0123456789 0123456789\r\n");
	posted(&w, &(struct letter){ .sender = "ann@far.test",
				     .to = { "u1@near.test", "u2@near.test", "b@far.test" },
				     .body = buf_view(&body),
				     .by_descriptor = true });
	SPIN_UNTIL(&w, w.stored_n == 2 && w.sent == 1 && w.queue.messages.n == 0);
	assert_true(view_eq(buf_view(&w.stored[0].body), buf_view(&body)));
	assert_true(view_eq(buf_view(&w.stored[1].body), buf_view(&body)));
	/* The envelope names the others: no mailbox gets the descriptor that it stands in. */
	assert_int_equal(w.stored[0].body_at, 0);
	assert_int_equal(w.stored[1].body_at, 0);
	/* Also larger than a file of the journal. */
	while (body.n < 3 << 20)
		buf_add(&body, buf_view(&body));
	posted(&w, &(struct letter){ .sender = "ann@far.test",
				     .to = { "u1@near.test" },
				     .body = buf_view(&body),
				     .by_descriptor = true });
	SPIN_UNTIL(&w, w.stored_n == 3 && w.queue.messages.n == 0);
	assert_true(view_eq(buf_view(&w.stored[2].body), buf_view(&body)));
	assert_true(w.stored[2].body_at > 0);
	assert_int_equal(w.queue.kept.messages.n + w.queue.kept.bytes, 0);
	buf_done(&body);
	world_done_all(&w);
}

/* Descriptors are not kept for long, and not many: then the journal is read. */
static void test_kept(void **state)
{
	static struct world w;
	static char text[KEPT_BYTES_MAX / 4 + 100000];
	struct letter letter = { .sender = "ann@far.test",
				 .to = { "u1@near.test" },
				 .by_descriptor = true };

	world_init(&w);
	letter.body = view_of(text, 20000);
	w.spawn_fails = true; /* they wait */
	clock_set_mono_ms(clock_mono_ms()); /* and do not grow old */
	for (size_t i = 0; i < KEPT_MAX + 3; i++) {
		uint32_t tag = post(&w, &letter);

		if (i % 64 == 0 || i == KEPT_MAX + 2) /* commits take a while */
			SPIN_UNTIL(&w, w.answers[tag]);
	}
	assert_int_equal(w.queue.kept.messages.n, KEPT_MAX);
	letter.body = view_of(text, sizeof(text));
	for (size_t i = 0; i < 4; i++)
		posted(&w, &letter);
	assert_int_equal(w.queue.kept.messages.n, 3);
	assert_true(w.queue.kept.bytes <= KEPT_BYTES_MAX);
	clock_set_mono_ms(-1);
	SPIN_UNTIL(&w, w.queue.kept.messages.n == 0);
	assert_int_equal(w.queue.kept.bytes, 0);
	w.spawn_fails = false;
	SPIN_UNTIL(&w, w.stored_n == KEPT_MAX + 7 && w.queue.messages.n == 0);
	for (size_t i = 0; i < w.stored_n; i++)
		assert_int_equal(w.stored[i].body_at, 0);
	world_done_all(&w);
}

static void test_refused(void **state)
{
	static struct world w;
	struct {
		struct letter letter;
		uint8_t want;
	} cases[] = {
		{ { .sender = "a@b.test",
		    .to = { "u1@near.test" },
		    .by_descriptor = true,
		    .unsealed = true },
		  ACCEPT_BAD },
		{ { .sender = "a@b.test",
		    .to = { "u1@near.test" },
		    .by_descriptor = true,
		    .plain = true },
		  ACCEPT_BAD },
		{ { .sender = "a@b.test", .to = { "u1@near.test" }, .lie = 1 }, ACCEPT_BAD },
		{ { .sender = "a@b.test",
		    .to = { "u1@near.test" },
		    .by_descriptor = true,
		    .lie = 1 },
		  ACCEPT_BAD },
		{ { .sender = "a@b.test", .to = { "u1@near.test" }, .lie = 1ULL << 40 },
		  ACCEPT_TOO_BIG },
		{ { .sender = "a@b.test", .to = { "u1@near.test" }, .lie = UINT64_MAX },
		  ACCEPT_BAD },
		{ { .sender = "a@b.test", .to = { NULL } }, ACCEPT_BAD },
	};

	world_init(&w);
	log_set_level(LOG_LEVEL_ERROR);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint32_t tag = post(&w, &cases[i].letter);

		SPIN_UNTIL(&w, w.answers[tag]);
		assert_int_equal(w.answers[tag], cases[i].want + 1);
	}
	assert_int_equal(w.queue.messages.n, 0);
	assert_false(ipc_chan_is_closed(w.smtp));
	simple(&w, "a@b.test", "u1@near.test");
	world_done_all(&w);
}

static void test_remote(void **state)
{
	static struct world w;

	world_init(&w);
	posted(&w, &(struct letter){
			   .sender = "u1@near.test",
			   .to = { "a@far.test", "b@FAR.test", "c@rel.test", "u2@near.test" } });
	SPIN_UNTIL(&w, w.sent == 3 && w.stored_n == 1 && w.queue.messages.n == 0);
	assert_int_equal(w.jobs, 2);
	/* Success is no news. */
	assert_int_equal(w.queue.figures.bounced, 0);
	world_done_all(&w);
}

static void test_bounce(void **state)
{
	static struct world w;

	world_init(&w);
	posted(&w, &(struct letter){
			   .sender = "u1@near.test",
			   .to = { "a@bad.test", "b@bad.test", "none@near.test", "u2@near.test" },
			   .orcpt = "rfc822;orig@x.test",
			   .envid = "ENV1" });
	SPIN_UNTIL(&w, w.stored_n == 2 && w.queue.messages.n == 0);

	/* One report for all, from nobody. */
	const struct stored_message *report =
		w.stored[0].account == 1 ? &w.stored[0] : &w.stored[1];

	assert_int_equal(report->account, 1);
	assert_string_equal(report->sender, "");
	assert_true(says(&report->body, "Final-Recipient: rfc822; a@bad.test\r\n"));
	assert_true(says(&report->body, "Final-Recipient: rfc822; b@bad.test\r\n"));
	assert_true(says(&report->body, "Final-Recipient: rfc822; none@near.test\r\n"));
	assert_false(says(&report->body, "u2@near.test"));
	assert_true(says(&report->body, "Original-Envelope-Id: ENV1\r\n"));
	assert_true(says(&report->body, "Original-Recipient: rfc822; orig@x.test\r\n"));
	assert_true(says(&report->body, "Diagnostic-Code: smtp; 550 5.1.1 nobody here\r\n"));
	assert_true(says(&report->body,
			 "Diagnostic-Code: x-posthold; there is no such address here\r\n"));
	assert_true(says(&report->body, "\r\n\r\nhello\r\n"));
	assert_int_equal(w.queue.figures.bounced, 1);
	world_done_all(&w);
}

static void test_no_bounce(void **state)
{
	static struct world w;

	world_init(&w);
	simple(&w, "", "a@bad.test");
	posted(&w, &(struct letter){ .sender = "u1@near.test",
				     .to = { "a@bad.test" },
				     .notify = NOTIFY_NEVER });
	posted(&w, &(struct letter){ .sender = "u1@near.test",
				     .to = { "a@bad.test" },
				     .notify = NOTIFY_SUCCESS });
	/* A report that cannot be delivered is the end. */
	simple(&w, "someone@bad.test", "none@near.test");
	SPIN_UNTIL(&w, w.queue.messages.n == 0 && w.jobs == 4);
	assert_int_equal(w.stored_n, 0);
	assert_int_equal(w.queue.figures.failed, 5);
	world_done_all(&w);
}

static void test_loop(void **state)
{
	static struct world w;

	world_init(&w);
	simple(&w, "u1@near.test", "loop@near.test");
	SPIN_UNTIL(&w, w.stored_n == 1 && w.queue.messages.n == 0);
	assert_true(says(&w.stored[0].body, "Status: 5.4.6\r\n"));
	world_done_all(&w);
}

static void test_success_reports(void **state)
{
	static struct world w;

	world_init(&w);
	posted(&w, &(struct letter){
			   .sender = "u3@near.test",
			   .to = { "u1@near.test", "a@far.test", "a@rel.test", "team@near.test" },
			   .notify = NOTIFY_SUCCESS | NOTIFY_FAILURE });
	SPIN_UNTIL(&w, w.stored_n >= 6 && w.queue.messages.n == 0);

	struct buf all = BUF_INIT(1 << 20);

	for (size_t i = 0; i < w.stored_n; i++)
		if (w.stored[i].account == 3)
			buf_add(&all, buf_view(&w.stored[i].body));
	assert_true(says(&all, "rfc822; u1@near.test\r\nAction: delivered\r\n"));
	assert_true(says(&all, "rfc822; a@rel.test\r\nAction: relayed\r\n"));
	assert_true(says(&all, "rfc822; team@near.test\r\nAction: expanded\r\n"));
	/* That server promised to tell. */
	assert_false(says(&all, "rfc822; a@far.test"));
	/* Only failures bring the message back. */
	assert_false(says(&all, "\r\n\r\nhello"));
	buf_done(&all);
	world_done_all(&w);
}

static void test_alias(void **state)
{
	static struct world w;

	world_init(&w);
	simple(&w, "ann@far.test", "team@near.test");
	SPIN_UNTIL(&w, w.stored_n == 2 && w.sent == 1 && w.queue.messages.n == 0);
	assert_string_equal(w.stored[0].address, "u1@near.test");
	simple(&w, "ann@far.test", "fwd@near.test");
	SPIN_UNTIL(&w, w.sent == 2 && w.queue.messages.n == 0);
	world_done_all(&w);
}

/* The recipients of an alias are the same after a restart, and what was sent is not sent again. */
static void test_alias_restart(void **state)
{
	static struct world w;

	world_init(&w);
	w.undurable = true;
	simple(&w, "ann@far.test", "team@near.test");
	SPIN_UNTIL(&w, w.stored_n == 2 && w.sent == 1);
	world_restart(&w);
	assert_int_equal(w.queue.messages.n, 1);
	SPIN_UNTIL(&w, w.stored[0].times == 2 && w.stored[1].times == 2);
	spin(&w, 50);
	assert_int_equal(w.sent, 1);
	assert_int_equal(w.stored_n, 2);
	w.undurable = false;
	say_durable(&w.mailboxes[1]);
	say_durable(&w.mailboxes[2]);
	SPIN_UNTIL(&w, w.queue.messages.n == 0);
	world_done_all(&w);
}

static void test_retries(void **state)
{
	static struct world w;
	struct rcpt *r;

	world_init(&w);
	w.config.retry_first = 20;
	w.config.retry_max = 40;
	simple(&w, "u1@near.test", "a@slow.test");
	SPIN_UNTIL(&w, w.jobs >= 3);
	r = &message_first(&w.queue.messages)->at[0];
	assert_in_range(r->attempts, 2, 3);
	assert_view(rcpt_reply(r), "451 4.7.1 not now");
	assert_view(rcpt_status(r), "4.7.1");
	w.config.retry_first = w.config.retry_max = 3600000;
	SPIN_UNTIL(&w, r->stage == STAGE_TIMED && r->next_ms > clock_mono_ms() + 1000000);
	world_restart(&w);
	/* What was known is known. */
	r = &message_first(&w.queue.messages)->at[0];
	assert_true(r->attempts >= 3);
	assert_int_equal(r->outcome, RCPT_DEFERRED);
	assert_true(r->next_ms > clock_mono_ms() + 1000000);
	assert_view(rcpt_reply(r), "451 4.7.1 not now");
	assert_view(rcpt_remote(r), "mx.other.test");
	world_done_all(&w);
}

static void test_warning_and_end(void **state)
{
	static struct world w;

	world_init(&w);
	w.config.retry_first = 30;
	w.config.retry_max = 30;
	w.config.delay_warning = 60;
	w.config.queue_life = 300;
	simple(&w, "u1@near.test", "a@slow.test");
	SPIN_UNTIL(&w, w.stored_n == 1);
	assert_true(says(&w.stored[0].body, "\r\nAction: delayed\r\n"));
	assert_true(says(&w.stored[0].body, "\r\nWill-Retry-Until: "));
	assert_true(says(&w.stored[0].body, "Your message is delayed"));
	SPIN_UNTIL(&w, w.stored_n == 2 && w.queue.messages.n == 0);
	assert_true(says(&w.stored[1].body, "\r\nAction: failed\r\nStatus: 4.4.7\r\n"));
	assert_true(says(&w.stored[1].body, "451 4.7.1 not now"));
	world_done_all(&w);
}

static void test_local_trouble(void **state)
{
	static struct world w;

	world_init(&w);
	w.config.retry_first = w.config.retry_max = 20;
	w.deliver_status = DELIVER_QUOTA;
	simple(&w, "u2@near.test", "u1@near.test");
	SPIN_UNTIL(&w, w.queue.messages.n == 1 &&
			       message_first(&w.queue.messages)->at[0].attempts >= 2);
	assert_view(rcpt_status(&message_first(&w.queue.messages)->at[0]), "4.2.2");
	w.deliver_status = DELIVER_OK;
	SPIN_UNTIL(&w, w.stored_n == 1 && w.queue.messages.n == 0);
	w.deliver_status = DELIVER_FAILED;
	simple(&w, "z@far.test", "u1@near.test");
	SPIN_UNTIL(&w, w.queue.messages.n == 0 && w.sent == 1);
	assert_int_equal(w.queue.figures.bounced, 1);
	world_done_all(&w);
}

/* Five messages that account 1 has stored and not made durable. */
static void begin_undurable(struct world *w)
{
	world_init(w);
	w->undurable = true;
	for (int i = 0; i < 5; i++)
		simple(w, "a@far.test", "u1@near.test");
	SPIN_UNTIL(w, w->stored_n == 5);
}

/* A mailbox process ends: what it had not made durable is delivered again. */
static void test_lost_mailbox(void **state)
{
	static struct world w;

	begin_undurable(&w);
	assert_int_equal(w.queue.messages.n, 5);
	ipc_chan_free(w.mailboxes[1].chan);
	w.mailboxes[1].chan = NULL;
	SPIN_UNTIL(&w, w.stored[4].times == 2);
	assert_int_equal(w.stored_n, 5);
	assert_int_equal(w.queue.messages.n, 5);
	say_durable(&w.mailboxes[1]);
	SPIN_UNTIL(&w, w.queue.messages.n == 0);
	world_done_all(&w);
}

static void test_restart_before_durable(void **state)
{
	static struct world w;

	begin_undurable(&w);
	w.undurable = false;
	world_restart(&w);
	SPIN_UNTIL(&w, w.queue.messages.n == 0);
	assert_int_equal(w.stored_n, 5);
	for (int i = 0; i < 5; i++)
		assert_int_equal(w.stored[i].times, 2);
	world_done_all(&w);
}

static void test_lost_send(void **state)
{
	static struct world w;

	world_init(&w);
	w.silent = true;
	simple(&w, "u1@near.test", "a@far.test");
	SPIN_UNTIL(&w, w.jobs == 1);
	w.silent = false;
	connect_send(&w);
	SPIN_UNTIL(&w, w.sent == 1 && w.queue.messages.n == 0);
	assert_int_equal(w.queue.figures.duplicates_possible, 1);
	world_done_all(&w);
}

static void test_auth_restarts(void **state)
{
	static struct world w;

	world_init(&w);
	/* Nobody reads the questions. */
	ipc_chan_free(w.auth);
	w.auth = NULL;
	simple(&w, "a@far.test", "u1@near.test");
	spin(&w, 30);
	assert_int_equal(w.stored_n, 0);
	connect_auth(&w);
	SPIN_UNTIL(&w, w.stored_n == 1 && w.queue.messages.n == 0);
	world_done_all(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_local),
		cmocka_unit_test(test_settled),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_remote),
		cmocka_unit_test(test_bounce),
		cmocka_unit_test(test_no_bounce),
		cmocka_unit_test(test_loop),
		cmocka_unit_test(test_success_reports),
		cmocka_unit_test(test_alias),
		cmocka_unit_test(test_alias_restart),
		cmocka_unit_test(test_retries),
		cmocka_unit_test(test_warning_and_end),
		cmocka_unit_test(test_local_trouble),
		cmocka_unit_test(test_lost_mailbox),
		cmocka_unit_test(test_restart_before_durable),
		cmocka_unit_test(test_lost_send),
		cmocka_unit_test(test_auth_restarts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
