/*
 * store/vfs.h: the files of SQLite, encrypted, below a held directory.
 *
 * A complete VFS on descriptors: no path outside the account's folder, no shared memory, no locks (the
 * account's lock file makes the process the only one), no journal and no temporary file on disk.  Every
 * page of the database and of the WAL is sealed with XChaCha20-Poly1305; its nonce and tag live in
 * the bytes that SQLite reserves at the end of each page and are always zero above this layer, so that
 * the WAL's checksums do not change.  Page number, kind of file and, in the WAL, frame and salts are
 * bound.  A failed sync or write is remembered: that file then refuses everything (THREATS.md 4.2).
 */
#ifndef STORE_VFS_H
#define STORE_VFS_H

#include "store/keys.h"

enum {
	VFS_PAGE =
		4096, /* the only page size: what SQLite is tuned for; others were not measured */
	VFS_RESERVED = 40, /* octets at the end of a page: 24 nonce, 16 tag */
};

struct vfs;

/* Both are borrowed until vfs_free.  ERR_NOMEM. */
MUST_USE enum err vfs_new(int dir, const struct key_ring *keys, struct vfs **ret);
void vfs_free(struct vfs *vfs);
/* For sqlite3_open_v2; unique in the process.  Borrowed from vfs. */
const char *vfs_name(const struct vfs *vfs);
/* A write or sync failed; nothing may be written through this VFS any more. */
bool vfs_failed(const struct vfs *vfs);
/* A page did not open since this was asked last. */
bool vfs_damaged(struct vfs *vfs);
/* Octets of the WAL that are not yet in the database. */
uint64_t vfs_wal_size(const struct vfs *vfs);
/* All of the WAL has been brought into the database. */
void vfs_wal_done(struct vfs *vfs);

#endif
