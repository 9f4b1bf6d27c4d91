/*
 * sys/sandbox_rules.c: the allow-lists of system calls, by class.
 *
 * Kept short on purpose: a call is here because a test fails without it.  Calls that no role ever
 * makes and that an intruder would (execve, ptrace, bpf, io_uring, ...) end the process, so that the
 * attempt is seen; the rest is answered EPERM, which libraries survive.
 */
#include "sys/sandbox_rules.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Every role: compute, wait, and use descriptors that it has. */
static const int pure_calls[] = {
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(readv),
	SCMP_SYS(writev),
	SCMP_SYS(close),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendmsg),
	SCMP_SYS(recvfrom),
	SCMP_SYS(sendto),
	SCMP_SYS(shutdown),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep),
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(futex),
	SCMP_SYS(getrandom),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(getrusage),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(lseek),
	SCMP_SYS(memfd_create),
	SCMP_SYS(ftruncate),
	SCMP_SYS(pread64),
	SCMP_SYS(pwrite64),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
	SCMP_SYS(getsockopt),
	SCMP_SYS(socketpair),
	SCMP_SYS(accept4),
	SCMP_SYS(rseq),
	SCMP_SYS(membarrier),
	SCMP_SYS(dup),
	SCMP_SYS(eventfd2),
};

/* Also files, which Landlock confines to the role's own directories. */
static const int fs_calls[] = {
	SCMP_SYS(openat),     SCMP_SYS(open),
	SCMP_SYS(unlink),     SCMP_SYS(unlinkat),
	SCMP_SYS(rename),     SCMP_SYS(renameat),
	SCMP_SYS(renameat2),  SCMP_SYS(mkdir),
	SCMP_SYS(mkdirat),    SCMP_SYS(rmdir),
	SCMP_SYS(stat),	      SCMP_SYS(lstat),
	SCMP_SYS(statx),      SCMP_SYS(access),
	SCMP_SYS(faccessat),  SCMP_SYS(faccessat2),
	SCMP_SYS(readlink),   SCMP_SYS(readlinkat),
	SCMP_SYS(getdents64), SCMP_SYS(fsync),
	SCMP_SYS(fdatasync),  SCMP_SYS(sync_file_range),
	SCMP_SYS(fallocate),  SCMP_SYS(fadvise64),
	SCMP_SYS(flock),      SCMP_SYS(fstatfs),
	SCMP_SYS(statfs),     SCMP_SYS(getcwd),
	SCMP_SYS(preadv),     SCMP_SYS(pwritev),
	SCMP_SYS(fchmod),     SCMP_SYS(copy_file_range),
	SCMP_SYS(fchown),     SCMP_SYS(umask),
	SCMP_SYS(utimensat),
};

/* Also the network. */
static const int net_calls[] = {
	SCMP_SYS(accept),     SCMP_SYS(connect),  SCMP_SYS(bind),     SCMP_SYS(listen),
	SCMP_SYS(setsockopt), SCMP_SYS(recvmmsg), SCMP_SYS(sendmmsg), SCMP_SYS(splice),
};

static const int net_file_calls[] = {
	SCMP_SYS(openat),     SCMP_SYS(open),	  SCMP_SYS(stat),  SCMP_SYS(access),
	SCMP_SYS(getdents64), SCMP_SYS(readlink), SCMP_SYS(uname),
};

/* Nobody makes these; who tries is an intruder. */
static const int deadly_calls[] = {
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(bpf),
	SCMP_SYS(io_uring_setup),
	SCMP_SYS(mount),
	SCMP_SYS(umount2),
	SCMP_SYS(pivot_root),
	SCMP_SYS(chroot),
	SCMP_SYS(unshare),
	SCMP_SYS(setns),
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(delete_module),
	SCMP_SYS(kexec_load),
	SCMP_SYS(keyctl),
	SCMP_SYS(add_key),
	SCMP_SYS(request_key),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(open_by_handle_at),
	SCMP_SYS(pidfd_getfd),
	SCMP_SYS(vfork),
	SCMP_SYS(fork),
	SCMP_SYS(mknod),
	SCMP_SYS(mknodat),
	SCMP_SYS(swapon),
	SCMP_SYS(reboot),
	SCMP_SYS(setuid),
	SCMP_SYS(setresuid),
	SCMP_SYS(setgid),
	SCMP_SYS(setresgid),
};

static enum err allow(scmp_filter_ctx f, const int *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int e = seccomp_rule_add(f, SCMP_ACT_ALLOW, list[i], 0);

		if (e && e != -EEXIST)
			return ERR_IO;
	}
	return OK;
}

/* Calls of which only some arguments are harmless. */
static enum err allow_some(scmp_filter_ctx f, const struct sandbox *s)
{
	static const int fcntls[] = { F_GETFL,	   F_SETFL,	F_GETFD,	F_SETFD,
				      F_ADD_SEALS, F_GET_SEALS, F_DUPFD_CLOEXEC };
	int e = 0;

	/* Memory is never both written and executed. */
	e |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
			      SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	e |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
			      SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	for (size_t i = 0; i < ARRAY_LEN(fcntls); i++)
		e |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
				      SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)fcntls[i]));
	if (s->class == SANDBOX_FS) {
		static const int locks[] = { F_SETLK, F_GETLK, F_SETLKW, F_OFD_SETLK };

		for (size_t i = 0; i < ARRAY_LEN(locks); i++)
			e |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
					      SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)locks[i]));
	}
	if (s->class == SANDBOX_NET) {
		static const int families[] = { AF_INET, AF_INET6 };

		for (size_t i = 0; i < ARRAY_LEN(families); i++)
			e |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
					      SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]));
		e |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				      SCMP_A1(SCMP_CMP_EQ, 0x541B /* FIONREAD */));
	}
	if (s->threads) {
		e |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				      SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
		/* Its flags are behind a pointer: glibc falls back to clone. */
		e |= seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
		e |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(set_robust_list), 0);
		e |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
				      SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
		e |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(pipe2), 0);
		/* libunbound's thread makes an event loop of its own. */
		e |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(epoll_create1), 0);
	}
	/* abort() and failpoints: a signal to ourselves only. */
	e |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
			      SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
	e |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(kill), 1,
			      SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
	return e ? ERR_IO : OK;
}

/* The supervisor starts programs and signals them; it reads no hostile byte. */
static enum err deny_for_process(scmp_filter_ctx f)
{
	static const int never[] = {
		SCMP_SYS(ptrace),
		SCMP_SYS(process_vm_readv),
		SCMP_SYS(process_vm_writev),
		SCMP_SYS(bpf),
		SCMP_SYS(io_uring_setup),
		SCMP_SYS(init_module),
		SCMP_SYS(finit_module),
		SCMP_SYS(kexec_load),
		SCMP_SYS(userfaultfd),
		SCMP_SYS(perf_event_open),
		SCMP_SYS(open_by_handle_at),
		SCMP_SYS(keyctl),
		SCMP_SYS(swapon),
		SCMP_SYS(reboot),
	};

	for (size_t i = 0; i < ARRAY_LEN(never); i++)
		if (seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), never[i], 0))
			return ERR_IO;
	return OK;
}

static enum err fill(scmp_filter_ctx f, const struct sandbox *s)
{
	enum err err;

	if (s->class == SANDBOX_PROCESS)
		return deny_for_process(f);
	err = allow(f, pure_calls, ARRAY_LEN(pure_calls));
	if (!err && s->class == SANDBOX_FS)
		err = allow(f, fs_calls, ARRAY_LEN(fs_calls));
	if (!err && s->class == SANDBOX_NET)
		err = allow(f, net_calls, ARRAY_LEN(net_calls));
	if (!err && s->read_etc)
		err = allow(f, net_file_calls, ARRAY_LEN(net_file_calls));
	if (!err)
		err = allow_some(f, s);
	for (size_t i = 0; i < ARRAY_LEN(deadly_calls) && !err; i++) {
		int e = seccomp_rule_add(f, SCMP_ACT_KILL_PROCESS, deadly_calls[i], 0);

		if (e && e != -EDOM)
			err = ERR_IO;
	}
	return err;
}

enum err sandbox_seccomp(const struct sandbox *s)
{
	scmp_filter_ctx f =
		seccomp_init(s->class == SANDBOX_PROCESS ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM));
	enum err err;

	if (!f)
		return ERR_NOMEM;
	err = fill(f, s);
	if (!err && seccomp_load(f))
		err = ERR_IO;
	seccomp_release(f);
	return err;
}
