/*
 * directory/alias.c: addresses that stand for other addresses.
 *
 * Targets are kept as addresses, not as numbers: a target may be remote, an alias, or carry a sub-address,
 * and is resolved at each lookup.
 */
#include "directory/db.h"

/* An alias as the administrator writes it: an address, or "@domain". */
struct alias_name {
	struct view domain; /* A-label, borrowed from room */
	struct view key; /* empty: catch-all */
	struct buf address; /* canonical */
	struct name room;
	struct buf domain_room;
};

static void alias_name_done(struct alias_name *n)
{
	buf_done(&n->address);
	buf_done(&n->domain_room);
}

static enum err parse_alias(struct view text, struct alias_name *n)
{
	enum err err;

	*n = (struct alias_name){ 0 };
	buf_init(&n->address, DIRECTORY_ADDRESS_MAX);
	buf_init(&n->domain_room, ADDRESS_DOMAIN_MAX);
	if (view_starts(text, VIEW("@"))) {
		err = name_domain(view_from(text, 1), &n->domain_room);
		n->domain = buf_view(&n->domain_room);
		buf_add_char(&n->address, '@');
		buf_add(&n->address, n->domain);
	} else {
		err = name_parse(text, &n->room);
		if (!err && n->room.address.literal)
			err = ERR_SYNTAX;
		if (err)
			return err;
		n->domain = address_domain(&n->room.address);
		n->key = name_key(&n->room);
		address_add(&n->address, &n->room.address);
	}
	return err ? err : buf_err(&n->address);
}

enum err db_alias_find(struct directory *d, struct view domain, struct view key, uint64_t *ret_id)
{
	sqlite3_stmt *s = db_statement(d, SQL_ALIAS_FIND);
	enum err err;

	db_bind_view(s, 1, domain);
	db_bind_view(s, 2, key);
	err = db_one(d, s);
	if (err)
		return err;
	*ret_id = db_column_u64(s, 0);
	db_reset(s);
	return OK;
}

/*
 * A target in the spelling under which it is stored: that of the account for an account, so that it can be
 * found by it.  ERR_NOTFOUND for a local address that leads nowhere.
 */
static enum err canonical_target(struct directory *d, const struct lookup_rules *rules,
				 struct view text, struct buf *out)
{
	struct directory_targets *found;
	struct directory_account account;
	struct name name;
	enum err err = name_parse(text, &name);

	if (err)
		return err;
	err = db_account_find(d, address_domain(&name.address), name_key(&name), &account);
	if (!err) {
		buf_add_str(out, account.address);
		return buf_err(out);
	}
	if (err != ERR_NOTFOUND)
		return err;
	address_add(out, &name.address);
	found = malloc(sizeof(*found));
	if (!found)
		return ERR_NOMEM;
	err = directory_lookup(d, rules, text, found);
	if (!err && found->status == LOOKUP_UNKNOWN)
		err = ERR_NOTFOUND;
	free(found);
	return err ? err : buf_err(out);
}

static enum err find_or_insert(struct directory *d, const struct alias_name *n, uint64_t domain,
			       uint64_t *ret_id)
{
	enum err err = db_alias_find(d, n->domain, n->key, ret_id);
	sqlite3_stmt *s;

	if (err != ERR_NOTFOUND)
		return err;
	s = db_statement(d, SQL_ALIAS_ADD);
	db_bind_u64(s, 1, domain);
	db_bind_view(s, 2, n->key);
	db_bind_view(s, 3, buf_view(&n->address));
	err = db_run(d, s);
	if (!err)
		*ret_id = (uint64_t)sqlite3_last_insert_rowid(d->db);
	return err;
}

/* Does the alias, as it is now within the transaction, still lead somewhere? */
static enum err check_leads(struct directory *d, const struct lookup_rules *rules,
			    const struct alias_name *n)
{
	struct buf CLEANUP(buf_done) any = BUF_INIT(DIRECTORY_ADDRESS_MAX);
	struct directory_targets *found = malloc(sizeof(*found));
	enum err err;

	if (!found)
		return ERR_NOMEM;
	/* A catch-all is followed by way of an address that nobody has. */
	if (n->key.n == 0)
		buf_add_str(&any, "no-such-address-here");
	buf_add(&any, buf_view(&n->address));
	err = buf_err(&any);
	if (!err)
		err = db_lookup(d, rules, buf_view(&any), true, found);
	if (!err && found->status == LOOKUP_LOOP)
		err = ERR_WRONG_STATE;
	free(found);
	return err;
}

static enum err count_targets(struct directory *d, uint64_t alias, size_t *ret)
{
	sqlite3_stmt *s = db_statement(d, SQL_ALIAS_TARGETS);
	size_t count = 0;
	enum err err;

	db_bind_u64(s, 1, alias);
	while ((err = db_step(d, s)) == OK)
		count++;
	if (err != ERR_EOF)
		return err;
	*ret = count;
	return OK;
}

static enum err insert_target(struct directory *d, uint64_t alias, struct view target)
{
	sqlite3_stmt *s;
	size_t count = 0;
	enum err err = count_targets(d, alias, &count);

	if (!err && count >= DIRECTORY_TARGETS_MAX)
		err = ERR_LIMIT;
	if (err)
		return err;
	s = db_statement(d, SQL_ALIAS_TARGET_ADD);
	db_bind_u64(s, 1, alias);
	db_bind_view(s, 2, target);
	return db_run(d, s);
}

static enum err add_within(struct directory *d, const struct lookup_rules *rules,
			   const struct alias_name *n, struct view target)
{
	struct buf CLEANUP(buf_done) canonical = BUF_INIT(DIRECTORY_ADDRESS_MAX);
	struct directory_account account;
	uint64_t domain;
	uint64_t id = 0;
	enum err err = db_domain_id(d, n->domain, &domain);

	if (err)
		return err;
	err = n->key.n > 0 ? db_account_find(d, n->domain, n->key, &account) : ERR_NOTFOUND;
	if (err != ERR_NOTFOUND)
		return err ? err : ERR_EXISTS;
	err = canonical_target(d, rules, target, &canonical);
	if (!err)
		err = find_or_insert(d, n, domain, &id);
	if (!err)
		err = insert_target(d, id, buf_view(&canonical));
	if (!err)
		err = check_leads(d, rules, n);
	return err;
}

enum err directory_alias_add(struct directory *d, const struct lookup_rules *rules,
			     struct view address, struct view target)
{
	struct alias_name CLEANUP(alias_name_done) n;
	enum err err = parse_alias(address, &n);

	if (!err)
		err = db_begin(d);
	if (err)
		return err;
	return db_end(d, add_within(d, rules, &n, target));
}

/* The stored spelling of a target is the account's, or the canonical one of what was written. */
static enum err remove_target(struct directory *d, uint64_t alias, struct view target)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(DIRECTORY_ADDRESS_MAX);
	struct directory_account account;
	struct name name;
	sqlite3_stmt *s;
	enum err err = name_parse(target, &name);

	if (err)
		return err;
	err = db_account_find(d, address_domain(&name.address), name_key(&name), &account);
	if (err && err != ERR_NOTFOUND)
		return err;
	if (!err)
		buf_add_str(&text, account.address);
	else
		address_add(&text, &name.address);
	if (buf_err(&text))
		return buf_err(&text);
	s = db_statement(d, SQL_ALIAS_TARGET_REMOVE);
	db_bind_u64(s, 1, alias);
	db_bind_view(s, 2, buf_view(&text));
	err = db_run(d, s);
	if (!err && db_changed(d) == 0)
		err = ERR_NOTFOUND;
	if (err)
		return err;
	s = db_statement(d, SQL_ALIAS_REMOVE_EMPTY);
	db_bind_u64(s, 1, alias);
	return db_run(d, s);
}

static enum err remove_all(struct directory *d, uint64_t alias)
{
	sqlite3_stmt *s = db_statement(d, SQL_ALIAS_REMOVE);

	db_bind_u64(s, 1, alias);
	return db_run(d, s);
}

enum err directory_alias_remove(struct directory *d, struct view address, struct view target)
{
	struct alias_name CLEANUP(alias_name_done) n;
	uint64_t id;
	enum err err = parse_alias(address, &n);

	if (!err)
		err = db_alias_find(d, n.domain, n.key, &id);
	if (!err)
		err = db_begin(d);
	if (err)
		return err;
	return db_end(d, target.n > 0 ? remove_target(d, id, target) : remove_all(d, id));
}

static enum err each_row(struct directory *d, sqlite3_stmt *s, directory_alias_fn *fn, void *ctx)
{
	struct directory_alias alias;
	enum err err;

	while ((err = db_step(d, s)) == OK) {
		err = db_column_text(s, 0, alias.address, sizeof(alias.address));
		if (!err)
			err = db_column_text(s, 1, alias.target, sizeof(alias.target));
		if (!err)
			err = fn(ctx, &alias);
		if (err)
			break;
	}
	db_reset(s);
	return err == ERR_EOF ? OK : err;
}

enum err directory_alias_each(struct directory *d, struct view domain, directory_alias_fn *fn,
			      void *ctx)
{
	struct buf CLEANUP(buf_done) a_label = BUF_INIT(ADDRESS_DOMAIN_MAX);
	sqlite3_stmt *s;
	enum err err = domain.n > 0 ? name_domain(domain, &a_label) : OK;

	if (err)
		return err;
	s = db_statement(d, SQL_ALIAS_LIST);
	db_bind_view(s, 1, buf_view(&a_label));
	return each_row(d, s, fn, ctx);
}

enum err directory_alias_each_to(struct directory *d, struct view target, directory_alias_fn *fn,
				 void *ctx)
{
	sqlite3_stmt *s = db_statement(d, SQL_ALIAS_LIST_TO);

	db_bind_view(s, 1, target);
	return each_row(d, s, fn, ctx);
}
