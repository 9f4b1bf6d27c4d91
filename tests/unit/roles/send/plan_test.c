/*
 * tests/unit/roles/send/plan_test.c: from DNS answers to addresses.
 */
#include "roles/send/plan.h"

#include "proto/dns/rdata.h"
#include "unit.h"

struct row {
	const char *name;
	uint16_t type;
	enum resolve_status status;
	uint16_t preference;
	struct view data;
};

#define MX(name, preference, host)                                                                 \
	{                                                                                          \
		(name), DNS_TYPE_MX, RESOLVE_OK, (preference), VIEW_INIT(host)                     \
	}
#define A(name, octets)                                                                            \
	{                                                                                          \
		(name), DNS_TYPE_A, RESOLVE_OK, 0, VIEW_INIT(octets)                               \
	}
#define AAAA(name, octets)                                                                         \
	{                                                                                          \
		(name), DNS_TYPE_AAAA, RESOLVE_OK, 0, VIEW_INIT(octets)                            \
	}
#define IS(name, type, status)                                                                     \
	{                                                                                          \
		(name), (type), (status), 0, VIEW_INIT("")                                         \
	}
#define V6_1 "\x2a\0\0\1\0\0\0\0\0\0\0\0\0\0\0\1"
#define V6_2 "\x2a\0\0\1\0\0\0\0\0\0\0\0\0\0\0\2"

/* What the rows say about a question, through the encoding of the channel. */
static void answer(struct plan *p, const struct plan_question *q, const struct row *rows, size_t n)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(IPC_BODY_MAX);
	struct resolve_answer_records records[RESOLVE_ANSWER_RECORDS_MAX];
	struct resolve_answer m = { .status = RESOLVE_NODATA, .secure = true, .records = records };

	for (size_t i = 0; i < n; i++) {
		if (!view_eq(q->name, view_str(rows[i].name)) || rows[i].type != q->type)
			continue;
		m.status = (uint8_t)rows[i].status;
		if (rows[i].status == RESOLVE_OK)
			records[m.records_count++] =
				(struct resolve_answer_records){ rows[i].preference, rows[i].data };
	}
	resolve_answer_encode(&out, &m);
	assert_int_equal(resolve_answer_decode(buf_view(&out), &m), OK);
	plan_answer(p, q, &m);
}

/* Ask until there are no questions; the last asked is answered first. */
static void complete(struct plan *p, const struct row *rows, size_t n)
{
	struct plan_question open[2 * PLAN_HOSTS_MAX + 1];

	while (p->state == PLAN_ASKING) {
		size_t count = 0;

		while (plan_question_next(p, &open[count]))
			count++;
		assert_int_not_equal(count, 0);
		assert_int_equal(p->due, count);
		while (count)
			answer(p, &open[--count], rows, n);
	}
}

static void make(struct plan *p, const char *domain, bool private_ok, const struct row *rows,
		 size_t n)
{
	struct plan_options options = { VIEW("Mail.Own.Test"), 1, private_ok };

	plan_init(p, view_str(domain), &options);
	complete(p, rows, n);
}

static void assert_step(const struct plan *p, size_t i, const char *host, const char *ip)
{
	char room[DNS_IP_TEXT_MAX];

	assert_true(i < p->step_n);
	assert_true(view_eq(plan_host_name(p, p->steps[i].host), view_str(host)));
	assert_true(view_eq(dns_ip_text(&p->steps[i].ip, room), view_str(ip)));
}

static void test_order(void **state)
{
	static const struct row rows[] = {
		MX("far.test", 20, "b.test"), MX("far.test", 10, "a.test"), A("a.test", "\1\2\3\4"),
		A("a.test", "\1\2\3\5"),      AAAA("a.test", V6_1),	    A("b.test", "\1\2\3\6"),
		AAAA("b.test", V6_2),
	};
	struct plan p;

	make(&p, "Far.TEST", false, rows, ARRAY_LEN(rows));
	assert_int_equal(p.state, PLAN_READY);
	assert_int_equal(p.step_n, 5);
	assert_step(&p, 0, "a.test", "2a00:1::1");
	assert_step(&p, 1, "a.test", "1.2.3.4");
	assert_step(&p, 2, "a.test", "1.2.3.5");
	assert_step(&p, 3, "b.test", "2a00:1::2");
	assert_step(&p, 4, "b.test", "1.2.3.6");
	assert_true(p.secure);
}

static void test_without_mx(void **state)
{
	static const struct row rows[] = { A("far.test", "\1\2\3\4") };
	struct plan p;

	make(&p, "far.test", false, rows, ARRAY_LEN(rows));
	assert_int_equal(p.step_n, 1);
	assert_step(&p, 0, "far.test", "1.2.3.4");
}

static void assert_failure(const char *domain, const struct row *rows, size_t n,
			   enum transfer_outcome outcome, const char *enhanced)
{
	struct plan p;

	make(&p, domain, false, rows, n);
	assert_int_equal(p.state, PLAN_FAILED);
	assert_string_equal(p.failure.enhanced, enhanced);
	assert_int_equal(p.failure.outcome, outcome);
	assert_true(p.failure.text_n > 0);
}

static void test_failures(void **state)
{
	static const struct row rows[] = {
		IS("gone.test", DNS_TYPE_MX, RESOLVE_NXDOMAIN),
		IS("broken.test", DNS_TYPE_MX, RESOLVE_TEMPORARY),
		MX("null.test", 0, ""),
		MX("us.test", 10, "mail.own.test"),
		MX("nohost.test", 10, "missing.test"),
		MX("half.test", 10, "half-host.test"),
		IS("half-host.test", DNS_TYPE_A, RESOLVE_TEMPORARY),
		MX("loop.test", 10, "lo.test"),
		A("lo.test", "\x7f\0\0\1"),
		MX("lan.test", 10, "lan-host.test"),
		A("lan-host.test", "\x0a\0\0\1"),
	};
	size_t n = ARRAY_LEN(rows);

	assert_failure("gone.test", rows, n, TRANSFER_FAILED, "5.1.2");
	assert_failure("broken.test", rows, n, TRANSFER_DEFERRED, "4.4.3");
	assert_failure("null.test", rows, n, TRANSFER_FAILED, "5.1.10");
	assert_failure("us.test", rows, n, TRANSFER_FAILED, "5.4.6");
	assert_failure("nohost.test", rows, n, TRANSFER_FAILED, "5.4.4");
	assert_failure("half.test", rows, n, TRANSFER_DEFERRED, "4.4.3");
	assert_failure("loop.test", rows, n, TRANSFER_FAILED, "5.4.6");
	assert_failure("lan.test", rows, n, TRANSFER_FAILED, "5.4.4");
	assert_failure("[127.0.0.1]", rows, n, TRANSFER_FAILED, "5.4.6");
	assert_failure("no name", rows, n, TRANSFER_FAILED, "5.1.2");
	assert_failure("", rows, n, TRANSFER_FAILED, "5.1.2");
	assert_failure("[1.2.3]", rows, n, TRANSFER_FAILED, "5.1.2");
}

static void test_private_allowed(void **state)
{
	static const struct row rows[] = { A("lan.test", "\x0a\0\0\1") };
	struct plan p;

	make(&p, "lan.test", true, rows, ARRAY_LEN(rows));
	assert_int_equal(p.state, PLAN_READY);
	make(&p, "[IPv6:::1]", true, rows, ARRAY_LEN(rows));
	assert_step(&p, 0, "[IPv6:::1]", "::1");
}

/* One host with all addresses that are looked at, and one more; as many hosts, and one more. */
static void test_limits(void **state)
{
	static struct row rows[2 * PLAN_HOSTS_MAX + 20];
	static char names[PLAN_HOSTS_MAX + 1][3];
	struct plan p;
	size_t n = 0;

	for (size_t i = 0; i <= PLAN_HOST_IPS_MAX; i++)
		rows[n++] = (struct row)A("far.test", "\1\2\3\4");
	make(&p, "far.test", false, rows, n - 1);
	assert_int_equal(p.step_n, PLAN_HOST_IPS_MAX);
	make(&p, "far.test", false, rows, n);
	assert_int_equal(p.step_n, PLAN_HOST_IPS_MAX);

	n = 0;
	for (size_t i = 0; i <= PLAN_HOSTS_MAX; i++) {
		names[i][0] = 'h';
		names[i][1] = (char)('a' + i);
		rows[n++] = (struct row){ "far.test", DNS_TYPE_MX, RESOLVE_OK, (uint16_t)i,
					  view_str(names[i]) };
		rows[n++] = (struct row){ names[i], DNS_TYPE_A, RESOLVE_OK, 0, VIEW("\1\2\3\4") };
	}
	make(&p, "far.test", false, rows, n - 2);
	assert_int_equal(p.host_n, PLAN_HOSTS_MAX);
	make(&p, "far.test", false, rows, n);
	assert_int_equal(p.host_n, PLAN_HOSTS_MAX);
	assert_int_equal(p.step_n, PLAN_HOSTS_MAX);
}

static void test_smart_host(void **state)
{
	static const struct row rows[] = { A("relay.test", "\x0a\0\0\1") };
	struct plan_options options = { VIEW("own.test"), 1, false };
	struct plan p;

	plan_init_host(&p, VIEW("Relay.test"), &options);
	complete(&p, rows, ARRAY_LEN(rows));
	assert_step(&p, 0, "relay.test", "10.0.0.1");
	plan_init_host(&p, VIEW("::1"), &options);
	assert_int_equal(p.state, PLAN_READY);
	assert_step(&p, 0, "[::1]", "::1");
	plan_init_host(&p, VIEW("not a host"), &options);
	assert_int_equal(p.state, PLAN_FAILED);
	assert_int_equal(p.failure.outcome, TRANSFER_DEFERRED);
}

static void test_other_scripts(void **state)
{
	static const struct row rows[] = { A("xn--bcher-kva.test", "\1\2\3\4") };
	struct plan p;

	make(&p, "B\xc3\xbc\x63her.test", false, rows, ARRAY_LEN(rows));
	assert_int_equal(p.state, PLAN_READY);
	assert_step(&p, 0, "xn--bcher-kva.test", "1.2.3.4");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),	      cmocka_unit_test(test_without_mx),
		cmocka_unit_test(test_failures),      cmocka_unit_test(test_private_allowed),
		cmocka_unit_test(test_limits),	      cmocka_unit_test(test_smart_host),
		cmocka_unit_test(test_other_scripts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
