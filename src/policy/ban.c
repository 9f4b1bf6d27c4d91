/*
 * policy/ban.c: see ban.h.
 */
#include "policy/ban.h"

#include <arpa/inet.h>

/* The times of the last failures of a network, the oldest overwritten first. */
struct watch {
	struct lru_node node;
	size_t size; /* ban_rules.failures when it began */
	size_t count;
	size_t next;
	int64_t times[];
};

enum { DOUBLINGS_MAX = 16 }; /* one minute doubled so often is more than seven days */

static struct view key_of(const struct ban_network *n)
{
	return view_of(n->at, n->n);
}

enum err ban_network_of(struct view ip, struct ban_network *ret)
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	struct ban_network n = { .n = 4 };

	if (ip.n == 16 && view_starts(ip, view_of(mapped, sizeof(mapped))))
		ip = view_from(ip, sizeof(mapped));
	if (ip.n != 4 && ip.n != 16)
		return ERR_SYNTAX;
	if (ip.n == 16)
		n.n = 8;
	memcpy(n.at, ip.p, n.n);
	*ret = n;
	return OK;
}

enum err ban_network_parse(struct view text, struct ban_network *ret)
{
	uint8_t ip[16];
	char *copy;
	struct view address;
	struct view bits = view_cut(text, '/', &address);
	enum err err = ERR_SYNTAX;

	copy = view_to_cstr(address);
	if (!copy)
		return ERR_SYNTAX;
	if (!bits.p && inet_pton(AF_INET, copy, ip) == 1)
		err = ban_network_of(view_of(ip, 4), ret);
	else if ((!bits.p || view_eq(bits, VIEW("64"))) && inet_pton(AF_INET6, copy, ip) == 1)
		err = ban_network_of(view_of(ip, 16), ret);
	free(copy);
	return err;
}

void ban_network_add(struct buf *out, const struct ban_network *n)
{
	char text[INET6_ADDRSTRLEN] = "";
	uint8_t ip[16] = { 0 };

	memcpy(ip, n->at, n->n);
	(void)inet_ntop(n->n == 4 ? AF_INET : AF_INET6, ip, text, sizeof(text));
	buf_add_str(out, text);
	if (n->n != 4)
		buf_add_str(out, "/64");
}

static void drop_node(struct lru_node *node)
{
	free(node); /* the first member of its structure */
}

void ban_table_init(struct ban_table *t, const uint8_t secret[16])
{
	lru_init(&t->watched, BAN_NETWORKS_MAX, secret, drop_node);
	lru_init(&t->banned, BAN_NETWORKS_MAX, secret, drop_node);
}

void ban_table_done(struct ban_table *t)
{
	lru_done(&t->watched);
	lru_done(&t->banned);
}

/* The entry of a network, in force or past; NULL if it was never banned or that no longer counts. */
static struct ban *find_any(struct ban_table *t, const struct ban_network *n, int64_t now_ms)
{
	struct ban *ban = (struct ban *)lru_get(&t->banned, key_of(n));

	if (ban && now_ms > ban->until_ms && now_ms - ban->until_ms > BAN_TIME_MAX_MS) {
		lru_remove(&t->banned, &ban->node);
		return NULL;
	}
	return ban;
}

const struct ban *ban_find(struct ban_table *t, const struct ban_network *n, int64_t now_ms)
{
	const struct ban *ban = find_any(t, n, now_ms);

	return ban && now_ms < ban->until_ms ? ban : NULL;
}

enum err ban_set(struct ban_table *t, const struct ban_network *n, int64_t until_ms, uint32_t count)
{
	struct ban *ban = (struct ban *)lru_get(&t->banned, key_of(n));
	enum err err;

	if (!ban) {
		ban = calloc(1, sizeof(*ban));
		if (!ban)
			return ERR_NOMEM;
		ban->network = *n;
		err = lru_add(&t->banned, &ban->node, key_of(n));
		if (err) {
			free(ban);
			return err;
		}
	}
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
	struct watch *w = (struct watch *)lru_get(&t->watched, key_of(n));

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
	if (lru_add(&t->watched, &w->node, key_of(n))) {
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
	if (ban_set(t, n, now_ms + ban_length(rules, count), count + 1))
		return NULL;
	return ban_find(t, n, now_ms);
}

enum err ban_lift(struct ban_table *t, const struct ban_network *n, int64_t now_ms)
{
	const struct ban *in_force = ban_find(t, n, now_ms);
	struct lru_node *node = lru_get(&t->watched, key_of(n));
	struct lru_node *past = lru_get(&t->banned, key_of(n));

	if (node)
		lru_remove(&t->watched, node);
	if (past)
		lru_remove(&t->banned, past);
	return in_force ? OK : ERR_NOTFOUND;
}

const struct ban *ban_next(const struct ban_table *t, const struct ban *after)
{
	return (const struct ban *)(after ? after->node.older : t->banned.newest);
}
