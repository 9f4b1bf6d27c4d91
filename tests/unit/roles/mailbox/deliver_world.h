/*
 * tests/unit/roles/mailbox/deliver_world.h: deliver.c between a queue that the tests play and a real store.
 *
 * One loop, a real channel, an account in a new folder.  What main.c does for deliver.c (sync, flood,
 * touch) is done here, and counted.
 */
#ifndef TESTS_MAILBOX_DELIVER_WORLD_H
#define TESTS_MAILBOX_DELIVER_WORLD_H

#include "unit.h"

#include "ipc/types.h"
#include "roles/mailbox/mailbox.h"
#include "store/store_fixture.h"

enum {
	SMALL_MAX = 64 * 1024, /* from here on a body is mapped: MAPPED_MIN of deliver.c */
	FIELD_N = 30, /* octets of the field of SENDER */
	TOLD_MAX = 2 * DELIVER_BATCH_MAX,
	SEALED = F_SEAL_SHRINK | F_SEAL_WRITE,
};

#define SENDER VIEW("ann@far.test")
#define FIELD  "Return-Path: <ann@far.test>\r\n"

struct told {
	uint64_t sequence;
	uint32_t recipient;
	uint8_t status;
	char reason[64];
};

/* main.c gives a role; here it is these. */
struct role {
	struct loop *loop;
	struct config config;
};

static struct world {
	struct role role;
	struct loop_timer timer;
	struct account account;
	struct mailbox box;
	struct ipc_chan *queue;
	struct told told[TOLD_MAX]; /* done, in order */
	size_t told_n;
	uint64_t durable; /* the last count, UINT64_MAX: none was told */
	int checkpointed; /* the last ok, -1: none */
	bool closed;
	bool sync_fails;
	size_t syncs, floods, touches;
	int64_t waited_ms; /* of the last flood */
	const char *event; /* the last that was logged above info */
} w;

/* ---- what the others would do ---- */

struct loop *role_loop(struct role *role)
{
	return role->loop;
}

const struct config *role_config(const struct role *role)
{
	return &role->config;
}

void log_event(enum log_level level, const char *event, const char *text,
	       const struct log_field *fields, size_t count)
{
	if (level < LOG_LEVEL_INFO)
		w.event = event;
}

void mailbox_touch(struct mailbox *m)
{
	w.touches++;
}

void mailbox_flood(struct mailbox *m, int64_t waited_ms)
{
	w.floods++;
	w.waited_ms = waited_ms;
}

enum err mailbox_sync(struct mailbox *m)
{
	enum err err = w.sync_fails ? ERR_IO : store_sync(m->store, NULL);

	w.syncs++;
	loop_timer_cancel(&m->sync_timer);
	if (!err)
		deliver_durable(m);
	return err;
}

static inline void on_sync_timer(void *ctx)
{
	(void)mailbox_sync(ctx);
}

/* ---- the queue ---- */

static inline enum err on_done(void *ctx, const struct deliver_done *m)
{
	struct told *t = &w.told[w.told_n++];

	assert_true(w.told_n <= TOLD_MAX);
	*t = (struct told){ m->sequence, m->recipient, m->status, "" };
	assert_true(m->reason.n < sizeof(t->reason));
	if (m->reason.n)
		memcpy(t->reason, m->reason.p, m->reason.n);
	return OK;
}

static inline enum err on_durable(void *ctx, const struct deliver_durable *m)
{
	w.durable = m->count;
	return OK;
}

static inline enum err on_checkpointed(void *ctx, const struct deliver_checkpointed *m)
{
	w.checkpointed = m->ok;
	return OK;
}

static inline enum err on_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	static const struct deliver_client_ops ops = { on_done, on_durable, on_checkpointed };

	return deliver_client_dispatch(&ops, ctx, type, body, fd);
}

static inline void on_closed(void *ctx, enum err why)
{
	w.closed = true;
}

static inline void connect_queue(void)
{
	static const struct ipc_ops ops = { on_message, on_closed, NULL };
	int pair[2];

	ipc_chan_free(w.queue);
	w.queue = NULL;
	w.closed = false;
	assert_int_equal(ipc_pair(pair), OK);
	assert_int_equal(ipc_chan_new(w.role.loop, pair[1], &deliver_channel, IPC_CLIENT, &ops, &w,
				      &w.queue),
			 OK);
	deliver_channel_take(&w.box, pair[0]);
}

static inline void on_timer(void *ctx)
{
	loop_stop(w.role.loop);
}

static inline void spin(int ms)
{
	loop_timer_set(&w.timer, ms);
	loop_run(w.role.loop);
}

/* Until so many were answered, 5 s at most. */
static inline void spin_told(size_t n)
{
	for (int i = 0; w.told_n < n && i < 1000; i++)
		spin(5);
	spin(5);
	assert_int_equal(w.told_n, n);
}

static inline void spin_closed(void)
{
	for (int i = 0; !w.closed && i < 1000; i++)
		spin(5);
	assert_true(w.closed);
}

static inline int setup_quota(uint64_t quota)
{
	memset(&w, 0, sizeof(w));
	w.durable = UINT64_MAX;
	w.checkpointed = -1;
	assert_int_equal(config_init(&w.role.config), OK);
	/* Nothing is synced by itself unless a test says so. */
	w.role.config.checkpoint_bytes = UINT64_MAX;
	w.role.config.checkpoint_time = 3600 * 1000;
	w.role.config.message_size = 100 * 1024;
	assert_int_equal(loop_new(&w.role.loop), OK);
	loop_timer_init(&w.timer, w.role.loop, on_timer, NULL);
	fixture_init(&w.account);
	w.account.config.quota_bytes = quota;
	assert_int_equal(fixture_open(&w.account), OK);
	w.box = (struct mailbox){ .role = &w.role, .account = 77, .store = w.account.store };
	loop_timer_init(&w.box.sync_timer, w.role.loop, on_sync_timer, &w.box);
	connect_queue();
	return 0;
}

static inline int setup(void **state)
{
	return setup_quota(0);
}

static inline int teardown(void **state)
{
	ipc_chan_free(w.queue);
	w.queue = NULL;
	if (w.box.deliveries) {
		/* The process keeps it for good: give back what a test must not leak. */
		w.box.store = w.account.store;
		for (int i = 0; i < 3; i++)
			spin(1);
		deliver_trim(&w.box);
		free(w.box.deliveries);
	}
	loop_timer_done(&w.box.sync_timer);
	loop_timer_done(&w.timer);
	fixture_done(&w.account);
	loop_free(w.role.loop);
	config_done(&w.role.config);
	return 0;
}

/* ---- what it is given and what it stored ---- */

/* A message with everything that most tests do not look at. */
static inline struct deliver_put message(uint64_t sequence, struct view body)
{
	return (struct deliver_put){ .sequence = sequence,
				     .trace = 1000 + sequence,
				     .received_ms = 1700000000999,
				     .sender = SENDER,
				     .address = VIEW("u1@near.test"),
				     .body_n = body.n,
				     .payload = body };
}

static inline void put(const struct deliver_put *m, int fd)
{
	assert_int_equal(deliver_send_put(w.queue, m, fd), OK);
}

static inline void put_text(uint64_t sequence, const char *text)
{
	struct deliver_put m = message(sequence, view_str(text));

	put(&m, -1);
}

/* Octet i of the bodies that come in descriptors; what stands in front of them has other octets. */
static inline char octet(size_t i)
{
	return (char)('a' + i % 23);
}

static inline int memory(size_t at, size_t n, int seals)
{
	int fd = memfd_create("body", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char *bytes = malloc(at + n + 1);

	assert_true(fd >= 0);
	assert_non_null(bytes);
	memset(bytes, '#', at);
	for (size_t i = 0; i < n; i++)
		bytes[at + i] = octet(i);
	assert_int_equal(write(fd, bytes, at + n), at + n);
	free(bytes);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static inline struct deliver_put in_memory(uint64_t sequence, size_t at, size_t n)
{
	struct deliver_put m = message(sequence, VIEW_EMPTY);

	m.body_at = (uint32_t)at;
	m.body_n = n;
	return m;
}

static inline size_t stored_count(const char *mailbox)
{
	const struct store_snapshot *s;
	size_t n;

	assert_int_equal(store_mailbox_load(w.account.store, fixture_id(&w.account, mailbox), &s),
			 OK);
	n = s->n;
	store_mailbox_release(w.account.store, s);
	return n;
}

/* The octets of the last message of a mailbox, owned by caller. */
static inline struct buf last_stored(const char *mailbox)
{
	const struct store_snapshot *s;
	struct buf bytes;

	assert_int_equal(store_mailbox_load(w.account.store, fixture_id(&w.account, mailbox), &s),
			 OK);
	assert_true(s->n > 0);
	assert_int_equal(s->at[s->n - 1].date, 1700000000);
	bytes = fixture_read(&w.account, s->at[s->n - 1].blob);
	store_mailbox_release(w.account.store, s);
	return bytes;
}

static inline void assert_last(const char *mailbox, struct view want)
{
	struct buf CLEANUP(buf_done) bytes = last_stored(mailbox);

	assert_true(view_eq(buf_view(&bytes), want));
}

static inline void assert_told(size_t i, uint64_t sequence, enum deliver_status status,
			       const char *reason)
{
	assert_true(i < w.told_n);
	assert_int_equal(w.told[i].sequence, sequence);
	assert_int_equal(w.told[i].status, status);
	assert_string_equal(w.told[i].reason, reason);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
