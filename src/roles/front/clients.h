/*
 * roles/front/clients.h: how many connections and handshakes each client address may have.
 *
 * A client is an IPv4 address or an IPv6 /64.  What is remembered of clients that are gone is forgotten
 * after a minute, except that a client was once served in order (known).
 */
#ifndef FRONT_CLIENTS_H
#define FRONT_CLIENTS_H

#include "base/map.h"

enum {
	CLIENTS_MAX = 65536,
	CLIENT_KEY = 8,
	CLIENT_WINDOW_MS = 60 * 1000,
	CLIENT_KNOWN_MS = 24 * 3600 * 1000,
};

struct client {
	char key[CLIENT_KEY];
	uint8_t key_n;
	bool known;
	uint32_t active; /* connections now */
	uint32_t opened; /* in the window that began at opened_ms */
	uint32_t shakes; /* TLS handshakes in the second that began at shakes_ms */
	int64_t opened_ms, shakes_ms, told_ms, seen_ms;
};

struct clients {
	struct map map;
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
 * no more clients can be remembered.  Borrowed until clients_close of its last connection.
 */
MUST_USE enum err clients_open(struct clients *c, struct view ip, int64_t now_ms,
			       const struct client_limits *limits, struct client **ret);
void clients_close(struct clients *c, struct client *client, int64_t now_ms);
/* Was this address served before? */
bool clients_is_known(const struct clients *c, struct view ip);
/* Count a handshake; false: more than per_second. */
MUST_USE bool client_may_shake(struct client *client, int64_t now_ms, uint32_t per_second);
/* At most once a minute: may a refusal of this client be logged? */
MUST_USE bool client_may_log(struct client *client, int64_t now_ms);
/* Forget who is gone; call it now and then. */
void clients_sweep(struct clients *c, int64_t now_ms);

#endif
