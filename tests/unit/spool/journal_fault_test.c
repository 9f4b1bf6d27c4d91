/*
 * spool/journal.h under faults (THREATS.md 5): full disks, failed writes and syncs, short writes, EINTR.
 * What was acknowledged is there afterwards; what was refused is not; the journal goes on.
 */
#include "owner.h"

#include <errno.h>
#include <sys/statvfs.h>

static struct {
	size_t room; /* octets that may be written still */
	size_t writes_left; /* until one fails */
	size_t syncs_left;
	bool buffered;
	size_t eintr;
} fault;

static ssize_t full_pwrite(int fd, const void *from, size_t n, off_t at)
{
	ssize_t put;

	if (fault.room == 0) {
		errno = ENOSPC;
		return -1;
	}
	put = calls_kernel()->pwrite(fd, from, n < fault.room ? n : fault.room & ~(size_t)511, at);
	if (put > 0)
		fault.room -= (size_t)put;
	if (put == 0)
		fault.room = 0;
	return put;
}

static int full_fallocate(int fd, int mode, off_t at, off_t n)
{
	if ((size_t)n > fault.room) {
		errno = ENOSPC;
		return -1;
	}
	return calls_kernel()->fallocate(fd, mode, at, n);
}

static ssize_t once_pwrite(int fd, const void *from, size_t n, off_t at)
{
	if (fault.writes_left && --fault.writes_left == 0) {
		/* A part arrives: whatever is there must not count. */
		(void)!calls_kernel()->pwrite(fd, from, n, at);
		errno = EIO;
		return -1;
	}
	return calls_kernel()->pwrite(fd, from, n, at);
}

static int once_fdatasync(int fd)
{
	if (fault.syncs_left && --fault.syncs_left == 0) {
		errno = EIO;
		return -1;
	}
	return calls_kernel()->fdatasync(fd);
}

/* As a file system without O_DIRECT. */
static int buffered_openat(int dir, const char *path, int flags, mode_t mode)
{
	if (flags & O_DIRECT) {
		errno = EINVAL;
		return -1;
	}
	return calls_kernel()->openat(dir, path, flags, mode);
}

static ssize_t short_pwrite(int fd, const void *from, size_t n, off_t at)
{
	if (fault.eintr++ % 3 == 0) {
		errno = EINTR;
		return -1;
	}
	return calls_kernel()->pwrite(fd, from, n > SPOOL_BLOCK ? SPOOL_BLOCK : n, at);
}

static ssize_t short_pread(int fd, void *to, size_t n, off_t at)
{
	if (fault.eintr++ % 3 == 0) {
		errno = EINTR;
		return -1;
	}
	return calls_kernel()->pread(fd, to, n > 700 ? 700 : n, at);
}

/* Put, change and finish, committing after each few; every third is finished. */
static void work(struct owner *o, int rounds)
{
	for (int i = 0; i < rounds; i++) {
		uint64_t a, b;

		if (!owner_put_err(o, 2500, &a) && i % 2)
			journal_commit(o->journal);
		(void)owner_put_err(o, (size_t)i * 100, &b);
		journal_commit(o->journal);
		if (owner_message(o, a)->acknowledged) {
			owner_change(o, a, (uint8_t)(1 + i % 100));
			if (i % 3 == 0)
				owner_finish(o, a);
		}
		if (owner_message(o, b)->acknowledged && i % 3 == 1)
			owner_finish(o, b);
		journal_commit(o->journal);
		(void)journal_work(o->journal);
		clock_set_mono_ms(clock_mono_ms() + 1500);
	}
}

static void begin(struct owner *o, struct calls *table)
{
	clock_set_mono_ms(1000000);
	memset(&fault, 0, sizeof(fault));
	*table = *calls_kernel();
	owner_init(o);
	owner_open(o);
}

static void end(struct owner *o)
{
	owner_done(o);
	clock_set_mono_ms(-1);
}

static void test_disk_full(void **state)
{
	for (size_t room = 0; room < 700000; room += 33333) {
		struct owner o;
		struct calls table;
		size_t refused = 0;

		begin(&o, &table);
		table.pwrite = full_pwrite;
		table.fallocate = full_fallocate;
		fault.room = room;
		calls_set(&table);
		work(&o, 30);
		for (uint64_t i = 1; i < OWNER_MESSAGES; i++) {
			if (o.messages[i].refused) {
				refused++;
				assert_true(!o.messages[i].why || o.messages[i].why == ERR_FULL ||
					    o.messages[i].why == ERR_IO);
			}
		}
		if (room < 100000)
			assert_true(refused > 0);
		/* Room again: everything goes on, nothing is lost (clause 8). */
		calls_set(NULL);
		owner_work(&o);
		work(&o, 3);
		owner_work(&o);
		owner_compare(&o);
		end(&o);
	}
}

static void fail_once(bool buffered, size_t nth)
{
	struct owner o;
	struct calls table;

	begin(&o, &table);
	table.pwrite = once_pwrite;
	table.fdatasync = once_fdatasync;
	if (buffered) {
		table.openat = buffered_openat;
		fault.syncs_left = nth;
	} else {
		fault.writes_left = nth;
	}
	calls_set(&table);
	work(&o, 25);
	if (buffered ? !fault.syncs_left : !fault.writes_left) {
		size_t bad = 0;

		/* One commit at most was refused, and told. */
		for (uint64_t i = 1; i < OWNER_MESSAGES; i++)
			bad += o.messages[i].refused;
		assert_in_range(bad, 0, 3);
	}
	owner_work(&o);
	owner_compare(&o);
	calls_set(NULL);
	end(&o);
}

static void test_write_fails_once(void **state)
{
	for (size_t nth = 1; nth < 60; nth += 1 + nth / 12)
		fail_once(false, nth);
}

static void test_sync_fails_once(void **state)
{
	for (size_t nth = 1; nth < 60; nth += 1 + nth / 12)
		fail_once(true, nth);
}

static void test_short_and_interrupted(void **state)
{
	struct owner o;
	struct calls table;

	begin(&o, &table);
	table.pwrite = short_pwrite;
	table.pread = short_pread;
	calls_set(&table);
	work(&o, 20);
	for (uint64_t i = 1; i < OWNER_MESSAGES; i++)
		assert_false(o.messages[i].refused);
	owner_compare(&o);
	end(&o);
}

static void test_without_direct(void **state)
{
	struct owner o;
	struct calls table;
	struct journal_figures f;

	begin(&o, &table);
	table.openat = buffered_openat;
	calls_set(&table);
	work(&o, 40);
	journal_figures(o.journal, &f);
	assert_false(f.direct);
	for (uint64_t i = 1; i < OWNER_MESSAGES; i++)
		assert_false(o.messages[i].refused);
	owner_compare(&o);
	end(&o);
}

static int broken_fallocate(int fd, int mode, off_t at, off_t n)
{
	errno = EOPNOTSUPP;
	return -1;
}

static void test_without_fallocate(void **state)
{
	struct owner o;
	struct calls table;

	begin(&o, &table);
	table.fallocate = broken_fallocate;
	calls_set(&table);
	work(&o, 20);
	owner_compare(&o);
	end(&o);
}

static ssize_t no_pwrite(int fd, const void *from, size_t n, off_t at)
{
	errno = EIO;
	return -1;
}

/* A disk that is gone for long: everything is refused, quickly, and our own changes wait. */
static void test_dead_disk(void **state)
{
	struct owner o;
	struct calls table;
	uint64_t a, b;
	struct journal_figures f;

	begin(&o, &table);
	a = owner_put(&o, 100);
	journal_commit(o.journal);
	table.pwrite = no_pwrite;
	calls_set(&table);
	owner_change(&o, a, 7);
	journal_commit(o.journal);
	for (int i = 0; i < 30; i++) {
		(void)owner_put_err(&o, 100, &b);
		journal_commit(o.journal);
		assert_true(owner_message(&o, b)->refused);
		(void)journal_work(o.journal);
		clock_set_mono_ms(clock_mono_ms() + 300);
	}
	journal_figures(o.journal, &f);
	assert_true(f.parked > 0);
	assert_true(f.segments < 5);
	calls_set(NULL);
	clock_set_mono_ms(clock_mono_ms() + 3000);
	b = owner_put(&o, 100);
	journal_commit(o.journal);
	assert_true(owner_message(&o, b)->acknowledged);
	owner_work(&o);
	owner_compare(&o);
	end(&o);
}

static ssize_t unreadable_pread(int fd, void *to, size_t n, off_t at)
{
	if (at < 3 * SPOOL_BLOCK && at + (off_t)n > 2 * SPOOL_BLOCK) {
		errno = EIO;
		return -1;
	}
	return calls_kernel()->pread(fd, to, n, at);
}

/* A block that the disk does not give costs the messages in it, and is told. */
static void test_unreadable_block(void **state)
{
	struct owner o;
	struct calls table;

	begin(&o, &table);
	for (int i = 0; i < 5; i++) {
		(void)owner_put(&o, 1000);
		journal_commit(o.journal);
	}
	table.pread = unreadable_pread;
	calls_set(&table);
	owner_reopen(&o);
	assert_int_equal(owner_known(&o), 4);
	assert_true(o.told[JOURNAL_DAMAGE] >= 1);
	calls_set(NULL);
	end(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_disk_full),
		cmocka_unit_test(test_write_fails_once),
		cmocka_unit_test(test_sync_fails_once),
		cmocka_unit_test(test_short_and_interrupted),
		cmocka_unit_test(test_without_direct),
		cmocka_unit_test(test_without_fallocate),
		cmocka_unit_test(test_dead_disk),
		cmocka_unit_test(test_unreadable_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
