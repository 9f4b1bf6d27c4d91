/*
 * roles/supervisor/admin.c: what the administrator may ask of the supervisor: status, reload.
 */
#include "supervisor.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/cursor.h"
#include "base/num.h"
#include "ipc/admin.h"
#include "ipc/lifecycle.h"
#include "sys/clock.h"
#include "sys/file.h"

enum { STATUS_WAIT_MS = 1000, PROCESSES_SHOWN_MAX = 200, COUNTER_NAME_MAX = 64 };

/* One status request at a time; a second one waits for the next. */
struct admin_state {
	struct supervisor *sup;
	bool busy;
	uint32_t tag; /* of the administrator's request */
	uint32_t round; /* tag of our queries */
	unsigned outstanding; /* roles that have not answered */
	struct loop_timer timeout;
};

static struct admin_state *state_of(struct supervisor *sup)
{
	return sup->admin_state;
}

static void end_request(struct supervisor *sup, uint32_t tag, enum err err, const char *text)
{
	struct admin_end m = { .tag = tag, .err = (uint8_t)err, .text = view_str(text) };

	if (sup->admin && admin_send_end(sup->admin, &m))
		LOG_WARNING("supervisor.admin", "cannot answer the administrator");
}

static uint64_t resident_kib(pid_t pid)
{
	struct buf CLEANUP(buf_done) path = BUF_INIT(64);
	struct buf CLEANUP(buf_done) text = BUF_INIT(4096);
	struct view first, rest;
	uint64_t pages;

	buf_addf(&path, "/proc/%d/statm", (int)pid);
	if (file_read_all(AT_FDCWD, buf_cstr(&path), &text))
		return 0;
	rest = view_cut(buf_view(&text), ' ', &first);
	view_cut(rest, ' ', &first);
	return num_u64(first, UINT32_MAX, &pages) ? 0 : pages * 4;
}

static const char *state_name(enum process_state state)
{
	static const char *const names[] = { "down", "starting", "ready", "leaving" };

	return names[state];
}

static void add_row(struct supervisor *sup, struct process *p, struct view counters)
{
	struct buf CLEANUP(buf_done) json = BUF_INIT(ADMIN_ROW_JSON_MAX);
	struct admin_row row = { .tag = state_of(sup)->tag };

	buf_addf(&json, "{\"role\":\"%s\",", p->row->name);
	if (p->mailbox)
		buf_addf(&json, "\"account\":%llu,",
			 (unsigned long long)mailbox_account(p->mailbox));
	buf_addf(&json, "\"state\":\"%s\",\"pid\":%d,\"uptime_s\":%lld,\"restarts\":%llu,",
		 state_name(p->state), (int)p->pid,
		 (long long)(p->pid ? (clock_mono_ms() - p->started_ms) / 1000 : 0),
		 (unsigned long long)p->restarts);
	buf_addf(&json,
		 "\"resident_kib\":%llu,\"sandbox\":\"%s\",\"weaker\":\"%s\",\"last_end\":\"%s\",",
		 (unsigned long long)(p->pid ? resident_kib(p->pid) : 0), p->sandbox, p->weaker,
		 p->last_end);
	buf_addf(&json, "\"counters\":" VIEW_FMT "}", VIEW_ARG(counters.n ? counters : VIEW("{}")));
	row.json = buf_view(&json);
	if (!buf_err(&json) && sup->admin && admin_send_row(sup->admin, &row))
		LOG_WARNING("supervisor.admin", "cannot answer the administrator");
}

static void finish_status(struct admin_state *a)
{
	if (!a->busy)
		return;
	a->busy = false;
	loop_timer_cancel(&a->timeout);
	end_request(a->sup, a->tag, OK,
		    a->outstanding ? "some roles did not answer within a second" : "");
}

static void on_timeout(void *ctx)
{
	finish_status(ctx);
}

static bool is_counter_char(uint8_t c)
{
	return ascii_is_alnum(c) || c == '_';
}

/*
 * counters = "{" [ counter *("," counter) ] "}"
 * counter  = DQUOTE 1*(ALPHA / DIGIT / "_") DQUOTE ":" 1*DIGIT
 *
 * They become a part of a line that the administrator reads: a role must not be able to write another's.
 */
static enum err check_counters(struct view json)
{
	struct cursor c = cursor_init(json);

	cursor_char(&c, '{');
	if (cursor_peek(&c) != '}') {
		do {
			cursor_char(&c, '"');
			cursor_span(&c, is_counter_char, COUNTER_NAME_MAX);
			cursor_char(&c, '"');
			cursor_char(&c, ':');
			cursor_u64(&c, INT64_MAX); /* more is no number to most readers of JSON */
		} while (cursor_skip_char(&c, ','));
	}
	cursor_char(&c, '}');
	cursor_end(&c);
	return c.err;
}

enum err admin_status_arrived(struct process *p, uint32_t tag, struct view json)
{
	struct admin_state *a = state_of(p->sup);

	if (check_counters(json))
		return ERR_PEER;
	if (!a || !a->busy || tag != a->round)
		return OK;
	add_row(p->sup, p, json);
	if (a->outstanding > 0 && --a->outstanding == 0)
		finish_status(a);
	return OK;
}

/* Ask one process; one that cannot be asked gets its row at once. */
static void query(struct admin_state *a, struct process *p)
{
	if (p->state == PROCESS_READY && p->lifecycle &&
	    !lifecycle_send_query(p->lifecycle, &(struct lifecycle_query){ a->round }))
		a->outstanding++;
	else
		add_row(a->sup, p, VIEW_EMPTY);
}

static void start_status(struct supervisor *sup, uint32_t tag)
{
	struct admin_state *a = state_of(sup);
	struct process *p;
	size_t at = 0, shown = 0;

	if (a->busy) {
		end_request(sup, tag, ERR_BUSY,
			    "another status request is being answered; try again");
		return;
	}
	a->busy = true;
	a->tag = tag;
	a->round++;
	a->outstanding = 0;
	for (unsigned i = 0; i < I_COUNT; i++)
		query(a, &sup->fixed[i]);
	while (shown++ < PROCESSES_SHOWN_MAX && mailbox_next(sup, &at, &p))
		query(a, p);
	loop_timer_set(&a->timeout, STATUS_WAIT_MS);
	if (a->outstanding == 0)
		finish_status(a);
}

void admin_finding(struct process *p, struct view json)
{
	struct admin_row row = { mailbox_check_tag(p->mailbox, false), json };

	if (row.tag && p->sup->admin && admin_send_row(p->sup->admin, &row))
		LOG_WARNING("supervisor.admin", "cannot answer the administrator");
}

void admin_checked(struct process *p, enum err err, struct view text)
{
	struct admin_end m = { mailbox_check_tag(p->mailbox, true), (uint8_t)err, text };

	if (m.tag && p->sup->admin && admin_send_end(p->sup->admin, &m))
		LOG_WARNING("supervisor.admin", "cannot answer the administrator");
}

static struct view argument(const struct admin_request *m, struct view key)
{
	struct view raw = m->args_raw;
	struct admin_request_args arg;

	while (admin_request_args_next(&raw, &arg))
		if (view_eq(arg.key, key))
			return arg.value;
	return VIEW_EMPTY;
}

static void start_check(struct supervisor *sup, const struct admin_request *m)
{
	bool rebuild = view_eq(argument(m, VIEW("rebuild")), VIEW("yes"));
	uint64_t account;
	enum err err = num_u64(argument(m, VIEW("account")), UINT64_MAX, &account);

	if (err) {
		end_request(sup, m->tag, err, "account: expected is its number");
		return;
	}
	err = mailbox_check(sup, account, m->tag, rebuild);
	if (err)
		end_request(sup, m->tag, err,
			    err == ERR_BUSY
				    ? "the account's process is being started or checked; try again"
				    : err_text(err));
}

static void reload(struct supervisor *sup, uint32_t tag)
{
	struct buf CLEANUP(buf_done) why = BUF_INIT(900);
	enum err err = supervisor_reload(sup, &why);

	end_request(sup, tag, err,
		    err ? buf_cstr(&why)
			: "reloaded; options marked restart in the manual keep their old value "
			  "until then");
}

static enum err on_request(void *ctx, const struct admin_request *m)
{
	struct supervisor *sup = ctx;

	if (view_eq(m->verb, VIEW("status")))
		start_status(sup, m->tag);
	else if (view_eq(m->verb, VIEW("fsck")))
		start_check(sup, m);
	else if (view_eq(m->verb, VIEW("reload")))
		reload(sup, m->tag);
	else
		end_request(sup, m->tag, ERR_UNSUPPORTED,
			    "the supervisor does not know this request");
	return OK;
}

static const struct admin_server_ops admin_ops = { on_request };

static enum err on_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	return admin_server_dispatch(&admin_ops, ctx, type, body, fd);
}

static void on_closed(void *ctx, enum err why)
{
	struct supervisor *sup = ctx;

	ipc_chan_free(sup->admin);
	sup->admin = NULL;
	state_of(sup)->busy = false;
}

static const struct ipc_ops admin_ipc = { on_message, on_closed, NULL };

void admin_take(struct supervisor *sup, int fd)
{
	if (!sup->admin_state) {
		struct admin_state *a = calloc(1, sizeof(*a));

		ASSERT(a);
		a->sup = sup;
		loop_timer_init(&a->timeout, sup->loop, on_timeout, a);
		sup->admin_state = a;
	}
	state_of(sup)->busy = false;
	ipc_chan_free(sup->admin);
	sup->admin = NULL;
	if (ipc_chan_new(sup->loop, fd, &admin_channel, IPC_SERVER, &admin_ipc, sup, &sup->admin))
		LOG_ERROR("supervisor.memory", "no memory for a channel");
}
