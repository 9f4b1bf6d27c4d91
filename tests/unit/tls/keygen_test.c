/*
 * Tests of tls/keygen.c, tls/pem.c and tls/signer.c.
 */
#include "unit.h"

#include <openssl/evp.h>

#include "sys/clock.h"
#include "tls/pem.h"
#include "tls/signer.h"
#include "tls/tls_fixture.h"

static struct fixture f;

static int setup(void **state)
{
	fixture_init(&f);
	return 0;
}

static int teardown(void **state)
{
	fixture_done(&f);
	return 0;
}

static void check(void **state)
{
	static const char *const types[] = { "EC", "RSA", "ED25519" };
	static const int bits[] = { 256, 3072, 256 };
	int64_t now = clock_wall();

	for (int i = 0; i < 3; i++) {
		struct buf CLEANUP(buf_done) names = BUF_INIT(PEM_NAMES_MAX);
		struct keygen_report r;

		assert_int_equal(keygen_check(&f.env, buf_view(&f.chain[i]), buf_view(&f.key[i]),
					      &r, &names),
				 OK);
		assert_string_equal(r.type, types[i]);
		if (i < 2)
			assert_int_equal(r.bits, bits[i]);
		assert_view(buf_view(&names), "localhost 127.0.0.1 0:0:0:0:0:0:0:1");
		assert_true(r.from <= now && r.from >= now - 3700);
		assert_true(r.until >= now + 29 * 86400 && r.until <= now + 31 * 86400);
	}
}

static void mismatch(void **state)
{
	struct buf CLEANUP(buf_done) names = BUF_INIT(PEM_NAMES_MAX);
	struct keygen_report r;

	assert_int_equal(
		keygen_check(&f.env, buf_view(&f.chain[0]), buf_view(&f.key[1]), &r, &names),
		ERR_CRYPTO);
	assert_int_equal(keygen_check(&f.env, buf_view(&f.ca), buf_view(&f.key[0]), &r, &names),
			 ERR_CRYPTO);
	assert_int_equal(keygen_check(&f.env, buf_view(&f.key[0]), buf_view(&f.key[0]), &r, &names),
			 ERR_SYNTAX);
	assert_int_equal(
		keygen_check(&f.env, buf_view(&f.chain[0]), buf_view(&f.chain[0]), &r, &names),
		ERR_SYNTAX);
	assert_int_equal(names.n, 0);
}

static void cut(void **state)
{
	struct view chain = buf_view(&f.chain[0]);
	size_t leaf = view_find(chain, VIEW("-----END CERTIFICATE-----\n")) + 26;

	/* Cut inside the leaf or inside the authority: never taken for whole. */
	for (size_t n = 0; n < chain.n - 1; n++) {
		struct buf CLEANUP(buf_done) names = BUF_INIT(PEM_NAMES_MAX);
		struct keygen_report r;
		enum err err =
			keygen_check(&f.env, view_head(chain, n), buf_view(&f.key[0]), &r, &names);

		/* Before the next certificate begins the chain is a complete, shorter one. */
		if (n >= leaf - 1 && n < leaf + 27)
			continue;
		assert_int_equal(err, ERR_SYNTAX);
	}
}

static void request_limits(void **state)
{
	struct view names[KEYGEN_NAMES_MAX + 1];
	struct buf CLEANUP(buf_done) key = BUF_INIT(PEM_TEXT_MAX), chain = BUF_INIT(PEM_TEXT_MAX);
	struct keygen_request r = {
		.ca_key = buf_view(&f.ca_key),
		.ca_certificate = buf_view(&f.ca),
		.names = names,
		.now = clock_wall(),
		.days = 1,
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		names[i] = VIEW("example.org");
	assert_int_equal(keygen_server(&f.env, &r, &key, &chain), ERR_LIMIT);
	r.name_count = KEYGEN_NAMES_MAX + 1;
	assert_int_equal(keygen_server(&f.env, &r, &key, &chain), ERR_LIMIT);
	r.name_count = KEYGEN_NAMES_MAX;
	assert_int_equal(keygen_server(&f.env, &r, &key, &chain), OK);
	r.name_count = 2;
	names[1] = VIEW("a\0b");
	assert_int_equal(keygen_server(&f.env, &r, &key, &chain), ERR_SYNTAX);
}

static void schemes(void **state)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(REMOTE_KEY_SIGNATURE_MAX);
	char digest[64] = "x";
	EVP_PKEY *ec = f.private[KEYGEN_P256], *rsa = f.private[KEYGEN_RSA3072];

	assert_int_equal(
		signer_sign(&f.env, ec, TLS_SCHEME_ECDSA_SHA256, view_of(digest, 32), &out), OK);
	assert_true(out.n > 60 && out.n <= 72);
	assert_int_equal(
		signer_sign(&f.env, ec, TLS_SCHEME_ECDSA_SHA256, view_of(digest, 31), &out),
		ERR_UNSUPPORTED);
	assert_int_equal(
		signer_sign(&f.env, ec, TLS_SCHEME_RSA_PSS_SHA256, view_of(digest, 32), &out),
		ERR_UNSUPPORTED);
	assert_int_equal(signer_sign(&f.env, rsa, 0x0201, view_of(digest, 20), &out),
			 ERR_UNSUPPORTED);
	assert_int_equal(
		signer_sign(&f.env, rsa, TLS_SCHEME_RSA_PSS_SHA512, view_of(digest, 64), &out), OK);
}

static void signed_input_is_verified(void **state)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(REMOTE_KEY_SIGNATURE_MAX);
	EVP_PKEY *key = f.private[KEYGEN_ED25519];
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	const unsigned char data[] = "handshake";

	assert_int_equal(signer_sign(&f.env, key, TLS_SCHEME_ED25519, view_of(data, 9), &out), OK);
	assert_int_equal(out.n, 64);
	assert_int_equal(EVP_DigestVerifyInit_ex(c, NULL, NULL, f.env.lib, NULL, key, NULL), 1);
	assert_int_equal(EVP_DigestVerify(c, (const unsigned char *)out.p, out.n, data, 9), 1);
	EVP_MD_CTX_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(check, setup, teardown),
		cmocka_unit_test_setup_teardown(mismatch, setup, teardown),
		cmocka_unit_test_setup_teardown(cut, setup, teardown),
		cmocka_unit_test_setup_teardown(request_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(schemes, setup, teardown),
		cmocka_unit_test_setup_teardown(signed_input_is_verified, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
