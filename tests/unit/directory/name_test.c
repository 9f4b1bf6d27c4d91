/* Tests of directory/name.h: spellings that are one, and those that are refused. */
#include "unit.h"

#include "directory/name.h"

static void test_domains(void **state)
{
	static const struct {
		const char *from;
		const char *to; /* NULL: refused */
	} rows[] = {
		{ "example.org", "example.org" },
		{ "EXAMPLE.Org", "example.org" },
		{ "B\xc3\xbc"
		  "cher.example",
		  "xn--bcher-kva.example" },
		{ "b\xc3\xbc"
		  "cher.example",
		  "xn--bcher-kva.example" },
		{ "XN--BCHER-KVA.example", "xn--bcher-kva.example" },
		/* decomposed u and diaeresis */
		{ "bu\xcc\x88"
		  "cher.example",
		  "xn--bcher-kva.example" },
		{ "fa\xc3\x9f.example", "xn--fa-hia.example" },
		{ "", NULL },
		{ ".", NULL },
		{ "a..b", NULL },
		{ "-a.example", NULL },
		{ "a_b.example", NULL },
		{ "a b.example", NULL },
		{ "[192.0.2.1]", NULL },
		{ "\xff.example", NULL },
		/* IDEOGRAPHIC FULL STOP alone maps to a dot */
		{ "\xe3\x80\x82", NULL },
		{ "a\xe3\x80\x82\xe3\x80\x82"
		  "b",
		  NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf CLEANUP(buf_done) out = BUF_INIT(ADDRESS_DOMAIN_MAX);
		enum err err = name_domain(view_str(rows[i].from), &out);

		if (!rows[i].to) {
			assert_int_equal(err, ERR_SYNTAX);
			continue;
		}
		assert_int_equal(err, OK);
		assert_string_equal(buf_cstr(&out), rows[i].to);
	}
}

static void test_shown(void **state)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(NAME_DOMAIN_SHOWN_MAX);

	(void)state;
	name_domain_shown(VIEW("xn--bcher-kva.example"), &out);
	assert_string_equal(buf_cstr(&out), "b\xc3\xbc"
					    "cher.example");
	buf_clear(&out);
	name_domain_shown(VIEW("example.org"), &out);
	assert_string_equal(buf_cstr(&out), "example.org");
	/* It would decode to evil.test: two names must not look like one. */
	buf_clear(&out);
	name_domain_shown(VIEW("xn--evil-.test"), &out);
	assert_string_equal(buf_cstr(&out), "xn--evil-.test");
}

/* What begins with xn-- and is no A-label stays as written in an address, but cannot be hosted. */
static void test_a_labels(void **state)
{
	static const struct {
		const char *name;
		bool idna;
	} rows[] = {
		{ "example.org", true },	   { "xn--bcher-kva.example", true },
		{ "XN--BCHER-KVA.example", true }, { "mail.xn--bcher-kva.example", true },
		{ "ab--cd.example", true },	   { "xn--a", false },
		{ "xn--0.test", false },	   { "xn--bcher-kvb.xn--a.example", false },
		{ "xn--ls8h.test", false }, /* no letter of IDNA2008 */
	};

	(void)state;
	assert_int_equal(name_domain_check_idna(VIEW("xn--.test")), ERR_SYNTAX);
	assert_int_equal(name_domain_check_idna(VIEW("xn--evil-.test")),
			 ERR_SYNTAX); /* letters alone */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct view name = view_str(rows[i].name);
		struct buf CLEANUP(buf_done) out = BUF_INIT(ADDRESS_DOMAIN_MAX);

		assert_int_equal(name_domain_check_idna(name) == OK, rows[i].idna);
		assert_int_equal(name_domain(name, &out), OK);
		assert_true(view_eq_nocase(buf_view(&out), name));
	}
}

static void test_local_keys(void **state)
{
	static const struct {
		const char *from;
		const char *to;
	} rows[] = {
		{ "Anna", "anna" },
		{ "a.b+C", "a.b+c" },
		{ "J\xc3\x96RG", "j\xc3\xb6rg" },
		{ "jo\xcc\x88rg", "j\xc3\xb6rg" },
		/* full-width A N N A */
		{ "\xef\xbc\xa1\xef\xbc\xae\xef\xbc\xae\xef\xbc\xa1", "anna" },
		{ "", NULL },
		{ "a\tb", NULL },
		{ "a\x7f", NULL },
		{ "\xc3", NULL },
		{ "\xed\xa0\x80", NULL }, /* half of a surrogate pair */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf CLEANUP(buf_done) out = BUF_INIT(NAME_KEY_MAX);
		enum err err = name_local_key(view_str(rows[i].from), &out);

		assert_int_equal(err, rows[i].to ? OK : ERR_SYNTAX);
		if (rows[i].to)
			assert_string_equal(buf_cstr(&out), rows[i].to);
	}
}

static void test_addresses(void **state)
{
	struct name n = { .key_n = 99 };

	(void)state;
	assert_int_equal(name_parse(VIEW("Anna+Lists@EXAMPLE.org"), &n), OK);
	assert_view(name_key(&n), "anna+lists");
	assert_view(address_local(&n.address), "Anna+Lists");
	assert_view(address_domain(&n.address), "example.org");
	assert_int_equal(name_parse(VIEW("\"anna\"@example.org"), &n), OK);
	assert_view(name_key(&n), "anna");
	n.key_n = 99;
	assert_int_equal(name_parse(VIEW("anna"), &n), ERR_SYNTAX);
	assert_int_equal(name_parse(VIEW("@example.org"), &n), ERR_SYNTAX);
	assert_int_equal(name_parse(VIEW("anna@example.org\n"), &n), ERR_SYNTAX);
	assert_int_equal(name_parse(VIEW("=?utf-8?q?a=40b?=@"), &n), ERR_SYNTAX);
	assert_int_equal(n.key_n, 99);
}

/* What is decoded is still one label: punycode of "a@b" does not become an address.  THREATS 2.7 */
static void test_nothing_is_decoded_into_structure(void **state)
{
	struct name n;

	(void)state;
	assert_int_equal(name_parse(VIEW("x@xn--a@b-abc.example"), &n), ERR_SYNTAX);
	/* FULLWIDTH COMMERCIAL AT */
	assert_int_not_equal(name_parse(VIEW("x@a\xef\xbc\xa0"
					     "b.example"),
					&n),
			     OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_domains),
		cmocka_unit_test(test_shown),
		cmocka_unit_test(test_a_labels),
		cmocka_unit_test(test_local_keys),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_nothing_is_decoded_into_structure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
