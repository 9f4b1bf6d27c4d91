/*
 * store/pack.c: see pack.h.  The set of packs and the two headers.
 */
#include "store/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>

#include "base/map.h"
#include "base/num.h"
#include "store/folder.h"
#include "sys/calls.h"
#include "sys/file.h"

#define PACK_MAGIC   "PHPACK1\n"
#define RECORD_MAGIC 0x31524850u /* "PHR1" */

enum {
	PACK_TAG = 16,
	PACK_TAGGED = PACK_HEADER - PACK_TAG,
	ALG_XCHACHA20_POLY1305 = 1,
};

void pack_set_init(struct pack_set *set, int dir, const struct key_ring *keys)
{
	*set = (struct pack_set){ .dir = dir, .keys = keys, .packs = VEC_INIT(PACK_MAX) };
}

void pack_set_done(struct pack_set *set)
{
	for (size_t i = 0; i < set->packs.n; i++)
		fd_close(&set->packs.at[i].fd);
	VEC_DONE(&set->packs);
}

void pack_set_trim(struct pack_set *set)
{
	for (size_t i = 0; i < set->packs.n; i++)
		fd_close(&set->packs.at[i].fd);
}

static void header_tag(const uint8_t raw[PACK_HEADER], const struct key_pair *key,
		       uint8_t tag[PACK_TAG])
{
	crypto_generichash(tag, PACK_TAG, raw, PACK_TAGGED, key->pack, STORE_KEY_LEN);
}

static void pack_header_encode(const struct pack *p, const struct key_pair *key,
			       uint8_t raw[PACK_HEADER])
{
	memset(raw, 0, PACK_HEADER);
	memcpy(raw, PACK_MAGIC, 8);
	num_put32(raw + 8, p->number);
	num_put32(raw + 12, (uint32_t)p->kind);
	num_put64(raw + 16, p->first_seq);
	num_put32(raw + 24, key->generation);
	random_bytes(raw + 28, 16);
	header_tag(raw, key, raw + PACK_TAGGED);
}

static enum err pack_header_decode(const struct pack_set *set, const uint8_t raw[PACK_HEADER],
				   struct pack *p)
{
	const struct key_pair *key = key_ring_find(set->keys, num_get32(raw + 24));
	uint32_t kind = num_get32(raw + 12);
	uint8_t tag[PACK_TAG];

	if (memcmp(raw, PACK_MAGIC, 8) != 0 || num_get32(raw + 8) != p->number)
		return ERR_CORRUPT;
	if (!key)
		return ERR_CRYPTO;
	header_tag(raw, key, tag);
	if (sodium_memcmp(tag, raw + PACK_TAGGED, PACK_TAG) != 0)
		return ERR_CRYPTO;
	if (kind != PACK_LOG && kind != PACK_COPY)
		return ERR_CORRUPT;
	p->kind = (enum pack_kind)kind;
	p->first_seq = num_get64(raw + 16);
	return OK;
}

/* "pack-00000001.new" while it is hidden. */
static const char *pack_file_name(const struct pack *p, char room[PACK_NAME_ROOM])
{
	if (!p->hidden)
		return folder_pack_name(p->number, room);
	snprintf(room, PACK_NAME_ROOM, "pack-%08u.new", (unsigned)p->number);
	return room;
}

static enum err pack_open(const struct pack_set *set, struct pack *p)
{
	char name[PACK_NAME_ROOM];

	p->fd = calls()->openat(set->dir, pack_file_name(p, name), O_RDWR | O_NOFOLLOW, 0);
	if (p->fd < 0)
		return errno == ENOENT ? ERR_NOTFOUND : ERR_IO;
	return OK;
}

static enum err pack_load(struct pack_set *set, uint32_t number)
{
	struct pack p = { .number = number, .fd = -1, .cut_seq = UINT64_MAX };
	uint8_t raw[PACK_HEADER];
	struct stat st;
	enum err err = pack_open(set, &p);

	if (!err)
		err = file_read_at(p.fd, raw, PACK_HEADER, 0);
	if (err == ERR_EOF)
		err = ERR_CORRUPT;
	if (!err)
		err = pack_header_decode(set, raw, &p);
	if (!err && calls()->fstat(p.fd, &st))
		err = ERR_IO;
	fd_close(&p.fd);
	if (err)
		return err;
	p.size = (uint64_t)st.st_size;
	return VEC_PUSH(&set->packs, p) ? OK : ERR_NOMEM;
}

/* Each LOG pack voids from its first sequence on what earlier ones hold. */
static void pack_set_cut(struct pack_set *set)
{
	uint64_t cut = UINT64_MAX;

	for (size_t i = set->packs.n; i > 0; i--) {
		struct pack *p = &set->packs.at[i - 1];

		if (p->kind != PACK_LOG || p->hidden)
			continue;
		p->cut_seq = cut;
		if (p->first_seq < cut)
			cut = p->first_seq;
	}
}

enum err pack_set_load(struct pack_set *set, void (*damaged)(void *ctx, uint32_t number), void *ctx)
{
	uint32_t *numbers;
	size_t n, refused = 0;
	enum err err = folder_packs(set->dir, &numbers, &n);

	if (err)
		return err;
	for (size_t i = 0; i < n && !err; i++) {
		err = pack_load(set, numbers[i]);
		if (err != ERR_CORRUPT && err != ERR_CRYPTO)
			continue;
		refused += err == ERR_CRYPTO;
		err = OK;
		set->refused++;
		if (damaged)
			damaged(ctx, numbers[i]);
	}
	free(numbers);
	/* One damaged header may look like a wrong key; all of them are one. */
	if (!err && refused > 0 && set->packs.n == 0)
		err = ERR_CRYPTO;
	pack_set_cut(set);
	return err;
}

struct pack *pack_set_find(struct pack_set *set, uint32_t number)
{
	size_t low = 0, high = set->packs.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (set->packs.at[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < set->packs.n && set->packs.at[low].number == number ? &set->packs.at[low]
									 : NULL;
}

uint32_t pack_set_last(const struct pack_set *set)
{
	return set->packs.n ? set->packs.at[set->packs.n - 1].number : 0;
}

static void close_oldest(struct pack_set *set)
{
	struct pack *oldest = NULL;
	size_t open = 0;

	for (size_t i = 0; i < set->packs.n; i++) {
		struct pack *p = &set->packs.at[i];

		if (p->fd < 0)
			continue;
		open++;
		if (!oldest || p->used < oldest->used)
			oldest = p;
	}
	if (open >= PACK_OPEN_MAX)
		fd_close(&oldest->fd);
}

enum err pack_set_fd(struct pack_set *set, uint32_t number, int *ret)
{
	struct pack *p = pack_set_find(set, number);

	if (!p)
		return ERR_NOTFOUND;
	if (p->fd < 0) {
		close_oldest(set);
		enum err err = pack_open(set, p);

		if (err)
			return err;
	}
	p->used = ++set->clock;
	*ret = p->fd;
	return OK;
}

/* File, header, folder: each synced and checked, else the file goes away again. */
static enum err pack_write_new(struct pack_set *set, struct pack *p)
{
	char name[PACK_NAME_ROOM];
	uint8_t raw[PACK_HEADER];
	enum err err;

	p->fd = calls()->openat(set->dir, pack_file_name(p, name),
				O_RDWR | O_CREAT | O_NOFOLLOW | (p->hidden ? O_TRUNC : O_EXCL),
				0600);
	if (p->fd < 0)
		return errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO;
	failpoint("store.pack.created");
	pack_header_encode(p, key_ring_newest(set->keys), raw);
	err = file_write_at(p->fd, view_of(raw, PACK_HEADER), 0);
	if (!err)
		err = file_sync(p->fd);
	failpoint("store.pack.header-synced");
	if (!err && calls()->fsync(set->dir))
		err = ERR_IO;
	failpoint("store.pack.dir-synced");
	if (err) {
		fd_close(&p->fd);
		calls()->unlinkat(set->dir, name, 0);
	}
	return err;
}

enum err pack_set_create(struct pack_set *set, enum pack_kind kind, uint64_t first_seq, bool hidden,
			 uint32_t *ret_number)
{
	struct pack p = {
		.number = pack_set_last(set) + 1,
		.kind = kind,
		.first_seq = first_seq,
		.cut_seq = UINT64_MAX,
		.size = PACK_HEADER,
		.hidden = hidden,
		.fd = -1,
	};
	uint32_t *numbers;
	size_t n;
	enum err err = folder_packs(set->dir, &numbers, &n);

	if (err)
		return err;
	/* A file with a damaged header is not in the set, yet its number is taken. */
	if (n > 0 && numbers[n - 1] >= p.number)
		p.number = numbers[n - 1] + 1;
	free(numbers);
	err = pack_write_new(set, &p);
	if (err)
		return err;
	p.used = ++set->clock;
	close_oldest(set);
	if (!VEC_PUSH(&set->packs, p)) {
		fd_close(&p.fd);
		return ERR_NOMEM;
	}
	pack_set_cut(set);
	*ret_number = p.number;
	return OK;
}

enum err pack_set_publish(struct pack_set *set, uint32_t number)
{
	char from[PACK_NAME_ROOM], to[PACK_NAME_ROOM];
	struct pack *p = pack_set_find(set, number);

	if (!p)
		return ERR_NOTFOUND;
	pack_file_name(p, from);
	if (calls()->renameat(set->dir, from, set->dir, folder_pack_name(number, to)))
		return ERR_IO;
	p->hidden = false;
	pack_set_cut(set);
	failpoint("store.pack.published");
	return calls()->fsync(set->dir) ? ERR_IO : OK;
}

enum err pack_set_remove(struct pack_set *set, uint32_t number)
{
	char name[PACK_NAME_ROOM];
	struct pack *p = pack_set_find(set, number);
	size_t at;

	if (!p)
		return ERR_NOTFOUND;
	fd_close(&p->fd);
	if (calls()->unlinkat(set->dir, pack_file_name(p, name), 0) && errno != ENOENT)
		return ERR_IO;
	at = (size_t)(p - set->packs.at);
	memmove(p, p + 1, (set->packs.n - at - 1) * sizeof(*p));
	set->packs.n--;
	return OK;
}

uint64_t pack_set_bytes(const struct pack_set *set)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < set->packs.n; i++)
		sum += set->packs.at[i].size;
	return sum;
}

/* Detects accidents; against intent there are the tags. */
static uint64_t head_checksum(const uint8_t raw[RECORD_HEADER])
{
	static const uint8_t zero[16];

	return siphash(zero, view_of(raw, RECORD_HEADER - 8));
}

void record_head_encode(struct record_head *head)
{
	uint8_t *raw = head->raw;

	memset(raw, 0, RECORD_HEADER);
	num_put32(raw, RECORD_MAGIC);
	raw[4] = (uint8_t)head->type;
	raw[5] = ALG_XCHACHA20_POLY1305;
	raw[6] = (uint8_t)head->flags;
	num_put64(raw + 8, head->seq);
	num_put32(raw + 16, head->generation);
	num_put32(raw + 20, head->meta_n);
	num_put64(raw + 24, head->body_n);
	memcpy(raw + 32, head->salt, RECORD_SALT);
	num_put32(raw + 48, head->meta_plain);
	num_put64(raw + RECORD_HEADER - 8, head_checksum(raw));
}

enum err record_head_decode(const uint8_t raw[RECORD_HEADER], struct record_head *ret)
{
	struct record_head head = {
		.type = (enum record_type)raw[4],
		.flags = raw[6],
		.seq = num_get64(raw + 8),
		.generation = num_get32(raw + 16),
		.meta_n = num_get32(raw + 20),
		.body_n = num_get64(raw + 24),
		.meta_plain = num_get32(raw + 48),
	};

	if (num_get32(raw) != RECORD_MAGIC || raw[5] != ALG_XCHACHA20_POLY1305)
		return ERR_CORRUPT;
	if (num_get64(raw + RECORD_HEADER - 8) != head_checksum(raw))
		return ERR_CORRUPT;
	if (head.type < RECORD_EVENTS || head.type > RECORD_CLOSE || head.seq == 0 ||
	    head.seq > INT64_MAX)
		return ERR_CORRUPT;
	if (head.meta_n < RECORD_TAG || head.meta_n > META_MAX + RECORD_TAG ||
	    head.meta_plain > META_MAX || head.body_n > 2 * STORE_MESSAGE_SIZE_MAX)
		return ERR_CORRUPT;
	memcpy(head.salt, raw + 32, RECORD_SALT);
	memcpy(head.raw, raw, RECORD_HEADER);
	*ret = head;
	return OK;
}

void record_key(const struct key_pair *pair, const struct record_head *head,
		uint8_t key[STORE_KEY_LEN])
{
	uint8_t text[32] = { 0 };

	text[0] = (uint8_t)head->type;
	text[1] = ALG_XCHACHA20_POLY1305;
	num_put64(text + 8, head->seq);
	memcpy(text + 16, head->salt, RECORD_SALT);
	crypto_generichash(key, STORE_KEY_LEN, text, sizeof(text), pair->pack, STORE_KEY_LEN);
}

void frame_nonce(uint64_t frame, uint8_t nonce[RECORD_NONCE])
{
	memset(nonce, 0, RECORD_NONCE);
	num_put64(nonce, frame);
}

void frame_aad(uint64_t seq, uint64_t frame, uint8_t aad[FRAME_AAD])
{
	num_put64(aad, seq);
	num_put64(aad + 8, frame);
}
