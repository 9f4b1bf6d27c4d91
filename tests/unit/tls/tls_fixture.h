/*
 * tests/unit/tls/tls_fixture.h: an authority, a server whose keys sign through the remote provider, and
 * pairs of connections over socketpairs.
 */
#ifndef TESTS_TLS_FIXTURE_H
#define TESTS_TLS_FIXTURE_H

#include "tls/conn.h"
#include "tls/keygen.h"
#include "tls/pem.h"

struct fixture {
	struct tls_env env;
	struct tls_room room;
	struct buf ca_key, ca;
	struct buf key[3], chain[3]; /* by enum keygen_type */
	EVP_PKEY *private[3];
	struct remote_signer signer;
	unsigned signed_count;
	bool refuse; /* the signer does not answer */
	struct tls_server *server;
	struct tls_client *client;
};

struct pair {
	struct tls_conn server, client;
};

/* Server with all three certificates; all for localhost, 127.0.0.1 and ::1. */
void fixture_init(struct fixture *f);
void fixture_done(struct fixture *f);
/* A certificate of that type as private[type], for these names. */
void fixture_certificate(struct fixture *f, enum keygen_type type, const struct view *names,
			 size_t n);

void pair_init(struct fixture *f, struct pair *p);
void pair_done(struct pair *p);
/* Both handshakes, until both are done or one has failed.  The server's result. */
enum err pair_shake(struct pair *p, enum err *ret_client);
/* Write at one side, read at the other: the same octets. */
void pair_echo(struct tls_conn *from, struct tls_conn *to, const char *text);
/* Read; ERR_AGAIN does not come back while the other side has sent something. */
enum err conn_read_some(struct tls_conn *c, struct view *ret);

#endif
