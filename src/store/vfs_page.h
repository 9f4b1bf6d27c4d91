/*
 * store/vfs_page.h: inside of the VFS, shared by vfs.c and vfs_page.c only.
 */
#ifndef STORE_VFS_PAGE_H
#define STORE_VFS_PAGE_H

#include <sqlite3.h>

#include "store/vfs.h"

enum vfs_kind { VFS_DB, VFS_WAL };

enum {
	WAL_HEAD = 32, /* octets before the first frame; clear */
	WAL_FRAME_HEAD = 24, /* page number, size after commit, two salts, two checksums; clear */
	WAL_SALT_AT = 16, /* in the WAL's header */
	WAL_SALT = 8,
	VFS_NONCE = 24,
	VFS_TAG = 16,
	VFS_PREFIX = 12,
};

struct vfs_file;

struct vfs {
	sqlite3_vfs base;
	char name[32];
	int dir;
	const struct key_ring *keys;
	struct vfs_file *wal; /* when open */
	bool failed;
	bool damaged;
	uint8_t nonce_prefix
		[VFS_PREFIX]; /* drawn at random when opened; the counter does the rest */
	uint64_t nonce_counter;
};

struct vfs_file {
	sqlite3_file base;
	struct vfs *vfs;
	int fd;
	enum vfs_kind kind;
	uint64_t size; /* of the file */
	uint64_t end; /* WAL: behind the last frame written since its header was */
	uint8_t salt[WAL_SALT]; /* of the WAL's present generation, from its header */
	/* A WAL frame's header waits here for its page, so that both are one write. */
	uint8_t frame_head[WAL_FRAME_HEAD];
	uint64_t frame_at; /* 0: none waits */
};

/* Learn the salt of a WAL that was there already. */
int vfs_salt_load(struct vfs_file *f);
int vfs_read(sqlite3_file *base, void *to, int n, sqlite3_int64 at);
int vfs_write(sqlite3_file *base, const void *from, int n, sqlite3_int64 at);
/* Write a waiting frame header alone. */
int vfs_flush_frame(struct vfs_file *f);
/* Note that the file is not to be trusted any more; returns rc, or SQLITE_FULL by errno. */
int vfs_fail(struct vfs_file *f, int rc);

#endif
