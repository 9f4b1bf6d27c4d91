/*
 * tests/unit/proto/smtp/command_test.c: lines to commands; refusals are in tests/talk/smtp too.
 */
#include "proto/smtp/command.h"

#include "unit.h"

/* Parse a whole line out of memory of exactly its size. */
static enum smtp_fault parse(struct view line, struct smtp_command *ret)
{
	char *tight = tight_copy(line);
	const struct smtp_command_row *row;
	struct view args;
	enum smtp_fault fault;

	assert_int_equal(smtp_command_find(view_of(tight, line.n), &row, &args), OK);
	fault = smtp_command_parse(row, args, ret);
	free(tight);
	return fault;
}

static void test_find(void **state)
{
	static const char *const names[] = { "EHLO", "HELO", "LHLO", "MAIL", "RCPT",
					     "DATA", "BDAT", "RSET", "NOOP", "VRFY",
					     "EXPN", "HELP", "QUIT", "AUTH", "STARTTLS" };
	const struct smtp_command_row *row;
	struct view args;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_int_equal(smtp_command_find(view_str(names[i]), &row, &args), OK);
		assert_int_equal(row->verb, i);
		assert_string_equal(row->name, names[i]);
	}
	assert_int_equal(smtp_command_find(VIEW("quit  x \t"), &row, &args), OK);
	assert_view(args, " x");
	assert_int_equal(smtp_command_find(VIEW(""), &row, &args), ERR_NOTFOUND);
	assert_int_equal(smtp_command_find(VIEW("QUI"), &row, &args), ERR_NOTFOUND);
	assert_int_equal(smtp_command_find(VIEW("QUITX"), &row, &args), ERR_NOTFOUND);
	assert_int_equal(smtp_command_find(VIEW(" QUIT"), &row, &args), ERR_NOTFOUND);
	assert_int_equal(smtp_command_find(VIEW("QUIT\tx"), &row, &args), ERR_NOTFOUND);
}

static void test_mail(void **state)
{
	struct smtp_command c;
	struct view line =
		VIEW("MAIL FROM:<\"a b\"@Far.Test> SIZE=12 BODY=8bitmime SMTPUTF8 RET=FULL "
		     "ENVID=x+2Dy BY=-5;NT MT-PRIORITY=-3 HOLDFOR=60 REQUIRETLS AUTH=<>");

	assert_int_equal(parse(line, &c), SMTP_FAULT_NONE);
	assert_view(address_local(&c.mail.path.addr), "a b");
	assert_int_equal(c.mail.size, 12);
	assert_int_equal(c.mail.body, SMTP_BODY_8BITMIME);
	assert_true(c.mail.smtputf8 && c.mail.requiretls && c.mail.has_auth);
	assert_int_equal(c.mail.ret, SMTP_RET_FULL);
	assert_int_equal(c.mail.by_seconds, -5);
	assert_int_equal(c.mail.by_mode, 'N');
	assert_true(c.mail.by_trace);
	assert_int_equal(c.mail.priority, -3);
	assert_true(c.mail.has_hold_for);
	assert_int_equal(c.mail.hold, 60);

	assert_int_equal(parse(VIEW("MAIL FROM:<> HOLDUNTIL=2026-11-21T05:00:00+01:00"), &c),
			 SMTP_FAULT_NONE);
	assert_true(address_is_null(&c.mail.path.addr));
	assert_int_equal(c.mail.hold, 1795233600);
	assert_int_equal(parse(VIEW("MAIL FROM:<> HOLDUNTIL=2026-02-30T05:00:00Z"), &c),
			 SMTP_FAULT_PARAMETER);
	assert_int_equal(parse(VIEW("MAIL <>"), &c), SMTP_FAULT_SYNTAX);
	assert_int_equal(parse(VIEW("MAIL"), &c), SMTP_FAULT_SYNTAX);
	assert_int_equal(parse(VIEW("MAIL FROM:"), &c), SMTP_FAULT_PATH);
	assert_int_equal(parse(VIEW("MAIL FROM:<"), &c), SMTP_FAULT_PATH);
	assert_int_equal(parse(VIEW("MAIL FROM:<a@b"), &c), SMTP_FAULT_PATH);
	assert_int_equal(parse(VIEW("MAIL FROM:<\"a\\"), &c), SMTP_FAULT_PATH);
	assert_int_equal(parse(VIEW("MAIL FROM:<> SIZE=1\t"), &c), SMTP_FAULT_NONE);
	assert_int_equal(parse(VIEW("MAIL FROM:<> SIZE=1\tBODY=7BIT"), &c), SMTP_FAULT_SYNTAX);
	assert_int_equal(parse(VIEW("MAIL FROM:<> =1"), &c), SMTP_FAULT_SYNTAX);
}

static void test_rcpt(void **state)
{
	struct smtp_command c;

	assert_int_equal(parse(VIEW("RCPT TO:<@x.test,@y.test:u@h.test> NOTIFY=delay,Failure"), &c),
			 SMTP_FAULT_NONE);
	assert_true(c.rcpt.path.routed);
	assert_view(address_local(&c.rcpt.path.addr), "u");
	assert_int_equal(c.rcpt.notify, SMTP_NOTIFY_DELAY | SMTP_NOTIFY_FAILURE);
	assert_int_equal(parse(VIEW("RCPT TO:<POSTmaster>"), &c), SMTP_FAULT_NONE);
	assert_view(address_local(&c.rcpt.path.addr), "postmaster");
	assert_int_equal(c.rcpt.path.addr.domain_n, 0);
	assert_int_equal(parse(VIEW("RCPT TO:<u@[IPv6:2001:db8::1]>"), &c), SMTP_FAULT_NONE);
	assert_true(c.rcpt.path.addr.literal);
	assert_int_equal(parse(VIEW("RCPT TO:<@x.test:postmaster>"), &c), SMTP_FAULT_PATH);
	assert_int_equal(parse(VIEW("RCPT TO:<@x.test:>"), &c), SMTP_FAULT_PATH);
	assert_int_equal(parse(VIEW("RCPT TO:<> NOTIFY=NEVER"), &c), SMTP_FAULT_PATH);
	assert_int_equal(parse(VIEW("RCPT TO:<u@h.test> ORCPT=utf-8;\xc3\xbc@x"), &c),
			 SMTP_FAULT_NONE);
	assert_int_equal(parse(VIEW("RCPT TO:<u@h.test> ORCPT=rfc822;\xc3\xbc@x"), &c),
			 SMTP_FAULT_PARAMETER);
}

static void test_bdat_auth(void **state)
{
	struct smtp_command c;

	assert_int_equal(parse(VIEW("BDAT 18446744073709551615 last"), &c), SMTP_FAULT_NONE);
	assert_true(c.last && c.octets == UINT64_MAX);
	assert_int_equal(parse(VIEW("BDAT 5"), &c), SMTP_FAULT_NONE);
	assert_false(c.last);
	assert_int_equal(parse(VIEW("BDAT +5"), &c), SMTP_FAULT_SYNTAX);
	assert_int_equal(parse(VIEW("BDAT 0x5"), &c), SMTP_FAULT_SYNTAX);
	assert_int_equal(parse(VIEW("AUTH PLAIN ="), &c), SMTP_FAULT_NONE);
	assert_true(c.has_initial);
	assert_int_equal(parse(VIEW("AUTH scram-sha-256"), &c), SMTP_FAULT_NONE);
	assert_false(c.has_initial);
	assert_int_equal(parse(VIEW("AUTH PLAIN a b"), &c), SMTP_FAULT_SYNTAX);
	assert_int_equal(parse(VIEW("QUIT now"), &c), SMTP_FAULT_ARGUMENT);
}

/* Results only on success; every prefix of a line is parsed without reading past it. */
static void test_prefixes(void **state)
{
	static const struct view lines[] = {
		VIEW_INIT("MAIL FROM:<@a.test:\"x\\\"y\"@b.test> SIZE=1 BY=1;R "
			  "HOLDUNTIL=2026-11-21T04:00:00Z"),
		VIEW_INIT("RCPT TO:<u@[IPv6:2001:db8::1]> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb"),
		VIEW_INIT("AUTH SCRAM-SHA-256 biwsbj11c2Vy"),
		VIEW_INIT("BDAT 1000 LAST"),
	};

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		for (size_t n = 4; n <= lines[i].n; n++) {
			struct smtp_command c = { .octets = CANARY };
			enum smtp_fault fault = parse(view_head(lines[i], n), &c);

			if (fault)
				assert_true(c.octets == CANARY);
		}
	}
}

static void test_http(void **state)
{
	assert_true(smtp_line_is_http(VIEW("GET / HTTP/1.1")));
	assert_true(smtp_line_is_http(VIEW("post /x")));
	assert_true(smtp_line_is_http(VIEW("Host: x")));
	assert_true(smtp_line_is_http(VIEW("PRI * HTTP/2.0")));
	assert_true(smtp_line_is_http(VIEW("FOO x HTTP/1.0")));
	assert_false(smtp_line_is_http(VIEW("GETX")));
	assert_false(smtp_line_is_http(VIEW("EHLO host")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),	 cmocka_unit_test(test_mail),
		cmocka_unit_test(test_rcpt),	 cmocka_unit_test(test_bdat_auth),
		cmocka_unit_test(test_prefixes), cmocka_unit_test(test_http),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
