/*
 * roles/mailbox/sessions.c: IMAP sessions on their streams.
 *
 * The session does no I/O (imap/session.h); here its input and output meet the stream, in turns, so that
 * one client's long command does not hold up the others.
 */
#include "mailbox.h"

#include "sys/clock.h"
#include "sys/file.h"

enum {
	INPUT_MAX = 128 * 1024, /* unread commands of one client */
};

/* Of imap_output_queue: so much waits in the stream, an eighth in the session, the rest is for replies. */
static size_t output_enough(const struct mailbox *m)
{
	return (size_t)role_config(m->role)->imap_output_queue / 4;
}

static void end_session(struct session *s)
{
	s->dead = true;
	loop_defer_add(&s->mailbox->sweep);
}

/* A slow client is none that stalls: what counts is whether anything left. */
static void note_progress(struct session *s)
{
	size_t waiting = stream_out_waiting(&s->stream);
	uint64_t left = s->moved - waiting;

	if (waiting == 0)
		s->stalled_since = 0;
	else if (s->stalled_since == 0 || left != s->left)
		s->stalled_since = clock_mono_ms();
	s->left = left;
}

/* What the session has to say into the stream, as much as should wait there. */
static void move_output(struct session *s)
{
	struct view out = imap_session_output(s->imap);
	size_t waiting = stream_out_waiting(&s->stream);
	size_t enough = output_enough(s->mailbox);
	size_t moved = 0;

	if (out.n > 0 && waiting < enough) {
		moved = size_min(out.n, enough - waiting);
		stream_write(&s->stream, view_head(out, moved));
		imap_session_sent(s->imap, moved);
	}
	s->moved += moved;
	note_progress(s);
}

/* When to look again: the client may be silent for too long, or not read. */
static void set_deadline(struct session *s)
{
	int64_t now = clock_mono_ms();
	int64_t at = imap_session_closed(s->imap) ? INT64_MAX : imap_session_deadline(s->imap);
	int64_t stall = (int64_t)role_config(s->mailbox->role)->imap_output_stall;

	if (s->stalled_since && s->stalled_since + stall < at)
		at = s->stalled_since + stall;
	if (at == INT64_MAX)
		loop_timer_cancel(&s->deadline);
	else
		loop_timer_set(&s->deadline, at > now ? at - now : 0);
}

/* One turn of imap/session.h. */
static void on_turn(void *ctx)
{
	struct session *s = ctx;
	size_t taken;
	bool more;

	if (s->dead)
		return;
	mailbox_touch(s->mailbox);
	taken = imap_session_input(s->imap, buf_view(&s->stream.in));
	if (taken > 0) {
		mailbox_client(s->mailbox);
		stream_consume(&s->stream, taken);
	}
	more = imap_session_run(s->imap);
	move_output(s);
	if (imap_session_closed(s->imap) && imap_session_output(s->imap).n == 0) {
		stream_finish(&s->stream);
		set_deadline(s);
		return;
	}
	/* Input is taken or output fits again: go on, but let the loop serve others first. */
	if (more || (taken > 0 && s->stream.in.n > 0))
		loop_timer_set(&s->again, 0);
	if (imap_session_quiet(s->imap))
		buf_trim(&s->stream.in, 0);
	set_deadline(s);
}

static void on_again(void *ctx)
{
	struct session *s = ctx;

	loop_defer_add(&s->turn);
}

static void on_wake(void *ctx)
{
	struct session *s = ctx;

	if (!s->dead)
		loop_defer_add(&s->turn);
}

static void on_deadline(void *ctx)
{
	struct session *s = ctx;
	int64_t stall = (int64_t)role_config(s->mailbox->role)->imap_output_stall;

	if (s->dead)
		return;
	note_progress(s);
	if (s->stalled_since && clock_mono_ms() - s->stalled_since >= stall) {
		LOG_NOTICE("mailbox.stalled",
			   "a client does not read its output; the session is ended",
			   LOG_ID("session", s->id));
		end_session(s);
		return;
	}
	imap_session_expire(s->imap);
	loop_defer_add(&s->turn);
}

static void on_input(void *ctx)
{
	struct session *s = ctx;

	loop_defer_add(&s->turn);
}

static void on_drained(void *ctx)
{
	struct session *s = ctx;

	s->stalled_since = 0;
	loop_defer_add(&s->turn);
}

static void on_closed(void *ctx, enum err why)
{
	end_session(ctx);
}

static const struct stream_ops stream_ops = { on_input, on_drained, on_closed };

static void session_free(struct session *s)
{
	loop_defer_done(&s->turn);
	loop_timer_done(&s->again);
	loop_timer_done(&s->deadline);
	imap_session_free(&s->imap);
	stream_done(&s->stream);
	free(s);
}

void sessions_sweep(struct mailbox *m)
{
	struct session **at = &m->sessions;

	while (*at) {
		struct session *s = *at;

		if (!s->dead) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		m->session_count--;
		mailbox_touch(m); /* it is idle from now on */
		LOG_INFO("mailbox.session_ended", "a session ended", LOG_ID("session", s->id),
			 LOG_UINT("account", m->account));
		session_free(s);
	}
}

/* The client has not been answered yet: it is told why, in the form of its protocol. */
static void refuse(const struct role_session *r, int fd, const char *why)
{
	struct buf CLEANUP(buf_done) line = BUF_INIT(512);

	buf_addf(&line, VIEW_FMT " NO %s\r\n* BYE %s\r\n", VIEW_ARG(r->tag.n ? r->tag : VIEW("*")),
		 why, why);
	/* One small write into an empty stream; if it fails the client sees the end alone. */
	if (file_write(fd, buf_view(&line)))
		LOG_DEBUG("mailbox.refuse", "the client is gone already");
	fd_close(&fd);
}

void sessions_add(struct mailbox *m, const struct role_session *r, int fd)
{
	struct imap_session_hooks hooks = { .wake = on_wake };
	struct session *s;

	if (!m->store || m->stopping) {
		refuse(r, fd,
		       "[UNAVAILABLE] This mailbox cannot be opened now, please try again later");
		return;
	}
	if (m->session_count >= role_config(m->role)->account_sessions) {
		LOG_NOTICE("mailbox.session_limit", "too many sessions of one account",
			   LOG_ID("session", r->session), LOG_UINT("account", m->account));
		refuse(r, fd, "[LIMIT] Too many sessions of this account, close one first");
		return;
	}
	s = calloc(1, sizeof(*s));
	if (!s) {
		refuse(r, fd, "[UNAVAILABLE] No memory now, please try again later");
		return;
	}
	if (m->imap.account.n == 0) {
		snprintf(m->name, sizeof(m->name), VIEW_FMT, VIEW_ARG(r->name));
		m->imap.account = view_str(m->name);
	}
	s->mailbox = m;
	s->id = r->session;
	hooks.ctx = s;
	if (imap_session_new(&m->imap, &hooks, r->tag, &s->imap)) {
		refuse(r, fd, "[UNAVAILABLE] No memory now, please try again later");
		free(s);
		return;
	}
	stream_init(&s->stream, role_loop(m->role), fd, INPUT_MAX, 2 * output_enough(m),
		    &stream_ops, s);
	loop_defer_init(&s->turn, role_loop(m->role), on_turn, s);
	loop_timer_init(&s->again, role_loop(m->role), on_again, s);
	loop_timer_init(&s->deadline, role_loop(m->role), on_deadline, s);
	buf_add(&s->stream.in, r->pending);
	s->next = m->sessions;
	m->sessions = s;
	m->session_count++;
	m->served++;
	mailbox_client(m);
	LOG_INFO("mailbox.session", "a session begins", LOG_ID("session", s->id),
		 LOG_UINT("account", m->account), LOG_VIEW("name", r->name),
		 LOG_IP("client", r->peer_ip));
	if (buf_err(&s->stream.in))
		end_session(s);
	else
		loop_defer_add(&s->turn);
}

void sessions_end(struct mailbox *m, const char *text)
{
	for (struct session *s = m->sessions; s; s = s->next) {
		if (!s->dead) {
			imap_session_bye(s->imap, text);
			move_output(s);
			stream_flush(&s->stream);
		}
		s->dead = true;
	}
	sessions_sweep(m);
}

void sessions_bye(struct mailbox *m, const char *text)
{
	for (struct session *s = m->sessions; s; s = s->next) {
		if (s->dead)
			continue;
		imap_session_bye(s->imap, text);
		loop_defer_add(&s->turn);
	}
}
