/*
 * tests/unit/roles/supervisor/fixture.c: see fixture.h.
 */
#include "fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/num.h"
#include "ipc/lifecycle.h"
#include "sys/clock.h"
#include "sys/file.h"

enum { LIFECYCLE_FD = 3, STATE_RUNNING = 1, WAIT_MS = 10000, POLL_MS = 5 };

struct world w;

/* ---- what sys/log.c would give ---- */

void log_event(enum log_level level, const char *event_name, const char *text,
	       const struct log_field *fields, size_t count)
{
	struct seen *e = &w.events[w.event_count];

	assert_true(w.event_count < EVENTS_MAX);
	*e = (struct seen){ .level = level };
	snprintf(e->name, sizeof(e->name), "%s", event_name);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(fields[i].key, "instance") == 0)
			snprintf(e->instance, sizeof(e->instance), VIEW_FMT,
				 VIEW_ARG(fields[i].text));
		if (strcmp(fields[i].key, "how") == 0)
			snprintf(e->how, sizeof(e->how), VIEW_FMT, VIEW_ARG(fields[i].text));
		if (strcmp(fields[i].key, "account") == 0)
			e->account = fields[i].number;
	}
	w.event_count++;
}

void log_to_channel(struct loop *loop, int fd)
{
	fd_close(&fd);
}

void log_set_level(enum log_level level)
{
}

enum err log_level_parse(struct view name, enum log_level *ret)
{
	*ret = LOG_LEVEL_INFO;
	return OK;
}

const struct seen *event(const char *name)
{
	for (size_t i = w.event_count; i > 0; i--)
		if (strcmp(w.events[i - 1].name, name) == 0)
			return &w.events[i - 1];
	return NULL;
}

/* ---- a fake role: its own process ---- */

struct fake {
	struct loop *loop;
	struct ipc_chan *chan;
	int notes; /* descriptor */
	char how[400];
};

PRINTF_LIKE(2, 3) static void note(struct fake *f, const char *format, ...)
{
	struct buf CLEANUP(buf_done) line = BUF_INIT(2000);
	va_list args;

	va_start(args, format);
	buf_vaddf(&line, format, args);
	va_end(args);
	buf_add_char(&line, '\n');
	if (buf_err(&line) || file_write(f->notes, buf_view(&line)))
		_exit(99);
}

static const char *told(struct fake *f, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(f->how, word, n) != 0 || (f->how[n] != '\0' && f->how[n] != ' '))
		return NULL;
	return f->how + n + (f->how[n] == ' ');
}

/* What this process was started with. */
static void note_descriptors(struct fake *f)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		uint64_t fd;

		if (!num_u64(view_str(entry->d_name), UINT16_MAX, &fd) && (int)fd != dirfd(dir) &&
		    (int)fd != f->notes)
			note(f, "open %u", (unsigned)fd);
	}
	closedir(dir);
}

static void note_descriptor(struct fake *f, const struct lifecycle_descriptor *m)
{
	note(f, VIEW_FMT " " VIEW_FMT " %llu", VIEW_ARG(m->kind), VIEW_ARG(m->name),
	     (unsigned long long)m->id);
}

static enum err fake_config(void *ctx, const struct lifecycle_config *m)
{
	note(ctx, "config");
	return OK;
}

static enum err fake_descriptor(void *ctx, const struct lifecycle_descriptor *m, int *fd)
{
	note_descriptor(ctx, m);
	return OK;
}

static enum err fake_go(void *ctx, const struct lifecycle_go *m)
{
	return ERR_PEER;
}

static enum err fake_reload(void *ctx, const struct lifecycle_reload *m)
{
	note(ctx, "reload");
	return OK;
}

static enum err fake_stop(void *ctx, const struct lifecycle_stop *m)
{
	struct fake *f = ctx;

	note(f, "stop %lld", (long long)clock_mono_us());
	if (told(f, "die-on-stop"))
		raise(SIGKILL);
	if (told(f, "deaf"))
		return OK;
	note(f, "end %lld", (long long)clock_mono_us());
	_exit(0);
}

static enum err fake_query(void *ctx, const struct lifecycle_query *m)
{
	struct fake *f = ctx;
	const char *counters = told(f, "counters");
	struct lifecycle_status status = { m->tag, VIEW("{\"turns\":1}") };

	if (counters)
		status.json = view_str(counters);
	return lifecycle_send_status(f->chan, &status);
}

static enum err fake_session(void *ctx, const struct lifecycle_session *m, int *fd)
{
	note(ctx, "session " VIEW_FMT, VIEW_ARG(m->name));
	return OK;
}

static enum err fake_check(void *ctx, const struct lifecycle_check *m)
{
	struct fake *f = ctx;
	struct lifecycle_finding finding = { m->tag, VIEW("{\"pack\":1}") };
	struct lifecycle_checked checked = { m->tag, OK, VIEW("1 finding") };
	enum err err = lifecycle_send_finding(f->chan, &finding);

	return err ? err : lifecycle_send_checked(f->chan, &checked);
}

static enum err fake_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	static const struct lifecycle_server_ops ops = {
		.config = fake_config,
		.descriptor = fake_descriptor,
		.go = fake_go,
		.reload = fake_reload,
		.stop = fake_stop,
		.query = fake_query,
		.session = fake_session,
		.check = fake_check,
	};

	return lifecycle_server_dispatch(&ops, ctx, type, body, fd);
}

static void fake_closed(void *ctx, enum err why)
{
	_exit(why == ERR_EOF ? 0 : 98);
}

static void fake_receive_start(struct fake *f)
{
	struct buf CLEANUP(buf_done) room = BUF_INIT(IPC_PACKET_MAX);
	uint16_t type = 0;

	while (type != LIFECYCLE_GO) {
		struct lifecycle_descriptor d;
		struct view body;
		int CLEANUP(fd_close) fd = -1;
		enum err err = ipc_recv_blocking(LIFECYCLE_FD, &room, &type, &body, &fd);

		if (err == ERR_EOF)
			_exit(0);
		if (err || (type == LIFECYCLE_DESCRIPTOR && lifecycle_descriptor_decode(body, &d)))
			_exit(97);
		if (type == LIFECYCLE_DESCRIPTOR)
			note_descriptor(f, &d);
		else
			note(f, type == LIFECYCLE_GO ? "go" : "config");
	}
}

NORETURN static void fake_run(struct fake *f)
{
	static const struct ipc_ops ops = { fake_message, fake_closed, NULL };
	struct lifecycle_ready ready = { VIEW("none"), VIEW("everything") };
	const char *words = told(f, "words");

	fake_receive_start(f);
	if (told(f, "exit"))
		_exit(3);
	if (told(f, "die"))
		raise(SIGKILL);
	if (words)
		ready.sandbox = view_str(words);
	if (loop_new(&f->loop) ||
	    ipc_chan_new(f->loop, LIFECYCLE_FD, &lifecycle_channel, IPC_SERVER, &ops, f, &f->chan))
		_exit(96);
	ipc_chan_set_state(f->chan, STATE_RUNNING);
	if (lifecycle_send_ready(f->chan, &ready))
		_exit(95);
	if (told(f, "background") &&
	    lifecycle_send_background(f->chan, &(struct lifecycle_background){ true }))
		_exit(93);
	loop_run(f->loop);
	_exit(94);
}

/* FOLDER/posthold-NAME: the other files of the fake are FOLDER/NAME.WHAT. */
static void fake_path(char room[200], const char *program, const char *what)
{
	snprintf(room, 200, "%s/%s.%s", w.programs, program, what);
}

void fake_role(char **argv)
{
	static struct fake fake;
	const char *mark = strrchr(argv[0], '/');
	struct buf CLEANUP(buf_done) how = BUF_INIT(sizeof(fake.how) - 1);
	char path[200];

	if (!mark || !view_starts(view_str(mark), VIEW("/posthold-")))
		return;
	snprintf(w.programs, sizeof(w.programs), "%.*s", (int)(mark - argv[0]), argv[0]);
	fake_path(path, mark + strlen("/posthold-"), "how");
	if (!file_read_all(AT_FDCWD, path, &how))
		snprintf(fake.how, sizeof(fake.how), VIEW_FMT, VIEW_ARG(buf_view(&how)));
	fake_path(path, mark + strlen("/posthold-"), "said");
	fake.notes = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	for (char **a = argv; *a; a++)
		note(&fake, "argument %s", *a);
	for (char **e = environ; *e; e++)
		note(&fake, "environment %s", *e);
	note_descriptors(&fake);
	fake_run(&fake);
}

/* ---- for the test ---- */

void behave(const char *program, const char *how)
{
	char path[200];
	int CLEANUP(fd_close) fd = -1;

	fake_path(path, program, "how");
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(file_write(fd, view_str(how)), OK);
}

const char *said(const char *program)
{
	static struct buf text = BUF_INIT(SAID_MAX);
	char path[200];

	fake_path(path, program, "said");
	buf_clear(&text);
	if (file_read_all(AT_FDCWD, path, &text))
		return "";
	return buf_cstr(&text);
}

bool has_line(const char *text, const char *line)
{
	struct view rest = view_str(text);

	while (rest.n > 0) {
		struct view head;

		rest = view_cut(rest, '\n', &head);
		if (view_eq(head, view_str(line)))
			return true;
	}
	return false;
}

struct waiting {
	bool (*condition)(void *);
	void *ctx;
	struct loop_timer poll;
	int turns;
	bool met;
};

static void on_poll(void *ctx)
{
	struct waiting *p = ctx;

	p->met = p->condition && p->condition(p->ctx);
	if (p->met || p->turns-- <= 0)
		loop_stop(w.sup.loop);
	else
		loop_timer_set(&p->poll, POLL_MS);
}

static bool run_turns(bool (*condition)(void *), void *ctx, int turns)
{
	struct waiting p = { condition, ctx, { 0 }, turns, false };

	loop_timer_init(&p.poll, w.sup.loop, on_poll, &p);
	loop_timer_set(&p.poll, 0);
	loop_run(w.sup.loop);
	loop_timer_done(&p.poll);
	return p.met;
}

void run_until(bool (*condition)(void *), void *ctx)
{
	assert_true(run_turns(condition, ctx, WAIT_MS / POLL_MS));
}

void run_for(int64_t ms)
{
	(void)run_turns(NULL, NULL, (int)(ms / POLL_MS));
}

bool is_ready(void *process)
{
	return ((struct process *)process)->state == PROCESS_READY;
}

bool is_down(void *process)
{
	return ((struct process *)process)->state == PROCESS_DOWN;
}

void start_fixed(unsigned instance)
{
	struct process *p = &w.sup.fixed[instance];

	assert_int_equal(process_start(p), OK);
	assert_int_equal(wire_instance(&w.sup, instance), OK);
	assert_int_equal(process_go(p), OK);
	run_until(is_ready, p);
}

static void on_child(void *ctx)
{
	processes_reap(ctx);
}

static void make_programs(void)
{
	char self[1024], path[200];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	assert_true(n > 0);
	self[n] = '\0';
	snprintf(w.programs, sizeof(w.programs), "%s/programs", w.folder);
	assert_int_equal(mkdir(w.programs, 0700), 0);
	for (unsigned i = 0; i <= I_COUNT; i++) {
		const struct instance_row *row = i < I_COUNT ? &instance_rows[i] : &mailbox_row;

		snprintf(path, sizeof(path), "%s/posthold-%s", w.programs, row->program);
		assert_true(symlink(self, path) == 0 || errno == EEXIST);
	}
}

int world_begin(void **state)
{
	static const uint8_t secret[16] = { 7 };
	struct buf CLEANUP(buf_done) why = BUF_INIT(500);
	struct supervisor *sup = &w.sup;

	w = (struct world){ .folder = "/tmp/posthold-supervisor-XXXXXX" };
	assert_non_null(mkdtemp(w.folder));
	make_programs();
	snprintf(sup->data_path, sizeof(sup->data_path), "%s", w.folder);
	sup->libexec = w.programs;
	sup->notify_fd = -1;
	assert_int_equal(config_init(&sup->config), OK);
	assert_int_equal(loop_new(&sup->loop), OK);
	assert_int_equal(dirs_open(sup, &why), OK);
	map_init(&sup->mailboxes, MAILBOXES_MAX, secret);
	loop_timer_init(&sup->stop_timer, sup->loop, supervisor_grace_over, sup);
	loop_signal_init(&w.child, sup->loop, SIGCHLD, on_child, sup);
	for (unsigned i = 0; i < I_COUNT; i++)
		process_init(&sup->fixed[i], sup, &instance_rows[i], i);
	return 0;
}

static void process_done(struct process *p)
{
	loop_timer_done(&p->restart);
	ipc_chan_free(p->lifecycle);
}

static void remove_tree(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char below[600];

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
		if (entry->d_type == DT_DIR)
			remove_tree(below);
		else
			unlink(below);
	}
	if (dir)
		closedir(dir);
	rmdir(path);
}

int world_end(void **state)
{
	struct supervisor *sup = &w.sup;
	struct process *p;
	size_t at = 0;

	clock_set_mono_ms(-1);
	loop_signal_done(&w.child);
	supervisor_kill(sup);
	while (waitpid(-1, NULL, 0) > 0)
		;
	for (unsigned i = 0; i < I_COUNT; i++)
		process_done(&sup->fixed[i]);
	while (mailbox_next(sup, &at, &p)) {
		process_done(p);
		free(p->mailbox);
	}
	map_done(&sup->mailboxes);
	ipc_chan_free(sup->attach);
	ipc_chan_free(sup->spawn);
	ipc_chan_free(sup->redeem);
	ipc_chan_free(sup->admin);
	free(sup->attach_state);
	free(sup->admin_state);
	loop_timer_done(&sup->stop_timer);
	loop_free(sup->loop);
	config_done(&sup->config);
	fd_close(&sup->data_dir);
	fd_close(&sup->empty_dir);
	remove_tree(w.folder);
	return 0;
}
