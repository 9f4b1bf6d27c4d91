/*
 * roles/auth/admin_account.c: account.*
 *
 * Passwords are hashed by the pool, so that an administrator who adds many accounts holds nobody up: the
 * call ends when its job is done.
 */
#include <sodium.h>

#include "admin.h"
#include "base/num.h"
#include "sys/clock.h"
#include "sys/log.h"

/* A password of account.add or account.password on its way through a thread. */
struct set_password {
	struct pool_job job;
	struct auth *auth;
	uint32_t tag;
	uint64_t account; /* 0: add it */
	uint64_t quota;
	bool generated;
	struct buf address;
	struct buf display;
	struct buf password;
	struct password_cost cost;
	struct verifiers verifiers;
	enum err result;
};

static void set_free(struct set_password *s)
{
	buf_done(&s->address);
	buf_done(&s->display);
	buf_wipe(&s->password);
	buf_done(&s->password);
	sodium_memzero(&s->verifiers, sizeof(s->verifiers));
	free(s);
}

/* In a thread. */
static void set_work(struct pool_job *base)
{
	struct set_password *s = (struct set_password *)base;

	s->result = password_derive(buf_view(&s->password), &s->cost, &s->verifiers);
}

static json_t *account_row(const struct directory_account *a)
{
	return json_pack("{s:o, s:I, s:o, s:I, s:s, s:o, s:o}", "address",
			 admin_text(view_str(a->address)), "id", (json_int_t)a->id, "display",
			 admin_text(view_str(a->display)), "quota", (json_int_t)a->quota, "state",
			 a->state == ACCOUNT_ACTIVE ? "active" : "disabled", "created",
			 admin_time_ms(a->created * 1000), "password_changed",
			 admin_time_ms(a->password_changed * 1000));
}

/* password: only where one was made. */
static void show_account(const struct admin_call *c, const struct directory_account *a,
			 struct view password)
{
	json_t *row = account_row(a);

	if (row && password.n > 0)
		(void)json_object_set_new(row, "password", admin_text(password));
	admin_row(c, row);
}

static void tell_done(const struct admin_call *c, const struct directory_account *a, bool added,
		      struct view made)
{
	const char *what = added ? "added" : "changed the password of";

	if (made.n > 0)
		admin_end(c, OK, "%s %s; the password, shown this once only: " VIEW_FMT, what,
			  a->address, VIEW_ARG(made));
	else
		admin_end(c, OK, "%s %s", what, a->address);
}

static enum err store_password(struct set_password *s, struct directory_account *ret)
{
	struct directory_account_new add = {
		.address = buf_view(&s->address),
		.display = buf_view(&s->display),
		.quota = s->quota,
		.now = clock_wall(),
		.verifiers = &s->verifiers,
	};
	enum err err = s->result;

	if (!err && s->account)
		err = directory_account_set_password(s->auth->d, s->account, &s->verifiers,
						     add.now);
	else if (!err)
		err = directory_account_add(s->auth->d, &add, &s->account);
	if (!err)
		err = directory_account_by_id(s->auth->d, s->account, ret);
	return err;
}

static void set_done(struct pool_job *base)
{
	struct set_password *s = (struct set_password *)base;
	struct admin_call c = { .auth = s->auth, .tag = s->tag };
	struct directory_account account;
	bool added = s->account == 0;
	enum err err = store_password(s, &account);

	s->auth->count.hashes++;
	if (err == ERR_EXISTS) {
		admin_end(&c, err, VIEW_FMT " is taken", VIEW_ARG(buf_view(&s->address)));
	} else if (err == ERR_NOTFOUND) {
		admin_end(&c, err, "the account or its domain was removed meanwhile");
	} else if (err) {
		admin_broken(&c, err);
	} else {
		if (added)
			auth_addresses_changed(s->auth);
		auth_account_changed(s->auth, s->account, !added, false);
		LOG_NOTICE("auth.account",
			   added ? "an account was added" : "a password was changed",
			   LOG_STR("account", account.address), LOG_UINT("id", account.id));
		show_account(&c, &account, s->generated ? buf_view(&s->password) : VIEW_EMPTY);
		tell_done(&c, &account, added, s->generated ? buf_view(&s->password) : VIEW_EMPTY);
	}
	set_free(s);
}

/* The given password in its normal form, or a new one; false if the call has ended. */
static bool choose_password(const struct admin_call *c, struct set_password *s)
{
	struct buf CLEANUP(buf_done) why = BUF_INIT(500);
	enum err err;

	if (!admin_has(c, "password")) {
		s->generated = true;
		password_generate(&s->password);
		return true;
	}
	err = password_prepare(admin_arg(c, "password"), &s->password);
	if (err == ERR_LIMIT) {
		admin_end(c, err, "the password is too long: use at most %d octets", PASSWORD_MAX);
		return false;
	}
	if (err) {
		admin_end(c, err,
			  "the password has characters that cannot be typed: use letters, "
			  "digits, blanks and signs");
		return false;
	}
	/* For instances made for tests. */
	if (admin_flag(c, "unchecked"))
		return true;
	err = password_check(buf_view(&s->password), buf_view(&s->address),
			     c->auth->config->password_min, &why);
	if (err)
		admin_end(c, err, VIEW_FMT, VIEW_ARG(buf_view(&why)));
	return !err;
}

static struct set_password *set_new(const struct admin_call *c, struct view address)
{
	struct set_password *s = calloc(1, sizeof(*s));

	if (!s) {
		admin_end(c, ERR_NOMEM, "out of memory: nothing was changed");
		return NULL;
	}
	s->job = (struct pool_job){ .work = set_work, .done = set_done };
	s->auth = c->auth;
	s->tag = c->tag;
	s->cost = auth_cost(c->auth);
	buf_init(&s->address, DIRECTORY_ADDRESS_MAX);
	buf_init(&s->display, DIRECTORY_DISPLAY_MAX);
	buf_init(&s->password, PASSWORD_MAX);
	buf_add(&s->address, address);
	return s;
}

/* Nothing was lost for want of memory: an empty buffer would be an empty password. */
static bool is_complete(const struct set_password *s)
{
	return !buf_err(&s->address) && !buf_err(&s->display) && !buf_err(&s->password);
}

static void set_submit(const struct admin_call *c, struct set_password *s)
{
	if (!choose_password(c, s)) {
		set_free(s);
		return;
	}
	if (!is_complete(s)) {
		set_free(s);
		admin_end(c, ERR_NOMEM, "out of memory: nothing was changed");
		return;
	}
	if (pool_submit(c->auth->pool, &s->job, c->auth->config->auth_hash_queue)) {
		set_free(s);
		admin_end(c, ERR_BUSY,
			  "too many passwords are being checked: try again in a moment");
	}
}

/* false if the call has ended. */
static bool read_quota(const struct admin_call *c, uint64_t *ret)
{
	struct view text = admin_arg(c, "quota");

	if (text.n == 0) {
		*ret = c->auth->config->quota;
		return true;
	}
	if (num_size(text, ret) == OK && *ret <= INT64_MAX)
		return true;
	admin_end(c, ERR_SYNTAX, "the quota must be a size like 2 GiB, or 0 for none");
	return false;
}

/* What can be refused is refused before the work of hashing; false if the call has ended. */
static bool check_new_address(const struct admin_call *c, struct view address)
{
	struct directory_account account;
	struct directory_domain domain;
	struct name name;
	enum err err = name_parse(address, &name);

	if (err || name.address.literal) {
		admin_end(c, ERR_SYNTAX,
			  VIEW_FMT " is not an address: write it like anna@example.org",
			  VIEW_ARG(address));
		return false;
	}
	err = directory_domain_find(c->auth->d, address_domain(&name.address), &domain);
	if (err == ERR_NOTFOUND) {
		admin_end(c, err,
			  "the domain " VIEW_FMT " is not hosted here: add it first "
			  "(posthold domain add " VIEW_FMT ")",
			  VIEW_ARG(address_domain(&name.address)),
			  VIEW_ARG(address_domain(&name.address)));
		return false;
	}
	if (!err)
		err = directory_account_find(c->auth->d, address, &account);
	if (!err) {
		admin_end(c, ERR_EXISTS, "the account %s exists already", account.address);
		return false;
	}
	if (err != ERR_NOTFOUND)
		admin_broken(c, err);
	return err == ERR_NOTFOUND;
}

void admin_account_add(struct admin_call *c)
{
	struct view address = admin_arg(c, "address");
	struct view display = admin_arg(c, "display");
	struct set_password *s;
	uint64_t quota;

	if (!check_new_address(c, address) || !read_quota(c, &quota))
		return;
	if (display.n > DIRECTORY_DISPLAY_MAX) {
		admin_end(c, ERR_LIMIT, "the display name is too long: at most %d octets",
			  DIRECTORY_DISPLAY_MAX);
		return;
	}
	s = set_new(c, address);
	if (!s)
		return;
	s->quota = quota;
	buf_add(&s->display, display);
	set_submit(c, s);
}

/* The account that the call names; false if there is none and the call has ended. */
static bool find(const struct admin_call *c, struct directory_account *ret)
{
	struct view address = admin_arg(c, "address");
	enum err err = directory_account_find(c->auth->d, address, ret);

	if (err == ERR_NOTFOUND)
		admin_end(c, err, "there is no account " VIEW_FMT " (posthold account list)",
			  VIEW_ARG(address));
	else if (err)
		admin_broken(c, err);
	return !err;
}

void admin_account_password(struct admin_call *c)
{
	struct directory_account account;
	struct set_password *s;

	if (!find(c, &account))
		return;
	s = set_new(c, view_str(account.address));
	if (!s)
		return;
	s->account = account.id;
	set_submit(c, s);
}

static enum err list_row(void *ctx, const struct directory_account *a)
{
	struct admin_list *list = ctx;

	if (list->count == AUTH_LIST_MAX)
		return ERR_LIMIT;
	list->count++;
	show_account(list->call, a, VIEW_EMPTY);
	return OK;
}

void admin_account_list(struct admin_call *c)
{
	struct admin_list list = { c, 0 };

	admin_list_end(c,
		       directory_account_each(c->auth->d, admin_arg(c, "domain"), list_row, &list));
}

static enum err alias_name_row(void *ctx, const struct directory_alias *alias)
{
	return json_array_append_new(ctx, admin_text(view_str(alias->address))) ? ERR_NOMEM : OK;
}

void admin_account_show(struct admin_call *c)
{
	struct directory_account account;
	json_t *aliases, *row;
	enum err err;

	if (!find(c, &account))
		return;
	aliases = json_array();
	err = aliases ? directory_alias_each_to(c->auth->d, view_str(account.address),
						alias_name_row, aliases)
		      : ERR_NOMEM;
	if (err) {
		json_decref(aliases);
		admin_broken(c, err);
		return;
	}
	row = account_row(&account);
	if (row)
		(void)json_object_set_new(row, "aliases", aliases);
	admin_row(c, row);
	admin_end(c, OK, "%s", "");
}

static void set_state(struct admin_call *c, enum account_state state, const char *done)
{
	struct directory_account account;
	enum err err;

	if (!find(c, &account))
		return;
	err = directory_account_set_state(c->auth->d, account.id, state);
	if (err) {
		admin_broken(c, err);
		return;
	}
	auth_account_changed(c->auth, account.id, state == ACCOUNT_DISABLED, false);
	auth_addresses_changed(c->auth);
	LOG_NOTICE("auth.account", done, LOG_STR("account", account.address),
		   LOG_UINT("id", account.id));
	admin_end(c, OK, "%s: %s", account.address, done);
}

void admin_account_disable(struct admin_call *c)
{
	set_state(c, ACCOUNT_DISABLED, "disabled, and its sessions are ended");
}

void admin_account_enable(struct admin_call *c)
{
	set_state(c, ACCOUNT_ACTIVE, "enabled");
}

void admin_account_remove(struct admin_call *c)
{
	struct directory_account account;
	enum err err;

	if (!find(c, &account))
		return;
	err = directory_account_remove(c->auth->d, account.id);
	if (err == ERR_WRONG_STATE) {
		admin_end(c, err,
			  "aliases lead to %s: remove or change them first (posthold account show "
			  "%s)",
			  account.address, account.address);
		return;
	}
	if (err) {
		admin_broken(c, err);
		return;
	}
	auth_account_changed(c->auth, account.id, true, true);
	auth_addresses_changed(c->auth);
	LOG_NOTICE("auth.account", "an account was removed", LOG_STR("account", account.address),
		   LOG_UINT("id", account.id));
	admin_row(c, json_pack("{s:o, s:I}", "address", admin_text(view_str(account.address)), "id",
			       (json_int_t)account.id));
	admin_end(c, OK, "removed %s; its mail is still in mail/%llu", account.address,
		  (unsigned long long)account.id);
}

void admin_account_quota(struct admin_call *c)
{
	struct directory_account account;
	uint64_t quota;
	enum err err;

	if (!find(c, &account) || !read_quota(c, &quota))
		return;
	err = directory_account_set_quota(c->auth->d, account.id, quota);
	if (err) {
		admin_broken(c, err);
		return;
	}
	admin_end(c, OK, "%s: quota %llu octets, in force when the mailbox is opened next",
		  account.address, (unsigned long long)quota);
}
