/*
 * roles/auth/admin_ban.c: ban.list, ban.add, ban.remove, auth.status.
 */
#include "admin.h"
#include "base/num.h"
#include "sys/clock.h"
#include "sys/log.h"

void admin_ban_list(struct admin_call *c)
{
	int64_t now = clock_wall_ms();
	const struct ban *ban = NULL;

	while ((ban = ban_next(&c->auth->bans, ban)) != NULL) {
		struct buf CLEANUP(buf_done) network = BUF_INIT(100);

		if (ban->until_ms <= now)
			continue;
		ban_network_add(&network, &ban->network);
		admin_row(c, json_pack("{s:o, s:o, s:i}", "network", admin_text(buf_view(&network)),
				       "until", admin_time_ms(ban->until_ms), "bans",
				       (int)ban->count));
	}
	admin_end(c, OK, "%s", "");
}

static bool read_network(const struct admin_call *c, struct ban_network *ret)
{
	struct view text = admin_arg(c, "network");

	if (ban_network_parse(text, ret) == OK)
		return true;
	admin_end(c, ERR_SYNTAX,
		  VIEW_FMT " is not an address: write it like 192.0.2.1 or 2001:db8::/64",
		  VIEW_ARG(text));
	return false;
}

void admin_ban_add(struct admin_call *c)
{
	struct directory_ban row = { .count = 1 };
	struct ban_network network;
	uint64_t length = c->auth->config->ban_time;
	enum err err;

	if (!read_network(c, &network))
		return;
	if (admin_has(c, "time") && (num_duration(admin_arg(c, "time"), &length) || length == 0 ||
				     length > INT32_MAX * 1000LL)) {
		admin_end(c, ERR_SYNTAX, "the time must be a duration like 2 h or 30 d");
		return;
	}
	row.network = view_of(network.at, network.n);
	row.until_ms = clock_wall_ms() + (int64_t)length;
	err = directory_ban_put(c->auth->d, &row);
	if (!err)
		err = ban_set(&c->auth->bans, &network, row.until_ms, row.count);
	if (err) {
		admin_broken(c, err);
		return;
	}
	LOG_NOTICE("auth.ban", "banned by the administrator",
		   LOG_VIEW("network", admin_arg(c, "network")),
		   LOG_UINT("seconds", length / 1000));
	admin_end(c, OK, "banned " VIEW_FMT, VIEW_ARG(admin_arg(c, "network")));
}

void admin_ban_remove(struct admin_call *c)
{
	struct ban_network network;
	enum err err;

	if (!read_network(c, &network))
		return;
	err = directory_ban_remove(c->auth->d, view_of(network.at, network.n));
	if (err) {
		admin_broken(c, err);
		return;
	}
	if (ban_lift(&c->auth->bans, &network, clock_wall_ms())) {
		admin_end(c, ERR_NOTFOUND, VIEW_FMT " is not banned (posthold ban list)",
			  VIEW_ARG(admin_arg(c, "network")));
		return;
	}
	LOG_NOTICE("auth.ban", "a ban was lifted by the administrator",
		   LOG_VIEW("network", admin_arg(c, "network")));
	admin_end(c, OK, "lifted the ban on " VIEW_FMT, VIEW_ARG(admin_arg(c, "network")));
}

void admin_auth_status(struct admin_call *c)
{
	const struct auth_counters *n = &c->auth->count;

	admin_row(c,
		  json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "successes",
			    (json_int_t)n->successes, "failures", (json_int_t)n->failures, "cached",
			    (json_int_t)n->cached, "hashes", (json_int_t)n->hashes, "waiting",
			    (json_int_t)pool_waiting(c->auth->pool), "busy", (json_int_t)n->busy,
			    "refused_banned", (json_int_t)n->banned, "bans", (json_int_t)n->bans,
			    "tickets", (json_int_t)lru_count(&c->auth->tickets.table), "lookups",
			    (json_int_t)n->lookups, "lookup_hits", (json_int_t)n->lookup_hits));
	admin_end(c, OK, "%s", "");
}
