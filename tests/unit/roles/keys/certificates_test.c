/*
 * Tests of roles/keys/certificates.c.
 */
#include "unit.h"

#include <sys/mman.h>
#include <unistd.h>

#include "roles/keys/certificates.h"
#include "sys/file.h"
#include "tls/tls_fixture.h"

static struct fixture f;
static struct certificates c;

static int setup(void **state)
{
	fixture_init(&f);
	assert_int_equal(certificates_init(&c), OK);
	return 0;
}

static int teardown(void **state)
{
	certificates_done(&c);
	fixture_done(&f);
	return 0;
}

static void give(bool is_key, uint64_t index, struct view text)
{
	int fd = memfd_create("pem", MFD_CLOEXEC);

	assert_int_equal(file_write(fd, text), OK);
	certificates_take(&c, is_key, index, fd);
}

static void give_pair(uint64_t index, int type)
{
	give(false, index, buf_view(&f.chain[type]));
	give(true, index, buf_view(&f.key[type]));
}

static void load(void **state)
{
	struct buf CLEANUP(buf_done) why = BUF_INIT(1000);
	struct buf CLEANUP(buf_done) out = BUF_INIT(REMOTE_KEY_SIGNATURE_MAX);
	char digest[32] = "";

	give_pair(0, KEYGEN_P256);
	give_pair(1, KEYGEN_RSA3072);
	assert_int_equal(certificates_load(&c, &why), OK);
	assert_view(buf_view(&why), "");
	assert_int_equal(c.count, 2);
	assert_string_equal(c.at[0].type, "EC");
	assert_string_equal(c.at[1].type, "RSA");
	assert_true(view_eq(buf_view(&c.at[0].chain), buf_view(&f.chain[0])));
	assert_int_equal(
		certificates_sign(&c, 0, TLS_SCHEME_ECDSA_SHA256, view_of(digest, 32), &out), OK);
	assert_int_equal(
		certificates_sign(&c, 2, TLS_SCHEME_ECDSA_SHA256, view_of(digest, 32), &out),
		ERR_NOTFOUND);
	assert_int_equal(
		certificates_sign(&c, 1, TLS_SCHEME_ECDSA_SHA256, view_of(digest, 32), &out),
		ERR_UNSUPPORTED);
}

static void private_parts_stay(void **state)
{
	struct buf CLEANUP(buf_done) why = BUF_INIT(1000), both = BUF_INIT(PEM_TEXT_MAX);

	/* One file with key and chain, as some tools write it. */
	buf_add(&both, buf_view(&f.chain[0]));
	buf_add(&both, buf_view(&f.key[0]));
	give(false, 0, buf_view(&both));
	give(true, 0, buf_view(&both));
	assert_int_equal(certificates_load(&c, &why), OK);
	assert_int_equal(view_find(buf_view(&c.at[0].chain), VIEW("PRIVATE")), VIEW_NONE);
}

static void bad_ones(void **state)
{
	struct buf CLEANUP(buf_done) why = BUF_INIT(1000);

	give(false, 0, buf_view(&f.chain[0]));
	give(true, 0, buf_view(&f.key[1]));
	give(false, 1, VIEW("nothing"));
	give(true, 1, buf_view(&f.key[1]));
	give(false, 2, buf_view(&f.chain[1]));
	give_pair(3, KEYGEN_ED25519);
	assert_int_equal(certificates_load(&c, &why), OK);
	assert_int_equal(c.count, 1);
	assert_int_equal(c.at[0].source, 3);
	assert_view(buf_view(&why),
		    "certificate 1: the key does not belong to the certificate\n"
		    "certificate 2: certificate or key is not valid PEM (or the key is encrypted)\n"
		    "certificate 3: there is a certificate but no key\n");
}

static void reload(void **state)
{
	struct buf CLEANUP(buf_done) why = BUF_INIT(1000);

	assert_int_equal(certificates_load(&c, &why), OK); /* none at all */
	give_pair(0, KEYGEN_P256);
	give_pair(1, KEYGEN_RSA3072);
	assert_int_equal(certificates_load(&c, &why), OK);
	assert_int_equal(c.count, 2);
	/* Only bad ones: the old ones stay. */
	give(false, 0, VIEW("nothing"));
	give(true, 0, VIEW("nothing"));
	assert_int_equal(certificates_load(&c, &why), ERR_NOTFOUND);
	assert_int_equal(c.count, 2);
	/* One instead of two. */
	give_pair(0, KEYGEN_RSA3072);
	buf_clear(&why);
	assert_int_equal(certificates_load(&c, &why), OK);
	assert_int_equal(c.count, 1);
	assert_view(buf_view(&why), "");
	/* Past the last place. */
	give(false, CERTIFICATES_MAX, VIEW("x"));
	assert_int_equal(certificates_load(&c, &why), ERR_NOTFOUND);
	assert_int_equal(c.count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(load, setup, teardown),
		cmocka_unit_test_setup_teardown(private_parts_stay, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_ones, setup, teardown),
		cmocka_unit_test_setup_teardown(reload, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
