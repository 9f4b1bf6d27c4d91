/*
 * tests/unit/roles/resolve/answer_test.c: the resolver library's result as the channel says it.
 */
#include "ipc/types.h"
#include "roles/resolve/resolve.h"
#include "unit.h"

enum { TYPE_A = 1, TYPE_TXT = 16, RECORDS_MANY = 70 };

struct made {
	struct buf data;
	struct resolve_answer_records records[RESOLVE_ANSWER_RECORDS_MAX];
	struct resolve_answer answer;
};

static void make(struct made *m, int error, const struct ub_result *r)
{
	m->data = (struct buf)BUF_INIT(ANSWER_DATA_MAX);
	answer_make(7, error, r, &m->data, m->records, &m->answer);
	assert_int_equal(m->answer.tag, 7);
}

static void test_status(void **state)
{
	struct ub_result nothing = { .qtype = TYPE_A, .ttl = 60, .secure = 1 };
	struct ub_result gone = { .qtype = TYPE_A, .nxdomain = 1, .rcode = 3 };
	struct ub_result failed = { .qtype = TYPE_A, .rcode = 2, .secure = 1 };
	struct ub_result bogus = { .qtype = TYPE_A, .bogus = 1, .secure = 1, .havedata = 1 };
	struct made m;

	make(&m, 0, &nothing);
	assert_int_equal(m.answer.status, RESOLVE_NODATA);
	assert_true(m.answer.secure);
	assert_int_equal(m.answer.ttl, 60);
	buf_done(&m.data);
	make(&m, 0, &gone);
	assert_int_equal(m.answer.status, RESOLVE_NXDOMAIN);
	buf_done(&m.data);
	make(&m, 0, &failed);
	assert_int_equal(m.answer.status, RESOLVE_TEMPORARY);
	assert_false(m.answer.secure);
	buf_done(&m.data);
	make(&m, 0, &bogus);
	assert_int_equal(m.answer.status, RESOLVE_TEMPORARY);
	assert_false(m.answer.secure);
	assert_int_equal(m.answer.records_count, 0);
	buf_done(&m.data);
	make(&m, -1, NULL);
	assert_int_equal(m.answer.status, RESOLVE_TEMPORARY);
	buf_done(&m.data);
}

static void test_ttl(void **state)
{
	struct ub_result long_lived = { .qtype = TYPE_A, .ttl = TTL_MAX + 1 };
	struct ub_result negative = { .qtype = TYPE_A, .ttl = -1 };
	struct made m;

	make(&m, 0, &long_lived);
	assert_int_equal(m.answer.ttl, TTL_MAX);
	buf_done(&m.data);
	make(&m, 0, &negative);
	assert_int_equal(m.answer.ttl, 0);
	buf_done(&m.data);
}

static void test_records_are_cut(void **state)
{
	char octets[] = "\1\2\3\4";
	char *data[RECORDS_MANY + 1] = { 0 };
	int len[RECORDS_MANY];
	struct ub_result r = { .qtype = TYPE_A, .havedata = 1, .data = data, .len = len };
	struct made m;

	for (size_t i = 0; i < RECORDS_MANY; i++) {
		data[i] = octets;
		len[i] = i == 3 ? 5 : 4; /* one that makes no sense is left out */
	}
	make(&m, 0, &r);
	assert_int_equal(m.answer.status, RESOLVE_OK);
	assert_int_equal(m.answer.records_count, RESOLVE_ANSWER_RECORDS_MAX);
	assert_view(m.records[63].data, "\1\2\3\4");
	buf_done(&m.data);
}

/* A packet is filled and never more than filled. */
static void test_packet(void **state)
{
	static char text[16 * 256];
	struct buf CLEANUP(buf_done) packet = BUF_INIT(IPC_BODY_MAX);
	enum { N = 40, ON_CHANNEL = 15 * 255 + 4 };
	char *data[N + 1] = { 0 };
	int len[N];
	struct ub_result r = { .qtype = TYPE_TXT, .havedata = 1, .data = data, .len = len };
	struct made m;

	for (size_t i = 0; i < sizeof(text); i += 256)
		text[i] = (char)255;
	for (size_t i = 0; i < N; i++) {
		data[i] = text;
		len[i] = 15 * 256;
	}
	make(&m, 0, &r);
	assert_in_range(m.answer.records_count, IPC_BODY_MAX / ON_CHANNEL - 1, N - 1);
	resolve_answer_encode(&packet, &m.answer);
	assert_int_equal(buf_err(&packet), OK);
	buf_done(&m.data);
	/* Joined it is longer than the channel allows: nothing is left. */
	for (size_t i = 0; i < N; i++)
		len[i] = 16 * 256;
	make(&m, 0, &r);
	assert_int_equal(m.answer.status, RESOLVE_TEMPORARY);
	assert_int_equal(m.answer.records_count, 0);
	buf_done(&m.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_ttl),
		cmocka_unit_test(test_records_are_cut),
		cmocka_unit_test(test_packet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
