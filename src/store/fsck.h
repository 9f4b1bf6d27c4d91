/*
 * store/fsck.h: checking an account, and making its index anew from the packs.
 */
#ifndef STORE_FSCK_H
#define STORE_FSCK_H

#include "store/store.h"

enum store_fsck_kind {
	STORE_FSCK_PROGRESS, /* from of to octets are read */
	STORE_FSCK_PACK, /* the header of pack is damaged: nothing of it can be used */
	STORE_FSCK_DAMAGE, /* octets from..to of pack are no record; what follows is saved */
	STORE_FSCK_TORN, /* the same at the end of the log: left by a crash, nothing was promised */
	STORE_FSCK_FRAME, /* octets of a message, in the record from..to of pack, do not open */
	STORE_FSCK_INDEX, /* the index is missing or damaged */
	STORE_FSCK_LOST, /* message uid of mailbox has no octets any more */
};

struct store_fsck_report {
	enum store_fsck_kind kind;
	uint32_t pack;
	uint64_t from, to;
	uint64_t mailbox;
	uint32_t uid;
};

/* Must not touch the account. */
typedef void (*store_fsck_fn)(void *ctx, const struct store_fsck_report *report);

struct store_fsck_options {
	bool rebuild; /* make the index anew even if it is sound */
	bool repair; /* make it anew if it is not */
};

struct store_fsck_result {
	uint64_t records;
	uint64_t octets; /* of packs */
	uint64_t messages; /* rows of all mailboxes, when there is an index in the end */
	uint64_t damage; /* reports of PACK, DAMAGE and FRAME */
	uint64_t lost;
	bool index_sound; /* as found */
	bool rebuilt;
};

/*
 * Check every record of every pack and every page of the index of a closed account.  fn may be NULL.
 * ERR_BUSY while a process has it open, ERR_CRYPTO without its keys.  Damage is no error: see *ret.
 * config gives the digest callback for a rebuild; after damage every UIDVALIDITY rises.
 */
MUST_USE enum err store_fsck(int account_dir_fd, const struct store_keys *keys,
			     const struct store_config *config,
			     const struct store_fsck_options *options, store_fsck_fn fn, void *ctx,
			     struct store_fsck_result *ret);

#endif
