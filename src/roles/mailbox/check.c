/*
 * roles/mailbox/check.c: posthold fsck, in the process that holds the account's key.
 *
 * The account is closed, checked, and opened again; sessions are ended before and may come back after.
 */
#include <sodium.h>

#include "mailbox.h"
#include "store/fsck.h"

struct checking {
	struct mailbox *mailbox;
	uint32_t tag;
};

static const char *words(enum store_fsck_kind kind)
{
	switch (kind) {
	case STORE_FSCK_PACK: return "the head of a pack is damaged, nothing of it can be used";
	case STORE_FSCK_DAMAGE: return "octets that are no record";
	case STORE_FSCK_TORN: return "a torn end, left by a crash; nothing there was promised";
	case STORE_FSCK_FRAME: return "octets of a message that do not open";
	case STORE_FSCK_INDEX: return "the index is missing or damaged";
	case STORE_FSCK_LOST: return "a message whose octets are gone";
	case STORE_FSCK_PROGRESS: break;
	}
	return "";
}

static void on_finding(void *ctx, const struct store_fsck_report *r)
{
	struct checking *c = ctx;
	struct buf CLEANUP(buf_done) json = BUF_INIT(1000);

	if (r->kind == STORE_FSCK_PROGRESS)
		return;
	buf_addf(&json,
		 "{\"damage\":\"%s\",\"file\":\"pack "
		 "%u\",\"offset\":%llu,\"end\":%llu,\"mailbox\":%llu,\"uid\":%u}",
		 words(r->kind), r->pack, (unsigned long long)r->from, (unsigned long long)r->to,
		 (unsigned long long)r->mailbox, r->uid);
	role_finding(c->mailbox->role, c->tag, buf_view(&json));
	LOG_ERROR("mailbox.damage", "a check found damage",
		  LOG_UINT("account", c->mailbox->account), LOG_STR("what", words(r->kind)),
		  LOG_UINT("pack", r->pack), LOG_UINT("offset", r->from));
}

static void tell_result(struct mailbox *m, uint32_t tag, const struct store_fsck_result *r)
{
	struct buf CLEANUP(buf_done) json = BUF_INIT(1000);

	buf_addf(&json,
		 "{\"records\":%llu,\"octets\":%llu,\"messages\":%llu,\"damaged\":%llu,\"lost\":%"
		 "llu,"
		 "\"index_sound\":%s,\"rebuilt\":%s}",
		 (unsigned long long)r->records, (unsigned long long)r->octets,
		 (unsigned long long)r->messages, (unsigned long long)r->damage,
		 (unsigned long long)r->lost, r->index_sound ? "true" : "false",
		 r->rebuilt ? "true" : "false");
	role_finding(m->role, tag, buf_view(&json));
	LOG_NOTICE("mailbox.checked", "an account was checked", LOG_UINT("account", m->account),
		   LOG_UINT("messages", r->messages), LOG_UINT("damaged", r->damage),
		   LOG_UINT("rebuilt", r->rebuilt));
}

/* The keys are asked for before the account is closed: if they cannot be had, nothing was changed. */
static enum err check(struct mailbox *m, uint32_t tag, bool rebuild, const struct store_keys *keys)
{
	struct store_config config = mailbox_store_config(m);
	struct store_fsck_options options = { .rebuild = rebuild, .repair = true };
	struct store_fsck_result result;
	struct checking c = { m, tag };
	enum err err, opened;

	sessions_end(m, "The mailbox is being checked; please log in again in a moment");
	search_cache_clear(&m->search_cache);
	deliver_flush(m);
	if (m->store && !mailbox_sync(m))
		(void)store_close(&m->store); /* all is synced; the check looks at the rest */
	else if (m->store)
		store_abort(&m->store);
	err = store_fsck(m->dir, keys, &config, &options, on_finding, &c, &result);
	if (!err)
		tell_result(m, tag, &result);
	opened = mailbox_open(m, keys);
	return err ? err : opened;
}

void mailbox_check(struct mailbox *m, uint32_t tag, bool rebuild)
{
	struct store_key at[STORE_KEY_GENERATION_MAX];
	struct store_keys keys;
	enum err err = mailbox_keys(m, at, &keys);

	if (!err)
		err = check(m, tag, rebuild, &keys);
	sodium_memzero(at, sizeof(at));
	role_checked(m->role, tag, err, err ? err_text(err) : "");
	mailbox_touch(m);
}
