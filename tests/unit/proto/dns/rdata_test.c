/*
 * tests/unit/proto/dns/rdata_test.c: the inside of records.
 */
#include "proto/dns/rdata.h"

#include "unit.h"

static enum err decode(unsigned type, struct view rdata, struct buf *out, struct dns_record *ret)
{
	char *tight = tight_copy(rdata);
	enum err err;

	*ret = (struct dns_record){ 0xbeef, VIEW("canary") };
	err = dns_rdata_decode(type, view_of(tight, rdata.n), out, ret);
	free(tight);
	if (err) {
		assert_view(ret->data, "canary");
		assert_int_equal(ret->preference, 0xbeef);
	}
	return err;
}

static void test_good(void **state)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(4000);
	struct dns_record r;

	assert_int_equal(decode(DNS_TYPE_A, VIEW("\x7f\0\0\1"), &out, &r), OK);
	assert_view(r.data, "\x7f\0\0\1");
	assert_int_equal(decode(DNS_TYPE_MX, VIEW("\1\2\3mx1\4test\0"), &out, &r), OK);
	assert_view(r.data, "mx1.test");
	assert_int_equal(r.preference, 258);
	assert_int_equal(decode(DNS_TYPE_MX, VIEW("\0\0\0"), &out, &r), OK);
	assert_int_equal(r.data.n, 0);
	assert_int_equal(decode(DNS_TYPE_TXT, VIEW("\5v=spf\0\3 -1"), &out, &r), OK);
	assert_view(r.data, "v=spf -1");
	assert_int_equal(decode(DNS_TYPE_PTR, VIEW("\1A\4test\0"), &out, &r), OK);
	assert_view(r.data, "a.test");
	assert_int_equal(decode(DNS_TYPE_TLSA, VIEW("\3\1\1\0"), &out, &r), OK);
	assert_view(r.data, "\3\1\1\0");
}

static void test_every_cut(void **state)
{
	static const struct {
		unsigned type;
		struct view rdata;
	} rows[] = {
		{ DNS_TYPE_A, VIEW_INIT("\x7f\0\0\1") },
		{ DNS_TYPE_AAAA, VIEW_INIT("0123456789abcdef") },
		{ DNS_TYPE_MX, VIEW_INIT("\0\12\3mx1\4test\0") },
		{ DNS_TYPE_CNAME, VIEW_INIT("\3mx1\4test\0") },
		{ DNS_TYPE_TXT, VIEW_INIT("\5hello") },
	};
	struct buf CLEANUP(buf_done) out = BUF_INIT(4000);
	struct dns_record r;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t n = 0; n < rows[i].rdata.n; n++)
			assert_int_equal(
				decode(rows[i].type, view_head(rows[i].rdata, n), &out, &r),
				ERR_SYNTAX);
		assert_int_equal(out.n, 0);
		assert_int_equal(decode(rows[i].type, rows[i].rdata, &out, &r), OK);
		buf_clear(&out);
	}
}

static void test_bad(void **state)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(4000);
	struct dns_record r;

	assert_int_equal(decode(DNS_TYPE_TXT, VIEW("\6hello"), &out, &r), ERR_SYNTAX);
	assert_int_equal(decode(DNS_TYPE_A, VIEW("12345"), &out, &r), ERR_SYNTAX);
	assert_int_equal(decode(DNS_TYPE_PTR, VIEW("\2a\n\0"), &out, &r), ERR_SYNTAX);
	assert_int_equal(decode(DNS_TYPE_CNAME, VIEW("\1a\0x"), &out, &r), ERR_SYNTAX);
}

static void test_limit(void **state)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(5);
	struct dns_record r;

	assert_int_equal(decode(DNS_TYPE_TXT, VIEW("\5hello"), &out, &r), OK);
	buf_clear(&out);
	assert_int_equal(decode(DNS_TYPE_TXT, VIEW("\6hello!"), &out, &r), ERR_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
