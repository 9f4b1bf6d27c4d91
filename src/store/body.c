/*
 * store/body.c: reading the octets of a message, one frame at a time.
 *
 * Memory is bounded by a frame; the last one stays decrypted, so that reading on costs nothing twice.
 */
#include "store/internal.h"

#define NO_FRAME ((size_t)-1)

struct store_body {
	struct store *s;
	struct record record;
	size_t cached; /* frame in text, or NO_FRAME */
	size_t cached_n;
	char *text;
};

enum err store_body_open(struct store *s, uint64_t blob, struct store_body **ret)
{
	struct store_body *b = (struct store_body *)calloc(1, sizeof(*b));
	struct blob_row row;
	enum err err = b ? store_wake(s) : ERR_NOMEM;

	if (!err)
		err = blob_find(s, blob, &row);
	if (!err) {
		b->s = s;
		b->cached = NO_FRAME;
		err = record_load(&s->reader, row.pos, row.stored, &b->record);
		if (!err && (b->record.head.seq != blob || b->record.size != row.size)) {
			record_done(&b->record);
			err = ERR_CORRUPT;
		}
	}
	if (err) {
		free(b);
		return err;
	}
	*ret = b;
	return OK;
}

void store_body_close(struct store_body **body)
{
	struct store_body *b = *body;

	if (!b)
		return;
	record_done(&b->record);
	free(b->text);
	free(b);
	*body = NULL;
}

uint64_t store_body_size(const struct store_body *b)
{
	return b->record.size;
}

enum err store_body_read(struct store_body *b, uint64_t from, struct view *ret)
{
	size_t frame = (size_t)(from / FRAME_TEXT);
	enum err err;

	if (from >= b->record.size) {
		*ret = VIEW_EMPTY;
		return OK;
	}
	if (b->cached != frame) {
		if (!b->text)
			b->text = (char *)malloc((
				size_t)(b->record.size < FRAME_TEXT ? b->record.size : FRAME_TEXT));
		if (!b->text)
			return ERR_NOMEM;
		b->cached = NO_FRAME;
		err = record_frame(&b->s->reader, &b->record, frame, b->text, &b->cached_n);
		if (err)
			return err;
		b->cached = frame;
	}
	*ret = view_from(view_of(b->text, b->cached_n), (size_t)(from % FRAME_TEXT));
	return OK;
}
