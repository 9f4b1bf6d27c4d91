/*
 * proto/dns/name.c: see name.h.
 */
#include "proto/dns/name.h"

#include "base/ascii.h"

/* A letter-digit-hyphen label, or one with underscores (_dmarc, _25._tcp).   RFC 5890#2.3.1 */
static enum err label_check(struct view label)
{
	if (!label.n)
		return ERR_SYNTAX;
	if (label.n > DNS_LABEL_MAX)
		return ERR_LIMIT;
	if (view_at(label, 0) == '-' || view_at(label, label.n - 1) == '-')
		return ERR_SYNTAX;
	for (size_t i = 0; i < label.n; i++) {
		uint8_t c = view_at(label, i);

		if (!ascii_is_alnum(c) && c != '-' && c != '_')
			return ERR_SYNTAX;
	}
	return OK;
}

static void copy_lower(char *to, struct view from)
{
	for (size_t i = 0; i < from.n; i++)
		to[i] = (char)ascii_lower(view_at(from, i));
}

enum err dns_name_normalize(struct view text, char room[DNS_NAME_ROOM], struct view *ret)
{
	struct view rest = text;

	if (rest.n && view_at(rest, rest.n - 1) == '.')
		rest.n--;
	if (rest.n > DNS_NAME_MAX)
		return ERR_LIMIT;

	struct view name = rest;

	do {
		struct view label;

		rest = view_cut(rest, '.', &label);

		enum err err = label_check(label);

		if (err)
			return err;
	} while (rest.p);
	copy_lower(room, name);
	*ret = view_of(room, name.n);
	return OK;
}

enum err dns_name_from_wire(struct view wire, char room[DNS_NAME_ROOM], struct view *ret,
			    size_t *ret_used)
{
	size_t at = 0;
	size_t n = 0;

	while (at < wire.n && view_at(wire, at)) {
		struct view label = view_part(wire, at + 1, view_at(wire, at));

		if (label.n != view_at(wire, at))
			return ERR_SYNTAX; /* past the end, or compressed */

		enum err err = label_check(label);

		if (err)
			return err;
		if (n + (n > 0) + label.n > DNS_NAME_MAX)
			return ERR_LIMIT;
		if (n)
			room[n++] = '.';
		copy_lower(room + n, label);
		n += label.n;
		at += 1 + label.n;
	}
	if (at >= wire.n)
		return ERR_SYNTAX;
	*ret = view_of(room, n);
	*ret_used = at + 1;
	return OK;
}
