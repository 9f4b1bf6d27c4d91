/*
 * proto/imap/parser.h: what the files of the parser share: one cursor, one arena, and the arguments that
 * many commands have.
 *
 * Private to proto/imap.  The cursor remembers the first error; imap_parser_fail also remembers what to
 * tell the client.
 */
#ifndef PROTO_IMAP_PARSER_H
#define PROTO_IMAP_PARSER_H

#include "proto/imap/command.h"

struct imap_parser {
	struct cursor c;
	struct arena *a;
	struct imap_parse_mode mode;
	const char *problem; /* NULL: a plain syntax error */
};

/* Classes of octets, bits of imap_class. */
enum {
	IMAP_IS_ATOM = 1 << 0, /* ATOM-CHAR */
	IMAP_IS_ASTRING = 1 << 1, /* ASTRING-CHAR: also "]" */
	IMAP_IS_LIST = 1 << 2, /* list-char: also wildcards */
	IMAP_IS_TAG = 1 << 3, /* ASTRING-CHAR without "+" */
};
extern const uint8_t imap_class[256];

void imap_parser_fail(struct imap_parser *p, enum err err, const char *problem);

/* The longest run of octets of a class; ERR_SYNTAX if empty. */
struct view imap_word(struct imap_parser *p, uint8_t class);
/* The next word of letters, digits, '.', '=', '-' equals text (a literal), and is taken. */
#define imap_skip_word(p, text) imap_skip_word_view((p), VIEW(text))
bool imap_skip_word_view(struct imap_parser *p, struct view word);
static inline struct view imap_atom(struct imap_parser *p)
{
	return imap_word(p, IMAP_IS_ATOM);
}
/* quoted or literal; p is never NULL. */
struct view imap_string(struct imap_parser *p);
struct view imap_astring(struct imap_parser *p);
/* p == NULL for NIL. */
struct view imap_nstring(struct imap_parser *p);
struct imap_mailbox_arg imap_mailbox(struct imap_parser *p);
/* UTF-8 of a name or pattern; false if it is none. */
bool imap_name_of_wire(struct imap_parser *p, struct view text, struct imap_mailbox_arg *ret);
/* list-mailbox = 1*list-char / string */
struct view imap_list_mailbox(struct imap_parser *p);
void imap_seq(struct imap_parser *p, struct imap_seq *ret);
/* flag-list with or without parentheses, as STORE allows; at least one flag without them. */
void imap_flag_list(struct imap_parser *p, struct imap_flag_list *ret);
uint64_t imap_modseq(struct imap_parser *p);
/* date = DQUOTE date-text DQUOTE / date-text, as days since 1970. */
int64_t imap_date(struct imap_parser *p);
/* quoted date-time */
void imap_date_time(struct imap_parser *p, int64_t *ret_seconds, int *ret_zone);

/* Room in the arena for one more item behind the n of a list, which may move.  false, and the parser has
 * failed, without memory; also when it had failed before. */
bool imap_list_grow(struct imap_parser *p, void **at, size_t n, size_t *cap, size_t item_size);

/* A growing list of views in the arena. */
struct imap_view_list {
	struct view *at;
	size_t n;
	size_t cap;
};
/* ERR_LIMIT with problem past max. */
void imap_view_list_add(struct imap_parser *p, struct imap_view_list *list, struct view v,
			size_t max, const char *problem);
static inline struct imap_views imap_view_list_done(const struct imap_view_list *list)
{
	return (struct imap_views){ list->at, list->n };
}

/* The parsers of the table's rows. */
void imap_parse_none(struct imap_parser *p, struct imap_command *cmd);
void imap_parse_id(struct imap_parser *p, struct imap_command *cmd);
void imap_parse_login(struct imap_parser *p, struct imap_command *cmd);
void imap_parse_authenticate(struct imap_parser *p, struct imap_command *cmd);
void imap_parse_enable(struct imap_parser *p, struct imap_command *cmd);
void imap_parse_select(struct imap_parser *p, struct imap_command *cmd);
void imap_parse_create(struct imap_parser *p, struct imap_command *cmd);
void imap_parse_mailbox(struct imap_parser *p, struct imap_command *cmd);
void imap_parse_rename(struct imap_parser *p, struct imap_command *cmd);
void imap_parse_list(struct imap_parser *p, struct imap_command *cmd);
void imap_parse_lsub(struct imap_parser *p, struct imap_command *cmd);
void imap_parse_status(struct imap_parser *p, struct imap_command *cmd);
void imap_parse_quota(struct imap_parser *p, struct imap_command *cmd);
void imap_parse_append(struct imap_parser *p, struct imap_command *cmd);
void imap_parse_expunge(struct imap_parser *p, struct imap_command *cmd);
void imap_parse_search(struct imap_parser *p, struct imap_command *cmd);
void imap_parse_fetch(struct imap_parser *p, struct imap_command *cmd);
void imap_parse_store(struct imap_parser *p, struct imap_command *cmd);
void imap_parse_copy(struct imap_parser *p, struct imap_command *cmd);

/* "(" status-att *(SP status-att) ")"; bits of enum imap_status_item. */
unsigned imap_status_items(struct imap_parser *p);

#endif
