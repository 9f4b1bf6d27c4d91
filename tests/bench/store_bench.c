/*
 * store_bench.c: how fast the mailbox engine is.  Run by hand: store_bench [folder].
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "store/store.h"
#include "sys/clock.h"

enum { BODY = 2048, BATCH = 64, SCAN = 10000, LARGE = 20 * 1024 * 1024 };

static void must(enum err err, const char *what)
{
	if (!err)
		return;
	fprintf(stderr, "%s: %s\n", what, err_text(err));
	exit(1);
}

static enum err digest(void *ctx, struct view message, struct store_digest *ret)
{
	static const char envelope[420] = "(\"Fri, 21 Nov 2026 03:48:54 +0000\" \"a subject\")";
	static const char structure[300] = "(\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 2048 40)";

	*ret = (struct store_digest){ .envelope = view_of(envelope, sizeof(envelope)),
				      .structure = view_of(structure, sizeof(structure)),
				      .search = view_of(envelope, 200),
				      .header = view_of(envelope, 300),
				      .preview = view_of(envelope, 100) };
	return OK;
}

/* Text that compresses like mail. */
static void fill(char *text, size_t n)
{
	static const char *const words[] = { "the ",	"mail ",     "of ", "queue ", "server ",
					     "and\r\n", "delivery ", "a ",  "box " };
	uint32_t seed = 1;

	for (size_t i = 0; i < n;) {
		const char *w = words[(seed >> 16) % 9];

		seed = seed * 1664525 + 1013904223;
		for (; *w && i < n; w++)
			text[i++] = *w;
		if (i < n && seed >> 29 == 0)
			text[i++] = (char)('0' + (seed >> 8) % 75);
	}
}

static void put(struct store *s, uint64_t mailbox, const char *text, size_t size, size_t n,
		enum store_put_mode mode, uint64_t *mark)
{
	static struct store_put items[BATCH];
	static struct store_put_result results[BATCH];
	struct store_target to = { .mailbox = mailbox };

	for (size_t i = 0; i < n; i++)
		items[i] = (struct store_put){ .bytes = view_of(text, size),
					       .fd = -1,
					       .targets = &to,
					       .target_n = 1,
					       .marked = mode == STORE_DELIVER,
					       .mark = { ++*mark, 0 } };
	must(store_put(s, mode, items, n, results), "put");
}

static void rate(const char *what, size_t n, int64_t from)
{
	double us = (double)(clock_mono_us() - from);

	printf("%-32s %10.0f/s %10.2f us\n", what, (double)n / us * 1e6, us / (double)n);
}

static enum err each(void *ctx, const struct store_message *m, const struct store_digest *d)
{
	*(size_t *)ctx += d->envelope.n;
	return OK;
}

static void scan(struct store *s, uint64_t mailbox, const char *what)
{
	size_t octets = 0;
	int64_t from = clock_mono_us();

	must(store_digest_each(s, mailbox, (struct store_range){ 1, SCAN }, STORE_COL_ENVELOPE,
			       each, &octets),
	     "scan");
	printf("%-32s %10.2f ms\n", what, (double)(clock_mono_us() - from) / 1e3);
}

static void read_large(struct store *s, uint64_t mailbox, const char *what)
{
	const struct store_snapshot *n;
	struct store_body *body;
	struct view part;
	int64_t from;
	uint64_t at = 0;

	must(store_mailbox_load(s, mailbox, &n), "load");
	from = clock_mono_us();
	must(store_body_open(s, n->at[n->n - 1].blob, &body), "body");
	do {
		must(store_body_read(body, at, &part), "read");
		at += part.n;
	} while (part.n);
	store_body_close(&body);
	printf("%-32s %10.0f MB/s\n", what, (double)at / (double)(clock_mono_us() - from));
	store_mailbox_release(s, n);
}

int main(int argc, char **argv)
{
	struct store_key key = { .generation = 1 };
	struct store_keys keys = { &key, 1 };
	struct store_config config = { .account = 1, .digest = digest };
	struct store_range all = { 1, UINT32_MAX };
	struct store_flag_change seen = { .op = STORE_FLAGS_ADD, .flags = STORE_FLAG_SEEN };
	char path[] = "/tmp/posthold-bench-XXXXXX";
	const char *folder = argc > 1 ? argv[1] : mkdtemp(path);
	int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char *text = malloc(LARGE);
	struct store *s;
	uint64_t inbox, archive, mark = 0;
	int64_t from;

	fill(text, LARGE);
	from = clock_mono_us();
	must(store_open(dir, &keys, &config, &s), "open");
	rate("first open", 1, from);
	inbox = store_mailbox_by_name(s, VIEW("INBOX"))->id;
	archive = store_mailbox_by_name(s, VIEW("Archive"))->id;
	put(s, inbox, text, BODY, 1, STORE_DELIVER, &mark);
	from = clock_mono_us();
	for (int i = 0; i < 3000; i++)
		put(s, inbox, text, BODY, 1, STORE_DELIVER, &mark);
	rate("deliver, one by one", 3000, from);
	from = clock_mono_us();
	for (int i = 0; i < 200; i++)
		put(s, inbox, text, BODY, BATCH, STORE_DELIVER, &mark);
	rate("deliver, batches of 64", 200 * BATCH, from);
	from = clock_mono_us();
	must(store_checkpoint(s, NULL), "checkpoint");
	rate("checkpoint", 1, from);
	from = clock_mono_us();
	for (int i = 0; i < 300; i++)
		put(s, archive, text, BODY, 1, STORE_APPEND, &mark);
	rate("append, durable", 300, from);
	scan(s, inbox, "10,000 envelopes");
	must(store_close(&s), "close");
	from = clock_mono_us();
	must(store_open(dir, &keys, &config, &s), "open");
	rate("open", 1, from);
	scan(s, inbox, "10,000 envelopes, just opened");
	from = clock_mono_us();
	must(store_flags(s, inbox, (struct store_uids){ &all, 1 }, &seen, NULL, NULL), "flags");
	rate("flag a whole mailbox", 15801, from);
	from = clock_mono_us();
	must(store_copy(s, inbox, (struct store_uids){ &all, 1 }, archive, NULL, NULL), "copy");
	rate("copy", 15801, from);
	from = clock_mono_us();
	put(s, inbox, text, LARGE, 1, STORE_DELIVER, &mark);
	printf("%-32s %10.0f MB/s\n", "store 20 MiB of text",
	       LARGE / (double)(clock_mono_us() - from));
	read_large(s, inbox, "read 20 MiB of text");
	for (size_t i = 0; i < LARGE; i++)
		text[i] = (char)rand();
	put(s, inbox, text, LARGE, 1, STORE_DELIVER, &mark);
	read_large(s, inbox, "read 20 MiB of noise");
	must(store_close(&s), "close");
	free(text);
	close(dir);
	return 0;
}
