/*
 * roles/front/clients.c: see clients.h.
 */
#include "clients.h"

/* A client that was served. */
struct known {
	struct lru_node node;
	int64_t served_ms;
};

void clients_init(struct clients *c, const uint8_t secret[16])
{
	map_init(&c->map, CLIENTS_MAX, secret);
	lru_init(&c->known, CLIENTS_KNOWN_MAX, secret);
}

void clients_done(struct clients *c)
{
	size_t at = 0;
	struct view key;
	void *client;

	while (map_next(&c->map, &at, &key, &client))
		free(client);
	map_done(&c->map);
	lru_done(&c->known);
}

/* IPv6: whoever has one address of a /64 has all. */
static struct view key_of(struct view ip)
{
	return view_head(ip, CLIENT_KEY);
}

static bool is_forgettable(const struct client *k, int64_t now_ms)
{
	return k->active == 0 && now_ms - k->seen_ms >= CLIENT_WINDOW_MS;
}

enum { SWEEP_BATCH = 256 };

/* A map must not change while it is walked: collect, then remove. */
static size_t sweep_some(struct clients *c, int64_t now_ms, bool all_idle)
{
	struct client *gone[SWEEP_BATCH];
	size_t n = 0, at = 0;
	struct view key;
	void *value;

	while (n < SWEEP_BATCH && map_next(&c->map, &at, &key, &value)) {
		struct client *k = value;

		if (is_forgettable(k, now_ms) || (all_idle && k->active == 0))
			gone[n++] = k;
	}
	for (size_t i = 0; i < n; i++) {
		map_remove(&c->map, view_of(gone[i]->key, gone[i]->key_n));
		free(gone[i]);
	}
	return n;
}

void clients_sweep(struct clients *c, int64_t now_ms)
{
	while (sweep_some(c, now_ms, false) == SWEEP_BATCH)
		;
}

/* Is there room for one more, after who is gone has left? */
static bool has_room(struct clients *c, struct view key, int64_t now_ms)
{
	size_t max = clients_is_known(c, key, now_ms) ? c->map.max : CLIENTS_STRANGERS_MAX;

	if (c->map.n >= max)
		(void)sweep_some(c, now_ms, true);
	return c->map.n < max;
}

static struct client *client_new(struct clients *c, struct view key, int64_t now_ms)
{
	struct client *k = has_room(c, key, now_ms) ? calloc(1, sizeof(*k)) : NULL;

	if (!k)
		return NULL;
	memcpy(k->key, key.p, key.n);
	k->key_n = (uint8_t)key.n;
	k->opened_ms = k->seen_ms = now_ms;
	k->told_ms = now_ms - CLIENT_WINDOW_MS;
	if (map_put(&c->map, key, k)) {
		free(k);
		return NULL;
	}
	return k;
}

enum err clients_open(struct clients *c, struct view ip, int64_t now_ms,
		      const struct client_limits *limits, struct client **ret)
{
	struct view key = key_of(ip);
	struct client *k = map_get(&c->map, key);

	if (!k)
		k = client_new(c, key, now_ms);
	if (!k)
		return ERR_NOMEM;
	*ret = k;
	k->seen_ms = now_ms;
	if (now_ms - k->opened_ms >= CLIENT_WINDOW_MS) {
		k->opened_ms = now_ms;
		k->opened = 0;
	}
	if (k->opened >= limits->per_minute)
		return ERR_LIMIT;
	if (k->active >= limits->active)
		return ERR_BUSY;
	k->opened++;
	k->active++;
	return OK;
}

void clients_close(struct clients *c, struct client *client, int64_t now_ms)
{
	ASSERT(client->active > 0);
	client->active--;
	client->seen_ms = now_ms;
}

void clients_served(struct clients *c, struct view ip, int64_t now_ms)
{
	struct view key = key_of(ip);
	struct known *known = (struct known *)lru_get(&c->known, key);

	if (!known) {
		known = calloc(1, sizeof(*known));
		if (!known)
			return;
		if (lru_add(&c->known, &known->node, key)) {
			free(known);
			return;
		}
	}
	known->served_ms = now_ms;
}

bool clients_is_known(struct clients *c, struct view ip, int64_t now_ms)
{
	struct known *known = (struct known *)lru_get(&c->known, key_of(ip));

	if (!known)
		return false;
	if (now_ms - known->served_ms < CLIENT_KNOWN_MS)
		return true;
	lru_remove(&c->known, &known->node);
	return false;
}

bool client_may_shake(struct client *client, int64_t now_ms, uint32_t per_second)
{
	if (now_ms - client->shakes_ms >= 1000) {
		client->shakes_ms = now_ms;
		client->shakes = 0;
	}
	if (client->shakes >= per_second)
		return false;
	client->shakes++;
	return true;
}

bool client_may_log(struct client *client, int64_t now_ms)
{
	if (now_ms - client->told_ms < CLIENT_WINDOW_MS)
		return false;
	client->told_ms = now_ms;
	return true;
}
