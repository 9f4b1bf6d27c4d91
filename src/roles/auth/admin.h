/*
 * roles/auth/admin.h: the administrator's requests, a table row and a function each.
 *
 * A verb checks its arguments, acts, writes rows and ends its call exactly once, now or later.  Every
 * refusal says what to do instead.  Private to src/roles/auth.
 */
#ifndef ROLES_AUTH_ADMIN_H
#define ROLES_AUTH_ADMIN_H

#include <jansson.h>

#include "auth.h"

struct admin_call {
	struct auth *auth;
	const struct admin_request *request; /* gone once the verb has returned */
	uint32_t tag;
};

typedef void admin_fn(struct admin_call *c);

/* The argument, empty if it was not given.  Borrowed from the request. */
struct view admin_arg(const struct admin_call *c, const char *key);
bool admin_has(const struct admin_call *c, const char *key);
/* "yes", "true", "1". */
bool admin_flag(const struct admin_call *c, const char *key);
/* One row; takes json over, which may be NULL when memory was short. */
void admin_row(const struct admin_call *c, json_t *json);
/* A JSON string of any bytes: what is no UTF-8 is replaced. */
json_t *admin_text(struct view v);
/* A time of the wall clock, or null for 0. */
json_t *admin_time_ms(int64_t ms);
void admin_end(const struct admin_call *c, enum err err, const char *format, ...) PRINTF_LIKE(3, 4);
/* For errors of the directory that no verb has words for. */
void admin_broken(const struct admin_call *c, enum err err);

/* A list that may be of one domain only: its rows are counted up to AUTH_LIST_MAX, then ERR_LIMIT. */
struct admin_list {
	struct admin_call *call;
	size_t count;
};
/* Ends the call with what walking the directory has returned. */
void admin_list_end(const struct admin_call *c, enum err err);

/* admin_domain.c */
admin_fn admin_domain_add, admin_domain_list, admin_domain_remove;
/* admin_account.c */
admin_fn admin_account_add, admin_account_list, admin_account_show, admin_account_password,
	admin_account_disable, admin_account_enable, admin_account_remove, admin_account_quota;
/* admin_alias.c */
admin_fn admin_alias_add, admin_alias_list, admin_alias_remove;
/* admin_ban.c */
admin_fn admin_ban_list, admin_ban_add, admin_ban_remove, admin_auth_status;

#endif
