/*
 * proto/mime/author.c: the strict reading of From, for DMARC, submission rights and spam.
 *
 * What two readers could take differently is refused (THREATS 2.6), so that filter, verifier and
 * screen see the same author.  The interface is in address_list.h.
 */
#include "proto/mime/address_list.h"

#include "proto/mime/header.h"
#include "proto/mime/lex.h"

enum {
	AUTHOR_ARENA_MAX = 4 * 1024 * 1024, /* one list of ADDRESS_LIST_TEXT_MAX bytes */
};

/* Words for what ADDRESS_ODD_REFUSED holds, in the order in which they are told. */
static const struct {
	unsigned odd;
	const char *why;
} REASONS[] = {
	{ ADDRESS_ODD_MANY, "too many addresses in From" },
	{ ADDRESS_ODD_UNENDED, "unterminated quoted string, comment or bracket in From" },
	{ ADDRESS_ODD_DEPTH, "comments nested too deeply in From" },
	{ ADDRESS_ODD_ROUTE, "source route in From" },
	{ ADDRESS_ODD_AFTER_ANGLE, "text behind the address in From" },
	{ ADDRESS_ODD_GROUP, "group in From" },
	{ ADDRESS_ODD_CONTROL, "control character in an address in From" },
	{ ADDRESS_ODD_NO_DOMAIN, "address without domain in From" },
	{ ADDRESS_ODD_NO_LOCAL, "address without local part in From" },
	{ ADDRESS_ODD_SPACE, "blanks within an address in From" },
	{ ADDRESS_ODD_EMPTY, "empty address in From" },
	{ ADDRESS_ODD_SPEC, "invalid address in From" },
};

/*
 * The line that ended the header is no field.  Would a more generous reader, one that joins it
 * with the next line or cuts the name at a blank, see a From in it?
 */
static bool junk_hides_from(struct view rest, unsigned flags)
{
	if (!(flags & MIME_HEADER_JUNK))
		return false;
	if (flags & MIME_HEADER_FOLD_FIRST)
		return true;
	return view_starts_nocase(rest, VIEW("from")) &&
	       (rest.n == 4 || !lex_is_token(view_at(rest, 4)));
}

/* The one From field of header. */
static const char *find_from(struct view header, struct view *ret)
{
	struct mime_header_iter it = mime_header_iter_init(header);
	struct mime_field field;
	size_t n = 0;

	while (mime_header_next(&it, &field)) {
		if (!view_eq_nocase(field.name, VIEW("from")))
			continue;
		if (++n > 1)
			return "more than one From field";
		if (field.raw.p[field.name.n] != ':')
			return "blank before the colon of From";
		*ret = field.value;
	}
	if (junk_hides_from(view_from(header, it.at), it.flags))
		return "malformed From field";
	return n ? NULL : "no From field";
}

static const char *reason_of(const struct address_list *list, unsigned options)
{
	for (size_t i = 0; i < ARRAY_LEN(REASONS); i++)
		if (list->odd & REASONS[i].odd)
			return REASONS[i].why;
	if (list->odd & ADDRESS_ODD_REFUSED)
		return "unreadable From";
	if ((list->odd & ADDRESS_ODD_8BIT) && !(options & ADDRESS_UTF8))
		return "8-bit address in From without SMTPUTF8";
	return list->n ? NULL : "no address in From";
}

static enum err take_authors(const struct address_list *list, unsigned options,
			     struct mime_authors *ret, const char **ret_why)
{
	struct mime_authors authors = { .odd = list->odd };

	if (list->n > MIME_AUTHORS_MAX) {
		*ret_why = "too many addresses in From";
		return ERR_LIMIT;
	}
	for (size_t i = 0; i < list->n; i++) {
		if (address_of_entry(&list->at[i], options, &authors.at[i])) {
			*ret_why = "invalid address in From";
			return ERR_SYNTAX;
		}
		authors.n++;
	}
	*ret = authors;
	return OK;
}

enum err mime_authors_parse(struct view header, unsigned options, struct mime_authors *ret,
			    const char **ret_why)
{
	struct view value = VIEW_EMPTY;
	struct address_list list;
	struct arena arena;
	enum err err;

	*ret_why = find_from(header, &value);
	if (*ret_why)
		return ERR_SYNTAX;
	arena_init(&arena, AUTHOR_ARENA_MAX);
	err = address_list_parse(&arena, value, &list);
	if (!err) {
		*ret_why = reason_of(&list, options);
		err = *ret_why ? ERR_SYNTAX : take_authors(&list, options, ret, ret_why);
	} else {
		*ret_why = "From cannot be read";
	}
	arena_done(&arena);
	return err;
}
