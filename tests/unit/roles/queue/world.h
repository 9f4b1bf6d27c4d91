/*
 * tests/unit/roles/queue/world.h: a queue between peers that do as the tests say.
 *
 * One loop, real channels, a journal in a new folder.  Addresses mean:
 *   uN@near.test    the mailbox of account N          none@near.test   unknown
 *   loop@near.test  an alias circle                   busy@near.test   the directory cannot be asked
 *   team@near.test  u1, u2 and x@far.test             fwd@near.test    y@far.test
 *   u1+box@near.test  folder "box" of account 1
 *   ...@far.test    another server, takes all         ...@rel.test     one without delivery reports
 *   ...@slow.test   another, always tries later       ...@bad.test     another, refuses
 */
#ifndef TESTS_QUEUE_WORLD_H
#define TESTS_QUEUE_WORLD_H

#include "folder.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encode.h"
#include "roles/queue/queue.h"
#include "sys/calls.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/log.h"

enum { WORLD_ACCOUNTS = 8, WORLD_STORED = 20000, WORLD_ANSWERS = 20000, WORLD_QUESTIONS = 8 };

struct stored_message {
	uint64_t account, sequence;
	uint32_t recipient;
	size_t times; /* handed over */
	uint32_t body_at; /* the last time */
	struct buf body;
	char sender[64], address[64], mailbox[64];
};

struct world;

struct world_mailbox {
	struct world *world;
	struct ipc_chan *chan;
	uint64_t id;
	uint64_t answered;
	uint64_t settled;
};

struct world {
	struct loop *loop;
	struct loop_timer timer;
	struct config config;
	struct queue queue;
	char path[300];
	int dir;
	bool running;
	struct ipc_chan *smtp, *auth, *supervisor, *send, *control;
	struct world_mailbox mailboxes[WORLD_ACCOUNTS];

	uint8_t answers[WORLD_ANSWERS]; /* accept_status + 1, by tag */
	uint32_t next_tag;
	bool told_full;
	size_t asked; /* of auth */
	bool auth_waits; /* for answer_one; answers come in turns of their own */
	struct {
		uint32_t tag;
		char address[64];
	} questions[WORLD_QUESTIONS];
	size_t question_n;
	size_t jobs, sent;
	struct stored_message *stored;
	size_t stored_n;
	bool undurable; /* mailboxes do not say durable */
	bool silent; /* send does not answer */
	bool spawn_fails;
	bool mailboxes_lie; /* break the rules of their channels */
	bool mailboxes_wait; /* take what they are given and do not answer */
	size_t spawned;
	size_t handed; /* to mailboxes */
	size_t checkpoints; /* that mailboxes were asked for */
	bool checkpoints_fail;
	uint8_t deliver_status;
	struct buf rows; /* of the administrator's answers, one a line */
	struct buf end_text;
	int end; /* enum err of the last answer; -1: none */
	uint64_t last_trace;
};

/* ---- auth ---- */

static inline bool user_number(struct view address, uint64_t *ret)
{
	struct view local;

	(void)view_cut(address, '@', &local);
	return view_starts(local, VIEW("u")) && !num_u64(view_from(local, 1), 1000, ret);
}

static inline void copy_text(char to[64], struct view v)
{
	assert_true(v.n < 64);
	memcpy(to, v.p ? v.p : "", v.n);
	to[v.n] = 0;
}

static inline enum err world_answer(struct world *w, uint32_t tag, struct view address)
{
	struct route_targets_are_targets t[3] = { 0 };
	struct route_targets_are a = { .tag = tag, .targets = t };
	struct view local;
	struct view domain = view_cut(address, '@', &local);
	uint64_t user;

	if (!view_eq_nocase(domain, VIEW("near.test"))) {
		a.status = ROUTE_NOT_OURS;
	} else if (user_number(address, &user)) {
		t[0] = (struct route_targets_are_targets){ .kind = ROUTE_MAILBOX,
							   .account = user,
							   .address = address };
		a.targets_count = 1;
	} else if (view_eq(local, VIEW("u1+box"))) {
		t[0] = (struct route_targets_are_targets){ .kind = ROUTE_MAILBOX,
							   .account = 1,
							   .address = VIEW("u1@near.test"),
							   .mailbox = VIEW("box") };
		a.targets_count = 1;
	} else if (view_eq(local, VIEW("team"))) {
		for (uint64_t i = 0; i < 2; i++)
			t[i] = (struct route_targets_are_targets){
				.kind = ROUTE_MAILBOX,
				.account = i + 1,
				.address = i ? VIEW("u2@near.test") : VIEW("u1@near.test")
			};
		t[2] = (struct route_targets_are_targets){ .kind = ROUTE_REMOTE,
							   .address = VIEW("x@far.test") };
		a.targets_count = 3;
	} else if (view_eq(local, VIEW("fwd"))) {
		t[0] = (struct route_targets_are_targets){ .kind = ROUTE_REMOTE,
							   .address = VIEW("y@far.test") };
		a.targets_count = 1;
	} else if (view_eq(local, VIEW("loop"))) {
		a.status = ROUTE_LOOP;
	} else if (view_eq(local, VIEW("busy"))) {
		a.status = ROUTE_TEMPORARY;
	} else {
		a.status = ROUTE_UNKNOWN;
	}
	return route_send_targets_are(w->auth, &a);
}

static inline enum err world_targets(void *ctx, const struct route_targets *m)
{
	struct world *w = ctx;

	w->asked++;
	if (!w->auth_waits)
		return world_answer(w, m->tag, m->address);
	assert_true(w->question_n < WORLD_QUESTIONS);
	w->questions[w->question_n].tag = m->tag;
	copy_text(w->questions[w->question_n++].address, m->address);
	return OK;
}

/* The oldest question. */
static inline void answer_one(struct world *w)
{
	assert_true(w->question_n > 0);
	assert_int_equal(world_answer(w, w->questions[0].tag, view_str(w->questions[0].address)),
			 OK);
	memmove(&w->questions[0], &w->questions[1], --w->question_n * sizeof(w->questions[0]));
}

static inline enum err world_no_recipient(void *ctx, const struct route_recipient *m)
{
	return ERR_PEER;
}

static inline enum err world_no_sender(void *ctx, const struct route_sender *m)
{
	return ERR_PEER;
}

static inline enum err auth_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	static const struct route_server_ops ops = { world_no_recipient, world_targets,
						     world_no_sender };

	return route_server_dispatch(&ops, ctx, type, body, fd);
}

/* ---- mailboxes ---- */

static inline struct stored_message *find_stored(struct world *w, uint64_t account,
						 uint64_t sequence, uint32_t recipient)
{
	for (size_t i = 0; i < w->stored_n; i++)
		if (w->stored[i].account == account && w->stored[i].sequence == sequence &&
		    w->stored[i].recipient == recipient)
			return &w->stored[i];
	return NULL;
}

static inline void say_durable(struct world_mailbox *b)
{
	if (b->chan && b->answered)
		assert_int_equal(
			deliver_send_durable(b->chan, &(struct deliver_durable){ b->answered }),
			OK);
}

static inline enum err mailbox_put(void *ctx, const struct deliver_put *m, int *fd)
{
	struct world_mailbox *b = ctx;
	struct world *w = b->world;
	struct stored_message *s = find_stored(w, b->id, m->sequence, m->recipient);
	struct deliver_done done = { .sequence = m->sequence,
				     .recipient = m->recipient,
				     .status = w->deliver_status,
				     .reason = w->deliver_status ? VIEW("as the test says")
								 : VIEW_EMPTY };

	assert_true(m->sequence >= b->settled);
	w->handed++;
	if (w->mailboxes_wait)
		return OK;
	if (w->mailboxes_lie)
		return deliver_send_durable(b->chan, &(struct deliver_durable){ 1000000 });
	if (!w->deliver_status) {
		if (!s) {
			assert_true(w->stored_n < WORLD_STORED);
			s = &w->stored[w->stored_n++];
			s->account = b->id;
			s->sequence = m->sequence;
			s->recipient = m->recipient;
			buf_init(&s->body, 1 << 26);
			if (*fd >= 0) {
				char *room = buf_room(&s->body, m->body_n);

				assert_non_null(room);
				assert_int_equal(
					file_read_at(*fd, room, m->body_n, (off_t)m->body_at), OK);
				buf_added(&s->body, m->body_n);
				assert_true(fcntl(*fd, F_GET_SEALS) & F_SEAL_WRITE);
			} else {
				assert_int_equal(m->body_n, m->payload.n);
				buf_add(&s->body, m->payload);
			}
			copy_text(s->sender, m->sender);
			copy_text(s->address, m->address);
			copy_text(s->mailbox, m->mailbox);
		}
		s->times++;
		s->body_at = m->body_at;
		b->answered++;
	}
	if (deliver_send_done(b->chan, &done))
		return ERR_PEER;
	if (!w->undurable)
		say_durable(b);
	return OK;
}

static inline enum err mailbox_checkpoint(void *ctx, const struct deliver_checkpoint *m)
{
	struct world_mailbox *b = ctx;

	b->world->checkpoints++;
	if (!b->world->checkpoints_fail)
		say_durable(b);
	return deliver_send_checkpointed(
		b->chan, &(struct deliver_checkpointed){ !b->world->checkpoints_fail });
}

static inline enum err mailbox_settled(void *ctx, const struct deliver_settled *m)
{
	struct world_mailbox *b = ctx;

	b->settled = m->below;
	return OK;
}

static inline enum err mailbox_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	static const struct deliver_server_ops ops = { mailbox_put, mailbox_checkpoint,
						       mailbox_settled };

	return deliver_server_dispatch(&ops, ctx, type, body, fd);
}

static inline void mailbox_closed(void *ctx, enum err why)
{
	struct world_mailbox *b = ctx;

	ipc_chan_free(b->chan);
	b->chan = NULL;
}

static inline enum err world_want(void *ctx, const struct spawn_want *m)
{
	static const struct ipc_ops ops = { mailbox_message, mailbox_closed, NULL };
	struct world *w = ctx;
	struct world_mailbox *b = &w->mailboxes[m->account % WORLD_ACCOUNTS];
	struct spawn_have have = { .account = m->account };
	int pair[2];

	if (w->spawn_fails)
		return spawn_send_have(w->supervisor, &have, -1);
	assert_int_equal(ipc_pair(pair), OK);
	ipc_chan_free(b->chan);
	b->world = w;
	b->id = m->account;
	b->answered = 0;
	w->spawned++;
	assert_int_equal(
		ipc_chan_new(w->loop, pair[1], &deliver_channel, IPC_SERVER, &ops, b, &b->chan),
		OK);
	return spawn_send_have(w->supervisor, &have, pair[0]);
}

static inline enum err supervisor_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	static const struct spawn_server_ops ops = { world_want };

	return spawn_server_dispatch(&ops, ctx, type, body, fd);
}

/* ---- send ---- */

static inline enum err world_job(void *ctx, const struct transfer_job *m, int *fd)
{
	struct world *w = ctx;
	struct buf CLEANUP(buf_done) text = BUF_INIT(1 << 26);
	struct envelope e;
	struct view raw;
	struct envelope_recipients item;
	uint32_t i = 0;

	w->jobs++;
	if (*fd >= 0) {
		size_t n = m->envelope_n + m->body_n;
		char *room = buf_room(&text, n);

		assert_non_null(room);
		assert_int_equal(file_read_at(*fd, room, n, 0), OK);
		buf_added(&text, n);
	} else {
		buf_add(&text, m->payload);
	}
	assert_int_equal(text.n, m->envelope_n + m->body_n);
	assert_int_equal(envelope_decode(view_head(buf_view(&text), m->envelope_n), &e), OK);
	assert_int_equal(e.recipients_count, m->recipients_count);
	if (w->silent)
		return OK;
	raw = e.recipients_raw;
	while (envelope_recipients_next(&raw, &item)) {
		struct transfer_result r = { .job = m->job,
					     .index = i++,
					     .outcome = TRANSFER_DELIVERED,
					     .code = 250,
					     .enhanced = VIEW("2.0.0"),
					     .text = VIEW("250 2.0.0 taken"),
					     .remote = VIEW("mx.other.test") };

		assert_true(view_eq_nocase(view_from(item.address, item.address.n - m->domain.n),
					   m->domain));
		if (view_ends(item.address, VIEW("@rel.test")))
			r.outcome = TRANSFER_RELAYED;
		if (view_ends(item.address, VIEW("@slow.test"))) {
			r.outcome = TRANSFER_DEFERRED;
			r.code = 451;
			r.enhanced = VIEW("4.7.1");
			r.text = VIEW("451 4.7.1 not now");
		}
		if (view_ends(item.address, VIEW("@bad.test"))) {
			r.outcome = TRANSFER_FAILED;
			r.code = 550;
			r.enhanced = VIEW("5.1.1");
			r.text = VIEW("550 5.1.1 nobody here");
		}
		w->sent += r.outcome == TRANSFER_DELIVERED || r.outcome == TRANSFER_RELAYED;
		assert_int_equal(transfer_send_result(w->send, &r), OK);
	}
	return transfer_send_finished(w->send, &(struct transfer_finished){ m->job });
}

static inline enum err send_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	static const struct transfer_server_ops ops = { world_job };

	return transfer_server_dispatch(&ops, ctx, type, body, fd);
}

/* ---- smtp and control ---- */

static inline enum err world_done(void *ctx, const struct accept_done *m)
{
	struct world *w = ctx;

	assert_int_equal(w->answers[m->tag], 0);
	w->answers[m->tag] = (uint8_t)(m->status + 1);
	return OK;
}

static inline enum err world_state(void *ctx, const struct accept_state *m)
{
	struct world *w = ctx;

	w->told_full = m->full;
	return OK;
}

static inline enum err smtp_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	static const struct accept_client_ops ops = { world_done, world_state };

	return accept_client_dispatch(&ops, ctx, type, body, fd);
}

static inline enum err world_row(void *ctx, const struct admin_row *m)
{
	struct world *w = ctx;

	buf_add(&w->rows, m->json);
	buf_add_char(&w->rows, '\n');
	return OK;
}

static inline enum err world_end(void *ctx, const struct admin_end *m)
{
	struct world *w = ctx;

	w->end = m->err;
	buf_add(&w->end_text, m->text);
	return OK;
}

static inline enum err control_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	static const struct admin_client_ops ops = { world_row, world_end };

	return admin_client_dispatch(&ops, ctx, type, body, fd);
}

static inline void world_closed(void *ctx, enum err why)
{
}

/* ---- life ---- */

static inline int world_peer(struct world *w, struct ipc_chan **chan,
			     const struct ipc_channel *channel, enum ipc_side side,
			     const struct ipc_ops *ops)
{
	int pair[2];

	ipc_chan_free(*chan);
	assert_int_equal(ipc_pair(pair), OK);
	assert_int_equal(ipc_chan_new(w->loop, pair[1], channel, side, ops, w, chan), OK);
	return pair[0];
}

static inline void connect_smtp(struct world *w)
{
	static const struct ipc_ops ops = { smtp_message, world_closed, NULL };

	assert_int_equal(accept_attach(&w->queue, 0,
				       world_peer(w, &w->smtp, &accept_channel, IPC_CLIENT, &ops)),
			 OK);
}

static inline void connect_send(struct world *w)
{
	static const struct ipc_ops ops = { send_message, world_closed, NULL };

	assert_int_equal(remote_attach(&w->queue, world_peer(w, &w->send, &transfer_channel,
							     IPC_SERVER, &ops)),
			 OK);
}

static inline void connect_auth(struct world *w)
{
	static const struct ipc_ops ops = { auth_message, world_closed, NULL };

	assert_int_equal(
		route_attach(&w->queue, world_peer(w, &w->auth, &route_channel, IPC_SERVER, &ops)),
		OK);
}

static inline void world_start(struct world *w)
{
	static const struct ipc_ops supervisor = { supervisor_message, world_closed, NULL };
	static const struct ipc_ops control = { control_message, world_closed, NULL };

	assert_int_equal(queue_init(&w->queue, w->loop, &w->config, w->dir), OK);
	w->running = true;
	connect_smtp(w);
	connect_auth(w);
	connect_send(w);
	assert_int_equal(local_attach_spawn(&w->queue, world_peer(w, &w->supervisor, &spawn_channel,
								  IPC_SERVER, &supervisor)),
			 OK);
	assert_int_equal(admin_attach(&w->queue, world_peer(w, &w->control, &admin_channel,
							    IPC_CLIENT, &control)),
			 OK);
}

static inline void on_world_timer(void *ctx)
{
	struct world *w = ctx;

	loop_stop(w->loop);
}

/* Let time pass. */
static inline void spin(struct world *w, int ms)
{
	loop_timer_set(&w->timer, ms);
	loop_run(w->loop);
}

/* ... until the condition holds, 5 s at most. */
#define SPIN_UNTIL(w, condition)                                                                   \
	do {                                                                                       \
		for (int spins = 0; !(condition) && spins < 6000; spins++)                         \
			spin((w), 5);                                                              \
		assert_true(condition);                                                            \
	} while (0)

static inline void world_stop(struct world *w)
{
	queue_stop(&w->queue);
	queue_done(&w->queue);
	w->running = false;
	/* What is on its way is not. */
	spin(w, 1);
}

/* As world_stop, but nothing is ended in order: the queue forgets, the disk does not. */
static inline void world_restart(struct world *w)
{
	world_stop(w);
	world_start(w);
}

static inline void world_init(struct world *w)
{
	*w = (struct world){ .dir = -1, .end = -1, .next_tag = 1 };
	(void)snprintf(w->path, sizeof(w->path), "%s/queue-test-XXXXXX",
		       getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	assert_non_null(mkdtemp(w->path));
	w->dir = open(w->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(w->dir >= 0);
	assert_int_equal(loop_new(&w->loop), OK);
	loop_timer_init(&w->timer, w->loop, on_world_timer, w);
	assert_int_equal(config_init(&w->config), OK);
	free(w->config.hostname);
	w->config.hostname = strdup("mail.near.test");
	w->config.journal_segment = 1 << 20;
	w->config.disk_reserve = 1;
	w->config.disk_reserve_percent = 0;
	w->stored = calloc(WORLD_STORED, sizeof(*w->stored));
	buf_init(&w->rows, 1 << 22);
	buf_init(&w->end_text, 1 << 16);
	log_set_level(LOG_LEVEL_ERROR);
	world_start(w);
}

static inline void world_done_all(struct world *w)
{
	if (w->running)
		world_stop(w);
	ipc_chan_free(w->smtp);
	ipc_chan_free(w->auth);
	ipc_chan_free(w->supervisor);
	ipc_chan_free(w->send);
	ipc_chan_free(w->control);
	for (size_t i = 0; i < WORLD_ACCOUNTS; i++)
		ipc_chan_free(w->mailboxes[i].chan);
	for (size_t i = 0; i < w->stored_n; i++)
		buf_done(&w->stored[i].body);
	free(w->stored);
	buf_done(&w->rows);
	buf_done(&w->end_text);
	loop_timer_done(&w->timer);
	loop_free(w->loop);
	config_done(&w->config);
	folder_remove(w->dir, w->path);
	calls_set(NULL);
}

#endif
