/*
 * tests/unit/proto/smtp/talk_test.c: runs the golden dialogues of tests/talk/smtp.
 *
 * Each is run whole, octet by octet, and with every block of input cut in two at every offset; replies and
 * stored messages must be the same each time.  The format is described in tests/talk/README.md.
 */
#include <dirent.h>

#include "drive.h"
#include "talk.h"

enum { STEPS_MAX = 4000, TALKS_MAX = 400, TALK_MAX = 1 << 20 };

enum step_kind {
	STEP_SEND,
	STEP_EXPECT,
	STEP_STORED,
	STEP_WAIT,
	STEP_EOF,
	STEP_STOP,
	STEP_SECURED,
	STEP_STATE,
	STEP_SET
};

struct step {
	enum step_kind kind;
	struct buf text;
	size_t line; /* in the file */
	int64_t number;
};

struct talk {
	char *path;
	struct step *steps;
	size_t step_n;
	bool whole; /* timing matters: no cuts */
	struct buf settings;
};

static void fail_at(const struct talk *t, size_t line, const char *what, struct view got,
		    struct view want)
{
	print_error("%s:%zu: %s\n got: \"" VIEW_FMT "\"\nwant: \"" VIEW_FMT "\"\n", t->path, line,
		    what, VIEW_ARG(got), VIEW_ARG(want));
	fail();
}

static struct step *step_add(struct talk *t, enum step_kind kind, size_t line)
{
	assert_true(t->step_n < STEPS_MAX);

	struct step *s = &t->steps[t->step_n++];

	*s = (struct step){ .kind = kind, .line = line };
	buf_init(&s->text, TALK_MAX);
	return s;
}

/* Lines of one kind in a row are one step. */
static void step_text(struct talk *t, enum step_kind kind, size_t line, struct view text, bool crlf)
{
	struct step *s = t->step_n ? &t->steps[t->step_n - 1] : NULL;

	if (!s || s->kind != kind)
		s = step_add(t, kind, line);
	talk_unescape(&s->text, text);
	if (crlf)
		buf_add(&s->text, VIEW("\r\n"));
	assert_int_equal(buf_err(&s->text), OK);
}

static int64_t number_of(struct view text)
{
	uint64_t n = 0;

	assert_int_equal(num_u64(text, INT64_MAX, &n), OK);
	return (int64_t)n;
}

static void directive(struct talk *t, size_t line, struct view text)
{
	struct view word;
	struct view args = view_cut(text, ' ', &word);

	if (view_eq(word, VIEW("whole"))) {
		t->whole = true;
	} else if (view_eq(word, VIEW("wait"))) {
		step_add(t, STEP_WAIT, line)->number = number_of(args);
	} else if (view_eq(word, VIEW("eof"))) {
		step_add(t, STEP_EOF, line);
	} else if (view_eq(word, VIEW("stop"))) {
		step_add(t, STEP_STOP, line);
	} else if (view_eq(word, VIEW("secured"))) {
		step_add(t, STEP_SECURED, line);
	} else if (view_eq(word, VIEW("state"))) {
		buf_add(&step_add(t, STEP_STATE, line)->text, args);
	} else if (view_eq(word, VIEW("answer"))) {
		buf_add(&step_add(t, STEP_SET, line)->text, args);
	} else {
		buf_add(&t->settings, text);
		buf_add_char(&t->settings, '\n');
	}
}

static void line_read(struct talk *t, size_t at, struct view line)
{
	if (!line.n || line.p[0] == '#')
		return;
	if (line.p[0] == '!')
		directive(t, at, view_from(line, 1));
	else if (view_starts(line, VIEW("C: ")) || view_eq(line, VIEW("C:")))
		step_text(t, STEP_SEND, at, view_from(line, 3), true);
	else if (view_starts(line, VIEW("C| ")))
		step_text(t, STEP_SEND, at, view_from(line, 3), false);
	else if (view_starts(line, VIEW("S: ")))
		step_text(t, STEP_EXPECT, at, view_from(line, 3), true);
	else if (view_starts(line, VIEW("M: ")) || view_eq(line, VIEW("M:")))
		step_text(t, STEP_STORED, at, view_from(line, 3), true);
	else if (view_starts(line, VIEW("M| ")) || view_eq(line, VIEW("M|")))
		step_text(t, STEP_STORED, at, view_from(line, 3), false);
	else
		fail_at(t, at, "not a line of a dialogue", line, VIEW_EMPTY);
}

/* "!repeat N" ... "!done" is replaced by N copies; \# is the number of the copy. */
static void text_read(struct talk *t, struct view text, size_t at)
{
	while (text.n) {
		struct view line, count;

		text = view_cut(text, '\n', &line);
		at++;
		if (!view_starts(line, VIEW("!repeat "))) {
			line_read(t, at, line);
			continue;
		}
		count = view_from(line, 8);

		size_t end = view_find(text, VIEW("!done\n"));

		assert_int_not_equal(end, VIEW_NONE);
		for (int64_t n = number_of(count); n > 0; n--)
			text_read(t, view_head(text, end), at);
		text = view_from(text, end + 6);
	}
}

static void talk_load(struct talk *t, const char *name)
{
	struct buf CLEANUP(buf_done) path = BUF_INIT(4096);
	struct buf CLEANUP(buf_done) text = BUF_INIT(TALK_MAX);

	*t = (struct talk){ 0 };
	t->steps = calloc(STEPS_MAX, sizeof(*t->steps));
	assert_non_null(t->steps);
	buf_init(&t->settings, 4096);
	buf_addf(&path, "%s/tests/talk/smtp/%s", SOURCE_ROOT, name);
	t->path = view_to_cstr(view_str(name));

	FILE *f = fopen(buf_cstr(&path), "re");
	char room[4096];
	size_t n;

	assert_non_null(f);
	while ((n = fread(room, 1, sizeof(room), f)) > 0)
		buf_add(&text, view_of(room, n));
	fclose(f);
	assert_int_equal(buf_err(&text), OK);
	text_read(t, buf_view(&text), 0);
}

static void talk_free(struct talk *t)
{
	for (size_t i = 0; i < t->step_n; i++)
		buf_done(&t->steps[i].text);
	free(t->steps);
	free(t->path);
	buf_done(&t->settings);
}

/* Settings and answers. */

static enum smtp_verdict verdict_named(struct view name)
{
	static const struct {
		const char *name;
		enum smtp_verdict verdict;
	} names[] = {
		{ "ok", SMTP_V_OK },	       { "temp", SMTP_V_TEMP },
		{ "storage", SMTP_V_STORAGE }, { "spam", SMTP_V_SPAM },
		{ "virus", SMTP_V_VIRUS },     { "dmarc", SMTP_V_DMARC },
		{ "full", SMTP_V_RCPT_FULL },  { "busy", SMTP_V_BUSY },
		{ "too-big", SMTP_V_TOO_BIG }, { "policy", SMTP_V_POLICY },
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (view_eq(name, view_str(names[i].name)))
			return names[i].verdict;
	}
	print_error("unknown verdict " VIEW_FMT "\n", VIEW_ARG(name));
	fail();
	return SMTP_V_OK;
}

static void answer_set(struct drive *d, struct view text)
{
	struct view what;
	struct view args = view_cut(text, ' ', &what);

	if (view_eq(what, VIEW("begin"))) {
		d->begin = verdict_named(args);
	} else if (view_eq(what, VIEW("sink-full-after"))) {
		d->sink_full_after = (uint64_t)number_of(args);
	} else if (view_eq(what, VIEW("commit"))) {
		d->commit_n = 0;
		while (args.n) {
			struct view one;

			args = view_cut(args, ' ', &one);
			d->commit[d->commit_n++] =
				(struct smtp_result){ .verdict = verdict_named(one) };
		}
	} else if (view_eq(what, VIEW("commit-text"))) {
		d->commit[0].text = args; /* lives in the step */
	} else if (view_eq(what, VIEW("commit-held"))) {
		d->hold_commit = true;
	} else if (view_eq(what, VIEW("commit-now"))) {
		d->hold_commit = false;
	} else {
		fail_msg("unknown answer");
	}
}

#define NUMBER(field)                                                                              \
	{                                                                                          \
#field, offsetof(struct smtp_server_config, field),                                \
			sizeof(((struct smtp_server_config *)0)->field)                            \
	}

static const struct {
	const char *name;
	size_t offset, size;
} settings[] = {
	NUMBER(starttls),	    NUMBER(auth_without_tls),	  NUMBER(hide_client),
	NUMBER(chunking),	    NUMBER(binarymime),		  NUMBER(dsn),
	NUMBER(smtputf8),	    NUMBER(requiretls),		  NUMBER(deliverby),
	NUMBER(priority),	    NUMBER(future_max_s),	  NUMBER(strict_from),
	NUMBER(greeting_ms),	    NUMBER(bad_commands),	  NUMBER(bad_commands_auth),
	NUMBER(auth_tries),	    NUMBER(rcpt_per_message),	  NUMBER(mail_per_session),
	NUMBER(message_size),	    NUMBER(message_line),	  NUMBER(header_block),
	NUMBER(header_fields),	    NUMBER(received_hops),	  NUMBER(own_hops),
	NUMBER(data_rate_min),	    NUMBER(data_rate_ms),	  NUMBER(command_wait_ms),
	NUMBER(unknown_rcpt_delay), NUMBER(unknown_rcpt_close),	  NUMBER(session_time_ms),
	NUMBER(data_time_ms),	    NUMBER(unknown_rcpt_wait_ms), NUMBER(preauth_ms),
};

static void number_set(struct drive *d, struct view name, int64_t value)
{
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		char *at = (char *)&d->config + settings[i].offset;

		if (!view_eq(name, view_str(settings[i].name)))
			continue;
		if (settings[i].size == 1)
			*(bool *)at = value;
		else if (settings[i].size == 4)
			*(uint32_t *)at = (uint32_t)value;
		else
			*(uint64_t *)at = (uint64_t)value;
		return;
	}
	print_error("unknown setting " VIEW_FMT "\n", VIEW_ARG(name));
	fail();
}

static enum smtp_service service_of(const struct talk *t)
{
	struct view text = buf_view(&t->settings);

	if (view_find(text, VIEW("service submission\n")) != VIEW_NONE)
		return SMTP_SUBMISSION;
	return view_find(text, VIEW("service lmtp\n")) != VIEW_NONE ? SMTP_LMTP : SMTP_MX;
}

static void settings_apply(struct drive *d, const struct talk *t)
{
	struct view rest = buf_view(&t->settings);

	while (rest.n) {
		struct view line, name;

		rest = view_cut(rest, '\n', &line);

		struct view args = view_cut(line, ' ', &name);

		if (view_eq(name, VIEW("service")))
			continue;
		if (view_eq(name, VIEW("tls"))) {
			d->peer.tls = true;
			d->peer.tls_text = VIEW("TLSv1.3 with cipher TLS_AES_128_GCM_SHA256");
		} else if (view_eq(name, VIEW("known-client"))) {
			d->peer.no_greeting_wait = true;
		} else {
			number_set(d, name, number_of(args));
		}
	}
}

/* Running. */

static void feed(void *ctx, struct view piece)
{
	drive_feed(ctx, piece);
}

static const char *state_of(const struct drive *d)
{
	if (d->closed)
		return "closed";
	return d->handshake ? "handshake" : "open";
}

static void step_run(struct drive *d, const struct talk *t, const struct step *s,
		     const struct cutting *cut, size_t *block)
{
	struct view text = buf_view(&s->text);

	switch (s->kind) {
	case STEP_SEND: talk_feed(cut, text, (*block)++, feed, d); break;
	case STEP_EXPECT:
		if (!view_eq(buf_view(&d->replies), text))
			fail_at(t, s->line, "other replies", buf_view(&d->replies), text);
		buf_clear(&d->replies);
		break;
	case STEP_STORED:
		if (!d->stored_n)
			fail_at(t, s->line, "nothing stored", VIEW_EMPTY, text);
		if (!view_eq(drive_body(d, d->stored_n - 1), text))
			fail_at(t, s->line, "stored otherwise", drive_body(d, d->stored_n - 1),
				text);
		break;
	case STEP_WAIT: drive_wait(d, s->number); break;
	case STEP_EOF:
		smtp_session_eof(&d->session);
		drive_turn(d);
		break;
	case STEP_STOP:
		smtp_session_shutdown(&d->session);
		drive_turn(d);
		break;
	case STEP_SECURED: drive_secured(d); break;
	case STEP_STATE: {
		struct buf CLEANUP(buf_done) state = BUF_INIT(100);

		buf_addf(&state, "%s %zu", state_of(d), d->stored_n);
		if (!view_eq(buf_view(&state), text))
			fail_at(t, s->line, "other state", buf_view(&state), text);
		break;
	}
	case STEP_SET:
		answer_set(d, text);
		drive_turn(d);
		break;
	}
}

static void talk_run(const struct talk *t, const struct cutting *cut)
{
	struct drive *d = malloc(sizeof(*d));
	size_t block = 0;

	assert_non_null(d);
	drive_init(d, service_of(t));
	settings_apply(d, t);
	drive_start(d);
	for (size_t i = 0; i < t->step_n; i++)
		step_run(d, t, &t->steps[i], cut, &block);
	if (d->replies.n)
		fail_at(t, 0, "replies that nobody expected", buf_view(&d->replies), VIEW_EMPTY);
	drive_done(d);
	free(d);
}

static void talk_run_all(const struct talk *t)
{
	size_t block = 0;

	talk_run(t, &(struct cutting){ .block = SIZE_MAX });
	if (t->whole)
		return;
	talk_run(t, &(struct cutting){ .every = true, .block = SIZE_MAX });
	for (size_t i = 0; i < t->step_n; i++) {
		size_t n = t->steps[i].text.n;
		/* Long blocks (limits) are cut near both ends and at some places between. */
		size_t stride = n > 600 ? n / 97 : 1;

		if (t->steps[i].kind != STEP_SEND)
			continue;
		for (size_t at = 1; at<n; at += at> 40 && at + stride + 40 < n ? stride : 1)
			talk_run(t, &(struct cutting){ .block = block, .at = at });
		block++;
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void test_talks(void **state)
{
	struct buf CLEANUP(buf_done) path = BUF_INIT(4096);
	char *names[TALKS_MAX];
	size_t n = 0;

	buf_addf(&path, "%s/tests/talk/smtp", SOURCE_ROOT);

	DIR *dir = opendir(buf_cstr(&path));

	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir));) {
		if (!view_ends(view_str(e->d_name), VIEW(".talk")))
			continue;
		assert_true(n < TALKS_MAX);
		names[n++] = view_to_cstr(view_str(e->d_name));
	}
	closedir(dir);
	qsort(names, n, sizeof(names[0]), by_name);
	for (size_t i = 0; i < n; i++) {
		struct talk t;

		talk_load(&t, names[i]);
		talk_run_all(&t);
		talk_free(&t);
		free(names[i]);
	}
	print_message("%zu dialogues\n", n);
	assert_true(n >= 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_talks) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
