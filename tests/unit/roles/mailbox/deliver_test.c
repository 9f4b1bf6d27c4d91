/*
 * tests/unit/roles/mailbox/deliver_test.c: deliver.c between a queue that the tests play and a real store.
 *
 * One loop, a real channel, an account in a new folder.  What main.c does for deliver.c (sync, flood,
 * touch) is done here, and counted.
 */
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

void mailbox_flood(struct mailbox *m)
{
	w.floods++;
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

static void on_sync_timer(void *ctx)
{
	(void)mailbox_sync(ctx);
}

/* ---- the queue ---- */

static enum err on_done(void *ctx, const struct deliver_done *m)
{
	struct told *t = &w.told[w.told_n++];

	assert_true(w.told_n <= TOLD_MAX);
	*t = (struct told){ m->sequence, m->recipient, m->status, "" };
	assert_true(m->reason.n < sizeof(t->reason));
	if (m->reason.n)
		memcpy(t->reason, m->reason.p, m->reason.n);
	return OK;
}

static enum err on_durable(void *ctx, const struct deliver_durable *m)
{
	w.durable = m->count;
	return OK;
}

static enum err on_checkpointed(void *ctx, const struct deliver_checkpointed *m)
{
	w.checkpointed = m->ok;
	return OK;
}

static enum err on_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	static const struct deliver_client_ops ops = { on_done, on_durable, on_checkpointed };

	return deliver_client_dispatch(&ops, ctx, type, body, fd);
}

static void on_closed(void *ctx, enum err why)
{
	w.closed = true;
}

static void connect_queue(void)
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

static void on_timer(void *ctx)
{
	loop_stop(w.role.loop);
}

static void spin(int ms)
{
	loop_timer_set(&w.timer, ms);
	loop_run(w.role.loop);
}

/* Until so many were answered, 5 s at most. */
static void spin_told(size_t n)
{
	for (int i = 0; w.told_n < n && i < 1000; i++)
		spin(5);
	spin(5);
	assert_int_equal(w.told_n, n);
}

static void spin_closed(void)
{
	for (int i = 0; !w.closed && i < 1000; i++)
		spin(5);
	assert_true(w.closed);
}

static int setup_quota(uint64_t quota)
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

static int setup(void **state)
{
	return setup_quota(0);
}

static int teardown(void **state)
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
static struct deliver_put message(uint64_t sequence, struct view body)
{
	return (struct deliver_put){ .sequence = sequence,
				     .trace = 1000 + sequence,
				     .received_ms = 1700000000999,
				     .sender = SENDER,
				     .address = VIEW("u1@near.test"),
				     .body_n = body.n,
				     .payload = body };
}

static void put(const struct deliver_put *m, int fd)
{
	assert_int_equal(deliver_send_put(w.queue, m, fd), OK);
}

static void put_text(uint64_t sequence, const char *text)
{
	struct deliver_put m = message(sequence, view_str(text));

	put(&m, -1);
}

/* Octet i of the bodies that come in descriptors; what stands in front of them has other octets. */
static char octet(size_t i)
{
	return (char)('a' + i % 23);
}

static int memory(size_t at, size_t n, int seals)
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

static struct deliver_put in_memory(uint64_t sequence, size_t at, size_t n)
{
	struct deliver_put m = message(sequence, VIEW_EMPTY);

	m.body_at = (uint32_t)at;
	m.body_n = n;
	return m;
}

static size_t stored_count(const char *mailbox)
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
static struct buf last_stored(const char *mailbox)
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

static void assert_last(const char *mailbox, struct view want)
{
	struct buf CLEANUP(buf_done) bytes = last_stored(mailbox);

	assert_true(view_eq(buf_view(&bytes), want));
}

static void assert_told(size_t i, uint64_t sequence, enum deliver_status status, const char *reason)
{
	assert_true(i < w.told_n);
	assert_int_equal(w.told[i].sequence, sequence);
	assert_int_equal(w.told[i].status, status);
	assert_string_equal(w.told[i].reason, reason);
}

/* ---- tests ---- */

/* RFC 5321#4.4: one Return-Path in front, and not an octet changed behind it. */
static void test_payload(void **state)
{
	struct deliver_put m = message(1, VIEW("Subject: a\r\n\r\n\0text\r\n"));
	char sender[321];

	put(&m, -1);
	spin_told(1);
	assert_told(0, 1, DELIVER_OK, "");
	assert_last("INBOX", VIEW(FIELD "Subject: a\r\n\r\n\0text\r\n"));

	/* A report has no sender. */
	m = message(2, VIEW("x"));
	m.sender = VIEW_EMPTY;
	put(&m, -1);
	/* Nothing behind the field is a message as well. */
	m = message(3, VIEW_EMPTY);
	put(&m, -1);
	spin_told(3);
	assert_told(1, 2, DELIVER_OK, "");
	assert_told(2, 3, DELIVER_OK, "");
	assert_last("INBOX", VIEW(FIELD));

	/* The longest sender that the channel carries. */
	memset(sender, 's', 320);
	m = message(4, VIEW("x"));
	m.sender = view_of(sender, 320);
	put(&m, -1);
	spin_told(4);
	assert_told(3, 4, DELIVER_OK, "");
	assert_int_equal(stored_count("INBOX"), 4);
	assert_int_equal(w.box.delivered, 4);
	assert_null(w.event);
}

static void test_null_sender(void **state)
{
	struct deliver_put m = message(1, VIEW("x"));

	m.sender = VIEW_EMPTY;
	put(&m, -1);
	spin_told(1);
	assert_last("INBOX", VIEW("Return-Path: <>\r\nx"));
}

/* No sender makes lines of its own. */
static void test_sender_with_line(void **state)
{
	static const struct view senders[] = { VIEW_INIT("a@b\r\nX-Forged: 1"), VIEW_INIT("a@b\n"),
					       VIEW_INIT("\ra@b") };

	for (size_t i = 0; i < ARRAY_LEN(senders); i++) {
		struct deliver_put m = message(i + 1, VIEW("x"));

		m.sender = senders[i];
		put(&m, -1);
		spin_told(i + 1);
		assert_told(i, i + 1, DELIVER_TEMPORARY, err_text(ERR_SYNTAX));
	}
	assert_int_equal(stored_count("INBOX"), 0);
	assert_false(w.closed);
}

static void test_folder(void **state)
{
	static const struct {
		const char *asked, *goes_to;
	} rows[] = {
		{ "Lists", "Lists" }, { "Lists/c", "Lists/c" }, { "lists", "INBOX" },
		{ "none", "INBOX" },  { "Gone", "INBOX" },	{ "", "INBOX" },
	};
	uint64_t id;

	assert_int_equal(store_mailbox_create(w.account.store, VIEW("Lists/c"), 0, &id), OK);
	assert_int_equal(store_mailbox_create(w.account.store, VIEW("Gone/c"), 0, &id), OK);
	/* It has children: the name stays, and nothing can be put there. */
	assert_int_equal(store_mailbox_delete(w.account.store, VIEW("Gone")), OK);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct deliver_put m = message(i + 1, view_str(rows[i].asked));
		size_t before = stored_count(rows[i].goes_to);

		m.mailbox = view_str(rows[i].asked);
		put(&m, -1);
		spin_told(i + 1);
		assert_told(i, i + 1, DELIVER_OK, "");
		assert_int_equal(stored_count(rows[i].goes_to), before + 1);
	}
}

/* A body in a descriptor, copied and mapped, with and without room for the field in front of it. */
static void test_memory(void **state)
{
	static const size_t sizes[] = { 1, SMALL_MAX - 1, SMALL_MAX, SMALL_MAX + 1, 200 * 1024 };
	/* FIELD is of 29 octets; a page is of 4096. */
	static const size_t places[] = { 0, 1, FIELD_N - 2, FIELD_N - 1, FIELD_N, 4096, 5000 };
	uint64_t sequence = 0;

	assert_int_equal(sizeof(FIELD) - 1, FIELD_N - 1);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		for (size_t k = 0; k < ARRAY_LEN(places); k++) {
			struct deliver_put m = in_memory(++sequence, places[k], sizes[i]);
			int fd = memory(places[k], sizes[i], SEALED);
			struct buf CLEANUP(buf_done) got = BUF_INIT(0);
			char before;

			put(&m, dup(fd));
			spin_told(sequence);
			assert_told(sequence - 1, sequence, DELIVER_OK, "");
			got = last_stored("INBOX");
			assert_int_equal(got.n, sizeof(FIELD) - 1 + sizes[i]);
			assert_memory_equal(got.p, FIELD, sizeof(FIELD) - 1);
			for (size_t at = 0; at < sizes[i]; at++)
				if (got.p[sizeof(FIELD) - 1 + at] != octet(at))
					fail_msg("size %zu at %zu: octet %zu differs", sizes[i],
						 places[k], at);
			/* The field was written into a page of our own. */
			if (places[k]) {
				assert_int_equal(pread(fd, &before, 1, (off_t)places[k] - 1), 1);
				assert_int_equal(before, '#');
			}
			close(fd);
		}
	}
	assert_int_equal(stored_count("INBOX"), sequence);
}

/* What could change or go away under the eyes of who reads it is refused: the queue never sends it. */
static void test_unsealed(void **state)
{
	static const int seals[] = { 0, F_SEAL_SHRINK, F_SEAL_WRITE,
				     F_SEAL_GROW | F_SEAL_SEAL | F_SEAL_WRITE };
	static const size_t sizes[] = { 10, SMALL_MAX };

	for (size_t i = 0; i < ARRAY_LEN(seals); i++) {
		for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
			struct deliver_put m = in_memory(1, 4096, sizes[k]);

			put(&m, memory(4096, sizes[k], seals[i]));
			spin_closed();
			assert_string_equal(w.event, "mailbox.protocol");
			w.event = NULL;
			connect_queue();
		}
	}
	assert_int_equal(stored_count("INBOX"), 0);
	assert_int_equal(w.told_n, 0);
}

/* A descriptor must hold all that was promised. */
static void test_short_memory(void **state)
{
	static const size_t sizes[] = { 100, SMALL_MAX };

	for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
		struct deliver_put m = in_memory(k + 1, 4096, sizes[k]);

		put(&m, memory(4096, sizes[k], SEALED));
		spin_told(k + 1);
		assert_told(k, k + 1, DELIVER_OK, "");
		m.sequence = 100;
		put(&m, memory(4096, sizes[k] - 1, SEALED));
		spin_closed();
		connect_queue();
		/* The place counts too. */
		m.body_at = UINT32_MAX;
		put(&m, memory(4096, sizes[k], SEALED));
		spin_closed();
		connect_queue();
		assert_int_equal(stored_count("INBOX"), k + 1);
	}
}

static void test_payload_disagrees(void **state)
{
	static const uint64_t lengths[] = { 0, 3, 5, UINT64_MAX };

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct deliver_put m = message(1, VIEW("text"));

		m.body_n = lengths[i];
		put(&m, -1);
		spin_closed();
		assert_string_equal(w.event, "mailbox.protocol");
		w.event = NULL;
		connect_queue();
	}
	assert_int_equal(stored_count("INBOX"), 0);
	assert_int_equal(w.told_n, 0);
}

/* Twice the option message_size: what is stored may have grown on its way. */
static void test_size(void **state)
{
	size_t most = 2 * w.role.config.message_size;
	struct deliver_put m = in_memory(1, 4096, most);

	put(&m, memory(4096, most, SEALED));
	spin_told(1);
	assert_told(0, 1, DELIVER_OK, "");
	m = in_memory(2, 4096, most + 1);
	put(&m, memory(4096, most + 1, SEALED));
	m = in_memory(3, 4096, 0);
	put(&m, memory(4096, 0, SEALED));
	m = in_memory(4, 4096, UINT64_MAX);
	put(&m, memory(4096, 1, SEALED));
	spin_told(4);
	for (size_t i = 1; i < 4; i++)
		assert_told(i, i + 1, DELIVER_FAILED, err_text(ERR_LIMIT));
	assert_int_equal(stored_count("INBOX"), 1);
	assert_false(w.closed);
}

/* More than one batch holds: the first is stored to make room, and nobody is forgotten. */
static void test_full_batch(void **state)
{
	enum { N = DELIVER_BATCH_MAX + 1 };

	for (uint64_t i = 1; i <= N; i++)
		put_text(i, "x");
	spin_told(N);
	for (size_t i = 0; i < N; i++)
		assert_told(i, i + 1, DELIVER_OK, "");
	assert_int_equal(stored_count("INBOX"), N);
	assert_int_equal(w.box.delivered, N);
	assert_true(w.touches >= 2);
	assert_true(w.touches < N / 2);
}

/* Alone a small message is no flood; a large one is, and so are two. */
static void test_flood(void **state)
{
	struct deliver_put m;

	put_text(1, "x");
	spin_told(1);
	assert_int_equal(w.floods, 0);
	put_text(2, "x");
	put_text(3, "x");
	spin_told(3);
	assert_int_equal(w.floods, 1);

	w.role.config.message_size = 1024 * 1024;
	m = in_memory(4, 4096, 256 * 1024 - 4096 - 1);
	put(&m, memory(4096, 256 * 1024 - 4096 - 1, SEALED));
	spin_told(4);
	assert_int_equal(w.floods, 1);
	m = in_memory(5, 4096, 256 * 1024 - 4096);
	put(&m, memory(4096, 256 * 1024 - 4096, SEALED));
	spin_told(5);
	assert_int_equal(w.floods, 2);
}

static void test_quota(void **state)
{
	put_text(1, "fits");
	put_text(2,
		 "Subject: this is longer than what is left of a quota of one hundred octets\r\n");
	put_text(3, "fits");
	spin_told(3);
	assert_told(0, 1, DELIVER_OK, "");
	assert_told(1, 2, DELIVER_QUOTA, "the mailbox is full");
	assert_told(2, 3, DELIVER_OK, "");
	assert_int_equal(stored_count("INBOX"), 2);
	assert_int_equal(w.box.delivered, 2);
	assert_string_equal(w.event, "mailbox.refused");
}

static int setup_small_quota(void **state)
{
	return setup_quota(100);
}

/* The same delivery twice is one message; to another recipient it is another. */
static void test_replay(void **state)
{
	struct deliver_put m = message(1, VIEW("x"));

	put(&m, -1);
	put(&m, -1);
	spin_told(2);
	put(&m, -1);
	m.recipient = 1;
	put(&m, -1);
	spin_told(4);
	for (size_t i = 0; i < 4; i++)
		assert_told(i, 1, DELIVER_OK, "");
	assert_int_equal(w.told[3].recipient, 1);
	assert_int_equal(stored_count("INBOX"), 2);
}

/* Sequences that are settled never come again, so nothing needs to be remembered of them. */
static void test_settled(void **state)
{
	const struct store_mark first = { 1, 0 }, second = { 2, 0 };

	put_text(1, "x");
	put_text(2, "x");
	spin_told(2);
	assert_true(store_mark_known(w.account.store, first));
	assert_int_equal(deliver_send_settled(w.queue, &(struct deliver_settled){ 2 }), OK);
	spin(5);
	assert_false(store_mark_known(w.account.store, first));
	assert_true(store_mark_known(w.account.store, second));
}

/* An answer is no promise before the sync; durable counts the answers that are one. */
static void test_durable(void **state)
{
	struct deliver_put bad = message(9, VIEW("x"));

	assert_false(deliver_waiting(&w.box));
	put_text(1, "x");
	put_text(2, "x");
	bad.sender = VIEW("a\nb");
	put(&bad, -1);
	spin_told(3);
	assert_int_equal(w.durable, UINT64_MAX);
	assert_true(deliver_waiting(&w.box));
	assert_true(loop_timer_is_set(&w.box.sync_timer));

	assert_int_equal(mailbox_sync(&w.box), OK);
	spin(5);
	/* Refused ones do not count. */
	assert_int_equal(w.durable, 2);
	assert_false(deliver_waiting(&w.box));
	/* Nothing new, nothing said. */
	w.durable = UINT64_MAX;
	deliver_durable(&w.box);
	spin(5);
	assert_int_equal(w.durable, UINT64_MAX);
}

static void test_checkpoint(void **state)
{
	put_text(1, "x");
	assert_int_equal(deliver_send_checkpoint(w.queue, &(struct deliver_checkpoint){ 0 }), OK);
	spin_told(1);
	/* What came before it was stored first. */
	assert_int_equal(w.durable, 1);
	assert_int_equal(w.checkpointed, true);

	w.sync_fails = true;
	w.durable = UINT64_MAX;
	put_text(2, "x");
	assert_int_equal(deliver_send_checkpoint(w.queue, &(struct deliver_checkpoint){ 0 }), OK);
	spin_told(2);
	assert_int_equal(w.checkpointed, false);
	assert_int_equal(w.durable, UINT64_MAX);
	assert_true(deliver_waiting(&w.box));
}

/* So many octets are not left to the timer. */
static void test_checkpoint_bytes(void **state)
{
	size_t each = sizeof(FIELD) - 1 + 1;

	w.role.config.checkpoint_bytes = 2 * each;
	put_text(1, "x");
	spin_told(1);
	assert_int_equal(w.syncs, 0);
	put_text(2, "x");
	spin_told(2);
	assert_int_equal(w.syncs, 1);
	assert_int_equal(w.durable, 2);
	/* It is counted anew. */
	put_text(3, "x");
	spin_told(3);
	assert_int_equal(w.syncs, 1);
	/* And the rest by the timer. */
	w.role.config.checkpoint_time = 1;
	loop_timer_cancel(&w.box.sync_timer);
	put_text(4, "x");
	spin_told(4);
	spin(20);
	assert_int_equal(w.durable, 4);
}

/* The account closes: who comes now shall ask again. */
static void test_stopping(void **state)
{
	w.box.stopping = true;
	put_text(1, "x");
	spin_told(1);
	assert_told(0, 1, DELIVER_TEMPORARY, err_text(ERR_BUSY));
	w.box.stopping = false;
	w.box.store = NULL;
	put_text(1, "x");
	assert_int_equal(deliver_send_settled(w.queue, &(struct deliver_settled){ 1 }), OK);
	spin_told(2);
	assert_told(1, 1, DELIVER_TEMPORARY, err_text(ERR_BUSY));
	w.box.store = w.account.store;
	assert_int_equal(stored_count("INBOX"), 0);
	put_text(1, "x");
	spin_told(3);
	assert_told(2, 1, DELIVER_OK, "");
}

/* A disk that fails stores nothing of the batch, says so to each, and nothing is taken for durable. */
static ssize_t no_write(int fd, const void *from, size_t n, off_t at)
{
	errno = ENOSPC;
	return -1;
}

static ssize_t no_write_end(int fd, const void *from, size_t n)
{
	errno = ENOSPC;
	return -1;
}

static void test_disk_fails(void **state)
{
	struct calls broken = *calls_kernel();

	broken.pwrite = no_write;
	broken.write = no_write_end;
	put_text(1, "x");
	put_text(2, "x");
	calls_set(&broken);
	spin_told(2);
	calls_set(NULL);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(w.told[i].status, DELIVER_TEMPORARY);
	assert_int_equal(w.box.delivered, 0);
	assert_string_equal(w.event, "mailbox.store");
	assert_false(deliver_waiting(&w.box));
}

/* A body that cannot be read is not stored as something else. */
static ssize_t no_read(int fd, void *to, size_t n, off_t at)
{
	errno = EIO;
	return -1;
}

static void test_read_fails(void **state)
{
	struct calls broken = *calls_kernel();
	struct deliver_put m = in_memory(1, 0, 100);

	broken.pread = no_read;
	put(&m, memory(0, 100, SEALED));
	calls_set(&broken);
	spin_told(1);
	calls_set(NULL);
	assert_told(0, 1, DELIVER_TEMPORARY, err_text(ERR_IO));
	assert_int_equal(stored_count("INBOX"), 0);
}

/* The queue goes away with its last word on the way: it is kept, and known when it is said again. */
static void test_lost_channel(void **state)
{
	put_text(1, "x");
	put_text(2, "x");
	ipc_chan_flush(w.queue);
	ipc_chan_free(w.queue);
	w.queue = NULL;
	spin(20);
	assert_int_equal(stored_count("INBOX"), 2);
	assert_string_equal(w.event, "mailbox.answer");
	/* Nobody is there to be told. */
	assert_int_equal(mailbox_sync(&w.box), OK);
	assert_false(deliver_waiting(&w.box));

	connect_queue();
	put_text(2, "x");
	put_text(3, "x");
	spin_told(2);
	assert_int_equal(stored_count("INBOX"), 3);
	assert_int_equal(mailbox_sync(&w.box), OK);
	spin(5);
	/* Counted from the start of this channel. */
	assert_int_equal(w.durable, 2);
}

/* Another queue process comes while the old one is still there. */
static void test_replaced_channel(void **state)
{
	struct ipc_chan *old = w.queue;

	put_text(1, "x");
	spin_told(1);
	w.queue = NULL;
	connect_queue();
	put_text(2, "x");
	spin_told(2);
	assert_int_equal(mailbox_sync(&w.box), OK);
	spin(5);
	assert_int_equal(w.durable, 1);
	assert_true(ipc_chan_is_closed(old) || w.closed);
	ipc_chan_free(old);
	w.closed = false;
}

/* Before the first channel, and for who wants memory back, there is nothing to do. */
static void test_nothing(void **state)
{
	struct mailbox none = { .role = &w.role };

	deliver_flush(&none);
	deliver_trim(&none);
	deliver_durable(&none);
	assert_false(deliver_waiting(&none));

	put_text(1, "x");
	spin_told(1);
	deliver_flush(&w.box);
	deliver_trim(&w.box);
	put_text(2, "y");
	spin_told(2);
	assert_last("INBOX", VIEW(FIELD "y"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_payload),
		TEST(test_null_sender),
		TEST(test_sender_with_line),
		TEST(test_folder),
		TEST(test_memory),
		TEST(test_unsealed),
		TEST(test_short_memory),
		TEST(test_payload_disagrees),
		TEST(test_size),
		TEST(test_full_batch),
		TEST(test_flood),
		cmocka_unit_test_setup_teardown(test_quota, setup_small_quota, teardown),
		TEST(test_replay),
		TEST(test_settled),
		TEST(test_durable),
		TEST(test_checkpoint),
		TEST(test_checkpoint_bytes),
		TEST(test_stopping),
		TEST(test_disk_fails),
		TEST(test_read_fails),
		TEST(test_lost_channel),
		TEST(test_replaced_channel),
		TEST(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
