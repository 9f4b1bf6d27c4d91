/*
 * tests/crash/planted.c: bugs for the kill test to find.
 *
 * A library that test_planted.py has loaded (LD_PRELOAD) into one role of a test's instance, and into nothing
 * else; none of it is part of the product.  PLANTED names the bug:
 *
 *	early      queue: what is written to the journal reaches the file one write later, so that 250 is said
 *	           before the commit
 *	twice      queue: one delivery in the life of the process is sent a second time, under another number
 *	unwritten  mailbox: some writes to a pack are said to have happened and have not
 */
#include <dlfcn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

enum {
	FDS = 4096,
	BLOCK = 4096, /* of O_DIRECT */
	TWICE_AT = 10, /* deliveries: more than one would keep the channel from ever working */
	UNWRITTEN_EVERY = 7, /* writes */
	HEADER = 8, /* of a message between processes: u16 type, u16 flags, u32 octets behind it */
	DELIVER_PUT = 1,
	PACKET_MAX = 16384,
};

static const char sender[] = "ledger@client.test"; /* of every message of the kill test */

static enum { NOTHING, EARLY, TWICE, UNWRITTEN } planted;
static bool watched[FDS]; /* files that the bug is about */
static unsigned long counter;

/* EARLY: the write that is held back. */
static struct {
	char *bytes; /* NULL: none */
	size_t n;
	off_t at;
	int fd;
} held;

static struct {
	int (*openat)(int, const char *, int, ...);
	ssize_t (*pwrite)(int, const void *, size_t, off_t);
	int (*close)(int);
	ssize_t (*sendmsg)(int, const struct msghdr *, int);
} real;

static void *next_of(const char *name)
{
	void *p = dlsym(RTLD_NEXT, name);

	if (!p)
		abort();
	return p;
}

__attribute__((constructor)) static void begin(void)
{
	static const char *const names[] = { "", "early", "twice", "unwritten" };
	const char *name = getenv("PLANTED");

	*(void **)&real.openat = next_of("openat64");
	*(void **)&real.pwrite = next_of("pwrite64");
	*(void **)&real.close = next_of("close");
	*(void **)&real.sendmsg = next_of("sendmsg");
	for (unsigned i = 1; name && i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			planted = i;
	if (!planted)
		abort();
}

static bool starts(const char *path, const char *with)
{
	return strncmp(path, with, strlen(with)) == 0;
}

int openat64(int dir, const char *path, int flags, ...);
int openat64(int dir, const char *path, int flags, ...)
{
	va_list args;
	int fd;

	va_start(args, flags);
	fd = real.openat(dir, path, flags, va_arg(args, int));
	va_end(args);
	if (fd >= 0 && fd < FDS)
		watched[fd] = planted == EARLY	     ? starts(path, "journal-")
			      : planted == UNWRITTEN ? starts(path, "pack-")
						     : false;
	return fd;
}

static void write_held(void)
{
	if (held.bytes && real.pwrite(held.fd, held.bytes, held.n, held.at) < 0)
		abort();
	free(held.bytes);
	held.bytes = NULL;
}

/* Say that it is written; it is when the next one comes. */
static ssize_t hold(int fd, const void *from, size_t n, off_t at)
{
	char *copy = aligned_alloc(BLOCK, (n + BLOCK - 1) / BLOCK * BLOCK);

	if (!copy)
		abort();
	memcpy(copy, from, n);
	write_held();
	held.bytes = copy;
	held.n = n;
	held.at = at;
	held.fd = fd;
	return (ssize_t)n;
}

ssize_t pwrite64(int fd, const void *from, size_t n, off_t at);
ssize_t pwrite64(int fd, const void *from, size_t n, off_t at)
{
	static const char record[] = { 'P', 'h', 'r', '1' };
	bool is_watched = fd >= 0 && fd < FDS && watched[fd];

	if (is_watched && planted == EARLY && n >= sizeof(record) &&
	    memcmp(from, record, sizeof(record)) == 0)
		return hold(fd, from, n, at);
	if (is_watched && planted == UNWRITTEN && ++counter % UNWRITTEN_EVERY == 0)
		return (ssize_t)n;
	return real.pwrite(fd, from, n, at);
}

int close(int fd)
{
	if (held.bytes && held.fd == fd)
		write_held();
	if (fd >= 0 && fd < FDS)
		watched[fd] = false;
	return real.close(fd);
}

/* The first message of a packet, sent on its own under a number that nobody gave it. */
static void send_again(int fd, const struct msghdr *msg, int flags)
{
	char copy[PACKET_MAX];
	struct iovec iov = { copy, 0 };
	struct msghdr again = *msg;
	uint32_t n;

	memcpy(&n, (const char *)msg->msg_iov->iov_base + 4, sizeof(n));
	iov.iov_len = HEADER + n;
	if (n < 8 || iov.iov_len > msg->msg_iov->iov_len || iov.iov_len > sizeof(copy))
		return;
	memcpy(copy, msg->msg_iov->iov_base, iov.iov_len);
	copy[HEADER + 5] |= 1; /* of the little-endian sequence */
	again.msg_iov = &iov;
	(void)!real.sendmsg(fd, &again, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	const struct iovec *iov = msg->msg_iov;
	const char *type = iov->iov_base;

	if (planted == TWICE && msg->msg_iovlen == 1 && iov->iov_len > HEADER &&
	    type[0] == DELIVER_PUT && type[1] == 0 &&
	    memmem(iov->iov_base, iov->iov_len, sender, sizeof(sender) - 1) &&
	    ++counter == TWICE_AT)
		send_again(fd, msg, flags);
	return real.sendmsg(fd, msg, flags);
}
