/*
 * messages_test.c: delivering, flagging, copying, moving, expunging; limits and the feed.
 */
#include "store_fixture.h"

static struct store_range all = { 1, UINT32_MAX };
#define ALL ((struct store_uids){ &all, 1 })

struct seen {
	struct store_change changes[64];
	size_t n;
};

static void on_change(void *ctx, const struct store_change *change)
{
	struct seen *s = (struct seen *)ctx;

	assert_true(s->n < 64);
	s->changes[s->n++] = *change;
}

static void setup(struct account *a, unsigned messages)
{
	fixture_init(a);
	assert_int_equal(fixture_open(a), OK);
	for (unsigned i = 0; i < messages; i++) {
		char text[64];

		snprintf(text, sizeof(text), "Subject: %u\r\n\r\nbody\r\n", i + 1);
		assert_int_equal(fixture_deliver(a, "INBOX", text, i + 1), i + 1);
	}
}

static void test_flags(void **state)
{
	struct store_flag_change add = { .op = STORE_FLAGS_ADD, .flags = STORE_FLAG_SEEN };
	struct store_uid_list changed = { 0 }, modified = { 0 };
	const struct store_snapshot *n;
	const struct store_mailbox *m;
	struct account a;
	uint64_t inbox;
	unsigned keyword;

	setup(&a, 10);
	inbox = fixture_id(&a, "INBOX");
	m = store_mailbox_by_id(a.store, inbox);
	assert_int_equal(m->unseen, 10);
	assert_int_equal(store_mailbox_load(a.store, inbox, &n), OK);
	assert_int_equal(store_flags(a.store, inbox, ALL, &add, &changed, NULL), OK);
	assert_int_equal(changed.n, 10);
	assert_int_equal(store_mailbox_by_id(a.store, inbox)->unseen, 0);
	uint64_t modseq = n->at[3].modseq;
	assert_int_equal(modseq, store_mailbox_by_id(a.store, inbox)->highestmodseq);
	changed.n = 0;
	assert_int_equal(store_flags(a.store, inbox, ALL, &add, &changed, NULL), OK);
	assert_int_equal(changed.n, 0);
	assert_int_equal(n->at[3].modseq, modseq);
	/* UNCHANGEDSINCE */
	assert_int_equal(store_keyword(a.store, VIEW("$Forwarded"), true, &keyword), OK);
	struct store_range one = { 4, 4 };
	struct store_flag_change kw = { .op = STORE_FLAGS_ADD, .keywords = (uint64_t)1 << keyword };
	assert_int_equal(
		store_flags(a.store, inbox, (struct store_uids){ &one, 1 }, &kw, NULL, NULL), OK);
	add = (struct store_flag_change){ .op = STORE_FLAGS_REPLACE,
					  .flags = STORE_FLAG_DELETED,
					  .conditional = true,
					  .unchanged_since = modseq };
	assert_int_equal(store_flags(a.store, inbox, ALL, &add, &changed, &modified), OK);
	assert_int_equal(changed.n, 9);
	assert_int_equal(modified.n, 1);
	assert_int_equal(modified.at[0], 4);
	assert_int_equal(store_mailbox_by_id(a.store, inbox)->deleted, 9);
	assert_int_equal(store_mailbox_by_id(a.store, inbox)->unseen, 9);
	store_mailbox_release(a.store, n);
	fixture_reopen(&a);
	assert_int_equal(store_mailbox_load(a.store, inbox, &n), OK);
	assert_int_equal(n->at[3].keywords, (uint64_t)1 << keyword);
	assert_int_equal(n->at[3].flags, STORE_FLAG_SEEN);
	assert_int_equal(n->at[4].flags, STORE_FLAG_DELETED);
	assert_true(view_eq(store_keyword_name(a.store, keyword), VIEW("$Forwarded")));
	store_mailbox_release(a.store, n);
	store_uid_list_done(&changed);
	store_uid_list_done(&modified);
	fixture_done(&a);
}

static void count_range(void *ctx, struct store_range r)
{
	*(size_t *)ctx += r.last - r.first + 1;
}

static void test_copy_move_expunge(void **state)
{
	struct store_range part[] = { { 2, 3 }, { 5, 5 }, { 9, 400 } };
	struct store_uids set = { part, 3 };
	struct store_uid_list old = { 0 }, new = { 0 }, gone = { 0 };
	const struct store_snapshot *n;
	struct seen seen = { .n = 0 };
	struct store_listener *listener;
	struct account a;
	uint64_t inbox, trash, since;
	size_t vanished = 0;

	setup(&a, 10);
	inbox = fixture_id(&a, "INBOX");
	trash = fixture_id(&a, "Trash");
	assert_int_equal(store_listen(a.store, inbox, on_change, &seen, &listener), OK);
	assert_int_equal(store_copy(a.store, inbox, set, trash, &old, &new), OK);
	assert_int_equal(old.n, 5);
	assert_int_equal(old.at[4], 10);
	assert_int_equal(new.at[4], 5);
	assert_int_equal(seen.n, 0);
	assert_int_equal(store_usage(a.store).messages, 15);
	since = store_mailbox_by_id(a.store, inbox)->highestmodseq;
	old.n = new.n = 0;
	assert_int_equal(store_mailbox_load(a.store, inbox, &n), OK);
	assert_int_equal(store_move(a.store, inbox, set, trash, &old, &new), OK);
	assert_int_equal(n->n, 5);
	assert_null(store_snapshot_find(n, 5));
	assert_non_null(store_snapshot_find(n, 4));
	assert_int_equal(new.at[0], 6);
	assert_int_equal(seen.n, 3);
	assert_int_equal(seen.changes[0].kind, STORE_CHANGE_EXPUNGED);
	assert_int_equal(seen.changes[0].uid, 2);
	assert_int_equal(seen.changes[0].uid_last, 3);
	assert_int_equal(store_vanished(a.store, inbox, since, count_range, &vanished), OK);
	assert_int_equal(vanished, 5);
	/* Within one mailbox. */
	assert_int_equal(store_move(a.store, inbox, ALL, inbox, NULL, NULL), OK);
	assert_int_equal(n->n, 5);
	assert_int_equal(n->at[0].uid, 11);
	store_mailbox_release(a.store, n);
	store_unlisten(a.store, &listener);
	/* Only \Deleted. */
	assert_int_equal(store_expunge(a.store, trash, ALL, true, &gone), OK);
	assert_int_equal(gone.n, 0);
	assert_int_equal(store_expunge(a.store, trash, ALL, false, &gone), OK);
	assert_int_equal(gone.n, 10);
	assert_int_equal(store_mailbox_by_id(a.store, trash)->messages, 0);
	assert_int_equal(store_mailbox_by_id(a.store, trash)->size, 0);
	assert_int_equal(store_mailbox_by_id(a.store, inbox)->messages, 5);
	fixture_reopen(&a);
	assert_int_equal(store_mailbox_load(a.store, inbox, &n), OK);
	struct buf text = fixture_read(&a, n->at[0].blob);
	assert_true(view_eq(buf_view(&text), VIEW("Subject: 1\r\n\r\nbody\r\n")));
	buf_done(&text);
	store_mailbox_release(a.store, n);
	store_uid_list_done(&old);
	store_uid_list_done(&new);
	store_uid_list_done(&gone);
	fixture_done(&a);
}

static void test_feed_new(void **state)
{
	struct seen seen = { .n = 0 };
	struct store_listener *listener;
	const struct store_snapshot *n;
	struct account a;

	setup(&a, 0);
	assert_int_equal(store_listen(a.store, 0, on_change, &seen, &listener), OK);
	assert_int_equal(store_mailbox_load(a.store, fixture_id(&a, "INBOX"), &n), OK);
	store_origin_set(a.store, &seen);
	for (int i = 0; i < 40; i++)
		fixture_deliver(&a, "INBOX", "x", 0);
	assert_int_equal(n->n, 40);
	assert_int_equal(seen.n, 40);
	assert_int_equal(seen.changes[39].kind, STORE_CHANGE_NEW);
	assert_int_equal(seen.changes[39].uid, 40);
	assert_ptr_equal(seen.changes[39].origin, &seen);
	store_mailbox_release(a.store, n);
	store_unlisten(a.store, &listener);
	fixture_done(&a);
}

static void test_quota(void **state)
{
	struct store_put_result r;
	struct account a;

	setup(&a, 0);
	store_quota_set(a.store, 10, 3);
	assert_int_equal(fixture_put(&a, STORE_APPEND, "INBOX", VIEW("12345"), 0, &r), OK);
	assert_int_equal(fixture_put(&a, STORE_APPEND, "INBOX", VIEW("12345"), 0, &r), OK);
	assert_int_equal(fixture_put(&a, STORE_APPEND, "INBOX", VIEW("1"), 0, &r), ERR_QUOTA);
	assert_int_equal(fixture_put(&a, STORE_DELIVER, "INBOX", VIEW("1"), 9, &r), OK);
	assert_int_equal(r.err, ERR_QUOTA);
	assert_false(store_mark_known(a.store, (struct store_mark){ 9, 0 }));
	assert_int_equal(fixture_put(&a, STORE_APPEND, "INBOX", VIEW(""), 0, &r), OK);
	assert_int_equal(fixture_put(&a, STORE_APPEND, "INBOX", VIEW(""), 0, &r), ERR_QUOTA);
	assert_int_equal(store_copy(a.store, fixture_id(&a, "INBOX"), ALL, fixture_id(&a, "Trash"),
				    NULL, NULL),
			 ERR_QUOTA);
	assert_int_equal(store_move(a.store, fixture_id(&a, "INBOX"), ALL, fixture_id(&a, "Trash"),
				    NULL, NULL),
			 OK);
	assert_int_equal(store_mailbox_by_name(a.store, VIEW("INBOX"))->messages, 0);
	assert_int_equal(store_usage(a.store).messages, 3);
	fixture_done(&a);
}

static void test_batch(void **state)
{
	struct store_target to[2] = { { .mailbox = 0 } };
	struct store_put items[4];
	struct store_put_result r[4];
	const struct store_snapshot *n;
	struct account a;

	setup(&a, 0);
	to[0].mailbox = fixture_id(&a, "INBOX");
	to[1].mailbox = fixture_id(&a, "Archive");
	to[1].flags = STORE_FLAG_SEEN;
	for (unsigned i = 0; i < 4; i++)
		items[i] = (struct store_put){ .bytes = VIEW("abc"),
					       .fd = -1,
					       .targets = to,
					       .target_n = 2,
					       .marked = true,
					       .mark = { 100 + i, i % 2 } };
	items[1].target_n = 0; /* discarded by Sieve */
	items[2].mark = items[0].mark;
	assert_int_equal(store_put(a.store, STORE_DELIVER, items, 4, r), OK);
	assert_int_equal(r[0].uid, 1);
	assert_true(r[2].replayed);
	assert_int_equal(r[3].uid, 2);
	assert_true(store_mark_known(a.store, items[1].mark));
	assert_int_equal(store_mailbox_load(a.store, to[1].mailbox, &n), OK);
	assert_int_equal(n->n, 2);
	assert_int_equal(n->at[0].flags, STORE_FLAG_SEEN);
	store_mailbox_release(a.store, n);
	/* All or none. */
	items[0].marked = items[1].marked = false;
	items[1].target_n = 1;
	to[0].mailbox = 99999;
	items[0].targets = to + 1;
	items[0].target_n = 1;
	assert_int_equal(store_put(a.store, STORE_APPEND, items, 2, r), ERR_NOTFOUND);
	assert_int_equal(store_mailbox_by_name(a.store, VIEW("Archive"))->messages, 2);
	/* Past the limits. */
	items[0].target_n = STORE_TARGET_MAX + 1;
	assert_int_equal(store_put(a.store, STORE_APPEND, items, 1, r), ERR_LIMIT);
	assert_int_equal(store_put(a.store, STORE_APPEND, items, STORE_BATCH_MAX + 1, r),
			 ERR_LIMIT);
	fixture_done(&a);
}

/* A large message by descriptor, plain and sealed, read back from odd positions. */
static void test_large(void **state)
{
	size_t size = 1000003;
	char *text = malloc(size);
	struct store_target to;
	struct store_put p = { .size = size, .targets = &to, .target_n = 1 };
	struct store_put_result r;
	struct store_body *body;
	struct view part;
	struct account a;

	setup(&a, 0);
	to = (struct store_target){ .mailbox = fixture_id(&a, "INBOX") };
	for (size_t i = 0; i < size; i++)
		text[i] = (char)(i < 500000 ? 'a' + (int)(i % 7) : rand());
	p.fd = memfd_create("message", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	assert_int_equal(write(p.fd, text, size), size);
	assert_int_equal(store_put(a.store, STORE_APPEND, &p, 1, &r), OK);
	assert_int_equal(fcntl(p.fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_WRITE), 0);
	assert_int_equal(store_put(a.store, STORE_APPEND, &p, 1, &r), OK);
	p.size = size + 1;
	assert_int_equal(store_put(a.store, STORE_APPEND, &p, 1, &r), ERR_IO);
	close(p.fd);
	fixture_reopen(&a);
	const struct store_snapshot *n;
	assert_int_equal(store_mailbox_load(a.store, to.mailbox, &n), OK);
	assert_int_equal(n->n, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(store_body_open(a.store, n->at[i].blob, &body), OK);
		assert_int_equal(store_body_size(body), size);
		for (size_t at = 0; at <= size + 7; at += 65537) {
			assert_int_equal(store_body_read(body, at, &part), OK);
			assert_int_equal(part.n == 0, at >= size);
			assert_memory_equal(part.p, text + (at < size ? at : 0), part.n);
		}
		store_body_close(&body);
	}
	store_mailbox_release(a.store, n);
	free(text);
	fixture_done(&a);
}

static void test_keywords(void **state)
{
	struct account a;
	unsigned number;
	char name[STORE_KEYWORD_LEN_MAX + 2];

	setup(&a, 1);
	for (unsigned i = 0; i < STORE_KEYWORD_MAX; i++) {
		snprintf(name, sizeof(name), "k%u", i);
		assert_int_equal(store_keyword(a.store, view_str(name), true, &number), OK);
		struct store_flag_change c = { .op = STORE_FLAGS_ADD,
					       .keywords = (uint64_t)1 << number };
		if (i != 5)
			assert_int_equal(
				store_flags(a.store, fixture_id(&a, "INBOX"), ALL, &c, NULL, NULL),
				OK);
	}
	assert_int_equal(store_keyword(a.store, VIEW("K7"), false, &number), OK);
	assert_int_equal(number, 7);
	/* Number 5 is not in use: its name gives way once, then there is no more. */
	assert_int_equal(store_keyword(a.store, VIEW("new"), true, &number), OK);
	assert_int_equal(number, 5);
	struct store_flag_change c = { .op = STORE_FLAGS_ADD, .keywords = (uint64_t)1 << 5 };
	assert_int_equal(store_flags(a.store, fixture_id(&a, "INBOX"), ALL, &c, NULL, NULL), OK);
	assert_int_equal(store_keyword(a.store, VIEW("more"), true, &number), ERR_LIMIT);
	assert_int_equal(store_keyword(a.store, VIEW("k5"), false, &number), ERR_NOTFOUND);
	assert_int_equal(store_keyword(a.store, VIEW("a b"), true, &number), ERR_SYNTAX);
	memset(name, 'x', sizeof(name));
	assert_int_equal(
		store_keyword(a.store, view_of(name, STORE_KEYWORD_LEN_MAX + 1), true, &number),
		ERR_LIMIT);
	fixture_done(&a);
}

static enum err count_value(void *ctx, struct view key, struct view value)
{
	++*(int *)ctx;
	return OK;
}

static void test_values(void **state)
{
	struct account a;
	struct view v;
	int n = 0;
	char *big = calloc(1, STORE_VALUE_MAX + 1);

	setup(&a, 0);
	assert_int_equal(store_value_set(a.store, VIEW("sieve/a"), VIEW("keep;")), OK);
	assert_int_equal(store_value_set(a.store, VIEW("sieve/b"), VIEW("stop;")), OK);
	assert_int_equal(store_value_set(a.store, VIEW("other"), view_of(big, STORE_VALUE_MAX)),
			 OK);
	assert_int_equal(store_value_set(a.store, VIEW("other"), view_of(big, STORE_VALUE_MAX + 1)),
			 ERR_LIMIT);
	assert_int_equal(store_value_set(a.store, VIEW("sieve/a"), VIEW_EMPTY), OK);
	fixture_reopen(&a);
	assert_int_equal(store_value_get(a.store, VIEW("sieve/a"), &v), ERR_NOTFOUND);
	assert_int_equal(store_value_get(a.store, VIEW("sieve/b"), &v), OK);
	assert_true(view_eq(v, VIEW("stop;")));
	assert_int_equal(store_value_each(a.store, VIEW("sieve/"), count_value, &n), OK);
	assert_int_equal(n, 1);
	free(big);
	fixture_done(&a);
}

static enum err sum_each(void *ctx, const struct store_message *m, const struct store_digest *d)
{
	*(uint64_t *)ctx += m->uid + d->envelope.n;
	return OK;
}

static void test_digest_trim_recent(void **state)
{
	struct account a;
	uint64_t sum = 0;
	uint32_t from;

	setup(&a, 9);
	assert_int_equal(store_trim(a.store), OK);
	assert_int_equal(store_digest_each(a.store, fixture_id(&a, "INBOX"),
					   (struct store_range){ 2, 4 }, STORE_COL_ENVELOPE,
					   sum_each, &sum),
			 OK);
	assert_int_equal(sum, 2 + 3 + 4 + 3 * 10);
	assert_int_equal(store_trim(a.store), OK);
	assert_int_equal(fixture_deliver(&a, "INBOX", "x", 0), 10);
	assert_int_equal(store_recent_take(a.store, fixture_id(&a, "INBOX"), &from), OK);
	assert_int_equal(from, 1);
	assert_int_equal(store_recent_take(a.store, fixture_id(&a, "INBOX"), &from), OK);
	assert_int_equal(from, 11);
	assert_true(store_sync_due(a.store));
	uint64_t seq;
	assert_int_equal(store_sync(a.store, &seq), OK);
	assert_int_equal(seq, 9);
	assert_false(store_sync_due(a.store));
	store_marks_forget(a.store, 5);
	assert_false(store_mark_known(a.store, (struct store_mark){ 4, 0 }));
	assert_true(store_mark_known(a.store, (struct store_mark){ 5, 0 }));
	fixture_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_copy_move_expunge),
		cmocka_unit_test(test_feed_new),
		cmocka_unit_test(test_quota),
		cmocka_unit_test(test_batch),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_keywords),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_digest_trim_recent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
