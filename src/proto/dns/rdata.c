/*
 * proto/dns/rdata.c: see rdata.h.
 */
#include "proto/dns/rdata.h"

#include "proto/dns/name.h"

static enum err add_name(struct view rdata, struct buf *out)
{
	char room[DNS_NAME_ROOM];
	struct view name;
	size_t used;
	enum err err = dns_name_from_wire(rdata, room, &name, &used);

	if (!err && used != rdata.n)
		err = ERR_SYNTAX;
	if (!err)
		buf_add(out, name);
	return err;
}

/* PREFERENCE EXCHANGE   RFC 1035#3.3.9 */
static enum err add_mx(struct view rdata, struct buf *out, uint16_t *ret_preference)
{
	if (rdata.n < 3)
		return ERR_SYNTAX;

	enum err err = add_name(view_from(rdata, 2), out);

	if (!err)
		*ret_preference = (uint16_t)(view_at(rdata, 0) << 8 | view_at(rdata, 1));
	return err;
}

/* One or more character-strings, joined without anything between.   RFC 1035#3.3.14 */
static enum err add_txt(struct view rdata, struct buf *out)
{
	if (!rdata.n)
		return ERR_SYNTAX;
	while (rdata.n) {
		struct view string = view_part(rdata, 1, view_at(rdata, 0));

		if (string.n != view_at(rdata, 0))
			return ERR_SYNTAX;
		buf_add(out, string);
		rdata = view_from(rdata, 1 + string.n);
	}
	return OK;
}

static enum err add_fixed(struct view rdata, size_t n, struct buf *out)
{
	if (rdata.n != n)
		return ERR_SYNTAX;
	buf_add(out, rdata);
	return OK;
}

enum err dns_rdata_decode(unsigned type, struct view rdata, struct buf *out, struct dns_record *ret)
{
	size_t from = out->n;
	uint16_t preference = 0;
	enum err err = OK;

	switch (type) {
	case DNS_TYPE_A: err = add_fixed(rdata, 4, out); break;
	case DNS_TYPE_AAAA: err = add_fixed(rdata, 16, out); break;
	case DNS_TYPE_CNAME:
	case DNS_TYPE_PTR: err = add_name(rdata, out); break;
	case DNS_TYPE_MX: err = add_mx(rdata, out, &preference); break;
	case DNS_TYPE_TXT: err = add_txt(rdata, out); break;
	default: buf_add(out, rdata);
	}
	if (!err)
		err = buf_err(out);
	if (err) {
		if (out->n > from)
			buf_truncate(out, from);
		return err;
	}
	*ret = (struct dns_record){ preference, view_from(buf_view(out), from) };
	return OK;
}
