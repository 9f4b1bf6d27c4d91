/*
 * roles/auth/guard.c: who may try, and what a try leads to: bans, and the devices that are exempt from
 * them.
 *
 * Storing a ban or a device can fail without harm: what is in memory counts until the next start.
 */
#include "auth.h"
#include "sys/clock.h"
#include "sys/log.h"

struct guard guard_of(const struct auth *a, struct view peer_ip, bool loopback)
{
	struct guard g = { .exempt = loopback && !a->config->loopback_limits };

	if (ban_network_of(peer_ip, &g.network) || ban_address_of(peer_ip, &g.address))
		g.exempt = true;
	return g;
}

bool guard_knows(struct auth *a, const struct guard *g, uint64_t account)
{
	uint8_t room[BAN_KEY_MAX];
	bool known = false;

	if (!account || directory_device_known(a->d, account, ban_network_key(&g->network, room),
					       clock_wall() - AUTH_DEVICE_LIFE_S, &known))
		return false;
	return known;
}

bool guard_refuses(struct auth *a, const struct guard *g, uint64_t account)
{
	if (g->exempt || !ban_find(&a->bans, &g->address, clock_wall_ms()))
		return false;
	if (guard_knows(a, g, account))
		return false;
	a->count.banned++;
	return true;
}

static void store_ban(struct auth *a, const struct ban *ban)
{
	uint8_t room[BAN_KEY_MAX];
	struct directory_ban row = {
		.network = ban_network_key(&ban->network, room),
		.until_ms = ban->until_ms,
		.count = ban->count,
	};
	enum err err = directory_ban_put(a->d, &row);

	if (err)
		LOG_WARNING("auth.ban", "the ban could not be stored and ends at the next start",
			    LOG_ERR(err));
}

void guard_failed(struct auth *a, const struct guard *g)
{
	struct ban_rules rules = {
		.failures = a->config->ban_failures,
		.window_ms = (int64_t)a->config->ban_window,
		.time_ms = (int64_t)a->config->ban_time,
	};
	struct buf CLEANUP(buf_done) text = BUF_INIT(100);
	const struct ban *ban;

	if (g->exempt)
		return;
	ban = ban_failure(&a->bans, &rules, &g->network, clock_wall_ms());
	if (!ban)
		return;
	a->count.bans++;
	ban_network_add(&text, &ban->network);
	LOG_NOTICE("auth.ban", "too many failed log-ins", LOG_VIEW("network", buf_view(&text)),
		   LOG_INT("seconds", (ban->until_ms - clock_wall_ms()) / 1000),
		   LOG_UINT("bans", ban->count));
	store_ban(a, ban);
}

void guard_succeeded(struct auth *a, const struct guard *g, uint64_t account)
{
	uint8_t room[BAN_KEY_MAX];
	enum err err;

	if (g->exempt)
		return;
	err = directory_device_seen(a->d, account, ban_network_key(&g->network, room),
				    clock_wall());
	if (err)
		LOG_WARNING("auth.device", "a log-in's address could not be remembered",
			    LOG_ERR(err));
}

static enum err load_ban(void *ctx, const struct directory_ban *row)
{
	struct auth *a = ctx;
	struct ban_network n;

	if (ban_network_of_key(row->network, &n)) {
		LOG_WARNING("auth.ban", "a stored ban names no network and is left out");
		return OK;
	}
	return ban_set(&a->bans, &n, row->until_ms, row->count, clock_wall_ms());
}

enum err guard_load(struct auth *a)
{
	return directory_ban_each(a->d, clock_wall_ms() - BAN_TIME_MAX_MS, load_ban, a);
}
