/*
 * roles/supervisor/main.c: start everything; what signals mean.
 *
 *	posthold-supervisor --data=DIR [--notify-fd=N]
 *
 * Options are read from DIR/run/options, which `posthold serve` writes after checking the
 * configuration file.  "ready" goes to the notify descriptor, and to systemd, when every role serves.
 */
#include "supervisor.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/num.h"
#include "sys/file.h"
#include "sys/sandbox.h"

/* ---- signals ---- */

static void on_term(void *ctx)
{
	supervisor_stop(ctx);
}

static void on_hup(void *ctx)
{
	struct buf CLEANUP(buf_done) why = BUF_INIT(900);

	if (supervisor_reload(ctx, &why))
		LOG_ERROR("supervisor.reload",
			  "the configuration cannot be used; the old one stays",
			  LOG_VIEW("why", buf_view(&why)));
}

static void on_child(void *ctx)
{
	processes_reap(ctx);
}

/* ---- start ---- */

static enum err parse_arguments(struct supervisor *sup, int argc, char **argv)
{
	uint64_t fd;

	sup->notify_fd = -1;
	for (int i = 1; i < argc; i++) {
		struct view name, value = view_cut(view_str(argv[i]), '=', &name);

		if (view_eq(name, VIEW("--data")) && value.n > 0 &&
		    value.n < sizeof(sup->data_path))
			memcpy(sup->data_path, value.p, value.n + 1);
		else if (view_eq(name, VIEW("--notify-fd")) && !num_u64(value, 1024, &fd))
			sup->notify_fd = (int)fd;
		else
			return ERR_SYNTAX;
	}
	return sup->data_path[0] ? OK : ERR_SYNTAX;
}

/* The folder of this program: the others are beside it, installed or not. */
static const char *own_folder(void)
{
	static char path[1024];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;

	if (n <= 0)
		return NULL;
	path[n] = '\0';
	slash = strrchr(path, '/');
	if (slash)
		*slash = '\0';
	return path;
}

static enum err start_all(struct supervisor *sup)
{
	enum err err = OK;

	for (unsigned i = 0; i < I_COUNT && !err; i++) {
		process_init(&sup->fixed[i], sup, &instance_rows[i], i);
		err = process_start(&sup->fixed[i]);
	}
	if (!err)
		err = wire_all(sup);
	for (unsigned i = 0; i < I_COUNT && !err; i++)
		err = process_go(&sup->fixed[i]);
	return err;
}

static enum err enter(struct supervisor *sup, struct buf *why)
{
	struct buf CLEANUP(buf_done) level = BUF_INIT(64);
	struct buf CLEANUP(buf_done) weaker = BUF_INIT(300);
	struct sandbox s = { .class = SANDBOX_PROCESS, .empty_dir = -1 };
	struct rlimit files;
	enum err err;

	/* Children need many descriptors; each gets its own bound. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	err = sandbox_enter(&s, &level, &weaker);
	if (err)
		buf_add_str(why, "cannot set no_new_privs and seccomp; the kernel must have both");
	return err;
}

static enum err begin(struct supervisor *sup, struct buf *why)
{
	uint8_t secret[16];
	enum err err = config_init(&sup->config);

	if (!err)
		err = supervisor_options(sup, why);
	if (!err)
		err = loop_new(&sup->loop);
	if (!err)
		err = dirs_open(sup, why);
	if (!err)
		err = listen_all(sup, why);
	if (!err)
		err = enter(sup, why);
	if (err)
		return err;
	random_bytes(secret, sizeof(secret));
	map_init(&sup->mailboxes, MAILBOXES_MAX, secret);
	loop_timer_init(&sup->stop_timer, sup->loop, supervisor_grace_over, sup);
	loop_signal_init(&sup->signals[0], sup->loop, SIGTERM, on_term, sup);
	loop_signal_init(&sup->signals[1], sup->loop, SIGINT, on_term, sup);
	loop_signal_init(&sup->signals[2], sup->loop, SIGHUP, on_hup, sup);
	loop_signal_init(&sup->child_signal, sup->loop, SIGCHLD, on_child, sup);
	return start_all(sup);
}

int main(int argc, char **argv)
{
	static struct supervisor sup;
	struct buf CLEANUP(buf_done) why = BUF_INIT(2000);
	enum err err;

	log_set_name("supervisor");
	signal(SIGPIPE, SIG_IGN);
	sup.root = geteuid() == 0;
	sup.libexec = own_folder();
	if (!sup.libexec || parse_arguments(&sup, argc, argv)) {
		fprintf(stderr, "usage: posthold-supervisor --data=DIR [--notify-fd=N]\n");
		return 2;
	}
	err = begin(&sup, &why);
	if (err) {
		fprintf(stderr, "posthold: %s\n", why.n ? buf_cstr(&why) : err_text(err));
		supervisor_kill(&sup);
		return 1;
	}
	loop_run(sup.loop);
	return 0;
}
