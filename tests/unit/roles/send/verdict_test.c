/*
 * tests/unit/roles/send/verdict_test.c: results in words and numbers.
 */
#include "roles/send/verdict.h"

#include "unit.h"

static struct smtp_outcome outcome(enum smtp_outcome_kind kind, unsigned code, unsigned class,
				   const char *text)
{
	struct smtp_outcome o = { .kind = kind };

	o.reply.code = code;
	o.reply.enhanced[0] = (uint16_t) class;
	o.reply.enhanced[1] = 7;
	o.reply.enhanced[2] = class ? 25 : 0;
	o.reply.text_n = strlen(text);
	memcpy(o.reply.text, text, o.reply.text_n);
	return o;
}

static void test_of_outcome(void **state)
{
	struct smtp_outcome o = outcome(SMTP_OUT_PERM, 550, 5, "no");
	struct verdict v;

	verdict_of_outcome(&v, &o, true);
	assert_int_equal(v.outcome, TRANSFER_FAILED);
	assert_int_equal(v.code, 550);
	assert_string_equal(v.enhanced, "5.7.25");
	assert_view(verdict_text(&v), "550 5.7.25 no");
	/* Our own words are nobody's reply. */
	o.local = true;
	verdict_of_outcome(&v, &o, true);
	assert_view(verdict_text(&v), "no");
	assert_int_equal(v.code, 0);
	assert_string_equal(v.enhanced, "5.7.25");
	/* The server's class disagrees with its code: the code counts. */
	o = outcome(SMTP_OUT_PERM, 550, 4, "no");
	verdict_of_outcome(&v, &o, true);
	assert_string_equal(v.enhanced, "5.0.0");
	o = outcome(SMTP_OUT_TEMP, 451, 0, "");
	verdict_of_outcome(&v, &o, true);
	assert_int_equal(v.outcome, TRANSFER_DEFERRED);
	assert_string_equal(v.enhanced, "4.0.0");
	o = outcome(SMTP_OUT_DELIVERED, 250, 2, "ok");
	verdict_of_outcome(&v, &o, true);
	assert_int_equal(v.outcome, TRANSFER_DELIVERED);
	verdict_of_outcome(&v, &o, false);
	assert_int_equal(v.outcome, TRANSFER_RELAYED);
}

static void test_ours_is_printable_and_cut(void **state)
{
	char text[VERDICT_TEXT_MAX + 2];
	struct verdict v;

	verdict_ours(&v, TRANSFER_FAILED, "5.1.2", "a\r\nb\xc3\xbc%s", "\x7f");
	assert_view(verdict_text(&v), "a??b???");
	memset(text, 'x', sizeof(text));
	text[VERDICT_TEXT_MAX] = '\0';
	verdict_ours(&v, TRANSFER_FAILED, "5.1.2", "%s", text);
	assert_int_equal(v.text_n, VERDICT_TEXT_MAX);
	text[VERDICT_TEXT_MAX] = 'y';
	text[VERDICT_TEXT_MAX + 1] = '\0';
	verdict_ours(&v, TRANSFER_FAILED, "5.1.2", "%s", text);
	assert_int_equal(v.text_n, VERDICT_TEXT_MAX);
	assert_int_equal(v.text[VERDICT_TEXT_MAX - 1], 'x');
}

static void test_of_end(void **state)
{
	static const struct {
		enum smtp_client_end end;
		unsigned code;
		enum transfer_outcome outcome;
		const char *enhanced;
	} rows[] = {
		{ SMTP_END_GREETING, 554, TRANSFER_FAILED, "5.0.0" },
		{ SMTP_END_GREETING, 421, TRANSFER_DEFERRED, "4.0.0" },
		{ SMTP_END_GREETING, 250, TRANSFER_DEFERRED, "4.5.0" },
		{ SMTP_END_HELLO, 250, TRANSFER_DEFERRED, "4.5.0" },
		{ SMTP_END_HELLO, 550, TRANSFER_FAILED, "5.0.0" },
		{ SMTP_END_LOST, 0, TRANSFER_DEFERRED, "4.4.2" },
		{ SMTP_END_TIMEOUT, 0, TRANSFER_DEFERRED, "4.4.2" },
		{ SMTP_END_PROTOCOL, 0, TRANSFER_DEFERRED, "4.5.0" },
		{ SMTP_END_TLS_REFUSED, 454, TRANSFER_DEFERRED, "4.7.5" },
		{ SMTP_END_TLS_INJECTED, 0, TRANSFER_DEFERRED, "4.7.5" },
		{ SMTP_END_SHUTDOWN, 421, TRANSFER_DEFERRED, "4.0.0" },
		{ SMTP_END_ABORTED, 0, TRANSFER_DEFERRED, "4.3.0" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct smtp_client c = { .end = rows[i].end };
		struct verdict v;

		c.last = outcome(rows[i].code / 100 == 5   ? SMTP_OUT_PERM
				 : rows[i].code / 100 == 2 ? SMTP_OUT_DELIVERED
							   : SMTP_OUT_TEMP,
				 rows[i].code, 0, "text");
		verdict_of_end(&v, &c, VIEW("mx.test"), VIEW_EMPTY);
		assert_int_equal(v.outcome, rows[i].outcome);
		assert_string_equal(v.enhanced, rows[i].enhanced);
		assert_true(v.text_n > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_of_outcome),
		cmocka_unit_test(test_ours_is_printable_and_cut),
		cmocka_unit_test(test_of_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
