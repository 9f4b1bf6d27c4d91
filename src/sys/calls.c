/*
 * sys/calls.c: see calls.h.  The kernel's table, and the pointer that tests may move.
 */
#include "sys/calls.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

static int kernel_openat(int dir, const char *path, int flags, mode_t mode)
{
	return openat(dir, path, flags | O_CLOEXEC, mode);
}

static const struct calls kernel_table = {
	.openat = kernel_openat,
	.close = close,
	.read = read,
	.write = write,
	.pread = pread,
	.pwrite = pwrite,
	.fdatasync = fdatasync,
	.fsync = fsync,
	.ftruncate = ftruncate,
	.fallocate = fallocate,
	.renameat = renameat,
	.unlinkat = unlinkat,
	.mkdirat = mkdirat,
	.fstat = fstat,
	.fstatvfs = fstatvfs,
	.fstatat = fstatat,
	.sendmsg = sendmsg,
	.recvmsg = recvmsg,
	.recv = recv,
	.send = send,
	.accept4 = accept4,
	.getrandom = getrandom,
	.memfd_create = memfd_create,
};

static const struct calls *table_in_use = &kernel_table;

const struct calls *calls(void)
{
	return table_in_use;
}

const struct calls *calls_kernel(void)
{
	return &kernel_table;
}

void calls_set(const struct calls *table)
{
	table_in_use = table ? table : &kernel_table;
}
