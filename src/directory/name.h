/*
 * directory/name.h: the one spelling under which a domain or a local part is stored and found.
 *
 * Domains are A-labels in lower case (IDNA2008 with UTS 46, by libidn2), so that "Bücher.example" and
 * "xn--bcher-kva.example" are one.  What begins with "xn--" is compared and routed as it is written and never
 * decoded, so that no second name can come out of it; only a domain that is hosted here, or shown to people,
 * must be the A-label of something (RFC 5890#2.3.2.1).  Local parts compare by their key: full-width forms made narrow,
 * lower case, NFC (the steps of UsernameCaseMapped, RFC 8265#3.3, that matter to mail; half-width kana
 * and bidirectional rules are left out).  Nothing is decoded before the address grammar has been
 * applied (proto/mime/address.h).
 */
#ifndef DIRECTORY_NAME_H
#define DIRECTORY_NAME_H

#include "base/buf.h"
#include "proto/mime/address.h"

enum {
	NAME_KEY_MAX =
		4 * ADDRESS_LOCAL_MAX, /* octets of a local part's key: folding may lengthen it */
	NAME_DOMAIN_SHOWN_MAX = 4 * ADDRESS_DOMAIN_MAX,
};

/* An address of this server or of another, ready to be looked up. */
struct name {
	struct address
		address; /* as written, local part without quoting; its domain is the A-label form */
	char key[NAME_KEY_MAX]; /* of the local part, with any sub-address */
	size_t key_n;
};

/* Append the A-label form.  ERR_SYNTAX, ERR_LIMIT, ERR_NOMEM. */
MUST_USE enum err name_domain(struct view text, struct buf *out);
/* Each label that begins with "xn--" is what its Unicode form is encoded to.  ERR_SYNTAX, ERR_NOMEM.
 * RFC 5891#5.4 */
MUST_USE enum err name_domain_check_idna(struct view a_label);
/* Append the form for people, Unicode where it has one; as it is where name_domain_check_idna fails. */
void name_domain_shown(struct view a_label, struct buf *out);
/* Append the key of a local part.  ERR_SYNTAX for invalid UTF-8 and control characters. */
MUST_USE enum err name_local_key(struct view local, struct buf *out);
/* text: local@domain, quoted where it must be.  ERR_SYNTAX, ERR_LIMIT. */
MUST_USE enum err name_parse(struct view text, struct name *ret);

static inline struct view name_key(const struct name *n)
{
	return view_of(n->key, n->key_n);
}

#endif
