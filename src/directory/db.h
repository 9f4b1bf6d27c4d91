/*
 * directory/db.h: the file and its statements; private to src/directory.
 *
 * A statement is named here, written in sql.c, prepared at first use and kept.  Pattern of use:
 *
 *	sqlite3_stmt *s = db_statement(d, SQL_DOMAIN_ADD);
 *	db_bind_view(s, 1, name);
 *	err = db_run(d, s);
 *
 * db_statement never returns NULL to be checked at every call: a statement that could not be prepared is
 * NULL, which SQLite's functions answer with SQLITE_MISUSE, and db_step turns into the error.
 */
#ifndef DIRECTORY_DB_H
#define DIRECTORY_DB_H

#include <sqlite3.h>

#include "directory/directory.h"

enum sql {
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_SETTING_GET,
	SQL_DOMAIN_ADD,
	SQL_DOMAIN_COUNT,
	SQL_DOMAIN_FIND,
	SQL_DOMAIN_LIST,
	SQL_DOMAIN_REMOVE,
	SQL_ACCOUNT_ADD,
	SQL_ACCOUNT_FIND,
	SQL_ACCOUNT_FIND_EVEN,
	SQL_ACCOUNT_BY_ID,
	SQL_ACCOUNT_LIST,
	SQL_ACCOUNT_SET_STATE,
	SQL_ACCOUNT_SET_QUOTA,
	SQL_ACCOUNT_SET_DISPLAY,
	SQL_ACCOUNT_REMOVE,
	SQL_ACCOUNT_OLDEST,
	SQL_CREDENTIAL_FORGET,
	SQL_CREDENTIAL_ADD,
	SQL_CREDENTIAL_LIST,
	SQL_ALIAS_ADD,
	SQL_ALIAS_FIND,
	SQL_ALIAS_TARGET_ADD,
	SQL_ALIAS_TARGETS,
	SQL_ALIAS_TARGET_REMOVE,
	SQL_ALIAS_REMOVE,
	SQL_ALIAS_REMOVE_EMPTY,
	SQL_ALIAS_LIST,
	SQL_ALIAS_LIST_TO,
	SQL_DEVICE_SEEN,
	SQL_DEVICE_PUT,
	SQL_DEVICE_TRIM,
	SQL_BAN_PUT,
	SQL_BAN_REMOVE,
	SQL_BAN_FORGET,
	SQL_BAN_LIST,
	SQL_COUNT
};

struct directory {
	sqlite3_vfs vfs;
	char vfs_name[40];
	sqlite3 *db;
	sqlite3_stmt *statements[SQL_COUNT];
	uint8_t secret[DIRECTORY_SECRET_LEN];
	bool open_left; /* a transaction failed and could not be rolled back: no change counts before it is */
};

/* sql.c */
const char *sql_text(enum sql which);
/* The change from schema version - 1 to version, 1 to DIRECTORY_SCHEMA. */
const char *sql_migration(int version);

/* SQLite's result as ours. */
enum err db_err(int rc);
/* Reset, without bindings.  Borrowed. */
sqlite3_stmt *db_statement(struct directory *d, enum sql which);
/* Borrowed until the statement is reset: nothing is copied, so that binding cannot fail. */
void db_bind_view(sqlite3_stmt *s, int at, struct view text);
void db_bind_blob(sqlite3_stmt *s, int at, struct view bytes);
void db_bind_u64(sqlite3_stmt *s, int at, uint64_t n);
void db_bind_i64(sqlite3_stmt *s, int at, int64_t n);
/* OK: a row stands; ERR_EOF: no more; the statement is reset on anything but OK. */
MUST_USE enum err db_step(struct directory *d, sqlite3_stmt *s);
/* A statement without rows. */
MUST_USE enum err db_run(struct directory *d, sqlite3_stmt *s);
/* A statement of at most one row: OK (the row stands until db_reset), ERR_NOTFOUND. */
MUST_USE enum err db_one(struct directory *d, sqlite3_stmt *s);
void db_reset(sqlite3_stmt *s);
/* Borrowed until the statement moves. */
struct view db_column(sqlite3_stmt *s, int at);
uint64_t db_column_u64(sqlite3_stmt *s, int at);
int64_t db_column_i64(sqlite3_stmt *s, int at);
/* Copy text with a NUL; what does not fit is ERR_CORRUPT, since it was checked when stored. */
MUST_USE enum err db_column_text(sqlite3_stmt *s, int at, char *room, size_t size);
/* Rows that the last statement changed. */
uint64_t db_changed(const struct directory *d);

MUST_USE enum err db_begin(struct directory *d);
/* Commit when err is OK, else roll back; the error that counts. */
MUST_USE enum err db_end(struct directory *d, enum err err);

/* alias.c, for lookup.c: number of the alias.  ERR_NOTFOUND.  key: empty for the catch-all. */
MUST_USE enum err db_alias_find(struct directory *d, struct view domain, struct view key,
				uint64_t *ret_id);
/* account.c, for lookup.c */
MUST_USE enum err db_account_find(struct directory *d, struct view domain, struct view key,
				  struct directory_account *ret);
/* The oldest active account of a domain, or of all with an empty one.  ERR_NOTFOUND. */
MUST_USE enum err db_account_oldest(struct directory *d, struct view domain,
				    struct directory_account *ret);
/* domain.c: number of an A-label.  ERR_NOTFOUND. */
MUST_USE enum err db_domain_id(struct directory *d, struct view a_label, uint64_t *ret);
/* lookup.c: strict: an alias that leads back to the address is LOOKUP_LOOP even if it leads elsewhere too.
 * *ret is written also on failure: it is too large to copy. */
MUST_USE enum err db_lookup(struct directory *d, const struct lookup_rules *rules,
			    struct view address, bool strict, struct directory_targets *ret);

#endif
