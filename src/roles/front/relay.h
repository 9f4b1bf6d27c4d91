/*
 * roles/front/relay.h: one connection to a peer, copied to and from the stream of the role that speaks.
 *
 * The relay alone owns the socket.  It holds no buffer while nothing waits, reads from one side only
 * while the other takes what it reads, and never carries an octet across the beginning of TLS (THREATS.md
 * 2.3, 2.4).
 *
 * When the role closes its stream the peer gets what was written, then close_notify and FIN.  When the
 * peer ends in order the role reads the end of its stream and may still write.  When the connection breaks
 * (a reset, TLS without close_notify, a limit) the owner is told first, so that it can say so to the role
 * before the stream ends.
 */
#ifndef FRONT_RELAY_H
#define FRONT_RELAY_H

#include "sys/loop.h"
#include "tls/conn.h"

struct relay;

struct relay_ops {
	/* The clear stream has ended for TLS: begin it on relay->conn.  early belongs to the
	 * handshake. */
	enum err (*secure)(void *ctx, struct view early);
	/* The handshake is done: call relay_open and tell the role.  An error ends the relay. */
	enum err (*secured)(void *ctx);
	/*
	 * It is over; at the end of a turn, once.  why is empty when the role had closed its stream.
	 * The owner says so to the role if need be and frees, with relay_done.
	 */
	void (*ended)(void *ctx, const char *why);
};

struct relay_times {
	int64_t handshake_ms; /* from the wish for TLS to the end of the handshake */
	int64_t stall_ms; /* output may wait so long */
};

/* What the kernel may hold of our output before the peer's window takes it: a socket that grows to megabytes
 * would show the progress of a slow reader once in minutes, and keep as much memory for it. */
enum { RELAY_UNSENT_MAX = 128 * 1024 };

enum relay_state {
	RELAY_IDLE, /* no stream yet */
	RELAY_COPY,
	RELAY_HANDSHAKE,
	RELAY_CLOSING, /* the role is done; its last octets leave */
	RELAY_LINGER, /* all has left; the peer's last octets are thrown away */
	RELAY_ENDED,
};

enum relay_alarm { ALARM_NONE, ALARM_STALL, ALARM_STARTTLS, ALARM_HANDSHAKE, ALARM_CLOSE };

struct relay {
	struct loop_io net, app;
	struct loop_timer timer;
	struct loop_defer bury;
	const struct relay_ops *ops;
	void *ctx;
	struct tls_conn conn;
	struct buf to_app; /* from the peer; the stream did not take it yet */
	struct relay_times times;
	const char *why;
	uint64_t octets_in, octets_out;
	size_t drained;
	int stream; /* our end, or -1 */
	uint8_t state; /* enum relay_state */
	uint8_t alarm; /* enum relay_alarm */
	bool may_starttls; /* the role may still ask for TLS */
	bool starttls; /* it did */
	bool app_ended; /* the role closed its stream, */
	bool app_reset; /* ... with octets of the peer unread */
	bool to_app_late; /* to_app was read after the role had closed */
	bool eof_told; /* the end of input was passed on */
};

/* For the connections of front, or for a listener, which hands it on: write at once, show progress. */
void relay_tune(int fd);

/* Takes fd over.  may_starttls: the service knows STARTTLS. */
void relay_init(struct relay *r, struct loop *loop, int fd, struct tls_room *room,
		bool may_starttls, const struct relay_ops *ops, void *ctx);
/* Close all at once. */
void relay_done(struct relay *r);

/* Begin to copy, to and from a new stream whose other end the caller hands to the role. */
MUST_USE enum err relay_open(struct relay *r, int *ret_fd);
/* TLS from the start. */
void relay_handshake(struct relay *r);
/* The role has agreed on TLS: once it has closed its stream and what it wrote has left, ops->secure is
 * called.  ERR_WRONG_STATE when it must not ask. */
MUST_USE enum err relay_starttls(struct relay *r);
/* End it from outside. */
void relay_end(struct relay *r, const char *why);

#endif
