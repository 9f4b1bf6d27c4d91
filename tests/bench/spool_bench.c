/*
 * tests/bench/spool_bench.c: how many messages a second the journal takes.
 *
 *	spool_bench DIR MESSAGES OCTETS PER_COMMIT [buffered]
 *
 * Not part of the tests: needs a quiet machine and a folder on the disk that is to be measured.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/num.h"
#include "spool/journal.h"
#include "sys/clock.h"

struct bench {
	struct journal *journal;
	struct journal_entry *entries;
	size_t released;
};

static enum err accepted(void *ctx, uint64_t sequence, struct view head, uint64_t body_n,
			 struct journal_entry **ret)
{
	*ret = NULL;
	return OK;
}

static enum err changed(void *ctx, uint8_t type, uint64_t sequence, struct view head)
{
	return OK;
}

static void forgotten(void *ctx, uint64_t sequence)
{
}

static enum err describe(void *ctx, struct journal_entry *entry, struct journal_changes *out)
{
	return OK;
}

static void entry_event(void *ctx, struct journal_entry *entry)
{
	((struct bench *)ctx)->released++;
}

static void pressed(void *ctx)
{
}

static void event(void *ctx, const struct journal_event *e)
{
	fprintf(stderr, "event %d in %s at %llu\n", e->kind, e->file,
		(unsigned long long)e->offset);
}

static const struct journal_ops ops = {
	.accepted = accepted,
	.changed = changed,
	.forgotten = forgotten,
	.describe = describe,
	.unreadable = entry_event,
	.released = entry_event,
	.pressed = pressed,
	.event = event,
};

static uint64_t argument(const char *text)
{
	uint64_t n;

	if (num_u64(view_str(text), 100000000, &n)) {
		fprintf(stderr, "%s is no number\n", text);
		exit(2);
	}
	return n;
}

static void run(struct bench *b, uint64_t messages, uint64_t octets, uint64_t per_commit)
{
	char head[100] = { 0 };
	char *body = calloc(1, octets + 1);
	int64_t next_work = 0;

	for (uint64_t i = 0; i < messages; i++) {
		struct journal_record r = { .type = RECORD_ACCEPT,
					    .sequence = journal_sequence(b->journal),
					    .head = view_of(head, sizeof(head)),
					    .body = view_of(body, octets),
					    .entry = &b->entries[i] };

		b->entries[i].sequence = r.sequence;
		if (journal_offer(b->journal, &r, 1, NULL, NULL))
			fprintf(stderr, "refused\n");
		if ((i + 1) % per_commit)
			continue;
		journal_commit(b->journal);
		for (uint64_t k = i + 1 - per_commit; k <= i; k++)
			journal_finish(b->journal, &b->entries[k]);
		if (clock_mono_ms() >= next_work)
			next_work = clock_mono_ms() + journal_work(b->journal);
	}
	journal_commit(b->journal);
	free(body);
}

int main(int argc, char **argv)
{
	struct bench b = { 0 };
	struct journal_options options = { .segment_size = 64 << 20, .keep = 4 };
	struct journal_figures f;
	uint64_t messages, octets, per_commit;
	int64_t start, took;

	if (argc < 5) {
		fprintf(stderr, "usage: spool_bench DIR MESSAGES OCTETS PER_COMMIT [buffered]\n");
		return 2;
	}
	messages = argument(argv[2]);
	octets = argument(argv[3]);
	per_commit = argument(argv[4]);
	options.dir = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	options.buffered = argc > 5;
	b.entries = calloc(messages, sizeof(*b.entries));
	if (options.dir < 0 || !b.entries || per_commit == 0 ||
	    journal_open(&options, &ops, &b, &b.journal)) {
		fprintf(stderr, "cannot begin\n");
		return 1;
	}
	start = clock_mono_us();
	run(&b, messages, octets, per_commit);
	took = clock_mono_us() - start;
	journal_figures(b.journal, &f);
	printf("%llu messages of %llu octets, %llu a commit: %.0f/s, %.0f commits/s, %s, "
	       "%llu segments\n",
	       (unsigned long long)messages, (unsigned long long)octets,
	       (unsigned long long)per_commit, (double)messages * 1e6 / (double)took,
	       (double)f.commits * 1e6 / (double)took, f.direct ? "direct" : "buffered",
	       (unsigned long long)(f.segments + f.spare));
	journal_close(b.journal);
	free(b.entries);
	close(options.dir);
	return 0;
}
