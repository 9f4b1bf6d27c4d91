/* Tests of proto/sasl/scram.h.  The examples are those of RFC 7677#3. */
#include "cuts.h"

#include "proto/sasl/scram.h"

#define FIRST VIEW("n,,n=user,r=rOprNGfwEbeRWgbNEkqO")
#define FINAL                                                                                      \
	VIEW("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"                        \
	     "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")

static void test_client_first(void **state)
{
	struct scram_first f;

	(void)state;
	assert_int_equal(scram_first_parse(FIRST, &f), OK);
	assert_int_equal(f.flag, SCRAM_FLAG_NONE);
	assert_view(f.gs2_header, "n,,");
	assert_view(f.bare, "n=user,r=rOprNGfwEbeRWgbNEkqO");
	assert_view(f.name, "user");
	assert_view(f.nonce, "rOprNGfwEbeRWgbNEkqO");
	assert_int_equal(
		scram_first_parse(VIEW("p=tls-exporter,a=x=2Cy,n=user,r=abc,z=ignored"), &f), OK);
	assert_int_equal(f.flag, SCRAM_FLAG_REQUIRED);
	assert_view(f.binding_name, "tls-exporter");
	assert_view(f.authzid, "x=2Cy");
	assert_view(f.gs2_header, "p=tls-exporter,a=x=2Cy,");
	assert_view(f.bare, "n=user,r=abc,z=ignored");
	assert_int_equal(scram_first_parse(VIEW("y,,n=a,r=b"), &f), OK);
	assert_int_equal(f.flag, SCRAM_FLAG_UNUSED);
}

static void test_client_first_refused(void **state)
{
	static const struct view rows[] = {
		VIEW_INIT(""),
		VIEW_INIT("x,,n=a,r=b"),
		VIEW_INIT("p,,n=a,r=b"),
		VIEW_INIT("p=,,n=a,r=b"),
		VIEW_INIT("n,n=a,r=b"),
		VIEW_INIT("n,a=,n=a,r=b"),
		VIEW_INIT("n,x=y,n=a,r=b"),
		VIEW_INIT("n,,m=ext,n=a,r=b"),
		VIEW_INIT("n,,n=,r=b"),
		VIEW_INIT("n,,n=a,r="),
		VIEW_INIT("n,,n=a,r=b,"),
		VIEW_INIT("n,,n=a,r=b,q"),
		VIEW_INIT("n,,n=a,r=b\n"),
		VIEW_INIT("n,,n=a,r=b c"),
		VIEW_INIT("n,,n=a\0b,r=c"),
		VIEW_INIT("n,,r=b,n=a"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct scram_first f = { .name = VIEW("canary") };

		assert_int_equal(scram_first_parse(rows[i], &f), ERR_SYNTAX);
		assert_view(f.name, "canary");
	}
}

static void test_client_final(void **state)
{
	struct scram_final f;

	(void)state;
	assert_int_equal(scram_final_parse(FINAL, &f), OK);
	assert_view(f.binding, "biws");
	assert_view(f.nonce, "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
	assert_view(f.without_proof, "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
	assert_int_equal(f.proof[0], 0x74);
	assert_int_equal(f.proof[31], 0x54);
}

static void test_client_final_refused(void **state)
{
	static const struct view rows[] = {
		VIEW_INIT(""),
		VIEW_INIT("c=biws,r=abc"),
		VIEW_INIT("c=biws,r=abc,p="),
		VIEW_INIT("c=biws,r=abc,p=dHzb"),
		VIEW_INIT("c=biws,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="),
		VIEW_INIT("r=abc,c=biws,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="),
		VIEW_INIT("c=bi!s,r=abc,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="),
		VIEW_INIT("c=biws,r=abc,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=,x=y"),
		VIEW_INIT("c=biws,r=abc,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct scram_final f = { .nonce = VIEW("canary") };

		assert_int_not_equal(scram_final_parse(rows[i], &f), OK);
		assert_view(f.nonce, "canary");
	}
}

/* No prefix of a message is a message, and no prefix is read beyond its end. */
static void test_every_cut(void **state)
{
	struct scram_first first;
	struct scram_final final;

	(void)state;
	for (struct cuts c = cuts_short_heads(FINAL); cuts_next(&c);)
		assert_int_not_equal(scram_final_parse(c.piece, &final), OK);
	/* A nonce cut short is a nonce. */
	for (struct cuts c = cuts_short_heads(FIRST); cuts_next(&c);)
		assert_int_equal(scram_first_parse(c.piece, &first),
				 c.piece.n > 12 ? OK : ERR_SYNTAX);
}

static void test_limits(void **state)
{
	char text[SCRAM_MESSAGE_MAX + 1];
	struct scram_first f;
	struct scram_final last;

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "n,,n=a,r=", 9);
	assert_int_equal(scram_first_parse(view_of(text, 9 + SCRAM_NONCE_MAX), &f), OK);
	assert_int_equal(scram_first_parse(view_of(text, 9 + SCRAM_NONCE_MAX + 1), &f), ERR_LIMIT);
	memcpy(text, "n,,n=a,r=b,z=", 13);
	assert_int_equal(scram_first_parse(view_of(text, SCRAM_MESSAGE_MAX), &f), OK);
	assert_int_equal(scram_first_parse(view_of(text, SCRAM_MESSAGE_MAX + 1), &f), ERR_LIMIT);
	assert_int_equal(scram_final_parse(view_of(text, SCRAM_MESSAGE_MAX + 1), &last), ERR_LIMIT);
}

static void test_names(void **state)
{
	static const struct {
		struct view from;
		const char *to; /* NULL: refused */
	} rows[] = {
		{ VIEW_INIT("anna"), "anna" }, { VIEW_INIT("a=2Cb=3Dc"), "a,b=c" },
		{ VIEW_INIT("a=2cb"), "a,b" }, { VIEW_INIT("a="), NULL },
		{ VIEW_INIT("a=2"), NULL },    { VIEW_INIT("a=41"), NULL },
		{ VIEW_INIT("=3D=3D"), "==" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf CLEANUP(buf_done) out = BUF_INIT(100);
		enum err err = scram_name_decode(rows[i].from, &out);

		assert_int_equal(err, rows[i].to ? OK : ERR_SYNTAX);
		if (rows[i].to)
			assert_string_equal(buf_cstr(&out), rows[i].to);
	}
}

static void test_server_messages(void **state)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(200);

	(void)state;
	scram_add_challenge(&out, VIEW("abc"), VIEW("salt"), 4096);
	assert_view(buf_view(&out), "r=abc,s=c2FsdA==,i=4096");
	buf_clear(&out);
	scram_add_verifier(&out, VIEW("signature"));
	assert_view(buf_view(&out), "v=c2lnbmF0dXJl");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_client_first), cmocka_unit_test(test_client_first_refused),
		cmocka_unit_test(test_client_final), cmocka_unit_test(test_client_final_refused),
		cmocka_unit_test(test_every_cut),    cmocka_unit_test(test_limits),
		cmocka_unit_test(test_names),	     cmocka_unit_test(test_server_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
