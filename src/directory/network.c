/*
 * directory/network.c: what is remembered about networks: devices of accounts, and bans.
 */
#include "directory/db.h"

enum { SEEN_STEP_S = 3600 }; /* a log-in an hour is written, not each */

static enum err last_seen(struct directory *d, uint64_t account, struct view network, int64_t *ret)
{
	sqlite3_stmt *s = db_statement(d, SQL_DEVICE_SEEN);
	enum err err;

	db_bind_u64(s, 1, account);
	db_bind_blob(s, 2, network);
	err = db_one(d, s);
	if (err)
		return err;
	*ret = db_column_i64(s, 0);
	db_reset(s);
	return OK;
}

enum err directory_device_known(struct directory *d, uint64_t account, struct view network,
				int64_t since, bool *ret)
{
	int64_t seen = 0;
	enum err err = last_seen(d, account, network, &seen);

	if (err && err != ERR_NOTFOUND)
		return err;
	*ret = !err && seen >= since;
	return OK;
}

static enum err put_device(struct directory *d, uint64_t account, struct view network, int64_t now)
{
	sqlite3_stmt *s = db_statement(d, SQL_DEVICE_PUT);
	enum err err;

	db_bind_u64(s, 1, account);
	db_bind_blob(s, 2, network);
	db_bind_i64(s, 3, now);
	err = db_run(d, s);
	if (err)
		return err;
	s = db_statement(d, SQL_DEVICE_TRIM);
	db_bind_u64(s, 1, account);
	db_bind_i64(s, 2, DIRECTORY_DEVICES_MAX);
	return db_run(d, s);
}

enum err directory_device_seen(struct directory *d, uint64_t account, struct view network,
			       int64_t now)
{
	int64_t seen = 0;
	enum err err = last_seen(d, account, network, &seen);

	if (err && err != ERR_NOTFOUND)
		return err;
	if (!err && now - seen < SEEN_STEP_S && now >= seen)
		return OK;
	err = db_begin(d);
	if (err)
		return err;
	return db_end(d, put_device(d, account, network, now));
}

enum err directory_ban_put(struct directory *d, const struct directory_ban *ban)
{
	sqlite3_stmt *s = db_statement(d, SQL_BAN_PUT);

	db_bind_blob(s, 1, ban->network);
	db_bind_i64(s, 2, ban->until_ms);
	db_bind_i64(s, 3, ban->count);
	return db_run(d, s);
}

enum err directory_ban_remove(struct directory *d, struct view network)
{
	sqlite3_stmt *s = db_statement(d, SQL_BAN_REMOVE);

	db_bind_blob(s, 1, network);
	return db_run(d, s);
}

enum err directory_ban_each(struct directory *d, int64_t forget_before_ms, directory_ban_fn *fn,
			    void *ctx)
{
	sqlite3_stmt *s = db_statement(d, SQL_BAN_FORGET);
	enum err err;

	db_bind_i64(s, 1, forget_before_ms);
	err = db_run(d, s);
	if (err)
		return err;
	s = db_statement(d, SQL_BAN_LIST);
	while ((err = db_step(d, s)) == OK) {
		struct directory_ban ban = {
			.network = db_column(s, 0),
			.until_ms = db_column_i64(s, 1),
			.count = (uint32_t)db_column_u64(s, 2),
		};

		err = fn(ctx, &ban);
		if (err)
			break;
	}
	db_reset(s);
	return err == ERR_EOF ? OK : err;
}
