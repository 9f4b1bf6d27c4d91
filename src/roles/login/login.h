/*
 * roles/login/login.h: connections and channels of posthold-login.
 *
 * A connection owns a stream and a session (session.h), and asks auth and the supervisor in its name.  It
 * ends with its stream, with front's word, or when its mailbox process has it.
 */
#ifndef ROLES_LOGIN_LOGIN_H
#define ROLES_LOGIN_LOGIN_H

#include "base/map.h"
#include "ipc/attach.h"
#include "ipc/authn.h"
#include "ipc/session.h"
#include "session.h"
#include "sys/role.h"
#include "sys/stream.h"

enum {
	LOGIN_INPUT_MAX = 4096, /* of a stream; what was sent ahead goes along with the session */
	LOGIN_BINDING_MAX = 64,
	LOGIN_SERVICES = 2, /* imap and imaps, each within conn_service_max */
	LOGIN_SESSIONS_HARD =
		100000, /* past conn_service_max there is a BYE, past this not even that */
	LOGIN_STOP_MS = 1000, /* for goodbyes */
};

struct login_server {
	struct role *role;
	struct login_config config;
	struct arena arena;
	struct ipc_chan *front; /* session */
	struct ipc_chan *authn;
	struct ipc_chan *attach;
	struct map sessions; /* by number of the session */
	struct map tags; /* by tag of the exchange with auth */
	uint32_t last_tag;
	bool busy;
	bool stopping;
	struct loop_defer tell_load;
	struct loop_timer stop_timer;
	uint64_t opened;
	uint64_t attached;
	uint64_t refused;
};

struct conn {
	struct login_server *server;
	uint64_t session;
	unsigned service;
	uint16_t peer_port;
	bool loopback;
	bool tls;
	bool streaming; /* stream is in use */
	bool asked; /* auth has been asked and will answer */
	bool attaching; /* the supervisor has been asked */
	bool closing;
	uint32_t tag; /* of the exchange in work; 0: none */
	struct login_session *login;
	struct stream stream;
	struct loop_timer timer;
	uint8_t peer_ip[16];
	uint8_t peer_ip_n;
	uint8_t exporter[LOGIN_BINDING_MAX];
	uint8_t exporter_n;
	uint8_t end_point[LOGIN_BINDING_MAX];
	uint8_t end_point_n;
	uint8_t ticket[AUTHN_SUCCESS_TICKET_MAX];
	uint8_t ticket_n;
};

/* main.c: as many as front lets in, so that it is front that keeps room for known clients. */
size_t login_sessions_max(const struct login_server *s);

/* conn.c: fd is taken over in every case. */
void conn_open(struct login_server *s, const struct session_open *m, int fd);
void conn_secured(struct login_server *s, const struct session_secured *m, int fd);
void conn_free(struct conn *c);
struct conn *conn_by_session(struct login_server *s, uint64_t session);
struct conn *conn_by_tag(struct login_server *s, uint32_t tag);
/* Say goodbye to all; front, auth or the supervisor went away. */
void conn_end_all(struct login_server *s, const char *reason);
void conn_drop_all(struct login_server *s);
void conn_auth_lost(struct login_server *s);
void conn_attach_lost(struct login_server *s);

/* ask.c */
void conn_challenge(struct conn *c, struct view text);
void conn_success(struct conn *c, const struct authn_success *m);
void conn_failure(struct conn *c, enum authn_failure_kind kind);
void conn_attached(struct conn *c, enum attach_status status);
/* Tell auth that nobody waits for its answer any more; nothing if nobody did. */
void conn_cancel(struct conn *c);
/* The exchange with auth is over. */
void conn_forget_tag(struct conn *c);
/* Run the session with what is there, perform what it asks, until it waits. */
void conn_turn(struct conn *c);

#endif
