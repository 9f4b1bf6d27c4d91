/*
 * sys/role.h: what every role's main does: receive its start from the supervisor, enter the sandbox, run.
 *
 * A role is a program started by the supervisor with descriptor 3 as its lifecycle channel.  It reads
 * its options and descriptors there, gives up every right that it does not need, says ready and runs
 * its loop.  Descriptors that come later (a restarted peer's channel) go through the same functions.
 */
#ifndef SYS_ROLE_H
#define SYS_ROLE_H

#include "sys/config.h"
#include "sys/ipc.h"
#include "sys/log.h"
#include "sys/loop.h"
#include "sys/sandbox.h"

struct role;

struct role_session {
	uint64_t session;
	unsigned service; /* enum service */
	struct view name; /* login name */
	struct view peer_ip;
	uint16_t peer_port;
	struct view tag; /* IMAP: the tag to answer */
	struct view pending; /* bytes of the client behind the command that logged in */
};

struct role_spec {
	const char *name; /* "smtp": also the program's suffix */
	enum sandbox_class sandbox;
	bool threads; /* starts worker threads (auth, resolve) */
	bool read_etc; /* reads TLS roots and zone data below /etc and /usr/share */
	/* Called once config and start descriptors are there, before the sandbox: load what libraries
	 * read from files.  May be NULL. */
	enum err (*prepare)(struct role *role, void *ctx);
	/* Called in the sandbox once config and start descriptors are there, before ready is said;
	 * an error ends the process. */
	enum err (*start)(struct role *role, void *ctx);
	/*
	 * A channel end: name as in ROLES (docs/internals/roles.md), id tells several apart
	 * (an account, a shard).  fd is owned by the callee.  Called before start for those that
	 * exist then, and again whenever the peer was restarted: replace the old one.
	 */
	void (*channel)(struct role *role, void *ctx, struct view name, uint64_t id, int fd);
	/* A listening socket (front), a directory or an open file; before the sandbox is entered. */
	void (*descriptor)(struct role *role, void *ctx, struct view kind, struct view name,
			   uint64_t id, int fd);
	/* Options that may change at run time have changed; may be NULL. */
	void (*reload)(struct role *role, void *ctx);
	/* End in order, then call role_exit; NULL: exit at once. */
	void (*stop)(struct role *role, void *ctx);
	/* Add "name":number members, each followed by a comma, to a JSON object; may be NULL. */
	void (*status)(struct role *role, void *ctx, struct buf *json);
	/* Mailbox only: a session of the account; fd is owned by the callee. */
	void (*session)(struct role *role, void *ctx, const struct role_session *s, int fd);
	/* Mailbox only: check the account; answer with role_finding and, at last, role_checked. */
	void (*check)(struct role *role, void *ctx, uint32_t tag, bool rebuild);
};

/* main() of a role: returns the exit status. */
int role_main(int argc, char **argv, const struct role_spec *spec, void *ctx);

struct loop *role_loop(struct role *role);
/* Borrowed; changes only at reload. */
const struct config *role_config(const struct role *role);
/* Leave the loop and exit with this status once the turn is over. */
void role_exit(struct role *role, int status);
/* Mailbox only: tell the supervisor that there is nothing to do; it may answer with stop. */
void role_idle(struct role *role);
/* Mailbox only: others may run first (true), or no longer; done by the supervisor, if it can. */
void role_background(struct role *role, bool on);
/* Answers to role_spec.check; json is one object. */
void role_finding(struct role *role, uint32_t tag, struct view json);
void role_checked(struct role *role, uint32_t tag, enum err err, const char *text);
/* The number after --id= on the command line: the account of a mailbox, the shard of a front. */
uint64_t role_id(const struct role *role);
/* The name of this instance of the role ("front-mx"), by which it appears in status and log. */
const char *role_instance(const struct role *role);

#endif
