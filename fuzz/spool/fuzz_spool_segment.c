/*
 * Replay of a segment whose records are right in their sums and wrong in anything else, with octets changed
 * at random afterwards.  Each record of the input: type, flags, batch step, sequence, head length, body
 * length, then the head.  What is left over is xored into the file.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spool/change.h"
#include "spool/journal.h"
#include "sys/calls.h"
#include "sys/file.h"

enum { SIZE = 128 * 1024, ENTRIES = 256, RECORDS_MAX = 64 };

struct owner {
	struct journal *journal;
	struct journal_entry entries[ENTRIES];
};

/* Nothing here has to survive. */
static int no_sync(int fd)
{
	return 0;
}

static enum err accepted(void *ctx, uint64_t sequence, struct view head, uint64_t body_n,
			 struct journal_entry **ret)
{
	struct owner *o = ctx;

	*ret = &o->entries[sequence % ENTRIES];
	return OK;
}

static enum err changed(void *ctx, uint8_t type, uint64_t sequence, struct view head)
{
	struct rcpt_change r;
	struct expand_change e;

	if (rcpt_change_decode(head, &r) == OK)
		ASSERT(r.reply.n <= CHANGE_REPLY_MAX && r.outcome < RCPT_OUTCOME_END);
	if (expand_change_decode(head, &e) == OK)
		ASSERT(e.address.n <= CHANGE_ADDRESS_MAX);
	return OK;
}

static void forgotten(void *ctx, uint64_t sequence)
{
	struct owner *o = ctx;

	journal_entry_drop(o->journal, &o->entries[sequence % ENTRIES]);
}

static enum err describe(void *ctx, struct journal_entry *entry, struct journal_changes *out)
{
	return OK;
}

static void on_entry(void *ctx, struct journal_entry *entry)
{
}

static void pressed(void *ctx)
{
}

static void event(void *ctx, const struct journal_event *e)
{
	ASSERT(e->offset <= SIZE);
}

static const struct journal_ops ops = {
	.accepted = accepted,
	.changed = changed,
	.forgotten = forgotten,
	.describe = describe,
	.unreadable = on_entry,
	.released = on_entry,
	.pressed = pressed,
	.event = event,
};

static const char zeros[256 << 7];

static size_t lay_out(char *file, const uint8_t *data, size_t size, const uint8_t *salt)
{
	uint64_t at = SPOOL_BLOCK;
	uint32_t batch = 1;
	size_t used = 0;

	for (int i = 0; i < RECORDS_MAX && size - used >= 8; i++) {
		const uint8_t *p = data + used;
		size_t head_n = size_min(p[4], size - used - 8);
		size_t body_n = (size_t)p[5] << (p[6] % 8);
		struct record r = { .type = p[0] % 8,
				    .flags = p[1] & 1,
				    .batch = batch += p[2] % 3,
				    .sequence = p[3],
				    .offset = at };

		if (at + record_size(head_n, body_n) > SIZE - SPOOL_BLOCK)
			break;
		record_write(file + at, &r, salt, view_of(p + 8, head_n), view_of(zeros, body_n));
		at += record_size(head_n, body_n);
		if (p[7] & 1)
			at = spool_block_up(at);
		used += 8 + head_n;
	}
	for (size_t i = used; i + 3 < size; i += 3) {
		size_t where = ((size_t)data[i] << 8 | data[i + 1]) % SIZE;

		file[where] = (char)(file[where] ^ data[i + 2]);
	}
	return used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct owner o;
	static char file[SIZE];
	static int dir = -1;
	static struct calls table;
	struct segment_header h = { .order = 1,
				    .oldest = 1,
				    .next_sequence = 1,
				    .size = SIZE,
				    .first_batch = 1,
				    .salt = { 1, 2, 3 } };
	struct journal_options options = { .segment_size = SIZE, .keep = 2, .buffered = true };
	int fd;

	if (dir < 0) {
		char path[] = "/tmp/fuzz-spool-XXXXXX";

		ASSERT(mkdtemp(path));
		dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		table = *calls_kernel();
		table.fsync = table.fdatasync = no_sync;
		calls_set(&table);
	}
	memset(&o, 0, sizeof(o));
	memset(file, 0, sizeof(file));
	segment_header_write(file, &h);
	(void)lay_out(file, data, size, h.salt);
	fd = openat(dir, "journal-0001.log", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ASSERT(fd >= 0 && file_write(fd, view_of(file, SIZE)) == OK);
	close(fd);
	options.dir = dir;
	if (journal_open(&options, &ops, &o, &o.journal) == OK) {
		struct buf CLEANUP(buf_done) room = BUF_INIT(SIZE);

		for (size_t i = 0; i < ENTRIES; i++) {
			struct view head, body;

			/* What replay has checked can be read. */
			if (o.entries[i].segment)
				ASSERT(journal_read(o.journal, &o.entries[i], &room, &head,
						    &body) == OK);
		}
		journal_close(o.journal);
	}
	(void)unlinkat(dir, "journal-0001.log", 0);
	(void)unlinkat(dir, "journal-0001.damaged", 0);
	return 0;
}
