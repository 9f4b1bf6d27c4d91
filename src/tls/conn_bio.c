/*
 * tls/conn_bio.c: see conn_bio.h.
 */
#include "tls/conn_bio.h"

#include <openssl/bio.h>

#include "tls/conn.h"

static int bio_read(BIO *b, char *to, size_t n, size_t *ret_n)
{
	struct tls_conn *c = BIO_get_data(b);
	size_t got = size_min(n, c->feed.n);

	BIO_clear_retry_flags(b);
	if (got == 0) {
		BIO_set_retry_read(b);
		return 0;
	}
	memcpy(to, c->feed.p, got);
	c->feed = view_from(c->feed, got);
	*ret_n = got;
	return 1;
}

static int bio_write(BIO *b, const char *from, size_t n, size_t *ret_n)
{
	struct tls_conn *c = BIO_get_data(b);

	BIO_clear_retry_flags(b);
	buf_add(&c->room->made, view_of(from, n));
	if (buf_err(&c->room->made))
		return 0;
	*ret_n = n;
	return 1;
}

static long bio_ctrl(BIO *b, int command, long number, void *pointer)
{
	return command == BIO_CTRL_FLUSH;
}

static int bio_create(BIO *b)
{
	BIO_set_init(b, 1);
	return 1;
}

BIO_METHOD *conn_bio_method_new(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "posthold connection");

	if (m && BIO_meth_set_read_ex(m, bio_read) && BIO_meth_set_write_ex(m, bio_write) &&
	    BIO_meth_set_ctrl(m, bio_ctrl) && BIO_meth_set_create(m, bio_create))
		return m;
	BIO_meth_free(m);
	return NULL;
}

BIO *conn_bio_new(struct tls_env *env, struct tls_conn *c)
{
	BIO *b = BIO_new(env->bio);

	if (b)
		BIO_set_data(b, c);
	return b;
}
