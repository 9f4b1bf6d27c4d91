/*
 * sys/calls.h: the one table through which Posthold's own code makes system calls that can fail.
 *
 * Tests replace rows to simulate full disks, failed syncs, short writes and power cuts (THREATS.md 5).
 * Every function behaves as its namesake, errno included.  The table is constant in production: only
 * calls_set, which tests alone call, changes it.
 */
#ifndef SYS_CALLS_H
#define SYS_CALLS_H

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/base.h"

struct calls {
	int (*openat)(int dir, const char *path, int flags, mode_t mode);
	int (*close)(int fd);
	ssize_t (*read)(int fd, void *to, size_t n);
	ssize_t (*write)(int fd, const void *from, size_t n);
	ssize_t (*pread)(int fd, void *to, size_t n, off_t at);
	ssize_t (*pwrite)(int fd, const void *from, size_t n, off_t at);
	int (*fdatasync)(int fd);
	int (*fsync)(int fd);
	int (*ftruncate)(int fd, off_t size);
	int (*fallocate)(int fd, int mode, off_t at, off_t n);
	int (*renameat)(int from_dir, const char *from, int to_dir, const char *to);
	int (*unlinkat)(int dir, const char *path, int flags);
	int (*mkdirat)(int dir, const char *path, mode_t mode);
	int (*fstat)(int fd, struct stat *ret);
	int (*fstatvfs)(int fd, struct statvfs *ret);
	int (*fstatat)(int dir, const char *path, struct stat *ret, int flags);
	ssize_t (*sendmsg)(int fd, const struct msghdr *msg, int flags);
	ssize_t (*recvmsg)(int fd, struct msghdr *msg, int flags);
	ssize_t (*recv)(int fd, void *to, size_t n, int flags);
	ssize_t (*send)(int fd, const void *from, size_t n, int flags);
	int (*accept4)(int fd, struct sockaddr *peer, socklen_t *n, int flags);
	ssize_t (*getrandom)(void *to, size_t n, unsigned flags);
	int (*memfd_create)(const char *name, unsigned flags);
};

/* The table in use; never NULL. */
const struct calls *calls(void);
/* The kernel's own calls, to fall back on in tests. */
const struct calls *calls_kernel(void);
/* Tests only: use another table; NULL restores the kernel's. */
void calls_set(const struct calls *table);

#endif
