/*
 * tests/unit/proto/mime/address_list_test.c: lists as ENVELOPE shows them, what is odd, and who
 * wrote.
 *
 * A list is compared in the form  name|route|mailbox|host;  with - for what is absent, G{name  and
 *  } for groups.
 */
#include "proto/mime/address_list.h"

#include "cuts.h"

static void add_text(struct buf *out, struct view v)
{
	if (v.p)
		buf_add(out, v);
	else
		buf_add_char(out, '-');
}

static void dump(struct buf *out, const struct address_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct address_entry *e = &list->at[i];

		if (e->kind == ADDRESS_GROUP_END) {
			buf_add_char(out, '}');
			continue;
		}
		if (e->kind == ADDRESS_GROUP_START) {
			buf_add(out, VIEW("G{"));
			add_text(out, e->name);
			buf_add_char(out, ';');
			continue;
		}
		add_text(out, e->name);
		buf_add_char(out, '|');
		add_text(out, e->route);
		buf_add_char(out, '|');
		add_text(out, e->mailbox);
		buf_add_char(out, '|');
		add_text(out, e->host);
		buf_add_char(out, ';');
	}
}

static void check(struct view value, struct view want, unsigned odd)
{
	struct arena arena;
	struct address_list list = { .n = CANARY };
	struct buf CLEANUP(buf_done) out = BUF_INIT(1000000);
	char *copy = tight_copy(value);

	arena_init(&arena, 8 * 1024 * 1024);
	assert_int_equal(address_list_parse(&arena, view_of(copy, value.n), &list), OK);
	dump(&out, &list);
	if (!view_eq(buf_view(&out), want))
		print_error("\"" VIEW_FMT "\" gives \"" VIEW_FMT "\"\n", VIEW_ARG(value),
			    VIEW_ARG(buf_view(&out)));
	assert_true(view_eq(buf_view(&out), want));
	if (list.odd != odd)
		print_error("\"" VIEW_FMT "\": odd %x, not %x\n", VIEW_ARG(value), list.odd, odd);
	assert_int_equal(list.odd, odd);
	arena_done(&arena);
	free(copy);
}

#define list_is(text, want, odd) check(VIEW(text), VIEW(want), (odd))

static void test_plain(void **state)
{
	list_is("", "", 0);
	list_is(" a@b", "-|-|a|b;", 0);
	list_is("<a@b>", "-|-|a|b;", 0);
	list_is("A B <a@b>", "A B|-|a|b;", 0);
	list_is("A  B\r\n C<a@b>", "A B C|-|a|b;", 0);
	list_is("\"A, B\" <a@b>", "A, B|-|a|b;", 0);
	list_is("\"A \\\"x\\\"\" <a@b>", "A \"x\"|-|a|b;", 0);
	list_is("J. Q. Doe <a@b>", "J. Q. Doe|-|a|b;", 0);
	list_is("=?utf-8?q?=C3=A4?= <a@b>", "=?utf-8?q?=C3=A4?=|-|a|b;", 0);
	list_is("a@b, c@d ,\r\n\te <f@g>", "-|-|a|b;-|-|c|d;e|-|f|g;", 0);
	list_is("\"a b\"@c", "-|-|a b|c;", 0);
	list_is("\"\" <a@b>", "|-|a|b;", 0);
	list_is("a@[192.0.2.1]", "-|-|a|[192.0.2.1];", 0);
	list_is("\xc3\xa4 <a@b>", "\xc3\xa4|-|a|b;", 0);
}

static void test_comments(void **state)
{
	list_is("a@b (Name)", "Name|-|a|b;", ADDRESS_ODD_COMMENT);
	list_is("(x) a@b (Na (me) \\) x)", "Na (me) ) x|-|a|b;", ADDRESS_ODD_COMMENT);
	list_is("N (c) <a@b> (d)", "N|-|a|b;", ADDRESS_ODD_COMMENT);
	list_is("(nobody)", "", ADDRESS_ODD_COMMENT);
	list_is("a(c)@b", "c|-|a|b;", ADDRESS_ODD_COMMENT | ADDRESS_ODD_SPACE);
	list_is("a@b(c).d", "c|-|a|b.d;", ADDRESS_ODD_COMMENT | ADDRESS_ODD_SPACE);
}

static void test_groups(void **state)
{
	list_is("G: a@b, C <d@e>;", "G{G;-|-|a|b;C|-|d|e;}", ADDRESS_ODD_GROUP);
	list_is("undisclosed:;", "G{undisclosed;}", ADDRESS_ODD_GROUP);
	list_is("A B: ; , c@d", "G{A B;}-|-|c|d;", ADDRESS_ODD_GROUP);
	list_is("x@y, G:a@b;, c@d", "-|-|x|y;G{G;-|-|a|b;}-|-|c|d;", ADDRESS_ODD_GROUP);
	list_is("G: a@b", "G{G;-|-|a|b;}", ADDRESS_ODD_GROUP | ADDRESS_ODD_UNENDED);
	list_is("G: H: a@b;", "G{G;-|-|a|b;}", ADDRESS_ODD_GROUP | ADDRESS_ODD_JUNK);
	list_is(":;", "", ADDRESS_ODD_JUNK);
}

static void test_obsolete(void **state)
{
	list_is("<@r1,@r2:a@b>", "-|@r1,@r2|a|b;", ADDRESS_ODD_ROUTE);
	list_is("a . b @ c . d", "-|-|a.b|c.d;", ADDRESS_ODD_SPACE);
	list_is(",a@b,,c@d,", "-|-|a|b;-|-|c|d;", ADDRESS_ODD_EMPTY);
	list_is("\"a\".\"b\"@c", "-|-|a.b|c;", 0);
	list_is("a@b; c@d", "-|-|a|b;-|-|c|d;", ADDRESS_ODD_JUNK);
}

static void test_odd(void **state)
{
	list_is("a", "-|-|a|-;", ADDRESS_ODD_NO_DOMAIN);
	list_is("a b", "-|-|a b|-;", ADDRESS_ODD_NO_DOMAIN);
	list_is("a@", "-|-|a|-;", ADDRESS_ODD_NO_DOMAIN);
	list_is("N <>", "N|-|-|-;", ADDRESS_ODD_NO_LOCAL);
	list_is("<@h>", "-|-|-|h;", ADDRESS_ODD_NO_LOCAL);
	list_is("@h", "-|-|-|h;", ADDRESS_ODD_NO_LOCAL);
	list_is("<a>", "-|-|a|-;", ADDRESS_ODD_NO_DOMAIN);
	list_is("N <a@b", "N|-|a|b;", ADDRESS_ODD_UNENDED);
	list_is("N <a@b, c@d", "N|-|a|b;-|-|c|d;", ADDRESS_ODD_UNENDED);
	list_is("\"N <a@b>", "-|-|N <a@b>|-;", ADDRESS_ODD_UNENDED | ADDRESS_ODD_NO_DOMAIN);
	list_is("a@b@c", "-|-|a|b;", ADDRESS_ODD_JUNK);
	list_is("<a@b> <c@d>", "-|-|a|b;-|-|c|d;", ADDRESS_ODD_AFTER_ANGLE);
	list_is("a@b <c@d>", "a@b|-|c|d;", ADDRESS_ODD_JUNK | ADDRESS_ODD_NAME_ADDRESS);
	list_is("\"a@b\" <c@d>", "a@b|-|c|d;", ADDRESS_ODD_NAME_ADDRESS);
	list_is("A B c@d", "A B|-|c|d;", ADDRESS_ODD_JUNK);
	list_is("a@b..c", "-|-|a|b..c;", ADDRESS_ODD_SPEC);
	list_is("a..b@c", "-|-|a..b|c;", ADDRESS_ODD_SPEC);
	list_is("\"a..b\"@c", "-|-|a..b|c;", 0);
	list_is("\xc3\xa4@b", "-|-|\xc3\xa4|b;", ADDRESS_ODD_8BIT);
	list_is("\xe4@b", "-|-|\xe4|b;", ADDRESS_ODD_8BIT | ADDRESS_ODD_SPEC);
	list_is("a\0@b", "-|-|a\0|b;", ADDRESS_ODD_CONTROL | ADDRESS_ODD_SPEC);
	list_is("a@b\x7f", "-|-|a|b\x7f;", ADDRESS_ODD_CONTROL | ADDRESS_ODD_SPEC);
	list_is("a@[1.2", "-|-|a|[1.2;", ADDRESS_ODD_UNENDED | ADDRESS_ODD_SPEC);
	list_is("a]b <c@d>", "a]b|-|c|d;", ADDRESS_ODD_JUNK);
	list_is(">", "", ADDRESS_ODD_JUNK);
	list_is("<<a@b>>", "-|-|-|-;-|-|a|b;",
		ADDRESS_ODD_NO_LOCAL | ADDRESS_ODD_UNENDED | ADDRESS_ODD_AFTER_ANGLE);
}

static void test_limits(void **state)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(16 * 1024 * 1024);
	struct arena arena;
	struct address_list list;

	arena_init(&arena, 32 * 1024 * 1024);
	for (size_t i = 0; i < ADDRESS_LIST_MAX; i++)
		buf_add(&text, VIEW("a@b,"));
	assert_int_equal(address_list_parse(&arena, buf_view(&text), &list), OK);
	assert_int_equal(list.n, ADDRESS_LIST_MAX);
	assert_int_equal(list.odd & ADDRESS_ODD_MANY, 0);
	buf_add(&text, VIEW("a@b"));
	assert_int_equal(address_list_parse(&arena, buf_view(&text), &list), OK);
	assert_int_equal(list.n, ADDRESS_LIST_MAX);
	assert_int_equal(list.odd & ADDRESS_ODD_MANY, ADDRESS_ODD_MANY);

	for (size_t past = 0; past <= 1; past++) {
		buf_clear(&text);
		buf_add_fill(&text, '(', ADDRESS_COMMENT_DEPTH_MAX + past);
		buf_add_fill(&text, ')', ADDRESS_COMMENT_DEPTH_MAX + past);
		assert_int_equal(address_list_parse(&arena, buf_view(&text), &list), OK);
		assert_int_equal(list.odd & ADDRESS_ODD_DEPTH, past ? ADDRESS_ODD_DEPTH : 0);

		buf_clear(&text);
		buf_add_fill(&text, ' ', ADDRESS_LIST_TEXT_MAX - 3 + past);
		buf_add(&text, VIEW("a@b"));
		assert_int_equal(address_list_parse(&arena, buf_view(&text), &list), OK);
		assert_int_equal(list.odd & ADDRESS_ODD_MANY, past ? ADDRESS_ODD_MANY : 0);
	}
	arena_done(&arena);
}

/* Texts that would be slow if any step looked back. */
static void test_linear(void **state)
{
	static const char *const pieces[] = { "(",  "\"",  "<",	   "@",	  "a ",	 "a@", "a.",
					      "a<", "<@",  ",",	   ";",	  ":",	 "a:", "[",
					      "\\", "(\\", "\"\\", "a@[", "() ", ">" };
	struct buf CLEANUP(buf_done) text = BUF_INIT(4 * 1024 * 1024);

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		struct arena arena;
		struct address_list list;

		arena_init(&arena, 32 * 1024 * 1024);
		buf_clear(&text);
		while (text.n < 1000000)
			buf_add_str(&text, pieces[i]);
		assert_int_equal(address_list_parse(&arena, buf_view(&text), &list), OK);
		arena_done(&arena);
	}
}

static void test_every_cut(void **state)
{
	struct view text = VIEW(
		"A (c(d)) \"q\\\"\" . b <@r,@s:\"l\".m@[1.2] (x)>, g: u@v w, \xc3\xa4@z;\r\n t");

	for (struct cuts c = cuts_parts(text); cuts_next(&c);) {
		struct arena arena;
		struct address_list list;
		size_t open = 0;

		arena_init(&arena, 1024 * 1024);
		assert_int_equal(address_list_parse(&arena, c.piece, &list), OK);
		for (size_t i = 0; i < list.n; i++) {
			if (list.at[i].kind == ADDRESS_GROUP_START)
				open++;
			if (list.at[i].kind == ADDRESS_GROUP_END)
				open--;
			assert_true(open <= 1);
		}
		assert_int_equal(open, 0);
		arena_done(&arena);
	}
}

static void test_memory(void **state)
{
	struct view text = VIEW("A\r\n B <a@b>, \"x\\\"\" <c@d>, e . f@g");

	for (size_t max = 0; max < 2048; max += 16) {
		struct arena arena;
		struct address_list list = { .n = CANARY };

		arena_init(&arena, max);

		enum err err = address_list_parse(&arena, text, &list);

		assert_true(err == OK || (err == ERR_NOMEM && list.n == CANARY));
		arena_done(&arena);
	}
}

static void check_authors(struct view header, unsigned options, enum err err, size_t n)
{
	struct mime_authors authors = { .n = CANARY };
	const char *why = "canary";

	if (mime_authors_parse(header, options, &authors, &why) != err)
		print_error("\"" VIEW_FMT "\": %s\n", VIEW_ARG(header), why ? why : "taken");
	assert_int_equal(mime_authors_parse(header, options, &authors, &why), err);
	assert_true(authors.n == (err ? CANARY : n));
	assert_int_equal(why != NULL, err != OK);
}

#define refused(text)  check_authors(VIEW(text), ADDRESS_UTF8, ERR_SYNTAX, 0)
#define taken(text, n) check_authors(VIEW(text), 0, OK, (n))

/* THREATS 2.6 */
static void test_authors(void **state)
{
	taken("From: a@victim.test\r\n\r\n", 1);
	taken("To: x@y\r\nfrom:\r\n \"A, B\" <a@victim.test>\r\n\r\n", 1);
	taken("From x@y.test Mon\r\nFrom: a@victim.test\r\n\r\n", 1);
	refused("From a@victim.test\r\nTo: x@y\r\n\r\n");
	refused("From x\r\n : a@victim.test\r\nFrom: b@evil.test\r\n\r\n");
	taken("From: a@victim.test (A)\r\n\r\n", 1);
	taken("From: a@victim.test,<b@evil.test>\r\n\r\n", 2);
	taken("From: \"x@y.test\" <a@victim.test>\r\n\r\n", 1);
	refused("From: a@victim.test\r\nFrom: a@victim.test\r\n\r\n");
	refused("From: a@victim.test\r\nFrom: b@victim.test\r\n\r\n");
	refused("From: a@victim.test\r\nFrom:\r\n b@victim.test\r\n\r\n");
	refused(" From: a@victim.test\r\n\r\n");
	refused(" From: a@victim.test\r\nFrom: b@evil.test\r\n\r\n");
	refused("From : a@victim.test\r\n\r\n");
	refused("From\r\n : a@victim.test\r\n\r\n");
	refused("From: b@evil.test\r\nFrom\r\n : a@victim.test\r\n\r\n");
	refused("From: b@evil.test\r\nFrom \r\n : a@victim.test\r\n\r\n");
	refused("From: b@evil.test\r\nFrom\0: a@victim.test\r\n\r\n");
	refused("FROM\t: a@victim.test\r\n\r\n");
	refused("Sender: a@victim.test\r\n\r\n");
	refused("Resent-From: a@victim.test\r\n\r\n");
	refused("From:\r\n\r\n");
	refused("From: \r\n\r\n");
	refused("From: (a@victim.test)\r\n\r\n");
	refused("From: undisclosed:;\r\n\r\n");
	refused("From: G: a@victim.test;\r\n\r\n");
	refused("From: <@evil.test:a@victim.test>\r\n\r\n");
	refused("From: \"a@victim.test\" b@evil.test\r\n\r\n");
	refused("From: a@victim.test <b@evil.test>\r\n\r\n");
	refused("From: <a@victim.test>x@evil.test\r\n\r\n");
	refused("From: <a@victim.test> <b@evil.test>\r\n\r\n");
	refused("From: =?utf-8?q?a=40victim.test?=\r\n\r\n");
	refused("From: a@victim.test(b@evil.test\r\n\r\n");
	refused("From: <a@victim.test\r\n\r\n");
	refused("From: ,a@victim.test\r\n\r\n");
	taken("From: a@victim.test,\r\n\r\n", 1);
	refused("From: a@victim.test;b@evil.test\r\n\r\n");
	refused("From: a @ victim.test\r\n\r\n");
	refused("From: a@victim.test@evil.test\r\n\r\n");
	refused("From: a\0@victim.test\r\n\r\n");
	refused("From: a@victim.test\0.evil.test\r\n\r\n");
	refused("From: a\x7f@victim.test\r\n\r\n");
	refused("From: a@victim.test\x7f\r\n\r\n");
	refused("From: a\rb@victim.test\r\n\r\n");
	refused("From: a\xe4@victim.test\r\n\r\n");
	refused("From: a@vic\xff.test\r\n\r\n");
	refused("From: a@victim.test\xef\xbc\xa0"
		"evil.test\r\n\r\n");
	refused("From: a@[victim\r\n\r\n");
	refused("From: a..b@victim.test\r\n\r\n");
	check_authors(VIEW("From: \xc3\xa4@victim.test\r\n\r\n"), 0, ERR_SYNTAX, 0);
	check_authors(VIEW("From: \xc3\xa4@victim.test\r\n\r\n"), ADDRESS_UTF8, OK, 1);
}

static void test_authors_limit(void **state)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(10000);

	buf_add(&text, VIEW("From: a@b"));
	for (size_t i = 1; i < MIME_AUTHORS_MAX; i++)
		buf_add(&text, VIEW(", a@b"));
	check_authors(buf_view(&text), 0, OK, MIME_AUTHORS_MAX);
	buf_add(&text, VIEW(", a@b"));
	check_authors(buf_view(&text), 0, ERR_LIMIT, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),	      cmocka_unit_test(test_comments),
		cmocka_unit_test(test_groups),	      cmocka_unit_test(test_obsolete),
		cmocka_unit_test(test_odd),	      cmocka_unit_test(test_limits),
		cmocka_unit_test(test_linear),	      cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_memory),	      cmocka_unit_test(test_authors),
		cmocka_unit_test(test_authors_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
