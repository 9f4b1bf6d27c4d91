/*
 * sys/role.c: see role.h.
 */
#include "sys/role.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/num.h"
#include "ipc/lifecycle.h"
#include "sys/clock.h"
#include "sys/file.h"

enum {
	LIFECYCLE_FD = 3,
	STATE_RUNNING = 1, /* lifecycle.ipc */
	DIRS_MAX = 4,
};

struct role {
	const struct role_spec *spec;
	void *ctx;
	struct loop *loop;
	struct config config;
	struct buf new_config; /* lines since the last reload */
	struct ipc_chan *lifecycle;
	const char *instance;
	uint64_t id, uid, memory, files;
	int dirs[DIRS_MAX];
	size_t dir_count;
	int empty_dir;
	int log_fd;
	bool running;
	int status;
	uint64_t arrivals; /* sessions and descriptors in state running, for lifecycle.idle */
};

struct loop *role_loop(struct role *role)
{
	return role->loop;
}

const struct config *role_config(const struct role *role)
{
	return &role->config;
}

uint64_t role_id(const struct role *role)
{
	return role->id;
}

const char *role_instance(const struct role *role)
{
	return role->instance;
}

void role_exit(struct role *role, int status)
{
	role->status = status;
	loop_stop(role->loop);
}

void role_idle(struct role *role)
{
	enum err err =
		lifecycle_send_idle(role->lifecycle, &(struct lifecycle_idle){ role->arrivals });

	if (err)
		LOG_WARNING("role.idle", "cannot tell the supervisor", LOG_ERR(err));
}

void role_background(struct role *role, bool on)
{
	if (lifecycle_send_background(role->lifecycle, &(struct lifecycle_background){ on }))
		LOG_WARNING("role.background", "cannot tell the supervisor");
}

void role_finding(struct role *role, uint32_t tag, struct view json)
{
	struct lifecycle_finding m = { tag, json };

	if (lifecycle_send_finding(role->lifecycle, &m))
		LOG_WARNING("role.check", "a finding could not be told");
}

void role_checked(struct role *role, uint32_t tag, enum err err, const char *text)
{
	struct lifecycle_checked m = { tag, (uint8_t)err, view_str(text) };

	if (lifecycle_send_checked(role->lifecycle, &m))
		LOG_WARNING("role.check", "the end of a check could not be told");
}

/* ---- descriptors ---- */

static void take_descriptor(struct role *role, const struct lifecycle_descriptor *m, int fd)
{
	if (view_eq(m->kind, VIEW("channel")) && view_eq(m->name, VIEW("log"))) {
		if (role->running)
			log_to_channel(role->loop, fd);
		else
			role->log_fd = fd;
		return;
	}
	if (view_eq(m->kind, VIEW("channel"))) {
		if (role->spec->channel)
			role->spec->channel(role, role->ctx, m->name, m->id, fd);
		else
			fd_close(&fd);
		return;
	}
	if (view_eq(m->name, VIEW("empty"))) {
		role->empty_dir = fd;
		return;
	}
	if (view_eq(m->kind, VIEW("dir")) && role->dir_count < DIRS_MAX)
		role->dirs[role->dir_count++] = fd;
	if (role->spec->descriptor)
		role->spec->descriptor(role, role->ctx, m->kind, m->name, m->id, fd);
	else
		fd_close(&fd);
}

/* ---- lifecycle in state running ---- */

static enum err on_config(void *ctx, const struct lifecycle_config *m)
{
	struct role *role = ctx;

	buf_add(&role->new_config, m->text);
	return buf_err(&role->new_config);
}

static enum err on_descriptor(void *ctx, const struct lifecycle_descriptor *m, int *fd)
{
	struct role *role = ctx;
	int taken = *fd;

	*fd = -1;
	role->arrivals++;
	take_descriptor(role, m, taken);
	return OK;
}

static enum err on_go(void *ctx, const struct lifecycle_go *m)
{
	return ERR_PEER; /* was read before the loop began */
}

static enum err apply_config(struct role *role)
{
	struct buf CLEANUP(buf_done) why = BUF_INIT(1024);
	enum log_level level;
	enum err err = config_load(&role->config, buf_view(&role->new_config), &why);

	buf_clear(&role->new_config);
	if (err) {
		LOG_ERROR("role.config", "an option cannot be used",
			  LOG_VIEW("why", buf_view(&why)));
		return err;
	}
	if (!log_level_parse(view_str(role->config.log_level), &level))
		log_set_level(level);
	return OK;
}

static enum err on_reload(void *ctx, const struct lifecycle_reload *m)
{
	struct role *role = ctx;
	enum err err = apply_config(role);

	if (!err && role->spec->reload)
		role->spec->reload(role, role->ctx);
	return OK;
}

static enum err on_stop(void *ctx, const struct lifecycle_stop *m)
{
	struct role *role = ctx;

	if (role->spec->stop)
		role->spec->stop(role, role->ctx);
	else
		role_exit(role, 0);
	return OK;
}

static enum err on_query(void *ctx, const struct lifecycle_query *m)
{
	struct role *role = ctx;
	struct buf CLEANUP(buf_done) json = BUF_INIT(LIFECYCLE_STATUS_JSON_MAX);
	struct lifecycle_status answer = { .tag = m->tag };

	buf_add_str(&json, "{");
	if (role->spec->status)
		role->spec->status(role, role->ctx, &json);
	if (json.n > 1 && json.p[json.n - 1] == ',')
		buf_truncate(&json, json.n - 1);
	buf_add_str(&json, "}");
	answer.json = buf_err(&json) ? VIEW("{}") : buf_view(&json);
	return lifecycle_send_status(role->lifecycle, &answer);
}

static enum err on_session(void *ctx, const struct lifecycle_session *m, int *fd)
{
	struct role *role = ctx;
	struct role_session s = {
		.session = m->session,
		.service = m->service,
		.name = m->name,
		.peer_ip = m->peer_ip,
		.peer_port = m->peer_port,
		.tag = m->tag,
		.pending = m->pending,
	};
	int taken = *fd;

	if (!role->spec->session)
		return ERR_PEER;
	*fd = -1;
	role->arrivals++;
	role->spec->session(role, role->ctx, &s, taken);
	return OK;
}

static enum err on_check(void *ctx, const struct lifecycle_check *m)
{
	struct role *role = ctx;

	if (!role->spec->check)
		return ERR_PEER;
	role->arrivals++;
	role->spec->check(role, role->ctx, m->tag, m->rebuild);
	return OK;
}

static const struct lifecycle_server_ops lifecycle_ops = {
	.config = on_config,
	.descriptor = on_descriptor,
	.go = on_go,
	.reload = on_reload,
	.stop = on_stop,
	.query = on_query,
	.session = on_session,
	.check = on_check,
};

static enum err on_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	return lifecycle_server_dispatch(&lifecycle_ops, ctx, type, body, fd);
}

static void on_closed(void *ctx, enum err why)
{
	struct role *role = ctx;

	/* Without a supervisor nobody restarts our peers: end. */
	role_exit(role, why == ERR_EOF ? 0 : 1);
}

static const struct ipc_ops lifecycle_ipc = { on_message, on_closed, NULL };

/*
 * Sanitizer builds only: looking for leaks at the end needs ptrace, which the sandbox forbids.  Leaks are
 * found by the unit tests.
 */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

/* ---- start ---- */

static enum err parse_arguments(struct role *role, int argc, char **argv)
{
	struct {
		const char *name;
		uint64_t *to;
	} numbers[] = { { "--id", &role->id },
			{ "--uid", &role->uid },
			{ "--memory", &role->memory },
			{ "--files", &role->files } };

	for (int i = 1; i < argc; i++) {
		struct view name, value = view_cut(view_str(argv[i]), '=', &name);
		bool known = false;

		if (view_eq(name, VIEW("--instance")) && value.n > 0) {
			role->instance = value.p;
			continue;
		}
		for (size_t k = 0; k < ARRAY_LEN(numbers); k++) {
			if (!view_eq(name, view_str(numbers[k].name)))
				continue;
			if (num_u64(value, UINT64_MAX, numbers[k].to))
				return ERR_SYNTAX;
			known = true;
		}
		if (!known)
			return ERR_SYNTAX;
	}
	return OK;
}

static enum err start_message(struct role *role, uint16_t type, struct view body, int *fd)
{
	struct lifecycle_descriptor d;
	struct lifecycle_config c;
	enum err err;

	switch (type) {
	case LIFECYCLE_CONFIG:
		err = lifecycle_config_decode(body, &c);
		if (!err)
			buf_add(&role->new_config, c.text);
		return err ? err : buf_err(&role->new_config);
	case LIFECYCLE_DESCRIPTOR:
		if (role->new_config.n > 0)
			err = apply_config(role);
		else
			err = OK;
		if (!err)
			err = lifecycle_descriptor_decode(body, &d);
		if (err)
			return err;
		take_descriptor(role, &d, *fd);
		*fd = -1;
		return OK;
	case LIFECYCLE_GO: return role->new_config.n > 0 ? apply_config(role) : OK;
	default: return ERR_PEER;
	}
}

/* Everything that the supervisor sends before go. */
static enum err receive_start(struct role *role)
{
	struct buf CLEANUP(buf_done) room = BUF_INIT(IPC_PACKET_MAX);

	for (;;) {
		uint16_t type;
		struct view body;
		int CLEANUP(fd_close) fd = -1;
		enum err err = ipc_recv_blocking(LIFECYCLE_FD, &room, &type, &body, &fd);

		if (!err)
			err = start_message(role, type, body, &fd);
		if (err || type == LIFECYCLE_GO)
			return err;
	}
}

static enum err enter_sandbox(struct role *role, struct buf *level, struct buf *weaker)
{
	struct sandbox s = {
		.class = role->spec->sandbox,
		.uid = role->uid,
		.empty_dir = role->empty_dir,
		.memory = role->memory,
		.descriptors = role->files,
		.dirs = role->dirs,
		.dir_count = role->dir_count,
		.threads = role->spec->threads,
		.read_etc = role->spec->read_etc,
	};
	enum err err = sandbox_enter(&s, level, weaker);

	if (err)
		LOG_ERROR("role.sandbox", "cannot give up rights; not starting without that",
			  LOG_VIEW("reached", buf_view(level)), LOG_ERRNO());
	return err;
}

static enum err begin(struct role *role)
{
	struct buf CLEANUP(buf_done) level = BUF_INIT(LIFECYCLE_READY_SANDBOX_MAX);
	struct buf CLEANUP(buf_done) weaker = BUF_INIT(LIFECYCLE_READY_WEAKER_MAX);
	struct lifecycle_ready ready;
	enum err err = receive_start(role);

	if (!err && role->spec->prepare)
		err = role->spec->prepare(role, role->ctx);
	if (!err)
		err = enter_sandbox(role, &level, &weaker);
	if (err)
		return err;
	role->running = true;
	if (role->log_fd >= 0)
		log_to_channel(role->loop, role->log_fd);
	err = ipc_chan_new(role->loop, LIFECYCLE_FD, &lifecycle_channel, IPC_SERVER, &lifecycle_ipc,
			   role, &role->lifecycle);
	if (err)
		return err;
	ipc_chan_set_state(role->lifecycle, STATE_RUNNING);
	if (role->spec->start)
		err = role->spec->start(role, role->ctx);
	if (err)
		return err;
	ready = (struct lifecycle_ready){ buf_view(&level), buf_view(&weaker) };
	return lifecycle_send_ready(role->lifecycle, &ready);
}

static void prepare_process(const struct role *role)
{
	signal(SIGPIPE, SIG_IGN);
	/* An interrupt at the terminal goes to the supervisor alone, which ends us in order. */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	failpoint_init(getenv("POSTHOLD_FAILPOINT"));
	/* Reads the zone now; the sandbox has no files. */
	(void)clock_zone(clock_wall());
	log_set_name(role->instance);
}

int role_main(int argc, char **argv, const struct role_spec *spec, void *ctx)
{
	struct role role = {
		.spec = spec, .ctx = ctx, .instance = spec->name, .empty_dir = -1, .log_fd = -1
	};
	enum err err;

	if (argc == 2 && strcmp(argv[1], "--describe") == 0) {
		printf("%s\t%s\t%s\t%s\n", spec->name, sandbox_class_name(spec->sandbox),
		       spec->threads ? "threads" : "-", spec->read_etc ? "etc" : "-");
		return 0;
	}
	buf_init(&role.new_config, CONFIG_TEXT_MAX);
	if (fcntl(LIFECYCLE_FD, F_GETFD) < 0) {
		fprintf(stderr, "posthold-%s: is started by posthold-supervisor, not by hand.\n",
			spec->name);
		return 2;
	}
	if (parse_arguments(&role, argc, argv)) {
		fprintf(stderr, "posthold-%s: unknown argument\n", spec->name);
		return 2;
	}
	fcntl(LIFECYCLE_FD, F_SETFD, FD_CLOEXEC);
	prepare_process(&role);
	err = config_init(&role.config);
	if (!err)
		err = loop_new(&role.loop);
	if (!err)
		err = begin(&role);
	if (!err) {
		loop_run(role.loop);
	} else if (err != ERR_EOF) {
		LOG_ERROR("role.start", "cannot start", LOG_ERR(err));
		role.status = 1;
	}
	if (role.lifecycle)
		ipc_chan_flush(role.lifecycle);
	log_to_channel(role.loop, -1);
	return role.status;
}
