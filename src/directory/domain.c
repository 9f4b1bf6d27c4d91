/*
 * directory/domain.c: hosted domains.
 */
#include "directory/db.h"

enum err db_domain_id(struct directory *d, struct view a_label, uint64_t *ret)
{
	sqlite3_stmt *s = db_statement(d, SQL_DOMAIN_FIND);
	enum err err;

	db_bind_view(s, 1, a_label);
	err = db_one(d, s);
	if (err)
		return err;
	*ret = db_column_u64(s, 0);
	db_reset(s);
	return OK;
}

static enum err read_domain(sqlite3_stmt *s, struct directory_domain *ret)
{
	struct directory_domain domain = {
		.id = db_column_u64(s, 0),
		.created = db_column_i64(s, 2),
		.accounts = db_column_u64(s, 3),
		.aliases = db_column_u64(s, 4),
	};
	enum err err = db_column_text(s, 1, domain.name, sizeof(domain.name));

	if (!err)
		*ret = domain;
	return err;
}

static enum err count_domains(struct directory *d, uint64_t *ret)
{
	sqlite3_stmt *s = db_statement(d, SQL_DOMAIN_COUNT);
	enum err err = db_one(d, s);

	if (err)
		return err;
	*ret = db_column_u64(s, 0);
	db_reset(s);
	return OK;
}

enum err directory_domain_add(struct directory *d, struct view name, int64_t now)
{
	struct buf CLEANUP(buf_done) a_label = BUF_INIT(ADDRESS_DOMAIN_MAX);
	uint64_t count = 0;
	sqlite3_stmt *s;
	enum err err = name_domain(name, &a_label);

	if (!err)
		err = name_domain_check_idna(buf_view(&a_label));
	if (!err)
		err = count_domains(d, &count);
	if (!err && count >= DIRECTORY_DOMAINS_MAX)
		err = ERR_LIMIT;
	if (err)
		return err;
	s = db_statement(d, SQL_DOMAIN_ADD);
	db_bind_view(s, 1, buf_view(&a_label));
	db_bind_i64(s, 2, now);
	return db_run(d, s);
}

enum err directory_domain_find(struct directory *d, struct view name, struct directory_domain *ret)
{
	struct buf CLEANUP(buf_done) a_label = BUF_INIT(ADDRESS_DOMAIN_MAX);
	sqlite3_stmt *s;
	enum err err = name_domain(name, &a_label);

	if (err)
		return err;
	s = db_statement(d, SQL_DOMAIN_FIND);
	db_bind_view(s, 1, buf_view(&a_label));
	err = db_one(d, s);
	if (!err)
		err = read_domain(s, ret);
	db_reset(s);
	return err;
}

enum err directory_domain_remove(struct directory *d, struct view name)
{
	struct directory_domain domain;
	sqlite3_stmt *s;
	enum err err = directory_domain_find(d, name, &domain);

	if (err)
		return err;
	if (domain.accounts > 0 || domain.aliases > 0)
		return ERR_WRONG_STATE;
	s = db_statement(d, SQL_DOMAIN_REMOVE);
	db_bind_u64(s, 1, domain.id);
	return db_run(d, s);
}

enum err directory_domain_each(struct directory *d, directory_domain_fn *fn, void *ctx)
{
	sqlite3_stmt *s = db_statement(d, SQL_DOMAIN_LIST);
	struct directory_domain domain;
	enum err err;

	while ((err = db_step(d, s)) == OK) {
		err = read_domain(s, &domain);
		if (!err)
			err = fn(ctx, &domain);
		if (err)
			break;
	}
	db_reset(s);
	return err == ERR_EOF ? OK : err;
}
