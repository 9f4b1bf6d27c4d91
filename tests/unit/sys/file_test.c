/*
 * tests/unit/sys/file_test.c: whole transfers over short ones, and replacement that is all or nothing.
 */
#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sys/calls.h"
#include "sys/file.h"

static struct calls faulty;
static int fail_at, calls_made, fail_errno;

static ssize_t short_pwrite(int fd, const void *from, size_t n, off_t at)
{
	return pwrite(fd, from, n > 3 ? 3 : n, at);
}

static ssize_t interrupted_pread(int fd, void *to, size_t n, off_t at)
{
	if (++calls_made % 2) {
		errno = EINTR;
		return -1;
	}
	return pread(fd, to, n > 2 ? 2 : n, at);
}

static ssize_t failing_write(int fd, const void *from, size_t n)
{
	if (++calls_made == fail_at) {
		errno = fail_errno;
		return -1;
	}
	return write(fd, from, n > 4 ? 4 : n);
}

static int failing_sync(int fd)
{
	errno = EIO;
	return -1;
}

static int start(void **state)
{
	faulty = *calls_kernel();
	calls_made = 0;
	return 0;
}

static int finish(void **state)
{
	calls_set(NULL);
	return 0;
}

static void short_transfers_are_completed(void **state)
{
	char path[FOLDER_PATH_MAX], back[10];
	int dir = folder_new(path, "file");
	int fd = openat(dir, "name", O_RDWR | O_CREAT, 0600);

	faulty.pwrite = short_pwrite;
	faulty.pread = interrupted_pread;
	calls_set(&faulty);
	assert_int_equal(file_write_at(fd, VIEW("0123456789"), 0), OK);
	assert_int_equal(file_read_at(fd, back, 10, 0), OK);
	assert_memory_equal(back, "0123456789", 10);
	assert_int_equal(file_read_at(fd, back, 10, 5), ERR_EOF);
	close(fd);
	folder_remove(dir, path);
}

static void assert_content(int dir, const char *want)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(100);

	assert_int_equal(file_read_all(dir, "name", &text), OK);
	assert_string_equal(buf_cstr(&text), want);
}

static void a_failed_replacement_leaves_the_old_content(void **state)
{
	char path[FOLDER_PATH_MAX];
	int dir = folder_new(path, "file");

	assert_int_equal(file_replace(dir, "name", VIEW("old"), 0600), OK);
	faulty.write = failing_write;
	fail_errno = ENOSPC;
	calls_set(&faulty);
	for (fail_at = 1; fail_at <= 3; fail_at++) {
		calls_made = 0;
		assert_int_equal(file_replace(dir, "name", VIEW("new content"), 0600), ERR_FULL);
		assert_content(dir, "old");
	}
	faulty.write = write;
	faulty.fdatasync = failing_sync;
	assert_int_equal(file_replace(dir, "name", VIEW("new content"), 0600), ERR_IO);
	assert_content(dir, "old");
	calls_set(NULL);
	assert_int_equal(file_replace(dir, "name", VIEW("new content"), 0600), OK);
	assert_content(dir, "new content");
	folder_remove(dir, path);
}

static void reading_has_a_maximum(void **state)
{
	char path[FOLDER_PATH_MAX];
	int dir = folder_new(path, "file");
	struct buf CLEANUP(buf_done) exact = BUF_INIT(5);
	struct buf CLEANUP(buf_done) small = BUF_INIT(4);

	assert_int_equal(file_replace(dir, "name", VIEW("12345"), 0600), OK);
	assert_int_equal(file_read_all(dir, "name", &exact), OK);
	assert_view(buf_view(&exact), "12345");
	assert_int_equal(file_read_all(dir, "name", &small), ERR_LIMIT);
	assert_int_equal(file_read_all(dir, "none", &exact), ERR_NOTFOUND);
	folder_remove(dir, path);
}

static void links_are_not_followed(void **state)
{
	char path[FOLDER_PATH_MAX];
	int dir = folder_new(path, "file");
	struct buf CLEANUP(buf_done) text = BUF_INIT(5000);

	assert_int_equal(symlinkat("/etc/passwd", dir, "name"), 0);
	assert_int_equal(file_read_all(dir, "name", &text), ERR_IO);
	folder_remove(dir, path);
}

static void random_numbers_differ(void **state)
{
	assert_int_not_equal(random_u64(), random_u64());
}

static void test_sealed(void **state)
{
	int memory = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int plain = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	int copy;

	assert_true(memory >= 0 && plain >= 0);
	assert_false(fd_is_sealed(memory, F_SEAL_WRITE));
	assert_int_equal(fcntl(memory, F_ADD_SEALS, F_SEAL_WRITE), 0);
	assert_true(fd_is_sealed(memory, F_SEAL_WRITE));
	assert_false(fd_is_sealed(memory, F_SEAL_WRITE | F_SEAL_SHRINK));
	assert_int_equal(fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL), 0);
	assert_true(fd_is_sealed(memory, F_SEAL_WRITE | F_SEAL_SHRINK));
	copy = fd_copy(memory);
	assert_true(fd_is_sealed(copy, F_SEAL_WRITE | F_SEAL_SHRINK));
	assert_true(fcntl(copy, F_GETFD) & FD_CLOEXEC);
	/* What knows no seals has none, rather than all. */
	assert_false(fd_is_sealed(plain, F_SEAL_WRITE));
	assert_false(fd_is_sealed(-1, F_SEAL_WRITE));
	assert_int_equal(fd_copy(-1), -1);
	fd_close(&memory);
	fd_close(&plain);
	fd_close(&copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(short_transfers_are_completed, start, finish),
		cmocka_unit_test_setup_teardown(a_failed_replacement_leaves_the_old_content, start,
						finish),
		cmocka_unit_test_setup_teardown(reading_has_a_maximum, start, finish),
		cmocka_unit_test_setup_teardown(links_are_not_followed, start, finish),
		cmocka_unit_test(test_sealed),
		cmocka_unit_test(random_numbers_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
