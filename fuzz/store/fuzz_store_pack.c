/*
 * fuzz_store_pack.c: a pack whose last record is the input, once as it is and once sealed as the meta of a
 * record, so that the reader behind the seal is reached too.
 */
#include <fcntl.h>
#include <sodium.h>
#include <unistd.h>

#include "store/event.h"
#include "store/pack_write.h"
#include "store/record.h"
#include "sys/file.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct {
	int dir;
	struct key_ring keys;
	struct pack_set set;
	struct record_reader reader;
	uint32_t pack;
} f;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static struct store_key key = { .generation = 1 };
	struct store_keys keys = { &key, 1 };
	char path[] = "/tmp/posthold-fuzz-XXXXXX";

	ASSERT(mkdtemp(path));
	f.dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASSERT(!key_ring_init(&f.keys, &keys, 1));
	pack_set_init(&f.set, f.dir, &f.keys);
	ASSERT(!pack_set_create(&f.set, PACK_LOG, 1, false, &f.pack));
	record_reader_init(&f.reader, &f.set);
	return 0;
}

static enum err on_record(void *ctx, const struct record *r)
{
	struct cursor c = cursor_init(r->events);
	struct buf CLEANUP(buf_done) text = BUF_INIT(1 << 24);
	struct event e;

	while (!event_decode(&c, &e))
		;
	(void)!record_message(&f.reader, r, &text);
	return OK;
}

static void scan(struct view octets, enum scan_depth depth)
{
	struct scan_calls call = { .record = on_record };
	uint64_t last_seq = 0, end;
	int fd;

	ASSERT(!pack_set_fd(&f.set, f.pack, &fd));
	ASSERT(!ftruncate(fd, PACK_HEADER));
	ASSERT(!file_write_at(fd, octets, PACK_HEADER));
	(void)!pack_scan(&f.reader, f.pack, 0, depth, &call, &last_seq, &end);
}

/* A record without frames whose meta is what the fuzzer says. */
static void seal_meta(struct view meta, struct buf *out)
{
	struct record_head head = { .type = RECORD_EVENTS,
				    .seq = 1,
				    .generation = 1,
				    .meta_n = (uint32_t)meta.n + RECORD_TAG,
				    .meta_plain = (uint32_t)meta.n };
	uint8_t key[STORE_KEY_LEN], nonce[RECORD_NONCE];
	uint8_t *room;

	record_key(key_ring_newest(&f.keys), &head, key);
	record_head_encode(&head);
	frame_nonce(FRAME_META, nonce);
	buf_add(out, view_of(head.raw, RECORD_HEADER));
	room = (uint8_t *)buf_room(out, meta.n + RECORD_TAG);
	crypto_aead_xchacha20poly1305_ietf_encrypt_detached(
		room, room + meta.n, NULL, (const uint8_t *)meta.p, meta.n, head.raw, RECORD_HEADER,
		NULL, nonce, key);
	buf_added(out, meta.n + RECORD_TAG);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct buf CLEANUP(buf_done) record = BUF_INIT(1 << 24);

	if (n > 1 << 20)
		return 0;
	scan(view_of(data, n), SCAN_FRAMES);
	seal_meta(view_of(data, n), &record);
	buf_add(&record, view_of(data, n)); /* and garbage behind it */
	scan(buf_view(&record), SCAN_META);
	return 0;
}
