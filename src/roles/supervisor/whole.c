/*
 * roles/supervisor/whole.c: what concerns all roles at once: they serve, they read options again, they end.
 *
 * The end goes phase by phase (table.h): nobody is stopped while somebody is left who may need it.  Who has
 * not ended within stop_grace is killed.
 */
#include "supervisor.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ipc/lifecycle.h"
#include "sys/file.h"

/* What the log has to write the last events when the others were killed. */
enum { LOG_GRACE_MS = 500 };

enum err supervisor_options(struct supervisor *sup, struct buf *why)
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

static void kill_process(const struct process *p)
{
	if (p->pid > 0)
		kill(p->pid, SIGKILL);
}

/* Everybody, or everybody but the log. */
static void kill_roles(struct supervisor *sup, bool log_too)
{
	struct process *p;
	size_t at = 0;

	for (unsigned i = 0; i < I_COUNT; i++)
		if (i != I_LOG || log_too)
			kill_process(&sup->fixed[i]);
	while (mailbox_next(sup, &at, &p))
		kill_process(p);
}

void supervisor_kill(struct supervisor *sup)
{
	kill_roles(sup, true);
}

/* The log is spared at first: it is told who did not end by itself. */
void supervisor_grace_over(void *ctx)
{
	struct supervisor *sup = ctx;

	if (sup->phase == PHASE_LOG || sup->grace_over) {
		supervisor_kill(sup);
		return;
	}
	sup->grace_over = true;
	LOG_WARNING("supervisor.grace_over",
		    "roles did not end within stop_grace; they are killed");
	kill_roles(sup, false);
	loop_timer_set(&sup->stop_timer, LOG_GRACE_MS);
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
	enum err err = supervisor_options(sup, why);

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
