/* Tests of proto/sasl/plain.h. */
#include "unit.h"

#include "proto/sasl/plain.h"

static enum err parse(struct view text, struct sasl_plain *ret)
{
	char *copy = tight_copy(text);
	enum err err = sasl_plain_parse(view_of(copy, text.n), ret);

	if (!err) { /* the views must point into the copy; hand back ones into text */
		ret->authzid = view_part(text, (size_t)(ret->authzid.p - copy), ret->authzid.n);
		ret->authcid = view_part(text, (size_t)(ret->authcid.p - copy), ret->authcid.n);
		ret->password = view_part(text, (size_t)(ret->password.p - copy), ret->password.n);
	}
	free(copy);
	return err;
}

static void test_examples(void **state)
{
	struct sasl_plain p;

	(void)state;
	assert_int_equal(parse(VIEW("\0tim\0tanstaaftanstaaf"), &p), OK);
	assert_view(p.authzid, "");
	assert_view(p.authcid, "tim");
	assert_view(p.password, "tanstaaftanstaaf");
	assert_int_equal(parse(VIEW("Ursel\0Kurt\0xipj3plmq"), &p), OK);
	assert_view(p.authzid, "Ursel");
	assert_view(p.authcid, "Kurt");
}

static void test_refused(void **state)
{
	static const struct view rows[] = {
		VIEW_INIT(""),		 VIEW_INIT("tim"),	  VIEW_INIT("tim\0secret"),
		VIEW_INIT("\0tim\0"),	 VIEW_INIT("\0\0secret"), VIEW_INIT("\0"),
		VIEW_INIT("\0\0"),	 VIEW_INIT("\0\0\0"),	  VIEW_INIT("\0tim\0secret\0"),
		VIEW_INIT("a\0b\0c\0d"), VIEW_INIT("\0tim\0\0x"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sasl_plain p = { .authcid = VIEW("canary") };

		assert_int_equal(parse(rows[i], &p), ERR_SYNTAX);
		assert_view(p.authcid, "canary");
	}
}

static void test_lengths_at_and_past_the_limit(void **state)
{
	char text[1 + SASL_NAME_MAX + 1 + SASL_PASSWORD_MAX + 2];
	struct sasl_plain p;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[0] = text[1 + SASL_NAME_MAX] = '\0';
	assert_int_equal(parse(view_of(text, 1 + SASL_NAME_MAX + 1 + SASL_PASSWORD_MAX), &p), OK);
	assert_int_equal(p.authcid.n, SASL_NAME_MAX);
	assert_int_equal(p.password.n, SASL_PASSWORD_MAX);
	assert_int_equal(parse(view_of(text, 1 + SASL_NAME_MAX + 1 + SASL_PASSWORD_MAX + 1), &p),
			 ERR_LIMIT);
	text[1 + SASL_NAME_MAX] = 'x';
	text[1 + SASL_NAME_MAX + 1] = '\0';
	assert_int_equal(parse(view_of(text, sizeof(text)), &p), ERR_LIMIT);
	text[0] = 'x';
	assert_int_equal(sasl_login_check(view_of(text, SASL_NAME_MAX), SASL_NAME_MAX), OK);
	assert_int_equal(sasl_login_check(view_of(text, SASL_NAME_MAX + 1), SASL_NAME_MAX),
			 ERR_LIMIT);
	assert_int_equal(sasl_login_check(VIEW(""), SASL_NAME_MAX), ERR_SYNTAX);
	assert_int_equal(sasl_login_check(VIEW("a\0"), SASL_NAME_MAX), ERR_SYNTAX);
}

static void test_every_cut(void **state)
{
	struct view whole = VIEW("me\0tim\0secret");
	struct sasl_plain p;

	(void)state;
	/* Only once the password has begun is the message one. */
	for (size_t n = 0; n <= whole.n; n++)
		assert_int_equal(parse(view_head(whole, n), &p), n > 7 ? OK : ERR_SYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_lengths_at_and_past_the_limit),
		cmocka_unit_test(test_every_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
