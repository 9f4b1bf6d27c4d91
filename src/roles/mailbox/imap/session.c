/*
 * roles/mailbox/imap/session.c: the life of a session: frames in, commands run, replies out.
 */
#include "base/date.h"
#include "roles/mailbox/imap/imap.h"

enum {
	ARENA_KEEP = 64 * 1024, /* octets of memory that an idle session keeps at most */
	MESSAGE_SIZE = 50 * 1024 * 1024, /* message_size */
	IDLE_MS = 30 * 60 * 1000, /* imap_idle */
};

static const struct view capabilities = VIEW_INIT(
	"IMAP4rev1 IMAP4rev2 LITERAL- SASL-IR ENABLE ID IDLE NAMESPACE UIDPLUS MOVE UNSELECT "
	"CHILDREN "
	"SPECIAL-USE CREATE-SPECIAL-USE LIST-EXTENDED LIST-STATUS STATUS=SIZE ESEARCH SEARCHRES "
	"CONDSTORE QRESYNC WITHIN BINARY MULTIAPPEND UTF8=ACCEPT SAVEDATE OBJECTID PREVIEW PARTIAL "
	"QUOTA QUOTA=RES-STORAGE QUOTA=RES-MESSAGE");

struct view imap_session_capabilities(void)
{
	return capabilities;
}

static int64_t idle_ms(const struct imap_session *s)
{
	return s->config->idle_ms ? s->config->idle_ms : IDLE_MS;
}

static void deadline_reset(struct imap_session *s)
{
	s->deadline = s->config->mono_ms() + idle_ms(s);
}

enum err imap_session_new(const struct imap_session_config *config,
			  const struct imap_session_hooks *hooks, struct view tag,
			  struct imap_session **ret)
{
	struct imap_session *s = calloc(1, sizeof(*s));
	uint64_t size = config->message_size ? config->message_size : MESSAGE_SIZE;

	if (!s)
		return ERR_NOMEM;
	s->config = config;
	s->hooks = *hooks;
	s->store = config->store;
	struct imap_frame_limits limits = imap_frame_limits_auth(size);

	if (config->line)
		limits.line = limits.literals = config->line;
	if (config->nonsync)
		limits.nonsync = config->nonsync;
	imap_framer_init(&s->framer, limits);
	buf_init(&s->out, size_max(config->output, IMAP_OUTPUT_MAX));
	s->output_high = config->output ? config->output / 8 : IMAP_OUTPUT_HIGH;
	buf_init(&s->reply, 4 * 1024 * 1024);
	buf_init(&s->scratch, 64 * 1024 * 1024);
	arena_init(&s->arena, SESSION_ARENA_MAX);
	imap_set_init(&s->view.recent, SESSION_RECENT_MAX);
	imap_set_init(&s->view.pending_flags, SESSION_PENDING_MAX);
	imap_set_init(&s->sync.vanished, SESSION_VIEW_MAX);
	imap_set_init(&s->sync.flags, SESSION_PENDING_MAX);
	imap_set_init(&s->saved, SESSION_SAVED_MAX);
	deadline_reset(s);
	if (tag.n) {
		buf_add(&s->out, tag);
		buf_add(&s->out, VIEW(" OK [CAPABILITY "));
		buf_add(&s->out, capabilities);
		buf_add(&s->out, VIEW("] Logged in\r\n"));
	}
	*ret = s;
	return OK;
}

/* Release what the running command holds. */
static void command_release(struct imap_session *s)
{
	if (s->handler && s->handler->end)
		s->handler->end(s);
	s->handler = NULL;
	s->job.any = NULL;
	arena_clear(&s->arena);
	if (s->arena.used > ARENA_KEEP)
		arena_done(&s->arena);
	buf_clear(&s->reply);
	buf_clear(&s->scratch);
	buf_trim(&s->scratch, ARENA_KEEP);
	buf_trim(&s->reply, ARENA_KEEP);
}

void imap_session_free(struct imap_session **session)
{
	struct imap_session *s = *session;

	*session = NULL;
	if (!s)
		return;
	command_release(s);
	mbox_close(s);
	imap_framer_done(&s->framer);
	buf_done(&s->out);
	buf_done(&s->reply);
	buf_done(&s->scratch);
	arena_done(&s->arena);
	imap_set_done(&s->view.recent);
	imap_set_done(&s->view.pending_flags);
	imap_set_done(&s->sync.vanished);
	imap_set_done(&s->sync.flags);
	imap_set_done(&s->saved);
	free(s);
}

void session_reply(struct imap_session *s, const char *text)
{
	buf_clear(&s->reply);
	buf_add_str(&s->reply, text);
}

void session_replyf(struct imap_session *s, const char *format, ...)
{
	va_list args;

	buf_clear(&s->reply);
	va_start(args, format);
	buf_vaddf(&s->reply, format, args);
	va_end(args);
}

void session_untagged(struct imap_session *s, const char *text)
{
	imap_add_line(&s->out, VIEW_EMPTY, text);
}

void session_fail(struct imap_session *s, enum err err)
{
	switch (err) {
	case ERR_NOTFOUND: session_reply(s, "NO [NONEXISTENT] No such mailbox"); break;
	case ERR_EXISTS: session_reply(s, "NO [ALREADYEXISTS] Mailbox exists already"); break;
	case ERR_SYNTAX:
	case ERR_DENIED:
	case ERR_WRONG_STATE: session_reply(s, "NO [CANNOT] Not possible with this mailbox"); break;
	case ERR_RANGE: session_reply(s, "NO [CANNOT] The name is too long or too deep"); break;
	case ERR_NOMEM:
	case ERR_LIMIT: session_reply(s, "NO [LIMIT] Limit exceeded"); break;
	case ERR_QUOTA: session_reply(s, "NO [OVERQUOTA] Quota exceeded"); break;
	case ERR_FULL: session_reply(s, "NO [UNAVAILABLE] No space left"); break;
	case ERR_CORRUPT: session_reply(s, "NO [CORRUPTION] Stored data is damaged"); break;
	case ERR_UNSUPPORTED: session_reply(s, "NO [UNKNOWN-CTE] Cannot be decoded"); break;
	default: session_reply(s, "NO [SERVERBUG] Internal error"); break;
	}
}

void session_bye(struct imap_session *s, const char *text)
{
	buf_add(&s->out, VIEW("* BYE "));
	buf_add_str(&s->out, text);
	buf_add(&s->out, VIEW("\r\n"));
	s->phase = PHASE_CLOSED;
}

const struct store_mailbox *session_mailbox(struct imap_session *s,
					    const struct imap_mailbox_arg *name)
{
	const struct store_mailbox *m = NULL;

	if (name->err)
		session_reply(s, "NO [CANNOT] Not a mailbox name");
	else
		m = store_mailbox_by_name(s->store, name->name);
	if (!m && !name->err)
		session_fail(s, ERR_NOTFOUND);
	return m;
}

void session_condstore(struct imap_session *s)
{
	if (session_has(s, FEATURE_CONDSTORE))
		return;
	s->features |= FEATURE_CONDSTORE;
	if (!session_selected(s))
		return;

	const struct store_mailbox *m = store_mailbox_by_id(s->store, s->view.mailbox);

	if (m)
		buf_addf(&s->out, "* OK [HIGHESTMODSEQ %llu] Highest\r\n",
			 (unsigned long long)m->highestmodseq);
}

static void add_keywords(struct imap_session *s, uint64_t keywords, bool blank)
{
	for (; keywords; keywords &= keywords - 1) {
		if (blank)
			buf_add_char(&s->out, ' ');
		blank = true;
		buf_add(&s->out, store_keyword_name(s->store, (unsigned)__builtin_ctzll(keywords)));
	}
}

void session_add_flags(struct imap_session *s, const struct store_message *m)
{
	unsigned flags = m->flags & STORE_FLAG_MASK;

	if (!session_has(s, FEATURE_REV2) && mbox_recent(&s->view, m->uid))
		flags |= IMAP_FLAG_RECENT;
	buf_add_char(&s->out, '(');
	imap_add_system_flags(&s->out, flags);
	add_keywords(s, m->keywords, flags != 0);
	buf_add_char(&s->out, ')');
}

void session_add_fetch_flags(struct imap_session *s, size_t seq, const struct store_message *m)
{
	buf_add(&s->out, VIEW("* "));
	buf_add_u64(&s->out, seq);
	buf_add(&s->out, VIEW(" FETCH (UID "));
	buf_add_u64(&s->out, m->uid);
	if (session_has(s, FEATURE_CONDSTORE)) {
		buf_add(&s->out, VIEW(" MODSEQ ("));
		buf_add_u64(&s->out, m->modseq);
		buf_add_char(&s->out, ')');
	}
	buf_add(&s->out, VIEW(" FLAGS "));
	session_add_flags(s, m);
	buf_add(&s->out, VIEW(")\r\n"));
}

void session_add_flag_list(struct imap_session *s, bool permanent)
{
	uint64_t keywords = store_keywords_known(s->store);

	buf_add(&s->out, VIEW("* FLAGS ("));
	imap_add_system_flags(&s->out, STORE_FLAG_MASK);
	add_keywords(s, keywords, true);
	buf_add(&s->out, VIEW(")\r\n"));
	s->view.keywords_told = keywords;
	if (!permanent)
		return;
	buf_add(&s->out, VIEW("* OK [PERMANENTFLAGS ("));
	if (!s->view.read_only) {
		imap_add_system_flags(&s->out, STORE_FLAG_MASK);
		add_keywords(s, keywords, true);
		buf_add(&s->out, VIEW(" \\*"));
	}
	buf_add(&s->out, VIEW(")] Flags that are kept\r\n"));
}

enum err session_keywords(struct imap_session *s, struct imap_views names, bool create,
			  uint64_t *ret)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < names.n; i++) {
		unsigned number = 0;
		enum err err = store_keyword(s->store, names.at[i], create, &number);

		if (err == ERR_NOTFOUND)
			continue; /* nothing has it */
		if (err == ERR_LIMIT)
			session_reply(s, "NO [LIMIT] Too many different keywords");
		else if (err)
			session_fail(s, err);
		if (err)
			return err;
		bits |= (uint64_t)1 << number;
	}
	*ret = bits;
	return OK;
}

/* ---- commands -------------------------------------------------------------------------------- */

static void tag_set(struct imap_session *s, struct view tag)
{
	s->tag_n = size_min(tag.n, sizeof(s->tag));
	if (s->tag_n)
		memcpy(s->tag, tag.p, s->tag_n);
}

/* The tagged reply, behind all updates. */
static void command_finish(struct imap_session *s)
{
	buf_add(&s->out, s->tag_n ? view_of(s->tag, s->tag_n) : VIEW("*"));
	buf_add_char(&s->out, ' ');
	if (buf_err(&s->reply) || !s->reply.n)
		buf_add(&s->out, VIEW("NO [LIMIT] Out of memory"));
	else
		buf_add(&s->out, buf_view(&s->reply));
	buf_add(&s->out, VIEW("\r\n"));
	s->phase = s->bye ? PHASE_CLOSED : PHASE_COMMAND;
	command_release(s);
	deadline_reset(s);
}

/* The command has said what it had to say. */
static void command_done(struct imap_session *s)
{
	const struct imap_handler *h = s->handler;
	bool numbers = h && h->keep_numbers && !s->cmd.uid;

	s->phase = PHASE_SYNC;
	sync_begin(s, !numbers);
}

/* Go on with the command until it is finished or must wait; true: it shall go on in a later turn. */
static bool command_run(struct imap_session *s)
{
	s->yield = false;
	while (s->phase == PHASE_RUN || s->phase == PHASE_SYNC) {
		/* A literal that cannot be completed, or no memory: nothing more can be said. */
		if (s->out.err || !session_room(s))
			return false;
		if (s->yield)
			return true;
		if (s->phase == PHASE_RUN) {
			if (s->handler->step(s) == STEP_DONE && s->phase == PHASE_RUN)
				command_done(s);
		} else if (sync_step(s) == STEP_DONE && s->phase == PHASE_SYNC) {
			sync_done(s);
			if (s->view.gone)
				session_bye(s, "The selected mailbox was deleted");
			else
				command_finish(s);
		}
	}
	return false;
}

static void bad_command(struct imap_session *s, struct view tag, const char *text)
{
	unsigned max = s->config->bad_commands ? s->config->bad_commands : IMAP_BAD_COMMANDS;

	buf_add(&s->out, tag.n ? tag : VIEW("*"));
	buf_add(&s->out, VIEW(" BAD "));
	buf_add_str(&s->out, text);
	buf_add(&s->out, VIEW("\r\n"));
	if (++s->bad_commands >= max)
		session_bye(s, "Too many bad commands");
}

static struct imap_parse_mode parse_mode(const struct imap_session *s)
{
	return (struct imap_parse_mode){ .state = session_selected(s) ? IMAP_SELECTED : IMAP_AUTH,
					 .utf8 = session_utf8(s) };
}

/* Parse the command into the arena; false: it was answered. */
static bool command_parse(struct imap_session *s, struct view frame)
{
	struct imap_problem problem = { 0 };
	struct view text = arena_copy(&s->arena, frame);

	if (!text.p || imap_parse(&s->arena, text, parse_mode(s), &s->cmd, &problem)) {
		if (!problem.text)
			problem.text = "[LIMIT] Out of memory";
		bad_command(s, problem.tag, problem.text);
		arena_clear(&s->arena);
		return false;
	}
	tag_set(s, s->cmd.tag);
	store_origin_set(s->store, s);
	return true;
}

static void command_start(struct imap_session *s, struct view frame)
{
	if (!frame.n) {
		bad_command(s, VIEW_EMPTY, "Empty command");
		return;
	}
	if (!command_parse(s, frame))
		return;
	s->handler = command_handler(s->cmd.info->id);
	if (!s->handler->start) { /* APPEND without a literal does not parse; STARTTLS and LOGIN
				   * are refused by their state */
		bad_command(s, s->cmd.tag, "Not allowed now");
		command_release(s);
		return;
	}
	s->phase = PHASE_RUN;
	s->handler->start(s);
	if (s->phase == PHASE_RUN && (s->reply.n || !s->handler->step))
		command_done(s);
	command_run(s);
}

/* ---- frames ---------------------------------------------------------------------------------- */

/* A message literal was announced. */
static void frame_message(struct imap_session *s, const struct imap_frame *frame)
{
	bool take;

	if (s->phase == PHASE_APPEND) {
		take = append_next(s, frame->text);
	} else if (!command_parse(s, frame->text)) {
		imap_framer_refuse(&s->framer);
		return;
	} else {
		s->handler = command_handler(IMAP_CMD_APPEND);
		s->phase = PHASE_APPEND;
		take = append_begin(s);
	}
	if (take) {
		if (!frame->nonsync)
			buf_add(&s->out, VIEW("+ OK\r\n"));
		imap_framer_accept(&s->framer);
		return;
	}
	imap_framer_refuse(&s->framer);
	command_done(s);
	command_run(s);
}

static void frame_command(struct imap_session *s, struct view text)
{
	if (s->phase == PHASE_APPEND) {
		append_finish(s, text);
		command_done(s);
		command_run(s);
	} else if (s->phase == PHASE_IDLE) {
		if (view_eq_nocase(text, VIEW("DONE")))
			session_reply(s, "OK IDLE ended");
		else
			session_reply(s, "BAD Expected DONE");
		command_done(s);
		command_run(s);
	} else {
		command_start(s, text);
	}
}

static void frame_data(struct imap_session *s, struct view bytes)
{
	append_data(s, bytes);
	if (!s->reply.n)
		return;
	/* It failed: the rest of the command is dropped and the reply sent. */
	imap_framer_drop(&s->framer);
	command_done(s);
	command_run(s);
}

static void frame_refused(struct imap_session *s, const struct imap_frame *frame)
{
	bool append = s->phase == PHASE_APPEND;
	struct view tag = append ? view_of(s->tag, s->tag_n) : frame->tag;

	imap_add_line(&s->out, tag, frame->reply);
	s->bad_commands++;
	s->phase = PHASE_COMMAND;
	command_release(s);
	if (frame->kind == IMAP_FRAME_FATAL)
		session_bye(s, "Cannot go on");
}

static void frame_handle(struct imap_session *s, const struct imap_frame *frame)
{
	switch (frame->kind) {
	case IMAP_FRAME_MORE: break;
	case IMAP_FRAME_CONTINUE: buf_add(&s->out, VIEW("+ OK\r\n")); break;
	case IMAP_FRAME_COMMAND: frame_command(s, frame->text); break;
	case IMAP_FRAME_MESSAGE: frame_message(s, frame); break;
	case IMAP_FRAME_DATA: frame_data(s, frame->text); break;
	case IMAP_FRAME_DATA_END: break;
	case IMAP_FRAME_TOO_BIG:
	case IMAP_FRAME_FATAL: frame_refused(s, frame); break;
	}
}

/* Can a frame be taken now?  Not in the middle of an update of IDLE. */
static bool session_listens(const struct imap_session *s)
{
	return (s->phase == PHASE_COMMAND || s->phase == PHASE_APPEND ||
		(s->phase == PHASE_IDLE && !s->sync.phase)) &&
	       session_room(s);
}

size_t imap_session_input(struct imap_session *s, struct view input)
{
	size_t taken = 0;

	if (s->phase == PHASE_CLOSED)
		return input.n;
	if (input.n && session_listens(s))
		deadline_reset(s);
	while (session_listens(s)) {
		struct imap_frame frame;
		size_t used = 0;

		imap_framer_take(&s->framer, view_from(input, taken), &frame, &used);
		taken += used;
		if (frame.kind == IMAP_FRAME_MORE)
			break;
		frame_handle(s, &frame);
	}
	return taken;
}

/* Tell an IDLE client what happened; true when input that waits can be taken again. */
static bool idle_run(struct imap_session *s)
{
	if (!s->sync.phase && !mbox_pending(&s->view, true))
		return false;
	if (!s->sync.phase)
		sync_begin(s, true);
	while (session_room(s) && sync_step(s) != STEP_DONE)
		continue;
	if (s->sync.phase)
		return false;
	sync_done(s);
	if (s->view.gone)
		session_bye(s, "The selected mailbox was deleted");
	return true;
}

bool imap_session_run(struct imap_session *s)
{
	store_origin_set(s->store, s);
	if (s->phase == PHASE_IDLE)
		return idle_run(s);
	if (s->phase != PHASE_RUN && s->phase != PHASE_SYNC)
		return false;
	/* When it is finished, input that waits can be taken. */
	return command_run(s) || s->phase == PHASE_COMMAND;
}

struct view imap_session_output(const struct imap_session *s)
{
	return view_from(buf_view(&s->out), s->out_sent);
}

void imap_session_sent(struct imap_session *s, size_t n)
{
	s->out_sent += n;
	ASSERT(s->out_sent <= s->out.n);
	if (s->out_sent == s->out.n) {
		enum err err = buf_err(&s->out);

		buf_clear(&s->out);
		buf_trim(&s->out, ARENA_KEEP);
		s->out_sent = 0;
		s->out.err = err;
	} else if (s->out_sent > IMAP_OUTPUT_HIGH) {
		buf_consume(&s->out, s->out_sent);
		s->out_sent = 0;
	}
}

bool imap_session_closed(const struct imap_session *s)
{
	/* Output that did not fit is lost: the client cannot be told anything true any more. */
	return s->phase == PHASE_CLOSED || s->out.err;
}

bool imap_session_quiet(const struct imap_session *s)
{
	return (s->phase == PHASE_COMMAND || s->phase == PHASE_IDLE) &&
	       imap_framer_idle(&s->framer) && s->out.n == s->out_sent;
}

int64_t imap_session_deadline(const struct imap_session *s)
{
	return s->deadline;
}

void imap_session_expire(struct imap_session *s)
{
	if (s->phase == PHASE_CLOSED || s->config->mono_ms() < s->deadline)
		return;
	/* A client that still reads its answer is not silent; whether it reads, the owner looks at. */
	if (s->phase == PHASE_RUN || s->phase == PHASE_SYNC || s->out.n > s->out_sent)
		deadline_reset(s);
	else
		imap_session_bye(s, "Idle for too long");
}

void imap_session_bye(struct imap_session *s, const char *text)
{
	if (s->phase == PHASE_CLOSED)
		return;
	command_release(s);
	session_bye(s, text);
}
