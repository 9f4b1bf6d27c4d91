/*
 * tls/conn.h: one connection over a non-blocking socket, in clear or under TLS.
 *
 * Each call makes at most one receiving and one sending system call and never waits; the caller watches
 * the descriptor.  OpenSSL works on memory only.  Large buffers belong to the room that all connections
 * of a thread share: an idle connection holds none.
 *
 * The end of input is told exactly (THREATS.md 2.4): ERR_EOF after close_notify (in clear: FIN), ERR_PEER
 * for anything less.  After TLS has begun no octet from the socket is ever taken for clear text.
 */
#ifndef TLS_CONN_H
#define TLS_CONN_H

#include "tls/client.h"
#include "tls/server.h"

enum {
	TLS_READ_MAX = 64 * 1024, /* octets that one call takes from the socket */
	TLS_WRITE_MAX = 64 * 1024, /* octets that one tls_conn_write takes */
	TLS_OUT_MAX = 512 * 1024, /* octets that may wait for a slow socket */
	TLS_BINDING_MAX = 64,
};

/* Work space of all connections of one thread. */
struct tls_room {
	char *from_net; /* TLS_READ_MAX */
	char *plain;
	struct buf made; /* what OpenSSL wants sent */
};

MUST_USE enum err tls_room_init(struct tls_room *room);
void tls_room_done(struct tls_room *room);

struct tls_conn {
	struct tls_room *room;
	int fd;
	SSL *ssl; /* NULL: clear */
	struct view feed; /* input of the call that is running */
	struct buf early; /* from the socket, before TLS could take it */
	struct buf out; /* did not fit into the socket */
	size_t out_sent;
	enum err read_end; /* OK while input may come */
	bool open; /* TLS: the handshake is done */
	bool broken; /* nothing more can be sent */
	bool notified; /* close_notify was sent */
	const char *why; /* what went wrong, in words; static */
};

/* What both sides know after a handshake. */
struct tls_info {
	const char *version, *cipher; /* static */
	struct view sni; /* borrowed from the connection; empty: none */
	bool resumed;
	bool verified; /* client: the server's certificate is valid for the name */
	uint8_t exporter[TLS_BINDING_MAX]; /* tls-exporter, RFC 9266#2 */
	size_t exporter_n; /* 0: this session has none */
	uint8_t end_point[TLS_BINDING_MAX]; /* tls-server-end-point, RFC 5929#4 */
	size_t end_point_n;
};

/* In clear at first.  Takes fd over (non-blocking). */
void tls_conn_init(struct tls_conn *c, int fd, struct tls_room *room);
/* Closes at once. */
void tls_conn_done(struct tls_conn *c);

/*
 * Begin TLS, in the middle of a connection or at its start; tls_conn_handshake follows.  early: octets
 * already read from the socket, which belong to the handshake.  protocols: see tls_server_ssl.
 */
MUST_USE enum err tls_conn_accept(struct tls_conn *c, struct tls_server *s,
				  const char *const *protocols, struct view early);
/* name: for SNI and the certificate. */
MUST_USE enum err tls_conn_connect(struct tls_conn *c, struct tls_client *client, struct view name,
				   bool verify, struct view early);
/* Go on; ERR_AGAIN: wait until the socket can be read (tls_conn_is_waiting: also written).  Otherwise
 * ERR_PEER, ERR_CRYPTO or ERR_LIMIT and c->why. */
MUST_USE enum err tls_conn_handshake(struct tls_conn *c);
void tls_conn_info(struct tls_conn *c, struct tls_info *ret);

/*
 * Clear or decrypted octets, borrowed until the room is used again.  ERR_AGAIN; ERR_EOF for an orderly
 * end; ERR_PEER, ERR_CRYPTO for others.  When the end came right behind the octets c->read_end says so
 * already.
 */
MUST_USE enum err tls_conn_read(struct tls_conn *c, struct view *ret);
/* Are there octets in memory, for which the socket will not become readable? */
static inline bool tls_conn_has_early(const struct tls_conn *c)
{
	return c->early.n > 0;
}

/* Send, or keep what the socket does not take; call it only while nothing is waiting.  At most
 * TLS_WRITE_MAX octets.  ERR_PEER when the connection is broken. */
MUST_USE enum err tls_conn_write(struct tls_conn *c, struct view bytes);
static inline bool tls_conn_is_waiting(const struct tls_conn *c)
{
	return c->out.n > c->out_sent;
}
/* The socket can be written again.  OK: nothing waits any more; ERR_AGAIN; ERR_PEER. */
MUST_USE enum err tls_conn_flush(struct tls_conn *c);
/* End our side in order: close_notify, then FIN once all has left.  As tls_conn_flush. */
MUST_USE enum err tls_conn_finish(struct tls_conn *c);

#endif
