/*
 * roles/supervisor/dirs.c: the folders of an instance.
 *
 * Created once, each owned by the one role that works in it.  The supervisor, which may be root, only
 * opens these folders themselves and never anything inside a folder that another user may write.
 */
#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "sys/calls.h"
#include "sys/file.h"

uint64_t dirs_uid(const struct supervisor *sup, unsigned instance, uint64_t account)
{
	if (!sup->root)
		return 0;
	return sup->config.uid_base +
	       (instance < I_COUNT ? instance + 1 : UID_MAILBOX_BASE + account);
}

/* Create name below dir if it is missing, open it, make uid its owner; -1 with errno. */
static int open_owned(int dir, const char *name, mode_t mode, uint64_t uid)
{
	int fd;

	if (calls()->mkdirat(dir, name, mode) && errno != EEXIST)
		return -1;
	fd = calls()->openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (fd < 0)
		return -1;
	if (uid && (fchown(fd, (uid_t)uid, (gid_t)uid) || fchmod(fd, mode))) {
		fd_close(&fd);
		return -1;
	}
	return fd;
}

static enum err explain(struct supervisor *sup, const char *name, struct buf *why)
{
	buf_addf(why, "cannot use the folder %s/%s: %s", sup->data_path, name,
		 strerrordesc_np(errno));
	return ERR_IO;
}

enum err dirs_open(struct supervisor *sup, struct buf *why)
{
	int CLEANUP(fd_close) run = -1;
	int CLEANUP(fd_close) mail = -1;

	sup->data_dir = open(sup->data_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (sup->data_dir < 0)
		return explain(sup, "", why);
	run = open_owned(sup->data_dir, "run", 0711, 0);
	if (run < 0)
		return explain(sup, "run", why);
	sup->empty_dir = open_owned(run, "empty", 0555, 0);
	if (sup->empty_dir < 0)
		return explain(sup, "run/empty", why);
	mail = open_owned(sup->data_dir, "mail", 0711, 0);
	return mail < 0 ? explain(sup, "mail", why) : OK;
}

int dirs_open_account(struct supervisor *sup, uint64_t account)
{
	int CLEANUP(fd_close) mail =
		calls()->openat(sup->data_dir, "mail", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	struct buf CLEANUP(buf_done) name = BUF_INIT(32);

	if (mail < 0)
		return -1;
	buf_addf(&name, "%llu", (unsigned long long)account);
	return open_owned(mail, buf_cstr(&name), 0700, dirs_uid(sup, I_COUNT, account));
}
