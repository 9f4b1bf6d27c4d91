/*
 * tests/unit/proto/smtp/drive.c: the scripted owner of a session.
 */
#include "drive.h"

enum { WALL = 1795233600 }; /* Sat, 21 Nov 2026 04:00:00 +0000 */

static enum err sink_write(void *ctx, struct view bytes)
{
	struct drive *d = ctx;

	ASSERT(d->in_message);
	if (d->sink_full_after && d->message.n + bytes.n > d->sink_full_after)
		return ERR_FULL;
	buf_add(&d->message, bytes);
	return OK;
}

static void sink_abort(void *ctx)
{
	struct drive *d = ctx;

	ASSERT(d->in_message); /* never twice, never after commit */
	d->in_message = false;
	d->aborted_n++;
	buf_clear(&d->message);
}

void drive_init(struct drive *d, enum smtp_service service)
{
	*d = (struct drive){ .begin = SMTP_V_OK, .commit_n = 1 };
	smtp_server_config_init(&d->config, service);
	d->config.hostname = VIEW("mx.here.test");
	d->config.greeting_ms = 0;
	d->config.starttls = true;
	d->config.requiretls = true;
	if (service == SMTP_SUBMISSION)
		d->config.mechanisms = VIEW("PLAIN SCRAM-TEST");
	d->peer.address = VIEW("192.0.2.7");
	buf_init(&d->waiting, 256U << 20);
	buf_init(&d->replies, 16U << 20);
	buf_init(&d->message, 256U << 20);
	d->commit[0] = (struct smtp_result){ .verdict = SMTP_V_OK };
}

void drive_start(struct drive *d)
{
	struct smtp_sink sink = { d, sink_write, sink_abort };

	smtp_session_init(&d->session, &d->config, &d->peer, &sink);
	drive_turn(d);
}

void drive_secured(struct drive *d)
{
	struct smtp_carry carry = smtp_session_carry(&d->session);

	ASSERT(d->handshake);
	d->handshake = false;
	buf_clear(&d->waiting); /* what came in clear behind STARTTLS ended with that stream */
	d->peer.tls = true;
	d->peer.carry = &carry;
	smtp_session_done(&d->session);
	drive_start(d);
	d->peer.carry = NULL;
}

void drive_done(struct drive *d)
{
	smtp_session_done(&d->session);
	ASSERT(!d->in_message);
	buf_done(&d->waiting);
	buf_done(&d->replies);
	buf_done(&d->message);
	for (size_t i = 0; i < d->stored_n; i++)
		buf_done(&d->stored[i]);
}

static struct smtp_result result(enum smtp_verdict v)
{
	return (struct smtp_result){ .verdict = v };
}

static void answer_rcpt(struct drive *d, const struct smtp_request *r)
{
	static const struct {
		const char *local;
		enum smtp_verdict verdict;
	} rules[] = {
		{ "user", SMTP_V_OK },
		{ "user2", SMTP_V_OK },
		{ "postmaster", SMTP_V_OK },
		{ "full", SMTP_V_RCPT_FULL },
		{ "temp", SMTP_V_RCPT_TEMP },
		{ "disabled", SMTP_V_RCPT_DISABLED },
		{ "grey", SMTP_V_GREYLISTED },
		{ "rate", SMTP_V_RCPT_RATE },
		{ "denied", SMTP_V_RCPT_DENIED },
		{ "nomail", SMTP_V_DOMAIN_NO_MAIL },
		{ "a b", SMTP_V_OK },
		{ "\xc3\xbc", SMTP_V_OK },
	};
	bool ours = view_eq_nocase(r->domain, VIEW("here.test")) || !r->domain.n;
	enum smtp_verdict v = ours ? SMTP_V_RCPT_UNKNOWN : SMTP_V_RELAY_DENIED;

	if (!ours && d->session.authenticated)
		v = SMTP_V_OK;
	for (size_t i = 0; ours && i < ARRAY_LEN(rules); i++) {
		if (view_eq_nocase(r->local, view_str(rules[i].local)))
			v = rules[i].verdict;
	}
	/* many1@here.test ... for limits */
	if (ours && view_starts(r->local, VIEW("many")))
		v = SMTP_V_OK;
	smtp_session_rcpt_done(&d->session, result(v), 7);
}

static enum smtp_verdict owner_verdict(const struct smtp_request *r)
{
	if (!r->address.n || view_eq_nocase(r->address, VIEW("me@here.test")))
		return SMTP_V_OK;
	return view_eq_nocase(r->local, VIEW("temp")) ? SMTP_V_SENDER_TEMP
						      : SMTP_V_SENDER_NOT_OWNED;
}

static void answer_auth(struct drive *d, const struct smtp_request *r)
{
	struct smtp_session *s = &d->session;

	if (r->action == SMTP_ASK_AUTH_START && view_eq(r->mechanism, VIEW("SCRAM-TEST")))
		smtp_session_auth_challenge(s, VIEW("first"));
	else if (r->action == SMTP_ASK_AUTH_START && !r->has_initial)
		smtp_session_auth_challenge(s, VIEW_EMPTY);
	else if (view_eq(r->sasl, VIEW("\0me\0secret")))
		smtp_session_auth_ok(s, 42, VIEW("me@here.test"), VIEW_EMPTY);
	else if (view_eq(r->sasl, VIEW("proof")))
		smtp_session_auth_ok(s, 42, VIEW("me@here.test"), VIEW("final"));
	else if (view_eq(r->sasl, VIEW("busy")))
		smtp_session_auth_failed(s, SMTP_V_AUTH_TEMP);
	else if (view_eq(r->sasl, VIEW("throttle")))
		smtp_session_auth_failed(s, SMTP_V_AUTH_THROTTLED);
	else
		smtp_session_auth_failed(s, SMTP_V_AUTH_FAILED);
}

static void answer_begin(struct drive *d)
{
	ASSERT(!d->in_message);
	d->in_message = smtp_verdict_is_ok(d->begin);
	buf_clear(&d->message);
	smtp_session_begin_done(&d->session, result(d->begin), VIEW("id1"));
}

static void answer_commit(struct drive *d, const struct smtp_request *r)
{
	ASSERT(d->in_message && r->size == d->message.n && !buf_err(&d->message));
	d->in_message = false;
	ASSERT(d->stored_n < DRIVE_STORED_MAX);
	if (smtp_verdict_is_ok(d->commit[0].verdict)) {
		d->stored[d->stored_n++] = d->message;
		buf_init(&d->message, d->message.max);
	}
	smtp_session_commit_done(&d->session, d->commit, d->commit_n);
}

/* False: nothing was answered. */
static bool answer(struct drive *d)
{
	struct smtp_session *s = &d->session;
	const struct smtp_request *r = smtp_session_request(s);

	switch (r->action) {
	case SMTP_ASK_NOTHING: return false;
	case SMTP_ASK_SENDER: smtp_session_sender_done(s, result(owner_verdict(r))); break;
	case SMTP_ASK_AUTHOR: smtp_session_author_done(s, result(owner_verdict(r))); break;
	case SMTP_ASK_RCPT: answer_rcpt(d, r); break;
	case SMTP_ASK_AUTH_START:
	case SMTP_ASK_AUTH_STEP: answer_auth(d, r); break;
	case SMTP_ASK_BEGIN: answer_begin(d); break;
	case SMTP_ASK_COMMIT:
		if (d->hold_commit)
			return false;
		answer_commit(d, r);
		break;
	case SMTP_ASK_STARTTLS: d->handshake = true; return false;
	case SMTP_ASK_CLOSE:
		d->closed = true;
		d->in_message = false; /* a commit that was withdrawn is the owner's to drop */
		return false;
	}
	return true;
}

void drive_turn(struct drive *d)
{
	bool moved = true;

	while (moved) {
		size_t used;

		smtp_session_clock(&d->session, d->now_ms, WALL + d->now_ms / 1000, 0);
		smtp_session_input(&d->session, buf_view(&d->waiting), &used);
		buf_consume(&d->waiting, used);

		struct view out = smtp_session_output(&d->session);

		moved = used || out.n;
		buf_add(&d->replies, out);
		smtp_session_sent(&d->session, out.n);
		moved |= answer(d);
	}
	ASSERT(!buf_err(&d->replies));
}

void drive_feed(struct drive *d, struct view bytes)
{
	buf_add(&d->waiting, bytes);
	ASSERT(!buf_err(&d->waiting));
	drive_turn(d);
}

void drive_wait(struct drive *d, int64_t ms)
{
	int64_t end = d->now_ms + ms;

	/* As the owner's timer does: wake at each deadline on the way. */
	for (size_t i = 0; i < 100000; i++) {
		int64_t at = smtp_session_deadline(&d->session);

		if (d->closed || at > end)
			break;
		d->now_ms = at > d->now_ms ? at : d->now_ms;
		drive_turn(d);
	}
	d->now_ms = end;
	drive_turn(d);
}

struct view drive_body(const struct drive *d, size_t i)
{
	struct view text = buf_view(&d->stored[i]);
	size_t at = 0;

	/* The Received field goes on while lines begin with a blank. */
	do {
		size_t lf = view_find_char(view_from(text, at), '\n');

		ASSERT(lf != VIEW_NONE);
		at += lf + 1;
	} while (at < text.n && text.p[at] == '\t');
	return view_from(text, at);
}
