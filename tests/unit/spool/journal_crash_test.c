/*
 * spool/journal.h killed and cut off (THREATS.md 5.3, 5.4).
 *
 * A child works at random and keeps a ledger of what it was promised in shared memory; it is killed at
 * every failpoint in turn.  Then, power cuts: the writes of a run are recorded and replayed up to each,
 * the last one torn at random sectors.  After each the journal is opened and audited by the ledger.
 */
#include "owner.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>

#include "spool/failpoints.h"

struct ledger {
	uint8_t acknowledged[OWNER_MESSAGES];
	uint8_t finish_asked[OWNER_MESSAGES]; /* from now on it may be gone */
	uint8_t gone[OWNER_MESSAGES]; /* its end was told to be durable */
	uint8_t state_promised[OWNER_MESSAGES];
	uint8_t state_last[OWNER_MESSAGES];
	uint64_t high; /* the highest sequence that was given out */
};

static uint64_t seed;

static uint64_t dice(uint64_t n)
{
	seed = seed * 6364136223846793005 + 1442695040888963407;
	return (seed >> 33) % n;
}

static void promise(struct owner *o, struct ledger *l)
{
	for (uint64_t i = 1; i <= l->high; i++) {
		const struct message *m = owner_message(o, i);

		l->acknowledged[i] = m->acknowledged;
		l->gone[i] = m->finished;
		l->state_promised[i] = l->state_last[i];
	}
}

static uint64_t pick(struct owner *o, const struct ledger *l)
{
	uint64_t i = l->high ? 1 + dice(l->high) : 0;

	return i && o->messages[i].acknowledged && !l->finish_asked[i] ? i : 0;
}

static void step(struct owner *o, struct ledger *l)
{
	uint64_t a;

	switch (dice(6)) {
	case 0:
	case 1:
		a = owner_put(o, dice(20) ? dice(4000) : dice(200000));
		l->high = a;
		break;
	case 2:
		a = pick(o, l);
		/* States of a message only grow, so that the ledger can tell older from newer. */
		if (a && l->state_last[a] < UINT8_MAX) {
			l->state_last[a]++;
			owner_change(o, a, l->state_last[a]);
		}
		break;
	case 3:
		a = pick(o, l);
		/* One in ten stays for ever. */
		if (a && a % 10) {
			l->finish_asked[a] = 1;
			owner_finish(o, a);
		}
		break;
	case 4:
		journal_commit(o->journal);
		promise(o, l);
		break;
	default:
		clock_set_mono_ms(clock_mono_ms() + 700);
		(void)journal_work(o->journal);
		/* It may have committed. */
		promise(o, l);
		break;
	}
}

/* Messages, states and numbers against the ledger. */
static void audit(struct owner *o, const struct ledger *l)
{
	for (uint64_t i = 1; i < OWNER_MESSAGES; i++) {
		const struct message *m = &o->messages[i];

		if (l->acknowledged[i] && !l->finish_asked[i])
			assert_true(m->known);
		if (l->gone[i])
			assert_false(m->known);
		if (m->known) {
			owner_check(o, i);
			assert_in_range(m->state, l->state_promised[i], l->state_last[i]);
		}
	}
	assert_int_equal(o->told[JOURNAL_DAMAGE], 0);
	assert_int_equal(o->told[JOURNAL_UNREADABLE], 0);
}

static void life(struct owner *o, struct ledger *l, const char *failpoint_setting)
{
	failpoint_init(failpoint_setting);
	for (int i = 0; i < 1500; i++)
		step(o, l);
	_exit(0);
}

static void kill_at(struct owner *o, struct ledger *l, const char *label, int k)
{
	char setting[80];
	int status;
	pid_t child;

	(void)snprintf(setting, sizeof(setting), "%s:%d", label, k);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		life(o, l, setting);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
}

static void test_kill_at_failpoints(void **state)
{
	struct ledger *l =
		mmap(NULL, sizeof(*l), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(l != MAP_FAILED);
	for (size_t label = 0; label < SPOOL_FAIL_COUNT; label++) {
		for (int k = 1; k <= 3; k++) {
			struct owner o;

			seed = label * 10 + (uint64_t)k;
			memset(l, 0, sizeof(*l));
			owner_init(&o);
			clock_set_mono_ms(1000000);
			owner_open(&o);
			kill_at(&o, l, spool_failpoint_labels[label], k);
			/* This process has not written anything: close it, and look. */
			owner_close(&o);
			owner_open(&o);
			audit(&o, l);
			if (l->high)
				assert_true(journal_sequence(o.journal) > 0);
			/* The next life works, too. */
			owner_finish(&o, owner_put(&o, 100) ? journal_sequence(o.journal) - 1 : 0);
			journal_commit(o.journal);
			owner_work(&o);
			owner_done(&o);
		}
	}
	munmap(l, sizeof(*l));
	clock_set_mono_ms(-1);
}

/* ---- power cuts ---- */

enum op_kind { OP_CREATE, OP_SIZE, OP_WRITE, OP_DELETE, OP_SYNC };
enum { OPS_MAX = 4000, SLOTS = 100, FDS = 1024, SECTOR = 512, POWER_CUT_RUNS = 3 };

struct op {
	enum op_kind kind;
	unsigned slot;
	off_t at;
	size_t n;
	char *bytes;
	struct ledger *promised; /* as it was when the write began */
};

static struct {
	struct op ops[OPS_MAX];
	size_t n;
	unsigned slot_of[FDS];
	const struct ledger *ledger;
	bool buffered;
} tape;

static struct op *tape_op(enum op_kind kind, unsigned slot)
{
	struct op *op = &tape.ops[tape.n++];

	assert_true(tape.n < OPS_MAX);
	*op = (struct op){ .kind = kind, .slot = slot };
	return op;
}

static unsigned slot_of_name(const char *name)
{
	uint64_t slot = 0;

	(void)!num_u64(view_part(view_str(name), 8, 4), SLOTS - 1, &slot);
	return (unsigned)slot;
}

static int tape_openat(int dir, const char *path, int flags, mode_t mode)
{
	int fd;

	if (tape.buffered && flags & O_DIRECT) {
		errno = EINVAL;
		return -1;
	}
	fd = calls_kernel()->openat(dir, path, flags, mode);
	if (fd >= 0 && fd < FDS && flags & O_RDWR) {
		tape.slot_of[fd] = slot_of_name(path);
		if (flags & O_CREAT)
			tape_op(OP_CREATE, tape.slot_of[fd]);
	}
	return fd;
}

static int tape_fallocate(int fd, int mode, off_t at, off_t n)
{
	tape_op(OP_SIZE, tape.slot_of[fd])->at = n;
	return calls_kernel()->fallocate(fd, mode, at, n);
}

static ssize_t tape_pwrite(int fd, const void *from, size_t n, off_t at)
{
	struct op *op = tape_op(OP_WRITE, tape.slot_of[fd]);

	op->at = at;
	op->n = n;
	op->bytes = malloc(n);
	op->promised = malloc(sizeof(*op->promised));
	assert_true(op->bytes && op->promised);
	memcpy(op->bytes, from, n);
	memcpy(op->promised, tape.ledger, sizeof(*op->promised));
	return calls_kernel()->pwrite(fd, from, n, at);
}

static int tape_fdatasync(int fd)
{
	tape_op(OP_SYNC, tape.slot_of[fd]);
	return calls_kernel()->fdatasync(fd);
}

static int tape_unlinkat(int dir, const char *path, int flags)
{
	tape_op(OP_DELETE, slot_of_name(path));
	return calls_kernel()->unlinkat(dir, path, flags);
}

static void write_part(int fd, const struct op *op, bool whole)
{
	for (size_t i = 0; i < op->n; i += SECTOR)
		if (whole || dice(2))
			assert_int_equal(pwrite(fd, op->bytes + i, size_min(SECTOR, op->n - i),
						op->at + (off_t)i),
					 size_min(SECTOR, op->n - i));
}

/* Was the write followed by a sync of its file before the cut? */
static bool is_safe(size_t i, size_t cut)
{
	if (!tape.buffered)
		return i < cut;
	for (size_t k = i + 1; k < cut; k++)
		if (tape.ops[k].kind == OP_SYNC && tape.ops[k].slot == tape.ops[i].slot)
			return true;
	return false;
}

/* The disk as it may look when the power goes during operation number cut. */
static void rebuild(int dir, size_t cut)
{
	folder_empty(dir);
	for (size_t i = 0; i <= cut; i++) {
		const struct op *op = &tape.ops[i];
		char name[32];
		int fd;

		(void)snprintf(name, sizeof(name), "journal-%04u.log", op->slot);
		if (op->kind == OP_DELETE) {
			(void)unlinkat(dir, name, 0);
			continue;
		}
		fd = openat(dir, name, O_RDWR | O_CREAT, 0600);
		assert_true(fd >= 0);
		if (op->kind == OP_SIZE)
			assert_int_equal(ftruncate(fd, op->at), 0);
		if (op->kind == OP_WRITE)
			write_part(fd, op, is_safe(i, cut));
		close(fd);
	}
}

static void power_cuts(bool buffered, uint64_t first_seed)
{
	static struct ledger ledger;
	struct calls table = *calls_kernel();
	struct owner o;
	struct owner after;

	memset(&ledger, 0, sizeof(ledger));
	tape.n = 0;
	tape.ledger = &ledger;
	tape.buffered = buffered;
	table.openat = tape_openat;
	table.fallocate = tape_fallocate;
	table.pwrite = tape_pwrite;
	table.fdatasync = tape_fdatasync;
	table.unlinkat = tape_unlinkat;
	seed = first_seed;
	owner_init(&o);
	owner_init(&after);
	clock_set_mono_ms(1000000);
	calls_set(&table);
	owner_open(&o);
	for (int i = 0; i < 700; i++)
		step(&o, &ledger);
	calls_set(NULL);
	for (size_t cut = 0; cut < tape.n; cut += 1 + dice(3)) {
		if (tape.ops[cut].kind != OP_WRITE)
			continue;
		rebuild(after.dir, cut);
		owner_open(&after);
		audit(&after, tape.ops[cut].promised);
		owner_close(&after);
	}
	for (size_t i = 0; i < tape.n; i++) {
		free(tape.ops[i].bytes);
		free(tape.ops[i].promised);
	}
	owner_done(&after);
	owner_done(&o);
	clock_set_mono_ms(-1);
}

static void test_power_cuts_direct(void **state)
{
	for (uint64_t i = 0; i < POWER_CUT_RUNS; i++)
		power_cuts(false, 100 + i);
}

static void test_power_cuts_buffered(void **state)
{
	for (uint64_t i = 0; i < POWER_CUT_RUNS; i++)
		power_cuts(true, 200 + i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kill_at_failpoints),
		cmocka_unit_test(test_power_cuts_direct),
		cmocka_unit_test(test_power_cuts_buffered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
