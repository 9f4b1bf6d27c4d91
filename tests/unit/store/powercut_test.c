/*
 * powercut_test.c: the power fails at random moments (THREATS.md 5.1), then the audit.
 *
 * A table of calls remembers what each file held at its last successful sync.  At the cut every block
 * of every file is, by chance, what was written or what was synced; a file whose folder was not
 * synced since it was made may be gone.
 */
#include "store_audit.h"

enum { BLOCK = 512, FILES = 64, FD_MAX = 256, CUTS = 60, STEPS = 14 };

struct shadow {
	char name[32];
	char *synced; /* NULL: never */
	size_t n;
	bool in_folder; /* its name is durable */
};

static struct shadow shadows[FILES];
static char fd_names[FD_MAX][32];
static struct calls table;
static int folder_fd;
static int steps_left; /* writes and syncs until the power fails */
static bool dead;
static unsigned seed;

static unsigned dice(unsigned n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

static bool powered(void)
{
	if (!dead && steps_left > 0 && --steps_left == 0)
		dead = true;
	if (dead)
		errno = EIO;
	return !dead;
}

static struct shadow *shadow_of(const char *name)
{
	for (size_t i = 0; i < FILES; i++) {
		if (shadows[i].name[0] == 0 || strcmp(shadows[i].name, name) == 0) {
			snprintf(shadows[i].name, sizeof(shadows[i].name), "%.31s", name);
			return &shadows[i];
		}
	}
	fail_msg("too many files");
	return NULL;
}

static char *file_load(const char *name, size_t *ret_n)
{
	int fd = openat(folder_fd, name, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *p;

	if (fd < 0)
		return NULL;
	assert_int_equal(fstat(fd, &st), 0);
	p = malloc((size_t)st.st_size + 1);
	assert_int_equal(pread(fd, p, (size_t)st.st_size, 0), st.st_size);
	close(fd);
	*ret_n = (size_t)st.st_size;
	return p;
}

static int sim_openat(int dir, const char *path, int flags, mode_t mode)
{
	int fd;

	if ((flags & O_CREAT) && dead) {
		errno = EIO;
		return -1;
	}
	fd = calls_kernel()->openat(dir, path, flags, mode);
	if (fd >= 0 && fd < FD_MAX)
		snprintf(fd_names[fd], sizeof(fd_names[fd]), "%s", path);
	return fd;
}

static ssize_t sim_pwrite(int fd, const void *from, size_t n, off_t at)
{
	return powered() ? calls_kernel()->pwrite(fd, from, n, at) : -1;
}

static int sim_ftruncate(int fd, off_t size)
{
	return powered() ? calls_kernel()->ftruncate(fd, size) : -1;
}

static int sim_fdatasync(int fd)
{
	struct shadow *s;

	if (!powered())
		return -1;
	s = shadow_of(fd_names[fd]);
	free(s->synced);
	s->synced = file_load(s->name, &s->n);
	return 0;
}

static int sim_fsync(int fd)
{
	if (fd != folder_fd)
		return sim_fdatasync(fd);
	if (!powered())
		return -1;
	for (size_t i = 0; i < FILES && shadows[i].name[0]; i++)
		shadows[i].in_folder = faccessat(folder_fd, shadows[i].name, F_OK, 0) == 0;
	return 0;
}

static int sim_unlinkat(int dir, const char *path, int flags)
{
	struct shadow *s;

	if (!powered())
		return -1;
	s = shadow_of(path);
	free(s->synced);
	s->synced = NULL;
	s->in_folder = false;
	return calls_kernel()->unlinkat(dir, path, flags);
}

static int sim_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	struct shadow *a, *b;

	if (!powered())
		return -1;
	a = shadow_of(from);
	b = shadow_of(to);
	free(b->synced);
	b->synced = a->synced;
	b->n = a->n;
	b->in_folder = a->in_folder;
	a->synced = NULL;
	a->in_folder = false;
	for (size_t i = 0; i < FD_MAX; i++) {
		if (strcmp(fd_names[i], from) == 0)
			snprintf(fd_names[i], sizeof(fd_names[i]), "%s", to);
	}
	return calls_kernel()->renameat(from_dir, from, to_dir, to);
}

/* What the disk has of one file. */
static void cut_file(const char *name)
{
	struct shadow *s = shadow_of(name);
	size_t n = 0, old = s->synced ? s->n : 0;
	char *now = file_load(name, &n);
	size_t size =
		n > old ? old + dice((unsigned)(n - old) + 1) : n + dice((unsigned)(old - n) + 1);
	unsigned kind = dice(3); /* all lost, all there, a mixture */
	int fd;

	if (!s->in_folder && !s->synced && dice(2)) {
		unlinkat(folder_fd, name, 0);
		free(now);
		return;
	}
	size = kind == 0 ? old : kind == 1 ? n : size;
	char *out = calloc(1, size + 1);
	for (size_t at = 0; at < size; at += BLOCK) {
		bool fresh = kind == 1 || (kind == 2 && dice(2));
		size_t len = size - at < BLOCK ? size - at : BLOCK;
		const char *from = fresh ? now : s->synced;
		size_t have = fresh ? n : old;

		if (at < have)
			memcpy(out + at, from + at, have - at < len ? have - at : len);
	}
	fd = openat(folder_fd, name, O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_int_equal(write(fd, out, size), size);
	close(fd);
	/* From now on this is what is on disk. */
	free(s->synced);
	s->synced = out;
	s->n = size;
	s->in_folder = true;
	free(now);
}

static void cut_power(struct account *a)
{
	DIR *d = opendir(a->path);
	struct dirent *e;

	while ((e = readdir(d))) {
		if (e->d_name[0] != '.')
			cut_file(e->d_name);
	}
	closedir(d);
}

static void step(struct account *a, struct ledger *l)
{
	struct store_flag_change flip = { .op = dice(2) ? STORE_FLAGS_ADD : STORE_FLAGS_REMOVE,
					  .flags = STORE_FLAG_SEEN };
	struct store_range range = { dice(l->sent + 1) + 1, UINT32_MAX };
	struct store_uids set = { &range, 1 };
	uint64_t inbox = fixture_id(a, "INBOX"), trash = fixture_id(a, "Trash");
	uint64_t id;
	char name[16];

	switch (dice(10)) {
	case 0:
	case 1:
	case 2:
	case 3:
		if (l->sent < AUDIT_MESSAGES)
			(void)!audit_deliver(a, l, l->sent + 1);
		break;
	case 4: (void)!store_flags(a->store, inbox, set, &flip, NULL, NULL); break;
	case 5: (void)!store_move(a->store, inbox, set, trash, NULL, NULL); break;
	case 6:
		if (l->appends < AUDIT_MESSAGES)
			(void)!audit_append(a, l);
		break;
	case 7:
		snprintf(name, sizeof(name), "box%u", dice(30));
		(void)!store_mailbox_create(a->store, view_str(name), 0, &id);
		break;
	case 8:
		if (!store_sync(a->store, NULL))
			l->durable = l->sent;
		break;
	default:
		if (!store_checkpoint(a->store, NULL))
			l->durable = l->sent;
		if (dice(2))
			(void)!store_compact(a->store, NULL);
		if (dice(3) == 0)
			(void)!store_trim(a->store);
	}
}

static void one_life(struct account *a, struct ledger *l)
{
	dead = false;
	steps_left = (int)dice(120) + 1;
	calls_set(&table);
	if (!fixture_open(a)) {
		for (int i = 0; i < STEPS && !dead; i++)
			step(a, l);
		if (!dead && dice(4) == 0) {
			if (!store_close(&a->store))
				l->durable = l->sent;
		} else {
			steps_left = 0;
			dead = true;
		}
	}
	store_abort(&a->store);
	calls_set(NULL);
	cut_power(a);
}

static void run(unsigned from)
{
	struct account a;
	struct ledger l = { 0 };

	seed = from;
	fixture_init(&a);
	a.config.pack_size_max = 30000;
	folder_fd = a.dir;
	for (unsigned i = 0; i < 5; i++) {
		one_life(&a, &l);
		/* Power is back: what is on disk must be enough. */
		dead = false;
		steps_left = 0;
		calls_set(&table);
		enum err err = fixture_open(&a);
		if (err)
			print_message("seed %u life %u: %s\n", from, i, err_text(err));
		assert_int_equal(err, OK);
		audit_run(&a, &l, false);
		assert_int_equal(store_sync(a.store, NULL), OK);
		l.durable = l.sent;
		store_abort(&a.store);
		calls_set(NULL);
		cut_power(&a);
	}
	for (size_t i = 0; i < FILES; i++)
		free(shadows[i].synced);
	memset(shadows, 0, sizeof(shadows));
	memset(fd_names, 0, sizeof(fd_names));
	fixture_done(&a);
}

/* Each showed a defect once. */
static const unsigned found[] = { 111, 1043, 2042, 5021, 5094 };

static void test_power_cuts(void **state)
{
	const char *only = getenv("POSTHOLD_SEED");

	table = *calls_kernel();
	table.openat = sim_openat;
	table.pwrite = sim_pwrite;
	table.ftruncate = sim_ftruncate;
	table.fdatasync = sim_fdatasync;
	table.fsync = sim_fsync;
	table.unlinkat = sim_unlinkat;
	table.renameat = sim_renameat;
	if (only) {
		unsigned n;

		assert_int_equal(sscanf(only, "%u", &n), 1);
		run(n);
		return;
	}
	for (unsigned i = 1; i <= CUTS; i++)
		run(i * 7919);
	for (size_t i = 0; i < ARRAY_LEN(found); i++)
		run(found[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_power_cuts) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
