/*
 * store/vfs.c: see vfs.h.  SQLite's side: opening, deleting, and what an embedded file need not do.
 * Reading and writing of sealed pages is in vfs_page.c.
 */
#include "store/vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "store/vfs_page.h"
#include "sys/calls.h"
#include "sys/clock.h"
#include "sys/file.h"

enum {
	NAME_MAX_LEN = 64,
	SECTOR = 4096,
	JULIAN_EPOCH_DAY_MS = 86400000,
};

static int file_close(sqlite3_file *base)
{
	struct vfs_file *f = (struct vfs_file *)base;
	int rc = vfs_flush_frame(f);

	if (f->vfs->wal == f)
		f->vfs->wal = NULL;
	fd_close(&f->fd);
	return rc;
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
	struct vfs_file *f = (struct vfs_file *)base;
	int rc = vfs_flush_frame(f);

	if (rc)
		return rc;
	if (calls()->ftruncate(f->fd, (off_t)size))
		return vfs_fail(f, SQLITE_IOERR_TRUNCATE);
	f->size = (uint64_t)size;
	return SQLITE_OK;
}

static int db_sync(sqlite3_file *base, int flags)
{
	struct vfs_file *f = (struct vfs_file *)base;
	int rc = vfs_flush_frame(f);

	if (rc)
		return rc;
	if (f->vfs->failed)
		return SQLITE_IOERR_FSYNC;
	if (calls()->fdatasync(f->fd))
		return vfs_fail(f, SQLITE_IOERR_FSYNC);
	failpoint(f->kind == VFS_WAL ? "store.vfs.wal-synced" : "store.vfs.db-synced");
	return SQLITE_OK;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *ret)
{
	*ret = (sqlite3_int64)((struct vfs_file *)base)->size;
	return SQLITE_OK;
}

static int file_lock(sqlite3_file *base, int level)
{
	return SQLITE_OK;
}

static int file_reserved(sqlite3_file *base, int *ret)
{
	*ret = 0;
	return SQLITE_OK;
}

static int file_control(sqlite3_file *base, int op, void *arg)
{
	return SQLITE_NOTFOUND;
}

static int file_sector(sqlite3_file *base)
{
	return SECTOR;
}

static int file_traits(sqlite3_file *base)
{
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE | SQLITE_IOCAP_UNDELETABLE_WHEN_OPEN;
}

static const sqlite3_io_methods file_methods = {
	.iVersion = 1,
	.xClose = file_close,
	.xRead = vfs_read,
	.xWrite = vfs_write,
	.xTruncate = file_truncate,
	.xSync = db_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_lock,
	.xCheckReservedLock = file_reserved,
	.xFileControl = file_control,
	.xSectorSize = file_sector,
	.xDeviceCharacteristics = file_traits,
};

static int vfs_open_file(sqlite3_vfs *base, const char *name, sqlite3_file *file, int flags,
			 int *ret_flags)
{
	struct vfs *v = (struct vfs *)base->pAppData;
	struct vfs_file *f = (struct vfs_file *)file;
	struct stat st;
	bool wal = flags & SQLITE_OPEN_WAL;

	f->base.pMethods = NULL;
	/* Journals and temporary files would hold plain text: there are none. */
	if (!name || !(flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)))
		return SQLITE_CANTOPEN;
	memset(f, 0, sizeof(*f));
	f->fd = calls()->openat(v->dir, name,
				O_RDWR | O_NOFOLLOW | (flags & SQLITE_OPEN_CREATE ? O_CREAT : 0),
				0600);
	if (f->fd < 0)
		return errno == ENOSPC ? SQLITE_FULL : SQLITE_CANTOPEN;
	if (calls()->fstat(f->fd, &st)) {
		fd_close(&f->fd);
		return SQLITE_IOERR_FSTAT;
	}
	f->size = f->end = (uint64_t)st.st_size;
	f->vfs = v;
	f->kind = wal ? VFS_WAL : VFS_DB;
	f->base.pMethods = &file_methods;
	if (wal) {
		int rc = vfs_salt_load(f);

		if (rc) {
			fd_close(&f->fd);
			f->base.pMethods = NULL;
			return rc;
		}
		v->wal = f;
	}
	if (ret_flags)
		*ret_flags = flags;
	return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *base, const char *name, int sync_dir)
{
	struct vfs *v = (struct vfs *)base->pAppData;

	if (calls()->unlinkat(v->dir, name, 0))
		return errno == ENOENT ? SQLITE_IOERR_DELETE_NOENT : SQLITE_IOERR_DELETE;
	if (sync_dir && calls()->fsync(v->dir))
		return SQLITE_IOERR_DIR_FSYNC;
	return SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *base, const char *name, int flags, int *ret)
{
	struct vfs *v = (struct vfs *)base->pAppData;
	struct stat st;

	*ret = calls()->fstatat(v->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size > 0;
	return SQLITE_OK;
}

static int vfs_full_name(sqlite3_vfs *base, const char *name, int room, char *ret)
{
	size_t n = strlen(name) + 1;

	if (n > (size_t)room)
		return SQLITE_CANTOPEN;
	memcpy(ret, name, n);
	return SQLITE_OK;
}

static int vfs_random(sqlite3_vfs *base, int n, char *to)
{
	random_bytes(to, (size_t)n);
	return n;
}

static int vfs_sleep(sqlite3_vfs *base, int microseconds)
{
	return microseconds; /* nobody else can hold a lock: there is nothing to wait for */
}

static int vfs_time_ms(sqlite3_vfs *base, sqlite3_int64 *ret)
{
	const sqlite3_int64 epoch = (sqlite3_int64)(2440587.5 * JULIAN_EPOCH_DAY_MS);

	*ret = epoch + clock_wall_ms();
	return SQLITE_OK;
}

static int vfs_time(sqlite3_vfs *base, double *ret)
{
	sqlite3_int64 ms;

	vfs_time_ms(base, &ms);
	*ret = (double)ms / JULIAN_EPOCH_DAY_MS;
	return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *base, int room, char *ret)
{
	return 0;
}

enum err vfs_new(int dir, const struct key_ring *keys, struct vfs **ret)
{
	struct vfs *v = (struct vfs *)calloc(1, sizeof(*v));

	if (!v)
		return ERR_NOMEM;
	v->dir = dir;
	v->keys = keys;
	random_bytes(v->nonce_prefix, sizeof(v->nonce_prefix));
	snprintf(v->name, sizeof(v->name), "posthold-%p", (void *)v);
	v->base = (sqlite3_vfs){
		.iVersion = 2,
		.szOsFile = (int)sizeof(struct vfs_file),
		.mxPathname = NAME_MAX_LEN,
		.zName = v->name,
		.pAppData = v,
		.xOpen = vfs_open_file,
		.xDelete = vfs_delete,
		.xAccess = vfs_access,
		.xFullPathname = vfs_full_name,
		.xRandomness = vfs_random,
		.xSleep = vfs_sleep,
		.xCurrentTime = vfs_time,
		.xGetLastError = vfs_last_error,
		.xCurrentTimeInt64 = vfs_time_ms,
	};
	if (sqlite3_vfs_register(&v->base, 0)) {
		free(v);
		return ERR_NOMEM;
	}
	*ret = v;
	return OK;
}

void vfs_free(struct vfs *v)
{
	if (!v)
		return;
	sqlite3_vfs_unregister(&v->base);
	free(v);
}

const char *vfs_name(const struct vfs *v)
{
	return v->name;
}

bool vfs_failed(const struct vfs *v)
{
	return v->failed;
}

bool vfs_damaged(struct vfs *v)
{
	bool damaged = v->damaged;

	v->damaged = false;
	return damaged;
}

uint64_t vfs_wal_size(const struct vfs *v)
{
	return v->wal ? v->wal->end : 0;
}

void vfs_wal_done(struct vfs *v)
{
	if (v->wal)
		v->wal->end = 0;
}
