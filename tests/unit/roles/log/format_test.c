/*
 * tests/unit/roles/log/format_test.c: no value makes a second line, a second field, or something that a reader acts on.
 */
#include "roles/log/log_role.h"
#include "unit.h"

/* The record of one text field, as JSON. */
static void format(struct buf *out, struct view value)
{
	struct buf CLEANUP(buf_done) bytes = BUF_INIT(4096);
	struct log_record_fields field = { .type = LOG_TYPE_TEXT,
					   .key = VIEW("k"),
					   .value = value };
	struct log_record record = { .level = LOG_LEVEL_INFO,
				     .event = VIEW("e"),
				     .text = VIEW("t"),
				     .fields_count = 1,
				     .fields = &field };
	struct log_record decoded;

	log_record_encode(&bytes, &record);
	assert_int_equal(buf_err(&bytes), OK);
	assert_int_equal(log_record_decode(buf_view(&bytes), &decoded), OK);
	log_format_json(out, VIEW("role"), 0, &decoded);
	assert_int_equal(buf_err(out), OK);
}

static void test_values(void **state)
{
	static const struct {
		struct view value;
		const char *text;
	} rows[] = {
		{ VIEW_INIT("plain"), "plain" },
		{ VIEW_INIT("a\r\nb\t\0c"), "a\\u000d\\u000ab\\u0009\\u0000c" },
		{ VIEW_INIT("\"} {\\"), "\\\"} {\\\\" },
		{ VIEW_INIT("\x7f\x1b[0m"), "\\u007f\\u001b[0m" },
		{ VIEW_INIT("ü€\U0001f4e8"), "ü€\U0001f4e8" },
		{ VIEW_INIT("\xc2\x85\xc2\x9b"), "\\u0085\\u009b" },
		{ VIEW_INIT("\xc2\xa0"), "\xc2\xa0" },
		{ VIEW_INIT("\xe2\x80\xa8\xe2\x80\xa9"), "\\u2028\\u2029" },
		{ VIEW_INIT("\xe2\x80\xae\xe2\x81\xa6\xe2\x80\x8f"), "\\u202e\\u2066\\u200f" },
		{ VIEW_INIT("\xe2\x80\xaf\xe2\x81\xaa"), "\xe2\x80\xaf\xe2\x81\xaa" },
		{ VIEW_INIT("\xff\xc0\x80\xed\xa0\x80\xe2\x80"),
		  "\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf CLEANUP(buf_done) out = BUF_INIT(4096);
		struct buf CLEANUP(buf_done) want = BUF_INIT(4096);

		format(&out, rows[i].value);
		buf_addf(&want, ",\"k\":\"%s\"}", rows[i].text);
		assert_true(view_ends(buf_view(&out), buf_view(&want)));
		assert_int_equal(view_find_char(buf_view(&out), '\n'), VIEW_NONE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
