/*
 * sys/file.h: whole transfers, durable replacement and failpoints, on top of sys/calls.h.
 */
#ifndef SYS_FILE_H
#define SYS_FILE_H

#include <sys/types.h>

#include "base/buf.h"

/* For an automatic descriptor: int CLEANUP(fd_close) fd = -1. */
void fd_close(int *fd);

/* Is fd a file in memory with all of these seals (F_SEAL_*)?  Asked of any other file the kernel only fails. */
bool fd_is_sealed(int fd, int seals);
/* A second descriptor of the same file, close-on-exec; owned by caller.  -1 without descriptors. */
int fd_copy(int fd);

/* Wait until fd is ready for LOOP_READ and/or LOOP_WRITE (sys/loop.h); ERR_TIMEOUT after ms unless ms is -1. */
MUST_USE enum err fd_wait(int fd, unsigned events, int ms);

/* All of n bytes, through EINTR and short transfers.  ERR_EOF when the file ends first, ERR_FULL for
 * ENOSPC and EDQUOT, else ERR_IO with errno set. */
MUST_USE enum err file_read_at(int fd, void *to, size_t n, off_t at);
MUST_USE enum err file_write_at(int fd, struct view bytes, off_t at);
MUST_USE enum err file_write(int fd, struct view bytes);
/* A whole small file below dir.  ERR_NOTFOUND, ERR_LIMIT past the buffer's max. */
MUST_USE enum err file_read_all(int dir, const char *name, struct buf *out);

/* Write a new file, fdatasync it, rename it over name, fsync dir: after OK the new content survives a
 * power cut, before it the old one does.  mode as for open. */
MUST_USE enum err file_replace(int dir, const char *name, struct view bytes, mode_t mode);

/* fdatasync; ERR_IO is final: the file must be abandoned (THREATS.md 4, clause 2). */
MUST_USE enum err file_sync(int fd);

/* n random octets from the kernel; aborts when the kernel has none to give. */
void random_bytes(void *to, size_t n);
uint64_t random_u64(void);

/*
 * A named point at which a test may kill the process: POSTHOLD_FAILPOINT="label:k" ends it with SIGKILL
 * at the k-th hit.  Read once at start (failpoint_init); without it a hit costs one comparison.
 */
void failpoint_init(const char *setting);
void failpoint(const char *label);

#endif
