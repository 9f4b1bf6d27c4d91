/*
 * fuzz_store_index.c: opening an account whose index was changed.  Input: rows of three octets of
 * position and one to be xored there, over index.db.
 */
#include <fcntl.h>
#include <unistd.h>

#include "store/store.h"
#include "sys/file.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct {
	int dir;
	struct store_key key;
	struct store_config config;
	struct buf index;
} f;

static enum err open_store(struct store **ret)
{
	struct store_keys keys = { &f.key, 1 };

	return store_open(f.dir, &keys, &f.config, ret);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char path[] = "/tmp/posthold-fuzz-XXXXXX";
	struct store *s;
	struct store_put p = { .bytes = VIEW("Subject: x\r\n\r\nbody\r\n"), .fd = -1 };
	struct store_target to = { 0 };
	struct store_put_result r;

	ASSERT(mkdtemp(path));
	f.dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f.key.generation = 1;
	buf_init(&f.index, 1 << 24);
	ASSERT(!open_store(&s));
	to.mailbox = store_mailbox_by_name(s, VIEW("INBOX"))->id;
	p.targets = &to;
	p.target_n = 1;
	for (int i = 0; i < 50; i++)
		ASSERT(!store_put(s, STORE_DELIVER, &p, 1, &r));
	ASSERT(!store_close(&s));
	ASSERT(!file_read_all(f.dir, "index.db", &f.index));
	return 0;
}

static void index_write(const uint8_t *data, size_t n)
{
	struct buf CLEANUP(buf_done) changed = BUF_INIT(1 << 24);
	int CLEANUP(fd_close) fd = openat(f.dir, "index.db", O_WRONLY | O_TRUNC | O_CLOEXEC);

	buf_add(&changed, buf_view(&f.index));
	for (size_t i = 0; i + 4 <= n; i += 4) {
		size_t at = ((size_t)data[i] << 16 | (size_t)data[i + 1] << 8 | data[i + 2]) %
			    changed.n;

		changed.p[at] = (char)(changed.p[at] ^ data[i + 3]);
	}
	ASSERT(fd >= 0 && !file_write(fd, buf_view(&changed)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct store_mailbox *m;
	struct store *s;
	size_t at = 0;

	unlinkat(f.dir, "index.db-wal", 0);
	index_write(data, n);
	if (open_store(&s))
		return 0;
	while ((m = store_mailbox_next(s, &at))) {
		const struct store_snapshot *snapshot;

		if (!store_mailbox_load(s, m->id, &snapshot))
			store_mailbox_release(s, snapshot);
	}
	store_abort(&s);
	return 0;
}
