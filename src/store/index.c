/*
 * store/index.c: see index.h.
 */
#include "store/index.h"

#include <errno.h>

#include "store/folder.h"
#include "sys/calls.h"

enum { BUSY_CACHE_KIB = 1024 };

enum err index_init(struct index *x, int dir, const struct key_ring *keys)
{
	*x = (struct index){ .dir = dir };
	return vfs_new(dir, keys, &x->vfs);
}

void index_done(struct index *x)
{
	index_close(x);
	vfs_free(x->vfs);
	x->vfs = NULL;
}

/* SQLite hands on some read errors without their detail: then the VFS knows. */
static enum err error_of(struct index *x, int rc)
{
	if ((rc & 0xff) == SQLITE_IOERR && (rc == SQLITE_IOERR_SHORT_READ || vfs_damaged(x->vfs)))
		return ERR_CORRUPT;
	switch (rc & 0xff) {
	case SQLITE_OK: return OK;
	case SQLITE_NOMEM: return ERR_NOMEM;
	case SQLITE_FULL: return ERR_FULL;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_ERROR: /* our SQL is constant: only a foreign schema can refuse it */
		return ERR_CORRUPT;
	case SQLITE_TOOBIG: return ERR_LIMIT;
	default: return ERR_IO;
	}
}

enum err index_error(struct index *x)
{
	enum err err = x->db ? error_of(x, sqlite3_extended_errcode(x->db)) : ERR_IO;

	return err ? err : ERR_IO;
}

static enum err run_text(struct index *x, const char *sql)
{
	return error_of(x, sqlite3_exec(x->db, sql, NULL, NULL, NULL));
}

/* Defences first: nothing in the file may bring in code or reach outside. */
static enum err harden(struct index *x)
{
	int reserved = VFS_RESERVED;
	int on;

	sqlite3_extended_result_codes(x->db, 1);
	sqlite3_db_config(x->db, SQLITE_DBCONFIG_DEFENSIVE, 1, &on);
	sqlite3_db_config(x->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, &on);
	sqlite3_db_config(x->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, &on);
	sqlite3_db_config(x->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, &on);
	sqlite3_db_config(x->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, &on);
	sqlite3_db_config(x->db, SQLITE_DBCONFIG_LOOKASIDE, NULL, 0, 0);
	if (sqlite3_file_control(x->db, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved))
		return ERR_IO;
	return OK;
}

/* page_size and journal_mode=MEMORY matter to a new file only: its first page is written before the WAL
 * is in use, and no journal may reach the disk. */
static const char pragmas[] = "PRAGMA locking_mode=EXCLUSIVE;"
			      "PRAGMA page_size=4096;"
			      "PRAGMA temp_store=MEMORY;"
			      "PRAGMA mmap_size=0;"
			      "PRAGMA cell_size_check=ON;"
			      "PRAGMA secure_delete=OFF;";
static const char pragmas_new[] = "PRAGMA journal_mode=MEMORY;";
static const char pragmas_wal[] = "PRAGMA journal_mode=WAL;"
				  "PRAGMA synchronous=NORMAL;"
				  "PRAGMA wal_autocheckpoint=0;";

static enum err create_tables(struct index *x)
{
	enum err err = run_text(x, "BEGIN IMMEDIATE");

	if (!err)
		err = run_text(x, index_schema);
	if (!err)
		err = run_text(x, "COMMIT");
	return err;
}

static enum err version_check(struct index *x)
{
	sqlite3_stmt *s = index_sql(x, SQL_STATE_GET);
	enum err err = s ? index_step(x, s) : index_error(x);

	if (err)
		return err == ERR_EOF ? ERR_CORRUPT : err;
	if (sqlite3_column_int64(s, 0) != INDEX_VERSION)
		err = ERR_CORRUPT;
	sqlite3_reset(s);
	return err;
}

enum err index_open(struct index *x, bool create)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (create ? SQLITE_OPEN_CREATE : 0);
	enum err err;

	if (x->db)
		return OK;
	if (!create && !folder_has(x->dir, FOLDER_INDEX))
		return ERR_CORRUPT;
	err = error_of(x, sqlite3_open_v2(FOLDER_INDEX, &x->db, flags, vfs_name(x->vfs)));
	if (!err)
		err = harden(x);
	if (!err)
		err = run_text(x, pragmas);
	if (!err && create)
		err = run_text(x, pragmas_new);
	if (!err)
		err = run_text(x, pragmas_wal);
	if (!err)
		sqlite3_exec(x->db, "PRAGMA cache_size=-1024", NULL, NULL, NULL);
	if (!err && create)
		err = create_tables(x);
	if (!err && !create)
		err = version_check(x);
	if (err)
		index_close(x);
	return err;
}

enum err index_ready(struct index *x)
{
	sqlite3_stmt *s = index_sql(x, SQL_READY);

	if (!s)
		return index_error(x);
	bind_u64(s, 1, INDEX_VERSION);
	return index_run(x, s);
}

void index_close(struct index *x)
{
	for (size_t i = 0; i < SQL_COUNT; i++) {
		sqlite3_finalize(x->stmts[i]);
		x->stmts[i] = NULL;
	}
	sqlite3_close(x->db);
	x->db = NULL;
}

static enum err remove_file(struct index *x, const char *name)
{
	return calls()->unlinkat(x->dir, name, 0) && errno != ENOENT ? ERR_IO : OK;
}

enum err index_remove(struct index *x, bool wal_only)
{
	/* The WAL last: with the database gone it means nothing, the other way round it might. */
	enum err err = wal_only ? OK : remove_file(x, FOLDER_INDEX);

	if (!err && !wal_only && calls()->fsync(x->dir))
		err = ERR_IO;
	if (!err)
		err = remove_file(x, FOLDER_INDEX_WAL);
	if (!err && calls()->fsync(x->dir))
		err = ERR_IO;
	return err;
}

static int check_row(void *ctx, int n, char **values, char **names)
{
	bool *sound = (bool *)ctx;

	*sound = n == 1 && values[0] && strcmp(values[0], "ok") == 0;
	return 0;
}

enum err index_check(struct index *x)
{
	bool sound = false;
	enum err err =
		error_of(x, sqlite3_exec(x->db, "PRAGMA quick_check(1)", check_row, &sound, NULL));

	if (err)
		return err;
	return sound ? OK : ERR_CORRUPT;
}

enum err index_checkpoint(struct index *x, bool truncate)
{
	int mode = truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
	int frames, done;
	enum err err;

	for (size_t i = 0; i < SQL_COUNT; i++) {
		if (x->stmts[i])
			sqlite3_reset(x->stmts[i]);
	}
	err = error_of(x, sqlite3_wal_checkpoint_v2(x->db, "main", mode, &frames, &done));
	if (!err && vfs_failed(x->vfs))
		err = ERR_IO;
	if (!err && frames != done)
		err = ERR_IO;
	if (!err)
		vfs_wal_done(x->vfs);
	return err;
}

enum err index_begin(struct index *x)
{
	sqlite3_stmt *q = index_sql(x, SQL_BEGIN);

	return q ? index_run(x, q) : index_error(x);
}

enum err index_end(struct index *x, enum err err)
{
	sqlite3_stmt *q = err ? NULL : index_sql(x, SQL_COMMIT);

	if (!err)
		err = q ? index_run(x, q) : index_error(x);
	/* A failed COMMIT may have rolled back by itself. */
	if (!err || !x->db || sqlite3_get_autocommit(x->db))
		return err;
	q = index_sql(x, SQL_ROLLBACK);
	if (!q || index_run(x, q))
		index_close(x); /* which rolls back */
	return err;
}

sqlite3_stmt *index_sql(struct index *x, enum sql id)
{
	sqlite3_stmt **s = &x->stmts[id];

	if (!x->db)
		return NULL;
	if (*s) {
		sqlite3_reset(*s);
		return *s;
	}
	if (sqlite3_prepare_v3(x->db, index_sql_texts[id], -1, SQLITE_PREPARE_PERSISTENT, s, NULL))
		return NULL;
	return *s;
}

enum err index_run(struct index *x, sqlite3_stmt *s)
{
	int rc;

	do
		rc = sqlite3_step(s);
	while (rc == SQLITE_ROW);
	if (rc != SQLITE_DONE) {
		enum err err = index_error(x);

		sqlite3_reset(s);
		return err;
	}
	sqlite3_reset(s);
	return OK;
}

enum err index_step(struct index *x, sqlite3_stmt *s)
{
	int rc = sqlite3_step(s);
	enum err err;

	if (rc == SQLITE_ROW)
		return OK;
	err = rc == SQLITE_DONE ? ERR_EOF : index_error(x);
	sqlite3_reset(s);
	return err;
}
