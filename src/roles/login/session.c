/*
 * roles/login/session.c: see session.h; what all protocols share.
 */
#include "session.h"

static const struct service_row {
	unsigned service;
	const struct login_protocol *protocol;
} services[] = {
	{ SERVICE_IMAP, &login_imap },
	{ SERVICE_IMAPS, &login_imap },
};

/* In the order of preference; plus: only where there is a channel binding. */
static const struct mechanism_row {
	struct view name;
	bool plus;
} mechanisms[] = {
	{ VIEW_INIT("SCRAM-SHA-256-PLUS"), true },
	{ VIEW_INIT("SCRAM-SHA-256"), false },
	{ VIEW_INIT("PLAIN"), false },
	{ VIEW_INIT("LOGIN"), false },
};

static const struct login_protocol *protocol_of(unsigned service)
{
	for (size_t i = 0; i < ARRAY_LEN(services); i++)
		if (services[i].service == service)
			return services[i].protocol;
	return NULL;
}

bool login_service_known(unsigned service)
{
	return protocol_of(service) != NULL;
}

enum err login_session_new(const struct login_config *config, const struct login_peer *peer,
			   struct login_session **ret)
{
	const struct login_protocol *protocol = protocol_of(peer->service);
	struct login_session *s;
	enum err err;

	if (!protocol)
		return ERR_UNSUPPORTED;
	s = calloc(1, sizeof(*s));
	if (!s)
		return ERR_NOMEM;
	s->config = config;
	s->protocol = protocol;
	s->peer = *peer;
	buf_init(&s->out, LOGIN_OUTPUT_MAX);
	buf_init(&s->sasl, LOGIN_SASL_MAX);
	err = protocol->init(s);
	if (err) {
		free(s);
		return err;
	}
	protocol->greet(s);
	*ret = s;
	return OK;
}

void login_session_free(struct login_session *s)
{
	if (!s)
		return;
	s->protocol->done(s);
	buf_wipe(&s->sasl);
	buf_done(&s->sasl);
	buf_done(&s->out);
	free(s);
}

size_t login_session_input(struct login_session *s, struct view input)
{
	size_t total = 0;

	while (s->request.ask == LOGIN_ASK_NOTHING && s->phase != LOGIN_PHASE_CLOSED) {
		size_t used = 0;
		enum err err = s->protocol->take(s, view_from(input, total), &used);

		total += used;
		if (err)
			break;
	}
	/* What nobody will read is gone. */
	return s->phase == LOGIN_PHASE_CLOSED ? input.n : total;
}

/* The answer to a request has come. */
static void answered(struct login_session *s)
{
	s->request = (struct login_request){ 0 };
	buf_wipe(&s->sasl);
}

void login_session_challenge(struct login_session *s, struct view text)
{
	answered(s);
	s->phase = LOGIN_PHASE_RESPONSE;
	s->protocol->challenge(s, text);
}

static void ask_attach(struct login_session *s)
{
	s->phase = LOGIN_PHASE_COMMAND;
	s->request =
		(struct login_request){ .ask = LOGIN_ASK_ATTACH, .tag = view_of(s->tag, s->tag_n) };
}

void login_session_success(struct login_session *s, struct view final)
{
	answered(s);
	if (final.n == 0) {
		ask_attach(s);
		return;
	}
	s->phase = LOGIN_PHASE_FINAL;
	s->protocol->challenge(s, final);
}

void login_session_failure(struct login_session *s, enum authn_failure_kind kind)
{
	answered(s);
	s->phase = LOGIN_PHASE_COMMAND;
	s->protocol->failed(s, kind);
	if (kind == AUTHN_BANNED)
		login_session_end(s, "Too many failed log-ins from your address");
	else if (kind == AUTHN_MALFORMED || kind == AUTHN_NO_MECHANISM)
		login_bad(s);
	else if (kind == AUTHN_BAD_CREDENTIALS || kind == AUTHN_DISABLED)
		s->tries++;
}

void login_session_cancelled(struct login_session *s)
{
	answered(s);
	s->phase = LOGIN_PHASE_COMMAND;
	s->protocol->cancelled(s);
	login_bad(s);
}

void login_session_refused(struct login_session *s, enum attach_status status)
{
	answered(s);
	s->protocol->refused(s, status);
}

enum err login_session_secured(struct login_session *s, bool can_bind)
{
	enum err err;

	answered(s);
	s->protocol->done(s);
	err = s->protocol->init(s);
	if (err)
		return err;
	s->phase = LOGIN_PHASE_COMMAND;
	s->peer.tls = true;
	s->peer.can_bind = can_bind;
	s->tag_n = 0;
	buf_clear(&s->out);
	return OK;
}

void login_session_end(struct login_session *s, const char *reason)
{
	if (s->phase == LOGIN_PHASE_CLOSED)
		return;
	answered(s);
	s->protocol->bye(s, reason);
	login_close(s, reason);
}

void login_close(struct login_session *s, const char *why)
{
	if (s->phase == LOGIN_PHASE_CLOSED)
		return;
	s->phase = LOGIN_PHASE_CLOSED;
	s->request = (struct login_request){ .ask = LOGIN_ASK_CLOSE, .why = why };
}

void login_bad(struct login_session *s)
{
	if (++s->bad > s->config->bad_commands)
		login_session_end(s, "Too many commands that make no sense");
}

bool login_may_try(struct login_session *s)
{
	if (s->tries < s->config->auth_tries)
		return true;
	login_session_end(s, "Too many failed log-ins");
	return false;
}

bool login_offers(const struct login_session *s, struct view mechanism, struct view *ret_name)
{
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++) {
		if (!view_eq_nocase(mechanism, mechanisms[i].name))
			continue;
		if (!s->peer.tls || (mechanisms[i].plus && !s->peer.can_bind))
			return false;
		*ret_name = mechanisms[i].name;
		return true;
	}
	return false;
}

void login_start(struct login_session *s, struct view mechanism, bool has_initial)
{
	s->request = (struct login_request){
		.ask = LOGIN_ASK_START,
		.mechanism = mechanism,
		.has_initial = has_initial,
		.sasl = buf_view(&s->sasl),
	};
}

void login_step(struct login_session *s)
{
	s->request = (struct login_request){ .ask = LOGIN_ASK_STEP, .sasl = buf_view(&s->sasl) };
}

bool login_looks_like_http(struct view line)
{
	return view_find_nocase(line, VIEW(" HTTP/")) != VIEW_NONE;
}
