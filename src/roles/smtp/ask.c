/*
 * roles/smtp/ask.c: what a session asks of others, and their answers.
 *
 * A question carries a tag; an answer whose tag is no longer awaited is dropped.  When a channel ends, what was
 * asked on it gets a temporary failure.
 */
#include "ipc/accept.h"
#include "ipc/authn.h"
#include "ipc/route.h"
#include "ipc/session.h"
#include "ipc/types.h"
#include "smtp_role.h"
#include "sys/clock.h"

static struct smtp_result verdict(enum smtp_verdict v)
{
	return (struct smtp_result){ .verdict = v };
}

static bool is_submission(const struct conn *c)
{
	return c->service == SERVICE_SUBMISSION || c->service == SERVICE_SUBMISSIONS;
}

/* Answers for want of somebody to ask. */
static void answer_unavailable(struct conn *c)
{
	struct smtp_session *s = &c->smtp;

	c->tag = 0;
	switch (smtp_session_request(s)->action) {
	case SMTP_ASK_SENDER: smtp_session_sender_done(s, verdict(SMTP_V_SENDER_TEMP)); break;
	case SMTP_ASK_AUTHOR: smtp_session_author_done(s, verdict(SMTP_V_SENDER_TEMP)); break;
	case SMTP_ASK_RCPT: smtp_session_rcpt_done(s, verdict(SMTP_V_RCPT_TEMP), 0); break;
	case SMTP_ASK_AUTH_START:
	case SMTP_ASK_AUTH_STEP:
		c->auth_tag = 0;
		smtp_session_auth_failed(s, SMTP_V_AUTH_TEMP);
		break;
	case SMTP_ASK_COMMIT: {
		struct smtp_result result = verdict(SMTP_V_TEMP);

		message_done(c);
		smtp_session_commit_done(s, &result, 1);
		break;
	}
	default: break;
	}
}

/* Does c wait for an answer of this kind? */
static bool awaits(const struct conn *c, enum smtp_action a, enum smtp_action b)
{
	enum smtp_action action = smtp_session_request(&c->smtp)->action;

	return action == a || action == b;
}

/* A channel ended: everybody who waits on it is answered. */
static void unavailable_all(struct smtp_role *r, enum smtp_action from, enum smtp_action to)
{
	for (uint32_t i = 0; i < CONNS_MAX; i++) {
		struct conn *c = r->slots[i];

		if (!c || !c->speaking)
			continue;

		enum smtp_action action = smtp_session_request(&c->smtp)->action;

		if (action >= from && action <= to && c->tag) {
			answer_unavailable(c);
			conn_turn(c);
		}
	}
}

/* Front keeps room for this client from now on. */
static void tell_served(struct conn *c)
{
	struct session_served m = { .session = c->session };

	if (c->served || !c->role->session)
		return;
	c->served = true;
	if (session_send_served(c->role->session, &m))
		LOG_WARNING("smtp.channel", "cannot tell front that a client was served",
			    LOG_ID("session", c->session));
}

/* Recipients and senders: the route channel. */

static bool rcpt_rate_allows(struct conn *c)
{
	const struct config *o = role_config(c->role->role);
	int64_t now = clock_mono_ms(), wait;
	uint64_t account = 0;

	if (c->service == SERVICE_LMTP)
		return true;
	smtp_session_account(&c->smtp, &account);
	if (is_submission(c))
		return !rate_take(&c->role->accounts, map_key_u64(&account), o->submit_rcpt_hour,
				  HOUR_MS, now, &wait);
	/* An IPv6 client has a whole /64. */
	return !rate_take(&c->role->clients,
			  view_of(c->ip, size_min(c->ip_n, c->ip_n == 4 ? 4 : 8)),
			  o->rcpt_client_hour, HOUR_MS, now, &wait);
}

static enum smtp_verdict rcpt_verdict(struct conn *c, unsigned status)
{
	switch (status) {
	case ROUTE_OK: break;
	case ROUTE_UNKNOWN: return SMTP_V_RCPT_UNKNOWN;
	case ROUTE_NOT_OURS:
		if (!is_submission(c))
			return SMTP_V_RELAY_DENIED;
		break;
	case ROUTE_FULL: return SMTP_V_RCPT_FULL;
	case ROUTE_DISABLED: return SMTP_V_RCPT_DISABLED;
	case ROUTE_LOOP: return SMTP_V_LOOP;
	default: return SMTP_V_RCPT_TEMP;
	}
	if (rcpt_rate_allows(c))
		return SMTP_V_RCPT_OK;
	if (is_submission(c))
		notice_limit(c);
	return SMTP_V_RCPT_RATE;
}

static enum err on_recipient_is(void *ctx, const struct route_recipient_is *m)
{
	struct conn *c = conn_by_tag(ctx, m->tag);

	if (!c || !awaits(c, SMTP_ASK_RCPT, SMTP_ASK_RCPT))
		return OK;

	enum smtp_verdict v = rcpt_verdict(c, m->status);

	c->tag = 0;
	if (!smtp_verdict_is_ok(v))
		LOG_INFO("smtp.rcpt_refused", "refused a recipient", LOG_ID("session", c->session),
			 LOG_IP("ip", view_of(c->ip, c->ip_n)),
			 LOG_VIEW("to", smtp_session_request(&c->smtp)->address),
			 LOG_STR("status", smtp_verdict_row(v)->enhanced));
	smtp_session_rcpt_done(&c->smtp, verdict(v), 0);
	conn_turn(c);
	return OK;
}

static enum err on_sender_is(void *ctx, const struct route_sender_is *m)
{
	struct conn *c = conn_by_tag(ctx, m->tag);
	enum smtp_verdict v = m->status == ROUTE_OK	     ? SMTP_V_OK
			      : m->status == ROUTE_TEMPORARY ? SMTP_V_SENDER_TEMP
							     : SMTP_V_SENDER_NOT_OWNED;

	if (!c || !awaits(c, SMTP_ASK_SENDER, SMTP_ASK_AUTHOR))
		return OK;
	c->tag = 0;
	if (v == SMTP_V_SENDER_NOT_OWNED)
		LOG_NOTICE("smtp.sender_refused", "an account used an address that is not its own",
			   LOG_ID("session", c->session),
			   LOG_VIEW("address", smtp_session_request(&c->smtp)->address));
	if (awaits(c, SMTP_ASK_SENDER, SMTP_ASK_SENDER))
		smtp_session_sender_done(&c->smtp, verdict(v));
	else
		smtp_session_author_done(&c->smtp, verdict(v));
	conn_turn(c);
	return OK;
}

/* We ask for no targets: this ends the channel. */
static enum err on_targets_are(void *ctx, const struct route_targets_are *m)
{
	return ERR_WRONG_STATE;
}

static enum err on_changed(void *ctx, const struct route_changed *m)
{
	return OK; /* nothing is cached here */
}

static const struct route_client_ops route_ops = { on_recipient_is, on_targets_are, on_sender_is,
						   on_changed };

static enum err route_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	return route_client_dispatch(&route_ops, ctx, type, body, fd);
}

static void route_closed(void *ctx, enum err why)
{
	struct smtp_role *r = ctx;

	ipc_chan_free(r->route);
	r->route = NULL;
	unavailable_all(r, SMTP_ASK_SENDER, SMTP_ASK_RCPT);
	unavailable_all(r, SMTP_ASK_AUTHOR, SMTP_ASK_AUTHOR);
}

static const struct ipc_ops route_ipc = { route_message, route_closed, NULL };

/* <Postmaster> is the postmaster of the server's own domain.   RFC 5321#4.5.1 */
static struct view rcpt_address(struct conn *c, struct buf *room)
{
	const struct smtp_request *q = smtp_session_request(&c->smtp);
	const struct config *o = role_config(c->role->role);
	const char *domain = o->domain && o->domain[0] ? o->domain : o->hostname;

	if (q->domain.n)
		return q->address;
	buf_addf(room, VIEW_FMT "@%s", VIEW_ARG(q->address), domain);
	return buf_view(room);
}

static enum err send_rcpt(struct conn *c)
{
	struct buf CLEANUP(buf_done) room = BUF_INIT(ROUTE_RECIPIENT_ADDRESS_MAX);
	struct route_recipient m = { .tag = conn_tag(c), .address = rcpt_address(c, &room) };

	return buf_err(&room) ? ERR_LIMIT : route_send_recipient(c->role->route, &m);
}

static enum err send_sender(struct conn *c)
{
	struct route_sender m = { .tag = conn_tag(c),
				  .address = smtp_session_request(&c->smtp)->address };

	smtp_session_account(&c->smtp, &m.account);
	return route_send_sender(c->role->route, &m);
}

/* Authentication. */

void ask_auth_sync(struct conn *c)
{
	struct authn_cancel m = { .tag = c->auth_tag };

	if (!c->auth_tag || smtp_session_sasl_open(&c->smtp))
		return;
	c->auth_tag = 0;
	if (c->role->authn && authn_send_cancel(c->role->authn, &m))
		LOG_WARNING("smtp.channel", "cannot tell auth that an exchange was cancelled");
}

static enum err send_auth_start(struct conn *c)
{
	const struct smtp_request *q = smtp_session_request(&c->smtp);
	struct authn_start m = {
		.tag = conn_tag(c),
		.session = c->session,
		.service = (uint8_t)c->service,
		.mechanism = q->mechanism,
		.has_initial = q->has_initial,
		.initial = q->sasl,
		.peer_ip = view_of(c->ip, c->ip_n),
		.loopback = c->loopback,
		.tls = c->tls,
		.binding_exporter = view_of(c->exporter, c->exporter_n),
		.binding_end_point = view_of(c->end_point, c->end_point_n),
	};

	c->auth_tag = c->tag;
	return authn_send_start(c->role->authn, &m);
}

static enum err send_auth_step(struct conn *c)
{
	struct authn_step m = { .tag = c->auth_tag,
				.response = smtp_session_request(&c->smtp)->sasl };

	c->tag = c->auth_tag; /* one tag for the whole exchange */
	return authn_send_step(c->role->authn, &m);
}

static struct conn *auth_conn(struct smtp_role *r, uint32_t tag)
{
	struct conn *c = conn_by_tag(r, tag);

	if (!c || !awaits(c, SMTP_ASK_AUTH_START, SMTP_ASK_AUTH_STEP))
		return NULL;
	c->tag = 0;
	return c;
}

static enum err on_challenge(void *ctx, const struct authn_challenge *m)
{
	struct conn *c = auth_conn(ctx, m->tag);

	if (c) {
		smtp_session_auth_challenge(&c->smtp, m->text);
		conn_turn(c);
	}
	return OK;
}

static enum err on_success(void *ctx, const struct authn_success *m)
{
	struct conn *c = auth_conn(ctx, m->tag);

	if (c) {
		c->auth_tag = 0;
		tell_served(c);
		LOG_INFO("smtp.login", "logged in", LOG_ID("session", c->session),
			 LOG_IP("ip", view_of(c->ip, c->ip_n)), LOG_VIEW("account", m->name));
		smtp_session_auth_ok(&c->smtp, m->account, m->name, m->final);
		conn_turn(c);
	}
	return OK;
}

static enum smtp_verdict auth_verdict(unsigned kind)
{
	switch (kind) {
	case AUTHN_BUSY:
	case AUTHN_TEMPORARY: return SMTP_V_AUTH_TEMP;
	case AUTHN_NO_MECHANISM: return SMTP_V_AUTH_MECHANISM;
	case AUTHN_BANNED: return SMTP_V_AUTH_THROTTLED;
	default:
		return SMTP_V_AUTH_FAILED; /* whether the account exists or is disabled is not told */
	}
}

static enum err on_failure(void *ctx, const struct authn_failure *m)
{
	struct conn *c = auth_conn(ctx, m->tag);

	if (c) {
		c->auth_tag = 0;
		LOG_NOTICE("smtp.login_failed", "a log-in failed", LOG_ID("session", c->session),
			   LOG_IP("ip", view_of(c->ip, c->ip_n)), LOG_UINT("kind", m->kind));
		smtp_session_auth_failed(&c->smtp, auth_verdict(m->kind));
		conn_turn(c);
	}
	return OK;
}

static enum err on_revoked(void *ctx, const struct authn_revoked *m)
{
	conn_shutdown_all(ctx, m->account);
	return OK;
}

static const struct authn_client_ops authn_ops = { on_challenge, on_success, on_failure,
						   on_revoked };

static enum err authn_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	return authn_client_dispatch(&authn_ops, ctx, type, body, fd);
}

static void authn_closed(void *ctx, enum err why)
{
	struct smtp_role *r = ctx;

	ipc_chan_free(r->authn);
	r->authn = NULL;
	unavailable_all(r, SMTP_ASK_AUTH_START, SMTP_ASK_AUTH_STEP);
}

static const struct ipc_ops authn_ipc = { authn_message, authn_closed, NULL };

/* Messages. */

static enum smtp_verdict accept_verdict(unsigned status)
{
	switch (status) {
	case ACCEPT_OK: return SMTP_V_OK;
	case ACCEPT_FULL: return SMTP_V_STORAGE;
	case ACCEPT_TOO_BIG: return SMTP_V_TOO_BIG;
	default: return SMTP_V_TEMP;
	}
}

static void log_message(const struct conn *c, enum smtp_verdict v)
{
	const struct smtp_envelope *e = &c->smtp.env;
	bool ok = smtp_verdict_is_ok(v);

	log_event(ok ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING,
		  ok ? "smtp.accepted" : "smtp.not_accepted",
		  ok ? "accepted a message" : "the queue did not take a message",
		  (struct log_field[]){
			  LOG_ID("trace", c->message.trace), LOG_ID("session", c->session),
			  LOG_IP("ip", view_of(c->ip, c->ip_n)), LOG_VIEW("from", e->sender),
			  LOG_VIEW("to", e->rcpt.n ? e->rcpt.at[0].address : VIEW_EMPTY),
			  LOG_UINT("recipients", e->rcpt.n), LOG_UINT("size", c->message.body_n),
			  LOG_STR("status", smtp_verdict_row(v)->enhanced) },
		  8);
}

static enum err on_done(void *ctx, const struct accept_done *m)
{
	struct smtp_role *r = ctx;
	struct conn *c = conn_by_tag(r, m->tag);
	struct smtp_result result = verdict(accept_verdict(m->status));

	if (m->tag == MESSAGE_NOTICE_TAG && m->status != ACCEPT_OK)
		LOG_WARNING("smtp.notice_lost", "the queue did not take a notice to an owner");
	if (!c || !awaits(c, SMTP_ASK_COMMIT, SMTP_ASK_COMMIT))
		return OK;
	c->tag = 0;
	if (smtp_verdict_is_ok(result.verdict)) {
		r->accepted++;
		tell_served(c);
	} else {
		r->refused++;
	}
	log_message(c, result.verdict);
	message_done(c);
	smtp_session_commit_done(&c->smtp, &result, 1);
	conn_turn(c);
	return OK;
}

static enum err on_state(void *ctx, const struct accept_state *m)
{
	struct smtp_role *r = ctx;

	r->disk_full = m->full;
	return OK;
}

static const struct accept_client_ops accept_ops = { on_done, on_state };

static enum err accept_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	return accept_client_dispatch(&accept_ops, ctx, type, body, fd);
}

static void accept_closed(void *ctx, enum err why)
{
	struct smtp_role *r = ctx;

	ipc_chan_free(r->accept);
	r->accept = NULL;
	unavailable_all(r, SMTP_ASK_COMMIT, SMTP_ASK_COMMIT);
}

static const struct ipc_ops accept_ipc = { accept_message, accept_closed, NULL };

/* Answered here: is there room, and somebody to give the message to? */
static void begin(struct conn *c)
{
	struct smtp_role *r = c->role;
	char room[ID_TEXT_LEN];
	enum smtp_verdict v = SMTP_V_OK;

	if (r->disk_full)
		v = SMTP_V_STORAGE;
	else if (!r->accept)
		v = SMTP_V_TEMP;
	else if (ipc_chan_full(r->accept))
		v = SMTP_V_BUSY;
	else if (message_begin(c))
		v = SMTP_V_STORAGE;
	smtp_session_begin_done(&c->smtp, verdict(v), id_text(c->message.trace, room));
}

/* Send a question; without its channel, or when it cannot be sent, the answer is "not now". */
static bool send_question(struct conn *c, const struct ipc_chan *chan,
			  enum err (*send)(struct conn *))
{
	enum err err = chan ? send(c) : ERR_PEER;

	if (!err)
		return false;
	LOG_WARNING("smtp.channel", "cannot ask another role", LOG_ID("session", c->session),
		    LOG_ERR(err));
	answer_unavailable(c);
	return true;
}

static enum err send_message(struct conn *c)
{
	return message_put(c, conn_tag(c));
}

bool ask_perform(struct conn *c)
{
	struct smtp_role *r = c->role;

	switch (smtp_session_request(&c->smtp)->action) {
	case SMTP_ASK_SENDER:
	case SMTP_ASK_AUTHOR: return send_question(c, r->route, send_sender);
	case SMTP_ASK_RCPT: return send_question(c, r->route, send_rcpt);
	case SMTP_ASK_AUTH_START: return send_question(c, r->authn, send_auth_start);
	case SMTP_ASK_AUTH_STEP: return send_question(c, r->authn, send_auth_step);
	case SMTP_ASK_COMMIT: return send_question(c, r->accept, send_message);
	case SMTP_ASK_BEGIN: begin(c); return true;
	default: return false;
	}
}

/* Channels. */

static void channel_set(struct smtp_role *r, struct ipc_chan **chan, int fd,
			const struct ipc_channel *channel, const struct ipc_ops *ops)
{
	if (*chan)
		ops->closed(r, ERR_PEER);
	if (ipc_chan_new(role_loop(r->role), fd, channel, IPC_CLIENT, ops, r, chan)) {
		*chan = NULL;
		LOG_ERROR("smtp.channel", "a channel cannot be used",
			  LOG_STR("channel", channel->name));
	}
}

void ask_route_channel(struct smtp_role *r, int fd)
{
	channel_set(r, &r->route, fd, &route_channel, &route_ipc);
}

void ask_accept_channel(struct smtp_role *r, int fd)
{
	channel_set(r, &r->accept, fd, &accept_channel, &accept_ipc);
}

void ask_authn_channel(struct smtp_role *r, int fd)
{
	channel_set(r, &r->authn, fd, &authn_channel, &authn_ipc);
}
