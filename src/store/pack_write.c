/*
 * store/pack_write.c: see pack_write.h.
 */
#include "store/pack_write.h"

#include <errno.h>
#include <sodium.h>
#include <zstd.h>

#include "store/event.h"
#include "sys/calls.h"
#include "sys/file.h"

enum {
	PENDING_FLUSH = 1024 * 1024, /* octets after which a transaction goes to the file early */
	PENDING_KEEP = 256 * 1024,
	META_COMPRESS = 512, /* octets from which compressing a meta pays */
};
#define PENDING_MAX ((size_t)4 * META_MAX)

void pack_writer_init(struct pack_writer *w, struct pack_set *set, int level)
{
	*w = (struct pack_writer){ .set = set, .level = level };
	buf_init(&w->pending, PENDING_MAX);
	buf_init(&w->frames, META_MAX);
	random_bytes(w->salt, sizeof(w->salt));
}

void pack_writer_trim(struct pack_writer *w)
{
	ZSTD_freeCCtx((ZSTD_CCtx *)w->zstd);
	w->zstd = NULL;
	buf_done(&w->pending);
	buf_done(&w->frames);
}

void pack_writer_done(struct pack_writer *w)
{
	pack_writer_trim(w);
	sodium_memzero(w->key, sizeof(w->key));
}

void pack_writer_attach(struct pack_writer *w, uint32_t pack, uint64_t end)
{
	w->pack = pack;
	w->end = w->synced = end;
	w->touched = w->failed = false;
	pack_writer_begin(w);
}

void pack_writer_begin(struct pack_writer *w)
{
	buf_clear(&w->pending);
	buf_trim(&w->pending, PENDING_KEEP);
	w->pending_at = w->end;
}

uint64_t pack_writer_next(const struct pack_writer *w)
{
	return w->pending_at + w->pending.n;
}

void record_begin(struct pack_writer *w, enum record_type type, unsigned flags, uint64_t *ret_seq)
{
	const struct key_pair *pair = key_ring_newest(w->set->keys);

	w->head = (struct record_head){
		.type = type,
		.flags = flags,
		.seq = ++w->last_seq,
		.generation = pair->generation,
	};
	memcpy(w->head.salt, w->salt, RECORD_SALT);
	record_key(pair, &w->head, w->key);
	w->record_at = pack_writer_next(w);
	w->body_plain = 0;
	w->frame_n = 0;
	buf_clear(&w->frames);
	buf_add_fill(&w->pending, 0, RECORD_HEADER); /* filled in by record_end */
	*ret_seq = w->head.seq;
}

static ZSTD_CCtx *compressor(struct pack_writer *w)
{
	if (!w->zstd)
		w->zstd = ZSTD_createCCtx();
	return (ZSTD_CCtx *)w->zstd;
}

/* Compress text to the end of pending; 0 when that fails or does not shrink it. */
static size_t compress_pending(struct pack_writer *w, struct view text, char *room, size_t cap)
{
	ZSTD_CCtx *zstd = compressor(w);
	size_t n;

	if (!zstd)
		return 0;
	n = ZSTD_compressCCtx(zstd, room, cap, text.p, text.n, w->level);
	return ZSTD_isError(n) || n >= text.n ? 0 : n;
}

/* Seal n octets from to at, tag behind them; from and at may be the same. */
static void seal(struct pack_writer *w, char *at, const char *from, size_t n, uint64_t frame)
{
	uint8_t nonce[RECORD_NONCE], aad[FRAME_AAD];
	const uint8_t *data = aad;
	size_t data_n = sizeof(aad);

	frame_nonce(frame, nonce);
	frame_aad(w->head.seq, frame, aad);
	if (frame == FRAME_META) {
		data = w->head.raw;
		data_n = RECORD_HEADER;
	}
	crypto_aead_xchacha20poly1305_ietf_encrypt_detached((uint8_t *)at, (uint8_t *)at + n, NULL,
							    (const uint8_t *)from, n, data, data_n,
							    NULL, nonce, w->key);
}

static enum err frame_add(struct pack_writer *w, struct view text)
{
	size_t cap = ZSTD_compressBound(text.n), n;
	char *room = buf_room(&w->pending, cap + RECORD_TAG);

	if (!room)
		return buf_err(&w->pending);
	n = compress_pending(w, text, room, cap);
	wire_put_u64(&w->frames, (n ? n : text.n) << 1 | (n > 0));
	if (n) {
		seal(w, room, room, n, w->frame_n);
	} else {
		n = text.n;
		seal(w, room, text.p, n, w->frame_n);
	}
	buf_added(&w->pending, n + RECORD_TAG);
	w->head.body_n += n + RECORD_TAG;
	w->body_plain += text.n;
	w->frame_n++;
	return w->pending.n >= PENDING_FLUSH ? pack_writer_flush(w) : buf_err(&w->pending);
}

enum err record_body(struct pack_writer *w, struct view text)
{
	enum err err = OK;

	for (size_t at = 0; at < text.n && !err; at += FRAME_TEXT)
		err = frame_add(w, view_part(text, at, FRAME_TEXT));
	return err;
}

/* The meta: size of the message, number and lengths of frames, events. */
static enum err meta_add(struct pack_writer *w, struct view events)
{
	struct buf CLEANUP(buf_done) meta = BUF_INIT(META_MAX);
	char *room;
	size_t cap, n = 0;

	wire_put_u64(&meta, w->body_plain);
	wire_put_u64(&meta, w->frame_n);
	buf_add(&meta, buf_view(&w->frames));
	buf_add(&meta, events);
	if (buf_err(&w->frames)) /* without its length no frame can be read */
		return buf_err(&w->frames);
	if (buf_err(&meta))
		return buf_err(&meta);
	cap = ZSTD_compressBound(meta.n);
	room = buf_room(&w->pending, cap + RECORD_TAG);
	if (!room)
		return buf_err(&w->pending);
	if (meta.n >= META_COMPRESS)
		n = compress_pending(w, buf_view(&meta), room, cap);
	if (n)
		w->head.flags |= RECORD_META_ZSTD;
	else
		memcpy(room, meta.p, n = meta.n);
	w->head.meta_plain = (uint32_t)meta.n;
	w->head.meta_n = (uint32_t)(n + RECORD_TAG);
	record_head_encode(&w->head);
	seal(w, room, room, n, FRAME_META);
	buf_added(&w->pending, n + RECORD_TAG);
	return OK;
}

enum err record_end(struct pack_writer *w, struct view events, struct pack_pos *ret_pos,
		    uint64_t *ret_stored)
{
	struct view head;
	enum err err = meta_add(w, events);

	if (!err)
		err = buf_err(&w->pending);
	if (err)
		return err;
	head = view_of(w->head.raw, RECORD_HEADER);
	if (w->record_at >= w->pending_at) {
		memcpy(w->pending.p + (w->record_at - w->pending_at), head.p, head.n);
	} else {
		int fd;

		err = pack_set_fd(w->set, w->pack, &fd);
		if (!err)
			err = file_write_at(fd, head, (off_t)w->record_at);
		if (err) {
			w->failed = w->failed || err != ERR_FULL;
			return err;
		}
	}
	*ret_pos = (struct pack_pos){ w->pack, w->record_at };
	*ret_stored = record_stored(&w->head);
	return OK;
}

enum err record_copy(struct pack_writer *w, struct view octets, struct pack_pos *ret_pos)
{
	*ret_pos = (struct pack_pos){ w->pack, pack_writer_next(w) };
	buf_add(&w->pending, octets);
	if (buf_err(&w->pending))
		return buf_err(&w->pending);
	return w->pending.n >= PENDING_FLUSH ? pack_writer_flush(w) : OK;
}

enum err pack_writer_flush(struct pack_writer *w)
{
	enum err err = buf_err(&w->pending);
	int fd;

	if (err || w->pending.n == 0)
		return err;
	err = pack_set_fd(w->set, w->pack, &fd);
	if (err)
		return ERR_IO;
	w->touched = true;
	err = file_write_at(fd, buf_view(&w->pending), (off_t)w->pending_at);
	if (err) {
		w->failed = w->failed || err != ERR_FULL;
		return err;
	}
	w->pending_at += w->pending.n;
	buf_clear(&w->pending);
	return OK;
}

void pack_writer_commit(struct pack_writer *w)
{
	struct pack *p = pack_set_find(w->set, w->pack);

	ASSERT(w->pending.n == 0 && p);
	w->end = p->size = w->pending_at;
	w->touched = false;
}

enum err pack_writer_abort(struct pack_writer *w, bool durable)
{
	enum err err;
	int fd;

	pack_writer_begin(w);
	if (w->failed)
		return ERR_IO;
	if (!w->touched)
		return OK;
	err = pack_set_fd(w->set, w->pack, &fd);
	if (err)
		return ERR_IO;
	if (calls()->ftruncate(fd, (off_t)w->end) || (durable && calls()->fdatasync(fd))) {
		w->failed = true;
		return ERR_IO;
	}
	w->touched = false;
	if (w->synced > w->end)
		w->synced = w->end;
	return OK;
}

enum err pack_writer_sync(struct pack_writer *w)
{
	enum err err;
	int fd;

	if (w->synced == w->pending_at && w->pending.n == 0)
		return OK;
	err = pack_set_fd(w->set, w->pack, &fd);
	if (!err)
		err = file_sync(fd);
	if (err) {
		w->failed = true;
		return ERR_IO;
	}
	w->synced = w->pending_at;
	return OK;
}
