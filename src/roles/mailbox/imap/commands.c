/*
 * roles/mailbox/imap/commands.c: which function runs which command.
 *
 * Names, arguments and states are rows of proto/imap/command.c; capabilities are listed in session.c.
 */
#include "roles/mailbox/imap/imap.h"

#define CMD(id, start, step, end, keep) [IMAP_CMD_##id] = { start, step, end, keep }

/* clang-format off */
static const struct imap_handler handlers[IMAP_CMD_COUNT] = {
	/*  id		  start		   step		     end	     keeps sequence numbers */
	CMD(CAPABILITY,	  cmd_capability,  NULL,	     NULL,	     false),
	CMD(NOOP,	  cmd_noop,	   NULL,	     NULL,	     false),
	CMD(LOGOUT,	  cmd_logout,	   NULL,	     NULL,	     false),
	CMD(ID,		  cmd_id,	   NULL,	     NULL,	     false),
	CMD(ENABLE,	  cmd_enable,	   NULL,	     NULL,	     false),
	CMD(SELECT,	  cmd_select,	   cmd_select_step,  NULL,	     true),
	CMD(EXAMINE,	  cmd_select,	   cmd_select_step,  NULL,	     true),
	CMD(CREATE,	  cmd_create,	   NULL,	     NULL,	     false),
	CMD(DELETE,	  cmd_delete,	   NULL,	     NULL,	     false),
	CMD(RENAME,	  cmd_rename,	   NULL,	     NULL,	     false),
	CMD(SUBSCRIBE,	  cmd_subscribe,   NULL,	     NULL,	     false),
	CMD(UNSUBSCRIBE,  cmd_subscribe,   NULL,	     NULL,	     false),
	CMD(LIST,	  cmd_list,	   cmd_list_step,    NULL,	     false),
	CMD(LSUB,	  cmd_list,	   cmd_list_step,    NULL,	     false),
	CMD(NAMESPACE,	  cmd_namespace,   NULL,	     NULL,	     false),
	CMD(STATUS,	  cmd_status,	   NULL,	     NULL,	     false),
	CMD(APPEND,	  NULL,		   NULL,	     append_done,    false),
	CMD(IDLE,	  cmd_idle,	   NULL,	     NULL,	     false),
	CMD(GETQUOTA,	  cmd_quota,	   NULL,	     NULL,	     false),
	CMD(GETQUOTAROOT, cmd_quotaroot,   NULL,	     NULL,	     false),
	CMD(CHECK,	  cmd_noop,	   NULL,	     NULL,	     false),
	CMD(CLOSE,	  cmd_close,	   NULL,	     NULL,	     false),
	CMD(UNSELECT,	  cmd_close,	   NULL,	     NULL,	     false),
	CMD(EXPUNGE,	  cmd_expunge,	   NULL,	     NULL,	     false),
	CMD(SEARCH,	  cmd_search,	   cmd_search_step,  cmd_search_end, true),
	CMD(FETCH,	  cmd_fetch,	   cmd_fetch_step,   cmd_fetch_end,  true),
	CMD(STORE,	  cmd_store,	   cmd_store_step,   NULL,	     true),
	CMD(COPY,	  cmd_copy,	   NULL,	     NULL,	     false),
	CMD(MOVE,	  cmd_copy,	   NULL,	     NULL,	     false),
};
/* clang-format on */

const struct imap_handler *command_handler(enum imap_command_id id)
{
	return &handlers[id];
}
