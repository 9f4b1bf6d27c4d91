/*
 * tests/unit/roles/supervisor/admin_test.c: what the administrator is answered, and that it is JSON whatever a
 * role says of itself.
 */
#include <signal.h>

#include <jansson.h>

#include "fixture.h"
#include "ipc/admin.h"
#include "sys/file.h"

enum { ACCOUNT = 7 };

/* The control role. */
static struct admin {
	struct ipc_chan *chan;
	json_t *rows;
	size_t bad; /* rows that are no JSON object */
	size_t ends;
	uint8_t err; /* of the last end */
	char text[1001];
} a;

static enum err on_row(void *ctx, const struct admin_row *m)
{
	json_t *row = json_loadb(m->json.p, m->json.n, JSON_REJECT_DUPLICATES, NULL);

	if (json_is_object(row))
		json_array_append(a.rows, row);
	else
		a.bad++;
	json_decref(row);
	return OK;
}

static enum err on_end(void *ctx, const struct admin_end *m)
{
	a.ends++;
	a.err = m->err;
	snprintf(a.text, sizeof(a.text), VIEW_FMT, VIEW_ARG(m->text));
	return OK;
}

static enum err on_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	static const struct admin_client_ops ops = { on_row, on_end };

	return admin_client_dispatch(&ops, ctx, type, body, fd);
}

static void on_closed(void *ctx, enum err why)
{
}

static int setup(void **state)
{
	static const struct ipc_ops ops = { on_message, on_closed, NULL };
	int pair[2];

	world_begin(state);
	a = (struct admin){ .rows = json_array() };
	assert_int_equal(ipc_pair(pair), OK);
	admin_take(&w.sup, pair[0]);
	assert_int_equal(
		ipc_chan_new(w.sup.loop, pair[1], &admin_channel, IPC_CLIENT, &ops, NULL, &a.chan),
		OK);
	return 0;
}

static int teardown(void **state)
{
	json_decref(a.rows);
	ipc_chan_free(a.chan);
	return world_end(state);
}

static void request(const char *verb, struct admin_request_args *args, size_t count)
{
	struct admin_request m = {
		.tag = 1, .verb = view_str(verb), .args = args, .args_count = count
	};

	assert_int_equal(admin_send_request(a.chan, &m), OK);
}

static bool is_ended(void *ctx)
{
	return a.ends >= *(size_t *)ctx;
}

static void ask(const char *verb, struct admin_request_args *args, size_t count)
{
	size_t ends = a.ends + 1;

	json_array_clear(a.rows);
	request(verb, args, count);
	run_until(is_ended, &ends);
	assert_int_equal(a.bad, 0);
}

static json_t *row_of(const char *role)
{
	size_t i;
	json_t *row;

	json_array_foreach(a.rows, i, row)
	{
		if (strcmp(json_string_value(json_object_get(row, "role")), role) == 0)
			return row;
	}
	return NULL;
}

static const char *text_of(const char *role, const char *key)
{
	return json_string_value(json_object_get(row_of(role), key));
}

static json_int_t number_of(const char *role, const char *key)
{
	return json_integer_value(json_object_get(row_of(role), key));
}

/* ---- status ---- */

static void every_role_has_a_row(void **state)
{
	ask("status", NULL, 0);
	assert_int_equal(a.err, OK);
	assert_int_equal(json_array_size(a.rows), I_COUNT);
	for (unsigned i = 0; i < I_COUNT; i++) {
		assert_string_equal(text_of(instance_rows[i].name, "state"), "down");
		assert_int_equal(number_of(instance_rows[i].name, "pid"), 0);
	}
}

static void a_row_tells_what_the_role_says(void **state)
{
	behave("auth", "counters {\"lookups\":9223372036854775807,\"Bans_2\":0}");
	start_fixed(I_AUTH);
	start_fixed(I_SEND);
	ask("status", NULL, 0);
	assert_string_equal(text_of("auth", "state"), "ready");
	assert_string_equal(text_of("auth", "sandbox"), "none");
	assert_string_equal(text_of("auth", "weaker"), "everything");
	assert_int_equal(number_of("auth", "pid"), w.sup.fixed[I_AUTH].pid);
	assert_true(number_of("auth", "resident_kib") > 0);
	assert_int_equal(json_object_size(json_object_get(row_of("auth"), "counters")), 2);
	assert_int_equal(json_integer_value(json_object_get(
				 json_object_get(row_of("send"), "counters"), "turns")),
			 1);
}

static void how_the_last_one_ended(void **state)
{
	start_fixed(I_SEND);
	kill(w.sup.fixed[I_SEND].pid, SIGKILL);
	run_until(is_down, &w.sup.fixed[I_SEND]);
	run_until(is_ready, &w.sup.fixed[I_SEND]);
	ask("status", NULL, 0);
	assert_string_equal(text_of("send", "last_end"), "killed by signal 9 (Killed)");
	assert_int_equal(number_of("send", "restarts"), 1);
}

static void mailboxes_name_their_account(void **state)
{
	int fd = -1;

	assert_int_equal(mailbox_deliver(&w.sup, ACCOUNT, &fd), OK);
	fd_close(&fd);
	run_for(300);
	ask("status", NULL, 0);
	assert_int_equal(number_of("mailbox", "account"), ACCOUNT);
	assert_null(json_object_get(row_of("auth"), "account"));
}

/* All at their longest. */
static void the_longest_row_fits(void **state)
{
	struct process *p = &w.sup.fixed[I_FRONT_MX];

	p->pid = 0;
	memset(p->sandbox, 'x', sizeof(p->sandbox) - 1);
	memset(p->weaker, 'x', sizeof(p->weaker) - 1);
	memset(p->last_end, 'x', sizeof(p->last_end) - 1);
	p->restarts = INT64_MAX;
	ask("status", NULL, 0);
	assert_int_equal(strlen(text_of("front-mx", "weaker")), sizeof(p->weaker) - 1);
	assert_int_equal(json_array_size(a.rows), I_COUNT);
}

static void a_deaf_role_does_not_hold_up_the_others(void **state)
{
	start_fixed(I_SEND);
	start_fixed(I_AUTH);
	kill(w.sup.fixed[I_SEND].pid, SIGSTOP);
	ask("status", NULL, 0);
	assert_int_equal(a.err, OK);
	assert_string_equal(a.text, "some roles did not answer within a second");
	assert_non_null(row_of("auth"));
	kill(w.sup.fixed[I_SEND].pid, SIGCONT);
}

static void two_at_once(void **state)
{
	size_t ends = 2;

	start_fixed(I_SEND);
	request("status", NULL, 0);
	request("status", NULL, 0);
	run_until(is_ended, &ends);
	assert_int_equal(json_array_size(a.rows), I_COUNT);
	ask("status", NULL, 0); /* and then again */
	assert_int_equal(a.err, OK);
}

static void counters_that_are_none(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"}",
		"[]",
		"{}{}",
		"{} ",
		" {}",
		"{\"a\":1,}",
		"{,}",
		"{\"a\":}",
		"{\"a\":-1}",
		"{\"a\":1.5}",
		"{\"a\":\"b\"}",
		"{\"a\":{}}",
		"{\"a b\":1}",
		"{\"\":1}",
		"{\"a\"1}",
		"{\"a\":9223372036854775808}",
		"{}}\n{\"role\":\"auth\"}",
		"{\"a\":1}\n{\"end\":true}",
		"{\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\":1}",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(admin_status_arrived(&w.sup.fixed[I_SEND], 0, view_str(bad[i])),
				 ERR_PEER);
	assert_int_equal(admin_status_arrived(&w.sup.fixed[I_SEND], 0, VIEW("{}")), OK);
}

static void a_role_that_gives_such_counters_is_ended(void **state)
{
	behave("send", "counters {}\n{\"end\":true}");
	start_fixed(I_SEND);
	ask("status", NULL, 0);
	assert_non_null(event("supervisor.protocol"));
	assert_non_null(event("supervisor.role_ended"));
	assert_null(row_of("send"));
}

/* ---- others ---- */

static void unknown_requests_are_refused(void **state)
{
	ask("shutdown", NULL, 0);
	assert_int_equal(a.err, ERR_UNSUPPORTED);
	assert_string_equal(a.text, "the supervisor does not know this request");
}

static void reload_says_what_is_wrong(void **state)
{
	ask("reload", NULL, 0);
	assert_int_equal(a.err, ERR_NOTFOUND);
	assert_non_null(strstr(a.text, "run/options"));
}

static void a_check_needs_an_account(void **state)
{
	struct admin_request_args args[] = { { VIEW("account"), VIEW("anna") } };

	ask("fsck", NULL, 0);
	assert_int_equal(a.err, ERR_SYNTAX);
	ask("fsck", args, 1);
	assert_int_equal(a.err, ERR_SYNTAX);
	assert_int_equal(mailbox_count(&w.sup), 0);
}

static void findings_of_a_check_arrive(void **state)
{
	struct admin_request_args args[] = { { VIEW("account"), VIEW("7") } };

	ask("fsck", args, 1);
	assert_int_equal(a.err, OK);
	assert_string_equal(a.text, "1 finding");
	assert_int_equal(json_array_size(a.rows), 1);
}

static void a_check_whose_process_dies_is_answered(void **state)
{
	struct admin_request_args args[] = { { VIEW("account"), VIEW("7") } };

	behave("mailbox", "die");
	ask("fsck", args, 1);
	assert_int_equal(a.err, ERR_PEER);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(every_role_has_a_row),
		TEST(a_row_tells_what_the_role_says),
		TEST(how_the_last_one_ended),
		TEST(mailboxes_name_their_account),
		TEST(the_longest_row_fits),
		TEST(a_deaf_role_does_not_hold_up_the_others),
		TEST(two_at_once),
		TEST(counters_that_are_none),
		TEST(a_role_that_gives_such_counters_is_ended),
		TEST(unknown_requests_are_refused),
		TEST(reload_says_what_is_wrong),
		TEST(a_check_needs_an_account),
		TEST(findings_of_a_check_arrive),
		TEST(a_check_whose_process_dies_is_answered),
	};

	fake_role(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
