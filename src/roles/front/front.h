/*
 * roles/front/front.h: the process between the network and the roles: accepts and makes connections,
 * speaks TLS, counts and limits, and copies plain text.  It looks at no octet of any mail protocol.
 *
 * One program, three instances, told apart by what they are given: front-mx and front-user have listeners,
 * session channels and signatures from keys; front-out has a connect channel.
 */
#ifndef FRONT_H
#define FRONT_H

#include <sys/socket.h>

#include "clients.h"
#include "ipc/types.h"
#include "relay.h"
#include "sys/role.h"

enum {
	BACKENDS = 2, /* session channels: docs/internals/roles.md */
	SERVICES = 5,
	LISTENERS_MAX = 64,
	SESSIONS_MAX = 200000,
	CERTIFICATE_LIST_MAX = 16,
};

struct front;

/* A service, by the name of its listener. */
struct service_row {
	const char *name;
	enum service number;
	unsigned backend;
	bool implicit_tls;
	bool imap; /* otherwise SMTP: how to refuse */
	const char *const *alpn;
};

struct backend {
	struct front *front;
	struct ipc_chan *chan;
	uint64_t generation; /* counts the processes behind it */
	uint32_t sessions; /* as it told us */
	bool busy;
};

struct listener {
	struct front *front;
	const struct service_row *service;
	uint64_t id;
	int fd;
	struct loop_io io;
};

/* Certificates from the keys role, and its signatures. */
struct keys_client {
	struct front *front;
	int fd; /* -1: none */
	struct loop_io io;
	struct loop_defer rebuild;
	struct buf packet;
	struct buf chains[CERTIFICATE_LIST_MAX]; /* of the list that is arriving */
	size_t chain_count;
	uint32_t tag;
	bool complete; /* chains holds a whole list */
	bool asked; /* a list is on its way */
	bool again; /* and is out of date already */
	bool owed; /* an answer is too late: no more is asked until it came */
};

/* An accepted connection. */
struct session {
	struct front *front;
	const struct service_row *service;
	struct relay relay;
	struct client *client; /* NULL: exempt */
	uint64_t id;
	uint64_t generation; /* of the backend that knows it; 0: none yet */
	uint8_t peer_ip[16], local_ip[16];
	uint8_t ip_n;
	uint16_t peer_port, local_port;
	bool loopback;
	bool served; /* logged in, or delivered a message */
};

/* A connection to a remote server, made for send. */
struct outbound {
	struct front *front;
	struct relay relay;
	struct loop_io connecting;
	struct loop_timer timer;
	struct loop_defer bury;
	uint64_t id;
	int fd; /* while connecting; then the relay's */
	bool listed; /* send knows it by id */
	bool securing; /* owes a secured */
	bool verify;
	struct buf name;
	const char *why;
};

struct counters {
	uint64_t accepted, refused, handshakes, resumed, tls_failed, broken;
	uint64_t connects, connect_failed;
};

struct front {
	struct role *role;
	struct tls_env env;
	struct tls_room room;
	struct remote_signer signer;
	struct tls_server *server;
	struct tls_client *client; /* front-out only */
	struct keys_client keys;
	struct backend backends[BACKENDS];
	struct listener listeners[LISTENERS_MAX];
	size_t listener_count;
	struct clients clients;
	struct map sessions; /* id: struct session */
	uint32_t open[SERVICES]; /* connections by service */
	struct ipc_chan *connect;
	struct map outbounds; /* id: struct outbound */
	size_t outbound_count;
	struct loop_timer sweep, stop_timer, listen_timer;
	struct counters counters;
	bool wants_connect; /* is front-out */
	bool stopping;
};

/* services.c */
extern const struct service_row front_services[SERVICES];
/* NULL if there is none. */
const struct service_row *front_service(struct view name);
/* Which of front->open counts it. */
size_t front_service_index(const struct service_row *s);

/* accept.c */
void front_listener_take(struct front *f, struct view service, uint64_t id, int fd);
/* Begin to accept: once there are certificates, it is known that there are none, or keys does not answer. */
void front_listen(struct front *f);
/* No more until ms from now; for ever with -1. */
void front_listen_stop(struct front *f, int64_t ms);

/* session.c */
void front_backend_take(struct front *f, uint64_t id, int fd);
struct session_peer {
	uint8_t ip[16];
	uint8_t ip_n;
	uint16_t port;
};
/* Takes fd over; client (or NULL) is counted already and given back at its end. */
void front_session_begin(struct front *f, const struct service_row *service, int fd,
			 const struct session_peer *peer, struct client *client);
bool front_ip_is_loopback(struct view ip);

/* keys.c */
void front_keys_init(struct front *f);
void front_keys_take(struct front *f, int fd);

/* outbound.c */
void front_connect_take(struct front *f, int fd);

/* main.c */
/* A connection is gone: a front that is stopping may end. */
void front_check_stop(struct front *f);
/* The address of a socket: 4 or 16 octets, IPv4 in IPv6 unwrapped. */
void front_address(const struct sockaddr_storage *from, struct session_peer *ret);

#endif
