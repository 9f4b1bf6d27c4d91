/*
 * proto/mime/address.c: the strict grammar of one address.
 *
 * UTF-8 is always parsed and refused at the end if it was not allowed, so that the caller can tell
 * "needs SMTPUTF8" from "makes no sense".
 */
#include "proto/mime/address.h"

#include <arpa/inet.h>

#include "proto/mime/lex.h"
#include "proto/mime/utf8.h"

/* Reads on over text; what was taken goes to the address. */
struct reader {
	struct view text;
	size_t at;
	struct address *address;
};

static int peek(const struct reader *r)
{
	return r->at < r->text.n ? view_at(r->text, r->at) : -1;
}

/*
 * The UTF-8 character at the cursor: its length, or 0 if it is ill-formed or a control.
 * UTF8-non-ascii   RFC 6532#3.1
 */
static size_t wide_char(struct view text, size_t at, uint32_t *ret_point)
{
	bool valid;
	size_t n = mime_utf8_next(text, at, ret_point, &valid);

	return valid && !mime_utf8_is_control(*ret_point) ? n : 0;
}

static enum err add_local(struct reader *r, struct view piece)
{
	struct address *a = r->address;

	if (piece.n > (size_t)ADDRESS_LOCAL_MAX - a->local_n)
		return ERR_LIMIT;
	memcpy(a->local + a->local_n, piece.p, piece.n);
	a->local_n = (uint8_t)(a->local_n + piece.n);
	return OK;
}

/* Dot-string = Atom *("." Atom)   RFC 5321#4.1.2 */
static enum err read_dot_string(struct reader *r)
{
	size_t from = r->at;
	bool atom = false; /* the last character belongs to an atom */
	uint32_t point;

	for (int c = peek(r); c >= 0; c = peek(r)) {
		size_t n = 1;

		if (c == '.') {
			if (!atom)
				return ERR_SYNTAX;
			atom = false;
		} else if (c >= 0x80) {
			n = wide_char(r->text, r->at, &point);
			if (n == 0)
				return ERR_SYNTAX;
			r->address->utf8 = true;
			atom = true;
		} else if (lex_is_atext((uint8_t)c)) {
			atom = true;
		} else {
			break;
		}
		r->at += n;
	}
	if (!atom)
		return ERR_SYNTAX;
	return add_local(r, view_part(r->text, from, r->at - from));
}

/*
 * Quoted-string = DQUOTE *QcontentSMTP DQUOTE   RFC 5321#4.1.2
 * The empty one is refused: nobody has it, and many take it for the null path.
 */
static enum err read_quoted_string(struct reader *r)
{
	size_t from = r->at++;
	uint32_t point;

	for (int c = peek(r); c != '"'; c = peek(r)) {
		size_t n = 1;

		if (c == '\\') {
			r->at++;
			c = peek(r);
			if (c < 0x20 || c > 0x7e)
				return ERR_SYNTAX;
		} else if (c >= 0x80) {
			n = wide_char(r->text, r->at, &point);
			if (n == 0)
				return ERR_SYNTAX;
			r->address->utf8 = true;
		} else if (c < 0x20 || c > 0x7e) {
			return ERR_SYNTAX; /* the end of text too */
		}

		enum err err = add_local(r, view_part(r->text, r->at, n));

		if (err)
			return err;
		r->at += n;
	}
	r->at++;
	if (r->address->local_n == 0)
		return ERR_SYNTAX;
	return r->at - from > ADDRESS_LOCAL_MAX ? ERR_LIMIT : OK;
}

/* sub-domain = Let-dig [Ldh-str] / U-label   RFC 5321#4.1.2, RFC 6531#3.3 */
static enum err read_label(struct reader *r)
{
	size_t from = r->at;
	bool wide = false;
	uint32_t point;

	for (int c = peek(r); c >= 0; c = peek(r)) {
		size_t n = 1;

		if (c >= 0x80) {
			n = wide_char(r->text, r->at, &point);
			if (n == 0 || mime_utf8_hides_ascii(point))
				return ERR_SYNTAX;
			wide = true;
		} else if (!ascii_is_alnum((uint8_t)c) && c != '-') {
			break;
		}
		r->at += n;
	}

	struct view label = view_part(r->text, from, r->at - from);

	if (label.n == 0 || label.p[0] == '-' || label.p[label.n - 1] == '-')
		return ERR_SYNTAX;
	/* The length of a U-label is known only as A-label: the caller's check. */
	if (!wide && label.n > ADDRESS_LABEL_MAX)
		return ERR_LIMIT;
	r->address->utf8 |= wide;
	return OK;
}

static enum err keep_domain(struct reader *r, size_t from)
{
	struct view domain = view_part(r->text, from, r->at - from);

	if (domain.n > ADDRESS_DOMAIN_MAX)
		return ERR_LIMIT;
	memcpy(r->address->domain, domain.p, domain.n);
	r->address->domain_n = (uint8_t)domain.n;
	return OK;
}

/* Domain = sub-domain *("." sub-domain)   RFC 5321#4.1.2 */
static enum err read_domain(struct reader *r)
{
	size_t from = r->at;
	enum err err = read_label(r);

	while (!err && peek(r) == '.') {
		r->at++;
		err = read_label(r);
	}
	return err ? err : keep_domain(r, from);
}

/* address-literal = "[" ( IPv4-address-literal / "IPv6:" IPv6-addr ) "]"   RFC 5321#4.1.3 */
static enum err read_literal(struct reader *r)
{
	size_t from = r->at;
	size_t n = view_find_char(view_from(r->text, from), ']');
	char room[INET6_ADDRSTRLEN + 1] = "";
	struct in6_addr ip;
	int family = AF_INET;

	if (n == VIEW_NONE)
		return ERR_SYNTAX;

	struct view ip_text = view_part(r->text, from + 1, n - 1);

	if (view_starts_nocase(ip_text, VIEW("IPv6:"))) {
		family = AF_INET6;
		ip_text = view_from(ip_text, strlen("IPv6:"));
	}
	if (ip_text.n >= sizeof(room) || view_has(ip_text, '\0'))
		return ERR_SYNTAX;
	memcpy(room, ip_text.p, ip_text.n);
	if (inet_pton(family, room, &ip) != 1)
		return ERR_SYNTAX;
	r->at = from + n + 1;
	r->address->literal = true;
	return keep_domain(r, from);
}

/* Mailbox = Local-part "@" ( Domain / address-literal )   RFC 5321#4.1.2 */
static enum err read_mailbox(struct reader *r, unsigned options)
{
	size_t from = r->at;
	enum err err = peek(r) == '"' ? read_quoted_string(r) : read_dot_string(r);

	if (err)
		return err;
	if ((options & ADDRESS_POSTMASTER) && peek(r) != '@' &&
	    view_eq_nocase(view_part(r->text, from, r->at - from), VIEW("postmaster")))
		return OK;
	if (peek(r) != '@')
		return ERR_SYNTAX;
	r->at++;
	err = peek(r) == '[' ? read_literal(r) : read_domain(r);
	if (err)
		return err;
	return r->at - from > ADDRESS_PATH_MAX - 2 ? ERR_LIMIT : OK;
}

static enum err check_utf8(const struct address *a, unsigned options)
{
	return a->utf8 && !(options & ADDRESS_UTF8) ? ERR_UNSUPPORTED : OK;
}

enum err address_parse_mailbox(struct view text, unsigned options, struct address *ret)
{
	struct address address = { .local_n = 0 };
	struct reader r = { .text = text, .address = &address };
	enum err err = read_mailbox(&r, options);

	if (!err && r.at != text.n)
		err = ERR_SYNTAX;
	if (!err)
		err = check_utf8(&address, options);
	if (!err)
		*ret = address;
	return err;
}

enum err address_parse_path(struct view text, unsigned options, struct address *ret,
			    size_t *ret_used)
{
	struct address address = { .local_n = 0 };
	struct reader r = { .text = text, .address = &address };
	enum err err = OK;

	if (peek(&r) != '<')
		return ERR_SYNTAX;
	r.at++;
	if (!(options & ADDRESS_NULL) || peek(&r) != '>')
		err = read_mailbox(&r, options);
	if (!err && peek(&r) != '>')
		err = ERR_SYNTAX;
	if (!err)
		err = check_utf8(&address, options);
	if (err)
		return err;
	*ret = address;
	*ret_used = r.at + 1;
	return OK;
}

enum err address_check_domain(struct view text, unsigned options)
{
	struct address address = { .local_n = 0 };
	struct reader r = { .text = text, .address = &address };
	enum err err = read_domain(&r);

	if (!err && r.at != text.n)
		err = ERR_SYNTAX;
	return err ? err : check_utf8(&address, options);
}

enum err address_make(struct view local, struct view domain, unsigned options, struct address *ret)
{
	char room[2 * ADDRESS_LOCAL_MAX + 2 + 1 + ADDRESS_DOMAIN_MAX];
	size_t n = 0;
	bool quotes = address_needs_quotes(local);

	if (local.n > ADDRESS_LOCAL_MAX || domain.n > ADDRESS_DOMAIN_MAX)
		return ERR_LIMIT;
	if (quotes)
		room[n++] = '"';
	for (size_t i = 0; i < local.n; i++) {
		if (local.p[i] == '"' || local.p[i] == '\\')
			room[n++] = '\\';
		room[n++] = local.p[i];
	}
	if (quotes)
		room[n++] = '"';
	room[n++] = '@';
	if (domain.n)
		memcpy(room + n, domain.p, domain.n);
	return address_parse_mailbox(view_of(room, n + domain.n), options & ADDRESS_UTF8, ret);
}

bool address_needs_quotes(struct view local)
{
	bool atom = false;

	for (size_t i = 0; i < local.n; i++) {
		uint8_t c = view_at(local, i);

		if (c == '.' ? !atom : !(lex_is_atext(c) || c >= 0x80))
			return true;
		atom = c != '.';
	}
	return !atom;
}

void address_add_local(struct buf *out, struct view local)
{
	if (!address_needs_quotes(local)) {
		buf_add(out, local);
		return;
	}
	buf_add_char(out, '"');
	for (size_t i = 0; i < local.n; i++) {
		if (local.p[i] == '"' || local.p[i] == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, local.p[i]);
	}
	buf_add_char(out, '"');
}

void address_add(struct buf *out, const struct address *a)
{
	if (address_is_null(a))
		return;
	address_add_local(out, address_local(a));
	if (a->domain_n) {
		buf_add_char(out, '@');
		buf_add_lower(out, address_domain(a));
	}
}

bool address_equal(const struct address *a, const struct address *b)
{
	return view_eq(address_local(a), address_local(b)) &&
	       view_eq_nocase(address_domain(a), address_domain(b));
}
