/*
 * store/index_sql.c: every SQL text of the store.
 *
 * blob holds, beside where a message's octets are, its digest: a scan of a mailbox meets blobs
 * nearly in order, and a delivery touches few pages (state, mailbox, message, blob).  message stays slim so
 * that flag changes of a whole mailbox dirty few pages.
 */
#include "store/index.h"

const char index_schema[] =
	"CREATE TABLE state("
	" id INTEGER PRIMARY KEY, version INTEGER, applied_seq INTEGER, applied_pack INTEGER,"
	" applied_off INTEGER, checkpoint_seq INTEGER, checkpoint_pack INTEGER,"
	" checkpoint_off INTEGER, closed INTEGER, modseq INTEGER, modseq_ceiling INTEGER,"
	" next_mailbox INTEGER, uidvalidity INTEGER);"
	"INSERT INTO state VALUES(1,0,0,0,0,0,0,0,0,1,1,1,0);"
	"CREATE TABLE marks(id INTEGER PRIMARY KEY, ranges BLOB);"
	"CREATE TABLE mailbox("
	" id INTEGER PRIMARY KEY, name BLOB, special INTEGER, attributes INTEGER,"
	" uidvalidity INTEGER, uidnext INTEGER, ceiling INTEGER, modseq INTEGER,"
	" messages INTEGER, unseen INTEGER, deleted INTEGER, recent_from INTEGER, size INTEGER,"
	" vanished_from INTEGER);"
	"CREATE TABLE message("
	" mailbox INTEGER, uid INTEGER, blob INTEGER, flags INTEGER, keywords INTEGER,"
	" modseq INTEGER, date INTEGER, zone INTEGER, saved INTEGER, size INTEGER,"
	" PRIMARY KEY(mailbox, uid)) WITHOUT ROWID;"
	"CREATE TABLE vanished("
	" mailbox INTEGER, modseq INTEGER, uid INTEGER, uid_last INTEGER,"
	" PRIMARY KEY(mailbox, modseq, uid)) WITHOUT ROWID;"
	"CREATE TABLE blob("
	" id INTEGER PRIMARY KEY, pack INTEGER, off INTEGER, stored INTEGER, size INTEGER,"
	" refs INTEGER, sent INTEGER, thread INTEGER, envelope BLOB, structure BLOB,"
	" preview BLOB, search BLOB, header BLOB);"
	"CREATE TABLE keyword(number INTEGER PRIMARY KEY, name BLOB);"
	"CREATE TABLE subscription(name BLOB PRIMARY KEY) WITHOUT ROWID;"
	"CREATE TABLE pack(number INTEGER PRIMARY KEY, kind INTEGER, dead INTEGER);"
	"CREATE TABLE value(key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID;";

const char *const index_sql_texts[SQL_COUNT] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_STATE_GET] =
		"SELECT version, applied_seq, applied_pack, applied_off, checkpoint_seq,"
		" checkpoint_pack, checkpoint_off, closed, modseq, modseq_ceiling, next_mailbox,"
		" uidvalidity FROM state WHERE id=1",
	[SQL_STATE_SET] =
		"UPDATE state SET applied_seq=?1, applied_pack=?2, applied_off=?3, closed=?4,"
		" modseq=?5, modseq_ceiling=?6, next_mailbox=?7, uidvalidity=?8 WHERE id=1",
	[SQL_READY] = "UPDATE state SET version=?1 WHERE id=1",
	[SQL_CHECKPOINT_SET] =
		"UPDATE state SET checkpoint_seq=applied_seq, checkpoint_pack=applied_pack,"
		" checkpoint_off=applied_off, closed=?1 WHERE id=1",
	[SQL_MARKS_GET] = "SELECT ranges FROM marks WHERE id=1",
	[SQL_MARKS_SET] = "INSERT OR REPLACE INTO marks VALUES(1,?1)",
	[SQL_MAILBOX_EACH] =
		"SELECT id, name, special, attributes, uidvalidity, uidnext, ceiling, modseq,"
		" messages, unseen, deleted, recent_from, size, vanished_from FROM mailbox",
	[SQL_MAILBOX_PUT] =
		"INSERT OR REPLACE INTO mailbox VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,"
		"?14)",
	[SQL_MAILBOX_DELETE] = "DELETE FROM mailbox WHERE id=?1",
	[SQL_KEYWORD_EACH] = "SELECT number, name FROM keyword",
	[SQL_KEYWORD_PUT] = "INSERT OR REPLACE INTO keyword VALUES(?1,?2)",
	[SQL_KEYWORD_DELETE] = "DELETE FROM keyword WHERE number=?1",
	[SQL_KEYWORDS_USED] = "SELECT DISTINCT keywords FROM message",
	[SQL_SUBSCRIPTION_EACH] = "SELECT name FROM subscription",
	[SQL_SUBSCRIPTION_PUT] = "INSERT OR IGNORE INTO subscription VALUES(?1)",
	[SQL_SUBSCRIPTION_DELETE] = "DELETE FROM subscription WHERE name=?1",
	[SQL_MESSAGE_ADD] = "INSERT OR IGNORE INTO message VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)",
	[SQL_MESSAGE_EACH] =
		"SELECT uid, blob, flags, keywords, modseq, date, zone, saved, size FROM message"
		" WHERE mailbox=?1 ORDER BY uid",
	[SQL_MESSAGE_RANGE] = "SELECT uid, blob, flags, size FROM message"
			      " WHERE mailbox=?1 AND uid BETWEEN ?2 AND ?3 ORDER BY uid",
	[SQL_MESSAGE_FLAGS] = "UPDATE message SET flags=?4, keywords=?5, modseq=?6"
			      " WHERE mailbox=?1 AND uid BETWEEN ?2 AND ?3",
	[SQL_MESSAGE_DELETE] = "DELETE FROM message WHERE mailbox=?1 AND uid BETWEEN ?2 AND ?3",
	[SQL_VANISHED_ADD] = "INSERT OR REPLACE INTO vanished VALUES(?1,?2,?3,?4)",
	[SQL_VANISHED_EACH] =
		"SELECT uid, uid_last, modseq FROM vanished WHERE mailbox=?1 AND modseq>?2"
		" ORDER BY modseq, uid",
	[SQL_VANISHED_DELETE] = "DELETE FROM vanished WHERE mailbox=?1",
	[SQL_VANISHED_PRUNE] = "DELETE FROM vanished WHERE mailbox=?1 AND modseq<=?2",
	[SQL_VANISHED_COUNT] =
		"SELECT mailbox, count(*) FROM vanished GROUP BY mailbox HAVING count(*)>?1",
	[SQL_VANISHED_OF] = "SELECT modseq FROM vanished WHERE mailbox=?1 ORDER BY modseq DESC "
			    "LIMIT 1 OFFSET ?2",
	[SQL_BLOB_ADD] =
		"INSERT OR REPLACE INTO blob VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)",
	[SQL_BLOB_FIND] = "SELECT pack, off, stored, size, refs FROM blob WHERE id=?1",
	[SQL_BLOB_REFER] = "UPDATE blob SET refs=refs+?2 WHERE id=?1 RETURNING refs, pack, stored",
	[SQL_BLOB_DELETE] = "DELETE FROM blob WHERE id=?1",
	[SQL_BLOB_MOVE] = "UPDATE blob SET pack=?2, off=?3 WHERE id=?1",
	/* ?2: columns wanted, STORE_COL_; the others are not even copied */
	[SQL_BLOB_DIGEST] =
		"SELECT sent, thread, CASE WHEN ?2&1 THEN envelope END,"
		" CASE WHEN ?2&2 THEN structure END, CASE WHEN ?2&16 THEN preview END,"
		" CASE WHEN ?2&8 THEN search END, CASE WHEN ?2&4 THEN header END FROM blob"
		" WHERE id=?1",
	[SQL_BLOB_DIGEST_SET] =
		"UPDATE blob SET sent=?2, thread=?3, envelope=?4, structure=?5, preview=?6,"
		" search=?7, header=?8 WHERE id=?1",
	[SQL_BLOB_NEXT] = "SELECT id, pack, off, stored FROM blob WHERE id>?1 ORDER BY id LIMIT 1",
	[SQL_BLOB_UNUSED] = "SELECT id, pack, stored FROM blob WHERE refs<=0 AND id>?1 LIMIT 1",
	[SQL_BLOB_OF_PACK] = "SELECT id, off, stored FROM blob WHERE pack=?1 ORDER BY off",
	[SQL_PACK_ADD] = "INSERT OR IGNORE INTO pack VALUES(?1,?2,0)",
	[SQL_PACK_DEAD] = "UPDATE pack SET dead=dead+?2 WHERE number=?1",
	[SQL_PACK_EACH] = "SELECT number, kind, dead FROM pack ORDER BY number",
	[SQL_PACK_DELETE] = "DELETE FROM pack WHERE number=?1",
	[SQL_VALUE_PUT] = "INSERT OR REPLACE INTO value VALUES(?1,?2)",
	[SQL_VALUE_DELETE] = "DELETE FROM value WHERE key=?1",
	[SQL_VALUE_GET] = "SELECT value FROM value WHERE key=?1",
	[SQL_VALUE_FROM] = "SELECT key, value FROM value WHERE key>=?1 ORDER BY key",
	[SQL_VALUE_COUNT] = "SELECT count(*) FROM value",
};
