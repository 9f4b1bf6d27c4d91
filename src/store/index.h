/*
 * store/index.h: index.db, the state that the log amounts to.
 *
 * Owns the database handle and its prepared statements; every SQL text of the store is in the one table
 * of index_sql.c, none is ever built from data.  Durability is ordered by checkpoint.c: the database
 * file is written only after the packs and the WAL are synced.
 */
#ifndef STORE_INDEX_H
#define STORE_INDEX_H

#include <sqlite3.h>

#include "base/view.h"
#include "store/keys.h"
#include "store/vfs.h"

enum sql {
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_STATE_GET,
	SQL_STATE_SET,
	SQL_READY,
	SQL_CHECKPOINT_SET,
	SQL_MARKS_GET,
	SQL_MARKS_SET,
	SQL_MAILBOX_EACH,
	SQL_MAILBOX_PUT,
	SQL_MAILBOX_DELETE,
	SQL_KEYWORD_EACH,
	SQL_KEYWORD_PUT,
	SQL_KEYWORD_DELETE,
	SQL_KEYWORDS_USED,
	SQL_SUBSCRIPTION_EACH,
	SQL_SUBSCRIPTION_PUT,
	SQL_SUBSCRIPTION_DELETE,
	SQL_MESSAGE_ADD,
	SQL_MESSAGE_EACH,
	SQL_MESSAGE_RANGE,
	SQL_MESSAGE_FLAGS,
	SQL_MESSAGE_DELETE,
	SQL_VANISHED_ADD,
	SQL_VANISHED_EACH,
	SQL_VANISHED_DELETE,
	SQL_VANISHED_PRUNE,
	SQL_VANISHED_COUNT,
	SQL_VANISHED_OF,
	SQL_BLOB_ADD,
	SQL_BLOB_FIND,
	SQL_BLOB_REFER,
	SQL_BLOB_DELETE,
	SQL_BLOB_MOVE,
	SQL_BLOB_DIGEST,
	SQL_BLOB_DIGEST_SET,
	SQL_BLOB_NEXT,
	SQL_BLOB_UNUSED,
	SQL_BLOB_OF_PACK,
	SQL_PACK_ADD,
	SQL_PACK_DEAD,
	SQL_PACK_EACH,
	SQL_PACK_DELETE,
	SQL_VALUE_PUT,
	SQL_VALUE_DELETE,
	SQL_VALUE_GET,
	SQL_VALUE_FROM,
	SQL_VALUE_COUNT,
	SQL_COUNT
};

struct index {
	int dir;
	struct vfs *vfs;
	sqlite3 *db; /* NULL: closed */
	sqlite3_stmt *stmts[SQL_COUNT];
};

/* keys is borrowed until index_done. */
MUST_USE enum err index_init(struct index *x, int dir, const struct key_ring *keys);
void index_done(struct index *x);
/* Open the database; create: make an empty one with its tables.  ERR_CORRUPT when it is damaged, has no
 * tables or is of another version. */
MUST_USE enum err index_open(struct index *x, bool create);
/* A new index counts as damaged until this is committed: half of one is never taken for the whole. */
MUST_USE enum err index_ready(struct index *x);
/* Close without a checkpoint. */
void index_close(struct index *x);
/* Remove the files of a closed index; wal_only: only the WAL. */
MUST_USE enum err index_remove(struct index *x, bool wal_only);
/* Is every page sound?  ERR_CORRUPT if not. */
MUST_USE enum err index_check(struct index *x);
/* Sync the WAL, bring it into the database file, sync that.  truncate: leave the WAL empty. */
MUST_USE enum err index_checkpoint(struct index *x, bool truncate);

MUST_USE enum err index_begin(struct index *x);
/* Commit when err is OK; roll back otherwise and when the commit fails.  Returns the first error. */
MUST_USE enum err index_end(struct index *x, enum err err);

/* The prepared statement, reset and without parameters; NULL when it cannot be made (index_error). */
sqlite3_stmt *index_sql(struct index *x, enum sql id);
/* Run a statement that returns no rows, then reset it. */
MUST_USE enum err index_run(struct index *x, sqlite3_stmt *stmt);
/* The next row: OK; ERR_EOF after the last (the statement is reset then, as on any error). */
MUST_USE enum err index_step(struct index *x, sqlite3_stmt *stmt);
/* What the last failure means. */
enum err index_error(struct index *x);

/* Parameters from 1, columns from 0. */
static inline void bind_u64(sqlite3_stmt *s, int at, uint64_t n)
{
	sqlite3_bind_int64(s, at, (sqlite3_int64)n);
}

static inline void bind_i64(sqlite3_stmt *s, int at, int64_t n)
{
	sqlite3_bind_int64(s, at, n);
}

/* The octets must stay until the statement is reset. */
static inline void bind_view(sqlite3_stmt *s, int at, struct view v)
{
	sqlite3_bind_blob64(s, at, v.n ? v.p : "", v.n, SQLITE_STATIC);
}

static inline uint64_t column_u64(sqlite3_stmt *s, int at)
{
	return (uint64_t)sqlite3_column_int64(s, at);
}

static inline uint32_t column_u32(sqlite3_stmt *s, int at)
{
	return (uint32_t)sqlite3_column_int64(s, at);
}

/* Borrowed until the next step. */
static inline struct view column_view(sqlite3_stmt *s, int at)
{
	const void *p = sqlite3_column_blob(s, at);

	return view_of(p, p ? (size_t)sqlite3_column_bytes(s, at) : 0);
}

/* For index_sql.c */
extern const char *const index_sql_texts[SQL_COUNT];
extern const char index_schema[];
enum { INDEX_VERSION = 1 };

#endif
