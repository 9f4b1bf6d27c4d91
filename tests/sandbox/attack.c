/*
 * tests/sandbox/attack.c: what an intruder in a role would try.
 *
 *	attack CLASS threads|- etc|- UID DIR EMPTY OTHER
 *
 * For each action a child enters the sandbox exactly as the role does and tries it.  Prints one line an
 * action: its name, and allowed, denied or killed.  DIR is the role's own folder (fs), OTHER one of
 * somebody else.  The committed matrix says what must come out.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/num.h"
#include "sys/sandbox.h"

struct world {
	struct sandbox sandbox;
	const char *dir, *other;
	int dir_fd;
	pid_t victim; /* a process of the same user outside the sandbox */
};

static bool ok(long result)
{
	return result >= 0;
}

static bool open_path(const char *path, int flags)
{
	return ok(open(path, flags | O_CLOEXEC, 0600));
}

static bool open_shadow(struct world *w)
{
	return open_path("/etc/shadow", O_RDONLY);
}

static bool open_passwd(struct world *w)
{
	return open_path("/etc/passwd", O_RDONLY);
}

static bool open_proc_self(struct world *w)
{
	return open_path("/proc/self/maps", O_RDONLY);
}

static bool open_proc_mem(struct world *w)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)w->victim);
	return open_path(path, O_RDWR);
}

static bool create_tmp(struct world *w)
{
	return open_path("/tmp/posthold-attack", O_CREAT | O_WRONLY);
}

static bool create_root(struct world *w)
{
	return open_path("/posthold-attack", O_CREAT | O_WRONLY);
}

static bool read_home(struct world *w)
{
	return open_path("/root", O_RDONLY | O_DIRECTORY);
}

static bool read_other(struct world *w)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/secret", w->other);
	return open_path(path, O_RDONLY);
}

static bool read_other_dotdot(struct world *w)
{
	char path[600];

	snprintf(path, sizeof(path), "../%s/secret", strrchr(w->other, '/') + 1);
	return ok(openat(w->dir_fd, path, O_RDONLY | O_CLOEXEC));
}

static bool write_own(struct world *w)
{
	return ok(openat(w->dir_fd, "own", O_CREAT | O_RDWR | O_CLOEXEC, 0600));
}

static bool link_own(struct world *w)
{
	return ok(symlinkat("/etc/shadow", w->dir_fd, "link"));
}

static bool hardlink_other(struct world *w)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/secret", w->other);
	return ok(linkat(AT_FDCWD, path, w->dir_fd, "hard", 0));
}

static bool make_device(struct world *w)
{
	return ok(mknodat(w->dir_fd, "device", S_IFCHR | 0600, 1 << 8 | 1));
}

static bool make_fifo(struct world *w)
{
	return ok(mknodat(w->dir_fd, "fifo", S_IFIFO | 0600, 0));
}

static bool make_setuid(struct world *w)
{
	int fd = openat(w->dir_fd, "setuid", O_CREAT | O_RDWR | O_CLOEXEC, 0700);

	return fd >= 0 && ok(chmod("setuid", 04755));
}

static bool connect_tcp(struct world *w)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return fd >= 0 &&
	       (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 || errno == ECONNREFUSED);
}

static bool connect_udp(struct world *w)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return fd >= 0 && ok(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)));
}

static bool bind_tcp(struct world *w)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return fd >= 0 && ok(bind(fd, (struct sockaddr *)&at, sizeof(at))) && ok(listen(fd, 1));
}

static bool socket_unix(struct world *w)
{
	return ok(socket(AF_UNIX, SOCK_STREAM, 0));
}

static bool socket_raw(struct world *w)
{
	return ok(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
}

static bool socket_packet(struct world *w)
{
	return ok(socket(AF_PACKET, SOCK_RAW, 0));
}

static bool socket_netlink(struct world *w)
{
	return ok(socket(AF_NETLINK, SOCK_RAW, 0));
}

static bool do_fork(struct world *w)
{
	pid_t pid = (pid_t)syscall(SYS_fork);

	if (pid == 0)
		_exit(0);
	return ok(pid);
}

static bool do_clone(struct world *w)
{
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	return ok(pid);
}

static bool do_execve(struct world *w)
{
	char *const argv[] = { (char *)(uintptr_t) "true", NULL };

	return ok(execve("/bin/true", argv, NULL));
}

static bool do_execveat(struct world *w)
{
	return ok(syscall(SYS_execveat, AT_FDCWD, "/bin/true", NULL, NULL, 0));
}

static bool do_ptrace(struct world *w)
{
	return ok(ptrace(PTRACE_ATTACH, w->victim, 0, 0));
}

static bool read_memory(struct world *w)
{
	char byte;
	struct iovec local = { &byte, 1 }, remote = { (void *)(uintptr_t)w, 1 };

	return ok(process_vm_readv(w->victim, &local, 1, &remote, 1, 0));
}

static bool kill_other(struct world *w)
{
	return ok(kill(w->victim, 0));
}

static bool kill_init(struct world *w)
{
	return ok(kill(1, 0));
}

static bool do_mount(struct world *w)
{
	return ok(mount("none", "/mnt", "tmpfs", 0, NULL));
}

static bool do_unshare(struct world *w)
{
	return ok(unshare(CLONE_NEWUSER));
}

static bool do_setns(struct world *w)
{
	return ok(setns(0, 0));
}

static bool do_chroot(struct world *w)
{
	return ok(chroot("/"));
}

static bool do_bpf(struct world *w)
{
	union bpf_attr attr = { 0 };

	return ok(syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)));
}

static bool do_io_uring(struct world *w)
{
	char params[120] = { 0 };

	return ok(syscall(SYS_io_uring_setup, 1, params));
}

static bool do_keyctl(struct world *w)
{
	return ok(syscall(SYS_keyctl, 0, -3, 1));
}

static bool do_userfaultfd(struct world *w)
{
	return ok(syscall(SYS_userfaultfd, 0));
}

static bool do_perf(struct world *w)
{
	char attr[128] = { 0 };

	return ok(syscall(SYS_perf_event_open, attr, 0, -1, -1, 0));
}

static bool do_setuid(struct world *w)
{
	return ok(setuid(0));
}

static bool do_reboot(struct world *w)
{
	return ok(syscall(SYS_reboot, 0, 0, 0, 0));
}

static bool do_module(struct world *w)
{
	return ok(syscall(SYS_init_module, NULL, 0, ""));
}

static bool map_executable(struct world *w)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0) != MAP_FAILED;
}

static bool make_executable(struct world *w)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at != MAP_FAILED && ok(mprotect(at, 4096, PROT_READ | PROT_EXEC));
}

static bool raise_limits(struct world *w)
{
	return ok(syscall(SYS_prlimit64, w->victim, 0, NULL, NULL));
}

static bool become_dumpable(struct world *w)
{
	return ok(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static bool set_clock(struct world *w)
{
	struct timespec t = { 1, 0 };

	return ok(clock_settime(CLOCK_REALTIME, &t));
}

static bool open_handle(struct world *w)
{
	return ok(syscall(SYS_open_by_handle_at, 0, NULL, 0));
}

static bool steal_descriptor(struct world *w)
{
	return ok(syscall(SYS_pidfd_getfd, 0, 0, 0));
}

static bool terminal_input(struct world *w)
{
	char c = 'x';

	return ok(syscall(SYS_ioctl, 0, 0x5412 /* TIOCSTI */, &c));
}

static bool priority(struct world *w)
{
	return ok(syscall(SYS_setpriority, 0, 0, -20));
}

/* And what every role must be able to do. */
static bool read_own_memory(struct world *w)
{
	void *at = malloc(1 << 20);

	return at != NULL;
}

static bool pass_bytes(struct world *w)
{
	int pair[2];

	return ok(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair)) && ok(send(pair[0], "x", 1, 0));
}

static bool make_memfd(struct world *w)
{
	return ok(memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING));
}

#define ACTION(name)                                                                               \
	{                                                                                          \
#name, name                                                                        \
	}
static const struct {
	const char *name;
	bool (*run)(struct world *w);
} actions[] = {
	ACTION(open_shadow),	  ACTION(open_passwd),	   ACTION(open_proc_self),
	ACTION(open_proc_mem),	  ACTION(create_tmp),	   ACTION(create_root),
	ACTION(read_home),	  ACTION(read_other),	   ACTION(read_other_dotdot),
	ACTION(write_own),	  ACTION(link_own),	   ACTION(hardlink_other),
	ACTION(make_device),	  ACTION(make_fifo),	   ACTION(make_setuid),
	ACTION(connect_tcp),	  ACTION(connect_udp),	   ACTION(bind_tcp),
	ACTION(socket_unix),	  ACTION(socket_raw),	   ACTION(socket_packet),
	ACTION(socket_netlink),	  ACTION(do_fork),	   ACTION(do_clone),
	ACTION(do_execve),	  ACTION(do_execveat),	   ACTION(do_ptrace),
	ACTION(read_memory),	  ACTION(kill_other),	   ACTION(kill_init),
	ACTION(do_mount),	  ACTION(do_unshare),	   ACTION(do_setns),
	ACTION(do_chroot),	  ACTION(do_bpf),	   ACTION(do_io_uring),
	ACTION(do_keyctl),	  ACTION(do_userfaultfd),  ACTION(do_perf),
	ACTION(do_setuid),	  ACTION(do_reboot),	   ACTION(do_module),
	ACTION(map_executable),	  ACTION(make_executable), ACTION(raise_limits),
	ACTION(become_dumpable),  ACTION(set_clock),	   ACTION(open_handle),
	ACTION(steal_descriptor), ACTION(terminal_input),  ACTION(priority),
	ACTION(read_own_memory),  ACTION(pass_bytes),	   ACTION(make_memfd),
};

static void try_action(struct world *w, size_t number)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct buf level = BUF_INIT(64), weaker = BUF_INIT(300);

		if (chdir(w->dir) || sandbox_enter(&w->sandbox, &level, &weaker))
			_exit(9);
		_exit(actions[number].run(w) ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	printf("%s\t%s\n", actions[number].name,
	       WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS ? "killed"
	       : WIFEXITED(status) && WEXITSTATUS(status) == 0	 ? "allowed"
	       : WIFEXITED(status) && WEXITSTATUS(status) == 1	 ? "denied"
								 : "broken");
	fflush(stdout);
}

static bool class_of(const char *name, enum sandbox_class *ret)
{
	for (int c = SANDBOX_PURE; c <= SANDBOX_PROCESS; c++) {
		if (strcmp(sandbox_class_name((enum sandbox_class)c), name) == 0) {
			*ret = (enum sandbox_class)c;
			return true;
		}
	}
	return false;
}

int main(int argc, char **argv)
{
	struct world w = { 0 };

	if (argc != 8 || !class_of(argv[1], &w.sandbox.class) ||
	    num_u64(view_str(argv[4]), UINT32_MAX, &w.sandbox.uid)) {
		fprintf(stderr, "usage: attack CLASS threads|- etc|- UID DIR EMPTY OTHER\n");
		return 2;
	}
	w.dir = argv[5];
	w.other = argv[7];
	w.dir_fd = open(w.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	w.sandbox.threads = strcmp(argv[2], "threads") == 0;
	w.sandbox.read_etc = strcmp(argv[3], "etc") == 0;
	w.sandbox.empty_dir = open(argv[6], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	w.sandbox.descriptors = 256;
	if (w.sandbox.class == SANDBOX_FS) {
		w.sandbox.dirs = &w.dir_fd;
		w.sandbox.dir_count = 1;
	}
	w.victim = fork();
	if (w.victim == 0) {
		pause();
		_exit(0);
	}
	for (size_t i = 0; i < ARRAY_LEN(actions); i++)
		try_action(&w, i);
	kill(w.victim, SIGKILL);
	return 0;
}
