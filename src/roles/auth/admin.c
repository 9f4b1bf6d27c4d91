/*
 * roles/auth/admin.c: see admin.h; the table of verbs and what they share.
 */
#include "admin.h"

#include "base/date.h"
#include "sys/log.h"

enum { KEYS_MAX = 5, TEXT_MAX = 1000, ROW_MAX = ADMIN_ROW_JSON_MAX };

/* args: those that the verb knows; must: those without which it makes no sense. */
static const struct {
	const char *verb;
	admin_fn *fn;
	const char *args[KEYS_MAX];
	const char *must[2];
} verbs[] = {
	{ "domain.add", admin_domain_add, { "domain" }, { "domain" } },
	{ "domain.list", admin_domain_list, { NULL }, { NULL } },
	{ "domain.remove", admin_domain_remove, { "domain" }, { "domain" } },
	{ "account.add",
	  admin_account_add,
	  { "address", "password", "display", "quota", "unchecked" },
	  { "address" } },
	{ "account.list", admin_account_list, { "domain" }, { NULL } },
	{ "account.show", admin_account_show, { "address" }, { "address" } },
	{ "account.password",
	  admin_account_password,
	  { "address", "password", "unchecked" },
	  { "address" } },
	{ "account.disable", admin_account_disable, { "address" }, { "address" } },
	{ "account.enable", admin_account_enable, { "address" }, { "address" } },
	{ "account.remove", admin_account_remove, { "address" }, { "address" } },
	{ "account.quota", admin_account_quota, { "address", "quota" }, { "address", "quota" } },
	{ "alias.add", admin_alias_add, { "address", "target" }, { "address", "target" } },
	{ "alias.list", admin_alias_list, { "domain" }, { NULL } },
	{ "alias.remove", admin_alias_remove, { "address", "target" }, { "address" } },
	{ "ban.list", admin_ban_list, { NULL }, { NULL } },
	{ "ban.add", admin_ban_add, { "network", "time" }, { "network" } },
	{ "ban.remove", admin_ban_remove, { "network" }, { "network" } },
	{ "auth.status", admin_auth_status, { NULL }, { NULL } },
};

struct view admin_arg(const struct admin_call *c, const char *key)
{
	struct view raw = c->request->args_raw;
	struct admin_request_args arg;

	while (admin_request_args_next(&raw, &arg))
		if (view_eq(arg.key, view_str(key)))
			return arg.value;
	return VIEW_EMPTY;
}

bool admin_has(const struct admin_call *c, const char *key)
{
	return admin_arg(c, key).n > 0;
}

bool admin_flag(const struct admin_call *c, const char *key)
{
	struct view v = admin_arg(c, key);

	return view_eq(v, VIEW("yes")) || view_eq(v, VIEW("true")) || view_eq(v, VIEW("1"));
}

json_t *admin_text(struct view v)
{
	json_t *text = json_stringn(v.p ? v.p : "", v.n);

	return text ? text : json_string("(not UTF-8)");
}

json_t *admin_time_ms(int64_t ms)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(40);

	if (ms == 0)
		return json_null();
	date_add_rfc3339(&text, ms);
	return admin_text(buf_view(&text));
}

void admin_row(const struct admin_call *c, json_t *json)
{
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	json_decref(json);
	if (!text)
		return;
	if (strlen(text) <= ROW_MAX)
		c->auth->hooks->admin_row(c->auth->ctx, c->tag, view_str(text));
	/* A new password may be in it. */
	explicit_bzero(text, strlen(text));
	free(text);
}

void admin_end(const struct admin_call *c, enum err err, const char *format, ...)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(TEXT_MAX);
	va_list args;

	va_start(args, format);
	buf_vaddf(&text, format, args);
	va_end(args);
	c->auth->hooks->admin_end(c->auth->ctx, c->tag, err,
				  buf_err(&text) ? view_str(err_text(err)) : buf_view(&text));
}

void admin_broken(const struct admin_call *c, enum err err)
{
	LOG_ERROR("auth.directory", "the directory cannot be used", LOG_ERR(err));
	admin_end(c, err,
		  err == ERR_FULL
			  ? "the disk is full: nothing was changed; free some space and try again"
			  : "the directory cannot be used (%s): nothing was changed; see the log",
		  err_text(err));
}

void admin_list_end(const struct admin_call *c, enum err err)
{
	if (err == ERR_SYNTAX)
		admin_end(c, err, VIEW_FMT " is not a domain name",
			  VIEW_ARG(admin_arg(c, "domain")));
	else if (err == ERR_LIMIT)
		admin_end(c, OK, "only the first %d are shown: ask for one domain", AUTH_LIST_MAX);
	else if (err)
		admin_broken(c, err);
	else
		admin_end(c, OK, "%s", "");
}

/* Unknown arguments are refused: a typing error must not be taken for its absence. */
static bool arguments_known(const struct admin_call *c, size_t verb)
{
	struct view raw = c->request->args_raw;
	struct admin_request_args arg;

	while (admin_request_args_next(&raw, &arg)) {
		bool known = false;

		for (size_t i = 0; i < KEYS_MAX && verbs[verb].args[i]; i++)
			known |= view_eq(arg.key, view_str(verbs[verb].args[i]));
		if (!known) {
			admin_end(c, ERR_SYNTAX, "%s has no argument " VIEW_FMT, verbs[verb].verb,
				  VIEW_ARG(arg.key));
			return false;
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(verbs[verb].must) && verbs[verb].must[i]; i++) {
		if (!admin_has(c, verbs[verb].must[i])) {
			admin_end(c, ERR_SYNTAX, "%s needs the argument %s", verbs[verb].verb,
				  verbs[verb].must[i]);
			return false;
		}
	}
	return true;
}

void auth_admin(struct auth *a, const struct admin_request *m)
{
	struct admin_call c = { .auth = a, .request = m, .tag = m->tag };

	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (!view_eq(m->verb, view_str(verbs[i].verb)))
			continue;
		if (arguments_known(&c, i))
			verbs[i].fn(&c);
		return;
	}
	admin_end(&c, ERR_UNSUPPORTED, "there is no request " VIEW_FMT, VIEW_ARG(m->verb));
}
