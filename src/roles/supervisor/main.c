/*
 * roles/supervisor/main.c: start everything, watch it, end it in order.
 *
 *	posthold-supervisor --data=DIR [--notify-fd=N]
 *
 * Options are read from DIR/run/options, which `posthold serve` writes after checking the
 * configuration file.  "ready" goes to the notify descriptor, and to systemd, when every role serves.
 */
#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/num.h"
#include "ipc/lifecycle.h"
#include "sys/file.h"
#include "sys/sandbox.h"

static enum err read_options(struct supervisor *sup, struct buf *why)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(CONFIG_TEXT_MAX);
	struct buf CLEANUP(buf_done) path = BUF_INIT(1100);
	enum log_level level;
	enum err err;

	buf_addf(&path, "%s/run/options", sup->data_path);
	err = file_read_all(AT_FDCWD, buf_cstr(&path), &text);
	if (err) {
		buf_addf(why, "cannot read %s: %s", buf_cstr(&path),
			 err == ERR_NOTFOUND ? "it is not there; start with `posthold serve`"
					     : err_text(err));
		return err;
	}
	err = config_load(&sup->config, buf_view(&text), why);
	if (!err && !log_level_parse(view_str(sup->config.log_level), &level))
		log_set_level(level);
	return err;
}

static void tell_systemd(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int CLEANUP(fd_close) fd = -1;

	if (!path || strlen(path) >= sizeof(to.sun_path))
		return;
	memcpy(to.sun_path, path, strlen(path) + 1);
	if (to.sun_path[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&to,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path))) < 0)
		LOG_WARNING("supervisor.systemd", "cannot tell systemd", LOG_STR("what", text),
			    LOG_ERRNO());
}

void supervisor_check_ready(struct supervisor *sup)
{
	if (sup->ready_said)
		return;
	for (unsigned i = 0; i < I_COUNT; i++)
		if (sup->fixed[i].state != PROCESS_READY)
			return;
	sup->ready_said = true;
	LOG_NOTICE("supervisor.started", "every role serves");
	tell_systemd("READY=1");
	if (sup->notify_fd >= 0 && file_write(sup->notify_fd, VIEW("ready\n")))
		LOG_WARNING("supervisor.notify", "nobody waits for the start");
	fd_close(&sup->notify_fd);
}

/* ---- end ---- */

static bool phase_done(const struct supervisor *sup, enum phase phase)
{
	for (unsigned i = 0; i < I_COUNT; i++)
		if (instance_rows[i].phase == phase && sup->fixed[i].pid > 0)
			return false;
	return true;
}

static bool mailboxes_done(struct supervisor *sup)
{
	struct process *p;
	size_t at = 0;

	while (mailbox_next(sup, &at, &p))
		if (p->pid > 0)
			return false;
	return true;
}

static void stop_phase(struct supervisor *sup)
{
	struct process *p;
	size_t at = 0;

	for (unsigned i = 0; i < I_COUNT; i++)
		if (instance_rows[i].phase == sup->phase)
			process_stop(&sup->fixed[i]);
	while (sup->phase == PHASE_MAILBOX && mailbox_next(sup, &at, &p))
		process_stop(p);
}

void supervisor_stop_step(struct supervisor *sup)
{
	while (sup->phase < PHASE_COUNT && phase_done(sup, sup->phase) &&
	       (sup->phase != PHASE_MAILBOX || mailboxes_done(sup))) {
		sup->phase++;
		if (sup->phase == PHASE_LOG)
			log_to_channel(sup->loop, -1);
		if (sup->phase < PHASE_COUNT)
			stop_phase(sup);
	}
	if (sup->phase == PHASE_COUNT)
		loop_stop(sup->loop);
}

static void kill_all(void *ctx)
{
	struct supervisor *sup = ctx;
	struct process *p;
	size_t at = 0;

	for (unsigned i = 0; i < I_COUNT; i++)
		if (sup->fixed[i].pid > 0)
			kill(sup->fixed[i].pid, SIGKILL);
	while (mailbox_next(sup, &at, &p))
		if (p->pid > 0)
			kill(p->pid, SIGKILL);
}

void supervisor_stop(struct supervisor *sup)
{
	if (sup->stopping)
		return;
	sup->stopping = true;
	LOG_NOTICE("supervisor.stopping", "ending every role");
	tell_systemd("STOPPING=1");
	loop_timer_set(&sup->stop_timer, (int64_t)sup->config.stop_grace);
	stop_phase(sup);
	supervisor_stop_step(sup);
}

/* ---- reload ---- */

enum err supervisor_reload(struct supervisor *sup, struct buf *why)
{
	struct process *p;
	size_t at = 0;
	enum err err = read_options(sup, why);

	if (err)
		return err;
	wire_certificates(sup, &sup->fixed[I_KEYS]);
	for (unsigned i = 0; i < I_COUNT + 1; i++) {
		while (i == I_COUNT ? mailbox_next(sup, &at, &p) : (p = &sup->fixed[i]) != NULL) {
			if (p->lifecycle) {
				process_send_config(p);
				err = lifecycle_send_reload(p->lifecycle,
							    &(struct lifecycle_reload){ 0 });
			}
			if (i < I_COUNT)
				break;
		}
	}
	LOG_NOTICE("supervisor.reloaded", "the configuration was read again");
	return err;
}

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
		err = read_options(sup, why);
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
	loop_timer_init(&sup->stop_timer, sup->loop, kill_all, sup);
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
		kill_all(&sup);
		return 1;
	}
	loop_run(sup.loop);
	return 0;
}
