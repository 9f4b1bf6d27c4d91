/*
 * roles/keys/key_store.c: see key_store.h.
 */
#include "key_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>

#include "sys/calls.h"
#include "sys/file.h"

#define SERVER_KEY_NAME "server.key"

enum { FILE_NAME_MAX = 64, KEY_MODE = 0600 };

enum err key_store_init(struct key_store *s)
{
	*s = (struct key_store){ .dir = -1 };
	if (sodium_init() < 0)
		return ERR_CRYPTO;
	s->server_key = sodium_malloc(SERVER_KEY_OCTETS);
	return s->server_key ? OK : ERR_NOMEM;
}

void key_store_done(struct key_store *s)
{
	sodium_free(s->server_key);
	*s = (struct key_store){ .dir = -1 };
}

enum err key_store_count(const struct key_store *s, uint64_t *ret)
{
	int fd = calls()->openat(s->dir, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	uint64_t n = 0;

	if (!d) {
		fd_close(&fd);
		return ERR_IO;
	}
	while ((entry = readdir(d))) {
		struct view name = view_str(entry->d_name);

		if (view_starts(name, VIEW("account-")) && view_ends(name, VIEW(".key")))
			n++;
	}
	closedir(d);
	*ret = n;
	return OK;
}

static enum err make_server_key(struct key_store *s)
{
	uint64_t wrapped;
	enum err err = key_store_count(s, &wrapped);

	if (!err && wrapped > 0)
		err = ERR_NOTFOUND;
	if (err)
		return err;
	randombytes_buf(s->server_key, SERVER_KEY_OCTETS);
	return file_replace(s->dir, SERVER_KEY_NAME, view_of(s->server_key, SERVER_KEY_OCTETS),
			    KEY_MODE);
}

enum err key_store_open(struct key_store *s, int dir)
{
	/* Room for one octet more, to see that there is none. */
	struct buf CLEANUP(buf_done) file = BUF_INIT(SERVER_KEY_OCTETS + 1);
	enum err err;

	s->dir = dir;
	err = file_read_all(dir, SERVER_KEY_NAME, &file);
	if (err == ERR_NOTFOUND)
		return make_server_key(s);
	if (err == ERR_LIMIT || (!err && file.n != SERVER_KEY_OCTETS))
		err = ERR_CORRUPT;
	if (!err)
		memcpy(s->server_key, file.p, SERVER_KEY_OCTETS);
	buf_wipe(&file);
	return err;
}

struct name {
	char text[FILE_NAME_MAX];
};

static struct name name_of(uint64_t account)
{
	struct name n;

	snprintf(n.text, sizeof(n.text), "account-%llu.key", (unsigned long long)account);
	return n;
}

static enum err make_account_key(const struct key_store *s, uint64_t account,
				 struct account_keys *ret)
{
	struct buf CLEANUP(buf_done) file = BUF_INIT(ACCOUNT_FILE_MAX);
	struct name name = name_of(account);
	struct account_keys made;
	enum err err;

	account_keys_make(&made);
	account_keys_seal(s->server_key, account, &made, &file);
	err = buf_err(&file);
	if (!err)
		err = file_replace(s->dir, name.text, buf_view(&file), KEY_MODE);
	/* Only a key that survives a power cut may ever encrypt anything. */
	if (!err)
		*ret = made;
	account_keys_wipe(&made);
	return err;
}

enum err key_store_get(const struct key_store *s, uint64_t account, struct account_keys *ret)
{
	struct buf CLEANUP(buf_done) file = BUF_INIT(ACCOUNT_FILE_MAX);
	struct name name = name_of(account);
	enum err err = file_read_all(s->dir, name.text, &file);

	if (err == ERR_NOTFOUND)
		return make_account_key(s, account, ret);
	if (err == ERR_LIMIT)
		return ERR_CORRUPT;
	return err ? err : account_keys_open(s->server_key, account, buf_view(&file), ret);
}

/* Overwrite the old box before its name goes: file systems that write in place then hold no copy. */
static enum err scrub(const struct key_store *s, const char *name)
{
	char noise[ACCOUNT_FILE_MAX];
	int CLEANUP(fd_close) fd = calls()->openat(s->dir, name, O_WRONLY | O_NOFOLLOW, 0);
	struct stat st;
	enum err err;

	if (fd < 0)
		return errno == ENOENT ? OK : ERR_IO;
	if (calls()->fstat(fd, &st))
		return ERR_IO;
	randombytes_buf(noise, sizeof(noise));
	err = file_write_at(fd, view_of(noise, size_min((size_t)st.st_size, sizeof(noise))), 0);
	return err ? err : file_sync(fd);
}

enum err key_store_erase(const struct key_store *s, uint64_t account)
{
	struct buf CLEANUP(buf_done) file = BUF_INIT(ACCOUNT_FILE_MAX);
	struct name name = name_of(account);
	enum err err = scrub(s, name.text);

	account_keys_seal_erased(account, &file);
	return err ? err : file_replace(s->dir, name.text, buf_view(&file), KEY_MODE);
}
