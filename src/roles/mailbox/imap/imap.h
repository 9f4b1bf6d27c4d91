/*
 * roles/mailbox/imap/imap.h: what the files of the IMAP session share.
 *
 * Private.  A command is one file with a function that starts it and, where it can be long, one that
 * goes on with it in slices.  It answers by session_reply; between its last output and the tagged reply
 * the session tells what happened meanwhile (sync.c).  Everything a command allocates lies in
 * s->arena and is gone when it ends; what needs more is released by its `end` function.
 */
#ifndef ROLES_MAILBOX_IMAP_IMAP_H
#define ROLES_MAILBOX_IMAP_IMAP_H

#include "proto/imap/command.h"
#include "proto/imap/frame.h"
#include "proto/imap/section.h"
#include "proto/imap/write.h"
#include "roles/mailbox/imap/digest.h"
#include "roles/mailbox/imap/session.h"

enum {
	SESSION_ARENA_MAX = 8 * 1024 * 1024, /* of one command; past it NO [LIMIT] */
	SESSION_SCAN_MAX = 24 * 1024 * 1024, /* arena for the structure of one message */
	SESSION_RECENT_MAX = 100000, /* ranges of \Recent UIDs; more are not \Recent */
	SESSION_PENDING_MAX = 1000, /* ranges of changed flags; more become one */
	SESSION_SAVED_MAX = 100000, /* ranges of a saved search result; past it NO [NOTSAVED] */
	SESSION_VIEW_MAX = 5 * 1000 * 1000, /* messages in a selected mailbox; past it NO [LIMIT] */
	SESSION_APPEND_MAX = 64, /* messages in one APPEND; past it NO [LIMIT] */
	SESSION_SYNC_SLICE = 20000, /* rows looked at in one slice of an update */
};

/* What has been enabled   RFC 9051#6.3.1 */
enum session_feature {
	FEATURE_REV2 = 1 << 0,
	FEATURE_UTF8 = 1 << 1,
	FEATURE_CONDSTORE = 1 << 2,
	FEATURE_QRESYNC = 1 << 3,
};

/* The selected mailbox as the client knows it: sequence number n is uids[n - 1]. */
struct imap_view {
	const struct store_snapshot *snapshot; /* NULL: nothing is selected */
	struct store_listener *listener;
	uint64_t mailbox;
	bool read_only;
	uint32_t *uids;
	size_t n;
	size_t cap;
	uint32_t known; /* messages with a UID above this have not been announced */
	struct imap_set recent; /* UIDs that are \Recent here */
	uint64_t keywords_told; /* keywords that the client has seen in FLAGS */

	/* What the feed said and the client does not know yet. */
	bool pending_new;
	bool pending_expunge;
	bool gone; /* the mailbox was deleted */
	struct imap_set pending_flags;
};

/* Progress of an update (sync.c). */
struct imap_sync {
	unsigned phase; /* 0: none runs */
	bool expunge; /* allowed now */
	size_t read, write; /* expunging: rows looked at, rows kept */
	struct imap_set vanished; /* with QRESYNC */
	size_t vanished_at; /* ranges told */
	struct imap_set flags; /* taken from pending_flags */
	uint32_t flag_uid;
};

enum session_phase {
	PHASE_COMMAND, /* waits for one */
	PHASE_APPEND, /* takes the messages of an APPEND */
	PHASE_IDLE, /* waits for DONE, and tells what happens */
	PHASE_RUN, /* a command goes on */
	PHASE_SYNC, /* the command is done; updates, then its reply */
	PHASE_CLOSED,
};

enum job_step { STEP_MORE, STEP_DONE };

struct imap_handler {
	void (*start)(struct imap_session *s);
	enum job_step (*step)(struct imap_session *s); /* NULL: start does all */
	void (*end)(struct imap_session *s); /* NULL: nothing to release */
	bool keep_numbers; /* no EXPUNGE in its answer unless it was a UID command */
};

struct fetch_job;
struct search_job;
struct append_job;
struct list_job;

struct imap_session {
	const struct imap_session_config *config;
	struct imap_session_hooks hooks;
	struct store *store;
	struct imap_framer framer;
	struct buf out;
	size_t out_sent;
	size_t output_high; /* unwritten octets from which on a generator waits */
	enum session_phase phase;
	bool yield; /* the slice is over although there is room for output */
	unsigned features;
	unsigned bad_commands;
	int64_t deadline;
	struct imap_view view;
	struct imap_sync sync;
	struct imap_set saved; /* UIDs, RFC 5182 */

	/* The running command. */
	struct arena arena;
	struct imap_command cmd;
	const struct imap_handler *handler;
	char tag[IMAP_TAG_MAX];
	size_t tag_n;
	struct buf reply; /* "OK [CODE] text" */
	bool bye; /* LOGOUT: close after the reply */
	union {
		struct fetch_job *fetch;
		struct search_job *search;
		struct append_job *append;
		struct list_job *list;
		void *any;
	} job;
	struct buf scratch; /* for one value at a time */
};

/* ---- session.c: replies ---------------------------------------------------------------------- */

/* The tagged reply of the running command, without tag: "OK Done", "NO [LIMIT] ...".  The last wins. */
void session_reply(struct imap_session *s, const char *text);
void session_replyf(struct imap_session *s, const char *format, ...) PRINTF_LIKE(2, 3);
/* What an error of the store means to the client, as NO. */
void session_fail(struct imap_session *s, enum err err);
/* Append "* " text CRLF. */
void session_untagged(struct imap_session *s, const char *text);
/* Is there room for more output? */
static inline bool session_room(const struct imap_session *s)
{
	return s->out.n - s->out_sent < s->output_high;
}
static inline bool session_selected(const struct imap_session *s)
{
	return s->view.snapshot != NULL;
}
static inline bool session_has(const struct imap_session *s, unsigned feature)
{
	return (s->features & feature) != 0;
}
/* Mailbox names and quoted strings may hold UTF-8. */
static inline bool session_utf8(const struct imap_session *s)
{
	return session_has(s, FEATURE_REV2 | FEATURE_UTF8);
}
/* Say BYE and close; for what cannot go on. */
void session_bye(struct imap_session *s, const char *text);
/* The mailbox that a command names; NULL with the reply set when there is none. */
const struct store_mailbox *session_mailbox(struct imap_session *s,
					    const struct imap_mailbox_arg *name);
/* Switch on CONDSTORE, as some commands do   RFC 7162#3.1 */
void session_condstore(struct imap_session *s);
/* System flags and keywords of a message, with \Recent where it applies, in parentheses. */
void session_add_flags(struct imap_session *s, const struct store_message *m);
/* " FLAGS (...)" with UID and MODSEQ as the session's mode asks, as one untagged FETCH. */
void session_add_fetch_flags(struct imap_session *s, size_t seq, const struct store_message *m);
/* Keyword bits of a flag list; creates what is missing.  The reply is set on failure. */
MUST_USE enum err session_keywords(struct imap_session *s, struct imap_views names, bool create,
				   uint64_t *ret);
/* "* FLAGS (...)" and, when permanent, "* OK [PERMANENTFLAGS ...]". */
void session_add_flag_list(struct imap_session *s, bool permanent);

/* ---- view.c ---------------------------------------------------------------------------------- */

/* Select: loads, listens, takes \Recent.  On failure nothing is selected. */
MUST_USE enum err mbox_open(struct imap_session *s, uint64_t mailbox, bool read_only);
void mbox_close(struct imap_session *s);
/* Number of messages with a UID below uid; the index of uid if it is there. */
size_t mbox_from(const struct imap_view *v, uint32_t uid);
/* Sequence number of a UID, 0 if it is not there. */
size_t mbox_seq(const struct imap_view *v, uint32_t uid);
/* Sequence numbers, existing ones only, that a set of the running command names; in s->arena.
 * ERR_RANGE: a number beyond the last message (BAD); reply is set on failure. */
MUST_USE enum err mbox_resolve(struct imap_session *s, const struct imap_seq *seq, bool uid,
			       struct imap_ranges *ret);
/* The UIDs of a set of sequence numbers; in s->arena. */
MUST_USE enum err mbox_uids(struct imap_session *s, struct imap_ranges seqs,
			    struct store_uids *ret);
static inline bool mbox_recent(const struct imap_view *v, uint32_t uid)
{
	return v->recent.n && imap_ranges_contain(imap_set_ranges(&v->recent), uid);
}
/* How many messages of the view are \Recent. */
size_t mbox_recent_count(const struct imap_view *v);
/* Is there anything to tell? */
bool mbox_pending(const struct imap_view *v, bool expunge);
/* Announce messages that came: grows uids. */
MUST_USE enum err mbox_append_new(struct imap_session *s, bool *ret_recent);

/* ---- sync.c ---------------------------------------------------------------------------------- */

void sync_begin(struct imap_session *s, bool expunge);
/* STEP_MORE: output is full or the slice is over. */
enum job_step sync_step(struct imap_session *s);
void sync_done(struct imap_session *s);
/* "* VANISHED (EARLIER)": what is gone since a modseq, among known UIDs; then in slices. */
MUST_USE enum err vanished_begin(struct imap_session *s, uint64_t since, struct imap_ranges known);
enum job_step vanished_step(struct imap_session *s);

/* ---- commands -------------------------------------------------------------------------------- */

const struct imap_handler *command_handler(enum imap_command_id id);

void cmd_capability(struct imap_session *s);
void cmd_noop(struct imap_session *s);
void cmd_logout(struct imap_session *s);
void cmd_id(struct imap_session *s);
void cmd_enable(struct imap_session *s);
void cmd_select(struct imap_session *s);
enum job_step cmd_select_step(struct imap_session *s);
void cmd_create(struct imap_session *s);
void cmd_delete(struct imap_session *s);
void cmd_rename(struct imap_session *s);
void cmd_subscribe(struct imap_session *s);
void cmd_list(struct imap_session *s);
enum job_step cmd_list_step(struct imap_session *s);
void cmd_namespace(struct imap_session *s);
void cmd_status(struct imap_session *s);
void cmd_idle(struct imap_session *s);
void cmd_quota(struct imap_session *s);
void cmd_quotaroot(struct imap_session *s);
void cmd_close(struct imap_session *s);
void cmd_expunge(struct imap_session *s);
void cmd_search(struct imap_session *s);
enum job_step cmd_search_step(struct imap_session *s);
void cmd_search_end(struct imap_session *s);
void cmd_fetch(struct imap_session *s);
enum job_step cmd_fetch_step(struct imap_session *s);
void cmd_fetch_end(struct imap_session *s);
void cmd_store(struct imap_session *s);
enum job_step cmd_store_step(struct imap_session *s);
void cmd_copy(struct imap_session *s);

/* APPEND is driven by the framer (cmd_append.c).  _begin returns whether the literal shall be taken;
 * otherwise the reply is set. */
bool append_begin(struct imap_session *s);
bool append_next(struct imap_session *s, struct view text);
void append_data(struct imap_session *s, struct view bytes);
void append_finish(struct imap_session *s, struct view text);
void append_done(struct imap_session *s);

/* STATUS of one mailbox, as an untagged response. */
void status_add(struct imap_session *s, const struct store_mailbox *m, unsigned items);
/* The flags and the name of one mailbox, for LIST of RFC 9051#6.3.2. */
void list_add_selected(struct imap_session *s, const struct store_mailbox *m);

#endif
