/*
 * roles/front/clients.h: how many connections and handshakes each client address may have, and which clients
 * are known.
 *
 * A client is an IPv4 address or an IPv6 /64.  What is counted of clients that are gone is forgotten after a
 * minute.  Known is who has logged in or delivered a message within CLIENT_KNOWN_MS, as the role behind front
 * says; what a client does by itself, however orderly, makes it known to nobody.  The known are remembered in a
 * table of their own, which strangers cannot get into and so not flood; past CLIENTS_KNOWN_MAX the one not seen
 * for longest is forgotten.
 */
#ifndef FRONT_CLIENTS_H
#define FRONT_CLIENTS_H

#include "policy/lru.h"

enum {
	CLIENTS_MAX = 65536,
	CLIENTS_STRANGERS_MAX = CLIENTS_MAX - CLIENTS_MAX / 10, /* the rest is for known ones */
	CLIENTS_KNOWN_MAX = 16384,
	CLIENT_KEY = 8,
	CLIENT_WINDOW_MS = 60 * 1000,
	CLIENT_KNOWN_MS = 7 * 24 * 3600 * 1000, /* a weekly newsletter's server, a holiday */
};

struct client {
	char key[CLIENT_KEY];
	uint8_t key_n;
	uint32_t active; /* connections now */
	uint32_t opened; /* in the window that began at opened_ms */
	uint32_t shakes; /* TLS handshakes in the second that began at shakes_ms */
	int64_t opened_ms, shakes_ms, told_ms, seen_ms;
};

struct clients {
	struct map map; /* struct client by key */
	struct lru known; /* by key */
};

/* secret: 16 random octets. */
void clients_init(struct clients *c, const uint8_t secret[16]);
void clients_done(struct clients *c);

struct client_limits {
	uint32_t active; /* conn_client_max */
	uint32_t per_minute; /* conn_client_new */
};

/*
 * A new connection of ip (4 or 16 octets) at now_ms (monotonic).  ERR_BUSY: too many at the same time;
 * ERR_LIMIT: too many in a minute; *ret is set then, too, and only not counted as active.  ERR_NOMEM when
 * no more clients, or no more strangers, can be remembered.  Borrowed until clients_close of its last connection.
 */
MUST_USE enum err clients_open(struct clients *c, struct view ip, int64_t now_ms,
			       const struct client_limits *limits, struct client **ret);
void clients_close(struct clients *c, struct client *client, int64_t now_ms);
/* This address has logged in, or a message of it was accepted.  Without memory it stays a stranger. */
void clients_served(struct clients *c, struct view ip, int64_t now_ms);
/* Was this address served lately? */
bool clients_is_known(struct clients *c, struct view ip, int64_t now_ms);
/* Count a handshake; false: more than per_second. */
MUST_USE bool client_may_shake(struct client *client, int64_t now_ms, uint32_t per_second);
/* At most once a minute: may a refusal of this client be logged? */
MUST_USE bool client_may_log(struct client *client, int64_t now_ms);
/* Forget who is gone; call it now and then. */
void clients_sweep(struct clients *c, int64_t now_ms);

#endif
