/*
 * proto/mime/address_list.h: the address lists of header fields (From, To, Cc, ...).
 *
 * One parser for ENVELOPE, DMARC, Sieve, spam and webmail.  address-list of RFC 5322#3.4 with the
 * obsolete forms of 4.4: groups, comments, routes, folding.  The tolerant reader always yields the
 * best structure and notes what was odd; the strict check for authors refuses what two readers
 * could take differently.  Encoded words are not decoded here.  Linear time, no recursion.
 */
#ifndef PROTO_MIME_ADDRESS_LIST_H
#define PROTO_MIME_ADDRESS_LIST_H

#include "base/arena.h"
#include "base/vec.h"
#include "proto/mime/address.h"

enum {
	ADDRESS_LIST_MAX = 10000, /* entries of one field, group marks included; rest ignored */
	ADDRESS_COMMENT_DEPTH_MAX = 32, /* nested comments; deeper ones are junk */
	ADDRESS_LIST_TEXT_MAX = 1024 * 1024, /* bytes of a field that are looked at */
};

/* What was odd in an address list: bits, of one entry and of the list. */
enum address_odd {
	ADDRESS_ODD_JUNK = 1 << 0, /* unreadable text was skipped or taken as a name */
	ADDRESS_ODD_UNENDED = 1 << 1, /* quoted string, comment, <, [ or group without its end */
	ADDRESS_ODD_ROUTE = 1 << 2, /* obsolete source route <@a:b@c> */
	ADDRESS_ODD_AFTER_ANGLE = 1 << 3, /* text between > and the comma */
	ADDRESS_ODD_NO_DOMAIN = 1 << 4, /* a local part or a word alone */
	ADDRESS_ODD_NO_LOCAL = 1 << 5, /* <>, or nothing before the @ */
	ADDRESS_ODD_SPACE = 1 << 6, /* blanks or comments inside the addr-spec */
	ADDRESS_ODD_8BIT = 1 << 7, /* bytes above 0x7f in the addr-spec */
	ADDRESS_ODD_CONTROL = 1 << 8, /* NUL, DEL or another control character */
	ADDRESS_ODD_SPEC = 1 << 9, /* addr-spec outside the grammar of the envelope */
	ADDRESS_ODD_GROUP = 1 << 10, /* a group */
	ADDRESS_ODD_EMPTY = 1 << 11, /* an empty entry between commas */
	ADDRESS_ODD_DEPTH = 1 << 12, /* comments nested too deeply */
	ADDRESS_ODD_MANY = 1 << 13, /* past ADDRESS_LIST_MAX or ADDRESS_LIST_TEXT_MAX */
	ADDRESS_ODD_NAME_ADDRESS =
		1 << 14, /* the display name contains an @: a warning for readers */
	ADDRESS_ODD_COMMENT = 1 << 15, /* a comment stands somewhere */
};

enum address_kind {
	ADDRESS_MAILBOX,
	ADDRESS_GROUP_START, /* name is the group's */
	ADDRESS_GROUP_END,
};

struct address_entry {
	enum address_kind kind;
	unsigned odd; /* enum address_odd */
	struct view name; /* display name without quoting, single blanks between words; if there is
				none, the last comment; p == NULL if neither */
	struct view route; /* "@a,@b" without the colon; p == NULL if none */
	struct view mailbox; /* local part without quoting; p == NULL if none */
	struct view host; /* domain as written, comments and blanks removed; p == NULL if none */
	bool name_quoted; /* the name is one quoted string: encoded words in it are not words */
	bool local_quoted; /* the local part was written as a quoted string */
};

struct address_list {
	const struct address_entry *at;
	size_t n;
	size_t mailboxes; /* entries of kind ADDRESS_MAILBOX */
	unsigned odd; /* all of the entries together, and of the space between */
};

/* value: raw value of a field, folding included.  Views lie in value or in a.  ERR_NOMEM only. */
MUST_USE enum err address_list_parse(struct arena *a, struct view value, struct address_list *ret);

/*
 * Several fields of one name as one list: begin, feed each value in turn, end.  ADDRESS_LIST_MAX
 * and ADDRESS_LIST_TEXT_MAX hold for all of them together.  All values and the arena must live as
 * long as the list.  After feed has failed only drop is left.
 */
struct address_list_builder {
	VEC(struct address_entry) entries;
	struct arena *a;
	struct buf scratch;
	size_t text_left;
	size_t mailboxes;
	unsigned odd;
};

void address_list_begin(struct address_list_builder *b, struct arena *a);
MUST_USE enum err address_list_feed(struct address_list_builder *b, struct view value);
/* Gives the list, frees the builder (also on failure). */
MUST_USE enum err address_list_end(struct address_list_builder *b, struct address_list *ret);
/* Frees the builder without a list. */
void address_list_drop(struct address_list_builder *b);

/* What strict readers do not tolerate: others could read it differently (THREATS 2.6). */
#define ADDRESS_ODD_REFUSED                                                                        \
	(ADDRESS_ODD_JUNK | ADDRESS_ODD_UNENDED | ADDRESS_ODD_ROUTE | ADDRESS_ODD_AFTER_ANGLE |    \
	 ADDRESS_ODD_NO_DOMAIN | ADDRESS_ODD_NO_LOCAL | ADDRESS_ODD_SPACE | ADDRESS_ODD_CONTROL |  \
	 ADDRESS_ODD_SPEC | ADDRESS_ODD_GROUP | ADDRESS_ODD_EMPTY | ADDRESS_ODD_DEPTH |            \
	 ADDRESS_ODD_MANY)

/* The entry as an envelope address.  options as in address.h. */
MUST_USE enum err address_of_entry(const struct address_entry *e, unsigned options,
				   struct address *ret);

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
