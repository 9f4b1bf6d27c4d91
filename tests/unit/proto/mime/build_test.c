/*
 * tests/unit/proto/mime/build_test.c: what is written is what is read, and no value becomes a line.
 */
#include "proto/mime/build.h"

#include "proto/mime/encoded_word.h"
#include "proto/mime/header.h"
#include "unit.h"

/* One field, ended by CRLF, in lines that mail allows. */
static void check_lines(struct view field)
{
	struct mime_header_info info;

	assert_true(view_ends(field, VIEW("\r\n")));
	info = mime_header_look(field);
	assert_int_equal(info.fields, 1);
	assert_int_equal(info.body_at, field.n);
	assert_int_equal(info.flags & ~(unsigned)(MIME_HEADER_UNENDED | MIME_HEADER_8BIT), 0);
	for (struct view rest = field, line; rest.n;) {
		rest = view_cut(rest, '\n', &line);
		assert_true(line.n <= MIME_LINE_HARD + 1);
	}
}

static void check_field(struct view name, struct view value, enum err err, struct view want)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(100000);

	buf_add(&out, VIEW("x"));
	assert_int_equal(mime_add_field(&out, name, value), err);
	if (want.p && !view_eq(view_from(buf_view(&out), 1), want))
		print_error("gives \"" VIEW_FMT "\"\n", VIEW_ARG(buf_view(&out)));
	if (want.p)
		assert_true(view_eq(view_from(buf_view(&out), 1), want));
	if (err)
		assert_int_equal(out.n, 1);
	else
		check_lines(view_from(buf_view(&out), 1));
}

static void test_field(void **state)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(10000);

	check_field(VIEW("A"), VIEW("b c"), OK, VIEW("A: b c\r\n"));
	check_field(VIEW("A"), VIEW(""), OK, VIEW("A: \r\n"));
	check_field(VIEW("A"),
		    VIEW("0123456789012345678901234567890123456789 012345678901234567890123456789 "
			 "0123456789"),
		    OK,
		    VIEW("A: 0123456789012345678901234567890123456789 "
			 "012345678901234567890123456789\r\n"
			 " 0123456789\r\n"));
	check_field(VIEW(""), VIEW("b"), ERR_SYNTAX, VIEW(""));
	check_field(VIEW("A:"), VIEW("b"), ERR_SYNTAX, VIEW(""));
	check_field(VIEW("A B"), VIEW("b"), ERR_SYNTAX, VIEW(""));
	check_field(VIEW("A\r\nB"), VIEW("b"), ERR_SYNTAX, VIEW(""));
	check_field(VIEW("\xc3\xa4"), VIEW("b"), ERR_SYNTAX, VIEW(""));
	/* THREATS 2.8 */
	check_field(VIEW("A"), VIEW("x\r\nRCPT TO:<w@evil.test>"), ERR_SYNTAX, VIEW(""));
	check_field(VIEW("A"), VIEW("x\ny"), ERR_SYNTAX, VIEW(""));
	check_field(VIEW("A"), VIEW("x\ry"), ERR_SYNTAX, VIEW(""));
	check_field(VIEW("A"), VIEW("x\0y"), ERR_SYNTAX, VIEW(""));
	check_field(VIEW("A"), VIEW("x%0d%0ay+0D+0A"), OK, VIEW("A: x%0d%0ay+0D+0A\r\n"));
	/* The longest word, and one octet more. */
	buf_add_fill(&text, 'x', MIME_LINE_HARD - 3);
	check_field(VIEW("A"), buf_view(&text), OK, VIEW_EMPTY);
	buf_add_char(&text, 'x');
	check_field(VIEW("A"), buf_view(&text), ERR_LIMIT, VIEW(""));
	/* Blanks alone never make a line. */
	buf_clear(&text);
	buf_add(&text, VIEW("x"));
	buf_add_fill(&text, ' ', 200);
	check_field(VIEW("A"), buf_view(&text), OK, VIEW_EMPTY);
}

static void test_text_field(void **state)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(100000);

	assert_int_equal(mime_add_text_field(&out, VIEW("Subject"), VIEW("\xc3\xa4\xc3\xb6")), OK);
	assert_view(buf_view(&out), "Subject: =?utf-8?b?w6TDtg==?=\r\n");
	buf_clear(&out);
	assert_int_equal(mime_add_text_field(&out, VIEW("Subject"), VIEW("a\nb")), ERR_SYNTAX);
	assert_int_equal(out.n, 0);
}

static void test_address_field(void **state)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(1000000);
	struct view names[40];
	struct address addresses[40];
	struct arena arena;
	struct address_list list;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		static const struct view some[] = {
			VIEW_INIT(""), VIEW_INIT("A B"), VIEW_INIT("x@y, <z>"),
			VIEW_INIT("J\xc3\xb6rg \xe2\x82\xac\xe2\x82\xac\xe2\x82\xac")
		};

		names[i] = some[i % ARRAY_LEN(some)];
		assert_int_equal(address_parse_mailbox(i % 3 ? VIEW("local@Domain.test")
							     : VIEW("\"a >,b\"@c.test"),
						       0, &addresses[i]),
				 OK);
	}
	assert_int_equal(mime_add_address_field(&out, VIEW("To"), names, addresses, 2), OK);
	assert_view(buf_view(&out), "To: \"a >,b\"@c.test, A B <local@domain.test>\r\n");
	buf_clear(&out);
	assert_int_equal(mime_add_address_field(&out, VIEW("To"), names, addresses, 40), OK);
	check_lines(buf_view(&out));
	arena_init(&arena, 1024 * 1024);
	assert_int_equal(address_list_parse(&arena, view_from(buf_view(&out), 3), &list), OK);
	assert_int_equal(list.n, 40);
	assert_int_equal(list.odd & ADDRESS_ODD_REFUSED, 0);
	for (size_t i = 0; i < list.n; i++) {
		struct buf CLEANUP(buf_done) name = BUF_INIT(1000);
		struct address a;

		assert_int_equal(address_of_entry(&list.at[i], 0, &a), OK);
		assert_true(address_equal(&a, &addresses[i]));
		encoded_word_decode(&name, list.at[i].name, NULL);
		assert_true(view_eq(buf_view(&name), names[i]));
	}
	arena_done(&arena);

	buf_clear(&out);
	names[0] = VIEW("a\r\nBcc: x");
	assert_int_equal(mime_add_address_field(&out, VIEW("To"), names, addresses, 1), ERR_SYNTAX);
	assert_int_equal(mime_add_address_field(&out, VIEW("To"), names, addresses, 0), ERR_SYNTAX);
	assert_int_equal(out.n, 0);
}

static void check_param(struct view value, struct view want)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(100000);
	struct buf CLEANUP(buf_done) back = BUF_INIT(100000);
	struct mime_param param = { .name = VIEW("filename"), .value = value };
	struct mime_value v;
	struct arena arena;

	assert_int_equal(mime_add_param_field(&out, VIEW("Content-Disposition"), VIEW("attachment"),
					      (struct mime_params){ &param, 1 }),
			 OK);
	if (want.p)
		assert_true(view_eq(buf_view(&out), want));
	check_lines(buf_view(&out));
	arena_init(&arena, 1024 * 1024);
	assert_int_equal(mime_value_parse(&arena, view_from(buf_view(&out), 20), &v), OK);
	assert_int_equal(v.flags, 0);
	assert_view(v.main, "attachment");
	mime_param_add_utf8(&back, mime_param_find(v.decoded, VIEW("filename")), NULL);
	assert_true(view_eq(buf_view(&back), value));
	arena_done(&arena);
}

static void test_param_field(void **state)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(10000);
	struct buf CLEANUP(buf_done) out = BUF_INIT(100000);
	struct mime_param bad = { .name = VIEW("n"), .value = VIEW("a\r\nb") };

	check_param(VIEW("a.txt"), VIEW("Content-Disposition: attachment; filename=a.txt\r\n"));
	check_param(VIEW("a b.txt"),
		    VIEW("Content-Disposition: attachment; filename=\"a b.txt\"\r\n"));
	check_param(VIEW("a\"\\.txt"),
		    VIEW("Content-Disposition: attachment; filename=\"a\\\"\\\\.txt\"\r\n"));
	check_param(VIEW("\xc3\xa4.txt"),
		    VIEW("Content-Disposition: attachment; filename*=utf-8''%C3%A4.txt\r\n"));
	check_param(VIEW("=?utf-8?q?a?="), VIEW_EMPTY);
	check_param(VIEW(""), VIEW("Content-Disposition: attachment; filename=\"\"\r\n"));
	for (size_t n = 0; n < 300; n++) {
		buf_add(&text, n % 3 ? VIEW("\xe2\x82\xac") : VIEW("x "));
		if (n % 3)
			check_param(buf_view(&text), VIEW_EMPTY);
	}
	assert_int_equal(
		mime_add_param_field(&out, VIEW("A"), VIEW("b"), (struct mime_params){ &bad, 1 }),
		ERR_SYNTAX);
	bad.value = VIEW("b");
	bad.name = VIEW("n;m");
	assert_int_equal(
		mime_add_param_field(&out, VIEW("A"), VIEW("b"), (struct mime_params){ &bad, 1 }),
		ERR_SYNTAX);
	assert_int_equal(mime_add_param_field(&out, VIEW("A"), VIEW("b\r\n"),
					      (struct mime_params){ NULL, 0 }),
			 ERR_SYNTAX);
	/* More sections than any reader takes. */
	bad.name = VIEW("n");
	buf_clear(&text);
	buf_add_fill(&text, 'x', 5000);
	bad.value = buf_view(&text);
	assert_int_equal(
		mime_add_param_field(&out, VIEW("A"), VIEW("b"), (struct mime_params){ &bad, 1 }),
		ERR_LIMIT);
	assert_int_equal(out.n, 0);
}

static void test_rest(void **state)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(1000);
	static const uint8_t random[MIME_BOUNDARY_RANDOM] = { 0x01, 0xfe };
	char room[MIME_BOUNDARY_TEXT];
	struct view boundary = mime_boundary(random, room);

	assert_view(boundary, "=_.01fe0000000000000000000000000000");
	assert_int_equal(mime_add_date_field(&out, VIEW("Date"), 0, 60), OK);
	assert_view(buf_view(&out), "Date: Thu, 1 Jan 1970 01:00:00 +0100\r\n");
	buf_clear(&out);
	mime_add_delimiter(&out, VIEW("b"), false);
	buf_add(&out, VIEW("x"));
	mime_add_delimiter(&out, VIEW("b"), true);
	assert_view(buf_view(&out), "--b\r\nx\r\n--b--\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_field),	      cmocka_unit_test(test_text_field),
		cmocka_unit_test(test_address_field), cmocka_unit_test(test_param_field),
		cmocka_unit_test(test_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
