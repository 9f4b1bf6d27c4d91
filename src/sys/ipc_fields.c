/*
 * sys/ipc_fields.c: the fields of messages, read and written for generated code: see ipc.h.
 */
#include "base/num.h"
#include "sys/ipc.h"

uint64_t ipc_read_uint(struct ipc_reader *r, size_t octets)
{
	uint64_t v = 0;

	if (r->err || r->body.n - r->at < octets) {
		r->err = r->err ? r->err : ERR_SYNTAX;
		return 0;
	}
	for (size_t i = 0; i < octets; i++)
		v |= (uint64_t)view_at(r->body, r->at + i) << (8 * i);
	r->at += octets;
	return v;
}

struct view ipc_read_bytes(struct ipc_reader *r, size_t max)
{
	size_t n = (size_t)ipc_read_uint(r, max > UINT16_MAX ? 4 : 2);
	struct view v;

	if (!r->err && n > max)
		r->err = ERR_LIMIT;
	if (!r->err && r->body.n - r->at < n)
		r->err = ERR_SYNTAX;
	if (r->err)
		return VIEW_EMPTY;
	v = view_part(r->body, r->at, n);
	r->at += n;
	return v;
}

void ipc_write_uint(struct buf *b, uint64_t v, size_t octets)
{
	char room[8];

	num_put64(room, v);
	buf_add(b, view_of(room, octets));
}

void ipc_write_bytes(struct buf *b, struct view v, size_t max)
{
	if (v.n > max) {
		b->err = b->err ? b->err : ERR_LIMIT;
		return;
	}
	ipc_write_uint(b, v.n, max > UINT16_MAX ? 4 : 2);
	buf_add(b, v);
}
