/*
 * store/record_scan.c: see record.h.  Walking through a pack, around damage.
 */
#include "base/num.h"
#include "store/record.h"
#include "sys/calls.h"
#include "sys/file.h"

enum { SEARCH_CHUNK = 64 * 1024 };

struct scan {
	struct record_reader *reader;
	const struct pack *pack;
	enum scan_depth depth;
	uint64_t size;
	uint64_t last_seq;
	bool cut; /* a void record was met: nothing more here */
};

/* Is there a record at off?  ERR_CORRUPT if not. */
static enum err scan_load(struct scan *s, uint64_t off, struct record *ret)
{
	struct pack_pos pos = { s->pack->number, off };
	enum err err;

	if (off + RECORD_HEADER > s->size)
		return ERR_CORRUPT;
	err = record_load(s->reader, pos, 0, ret);
	if (err)
		return err;
	if (off + record_stored(&ret->head) > s->size ||
	    (s->pack->kind == PACK_LOG && ret->head.seq <= s->last_seq))
		err = ERR_CORRUPT;
	else if (ret->head.seq >= s->pack->cut_seq)
		s->cut = true;
	else if (s->depth == SCAN_FRAMES)
		err = record_verify(s->reader, ret);
	if (err)
		record_done(ret);
	return err;
}

/* Position of the next header with a right checksum at or behind off; size if there is none. */
static enum err search(struct scan *s, uint64_t off, uint64_t *ret)
{
	uint8_t chunk[SEARCH_CHUNK];
	struct record_head head;
	int fd;
	enum err err = pack_set_fd(s->reader->set, s->pack->number, &fd);

	while (!err && off + RECORD_HEADER <= s->size) {
		size_t n = (size_t)(s->size - off < SEARCH_CHUNK ? s->size - off : SEARCH_CHUNK);

		err = file_read_at(fd, chunk, n, (off_t)off);
		if (err)
			break;
		for (size_t i = 0; i + RECORD_HEADER <= n; i++) {
			if (chunk[i] == 'P' && !record_head_decode(chunk + i, &head)) {
				*ret = off + i;
				return OK;
			}
		}
		off += n - (RECORD_HEADER - 1);
	}
	*ret = s->size;
	return err;
}

/* The next valid record at or behind *off.  ERR_EOF when there is none. */
static enum err scan_find(struct scan *s, uint64_t *off, struct record *ret)
{
	uint64_t at = *off;

	for (;;) {
		enum err err;

		if (at + RECORD_HEADER > s->size)
			return ERR_EOF;
		err = scan_load(s, at, ret);
		if (err != ERR_CORRUPT && err != ERR_CRYPTO) {
			*off = at;
			return err;
		}
		err = search(s, at + 1, &at);
		if (err)
			return err;
	}
}

static enum err scan_run(struct scan *s, uint64_t off, const struct scan_calls *call,
			 uint64_t *ret_end)
{
	for (;;) {
		struct record r;
		uint64_t at = off;
		enum err err = scan_find(s, &at, &r);

		if (err && err != ERR_EOF)
			return err;
		if (err == ERR_EOF) {
			if (off < s->size && call->damage)
				call->damage(call->ctx, s->pack->number, off, s->size, true);
			*ret_end = off;
			return OK;
		}
		if (at > off && call->damage)
			call->damage(call->ctx, s->pack->number, off, at, false);
		if (!s->cut) {
			s->last_seq = r.head.seq;
			off = at + record_stored(&r.head);
			err = call->record(call->ctx, &r);
		}
		record_done(&r);
		if (err || s->cut) {
			*ret_end = off;
			return err;
		}
	}
}

enum err pack_scan(struct record_reader *reader, uint32_t number, uint64_t off,
		   enum scan_depth depth, const struct scan_calls *call, uint64_t *last_seq,
		   uint64_t *ret_end)
{
	struct pack *pack = pack_set_find(reader->set, number);
	struct scan s = { reader, pack, depth, 0, *last_seq, false };
	struct stat st;
	int fd;
	enum err err = pack ? pack_set_fd(reader->set, number, &fd) : ERR_NOTFOUND;

	if (err)
		return err;
	if (calls()->fstat(fd, &st))
		return ERR_IO;
	s.size = (uint64_t)st.st_size;
	err = scan_run(&s, off ? off : PACK_HEADER, call, ret_end);
	*last_seq = s.last_seq;
	return err;
}
