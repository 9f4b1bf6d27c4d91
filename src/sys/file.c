/*
 * sys/file.c: see file.h.
 */
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/num.h"
#include "sys/calls.h"
#include "sys/loop.h"

void fd_close(int *fd)
{
	if (*fd >= 0)
		calls()->close(*fd);
	*fd = -1;
}

bool fd_is_sealed(int fd, int seals)
{
	int there = fcntl(fd, F_GET_SEALS);

	return there >= 0 && (there & seals) == seals;
}

int fd_copy(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

enum err fd_wait(int fd, unsigned events, int ms)
{
	struct pollfd p = { .fd = fd };
	int n;

	if (events & LOOP_READ)
		p.events |= POLLIN;
	if (events & LOOP_WRITE)
		p.events |= POLLOUT;
	do
		n = poll(&p, 1, ms);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return ERR_IO;
	return n == 0 ? ERR_TIMEOUT : OK;
}

static enum err write_error(void)
{
	return errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO;
}

enum err file_read_at(int fd, void *to, size_t n, off_t at)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got = calls()->pread(fd, (char *)to + done, n - done, at + (off_t)done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return ERR_IO;
		if (got == 0)
			return ERR_EOF;
		done += (size_t)got;
	}
	return OK;
}

enum err file_write_at(int fd, struct view bytes, off_t at)
{
	size_t done = 0;

	while (done < bytes.n) {
		ssize_t put = calls()->pwrite(fd, bytes.p + done, bytes.n - done, at + (off_t)done);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return write_error();
		done += (size_t)put;
	}
	return OK;
}

enum err file_write(int fd, struct view bytes)
{
	size_t done = 0;

	while (done < bytes.n) {
		ssize_t put = calls()->write(fd, bytes.p + done, bytes.n - done);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return write_error();
		done += (size_t)put;
	}
	return OK;
}

enum err file_read_all(int dir, const char *name, struct buf *out)
{
	int CLEANUP(fd_close) fd = calls()->openat(dir, name, O_RDONLY | O_NOFOLLOW, 0);

	if (fd < 0)
		return errno == ENOENT ? ERR_NOTFOUND : ERR_IO;
	for (;;) {
		size_t want = size_min(16384, buf_left(out) + 1);
		char room[16384];
		ssize_t got = calls()->read(fd, room, want);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return ERR_IO;
		if (got == 0)
			return buf_err(out);
		buf_add(out, view_of(room, (size_t)got));
		if (buf_err(out))
			return buf_err(out);
	}
}

enum err file_sync(int fd)
{
	return calls()->fdatasync(fd) ? write_error() : OK;
}

enum err file_replace(int dir, const char *name, struct view bytes, mode_t mode)
{
	struct buf CLEANUP(buf_done) temp = BUF_INIT(256);
	int CLEANUP(fd_close) fd = -1;
	enum err err;

	buf_addf(&temp, "%s.new", name);
	if (buf_err(&temp))
		return buf_err(&temp);
	fd = calls()->openat(dir, buf_cstr(&temp), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode);
	if (fd < 0)
		return write_error();
	err = file_write(fd, bytes);
	if (!err)
		err = file_sync(fd);
	if (!err && calls()->renameat(dir, buf_cstr(&temp), dir, name))
		err = write_error();
	if (!err && calls()->fsync(dir))
		err = ERR_IO;
	return err;
}

void random_bytes(void *to, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got = calls()->getrandom((char *)to + done, n - done, 0);

		if (got < 0 && errno == EINTR)
			continue;
		ASSERT(got > 0);
		done += (size_t)got;
	}
}

uint64_t random_u64(void)
{
	uint64_t n;

	random_bytes(&n, sizeof(n));
	return n;
}

static struct {
	char label[64];
	uint64_t hits_left;
} failpoint_armed;

void failpoint_init(const char *setting)
{
	struct view label;
	struct view count = view_cut(view_str(setting), ':', &label);

	if (!setting || label.n == 0 || label.n >= sizeof(failpoint_armed.label))
		return;
	if (num_u64(count, UINT32_MAX, &failpoint_armed.hits_left))
		failpoint_armed.hits_left = 1;
	memcpy(failpoint_armed.label, label.p, label.n);
}

void failpoint(const char *label)
{
	if (failpoint_armed.hits_left == 0 || strcmp(label, failpoint_armed.label) != 0)
		return;
	if (--failpoint_armed.hits_left == 0)
		kill(getpid(), SIGKILL);
}
