/*
 * spool/record.c: see record.h.
 */
#include "spool/record.h"

#include <xxhash.h>

enum {
	RECORD_SUM_AT = RECORD_HEADER - 8,
	HEADER_VERSION = 2, /* 1: sums by SipHash; was never released */
	HEADER_DISTRUST_AT = 96,
	HEADER_SUM_AT = HEADER_DISTRUST_AT + 16 * SEGMENT_DISTRUST_MAX,
};

static const char record_magic[4] = { 'P', 'h', 'r', '1' };
static const char header_magic[8] = { 'P', 'H', 'S', 'P', 'O', 'O', 'L', '\n' };
/* No secret: only finds damage, as the salt itself stands in the header. */
static const uint8_t header_key[SPOOL_SALT] = { 'p', 'o', 's', 't', 'h', 'o', 'l', 'd' };

static uint64_t sum(const uint8_t salt[SPOOL_SALT], struct view v)
{
	return XXH3_64bits_withSeed(v.p, v.n, num_get64(salt) ^ num_get64(salt + 8));
}

void record_write(char *to, struct record *r, const uint8_t salt[SPOOL_SALT], struct view head,
		  struct view body)
{
	size_t used = RECORD_HEADER + head.n + body.n;
	char *payload = to + RECORD_HEADER;

	if (head.n)
		memcpy(payload, head.p, head.n);
	if (body.n && body.p != payload + head.n)
		memcpy(payload + head.n, body.p, body.n);
	memset(to + used, 0, record_size(head.n, body.n) - used);
	r->head_n = (uint32_t)head.n;
	r->body_n = body.n;
	/* Of the copy: what is summed is what is written, whoever else can see the original. */
	r->head_sum = sum(salt, view_of(payload, head.n));
	r->body_sum = sum(salt, view_of(payload + head.n, body.n));

	memcpy(to, record_magic, sizeof(record_magic));
	to[4] = (char)r->type;
	to[5] = (char)r->flags;
	num_put16(to + 6, 0);
	num_put64(to + 8, r->sequence);
	num_put32(to + 16, r->batch);
	num_put32(to + 20, r->head_n);
	num_put64(to + 24, r->body_n);
	num_put64(to + 32, r->head_sum);
	num_put64(to + 40, r->body_sum);
	num_put64(to + 48, r->offset);
	num_put64(to + RECORD_SUM_AT, sum(salt, view_of(to, RECORD_SUM_AT)));
}

enum err record_read(const char *at, const uint8_t salt[SPOOL_SALT], uint64_t offset,
		     struct record *ret)
{
	struct record r;

	if (!record_maybe(at) ||
	    num_get64(at + RECORD_SUM_AT) != sum(salt, view_of(at, RECORD_SUM_AT)))
		return ERR_CORRUPT;
	r = (struct record){
		.type = (uint8_t)at[4],
		.flags = (uint8_t)at[5],
		.sequence = num_get64(at + 8),
		.batch = num_get32(at + 16),
		.head_n = num_get32(at + 20),
		.body_n = num_get64(at + 24),
		.head_sum = num_get64(at + 32),
		.body_sum = num_get64(at + 40),
		.offset = num_get64(at + 48),
	};
	if (r.offset != offset || r.type == 0 || r.head_n > RECORD_HEAD_MAX ||
	    r.body_n > (uint64_t)INT64_MAX / 2)
		return ERR_CORRUPT;
	*ret = r;
	return OK;
}

enum err record_check(const struct record *r, const uint8_t salt[SPOOL_SALT], struct view head,
		      struct view body)
{
	if (head.n != r->head_n || body.n != r->body_n)
		return ERR_CORRUPT;
	if (sum(salt, head) != r->head_sum || sum(salt, body) != r->body_sum)
		return ERR_CORRUPT;
	return OK;
}

void segment_header_write(char *to, const struct segment_header *h)
{
	memset(to, 0, SPOOL_BLOCK);
	memcpy(to, header_magic, sizeof(header_magic));
	num_put32(to + 8, HEADER_VERSION);
	num_put32(to + 12, SPOOL_BLOCK);
	num_put64(to + 16, h->order);
	num_put64(to + 24, h->oldest);
	num_put64(to + 32, h->next_sequence);
	num_put64(to + 40, (uint64_t)h->wall_ms);
	num_put64(to + 48, h->marks);
	num_put64(to + 56, h->size);
	num_put32(to + 64, h->first_batch);
	num_put32(to + 68, h->distrust_count);
	memcpy(to + 72, h->salt, SPOOL_SALT);
	for (size_t i = 0; i < h->distrust_count; i++) {
		num_put64(to + HEADER_DISTRUST_AT + 16 * i, h->distrust[i].order);
		num_put64(to + HEADER_DISTRUST_AT + 16 * i + 8, h->distrust[i].from);
	}
	num_put64(to + HEADER_SUM_AT, sum(header_key, view_of(to, HEADER_SUM_AT)));
}

enum err segment_header_read(const char *at, struct segment_header *ret)
{
	struct segment_header h;

	if (memcmp(at, header_magic, sizeof(header_magic)) != 0 ||
	    num_get64(at + HEADER_SUM_AT) != sum(header_key, view_of(at, HEADER_SUM_AT)))
		return ERR_CORRUPT;
	if (num_get32(at + 8) != HEADER_VERSION || num_get32(at + 12) != SPOOL_BLOCK)
		return ERR_UNSUPPORTED;
	h = (struct segment_header){
		.order = num_get64(at + 16),
		.oldest = num_get64(at + 24),
		.next_sequence = num_get64(at + 32),
		.wall_ms = (int64_t)num_get64(at + 40),
		.marks = num_get64(at + 48),
		.size = num_get64(at + 56),
		.first_batch = num_get32(at + 64),
		.distrust_count = num_get32(at + 68),
	};
	if (h.distrust_count > SEGMENT_DISTRUST_MAX)
		return ERR_CORRUPT;
	memcpy(h.salt, at + 72, SPOOL_SALT);
	for (size_t i = 0; i < h.distrust_count; i++)
		h.distrust[i] =
			(struct distrust){ num_get64(at + HEADER_DISTRUST_AT + 16 * i),
					   num_get64(at + HEADER_DISTRUST_AT + 16 * i + 8) };
	*ret = h;
	return OK;
}
