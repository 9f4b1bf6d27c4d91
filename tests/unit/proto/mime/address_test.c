/*
 * tests/unit/proto/mime/address_test.c: the envelope grammar, its limits, the tricks of THREATS
 * 2.6-2.8.
 */
#include "proto/mime/address.h"

#include "unit.h"

static const struct address CANARY_ADDRESS = { .local = "canary", .local_n = 6 };

static void check_mailbox(struct view text, unsigned options, enum err err, struct view local,
			  struct view domain, struct view written)
{
	struct address a = CANARY_ADDRESS, again;
	struct buf CLEANUP(buf_done) out = BUF_INIT(ADDRESS_TEXT_MAX);
	char *copy = tight_copy(text);

	assert_int_equal(address_parse_mailbox(view_of(copy, text.n), options, &a), err);
	free(copy);
	if (err) {
		assert_memory_equal(&a, &CANARY_ADDRESS, sizeof(a));
		return;
	}
	assert_true(view_eq(address_local(&a), local));
	assert_true(view_eq(address_domain(&a), domain));
	address_add(&out, &a);
	assert_int_equal(buf_err(&out), OK);
	assert_true(view_eq(buf_view(&out), written));
	assert_int_equal(address_parse_mailbox(buf_view(&out), options, &again), OK);
	assert_true(address_equal(&a, &again));
	assert_int_equal(address_make(local, domain, options, &again), OK);
	assert_true(address_equal(&a, &again));
}

#define good(text, local, domain, written)                                                         \
	check_mailbox(VIEW(text), 0, OK, VIEW(local), VIEW(domain), VIEW(written))
#define good_utf8(text, local, domain, written)                                                    \
	check_mailbox(VIEW(text), ADDRESS_UTF8, OK, VIEW(local), VIEW(domain), VIEW(written));     \
	check_mailbox(VIEW(text), 0, ERR_UNSUPPORTED, VIEW(""), VIEW(""), VIEW(""))
#define bad(text) check_mailbox(VIEW(text), ADDRESS_UTF8, ERR_SYNTAX, VIEW(""), VIEW(""), VIEW(""))

static void test_good(void **state)
{
	good("a@b", "a", "b", "a@b");
	good("A.b+c@Example.COM", "A.b+c", "Example.COM", "A.b+c@example.com");
	good("!#$%&'*+-/=?^_`{|}~@x1-y.z", "!#$%&'*+-/=?^_`{|}~", "x1-y.z",
	     "!#$%&'*+-/=?^_`{|}~@x1-y.z");
	good("\"ab\"@x", "ab", "x", "ab@x");
	good("\"a\\b\"@x", "ab", "x", "ab@x");
	good("\"a b\"@x", "a b", "x", "\"a b\"@x");
	good("\"a\\\"\\\\\"@x", "a\"\\", "x", "\"a\\\"\\\\\"@x");
	good("\"a..b\"@x", "a..b", "x", "\"a..b\"@x");
	good("\".a\"@x", ".a", "x", "\".a\"@x");
	good("\" \"@x", " ", "x", "\" \"@x");
	good("a@[192.0.2.1]", "a", "[192.0.2.1]", "a@[192.0.2.1]");
	good("a@[IPv6:2001:DB8::1]", "a", "[IPv6:2001:DB8::1]", "a@[ipv6:2001:db8::1]");
	good_utf8("\xc3\xbc@x", "\xc3\xbc", "x", "\xc3\xbc@x");
	good_utf8("\"\xc3\xbc x\"@x", "\xc3\xbc x", "x", "\"\xc3\xbc x\"@x");
	good_utf8("a@b\xc3\xbc.test", "a", "b\xc3\xbc.test", "a@b\xc3\xbc.test");
}

static void test_bad(void **state)
{
	bad("");
	bad("a");
	bad("@");
	bad("a@");
	bad("@b");
	bad(".a@b");
	bad("a.@b");
	bad("a..b@c");
	bad("a b@c");
	bad("a@b c");
	bad("a@b.");
	bad("a@.b");
	bad("a@b..c");
	bad("a@-b");
	bad("a@b-");
	bad("a@b-.c");
	bad("a@b_c");
	bad("a@b@c");
	bad("\"a@b");
	bad("\"a\"b@c");
	bad("\"\"@c");
	bad("\"a\\\"@c");
	bad("\"a\n\"@c");
	bad("\"\\\n\"@c");
	bad("a@[1.2.3]");
	bad("a@[1.2.3.4");
	bad("a@[1.2.3.256]");
	bad("a@[IPv6:::g]");
	bad("a@[x:y]");
	bad("a@[1.2.3.4\0]");
	bad("a@[1.2.3.4]x");
	bad("a@b\0");
	bad("a\0@b");
	bad("a\x7f@b");
	bad("a@b\x7f");
	bad("a\xff@b");
	bad("a@b\xff");
	bad("a\xc0\x80@b");
	bad("a\xed\xa0\x80@b");
	bad("a\xe2\x80\xa8@b"); /* U+2028 */
	bad("a\xe2\x80\xae@b"); /* U+202E */
	bad("a\xc2\x85@b"); /* U+0085 */
	bad("<a@b>");
	bad("postmaster");
}

/* THREATS 2.7: literal or refused, never another route. */
static void test_decoding(void **state)
{
	bad("=?utf-8?q?v=40evil.test=3e=00?=w@victim.test\0");
	good("=?utf-8?q?v=40evil.test=3e=00?=w@victim.test", "=?utf-8?q?v=40evil.test=3e=00?=w",
	     "victim.test", "=?utf-8?q?v=40evil.test=3e=00?=w@victim.test");
	good("\"v@evil.test> X=1;y\"@victim.test", "v@evil.test> X=1;y", "victim.test",
	     "\"v@evil.test> X=1;y\"@victim.test");
	good("v%evil.test@victim.test", "v%evil.test", "victim.test", "v%evil.test@victim.test");
	good("v!evil.test@victim.test", "v!evil.test", "victim.test", "v!evil.test@victim.test");
	good("\"v\\\" @evil.test\"@victim.test", "v\" @evil.test", "victim.test",
	     "\"v\\\" @evil.test\"@victim.test");
	bad("v@victim.test\0.evil.test");
	bad("v@victim.test;RCPT TO:<w@evil.test>");
	bad("v\xef\xbc\xa0victim.test"); /* U+FF20 alone is no @ */
	bad("v@victim.test\xef\xbc\xa0"
	    "evil.test"); /* U+FF20 in a domain */
	bad("v@victim.test\xef\xb9\xab"
	    "evil.test"); /* U+FE6B */
	bad("v@victim\xef\xbc\x8e"
	    "test"); /* U+FF0E, full-width dot */
	bad("v@victim\xe3\x80\x82"
	    "test"); /* U+3002 */
	good_utf8("v\xef\xbc\xa0"
		  "evil.test@victim.test",
		  "v\xef\xbc\xa0"
		  "evil.test",
		  "victim.test",
		  "v\xef\xbc\xa0"
		  "evil.test@victim.test");
	/* U+013E has 3e, ">", as its low byte. */
	good_utf8("v\xc4\xbe@victim.test", "v\xc4\xbe", "victim.test", "v\xc4\xbe@victim.test");
	/* Well-formed here; whether an A-label is valid is the check of IDNA. */
	good("v@xn--a", "v", "xn--a", "v@xn--a");
	bad("(a)b@victim.test");
	bad("x\r\nRCPT TO:<w@evil.test>@victim.test");
	bad("x\n@victim.test");
	bad("\"x\r\nRCPT\"@victim.test");
	good("|/bin/sh@victim.test", "|/bin/sh", "victim.test", "|/bin/sh@victim.test");
	good("\"$(touch p)\"@victim.test", "$(touch p)", "victim.test",
	     "\"$(touch p)\"@victim.test");
}

static void check_path(struct view text, unsigned options, enum err err, size_t used)
{
	struct address a = CANARY_ADDRESS;
	size_t ret = CANARY;

	assert_int_equal(address_parse_path(text, options, &a, &ret), err);
	assert_true(ret == (err ? CANARY : used));
	if (err)
		assert_memory_equal(&a, &CANARY_ADDRESS, sizeof(a));
}

static void test_path(void **state)
{
	struct address a;
	size_t used;

	check_path(VIEW("<a@b>"), 0, OK, 5);
	check_path(VIEW("<a@b> SIZE=1"), 0, OK, 5);
	check_path(VIEW("<a@b>> x"), 0, OK, 5);
	check_path(VIEW("<>"), 0, ERR_SYNTAX, 0);
	check_path(VIEW("<>"), ADDRESS_NULL, OK, 2);
	check_path(VIEW("< >"), ADDRESS_NULL, ERR_SYNTAX, 0);
	check_path(VIEW(""), ADDRESS_NULL, ERR_SYNTAX, 0);
	check_path(VIEW("<"), ADDRESS_NULL, ERR_SYNTAX, 0);
	check_path(VIEW("a@b"), 0, ERR_SYNTAX, 0);
	check_path(VIEW(" <a@b>"), 0, ERR_SYNTAX, 0);
	check_path(VIEW("<a@b"), 0, ERR_SYNTAX, 0);
	check_path(VIEW("<a@b >"), 0, ERR_SYNTAX, 0);
	check_path(VIEW("<(a)b@victim.test>"), 0, ERR_SYNTAX, 0);
	check_path(VIEW("<@evil.test:a@victim.test>"), 0, ERR_SYNTAX, 0);
	check_path(VIEW("<PostMaster>"), ADDRESS_POSTMASTER, OK, 12);
	check_path(VIEW("<postmaster>"), 0, ERR_SYNTAX, 0);
	check_path(VIEW("<postmasters>"), ADDRESS_POSTMASTER, ERR_SYNTAX, 0);
	check_path(VIEW("<;id;@x>"), 0, ERR_SYNTAX, 0);
	check_path(VIEW("<\"a>b\"@c>x"), 0, OK, 9);
	check_path(VIEW("<\xc3\xbc@c>"), 0, ERR_UNSUPPORTED, 0);
	check_path(VIEW("<\xc3\xbc@c>"), ADDRESS_UTF8, OK, 6);
	check_path(VIEW("<u@out.test@victim.test>"), 0, ERR_SYNTAX, 0);

	assert_int_equal(address_parse_path(VIEW("<>"), ADDRESS_NULL, &a, &used), OK);
	assert_true(address_is_null(&a));
	assert_int_equal(address_parse_path(VIEW("<Postmaster>"), ADDRESS_POSTMASTER, &a, &used),
			 OK);
	assert_false(address_is_null(&a));
	assert_view(address_local(&a), "Postmaster");
	assert_int_equal(a.domain_n, 0);
	assert_int_equal(address_parse_path(VIEW("<a@[127.0.0.1]>"), 0, &a, &used), OK);
	assert_true(a.literal);
}

static enum err parse_sized(size_t local, size_t domain)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(2000);
	struct address a;

	buf_add_fill(&text, 'l', local);
	buf_add_char(&text, '@');
	for (size_t i = 0; i < domain; i++)
		buf_add_char(&text, i % 50 == 49 && i + 1 < domain ? '.' : 'd');
	return address_parse_mailbox(buf_view(&text), 0, &a);
}

static void test_limits(void **state)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(2000);
	struct address a;

	assert_int_equal(parse_sized(ADDRESS_LOCAL_MAX, 10), OK);
	assert_int_equal(parse_sized(ADDRESS_LOCAL_MAX + 1, 10), ERR_LIMIT);
	assert_int_equal(parse_sized(1, ADDRESS_PATH_MAX - 4), OK);
	assert_int_equal(parse_sized(1, ADDRESS_PATH_MAX - 3), ERR_LIMIT);
	assert_int_equal(parse_sized(1, ADDRESS_DOMAIN_MAX + 1), ERR_LIMIT);

	for (size_t past = 0; past <= 1; past++) {
		buf_clear(&text);
		buf_add(&text, VIEW("a@"));
		buf_add_fill(&text, 'd', ADDRESS_LABEL_MAX + past);
		assert_int_equal(address_parse_mailbox(buf_view(&text), 0, &a),
				 past ? ERR_LIMIT : OK);
		/* As written, with its quotes. */
		buf_clear(&text);
		buf_add_char(&text, '"');
		buf_add_fill(&text, ' ', ADDRESS_LOCAL_MAX - 2 + past);
		buf_add(&text, VIEW("\"@d"));
		assert_int_equal(address_parse_mailbox(buf_view(&text), 0, &a),
				 past ? ERR_LIMIT : OK);
	}
	assert_int_equal(address_check_domain(VIEW("a.b"), 0), OK);
	assert_int_equal(address_check_domain(VIEW("a.b."), 0), ERR_SYNTAX);
	assert_int_equal(address_check_domain(VIEW("[1.2.3.4]"), 0), ERR_SYNTAX);
	assert_int_equal(address_check_domain(VIEW(""), 0), ERR_SYNTAX);
}

static void test_make(void **state)
{
	struct address a = CANARY_ADDRESS;
	char quotes[ADDRESS_LOCAL_MAX];

	assert_int_equal(address_make(VIEW("a\r\nb"), VIEW("c"), 0, &a), ERR_SYNTAX);
	assert_int_equal(address_make(VIEW(""), VIEW("c"), 0, &a), ERR_SYNTAX);
	assert_int_equal(address_make(VIEW("a"), VIEW(""), 0, &a), ERR_SYNTAX);
	assert_int_equal(address_make(VIEW("a"), VIEW("b@c"), 0, &a), ERR_SYNTAX);
	assert_int_equal(address_make(VIEW("a\0"), VIEW("b"), 0, &a), ERR_SYNTAX);
	memset(quotes, '"', sizeof(quotes));
	assert_int_equal(address_make(view_of(quotes, sizeof(quotes)), VIEW("b"), 0, &a),
			 ERR_LIMIT);
	assert_memory_equal(&a, &CANARY_ADDRESS, sizeof(a));
	assert_int_equal(address_make(VIEW("a@b"), VIEW("c"), 0, &a), OK);
	assert_view(address_local(&a), "a@b");
}

static void test_equal(void **state)
{
	struct address a, b;

	assert_int_equal(address_parse_mailbox(VIEW("a@B.c"), 0, &a), OK);
	assert_int_equal(address_parse_mailbox(VIEW("\"a\"@b.C"), 0, &b), OK);
	assert_true(address_equal(&a, &b));
	assert_int_equal(address_parse_mailbox(VIEW("A@b.c"), 0, &b), OK);
	assert_false(address_equal(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),	 cmocka_unit_test(test_bad),
		cmocka_unit_test(test_decoding), cmocka_unit_test(test_path),
		cmocka_unit_test(test_limits),	 cmocka_unit_test(test_make),
		cmocka_unit_test(test_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
