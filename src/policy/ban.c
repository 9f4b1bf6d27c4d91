/*
 * policy/ban.c: see ban.h.
 */
#include "policy/ban.h"

/* The times of the last failures of a network, the oldest overwritten first. */
struct watch {
	struct lru_node node;
	size_t size; /* ban_rules.failures when it began */
	size_t count;
	size_t next;
	int64_t times[];
};

enum { DOUBLINGS_MAX = 16 }; /* one minute doubled so often is more than seven days */

void ban_table_init(struct ban_table *t, const uint8_t secret[16])
{
	lru_init(&t->watched, BAN_NETWORKS_MAX, secret);
	lru_init(&t->banned, BAN_NETWORKS_MAX, secret);
	lru_init(&t->ranges, BAN_RANGES_MAX, secret);
}

void ban_table_done(struct ban_table *t)
{
	lru_done(&t->watched);
	lru_done(&t->banned);
	lru_done(&t->ranges);
}

static struct lru_node *find(struct lru *l, const struct ban_network *n)
{
	uint8_t room[BAN_KEY_MAX];

	return lru_get(l, ban_network_key(n, room));
}

static struct lru *table_of(struct ban_table *t, const struct ban_network *n)
{
	return ban_network_is_peer(n) ? &t->banned : &t->ranges;
}

static struct ban *next_range(const struct ban *ban)
{
	return (struct ban *)lru_older(&ban->node);
}

/* The first network around n; what is over is forgotten on the way. */
static const struct ban *find_range(struct ban_table *t, const struct ban_network *n,
				    int64_t now_ms)
{
	struct ban *ban = (struct ban *)lru_newest(&t->ranges), *next;

	for (; ban; ban = next) {
		next = next_range(ban);
		if (now_ms >= ban->until_ms)
			lru_remove(&t->ranges, &ban->node);
		else if (ban_network_contains(&ban->network, n))
			return ban;
	}
	return NULL;
}

/* The entry of a peer, in force or past; NULL if it was never banned or that no longer counts. */
static struct ban *find_any(struct ban_table *t, const struct ban_network *n, int64_t now_ms)
{
	struct ban *ban = (struct ban *)find(&t->banned, n);

	if (ban && now_ms > ban->until_ms && now_ms - ban->until_ms > BAN_TIME_MAX_MS) {
		lru_remove(&t->banned, &ban->node);
		return NULL;
	}
	return ban;
}

const struct ban *ban_find(struct ban_table *t, const struct ban_network *n, int64_t now_ms)
{
	struct ban_network peer;
	const struct ban *ban = NULL;

	/* n may be one address of a peer. */
	if (!ban_network_of(view_of(n->at, n->n), &peer) && ban_network_contains(&peer, n))
		ban = find_any(t, &peer, now_ms);
	if (ban && now_ms < ban->until_ms)
		return ban;
	return find_range(t, n, now_ms);
}

static enum err add(struct ban_table *t, const struct ban_network *n, int64_t now_ms,
		    struct ban **ret)
{
	uint8_t room[BAN_KEY_MAX];
	struct lru *table = table_of(t, n);
	struct ban *ban;
	enum err err;

	if (table == &t->ranges) {
		static const struct ban_network none = { 0 };

		(void)find_range(t, &none, now_ms); /* makes room */
		if (lru_count(table) >= BAN_RANGES_MAX)
			return ERR_LIMIT;
	}
	ban = calloc(1, sizeof(*ban));
	if (!ban)
		return ERR_NOMEM;
	ban->network = *n;
	err = lru_add(table, &ban->node, ban_network_key(n, room));
	if (err)
		free(ban);
	else
		*ret = ban;
	return err;
}

enum err ban_set(struct ban_table *t, const struct ban_network *n, int64_t until_ms, uint32_t count,
		 int64_t now_ms)
{
	struct ban *ban = (struct ban *)find(table_of(t, n), n);
	enum err err = ban ? OK : add(t, n, now_ms, &ban);

	if (err)
		return err;
	ban->until_ms = until_ms;
	ban->count = count;
	return OK;
}

static int64_t ban_length(const struct ban_rules *rules, uint32_t before)
{
	int64_t length = rules->time_ms;
	uint32_t doublings = before < DOUBLINGS_MAX ? before : DOUBLINGS_MAX;

	for (uint32_t i = 0; i < doublings && length < BAN_TIME_MAX_MS; i++)
		length *= 2;
	/* A longer ban_time is the administrator's wish. */
	if (length > BAN_TIME_MAX_MS)
		length = rules->time_ms > BAN_TIME_MAX_MS ? rules->time_ms : BAN_TIME_MAX_MS;
	return length;
}

static struct watch *watch_of(struct ban_table *t, const struct ban_network *n, size_t size)
{
	struct watch *w = (struct watch *)find(&t->watched, n);
	uint8_t room[BAN_KEY_MAX];

	if (w && w->size != size) { /* the option changed */
		lru_remove(&t->watched, &w->node);
		w = NULL;
	}
	if (w)
		return w;
	w = calloc(1, sizeof(*w) + size * sizeof(w->times[0]));
	if (!w)
		return NULL;
	w->size = size;
	if (lru_add(&t->watched, &w->node, ban_network_key(n, room))) {
		free(w);
		return NULL;
	}
	return w;
}

/* Count one failure: true when it completes the number within the window. */
static bool watch_count(struct watch *w, int64_t window_ms, int64_t now_ms)
{
	w->times[w->next] = now_ms;
	w->next = (w->next + 1) % w->size;
	if (w->count < w->size)
		w->count++;
	/* next is now the oldest of the last `size` failures. */
	return w->count == w->size && now_ms - w->times[w->next] <= window_ms;
}

const struct ban *ban_failure(struct ban_table *t, const struct ban_rules *rules,
			      const struct ban_network *n, int64_t now_ms)
{
	size_t size = size_min(size_max((size_t)rules->failures, 1), BAN_FAILURES_MAX);
	struct watch *w = watch_of(t, n, size);
	const struct ban *before;
	uint32_t count;

	if (!w || !watch_count(w, rules->window_ms, now_ms))
		return NULL;
	lru_remove(&t->watched, &w->node);
	before = find_any(t, n, now_ms);
	count = before ? before->count : 0;
	if (ban_set(t, n, now_ms + ban_length(rules, count), count + 1, now_ms))
		return NULL;
	return find_any(t, n, now_ms);
}

enum err ban_lift(struct ban_table *t, const struct ban_network *n, int64_t now_ms)
{
	struct lru_node *watched = find(&t->watched, n);
	struct ban *ban = (struct ban *)find(table_of(t, n), n);
	bool in_force = ban && now_ms < ban->until_ms;

	if (watched)
		lru_remove(&t->watched, watched);
	if (ban)
		lru_remove(table_of(t, n), &ban->node);
	return in_force ? OK : ERR_NOTFOUND;
}

const struct ban *ban_next(const struct ban_table *t, const struct ban *after)
{
	const struct lru_node *node = after ? lru_older(&after->node) : lru_newest(&t->banned);

	if (!node && (!after || ban_network_is_peer(&after->network)))
		node = lru_newest(&t->ranges);
	return (const struct ban *)node;
}
