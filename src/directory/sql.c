/*
 * directory/sql.c: all SQL of the directory.  Constant text; nothing is ever put together from data.
 */
#include "directory/db.h"

/*
 * Account numbers are never used again (AUTOINCREMENT): they name folders and stand in journals.
 * credential.kind: enum credential_kind of credential.c.  label, scope, expires and last_used are for
 * passwords of single devices, of which an account may have many.
 */
static const char *const migrations[DIRECTORY_SCHEMA] = {
	"CREATE TABLE setting (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;"
	"INSERT INTO setting VALUES ('secret', randomblob(32));"
	"CREATE TABLE domain ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" name TEXT NOT NULL UNIQUE,"
	" created INTEGER NOT NULL) STRICT;"
	"CREATE TABLE account ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" domain INTEGER NOT NULL REFERENCES domain ON DELETE RESTRICT,"
	" local TEXT NOT NULL,"
	" address TEXT NOT NULL,"
	" display TEXT NOT NULL,"
	" quota INTEGER NOT NULL,"
	" state INTEGER NOT NULL,"
	" created INTEGER NOT NULL,"
	" UNIQUE (domain, local)) STRICT;"
	"CREATE TABLE credential ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" account INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,"
	" kind INTEGER NOT NULL,"
	" verifier BLOB NOT NULL,"
	" salt BLOB,"
	" iterations INTEGER,"
	" server_key BLOB,"
	" created INTEGER NOT NULL,"
	" label TEXT,"
	" scope INTEGER,"
	" expires INTEGER,"
	" last_used INTEGER) STRICT;"
	"CREATE INDEX credential_account ON credential (account);"
	"CREATE TABLE alias ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" domain INTEGER NOT NULL REFERENCES domain ON DELETE RESTRICT,"
	" local TEXT NOT NULL,"
	" address TEXT NOT NULL,"
	" UNIQUE (domain, local)) STRICT;"
	"CREATE TABLE alias_target ("
	" alias INTEGER NOT NULL REFERENCES alias ON DELETE CASCADE,"
	" address TEXT NOT NULL,"
	" PRIMARY KEY (alias, address)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX alias_target_address ON alias_target (address);",

	"CREATE TABLE device ("
	" account INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,"
	" network BLOB NOT NULL,"
	" seen INTEGER NOT NULL,"
	" PRIMARY KEY (account, network)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE ban ("
	" network BLOB PRIMARY KEY,"
	" until INTEGER NOT NULL,"
	" count INTEGER NOT NULL) STRICT, WITHOUT ROWID;",
};

#define ACCOUNT_COLUMNS                                                                            \
	"a.id, a.address, a.display, a.quota, a.state, a.created,"                                 \
	" (SELECT max(c.created) FROM credential c WHERE c.account = a.id AND c.label IS NULL)"

static const char *const statements[SQL_COUNT] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_SETTING_GET] = "SELECT value FROM setting WHERE name = ?1",

	[SQL_DOMAIN_ADD] = "INSERT INTO domain (name, created) VALUES (?1, ?2)",
	[SQL_DOMAIN_COUNT] = "SELECT count(*) FROM domain",
	[SQL_DOMAIN_FIND] = "SELECT id, name, created,"
			    " (SELECT count(*) FROM account WHERE domain = d.id),"
			    " (SELECT count(*) FROM alias WHERE domain = d.id)"
			    " FROM domain d WHERE name = ?1",
	[SQL_DOMAIN_LIST] = "SELECT id, name, created,"
			    " (SELECT count(*) FROM account WHERE domain = d.id),"
			    " (SELECT count(*) FROM alias WHERE domain = d.id)"
			    " FROM domain d ORDER BY name",
	[SQL_DOMAIN_REMOVE] = "DELETE FROM domain WHERE id = ?1",

	[SQL_ACCOUNT_ADD] = "INSERT INTO account"
			    " (domain, local, address, display, quota, state, created)"
			    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[SQL_ACCOUNT_FIND] = "SELECT " ACCOUNT_COLUMNS
			     " FROM domain d JOIN account a ON a.domain = d.id AND a.local = ?2"
			     " WHERE d.name = ?1",
	[SQL_ACCOUNT_FIND_EVEN] = "SELECT " ACCOUNT_COLUMNS ", m.id IS NOT NULL"
				  " FROM (SELECT (SELECT f.id FROM domain d JOIN account f"
				  " ON f.domain = d.id AND f.local = ?2 WHERE d.name = ?1) AS id) m"
				  " JOIN account a ON a.id = coalesce(m.id, ?3)",
	[SQL_ACCOUNT_BY_ID] = "SELECT " ACCOUNT_COLUMNS " FROM account a WHERE a.id = ?1",
	[SQL_ACCOUNT_LIST] =
		"SELECT " ACCOUNT_COLUMNS " FROM domain d JOIN account a ON a.domain = d.id"
		" WHERE ?1 = '' OR d.name = ?1 ORDER BY d.name, a.local",
	[SQL_ACCOUNT_SET_STATE] = "UPDATE account SET state = ?2 WHERE id = ?1",
	[SQL_ACCOUNT_SET_QUOTA] = "UPDATE account SET quota = ?2 WHERE id = ?1",
	[SQL_ACCOUNT_SET_DISPLAY] = "UPDATE account SET display = ?2 WHERE id = ?1",
	[SQL_ACCOUNT_REMOVE] = "DELETE FROM account WHERE id = ?1",
	[SQL_ACCOUNT_OLDEST] =
		"SELECT " ACCOUNT_COLUMNS " FROM domain d JOIN account a ON a.domain = d.id"
		" WHERE (?1 = '' OR d.name = ?1) AND a.state = 1"
		" ORDER BY a.id LIMIT 1",

	[SQL_CREDENTIAL_FORGET] = "DELETE FROM credential WHERE account = ?1 AND label IS NULL",
	[SQL_CREDENTIAL_ADD] = "INSERT INTO credential"
			       " (account, kind, verifier, salt, iterations, server_key, created)"
			       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[SQL_CREDENTIAL_LIST] = "SELECT kind, verifier, salt, iterations, server_key"
				" FROM credential WHERE account = ?1 AND label IS NULL",

	[SQL_ALIAS_ADD] = "INSERT INTO alias (domain, local, address) VALUES (?1, ?2, ?3)",
	[SQL_ALIAS_FIND] = "SELECT l.id FROM domain d JOIN alias l"
			   " ON l.domain = d.id AND l.local = ?2 WHERE d.name = ?1",
	[SQL_ALIAS_TARGET_ADD] = "INSERT INTO alias_target (alias, address) VALUES (?1, ?2)",
	[SQL_ALIAS_TARGETS] = "SELECT address FROM alias_target WHERE alias = ?1 ORDER BY address",
	[SQL_ALIAS_TARGET_REMOVE] = "DELETE FROM alias_target WHERE alias = ?1 AND address = ?2",
	[SQL_ALIAS_REMOVE] = "DELETE FROM alias WHERE id = ?1",
	[SQL_ALIAS_REMOVE_EMPTY] = "DELETE FROM alias WHERE id = ?1 AND NOT EXISTS"
				   " (SELECT 1 FROM alias_target WHERE alias = ?1)",
	[SQL_ALIAS_LIST] = "SELECT l.address, t.address FROM domain d"
			   " JOIN alias l ON l.domain = d.id JOIN alias_target t ON t.alias = l.id"
			   " WHERE ?1 = '' OR d.name = ?1 ORDER BY d.name, l.local, t.address",
	[SQL_ALIAS_LIST_TO] = "SELECT l.address, t.address FROM alias_target t"
			      " JOIN alias l ON l.id = t.alias WHERE t.address = ?1 ORDER BY 1",

	[SQL_DEVICE_SEEN] = "SELECT seen FROM device WHERE account = ?1 AND network = ?2",
	[SQL_DEVICE_PUT] = "INSERT INTO device VALUES (?1, ?2, ?3)"
			   " ON CONFLICT DO UPDATE SET seen = excluded.seen",
	[SQL_DEVICE_TRIM] = "DELETE FROM device WHERE account = ?1 AND network NOT IN"
			    " (SELECT network FROM device WHERE account = ?1"
			    " ORDER BY seen DESC LIMIT ?2)",

	[SQL_BAN_PUT] = "INSERT INTO ban VALUES (?1, ?2, ?3)"
			" ON CONFLICT DO UPDATE SET until = excluded.until, count = excluded.count",
	[SQL_BAN_REMOVE] = "DELETE FROM ban WHERE network = ?1",
	[SQL_BAN_FORGET] = "DELETE FROM ban WHERE until < ?1",
	[SQL_BAN_LIST] = "SELECT network, until, count FROM ban ORDER BY until",
};

const char *sql_text(enum sql which)
{
	return statements[which];
}

const char *sql_migration(int version)
{
	ASSERT(version >= 1 && version <= DIRECTORY_SCHEMA);
	return migrations[version - 1];
}
