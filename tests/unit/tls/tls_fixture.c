#include "tls/tls_fixture.h"

#include "unit.h"
#include <openssl/evp.h>
#include <poll.h>

#include "sys/clock.h"
#include "sys/ipc.h"
#include "tls/pem.h"
#include "tls/signer.h"

static const char *const protocols[] = { "imap", NULL };

static enum err sign(void *ctx, uint32_t index, uint16_t scheme, struct view input, struct buf *ret)
{
	struct fixture *f = ctx;

	if (f->refuse)
		return ERR_PEER;
	f->signed_count++;
	return signer_sign(&f->env, f->private[index], scheme, input, ret);
}

void fixture_certificate(struct fixture *f, enum keygen_type type, const struct view *names,
			 size_t n)
{
	struct keygen_request r = {
		.ca_key = buf_view(&f->ca_key),
		.ca_certificate = buf_view(&f->ca),
		.names = names,
		.name_count = n,
		.type = type,
		.now = clock_wall(),
		.days = 30,
	};

	buf_clear(&f->key[type]);
	buf_clear(&f->chain[type]);
	assert_int_equal(keygen_server(&f->env, &r, &f->key[type], &f->chain[type]), OK);
	EVP_PKEY_free(f->private[type]);
	f->private[type] = NULL;
	assert_int_equal(pem_read_key(&f->env, buf_view(&f->key[type]), &f->private[type]), OK);
}

void fixture_init(struct fixture *f)
{
	static const struct view names[] = { VIEW_INIT("localhost"), VIEW_INIT("127.0.0.1"),
					     VIEW_INIT("::1") };

	*f = (struct fixture){ .signer = { sign, f } };
	buf_init(&f->ca_key, PEM_TEXT_MAX);
	buf_init(&f->ca, PEM_TEXT_MAX);
	assert_int_equal(tls_env_init(&f->env), OK);
	assert_int_equal(tls_room_init(&f->room), OK);
	assert_int_equal(keygen_authority(&f->env, "Test", clock_wall(), &f->ca_key, &f->ca), OK);
	assert_int_equal(tls_server_new(&f->env, &f->signer, &f->server), OK);
	assert_int_equal(tls_client_new(&f->env, buf_view(&f->ca), &f->client), OK);
	for (unsigned i = 0; i < 3; i++) {
		buf_init(&f->key[i], PEM_TEXT_MAX);
		buf_init(&f->chain[i], PEM_TEXT_MAX);
		fixture_certificate(f, (enum keygen_type)i, names, ARRAY_LEN(names));
		assert_int_equal(tls_server_add(f->server, buf_view(&f->chain[i]), i), OK);
	}
}

void fixture_done(struct fixture *f)
{
	tls_server_free(f->server);
	tls_client_free(f->client);
	for (int i = 0; i < 3; i++) {
		buf_done(&f->key[i]);
		buf_done(&f->chain[i]);
		EVP_PKEY_free(f->private[i]);
	}
	buf_done(&f->ca_key);
	buf_done(&f->ca);
	tls_room_done(&f->room);
	tls_env_done(&f->env);
}

void pair_init(struct fixture *f, struct pair *p)
{
	int fds[2];

	assert_int_equal(stream_pair(fds), OK);
	tls_conn_init(&p->server, fds[0], &f->room);
	tls_conn_init(&p->client, fds[1], &f->room);
	assert_int_equal(tls_conn_accept(&p->server, f->server, protocols, VIEW_EMPTY), OK);
	assert_int_equal(
		tls_conn_connect(&p->client, f->client, VIEW("localhost"), true, VIEW_EMPTY), OK);
}

void pair_done(struct pair *p)
{
	tls_conn_done(&p->server);
	tls_conn_done(&p->client);
}

enum err pair_shake(struct pair *p, enum err *ret_client)
{
	enum err client = ERR_AGAIN, server = ERR_AGAIN;

	for (int i = 0; i < 20 && (client == ERR_AGAIN || server == ERR_AGAIN); i++) {
		if (client == ERR_AGAIN)
			client = tls_conn_handshake(&p->client);
		if (server == ERR_AGAIN)
			server = tls_conn_handshake(&p->server);
	}
	*ret_client = client;
	return server;
}

enum err conn_read_some(struct tls_conn *c, struct view *ret)
{
	enum err err = ERR_AGAIN;

	for (int i = 0; i < 5 && err == ERR_AGAIN; i++)
		err = tls_conn_read(c, ret);
	return err;
}

void pair_echo(struct tls_conn *from, struct tls_conn *to, const char *text)
{
	struct view got;

	assert_int_equal(tls_conn_write(from, view_str(text)), OK);
	assert_int_equal(conn_read_some(to, &got), OK);
	assert_true(view_eq(got, view_str(text)));
}
