/*
 * sys/sandbox.c: see sandbox.h.  Limits, user, empty root, Landlock, seccomp, in this order: each step
 * takes away what the next does not need.
 */
#include "sys/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/sandbox_rules.h"

#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#define ACCESS_TRUNCATE	 (1ULL << 14)
#define ACCESS_IOCTL_DEV (1ULL << 15)
#define NET_BIND_TCP	 (1ULL << 0)
#define NET_CONNECT_TCP	 (1ULL << 1)
#define SCOPE_ABSTRACT	 (1ULL << 0)
#define SCOPE_SIGNAL	 (1ULL << 1)

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED __has_feature(address_sanitizer)
#else
#define SANITIZED 0
#endif

/* Kernels of different age take different lengths; newer fields are zero for older ones. */
struct ruleset_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};

const char *sandbox_class_name(enum sandbox_class class)
{
	static const char *const names[] = { "pure", "fs", "net", "process" };

	return names[class];
}

static void note(struct buf *level, const char *word)
{
	if (level->n > 0)
		buf_add_str(level, " ");
	buf_add_str(level, word);
}

static void note_missing(struct buf *weaker, const char *what)
{
	if (weaker->n > 0)
		buf_add_str(weaker, "; ");
	buf_add_str(weaker, what);
}

/* No more than value; what the system allows may be less already. */
static enum err limit(int what, uint64_t value)
{
	struct rlimit r;

	if (getrlimit((__rlimit_resource_t)what, &r))
		return ERR_IO;
	if (r.rlim_max > value)
		r.rlim_max = value;
	r.rlim_cur = r.rlim_max;

	return setrlimit((__rlimit_resource_t)what, &r) ? ERR_IO : OK;
}

static enum err set_limits(const struct sandbox *s)
{
	enum err err = limit(RLIMIT_CORE, 0);

	if (!err && s->descriptors)
		err = limit(RLIMIT_NOFILE, s->descriptors);
#if !SANITIZED
	/* The sanitizer maps terabytes; its own builds run without this bound. */
	if (!err && s->memory)
		err = limit(RLIMIT_DATA, s->memory);
#endif
	return err;
}

/* Become the role's own user, in an empty root directory. */
static enum err drop_user(const struct sandbox *s, struct buf *level, struct buf *weaker)
{
	if (geteuid() != 0 || s->uid == 0) {
		note_missing(weaker, "not started as root: no user of its own, no empty root");
		return OK;
	}
	/* With files below given directories the root stays: Landlock confines it. */
	if (s->empty_dir >= 0 && s->dir_count == 0 && !s->read_etc) {
		if (fchdir(s->empty_dir) || chroot(".") || chdir("/"))
			note_missing(weaker, "no empty root");
		else
			note(level, "chroot");
	}
	if (setgroups(0, NULL) || setresgid((gid_t)s->uid, (gid_t)s->uid, (gid_t)s->uid) ||
	    setresuid((uid_t)s->uid, (uid_t)s->uid, (uid_t)s->uid))
		return ERR_IO;
	note(level, "uid");
	return OK;
}

static uint64_t all_fs_access(long abi)
{
	uint64_t access = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;

	if (abi >= 2)
		access |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		access |= ACCESS_TRUNCATE;
	if (abi >= 5)
		access |= ACCESS_IOCTL_DEV;
	return access;
}

static enum err allow_dir(int ruleset, int dir, uint64_t access)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = access, .parent_fd = dir };

	return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0)
		       ? ERR_IO
		       : OK;
}

static enum err allow_paths(int ruleset, const struct sandbox *s, uint64_t all)
{
	static const char *const readable[] = { "/etc", "/usr/share", "/usr/lib/ssl", "/dev" };
	uint64_t in_dirs = all & ~(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
				   LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM |
				   LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SOCK |
				   ACCESS_IOCTL_DEV);
	enum err err = OK;

	for (size_t i = 0; i < s->dir_count && !err; i++)
		err = allow_dir(ruleset, s->dirs[i], in_dirs);
	for (size_t i = 0; i < ARRAY_LEN(readable) && !err && s->read_etc; i++) {
		int dir = open(readable[i], O_PATH | O_CLOEXEC);

		if (dir < 0)
			continue;
		err = allow_dir(ruleset, dir,
				LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR);
		close(dir);
	}
	return err;
}

static enum err enter_landlock(const struct sandbox *s, struct buf *level, struct buf *weaker)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1 /* VERSION */);
	struct ruleset_attr attr = { 0 };
	size_t attr_size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
	int ruleset;
	enum err err;

	if (s->class == SANDBOX_PROCESS)
		return OK;
	if (abi < 1) {
		note_missing(weaker, "the kernel has no Landlock");
		return OK;
	}
	attr.handled_access_fs = all_fs_access(abi);
	if (abi >= 4 && s->class != SANDBOX_NET)
		attr.handled_access_net = NET_BIND_TCP | NET_CONNECT_TCP;
	if (abi >= 6)
		attr.scoped = SCOPE_ABSTRACT | SCOPE_SIGNAL;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, attr_size, 0);
	if (ruleset < 0)
		return ERR_IO;
	err = allow_paths(ruleset, s, attr.handled_access_fs);
	if (!err && syscall(SYS_landlock_restrict_self, ruleset, 0))
		err = ERR_IO;
	close(ruleset);
	if (err)
		return err;
	buf_addf(level, "%slandlock-%ld", level->n ? " " : "", abi);
	return OK;
}

enum err sandbox_enter(const struct sandbox *s, struct buf *level, struct buf *weaker)
{
	enum err err = set_limits(s);

	if (!err)
		err = drop_user(s, level, weaker);
	if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		err = ERR_IO;
	if (!err && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		err = ERR_IO;
	if (!err)
		err = enter_landlock(s, level, weaker);
	if (!err)
		err = sandbox_seccomp(s);
	if (!err)
		note(level, "seccomp");
	return err;
}
