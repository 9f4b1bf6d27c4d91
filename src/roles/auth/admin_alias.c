/*
 * roles/auth/admin_alias.c: alias.add, alias.list, alias.remove.
 */
#include "admin.h"
#include "sys/log.h"

/* Why an alias was refused, and what to do. */
static void refuse(struct admin_call *c, enum err err, struct view address, struct view target)
{
	switch (err) {
	case ERR_SYNTAX:
		admin_end(c, err,
			  "write the alias like info@example.org, or @example.org for all other "
			  "addresses of a domain, and its target like anna@example.org");
		break;
	case ERR_EXISTS:
		admin_end(c, err,
			  VIEW_FMT " is an account, or leads to " VIEW_FMT
				   " already (posthold alias list)",
			  VIEW_ARG(address), VIEW_ARG(target));
		break;
	case ERR_NOTFOUND:
		admin_end(c, err,
			  "the domain of " VIEW_FMT
			  " is not hosted here, or there is no account or "
			  "alias " VIEW_FMT ": add that first",
			  VIEW_ARG(address), VIEW_ARG(target));
		break;
	case ERR_LIMIT:
		admin_end(c, err, "an alias has at most %d targets", DIRECTORY_TARGETS_MAX);
		break;
	case ERR_WRONG_STATE:
		admin_end(c, err,
			  VIEW_FMT
			  " would lead back to itself, over more than %llu aliases, or to more "
			  "than %d addresses",
			  VIEW_ARG(address), (unsigned long long)c->auth->config->alias_depth,
			  DIRECTORY_TARGETS_MAX);
		break;
	default: admin_broken(c, err);
	}
}

void admin_alias_add(struct admin_call *c)
{
	struct view address = admin_arg(c, "address");
	struct view target = admin_arg(c, "target");
	struct lookup_rules rules = auth_lookup_rules(c->auth);
	enum err err = directory_alias_add(c->auth->d, &rules, address, target);

	if (err) {
		refuse(c, err, address, target);
		return;
	}
	auth_addresses_changed(c->auth);
	LOG_NOTICE("auth.alias", "an alias was added", LOG_VIEW("address", address),
		   LOG_VIEW("target", target));
	admin_end(c, OK, VIEW_FMT " leads to " VIEW_FMT, VIEW_ARG(address), VIEW_ARG(target));
}

static enum err list_row(void *ctx, const struct directory_alias *alias)
{
	struct admin_list *list = ctx;

	if (list->count == AUTH_LIST_MAX)
		return ERR_LIMIT;
	list->count++;
	admin_row(list->call,
		  json_pack("{s:o, s:o}", "address", admin_text(view_str(alias->address)), "target",
			    admin_text(view_str(alias->target))));
	return OK;
}

void admin_alias_list(struct admin_call *c)
{
	struct admin_list list = { c, 0 };

	admin_list_end(c,
		       directory_alias_each(c->auth->d, admin_arg(c, "domain"), list_row, &list));
}

void admin_alias_remove(struct admin_call *c)
{
	struct view address = admin_arg(c, "address");
	struct view target = admin_arg(c, "target");
	enum err err = directory_alias_remove(c->auth->d, address, target);

	switch (err) {
	case OK: break;
	case ERR_NOTFOUND:
	case ERR_SYNTAX:
	case ERR_LIMIT:
		admin_end(c, ERR_NOTFOUND, "there is no such alias (posthold alias list)");
		return;
	default: admin_broken(c, err); return;
	}
	auth_addresses_changed(c->auth);
	LOG_NOTICE("auth.alias", "an alias was removed", LOG_VIEW("address", address),
		   LOG_VIEW("target", target));
	admin_end(c, OK, "removed " VIEW_FMT, VIEW_ARG(address));
}
