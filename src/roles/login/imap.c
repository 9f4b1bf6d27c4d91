/*
 * roles/login/imap.c: IMAP before authentication: RFC 9051#6.1 and 6.2, with SASL-IR (RFC 4959) and ID.
 *
 * Framing and grammar are proto/imap; what a command of any other state is answered is its parser's
 * "Not allowed now".  The tagged OK of a log-in is written by the mailbox process, which has the session
 * then.
 */
#include "base/encode.h"
#include "proto/imap/command.h"
#include "proto/imap/frame.h"
#include "proto/imap/write.h"
#include "proto/sasl/plain.h"
#include "session.h"

struct imap_login {
	struct imap_framer framer;
};

typedef void command_fn(struct login_session *s, const struct imap_command *cmd);

static struct imap_framer *framer(struct login_session *s)
{
	return &((struct imap_login *)s->own)->framer;
}

static struct view own_tag(const struct login_session *s)
{
	return view_of(s->tag, s->tag_n);
}

static void line(struct login_session *s, struct view tag, const char *text)
{
	imap_add_line(&s->out, tag, text);
}

static enum err imap_init(struct login_session *s)
{
	struct imap_login *own = calloc(1, sizeof(*own));
	struct imap_frame_limits limits = imap_frame_limits_preauth();

	if (!own)
		return ERR_NOMEM;
	limits.line = s->config->line;
	limits.literals = s->config->literals;
	limits.nonsync = s->config->nonsync;
	imap_framer_init(&own->framer, limits);
	s->own = own;
	return OK;
}

static void imap_done(struct login_session *s)
{
	imap_framer_done(framer(s));
	free(s->own);
	s->own = NULL;
}

/* ---- capabilities and greeting ---- */

/* The names of RFC 9051#6.1.1; log-in only under TLS.  IDLE is told early: libraries that look at the
 * capabilities once, at the greeting, would never use it. */
static void add_capabilities(struct login_session *s)
{
	static const char *const names[] = { "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN",
					     "LOGIN" };
	struct view known;

	buf_add_str(&s->out, "CAPABILITY IMAP4rev2 IMAP4rev1 LITERAL- SASL-IR ID ENABLE IDLE");
	if (!s->peer.tls) {
		buf_add_str(&s->out, " STARTTLS LOGINDISABLED");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (login_offers(s, view_str(names[i]), &known))
			buf_addf(&s->out, " AUTH=%s", names[i]);
}

static void imap_greet(struct login_session *s)
{
	buf_add_str(&s->out, "* OK [");
	add_capabilities(s);
	buf_add_str(&s->out, "] ");
	buf_add(&s->out, s->config->hostname);
	buf_add_str(&s->out, " Posthold is ready\r\n");
}

/* ---- replies to what the core decided ---- */

static void imap_challenge(struct login_session *s, struct view text)
{
	buf_add_str(&s->out, "+ ");
	base64_encode(&s->out, text);
	buf_add_str(&s->out, "\r\n");
}

/* Response codes: RFC 9051#7.1, RFC 5530#3. */
static void imap_failed(struct login_session *s, enum authn_failure_kind kind)
{
	static const char *const texts[] = {
		[AUTHN_BAD_CREDENTIALS] = "NO [AUTHENTICATIONFAILED] Name or password is wrong",
		[AUTHN_BUSY] =
			"NO [UNAVAILABLE] Too many log-ins at this moment, try again shortly",
		[AUTHN_TEMPORARY] = "NO [UNAVAILABLE] Log-in is not possible now, try again later",
		[AUTHN_NO_MECHANISM] = "NO [CANNOT] This mechanism is not offered",
		[AUTHN_MALFORMED] = "BAD Not what this mechanism expects",
		[AUTHN_DISABLED] = "NO [CONTACTADMIN] This account is disabled",
		[AUTHN_BANNED] = "NO [UNAVAILABLE] Log-in is refused for some time",
		[AUTHN_NEEDS_TLS] = "NO [PRIVACYREQUIRED] Log-in needs TLS",
	};
	bool known = (size_t)kind < ARRAY_LEN(texts) && texts[kind];

	line(s, own_tag(s), texts[known ? kind : AUTHN_TEMPORARY]);
}

static void imap_cancelled(struct login_session *s)
{
	line(s, own_tag(s), "BAD Log-in cancelled");
}

static void imap_refused(struct login_session *s, enum attach_status status)
{
	line(s, own_tag(s),
	     status == ATTACH_LIMIT
		     ? "NO [LIMIT] Too many sessions of this account"
		     : "NO [UNAVAILABLE] The mailbox cannot be opened now, try again");
}

static void imap_bye(struct login_session *s, const char *reason)
{
	buf_addf(&s->out, "* BYE %s\r\n", reason);
}

/* ---- commands ---- */

static void cmd_capability(struct login_session *s, const struct imap_command *cmd)
{
	buf_add_str(&s->out, "* ");
	add_capabilities(s);
	buf_add_str(&s->out, "\r\n");
	line(s, cmd->tag, "OK CAPABILITY done");
}

static void cmd_noop(struct login_session *s, const struct imap_command *cmd)
{
	line(s, cmd->tag, "OK NOOP done");
}

/* Who the client says it is helps nobody before it has logged in.   RFC 2971#3.1 */
static void cmd_id(struct login_session *s, const struct imap_command *cmd)
{
	buf_add_str(&s->out, "* ID (\"name\" \"Posthold\")\r\n");
	line(s, cmd->tag, "OK ID done");
}

static void cmd_logout(struct login_session *s, const struct imap_command *cmd)
{
	imap_bye(s, "Goodbye");
	line(s, cmd->tag, "OK LOGOUT done");
	login_close(s, "logout");
}

static void cmd_starttls(struct login_session *s, const struct imap_command *cmd)
{
	if (s->peer.tls) {
		line(s, cmd->tag, "BAD TLS is in use already");
		login_bad(s);
		return;
	}
	line(s, cmd->tag, "OK Begin TLS now");
	s->request = (struct login_request){ .ask = LOGIN_ASK_STARTTLS };
}

/* Remember the tag and see whether the command may be tried at all. */
static bool begin_try(struct login_session *s, const struct imap_command *cmd)
{
	s->tag_n = size_min(cmd->tag.n, sizeof(s->tag));
	memcpy(s->tag, cmd->tag.p, s->tag_n);
	if (!s->peer.tls) {
		line(s, cmd->tag, "NO [PRIVACYREQUIRED] Log-in needs TLS: STARTTLS first");
		login_bad(s);
		return false;
	}
	return login_may_try(s);
}

/* LOGIN is PLAIN in other words.   RFC 9051#6.2.3 */
static void cmd_login(struct login_session *s, const struct imap_command *cmd)
{
	struct view user = cmd->login.user;
	struct view password = cmd->login.password;

	if (!begin_try(s, cmd))
		return;
	if (view_has(user, 0) || view_has(password, 0) || user.n > SASL_NAME_MAX ||
	    password.n > SASL_PASSWORD_MAX) {
		login_session_failure(s, AUTHN_MALFORMED);
		return;
	}
	/* Nobody has an empty password; auth would take it for a malformed message. */
	if (user.n == 0 || password.n == 0) {
		login_session_failure(s, AUTHN_BAD_CREDENTIALS);
		return;
	}
	buf_clear(&s->sasl);
	buf_add_char(&s->sasl, '\0');
	buf_add(&s->sasl, user);
	buf_add_char(&s->sasl, '\0');
	buf_add(&s->sasl, password);
	login_start(s, VIEW("PLAIN"), true);
}

static void cmd_authenticate(struct login_session *s, const struct imap_command *cmd)
{
	const struct imap_authenticate_args *args = &cmd->authenticate;
	struct view mechanism;

	if (!begin_try(s, cmd))
		return;
	if (!login_offers(s, args->mechanism, &mechanism)) {
		login_session_failure(s, AUTHN_NO_MECHANISM);
		return;
	}
	buf_clear(&s->sasl);
	if (args->has_initial && base64_decode(&s->sasl, args->initial)) {
		login_session_failure(s, AUTHN_MALFORMED);
		return;
	}
	login_start(s, mechanism, args->has_initial);
}

static const struct command_row {
	enum imap_command_id id;
	command_fn *fn;
} commands[] = {
	{ IMAP_CMD_CAPABILITY, cmd_capability },
	{ IMAP_CMD_NOOP, cmd_noop },
	{ IMAP_CMD_LOGOUT, cmd_logout },
	{ IMAP_CMD_ID, cmd_id },
	{ IMAP_CMD_STARTTLS, cmd_starttls },
	{ IMAP_CMD_LOGIN, cmd_login },
	{ IMAP_CMD_AUTHENTICATE, cmd_authenticate },
};

static void run(struct login_session *s, const struct imap_command *cmd)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (commands[i].id == cmd->info->id) {
			commands[i].fn(s, cmd);
			return;
		}
	}
	/* A command of any state that this file does not know yet. */
	line(s, cmd->tag, "BAD Not allowed now");
	login_bad(s);
}

static void run_text(struct login_session *s, struct view text)
{
	struct imap_parse_mode mode = { .state = IMAP_NONAUTH };
	struct imap_command cmd;
	struct imap_problem problem = { .text = "Not understood" };

	if (s->commands++ == 0 && login_looks_like_http(text)) {
		login_close(s, "spoke HTTP");
		return;
	}
	if (imap_parse(s->config->arena, text, mode, &cmd, &problem) == OK) {
		run(s, &cmd);
	} else {
		buf_add(&s->out, problem.tag.n ? problem.tag : VIEW("*"));
		buf_addf(&s->out, " BAD %s\r\n", problem.text);
		login_bad(s);
	}
	arena_clear(s->config->arena);
}

/* ---- lines within AUTHENTICATE ---- */

/* Base64, or "*" to cancel.   RFC 9051#6.2.2 */
static void take_response(struct login_session *s, struct view text)
{
	buf_clear(&s->sasl);
	if (view_eq(text, VIEW("*")) || base64_decode(&s->sasl, text)) {
		buf_wipe(&s->sasl);
		s->request = (struct login_request){ .ask = LOGIN_ASK_CANCEL };
		return;
	}
	login_step(s);
}

/* The client has the server's last data and says so with an empty line. */
static void take_final(struct login_session *s, struct view text)
{
	if (text.n > 0) {
		s->request = (struct login_request){ .ask = LOGIN_ASK_CANCEL };
		return;
	}
	s->phase = LOGIN_PHASE_COMMAND;
	s->request = (struct login_request){ .ask = LOGIN_ASK_ATTACH, .tag = own_tag(s) };
}

static void take_text(struct login_session *s, struct view text)
{
	if (s->phase == LOGIN_PHASE_RESPONSE)
		take_response(s, text);
	else if (s->phase == LOGIN_PHASE_FINAL)
		take_final(s, text);
	else
		run_text(s, text);
}

static enum err imap_take(struct login_session *s, struct view input, size_t *ret_used)
{
	struct imap_frame frame;
	size_t used = 0;

	imap_framer_take(framer(s), input, &frame, &used);
	*ret_used = used;
	switch (frame.kind) {
	case IMAP_FRAME_COMMAND: take_text(s, frame.text); break;
	case IMAP_FRAME_CONTINUE: line(s, VIEW("+"), "OK"); break;
	case IMAP_FRAME_TOO_BIG:
	case IMAP_FRAME_FATAL:
		line(s, frame.tag, frame.reply);
		login_session_end(s, "Too long, or not IMAP");
		break;
	default: return ERR_AGAIN;
	}
	/* THREATS.md 2.3: nothing that came in clear behind STARTTLS may be seen by what follows. */
	if (s->request.ask == LOGIN_ASK_STARTTLS && used < input.n) {
		buf_clear(&s->out);
		login_close(s, "bytes behind STARTTLS");
	}
	return OK;
}

const struct login_protocol login_imap = {
	.name = "imap",
	.init = imap_init,
	.done = imap_done,
	.greet = imap_greet,
	.take = imap_take,
	.challenge = imap_challenge,
	.failed = imap_failed,
	.cancelled = imap_cancelled,
	.refused = imap_refused,
	.bye = imap_bye,
};
