/*
 * tls/conn.c: see conn.h.
 */
#include "tls/conn.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "sys/calls.h"
#include "sys/file.h"
#include "tls/conn_bio.h"

enum {
	RECORD_MAX = 16384 + 512,
	/* All of one read, and a record whose beginning OpenSSL held already. */
	PLAIN_MAX = TLS_READ_MAX + RECORD_MAX,
	/* All records of one write, or a flight of handshake messages with a large chain. */
	MADE_MAX = TLS_WRITE_MAX + 64 * 1024,
	EXPORTER_LEN = 32,
};

enum err tls_room_init(struct tls_room *room)
{
	*room = (struct tls_room){ .from_net = malloc(TLS_READ_MAX), .plain = malloc(PLAIN_MAX) };
	buf_init(&room->made, MADE_MAX);
	if (!room->from_net || !room->plain || !buf_room(&room->made, TLS_WRITE_MAX)) {
		tls_room_done(room);
		return ERR_NOMEM;
	}
	return OK;
}

void tls_room_done(struct tls_room *room)
{
	free(room->from_net);
	free(room->plain);
	buf_done(&room->made);
	*room = (struct tls_room){ 0 };
}

void tls_conn_init(struct tls_conn *c, int fd, struct tls_room *room)
{
	*c = (struct tls_conn){ .room = room, .fd = fd, .why = "" };
	buf_init(&c->early, TLS_READ_MAX);
	buf_init(&c->out, TLS_OUT_MAX);
}

void tls_conn_done(struct tls_conn *c)
{
	SSL_free(c->ssl);
	c->ssl = NULL;
	fd_close(&c->fd);
	buf_done(&c->early);
	buf_done(&c->out);
	c->read_end = c->read_end ? c->read_end : ERR_EOF;
	c->broken = true;
}

/* ---- the socket ---- */

static enum err end_input(struct tls_conn *c, enum err err, const char *why)
{
	if (!c->read_end) {
		c->read_end = err;
		c->why = why;
	}
	return c->read_end;
}

/* ERR_EOF for FIN, ERR_PEER for a reset. */
static enum err receive(struct tls_conn *c, char *to, size_t n, struct view *ret)
{
	ssize_t got;

	do
		got = calls()->recv(c->fd, to, n, 0);
	while (got < 0 && errno == EINTR);
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return ERR_AGAIN;
	if (got < 0)
		return ERR_PEER;
	if (got == 0)
		return ERR_EOF;
	*ret = view_of(to, (size_t)got);
	return OK;
}

static enum err break_output(struct tls_conn *c, const char *why)
{
	c->broken = true;
	if (!c->read_end)
		c->why = why;
	buf_clear(&c->out);
	buf_trim(&c->out, 0);
	c->out_sent = 0;
	return ERR_PEER;
}

/* One send.  *ret_n octets left; ERR_PEER when the connection is broken. */
static enum err send_once(struct tls_conn *c, struct view bytes, size_t *ret_n)
{
	ssize_t n;

	do
		n = calls()->send(c->fd, bytes.p, bytes.n, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
		return break_output(c, "the connection was reset");
	*ret_n = n > 0 ? (size_t)n : 0;
	return OK;
}

/* Send bytes behind what waits already. */
static enum err push(struct tls_conn *c, struct view bytes)
{
	size_t n = 0;
	enum err err;

	if (c->broken)
		return ERR_PEER;
	if (bytes.n == 0)
		return OK;
	if (!tls_conn_is_waiting(c)) {
		err = send_once(c, bytes, &n);
		if (err)
			return err;
	}
	buf_add(&c->out, view_from(bytes, n));
	return buf_err(&c->out) ? break_output(c, "too much output waits") : OK;
}

enum err tls_conn_flush(struct tls_conn *c)
{
	size_t n;
	enum err err;

	if (c->broken)
		return ERR_PEER;
	if (!tls_conn_is_waiting(c))
		return OK;
	err = send_once(c, view_from(buf_view(&c->out), c->out_sent), &n);
	if (err)
		return err;
	c->out_sent += n;
	if (tls_conn_is_waiting(c))
		return ERR_AGAIN;
	buf_clear(&c->out);
	buf_trim(&c->out, 0);
	c->out_sent = 0;
	return OK;
}

/* What OpenSSL made in the last call. */
static enum err push_made(struct tls_conn *c)
{
	enum err err = buf_err(&c->room->made) ? break_output(c, "too much output at once")
					       : push(c, buf_view(&c->room->made));

	buf_clear(&c->room->made);
	return err;
}

/* ---- handshake ---- */

static enum err begin(struct tls_conn *c, struct tls_env *env, SSL *ssl, struct view early)
{
	BIO *bio = ssl ? conn_bio_new(env, c) : NULL;

	if (!bio) {
		SSL_free(ssl);
		return ERR_CRYPTO;
	}
	SSL_set_bio(ssl, bio, bio);
	c->ssl = ssl;
	buf_clear(&c->early);
	buf_add(&c->early, early);
	return buf_err(&c->early);
}

enum err tls_conn_accept(struct tls_conn *c, struct tls_server *s, const char *const *protocols,
			 struct view early)
{
	ASSERT(!c->ssl);
	return begin(c, tls_server_env(s), tls_server_ssl(s, protocols), early);
}

enum err tls_conn_connect(struct tls_conn *c, struct tls_client *client, struct view name,
			  bool verify, struct view early)
{
	ASSERT(!c->ssl);
	return begin(c, tls_client_env(client), tls_client_ssl(client, name, verify), early);
}

/* Input for OpenSSL: what was kept, else from the socket. */
static enum err fill(struct tls_conn *c)
{
	enum err err;

	if (c->early.n > 0) {
		/* Through the room, so that early may be filled again behind it. */
		memcpy(c->room->from_net, c->early.p, c->early.n);
		c->feed = view_of(c->room->from_net, c->early.n);
		buf_clear(&c->early);
		buf_trim(&c->early, 0);
		return OK;
	}
	err = receive(c, c->room->from_net, TLS_READ_MAX, &c->feed);
	if (err == ERR_EOF)
		return end_input(c, ERR_PEER, "the connection ended without close_notify");
	if (err == ERR_PEER)
		return end_input(c, ERR_PEER, "the connection was reset");
	return err;
}

/* What OpenSSL did not take stays for the next call. */
static void keep_rest(struct tls_conn *c)
{
	buf_add(&c->early, c->feed);
	c->feed = VIEW_EMPTY;
}

static enum err fail(struct tls_conn *c)
{
	(void)push_made(c); /* the alert */
	c->broken = true;
	c->feed = VIEW_EMPTY;
	return end_input(c, ERR_CRYPTO, tls_env_reason());
}

static enum err step(struct tls_conn *c)
{
	int done;
	enum err err;

	ERR_clear_error();
	done = SSL_do_handshake(c->ssl);
	if (done != 1 && SSL_get_error(c->ssl, done) != SSL_ERROR_WANT_READ)
		return fail(c);
	err = push_made(c);
	if (err)
		return end_input(c, err, c->why);
	if (done != 1)
		return ERR_AGAIN;
	c->open = true;
	keep_rest(c);
	return OK;
}

enum err tls_conn_handshake(struct tls_conn *c)
{
	enum err err;

	ASSERT(c->ssl && !c->open);
	if (c->read_end)
		return c->read_end;
	/* The client speaks first. */
	if (!SSL_is_server(c->ssl) && SSL_in_before(c->ssl)) {
		err = step(c);
		if (err != ERR_AGAIN)
			return err;
	}
	err = fill(c);
	return err ? err : step(c);
}

/* RFC 5929#4.1: the hash of the certificate's signature, but SHA-256 for MD5 and SHA-1. */
static void find_end_point(struct tls_conn *c, struct tls_info *info)
{
	X509 *x = SSL_is_server(c->ssl) ? SSL_get_certificate(c->ssl)
					: SSL_get0_peer_certificate(c->ssl);
	int digest = NID_undef;
	unsigned n = 0;
	const EVP_MD *md;

	if (!x || !X509_get_signature_info(x, &digest, NULL, NULL, NULL))
		return;
	/* Without a hash (Ed25519) the binding is not defined. */
	if (digest == NID_undef)
		return;
	if (digest == NID_md5 || digest == NID_sha1)
		digest = NID_sha256;
	md = EVP_get_digestbynid(digest);
	if (md && X509_digest(x, md, info->end_point, &n))
		info->end_point_n = n;
}

void tls_conn_info(struct tls_conn *c, struct tls_info *ret)
{
	static const char label[] = "EXPORTER-Channel-Binding";

	*ret = (struct tls_info){
		.version = SSL_get_version(c->ssl),
		.cipher = SSL_get_cipher_name(c->ssl),
		.sni = view_str(SSL_get_servername(c->ssl, TLSEXT_NAMETYPE_host_name)),
		.resumed = SSL_session_reused(c->ssl),
		.verified = !SSL_is_server(c->ssl) && SSL_get0_peer_certificate(c->ssl) &&
			    SSL_get_verify_result(c->ssl) == X509_V_OK,
	};
	/* Unique only where the handshake is bound to the master secret, RFC 9266#4.2. */
	if ((SSL_version(c->ssl) >= TLS1_3_VERSION || SSL_get_extms_support(c->ssl) == 1) &&
	    SSL_export_keying_material(c->ssl, ret->exporter, EXPORTER_LEN, label,
				       sizeof(label) - 1, (const unsigned char *)"", 0, 1) == 1)
		ret->exporter_n = EXPORTER_LEN;
	find_end_point(c, ret);
	ERR_clear_error();
}

/* ---- data ---- */

static enum err read_clear(struct tls_conn *c, struct view *ret)
{
	enum err err = receive(c, c->room->plain, TLS_READ_MAX, ret);

	if (err == ERR_EOF)
		return end_input(c, ERR_EOF, "the peer ended the connection");
	if (err == ERR_PEER)
		return end_input(c, ERR_PEER, "the connection was reset");
	return err;
}

/* Decrypt all of c->feed; *ret_n octets in room->plain. */
static void decrypt(struct tls_conn *c, size_t *ret_n)
{
	size_t n = 0, got;
	int result;

	for (;;) {
		ASSERT(n < PLAIN_MAX);
		ERR_clear_error();
		result = SSL_read_ex(c->ssl, c->room->plain + n, PLAIN_MAX - n, &got);
		if (result != 1)
			break;
		n += got;
	}
	*ret_n = n;
	switch (SSL_get_error(c->ssl, result)) {
	case SSL_ERROR_WANT_READ: break;
	case SSL_ERROR_ZERO_RETURN:
		/* Whatever comes behind close_notify is nothing. */
		end_input(c, ERR_EOF, "the peer ended the connection");
		c->feed = VIEW_EMPTY;
		break;
	default: fail(c); break;
	}
}

enum err tls_conn_read(struct tls_conn *c, struct view *ret)
{
	size_t n;
	enum err err;

	if (c->read_end)
		return c->read_end;
	if (!c->ssl)
		return read_clear(c, ret);
	ASSERT(c->open);
	err = fill(c);
	if (err)
		return err;
	decrypt(c, &n);
	err = push_made(c);
	if (err && n == 0 && !c->read_end)
		return end_input(c, err, c->why);
	if (n > 0) {
		*ret = view_of(c->room->plain, n);
		return OK;
	}
	return c->read_end ? c->read_end : ERR_AGAIN;
}

enum err tls_conn_write(struct tls_conn *c, struct view bytes)
{
	size_t n;

	ASSERT(bytes.n <= TLS_WRITE_MAX && !tls_conn_is_waiting(c));
	if (c->broken || c->notified)
		return ERR_PEER;
	if (bytes.n == 0)
		return OK;
	if (!c->ssl)
		return push(c, bytes);
	ASSERT(c->open);
	ERR_clear_error();
	if (SSL_write_ex(c->ssl, bytes.p, bytes.n, &n) != 1 || n != bytes.n) {
		buf_clear(&c->room->made);
		return break_output(c, tls_env_reason());
	}
	return push_made(c);
}

enum err tls_conn_finish(struct tls_conn *c)
{
	enum err err;

	if (c->broken)
		return ERR_PEER;
	if (!c->notified && c->ssl && c->open) {
		ERR_clear_error();
		(void)SSL_shutdown(c->ssl);
		err = push_made(c);
		if (err)
			return err;
	}
	c->notified = true;
	err = tls_conn_flush(c);
	if (!err)
		(void)shutdown(c->fd, SHUT_WR);
	return err;
}
