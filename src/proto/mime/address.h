/*
 * proto/mime/address.h: one mail address: the strict grammar of the envelope.
 *
 * Path and Mailbox of RFC 5321#4.1.2 with RFC 6531, for MAIL, RCPT, accounts, aliases, and, through
 * address_list.h, for the check of From.  Grammar works on octets: nothing is decoded before it is
 * parsed, encoded words are never looked at here.  struct address owns its bytes and can be copied.
 */
#ifndef PROTO_MIME_ADDRESS_H
#define PROTO_MIME_ADDRESS_H

#include "base/buf.h"

enum {
	ADDRESS_LOCAL_MAX = 64, /* octets as written, RFC 5321#4.5.3.1.1 */
	ADDRESS_DOMAIN_MAX = 255, /* RFC 5321#4.5.3.1.2 */
	ADDRESS_PATH_MAX = 256, /* with < and >, RFC 5321#4.5.3.1.3 */
	ADDRESS_LABEL_MAX = 63, /* of a domain, RFC 1035#2.3.4 */
	ADDRESS_TEXT_MAX =
		2 * ADDRESS_LOCAL_MAX + 3 + ADDRESS_DOMAIN_MAX, /* written, with quoting */
};

/*
 * The local part is kept without quoting: "a b"@x and "a\ b"@x are equal, "ab"@x equals ab@x.
 * The domain is as written, address literals with their brackets; whether a domain is a valid IDNA
 * name is the caller's check.  local_n == 0 && domain_n == 0 is the null path <>; domain_n == 0
 * with a local part is <Postmaster>.
 */
struct address {
	char local[ADDRESS_LOCAL_MAX];
	char domain[ADDRESS_DOMAIN_MAX];
	uint8_t local_n;
	uint8_t domain_n;
	bool literal; /* the domain is an address literal, [192.0.2.1] or [IPv6:...] */
	bool utf8; /* has bytes above 0x7f: needs SMTPUTF8 */
};

enum address_option {
	ADDRESS_UTF8 = 1 << 0, /* allow UTF-8 (SMTPUTF8 was given; RFC 6531#3.3) */
	ADDRESS_NULL = 1 << 1, /* allow <> (MAIL) */
	ADDRESS_POSTMASTER = 1 << 2, /* allow <Postmaster> without domain (RCPT) */
};

/*
 * Mailbox = Local-part "@" ( Domain / address-literal )    RFC 5321#4.1.2
 * The whole text must match.  options: enum address_option.  ERR_SYNTAX; ERR_LIMIT for a length;
 * ERR_UNSUPPORTED when only ADDRESS_UTF8 is missing.
 */
MUST_USE enum err address_parse_mailbox(struct view text, unsigned options, struct address *ret);
/*
 * Path = "<" Mailbox ">" at the start of text; *ret_used is how many bytes it took, the caller
 * parses what follows.  Source routes <@a:b@c> are ERR_SYNTAX.  Errors as for
 * address_parse_mailbox.
 */
MUST_USE enum err address_parse_path(struct view text, unsigned options, struct address *ret,
				     size_t *ret_used);
/* Domain = sub-domain *("." sub-domain)   RFC 5321#4.1.2.  No literal, no trailing dot. */
MUST_USE enum err address_check_domain(struct view text, unsigned options);
/* From parts that are not quoted, as ENVELOPE and configuration give them.  Errors as above. */
MUST_USE enum err address_make(struct view local, struct view domain, unsigned options,
			       struct address *ret);

/* Borrowed from a. */
static inline struct view address_local(const struct address *a)
{
	return view_of(a->local, a->local_n);
}

static inline struct view address_domain(const struct address *a)
{
	return view_of(a->domain, a->domain_n);
}

static inline bool address_is_null(const struct address *a)
{
	return a->local_n == 0 && a->domain_n == 0;
}

/* Must the local part be written as a quoted string? */
bool address_needs_quotes(struct view local);
/* local part, quoted only where it must be. */
void address_add_local(struct buf *out, struct view local);
/* local@domain in its one canonical spelling: quoted only where needed, domain in lower case.
 * Nothing for the null path. */
void address_add(struct buf *out, const struct address *a);
/* Same local part (exact octets) and same domain (ASCII case ignored). */
bool address_equal(const struct address *a, const struct address *b);

#endif
