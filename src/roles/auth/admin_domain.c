/*
 * roles/auth/admin_domain.c: domain.add, domain.list, domain.remove.
 */
#include "admin.h"
#include "sys/clock.h"
#include "sys/log.h"

void admin_domain_add(struct admin_call *c)
{
	struct view name = admin_arg(c, "domain");
	enum err err = directory_domain_add(c->auth->d, name, clock_wall());

	switch (err) {
	case OK: break;
	case ERR_EXISTS:
		admin_end(c, err, "the domain " VIEW_FMT " is hosted here already", VIEW_ARG(name));
		return;
	case ERR_SYNTAX:
	case ERR_LIMIT:
		admin_end(c, err, VIEW_FMT " is not a domain name: write it like example.org",
			  VIEW_ARG(name));
		return;
	default: admin_broken(c, err); return;
	}
	auth_addresses_changed(c->auth);
	LOG_NOTICE("auth.domain", "a domain was added", LOG_VIEW("domain", name));
	admin_end(c, OK,
		  "added " VIEW_FMT
		  "; mail for it is taken from now on. In DNS it needs an MX record that "
		  "names this server",
		  VIEW_ARG(name));
}

static enum err list_row(void *ctx, const struct directory_domain *d)
{
	struct buf CLEANUP(buf_done) shown = BUF_INIT(NAME_DOMAIN_SHOWN_MAX);

	name_domain_shown(view_str(d->name), &shown);
	admin_row(ctx, json_pack("{s:s, s:o, s:I, s:I, s:o}", "domain", d->name, "shown",
				 admin_text(buf_view(&shown)), "accounts", (json_int_t)d->accounts,
				 "aliases", (json_int_t)d->aliases, "created",
				 admin_time_ms(d->created * 1000)));
	return OK;
}

void admin_domain_list(struct admin_call *c)
{
	enum err err = directory_domain_each(c->auth->d, list_row, c);

	if (err)
		admin_broken(c, err);
	else
		admin_end(c, OK, "%s", "");
}

void admin_domain_remove(struct admin_call *c)
{
	struct view name = admin_arg(c, "domain");
	struct directory_domain domain = { 0 };
	enum err err = directory_domain_find(c->auth->d, name, &domain);

	if (!err)
		err = directory_domain_remove(c->auth->d, name);
	switch (err) {
	case OK: break;
	case ERR_NOTFOUND:
	case ERR_SYNTAX:
	case ERR_LIMIT:
		admin_end(c, ERR_NOTFOUND, "the domain " VIEW_FMT " is not hosted here",
			  VIEW_ARG(name));
		return;
	case ERR_WRONG_STATE:
		admin_end(c, err,
			  VIEW_FMT " still has %llu accounts and %llu aliases: remove them first "
				   "(posthold account list, posthold alias list)",
			  VIEW_ARG(name), (unsigned long long)domain.accounts,
			  (unsigned long long)domain.aliases);
		return;
	default: admin_broken(c, err); return;
	}
	auth_addresses_changed(c->auth);
	LOG_NOTICE("auth.domain", "a domain was removed", LOG_VIEW("domain", name));
	admin_end(c, OK, "removed " VIEW_FMT, VIEW_ARG(name));
}
