/*
 * tests/unit/oom/smtp_test.c: an SMTP session when memory is short.
 *
 * Whatever allocation fails: no crash, no leak, every command is answered or the connection ends, and what is
 * committed is what the client was told: every recipient that was answered 250 and no other, the sender, the
 * whole message, and each of its authors asked about.
 */
#include "oom.h"

#include "proto/smtp/session.h"

enum { STORED_MAX = 8192, SAID_MAX = 8192, TRANSACTIONS = 2, RCPT_MAX = 4, TURNS_MAX = 200 };

static const char *const recipients[] = { "one@here.test", "two@here.test", "three@far.test" };

static const char text[] =
	"From: me@here.test, You <you@here.test>\r\n"
	"Sender: me@here.test\r\n"
	"Subject: a subject that goes on\r\n\tin a second line and then has a good"
	" many words more in it\r\n"
	"Bcc: secret@here.test\r\n"
	"\r\n"
	"Hello,\r\n..dots at the start of a line.\r\nBye.\r\n";

/* What became of a transaction. */
struct kept {
	char bytes[STORED_MAX];
	size_t n;
	size_t authors;
	bool committed;
};

static struct {
	struct smtp_session s;
	struct smtp_server_config config;
	struct kept now[TRANSACTIONS], right[TRANSACTIONS];
	size_t transaction;
	bool accepted[RCPT_MAX]; /* answered 250 in this transaction */
	bool open; /* the sink holds a message */
	bool closed;
	char said[SAID_MAX]; /* since the last command */
	size_t said_n;
	size_t piece; /* octets fed at once */
} t;

static enum err sink_write(void *ctx, struct view bytes)
{
	struct kept *k = &t.now[t.transaction];

	assert_true(t.open && k->n + bytes.n <= STORED_MAX);
	memcpy(k->bytes + k->n, bytes.p, bytes.n);
	k->n += bytes.n;
	return OK;
}

static void sink_abort(void *ctx)
{
	assert_true(t.open);
	t.open = false;
}

static void check_commit(const struct smtp_request *r)
{
	const struct smtp_envelope *e = &t.s.env;
	struct kept *k = &t.now[t.transaction];
	size_t n = 0;

	assert_true(t.open);
	assert_int_equal(r->size, k->n);
	assert_view(e->sender, "me@here.test");
	assert_view(e->envid, "an-envelope");
	for (size_t i = 0; i < ARRAY_LEN(recipients); i++) {
		if (!t.accepted[i])
			continue;
		assert_true(n < e->rcpt.n);
		assert_true(view_eq(e->rcpt.at[n].address, view_str(recipients[i])));
		assert_int_equal(e->rcpt.at[n].notify, SMTP_NOTIFY_FAILURE);
		assert_view(e->rcpt.at[n].orcpt, "rfc822;x@here.test");
		n++;
	}
	assert_int_equal(e->rcpt.n, n);
	t.open = false;
	k->committed = true;
}

static bool answer(void)
{
	static const struct smtp_result ok = { .verdict = SMTP_V_OK };
	const struct smtp_request *r = smtp_session_request(&t.s);

	switch (r->action) {
	case SMTP_ASK_NOTHING: return false;
	case SMTP_ASK_SENDER: smtp_session_sender_done(&t.s, ok); break;
	case SMTP_ASK_AUTHOR:
		t.now[t.transaction].authors++;
		smtp_session_author_done(&t.s, ok);
		break;
	case SMTP_ASK_RCPT: smtp_session_rcpt_done(&t.s, ok, 7); break;
	case SMTP_ASK_AUTH_START: smtp_session_auth_challenge(&t.s, VIEW("a challenge")); break;
	case SMTP_ASK_AUTH_STEP:
		assert_view(r->sasl, "proof");
		smtp_session_auth_ok(&t.s, 42, VIEW("me@here.test"), VIEW("final"));
		break;
	case SMTP_ASK_BEGIN:
		t.open = true;
		t.now[t.transaction].n = 0;
		smtp_session_begin_done(&t.s, ok, VIEW("id1"));
		break;
	case SMTP_ASK_COMMIT:
		check_commit(r);
		smtp_session_commit_done(&t.s, &ok, 1);
		break;
	case SMTP_ASK_STARTTLS: fail_msg("nobody asked for TLS"); break;
	case SMTP_ASK_CLOSE: t.closed = true; return false;
	}
	return true;
}

/* The code of the last reply, 0 for none. */
static int code(void)
{
	size_t at = t.said_n;

	if (at < 2)
		return 0;
	for (at -= 2; at > 0 && t.said[at - 1] != '\n'; at--)
		;
	return (t.said[at] - '0') * 100 + (t.said[at + 1] - '0') * 10 + (t.said[at + 2] - '0');
}

/* Show it the octets, piece by piece, until it has taken them all or is done. */
static int say(struct view bytes)
{
	const struct view asked = bytes;
	struct view shown = view_head(bytes, t.piece);
	size_t idle = 0;

	t.said_n = 0;
	for (int turn = 0; turn < TURNS_MAX && !t.closed && idle < 2; turn++) {
		struct view out;
		size_t used;

		smtp_session_clock(&t.s, 1000, 1795233600, 0);
		smtp_session_input(&t.s, shown, &used);
		bytes = view_from(bytes, used);
		shown = view_head(bytes, size_max(t.piece, shown.n - used));
		out = smtp_session_output(&t.s);
		assert_true(t.said_n + out.n <= SAID_MAX);
		if (out.n)
			memcpy(t.said + t.said_n, out.p, out.n);
		t.said_n += out.n;
		smtp_session_sent(&t.s, out.n);
		idle = answer() || used || out.n ? 0 : idle + 1;
	}
	assert_true(t.closed || bytes.n == 0);
	/* Answered, or the connection ends: no client waits in vain. */
	if (!t.closed && t.said_n == 0)
		fail_msg("no answer to " VIEW_FMT, VIEW_ARG(asked));
	return t.closed ? 0 : code();
}

static int say_str(const char *line)
{
	return say(view_str(line));
}

static bool envelope(void)
{
	struct buf CLEANUP(buf_done) line = BUF_INIT(300);
	bool any = false;

	memset(t.accepted, 0, sizeof(t.accepted));
	if (say_str("MAIL FROM:<me@here.test> SIZE=500 BODY=8BITMIME ENVID=an-envelope\r\n") != 250)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(recipients) && !t.closed; i++) {
		oom_pause();
		buf_clear(&line);
		buf_addf(&line, "RCPT TO:<%s> NOTIFY=FAILURE ORCPT=rfc822;x@here.test\r\n",
			 recipients[i]);
		oom_resume();
		t.accepted[i] = say(buf_view(&line)) == 250;
		any = any || t.accepted[i];
	}
	return any && !t.closed;
}

/* 250 to the end of a message means that it was committed. */
static void check_told(int reply)
{
	assert_int_equal(reply == 250, t.now[t.transaction].committed && !t.closed);
}

static void by_data(void)
{
	struct buf CLEANUP(buf_done) message = BUF_INIT(2000);

	t.transaction = 0;
	if (!envelope() || say_str("DATA\r\n") != 354)
		return;
	oom_pause();
	buf_addf(&message, "%s.\r\n", text);
	oom_resume();
	check_told(say(buf_view(&message)));
}

static void by_chunks(void)
{
	struct buf CLEANUP(buf_done) chunk = BUF_INIT(2000);
	size_t half = sizeof(text) / 2;

	t.transaction = 1;
	if (!envelope())
		return;
	oom_pause();
	buf_addf(&chunk, "BDAT %zu\r\n%.*s", half, (int)half, text);
	oom_resume();
	if (say(buf_view(&chunk)) != 250)
		return;
	oom_pause();
	buf_clear(&chunk);
	buf_addf(&chunk, "BDAT %zu LAST\r\n%s", sizeof(text) - 1 - half, text + half);
	oom_resume();
	check_told(say(buf_view(&chunk)));
}

static void session(void)
{
	static const struct smtp_sink sink = { NULL, sink_write, sink_abort };
	static const struct smtp_peer peer = { .address = VIEW_INIT("192.0.2.1"),
					       .tls = true,
					       .no_greeting_wait = true };

	smtp_session_init(&t.s, &t.config, &peer, &sink);
	(void)say_str("");
	if (!t.closed)
		(void)say_str("EHLO client.here.test\r\n");
	if (!t.closed && say_str("AUTH SCRAM-TEST\r\n") == 334 && say_str("cHJvb2Y=\r\n") == 334)
		(void)say_str("\r\n");
	if (!t.closed)
		by_data();
	if (!t.closed)
		(void)say_str("RSET\r\n");
	if (!t.closed)
		by_chunks();
	if (!t.closed)
		(void)say_str("QUIT\r\n");
	smtp_session_done(&t.s);
	assert_false(t.open);
}

static bool attempt(size_t nth, enum oom_mode mode)
{
	bool failed;

	memset(t.now, 0, sizeof(t.now));
	t.closed = t.open = false;
	oom_arm(nth, mode);
	session();
	failed = oom_disarm();
	for (size_t i = 0; i < TRANSACTIONS; i++) {
		const struct kept *now = &t.now[i], *right = &t.right[i];

		if (!now->committed) {
			assert_true(failed);
			continue;
		}
		assert_int_equal(now->authors, right->authors);
		/* With fewer recipients the trace differs, in its first lines. */
		assert_true(view_ends(
			view_of(now->bytes, now->n),
			view_from(view_of(right->bytes, right->n),
				  view_find(view_of(right->bytes, right->n), VIEW("From: ")))));
	}
	return failed;
}

static void set_up(size_t piece)
{
	smtp_server_config_init(&t.config, SMTP_SUBMISSION);
	t.config.hostname = VIEW("mx.here.test");
	t.config.mechanisms = VIEW("SCRAM-TEST PLAIN");
	t.config.chunking = t.config.dsn = t.config.strict_from = t.config.ask_sender = true;
	t.piece = piece;
	memset(t.now, 0, sizeof(t.now));
	t.closed = t.open = false;
	session();
	memcpy(t.right, t.now, sizeof(t.right));
	for (size_t i = 0; i < TRANSACTIONS; i++) {
		assert_true(t.right[i].committed);
		assert_true(t.right[i].authors >= 2);
		assert_true(view_find(view_of(t.right[i].bytes, t.right[i].n), VIEW("Bye.\r\n")) !=
			    VIEW_NONE);
	}
}

static void in_one_piece(void **state)
{
	set_up(SIZE_MAX);
	oom_each("session", attempt, 20);
}

static void in_small_pieces(void **state)
{
	set_up(5);
	oom_each("session, five octets at once", attempt, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_one_piece),
		cmocka_unit_test(in_small_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
