/*
 * damage_test.c: files that somebody or something changed; full and failing disks; rebuilding.
 */
#include "store_audit.h"

enum { FLIPS = 120, MESSAGES = 60 };

static struct store_range all = { 1, UINT32_MAX };
#define ALL ((struct store_uids){ &all, 1 })

/* An account with everything in it; marks 1..MESSAGES. */
static void setup(struct account *a, struct ledger *l)
{
	struct store_flag_change flag = { .op = STORE_FLAGS_ADD, .flags = STORE_FLAG_FLAGGED };
	struct store_range some = { 7, 23 };
	uint64_t id;
	unsigned keyword;

	memset(l, 0, sizeof(*l));
	fixture_init(a);
	a->config.pack_size_max = 20000;
	assert_int_equal(fixture_open(a), OK);
	for (uint32_t i = 1; i <= MESSAGES; i++)
		assert_int_equal(audit_deliver(a, l, i), OK);
	assert_int_equal(store_keyword(a->store, VIEW("$Canary"), true, &keyword), OK);
	flag.keywords = (uint64_t)1 << keyword;
	assert_int_equal(store_flags(a->store, fixture_id(a, "INBOX"),
				     (struct store_uids){ &some, 1 }, &flag, NULL, NULL),
			 OK);
	some = (struct store_range){ 20, 30 };
	assert_int_equal(store_move(a->store, fixture_id(a, "INBOX"),
				    (struct store_uids){ &some, 1 }, fixture_id(a, "Archive"), NULL,
				    NULL),
			 OK);
	assert_int_equal(store_copy(a->store, fixture_id(a, "INBOX"),
				    (struct store_uids){ &some, 1 }, fixture_id(a, "Archive"), NULL,
				    NULL),
			 OK);
	assert_int_equal(store_mailbox_create(a->store, VIEW("a/b"), 0, &id), OK);
	assert_int_equal(store_mailbox_rename(a->store, VIEW("a"), VIEW("c")), OK);
	assert_int_equal(store_value_set(a->store, VIEW("sieve"), VIEW("keep;")), OK);
}

/* Everything a client can see, as text. */
static void describe(struct account *a, struct buf *out)
{
	const struct store_mailbox *m;
	struct view value;
	size_t at = 0;

	buf_clear(out);
	while ((m = store_mailbox_next(a->store, &at))) {
		const struct store_snapshot *n;

		buf_addf(out, "%s %u %d %u %u %u %u %u %llu\n", m->name.p, (unsigned)m->id,
			 m->subscribed, m->uidvalidity, m->uidnext, m->messages, m->unseen,
			 m->special, (unsigned long long)m->highestmodseq);
		if (!m->selectable)
			continue;
		assert_int_equal(store_mailbox_load(a->store, m->id, &n), OK);
		for (size_t i = 0; i < n->n; i++)
			buf_addf(out, " %u %u %llx %llu %lld %u\n", n->at[i].uid, n->at[i].flags,
				 (unsigned long long)n->at[i].keywords,
				 (unsigned long long)n->at[i].blob, (long long)n->at[i].date,
				 n->at[i].size);
		store_mailbox_release(a->store, n);
	}
	if (!store_value_get(a->store, VIEW("sieve"), &value))
		buf_add(out, value);
}

static enum err fsck(struct account *a, bool rebuild, struct store_fsck_result *ret)
{
	struct store_keys keys = { &a->key, 1 };
	struct store_fsck_options options = { .rebuild = rebuild, .repair = rebuild };

	return store_fsck(a->dir, &keys, &a->config, &options, NULL, NULL, ret);
}

/* Numbers, flags and names come back from the packs alone, also when compaction has been there. */
static void test_rebuild(void **state)
{
	struct buf CLEANUP(buf_done) before = BUF_INIT(1 << 20), after = BUF_INIT(1 << 20);
	struct store_fsck_result r;
	struct account a;
	struct ledger l;

	setup(&a, &l);
	for (int round = 0; round < 3; round++) {
		uint64_t freed = 0;

		describe(&a, &before);
		assert_int_equal(store_close(&a.store), OK);
		assert_int_equal(fsck(&a, true, &r), OK);
		assert_true(r.rebuilt && r.index_sound);
		assert_int_equal(r.damage + r.lost, 0);
		unlinkat(a.dir, "index.db", 0);
		assert_int_equal(fixture_open(&a), ERR_CORRUPT);
		assert_int_equal(fsck(&a, true, &r), OK);
		assert_true(r.rebuilt && !r.index_sound);
		assert_int_equal(fixture_open(&a), OK);
		describe(&a, &after);
		assert_string_equal(buf_cstr(&before), buf_cstr(&after));
		audit_run(&a, &l, true);
		all.first = round == 0 ? 1 : 5;
		assert_int_equal(
			store_expunge(a.store, fixture_id(&a, "Archive"), ALL, false, NULL), OK);
		assert_int_equal(store_move(a.store, fixture_id(&a, "INBOX"), ALL,
					    fixture_id(&a, "Archive"), NULL, NULL),
				 OK);
		struct store_range most = { 1, 40 };
		assert_int_equal(store_expunge(a.store, fixture_id(&a, "Archive"),
					       (struct store_uids){ &most, 1 }, false, NULL),
				 OK);
		all.first = 1;
		assert_int_equal(store_compact(a.store, &freed), OK);
		assert_true(round > 0 || freed > 0);
		l.sent = 0;
	}
	assert_int_equal(store_close(&a.store), OK);
	assert_int_equal(fsck(&a, false, &r), OK);
	assert_int_equal(r.damage, 0);
	assert_true(r.index_sound);
	fixture_done(&a);
}

/* An index that is built anew while opening counts as closed in order when the log does: no number is skipped. */
static void test_rebuild_while_opening(void **state)
{
	struct buf CLEANUP(buf_done) before = BUF_INIT(1 << 20), after = BUF_INIT(1 << 20);
	struct account a;
	struct ledger l;

	setup(&a, &l);
	describe(&a, &before);
	assert_int_equal(store_close(&a.store), OK);
	unlinkat(a.dir, "index.db", 0);
	a.config.rebuild = true;
	for (int round = 0; round < 3; round++) {
		assert_int_equal(fixture_open(&a), OK);
		describe(&a, &after);
		assert_string_equal(buf_cstr(&before), buf_cstr(&after));
		assert_int_equal(store_close(&a.store), OK);
	}
	fixture_done(&a);
}

static void for_files(struct account *a, void (*fn)(struct account *a, const char *name))
{
	DIR *d = opendir(a->path);
	struct dirent *e;

	while ((e = readdir(d))) {
		if (e->d_name[0] != '.' && strcmp(e->d_name, "lock") != 0)
			fn(a, e->d_name);
	}
	closedir(d);
}

static char *load(struct account *a, const char *name, size_t *ret_n)
{
	int fd = openat(a->dir, name, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *p;

	assert_int_equal(fstat(fd, &st), 0);
	p = malloc((size_t)st.st_size + 1);
	assert_int_equal(pread(fd, p, (size_t)st.st_size, 0), st.st_size);
	close(fd);
	*ret_n = (size_t)st.st_size;
	return p;
}

static void poke(struct account *a, const char *name, const char *p, size_t n, size_t at)
{
	int fd = openat(a->dir, name, O_WRONLY | O_CLOEXEC);

	assert_int_equal(pwrite(fd, p, n, (off_t)at), n);
	close(fd);
}

static void save(struct account *a, const char *name, const char *p, size_t n)
{
	int fd = openat(a->dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, p, n), n);
	close(fd);
}

static void find_canary(struct account *a, const char *name)
{
	static const char *const words[] = { "Canary",	"line 0 of", "structure",
					     "Archive", "INBOX",     "keep;" };
	size_t n;
	char *p = load(a, name, &n);

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (view_find(view_of(p, n), view_str(words[i])) != VIEW_NONE)
			fail_msg("%s found in %s", words[i], name);
	}
	free(p);
}

static void test_canary(void **state)
{
	struct account a;
	struct ledger l;

	setup(&a, &l);
	for_files(&a, find_canary); /* with a full WAL */
	assert_int_equal(store_checkpoint(a.store, NULL), OK);
	for_files(&a, find_canary);
	assert_int_equal(store_close(&a.store), OK);
	for_files(&a, find_canary);
	fixture_done(&a);
}

static void test_keys(void **state)
{
	struct store_key two[2];
	struct store_keys keys = { two, 2 };
	struct account a, twin;
	struct ledger l;

	setup(&a, &l);
	twin = a;
	twin.store = NULL;
	assert_int_equal(fixture_open(&twin), ERR_BUSY);
	assert_int_equal(store_close(&a.store), OK);
	a.key.key[0] ^= 1;
	assert_int_equal(fixture_open(&a), ERR_CRYPTO);
	a.key.key[0] ^= 1;
	a.config.account++;
	assert_int_equal(fixture_open(&a), ERR_CRYPTO);
	a.config.account--;
	/* A second generation is used from now on; the first is still read. */
	two[0] = (struct store_key){ .generation = 2 };
	two[1] = a.key;
	assert_int_equal(store_open(a.dir, &keys, &a.config, &a.store), OK);
	audit_run(&a, &l, true);
	fixture_deliver(&a, "INBOX", "m399\r\n", 0);
	assert_int_equal(store_close(&a.store), OK);
	assert_int_not_equal(fixture_open(&a), OK);
	assert_int_equal(store_open(a.dir, &keys, &a.config, &a.store), OK);
	keys.n = 0;
	store_abort(&a.store);
	assert_int_equal(store_open(a.dir, &keys, &a.config, &a.store), ERR_CRYPTO);
	fixture_done(&a);
}

/* Whatever is changed: no crash, and no message that differs from what was stored. */
static void look_around(struct account *a)
{
	const struct store_mailbox *m;
	size_t at = 0;

	while ((m = store_mailbox_next(a->store, &at))) {
		const struct store_snapshot *n;

		if (!m->selectable || store_mailbox_load(a->store, m->id, &n))
			continue;
		for (size_t i = 0; i < n->n; i++) {
			struct buf CLEANUP(buf_done) text = BUF_INIT(1 << 20);
			struct store_body *body;
			struct view part = VIEW_EMPTY;
			enum err err = store_body_open(a->store, n->at[i].blob, &body);

			if (err)
				continue;
			do {
				err = store_body_read(body, text.n, &part);
				if (!err)
					buf_add(&text, part);
			} while (!err && part.n);
			store_body_close(&body);
			if (err)
				continue;
			unsigned number = 0;
			assert_int_equal(sscanf(buf_cstr(&text), "m%u", &number), 1);
			struct buf CLEANUP(buf_done) want = audit_text('m', number);
			assert_true(view_eq(buf_view(&text), buf_view(&want)));
		}
		store_mailbox_release(a->store, n);
	}
}

static void flip_in(struct account *a, const char *prefix)
{
	DIR *d = opendir(a->path);
	struct dirent *e;
	char name[64] = "";

	while ((e = readdir(d))) {
		if (strncmp(e->d_name, prefix, strlen(prefix)) == 0 && (name[0] == 0 || rand() % 2))
			snprintf(name, sizeof(name), "%.40s", e->d_name);
	}
	closedir(d);
	size_t n;
	char *p = load(a, name, &n);
	if (n > 0) {
		size_t at = (size_t)rand() % n;

		p[at] = (char)(p[at] ^ (1 << rand() % 8));
		poke(a, name, p + at, 1, at);
	}
	free(p);
}

static void save_all(struct account *a, struct account *copy)
{
	DIR *d = opendir(a->path);
	struct dirent *e;

	fixture_init(copy);
	copy->config = a->config;
	copy->config.digest_ctx = copy;
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		size_t n;
		char *p = load(a, e->d_name, &n);
		save(copy, e->d_name, p, n);
		free(p);
	}
	closedir(d);
}

/* One bit of a file of a copy is another; what still opens is read. */
static void flip_copy(struct account *a, int seed, const char *prefix, struct account *copy)
{
	srand((unsigned)seed);
	save_all(a, copy);
	flip_in(copy, prefix);
	if (!fixture_open(copy)) {
		look_around(copy);
		store_abort(&copy->store);
	}
}

static void test_flip_packs(void **state)
{
	struct account a;
	struct ledger l;

	setup(&a, &l);
	assert_int_equal(store_close(&a.store), OK);
	for (int i = 0; i < FLIPS; i++) {
		struct store_fsck_result r = { 0 };
		struct account copy;

		flip_copy(&a, i, "pack-", &copy);
		/* Any single flip is noticed, and costs at most one message or one event. */
		assert_int_equal(fsck(&copy, true, &r), OK);
		assert_true(r.damage > 0 || r.lost > 0 || !r.index_sound);
		assert_int_equal(fixture_open(&copy), OK);
		look_around(&copy);
		fixture_done(&copy);
	}
	fixture_done(&a);
}

static void test_flip_index(void **state)
{
	struct account a;
	struct ledger l;

	setup(&a, &l);
	assert_int_equal(store_close(&a.store), OK);
	for (int i = 0; i < FLIPS; i++) {
		struct store_fsck_result r = { 0 };
		struct account copy;

		flip_copy(&a, i + 1000, "index.db", &copy);
		assert_int_equal(fsck(&copy, true, &r), OK);
		copy.config.rebuild = true;
		assert_int_equal(fixture_open(&copy), OK);
		audit_run(&copy, &l, true);
		fixture_done(&copy);
	}
	fixture_done(&a);
}

/* Pages and records changed for others of the same account, and older ones put back. */
static void test_swap(void **state)
{
	struct account a;
	struct ledger l;
	struct store_fsck_result r;
	size_t n;
	char *p;

	setup(&a, &l);
	assert_int_equal(store_close(&a.store), OK);
	p = load(&a, "index.db", &n);
	assert_true(n > 4 * 4096);
	poke(&a, "index.db", p + 2 * 4096, 4096, 3 * 4096);
	assert_int_equal(fsck(&a, false, &r), OK);
	assert_false(r.index_sound);
	/* Half a page, cut pages, zero pages, nothing at all. */
	save(&a, "index.db", p, n);
	assert_int_equal(ftruncate(openat(a.dir, "index.db", O_WRONLY | O_CLOEXEC), 2000), 0);
	assert_int_equal(fixture_open(&a), ERR_CORRUPT);
	memset(p + 4096, 0, 4096);
	save(&a, "index.db", p, n);
	assert_int_equal(fsck(&a, false, &r), OK);
	assert_false(r.index_sound);
	a.config.rebuild = true;
	save(&a, "index.db", p, 0);
	assert_int_equal(fixture_open(&a), OK);
	audit_run(&a, &l, true);
	free(p);
	fixture_done(&a);
}

/* ---- failing disks ----------------------------------------------------------------------------- */

static struct calls table;
static int64_t room;
static int fail_at, fail_errno;

static ssize_t small_pwrite(int fd, const void *from, size_t n, off_t at)
{
	if (room <= 0) {
		errno = ENOSPC;
		return -1;
	}
	if ((int64_t)n > room)
		n = (size_t)room;
	room -= (int64_t)n;
	return calls_kernel()->pwrite(fd, from, n, at);
}

static ssize_t bad_pwrite(int fd, const void *from, size_t n, off_t at)
{
	if (fail_at > 0 && --fail_at == 0) {
		errno = fail_errno;
		return -1;
	}
	return calls_kernel()->pwrite(fd, from, n, at);
}

static int bad_fdatasync(int fd)
{
	if (fail_at > 0 && --fail_at == 0) {
		errno = EIO;
		return -1;
	}
	return calls_kernel()->fdatasync(fd);
}

static bool full_or_ok(enum err err)
{
	return err == OK || err == ERR_FULL || err == ERR_IO || err == ERR_WRONG_STATE;
}

/* Deliver, flag, move, checkpoint; every answer must be true. */
static void strain(struct account *a, struct ledger *l)
{
	struct store_flag_change seen = { .op = STORE_FLAGS_ADD, .flags = STORE_FLAG_SEEN };
	uint64_t inbox, archive;

	inbox = fixture_id(a, "INBOX");
	archive = fixture_id(a, "Archive");
	for (uint32_t i = 0; i < 12; i++) {
		const struct store_mailbox *m = store_mailbox_by_id(a->store, inbox);
		uint32_t before = m ? m->messages : 0;
		enum err err = audit_deliver(a, l, l->sent + 1);

		assert_true(full_or_ok(err));
		m = store_mailbox_by_id(a->store, inbox);
		if (m)
			assert_int_equal(m->messages, before + !err);
	}
	assert_true(full_or_ok(store_flags(a->store, inbox, ALL, &seen, NULL, NULL)));
	assert_true(full_or_ok(store_checkpoint(a->store, NULL)));
	assert_true(full_or_ok(audit_append(a, l)));
	assert_true(full_or_ok(store_move(a->store, inbox, ALL, archive, NULL, NULL)));
	(void)!store_compact(a->store, NULL);
}

static void test_full_disk(void **state)
{
	table = *calls_kernel();
	table.pwrite = small_pwrite;
	for (int i = 0; i < 60; i++) {
		struct account a;
		struct ledger l = { 0 };

		fixture_init(&a);
		a.config.pack_size_max = 9000;
		assert_int_equal(fixture_open(&a), OK);
		room = i * 3001;
		calls_set(&table);
		strain(&a, &l);
		/* Space again: the same store goes on. */
		room = INT64_MAX;
		assert_int_equal(audit_deliver(&a, &l, l.sent + 1), OK);
		audit_run(&a, &l, true);
		calls_set(NULL);
		store_abort(&a.store);
		assert_int_equal(fixture_open(&a), OK);
		audit_run(&a, &l, true);
		fixture_done(&a);
	}
}

static void strain_nth(int nth)
{
	struct account a;
	struct ledger l = { 0 };

	fixture_init(&a);
	a.config.pack_size_max = 9000;
	assert_int_equal(fixture_open(&a), OK);
	fail_at = nth;
	calls_set(&table);
	strain(&a, &l);
	calls_set(NULL);
	store_abort(&a.store);
	assert_int_equal(fixture_open(&a), OK);
	audit_run(&a, &l, true);
	fixture_done(&a);
}

static void test_failing_writes(void **state)
{
	table = *calls_kernel();
	table.pwrite = bad_pwrite;
	fail_errno = EIO;
	for (int nth = 1; nth < 120; nth++)
		strain_nth(nth);
}

static void test_failing_syncs(void **state)
{
	table = *calls_kernel();
	table.fdatasync = bad_fdatasync;
	for (int nth = 1; nth < 25; nth++)
		strain_nth(nth);
}

/* A transaction larger than SQLite's cache: pages are written to the WAL before the commit. */
static void test_spill(void **state)
{
	static struct store_put items[STORE_BATCH_MAX];
	static struct store_put_result results[STORE_BATCH_MAX];
	char text[300];
	struct store_target to;
	struct store_flag_change seen = { .op = STORE_FLAGS_ADD, .flags = STORE_FLAG_SEEN };
	struct account a;

	fixture_init(&a);
	assert_int_equal(fixture_open(&a), OK);
	to = (struct store_target){ .mailbox = fixture_id(&a, "INBOX") };
	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < STORE_BATCH_MAX; i++)
		items[i] = (struct store_put){ .bytes = view_of(text, sizeof(text)),
					       .fd = -1,
					       .targets = &to,
					       .target_n = 1 };
	for (int round = 0; round < 3; round++) {
		assert_int_equal(store_put(a.store, STORE_DELIVER, items, STORE_BATCH_MAX, results),
				 OK);
		assert_int_equal(
			store_copy(a.store, to.mailbox, ALL, fixture_id(&a, "Trash"), NULL, NULL),
			OK);
		seen.op = round % 2 ? STORE_FLAGS_REMOVE : STORE_FLAGS_ADD;
		assert_int_equal(store_flags(a.store, to.mailbox, ALL, &seen, NULL, NULL), OK);
		if (round == 1)
			store_abort(&a.store);
		else
			assert_int_equal(store_close(&a.store), OK);
		assert_int_equal(fixture_open(&a), OK);
	}
	assert_int_equal(store_mailbox_by_name(a.store, VIEW("INBOX"))->messages,
			 3 * STORE_BATCH_MAX);
	fixture_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rebuild),
		cmocka_unit_test(test_canary),
		cmocka_unit_test(test_rebuild_while_opening),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_flip_packs),
		cmocka_unit_test(test_flip_index),
		cmocka_unit_test(test_swap),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_failing_writes),
		cmocka_unit_test(test_failing_syncs),
		cmocka_unit_test(test_spill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
