/*
 * Tests of tls/ticket.c: keys are replaced, kept for one more life, and forgotten.
 */
#include "unit.h"

#include <openssl/evp.h>

#include "sys/clock.h"
#include "tls/env.h"
#include "tls/ticket.h"

static void rotation(void **state)
{
	struct tls_env env;
	struct ticket_keys keys;
	unsigned char name[3][TICKET_NAME], iv[16];
	int64_t life = (int64_t)TICKET_LIFE * 1000, now = 1000000;
	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	EVP_MAC *hmac;
	EVP_MAC_CTX *mac;

	assert_int_equal(tls_env_init(&env), OK);
	hmac = EVP_MAC_fetch(env.lib, "HMAC", NULL);
	mac = EVP_MAC_CTX_new(hmac);
	clock_set_mono_ms(now);
	assert_int_equal(ticket_keys_init(&keys, env.lib), OK);
	assert_int_equal(ticket_keys_use(&keys, name[0], iv, cipher, mac, 1), 1);
	clock_set_mono_ms(now + life - 1);
	assert_int_equal(ticket_keys_use(&keys, name[1], iv, cipher, mac, 1), 1);
	assert_memory_equal(name[0], name[1], TICKET_NAME);
	clock_set_mono_ms(now + life);
	assert_int_equal(ticket_keys_use(&keys, name[1], iv, cipher, mac, 1), 1);
	assert_memory_not_equal(name[0], name[1], TICKET_NAME);
	/* The previous key still opens, and asks for a new ticket. */
	assert_int_equal(ticket_keys_use(&keys, name[0], iv, cipher, mac, 0), 2);
	clock_set_mono_ms(now + 2 * life);
	assert_int_equal(ticket_keys_use(&keys, name[2], iv, cipher, mac, 1), 1);
	assert_int_equal(ticket_keys_use(&keys, name[0], iv, cipher, mac, 0), 0);
	assert_int_equal(ticket_keys_use(&keys, name[1], iv, cipher, mac, 0), 2);
	/* Nobody came for long: both are too old. */
	clock_set_mono_ms(now + 10 * life);
	assert_int_equal(ticket_keys_use(&keys, name[2], iv, cipher, mac, 0), 0);
	clock_set_mono_ms(-1);
	ticket_keys_done(&keys);
	EVP_MAC_CTX_free(mac);
	EVP_MAC_free(hmac);
	EVP_CIPHER_CTX_free(cipher);
	tls_env_done(&env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rotation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
