/*
 * store/pack.h: packs, the append-only files that are both the log of the account and its messages.
 *
 * pack   = header record*
 * record = header(64, clear, checksum) frame* meta
 *
 * A frame is at most 128 KiB of a message, compressed where that helps and sealed; the meta is a sealed
 * list of the frames' lengths and of events.  Each record has its own key, derived from the pack key of
 * the account and generation, the record's sequence and a salt that is new with every opening, so that
 * no (key, nonce) pair repeats even where a torn tail was cut and its sequence numbers come again.  Sequence,
 * frame number and header are bound: frames and records cannot be swapped, cut or replayed.
 *
 * Two kinds of pack: LOG packs in order of their numbers are the log, with ascending sequences; COPY
 * packs are made by compaction and hold old records for their octets only.  A LOG pack whose first_seq
 * is not above what went before voids the records from first_seq on in earlier packs: that is how
 * a pack whose sync failed is abandoned.
 *
 * XChaCha20-Poly1305 always: AES-256-GCM is 1.3 times as fast here, but libsodium has it only where the
 * processor does, and an account's folder must open on any machine.
 */
#ifndef STORE_PACK_H
#define STORE_PACK_H

#include "base/buf.h"
#include "base/vec.h"
#include "store/keys.h"

enum {
	PACK_HEADER = 64,
	RECORD_HEADER = 64,
	RECORD_SALT = 16,
	RECORD_TAG = 16,
	FRAME_TEXT = 128 * 1024, /* octets of message in one frame */
	FRAME_STORED_MAX = FRAME_TEXT + RECORD_TAG,
	META_MAX = 64 * 1024 * 1024, /* plain octets of one meta */
	META_FLAG_ROOM = 128, /* per record beside its events */
	PACK_MAX = 1000000, /* packs of an account */
	PACK_OPEN_MAX = 8, /* descriptors kept open for reading */
};

enum pack_kind { PACK_LOG = 1, PACK_COPY = 2 };

enum record_type {
	RECORD_EVENTS = 1, /* an operation, perhaps with a message */
	RECORD_SNAPSHOT = 2, /* part of a full state */
	RECORD_SNAPSHOT_END = 3, /* it is complete: everything before it is only octets */
	RECORD_CLOSE = 4, /* the log was closed in order here */
};

enum {
	RECORD_MORE = 1 << 0, /* belongs to one operation with the next record */
	RECORD_META_ZSTD = 1 << 1, /* the meta is compressed */
};

struct pack_pos {
	uint32_t pack;
	uint64_t off;
};

struct pack {
	uint32_t number;
	enum pack_kind kind;
	uint64_t first_seq;
	uint64_t cut_seq; /* records with this sequence or higher are void; UINT64_MAX: none */
	uint64_t size; /* octets when it was listed or last written */
	bool hidden; /* not published: its file has a name that nobody reads */
	int fd; /* -1 when not open */
	uint64_t used; /* for closing the one least recently used */
};

/* Every pack of the account, ascending. */
struct pack_set {
	int dir;
	const struct key_ring *keys;
	VEC(struct pack) packs;
	uint64_t clock;
	size_t refused; /* packs whose header is damaged: their records are not seen */
};

void pack_set_init(struct pack_set *set, int dir, const struct key_ring *keys);
void pack_set_done(struct pack_set *set);
/* Read the folder and every header.  Packs whose header is damaged are told to damaged (may be NULL)
 * and left out.  ERR_CRYPTO when a header names a key generation that is missing. */
MUST_USE enum err pack_set_load(struct pack_set *set, void (*damaged)(void *ctx, uint32_t number),
				void *ctx);
/* Borrowed until the set changes; NULL if there is none. */
struct pack *pack_set_find(struct pack_set *set, uint32_t number);
/* Highest number in use, 0 if none. */
uint32_t pack_set_last(const struct pack_set *set);
/* A descriptor of that pack, owned by the set, valid until the next call. */
MUST_USE enum err pack_set_fd(struct pack_set *set, uint32_t number, int *ret);
/* Create a pack durably: file, header, folder.  hidden: under a name that is not a pack's, until
 * pack_set_publish renames it; so that a crash leaves no half of it. */
MUST_USE enum err pack_set_create(struct pack_set *set, enum pack_kind kind, uint64_t first_seq,
				  bool hidden, uint32_t *ret_number);
MUST_USE enum err pack_set_publish(struct pack_set *set, uint32_t number);
/* Remove the file (the folder is not synced) and forget it. */
MUST_USE enum err pack_set_remove(struct pack_set *set, uint32_t number);
/* Octets of all packs. */
uint64_t pack_set_bytes(const struct pack_set *set);
/* Close descriptors that can be opened again. */
void pack_set_trim(struct pack_set *set);

struct record_head {
	enum record_type type;
	unsigned flags;
	uint64_t seq;
	uint32_t generation;
	uint32_t meta_n; /* stored octets of the meta */
	uint32_t meta_plain; /* after decompression */
	uint64_t body_n; /* stored octets of all frames */
	uint8_t salt[RECORD_SALT];
	uint8_t raw[RECORD_HEADER]; /* as stored: bound into the meta */
};

/* Octets of the whole record in the pack. */
static inline uint64_t record_stored(const struct record_head *head)
{
	return RECORD_HEADER + head->body_n + head->meta_n;
}

void record_head_encode(struct record_head *head);
/* ERR_CORRUPT unless the checksum is right and the numbers make sense. */
MUST_USE enum err record_head_decode(const uint8_t raw[RECORD_HEADER], struct record_head *ret);
void record_key(const struct key_pair *pair, const struct record_head *head,
		uint8_t key[STORE_KEY_LEN]);
/* Nonce and additional data of frame number frame of a record; the meta has UINT64_MAX. */
enum { RECORD_NONCE = 24, FRAME_AAD = 16 };
void frame_nonce(uint64_t frame, uint8_t nonce[RECORD_NONCE]);
void frame_aad(uint64_t seq, uint64_t frame, uint8_t aad[FRAME_AAD]);
#define FRAME_META UINT64_MAX

#endif
