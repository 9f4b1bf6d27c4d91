/*
 * Tests of roles/keys/account_keys.c and roles/keys/key_store.c.
 */
#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "roles/keys/key_store.h"
#include "sys/calls.h"
#include "sys/file.h"

static const uint8_t server_key[SERVER_KEY_OCTETS] = "the server key, thirty-two octet";

struct place {
	char path[FOLDER_PATH_MAX];
	int dir;
};

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	p->dir = folder_new(p->path, "keys");
	*state = p;
	return 0;
}

static void remove_file(struct place *p, const char *name)
{
	(void)unlinkat(p->dir, name, 0);
}

static int teardown(void **state)
{
	struct place *p = *state;

	calls_set(NULL);
	folder_remove(p->dir, p->path);
	free(p);
	return 0;
}

static void round_trip(void **state)
{
	for (size_t n = 1; n <= ACCOUNT_GENERATIONS_MAX; n++) {
		struct buf CLEANUP(buf_done) file = BUF_INIT(ACCOUNT_FILE_MAX);
		struct account_keys in = { .count = n }, out = { 0 };

		for (size_t i = 0; i < n; i++) {
			in.at[i].generation = (uint32_t)(i + 7);
			memset(in.at[i].key, (int)i, ACCOUNT_KEY_OCTETS);
		}
		account_keys_seal(server_key, 42, &in, &file);
		assert_int_equal(buf_err(&file), OK);
		assert_int_equal(account_keys_open(server_key, 42, buf_view(&file), &out), OK);
		assert_memory_equal(&in, &out, sizeof(in));
	}
}

static void tampering(void **state)
{
	struct buf CLEANUP(buf_done) file = BUF_INIT(ACCOUNT_FILE_MAX);
	struct account_keys keys, out;
	uint8_t other[SERVER_KEY_OCTETS] = "another";

	account_keys_make(&keys);
	account_keys_seal(server_key, 42, &keys, &file);
	for (size_t i = 0; i < file.n; i++) {
		for (int bit = 0; bit < 8; bit++) {
			file.p[i] ^= (char)(1 << bit);
			memset(&out, 0x5a, sizeof(out));
			assert_int_not_equal(
				account_keys_open(server_key, 42, buf_view(&file), &out), OK);
			assert_int_equal(out.count, 0x5a5a5a5a5a5a5a5aULL);
			file.p[i] ^= (char)(1 << bit);
		}
	}
	for (size_t n = 0; n < file.n; n++)
		assert_int_not_equal(
			account_keys_open(server_key, 42, view_head(buf_view(&file), n), &out), OK);
	assert_int_equal(account_keys_open(server_key, 43, buf_view(&file), &out), ERR_CRYPTO);
	assert_int_equal(account_keys_open(other, 42, buf_view(&file), &out), ERR_CRYPTO);
	/* The number inside is bound, too. */
	num_put64(file.p + 8, 43);
	assert_int_equal(account_keys_open(server_key, 43, buf_view(&file), &out), ERR_CRYPTO);
	/* One octet more. */
	num_put64(file.p + 8, 42);
	buf_add_char(&file, 'x');
	assert_int_equal(account_keys_open(server_key, 42, buf_view(&file), &out), ERR_CORRUPT);
	account_keys_wipe(&keys);
}

static void store(void **state)
{
	struct place *p = *state;
	struct key_store s;
	struct account_keys first, again, other;
	struct stat st;
	uint64_t n;

	assert_int_equal(key_store_init(&s), OK);
	assert_int_equal(key_store_open(&s, p->dir), OK);
	assert_int_equal(fstatat(p->dir, "server.key", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, 32);
	assert_int_equal(key_store_get(&s, 1, &first), OK);
	assert_int_equal(first.count, 1);
	assert_int_equal(first.at[0].generation, 1);
	assert_int_equal(key_store_get(&s, 2, &other), OK);
	assert_memory_not_equal(first.at[0].key, other.at[0].key, ACCOUNT_KEY_OCTETS);
	key_store_done(&s);

	/* A new process has the same keys. */
	assert_int_equal(key_store_init(&s), OK);
	assert_int_equal(key_store_open(&s, p->dir), OK);
	assert_int_equal(key_store_get(&s, 1, &again), OK);
	assert_int_equal(again.count, 1);
	assert_memory_equal(&first.at[0], &again.at[0], sizeof(first.at[0]));
	assert_int_equal(key_store_count(&s, &n), OK);
	assert_int_equal(n, 2);
	key_store_done(&s);
}

/* An open store in which account 1 has keys. */
static void store_open_with_keys(struct place *p, struct key_store *s, struct account_keys *ret)
{
	assert_int_equal(key_store_init(s), OK);
	assert_int_equal(key_store_open(s, p->dir), OK);
	assert_int_equal(key_store_get(s, 1, ret), OK);
}

static void erasing(void **state)
{
	struct place *p = *state;
	struct key_store s;
	struct account_keys keys;

	store_open_with_keys(p, &s, &keys);
	assert_int_equal(key_store_erase(&s, 1), OK);
	assert_int_equal(key_store_get(&s, 1, &keys), ERR_DENIED);
	assert_int_equal(key_store_erase(&s, 1), OK);
	/* Also one that never had a key gets none. */
	assert_int_equal(key_store_erase(&s, 2), OK);
	assert_int_equal(key_store_get(&s, 2, &keys), ERR_DENIED);
	key_store_done(&s);
}

static void missing_server_key(void **state)
{
	struct place *p = *state;
	struct key_store s;
	struct account_keys keys;

	store_open_with_keys(p, &s, &keys);
	remove_file(p, "server.key");
	assert_int_equal(key_store_open(&s, p->dir), ERR_NOTFOUND);
	assert_int_equal(faccessat(p->dir, "server.key", F_OK, 0), -1);
	/* Nothing was wrapped by it: a new one harms nobody. */
	remove_file(p, "account-1.key");
	assert_int_equal(key_store_open(&s, p->dir), OK);
	key_store_done(&s);
}

static void wrong_length(void **state)
{
	struct place *p = *state;
	struct key_store s;

	assert_int_equal(key_store_init(&s), OK);
	for (size_t n = 0; n < 40; n++) {
		char octets[40] = "x";
		enum err want = n == SERVER_KEY_OCTETS ? OK : ERR_CORRUPT;

		assert_int_equal(file_replace(p->dir, "server.key", view_of(octets, n), 0600), OK);
		assert_int_equal(key_store_open(&s, p->dir), want);
	}
	key_store_done(&s);
}

static int fail_fdatasync(int fd)
{
	errno = EIO;
	return -1;
}

/* A key that was not made durable is never given out. */
static void failing_disk(void **state)
{
	struct place *p = *state;
	struct calls broken = *calls_kernel();
	struct key_store s;
	struct account_keys keys;

	assert_int_equal(key_store_init(&s), OK);
	assert_int_equal(key_store_open(&s, p->dir), OK);
	broken.fdatasync = fail_fdatasync;
	calls_set(&broken);
	memset(&keys, 0x5a, sizeof(keys));
	assert_int_equal(key_store_get(&s, 1, &keys), ERR_IO);
	assert_int_equal(keys.at[0].key[0], 0x5a);
	calls_set(NULL);
	assert_int_equal(key_store_get(&s, 1, &keys), OK);
	key_store_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(round_trip, setup, teardown),
		cmocka_unit_test_setup_teardown(tampering, setup, teardown),
		cmocka_unit_test_setup_teardown(store, setup, teardown),
		cmocka_unit_test_setup_teardown(erasing, setup, teardown),
		cmocka_unit_test_setup_teardown(missing_server_key, setup, teardown),
		cmocka_unit_test_setup_teardown(wrong_length, setup, teardown),
		cmocka_unit_test_setup_teardown(failing_disk, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
