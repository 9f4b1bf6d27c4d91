/*
 * store/folder.h: the account's folder: its lock, the names of its packs, a message that came as a file.
 */
#ifndef STORE_FOLDER_H
#define STORE_FOLDER_H

#include "base/view.h"

#define FOLDER_INDEX	 "index.db"
#define FOLDER_INDEX_WAL "index.db-wal"
#define FOLDER_LOCK	 "lock"

enum { PACK_NAME_ROOM = 32 };

/* "pack-00000001.mail" in room; returns room. */
const char *folder_pack_name(uint32_t number, char room[PACK_NAME_ROOM]);

/* Take the lock; *ret_fd holds it until closed.  ERR_BUSY when another process has it. */
MUST_USE enum err folder_lock(int dir, int *ret_fd);

/* Numbers of all packs, ascending; *ret owned by caller (free). */
MUST_USE enum err folder_packs(int dir, uint32_t **ret, size_t *ret_n);

/* Is there a file of that name with at least one octet? */
bool folder_has(int dir, const char *name);

/* The octets of a descriptor, mapped when it is sealed against change, else read. */
struct folder_bytes {
	struct view bytes;
	void *map;
	char *heap;
};
/* ERR_IO also when the file is shorter than size. */
MUST_USE enum err folder_bytes_init(struct folder_bytes *b, int fd, uint64_t size);
void folder_bytes_done(struct folder_bytes *b);

#endif
