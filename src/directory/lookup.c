/*
 * directory/lookup.c: follow an address to mailboxes and remote addresses.
 *
 * Breadth first over a list of steps, each an address once: circles end by themselves, depth and the
 * number of steps are bounded, and nothing recurses.
 */
#include "base/vec.h"
#include "directory/db.h"

enum { STEPS_MAX = 1000 };

struct step {
	char address[DIRECTORY_ADDRESS_MAX];
	size_t address_n;
	char detail[DIRECTORY_DETAIL_MAX]; /* inherited from the alias that was written with it */
	size_t detail_n;
	uint64_t depth;
};

struct walk {
	struct directory *d;
	const struct lookup_rules *rules;
	struct directory_targets *found;
	VEC(struct step) steps;
	size_t at; /* the step in work */
	bool circle; /* some alias leads back to where the walk began */
	bool disabled;
	bool too_far;
};

static struct view step_address(const struct step *s)
{
	return view_of(s->address, s->address_n);
}

static struct view step_detail(const struct step *s)
{
	return view_of(s->detail, s->detail_n);
}

static enum err add_step(struct walk *w, struct view address, struct view detail, uint64_t depth)
{
	struct step step = { .depth = depth };

	for (size_t i = 0; i < w->steps.n; i++) {
		if (view_eq_nocase(step_address(&w->steps.at[i]), address)) {
			w->circle |= i == 0;
			return OK;
		}
	}
	if (address.n > sizeof(step.address) || detail.n > sizeof(step.detail))
		return ERR_LIMIT;
	if (depth > w->rules->depth || w->steps.n == STEPS_MAX) {
		w->too_far = true;
		return OK;
	}
	if (address.n)
		memcpy(step.address, address.p, address.n);
	step.address_n = address.n;
	if (detail.n)
		memcpy(step.detail, detail.p, detail.n);
	step.detail_n = detail.n;
	return VEC_PUSH(&w->steps, step) ? OK : ERR_NOMEM;
}

static enum err add_target(struct walk *w, uint64_t account, struct view address,
			   struct view detail)
{
	struct directory_targets *found = w->found;
	struct directory_target t = { .account = account };

	for (size_t i = 0; i < found->n; i++) {
		const struct directory_target *old = &found->at[i];

		if (old->account == account &&
		    (account || view_eq(view_of(old->address, old->address_n), address)))
			return OK;
	}
	if (found->n == DIRECTORY_TARGETS_MAX) {
		w->too_far = true;
		return OK;
	}
	if (address.n > sizeof(t.address) || detail.n > sizeof(t.detail))
		return ERR_LIMIT;
	memcpy(t.address, address.p, address.n);
	t.address_n = address.n;
	if (detail.n)
		memcpy(t.detail, detail.p, detail.n);
	t.detail_n = detail.n;
	found->at[found->n++] = t;
	return OK;
}

static enum err add_account(struct walk *w, const struct directory_account *a, struct view detail)
{
	if (a->state == ACCOUNT_DISABLED) {
		w->disabled = true;
		return OK;
	}
	return add_target(w, a->id, view_str(a->address), detail);
}

static enum err follow_alias(struct walk *w, uint64_t alias, struct view detail, uint64_t depth)
{
	sqlite3_stmt *s = db_statement(w->d, SQL_ALIAS_TARGETS);
	enum err err;

	db_bind_u64(s, 1, alias);
	while ((err = db_step(w->d, s)) == OK) {
		err = add_step(w, db_column(s, 0), detail, depth + 1);
		if (err)
			break;
	}
	db_reset(s);
	return err == ERR_EOF ? OK : err;
}

/* An account or alias of exactly this key.  ERR_NOTFOUND. */
static enum err try_key(struct walk *w, struct view domain, struct view key, struct view detail,
			uint64_t depth)
{
	struct directory_account account;
	uint64_t alias;
	enum err err = key.n > 0 ? db_account_find(w->d, domain, key, &account) : ERR_NOTFOUND;

	if (err != ERR_NOTFOUND)
		return err ? err : add_account(w, &account, detail);
	err = db_alias_find(w->d, domain, key, &alias);
	return err ? err : follow_alias(w, alias, detail, depth);
}

/* anna+list: again as anna, with the detail list.  ERR_NOTFOUND. */
static enum err try_without_detail(struct walk *w, const struct name *name, uint64_t depth)
{
	struct view local = address_local(&name->address);
	struct buf CLEANUP(buf_done) key = BUF_INIT(NAME_KEY_MAX);
	size_t cut = VIEW_NONE;
	enum err err;

	for (size_t i = 1; i < local.n && cut == VIEW_NONE; i++)
		if (view_has(w->rules->separators, local.p[i]))
			cut = i;
	if (cut == VIEW_NONE)
		return ERR_NOTFOUND;
	err = name_local_key(view_head(local, cut), &key);
	if (err)
		return err == ERR_NOMEM ? err : ERR_NOTFOUND;
	return try_key(w, address_domain(&name->address), buf_view(&key), view_from(local, cut + 1),
		       depth);
}

/* postmaster and abuse reach a person even where nobody thought of it.  ERR_NOTFOUND. */
static enum err try_person(struct walk *w, struct view domain, struct view key)
{
	struct directory_account account;
	enum err err;

	if (!view_eq(key, VIEW("postmaster")) && !view_eq(key, VIEW("abuse")))
		return ERR_NOTFOUND;
	err = db_account_oldest(w->d, domain, &account);
	if (err == ERR_NOTFOUND)
		err = db_account_oldest(w->d, VIEW_EMPTY, &account);
	return err ? err : add_account(w, &account, VIEW_EMPTY);
}

static enum err take_local(struct walk *w, const struct name *name, struct view detail,
			   uint64_t depth)
{
	struct view domain = address_domain(&name->address);
	enum err err = try_key(w, domain, name_key(name), detail, depth);

	if (err == ERR_NOTFOUND)
		err = try_without_detail(w, name, depth);
	if (err == ERR_NOTFOUND)
		err = try_person(w, domain, name_key(name));
	if (err == ERR_NOTFOUND)
		err = try_key(w, domain, VIEW_EMPTY, VIEW_EMPTY, depth);
	return err == ERR_NOTFOUND ? OK : err;
}

static enum err take_remote(struct walk *w, const struct name *name)
{
	struct buf CLEANUP(buf_done) address = BUF_INIT(DIRECTORY_ADDRESS_MAX);

	address_add(&address, &name->address);
	if (buf_err(&address))
		return buf_err(&address);
	return add_target(w, 0, buf_view(&address), VIEW_EMPTY);
}

/* One step; *ret_ours says whether its domain is hosted here. */
static enum err take_step(struct walk *w, struct step step, bool *ret_ours)
{
	struct name name;
	uint64_t domain;
	bool ours;
	enum err err = name_parse(step_address(&step), &name);

	if (err) /* what is no address leads nowhere */
		return err == ERR_NOMEM ? err : OK;
	err = name.address.literal ? ERR_NOTFOUND
				   : db_domain_id(w->d, address_domain(&name.address), &domain);
	if (err && err != ERR_NOTFOUND)
		return err;
	ours = !err;
	if (ours)
		err = take_local(w, &name, step_detail(&step), step.depth);
	else
		err = take_remote(w, &name);
	if (!err)
		*ret_ours = ours;
	return err;
}

static enum lookup_status conclude(const struct walk *w, bool ours, bool strict)
{
	if (!ours && w->found->n == 1)
		return LOOKUP_NOT_OURS;
	if (w->too_far || (w->circle && (strict || w->found->n == 0)))
		return LOOKUP_LOOP;
	if (w->found->n > 0)
		return LOOKUP_OK;
	return w->disabled ? LOOKUP_DISABLED : LOOKUP_UNKNOWN;
}

static enum err walk_all(struct walk *w, bool *ret_ours)
{
	bool first_ours = true;
	bool ours = true;
	enum err err = OK;

	for (w->at = 0; w->at < w->steps.n && !err; w->at++) {
		err = take_step(w, w->steps.at[w->at], &ours);
		if (w->at == 0)
			first_ours = ours;
	}
	if (!err)
		*ret_ours = first_ours;
	return err;
}

enum err db_lookup(struct directory *d, const struct lookup_rules *rules, struct view address,
		   bool strict, struct directory_targets *ret)
{
	struct walk w = { .d = d, .rules = rules, .found = ret, .steps = VEC_INIT(STEPS_MAX) };
	bool ours = true;
	enum err err;

	ret->n = 0;
	if (view_eq_nocase(address, VIEW("postmaster"))) {
		err = try_person(&w, VIEW_EMPTY, VIEW("postmaster"));
		err = err == ERR_NOTFOUND ? OK : err;
	} else {
		err = address.n <= DIRECTORY_ADDRESS_MAX ? add_step(&w, address, VIEW_EMPTY, 0)
							 : OK;
		if (!err)
			err = walk_all(&w, &ours);
	}
	VEC_DONE(&w.steps);
	if (err)
		return err;
	ret->status = conclude(&w, ours, strict);
	if (ret->status != LOOKUP_OK && ret->status != LOOKUP_NOT_OURS)
		ret->n = 0;
	return OK;
}

enum err directory_lookup(struct directory *d, const struct lookup_rules *rules,
			  struct view address, struct directory_targets *ret)
{
	return db_lookup(d, rules, address, false, ret);
}
