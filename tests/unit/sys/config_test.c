/*
 * tests/unit/sys/config_test.c: options as text and back, every bound, every complaint.
 */
#include "unit.h"

#include "sys/config.h"

static void assert_refused(const char *name, const char *value, enum err want, const char *words)
{
	struct config c;
	struct buf CLEANUP(buf_done) why = BUF_INIT(1024);

	assert_int_equal(config_init(&c), OK);
	assert_int_equal(config_set(&c, view_str(name), view_str(value), &why), want);
	assert_non_null(strstr(buf_cstr(&why), words));
	config_done(&c);
}

static void defaults_are_set(void **state)
{
	struct config c;

	assert_int_equal(config_init(&c), OK);
	assert_int_equal(c.message_size, 50 << 20);
	assert_int_equal(c.greeting_delay, 3000);
	assert_int_equal(c.rcpt_per_message, 100);
	assert_false(c.imap_clear);
	assert_string_equal(c.log_level, "info");
	config_done(&c);
}

static void every_option_survives_dump_and_load(void **state)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(CONFIG_TEXT_MAX);
	struct buf CLEANUP(buf_done) again = BUF_INIT(CONFIG_TEXT_MAX);
	struct buf CLEANUP(buf_done) why = BUF_INIT(1024);
	struct config c;

	assert_int_equal(config_init(&c), OK);
	assert_int_equal(config_set(&c, VIEW("hostname"), VIEW("mail.example.org"), &why), OK);
	assert_int_equal(config_set(&c, VIEW("message_size"), VIEW("70001"), &why), OK);
	assert_int_equal(config_set(&c, VIEW("ban_time"), VIEW("90 m"), &why), OK);
	config_dump(&c, &text);
	config_done(&c);
	assert_int_equal(config_init(&c), OK);
	assert_int_equal(config_load(&c, buf_view(&text), &why), OK);
	config_dump(&c, &again);
	assert_true(view_eq(buf_view(&text), buf_view(&again)));
	assert_string_equal(c.hostname, "mail.example.org");
	assert_int_equal(c.message_size, 70001);
	config_done(&c);
}

/* Each number at its bounds and one past them. */
static void bounds_hold(void **state)
{
	for (size_t i = 0; i < config_option_count; i++) {
		const struct config_option *o = &config_options[i];
		struct buf CLEANUP(buf_done) why = BUF_INIT(1024);
		struct buf CLEANUP(buf_done) text = BUF_INIT(64);
		const char *unit = o->type == CONFIG_DURATION ? " ms" : "";
		struct config c;

		if (o->type == CONFIG_STR || o->type == CONFIG_BOOL)
			continue;
		assert_int_equal(config_init(&c), OK);
		buf_addf(&text, "%llu%s", (unsigned long long)o->max, unit);
		assert_int_equal(config_set(&c, view_str(o->name), buf_view(&text), &why), OK);
		buf_clear(&text);
		buf_addf(&text, "%llu%s", (unsigned long long)o->max + 1, unit);
		assert_int_equal(config_set(&c, view_str(o->name), buf_view(&text), &why),
				 ERR_RANGE);
		buf_clear(&text);
		buf_addf(&text, "%llu%s", (unsigned long long)o->min, unit);
		assert_int_equal(config_set(&c, view_str(o->name), buf_view(&text), &why), OK);
		if (o->min > 0) {
			buf_clear(&text);
			buf_addf(&text, "%llu%s", (unsigned long long)o->min - 1, unit);
			assert_int_equal(config_set(&c, view_str(o->name), buf_view(&text), &why),
					 ERR_RANGE);
		}
		config_done(&c);
	}
}

static void complaints_tell_what_is_expected(void **state)
{
	assert_refused("mesage_size", "1 MiB", ERR_NOTFOUND, "did you mean \"me");
	assert_refused("zzz", "1", ERR_NOTFOUND, "there is no option \"zzz\"");
	assert_refused("message_size", "big", ERR_SYNTAX, "a size such as");
	assert_refused("message_size", "1 KiB", ERR_RANGE, "from 64 KiB to 1 GiB");
	assert_refused("greeting_delay", "soon", ERR_SYNTAX, "a time such as");
	assert_refused("imap_clear", "maybe", ERR_SYNTAX, "yes or no");
	assert_refused("hostname", "a\nb", ERR_SYNTAX, "without control characters");
}

static void text_has_a_maximum(void **state)
{
	struct buf CLEANUP(buf_done) why = BUF_INIT(1024);
	struct buf CLEANUP(buf_done) text = BUF_INIT(4096);
	struct config c;

	assert_int_equal(config_init(&c), OK);
	buf_add_fill(&text, 'a', CONFIG_VALUE_MAX);
	assert_int_equal(config_set(&c, VIEW("hostname"), buf_view(&text), &why), OK);
	buf_add_char(&text, 'a');
	assert_int_equal(config_set(&c, VIEW("hostname"), buf_view(&text), &why), ERR_LIMIT);
	assert_int_equal(strlen(c.hostname), CONFIG_VALUE_MAX);
	config_done(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_set),
		cmocka_unit_test(every_option_survives_dump_and_load),
		cmocka_unit_test(bounds_hold),
		cmocka_unit_test(complaints_tell_what_is_expected),
		cmocka_unit_test(text_has_a_maximum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
