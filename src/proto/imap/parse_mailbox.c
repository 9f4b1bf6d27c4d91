/*
 * proto/imap/parse_mailbox.c: commands about mailboxes: SELECT, CREATE, RENAME, LIST, STATUS, quota.
 */
#include "base/ascii.h"
#include "proto/imap/parser.h"

/* QRESYNC "(" uidvalidity SP modseq [SP known-uids] [SP seq-match-data] ")"   RFC 7162#3.2.5 */
static void qresync(struct imap_parser *p, struct imap_qresync_args *q)
{
	cursor_char(&p->c, '(');
	q->uidvalidity = (uint32_t)cursor_u64(&p->c, UINT32_MAX);
	cursor_space(&p->c);
	q->modseq = imap_modseq(p);
	if (cursor_skip_char(&p->c, ' ') && cursor_peek(&p->c) != '(') {
		q->has_known = true;
		imap_seq(p, &q->known);
		cursor_skip_char(&p->c, ' ');
	}
	if (cursor_skip_char(&p->c, '(')) {
		imap_seq(p, &q->match_seq);
		cursor_space(&p->c);
		imap_seq(p, &q->match_uid);
		cursor_char(&p->c, ')');
	}
	cursor_char(&p->c, ')');
}

/* select = "SELECT" SP mailbox [SP "(" select-param *(SP select-param) ")"]   RFC 4466#2.1 */
void imap_parse_select(struct imap_parser *p, struct imap_command *cmd)
{
	struct imap_select_args *args = &cmd->select;

	cursor_space(&p->c);
	args->mailbox = imap_mailbox(p);
	if (!cursor_skip_char(&p->c, ' '))
		return;
	cursor_char(&p->c, '(');
	do {
		if (imap_skip_word(p, "CONDSTORE")) {
			args->condstore = true;
		} else if (imap_skip_word(p, "QRESYNC") && !args->qresync) {
			cursor_space(&p->c);
			qresync(p, &args->q);
			args->qresync = true;
		} else {
			imap_parser_fail(p, ERR_SYNTAX, "Unknown parameter of SELECT");
		}
	} while (cursor_skip_char(&p->c, ' '));
	cursor_char(&p->c, ')');
}

void imap_parse_mailbox(struct imap_parser *p, struct imap_command *cmd)
{
	cursor_space(&p->c);
	cmd->mailbox = imap_mailbox(p);
}

void imap_parse_quota(struct imap_parser *p, struct imap_command *cmd)
{
	cursor_space(&p->c);
	cmd->quota_root = imap_astring(p);
}

/* A separator at the end announces that inferiors will follow   RFC 9051#6.3.4 */
static void separator_drop(struct imap_mailbox_arg *m)
{
	if (m->name.n > 1 && m->name.p[m->name.n - 1] == '/')
		m->name.n--;
}

static const struct {
	struct view name;
	uint32_t use;
} uses[] = {
	{ VIEW_INIT("\\All"), IMAP_USE_ALL },
	{ VIEW_INIT("\\Archive"), IMAP_USE_ARCHIVE },
	{ VIEW_INIT("\\Drafts"), IMAP_USE_DRAFTS },
	{ VIEW_INIT("\\Flagged"), IMAP_USE_FLAGGED },
	{ VIEW_INIT("\\Junk"), IMAP_USE_JUNK },
	{ VIEW_INIT("\\Sent"), IMAP_USE_SENT },
	{ VIEW_INIT("\\Trash"), IMAP_USE_TRASH },
	{ VIEW_INIT("\\Important"), IMAP_USE_IMPORTANT },
};

/* use-attr = "\" atom   RFC 6154#6 */
static void use_parse(struct imap_parser *p, struct imap_create_args *args)
{
	struct view rest = cursor_rest(&p->c);

	cursor_char(&p->c, '\\');

	struct view name = view_head(rest, imap_atom(p).n + 1);
	bool known = false;

	for (size_t i = 0; i < ARRAY_LEN(uses); i++) {
		if (!view_eq_nocase(uses[i].name, name))
			continue;
		args->use |= uses[i].use;
		known = true;
	}
	args->bad_use = args->bad_use || !known;
}

/* create = "CREATE" SP mailbox [SP "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")"]
 * RFC 9051#6.3.4, RFC 6154#3 */
void imap_parse_create(struct imap_parser *p, struct imap_command *cmd)
{
	cursor_space(&p->c);
	cmd->create.mailbox = imap_mailbox(p);
	separator_drop(&cmd->create.mailbox);
	if (!cursor_skip_char(&p->c, ' '))
		return;
	cursor_char(&p->c, '(');
	if (!imap_skip_word(p, "USE"))
		imap_parser_fail(p, ERR_SYNTAX, "Unknown parameter of CREATE");
	cursor_space(&p->c);
	cursor_char(&p->c, '(');
	if (!cursor_skip_char(&p->c, ')')) {
		do
			use_parse(p, &cmd->create);
		while (cursor_skip_char(&p->c, ' '));
		cursor_char(&p->c, ')');
	}
	cursor_char(&p->c, ')');
}

/* rename = "RENAME" SP mailbox SP mailbox   RFC 9051#6.3.6 */
void imap_parse_rename(struct imap_parser *p, struct imap_command *cmd)
{
	cursor_space(&p->c);
	cmd->rename.from = imap_mailbox(p);
	cursor_space(&p->c);
	cmd->rename.to = imap_mailbox(p);
	separator_drop(&cmd->rename.to);
}

static const struct {
	struct view name;
	unsigned item;
} status_names[] = {
	{ VIEW_INIT("MESSAGES"), IMAP_STATUS_MESSAGES },
	{ VIEW_INIT("RECENT"), IMAP_STATUS_RECENT },
	{ VIEW_INIT("UIDNEXT"), IMAP_STATUS_UIDNEXT },
	{ VIEW_INIT("UIDVALIDITY"), IMAP_STATUS_UIDVALIDITY },
	{ VIEW_INIT("UNSEEN"), IMAP_STATUS_UNSEEN },
	{ VIEW_INIT("DELETED"), IMAP_STATUS_DELETED },
	{ VIEW_INIT("SIZE"), IMAP_STATUS_SIZE },
	{ VIEW_INIT("HIGHESTMODSEQ"), IMAP_STATUS_HIGHESTMODSEQ },
	{ VIEW_INIT("MAILBOXID"), IMAP_STATUS_MAILBOXID },
	{ VIEW_INIT("APPENDLIMIT"), IMAP_STATUS_APPENDLIMIT },
};

unsigned imap_status_items(struct imap_parser *p)
{
	unsigned items = 0;

	cursor_char(&p->c, '(');
	do {
		struct view name = imap_atom(p);
		unsigned item = 0;

		for (size_t i = 0; i < ARRAY_LEN(status_names); i++)
			if (view_eq_nocase(name, status_names[i].name))
				item = status_names[i].item;
		if (!item)
			imap_parser_fail(p, ERR_SYNTAX, "Unknown item of STATUS");
		items |= item;
	} while (cursor_skip_char(&p->c, ' '));
	cursor_char(&p->c, ')');
	return items;
}

/* status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")"   RFC 9051#6.3.11 */
void imap_parse_status(struct imap_parser *p, struct imap_command *cmd)
{
	cursor_space(&p->c);
	cmd->status.mailbox = imap_mailbox(p);
	cursor_space(&p->c);
	cmd->status.items = imap_status_items(p);
}

/* list-select-opt = "SUBSCRIBED" / "REMOTE" / "RECURSIVEMATCH" / "SPECIAL-USE"   RFC 5258#6 */
static void list_select(struct imap_parser *p, struct imap_list_args *args)
{
	args->options |= IMAP_LIST_EXTENDED;
	if (cursor_skip_char(&p->c, ')'))
		return;
	do {
		if (imap_skip_word(p, "SUBSCRIBED"))
			args->options |= IMAP_LIST_SUBSCRIBED | IMAP_LIST_RETURN_SUBSCRIBED;
		else if (imap_skip_word(p, "REMOTE"))
			args->options |= IMAP_LIST_REMOTE;
		else if (imap_skip_word(p, "RECURSIVEMATCH"))
			args->options |= IMAP_LIST_RECURSIVE;
		else if (imap_skip_word(p, "SPECIAL-USE"))
			args->options |= IMAP_LIST_SPECIAL | IMAP_LIST_RETURN_SPECIAL;
		else
			imap_parser_fail(p, ERR_SYNTAX, "Unknown selection option of LIST");
	} while (cursor_skip_char(&p->c, ' '));
	cursor_char(&p->c, ')');
	if ((args->options & IMAP_LIST_RECURSIVE) && !(args->options & IMAP_LIST_SUBSCRIBED))
		imap_parser_fail(p, ERR_SYNTAX, "RECURSIVEMATCH alone selects nothing");
}

/* "RETURN" SP "(" [return-option *(SP return-option)] ")"   RFC 5258#6, RFC 5819#4 */
static void list_return(struct imap_parser *p, struct imap_list_args *args)
{
	args->options |= IMAP_LIST_EXTENDED;
	if (!imap_skip_word(p, "RETURN"))
		imap_parser_fail(p, ERR_SYNTAX, "Unknown argument of LIST");
	cursor_space(&p->c);
	cursor_char(&p->c, '(');
	if (cursor_skip_char(&p->c, ')'))
		return;
	do {
		if (imap_skip_word(p, "SUBSCRIBED")) {
			args->options |= IMAP_LIST_RETURN_SUBSCRIBED;
		} else if (imap_skip_word(p, "CHILDREN")) {
			args->options |= IMAP_LIST_RETURN_CHILDREN;
		} else if (imap_skip_word(p, "SPECIAL-USE")) {
			args->options |= IMAP_LIST_RETURN_SPECIAL;
		} else if (imap_skip_word(p, "STATUS")) {
			args->options |= IMAP_LIST_RETURN_STATUS;
			cursor_space(&p->c);
			args->status |= imap_status_items(p);
		} else {
			imap_parser_fail(p, ERR_SYNTAX, "Unknown return option of LIST");
		}
	} while (cursor_skip_char(&p->c, ' '));
	cursor_char(&p->c, ')');
}

/* One pattern; one that is no text can match nothing and is left out. */
static void pattern(struct imap_parser *p, struct imap_list_args *args, struct imap_view_list *list)
{
	struct view text = imap_list_mailbox(p);
	struct imap_mailbox_arg name;

	args->pattern_count++;
	if (!p->c.err && text.n == 0)
		args->asked_root = true;
	if (imap_name_of_wire(p, text, &name))
		imap_view_list_add(p, list, name.name, IMAP_PATTERNS_MAX,
				   "[LIMIT] Too many patterns");
}

/* list = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts]
 * RFC 9051#6.3.9, RFC 5258#6 */
void imap_parse_list(struct imap_parser *p, struct imap_command *cmd)
{
	struct imap_list_args *args = &cmd->list;
	struct imap_view_list patterns = { 0 };

	cursor_space(&p->c);
	if (cursor_skip_char(&p->c, '(')) {
		list_select(p, args);
		cursor_space(&p->c);
	}

	struct imap_mailbox_arg reference = imap_mailbox(p);

	args->reference = reference.name;
	cursor_space(&p->c);
	if (cursor_skip_char(&p->c, '(')) {
		args->options |= IMAP_LIST_EXTENDED;
		do
			pattern(p, args, &patterns);
		while (cursor_skip_char(&p->c, ' '));
		cursor_char(&p->c, ')');
	} else {
		pattern(p, args, &patterns);
	}
	if (cursor_skip_char(&p->c, ' '))
		list_return(p, args);
	if (!reference.err)
		args->patterns = imap_view_list_done(&patterns);
}

/* lsub = "LSUB" SP mailbox SP list-mailbox   RFC 3501#6.3.9 */
void imap_parse_lsub(struct imap_parser *p, struct imap_command *cmd)
{
	struct imap_view_list patterns = { 0 };

	cursor_space(&p->c);

	struct imap_mailbox_arg reference = imap_mailbox(p);

	cmd->list.reference = reference.name;
	cursor_space(&p->c);
	pattern(p, &cmd->list, &patterns);
	if (!reference.err)
		cmd->list.patterns = imap_view_list_done(&patterns);
}
