/*
 * tests/unit/roles/log/file_test.c: a full disk loses whole lines, counts them, and moves no old file on.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "folder.h"
#include "roles/log/log_role.h"
#include "sys/calls.h"
#include "sys/file.h"

static struct calls full;
static size_t room; /* octets that the disk still takes */
static bool no_open; /* and it makes no new file */
static char path[FOLDER_PATH_MAX];
static int dir;
static struct log_file file;

static ssize_t full_write(int fd, const void *from, size_t n)
{
	size_t part = size_min(n, room);

	if (part == 0 && n > 0) {
		errno = ENOSPC;
		return -1;
	}
	room -= part;
	return write(fd, from, part);
}

static int full_openat(int at, const char *name, int flags, mode_t mode)
{
	if (no_open && (flags & O_CREAT)) {
		errno = ENOSPC;
		return -1;
	}
	return openat(at, name, flags, mode);
}

static int start(void **state)
{
	static struct config config = { .log_file_size = 40, .log_files = 3 };

	full = *calls_kernel();
	full.write = full_write;
	full.openat = full_openat;
	calls_set(&full);
	room = SIZE_MAX;
	no_open = false;
	dir = folder_new(path, "log");
	assert_int_equal(log_file_open(&file, dir, &config), OK);
	return 0;
}

static int finish(void **state)
{
	calls_set(NULL);
	close(file.fd);
	folder_remove(dir, path);
	buf_done(&file.lines);
	return 0;
}

static void say(const char *line)
{
	log_file_add(&file, view_str(line));
	log_file_flush(&file);
}

/* The file of this name is exactly text; NULL: there is none. */
static void expect(const char *name, const char *text)
{
	char is[256] = "";
	int fd = openat(dir, name, O_RDONLY);

	if (!text) {
		assert_int_equal(fd, -1);
		return;
	}
	assert_true(fd >= 0);
	assert_true(read(fd, is, sizeof(is) - 1) >= 0);
	assert_string_equal(is, text);
	close(fd);
}

static void test_rotation(void **state)
{
	say("0123456789012345678901234567890123456789");
	say("next");
	expect("events.1.jsonl", "0123456789012345678901234567890123456789\n");
	expect("events.jsonl", "next\n");
	assert_int_equal(file.lost, 0);
}

/* No half line stays in front of the next one. */
static void test_full(void **state)
{
	say("first");
	room = 9;
	log_file_add(&file, VIEW("second"));
	log_file_add(&file, VIEW("third"));
	log_file_flush(&file);
	expect("events.jsonl", "first\n");
	assert_int_equal(file.lost, 2);
	room = 0;
	say("fourth");
	assert_int_equal(file.lost, 3);
	room = SIZE_MAX;
	say("fifth");
	expect("events.jsonl", "first\nfifth\n");
	assert_int_equal(file.lost, 3);
}

/* A new file that cannot be made: the old ones stay where they are until it can. */
static void test_no_new_file(void **state)
{
	say("0123456789012345678901234567890123456789");
	no_open = true;
	for (int i = 0; i < 5; i++)
		say("lost");
	expect("events.1.jsonl", "0123456789012345678901234567890123456789\n");
	expect("events.2.jsonl", NULL);
	expect("events.jsonl", NULL);
	no_open = false;
	say("again");
	expect("events.jsonl", "again\n");
	assert_true(file.lost >= 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rotation, start, finish),
		cmocka_unit_test_setup_teardown(test_full, start, finish),
		cmocka_unit_test_setup_teardown(test_no_new_file, start, finish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
