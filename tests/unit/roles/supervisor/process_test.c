/*
 * tests/unit/roles/supervisor/process_test.c: how a role is started, what is made of its end, and the end of
 * all.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/num.h"
#include "fixture.h"
#include "sys/clock.h"

enum { EXITED_3 = 3 << 8, KILLED_9 = 9, MONO_START = 1000000, SLACK_MS = 300 };

static bool has_linef(const char *text, const char *format, ...) PRINTF_LIKE(2, 3);

static bool has_linef(const char *text, const char *format, ...)
{
	char line[400];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	return has_line(text, line);
}

static size_t count_lines(const char *text, const char *start)
{
	struct view rest = view_str(text), line;
	size_t n = 0;

	while (rest.n > 0) {
		rest = view_cut(rest, '\n', &line);
		n += view_starts(line, view_str(start));
	}
	return n;
}

/* ---- the start ---- */

static void arguments_are_made_from_the_row(void **state)
{
	const struct instance_row *row = &instance_rows[I_QUEUE];
	const char *text;

	start_fixed(I_QUEUE);
	text = said("queue");
	assert_true(has_linef(text, "argument %s/posthold-queue", w.programs));
	assert_true(has_line(text, "argument --instance=queue"));
	assert_true(has_line(text, "argument --id=0"));
	assert_true(has_line(text, "argument --uid=0"));
	assert_true(has_linef(text, "argument --memory=%llu", (unsigned long long)row->memory));
	assert_true(has_linef(text, "argument --files=%llu", (unsigned long long)row->files));
	assert_int_equal(count_lines(text, "argument "), 6);
}

static void instances_share_a_program(void **state)
{
	start_fixed(I_SMTP_MX);
	start_fixed(I_SMTP_SUBMIT);
	assert_true(has_line(said("smtp"), "argument --instance=smtp-mx"));
	assert_true(has_line(said("smtp"), "argument --instance=smtp-submit"));
}

static void mailbox_has_account_and_memory_by_options(void **state)
{
	struct supervisor *sup = &w.sup;
	struct process *p;
	size_t at = 0;
	int fd = -1;

	sup->config.account_memory = 1000000;
	sup->config.message_size = 70000;
	assert_int_equal(mailbox_deliver(sup, UINT64_MAX, &fd), OK);
	close(fd);
	assert_true(mailbox_next(sup, &at, &p));
	run_until(is_ready, p);
	assert_true(has_line(said("mailbox"), "argument --instance=mailbox"));
	assert_true(has_line(said("mailbox"), "argument --id=18446744073709551615"));
	assert_true(has_line(said("mailbox"), "argument --memory=1280000"));
	assert_true(has_line(said("mailbox"), "dir account 18446744073709551615"));
}

/* Started as root, no two processes have one user id. */
static void every_process_has_a_user_of_its_own(void **state)
{
	struct supervisor *sup = &w.sup;

	sup->config.uid_base = 600000;
	for (unsigned i = 0; i < I_COUNT; i++)
		assert_int_equal(dirs_uid(sup, i, 0), 0);
	sup->root = true;
	for (unsigned i = 0; i < I_COUNT; i++)
		assert_int_equal(dirs_uid(sup, i, 0), 600001 + i);
	assert_true((int)I_COUNT < (int)UID_MAILBOX_BASE);
	assert_int_equal(dirs_uid(sup, I_COUNT, 0), 601000);
	assert_int_equal(dirs_uid(sup, I_COUNT, 77), 601077);
	sup->root = false;
}

static void environment_is_made_here(void **state)
{
	setenv("LD_PRELOAD_TEST", "x", 1);
	setenv("POSTHOLD_SECRET", "x", 1);
	start_fixed(I_LOGIN);
	assert_true(has_line(said("login"), "environment LANG=C.UTF-8"));
	assert_int_equal(count_lines(said("login"), "environment "), 1);
	setenv("POSTHOLD_FAILPOINT", "store.put:2", 1);
	start_fixed(I_SEND);
	assert_true(has_line(said("send"), "environment POSTHOLD_FAILPOINT=store.put:2"));
	assert_int_equal(count_lines(said("send"), "environment "), 2);
	unsetenv("POSTHOLD_FAILPOINT");
	unsetenv("POSTHOLD_SECRET");
	unsetenv("LD_PRELOAD_TEST");
}

/* Only what comes by the first channel, and what this test was itself started with. */
static void no_descriptor_is_inherited(void **state)
{
	struct view rest, line;

	start_fixed(I_KEYS);
	rest = view_str(said("keys"));
	assert_true(has_line(rest.p, "open 3"));
	while (rest.n > 0) {
		uint64_t fd;

		rest = view_cut(rest, '\n', &line);
		if (!view_starts(line, VIEW("open ")))
			continue;
		assert_int_equal(num_u64(view_from(line, strlen("open ")), UINT16_MAX, &fd), OK);
		if (fd != 3)
			assert_int_equal(fcntl((int)fd, F_GETFD), 0);
	}
}

static void program_that_is_missing_is_named(void **state)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/posthold-resolve", w.programs);
	unlink(path);
	assert_int_equal(process_start(&w.sup.fixed[I_RESOLVE]), OK);
	run_until(is_down, &w.sup.fixed[I_RESOLVE]);
	assert_string_equal(w.sup.fixed[I_RESOLVE].last_end,
			    "its program posthold-resolve cannot be run");
	assert_non_null(event("supervisor.role_ended"));
}

/* ---- wiring ---- */

static bool all_ready(void *ctx)
{
	return w.sup.ready_said;
}

static void start_whole(void)
{
	struct supervisor *sup = &w.sup;

	for (unsigned i = 0; i < I_COUNT; i++)
		assert_int_equal(process_start(&sup->fixed[i]), OK);
	assert_int_equal(wire_all(sup), OK);
	for (unsigned i = 0; i < I_COUNT; i++)
		assert_int_equal(process_go(&sup->fixed[i]), OK);
	run_until(all_ready, NULL);
}

static void each_role_gets_its_row_and_its_edges(void **state)
{
	start_whole();
	for (size_t i = 0; i < edge_count; i++) {
		const struct edge_row *e = &edge_rows[i];

		if (e->client < I_COUNT)
			assert_true(has_linef(said(instance_rows[e->client].program),
					      "channel %s %llu", e->client_name,
					      (unsigned long long)e->client_id));
		if (e->server < I_COUNT)
			assert_true(has_linef(said(instance_rows[e->server].program),
					      "channel %s %llu", e->server_name,
					      (unsigned long long)e->server_id));
	}
	for (unsigned i = 0; i < I_COUNT; i++) {
		const struct instance_row *row = &instance_rows[i];

		if (row->dir)
			assert_true(has_linef(said(row->program), "dir %s 0", row->dir_name));
		if (i != I_LOG) {
			assert_true(has_line(said(row->program), "channel log 0"));
			assert_true(has_linef(said("log"), "channel %s 0", row->name));
		}
	}
	assert_true(has_line(said("log"), "channel supervisor 0"));
	/* Nothing beyond: queue has accept twice, route, spawn, transfer, admin and log. */
	assert_int_equal(count_lines(said("queue"), "channel "), 7);
	assert_int_equal(count_lines(said("resolve"), "channel "), 2);
	assert_int_equal(count_lines(said("control"), "channel "), 6);
}

static bool restarted(void *process)
{
	struct process *p = process;

	return p->restarts == 1 && p->state == PROCESS_READY;
}

static bool send_has_it_twice(void *ctx)
{
	return count_lines(said("send"), "channel resolve 0") == 2;
}

static void a_restart_wires_both_ends_again(void **state)
{
	struct process *p = &w.sup.fixed[I_RESOLVE];

	start_whole();
	kill(p->pid, SIGKILL);
	run_until(restarted, p);
	run_until(send_has_it_twice, NULL);
	assert_int_equal(count_lines(said("resolve"), "channel resolve 0"), 2);
	assert_int_equal(count_lines(said("queue"), "channel transfer"), 1);
	assert_string_equal(event("supervisor.role_ended")->how, "killed by signal 9 (Killed)");
}

/* ---- back-off ---- */

static int64_t timer_left_ms(const struct loop_timer *t)
{
	struct timeval at, now;

	if (!t->assigned || !evtimer_pending(&t->event, &at))
		return -1;
	gettimeofday(&now, NULL);
	return (at.tv_sec - now.tv_sec) * 1000 + (at.tv_usec - now.tv_usec) / 1000;
}

static void assert_restart_in(const struct process *p, int64_t ms)
{
	assert_in_range(timer_left_ms(&p->restart) + SLACK_MS, ms > 0 ? ms : 0, ms + 2 * SLACK_MS);
}

static void backs_off_doubling_to_a_maximum(void **state)
{
	struct process *p = &w.sup.fixed[I_AUTH];
	int64_t now = MONO_START, wait = BACKOFF_FIRST_MS;

	for (int i = 0; i < 20; i++) {
		clock_set_mono_ms(now);
		p->started_ms = now - 1;
		p->state = PROCESS_READY;
		process_ended(p, EXITED_3);
		assert_int_equal(p->backoff_ms, wait);
		assert_restart_in(p, wait);
		wait = wait * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : wait * 2;
		now += 1000;
	}
	assert_int_equal(p->backoff_ms, BACKOFF_MAX_MS);
	loop_timer_cancel(&p->restart);
}

static void one_that_lived_long_begins_anew(void **state)
{
	struct process *p = &w.sup.fixed[I_AUTH];

	clock_set_mono_ms(MONO_START);
	p->backoff_ms = BACKOFF_MAX_MS;
	p->started_ms = MONO_START - STABLE_MS + 1;
	process_ended(p, KILLED_9);
	assert_restart_in(p, BACKOFF_MAX_MS);
	p->started_ms = MONO_START - STABLE_MS;
	process_ended(p, KILLED_9);
	assert_int_equal(p->backoff_ms, BACKOFF_FIRST_MS);
	assert_restart_in(p, 0);
	loop_timer_cancel(&p->restart);
}

static bool crashed_thrice(void *process)
{
	return ((struct process *)process)->restarts == 3;
}

static void a_role_that_cannot_start_is_tried_again(void **state)
{
	struct process *p = &w.sup.fixed[I_LOGIN];

	behave("login", "exit");
	assert_int_equal(process_start(p), OK);
	assert_int_equal(process_go(p), OK);
	run_until(crashed_thrice, p);
	assert_string_equal(p->last_end, "ended with status 3");
	assert_true(p->backoff_ms >= 4 * BACKOFF_FIRST_MS);
	behave("login", "serve");
	run_until(is_ready, p);
}

/* ---- ends ---- */

static void an_orderly_end_is_no_event(void **state)
{
	struct process *p = &w.sup.fixed[I_SEND];

	start_fixed(I_SEND);
	w.event_count = 0;
	process_stop(p);
	run_until(is_down, p);
	assert_int_equal(w.event_count, 0);
	loop_timer_cancel(&p->restart);
}

static void a_kill_while_leaving_is_told(void **state)
{
	struct process *p = &w.sup.fixed[I_SEND];

	behave("send", "die-on-stop");
	start_fixed(I_SEND);
	process_stop(p);
	run_until(is_down, p);
	assert_null(event("supervisor.role_ended"));
	assert_int_equal(event("supervisor.role_cut_short")->level, LOG_LEVEL_WARNING);
	assert_string_equal(event("supervisor.role_cut_short")->instance, "send");
	assert_string_equal(event("supervisor.role_cut_short")->how, "killed by signal 9 (Killed)");
	loop_timer_cancel(&p->restart);
}

static bool stopped;

static void stop_all(void)
{
	stopped = false;
	supervisor_stop(&w.sup);
	loop_run(w.sup.loop);
	stopped = true;
	for (unsigned i = 0; i < I_COUNT; i++)
		assert_int_equal(w.sup.fixed[i].pid, 0);
}

/* The number behind the last line that starts so, or 0. */
static uint64_t number_of(const char *program, const char *start)
{
	struct view rest = view_str(said(program)), line;
	uint64_t n = 0;

	while (rest.n > 0) {
		rest = view_cut(rest, '\n', &line);
		if (view_starts(line, view_str(start)))
			assert_int_equal(num_u64(view_from(line, strlen(start)), UINT64_MAX, &n),
					 OK);
	}
	return n;
}

static void the_end_goes_by_phases(void **state)
{
	int fd = -1;

	start_whole();
	assert_int_equal(mailbox_deliver(&w.sup, 5, &fd), OK);
	close(fd);
	run_for(200);
	stop_all();
	assert_null(event("supervisor.role_cut_short"));
	assert_true(number_of("login", "end ") <= number_of("mailbox", "stop "));
	assert_true(number_of("mailbox", "end ") <= number_of("queue", "stop "));
	assert_true(number_of("queue", "end ") <= number_of("auth", "stop "));
	assert_true(number_of("auth", "end ") <= number_of("log", "stop "));
}

static void a_kill_during_the_end_of_all_is_told(void **state)
{
	behave("queue", "die-on-stop");
	start_whole();
	stop_all();
	assert_string_equal(event("supervisor.role_cut_short")->instance, "queue");
	assert_null(event("supervisor.role_ended"));
	assert_null(event("supervisor.grace_over"));
}

static void who_does_not_end_is_killed_and_told(void **state)
{
	behave("keys", "deaf");
	behave("log", "deaf");
	start_whole();
	w.sup.config.stop_grace = 200;
	stop_all();
	assert_int_equal(event("supervisor.grace_over")->level, LOG_LEVEL_WARNING);
	/* The log is the last: it had time to write who was killed. */
	assert_string_equal(event("supervisor.role_cut_short")->instance, "log");
	assert_true(number_of("log", "stop ") > number_of("auth", "end "));
}

static void a_second_stop_is_none(void **state)
{
	start_whole();
	supervisor_stop(&w.sup);
	supervisor_stop(&w.sup);
	loop_run(w.sup.loop);
	assert_int_equal(w.sup.phase, PHASE_COUNT);
}

/* ---- rules ---- */

static void words_that_would_break_json_end_the_role(void **state)
{
	struct process *p = &w.sup.fixed[I_FRONT_MX];

	behave("front", "words \",\"pid\":1");
	assert_int_equal(process_start(p), OK);
	assert_int_equal(process_go(p), OK);
	run_until(is_down, p);
	assert_non_null(event("supervisor.protocol"));
	assert_string_equal(p->sandbox, "");
}

static void only_a_mailbox_may_ask_for_the_background(void **state)
{
	struct process *p = &w.sup.fixed[I_FRONT_MX];

	behave("front", "background");
	assert_int_equal(process_start(p), OK);
	assert_int_equal(process_go(p), OK);
	run_until(is_down, p);
	assert_non_null(event("supervisor.protocol"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_begin, world_end)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(arguments_are_made_from_the_row),
		TEST(instances_share_a_program),
		TEST(mailbox_has_account_and_memory_by_options),
		TEST(every_process_has_a_user_of_its_own),
		TEST(environment_is_made_here),
		TEST(no_descriptor_is_inherited),
		TEST(program_that_is_missing_is_named),
		TEST(each_role_gets_its_row_and_its_edges),
		TEST(a_restart_wires_both_ends_again),
		TEST(backs_off_doubling_to_a_maximum),
		TEST(one_that_lived_long_begins_anew),
		TEST(a_role_that_cannot_start_is_tried_again),
		TEST(an_orderly_end_is_no_event),
		TEST(a_kill_while_leaving_is_told),
		TEST(the_end_goes_by_phases),
		TEST(a_kill_during_the_end_of_all_is_told),
		TEST(who_does_not_end_is_killed_and_told),
		TEST(a_second_stop_is_none),
		TEST(words_that_would_break_json_end_the_role),
		TEST(only_a_mailbox_may_ask_for_the_background),
	};

	fake_role(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
