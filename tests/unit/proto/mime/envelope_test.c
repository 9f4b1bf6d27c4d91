/*
 * tests/unit/proto/mime/envelope_test.c: envelopes, message ids, base subjects.
 */
#include "proto/mime/envelope.h"

#include "base/buf.h"
#include "unit.h"

static void test_envelope(void **state)
{
	struct arena arena;
	struct mime_envelope e;
	struct view text = VIEW("Date: Mon, 7 Feb 1994 21:52:25 -0800 (PST)\r\n"
				"From: Terry <gray@x.test>\r\n"
				"Subject: IMAP4rev2\r\n WG\r\n"
				"To: a@y.test\r\nTO: b@y.test, c@y.test\r\n"
				"cc: minutes@z.test, \"K\" <k@z.test>\r\n"
				"Reply-To:\r\n"
				"Message-Id: <B1@x.test>\r\n"
				"Subject: second\r\n"
				"References: <a@b>\r\n <c@d>\r\n"
				"\r\nBcc: body@x.test\r\n");

	arena_init(&arena, MIME_ENVELOPE_ARENA_MAX);
	assert_int_equal(mime_envelope_parse(&arena, text, &e), OK);
	assert_view(e.date, "Mon, 7 Feb 1994 21:52:25 -0800 (PST)");
	assert_true(e.date_valid);
	assert_true(e.date_seconds == 760686745);
	assert_int_equal(e.date_zone, -480);
	assert_view(e.subject, "IMAP4rev2 WG");
	assert_view(e.message_id, "<B1@x.test>");
	assert_view(e.references, "<a@b> <c@d>");
	assert_null(e.in_reply_to.p);
	assert_int_equal(e.from.n, 1);
	assert_view(e.from.at[0].name, "Terry");
	assert_int_equal(e.to.n, 3);
	assert_view(e.to.at[2].mailbox, "c");
	assert_int_equal(e.cc.n, 2);
	assert_int_equal(e.bcc.n, 0);
	assert_false(e.has_bcc);
	assert_true(e.has_reply_to);
	assert_ptr_equal(mime_envelope_reply_to(&e), &e.from);
	assert_ptr_equal(mime_envelope_sender(&e), &e.from);
	arena_done(&arena);

	assert_int_equal(
		mime_envelope_parse(&arena, VIEW("Sender: s@t\r\nDate: never\r\nSubject:\r\n"), &e),
		OK);
	assert_ptr_equal(mime_envelope_sender(&e), &e.sender);
	assert_false(e.date_valid);
	assert_true(e.date_seconds == 0);
	assert_non_null(e.subject.p);
	assert_int_equal(e.subject.n, 0);
	assert_int_equal(mime_envelope_parse(&arena, VIEW(""), &e), OK);
	assert_null(e.subject.p);
	arena_done(&arena);
}

/* The promised arena holds the worst header; 500 000 fields of one name are one capped list. */
static void test_large(void **state)
{
	static const char *const names[] = { "From", "Sender", "Reply-To", "To", "Cc", "Bcc" };
	struct buf CLEANUP(buf_done) text = BUF_INIT(64 * 1024 * 1024);
	struct arena arena;
	struct mime_envelope e;

	arena_init(&arena, MIME_ENVELOPE_ARENA_MAX);
	for (size_t i = 0; i < 500000; i++)
		buf_add(&text, VIEW("To: x@y\r\n"));
	assert_int_equal(mime_envelope_parse(&arena, buf_view(&text), &e), OK);
	assert_int_equal(e.to.n, ADDRESS_LIST_MAX);
	assert_int_equal(e.to.odd, ADDRESS_ODD_MANY);
	arena_done(&arena);

	buf_clear(&text);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		buf_addf(&text, "%s: x", names[i]);
		for (size_t k = 0; k < 12000; k++)
			buf_add(&text, VIEW("\r\n \"a\\b\" \"\\c\"<\"d\\e\"@f . g>,"));
		buf_add(&text, VIEW("\r\n"));
	}
	assert_int_equal(mime_envelope_parse(&arena, buf_view(&text), &e), OK);
	assert_int_equal(e.bcc.n, ADDRESS_LIST_MAX);
	arena_done(&arena);
}

static void test_memory(void **state)
{
	struct view text = VIEW("From: A\r\n B <a@b>\r\nTo: c . d@e\r\nSubject: a\r\n b\r\n\r\n");

	for (size_t max = 0; max < 2048; max += 16) {
		struct arena arena;
		struct mime_envelope e = { .date_seconds = (int64_t)CANARY };

		arena_init(&arena, max);

		enum err err = mime_envelope_parse(&arena, text, &e);

		assert_true(err == OK || (err == ERR_NOMEM && e.date_seconds == (int64_t)CANARY));
		arena_done(&arena);
	}
}

static void check_ids(struct view list, struct view want)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(1000);
	struct view id;
	size_t at = 0;

	while (mime_id_next(list, &at, &id)) {
		buf_add(&out, id);
		buf_add_char(&out, ';');
	}
	assert_true(view_eq(buf_view(&out), want));
}

static void test_ids(void **state)
{
	check_ids(VIEW(""), VIEW(""));
	check_ids(VIEW("<a@b>"), VIEW("a@b;"));
	check_ids(VIEW("<a@b><c@d> (x <n@o>) , <e@f>"), VIEW("a@b;c@d;e@f;"));
	check_ids(VIEW("Your message of Monday <a@b> text"), VIEW("a@b;"));
	check_ids(VIEW("<a b@c> <d@e"), VIEW(""));
	check_ids(VIEW("<> <a <b@c>"), VIEW("b@c;"));
	check_ids(VIEW("a@b > <c>"), VIEW("c;"));
	check_ids(VIEW("<a\0b> <(x)@y>"), VIEW("(x)@y;"));
}

static void check_base(struct view subject, struct view want, bool reply)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(1000);
	bool ret_reply = !reply;

	mime_subject_base(&out, subject, NULL, &ret_reply);
	assert_int_equal(buf_err(&out), OK);
	if (!view_eq(buf_view(&out), want))
		print_error("\"" VIEW_FMT "\" gives \"" VIEW_FMT "\"\n", VIEW_ARG(subject),
			    VIEW_ARG(buf_view(&out)));
	assert_true(view_eq(buf_view(&out), want));
	assert_int_equal(ret_reply, reply);
}

#define base(subject, want, reply) check_base(VIEW(subject), VIEW(want), (reply))

/* RFC 5256#2.1 */
static void test_subject(void **state)
{
	base("", "", false);
	base("Hello", "Hello", false);
	base("Re: Hello", "Hello", true);
	base("RE: re : fwd: FW: Hello", "Hello", true);
	base("Re[2]: Hello", "Hello", true);
	base("Re [2] : Hello", "Hello", true);
	base("Reply", "Reply", false);
	base("Re Hello", "Re Hello", false);
	base("Hello (fwd)", "Hello", true);
	base("Hello (fwd) (FWD) ", "Hello", true);
	base("[list] Hello", "Hello", false);
	base("[list] Re: [list] Hello", "Hello", true);
	base("Re: [list] Re: Hello", "Hello", true);
	base("[a][b] Hello", "Hello", false);
	base("[a] [b]", "[b]", false);
	base("[a]", "[a]", false);
	base("[a] x [b]", "x [b]", false);
	base("[a[b] x", "[a[b] x", false);
	base("[fwd: Hello]", "Hello", true);
	base("[Fwd: [fwd: Re: Hello (fwd)]]", "Hello", true);
	base("Re: [fwd: Hello]", "Hello", true);
	base("Re:", "", true);
	base("(fwd)", "", true);
	base("a \t b\r\n  c", "a b c", false);
	base("=?utf-8?q?Re=3A_?= =?utf-8?q?=C3=A4?=", "\xc3\xa4", true);
	base("Re: =?iso-8859-1?q?=E4?= x", "\xc3\xa4 x", true);
}

static void test_subject_linear(void **state)
{
	static const char *const pieces[] = { "[a]",   "[fwd:", "re:",	  "[",
					      "(fwd)", "re[a]", "[a] re", "]" };
	struct buf CLEANUP(buf_done) text = BUF_INIT(4 * 1024 * 1024);

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		struct buf CLEANUP(buf_done) out = BUF_INIT(4 * 1024 * 1024);

		buf_clear(&text);
		while (text.n < 1000000)
			buf_add_str(&text, pieces[i]);
		mime_subject_base(&out, buf_view(&text), NULL, NULL);
		assert_int_equal(buf_err(&out), OK);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_envelope), cmocka_unit_test(test_large),
		cmocka_unit_test(test_memory),	 cmocka_unit_test(test_ids),
		cmocka_unit_test(test_subject),	 cmocka_unit_test(test_subject_linear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
