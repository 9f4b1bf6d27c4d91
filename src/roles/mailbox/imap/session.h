/*
 * roles/mailbox/imap/session.h: one IMAP session after log-in, without stream I/O.
 *
 * Bytes in, bytes out.  The owner feeds input, writes what imap_session_output shows, and calls
 * imap_session_run as long as the session wants to.  The store is called directly; changes made by other
 * sessions of the process arrive through the store's feed, upon which the session calls wake.
 *
 * The turn, after every event (bytes came, output left, wake, run wanted):
 *	1. imap_session_input(s, buffered bytes), also with nothing; drop what it took
 *	2. imap_session_run(s): one slice of work; true: call again in a later turn (after others had
 *	   theirs), false: nothing to do until the next event
 *	3. write imap_session_output, then imap_session_sent
 * Input that was not taken stays with the owner and is shown again in the next turn; when nothing is
 * taken, output must leave or a command end first.
 *
 * Invariants: one command at a time; output is below IMAP_OUTPUT_MAX; nothing is taken while more than
 * IMAP_OUTPUT_HIGH octets wait; CLOSED is final; sequence numbers change only in sync.c.
 */
#ifndef ROLES_MAILBOX_IMAP_SESSION_H
#define ROLES_MAILBOX_IMAP_SESSION_H

#include "base/buf.h"
#include "proto/mime/charset.h"
#include "store/store.h"

enum {
	IMAP_OUTPUT_MAX = 1024 * 1024, /* imap_output_queue: cap of unwritten output */
	IMAP_OUTPUT_HIGH = 128 * 1024, /* from here on a generator waits */
	IMAP_BAD_COMMANDS = 20, /* bad_commands after log-in */
};

struct imap_session;
struct search_cache;

/* Octets of messages that clients are sending by APPEND, over all sessions of a process. */
struct imap_append_memory {
	uint64_t used;
	uint64_t max; /* past it NO [LIMIT], before the client sends */
};

/* Options of one process; borrowed by its sessions. */
struct imap_session_config {
	struct store *store;
	struct view account; /* login name, for ID and quota roots */
	uint64_t message_size; /* octets; 0: 50 MiB */
	int64_t idle_ms; /* imap_idle; 0: 30 min */
	int64_t search_ms; /* imap_search_cpu; 0: 10 s */
	unsigned bad_commands; /* 0: IMAP_BAD_COMMANDS */
	size_t line; /* imap_line: octets of a command; 0: IMAP_LINE_MAX */
	size_t nonsync; /* literal_nonsync; 0: IMAP_NONSYNC_MAX */
	size_t output; /* imap_output_queue: octets, an eighth of which may wait here; 0: IMAP_OUTPUT_MAX */
	int64_t (*mono_ms)(void); /* monotonic milliseconds */
	int64_t (*wall)(void); /* seconds since 1970 UTC */
	const struct mime_converter *converter; /* may be NULL: only the built-in charsets */
	struct search_cache *search_cache; /* may be NULL */
	struct imap_append_memory *append_memory; /* may be NULL: bounded by session only */
};

/* What the owner is told. */
struct imap_session_hooks {
	void *ctx;
	/* Something changed while the session waits: call imap_session_run soon. */
	void (*wake)(void *ctx);
};

/*
 * A session that has just been authenticated by another process.  tag (borrowed for the call) is what
 * LOGIN or AUTHENTICATE is answered with: "tag OK [CAPABILITY ...] Logged in"; empty: nothing is said.
 * Owned by caller.  ERR_NOMEM.
 */
MUST_USE enum err imap_session_new(const struct imap_session_config *config,
				   const struct imap_session_hooks *hooks, struct view tag,
				   struct imap_session **ret);
/* Ends it at once; *s becomes NULL.  May not be called from a hook. */
void imap_session_free(struct imap_session **s);

/* How many octets of input were taken. */
size_t imap_session_input(struct imap_session *s, struct view input);
/* One slice of work of at most some milliseconds. */
bool imap_session_run(struct imap_session *s);
/* Octets to be written; borrowed until the next call. */
struct view imap_session_output(const struct imap_session *s);
/* The first n of them were written. */
void imap_session_sent(struct imap_session *s, size_t n);
/* Nothing more will come: write the output, then close. */
bool imap_session_closed(const struct imap_session *s);
/* Waits in IDLE or between commands with nothing collected: it can be parked. */
bool imap_session_quiet(const struct imap_session *s);

/* When imap_session_expire should be called, in the time of config->mono_ms. */
int64_t imap_session_deadline(const struct imap_session *s);
/* The client was silent for imap_idle: says BYE and closes.  No-op before the deadline. */
void imap_session_expire(struct imap_session *s);
/* Say "* BYE text" and close: shutdown, revoked account, stalled output. */
void imap_session_bye(struct imap_session *s, const char *text);

/* Is this what the login role must show as capabilities after log-in?  Static. */
struct view imap_session_capabilities(void);

#endif
