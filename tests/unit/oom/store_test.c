/*
 * tests/unit/oom/store_test.c: the mailbox engine when memory is short, its own and SQLite's.
 *
 * Whatever allocation fails: each call says so or does the whole of what it was asked; what it said OK to is
 * there in the next life, whole, and nothing that was refused is there.
 */
#include "oom.h"

#include "../store/store_fixture.h"

enum { MESSAGES_MAX = 64, LARGE = 300000, STEP = 13 };

/* What the store said OK to. */
struct promise {
	char *text; /* owned */
	size_t n;
	uint32_t uid;
	uint64_t blob;
	uint16_t flags;
	bool archived; /* in Archive, not in INBOX */
	bool gone;
};

static struct {
	struct account a;
	uint64_t inbox, archive;
	struct promise at[MESSAGES_MAX];
	size_t n;
	char *large;
} t;

static void world_begin(void)
{
	fixture_init(&t.a);
	t.n = 0;
}

static void open_first(void)
{
	assert_int_equal(fixture_open(&t.a), OK);
	t.inbox = fixture_id(&t.a, "INBOX");
	t.archive = fixture_id(&t.a, "Archive");
}

static void world_end(void)
{
	fixture_done(&t.a);
	for (size_t i = 0; i < t.n; i++)
		free(t.at[i].text);
}

/* ---- operations; each notes what it was promised ---- */

static void put(enum store_put_mode mode, struct view text, uint64_t mark)
{
	struct store_target target = { .mailbox = t.inbox };
	struct store_put item = { .bytes = text,
				  .fd = -1,
				  .targets = &target,
				  .target_n = 1,
				  .date = 1700000000,
				  .marked = mark != 0,
				  .mark = { mark, 0 } };
	struct store_put_result r = { 0 };
	struct promise *p = &t.at[t.n];
	enum err err = store_put(t.a.store, mode, &item, 1, &r);

	if (err || r.err) {
		assert_true(err == ERR_NOMEM || r.err == ERR_NOMEM || err == ERR_WRONG_STATE ||
			    r.err == ERR_WRONG_STATE);
		return;
	}
	assert_true(t.n < MESSAGES_MAX);
	*p = (struct promise){
		.text = tight_copy(text), .n = text.n, .uid = r.uid, .blob = r.blob
	};
	t.n++;
}

/* An operation failed, or another one before it did and the store waits to be opened again. */
static bool refused(enum err err)
{
	assert_true(err == OK || err == ERR_NOMEM || err == ERR_WRONG_STATE);
	return err != OK;
}

static struct store_uids one(const struct store_range *range)
{
	return (struct store_uids){ range, 1 };
}

static void flag(struct promise *p)
{
	struct store_range range = { p->uid, p->uid };
	struct store_flag_change change = { .op = STORE_FLAGS_ADD, .flags = STORE_FLAG_FLAGGED };

	if (!refused(store_flags(t.a.store, t.inbox, one(&range), &change, NULL, NULL)))
		p->flags |= STORE_FLAG_FLAGGED;
}

static void expunge(struct promise *p)
{
	struct store_range range = { p->uid, p->uid };

	if (!refused(store_expunge(t.a.store, t.inbox, one(&range), false, NULL)))
		p->gone = true;
}

static void move(struct promise *p)
{
	struct store_range range = { p->uid, p->uid };
	struct store_uid_list uids = { 0 };

	if (!refused(store_move(t.a.store, t.inbox, one(&range), t.archive, NULL, &uids))) {
		assert_int_equal(uids.n, 1);
		p->uid = uids.at[0];
		p->archived = true;
	}
	store_uid_list_done(&uids);
}

static void read_back(const struct promise *p)
{
	struct store_body *body;
	struct view part;
	size_t at = 0;
	enum err err = store_body_open(t.a.store, p->blob, &body);

	if (refused(err))
		return;
	do {
		err = store_body_read(body, at, &part);
		if (refused(err))
			break;
		assert_true(view_eq(part, view_part(view_of(p->text, p->n), at, part.n)));
		at += part.n;
	} while (part.n);
	if (!err)
		assert_int_equal(at, p->n);
	store_body_close(&body);
}

static void look(void)
{
	const struct store_mailbox *inbox = store_mailbox_by_name(t.a.store, VIEW("iNbOx"));
	const struct store_snapshot *s;
	struct store_digest d;

	assert_true(inbox && inbox->id == t.inbox);
	if (!refused(store_mailbox_load(t.a.store, t.inbox, &s)))
		store_mailbox_release(t.a.store, s);
	if (t.n > 0 && !t.at[0].gone)
		(void)refused(store_digest_get(t.a.store, t.at[0].blob, STORE_COL_ALL, &d));
}

static void work(void)
{
	put(STORE_APPEND, VIEW("Subject: one\r\n\r\nappended\r\n"), 0);
	put(STORE_DELIVER, VIEW("Subject: two\r\n\r\ndelivered\r\n"), 21);
	put(STORE_DELIVER, view_of(t.large, LARGE), 22);
	look();
	if (t.n > 0) {
		flag(&t.at[0]);
		read_back(&t.at[t.n - 1]);
	}
	if (t.n > 1)
		move(&t.at[1]);
	(void)refused(store_sync(t.a.store, NULL));
	put(STORE_APPEND, VIEW("Subject: three\r\n\r\nappended\r\n"), 0);
	if (t.n > 2)
		expunge(&t.at[2]);
	(void)refused(store_checkpoint(t.a.store, NULL));
	put(STORE_DELIVER, VIEW("Subject: four\r\n\r\ndelivered\r\n"), 23);
}

/* ---- and then ---- */

static void check_box(bool archived)
{
	const struct store_snapshot *s;
	size_t n = 0;

	assert_int_equal(store_mailbox_load(t.a.store, archived ? t.archive : t.inbox, &s), OK);
	for (size_t i = 0; i < t.n; i++) {
		const struct store_message *m;
		struct promise *p = &t.at[i];
		struct buf text;

		if (p->gone || p->archived != archived)
			continue;
		m = store_snapshot_find(s, p->uid);
		assert_non_null(m);
		assert_int_equal(m->flags, p->flags);
		text = fixture_read(&t.a, m->blob);
		assert_true(view_eq(buf_view(&text), view_of(p->text, p->n)));
		buf_done(&text);
		n++;
	}
	/* And nothing else: what was refused is not there. */
	assert_int_equal(s->n, n);
	store_mailbox_release(t.a.store, s);
}

static void check_all(void)
{
	check_box(false);
	check_box(true);
}

/* What a mark says was delivered is there, or the journal would never deliver it. */
static void check_marks(void)
{
	static const char *const texts[] = { "Subject: two", "", "Subject: four" };

	for (uint64_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct store_mark mark = { 21 + i, 0 };
		bool there = false;

		for (size_t k = 0; k < t.n; k++)
			there = there ||
				(i == 1 ? t.at[k].n == LARGE
					: strncmp(t.at[k].text, texts[i], strlen(texts[i])) == 0);
		assert_int_equal(store_mark_known(t.a.store, mark), there);
	}
}

static bool kill_after; /* no orderly close before the next life */

static bool lives(size_t nth, enum oom_mode mode)
{
	bool failed;

	world_begin();
	open_first();
	oom_arm(nth, mode);
	work();
	failed = oom_disarm();
	if (kill_after)
		store_abort(&t.a.store);
	else
		assert_true(store_close(&t.a.store) == OK || failed);
	assert_int_equal(fixture_open(&t.a), OK);
	check_all();
	check_marks();
	put(STORE_APPEND, VIEW("Subject: last\r\n\r\nwith memory again\r\n"), 0);
	check_all();
	world_end();
	return failed;
}

static void living(void **state)
{
	kill_after = false;
	oom_each("a life, closed", lives, 20);
	oom_sqlite_count(true);
	oom_each_step("a life, closed, with SQLite", lives, 20, STEP);
	oom_sqlite_count(false);
}

static void living_and_killed(void **state)
{
	kill_after = true;
	oom_each("a life, killed", lives, 20);
	oom_sqlite_count(true);
	oom_each_step("a life, killed, with SQLite", lives, 20, STEP);
	oom_sqlite_count(false);
}

/* ---- opening ---- */

static bool opens(size_t nth, enum oom_mode mode)
{
	bool failed;
	enum err err;

	world_begin();
	open_first();
	work();
	if (kill_after)
		store_abort(&t.a.store);
	else
		assert_int_equal(store_close(&t.a.store), OK);
	oom_arm(nth, mode);
	err = fixture_open(&t.a);
	failed = oom_disarm();
	if (err) {
		assert_true(failed);
		assert_int_equal(err, ERR_NOMEM);
		assert_null(t.a.store);
		assert_int_equal(fixture_open(&t.a), OK);
	}
	check_all();
	check_marks();
	world_end();
	return failed;
}

static void opening(void **state)
{
	kill_after = false;
	oom_each("store_open", opens, 5);
	oom_sqlite_count(true);
	oom_each_step("store_open, with SQLite", opens, 20, STEP);
	oom_sqlite_count(false);
}

static void recovering(void **state)
{
	kill_after = true;
	oom_each("store_open after a kill", opens, 5);
	oom_sqlite_count(true);
	oom_each_step("store_open after a kill, with SQLite", opens, 20, STEP);
	oom_sqlite_count(false);
}

/* No power fails here: syncs would only take time. */
static int no_sync(int fd)
{
	return 0;
}

static int setup(void **state)
{
	static struct calls table;

	table = *calls_kernel();
	table.fdatasync = table.fsync = no_sync;
	calls_set(&table);
	oom_sqlite();
	t.large = malloc(LARGE);
	assert_non_null(t.large);
	for (size_t i = 0; i < LARGE; i++)
		t.large[i] = (char)('a' + i * i % 23);
	memcpy(t.large, "Subject: large\r\n\r\n", 18);
	return 0;
}

static int teardown(void **state)
{
	calls_set(NULL);
	free(t.large);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(living),
		cmocka_unit_test(living_and_killed),
		cmocka_unit_test(opening),
		cmocka_unit_test(recovering),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
