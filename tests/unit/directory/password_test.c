/* Tests of directory/password.h: normal form, quality, verifiers. */
#include "unit.h"

#include <gsasl.h>

#include "directory/password.h"

static const struct password_cost cheap = { .memory = 8192 * 2, .passes = 2, .iterations = 4096 };

static int setup(void **state)
{
	(void)state;
	return password_init() == OK ? 0 : -1;
}

static void test_prepare(void **state)
{
	static const struct {
		const char *from;
		const char *to;
	} rows[] = {
		{ "Tr0ub4dor & 3", "Tr0ub4dor & 3" },
		{ "jo\xcc\x88rg", "j\xc3\xb6rg" },
		{ "a\xc2\xa0"
		  "b",
		  "a b" }, /* no-break space */
		{ "\xef\xbc\xa1", "\xef\xbc\xa1" }, /* full-width A stays: OpaqueString */
		{ "", NULL },
		{ "a\nb", NULL },
		{ "a\xc2\x85"
		  "b",
		  NULL }, /* C1 */
		{ "\xff\xfe", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf CLEANUP(buf_done) out = BUF_INIT(PASSWORD_MAX);
		enum err err = password_prepare(view_str(rows[i].from), &out);

		assert_int_equal(err, rows[i].to ? OK : ERR_SYNTAX);
		if (rows[i].to)
			assert_string_equal(buf_cstr(&out), rows[i].to);
	}
}

static void test_prepare_at_and_past_the_limit(void **state)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(PASSWORD_MAX);
	char text[PASSWORD_MAX + 1];

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_int_equal(password_prepare(view_of(text, PASSWORD_MAX), &out), OK);
	buf_clear(&out);
	assert_int_equal(password_prepare(view_of(text, PASSWORD_MAX + 1), &out), ERR_LIMIT);
}

static enum err check(const char *password)
{
	struct buf CLEANUP(buf_done) why = BUF_INIT(500);
	enum err err =
		password_check(view_str(password), VIEW("annabelle@fabrikam.example"), 12, &why);

	assert_true(err == OK || why.n > 0);
	return err;
}

static void test_weak_ones_are_refused(void **state)
{
	static const char *const weak[] = {
		"short",
		"elevenchars",
		"passwordpassword",
		"Password1234",
		"P@ssw0rd2026!",
		"qwertyuiop123",
		"aaaaaaaaaaaaaaaa",
		"abcabcabcabcabc",
		"123456789012",
		"abcdefghijklmnop",
		"zyxwvutsrqponml",
		"letmeinletmein1",
		"annabelle2026",
		"fabrikam123456",
		"Annabelle-Fabrikam",
		"welcome2fabrikam",
		"correcthorsebatterystaple",
		"sommer2026!!!!",
		"1qaz2wsx3edc4rfv",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(weak); i++)
		if (check(weak[i]) != ERR_DENIED)
			fail_msg("%s is taken", weak[i]);
}

static void test_good_ones_are_taken(void **state)
{
	static const char *const good[] = {
		"gurken salat zebra",	    "k8Fz-q2Lw-9xPv",	   "correct-horse-battery",
		"vier M\xc3\xb6wen am Kai", "ocean teapot ladder",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (check(good[i]) != OK)
			fail_msg("%s is refused", good[i]);
}

static void test_length_counts_characters(void **state)
{
	struct buf CLEANUP(buf_done) why = BUF_INIT(500);

	(void)state;
	/* 11 and 12 characters of two octets */
	assert_int_equal(
		password_check(VIEW("\xc3\xb6\xc3\xa4\xc3\xbc\xc3\xa9\xc3\xa0\xc3\xae\xc3\xa7"
				    "\xc3\xb1\xc3\xb8\xc3\xa5\xc3\xa8"),
			       VIEW("a@b"), 12, &why),
		ERR_DENIED);
	assert_int_equal(
		password_check(VIEW("\xc3\xb6\xc3\xa4\xc3\xbc\xc3\xa9\xc3\xa0\xc3\xae\xc3\xa7"
				    "\xc3\xb1\xc3\xb8\xc3\xa5\xc3\xa8\xc3\xaa"),
			       VIEW("a@b"), 12, &why),
		OK);
}

static void test_generated_ones_are_good_and_differ(void **state)
{
	struct buf CLEANUP(buf_done) a = BUF_INIT(100);
	struct buf CLEANUP(buf_done) b = BUF_INIT(100);

	(void)state;
	password_generate(&a);
	password_generate(&b);
	assert_int_equal(a.n, 28 + 6);
	assert_false(view_eq(buf_view(&a), buf_view(&b)));
	assert_int_equal(check(buf_cstr(&a)), OK);
}

static void test_derive_and_verify(void **state)
{
	struct verifiers v;
	struct verifiers again;

	(void)state;
	assert_int_equal(password_derive(VIEW("gurken salat"), &cheap, &v), OK);
	assert_int_equal(password_verify(VIEW("gurken salat"), &v, &cheap), OK);
	assert_int_equal(password_verify(VIEW("gurken salaT"), &v, &cheap), ERR_CRYPTO);
	assert_int_equal(password_verify(VIEW(""), &v, &cheap), ERR_CRYPTO);
	assert_int_equal(password_verify(VIEW("gurken salat"), NULL, &cheap), ERR_CRYPTO);
	assert_non_null(strstr(v.argon2id, "$argon2id$v=19$m=16,t=2,p=1$"));
	assert_int_equal(password_derive(VIEW("gurken salat"), &cheap, &again), OK);
	assert_memory_not_equal(v.scram_salt, again.scram_salt, sizeof(v.scram_salt));
	assert_string_not_equal(v.argon2id, again.argon2id);
}

static void test_outdated(void **state)
{
	struct password_cost dearer = cheap;
	struct verifiers v;

	(void)state;
	assert_int_equal(password_derive(VIEW("x"), &cheap, &v), OK);
	assert_false(password_outdated(&v, &cheap));
	dearer.passes = 3;
	assert_true(password_outdated(&v, &dearer));
	dearer = cheap;
	dearer.memory *= 2;
	assert_true(password_outdated(&v, &dearer));
	dearer = cheap;
	dearer.iterations++;
	assert_true(password_outdated(&v, &dearer));
	v.has_scram = false;
	assert_true(password_outdated(&v, &cheap));
}

/* Against an independent implementation. */
static void test_scram_keys_as_another_library_makes_them(void **state)
{
	struct verifiers v;
	char salted[32];
	char client[32];
	char server[32];
	char stored[32];

	(void)state;
	assert_int_equal(password_derive(VIEW("pencil"), &cheap, &v), OK);
	assert_int_equal(
		gsasl_scram_secrets_from_password(GSASL_HASH_SHA256, "pencil", v.scram_iterations,
						  (const char *)v.scram_salt, sizeof(v.scram_salt),
						  salted, client, server, stored),
		GSASL_OK);
	assert_memory_equal(v.scram_stored_key, stored, 32);
	assert_memory_equal(v.scram_server_key, server, 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prepare),
		cmocka_unit_test(test_prepare_at_and_past_the_limit),
		cmocka_unit_test(test_weak_ones_are_refused),
		cmocka_unit_test(test_good_ones_are_taken),
		cmocka_unit_test(test_length_counts_characters),
		cmocka_unit_test(test_generated_ones_are_good_and_differ),
		cmocka_unit_test(test_derive_and_verify),
		cmocka_unit_test(test_outdated),
		cmocka_unit_test(test_scram_keys_as_another_library_makes_them),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
