/*
 * tests/unit/proto/mime/param_test.c: values with parameters, RFC 2231, limits.
 */
#include "proto/mime/param.h"

#include "cuts.h"

static void dump(struct buf *out, struct mime_params params)
{
	for (size_t i = 0; i < params.n; i++) {
		const struct mime_param *p = &params.at[i];

		buf_add_char(out, ';');
		buf_add(out, p->name);
		buf_add_char(out, '=');
		if (p->charset.n)
			buf_addf(out, "(" VIEW_FMT ")", VIEW_ARG(p->charset));
		buf_add(out, p->value);
	}
}

static void check(struct view text, struct view raw, struct view decoded, unsigned flags)
{
	struct arena arena;
	struct mime_value v = { .flags = ~0U };
	struct buf CLEANUP(buf_done) out = BUF_INIT(1000000);
	char *copy = tight_copy(text);

	arena_init(&arena, 1024 * 1024);
	assert_int_equal(mime_value_parse(&arena, view_of(copy, text.n), &v), OK);
	buf_add(&out, v.main);
	if (v.sub.n) {
		buf_add_char(&out, '/');
		buf_add(&out, v.sub);
	}
	dump(&out, v.decoded);
	if (!view_eq(buf_view(&out), decoded))
		print_error("\"" VIEW_FMT "\" gives \"" VIEW_FMT "\"\n", VIEW_ARG(text),
			    VIEW_ARG(buf_view(&out)));
	assert_true(view_eq(buf_view(&out), decoded));
	if (raw.p) {
		buf_clear(&out);
		dump(&out, v.raw);
		assert_true(view_eq(buf_view(&out), raw));
	}
	assert_int_equal(v.flags, flags);
	arena_done(&arena);
	free(copy);
}

#define value(text, decoded, flags)	     check(VIEW(text), VIEW_EMPTY, VIEW(decoded), (flags))
#define value_raw(text, raw, decoded, flags) check(VIEW(text), VIEW(raw), VIEW(decoded), (flags))

static void test_plain(void **state)
{
	value("", "", 0);
	value("text/plain", "text/plain", 0);
	value(" attachment ", "attachment", 0);
	value("text/plain; charset=us-ascii", "text/plain;charset=us-ascii", 0);
	value("text/plain ; charset = us-ascii (comment) ;", "text/plain;charset=us-ascii", 0);
	value("(c) text (c) / (c) plain (c); (c) a (c) = (c) b (c)", "text/plain;a=b", 0);
	value("a/b;c=\"d e\"", "a/b;c=d e", 0);
	value("a/b;c=\"d\\\"\\\\e\"", "a/b;c=d\"\\e", 0);
	value("a/b;c=\"d\r\n e\"", "a/b;c=d e", 0);
	value("a/b;c=\"\"", "a/b;c=", 0);
	value("a/b;;; c=d", "a/b;c=d", 0);
	value("a/b;\r\n\tc=d;\r\n\te=f", "a/b;c=d;e=f", 0);
	value("a/b;c=d;C=e", "a/b;c=d", MIME_PARAM_DUPLICATE);
}

static void test_malformed(void **state)
{
	value("a/b;c=d/e", "a/b;c=d/e", MIME_PARAM_JUNK);
	value("a/b;c=r(1).pdf", "a/b;c=r(1).pdf", MIME_PARAM_JUNK);
	value("a/b;c=d e;f=g", "a/b;c=d;f=g", MIME_PARAM_JUNK);
	value("a/b;c=\"d", "a/b;c=d", MIME_PARAM_JUNK);
	value("a/b;c=\"d\"e;f=g", "a/b;c=d;f=g", MIME_PARAM_JUNK);
	value("a/b;c;f=g", "a/b;f=g", MIME_PARAM_JUNK);
	value("a/b;=c;f=g", "a/b;f=g", MIME_PARAM_JUNK);
	value("a/b;c=;f=g", "a/b;c=;f=g", 0);
	value("a/b charset=c", "a/b", MIME_PARAM_JUNK);
	value("a/b \"x;y=z\"; c=d", "a/b;c=d", MIME_PARAM_JUNK);
	value("a/b (;c=d", "a/b", 0);
	value("\"a\"/b", "", MIME_PARAM_JUNK);
	value("a/b;c=d\0e", "a/b;c=d\0e", MIME_PARAM_JUNK);
	value("a/b;c=\xe4", "a/b;c=\xe4", MIME_PARAM_JUNK);
	value("a/", "a", 0);
	value("/b", "/b", 0);
}

/* RFC 2231 */
static void test_extended(void **state)
{
	value_raw("x; n*=utf-8'de'%C3%A4.txt", ";n*=utf-8'de'%C3%A4.txt", "x;n=(utf-8)\xc3\xa4.txt",
		  0);
	value_raw("x; n*0=\"a \"; n*1=b", ";n*0=a ;n*1=b", "x;n=a b", 0);
	value("x; n*0*=us-ascii'en'a%20; n*1*=b%2A; n*2=\"c%20\"", "x;n=(us-ascii)a b*c%20", 0);
	value("x; n*1=b; n*0=a", "x;n=ab", 0);
	value("x; URL*0=\"ftp://\"; URL*1=\"a/b\"; k=v", "x;URL=ftp://a/b;k=v", 0);
	value("x; n*=''%41", "x;n=A", 0);
	value("x; n*=%41", "x;n=A", MIME_PARAM_JUNK);
	value("x; n*=utf-8'%41", "x;n=utf-8'A", MIME_PARAM_JUNK);
	value("x; n*=u''%4; m*=u''%zz%", "x;n=(u)%4;m=(u)%zz%", 0);
	/* Two forms at once: the extended one counts, and it is flagged. */
	value("x; n=plain; n*=u''ext", "x;n=(u)ext", MIME_PARAM_GAP);
	value("x; n*=u''ext; n=plain", "x;n=(u)ext", MIME_PARAM_GAP);
	value("x; n=plain; n*0=a; n*1=b", "x;n=ab", MIME_PARAM_GAP);
	value("x; n*=u''a; n*=u''b", "x;n=(u)a", MIME_PARAM_DUPLICATE | MIME_PARAM_GAP);
	/* Gaps and repeated sections. */
	value("x; n*0=a; n*2=c", "x;n=a", MIME_PARAM_GAP);
	value("x; n*1=b", "x", MIME_PARAM_GAP);
	value("x; n=p; n*1=b", "x;n=p", MIME_PARAM_DUPLICATE);
	value("x; n*0=a; n*0=b", "x;n=a", MIME_PARAM_DUPLICATE | MIME_PARAM_GAP);
	/* Names that only look like it. */
	value("x; *=a; *0=b; n*x=c; n*9999=d", "x;*=a;*0=b;n*x=c;n*9999=d", 0);
}

static void test_limits(void **state)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(1000000);
	struct arena arena;
	struct mime_value v;

	arena_init(&arena, 1024 * 1024);
	for (size_t past = 0; past <= 1; past++) {
		buf_clear(&text);
		buf_add(&text, VIEW("x"));
		for (size_t i = 0; i < MIME_PARAM_SECTIONS_MAX + past; i++)
			buf_addf(&text, ";n*%zu=a", i);
		assert_int_equal(mime_value_parse(&arena, buf_view(&text), &v), OK);
		assert_int_equal(v.raw.n, MIME_PARAM_SECTIONS_MAX);
		assert_int_equal(v.decoded.n, 1);
		assert_int_equal(v.decoded.at[0].value.n, MIME_PARAM_SECTIONS_MAX);
		assert_int_equal(v.flags, past ? MIME_PARAM_MANY : 0);

		buf_clear(&text);
		buf_add(&text, VIEW("x;n=\""));
		buf_add_fill(&text, 'v', MIME_PARAM_FIELD_MAX - 6 + past);
		buf_add_char(&text, '"');
		assert_int_equal(mime_value_parse(&arena, buf_view(&text), &v), OK);
		assert_int_equal(v.flags, past ? MIME_PARAM_MANY | MIME_PARAM_JUNK : 0);
	}
	arena_done(&arena);
}

static void check_utf8(struct view text, struct view want)
{
	struct arena arena;
	struct mime_value v;
	struct buf CLEANUP(buf_done) out = BUF_INIT(1000);

	arena_init(&arena, 1024 * 1024);
	assert_int_equal(mime_value_parse(&arena, text, &v), OK);
	mime_param_add_utf8(&out, mime_param_find(v.decoded, VIEW("N")), NULL);
	assert_true(view_eq(buf_view(&out), want));
	arena_done(&arena);
}

static void test_utf8(void **state)
{
	check_utf8(VIEW("x"), VIEW(""));
	check_utf8(VIEW("x;n=a"), VIEW("a"));
	check_utf8(VIEW("x;n*=iso-8859-1''%E4"), VIEW("\xc3\xa4"));
	check_utf8(VIEW("x;n*=utf-8''%E4"), VIEW("\xef\xbf\xbd"));
	check_utf8(VIEW("x;n=\"=?utf-8?q?=C3=A4?=\""), VIEW("\xc3\xa4"));
	check_utf8(VIEW("x;n=\"\xe4\""), VIEW("\xc3\xa4"));
	check_utf8(VIEW("x;n*=utf-8''=?utf-8?q?a?="), VIEW("=?utf-8?q?a?="));
}

static void check_token(struct view text, struct view want, bool clean)
{
	bool ret_clean = !clean;

	assert_true(view_eq(mime_token(text, &ret_clean), want));
	assert_int_equal(ret_clean, clean);
}

static void test_token(void **state)
{
	check_token(VIEW(" base64\r\n"), VIEW("base64"), true);
	check_token(VIEW(""), VIEW(""), true);
	check_token(VIEW("base64 (x)"), VIEW("base64"), false);
	check_token(VIEW("(x) base64"), VIEW("base64"), false);
	check_token(VIEW("base64;"), VIEW("base64"), false);
	check_token(VIEW("base64\0"), VIEW("base64"), false);
	check_token(VIEW("\"base64\""), VIEW(""), false);
}

static void test_every_cut(void **state)
{
	struct view text =
		VIEW("a (c) / b; n*0*=u'v'%41\\; n*1=\"x\\\"\r\n y\"; m=\"=?u?q?a?=\"; o;p= (;");

	for (struct cuts c = cuts_parts(text); cuts_next(&c);) {
		struct arena arena;
		struct mime_value v;

		arena_init(&arena, 1024 * 1024);
		assert_int_equal(mime_value_parse(&arena, c.piece, &v), OK);
		assert_true(v.decoded.n <= v.raw.n);
		arena_done(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),	  cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_extended),  cmocka_unit_test(test_limits),
		cmocka_unit_test(test_utf8),	  cmocka_unit_test(test_token),
		cmocka_unit_test(test_every_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
