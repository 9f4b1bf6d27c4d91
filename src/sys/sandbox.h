/*
 * sys/sandbox.h: give up every right that a role does not need, for good.
 *
 * Four classes: pure (computes and talks over descriptors that it was given), fs (also below given
 * directories), net (also opens and accepts sockets), process (the supervisor: starts programs).
 * What the kernel or missing root rights do not allow is reported, never silently skipped.
 */
#ifndef SYS_SANDBOX_H
#define SYS_SANDBOX_H

#include "base/buf.h"

enum sandbox_class { SANDBOX_PURE, SANDBOX_FS, SANDBOX_NET, SANDBOX_PROCESS };

struct sandbox {
	enum sandbox_class class;
	uint64_t uid; /* when root: become this user and group; 0 keeps (ordinary user) */
	int empty_dir; /* as root: becomes the root directory of a role without files; -1: none */
	uint64_t memory; /* octets of data the process may map; 0: unlimited */
	uint64_t descriptors;
	const int *dirs; /* fs: directories below which files may be used */
	size_t dir_count;
	bool threads; /* auth and resolve start workers */
	bool read_etc; /* net resolvers: TLS roots and zone data below /etc and /usr/share, read only */
};

/*
 * Enter.  level gets words such as "uid chroot seccomp landlock-7", weaker what is missing and why.
 * An error means that even the least (no_new_privs and seccomp) failed: the caller must exit.
 */
MUST_USE enum err sandbox_enter(const struct sandbox *s, struct buf *level, struct buf *weaker);
/* "pure", "fs", "net", "process". */
const char *sandbox_class_name(enum sandbox_class class);

#endif
