/*
 * directory/account.c: accounts and the verifiers of their main passwords.
 */
#include "directory/db.h"

/* credential.kind; stored, never renumber. */
enum credential_kind { CREDENTIAL_ARGON2ID = 1, CREDENTIAL_SCRAM_SHA_256 = 2 };

static enum err read_account(sqlite3_stmt *s, struct directory_account *ret)
{
	struct directory_account a = {
		.id = db_column_u64(s, 0),
		.quota = db_column_u64(s, 3),
		.state = (enum account_state)db_column_i64(s, 4),
		.created = db_column_i64(s, 5),
		.password_changed = db_column_i64(s, 6),
	};
	enum err err = db_column_text(s, 1, a.address, sizeof(a.address));

	if (!err)
		err = db_column_text(s, 2, a.display, sizeof(a.display));
	if (!err)
		*ret = a;
	return err;
}

static enum err read_one(struct directory *d, sqlite3_stmt *s, struct directory_account *ret)
{
	enum err err = db_one(d, s);

	if (!err)
		err = read_account(s, ret);
	db_reset(s);
	return err;
}

enum err db_account_find(struct directory *d, struct view domain, struct view key,
			 struct directory_account *ret)
{
	sqlite3_stmt *s = db_statement(d, SQL_ACCOUNT_FIND);

	db_bind_view(s, 1, domain);
	db_bind_view(s, 2, key);
	return read_one(d, s, ret);
}

enum err db_account_oldest(struct directory *d, struct view domain, struct directory_account *ret)
{
	sqlite3_stmt *s = db_statement(d, SQL_ACCOUNT_OLDEST);

	db_bind_view(s, 1, domain);
	return read_one(d, s, ret);
}

enum err directory_account_find(struct directory *d, struct view address,
				struct directory_account *ret)
{
	struct name name;
	enum err err = name_parse(address, &name);

	if (err)
		return err == ERR_NOMEM ? err : ERR_NOTFOUND;
	return db_account_find(d, address_domain(&name.address), name_key(&name), ret);
}

enum err directory_account_find_even(struct directory *d, struct view address, uint64_t instead,
				     struct directory_account *ret)
{
	sqlite3_stmt *s = db_statement(d, SQL_ACCOUNT_FIND_EVEN);
	struct directory_account read;
	struct name name;
	enum err err = name_parse(address, &name);
	bool found;

	if (err)
		return err == ERR_NOMEM ? err : ERR_NOTFOUND;
	db_bind_view(s, 1, address_domain(&name.address));
	db_bind_view(s, 2, name_key(&name));
	db_bind_u64(s, 3, instead);
	err = db_one(d, s);
	if (err)
		return err;
	found = db_column_i64(s, 7);
	err = read_account(s, &read);
	db_reset(s);
	if (err)
		return err;
	if (!found)
		return ERR_NOTFOUND;
	*ret = read;
	return OK;
}

enum err directory_account_by_id(struct directory *d, uint64_t id, struct directory_account *ret)
{
	sqlite3_stmt *s = db_statement(d, SQL_ACCOUNT_BY_ID);

	db_bind_u64(s, 1, id);
	return read_one(d, s, ret);
}

static enum err add_argon2id(struct directory *d, uint64_t id, const struct verifiers *v,
			     int64_t now)
{
	sqlite3_stmt *s = db_statement(d, SQL_CREDENTIAL_ADD);

	db_bind_u64(s, 1, id);
	db_bind_i64(s, 2, CREDENTIAL_ARGON2ID);
	db_bind_blob(s, 3, view_str(v->argon2id));
	db_bind_i64(s, 7, now);
	return db_run(d, s);
}

static enum err add_scram(struct directory *d, uint64_t id, const struct verifiers *v, int64_t now)
{
	sqlite3_stmt *s = db_statement(d, SQL_CREDENTIAL_ADD);

	db_bind_u64(s, 1, id);
	db_bind_i64(s, 2, CREDENTIAL_SCRAM_SHA_256);
	db_bind_blob(s, 3, view_of(v->scram_stored_key, sizeof(v->scram_stored_key)));
	db_bind_blob(s, 4, view_of(v->scram_salt, sizeof(v->scram_salt)));
	db_bind_i64(s, 5, v->scram_iterations);
	db_bind_blob(s, 6, view_of(v->scram_server_key, sizeof(v->scram_server_key)));
	db_bind_i64(s, 7, now);
	return db_run(d, s);
}

/* Within a transaction. */
static enum err put_verifiers(struct directory *d, uint64_t id, const struct verifiers *v,
			      int64_t now)
{
	sqlite3_stmt *s = db_statement(d, SQL_CREDENTIAL_FORGET);
	enum err err;

	db_bind_u64(s, 1, id);
	err = db_run(d, s);
	if (!err && v->has_argon2id)
		err = add_argon2id(d, id, v, now);
	if (!err && v->has_scram)
		err = add_scram(d, id, v, now);
	return err;
}

/* Within a transaction. */
static enum err insert_account(struct directory *d, const struct name *name,
			       const struct directory_account_new *a, uint64_t *ret_id)
{
	struct buf CLEANUP(buf_done) address = BUF_INIT(DIRECTORY_ADDRESS_MAX);
	uint64_t domain;
	uint64_t alias;
	sqlite3_stmt *s;
	enum err err = db_domain_id(d, address_domain(&name->address), &domain);

	if (err)
		return err;
	err = db_alias_find(d, address_domain(&name->address), name_key(name), &alias);
	if (err != ERR_NOTFOUND)
		return err ? err : ERR_EXISTS;
	address_add(&address, &name->address);
	if (buf_err(&address))
		return buf_err(&address);
	s = db_statement(d, SQL_ACCOUNT_ADD);
	db_bind_u64(s, 1, domain);
	db_bind_view(s, 2, name_key(name));
	db_bind_view(s, 3, buf_view(&address));
	db_bind_view(s, 4, a->display);
	db_bind_u64(s, 5, a->quota);
	db_bind_i64(s, 6, ACCOUNT_ACTIVE);
	db_bind_i64(s, 7, a->now);
	err = db_run(d, s);
	if (!err)
		*ret_id = (uint64_t)sqlite3_last_insert_rowid(d->db);
	return err;
}

enum err directory_account_add(struct directory *d, const struct directory_account_new *a,
			       uint64_t *ret_id)
{
	struct name name;
	uint64_t id = 0;
	enum err err = name_parse(a->address, &name);

	if (!err && name.address.literal)
		err = ERR_SYNTAX;
	if (!err && (a->display.n > DIRECTORY_DISPLAY_MAX || a->quota > INT64_MAX))
		err = ERR_LIMIT;
	if (!err)
		err = db_begin(d);
	if (err)
		return err;
	err = insert_account(d, &name, a, &id);
	if (!err && a->verifiers)
		err = put_verifiers(d, id, a->verifiers, a->now);
	err = db_end(d, err);
	if (!err)
		*ret_id = id;
	return err;
}

/* An UPDATE or DELETE of one account. */
static enum err change_one(struct directory *d, sqlite3_stmt *s)
{
	enum err err = db_run(d, s);

	return err ? err : db_changed(d) > 0 ? OK : ERR_NOTFOUND;
}

enum err directory_account_set_state(struct directory *d, uint64_t id, enum account_state state)
{
	sqlite3_stmt *s = db_statement(d, SQL_ACCOUNT_SET_STATE);

	db_bind_u64(s, 1, id);
	db_bind_i64(s, 2, state);
	return change_one(d, s);
}

enum err directory_account_set_quota(struct directory *d, uint64_t id, uint64_t quota)
{
	sqlite3_stmt *s = db_statement(d, SQL_ACCOUNT_SET_QUOTA);

	if (quota > INT64_MAX)
		return ERR_LIMIT;
	db_bind_u64(s, 1, id);
	db_bind_u64(s, 2, quota);
	return change_one(d, s);
}

enum err directory_account_set_display(struct directory *d, uint64_t id, struct view display)
{
	sqlite3_stmt *s = db_statement(d, SQL_ACCOUNT_SET_DISPLAY);

	if (display.n > DIRECTORY_DISPLAY_MAX)
		return ERR_LIMIT;
	db_bind_u64(s, 1, id);
	db_bind_view(s, 2, display);
	return change_one(d, s);
}

enum err directory_account_set_password(struct directory *d, uint64_t id, const struct verifiers *v,
					int64_t now)
{
	struct directory_account account;
	enum err err = directory_account_by_id(d, id, &account);

	if (!err)
		err = db_begin(d);
	if (err)
		return err;
	return db_end(d, put_verifiers(d, id, v, now));
}

static enum err found_alias(void *ctx, const struct directory_alias *alias)
{
	(void)ctx;
	(void)alias;
	return ERR_WRONG_STATE;
}

enum err directory_account_remove(struct directory *d, uint64_t id)
{
	struct directory_account account;
	sqlite3_stmt *s;
	enum err err = directory_account_by_id(d, id, &account);

	if (!err)
		err = directory_alias_each_to(d, view_str(account.address), found_alias, NULL);
	if (err)
		return err;
	s = db_statement(d, SQL_ACCOUNT_REMOVE);
	db_bind_u64(s, 1, id);
	return change_one(d, s);
}

static bool copy_exact(struct view from, uint8_t *to, size_t n)
{
	if (from.n != n)
		return false;
	memcpy(to, from.p, n);
	return true;
}

static enum err read_credential(sqlite3_stmt *s, struct verifiers *v)
{
	switch (db_column_i64(s, 0)) {
	case CREDENTIAL_ARGON2ID:
		v->has_argon2id = true;
		return db_column_text(s, 1, v->argon2id, sizeof(v->argon2id));
	case CREDENTIAL_SCRAM_SHA_256:
		v->has_scram = true;
		v->scram_iterations = (uint32_t)db_column_u64(s, 3);
		if (!copy_exact(db_column(s, 1), v->scram_stored_key,
				sizeof(v->scram_stored_key)) ||
		    !copy_exact(db_column(s, 2), v->scram_salt, sizeof(v->scram_salt)) ||
		    !copy_exact(db_column(s, 4), v->scram_server_key, sizeof(v->scram_server_key)))
			return ERR_CORRUPT;
		return OK;
	default: return OK; /* of a newer version */
	}
}

enum err directory_verifiers(struct directory *d, uint64_t id, struct verifiers *ret)
{
	sqlite3_stmt *s = db_statement(d, SQL_CREDENTIAL_LIST);
	struct verifiers v = { 0 };
	enum err err;

	db_bind_u64(s, 1, id);
	while ((err = db_step(d, s)) == OK) {
		err = read_credential(s, &v);
		if (err)
			break;
	}
	db_reset(s);
	if (err != ERR_EOF)
		return err;
	*ret = v;
	return OK;
}

enum err directory_account_each(struct directory *d, struct view domain, directory_account_fn *fn,
				void *ctx)
{
	struct buf CLEANUP(buf_done) a_label = BUF_INIT(ADDRESS_DOMAIN_MAX);
	struct directory_account account;
	sqlite3_stmt *s;
	enum err err = domain.n > 0 ? name_domain(domain, &a_label) : OK;

	if (err)
		return err;
	s = db_statement(d, SQL_ACCOUNT_LIST);
	db_bind_view(s, 1, buf_view(&a_label));
	while ((err = db_step(d, s)) == OK) {
		err = read_account(s, &account);
		if (!err)
			err = fn(ctx, &account);
		if (err)
			break;
	}
	db_reset(s);
	return err == ERR_EOF ? OK : err;
}
