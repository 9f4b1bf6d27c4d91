/*
 * roles/auth/admin_ban.c: ban.list, ban.add, ban.remove, auth.status.
 */
#include "admin.h"
#include "base/num.h"
#include "sys/clock.h"
#include "sys/log.h"

enum { NETWORK_TEXT_MAX = 64 };

void admin_ban_list(struct admin_call *c)
{
	int64_t now = clock_wall_ms();
	const struct ban *ban = NULL;

	while ((ban = ban_next(&c->auth->bans, ban)) != NULL) {
		struct buf CLEANUP(buf_done) network = BUF_INIT(NETWORK_TEXT_MAX);

		if (ban->until_ms <= now)
			continue;
		ban_network_add(&network, &ban->network);
		admin_row(c, json_pack("{s:o, s:o, s:i}", "network", admin_text(buf_view(&network)),
				       "until", admin_time_ms(ban->until_ms), "bans",
				       (int)ban->count));
	}
	admin_end(c, OK, "%s", "");
}

/* The network asked for, and its one spelling. */
static bool read_network(const struct admin_call *c, struct ban_network *ret, struct buf *ret_text)
{
	struct view text = admin_arg(c, "network");

	switch (ban_network_parse(text, ret)) {
	case OK: ban_network_add(ret_text, ret); return true;
	case ERR_RANGE:
		admin_end(c, ERR_RANGE,
			  VIEW_FMT " cannot be banned: a network is /%d to /32, with IPv6 /%d to "
				   "/128",
			  VIEW_ARG(text), BAN_V4_BITS_MIN, BAN_V6_BITS_MIN);
		return false;
	default:
		admin_end(c, ERR_SYNTAX,
			  VIEW_FMT " is no address or network: write it like 192.0.2.1, "
				   "192.0.2.0/24 or 2001:db8::/48",
			  VIEW_ARG(text));
		return false;
	}
}

/* In memory first: there the number is bounded. */
static enum err put_ban(struct auth *a, const struct ban_network *n, int64_t until_ms, int64_t now)
{
	uint8_t room[BAN_KEY_MAX];
	struct directory_ban row = {
		.network = ban_network_key(n, room),
		.until_ms = until_ms,
		.count = 1,
	};
	enum err err = ban_set(&a->bans, n, until_ms, row.count, now);

	if (err)
		return err;
	err = directory_ban_put(a->d, &row);
	if (err)
		(void)!ban_lift(&a->bans, n, now);
	return err;
}

void admin_ban_add(struct admin_call *c)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(NETWORK_TEXT_MAX);
	struct ban_network network;
	uint64_t length = c->auth->config->ban_time;
	int64_t now = clock_wall_ms();
	enum err err;

	if (!read_network(c, &network, &text))
		return;
	if (admin_has(c, "time") && (num_duration(admin_arg(c, "time"), &length) || length == 0 ||
				     length > INT32_MAX * 1000LL)) {
		admin_end(c, ERR_SYNTAX, "the time must be a duration like 2 h or 30 d");
		return;
	}
	err = put_ban(c->auth, &network, now + (int64_t)length, now);
	if (err == ERR_LIMIT) {
		admin_end(c, err,
			  "%d networks are banned already: lift some bans first (posthold ban "
			  "list)",
			  BAN_RANGES_MAX);
		return;
	}
	if (err) {
		admin_broken(c, err);
		return;
	}
	LOG_NOTICE("auth.ban", "banned by the administrator", LOG_VIEW("network", buf_view(&text)),
		   LOG_UINT("seconds", length / 1000));
	admin_end(c, OK, "banned " VIEW_FMT, VIEW_ARG(buf_view(&text)));
}

/* Not by itself, but maybe with its neighbours. */
static void end_not_banned(struct admin_call *c, const struct ban_network *n, struct view text)
{
	struct buf CLEANUP(buf_done) around = BUF_INIT(NETWORK_TEXT_MAX);
	const struct ban *ban = ban_find(&c->auth->bans, n, clock_wall_ms());

	if (!ban) {
		admin_end(c, ERR_NOTFOUND, VIEW_FMT " is not banned (posthold ban list)",
			  VIEW_ARG(text));
		return;
	}
	ban_network_add(&around, &ban->network);
	admin_end(c, ERR_NOTFOUND,
		  VIEW_FMT " is banned as part of " VIEW_FMT
			   ": lift that (posthold ban remove " VIEW_FMT ")",
		  VIEW_ARG(text), VIEW_ARG(buf_view(&around)), VIEW_ARG(buf_view(&around)));
}

void admin_ban_remove(struct admin_call *c)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(NETWORK_TEXT_MAX);
	uint8_t room[BAN_KEY_MAX];
	struct ban_network network;
	enum err err;

	if (!read_network(c, &network, &text))
		return;
	err = directory_ban_remove(c->auth->d, ban_network_key(&network, room));
	if (err) {
		admin_broken(c, err);
		return;
	}
	if (ban_lift(&c->auth->bans, &network, clock_wall_ms())) {
		end_not_banned(c, &network, buf_view(&text));
		return;
	}
	LOG_NOTICE("auth.ban", "a ban was lifted by the administrator",
		   LOG_VIEW("network", buf_view(&text)));
	admin_end(c, OK, "lifted the ban on " VIEW_FMT, VIEW_ARG(buf_view(&text)));
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
