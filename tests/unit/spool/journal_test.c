/* spool/journal.h: what was acknowledged is found again, what was not is not promised. */
#include <sys/mman.h>

#include "owner.h"

static void test_empty(void **state)
{
	struct owner o;

	owner_init(&o);
	owner_open(&o);
	assert_int_equal(owner_files(&o, ".log"), 0);
	assert_false(journal_is_waiting(o.journal));
	journal_commit(o.journal);
	assert_int_equal(owner_files(&o, ".log"), 0);
	assert_int_equal(journal_sequence(o.journal), 1);
	owner_done(&o);
}

static void test_put_and_replay(void **state)
{
	struct owner o;
	uint64_t a, b, c;

	owner_init(&o);
	owner_open(&o);
	a = owner_put(&o, 0);
	b = owner_put(&o, 2000);
	assert_false(owner_message(&o, a)->acknowledged);
	assert_true(journal_is_waiting(o.journal));
	journal_commit(o.journal);
	assert_true(owner_message(&o, a)->acknowledged);
	assert_true(owner_message(&o, b)->acknowledged);
	c = owner_put(&o, 9000);
	owner_change(&o, b, 5);
	journal_commit(o.journal);
	owner_check(&o, a);
	owner_check(&o, b);
	owner_check(&o, c);

	owner_reopen(&o);
	assert_int_equal(owner_known(&o), 3);
	owner_check(&o, a);
	owner_check(&o, b);
	owner_check(&o, c);
	assert_int_equal(owner_message(&o, b)->state, 5);
	assert_true(journal_sequence(o.journal) > c);
	assert_int_equal(o.told[JOURNAL_TORN] + o.told[JOURNAL_DAMAGE], 0);

	owner_finish(&o, b);
	journal_commit(o.journal);
	assert_int_equal(o.released, 1);
	owner_reopen(&o);
	assert_int_equal(owner_known(&o), 2);
	assert_true(owner_message(&o, b)->finished);
	owner_done(&o);
}

/* A body that is read from a descriptor is stored as one from memory is. */
static void test_from_file(void **state)
{
	struct owner o;
	uint64_t before, sequence, after;
	char *body, head[8];
	int fd = memfd_create("body", MFD_CLOEXEC);
	struct journal_file file = { .fd = fd, .at = 5, .n = 70000 };
	struct journal_record r = { .type = RECORD_ACCEPT, .file = &file };
	struct message *m;

	owner_init(&o);
	owner_open(&o);
	before = owner_put(&o, 300);
	sequence = journal_sequence(o.journal);
	body = owner_body(sequence, 70000);
	assert_int_equal(file_write_at(fd, view_of(body, 70000), 5), OK);
	m = owner_message(&o, sequence);
	m->entry.sequence = r.sequence = sequence;
	m->body_n = 70000;
	r.entry = &m->entry;
	num_put64(head, sequence);
	r.head = view_of(head, sizeof(head));
	file.n++; /* longer than the file is: nothing of it stays */
	assert_int_equal(journal_offer(o.journal, &r, 1, owner_acknowledged, m), ERR_EOF);
	file.n--;
	m->known = true;
	assert_int_equal(journal_offer(o.journal, &r, 1, owner_acknowledged, m), OK);
	after = owner_put(&o, 300);
	journal_commit(o.journal);
	assert_true(m->acknowledged);
	owner_check(&o, before);
	owner_check(&o, sequence);
	owner_reopen(&o);
	owner_check(&o, before);
	owner_check(&o, sequence);
	owner_check(&o, after);
	assert_int_equal(o.told[JOURNAL_TORN] + o.told[JOURNAL_DAMAGE], 0);
	free(body);
	close(fd);
	owner_done(&o);
}

static void test_large_message(void **state)
{
	struct owner o;
	uint64_t small, large, last;

	owner_init(&o);
	owner_open(&o);
	small = owner_put(&o, 100);
	large = owner_put(&o, 3 * OWNER_SEGMENT + 17); /* a segment of its own size */
	last = owner_put(&o, 100);
	journal_commit(o.journal);
	owner_check(&o, large);
	owner_reopen(&o);
	owner_check(&o, small);
	owner_check(&o, large);
	owner_check(&o, last);
	owner_finish(&o, small);
	owner_finish(&o, large);
	owner_finish(&o, last);
	journal_commit(o.journal);
	owner_work(&o);
	assert_int_equal(o.told[JOURNAL_DAMAGE], 0);
	owner_done(&o);
}

static void test_marks(void **state)
{
	struct owner o;

	owner_init(&o);
	owner_open(&o);
	assert_int_equal(journal_marks(o.journal), 0);
	assert_int_equal(journal_set_marks(o.journal, 6, NULL, NULL), OK);
	journal_commit(o.journal);
	owner_reopen(&o);
	assert_int_equal(journal_marks(o.journal), 6);
	/* Carried on in the header of each further segment. */
	for (int i = 0; i < 60; i++) {
		owner_finish(&o,
			     (owner_put(&o, 20000), journal_commit(o.journal), 1 + (uint64_t)i));
		journal_commit(o.journal);
		(void)journal_work(o.journal);
	}
	owner_reopen(&o);
	assert_int_equal(journal_marks(o.journal), 6);
	owner_done(&o);
}

/* Segments are used again, and nothing of their former use is seen. */
static void test_recycling(void **state)
{
	struct owner o;
	struct journal_figures f;

	owner_init(&o);
	owner_open(&o);
	for (int i = 0; i < 300; i++) {
		uint64_t a = owner_put(&o, 3000 + (size_t)i);

		journal_commit(o.journal);
		owner_check(&o, a);
		owner_finish(&o, a);
		if (i % 3 == 0)
			journal_commit(o.journal);
		(void)journal_work(o.journal);
	}
	journal_figures(o.journal, &f);
	assert_true(f.segments + f.spare <= 4);
	assert_true(owner_files(&o, ".log") <= 4);
	for (int i = 0; i < 5; i++) {
		owner_reopen(&o);
		assert_int_equal(owner_known(&o), 0);
		assert_int_equal(o.told[JOURNAL_DAMAGE] + o.told[JOURNAL_TORN], 0);
		owner_finish(&o, (owner_put(&o, 10), journal_commit(o.journal),
				  journal_sequence(o.journal) - 1));
	}
	assert_true(owner_files(&o, ".log") <= 4);
	owner_done(&o);
}

/* A message that stays is copied out of the way of the others, with its state and its number. */
static void test_copied_forward(void **state)
{
	struct owner o;
	uint64_t stays;
	struct journal_figures f;

	owner_init(&o);
	clock_set_mono_ms(1000000);
	owner_open(&o);
	stays = owner_put(&o, 5000);
	journal_commit(o.journal);
	owner_change(&o, stays, 9);
	for (int i = 0; i < 200; i++) {
		uint64_t a = owner_put(&o, 3000);

		journal_commit(o.journal);
		owner_finish(&o, a);
		clock_set_mono_ms(clock_mono_ms() + 1000);
		(void)journal_work(o.journal);
	}
	journal_figures(o.journal, &f);
	assert_true(o.pressed > 0);
	assert_true(f.copied > 0);
	assert_true(f.segments <= 4);
	owner_check(&o, stays);
	assert_int_equal(owner_message(&o, stays)->state, 9);
	owner_reopen(&o);
	assert_int_equal(owner_known(&o), 1);
	assert_int_equal(owner_message(&o, stays)->state, 9);
	owner_check(&o, stays);
	clock_set_mono_ms(-1);
	owner_done(&o);
}

/* Files, all of them full of what lives, then all dead at once.  How often were mailboxes asked while it lived? */
static size_t flood(struct owner *o, int files)
{
	uint64_t put[1000];
	size_t n = 0;
	size_t pressed = o->pressed;
	struct journal_figures f;

	do {
		assert_true(n < ARRAY_LEN(put));
		put[n++] = owner_put(o, 8000);
		journal_commit(o->journal);
		(void)journal_work(o->journal);
		journal_figures(o->journal, &f);
	} while (f.segments < (uint64_t)files);
	pressed = o->pressed - pressed;
	for (size_t i = 0; i < n; i++)
		owner_finish(o, put[i]);
	journal_commit(o->journal);
	(void)journal_work(o->journal);
	return pressed;
}

static uint64_t files_there(struct owner *o)
{
	struct journal_figures f;

	journal_figures(o->journal, &f);
	assert_int_equal(f.segments + f.spare, owner_files(o, ".log"));
	return f.segments + f.spare;
}

/* Files that were written before serve the next flood; without one they go, one a minute. */
static void test_files_of_a_flood(void **state)
{
	struct owner o;
	uint64_t was;

	owner_init(&o);
	clock_set_mono_ms(1000000);
	owner_open(&o);
	assert_int_equal(flood(&o, 8), 0);
	assert_in_range(was = files_there(&o), 7, 9);
	assert_int_equal(flood(&o, 8), 0);
	assert_in_range(files_there(&o), 7, was + 1);
	/* Nothing is dead: mailboxes are asked all the same, once in a while. */
	clock_set_mono_ms(clock_mono_ms() + 10 * 1000);
	assert_int_equal(flood(&o, 20), 1);
	assert_in_range(files_there(&o), 11, 12 + 1); /* four times those that are always kept */
	was = files_there(&o);
	clock_set_mono_ms(clock_mono_ms() + 60 * 1000);
	assert_true(journal_work(o.journal) >= 0);
	assert_int_equal(files_there(&o), was);
	for (int i = 0; i < 20; i++) {
		clock_set_mono_ms(clock_mono_ms() + 60 * 1000);
		(void)journal_work(o.journal);
		assert_in_range(files_there(&o), was - 1, was);
		was = files_there(&o);
	}
	assert_int_equal(was, 3);
	assert_int_equal(journal_work(o.journal), -1);
	clock_set_mono_ms(-1);
	owner_done(&o);
}

/* When the disk is full they go at once. */
static void test_files_go_when_room_is_short(void **state)
{
	struct owner o;

	owner_init(&o);
	owner_open(&o);
	assert_int_equal(flood(&o, 8), 0);
	assert_in_range(files_there(&o), 7, 9);
	journal_shrink(o.journal);
	assert_int_equal(files_there(&o), 3);
	journal_shrink(o.journal);
	assert_int_equal(files_there(&o), 3);
	owner_reopen(&o);
	assert_in_range(files_there(&o), 1, 3);
	owner_done(&o);
}

/* A group counts as a whole or not at all, wherever the file ends. */
static void test_groups_are_whole(void **state)
{
	struct owner o;
	uint64_t first, second;
	uint64_t cut;

	owner_init(&o);
	for (cut = 0; cut < 12000; cut += 8) {
		char heads[2][8], one = 1;
		char *zeros = calloc(1, 16384);
		struct journal_record r[3];
		int fd;

		owner_open(&o);
		first = journal_sequence(o.journal);
		second = journal_sequence(o.journal);
		num_put64(heads[0], first);
		num_put64(heads[1], second);
		r[0] = (struct journal_record){ .type = RECORD_ACCEPT,
						.sequence = first,
						.head = view_of(heads[0], 8),
						.body = view_of(zeros, 3000),
						.entry = &owner_message(&o, first)->entry };
		r[1] = r[0];
		r[1].sequence = second;
		r[1].head = view_of(heads[1], 8);
		r[1].entry = &owner_message(&o, second)->entry;
		r[2] = (struct journal_record){ .type = RECORD_RCPT,
						.sequence = first,
						.head = view_of(&one, 1) };
		assert_int_equal(journal_add(o.journal, r, 3, NULL, NULL), OK);
		journal_commit(o.journal);
		owner_close(&o);
		fd = openat(o.dir, "journal-0001.log", O_RDWR);
		assert_true(fd >= 0);
		assert_int_equal(pwrite(fd, zeros, 16384, (off_t)(SPOOL_BLOCK + cut)), 16384);
		close(fd);
		free(zeros);
		owner_open(&o);
		if (cut >= 2 * 3072 + 72)
			assert_int_equal(owner_known(&o), 2);
		else
			assert_int_equal(owner_known(&o), 0);
		owner_close(&o);
		folder_empty(o.dir);
		if (cut > 64 && cut < 3000)
			cut += 400;
	}
	owner_done(&o);
}

static char *file_take(struct owner *o, const char *name, size_t *ret_n)
{
	int fd = openat(o->dir, name, O_RDONLY);
	struct stat st;
	char *bytes;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	bytes = malloc((size_t)st.st_size);
	assert_non_null(bytes);
	assert_int_equal(pread(fd, bytes, (size_t)st.st_size, 0), st.st_size);
	close(fd);
	*ret_n = (size_t)st.st_size;
	return bytes;
}

static void file_give(struct owner *o, const char *name, const char *bytes, size_t n)
{
	int fd = openat(o->dir, name, O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, n), n);
	close(fd);
}

/*
 * The file ends anywhere (as zeros, or cut off): exactly the messages that lie in front of the cut as a
 * whole are found, in this life and the next.
 */
static void every_prefix(bool truncate, size_t step)
{
	struct owner o;
	uint64_t offsets[12], ends[12];
	size_t n;
	char *bytes, *copy;

	owner_init(&o);
	owner_open(&o);
	for (size_t i = 0; i < 12; i++) {
		uint64_t a = owner_put(&o, 200 * i);

		if (i % 3 == 2)
			journal_commit(o.journal);
		offsets[i] = a;
	}
	for (size_t i = 0; i < 12; i++) {
		const struct journal_entry *e = &owner_message(&o, offsets[i])->entry;

		ends[i] = e->offset + RECORD_HEADER + e->head_n + e->body_n;
	}
	owner_close(&o);
	bytes = file_take(&o, "journal-0001.log", &n);
	copy = malloc(n);
	assert_non_null(copy);
	for (size_t cut = SPOOL_BLOCK; cut < ends[11] + 100; cut += step) {
		size_t expected = 0;

		memcpy(copy, bytes, n);
		memset(copy + cut, 0, n - SPOOL_BLOCK - cut);
		folder_empty(o.dir);
		file_give(&o, "journal-0001.log", copy, truncate ? cut : n);
		owner_open(&o);
		for (size_t i = 0; i < 12; i++) {
			/* A cut file ends with a part of a record's padding, too. */
			bool whole = truncate ? (ends[i] + 7) / 8 * 8 <= cut : ends[i] <= cut;

			if (whole)
				assert_true(owner_message(&o, offsets[i])->known);
			expected += owner_message(&o, offsets[i])->known;
			if (!truncate && !whole && cut + 8 <= ends[i])
				assert_false(owner_message(&o, offsets[i])->known);
			if (owner_message(&o, offsets[i])->known)
				owner_check(&o, offsets[i]);
		}
		assert_true(!truncate || o.told[JOURNAL_DAMAGE] > 0);
		(void)owner_put(&o, 50);
		journal_commit(o.journal);
		owner_reopen(&o);
		assert_int_equal(owner_known(&o), expected + 1);
		owner_close(&o);
	}
	free(bytes);
	free(copy);
	owner_done(&o);
}

static void test_every_prefix(void **state)
{
	every_prefix(false, 61);
}

static void test_torn_at_512(void **state)
{
	every_prefix(false, 512);
}

static void test_every_truncation(void **state)
{
	every_prefix(true, 509);
}

/* A flipped bit costs at most the record that it is in, and is told. */
static void test_bit_flips(void **state)
{
	struct owner o;
	size_t n;
	char *bytes;
	uint64_t last = 0;
	size_t used;

	owner_init(&o);
	owner_open(&o);
	for (size_t i = 0; i < 9; i++) {
		last = owner_put(&o, 300);
		if (i % 3 == 2)
			journal_commit(o.journal);
	}
	used = (size_t)owner_message(&o, last)->entry.offset + 400;
	owner_close(&o);
	bytes = file_take(&o, "journal-0001.log", &n);
	for (size_t at = SPOOL_BLOCK; at < used; at += 7) {
		char saved = bytes[at];

		bytes[at] = (char)(saved ^ 1 << at % 8);
		folder_empty(o.dir);
		file_give(&o, "journal-0001.log", bytes, n);
		owner_open(&o);
		assert_in_range(owner_known(&o), 8, 9);
		for (uint64_t i = 1; i <= last; i++)
			if (owner_message(&o, i)->known)
				owner_check(&o, i);
		if (owner_known(&o) == 8 && !owner_message(&o, last)->known)
			assert_true(o.told[JOURNAL_DAMAGE] + o.told[JOURNAL_TORN] <= 1);
		else if (owner_known(&o) == 8)
			assert_int_equal(o.told[JOURNAL_DAMAGE] + o.told[JOURNAL_TORN], 1);
		owner_close(&o);
		bytes[at] = saved;
	}
	free(bytes);
	owner_done(&o);
}

/* One header is enough. */
static void test_headers(void **state)
{
	struct owner o;
	size_t n;
	char *bytes;
	uint64_t a;

	owner_init(&o);
	owner_open(&o);
	a = owner_put(&o, 300);
	journal_commit(o.journal);
	owner_close(&o);
	bytes = file_take(&o, "journal-0001.log", &n);
	for (int which = 0; which < 3; which++) {
		char *copy = malloc(n);

		assert_non_null(copy);
		memcpy(copy, bytes, n);
		if (which != 1)
			memset(copy, 'x', 100);
		if (which != 0)
			memset(copy + n - SPOOL_BLOCK, 'x', 100);
		folder_empty(o.dir);
		file_give(&o, "journal-0001.log", copy, n);
		owner_open(&o);
		if (which < 2) {
			owner_check(&o, a);
		} else {
			assert_int_equal(owner_known(&o), 0);
			assert_int_equal(o.told[JOURNAL_UNREADABLE], 1);
			assert_int_equal(owner_files(&o, ".damaged"), 1);
		}
		owner_close(&o);
		free(copy);
	}
	free(bytes);
	owner_done(&o);
}

static void test_zero_block_in_the_middle(void **state)
{
	struct owner o;
	char zeros[SPOOL_BLOCK] = { 0 };
	int fd;

	owner_init(&o);
	owner_open(&o);
	for (size_t i = 0; i < 5; i++) {
		(void)owner_put(&o, 300);
		journal_commit(o.journal);
	}
	owner_close(&o);
	fd = openat(o.dir, "journal-0001.log", O_RDWR);
	assert_int_equal(pwrite(fd, zeros, sizeof(zeros), 3 * SPOOL_BLOCK), sizeof(zeros));
	close(fd);
	owner_open(&o);
	assert_int_equal(owner_known(&o), 4);
	assert_int_equal(o.told[JOURNAL_DAMAGE], 1);
	assert_int_equal(o.last.offset, 2 * SPOOL_BLOCK + 376);
	assert_int_equal(o.last.n, 2 * SPOOL_BLOCK - 376);
	/* Empty at last, the file is kept for people. */
	for (uint64_t i = 1; i <= 5; i++)
		if (owner_message(&o, i)->known)
			owner_finish(&o, i);
	journal_commit(o.journal);
	(void)journal_work(o.journal);
	assert_int_equal(owner_files(&o, ".damaged"), 1);
	owner_done(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_put_and_replay),
		cmocka_unit_test(test_from_file),
		cmocka_unit_test(test_large_message),
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_recycling),
		cmocka_unit_test(test_copied_forward),
		cmocka_unit_test(test_files_of_a_flood),
		cmocka_unit_test(test_files_go_when_room_is_short),
		cmocka_unit_test(test_groups_are_whole),
		cmocka_unit_test(test_every_prefix),
		cmocka_unit_test(test_torn_at_512),
		cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_bit_flips),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_zero_block_in_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
