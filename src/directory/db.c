/*
 * directory/db.c: see db.h; opening and migrating the file.
 */
#include "directory/db.h"

enum {
	APPLICATION_ID = 0x50486469, /* "PHdi": what file(1) and we recognise the file by */
	BUSY_MS = 2000, /* a backup tool may hold the file for a moment */
	STATEMENT_TEXT_MAX = 256,
};

enum err db_err(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE: return OK;
	case SQLITE_NOMEM: return ERR_NOMEM;
	case SQLITE_FULL: return ERR_FULL;
	case SQLITE_CONSTRAINT: return ERR_EXISTS;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB: return ERR_CORRUPT;
	case SQLITE_BUSY:
	case SQLITE_LOCKED: return ERR_BUSY;
	default: return ERR_IO;
	}
}

sqlite3_stmt *db_statement(struct directory *d, enum sql which)
{
	sqlite3_stmt **s = &d->statements[which];

	if (!*s)
		(void)sqlite3_prepare_v3(d->db, sql_text(which), -1, SQLITE_PREPARE_PERSISTENT, s,
					 NULL);
	db_reset(*s);
	return *s;
}

void db_reset(sqlite3_stmt *s)
{
	if (!s)
		return;
	(void)sqlite3_reset(s);
	(void)sqlite3_clear_bindings(s);
}

void db_bind_view(sqlite3_stmt *s, int at, struct view text)
{
	(void)sqlite3_bind_text(s, at, text.p ? text.p : "", (int)text.n, SQLITE_STATIC);
}

void db_bind_blob(sqlite3_stmt *s, int at, struct view bytes)
{
	(void)sqlite3_bind_blob(s, at, bytes.p ? bytes.p : "", (int)bytes.n, SQLITE_STATIC);
}

void db_bind_i64(sqlite3_stmt *s, int at, int64_t n)
{
	(void)sqlite3_bind_int64(s, at, n);
}

void db_bind_u64(sqlite3_stmt *s, int at, uint64_t n)
{
	db_bind_i64(s, at, (int64_t)n);
}

/* One that failed, for want of memory perhaps, is made up for before anything else happens. */
static enum err roll_back(struct directory *d)
{
	sqlite3_stmt *s = db_statement(d, SQL_ROLLBACK);
	int rc = s ? sqlite3_step(s) : SQLITE_NOMEM;

	db_reset(s);
	d->open_left = !sqlite3_get_autocommit(d->db);
	return d->open_left ? (db_err(rc) ? db_err(rc) : ERR_IO) : OK;
}

enum err db_step(struct directory *d, sqlite3_stmt *s)
{
	enum err err = d->open_left ? roll_back(d) : OK;
	int rc;

	if (err)
		return err;
	if (!s) /* could not be prepared: the connection knows why */
		return db_err(sqlite3_errcode(d->db)) ? db_err(sqlite3_errcode(d->db)) : ERR_IO;
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		return OK;
	db_reset(s);
	return rc == SQLITE_DONE ? ERR_EOF : db_err(rc);
}

enum err db_run(struct directory *d, sqlite3_stmt *s)
{
	enum err err = db_step(d, s);

	if (err == OK) /* rows that nobody asked for */
		db_reset(s);
	return err == ERR_EOF ? OK : err;
}

enum err db_one(struct directory *d, sqlite3_stmt *s)
{
	enum err err = db_step(d, s);

	return err == ERR_EOF ? ERR_NOTFOUND : err;
}

struct view db_column(sqlite3_stmt *s, int at)
{
	const void *p = sqlite3_column_blob(s, at);

	return view_of(p, p ? (size_t)sqlite3_column_bytes(s, at) : 0);
}

int64_t db_column_i64(sqlite3_stmt *s, int at)
{
	return sqlite3_column_int64(s, at);
}

uint64_t db_column_u64(sqlite3_stmt *s, int at)
{
	return (uint64_t)db_column_i64(s, at);
}

enum err db_column_text(sqlite3_stmt *s, int at, char *room, size_t size)
{
	struct view v = db_column(s, at);

	if (v.n >= size)
		return ERR_CORRUPT;
	if (v.n)
		memcpy(room, v.p, v.n);
	room[v.n] = '\0';
	return OK;
}

uint64_t db_changed(const struct directory *d)
{
	return (uint64_t)sqlite3_changes64(d->db);
}

enum err db_begin(struct directory *d)
{
	return db_run(d, db_statement(d, SQL_BEGIN));
}

enum err db_end(struct directory *d, enum err err)
{
	if (!err)
		err = db_run(d, db_statement(d, SQL_COMMIT));
	/* A failed commit may or may not have ended the transaction.  The first error is the one to tell. */
	if (err && !sqlite3_get_autocommit(d->db))
		(void)!roll_back(d);
	return err;
}

static enum err exec(struct directory *d, const char *text)
{
	return db_err(sqlite3_exec(d->db, text, NULL, NULL, NULL));
}

/* A pragma that answers one number. */
static enum err read_number(struct directory *d, const char *pragma, int64_t *ret)
{
	sqlite3_stmt *s = NULL;
	enum err err = db_err(sqlite3_prepare_v2(d->db, pragma, -1, &s, NULL));

	if (!err)
		err = db_one(d, s);
	if (!err)
		*ret = db_column_i64(s, 0);
	(void)sqlite3_finalize(s);
	return err;
}

static enum err migrate(struct directory *d, int version)
{
	char text[STATEMENT_TEXT_MAX];
	enum err err = exec(d, sql_migration(version));

	if (err)
		return err;
	/* Pragmas take no parameters; these are our own numbers. */
	(void)snprintf(text, sizeof(text), "PRAGMA user_version = %d; PRAGMA application_id = %d",
		       version, APPLICATION_ID);
	return exec(d, text);
}

static enum err migrate_all(struct directory *d)
{
	int64_t version = 0;
	int64_t application = 0;
	enum err err = read_number(d, "PRAGMA user_version", &version);

	if (!err)
		err = read_number(d, "PRAGMA application_id", &application);
	if (err)
		return err;
	if (version > DIRECTORY_SCHEMA)
		return ERR_UNSUPPORTED;
	if (version > 0 && application != APPLICATION_ID)
		return ERR_CORRUPT;
	if (version == DIRECTORY_SCHEMA)
		return OK;
	err = db_begin(d);
	if (err)
		return err;
	while (!err && version < DIRECTORY_SCHEMA)
		err = migrate(d, (int)++version);
	return db_end(d, err);
}

static enum err read_secret(struct directory *d)
{
	sqlite3_stmt *s = db_statement(d, SQL_SETTING_GET);
	enum err err;

	db_bind_view(s, 1, VIEW("secret"));
	err = db_one(d, s);
	if (err)
		return err == ERR_NOTFOUND ? ERR_CORRUPT : err;
	if (db_column(s, 0).n == sizeof(d->secret))
		memcpy(d->secret, db_column(s, 0).p, sizeof(d->secret));
	else
		err = ERR_CORRUPT;
	db_reset(s);
	return err;
}

/* The name as it is.  SQLite's own function resolves each link, and would turn "/proc/self/fd/5" into a
 * path that the role's user may not walk; the last component is never a link that is followed. */
static int full_pathname(sqlite3_vfs *vfs, const char *name, int size, char *ret)
{
	size_t n = strlen(name);

	(void)vfs;
	if (n >= (size_t)size)
		return SQLITE_CANTOPEN;
	memcpy(ret, name, n + 1);
	return SQLITE_OK;
}

/* The system's file layer, but for full_pathname, under a name of our own. */
static enum err register_vfs(struct directory *d)
{
	const sqlite3_vfs *unix_vfs = sqlite3_vfs_find("unix");

	if (!unix_vfs)
		return ERR_IO;
	d->vfs = *unix_vfs;
	d->vfs.pNext = NULL;
	d->vfs.xFullPathname = full_pathname;
	(void)snprintf(d->vfs_name, sizeof(d->vfs_name), "posthold-directory-%p", (void *)d);
	d->vfs.zName = d->vfs_name;
	return db_err(sqlite3_vfs_register(&d->vfs, 0));
}

static enum err open_file(struct directory *d, const char *path)
{
	enum err err = register_vfs(d);

	if (err)
		return err;
	err = db_err(sqlite3_open_v2(path, &d->db,
				     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
					     SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
					     SQLITE_OPEN_EXRESCODE,
				     d->vfs_name));

	if (err)
		return err;
	(void)sqlite3_busy_timeout(d->db, BUSY_MS);
	/* No statement of ours needs what these forbid; a damaged file must not bring its own code. */
	(void)sqlite3_db_config(d->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(d->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_db_config(d->db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
	/* FULL: OK means that a power cut cannot undo it.  secure_delete: no verifier stays in free pages. */
	err = exec(d, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
		      "PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;"
		      "PRAGMA temp_store = MEMORY; PRAGMA cell_size_check = ON");
	if (!err)
		err = migrate_all(d);
	if (!err)
		err = read_secret(d);
	return err;
}

enum err directory_open(const char *path, struct directory **ret)
{
	struct directory *d = calloc(1, sizeof(*d));
	enum err err;

	if (!d)
		return ERR_NOMEM;
	err = open_file(d, path);
	if (err) {
		directory_close(d);
		return err;
	}
	*ret = d;
	return OK;
}

void directory_close(struct directory *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < SQL_COUNT; i++)
		(void)sqlite3_finalize(d->statements[i]);
	(void)sqlite3_close(d->db);
	if (d->vfs.zName)
		(void)sqlite3_vfs_unregister(&d->vfs);
	explicit_bzero(d->secret, sizeof(d->secret));
	free(d);
}

void directory_secret(const struct directory *d, uint8_t ret[DIRECTORY_SECRET_LEN])
{
	memcpy(ret, d->secret, sizeof(d->secret));
}
