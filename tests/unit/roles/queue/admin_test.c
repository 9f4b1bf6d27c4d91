/* roles/queue/admin.c: what the administrator sees and does, in every stage of a message. */
#include "letter.h"

struct argument {
	const char *key;
	struct view value;
};

/* As ask, with several arguments. */
static void ask_all(struct world *w, const char *verb, const struct argument *arguments, size_t n)
{
	struct admin_request_args args[4];
	struct admin_request r = {
		.tag = 1, .verb = view_str(verb), .args_count = (uint32_t)n, .args = args
	};

	assert_true(n <= ARRAY_LEN(args));
	for (size_t i = 0; i < n; i++)
		args[i] = (struct admin_request_args){ .key = view_str(arguments[i].key),
						       .value = arguments[i].value };
	w->end = -1;
	buf_clear(&w->rows);
	buf_clear(&w->end_text);
	assert_int_equal(admin_send_request(w->control, &r), OK);
	SPIN_UNTIL(w, w->end >= 0);
}

static size_t row_count(const struct world *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->rows.n; i++)
		n += w->rows.p[i] == '\n';
	return n;
}

static void test_filters(void **state)
{
	static struct world w;
	static const struct {
		struct argument arguments[3];
		const char *rows; /* of the recipients a, b, c, d */
	} cases[] = {
		{ { { NULL } }, "abcd" },
		{ { { "domain", VIEW_INIT("SLOW.test") } }, "abd" },
		{ { { "domain", VIEW_INIT("low.test") } }, "" },
		{ { { "sender", VIEW_INIT("U1@near.test") } }, "ab" },
		{ { { "recipient", VIEW_INIT("B@slow.test") } }, "b" },
		{ { { "state", VIEW_INIT("deferred") } }, "abd" },
		{ { { "state", VIEW_INIT("held") } }, "c" },
		{ { { "state", VIEW_INIT("Held") } }, "" },
		{ { { "sender", VIEW_INIT("u2@near.test") }, { "state", VIEW_INIT("held") } },
		  "c" },
		{ { { "sender", VIEW_INIT("u1@near.test") }, { "state", VIEW_INIT("held") } }, "" },
		{ { { "domain", VIEW_INIT("slow.test") },
		    { "recipient", VIEW_INIT("d@slow.test") },
		    { "sender", VIEW_INIT("u2@near.test") } },
		  "d" },
		{ { { "domain", VIEW_INIT("other.test") },
		    { "recipient", VIEW_INIT("d@slow.test") } },
		  "" },
		{ { { "limit", VIEW_INIT("2") } }, "ab" },
		{ { { "limit", VIEW_INIT("0") } }, "" },
	};

	world_init(&w);
	posted(&w, &(struct letter){ .sender = "u1@near.test",
				     .to = { "a@slow.test", "b@slow.test" } });
	SPIN_UNTIL(&w, w.jobs == 1);
	ask(&w, "queue.stop", NULL, VIEW_EMPTY);
	simple(&w, "u2@near.test", "c@other.test");
	ask_id(&w, "queue.hold", w.last_trace);
	assert_int_equal(w.end, OK);
	ask(&w, "queue.start", NULL, VIEW_EMPTY);
	simple(&w, "u2@near.test", "d@slow.test");
	SPIN_UNTIL(&w, w.jobs == 2);
	spin(&w, 20);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t n = 0;

		while (n < 3 && cases[i].arguments[n].key)
			n++;
		ask_all(&w, "queue.list", cases[i].arguments, n);
		assert_int_equal(w.end, OK);
		for (char who = 'a'; who <= 'd'; who++) {
			char row[40];

			(void)snprintf(row, sizeof(row), "\"recipient\":\"%c@", who);
			if (says(&w.rows, row) != !!strchr(cases[i].rows, who))
				fail_msg("case %zu: recipient %c", i, who);
		}
		assert_int_equal(row_count(&w), strlen(cases[i].rows));
	}
	world_done_all(&w);
}

/* A list goes on where the last one ended. */
static void test_pages(void **state)
{
	static struct world w;
	uint64_t traces[3];
	char id[ID_TEXT_LEN];
	struct argument page[] = { { "limit", VIEW("2") }, { "after", VIEW_EMPTY } };

	world_init(&w);
	for (size_t i = 0; i < 3; i++) {
		simple(&w, "u1@near.test", "a@slow.test");
		traces[i] = w.last_trace;
	}
	SPIN_UNTIL(&w, w.jobs == 3);
	spin(&w, 20);
	ask_all(&w, "queue.list", page, 1);
	assert_int_equal(row_count(&w), 2);
	assert_true(says(&w.end_text, "there is more"));
	page[1].value = id_text(traces[1], id);
	ask_all(&w, "queue.list", page, 2);
	assert_int_equal(row_count(&w), 1);
	buf_add_char(&w.rows, 0);
	id_text(traces[2], id);
	assert_true(view_find(buf_view(&w.rows), view_of(id, sizeof(id))) != VIEW_NONE);
	assert_int_equal(w.end_text.n, 0);
	/* Behind the last, and behind one that is gone meanwhile. */
	page[1].value = id_text(traces[2], id);
	ask_all(&w, "queue.list", page, 2);
	assert_int_equal(row_count(&w), 0);
	page[1].value = id_text(traces[2] ^ 1, id);
	ask_all(&w, "queue.list", page, 2);
	assert_int_equal(row_count(&w), 0);
	assert_int_equal(w.end, OK);

	ask(&w, "queue.list", "after", VIEW("not an id"));
	assert_int_equal(w.end, ERR_SYNTAX);
	ask(&w, "queue.list", "limit", VIEW("1000"));
	assert_int_equal(w.end, OK);
	ask(&w, "queue.list", "limit", VIEW("1001"));
	assert_int_equal(w.end, ERR_RANGE);
	ask(&w, "queue.list", "limit", VIEW("-1"));
	assert_int_equal(w.end, ERR_RANGE);
	world_done_all(&w);
}

/* Whatever an address holds, a row is JSON. */
static void test_text(void **state)
{
	static struct world w;

	world_init(&w);
	simple(&w, "\"q\\\"\x01\x7f\"@far.test", "a\xff@slow.test");
	SPIN_UNTIL(&w, w.jobs == 1);
	spin(&w, 20);
	ask(&w, "queue.list", NULL, VIEW_EMPTY);
	assert_true(says(&w.rows,
			 "\"sender\":\"\\\"q\\\\\\\"\\u0001\\u007f\\\"@far.test\",\"recipient\":"
			 "\"a?@slow.test\""));
	simple(&w, "u1@near.test", "j\xc3\xb6rg@slow.test");
	SPIN_UNTIL(&w, w.jobs == 2);
	spin(&w, 20);
	ask(&w, "queue.list", "sender", VIEW("u1@near.test"));
	assert_true(says(&w.rows, "\"recipient\":\"j\xc3\xb6rg@slow.test\""));
	world_done_all(&w);
}

/* ---- stages ---- */

struct stage {
	const char *name; /* as shown */
	const char *to;
	void (*arrange)(struct world *w);
	/* The message has come so far. */
	bool (*is_there)(const struct world *w);
	/* Whom it was given to may have it all the same. */
	bool out_of_reach;
};

static void wait_for_auth(struct world *w)
{
	w->auth_waits = true;
}

static bool was_asked(const struct world *w)
{
	return w->question_n > 0;
}

static void no_mailbox(struct world *w)
{
	w->spawn_fails = true;
}

static bool was_refused(const struct world *w)
{
	const struct message *m = message_first(&w->queue.messages);

	return m && m->at[0].stage == STAGE_LOCAL;
}

static void slow_mailbox(struct world *w)
{
	w->mailboxes_wait = true;
}

static bool was_handed(const struct world *w)
{
	return w->handed > 0;
}

static void silent_send(struct world *w)
{
	w->silent = true;
}

static bool was_sent(const struct world *w)
{
	return w->jobs > 0;
}

static void stopped(struct world *w)
{
	ask(w, "queue.stop", NULL, VIEW_EMPTY);
}

static bool is_remote(const struct world *w)
{
	const struct message *m = message_first(&w->queue.messages);

	return m && m->at[0].stage == STAGE_REMOTE;
}

static void nothing(struct world *w)
{
}

static bool is_deferred(const struct world *w)
{
	const struct message *m = message_first(&w->queue.messages);

	return m && m->at[0].stage == STAGE_TIMED;
}

static const struct stage stages[] = {
	{ "waiting", "u1@near.test", wait_for_auth, was_asked, false },
	{ "waiting", "u1@near.test", no_mailbox, was_refused, false },
	{ "delivering", "u1@near.test", slow_mailbox, was_handed, true },
	{ "sending", "a@far.test", silent_send, was_sent, true },
	{ "waiting", "a@far.test", stopped, is_remote, false },
	{ "deferred", "a@slow.test", nothing, is_deferred, false },
};

/* The world as it was before arrange. */
static void relent(struct world *w)
{
	w->auth_waits = w->spawn_fails = w->mailboxes_wait = w->silent = false;
	while (w->question_n)
		answer_one(w);
	ask(w, "queue.start", NULL, VIEW_EMPTY);
}

static void arrange(struct world *w, const struct stage *s)
{
	print_message("to %s, %s\n", s->to, s->name);
	world_init(w);
	s->arrange(w);
	simple(w, "u3@near.test", s->to);
	SPIN_UNTIL(w, s->is_there(w));
	ask(w, "queue.list", "state", view_str(s->name));
	assert_int_equal(row_count(w), 1);
	ask(w, "queue.list", NULL, VIEW_EMPTY);
	assert_int_equal(row_count(w), 1);
}

/* Those who have it in hand answer, late; nothing comes of it. */
static void late_answers(struct world *w, const struct stage *s, uint64_t sequence)
{
	if (s->arrange == slow_mailbox) {
		struct deliver_done done = { .sequence = sequence, .status = DELIVER_OK };

		assert_int_equal(deliver_send_done(w->mailboxes[1].chan, &done), OK);
		w->mailboxes[1].answered++;
		say_durable(&w->mailboxes[1]);
	}
	if (s->arrange == silent_send) {
		struct transfer_result r = { .job = 1 << 16,
					     .outcome = TRANSFER_DEFERRED,
					     .enhanced = VIEW("4.0.0") };

		assert_int_equal(transfer_send_result(w->send, &r), OK);
		assert_int_equal(
			transfer_send_finished(w->send, &(struct transfer_finished){ 1 << 16 }),
			OK);
	}
}

/* Deleted is deleted, wherever the message was; nobody is told; mail behind it goes its way. */
static void test_delete(void **state)
{
	static struct world w;

	for (size_t i = 0; i < ARRAY_LEN(stages); i++) {
		const struct stage *s = &stages[i];
		uint64_t sequence;

		arrange(&w, s);
		sequence = message_first(&w.queue.messages)->entry.sequence;
		ask_id(&w, "queue.delete", w.last_trace);
		assert_int_equal(w.end, OK);
		SPIN_UNTIL(&w, w.queue.messages.n == 0);
		late_answers(&w, s, sequence);
		relent(&w);
		spin(&w, 30);
		assert_int_equal(w.queue.messages.n, 0);
		assert_int_equal(w.stored_n + w.sent, 0);
		simple(&w, "u3@near.test", "u1@near.test");
		simple(&w, "u3@near.test", "b@far.test");
		SPIN_UNTIL(&w, w.stored_n == 1 && w.sent == 1 && w.queue.messages.n == 0);
		world_restart(&w);
		spin(&w, 20);
		assert_int_equal(w.queue.messages.n, 0);
		world_done_all(&w);
	}
}

/* Returned: the sender has a report, whatever comes late. */
static void test_bounce(void **state)
{
	static struct world w;

	for (size_t i = 0; i < ARRAY_LEN(stages); i++) {
		const struct stage *s = &stages[i];
		uint64_t sequence;

		arrange(&w, s);
		sequence = message_first(&w.queue.messages)->entry.sequence;
		/* The report is a message as any other. */
		w.mailboxes_wait = false;
		ask_id(&w, "queue.bounce", w.last_trace);
		assert_int_equal(w.end, OK);
		spin(&w, 10);
		late_answers(&w, s, sequence);
		relent(&w);
		for (int spins = 0; w.stored_n == 0 && spins < 1000; spins++)
			spin(&w, 5);
		SPIN_UNTIL(&w, w.queue.messages.n == 0);
		assert_int_equal(w.stored_n, 1);
		assert_int_equal(w.stored[0].account, 3);
		assert_true(says(&w.stored[0].body, "returned by the administrator"));
		world_done_all(&w);
	}
}

/* What is held goes nowhere, also not over a restart, and once it is released goes once. */
static void test_hold(void **state)
{
	static struct world w;

	for (size_t i = 0; i < ARRAY_LEN(stages); i++) {
		const struct stage *s = &stages[i];

		arrange(&w, s);
		w.config.retry_first = w.config.retry_max = 20;
		ask_id(&w, "queue.hold", w.last_trace);
		assert_int_equal(w.end, OK);
		ask(&w, "queue.list", "state", s->out_of_reach ? view_str(s->name) : VIEW("held"));
		assert_int_equal(row_count(&w), 1);
		if (!s->out_of_reach) {
			size_t jobs = w.jobs;

			relent(&w);
			spin(&w, 60);
			world_restart(&w);
			spin(&w, 60);
			assert_int_equal(w.stored_n, 0);
			assert_int_equal(w.jobs, jobs);
			assert_int_equal(w.queue.messages.n, 1);
		}
		ask_id(&w, "queue.release", w.last_trace);
		assert_int_equal(w.end, OK);
		if (s->out_of_reach) {
			/* Again is no error, and does nothing. */
			ask_id(&w, "queue.release", w.last_trace);
			assert_int_equal(w.end, OK);
		}
		if (!s->out_of_reach && s->arrange != nothing) {
			SPIN_UNTIL(&w, w.queue.messages.n == 0);
			assert_int_equal(w.stored_n + w.sent, 1);
		}
		world_done_all(&w);
	}
}

/* Of what a mailbox has only the sync is awaited: shown when asked for, and never taken back. */
static void test_stored(void **state)
{
	static struct world w;

	world_init(&w);
	w.undurable = true;
	posted(&w, &(struct letter){ .sender = "u3@near.test",
				     .to = { "u1@near.test", "b@slow.test", "c@far.test" } });
	SPIN_UNTIL(&w, w.stored_n == 1 && w.jobs == 2);
	spin(&w, 20);
	ask(&w, "queue.list", NULL, VIEW_EMPTY);
	assert_int_equal(row_count(&w), 1);
	assert_true(says(&w.rows, "b@slow.test"));
	ask(&w, "queue.list", "state", VIEW("stored"));
	assert_int_equal(row_count(&w), 1);
	assert_true(says(&w.rows, "u1@near.test"));
	ask_id(&w, "queue.show", w.last_trace);
	assert_true(says(&w.rows, "\"recipients\":3,\"held\":0"));
	assert_true(says(&w.rows, "\"state\":\"stored\""));
	assert_true(says(&w.rows, "\"state\":\"deferred\""));
	assert_true(says(&w.rows, "\"state\":\"sent\""));
	/* The rest of it is deleted; that one stays until it is durable. */
	ask_id(&w, "queue.delete", w.last_trace);
	assert_int_equal(w.end, OK);
	spin(&w, 20);
	assert_int_equal(w.queue.messages.n, 1);
	say_durable(&w.mailboxes[1]);
	SPIN_UNTIL(&w, w.queue.messages.n == 0);
	world_done_all(&w);
}

/* ---- which messages ---- */

static void test_which(void **state)
{
	static struct world w;
	char id[ID_TEXT_LEN];

	world_init(&w);
	ask(&w, "queue.stop", NULL, VIEW_EMPTY);
	posted(&w, &(struct letter){ .sender = "u3@near.test",
				     .to = { "a@one.test", "u1@near.test" } });
	simple(&w, "u3@near.test", "b@two.test");
	simple(&w, "u3@near.test", "c@three.test");
	SPIN_UNTIL(&w, w.stored_n == 1);
	spin(&w, 20);
	ask(&w, "queue.list", NULL, VIEW_EMPTY);
	assert_true(says(&w.end_text, "nothing is sent to other servers"));

	ask(&w, "queue.hold", "what", VIEW("ONE.test"));
	assert_true(says(&w.end_text, "1 messages: held"));
	/* Whom u1 was is done with: near.test names nobody any more. */
	ask(&w, "queue.hold", "domain", VIEW("near.test"));
	assert_true(says(&w.end_text, "0 messages"));
	ask(&w, "queue.hold", "what", id_text(w.last_trace, id));
	assert_int_equal(w.end, OK);
	ask(&w, "queue.list", "state", VIEW("held"));
	assert_int_equal(row_count(&w), 2);
	ask(&w, "queue.release", "all", VIEW("yes"));
	assert_true(says(&w.end_text, "3 messages"));
	ask(&w, "queue.list", "state", VIEW("held"));
	assert_int_equal(row_count(&w), 0);

	/* Only yes is a yes. */
	ask(&w, "queue.delete", "all", VIEW("no"));
	assert_int_equal(w.end, ERR_SYNTAX);
	assert_int_equal(w.queue.messages.n, 3);
	ask_id(&w, "queue.show", w.last_trace ^ 1);
	assert_int_equal(w.end, ERR_NOTFOUND);
	assert_true(says(&w.end_text, "no such message"));
	ask(&w, "queue.show", "id", VIEW("short"));
	assert_int_equal(w.end, ERR_NOTFOUND);
	assert_true(says(&w.end_text, "no message id"));
	ask(&w, "queue.delete", "what", VIEW("all"));
	SPIN_UNTIL(&w, w.queue.messages.n == 0);
	world_done_all(&w);
}

static ssize_t no_read(int fd, void *to, size_t n, off_t at)
{
	errno = EIO;
	return -1;
}

/* What the disk does not give back is said to be unreadable, kept, and goes when it is readable again. */
static void test_unreadable(void **state)
{
	static struct world w;
	struct calls table = *calls_kernel();

	world_init(&w);
	w.config.retry_first = w.config.retry_max = 50;
	simple(&w, "u3@near.test", "a@slow.test");
	SPIN_UNTIL(&w, w.jobs == 1);
	spin(&w, 20);
	/* Now it is only on the disk. */
	world_restart(&w);
	table.pread = no_read;
	calls_set(&table);
	open_forget(&w.queue);
	ask_id(&w, "queue.show", w.last_trace);
	assert_int_equal(w.end, ERR_CORRUPT);
	assert_true(says(&w.end_text, "cannot be read"));
	ask(&w, "queue.list", NULL, VIEW_EMPTY);
	assert_int_equal(w.end, OK);
	assert_int_equal(row_count(&w), 0);
	ask(&w, "queue.retry", "what", VIEW("all"));
	spin(&w, 20);
	assert_int_equal(w.jobs, 1);
	assert_int_equal(w.queue.messages.n, 1);
	assert_true(message_first(&w.queue.messages)->held);
	calls_set(NULL);
	ask(&w, "queue.release", "what", VIEW("all"));
	ask(&w, "queue.retry", "what", VIEW("all"));
	SPIN_UNTIL(&w, w.jobs > 1);
	world_done_all(&w);
}

/* The administrator's channel ends, and another comes. */
static void test_channel(void **state)
{
	static struct world w;

	world_init(&w);
	ipc_chan_free(w.control);
	w.control = NULL;
	SPIN_UNTIL(&w, !w.queue.admin);
	simple(&w, "u3@near.test", "u1@near.test");
	SPIN_UNTIL(&w, w.stored_n == 1);
	world_restart(&w);
	ask(&w, "queue.status", NULL, VIEW_EMPTY);
	assert_int_equal(w.end, OK);
	world_done_all(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filters),	   cmocka_unit_test(test_pages),
		cmocka_unit_test(test_text),	   cmocka_unit_test(test_delete),
		cmocka_unit_test(test_bounce),	   cmocka_unit_test(test_hold),
		cmocka_unit_test(test_stored),	   cmocka_unit_test(test_which),
		cmocka_unit_test(test_unreadable), cmocka_unit_test(test_channel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
