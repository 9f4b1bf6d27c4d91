/*
 * roles/smtp/smtp_role.h: what the files of the SMTP role share.
 *
 * The role speaks SMTP, submission and LMTP over streams that front hands it.  It holds no key, no file and no
 * socket; who may receive and send it asks auth, what it accepts it gives to the queue, and says 250 only after
 * the queue did.  One connection that goes wrong ends alone.
 *
 *	main.c     channels, start, stop        options.c  the session's limits out of the options
 *	conn.c     one connection and its turns  ask.c     what a session asks, and the answers
 *	message.c  the message being received   notice.c  telling an owner of the limit
 */
#ifndef ROLES_SMTP_ROLE_H
#define ROLES_SMTP_ROLE_H

#include "base/encode.h"
#include "base/map.h"
#include "ipc/accept.h"
#include "policy/rate.h"
#include "proto/smtp/session.h"
#include "sys/role.h"
#include "sys/stream.h"

enum {
	CONNS_MAX = 65536, /* slots; conn_service_max is below */
	CONN_IN_MAX = 64 * 1024, /* octets read and not yet taken */
	CONN_IN_KEEP = 16 * 1024, /* of their memory between messages */
	CONN_OUT_MAX = 128 * 1024, /* octets written and not yet sent */
	CONN_HANDSHAKE_MS = 60 * 1000, /* front answers a STARTTLS in this time */
	MESSAGE_INLINE_MAX =
		ACCEPT_PUT_PAYLOAD_MAX, /* envelope and body in the packet, else by descriptor */
	MESSAGE_CHUNK = 64 * 1024, /* octets gathered before they go to the descriptor */
	MESSAGE_ENVELOPE_MAX = 1 << 20,
	MESSAGE_NOTICE_TAG = 0, /* of a message that no connection waits for */
	BINDING_MAX = 64,
	TLS_TEXT_MAX = 96
};

#define HOUR_MS ((int64_t)3600 * 1000)

/* The message that a session receives: envelope and body, in memory while small. */
struct message {
	uint64_t trace;
	struct buf envelope; /* encoded, written before the body */
	struct buf body; /* all of it, or the part that is not in fd yet */
	int fd; /* memfd with the envelope and the body so far; -1: none */
	uint64_t body_n;
	uint64_t counted; /* octets counted in role->in_flight */
};

struct smtp_role;

struct conn {
	struct smtp_role *role;
	uint32_t slot;
	uint32_t tag; /* of the question under way; 0: none */
	uint32_t auth_tag; /* of the SASL exchange; 0: none */
	uint64_t session;
	unsigned service; /* enum service */
	uint8_t ip[16];
	size_t ip_n;
	char ip_text[48];
	bool loopback;
	bool known; /* was served lately: need not wait for the greeting */
	bool served; /* front was told that this one is */
	bool tls;
	char tls_text[TLS_TEXT_MAX];
	uint8_t exporter[BINDING_MAX], end_point[BINDING_MAX];
	size_t exporter_n, end_point_n;
	struct stream stream;
	bool streaming; /* stream is open */
	bool handshaking; /* STARTTLS was said, front's new stream is awaited */
	bool out_full; /* no command is taken before the output has left */
	bool closing; /* the session ended; the last output leaves */
	struct smtp_session smtp;
	bool speaking; /* smtp is initialised */
	struct smtp_carry carry; /* while handshaking: from the session in clear */
	struct loop_timer timer;
	int64_t timer_ms; /* when it fires, if it is set */
	struct message message;
};

struct smtp_role {
	struct role *role;
	struct ipc_chan *session, *route, *accept, *authn;
	struct smtp_server_config mx, submission, submission_plus, lmtp;
	struct conn **slots; /* CONNS_MAX, NULL where free */
	uint32_t slot_next;
	uint32_t tag_serial;
	struct map by_session; /* session id to conn */
	struct rate clients, accounts;
	struct rate notices; /* by account: told of its limit */
	uint64_t in_flight; /* octets of bodies being received */
	bool disk_full; /* the queue said so */
	bool stopping;
	struct loop_timer stop_timer;
	size_t conns;
	uint64_t accepted, refused;
};

/* options.c */
void smtp_options_load(struct smtp_role *r);
/* The number of connections changed: how long may a client stay silent? */
void smtp_options_pressure(struct smtp_role *r);
const struct smtp_server_config *smtp_options_for(const struct smtp_role *r, const struct conn *c);

/* conn.c: what front says, and turns. */
struct session_open;
struct session_secured;
/* fd is taken over.  Errors are told to the client, not returned. */
void conn_open(struct smtp_role *r, const struct session_open *m, int fd);
void conn_secured(struct conn *c, const struct session_secured *m, int fd);
void conn_free(struct conn *c);
/* Let the session go on with what there is: input, time, an answer.  c may be freed. */
void conn_turn(struct conn *c);
struct conn *conn_by_session(struct smtp_role *r, uint64_t session);
/* The connection that asked under tag and still waits; NULL: it is gone or no longer asks. */
struct conn *conn_by_tag(struct smtp_role *r, uint32_t tag);
/* A new tag for a question of c. */
uint32_t conn_tag(struct conn *c);
/* End all sessions of an account (0: of everybody) with 421. */
void conn_shutdown_all(struct smtp_role *r, uint64_t account);

/* ask.c: perform the pending request.  True: it was answered at once. */
bool ask_perform(struct conn *c);
/* Channels of the role; fd is taken over. */
void ask_route_channel(struct smtp_role *r, int fd);
void ask_accept_channel(struct smtp_role *r, int fd);
void ask_authn_channel(struct smtp_role *r, int fd);
/* The session's SASL exchange ended without auth knowing: tell it. */
void ask_auth_sync(struct conn *c);

/* notice.c: the account of c was refused a recipient (submit_rcpt_hour): tell its owner, at most once a day. */
void notice_limit(struct conn *c);

/* message.c */
void message_init(struct message *m);
/* Forget the message, if any. */
void message_done(struct conn *c);
/* ERR_FULL past memory_in_flight, ERR_NOMEM. */
MUST_USE enum err message_begin(struct conn *c);
MUST_USE enum err message_write(struct conn *c, struct view bytes);
/* Give envelope and body to the queue under tag; the message is the queue's then. */
MUST_USE enum err message_put(struct conn *c, uint32_t tag);

#endif
