/*
 * directory/directory.h: domains, accounts, aliases and credentials.
 *
 * Owns directory.db (SQLite, WAL, one process, one thread).  Every statement is prepared from constant
 * text; data is only ever bound.  Decides nothing about passwords (password.h makes and checks
 * verifiers) and logs nothing.  Changes are one transaction each and durable when OK is returned.
 *
 * Errors of every function besides those named: ERR_IO, ERR_FULL (disk), ERR_CORRUPT, ERR_NOMEM,
 * ERR_BUSY (another process has the file).
 */
#ifndef DIRECTORY_DIRECTORY_H
#define DIRECTORY_DIRECTORY_H

#include "directory/name.h"
#include "directory/password.h"

enum {
	DIRECTORY_ADDRESS_MAX = 320, /* octets of an address in its canonical spelling */
	DIRECTORY_DISPLAY_MAX = 128, /* octets of a person's name */
	DIRECTORY_TARGETS_MAX = 40, /* addresses to which one address may lead in all */
	DIRECTORY_DETAIL_MAX = ADDRESS_LOCAL_MAX,
	DIRECTORY_DOMAINS_MAX = 100000,
	DIRECTORY_DEVICES_MAX = 64, /* networks remembered per account */
	DIRECTORY_NETWORK_MAX = 16,
	DIRECTORY_SECRET_LEN = 32,
	DIRECTORY_SCHEMA = 2, /* version of the tables */
};

struct directory;

/*
 * Open or create; older schemas are migrated in one transaction.  path: absolute, or below a held descriptor
 * as "/proc/self/fd/N/directory.db"; it must stay good while the directory is open.  ERR_UNSUPPORTED when a
 * newer version of the program wrote the file.
 */
MUST_USE enum err directory_open(const char *path, struct directory **ret);
void directory_close(struct directory *d);
/* A random value made with the file and kept in it, for what must be stable and unguessable. */
void directory_secret(const struct directory *d, uint8_t ret[DIRECTORY_SECRET_LEN]);

/* ---- domains ---- */

struct directory_domain {
	uint64_t id;
	char name[ADDRESS_DOMAIN_MAX + 1]; /* A-label */
	uint64_t accounts;
	uint64_t aliases;
	int64_t created; /* seconds since 1970 */
};

/* ERR_EXISTS, ERR_SYNTAX, ERR_LIMIT past DIRECTORY_DOMAINS_MAX. */
MUST_USE enum err directory_domain_add(struct directory *d, struct view name, int64_t now);
/* ERR_NOTFOUND, ERR_SYNTAX. */
MUST_USE enum err directory_domain_find(struct directory *d, struct view name,
					struct directory_domain *ret);
/* ERR_NOTFOUND; ERR_WRONG_STATE while it has accounts or aliases. */
MUST_USE enum err directory_domain_remove(struct directory *d, struct view name);
/* By name; ends early with the error that fn returns.  fn must not change the directory. */
typedef enum err directory_domain_fn(void *ctx, const struct directory_domain *domain);
MUST_USE enum err directory_domain_each(struct directory *d, directory_domain_fn *fn, void *ctx);

/* ---- accounts ---- */

enum account_state { ACCOUNT_ACTIVE = 1, ACCOUNT_DISABLED = 2 };

struct directory_account {
	uint64_t id; /* never used again */
	char address[DIRECTORY_ADDRESS_MAX + 1]; /* primary address and log-in name, canonical */
	char display[DIRECTORY_DISPLAY_MAX + 1];
	uint64_t quota; /* octets; 0: none */
	enum account_state state;
	int64_t created;
	int64_t password_changed; /* 0: has no password */
};

struct directory_account_new {
	struct view address;
	struct view display;
	uint64_t quota;
	int64_t now;
	const struct verifiers *verifiers; /* NULL: cannot log in */
};

/* ERR_EXISTS (account or alias), ERR_NOTFOUND (no such domain), ERR_SYNTAX, ERR_LIMIT. */
MUST_USE enum err directory_account_add(struct directory *d, const struct directory_account_new *a,
					uint64_t *ret_id);
/* By primary address.  ERR_NOTFOUND, also for what is no address. */
MUST_USE enum err directory_account_find(struct directory *d, struct view address,
					 struct directory_account *ret);
/*
 * The same for who may not learn from the time whether there is such an account: where there is none, the
 * account `instead` is read as long and forgotten.
 */
MUST_USE enum err directory_account_find_even(struct directory *d, struct view address,
					      uint64_t instead, struct directory_account *ret);
MUST_USE enum err directory_account_by_id(struct directory *d, uint64_t id,
					  struct directory_account *ret);
MUST_USE enum err directory_account_set_state(struct directory *d, uint64_t id,
					      enum account_state state);
MUST_USE enum err directory_account_set_quota(struct directory *d, uint64_t id, uint64_t quota);
MUST_USE enum err directory_account_set_display(struct directory *d, uint64_t id,
						struct view display);
/* Replaces every verifier of the main password. */
MUST_USE enum err directory_account_set_password(struct directory *d, uint64_t id,
						 const struct verifiers *v, int64_t now);
/* ERR_NOTFOUND; ERR_WRONG_STATE while aliases lead to it. */
MUST_USE enum err directory_account_remove(struct directory *d, uint64_t id);
/* Verifiers of the main password; has_ members say which there are.  OK with none. */
MUST_USE enum err directory_verifiers(struct directory *d, uint64_t id, struct verifiers *ret);

/* domain: empty for all.  Else as directory_domain_each.  ERR_SYNTAX. */
typedef enum err directory_account_fn(void *ctx, const struct directory_account *account);
MUST_USE enum err directory_account_each(struct directory *d, struct view domain,
					 directory_account_fn *fn, void *ctx);

/* ---- looking up an address ---- */

enum lookup_status {
	LOOKUP_OK,
	LOOKUP_UNKNOWN, /* our domain, no such address */
	LOOKUP_NOT_OURS, /* another domain */
	LOOKUP_DISABLED, /* leads to disabled accounts only */
	LOOKUP_LOOP, /* aliases lead in a circle, too deep, or to too many */
};

struct directory_target {
	uint64_t account; /* 0: a remote address */
	char address[DIRECTORY_ADDRESS_MAX]; /* canonical */
	size_t address_n;
	char detail[DIRECTORY_DETAIL_MAX]; /* sub-address as written */
	size_t detail_n;
};

struct directory_targets {
	enum lookup_status status;
	size_t n;
	struct directory_target at[DIRECTORY_TARGETS_MAX];
};

struct lookup_rules {
	struct view separators; /* option subaddress: any of these octets; empty: none */
	uint64_t depth; /* option alias_depth */
};

/*
 * Where mail for an address goes, each mailbox and remote address once.  In this order: the account, the
 * alias, both again without the sub-address, the person for postmaster and abuse (RFC 5321#4.5.1,
 * RFC 2142: the oldest active account of the domain, else of the server), the catch-all.  "postmaster"
 * without domain is that person too.  What is no address is LOOKUP_UNKNOWN.  *ret is large: it is written
 * also on failure.
 */
MUST_USE enum err directory_lookup(struct directory *d, const struct lookup_rules *rules,
				   struct view address, struct directory_targets *ret);

/* ---- aliases: an address, or all unknown addresses of a domain, to one or more addresses ---- */

struct directory_alias {
	char address[DIRECTORY_ADDRESS_MAX + 1]; /* "@domain" for a catch-all */
	char target[DIRECTORY_ADDRESS_MAX + 1];
};

/*
 * Add a target, and the alias with it.  ERR_EXISTS (an account has the address, or the target is there
 * already), ERR_NOTFOUND (no such domain, or the target is a local address that does not exist),
 * ERR_LIMIT (DIRECTORY_TARGETS_MAX, or depth), ERR_WRONG_STATE (leads back to itself), ERR_SYNTAX.
 */
MUST_USE enum err directory_alias_add(struct directory *d, const struct lookup_rules *rules,
				      struct view address, struct view target);
/* One target, or with an empty target all.  ERR_NOTFOUND, ERR_SYNTAX. */
MUST_USE enum err directory_alias_remove(struct directory *d, struct view address,
					 struct view target);
typedef enum err directory_alias_fn(void *ctx, const struct directory_alias *alias);
/* One row per target.  domain as in directory_account_each. */
MUST_USE enum err directory_alias_each(struct directory *d, struct view domain,
				       directory_alias_fn *fn, void *ctx);
/* The aliases that name this address as a target. */
MUST_USE enum err directory_alias_each_to(struct directory *d, struct view target,
					  directory_alias_fn *fn, void *ctx);

/* ---- networks from which an account has logged in ---- */

/* Seen at or after `since`?  (seconds) */
MUST_USE enum err directory_device_known(struct directory *d, uint64_t account, struct view network,
					 int64_t since, bool *ret);
/* Remember; written only if last seen more than an hour ago.  The oldest of too many is forgotten. */
MUST_USE enum err directory_device_seen(struct directory *d, uint64_t account, struct view network,
					int64_t now);

/* ---- bans, so that a restart does not lift them ---- */

struct directory_ban {
	struct view network; /* borrowed for the call */
	int64_t until_ms;
	uint32_t count;
};

MUST_USE enum err directory_ban_put(struct directory *d, const struct directory_ban *ban);
/* OK also if it was not there. */
MUST_USE enum err directory_ban_remove(struct directory *d, struct view network);
/* Bans that ended before this time are deleted, the others shown. */
typedef enum err directory_ban_fn(void *ctx, const struct directory_ban *ban);
MUST_USE enum err directory_ban_each(struct directory *d, int64_t forget_before_ms,
				     directory_ban_fn *fn, void *ctx);

#endif
