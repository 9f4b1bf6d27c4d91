/* Tests of opening, migration and faults: each system call of SQLite made to fail in turn. */
#include "directory/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "directory/db.h"

static int countdown; /* 0: never; the call at which it reaches 0 fails */
static int calls_seen;

static bool fails_now(void)
{
	calls_seen++;
	return countdown > 0 && --countdown == 0;
}

static ssize_t faulty_pwrite(int fd, const void *from, size_t n, off_t at)
{
	if (fails_now()) {
		errno = ENOSPC;
		return -1;
	}
	return pwrite(fd, from, n, at);
}

static int faulty_fallocate(int fd, off_t at, off_t n)
{
	if (fails_now())
		return ENOSPC;
	return posix_fallocate(fd, at, n);
}

static int faulty_ftruncate(int fd, off_t size)
{
	if (fails_now()) {
		errno = EIO;
		return -1;
	}
	return ftruncate(fd, size);
}

static void install_faults(bool on)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

	vfs->xSetSystemCall(vfs, "pwrite64", on ? (sqlite3_syscall_ptr)faulty_pwrite : NULL);
	vfs->xSetSystemCall(vfs, "fallocate", on ? (sqlite3_syscall_ptr)faulty_fallocate : NULL);
	vfs->xSetSystemCall(vfs, "ftruncate", on ? (sqlite3_syscall_ptr)faulty_ftruncate : NULL);
	countdown = 0;
	calls_seen = 0;
}

static bool has_account(struct fixture *f, const char *address, bool *ret_with_password)
{
	struct directory_account a;
	struct verifiers v;
	enum err err = directory_account_find(f->d, view_str(address), &a);

	if (err == ERR_NOTFOUND)
		return false;
	assert_int_equal(err, OK);
	assert_int_equal(directory_verifiers(f->d, a.id, &v), OK);
	*ret_with_password = v.has_argon2id && v.has_scram;
	return true;
}

/* An account is there with its password, or not at all, whichever write fails. */
static void test_every_failing_write_leaves_all_or_nothing(void **state)
{
	struct fixture *f = *state;
	struct verifiers v = { .has_argon2id = true, .has_scram = true, .argon2id = "$argon2id$x" };
	int failures = 0;

	assert_int_equal(directory_domain_add(f->d, VIEW("example.org"), NOW), OK);
	for (int k = 1; k < 200; k++) {
		char address[64];
		struct directory_account_new a = { .now = NOW, .verifiers = &v };
		bool whole = false;
		uint64_t id = CANARY;
		enum err err;

		(void)snprintf(address, sizeof(address), "user%d@example.org", k);
		a.address = view_str(address);
		fixture_reopen(f);
		install_faults(true);
		countdown = k;
		err = directory_account_add(f->d, &a, &id);
		install_faults(false);
		if (err) {
			failures++;
			assert_true(err == ERR_FULL || err == ERR_IO);
			assert_true(id == CANARY);
		}
		fixture_reopen(f);
		if (has_account(f, address, &whole))
			assert_true(whole);
		else
			assert_int_not_equal(err, OK);
		if (!err)
			break;
	}
	assert_true(failures > 0);
}

/* The file of an older version gets the tables that it lacks, and keeps its rows. */
static void test_migration_from_the_first_schema(void **state)
{
	struct fixture *f = *state;
	sqlite3 *db = NULL;
	struct directory_domain domain;
	bool known = true;

	directory_close(f->d);
	f->d = NULL;
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql_migration(1), NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(db,
			     "PRAGMA user_version = 1; PRAGMA application_id = 1346921577;"
			     "INSERT INTO domain (name, created) VALUES ('old.example', 7)",
			     NULL, NULL, NULL),
		SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_int_equal(directory_open(f->path, &f->d), OK);
	assert_int_equal(directory_domain_find(f->d, VIEW("old.example"), &domain), OK);
	assert_int_equal(domain.created, 7);
	assert_int_equal(directory_device_known(f->d, 1, VIEW("abcd"), 0, &known), OK);
	assert_false(known);
}

static void test_files_that_are_not_ours(void **state)
{
	struct fixture *f = *state;
	struct directory *d = NULL;
	sqlite3 *db = NULL;
	char path[128];
	FILE *file;

	/* Of a newer version. */
	(void)snprintf(path, sizeof(path), "%s/newer.db", f->folder);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_int_equal(directory_open(path, &d), ERR_UNSUPPORTED);
	/* Of another program. */
	(void)snprintf(path, sizeof(path), "%s/other.db", f->folder);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 1", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_int_equal(directory_open(path, &d), ERR_CORRUPT);
	/* No database. */
	(void)snprintf(path, sizeof(path), "%s/text.db", f->folder);
	file = fopen(path, "w");
	assert_non_null(file);
	for (int i = 0; i < 1000; i++)
		(void)fprintf(file, "this is no database\n");
	assert_int_equal(fclose(file), 0);
	assert_int_equal(directory_open(path, &d), ERR_CORRUPT);
	/* No such folder; a link. */
	assert_int_equal(directory_open("/nonexistent/directory.db", &d), ERR_IO);
	(void)snprintf(path, sizeof(path), "%s/link.db", f->folder);
	assert_int_equal(symlink(f->path, path), 0);
	assert_int_equal(directory_open(path, &d), ERR_IO);
	assert_null(d);
}

/* Every statement can be prepared: a typing error would else show only when the feature is used. */
static void test_all_statements_compile(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < SQL_COUNT; i++)
		if (!db_statement(f->d, (enum sql)i))
			fail_msg("%s: %s", sql_text((enum sql)i), sqlite3_errmsg(f->d->db));
}

static void test_data_is_never_sql(void **state)
{
	struct fixture *f = *state;
	struct directory_account a;

	assert_int_equal(directory_domain_add(f->d, VIEW("example.org"), NOW), OK);
	(void)fixture_account(f, "\"o'brien--;drop\"@example.org");
	assert_int_equal(directory_account_find(f->d, VIEW("\"o'brien--;drop\"@example.org"), &a),
			 OK);
	assert_int_equal(directory_account_find(f->d, VIEW("'%'@example.org"), &a), ERR_NOTFOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_every_failing_write_leaves_all_or_nothing),
		TEST(test_migration_from_the_first_schema),
		TEST(test_files_that_are_not_ours),
		TEST(test_all_statements_compile),
		TEST(test_data_is_never_sql),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
