/*
 * crash_test.c: SIGKILL at every failpoint (THREATS.md 5.3), then the audit.
 */
#include <sys/mman.h>

#include "store/failpoints.h"
#include "store_audit.h"

enum { KILLS = 3 };

static const char *const labels[] = {
#define LABEL(text) text,
	STORE_FAILPOINTS(LABEL)
#undef LABEL
};

static struct calls faulty;
static int sync_errors;

static int failing_fdatasync(int fd)
{
	if (sync_errors > 0 && --sync_errors == 0) {
		errno = EIO;
		return -1;
	}
	return calls_kernel()->fdatasync(fd);
}

static void must(enum err err)
{
	if (err)
		_exit(10 + (int)err);
}

static void expunge_fifths(struct account *a)
{
	const struct store_snapshot *n;
	uint64_t inbox = fixture_id(a, "INBOX");

	must(store_mailbox_load(a->store, inbox, &n));
	for (size_t i = n->n; i > 0; i--) {
		struct store_range r = { n->at[i - 1].uid, n->at[i - 1].uid };
		struct store_digest d;
		unsigned number;
		char *text;

		must(store_digest_get(a->store, n->at[i - 1].blob, STORE_COL_ENVELOPE, &d));
		text = view_to_cstr(d.envelope);
		if (text && sscanf(text, "m%u", &number) == 1 && audit_is_expunged(number))
			must(store_expunge(a->store, inbox, (struct store_uids){ &r, 1 }, false,
					   NULL));
		free(text);
	}
	store_mailbox_release(a->store, n);
}

static void deliver(struct account *a, struct ledger *l, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		must(audit_deliver(a, l, l->sent + 1));
}

static void note_sync(struct account *a, struct ledger *l, enum err err)
{
	must(err);
	l->durable = l->sent;
}

/* Octets of garbage behind the last pack. */
static void tear(struct account *a)
{
	static const char garbage[300];
	char name[32];
	int fd = -1;

	for (unsigned i = 60; i > 0 && fd < 0; i--) {
		snprintf(name, sizeof(name), "pack-%08u.mail", i);
		fd = openat(a->dir, name, O_WRONLY | O_APPEND | O_CLOEXEC);
	}
	if (fd < 0 || write(fd, garbage, sizeof(garbage)) != sizeof(garbage))
		_exit(3);
	close(fd);
}

/* Cut the last pack to size, as a power cut may. */
static void lose(struct account *a, off_t by)
{
	char name[32];
	struct stat st;
	int fd = -1;

	for (unsigned i = 60; i > 0 && fd < 0; i--) {
		snprintf(name, sizeof(name), "pack-%08u.mail", i);
		fd = openat(a->dir, name, O_WRONLY | O_CLOEXEC);
	}
	if (fd < 0 || fstat(fd, &st) || ftruncate(fd, st.st_size - by))
		_exit(4);
	close(fd);
}

/* Octets that compaction will find dead. */
static void waste(struct account *a)
{
	struct store_range all = { 1, UINT32_MAX };
	struct store_put_result r;
	char noise[9000];

	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (char)rand();
	for (int i = 0; i < 6; i++)
		must(fixture_put(a, STORE_DELIVER, "Junk", view_of(noise, sizeof(noise)), 0, &r));
	must(store_expunge(a->store, fixture_id(a, "Junk"), (struct store_uids){ &all, 1 }, false,
			   NULL));
}

/* Everything that changes durable state, several times. */
static void workload(struct account *a, struct ledger *l)
{
	struct store_flag_change seen = { .op = STORE_FLAGS_ADD, .flags = STORE_FLAG_SEEN };
	struct store_range all = { 1, UINT32_MAX };
	struct store_uids set = { &all, 1 };
	uint64_t id;

	must(fixture_open(a));
	for (unsigned round = 0; round < 4; round++) {
		char name[16];

		deliver(a, l, 20);
		must(audit_append(a, l));
		must(store_flags(a->store, fixture_id(a, "INBOX"), set, &seen, NULL, NULL));
		note_sync(a, l, store_sync(a->store, NULL));
		expunge_fifths(a);
		must(store_move(a->store, fixture_id(a, "INBOX"), set, fixture_id(a, "Archive"),
				NULL, NULL));
		snprintf(name, sizeof(name), "box%u", round);
		must(store_mailbox_create(a->store, view_str(name), 0, &id));
		waste(a);
		note_sync(a, l, store_checkpoint(a->store, NULL));
		must(store_compact(a->store, NULL));
		/* A sync that fails once: the pack is abandoned, nothing is lost. */
		deliver(a, l, 3);
		sync_errors = 1;
		if (store_sync(a->store, NULL) != ERR_IO)
			_exit(5);
		note_sync(a, l, store_sync(a->store, NULL));
		must(store_close(&a->store));
		must(fixture_open(a));
		deliver(a, l, 5);
		store_abort(&a->store);
		tear(a);
		must(fixture_open(a));
		/* The log loses what the index knows. */
		deliver(a, l, 4);
		l->sent -= 3;
		store_abort(&a->store);
		lose(a, 150);
		must(fixture_open(a));
		deliver(a, l, 3);
		must(store_close(&a->store));
		unlinkat(a->dir, "index.db", 0);
		must(fixture_open(a));
	}
	must(store_close(&a->store));
}

static void child(struct account *a, struct ledger *l, const char *label, int k)
{
	char setting[80];
	int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);

	dup2(quiet, 2);
	faulty = *calls_kernel();
	faulty.fdatasync = failing_fdatasync;
	calls_set(&faulty);
	snprintf(setting, sizeof(setting), "%s:%d", label, k);
	failpoint_init(setting);
	workload(a, l);
	_exit(0);
}

static void one(const char *label, int k, int *ret_status)
{
	struct ledger *l =
		mmap(NULL, sizeof(*l), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct account a;
	pid_t pid;

	fixture_init(&a);
	a.config.pack_size_max = 20000;
	a.config.rebuild = true;
	pid = fork();
	if (pid == 0)
		child(&a, l, label, k);
	assert_int_equal(waitpid(pid, ret_status, 0), pid);
	if (WIFEXITED(*ret_status) && WEXITSTATUS(*ret_status))
		print_message("%s:%d: child ended with %d\n", label, k, WEXITSTATUS(*ret_status));
	assert_true(WIFSIGNALED(*ret_status) || WEXITSTATUS(*ret_status) == 0);
	assert_int_equal(fixture_open(&a), OK);
	audit_run(&a, l, true);
	fixture_reopen(&a);
	audit_run(&a, l, true);
	fixture_done(&a);
	munmap(l, sizeof(*l));
}

static void test_every_label(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
		for (int k = 1; k <= KILLS; k++) {
			int status;

			one(labels[i], k, &status);
			/* A label that is never reached tests nothing. */
			if (!WIFSIGNALED(status) && k == 1)
				fail_msg("%s is never reached", labels[i]);
		}
	}
}

static void test_no_kill(void **state)
{
	int status;

	one("store.none", 1, &status);
	assert_true(WIFEXITED(status));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_kill),
		cmocka_unit_test(test_every_label),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
