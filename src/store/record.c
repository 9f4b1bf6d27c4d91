/*
 * store/record.c: see record.h.  One record: header, meta, frames.
 */
#include "store/record.h"

#include <sodium.h>
#include <zstd.h>

#include "store/event.h"
#include "sys/file.h"

enum {
	RAW_MAX = FRAME_STORED_MAX + RECORD_HEADER + 4096, /* records that are read at once */
	FRAME_COUNT_MAX = STORE_MESSAGE_SIZE_MAX / FRAME_TEXT + 1,
};

void record_reader_init(struct record_reader *reader, struct pack_set *set)
{
	*reader = (struct record_reader){ .set = set };
	buf_init(&reader->scratch, (size_t)META_MAX + RECORD_TAG);
}

void record_reader_done(struct record_reader *reader)
{
	ZSTD_freeDCtx((ZSTD_DCtx *)reader->zstd);
	reader->zstd = NULL;
	buf_done(&reader->scratch);
}

void record_done(struct record *r)
{
	free(r->frames);
	r->frames = NULL;
	buf_done(&r->meta);
	buf_done(&r->raw);
	sodium_memzero(r->key, sizeof(r->key));
}

/* A missing pack is damage as seen by who holds a reference into it. */
static enum err read_octets(struct record_reader *reader, struct pack_pos pos, void *to, size_t n)
{
	int fd;
	enum err err = pack_set_fd(reader->set, pos.pack, &fd);

	if (!err)
		err = file_read_at(fd, to, n, (off_t)pos.off);
	return err == ERR_EOF || err == ERR_NOTFOUND ? ERR_CORRUPT : err;
}

/* n octets at off of the pack: out of the record's raw copy, or read to scratch. */
static enum err stored_octets(struct record_reader *reader, const struct record *r, uint64_t off,
			      size_t n, char **ret)
{
	char *room;
	enum err err;

	if (r->raw.n) {
		*ret = r->raw.p + (off - r->pos.off);
		return OK;
	}
	buf_clear(&reader->scratch);
	room = buf_room(&reader->scratch, n);
	if (!room)
		return ERR_NOMEM;
	err = read_octets(reader, (struct pack_pos){ r->pos.pack, off }, room, n);
	if (!err)
		*ret = room;
	return err;
}

static bool unseal(const struct record *r, uint64_t frame, char *to, const char *from, size_t n)
{
	uint8_t nonce[RECORD_NONCE], aad[FRAME_AAD];
	const uint8_t *data = frame == FRAME_META ? r->head.raw : aad;
	size_t data_n = frame == FRAME_META ? RECORD_HEADER : sizeof(aad);

	frame_nonce(frame, nonce);
	frame_aad(r->head.seq, frame, aad);
	return crypto_aead_xchacha20poly1305_ietf_decrypt_detached(
		       (uint8_t *)to, NULL, (const uint8_t *)from, n, (const uint8_t *)from + n,
		       data, data_n, nonce, r->key) == 0;
}

/* Decompress to exactly n octets. */
static enum err expand(struct record_reader *reader, char *to, size_t n, const char *from,
		       size_t from_n)
{
	size_t got;

	if (!reader->zstd)
		reader->zstd = ZSTD_createDCtx();
	if (!reader->zstd)
		return ERR_NOMEM;
	got = ZSTD_decompressDCtx((ZSTD_DCtx *)reader->zstd, to, n, from, from_n);
	return ZSTD_isError(got) || got != n ? ERR_CORRUPT : OK;
}

static enum err meta_open(struct record_reader *reader, struct record *r)
{
	uint64_t at = r->pos.off + RECORD_HEADER + r->head.body_n;
	size_t n = r->head.meta_n - RECORD_TAG;
	char *stored, *plain;
	enum err err = stored_octets(reader, r, at, r->head.meta_n, &stored);

	if (err)
		return err;
	plain = buf_room(&r->meta, size_max(1, r->head.meta_plain));
	if (!plain)
		return ERR_NOMEM;
	if (!(r->head.flags & RECORD_META_ZSTD)) {
		if (n != r->head.meta_plain || !unseal(r, FRAME_META, plain, stored, n))
			return ERR_CORRUPT;
	} else {
		struct buf CLEANUP(buf_done) packed = BUF_INIT(META_MAX);
		char *room = buf_room(&packed, size_max(1, n));

		if (!room)
			return ERR_NOMEM;
		if (!unseal(r, FRAME_META, room, stored, n))
			return ERR_CORRUPT;
		err = expand(reader, plain, r->head.meta_plain, room, n);
		if (err)
			return err;
	}
	buf_added(&r->meta, r->head.meta_plain);
	return OK;
}

static size_t frame_plain(const struct record *r, size_t i)
{
	return i + 1 < r->frame_n ? FRAME_TEXT : (size_t)(r->size - (uint64_t)i * FRAME_TEXT);
}

static enum err frames_parse(struct record *r)
{
	struct cursor c = cursor_init(buf_view(&r->meta));
	uint64_t at = r->pos.off + RECORD_HEADER, end = at + r->head.body_n;
	uint64_t frame_n;

	r->size = wire_get_u64(&c, STORE_MESSAGE_SIZE_MAX);
	frame_n = wire_get_u64(&c, FRAME_COUNT_MAX);
	if (c.err || frame_n != (r->size + FRAME_TEXT - 1) / FRAME_TEXT)
		return ERR_CORRUPT;
	r->frame_n = frame_n;
	r->frames = (struct frame *)calloc(size_max(1, frame_n), sizeof(*r->frames));
	if (!r->frames)
		return ERR_NOMEM;
	for (size_t i = 0; i < frame_n; i++) {
		uint64_t word = wire_get_u64(&c, (uint64_t)FRAME_TEXT * 2 + 1);

		r->frames[i] = (struct frame){ at, (uint32_t)(word >> 1), word & 1 };
		at += (word >> 1) + RECORD_TAG;
		if (c.err || at > end || (!(word & 1) && word >> 1 != frame_plain(r, i)))
			return ERR_CORRUPT;
	}
	if (c.err || at != end)
		return ERR_CORRUPT;
	r->events = cursor_rest(&c);
	return OK;
}

/* Header, and with a known length the whole of a small record. */
static enum err head_load(struct record_reader *reader, uint64_t stored, struct record *r)
{
	uint8_t raw[RECORD_HEADER];
	enum err err;

	if (stored > RECORD_HEADER && stored <= RAW_MAX) {
		char *room = buf_room(&r->raw, stored);

		if (!room)
			return ERR_NOMEM;
		err = read_octets(reader, r->pos, room, stored);
		if (err)
			return err;
		buf_added(&r->raw, stored);
		memcpy(raw, room, RECORD_HEADER);
	} else {
		err = read_octets(reader, r->pos, raw, RECORD_HEADER);
		if (err)
			return err;
	}
	err = record_head_decode(raw, &r->head);
	if (!err && stored && stored != record_stored(&r->head))
		err = ERR_CORRUPT;
	return err;
}

enum err record_load(struct record_reader *reader, struct pack_pos pos, uint64_t stored,
		     struct record *ret)
{
	struct record r = { .pos = pos };
	const struct key_pair *pair;
	enum err err;

	buf_init(&r.meta, META_MAX);
	buf_init(&r.raw, RAW_MAX);
	err = head_load(reader, stored, &r);
	if (!err) {
		pair = key_ring_find(reader->set->keys, r.head.generation);
		if (pair)
			record_key(pair, &r.head, r.key);
		else
			err = ERR_CRYPTO;
	}
	if (!err)
		err = meta_open(reader, &r);
	if (!err)
		err = frames_parse(&r);
	if (err) {
		record_done(&r);
		return err;
	}
	*ret = r;
	return OK;
}

enum err record_frame(struct record_reader *reader, const struct record *r, size_t i, char *room,
		      size_t *ret_n)
{
	const struct frame *f = &r->frames[i];
	size_t n = frame_plain(r, i);
	char *stored;
	enum err err = stored_octets(reader, r, f->at, f->stored + (size_t)RECORD_TAG, &stored);

	if (err)
		return err;
	if (!f->packed) {
		if (!unseal(r, i, room, stored, f->stored))
			return ERR_CORRUPT;
	} else {
		char *packed = stored;

		if (r->raw.n) { /* must stay as it is */
			buf_clear(&reader->scratch);
			packed = buf_room(&reader->scratch, size_max(1, f->stored));
			if (!packed)
				return ERR_NOMEM;
		}
		if (!unseal(r, i, packed, stored, f->stored))
			return ERR_CORRUPT;
		err = expand(reader, room, n, packed, f->stored);
	}
	if (!err)
		*ret_n = n;
	return err;
}

enum err record_message(struct record_reader *reader, const struct record *r, struct buf *out)
{
	for (size_t i = 0; i < r->frame_n; i++) {
		char *room = buf_room(out, FRAME_TEXT);
		size_t n;
		enum err err = room ? record_frame(reader, r, i, room, &n) : buf_err(out);

		if (err)
			return err;
		buf_added(out, n);
	}
	return OK;
}

enum err record_verify(struct record_reader *reader, const struct record *r)
{
	for (size_t i = 0; i < r->frame_n; i++) {
		const struct frame *f = &r->frames[i];
		uint8_t nonce[RECORD_NONCE], aad[FRAME_AAD];
		char *stored;
		enum err err =
			stored_octets(reader, r, f->at, f->stored + (size_t)RECORD_TAG, &stored);

		if (err)
			return err;
		frame_nonce(i, nonce);
		frame_aad(r->head.seq, i, aad);
		if (crypto_aead_xchacha20poly1305_ietf_decrypt_detached(
			    NULL, NULL, (const uint8_t *)stored, f->stored,
			    (const uint8_t *)stored + f->stored, aad, sizeof(aad), nonce, r->key))
			return ERR_CORRUPT;
	}
	return OK;
}
