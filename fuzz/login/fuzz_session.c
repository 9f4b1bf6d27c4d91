/*
 * Any octets to a session before authentication: it never reads beyond what it was given, takes no input
 * while it asks, says the same however the input is cut, and ends.
 */
#include "roles/login/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SAID_MAX = 1 << 20 };

static void answer(struct login_session *s)
{
	switch (s->request.ask) {
	case LOGIN_ASK_START: login_session_challenge(s, VIEW("challenge")); break;
	case LOGIN_ASK_STEP:
		if (s->request.sasl.n % 2)
			login_session_success(s, VIEW("final"));
		else
			login_session_failure(s, AUTHN_BAD_CREDENTIALS);
		break;
	case LOGIN_ASK_CANCEL: login_session_cancelled(s); break;
	case LOGIN_ASK_ATTACH: login_session_refused(s, ATTACH_TEMPORARY); break;
	default: break;
	}
}

static bool is_final(const struct login_session *s)
{
	return s->request.ask == LOGIN_ASK_CLOSE || s->request.ask == LOGIN_ASK_STARTTLS;
}

static void run(unsigned service, struct view first, struct view second, struct buf *said)
{
	struct arena arena;
	struct login_config config = { .hostname = VIEW_INIT("mail.test"),
				       .bad_commands = 5,
				       .auth_tries = 3,
				       .line = 16384,
				       .literals = 4096,
				       .nonsync = 4096,
				       .arena = &arena };
	struct login_peer peer = { service, service == SERVICE_IMAPS, true };
	struct view parts[] = { first, second };
	struct buf CLEANUP(buf_done) in = BUF_INIT(SAID_MAX);
	struct login_session *s;

	arena_init(&arena, LOGIN_ARENA_MAX);
	if (login_session_new(&config, &peer, &s))
		return;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		buf_add(&in, parts[i]);
		for (;;) {
			enum login_ask before;

			if (is_final(s))
				break;
			buf_consume(&in, login_session_input(s, buf_view(&in)));
			buf_add(said, buf_view(&s->out));
			buf_clear(&s->out);
			before = s->request.ask;
			if (before == LOGIN_ASK_NOTHING || is_final(s))
				break;
			ASSERT(login_session_input(s, buf_view(&in)) == 0);
			answer(s);
		}
	}
	login_session_free(s);
	arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf CLEANUP(buf_done) whole = BUF_INIT(SAID_MAX);
	struct buf CLEANUP(buf_done) cut = BUF_INIT(SAID_MAX);
	struct view text = view_of(data, size);
	size_t at = size ? data[0] : 0;

	/* In clear what is cut may be injected bytes or not: only under TLS must all be the same. */
	run(SERVICE_IMAPS, text, VIEW_EMPTY, &whole);
	run(SERVICE_IMAPS, view_head(text, at), view_from(text, at), &cut);
	ASSERT(view_eq(buf_view(&whole), buf_view(&cut)));
	run(SERVICE_IMAP, view_head(text, at), view_from(text, at), &cut);
	return 0;
}
