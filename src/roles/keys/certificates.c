/*
 * roles/keys/certificates.c: see certificates.h.
 */
#include "certificates.h"

#include <sys/stat.h>

#include "sys/calls.h"
#include "sys/file.h"
#include "tls/keygen.h"
#include "tls/pem.h"
#include "tls/server.h"
#include "tls/signer.h"

enum err certificates_init(struct certificates *c)
{
	*c = (struct certificates){ 0 };
	for (size_t i = 0; i < CERTIFICATES_MAX; i++)
		c->chain_fd[i] = c->key_fd[i] = -1;
	tls_env_lock_secrets();
	return tls_env_init(&c->env);
}

static void certificate_done(struct certificate *c)
{
	buf_done(&c->chain);
	buf_done(&c->names);
	signer_key_free(c->key);
	*c = (struct certificate){ 0 };
}

/* Whatever is read next is a complete new set. */
static void certificates_forget_files(struct certificates *c)
{
	for (size_t i = 0; i < CERTIFICATES_MAX; i++) {
		fd_close(&c->chain_fd[i]);
		fd_close(&c->key_fd[i]);
	}
}

void certificates_done(struct certificates *c)
{
	certificates_forget_files(c);
	for (size_t i = 0; i < c->count; i++)
		certificate_done(&c->at[i]);
	tls_env_done(&c->env);
}

void certificates_take(struct certificates *c, bool is_key, uint64_t index, int fd)
{
	int *at;

	if (index >= CERTIFICATES_MAX) {
		fd_close(&fd);
		return;
	}
	at = is_key ? &c->key_fd[index] : &c->chain_fd[index];
	fd_close(at);
	*at = fd;
}

static enum err read_file(int fd, struct buf *out)
{
	struct stat st;
	char *at;
	enum err err;

	if (fd < 0)
		return ERR_NOTFOUND;
	if (calls()->fstat(fd, &st))
		return ERR_IO;
	if (st.st_size <= 0 || st.st_size > PEM_TEXT_MAX)
		return ERR_LIMIT;
	at = buf_room(out, (size_t)st.st_size);
	if (!at)
		return ERR_NOMEM;
	err = file_read_at(fd, at, (size_t)st.st_size, 0);
	if (!err)
		buf_added(out, (size_t)st.st_size);
	return err;
}

static enum err fill(struct certificates *c, struct view chain, struct view key,
		     struct certificate *to)
{
	struct buf CLEANUP(buf_done) names = BUF_INIT(PEM_NAMES_MAX);
	struct keygen_report report;
	enum err err = keygen_check(&c->env, chain, key, &report, &names);

	if (!err)
		err = pem_clean_chain(&c->env, chain, TLS_CHAIN_MAX, &to->chain);
	if (!err)
		err = pem_read_key(&c->env, key, &to->key);
	if (err)
		return err;
	buf_add(&to->names, view_head(buf_view(&names), CERTIFICATE_NAMES_MAX));
	to->from = report.from;
	to->until = report.until;
	memcpy(to->type, report.type, sizeof(to->type));
	return buf_err(&to->names);
}

static enum err load_one(struct certificates *c, uint32_t i, struct certificate *ret)
{
	struct buf CLEANUP(buf_done) chain = BUF_INIT(PEM_TEXT_MAX);
	struct buf CLEANUP(buf_done) key = BUF_INIT(PEM_TEXT_MAX);
	struct certificate made = { .source = i };
	enum err err;

	buf_init(&made.chain, CERTIFICATE_CHAIN_MAX);
	buf_init(&made.names, CERTIFICATE_NAMES_MAX);
	err = read_file(c->chain_fd[i], &chain);
	if (!err)
		err = read_file(c->key_fd[i], &key);
	if (!err)
		err = fill(c, buf_view(&chain), buf_view(&key), &made);
	buf_wipe(&key);
	if (err) {
		certificate_done(&made);
		return err;
	}
	*ret = made;
	return OK;
}

static const char *explain(const struct certificates *c, uint32_t i, enum err err)
{
	if (c->chain_fd[i] < 0)
		return "there is a key but no certificate";
	if (c->key_fd[i] < 0)
		return "there is a certificate but no key";
	switch (err) {
	case ERR_SYNTAX: return "certificate or key is not valid PEM (or the key is encrypted)";
	case ERR_CRYPTO: return "the key does not belong to the certificate";
	case ERR_UNSUPPORTED:
		return "the key is of a type or size that TLS clients refuse; use ECDSA P-256";
	case ERR_LIMIT: return "the file is empty or too long";
	default: return err_text(err);
	}
}

enum err certificates_load(struct certificates *c, struct buf *why)
{
	struct certificate loaded[CERTIFICATES_MAX];
	size_t n = 0, wanted = 0;

	for (uint32_t i = 0; i < CERTIFICATES_MAX; i++) {
		enum err err;

		if (c->chain_fd[i] < 0 && c->key_fd[i] < 0)
			continue;
		wanted++;
		err = load_one(c, i, &loaded[n]);
		if (err)
			buf_addf(why, "certificate %u: %s\n", i + 1, explain(c, i, err));
		else
			n++;
	}
	certificates_forget_files(c);
	if (n == 0 && (wanted > 0 || c->count > 0))
		return ERR_NOTFOUND;
	for (size_t i = 0; i < c->count; i++)
		certificate_done(&c->at[i]);
	memcpy(c->at, loaded, n * sizeof(loaded[0]));
	c->count = n;
	return OK;
}

enum err certificates_sign(struct certificates *c, uint32_t index, uint16_t scheme,
			   struct view input, struct buf *ret)
{
	if (index >= c->count)
		return ERR_NOTFOUND;
	return signer_sign(&c->env, c->at[index].key, scheme, input, ret);
}
