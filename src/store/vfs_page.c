/*
 * store/vfs_page.c: reading and writing of sealed pages; see vfs.h.
 *
 * Layout of a sealed page: VFS_PAGE - VFS_RESERVED octets of ciphertext, nonce (key generation, prefix of
 * this process, counter), tag.  In the WAL each page follows its clear frame header.
 */
#include "store/vfs_page.h"

#include <errno.h>
#include <sodium.h>
#include <unistd.h>

#include "base/num.h"
#include "sys/calls.h"
#include "sys/file.h"

enum {
	TEXT = VFS_PAGE - VFS_RESERVED, /* octets of a page that SQLite uses */
	FRAME = WAL_FRAME_HEAD + VFS_PAGE,
	AAD = 32,
	DB_HEADER = 100,
};

int vfs_fail(struct vfs_file *f, int rc)
{
	if (errno == ENOSPC || errno == EDQUOT)
		return SQLITE_FULL;
	f->vfs->failed = true;
	return rc;
}

/* at: of the page in the file; frame_head: NULL for the database. */
static void aad_make(const struct vfs_file *f, uint64_t at, const uint8_t *frame_head,
		     uint8_t aad[AAD])
{
	memset(aad, 0, AAD);
	aad[0] = (uint8_t)f->kind;
	num_put64(aad + 8, at);
	if (frame_head) {
		memcpy(aad + 16, frame_head, 4); /* page number */
		/* Not the frame's own salt: SQLite leaves it zero while checksums are pending. */
		memcpy(aad + 20, f->salt, WAL_SALT);
	}
}

static void page_seal(struct vfs_file *f, const uint8_t *page, const uint8_t aad[AAD],
		      uint8_t sealed[VFS_PAGE])
{
	const struct key_pair *key = key_ring_newest(f->vfs->keys);
	uint8_t *nonce = sealed + TEXT;

	num_put32(nonce, key->generation);
	memcpy(nonce + 4, f->vfs->nonce_prefix, VFS_PREFIX);
	num_put64(nonce + 4 + VFS_PREFIX, ++f->vfs->nonce_counter);
	crypto_aead_xchacha20poly1305_ietf_encrypt_detached(sealed, nonce + VFS_NONCE, NULL, page,
							    TEXT, aad, AAD, NULL, nonce, key->page);
}

static bool page_open(struct vfs_file *f, const uint8_t sealed[VFS_PAGE], const uint8_t aad[AAD],
		      uint8_t *page)
{
	const uint8_t *nonce = sealed + TEXT;
	const struct key_pair *key = key_ring_find(f->vfs->keys, num_get32(nonce));

	if (!key || crypto_aead_xchacha20poly1305_ietf_decrypt_detached(page, NULL, sealed, TEXT,
									nonce + VFS_NONCE, aad, AAD,
									nonce, key->page))
		return false;
	memset(page + TEXT, 0, VFS_RESERVED);
	return true;
}

/* Up to n octets; *ret_n tells how many the file had. */
static int raw_read(struct vfs_file *f, void *to, size_t n, uint64_t at, size_t *ret_n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got =
			calls()->pread(f->fd, (char *)to + done, n - done, (off_t)(at + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return SQLITE_IOERR_READ;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	*ret_n = done;
	return SQLITE_OK;
}

static int raw_write(struct vfs_file *f, const void *from, size_t n, uint64_t at)
{
	enum err err;

	if (f->vfs->failed)
		return SQLITE_IOERR_WRITE;
	err = file_write_at(f->fd, view_of(from, n), (off_t)at);
	if (err == ERR_FULL)
		return SQLITE_FULL;
	if (err) {
		f->vfs->failed = true;
		return SQLITE_IOERR_WRITE;
	}
	if (at + n > f->size)
		f->size = at + n;
	return SQLITE_OK;
}

/* A read that the file cannot fill: SQLite wants zeros behind what there is. */
static int short_read(void *to, int n, size_t got)
{
	memset((char *)to + got, 0, (size_t)n - got);
	return SQLITE_IOERR_SHORT_READ;
}

static int page_damaged(struct vfs_file *f)
{
	f->vfs->damaged = true;
	return SQLITE_IOERR_DATA;
}

/*
 * SQLite looks at the database's header before it looks into the WAL.  A checkpoint that a power cut
 * interrupted may have torn page 1, while the WAL holds it whole: the fixed part of the header is enough
 * to go on, and whether the page itself can be read shows when it is.
 */
static void header_guess(uint8_t *to)
{
	memset(to, 0, DB_HEADER);
	memcpy(to, "SQLite format 3", 16);
	to[16] = VFS_PAGE >> 8;
	to[18] = to[19] = 2; /* WAL */
	to[20] = VFS_RESERVED;
	to[21] = 64;
	to[22] = to[23] = 32;
}

static int db_read(struct vfs_file *f, void *to, int n, uint64_t at)
{
	uint64_t start = at - at % VFS_PAGE;
	uint8_t sealed[VFS_PAGE], page[VFS_PAGE], aad[AAD];
	uint8_t *out = n == VFS_PAGE ? (uint8_t *)to : page;
	size_t got;
	int rc = raw_read(f, sealed, VFS_PAGE, start, &got);

	if (rc)
		return rc;
	if (at + (uint64_t)n > start + VFS_PAGE)
		return SQLITE_IOERR_READ;
	if (got == 0)
		return short_read(to, n, 0);
	aad_make(f, start, NULL, aad);
	if (got < VFS_PAGE || !page_open(f, sealed, aad, out)) {
		if (at != 0 || n != DB_HEADER)
			return page_damaged(f);
		header_guess(page);
	}
	if (out == page)
		memcpy(to, page + (at - start), (size_t)n);
	return SQLITE_OK;
}

static int db_write(struct vfs_file *f, const void *from, int n, uint64_t at)
{
	uint8_t sealed[VFS_PAGE], aad[AAD];

	if (n != VFS_PAGE || at % VFS_PAGE)
		return SQLITE_IOERR_WRITE;
	aad_make(f, at, NULL, aad);
	page_seal(f, (const uint8_t *)from, aad, sealed);
	failpoint("store.vfs.db-write");
	return raw_write(f, sealed, VFS_PAGE, at);
}

/* Position of the frame that holds at. */
static uint64_t frame_start(uint64_t at)
{
	return at - (at - WAL_HEAD) % FRAME;
}

/*
 * Frame headers are read alone, pages alone, or, when SQLite looks for the end of the log, both at
 * once.  In that last case a page that does not open becomes zeros: the checksum in its header then
 * ends the log there, as it must at a torn tail.
 */
static int wal_read(struct vfs_file *f, void *to, int n, uint64_t at)
{
	uint8_t frame[FRAME], aad[AAD];
	uint64_t start = frame_start(at);
	size_t got, skip = (size_t)(at - start);
	int rc = raw_read(f, frame, FRAME, start, &got);

	if (rc)
		return rc;
	if (skip + (size_t)n > FRAME || (skip > 0 && skip < WAL_FRAME_HEAD && n > WAL_FRAME_HEAD))
		return SQLITE_IOERR_READ;
	if (skip >= got || (skip == 0 && n == FRAME && got < FRAME))
		return short_read(to, n, 0);
	if (skip + (size_t)n <= WAL_FRAME_HEAD) {
		memcpy(to, frame + skip, (size_t)n);
		return SQLITE_OK;
	}
	aad_make(f, start + WAL_FRAME_HEAD, frame, aad);
	if (got < FRAME || !page_open(f, frame + WAL_FRAME_HEAD, aad, frame + WAL_FRAME_HEAD)) {
		if (skip != 0)
			return page_damaged(f);
		memset(frame + WAL_FRAME_HEAD, 0, VFS_PAGE);
	}
	memcpy(to, frame + skip, (size_t)n);
	return SQLITE_OK;
}

int vfs_flush_frame(struct vfs_file *f)
{
	uint64_t at = f->frame_at;

	if (at == 0)
		return SQLITE_OK;
	f->frame_at = 0;
	return raw_write(f, f->frame_head, WAL_FRAME_HEAD, at);
}

static int wal_page_write(struct vfs_file *f, const void *from, uint64_t at)
{
	uint8_t frame[FRAME], aad[AAD];
	uint64_t start = at - WAL_FRAME_HEAD;
	bool together = f->frame_at == start;
	size_t got;
	int rc;

	if (together) {
		memcpy(frame, f->frame_head, WAL_FRAME_HEAD);
		f->frame_at = 0;
	} else {
		rc = vfs_flush_frame(f);
		if (!rc)
			rc = raw_read(f, frame, WAL_FRAME_HEAD, start, &got);
		if (rc)
			return rc;
		if (got < WAL_FRAME_HEAD)
			return SQLITE_IOERR_WRITE;
	}
	aad_make(f, at, frame, aad);
	page_seal(f, (const uint8_t *)from, aad, frame + WAL_FRAME_HEAD);
	if (at + VFS_PAGE > f->end)
		f->end = at + VFS_PAGE;
	if (together)
		return raw_write(f, frame, FRAME, start);
	return raw_write(f, frame + WAL_FRAME_HEAD, VFS_PAGE, at);
}

static int wal_write(struct vfs_file *f, const void *from, int n, uint64_t at)
{
	uint64_t skip = (at - WAL_HEAD) % FRAME;
	int rc;

	if (n == VFS_PAGE && skip == WAL_FRAME_HEAD)
		return wal_page_write(f, from, at);
	rc = vfs_flush_frame(f);
	if (rc)
		return rc;
	if (n != WAL_FRAME_HEAD || skip != 0)
		return SQLITE_IOERR_WRITE;
	memcpy(f->frame_head, from, WAL_FRAME_HEAD);
	f->frame_at = at;
	return SQLITE_OK;
}

int vfs_salt_load(struct vfs_file *f)
{
	size_t got;

	return raw_read(f, f->salt, WAL_SALT, WAL_SALT_AT, &got);
}

int vfs_read(sqlite3_file *base, void *to, int n, sqlite3_int64 at)
{
	struct vfs_file *f = (struct vfs_file *)base;
	size_t got;
	int rc = vfs_flush_frame(f);

	if (rc)
		return rc;
	if (f->kind == VFS_DB)
		return db_read(f, to, n, (uint64_t)at);
	if (at >= WAL_HEAD)
		return wal_read(f, to, n, (uint64_t)at);
	rc = raw_read(f, to, (size_t)n, (uint64_t)at, &got);
	if (!rc && got < (size_t)n)
		rc = short_read(to, n, got);
	return rc;
}

int vfs_write(sqlite3_file *base, const void *from, int n, sqlite3_int64 at)
{
	struct vfs_file *f = (struct vfs_file *)base;
	int rc;

	if (f->kind == VFS_DB)
		return db_write(f, from, n, (uint64_t)at);
	if (at >= WAL_HEAD)
		return wal_write(f, from, n, (uint64_t)at);
	rc = vfs_flush_frame(f);
	if (rc)
		return rc;
	if (at != 0 || n != WAL_HEAD)
		return SQLITE_IOERR_WRITE;
	f->end = WAL_HEAD; /* a header begins the log anew */
	memcpy(f->salt, (const uint8_t *)from + WAL_SALT_AT, WAL_SALT);
	return raw_write(f, from, (size_t)n, (uint64_t)at);
}
