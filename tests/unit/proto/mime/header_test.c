/*
 * tests/unit/proto/mime/header_test.c: fields, ends of headers, limits.
 */
#include "proto/mime/header.h"

#include "base/buf.h"
#include "cuts.h"

static void test_fields(void **state)
{
	struct view text =
		VIEW("From: a\r\nSubject:b\r\n c\r\n\td\r\nX-Empty:\r\nx : y\r\n\r\nbody: z");
	struct mime_header_iter it = mime_header_iter_init(text);
	struct mime_field f;

	assert_true(mime_header_next(&it, &f));
	assert_view(f.name, "From");
	assert_view(f.value, " a");
	assert_view(f.raw, "From: a\r\n");
	assert_int_equal(f.at, 0);
	assert_true(mime_header_next(&it, &f));
	assert_view(f.name, "Subject");
	assert_view(f.value, "b\r\n c\r\n\td");
	assert_view(f.raw, "Subject:b\r\n c\r\n\td\r\n");
	assert_int_equal(f.at, 9);
	assert_true(mime_header_next(&it, &f));
	assert_view(f.value, "");
	assert_int_equal(it.flags, 0);
	assert_true(mime_header_next(&it, &f));
	assert_view(f.name, "x");
	assert_view(f.value, " y");
	assert_false(mime_header_next(&it, &f));
	assert_false(mime_header_next(&it, &f));
	assert_int_equal(it.flags, MIME_HEADER_SPACE_COLON);
	assert_view(view_from(text, it.at), "body: z");
	assert_int_equal(it.n, 4);
}

static void check_look(struct view text, unsigned flags, struct view body)
{
	struct mime_header_info info = mime_header_look(text);

	assert_int_equal(info.flags, flags);
	assert_true(view_eq(view_from(text, info.body_at), body));
}

static void test_look(void **state)
{
	check_look(VIEW(""), MIME_HEADER_UNENDED, VIEW(""));
	check_look(VIEW("A: 1"), MIME_HEADER_UNENDED, VIEW(""));
	check_look(VIEW("A: 1\r\n"), MIME_HEADER_UNENDED, VIEW(""));
	check_look(VIEW("A: 1\r\n\r\n"), 0, VIEW(""));
	check_look(VIEW("\r\nx"), 0, VIEW("x"));
	check_look(VIEW("A: 1\n\nx"), MIME_HEADER_BARE_LF, VIEW("x"));
	check_look(VIEW("A: 1\r\njunk\r\n\r\nx"), MIME_HEADER_JUNK, VIEW("junk\r\n\r\nx"));
	/* The separator line of a mailbox file, and what is none. */
	check_look(VIEW("From a@b Mon Jan 1\nA: 1\n\nx"), MIME_HEADER_MBOX | MIME_HEADER_BARE_LF,
		   VIEW("x"));
	check_look(VIEW(">From a@b\r\nA: 1\r\n\r\nx"), MIME_HEADER_MBOX, VIEW("x"));
	check_look(VIEW("From a@b\r\n"), MIME_HEADER_MBOX | MIME_HEADER_UNENDED, VIEW(""));
	check_look(VIEW("From a@b\r\n : x\r\n\r\n"), MIME_HEADER_JUNK,
		   VIEW("From a@b\r\n : x\r\n\r\n"));
	check_look(VIEW("From \r\nA: 1\r\n"), MIME_HEADER_JUNK, VIEW("From \r\nA: 1\r\n"));
	check_look(VIEW("from a\r\nA: 1\r\n"), MIME_HEADER_JUNK, VIEW("from a\r\nA: 1\r\n"));
	check_look(VIEW("A: 1\r\nFrom a\r\n"), MIME_HEADER_JUNK, VIEW("From a\r\n"));
	check_look(VIEW("A: 1\r\n: 2\r\n"), MIME_HEADER_JUNK, VIEW(": 2\r\n"));
	check_look(VIEW(" A: 1\r\n\r\nx"), MIME_HEADER_JUNK | MIME_HEADER_FOLD_FIRST,
		   VIEW(" A: 1\r\n\r\nx"));
	check_look(VIEW("From\r\n : a\r\n\r\n"), MIME_HEADER_JUNK, VIEW("From\r\n : a\r\n\r\n"));
	check_look(VIEW("FROM\t: a\r\n\r\n"), MIME_HEADER_SPACE_COLON, VIEW(""));
	check_look(VIEW("A: 1\r\n \t\r\n\r\n"), MIME_HEADER_BLANK_FOLD, VIEW(""));
	check_look(VIEW("A: \0\r\n\r\n"), MIME_HEADER_NUL, VIEW(""));
	check_look(VIEW("A\0: x\r\n\r\n"), MIME_HEADER_JUNK, VIEW("A\0: x\r\n\r\n"));
	check_look(VIEW("A: x\ry\r\n\r\n"), MIME_HEADER_BARE_CR, VIEW(""));
	check_look(VIEW("A: x\r\r\n\r\n"), MIME_HEADER_BARE_CR, VIEW(""));
	check_look(VIEW("A: \xc3\xa4\r\n\r\n"), MIME_HEADER_8BIT, VIEW(""));
	check_look(VIEW("A: \xe4\r\n\r\n"), MIME_HEADER_NOT_UTF8, VIEW(""));
	check_look(VIEW("\xc3\xa4: x\r\n\r\n"), MIME_HEADER_JUNK, VIEW("\xc3\xa4: x\r\n\r\n"));
}

static void add_fields(struct buf *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_add(out, VIEW("A: 1\r\n"));
}

static void test_limits(void **state)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(16 * 1024 * 1024);
	struct mime_header_info info = { .fields = CANARY };

	add_fields(&text, MIME_HEADER_FIELDS_MAX);
	buf_add(&text, VIEW("\r\n"));
	assert_int_equal(mime_header_check(buf_view(&text), &info), OK);
	assert_int_equal(info.fields, MIME_HEADER_FIELDS_MAX);

	info.fields = CANARY;
	buf_clear(&text);
	add_fields(&text, MIME_HEADER_FIELDS_MAX + 1);
	buf_add(&text, VIEW("\r\n"));
	assert_int_equal(mime_header_check(buf_view(&text), &info), ERR_LIMIT);
	assert_int_equal(info.fields, CANARY);
	assert_int_equal(mime_header_look(buf_view(&text)).fields, MIME_HEADER_FIELDS_MAX + 1);

	for (size_t past = 0; past <= 1; past++) {
		buf_clear(&text);
		buf_add(&text, VIEW("A: "));
		buf_add_fill(&text, 'x', MIME_HEADER_BLOCK_MAX - 7 + past);
		buf_add(&text, VIEW("\r\n\r\n"));
		buf_add_fill(&text, 'y', 1000);
		assert_int_equal(mime_header_check(buf_view(&text), NULL), past ? ERR_LIMIT : OK);
	}

	/* THREATS 2.13: 500 000 To fields are read in linear time. */
	buf_clear(&text);
	for (size_t i = 0; i < 500000; i++)
		buf_add(&text, VIEW("To: x\r\n"));
	buf_add(&text, VIEW("\r\n"));
	assert_int_equal(mime_header_count(buf_view(&text), VIEW("to")), 500000);
}

static void test_find(void **state)
{
	struct view text = VIEW("A: 1\r\nb: 2\r\na: 3\r\n\r\nA: 4\r\n");
	struct mime_field f = { .at = CANARY };

	assert_true(mime_header_find(text, VIEW("a"), 0, &f));
	assert_view(f.value, " 1");
	assert_true(mime_header_find(text, VIEW("A"), 1, &f));
	assert_view(f.value, " 3");
	f.at = CANARY;
	assert_false(mime_header_find(text, VIEW("A"), 2, &f));
	assert_false(mime_header_find(text, VIEW("AA"), 0, &f));
	assert_int_equal(f.at, CANARY);
	assert_int_equal(mime_header_count(text, VIEW("A")), 2);
	assert_int_equal(mime_header_count(text, VIEW("C")), 0);
}

static void check_unfold(struct view value, struct view want)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(1000);

	mime_unfold(&out, value);
	assert_true(view_eq(buf_view(&out), want));
}

static void test_unfold(void **state)
{
	check_unfold(VIEW(""), VIEW(""));
	check_unfold(VIEW(" a\r\n b\n\tc "), VIEW("a b\tc"));
	check_unfold(VIEW("\r\n a"), VIEW("a"));
	check_unfold(VIEW("a\rb"), VIEW("a\rb"));
	check_unfold(VIEW("a \r\n b"), VIEW("a  b"));
	assert_true(mime_is_folded(VIEW("a\n b")));
	assert_false(mime_is_folded(VIEW("a b")));
}

/* Every head of a header, and the header at every start: fields stay inside, all bytes are
 * covered. */
static void test_every_cut(void **state)
{
	struct view text = VIEW("From: a\r\nS:b\n c\r\n\r\nx\r\n\r\n: y\rA:\0\n \n\nB");

	for (struct cuts c = cuts_parts(text); cuts_next(&c);) {
		struct mime_header_iter it = mime_header_iter_init(c.piece);
		struct mime_field f;
		size_t at = mime_mbox_line(c.piece);

		while (mime_header_next(&it, &f)) {
			assert_int_equal(f.at, at);
			assert_ptr_equal(f.raw.p, c.piece.p + at);
			at += f.raw.n;
		}
		assert_true(it.at >= at && it.at <= c.piece.n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields), cmocka_unit_test(test_look),
		cmocka_unit_test(test_limits), cmocka_unit_test(test_find),
		cmocka_unit_test(test_unfold), cmocka_unit_test(test_every_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
