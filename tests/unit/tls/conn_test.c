/*
 * Tests of tls/conn.c, tls/server.c, tls/client.c and tls/remote_key.c: both ends in this process, over
 * a socketpair.
 */
#include "unit.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/clock.h"
#include "sys/file.h"
#include "sys/ipc.h"
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

static void expect_shake(struct pair *p)
{
	enum err client, server = pair_shake(p, &client);

	if (server || client)
		print_error("server: %s; client: %s\n", p->server.why, p->client.why);
	assert_int_equal(server, OK);
	assert_int_equal(client, OK);
}

static void handshake(void **state)
{
	struct pair p;
	struct tls_info s, c;

	pair_init(&f, &p);
	expect_shake(&p);
	tls_conn_info(&p.server, &s);
	tls_conn_info(&p.client, &c);
	assert_string_equal(s.version, "TLSv1.3");
	assert_string_equal(s.cipher, "TLS_AES_256_GCM_SHA384");
	assert_view(s.sni, "localhost");
	assert_true(c.verified);
	assert_false(s.resumed);
	assert_int_equal(s.exporter_n, 32);
	assert_memory_equal(s.exporter, c.exporter, 32);
	assert_int_equal(s.end_point_n, 32);
	assert_int_equal(c.end_point_n, 32);
	assert_memory_equal(s.end_point, c.end_point, 32);
	pair_echo(&p.client, &p.server, "a NOOP\r\n");
	pair_echo(&p.server, &p.client, "a OK\r\n");
	pair_done(&p);
}

/* Every key type and version signs through the provider. */
static void key_types(void **state)
{
	static const struct {
		const char *sigalgs, *type;
		int version;
	} rows[] = {
		{ "ECDSA+SHA256", "EC", TLS1_3_VERSION },
		{ "ECDSA+SHA256", "EC", TLS1_2_VERSION },
		{ "rsa_pss_rsae_sha256", "RSA", TLS1_3_VERSION },
		{ "rsa_pss_rsae_sha512:RSA+SHA256", "RSA", TLS1_3_VERSION },
		{ "rsa_pss_rsae_sha384", "RSA", TLS1_2_VERSION },
		{ "RSA+SHA256", "RSA", TLS1_2_VERSION },
		{ "RSA+SHA512", "RSA", TLS1_2_VERSION },
		{ "ed25519:ECDSA+SHA256", "ED25519", TLS1_3_VERSION },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pair p;
		unsigned before = f.signed_count;
		struct tls_info c, s;
		EVP_PKEY *key;

		pair_init(&f, &p);
		assert_int_equal(SSL_set1_sigalgs_list(p.client.ssl, rows[i].sigalgs), 1);
		SSL_set_max_proto_version(p.client.ssl, rows[i].version);
		/* The chain is signed by ECDSA, which most rows do not offer. */
		SSL_set_verify(p.client.ssl, SSL_VERIFY_NONE, NULL);
		expect_shake(&p);
		assert_int_equal(f.signed_count, before + 1);
		key = X509_get0_pubkey(SSL_get0_peer_certificate(p.client.ssl));
		if (i < 7)
			assert_true(EVP_PKEY_is_a(key, rows[i].type));
		assert_int_equal(SSL_version(p.client.ssl), rows[i].version);
		tls_conn_info(&p.client, &c);
		tls_conn_info(&p.server, &s);
		assert_int_equal(s.exporter_n, 32);
		assert_memory_equal(s.exporter, c.exporter, 32);
		pair_echo(&p.client, &p.server, "x");
		pair_done(&p);
	}
}

static void ed25519_alone(void **state)
{
	struct pair p;

	tls_server_clear(f.server);
	assert_false(tls_server_ready(f.server));
	assert_int_equal(
		tls_server_add(f.server, buf_view(&f.chain[KEYGEN_ED25519]), KEYGEN_ED25519), OK);
	pair_init(&f, &p);
	expect_shake(&p);
	assert_true(EVP_PKEY_is_a(X509_get0_pubkey(SSL_get0_peer_certificate(p.client.ssl)),
				  "ED25519"));
	pair_done(&p);
}

static void signer_gone(void **state)
{
	struct pair p;
	enum err client;

	f.refuse = true;
	pair_init(&f, &p);
	assert_int_equal(pair_shake(&p, &client), ERR_CRYPTO);
	assert_string_equal(p.server.why, "failed to sign");
	assert_int_not_equal(client, OK);
	pair_done(&p);
	f.refuse = false;
	pair_init(&f, &p);
	expect_shake(&p);
	pair_done(&p);
}

static void no_private_half(void **state)
{
	EVP_PKEY *key = NULL;
	OSSL_PARAM *params = NULL;
	EVP_PKEY *real = f.private[KEYGEN_P256];

	assert_int_equal(remote_key_new(&f.env, real, &f.signer, 0, &key), OK);
	assert_int_equal(EVP_PKEY_eq(key, real), 1);
	assert_int_equal(EVP_PKEY_todata(key, EVP_PKEY_KEYPAIR, &params), 0);
	ERR_clear_error();
	EVP_PKEY_free(key);
}

static void old_versions(void **state)
{
	static const int versions[] = { TLS1_VERSION, TLS1_1_VERSION };

	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct pair p;
		enum err client;

		pair_init(&f, &p);
		SSL_set_security_level(p.client.ssl, 0);
		SSL_set_min_proto_version(p.client.ssl, versions[i]);
		SSL_set_max_proto_version(p.client.ssl, versions[i]);
		assert_int_equal(pair_shake(&p, &client), ERR_CRYPTO);
		assert_string_equal(p.server.why, "unsupported protocol");
		pair_done(&p);
	}
}

static void weak_ciphers(void **state)
{
	static const char *const lists[] = { "AES256-GCM-SHA384", "ECDHE-RSA-AES128-SHA",
					     "DHE-RSA-AES128-GCM-SHA256" };

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		struct pair p;
		enum err client;

		pair_init(&f, &p);
		SSL_set_max_proto_version(p.client.ssl, TLS1_2_VERSION);
		assert_int_equal(SSL_set_cipher_list(p.client.ssl, lists[i]), 1);
		assert_int_equal(pair_shake(&p, &client), ERR_CRYPTO);
		assert_string_equal(p.server.why, "no shared cipher");
		pair_done(&p);
	}
}

static void alpn(void **state)
{
	static const struct {
		struct view list;
		enum err result;
	} rows[] = {
		{ VIEW_INIT("\x04imap"), OK },
		{ VIEW_INIT("\x02h2\x04imap"), OK },
		{ VIEW_INIT("\x02h2\x08http/1.1"), ERR_CRYPTO },
		{ VIEW_INIT("\x04smtp"), ERR_CRYPTO },
		{ VIEW_INIT("\x05imapx"), ERR_CRYPTO },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pair p;
		enum err client, server;

		pair_init(&f, &p);
		assert_int_equal(SSL_set_alpn_protos(p.client.ssl,
						     (const unsigned char *)rows[i].list.p,
						     (unsigned)rows[i].list.n),
				 0);
		server = pair_shake(&p, &client);
		assert_int_equal(server, rows[i].result);
		if (server)
			assert_string_equal(p.client.why, "tlsv1 alert no application protocol");
		pair_done(&p);
	}
}

static void renegotiation(void **state)
{
	struct pair p;
	struct view got;

	pair_init(&f, &p);
	SSL_set_max_proto_version(p.client.ssl, TLS1_2_VERSION);
	SSL_clear_options(p.client.ssl, SSL_OP_NO_RENEGOTIATION);
	expect_shake(&p);
	assert_int_equal(SSL_renegotiate(p.client.ssl), 1);
	(void)SSL_do_handshake(p.client.ssl);
	/* The ClientHello is in the room: send it as the client would. */
	assert_true(f.room.made.n > 0);
	assert_int_equal(send(p.client.fd, f.room.made.p, f.room.made.n, 0), f.room.made.n);
	buf_clear(&f.room.made);
	assert_int_equal(tls_conn_read(&p.server, &got), ERR_AGAIN);
	/* The server answers no_renegotiation and begins no handshake. */
	assert_int_equal(SSL_in_init(p.server.ssl), 0);
	assert_int_equal(tls_conn_read(&p.client, &got), ERR_CRYPTO);
	pair_done(&p);
}

static SSL_SESSION *session_of(struct pair *p)
{
	struct view got;

	pair_init(&f, p);
	expect_shake(p);
	/* The ticket comes behind the handshake. */
	assert_int_equal(conn_read_some(&p->client, &got), ERR_AGAIN);
	SSL_SESSION *s = SSL_get1_session(p->client.ssl);
	assert_true(SSL_SESSION_has_ticket(s));
	SSL_shutdown(p->client.ssl);
	buf_clear(&f.room.made);
	pair_done(p);
	return s;
}

static bool resumes(SSL_SESSION *session, const char *const *protocols)
{
	struct pair p;
	struct tls_info info;
	int fds[2];

	assert_int_equal(stream_pair(fds), OK);
	tls_conn_init(&p.server, fds[0], &f.room);
	tls_conn_init(&p.client, fds[1], &f.room);
	assert_int_equal(tls_conn_accept(&p.server, f.server, protocols, VIEW_EMPTY), OK);
	assert_int_equal(tls_conn_connect(&p.client, f.client, VIEW("localhost"), true, VIEW_EMPTY),
			 OK);
	assert_int_equal(SSL_set_session(p.client.ssl, session), 1);
	expect_shake(&p);
	tls_conn_info(&p.server, &info);
	assert_true(info.end_point_n == 32 && info.exporter_n == 32);
	pair_done(&p);
	return info.resumed;
}

static void tickets(void **state)
{
	static const char *const imap[] = { "imap", NULL };
	static const char *const smtp[] = { "smtp", NULL };
	struct pair p;
	SSL_SESSION *session;
	unsigned before;

	session = session_of(&p);
	before = f.signed_count;
	assert_true(resumes(session, imap));
	assert_int_equal(f.signed_count, before);
	/* Not in another protocol. */
	assert_false(resumes(session, smtp));
	SSL_SESSION_free(session);
}

/* The end: close_notify, FIN without it, garbage, clear text. */
static void ends(void **state)
{
	struct pair p;
	struct view got;

	pair_init(&f, &p);
	expect_shake(&p);
	assert_int_equal(tls_conn_write(&p.client, VIEW("last")), OK);
	assert_int_equal(tls_conn_finish(&p.client), OK);
	assert_int_equal(conn_read_some(&p.server, &got), OK);
	assert_view(got, "last");
	assert_int_equal(p.server.read_end, ERR_EOF);
	assert_int_equal(tls_conn_read(&p.server, &got), ERR_EOF);
	/* The other direction still works. */
	assert_int_equal(tls_conn_write(&p.server, VIEW("bye")), OK);
	assert_int_equal(conn_read_some(&p.client, &got), OK);
	assert_view(got, "bye");
	pair_done(&p);

	pair_init(&f, &p);
	expect_shake(&p);
	assert_int_equal(tls_conn_write(&p.client, VIEW("half")), OK);
	shutdown(p.client.fd, SHUT_WR);
	assert_int_equal(conn_read_some(&p.server, &got), OK);
	assert_int_equal(conn_read_some(&p.server, &got), ERR_PEER);
	assert_string_equal(p.server.why, "the connection ended without close_notify");
	pair_done(&p);
}

static void clear_after_close_notify(void **state)
{
	for (size_t n = 1; n <= 64; n++) {
		struct pair p;
		struct view got;
		char clear[64];

		memset(clear, 'x', sizeof(clear));
		pair_init(&f, &p);
		expect_shake(&p);
		assert_int_equal(tls_conn_write(&p.client, VIEW("DATA half")), OK);
		SSL_shutdown(p.client.ssl);
		assert_int_equal(send(p.client.fd, f.room.made.p, f.room.made.n, 0), f.room.made.n);
		buf_clear(&f.room.made);
		assert_int_equal(send(p.client.fd, clear, n, 0), n);
		assert_int_equal(conn_read_some(&p.server, &got), OK);
		assert_view(got, "DATA half");
		assert_int_equal(tls_conn_read(&p.server, &got), ERR_EOF);
		assert_int_equal(tls_conn_read(&p.server, &got), ERR_EOF);
		pair_done(&p);
	}
}

static void garbage(void **state)
{
	struct pair p;
	struct view got;

	pair_init(&f, &p);
	expect_shake(&p);
	assert_int_equal(send(p.client.fd, "NOOP\r\n", 6, 0), 6);
	assert_int_equal(conn_read_some(&p.server, &got), ERR_CRYPTO);
	assert_string_not_equal(p.server.why, "");
	assert_int_equal(tls_conn_write(&p.server, VIEW("x")), ERR_PEER);
	pair_done(&p);

	/* Instead of a handshake. */
	pair_init(&f, &p);
	assert_int_equal(send(p.client.fd, "EHLO x\r\nRSET\r\n", 14, 0), 14);
	assert_int_equal(tls_conn_handshake(&p.server), ERR_CRYPTO);
	pair_done(&p);

	/* Cut in the middle of the handshake. */
	pair_init(&f, &p);
	assert_int_equal(tls_conn_handshake(&p.client), ERR_AGAIN);
	assert_int_equal(tls_conn_handshake(&p.server), ERR_AGAIN);
	shutdown(p.client.fd, SHUT_RDWR);
	assert_int_equal(tls_conn_handshake(&p.server), ERR_PEER);
	assert_int_equal(tls_conn_handshake(&p.server), ERR_PEER);
	pair_done(&p);
}

/* Clear first, then TLS; the first octets of the handshake were read as clear text. */
static void starttls(void **state)
{
	static const char *const smtp[] = { "smtp", NULL };
	struct pair p;
	struct view got;
	int fds[2];

	assert_int_equal(stream_pair(fds), OK);
	tls_conn_init(&p.server, fds[0], &f.room);
	tls_conn_init(&p.client, fds[1], &f.room);
	pair_echo(&p.client, &p.server, "STARTTLS\r\n");
	pair_echo(&p.server, &p.client, "220 go\r\n");
	assert_int_equal(tls_conn_connect(&p.client, f.client, VIEW("localhost"), true, VIEW_EMPTY),
			 OK);
	assert_int_equal(tls_conn_handshake(&p.client), ERR_AGAIN);
	assert_int_equal(tls_conn_read(&p.server, &got), OK);
	assert_int_equal(tls_conn_accept(&p.server, f.server, smtp, got), OK);
	expect_shake(&p);
	pair_echo(&p.client, &p.server, "EHLO x\r\n");
	pair_done(&p);
}

/* Finished and the first command in one segment: the command is not lost. */
static void early_data_behind_handshake(void **state)
{
	struct pair p;
	struct view got;

	pair_init(&f, &p);
	assert_int_equal(tls_conn_handshake(&p.client), ERR_AGAIN);
	assert_int_equal(tls_conn_handshake(&p.server), ERR_AGAIN);
	assert_int_equal(tls_conn_handshake(&p.client), OK);
	assert_int_equal(tls_conn_write(&p.client, VIEW("EHLO x\r\n")), OK);
	assert_int_equal(tls_conn_handshake(&p.server), OK);
	assert_true(tls_conn_has_early(&p.server));
	assert_int_equal(tls_conn_read(&p.server, &got), OK);
	assert_view(got, "EHLO x\r\n");
	assert_false(tls_conn_has_early(&p.server));
	pair_done(&p);
}

/* Every octet of the client's side alone: records in pieces. */
static void byte_by_byte(void **state)
{
	struct pair p;
	struct view got;
	int fds[2];
	char room[65536];
	ssize_t n;
	size_t seen = 0;

	pair_init(&f, &p);
	expect_shake(&p);
	assert_int_equal(conn_read_some(&p.client, &got), ERR_AGAIN);
	assert_int_equal(stream_pair(fds), OK);
	/* The client writes into another pair, from which we dole out. */
	int real = dup(p.client.fd);
	dup2(fds[0], p.client.fd);
	assert_int_equal(tls_conn_write(&p.client, VIEW("one two three")), OK);
	assert_int_equal(tls_conn_write(&p.client, VIEW("four")), OK);
	n = read(fds[1], room, sizeof(room));
	assert_true(n > 0);
	for (ssize_t i = 0; i < n; i++) {
		enum err err;

		assert_int_equal(send(real, room + i, 1, 0), 1);
		err = tls_conn_read(&p.server, &got);
		if (err)
			assert_int_equal(err, ERR_AGAIN);
		else
			seen += got.n;
	}
	assert_int_equal(seen, 17);
	close(real);
	close(fds[0]);
	close(fds[1]);
	pair_done(&p);
}

/* A peer that does not read: output is kept, and comes out whole. */
static void slow_reader(void **state)
{
	struct pair p;
	char *data = malloc(TLS_WRITE_MAX);
	size_t sent = 0, seen = 0;
	struct view got;

	for (size_t i = 0; i < TLS_WRITE_MAX; i++)
		data[i] = (char)(i * 7 % 251);
	pair_init(&f, &p);
	expect_shake(&p);
	while (!tls_conn_is_waiting(&p.server)) {
		assert_int_equal(tls_conn_write(&p.server, view_of(data, TLS_WRITE_MAX)), OK);
		sent += TLS_WRITE_MAX;
		assert_true(sent < 64 * 1024 * 1024);
	}
	assert_int_equal(tls_conn_flush(&p.server), ERR_AGAIN);
	while (seen < sent) {
		enum err err = tls_conn_read(&p.client, &got);

		if (err == ERR_AGAIN) {
			err = tls_conn_flush(&p.server);
			assert_true(err == OK || err == ERR_AGAIN);
			continue;
		}
		assert_int_equal(err, OK);
		for (size_t i = 0; i < got.n; i++, seen++)
			assert_int_equal(got.p[i], data[seen % TLS_WRITE_MAX]);
	}
	assert_false(tls_conn_is_waiting(&p.server));
	assert_null(p.server.out.p);
	pair_done(&p);
	free(data);
}

static void reset(void **state)
{
	struct pair p;
	struct view got;

	pair_init(&f, &p);
	expect_shake(&p);
	tls_conn_done(&p.client);
	assert_int_equal(conn_read_some(&p.server, &got), ERR_PEER);
	assert_int_equal(tls_conn_write(&p.server, VIEW("x")), ERR_PEER);
	assert_int_equal(tls_conn_finish(&p.server), ERR_PEER);
	tls_conn_done(&p.server);
}

static void names(void **state)
{
	static const struct view other[] = { VIEW_INIT("mx.example.org"),
					     VIEW_INIT("*.example.net") };
	static const struct {
		struct view name;
		bool verified;
	} rows[] = {
		{ VIEW_INIT("mx.example.org"), true },
		{ VIEW_INIT("a.example.net"), true },
		{ VIEW_INIT("localhost"), true },
		{ VIEW_INIT("127.0.0.1"), true },
		{ VIEW_INIT("::1"), true },
		{ VIEW_INIT("other.example"), false },
		{ VIEW_INIT("a.b.example.net"), false },
	};

	fixture_certificate(&f, KEYGEN_RSA3072, other, ARRAY_LEN(other));
	assert_int_equal(
		tls_server_add(f.server, buf_view(&f.chain[KEYGEN_RSA3072]), KEYGEN_RSA3072), OK);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (int strict = 0; strict < 2; strict++) {
			struct pair p;
			struct tls_info info;
			enum err client, server;
			int fds[2];

			assert_int_equal(stream_pair(fds), OK);
			tls_conn_init(&p.server, fds[0], &f.room);
			tls_conn_init(&p.client, fds[1], &f.room);
			assert_int_equal(tls_conn_accept(&p.server, f.server, NULL, VIEW_EMPTY),
					 OK);
			assert_int_equal(tls_conn_connect(&p.client, f.client, rows[i].name, strict,
							  VIEW_EMPTY),
					 OK);
			server = pair_shake(&p, &client);
			if (strict && !rows[i].verified) {
				assert_int_equal(client, ERR_CRYPTO);
				assert_string_equal(p.client.why, "certificate verify failed");
			} else {
				if (server || client)
					print_error("%zu: server: %s; client: %s\n", i,
						    p.server.why, p.client.why);
				assert_int_equal(client, OK);
				assert_int_equal(server, OK);
				tls_conn_info(&p.client, &info);
				assert_int_equal(info.verified, rows[i].verified);
			}
			pair_done(&p);
		}
	}
}

static void server_limits(void **state)
{
	struct buf CLEANUP(buf_done) many = BUF_INIT(PEM_TEXT_MAX);

	for (int i = 0; i < TLS_CHAIN_MAX / 2; i++)
		buf_add(&many, buf_view(&f.chain[0]));
	assert_int_equal(tls_server_add(f.server, buf_view(&many), 0), OK);
	buf_add(&many, buf_view(&f.chain[0]));
	assert_int_equal(tls_server_add(f.server, buf_view(&many), 0), ERR_LIMIT);
	assert_int_equal(tls_server_add(f.server, VIEW("nothing"), 0), ERR_SYNTAX);
	assert_int_equal(tls_server_add(f.server, VIEW_EMPTY, 0), ERR_SYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(handshake, setup, teardown),
		cmocka_unit_test_setup_teardown(key_types, setup, teardown),
		cmocka_unit_test_setup_teardown(ed25519_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(signer_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(no_private_half, setup, teardown),
		cmocka_unit_test_setup_teardown(old_versions, setup, teardown),
		cmocka_unit_test_setup_teardown(weak_ciphers, setup, teardown),
		cmocka_unit_test_setup_teardown(alpn, setup, teardown),
		cmocka_unit_test_setup_teardown(renegotiation, setup, teardown),
		cmocka_unit_test_setup_teardown(tickets, setup, teardown),
		cmocka_unit_test_setup_teardown(ends, setup, teardown),
		cmocka_unit_test_setup_teardown(clear_after_close_notify, setup, teardown),
		cmocka_unit_test_setup_teardown(garbage, setup, teardown),
		cmocka_unit_test_setup_teardown(starttls, setup, teardown),
		cmocka_unit_test_setup_teardown(early_data_behind_handshake, setup, teardown),
		cmocka_unit_test_setup_teardown(byte_by_byte, setup, teardown),
		cmocka_unit_test_setup_teardown(slow_reader, setup, teardown),
		cmocka_unit_test_setup_teardown(reset, setup, teardown),
		cmocka_unit_test_setup_teardown(names, setup, teardown),
		cmocka_unit_test_setup_teardown(server_limits, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
