/*
 * tests/unit/roles/login/talk_test.c: runs the golden dialogues of tests/talk/login.
 *
 * Each is run whole, octet by octet, and with every block of input cut in two at every offset; replies and
 * what was asked of the owner must be the same each time.  The format is described in tests/talk/README.md.
 */
#include "talk.h"

#include <dirent.h>

#include "session.h"

enum { STEPS_MAX = 2000, TALK_MAX = 1 << 20, TALKS_MAX = 200, ANSWERS_MAX = 64 };

enum step_kind {
	STEP_SEND,
	STEP_EXPECT,
	STEP_ASKED,
	STEP_STATE,
	STEP_SECURED,
	STEP_END,
	STEP_ANSWER
};

struct step {
	enum step_kind kind;
	struct buf text;
	size_t line;
};

struct talk {
	const char *name;
	struct step *steps;
	size_t n;
	bool whole;
	bool imap; /* port 143 */
	bool no_binding;
};

/* The owner of a session, as a script. */
struct owner {
	const struct talk *talk;
	struct arena arena;
	struct login_config config;
	struct login_session *s;
	struct buf in;
	struct buf said;
	struct buf asked;
	struct view answers[ANSWERS_MAX]; /* of the script, before the built-in ones */
	size_t answer_n;
	size_t answer_at;
	bool attached;
	bool login_named; /* mechanism LOGIN: the name was given */
	bool handshake;
	bool closed;
};

static void fail_at(const struct talk *t, const struct step *s, struct view got)
{
	print_error("%s:%zu\n got: \"" VIEW_FMT "\"\nwant: \"" VIEW_FMT "\"\n", t->name, s->line,
		    VIEW_ARG(got), VIEW_ARG(buf_view(&s->text)));
	fail();
}

/* ---- reading a dialogue ---- */

static struct step *step_add(struct talk *t, enum step_kind kind, size_t line)
{
	struct step *s = &t->steps[t->n++];

	assert_true(t->n <= STEPS_MAX);
	*s = (struct step){ .kind = kind, .line = line };
	buf_init(&s->text, TALK_MAX);
	return s;
}

/* Lines of one kind in a row are one step. */
static void step_text(struct talk *t, enum step_kind kind, size_t line, struct view text,
		      const char *end)
{
	struct step *s = t->n ? &t->steps[t->n - 1] : NULL;

	if (!s || s->kind != kind)
		s = step_add(t, kind, line);
	talk_unescape(&s->text, text);
	buf_add_str(&s->text, end);
	assert_int_equal(buf_err(&s->text), OK);
}

static void directive(struct talk *t, size_t line, struct view text)
{
	static const struct {
		struct view word;
		enum step_kind kind;
	} kinds[] = {
		{ VIEW_INIT("state"), STEP_STATE },
		{ VIEW_INIT("secured"), STEP_SECURED },
		{ VIEW_INIT("end"), STEP_END },
		{ VIEW_INIT("answer"), STEP_ANSWER },
	};
	struct view word;
	struct view args = view_cut(text, ' ', &word);

	if (view_eq(word, VIEW("whole")))
		t->whole = true;
	else if (view_eq(word, VIEW("no-binding")))
		t->no_binding = true;
	else if (view_eq(text, VIEW("service imap")))
		t->imap = true;
	else
		for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
			if (view_eq(word, kinds[i].word)) {
				talk_unescape(&step_add(t, kinds[i].kind, line)->text, args);
				return;
			}
	if (!t->whole && !t->no_binding && !t->imap)
		fail_msg("%s:%zu: unknown directive", t->name, line);
}

static void read_line(struct talk *t, size_t at, struct view line)
{
	if (!line.n || line.p[0] == '#')
		return;
	if (line.p[0] == '!')
		directive(t, at, view_from(line, 1));
	else if (view_starts(line, VIEW("C:")))
		step_text(t, STEP_SEND, at, view_from(line, 3), "\r\n");
	else if (view_starts(line, VIEW("C| ")))
		step_text(t, STEP_SEND, at, view_from(line, 3), "");
	else if (view_starts(line, VIEW("S: ")))
		step_text(t, STEP_EXPECT, at, view_from(line, 3), "\r\n");
	else if (view_starts(line, VIEW("A: ")))
		step_text(t, STEP_ASKED, at, view_from(line, 3), "\n");
	else
		fail_msg("%s:%zu: not a line of a dialogue", t->name, at);
}

static void read_text(struct talk *t, struct view text)
{
	for (size_t at = 1; text.n; at++) {
		struct view line;
		struct view count;
		struct view body;
		uint64_t n = 0;
		size_t end;

		text = view_cut(text, '\n', &line);
		if (!view_starts(line, VIEW("!repeat "))) {
			read_line(t, at, line);
			continue;
		}
		count = view_from(line, 8);
		assert_int_equal(num_u64(count, 10000, &n), OK);
		end = view_find(text, VIEW("!done\n"));
		assert_int_not_equal(end, VIEW_NONE);
		for (uint64_t i = 0; i < n; i++)
			for (body = view_head(text, end); body.n;) {
				body = view_cut(body, '\n', &line);
				read_line(t, at, line);
			}
		text = view_from(text, end + 6);
	}
}

static void talk_load(struct talk *t, const char *name)
{
	char path[4096];
	char *room = malloc(TALK_MAX);
	FILE *file;

	*t = (struct talk){ .name = name, .steps = calloc(STEPS_MAX, sizeof(*t->steps)) };
	assert_non_null(room);
	assert_non_null(t->steps);
	(void)snprintf(path, sizeof(path), "%s/tests/talk/login/%s", SOURCE_ROOT, name);
	file = fopen(path, "r");
	assert_non_null(file);
	read_text(t, view_of(room, fread(room, 1, TALK_MAX, file)));
	assert_int_equal(fclose(file), 0);
	free(room);
}

static void talk_done(struct talk *t)
{
	for (size_t i = 0; i < t->n; i++)
		buf_done(&t->steps[i].text);
	free(t->steps);
}

/* ---- the owner ---- */

static void note(struct owner *o, const char *word, struct view a, const char *between,
		 struct view b)
{
	buf_add_str(&o->asked, word);
	buf_add(&o->asked, a);
	buf_add_str(&o->asked, between);
	buf_add(&o->asked, b);
	buf_add_char(&o->asked, '\n');
}

static enum authn_failure_kind kind_of(struct view word)
{
	static const char *const words[] = {
		[AUTHN_BAD_CREDENTIALS] = "bad", [AUTHN_BUSY] = "busy",
		[AUTHN_TEMPORARY] = "temporary", [AUTHN_NO_MECHANISM] = "no-mechanism",
		[AUTHN_MALFORMED] = "malformed", [AUTHN_DISABLED] = "disabled",
		[AUTHN_BANNED] = "banned",	 [AUTHN_NEEDS_TLS] = "needs-tls",
	};

	for (size_t i = 1; i < ARRAY_LEN(words); i++)
		if (view_eq(word, view_str(words[i])))
			return (enum authn_failure_kind)i;
	fail_msg("unknown kind of failure");
	return AUTHN_TEMPORARY;
}

/* The next of the script, if it is one for auth or one for attach. */
static bool next_answer(struct owner *o, bool attach, struct view *ret)
{
	struct view next;

	if (o->answer_at == o->answer_n)
		return false;
	next = o->answers[o->answer_at];
	if (view_starts(next, VIEW("attach-")) != attach)
		return false;
	o->answer_at++;
	*ret = next;
	return true;
}

/* The account me@here.test has the password "secret"; SCRAM's messages are "first" and "proof". */
static void answer_start(struct owner *o, const struct login_request *r)
{
	if (view_starts(r->mechanism, VIEW("SCRAM"))) {
		if (r->has_initial && view_eq(r->sasl, VIEW("first")))
			login_session_challenge(o->s, VIEW("server-first"));
		else if (!r->has_initial)
			login_session_challenge(o->s, VIEW(""));
		else
			login_session_failure(o->s, AUTHN_MALFORMED);
	} else if (view_eq(r->mechanism, VIEW("LOGIN"))) {
		o->login_named = r->has_initial;
		login_session_challenge(o->s,
					r->has_initial ? VIEW("Password:") : VIEW("Username:"));
	} else if (!r->has_initial) {
		login_session_challenge(o->s, VIEW(""));
	} else if (view_eq(r->sasl, VIEW("\0me@here.test\0secret"))) {
		login_session_success(o->s, VIEW_EMPTY);
	} else {
		login_session_failure(o->s, AUTHN_BAD_CREDENTIALS);
	}
}

static void answer_step(struct owner *o, const struct login_request *r)
{
	if (view_eq(r->sasl, VIEW("proof"))) {
		login_session_success(o->s, VIEW("v=ok"));
	} else if (view_eq(r->sasl, VIEW("first"))) {
		login_session_challenge(o->s, VIEW("server-first"));
	} else if (view_eq(r->sasl, VIEW("me@here.test")) && !o->login_named) {
		o->login_named = true;
		login_session_challenge(o->s, VIEW("Password:"));
	} else if (view_eq(r->sasl, VIEW("secret")) && o->login_named) {
		login_session_success(o->s, VIEW_EMPTY);
	} else if (view_eq(r->sasl, VIEW("\0me@here.test\0secret"))) {
		login_session_success(o->s, VIEW_EMPTY);
	} else {
		login_session_failure(o->s, AUTHN_BAD_CREDENTIALS);
	}
}

static void answer_attach(struct owner *o)
{
	struct view a;

	if (!next_answer(o, true, &a)) {
		o->attached = true;
		return;
	}
	login_session_refused(o->s,
			      view_eq(a, VIEW("attach-limit")) ? ATTACH_LIMIT : ATTACH_TEMPORARY);
}

static bool perform(struct owner *o)
{
	const struct login_request r = o->s->request;
	struct view a;

	switch (r.ask) {
	case LOGIN_ASK_NOTHING: return false;
	case LOGIN_ASK_START:
		note(o, "start ", r.mechanism, r.has_initial ? " " : "", r.sasl);
		if (next_answer(o, false, &a))
			login_session_failure(o->s, kind_of(a));
		else
			answer_start(o, &r);
		return true;
	case LOGIN_ASK_STEP:
		note(o, "step ", r.sasl, "", VIEW_EMPTY);
		answer_step(o, &r);
		return true;
	case LOGIN_ASK_CANCEL:
		note(o, "cancel", VIEW_EMPTY, "", VIEW_EMPTY);
		login_session_cancelled(o->s);
		return true;
	case LOGIN_ASK_ATTACH:
		note(o, "attach ", r.tag, "", VIEW_EMPTY);
		answer_attach(o);
		return !o->attached;
	case LOGIN_ASK_STARTTLS:
		note(o, "starttls", VIEW_EMPTY, "", VIEW_EMPTY);
		o->handshake = true;
		return false;
	case LOGIN_ASK_CLOSE: o->closed = true; return false;
	}
	return false;
}

static void take_output(struct owner *o)
{
	buf_add(&o->said, buf_view(&o->s->out));
	buf_clear(&o->s->out);
}

static void turn(struct owner *o)
{
	if (o->attached || o->handshake || o->closed)
		return;
	do {
		if (o->s->request.ask == LOGIN_ASK_NOTHING)
			buf_consume(&o->in, login_session_input(o->s, buf_view(&o->in)));
		take_output(o);
	} while (perform(o));
	take_output(o);
}

static void feed(void *ctx, struct view bytes)
{
	struct owner *o = ctx;
	char *copy = tight_copy(bytes);

	buf_add(&o->in, view_of(copy, bytes.n));
	free(copy);
	turn(o);
}

static void state_text(const struct owner *o, struct buf *out)
{
	if (o->closed)
		buf_add_str(out, "closed");
	else if (o->handshake)
		buf_add_str(out, "handshake");
	else if (o->attached)
		buf_addf(out, "attached " VIEW_FMT, VIEW_ARG(buf_view(&o->in)));
	else
		buf_add_str(out, "open");
}

static void expect(struct owner *o, const struct step *s, struct buf *got)
{
	if (!view_eq(buf_view(got), buf_view(&s->text)))
		fail_at(o->talk, s, buf_view(got));
	buf_clear(got);
}

static void run_step(struct owner *o, const struct step *s, const struct cutting *c, size_t block)
{
	struct buf CLEANUP(buf_done) state = BUF_INIT(TALK_MAX);

	switch (s->kind) {
	case STEP_SEND: talk_feed(c, buf_view(&s->text), block, feed, o); break;
	case STEP_EXPECT: expect(o, s, &o->said); break;
	case STEP_ASKED: expect(o, s, &o->asked); break;
	case STEP_STATE:
		state_text(o, &state);
		expect(o, s, &state);
		break;
	case STEP_SECURED:
		assert_true(o->handshake);
		assert_int_equal(login_session_secured(o->s, !o->talk->no_binding), OK);
		o->handshake = false;
		buf_clear(&o->in);
		break;
	case STEP_END:
		login_session_end(o->s, "The time is over");
		turn(o);
		break;
	case STEP_ANSWER:
		assert_true(o->answer_n < ANSWERS_MAX);
		o->answers[o->answer_n++] = buf_view(&s->text);
		break;
	}
}

static void run_once(const struct talk *t, const struct cutting *c)
{
	struct owner o = {
		.talk = t,
		.config = { .hostname = VIEW_INIT("mail.here.test"),
			    .bad_commands = 5,
			    .auth_tries = 3,
			    .line = 16384,
			    .literals = 4096,
			    .nonsync = 4096 },
	};
	struct login_peer peer = { t->imap ? SERVICE_IMAP : SERVICE_IMAPS, !t->imap,
				   !t->imap && !t->no_binding };

	arena_init(&o.arena, LOGIN_ARENA_MAX);
	o.config.arena = &o.arena;
	buf_init(&o.in, TALK_MAX);
	buf_init(&o.said, TALK_MAX);
	buf_init(&o.asked, TALK_MAX);
	assert_int_equal(login_session_new(&o.config, &peer, &o.s), OK);
	turn(&o);
	for (size_t i = 0; i < t->n; i++)
		run_step(&o, &t->steps[i], c, i);
	if (o.said.n)
		fail_msg("%s: at the end: %s", t->name, buf_cstr(&o.said));
	login_session_free(o.s);
	arena_done(&o.arena);
	buf_done(&o.in);
	buf_done(&o.said);
	buf_done(&o.asked);
}

static void run_talk(void **state)
{
	struct talk t;

	talk_load(&t, *state);
	run_once(&t, &(struct cutting){ 0 });
	if (!t.whole) {
		run_once(&t, &(struct cutting){ .every = true });
		for (size_t i = 0; i < t.n; i++) {
			size_t n = t.steps[i].kind == STEP_SEND ? t.steps[i].text.n : 0;
			size_t stride = n > 600 ? n / 100 : 1;

			for (size_t at = 1; at < n; at += stride)
				run_once(&t, &(struct cutting){ .block = i, .at = at });
		}
	}
	talk_done(&t);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct CMUnitTest *)a)->name, ((const struct CMUnitTest *)b)->name);
}

int main(void)
{
	static struct CMUnitTest tests[TALKS_MAX];
	size_t n = 0;
	DIR *dir = opendir(SOURCE_ROOT "/tests/talk/login");
	struct dirent *entry;

	if (!dir)
		return 1;
	while ((entry = readdir(dir)) != NULL && n < TALKS_MAX) {
		if (!view_ends(view_str(entry->d_name), VIEW(".talk")))
			continue;
		tests[n] =
			(struct CMUnitTest){ .name = strdup(entry->d_name), .test_func = run_talk };
		tests[n].initial_state = (void *)(uintptr_t)tests[n].name;
		n++;
	}
	(void)closedir(dir);
	qsort(tests, n, sizeof(tests[0]), by_name);
	return _cmocka_run_group_tests("login talks", tests, n, NULL, NULL);
}
