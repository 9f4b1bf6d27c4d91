/*
 * proto/imap/command.c: the table of commands, and the way from text to command.
 */
#include "proto/imap/command.h"

#include "proto/imap/parser.h"

#define CMD(id, name, parse, states, uid, reference)                                               \
	{                                                                                          \
		IMAP_CMD_##id, VIEW_INIT(name), parse, states, uid, reference                      \
	}

/* In the order of enum imap_command_id. */
/* clang-format off */
static const struct imap_command_info commands[] = {
	/*  id		   name		   parser		    allowed in	    UID	   reference */
	CMD(CAPABILITY,	   "CAPABILITY",   imap_parse_none,	    IMAP_ANY,	    false, "RFC 9051#6.1.1"),
	CMD(NOOP,	   "NOOP",	   imap_parse_none,	    IMAP_ANY,	    false, "RFC 9051#6.1.2"),
	CMD(LOGOUT,	   "LOGOUT",	   imap_parse_none,	    IMAP_ANY,	    false, "RFC 9051#6.1.3"),
	CMD(ID,		   "ID",	   imap_parse_id,	    IMAP_ANY,	    false, "RFC 2971#3.1"),
	CMD(STARTTLS,	   "STARTTLS",	   imap_parse_none,	    IMAP_NONAUTH,   false, "RFC 9051#6.2.1"),
	CMD(LOGIN,	   "LOGIN",	   imap_parse_login,	    IMAP_NONAUTH,   false, "RFC 9051#6.2.3"),
	CMD(AUTHENTICATE,  "AUTHENTICATE", imap_parse_authenticate, IMAP_NONAUTH,   false, "RFC 9051#6.2.2"),
	CMD(ENABLE,	   "ENABLE",	   imap_parse_enable,	    IMAP_LOGGED_IN, false, "RFC 9051#6.3.1"),
	CMD(SELECT,	   "SELECT",	   imap_parse_select,	    IMAP_LOGGED_IN, false, "RFC 9051#6.3.2"),
	CMD(EXAMINE,	   "EXAMINE",	   imap_parse_select,	    IMAP_LOGGED_IN, false, "RFC 9051#6.3.3"),
	CMD(CREATE,	   "CREATE",	   imap_parse_create,	    IMAP_LOGGED_IN, false, "RFC 9051#6.3.4"),
	CMD(DELETE,	   "DELETE",	   imap_parse_mailbox,	    IMAP_LOGGED_IN, false, "RFC 9051#6.3.5"),
	CMD(RENAME,	   "RENAME",	   imap_parse_rename,	    IMAP_LOGGED_IN, false, "RFC 9051#6.3.6"),
	CMD(SUBSCRIBE,	   "SUBSCRIBE",	   imap_parse_mailbox,	    IMAP_LOGGED_IN, false, "RFC 9051#6.3.7"),
	CMD(UNSUBSCRIBE,   "UNSUBSCRIBE",  imap_parse_mailbox,	    IMAP_LOGGED_IN, false, "RFC 9051#6.3.8"),
	CMD(LIST,	   "LIST",	   imap_parse_list,	    IMAP_LOGGED_IN, false, "RFC 9051#6.3.9"),
	CMD(LSUB,	   "LSUB",	   imap_parse_lsub,	    IMAP_LOGGED_IN, false, "RFC 3501#6.3.9"),
	CMD(NAMESPACE,	   "NAMESPACE",	   imap_parse_none,	    IMAP_LOGGED_IN, false, "RFC 9051#6.3.10"),
	CMD(STATUS,	   "STATUS",	   imap_parse_status,	    IMAP_LOGGED_IN, false, "RFC 9051#6.3.11"),
	CMD(APPEND,	   "APPEND",	   imap_parse_append,	    IMAP_LOGGED_IN, false, "RFC 9051#6.3.12"),
	CMD(IDLE,	   "IDLE",	   imap_parse_none,	    IMAP_LOGGED_IN, false, "RFC 9051#6.3.13"),
	CMD(GETQUOTA,	   "GETQUOTA",	   imap_parse_quota,	    IMAP_LOGGED_IN, false, "RFC 9208#4.1.2"),
	CMD(GETQUOTAROOT,  "GETQUOTAROOT", imap_parse_mailbox,	    IMAP_LOGGED_IN, false, "RFC 9208#4.1.3"),
	CMD(CHECK,	   "CHECK",	   imap_parse_none,	    IMAP_SELECTED,  false, "RFC 3501#6.4.1"),
	CMD(CLOSE,	   "CLOSE",	   imap_parse_none,	    IMAP_SELECTED,  false, "RFC 9051#6.4.1"),
	CMD(UNSELECT,	   "UNSELECT",	   imap_parse_none,	    IMAP_SELECTED,  false, "RFC 9051#6.4.2"),
	CMD(EXPUNGE,	   "EXPUNGE",	   imap_parse_expunge,	    IMAP_SELECTED,  true,  "RFC 9051#6.4.3"),
	CMD(SEARCH,	   "SEARCH",	   imap_parse_search,	    IMAP_SELECTED,  true,  "RFC 9051#6.4.4"),
	CMD(FETCH,	   "FETCH",	   imap_parse_fetch,	    IMAP_SELECTED,  true,  "RFC 9051#6.4.5"),
	CMD(STORE,	   "STORE",	   imap_parse_store,	    IMAP_SELECTED,  true,  "RFC 9051#6.4.6"),
	CMD(COPY,	   "COPY",	   imap_parse_copy,	    IMAP_SELECTED,  true,  "RFC 9051#6.4.7"),
	CMD(MOVE,	   "MOVE",	   imap_parse_copy,	    IMAP_SELECTED,  true,  "RFC 9051#6.4.8"),
};
/* clang-format on */
_Static_assert(ARRAY_LEN(commands) == IMAP_CMD_COUNT, "a command without a row");

const struct imap_command_info *imap_command_info(enum imap_command_id id)
{
	return &commands[id];
}

const struct imap_command_info *imap_command_find(struct view name)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (view_eq_nocase(commands[i].name, name))
			return &commands[i];
	return NULL;
}

void imap_parse_none(struct imap_parser *p, struct imap_command *cmd)
{
}

/* tag = 1*<any ASTRING-CHAR except "+">   RFC 9051#9 */
static struct view tag_parse(struct imap_parser *p)
{
	struct view tag = imap_word(p, IMAP_IS_TAG);

	if (tag.n > IMAP_TAG_MAX) {
		imap_parser_fail(p, ERR_LIMIT, "Tag too long");
		return VIEW_EMPTY;
	}
	if (cursor_peek(&p->c) != ' ') {
		imap_parser_fail(p, ERR_SYNTAX, "Command without a tag");
		return VIEW_EMPTY;
	}
	return tag;
}

/* Name of the command, with UID before it where that is allowed. */
static void name_parse(struct imap_parser *p, struct imap_command *cmd)
{
	struct view name = imap_atom(p);

	if (view_eq_nocase(name, VIEW("UID"))) {
		cmd->uid = true;
		cursor_space(&p->c);
		name = imap_atom(p);
	}
	cmd->info = imap_command_find(name);
	if (p->c.err)
		return;
	if (!cmd->info || (cmd->uid && !cmd->info->uid)) {
		imap_parser_fail(p, ERR_UNSUPPORTED, "Unknown command");
		return;
	}
	if (!(cmd->info->states & p->mode.state))
		imap_parser_fail(p, ERR_WRONG_STATE, "Not allowed now");
}

enum err imap_parse(struct arena *a, struct view text, struct imap_parse_mode mode,
		    struct imap_command *ret, struct imap_problem *ret_problem)
{
	struct imap_parser p = { .c = cursor_init(text), .a = a, .mode = mode };
	struct imap_command cmd;

	memset(&cmd, 0, sizeof(cmd)); /* the whole union, not only its first member */
	cmd.tag = tag_parse(&p);
	cursor_space(&p.c);
	name_parse(&p, &cmd);
	if (!p.c.err)
		cmd.info->parse(&p, &cmd);
	/* Blanks at the end of a line do no harm and are common. */
	if (cmd.info && cmd.info->parse == imap_parse_none)
		cursor_skip_char(&p.c, ' ');
	cursor_end(&p.c);
	if (p.c.err) {
		const char *text_of =
			p.c.err == ERR_NOMEM ? "[LIMIT] Command too large" : "Syntax error";

		*ret_problem = (struct imap_problem){ cmd.tag, p.problem ? p.problem : text_of };
		return p.c.err;
	}
	*ret = cmd;
	return OK;
}
