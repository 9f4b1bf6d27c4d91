/*
 * store/store.h: the mailbox engine of one account.
 *
 * Owns the account's folder: packs (append-only, the log of everything that ever happened and the
 * bytes of every message) and index.db (what the log amounts to, for quick reading).  Knows nothing of
 * IMAP, MIME or Sieve: what it keeps about the inside of a message comes from a callback.
 *
 * One process, one thread, one struct store per account.  Nothing here logs.  Unless said otherwise:
 * ERR_IO and ERR_FULL mean that nothing was applied; ERR_CORRUPT that stored bytes fail their check;
 * ERR_NOMEM.  After ERR_IO a store may refuse all further writes with ERR_WRONG_STATE until it is reopened.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/view.h"

/* Limits of THREATS.md section 3 and our own. */
enum {
	STORE_MAILBOX_NAME_MAX = 1000, /* octets; past it ERR_RANGE */
	STORE_MAILBOX_DEPTH_MAX = 20, /* levels; past it ERR_RANGE */
	STORE_MAILBOX_COUNT_MAX = 10000, /* past it ERR_LIMIT */
	STORE_SUBSCRIPTION_MAX = 20000, /* names; past it ERR_LIMIT */
	STORE_KEYWORD_MAX = 64, /* different keywords in use per account; past it ERR_LIMIT */
	STORE_KEYWORD_LEN_MAX = 128, /* octets; past it ERR_LIMIT */
	STORE_TARGET_MAX = 32, /* mailboxes that one message is put into; past it ERR_LIMIT */
	STORE_BATCH_MAX = 4096, /* messages of one store_put; past it ERR_LIMIT */
	STORE_COLUMN_MAX = 256 * 1024, /* octets of one digest column; longer ones are not kept */
	STORE_VALUE_KEY_MAX = 255, /* octets; past it ERR_LIMIT */
	STORE_VALUE_MAX = 128 * 1024, /* octets; past it ERR_LIMIT */
	STORE_VALUE_COUNT_MAX = 4096, /* past it ERR_LIMIT */
	STORE_KEY_LEN = 32,
	STORE_KEY_GENERATION_MAX = 64,
	STORE_MARK_MAX = 1000000, /* ranges of remembered marks; past it ERR_LIMIT */
	STORE_NUMBER_BLOCK = 1000, /* UIDs and MODSEQs reserved ahead, THREATS.md 4 clause 6 */
	STORE_RESTORE_JUMP = 1000 * 1000, /* for store_numbers_jump after a restore */
};
#define STORE_MESSAGE_SIZE_MAX ((uint64_t)1 << 31) /* upper bound for the option of that name */

struct store;

/* ---- opening ------------------------------------------------------------------------------- */

struct store_key {
	uint32_t generation;
	uint8_t key[STORE_KEY_LEN];
};

/* Every generation that may still be in use; the highest is used for writing. */
struct store_keys {
	const struct store_key *at;
	size_t n;
};

/* What is kept about a message so that it need not be read again.  The store does not look inside. */
struct store_digest {
	struct view envelope; /* rendered ENVELOPE, RFC 9051#7.5.2 */
	struct view structure; /* rendered BODYSTRUCTURE */
	struct view header; /* header cache, any form */
	struct view search; /* folded text of the fields that SEARCH and SORT look at, any form */
	struct view preview; /* RFC 8970 */
	int64_t sent; /* Date: field, seconds since 1970 UTC */
	uint64_t thread; /* THREADID, 0 for none */
};

/*
 * Describe a message.  Views in *ret must stay valid until the next call with the same ctx.  Called
 * while a transaction is open: must not call the store.  When it fails the message is stored without
 * a digest (all columns empty).
 */
typedef enum err (*store_digest_fn)(void *ctx, struct view message, struct store_digest *ret);

struct store_config {
	uint64_t account; /* stable number of the account; bound into every key */
	uint64_t quota_bytes; /* 0: none */
	uint64_t quota_messages; /* 0: none */
	uint64_t message_size_max; /* octets; 0: STORE_MESSAGE_SIZE_MAX */
	uint64_t pack_size_max; /* octets after which a new pack is begun; 0: 64 MiB */
	uint64_t wal_size_due; /* octets of WAL after which store_checkpoint_due; 0: 4 MiB */
	/* Of new mailboxes; 0, and more than that: STORE_MAILBOX_..._MAX. */
	uint64_t mailbox_name_max, mailbox_depth_max, mailbox_count_max;
	int zstd_level; /* 1 to 9; 0: 1 */
	bool rebuild; /* rebuild a missing or damaged index from the packs when opening */
	store_digest_fn digest; /* may be NULL: empty digests */
	void *digest_ctx;
};

/*
 * Open the account below account_dir_fd (borrowed until store_close).  The first open creates INBOX and
 * the folders Drafts, Sent, Junk, Trash, Archive.  keys and config are copied (digest_ctx is borrowed).
 * After an unclean stop the log beyond the last checkpoint is read, checked and applied.
 * ERR_BUSY: another process has it.  ERR_CRYPTO: no key opens it.  ERR_CORRUPT: the index is damaged
 * or missing and config->rebuild is off; see fsck.h.
 */
MUST_USE enum err store_open(int account_dir_fd, const struct store_keys *keys,
			     const struct store_config *config, struct store **ret);

/* Checkpoint and close.  *store becomes NULL whatever the result. */
enum err store_close(struct store **store);
/* Close without writing anything, as a killed process would; for tests and for a hopeless disk. */
void store_abort(struct store **store);

/*
 * Give back memory: checkpoints, closes the database (it is opened again when needed) and frees every
 * cache.  Loaded snapshots, listeners and the table of mailboxes stay.
 */
enum err store_trim(struct store *store);

/* Change these fields of the configuration while open. */
void store_mailbox_limits_set(struct store *store, const struct store_config *config);
/* Change the quota while open; 0 for none. */
void store_quota_set(struct store *store, uint64_t bytes, uint64_t messages);

struct store_usage {
	uint64_t bytes; /* sum of RFC822.SIZE over all mailboxes; a copy counts again */
	uint64_t messages; /* rows over all mailboxes */
	uint64_t quota_bytes, quota_messages;
	uint64_t pack_bytes; /* octets of all packs on disk */
	uint64_t dead_bytes; /* of these: no longer referred to */
};
struct store_usage store_usage(const struct store *store);

/* ---- durability ---------------------------------------------------------------------------- */

/*
 * One fdatasync: everything acknowledged so far survives a power cut when this returns OK.
 * *ret_sequence: the highest journal sequence among all marks so far, 0 if none; may be NULL.
 */
MUST_USE enum err store_sync(struct store *store, uint64_t *ret_sequence);
/* store_sync, then bring the index file up to date so that the next start need not read the log. */
MUST_USE enum err store_checkpoint(struct store *store, uint64_t *ret_sequence);
/* Is there unsynced data?  For the timer of flag_sync. */
bool store_sync_due(const struct store *store);
/* Has the WAL or the log grown so that a checkpoint pays?  (At four times that size it runs by itself.) */
bool store_checkpoint_due(const struct store *store);

/* The journal will never replay sequences below this: their marks may be forgotten. */
void store_marks_forget(struct store *store, uint64_t below_sequence);

/* Rewrite packs with more than half dead octets.  *ret_freed: octets given back; may be NULL. */
MUST_USE enum err store_compact(struct store *store, uint64_t *ret_freed);

/* After a restore: UIDs and MODSEQs go on by step higher, and the gap is recorded as vanished. */
MUST_USE enum err store_numbers_jump(struct store *store, uint32_t step);

/* ---- mailboxes ----------------------------------------------------------------------------- */

/* RFC 6154#2, bits of struct store_mailbox.special */
enum {
	STORE_USE_ALL = 1 << 0,
	STORE_USE_ARCHIVE = 1 << 1,
	STORE_USE_DRAFTS = 1 << 2,
	STORE_USE_FLAGGED = 1 << 3,
	STORE_USE_JUNK = 1 << 4,
	STORE_USE_SENT = 1 << 5,
	STORE_USE_TRASH = 1 << 6,
	STORE_USE_IMPORTANT = 1 << 7,
};

struct store_mailbox {
	uint64_t id; /* stable for ever, never used again; MAILBOXID of RFC 8474 */
	struct view name; /* UTF-8 (NFC, the caller sees to that), '/' between levels */
	uint32_t special; /* STORE_USE_ bits */
	bool subscribed;
	bool selectable; /* false: \Noselect */
	bool has_children; /* some other name begins with this one and '/' */
	uint32_t uidvalidity;
	uint32_t uidnext;
	uint64_t highestmodseq; /* at least 1 */
	uint32_t messages;
	uint32_t unseen; /* without \Seen */
	uint32_t deleted; /* with \Deleted */
	uint32_t recent_from; /* messages with this UID or higher are \Recent to who selects next */
	uint64_t size; /* octets, STATUS SIZE of RFC 9051 */
};

/* All of these return pointers that are borrowed until the next call that changes mailboxes (fields,
 * not the pointer, change with messages); NULL if there is none. */

/* Walk in the order of names, '/' before all other octets: children follow their parent; *at starts at 0. */
const struct store_mailbox *store_mailbox_next(struct store *store, size_t *at);
const struct store_mailbox *store_mailbox_by_id(struct store *store, uint64_t id);
/* INBOX is matched in any case, also as the first level of a longer name. */
const struct store_mailbox *store_mailbox_by_name(struct store *store, struct view name);
/* The first mailbox with this one bit. */
const struct store_mailbox *store_mailbox_by_use(struct store *store, uint32_t use);

/*
 * Create name and the parents that are missing.  Durable when OK.  A name that is \Noselect becomes
 * selectable again (with a new id and UIDVALIDITY).  ERR_SYNTAX: not a name (empty level, control,
 * '*', '%', malformed UTF-8); ERR_RANGE (too long, too deep); ERR_LIMIT; ERR_EXISTS.
 */
MUST_USE enum err store_mailbox_create(struct store *store, struct view name, uint32_t special,
				       uint64_t *ret_id);
/*
 * Delete with all messages.  With children the name stays and becomes \Noselect.  ERR_NOTFOUND;
 * ERR_DENIED for INBOX; ERR_WRONG_STATE when it is \Noselect already and has children.
 */
MUST_USE enum err store_mailbox_delete(struct store *store, struct view name);
/*
 * Rename with all inferiors; missing parents are created.  Renaming INBOX moves its messages to a new
 * mailbox and leaves INBOX and its inferiors (RFC 9051#6.3.6).  ERR_NOTFOUND, ERR_EXISTS, ERR_RANGE, ERR_LIMIT,
 * ERR_SYNTAX; ERR_DENIED when the new name lies below the old one.
 */
MUST_USE enum err store_mailbox_rename(struct store *store, struct view from, struct view to);
/* Set the STORE_USE_ bits. */
MUST_USE enum err store_mailbox_use_set(struct store *store, uint64_t mailbox, uint32_t special);
/* The name need not exist (RFC 9051#6.3.7); a subscription outlives its mailbox. */
MUST_USE enum err store_subscribe(struct store *store, struct view name, bool on);
/* Walk subscribed names, existing or not; *at starts at 0.  Borrowed until subscriptions change. */
bool store_subscription_next(struct store *store, size_t *at, struct view *ret_name);

/* ---- messages ------------------------------------------------------------------------------ */

enum {
	STORE_FLAG_SEEN = 1 << 0,
	STORE_FLAG_ANSWERED = 1 << 1,
	STORE_FLAG_FLAGGED = 1 << 2,
	STORE_FLAG_DELETED = 1 << 3,
	STORE_FLAG_DRAFT = 1 << 4,
	STORE_FLAG_MASK = (1 << 5) - 1,
};

struct store_message {
	uint32_t uid;
	uint16_t flags; /* STORE_FLAG_ */
	int16_t zone; /* minutes east, of date */
	uint64_t keywords; /* bit n: keyword n, see store_keyword_name */
	uint64_t modseq;
	int64_t date; /* INTERNALDATE, seconds since 1970 UTC */
	int64_t saved; /* SAVEDATE, when it came into this mailbox */
	uint64_t blob; /* names the immutable octets; copies share it; EMAILID of RFC 8474 */
	uint32_t size; /* octets */
	uint32_t unused;
};

/*
 * The messages of one mailbox, sorted by UID, shared by all who loaded it and changed in place: at and n
 * may move with every call that changes messages, and expunged rows are gone at once.  An IMAP session
 * therefore keeps its own list of UIDs for sequence numbers, and updates it from the feed when it may
 * tell its client.
 */
struct store_snapshot {
	uint64_t mailbox;
	const struct store_message *at;
	size_t n;
	bool gone; /* the mailbox was deleted; n is 0 */
};

/* ERR_NOTFOUND; ERR_WRONG_STATE for \Noselect.  Give back with store_mailbox_release. */
MUST_USE enum err store_mailbox_load(struct store *store, uint64_t mailbox,
				     const struct store_snapshot **ret);
void store_mailbox_release(struct store *store, const struct store_snapshot *snapshot);
/* By binary search; NULL if it is not (any more) there. */
const struct store_message *store_snapshot_find(const struct store_snapshot *snapshot,
						uint32_t uid);
/* Index of the first message with UID uid or higher; n if none. */
size_t store_snapshot_from(const struct store_snapshot *snapshot, uint32_t uid);
/* \Recent of IMAP4rev1: the present recent_from, which then moves to uidnext. */
MUST_USE enum err store_recent_take(struct store *store, uint64_t mailbox, uint32_t *ret_from);

/* first <= last */
struct store_range {
	uint32_t first;
	uint32_t last;
};

/* Ranges of UIDs in ascending order without overlap. */
struct store_uids {
	const struct store_range *at;
	size_t n;
};

/* A growing result, owned by the caller. */
struct store_uid_list {
	uint32_t *at;
	size_t n;
	size_t cap;
};
void store_uid_list_done(struct store_uid_list *list);

/* Journal position and recipient of a delivery. */
struct store_mark {
	uint64_t sequence;
	uint32_t recipient;
};

struct store_target {
	uint64_t mailbox;
	uint16_t flags;
	uint64_t keywords;
};

/* One message to be stored. */
struct store_put {
	struct view bytes; /* the message, when fd is -1 */
	int fd; /* else: a descriptor holding it from offset 0; sealed memfd are mapped */
	uint64_t size; /* octets in fd */
	const struct store_target *targets;
	size_t target_n; /* 0 with a mark: only the mark is kept (Sieve discard) */
	int64_t date; /* INTERNALDATE */
	int16_t zone;
	bool marked;
	struct store_mark mark;
};

struct store_put_result {
	enum err
		err; /* of this message alone: OK, ERR_QUOTA, ERR_NOTFOUND, ERR_LIMIT, ERR_WRONG_STATE */
	bool replayed; /* the mark was known: nothing was done, err is OK */
	uint64_t blob;
	uint32_t uid; /* in the first target */
	uint64_t modseq;
};

enum store_put_mode {
	STORE_DELIVER, /* acknowledged from memory; messages fail one by one */
	STORE_APPEND, /* on disk before it returns; all or none: the first failure is returned */
};

/*
 * Store n messages in one transaction together with their marks.  results: n of them, filled whenever
 * the function returns OK (for STORE_APPEND also on failure).  When it fails nothing is stored.
 */
MUST_USE enum err store_put(struct store *store, enum store_put_mode mode,
			    const struct store_put *items, size_t n,
			    struct store_put_result *results);
/* Was this delivery done? */
bool store_mark_known(const struct store *store, struct store_mark mark);

/*
 * Copy, or move (copy and expunge in one transaction), the messages of set that exist.  The lists,
 * each may be NULL, receive old and new UIDs pairwise for COPYUID.  Target's UIDVALIDITY is in its
 * struct store_mailbox.  ERR_NOTFOUND: no such mailbox; ERR_WRONG_STATE: \Noselect; ERR_QUOTA (not for a move).
 */
MUST_USE enum err store_copy(struct store *store, uint64_t from, struct store_uids set, uint64_t to,
			     struct store_uid_list *ret_old, struct store_uid_list *ret_new);
MUST_USE enum err store_move(struct store *store, uint64_t from, struct store_uids set, uint64_t to,
			     struct store_uid_list *ret_old, struct store_uid_list *ret_new);
/* Remove the messages of set; only_deleted: those with \Deleted.  ret_gone may be NULL. */
MUST_USE enum err store_expunge(struct store *store, uint64_t mailbox, struct store_uids set,
				bool only_deleted, struct store_uid_list *ret_gone);

enum store_flag_op { STORE_FLAGS_ADD, STORE_FLAGS_REMOVE, STORE_FLAGS_REPLACE };

struct store_flag_change {
	enum store_flag_op op;
	uint16_t flags;
	uint64_t keywords;
	bool conditional; /* UNCHANGEDSINCE was given, RFC 7162#3.1.3 */
	uint64_t unchanged_since; /* messages with a higher modseq are left alone and listed */
};

/* ret_changed: messages that have other flags now; ret_modified: refused by unchanged_since.  Both may
 * be NULL.  Messages that already are as wanted keep their modseq and are in neither list. */
MUST_USE enum err store_flags(struct store *store, uint64_t mailbox, struct store_uids set,
			      const struct store_flag_change *change,
			      struct store_uid_list *ret_changed,
			      struct store_uid_list *ret_modified);

/* Called with ascending ranges of UIDs that vanished. */
typedef void (*store_range_fn)(void *ctx, struct store_range range);
/* What vanished after modseq since (RFC 7162#3.2.5.1); may name more UIDs than ever existed. */
MUST_USE enum err store_vanished(struct store *store, uint64_t mailbox, uint64_t since,
				 store_range_fn fn, void *ctx);

/* Number of the keyword (0 to 63), made when create is set.  Compared without ASCII case.
 * ERR_NOTFOUND, ERR_LIMIT, ERR_SYNTAX (not an atom). */
MUST_USE enum err store_keyword(struct store *store, struct view name, bool create, unsigned *ret);
/* Empty if unused.  Borrowed until keywords change. */
struct view store_keyword_name(const struct store *store, unsigned number);
/* Every keyword that has a name. */
uint64_t store_keywords_known(const struct store *store);

/* ---- change feed --------------------------------------------------------------------------- */

enum store_change_kind {
	STORE_CHANGE_NEW, /* message uid .. uid_last came */
	STORE_CHANGE_FLAGS, /* flags of uid .. uid_last changed (only those that exist) */
	STORE_CHANGE_EXPUNGED, /* uid .. uid_last are gone (only those that existed) */
	STORE_CHANGE_VANISHED, /* numbers uid .. uid_last were skipped and never show up */
	STORE_CHANGE_MAILBOX, /* created, renamed, subscribed, attributes changed */
	STORE_CHANGE_MAILBOX_GONE,
	STORE_CHANGE_KEYWORDS, /* the table of keywords grew; mailbox is 0 */
};

struct store_change {
	uint64_t mailbox;
	enum store_change_kind kind;
	uint32_t uid;
	uint32_t uid_last;
	uint64_t modseq;
	const void *origin; /* see store_origin_set */
};

struct store_listener;
/* Called after the commit, snapshots already changed, in order; must not change the store or its
 * listeners. */
typedef void (*store_change_fn)(void *ctx, const struct store_change *change);
/* mailbox 0: changes of all. */
MUST_USE enum err store_listen(struct store *store, uint64_t mailbox, store_change_fn fn, void *ctx,
			       struct store_listener **ret);
void store_unlisten(struct store *store, struct store_listener **listener);
/* Who causes the changes that follow (a session, any pointer), so that it knows its own. */
void store_origin_set(struct store *store, const void *origin);

/* ---- reading ------------------------------------------------------------------------------- */

/* Columns of struct store_digest. */
enum {
	STORE_COL_ENVELOPE = 1 << 0,
	STORE_COL_STRUCTURE = 1 << 1,
	STORE_COL_HEADER = 1 << 2,
	STORE_COL_SEARCH = 1 << 3,
	STORE_COL_PREVIEW = 1 << 4,
	STORE_COL_ALL = (1 << 5) - 1, /* sent and thread always come */
};

/* Columns of one message, borrowed until the next call of the store.  ERR_NOTFOUND. */
MUST_USE enum err store_digest_get(struct store *store, uint64_t blob, unsigned columns,
				   struct store_digest *ret);
/* Return OK to go on, anything else to stop with that result.  Must not call the store except for
 * lookups in memory. */
typedef enum err (*store_digest_each_fn)(void *ctx, const struct store_message *message,
					 const struct store_digest *digest);
/* Every message of the range in order of UID. */
MUST_USE enum err store_digest_each(struct store *store, uint64_t mailbox, struct store_range range,
				    unsigned columns, store_digest_each_fn fn, void *ctx);

struct store_body;
/* Open the octets of a message.  Stays readable when the message is expunged meanwhile (until
 * store_compact).  ERR_NOTFOUND, ERR_CORRUPT.  Close before store_close. */
MUST_USE enum err store_body_open(struct store *store, uint64_t blob, struct store_body **ret);
void store_body_close(struct store_body **body);
uint64_t store_body_size(const struct store_body *body);
/* Octets from position from to the end of its frame, at most 128 KiB; empty at the end.  Borrowed until
 * the next read of this body. */
MUST_USE enum err store_body_read(struct store_body *body, uint64_t from, struct view *ret);

/* ---- small values of the account (Sieve scripts, METADATA, vacation memory) ------------------- */

/* Set, or with an empty view remove.  Survives as flags do; store_sync makes it durable. */
MUST_USE enum err store_value_set(struct store *store, struct view key, struct view value);
/* Borrowed until the next call of the store.  ERR_NOTFOUND. */
MUST_USE enum err store_value_get(struct store *store, struct view key, struct view *ret);
typedef enum err (*store_value_fn)(void *ctx, struct view key, struct view value);
/* Every value whose key begins with prefix, in order of keys; fn must not call the store. */
MUST_USE enum err store_value_each(struct store *store, struct view prefix, store_value_fn fn,
				   void *ctx);

#endif
