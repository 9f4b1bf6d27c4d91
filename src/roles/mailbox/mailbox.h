/*
 * roles/mailbox/mailbox.h: the process of one account, between its channels and its store.
 *
 * It holds the account's key and folder and nothing else: whoever breaks it by a message or a command
 * owns the mail that was theirs already.
 */
#ifndef ROLES_MAILBOX_MAILBOX_H
#define ROLES_MAILBOX_MAILBOX_H

#include "ipc/deliver.h"
#include "roles/mailbox/imap/digest.h"
#include "roles/mailbox/imap/search_cache.h"
#include "roles/mailbox/imap/session.h"
#include "store/store.h"
#include "sys/role.h"
#include "sys/stream.h"

enum {
	QUIET_TRIM_MS = 3000, /* without work for so long: give back memory */
	COMPACT_DUE = 32 * 1024 * 1024, /* octets that nothing refers to: half a pack */
	CLIENT_QUIET_MS =
		3000, /* without a command for so long a client does not count as active */
	FLOOD_OVER_MS = 1000,
	BEHIND_MS = 400, /* mail that waited longer is not kept waiting for others, */
	CAUGHT_UP_MS = 200, /* ... until what comes has waited less than this */
	STOP_FLUSH_MS = 1000, /* time for the last words to leave */
	DELIVER_BATCH_MAX = 512,
};

struct mailbox;
struct deliveries;

struct session {
	struct session *next;
	struct mailbox *mailbox;
	struct stream stream;
	struct imap_session *imap;
	struct loop_defer turn;
	struct loop_timer again; /* more work, after others had their turn */
	struct loop_timer deadline;
	uint64_t id;
	int64_t stalled_since; /* output waits and none has left since, or 0 */
	uint64_t moved, left; /* octets of output: into the stream, out of it */
	bool dead;
};

struct mailbox {
	struct role *role;
	uint64_t account;
	char name[321]; /* login name, from the first session */
	int dir;
	int keys_fd;
	struct store *store;
	struct digest_maker digest;
	struct search_cache search_cache;
	struct imap_append_memory append_memory;
	struct imap_session_config imap;
	struct session *sessions;
	size_t session_count;
	struct deliveries *deliveries;
	struct loop_defer sweep;
	struct loop_timer sync_timer, idle_timer, stop_timer, flood_timer;
	int64_t last_work_ms;
	bool trimmed;
	bool background; /* the supervisor was told that others go first */
	int64_t client_ms, flood_ms; /* when they last did */
	bool stopping;
	uint64_t delivered, served;
};

/* sessions.c */
void sessions_add(struct mailbox *m, const struct role_session *s, int fd);
void sessions_bye(struct mailbox *m, const char *text);
void sessions_sweep(struct mailbox *m);

/* deliver.c */
void deliver_channel_take(struct mailbox *m, int fd);
/* Store what was accepted, now: before the store is closed. */
void deliver_flush(struct mailbox *m);
/* Give back memory. */
void deliver_trim(struct mailbox *m);
/* Is anything accepted but not yet stored or synced? */
bool deliver_waiting(const struct mailbox *m);
/* Everything answered so far is durable: tell the queue. */
void deliver_durable(struct mailbox *m);

/* Say goodbye and end all at once. */
void sessions_end(struct mailbox *m, const char *text);

/* check.c */
void mailbox_check(struct mailbox *m, uint32_t tag, bool rebuild);

/* main.c */
/* The account's keys, by one blocking exchange with the keys role; at has room for
 * STORE_KEY_GENERATION_MAX and is wiped by the caller. */
enum err mailbox_keys(struct mailbox *m, struct store_key *at, struct store_keys *ret);
struct store_config mailbox_store_config(struct mailbox *m);
enum err mailbox_open(struct mailbox *m, const struct store_keys *keys);
/* Something happened: the account is in use. */
void mailbox_touch(struct mailbox *m);
/* Much mail comes: as long as it does, no client is active and it is not kept waiting for long, let others
 * run first.  waited_ms: since the oldest of what comes was received. */
void mailbox_flood(struct mailbox *m, int64_t waited_ms);
/* A client wants something. */
void mailbox_client(struct mailbox *m);
/* Make all durable; logs on failure. */
enum err mailbox_sync(struct mailbox *m);

#endif
