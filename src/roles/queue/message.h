/*
 * roles/queue/message.h: a message and its recipients in memory, and when they are due.
 *
 * No I/O and no clock: times are given.  A message is small; its envelope and body stay in the journal
 * and are read again for each attempt.  Recipients never move in memory: those of the envelope lie
 * behind the message, those that aliases add come in chunks.
 */
#ifndef ROLES_QUEUE_MESSAGE_H
#define ROLES_QUEUE_MESSAGE_H

#include "base/list.h"
#include "ipc/envelope.h"
#include "ipc/types.h"
#include "spool/change.h"
#include "spool/journal.h"

enum {
	RCPT_ADDED_MAX = 2000, /* recipients that aliases may add to a message */
	REPLY_KEPT_MAX = 240, /* octets of the last reply that are remembered */
	REMOTE_KEPT_MAX = 120,
	/* Time in which this server did not run counts as at most so much of a message's age: a
	 * clock that jumped must not make mail old (THREATS.md R14). */
	DOWNTIME_MAX_MS = 24 * 3600 * 1000,
};

/* What a recipient waits for. */
enum rcpt_stage {
	STAGE_IDLE, /* nothing, or to be dispatched */
	STAGE_ASKED, /* auth, where it leads */
	STAGE_EXPANDING, /* the journal, for those that it stands for */
	STAGE_LOCAL, /* its account's next batch */
	STAGE_HANDED, /* the mailbox's answer */
	STAGE_STORED, /* ... to be durable there */
	STAGE_ROUTED, /* to hear where the others of its message lead, to go with them */
	STAGE_REMOTE, /* a job for its domain */
	STAGE_SENDING, /* the result */
	STAGE_TIMED, /* its next attempt */
};

struct message;
struct queue;

struct last_reply {
	uint16_t code;
	char status[CHANGE_STATUS_MAX];
	uint8_t status_n;
	uint8_t remote_n;
	uint16_t reply_n;
	char text[]; /* remote, then reply */
};

/* Where an alias, or a sub-address, leads. */
struct added {
	uint32_t parent;
	uint8_t kind; /* ROUTE_MAILBOX, ROUTE_REMOTE */
	uint64_t account;
	uint16_t address_n; /* 0: the one of the envelope */
	uint16_t mailbox_n;
	char text[]; /* address, then mailbox */
};

struct rcpt {
	struct list_node link; /* in the list of those that wait for the same */
	struct message *message;
	void *owner; /* account, domain, question or job, by stage */
	struct last_reply *last; /* or NULL */
	struct added *added; /* or NULL */
	int64_t next_ms; /* monotonic; STAGE_TIMED */
	int64_t tried_ms; /* wall clock, of the last attempt */
	uint32_t index;
	uint16_t attempts;
	uint8_t stage; /* enum rcpt_stage */
	uint8_t outcome; /* enum rcpt_outcome */
	uint8_t notify;
	bool report; /* the sender is still to be told of the outcome */
	bool warned;
};

struct rcpt_chunk {
	struct rcpt_chunk *next;
	uint32_t n;
	struct rcpt at[];
};

struct message {
	struct journal_entry entry; /* first: the journal hands it back */
	struct list_node link; /* all messages */
	struct message *report_next;
	struct rcpt_chunk *more, *more_end;
	struct queue *queue;
	void *peer; /* accept: who waits for the answer */
	struct list_node kept; /* those with a descriptor, oldest first */
	int fd; /* sealed memfd that it came in, envelope first, or -1; see kept.c */
	uint32_t fd_at; /* where the body begins there */
	uint64_t trace;
	int64_t received_ms; /* wall clock */
	int64_t age_ms; /* at born_ms */
	int64_t born_ms; /* monotonic */
	int64_t due_ms; /* monotonic */
	size_t heap_at; /* position in the heap + 1; 0: not in it */
	size_t bytes; /* of memory, with all that hangs on it */
	size_t counted; /* of them in queue.memory */
	uint32_t tag; /* accept */
	uint32_t peer_life;
	uint32_t rcpt_n; /* of the envelope */
	uint32_t added_n;
	uint32_t open_n; /* recipients without final outcome */
	uint32_t busy_n; /* of those that wait for somebody */
	uint32_t routing_n; /* of those asked about or expanded; one more in dispatch_message */
	uint32_t routed_n; /* in STAGE_ROUTED, until routing_n is 0 */
	uint32_t report_n;
	bool held;
	bool null_sender;
	bool lasting; /* some recipient takes longer: outcomes of the others are recorded */
	bool reporting; /* in the list of those whose reports are due */
	bool finished;
	bool warned; /* the sender was told of the delay */
	bool local_origin; /* a report of our own */
	struct rcpt at[];
};

/* From a decoded envelope; all recipients wait.  NULL without memory.  Owned by caller. */
struct message *message_new(const struct envelope *e);
void message_free(struct message *m);
/* As fresh from its envelope. */
void message_reset(struct message *m);
/* Room for n more recipients, index from rcpt_n + added_n on; NULL past RCPT_ADDED_MAX or memory. */
struct rcpt *message_add(struct message *m, uint32_t n);
/* NULL if there is none. */
struct rcpt *message_rcpt(struct message *m, uint32_t index);
static inline uint32_t message_rcpt_count(const struct message *m)
{
	return m->rcpt_n + m->added_n;
}
int64_t message_age(const struct message *m, int64_t mono_ms);

/* Remember where it leads; false without memory. */
bool rcpt_set_added(struct rcpt *r, const struct expand_change *e);
void rcpt_set_last(struct rcpt *r, unsigned code, struct view status, struct view reply,
		   struct view remote);
/* Borrowed until changed; empty if there is none. */
struct view rcpt_status(const struct rcpt *r);
struct view rcpt_reply(const struct rcpt *r);
struct view rcpt_remote(const struct rcpt *r);
struct view rcpt_added_address(const struct rcpt *r);
struct view rcpt_added_mailbox(const struct rcpt *r);
static inline bool rcpt_is_final(const struct rcpt *r)
{
	return r->outcome >= RCPT_DELIVERED;
}

/* ---- lists: of recipients, and of all messages; NULL at the end ---- */

static inline void rcpt_list_push(struct list *l, struct rcpt *r)
{
	list_push_back(l, &r->link);
}

static inline void rcpt_list_remove(struct list *l, struct rcpt *r)
{
	list_remove(l, &r->link);
}

static inline struct rcpt *rcpt_list_pop(struct list *l)
{
	return LIST_ITEM(list_pop(l), struct rcpt, link);
}

static inline struct rcpt *rcpt_list_first(const struct list *l)
{
	return LIST_FIRST(l, struct rcpt, link);
}

static inline struct rcpt *rcpt_list_next(const struct rcpt *r)
{
	return LIST_NEXT(r, struct rcpt, link);
}

static inline struct message *message_first(const struct list *l)
{
	return LIST_FIRST(l, struct message, link);
}

static inline struct message *message_next(const struct message *m)
{
	return LIST_NEXT(m, struct message, link);
}

/* ---- when ---- */

/* Wait before attempt number attempts + 1: first, doubled for each further one up to most. */
int64_t retry_wait(unsigned attempts, int64_t first_ms, int64_t most_ms);

/* Messages by due time, a binary heap. */
struct due {
	struct message **at;
	size_t n, cap;
};
/* Enter, or move.  false without memory. */
bool due_set(struct due *d, struct message *m, int64_t due_ms);
void due_remove(struct due *d, struct message *m);
/* NULL if there is none. */
struct message *due_first(const struct due *d);
void due_done(struct due *d);

/* How much mail comes: decides how long deliveries are gathered (FEASIBILITY.md 1). */
struct rate {
	int64_t window; /* number of the running window */
	uint32_t now, before; /* events in it and in the one before */
};
enum { RATE_WINDOW_MS = 100, RATE_BUSY = 25, GATHER_MIN_MS = 15, GATHER_MAX_MS = 100 };
void rate_count(struct rate *r, int64_t mono_ms);
/* How long an account's deliveries wait for company.  0 below RATE_BUSY events in a window, so that mail
 * is seen at once; then the longer the more comes, as only then company is to be expected. */
int64_t rate_gather_ms(const struct rate *r, int64_t mono_ms);

#endif
