/*
 * proto/imap/parse_message.c: commands that change messages: APPEND, STORE, COPY, MOVE, EXPUNGE.
 */
#include "proto/imap/parser.h"

/* [SP flag-list] [SP date-time] SP ("UTF8" SP "(" literal8 / literal), behind the first SP
 * RFC 9051#9, RFC 6855#4 */
static void append_item(struct imap_parser *p, struct imap_append_item *item)
{
	*item = (struct imap_append_item){ 0 };
	if (cursor_peek(&p->c) == '(') {
		imap_flag_list(p, &item->flags);
		cursor_space(&p->c);
	}
	if (cursor_peek(&p->c) == '"') {
		imap_date_time(p, &item->date, &item->zone);
		item->has_date = true;
		cursor_space(&p->c);
	}
	if (imap_skip_word(p, "UTF8")) {
		cursor_space(&p->c);
		cursor_char(&p->c, '(');
		item->utf8 = true;
	}
	item->binary = cursor_skip_char(&p->c, '~');
	cursor_char(&p->c, '{');
	item->size = cursor_u64(&p->c, UINT64_MAX);
	cursor_skip_char(&p->c, '+');
	cursor_char(&p->c, '}');
}

/* append = "APPEND" SP mailbox 1*append-message   RFC 3502#6.3.11 */
void imap_parse_append(struct imap_parser *p, struct imap_command *cmd)
{
	cursor_space(&p->c);
	cmd->append.mailbox = imap_mailbox(p);
	cursor_space(&p->c);
	append_item(p, &cmd->append.item);
}

enum err imap_parse_append_next(struct arena *a, struct view text, bool utf8,
				struct imap_append_item *ret, bool *ret_more,
				const char **ret_problem)
{
	struct imap_parser p = { .c = cursor_init(text), .a = a };
	struct imap_append_item item = { 0 };

	if (utf8)
		cursor_char(&p.c, ')');

	bool more = cursor_skip_char(&p.c, ' ');

	if (more)
		append_item(&p, &item);
	cursor_end(&p.c);
	if (p.c.err) {
		*ret_problem = p.problem ? p.problem : "Syntax error";
		return p.c.err;
	}
	*ret = item;
	*ret_more = more;
	return OK;
}

/* store = "STORE" SP sequence-set [SP "(" "UNCHANGEDSINCE" SP modseq ")"] SP store-att-flags
 * RFC 9051#9, RFC 7162#3.1.3 */
void imap_parse_store(struct imap_parser *p, struct imap_command *cmd)
{
	struct imap_store_args *args = &cmd->store;

	cursor_space(&p->c);
	imap_seq(p, &args->seq);
	cursor_space(&p->c);
	if (cursor_skip_char(&p->c, '(')) {
		if (!imap_skip_word(p, "UNCHANGEDSINCE"))
			imap_parser_fail(p, ERR_SYNTAX, "Unknown modifier of STORE");
		cursor_space(&p->c);
		args->unchanged_since = true;
		args->modseq = imap_modseq(p);
		cursor_char(&p->c, ')');
		cursor_space(&p->c);
	}
	args->op = IMAP_STORE_REPLACE;
	if (cursor_skip_char(&p->c, '+'))
		args->op = IMAP_STORE_ADD;
	else if (cursor_skip_char(&p->c, '-'))
		args->op = IMAP_STORE_REMOVE;
	args->silent = imap_skip_word(p, "FLAGS.SILENT");
	if (!args->silent && !imap_skip_word(p, "FLAGS"))
		imap_parser_fail(p, ERR_SYNTAX, "Unknown item of STORE");
	cursor_space(&p->c);
	imap_flag_list(p, &args->flags);
}

/* copy = "COPY" SP sequence-set SP mailbox   RFC 9051#6.4.7 */
void imap_parse_copy(struct imap_parser *p, struct imap_command *cmd)
{
	cursor_space(&p->c);
	imap_seq(p, &cmd->copy.seq);
	cursor_space(&p->c);
	cmd->copy.mailbox = imap_mailbox(p);
}

/* expunge = "EXPUNGE"; uid-expunge = "UID" SP "EXPUNGE" SP sequence-set   RFC 9051#6.4.9 */
void imap_parse_expunge(struct imap_parser *p, struct imap_command *cmd)
{
	if (!cmd->uid)
		return;
	cursor_space(&p->c);
	imap_seq(p, &cmd->expunge.uids);
	cmd->expunge.has_uids = true;
}
