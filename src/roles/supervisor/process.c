/*
 * roles/supervisor/process.c: start, watch, restart and end child processes.
 *
 * Programs are run from one folder with arguments made here; no shell, no environment from outside but
 * what is listed.
 */
#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/ascii.h"
#include "ipc/lifecycle.h"
#include "sys/calls.h"
#include "sys/clock.h"
#include "sys/file.h"

enum { LIFECYCLE_FD = 3, ARGUMENT_MAX = 64 };

/* Words of a role that go into JSON as they are. */
static bool is_plain(struct view v)
{
	for (size_t i = 0; i < v.n; i++)
		if (ascii_is_ctl(view_at(v, i)) || v.p[i] == '"' || v.p[i] == '\\')
			return false;
	return true;
}

static enum err on_ready(void *ctx, const struct lifecycle_ready *m)
{
	struct process *p = ctx;

	if (!is_plain(m->sandbox) || !is_plain(m->weaker))
		return ERR_PEER;
	p->state = PROCESS_READY;
	snprintf(p->sandbox, sizeof(p->sandbox), VIEW_FMT, VIEW_ARG(m->sandbox));
	snprintf(p->weaker, sizeof(p->weaker), VIEW_FMT, VIEW_ARG(m->weaker));
	LOG_DEBUG("supervisor.ready", "a role serves", LOG_STR("instance", p->row->name),
		  LOG_UINT("pid", p->pid), LOG_VIEW("sandbox", m->sandbox));
	supervisor_check_ready(p->sup);
	return OK;
}

static enum err on_status(void *ctx, const struct lifecycle_status *m)
{
	return admin_status_arrived(ctx, m->tag, m->json);
}

static enum err on_idle(void *ctx, const struct lifecycle_idle *m)
{
	struct process *p = ctx;

	if (!p->mailbox)
		return ERR_PEER;
	mailbox_idle(p, m->sessions);
	return OK;
}

/*
 * A flood of mail is stored when nobody else wants to run: it is safe in the journal, and accepting must not
 * wait for it.  Going back needs root (sched(7)), so without root nothing is changed.
 */
static enum err on_background(void *ctx, const struct lifecycle_background *m)
{
	struct process *p = ctx;
	struct sched_param none = { 0 };

	/* Process 0 would be ourselves. */
	if (!p->mailbox || p->pid <= 0)
		return ERR_PEER;
	if (p->sup->root && sched_setscheduler(p->pid, m->on ? SCHED_IDLE : SCHED_OTHER, &none))
		LOG_DEBUG("supervisor.background", "cannot change a role's scheduling",
			  LOG_STR("instance", p->row->name), LOG_ERRNO());
	return OK;
}

static enum err on_finding(void *ctx, const struct lifecycle_finding *m)
{
	struct process *p = ctx;

	if (!p->mailbox)
		return ERR_PEER;
	admin_finding(p, m->json);
	return OK;
}

static enum err on_checked(void *ctx, const struct lifecycle_checked *m)
{
	struct process *p = ctx;

	if (!p->mailbox)
		return ERR_PEER;
	admin_checked(p, m->err < ERR_COUNT ? (enum err)m->err : ERR_PEER, m->text);
	return OK;
}

static const struct lifecycle_client_ops lifecycle_ops = { on_ready,	  on_status,  on_idle,
							   on_background, on_finding, on_checked };

static enum err on_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	return lifecycle_client_dispatch(&lifecycle_ops, ctx, type, body, fd);
}

static void on_closed(void *ctx, enum err why)
{
	struct process *p = ctx;

	ipc_chan_free(p->lifecycle);
	p->lifecycle = NULL;
	/* A role that breaks the protocol of its lifecycle is not trusted to end by itself. */
	if (why != ERR_EOF && p->pid > 0) {
		LOG_ERROR("supervisor.protocol",
			  "a role broke the rules of its channel; it is killed",
			  LOG_STR("instance", p->row->name), LOG_ERR(why));
		kill(p->pid, SIGKILL);
	}
}

static const struct ipc_ops lifecycle_ipc = { on_message, on_closed, NULL };

struct arguments {
	char path[1100];
	char text[8][ARGUMENT_MAX];
	char *argv[8];
	char *environment[4];
};

/* In the child, between fork and exec: only calls that are safe there. */
NORETURN static void child_exec(int fd, struct arguments *a)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (fd == LIFECYCLE_FD)
		fcntl(fd, F_SETFD, 0);
	else if (dup2(fd, LIFECYCLE_FD) < 0)
		_exit(126);
	execve(a->path, a->argv, a->environment);
	_exit(127);
}

PRINTF_LIKE(3, 4)
static void add_argument(struct arguments *a, size_t *n, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(a->text[*n], ARGUMENT_MAX, format, args);
	va_end(args);
	a->argv[*n + 1] = a->text[*n];
	(*n)++;
}

static void make_arguments(const struct process *p, struct arguments *a)
{
	const char *failpoint = getenv("POSTHOLD_FAILPOINT");
	const struct supervisor *sup = p->sup;
	uint64_t account = p->mailbox ? mailbox_account(p->mailbox) : 0;
	uint64_t memory = p->row->memory;
	size_t n = 0;

	if (p->mailbox) /* account_memory bounds what a peer can make us hold; code and message on top */
		memory = sup->config.account_memory + 4 * sup->config.message_size;
	snprintf(a->path, sizeof(a->path), "%s/posthold-%s", sup->libexec, p->row->program);
	a->argv[n] = a->path;
	add_argument(a, &n, "--instance=%s", p->row->name);
	add_argument(a, &n, "--id=%llu", (unsigned long long)account);
	add_argument(a, &n, "--uid=%llu", (unsigned long long)dirs_uid(sup, p->instance, account));
	add_argument(a, &n, "--memory=%llu", (unsigned long long)memory);
	add_argument(a, &n, "--files=%llu", (unsigned long long)p->row->files);
	snprintf(a->text[6], ARGUMENT_MAX, "LANG=C.UTF-8");
	a->environment[0] = a->text[6];
	/* Tests only: a point at which a role kills itself (sys/file.h). */
	if (failpoint) {
		snprintf(a->text[7], ARGUMENT_MAX, "POSTHOLD_FAILPOINT=%s", failpoint);
		a->environment[1] = a->text[7];
	}
}

void process_send_config(struct process *p)
{
	struct buf CLEANUP(buf_done) lines = BUF_INIT(CONFIG_TEXT_MAX);
	struct view rest;
	enum err err;

	config_dump(&p->sup->config, &lines);
	err = buf_err(&lines);
	rest = buf_view(&lines);
	while (!err && rest.n > 0 && p->lifecycle) {
		struct view part = view_head(rest, LIFECYCLE_CONFIG_TEXT_MAX);

		err = lifecycle_send_config(p->lifecycle, &(struct lifecycle_config){ part });
		rest = view_from(rest, part.n);
	}
	if (err)
		LOG_ERROR("supervisor.config", "cannot tell a role its options",
			  LOG_STR("instance", p->row->name), LOG_ERR(err));
}

void process_give(struct process *p, const char *kind, const char *name, uint64_t id, int fd)
{
	struct lifecycle_descriptor m = { view_str(kind), view_str(name), id };
	enum err err = ERR_PEER;

	if (p->lifecycle)
		err = lifecycle_send_descriptor(p->lifecycle, &m, fd);
	else
		fd_close(&fd);
	if (err && err != ERR_PEER)
		LOG_ERROR("supervisor.give", "cannot hand over a descriptor",
			  LOG_STR("instance", p->row->name), LOG_STR("name", name), LOG_ERR(err));
	p->sent++;
}

static enum err fork_child(struct process *p)
{
	struct arguments a = { 0 };
	int pair[2];
	pid_t pid;
	enum err err = ipc_pair(pair);

	if (err)
		return err;
	make_arguments(p, &a);
	pid = fork();
	if (pid == 0)
		child_exec(pair[1], &a);
	fd_close(&pair[1]);
	if (pid < 0) {
		fd_close(&pair[0]);
		return ERR_IO;
	}
	p->pid = pid;
	p->state = PROCESS_STARTING;
	p->started_ms = clock_mono_ms();
	p->sandbox[0] = p->weaker[0] = '\0';
	ipc_chan_free(p->lifecycle);
	p->lifecycle = NULL;
	return ipc_chan_new(p->sup->loop, pair[0], &lifecycle_channel, IPC_CLIENT, &lifecycle_ipc,
			    p, &p->lifecycle);
}

enum err process_start(struct process *p)
{
	enum err err = fork_child(p);

	if (err) {
		LOG_ERROR("supervisor.start", "cannot start a role",
			  LOG_STR("instance", p->row->name), LOG_ERRNO());
		return err;
	}
	process_send_config(p);
	err = wire_descriptors(p->sup, p);
	return err;
}

enum err process_go(struct process *p)
{
	enum err err = lifecycle_send_go(p->lifecycle, &(struct lifecycle_go){ 0 });

	p->sent = 0;
	/* The role reads up to this message with the blocking functions, a message a packet: nothing
	 * that follows may share its packet. */
	ipc_chan_flush(p->lifecycle);
	return err;
}

static void on_restart(void *ctx)
{
	struct process *p = ctx;
	enum err err;

	if (p->sup->stopping)
		return;
	p->restarts++;
	err = process_start(p);
	if (!err)
		err = wire_instance(p->sup, p->instance);
	if (!err)
		err = process_go(p);
	if (err) {
		LOG_ERROR("supervisor.restart", "cannot restart a role",
			  LOG_STR("instance", p->row->name), LOG_ERR(err));
		if (p->pid <= 0)
			loop_timer_set(&p->restart, BACKOFF_MAX_MS);
		else
			kill(p->pid, SIGKILL);
	}
}

static void describe_end(struct process *p, int status)
{
	if (WIFSIGNALED(status))
		snprintf(p->last_end, sizeof(p->last_end), "killed by signal %d (%s)",
			 WTERMSIG(status), sigdescr_np(WTERMSIG(status)));
	else if (WEXITSTATUS(status) == 127)
		snprintf(p->last_end, sizeof(p->last_end), "its program posthold-%s cannot be run",
			 p->row->program);
	else
		snprintf(p->last_end, sizeof(p->last_end), "ended with status %d",
			 WEXITSTATUS(status));
}

/* An end in order is no event; one by itself is an error, one in the middle of leaving a warning. */
static void tell_end(const struct process *p, int status)
{
	bool leaving = p->state == PROCESS_LEAVING || p->sup->stopping;
	struct log_field fields[] = {
		LOG_STR("instance", p->row->name),
		LOG_STR("how", p->last_end),
		LOG_UINT("restarts", p->restarts),
		LOG_UINT("account", p->mailbox ? mailbox_account(p->mailbox) : 0),
	};
	size_t count = ARRAY_LEN(fields) - !p->mailbox;

	if (!leaving)
		log_event(LOG_LEVEL_ERROR, "supervisor.role_ended",
			  "a role ended by itself; it is started again", fields, count);
	else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		log_event(LOG_LEVEL_WARNING, "supervisor.role_cut_short",
			  "a role that was to end was killed or failed while it did", fields,
			  count);
}

void process_ended(struct process *p, int status)
{
	bool stable = clock_mono_ms() - p->started_ms >= STABLE_MS;

	describe_end(p, status);
	tell_end(p, status);
	p->pid = 0;
	p->state = PROCESS_DOWN;
	ipc_chan_free(p->lifecycle);
	p->lifecycle = NULL;
	if (p->sup->stopping) {
		supervisor_stop_step(p->sup);
		return;
	}
	if (stable || p->backoff_ms == 0)
		p->backoff_ms = BACKOFF_FIRST_MS / 2;
	p->backoff_ms = p->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : p->backoff_ms * 2;
	if (p->mailbox)
		mailbox_ended(p->mailbox);
	else
		loop_timer_set(&p->restart, stable ? 0 : p->backoff_ms);
}

void process_stop(struct process *p)
{
	if (p->state == PROCESS_DOWN || p->state == PROCESS_LEAVING)
		return;
	p->state = PROCESS_LEAVING;
	if (!p->lifecycle || lifecycle_send_stop(p->lifecycle, &(struct lifecycle_stop){ 0 }))
		kill(p->pid, SIGTERM);
}

static struct process *find(struct supervisor *sup, pid_t pid)
{
	struct process *p;
	size_t at = 0;

	for (unsigned i = 0; i < I_COUNT; i++)
		if (sup->fixed[i].pid == pid)
			return &sup->fixed[i];
	while (mailbox_next(sup, &at, &p))
		if (p->pid == pid)
			return p;
	return NULL;
}

void processes_reap(struct supervisor *sup)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct process *p = find(sup, pid);

		if (p)
			process_ended(p, status);
	}
}

void process_init(struct process *p, struct supervisor *sup, const struct instance_row *row,
		  unsigned instance)
{
	*p = (struct process){ .sup = sup, .row = row, .instance = instance };
	loop_timer_init(&p->restart, sup->loop, on_restart, p);
}
