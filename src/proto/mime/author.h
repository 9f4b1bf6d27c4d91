/*
 * proto/mime/author.h: who wrote a message, or that this cannot be said.
 *
 * The strict reading of From for DMARC, submission rights and spam (THREATS 2.6): what two readers
 * could take differently is refused, so that filter, verifier and screen see the same author.
 */
#ifndef PROTO_MIME_AUTHOR_H
#define PROTO_MIME_AUTHOR_H

#include "proto/mime/address_list.h"

/* Not tolerated where the author of a message is established (THREATS 2.6). */
#define ADDRESS_ODD_REFUSED                                                                        \
	(ADDRESS_ODD_JUNK | ADDRESS_ODD_UNENDED | ADDRESS_ODD_ROUTE | ADDRESS_ODD_AFTER_ANGLE |    \
	 ADDRESS_ODD_NO_DOMAIN | ADDRESS_ODD_NO_LOCAL | ADDRESS_ODD_SPACE | ADDRESS_ODD_CONTROL |  \
	 ADDRESS_ODD_SPEC | ADDRESS_ODD_GROUP | ADDRESS_ODD_EMPTY | ADDRESS_ODD_DEPTH |            \
	 ADDRESS_ODD_MANY)

enum {
	MIME_AUTHORS_MAX = 16, /* addresses in one From */
};

struct mime_authors {
	struct address at[MIME_AUTHORS_MAX];
	size_t n;
	unsigned odd; /* enum address_odd: of what is tolerated */
};

/*
 * Who wrote this message: exactly one From field, readable in one way only.  header: a header or a
 * whole message.  options: ADDRESS_UTF8 if 8-bit addresses are acceptable.
 * On an error *ret_why is a static English text ("no From field"), else NULL.
 * ERR_SYNTAX: refuse with 550 5.7.1.
 * ERR_LIMIT: more than MIME_AUTHORS_MAX.
 */
MUST_USE enum err mime_authors_parse(struct view header, unsigned options, struct mime_authors *ret,
				     const char **ret_why);

#endif
