/*
 * tests/unit/roles/supervisor/mailbox_test.c: processes of accounts: started when wanted, refused in words
 * that the asker understands, and the hand-over of a session.
 */
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "fixture.h"
#include "ipc/attach.h"
#include "ipc/redeem.h"
#include "ipc/spawn.h"
#include "ipc/types.h"
#include "sys/clock.h"
#include "sys/file.h"

enum { ACCOUNT = 7, LIMIT = 3, WAITING = 256 };

static const struct mailbox_session session = { .session = 1, .name = VIEW_INIT("anna") };

static struct process *only_mailbox(void)
{
	struct process *p;
	size_t at = 0;

	assert_int_equal(mailbox_count(&w.sup), 1);
	assert_true(mailbox_next(&w.sup, &at, &p));
	return p;
}

static int some_fd(void)
{
	int pair[2];

	assert_int_equal(stream_pair(pair), OK);
	close(pair[1]);
	return pair[0];
}

static struct process *started(void)
{
	int fd = -1;

	assert_int_equal(mailbox_deliver(&w.sup, ACCOUNT, &fd), OK);
	close(fd);
	run_until(is_ready, only_mailbox());
	return only_mailbox();
}

static bool none_left(void *ctx)
{
	return mailbox_count(&w.sup) == 0;
}

static bool session_arrived(void *ctx)
{
	return has_line(said("mailbox"), "session anna");
}

/* ---- start and end ---- */

static void one_process_serves_all_of_an_account(void **state)
{
	struct process *p = started();
	pid_t pid = p->pid;

	assert_int_equal(mailbox_attach(&w.sup, ACCOUNT, &session, some_fd()), OK);
	run_until(session_arrived, NULL);
	assert_int_equal(only_mailbox()->pid, pid);
	assert_int_equal(mailbox_account(p->mailbox), ACCOUNT);
}

static void it_ends_when_idle_and_nothing_is_under_way(void **state)
{
	struct process *p = started();
	uint64_t seen = p->sent;

	assert_int_equal(mailbox_attach(&w.sup, ACCOUNT, &session, some_fd()), OK);
	mailbox_idle(p, seen); /* it had not seen the session when it said so */
	assert_int_equal(p->state, PROCESS_READY);
	mailbox_idle(p, p->sent);
	assert_int_equal(p->state, PROCESS_LEAVING);
	run_until(none_left, NULL);
	assert_null(event("supervisor.role_cut_short"));
}

static void who_leaves_takes_nothing_more(void **state)
{
	struct process *p = started();
	int fd = some_fd();

	process_stop(p);
	assert_int_equal(mailbox_attach(&w.sup, ACCOUNT, &session, fd), ERR_BUSY);
	assert_int_equal(fcntl(fd, F_GETFD), -1); /* closed: it was taken over */
	assert_int_equal(mailbox_deliver(&w.sup, ACCOUNT, &fd), ERR_BUSY);
	assert_int_equal(mailbox_check(&w.sup, ACCOUNT, 1, false), ERR_BUSY);
	run_until(none_left, NULL);
	(void)started();
}

static void killed_while_leaving_is_told_with_its_account(void **state)
{
	struct process *p;

	behave("mailbox", "die-on-stop");
	p = started();
	mailbox_revoked(&w.sup, ACCOUNT);
	run_until(is_down, p);
	assert_int_equal(event("supervisor.role_cut_short")->account, ACCOUNT);
}

static bool channel_closed(void *process)
{
	return !((struct process *)process)->lifecycle;
}

/* Between the end of its channel and its being reaped there is nobody to send to. */
static void dead_but_not_reaped_is_busy(void **state)
{
	struct process *p = started();
	int fd = some_fd();

	loop_signal_done(&w.child);
	kill(p->pid, SIGKILL);
	run_until(channel_closed, p);
	assert_int_equal(p->state, PROCESS_READY);
	assert_int_equal(mailbox_attach(&w.sup, ACCOUNT, &session, fd), ERR_BUSY);
	assert_int_equal(mailbox_deliver(&w.sup, ACCOUNT, &fd), ERR_BUSY);
	assert_int_equal(mailbox_check(&w.sup, ACCOUNT, 1, false), ERR_BUSY);
}

static void nothing_is_started_while_all_ends(void **state)
{
	int fd;

	w.sup.stopping = true;
	assert_int_equal(mailbox_deliver(&w.sup, ACCOUNT, &fd), ERR_BUSY);
	assert_int_equal(mailbox_count(&w.sup), 0);
	w.sup.stopping = false;
}

static void a_folder_that_cannot_be_opened_is_told(void **state)
{
	char path[100];
	int fd;

	snprintf(path, sizeof(path), "%s/mail/%d", w.folder, ACCOUNT);
	assert_int_equal(symlink("/etc", path), 0);
	assert_int_equal(mailbox_deliver(&w.sup, ACCOUNT, &fd), ERR_IO);
	assert_non_null(event("supervisor.account_dir"));
	assert_int_equal(only_mailbox()->pid, 0);
}

/* ---- back-off ---- */

static void crash(struct process *p)
{
	kill(p->pid, SIGKILL);
	run_until(is_down, p);
}

static void after_a_crash_it_waits(void **state)
{
	int64_t now = clock_mono_ms(), wait = BACKOFF_FIRST_MS;
	struct process *p;
	int fd;

	clock_set_mono_ms(now);
	p = started();
	for (int i = 0; i < 4; i++) {
		crash(p);
		assert_int_equal(event("supervisor.role_ended")->account, ACCOUNT);
		clock_set_mono_ms(now + wait - 1);
		assert_int_equal(mailbox_deliver(&w.sup, ACCOUNT, &fd), ERR_BUSY);
		now += wait;
		clock_set_mono_ms(now);
		p = started();
		wait *= 2;
	}
	assert_int_equal(p->restarts, 4);
}

/* ---- the queue's wishes ---- */

struct queue {
	struct ipc_chan *chan;
	size_t haves, fds;
};

static enum err on_have(void *ctx, const struct spawn_have *m, int *fd)
{
	struct queue *q = ctx;

	q->haves++;
	q->fds += *fd >= 0;
	return OK;
}

static enum err queue_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	static const struct spawn_client_ops ops = { on_have };

	return spawn_client_dispatch(&ops, ctx, type, body, fd);
}

static void peer_closed(void *ctx, enum err why)
{
}

static bool all_answered(void *ctx)
{
	return ((struct queue *)ctx)->haves == LIMIT + 1;
}

static void past_the_limit_is_refused(void **state)
{
	static const struct ipc_ops ops = { queue_message, peer_closed, NULL };
	struct queue q = { 0 };
	int pair[2];

	w.sup.mailboxes.max = LIMIT;
	assert_int_equal(ipc_pair(pair), OK);
	spawn_take(&w.sup, pair[0]);
	assert_int_equal(
		ipc_chan_new(w.sup.loop, pair[1], &spawn_channel, IPC_CLIENT, &ops, &q, &q.chan),
		OK);
	for (uint64_t account = 1; account <= LIMIT + 1; account++)
		assert_int_equal(spawn_send_want(q.chan, &(struct spawn_want){ account }), OK);
	run_until(all_answered, &q);
	assert_int_equal(q.fds, LIMIT);
	assert_int_equal(mailbox_count(&w.sup), LIMIT);
	assert_false(ipc_chan_is_closed(q.chan));
	ipc_chan_free(q.chan);
}

/* ---- sessions ---- */

struct peers {
	struct ipc_chan *login, *auth;
	size_t attached, asked;
	uint8_t status; /* of the last session */
	uint32_t tag; /* of the last ticket */
	bool silent; /* auth does not answer */
	bool good; /* is the ticket? */
};

static enum err on_attached(void *ctx, const struct attach_attached *m)
{
	struct peers *p = ctx;

	p->attached++;
	p->status = m->status;
	return OK;
}

static enum err login_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	static const struct attach_client_ops ops = { on_attached };

	return attach_client_dispatch(&ops, ctx, type, body, fd);
}

static enum err on_redeem(void *ctx, const struct redeem_redeem *m)
{
	struct peers *p = ctx;
	struct redeem_redeemed answer = {
		.tag = m->tag, .ok = p->good, .account = ACCOUNT, .name = VIEW("anna")
	};

	p->asked++;
	p->tag = m->tag;
	return p->silent ? OK : redeem_send_redeemed(p->auth, &answer);
}

static enum err auth_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	static const struct redeem_server_ops ops = { on_redeem };

	return redeem_server_dispatch(&ops, ctx, type, body, fd);
}

static void peers_begin(struct peers *p)
{
	static const struct ipc_ops login_ops = { login_message, peer_closed, NULL };
	static const struct ipc_ops auth_ops = { auth_message, peer_closed, NULL };
	int pair[2];

	assert_int_equal(ipc_pair(pair), OK);
	attach_take(&w.sup, pair[0]);
	assert_int_equal(ipc_chan_new(w.sup.loop, pair[1], &attach_channel, IPC_CLIENT, &login_ops,
				      p, &p->login),
			 OK);
	assert_int_equal(ipc_pair(pair), OK);
	redeem_take(&w.sup, pair[0]);
	assert_int_equal(ipc_chan_new(w.sup.loop, pair[1], &redeem_channel, IPC_SERVER, &auth_ops,
				      p, &p->auth),
			 OK);
}

static void peers_end(struct peers *p)
{
	ipc_chan_free(p->login);
	ipc_chan_free(p->auth);
	run_for(20); /* what waits is refused */
}

static void attach(struct peers *p, uint64_t number)
{
	struct attach_attach m = { .session = number,
				   .ticket = VIEW("ticket"),
				   .service = SERVICE_IMAPS };

	assert_int_equal(attach_send_attach(p->login, &m, some_fd()), OK);
}

static bool is_answered(void *ctx)
{
	return ((struct peers *)ctx)->attached > 0;
}

static void a_good_ticket_hands_the_session_over(void **state)
{
	struct peers p = { .good = true };

	peers_begin(&p);
	attach(&p, 1);
	run_until(is_answered, &p);
	assert_int_equal(p.status, ATTACH_OK);
	run_until(session_arrived, NULL);
	peers_end(&p);
}

static void a_bad_ticket_starts_nothing(void **state)
{
	struct peers p = { .good = false };

	peers_begin(&p);
	attach(&p, 1);
	run_until(is_answered, &p);
	assert_int_equal(p.status, ATTACH_BAD_TICKET);
	assert_int_equal(mailbox_count(&w.sup), 0);
	assert_non_null(event("supervisor.ticket"));
	peers_end(&p);
}

static void a_session_waits_for_the_successor(void **state)
{
	struct peers p = { .good = true };

	process_stop(started());
	peers_begin(&p);
	attach(&p, 1);
	run_until(is_answered, &p);
	assert_int_equal(p.status, ATTACH_OK);
	peers_end(&p);
}

static bool all_asked(void *ctx)
{
	return ((struct peers *)ctx)->asked == WAITING;
}

static bool all_refused(void *ctx)
{
	return ((struct peers *)ctx)->attached == WAITING;
}

/* The channel's own bound is the same number: one more would end login, not us. */
static void when_auth_is_gone_all_that_wait_are_refused(void **state)
{
	struct peers p = { .silent = true };

	peers_begin(&p);
	for (uint64_t n = 0; n < WAITING; n++)
		attach(&p, n);
	run_until(all_asked, &p);
	assert_int_equal(p.attached, 0);
	ipc_chan_free(p.auth);
	p.auth = NULL;
	run_until(all_refused, &p);
	assert_int_equal(p.status, ATTACH_TEMPORARY);
	assert_null(w.sup.redeem);
	peers_end(&p);
}

static bool redeem_closed(void *ctx)
{
	return !w.sup.redeem;
}

static void an_answer_that_nobody_asked_for_ends_the_channel(void **state)
{
	struct peers p = { .silent = true };
	struct redeem_redeemed answer = { .ok = true, .account = ACCOUNT };

	peers_begin(&p);
	attach(&p, 1);
	run_for(50);
	answer.tag = p.tag + 1;
	assert_int_equal(redeem_send_redeemed(p.auth, &answer), OK);
	run_until(redeem_closed, NULL);
	assert_non_null(event("supervisor.protocol"));
	assert_int_equal(mailbox_count(&w.sup), 0);
	peers_end(&p);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_begin, world_end)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(one_process_serves_all_of_an_account),
		TEST(it_ends_when_idle_and_nothing_is_under_way),
		TEST(who_leaves_takes_nothing_more),
		TEST(killed_while_leaving_is_told_with_its_account),
		TEST(dead_but_not_reaped_is_busy),
		TEST(nothing_is_started_while_all_ends),
		TEST(a_folder_that_cannot_be_opened_is_told),
		TEST(after_a_crash_it_waits),
		TEST(past_the_limit_is_refused),
		TEST(a_good_ticket_hands_the_session_over),
		TEST(a_bad_ticket_starts_nothing),
		TEST(a_session_waits_for_the_successor),
		TEST(when_auth_is_gone_all_that_wait_are_refused),
		TEST(an_answer_that_nobody_asked_for_ends_the_channel),
	};

	fake_role(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
