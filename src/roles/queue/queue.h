/*
 * roles/queue/queue.h: what the files of the queue share.
 *
 * A message goes: accept.c (validate, journal) -> dispatch.c (route.c: where to) -> local.c or remote.c ->
 * outcome.c (record, retry, finish) -> bounce.c (tell the sender).  admin.c answers the administrator.
 * Everything lives in one thread; struct queue is the only root.  Nothing is sent to anybody before the
 * journal has it.
 */
#ifndef ROLES_QUEUE_QUEUE_H
#define ROLES_QUEUE_QUEUE_H

#include "base/map.h"
#include "ipc/accept.h"
#include "ipc/admin.h"
#include "ipc/deliver.h"
#include "ipc/route.h"
#include "ipc/spawn.h"
#include "ipc/transfer.h"
#include "roles/queue/message.h"
#include "sys/config.h"
#include "sys/ipc.h"
#include "sys/loop.h"

enum {
	ACCEPT_PEERS = 2, /* smtp-mx, smtp-submit */

	ROUTE_CACHE_MAX = 10000, /* answers kept until the directory changes */
	ROUTE_ASKED_MAX = 512, /* questions on the channel; the others wait here */

	ACCOUNTS_MAX = 1000000,
	HANDED_MAX = 512, /* deliveries of an account without answer */
	HANDED_BYTES_MAX = 8 * 1024 * 1024,
	KEPT_MAX = 512, /* messages whose descriptor is kept for the delivery */
	KEPT_BYTES_MAX = 64 * 1024 * 1024,
	KEPT_MS = 2000,
	SPAWN_RETRY_MS = 2000, /* after the mailbox process could not be started */

	DOMAINS_MAX = 1000000,
	JOBS_MAX = 256, /* jobs at send */
	JOBS_DOMAIN_MAX = 20, /* ... of one domain, so that the others get their turn */

	DISPATCH_SLICE = 256, /* messages that become due in one turn */
	LAZY_COMMIT_MS = 200, /* outcomes that nobody waits for */
	DISK_CHECK_MS = 1000,
	ROWS_MAX = 1000, /* of one answer to the administrator */

	MARK_STOPPED = 1, /* journal_marks: nothing is sent to other servers */
};

struct queue;

struct accept_peer {
	struct queue *queue;
	struct ipc_chan *chan;
	uint32_t life; /* counts channels */
	bool told_full;
};

/* An answer of auth, kept. */
struct targets {
	uint8_t status; /* enum route_status */
	uint16_t count;
	struct route_targets_are_targets *at;
	char *text;
};

struct ask;

struct router {
	struct ipc_chan *chan;
	struct map cache; /* address -> struct targets */
	struct map asks; /* address -> struct ask */
	struct ask *waiting, **waiting_end; /* not on the channel yet */
	struct ask *tagged[ROUTE_ASKED_MAX]; /* by tag */
	size_t asked_n;
};

enum account_state { ACCOUNT_NONE, ACCOUNT_WANTED, ACCOUNT_READY };

struct account {
	struct queue *queue;
	uint64_t id;
	uint8_t state;
	bool due; /* in locals.due or locals.soon */
	bool checkpointing;
	struct ipc_chan *chan;
	struct list waiting, handed, stored; /* struct rcpt */
	size_t handed_bytes;
	uint64_t stored_n; /* answered OK on this channel, all in all */
	uint64_t durable_n; /* of them durable */
	int64_t stored_ms; /* when the oldest that is not durable was stored */
	uint64_t last_sequence; /* the highest that was handed over */
	uint64_t settled; /* told: no sequence below comes again */
	int64_t due_ms;
	int64_t spawn_ms; /* not asked for again before */
	struct list_node due_link;
};

struct locals {
	struct ipc_chan *spawn;
	struct map accounts;
	struct list due; /* accounts that gather, in order of due_ms */
	int64_t due_last_ms; /* of the last one in due */
	struct list soon; /* accounts to flush at the end of the turn */
	struct loop_defer flush;
	struct loop_timer timer;
	struct loop_timer checkpoint;
};

struct domain {
	char *name;
	size_t name_n;
	struct list waiting; /* struct rcpt */
	size_t used; /* recipients and jobs that point here */
	unsigned jobs;
	bool ready; /* in remotes.ready */
	struct domain *ready_next;
};

struct job {
	uint64_t id; /* 0: free */
	struct message *message;
	struct domain *domain;
	uint32_t n;
	struct rcpt *at[TRANSFER_JOB_RECIPIENTS_MAX]; /* NULL: has its result */
};

struct remotes {
	struct ipc_chan *chan;
	struct map domains;
	struct domain *ready, **ready_end;
	struct job *jobs; /* JOBS_MAX */
	unsigned jobs_n;
	uint32_t job_count; /* makes ids unique */
	struct loop_defer run;
};

/* The message whose envelope was decoded last. */
struct opened {
	struct message *message;
	struct envelope envelope;
	struct view body;
	struct view raw; /* recipients from number at on */
	uint32_t at;
	int fd; /* sealed memfd of the body, or -1 */
};

/* Messages that still have the descriptor that they came in. */
struct kept {
	struct list messages; /* by kept */
	uint64_t bytes;
	struct loop_timer timer;
};

struct queue_figures {
	uint64_t accepted, refused, delivered, sent, deferred, bounced, failed, duplicates_possible;
};

struct queue {
	struct loop *loop;
	const struct config *config; /* changes at reload */
	struct journal *journal;
	int dir;
	struct accept_peer peers[ACCEPT_PEERS];
	struct ipc_chan *admin;
	struct router router;
	struct locals locals;
	struct remotes remotes;
	struct kept kept;

	struct list messages;
	size_t memory;
	struct due due;
	struct rate rate;
	struct message *reports; /* whose senders are to be told */
	struct opened opened;
	struct buf room; /* for messages that are no longer in the journal's memory */
	bool disk_full, full;
	bool stopping;
	struct queue_figures figures;

	struct loop_defer commit;
	struct loop_defer report;
	struct loop_timer gather; /* option journal_gather */
	struct loop_timer lazy;
	struct loop_timer work;
	struct loop_timer dispatch;
	struct loop_timer disk;
	struct map *replay; /* sequence -> message, while the journal is replayed */
};

/* ---- queue.c ---- */

/* dir: spool, held by the caller.  Replays the journal.  Undone by queue_done also after an error. */
MUST_USE enum err queue_init(struct queue *q, struct loop *loop, const struct config *config,
			     int dir);
void queue_done(struct queue *q);
/* End in order: nothing more is taken, what waits is committed. */
void queue_stop(struct queue *q);
void queue_reload(struct queue *q, const struct config *config);
void queue_status(const struct queue *q, struct buf *json);
/* A commit at the end of the turn, or within LAZY_COMMIT_MS. */
void queue_commit_soon(struct queue *q);
void queue_commit_lazily(struct queue *q);
void queue_link(struct queue *q, struct message *m);
/* Out of the list and gone; the journal must not know it any more. */
void queue_free_message(struct queue *q, struct message *m);
void queue_count_memory(struct queue *q, struct message *m);
/* Is mail to be refused?  Tells the peers when that changes. */
void queue_check_full(struct queue *q);
extern const struct journal_ops queue_journal_ops;

/* ---- replay.c ---- */

enum err replay_accepted(void *ctx, uint64_t sequence, struct view head, uint64_t body_n,
			 struct journal_entry **ret);
enum err replay_changed(void *ctx, uint8_t type, uint64_t sequence, struct view head);
void replay_forgotten(void *ctx, uint64_t sequence);
enum err replay_describe(void *ctx, struct journal_entry *entry, struct journal_changes *out);
/* Behind the last record: messages become due. */
void replay_finish(struct queue *q);

/* ---- open.c: envelope and body of a message, from the journal ---- */

/* Borrowed from q->opened until the next commit or open_message.  Errors are logged. */
MUST_USE enum err open_message(struct queue *q, struct message *m, struct opened **ret);
/* The envelope's line for a recipient, with the address that it now stands for; borrowed as above. */
MUST_USE enum err open_rcpt(struct queue *q, struct rcpt *r, struct envelope_recipients *ret);
/* A sealed copy of bytes in one piece; owned by caller.  -1 without memory or descriptors. */
int open_sealed(struct view first, struct view second);
/* A descriptor of the sealed body of the opened message; owned by caller. */
int open_body_fd(struct queue *q);
void open_forget(struct queue *q);
/* For logs: the address, or "?". */
struct view open_address(struct queue *q, struct rcpt *r);

/* ---- kept.c: descriptors in which messages came, so that a body need not be copied once more ---- */

void kept_init(struct queue *q);
void kept_done(struct queue *q);
/* m->fd is kept until it is taken, or too old, or there are too many. */
void kept_add(struct queue *q, struct message *m);
/* Close m->fd, if there is one. */
void kept_drop(struct queue *q, struct message *m);
/* A descriptor that m's only recipient may be given, body at m->fd_at; owned by caller.  -1: there is none. */
int kept_take(struct queue *q, struct message *m);

/* ---- accept.c ---- */

MUST_USE enum err accept_attach(struct queue *q, uint64_t id, int fd);
void accept_tell_full(struct queue *q);

/* ---- dispatch.c ---- */

/* Send every recipient that is due on its way. */
void dispatch_message(struct queue *q, struct message *m);
/* ... of all messages that are due, in slices. */
void dispatch_due(void *ctx);
/* Set the message's next time from its recipients. */
void dispatch_schedule(struct queue *q, struct message *m);
/* auth has answered. */
void dispatch_routed(struct queue *q, struct rcpt *r, const struct targets *t);
/* Take a recipient back from wherever it waits. */
void dispatch_withdraw(struct queue *q, struct rcpt *r);
void rcpt_stage(struct rcpt *r, enum rcpt_stage stage);

/* ---- route.c ---- */

void route_init(struct queue *q);
void route_done(struct queue *q);
MUST_USE enum err route_attach(struct queue *q, int fd);
/* dispatch_routed follows, at once when the answer is known. */
void route_ask(struct queue *q, struct rcpt *r, struct view address);
void route_withdraw(struct queue *q, struct rcpt *r);

/* ---- local.c ---- */

void local_init(struct queue *q);
void local_done(struct queue *q);
MUST_USE enum err local_attach_spawn(struct queue *q, int fd);
/* Ends with an outcome of outcome.c. */
void local_add(struct queue *q, struct rcpt *r, uint64_t account);
void local_withdraw(struct queue *q, struct rcpt *r);
/* Ask mailboxes that hold undurable mail for a checkpoint; all, or those that have waited too long. */
void local_checkpoint(struct queue *q, bool all);

/* ---- remote.c ---- */

void remote_init(struct queue *q);
void remote_done(struct queue *q);
MUST_USE enum err remote_attach(struct queue *q, int fd);
void remote_add(struct queue *q, struct rcpt *r, struct view address);
void remote_withdraw(struct queue *q, struct rcpt *r);
/* It is known where all recipients of m lead: those in STAGE_ROUTED may go. */
void remote_release(struct queue *q, struct message *m);
/* Stopping was lifted. */
void remote_run(struct queue *q);

/* ---- outcome.c ---- */

struct outcome {
	uint8_t what; /* enum rcpt_outcome: final, or RCPT_DEFERRED */
	uint16_t code;
	struct view status;
	struct view reply;
	struct view remote;
};
/* Record it, retry or finish, and have the sender told. */
void outcome_set(struct queue *q, struct rcpt *r, const struct outcome *o);
/* Not an attempt: try again after wait_ms. */
void outcome_again(struct queue *q, struct rcpt *r, int64_t wait_ms);
/* Is everything done that can be done now? */
void outcome_settle(struct queue *q, struct message *m);
/* A record of the recipient's state. */
void outcome_record(struct queue *q, struct rcpt *r);
void outcome_encode(const struct rcpt *r, struct buf *out);
bool outcome_is_stopped(const struct queue *q);

/* ---- bounce.c ---- */

/* Tell the senders of q->reports; runs at the end of the turn. */
void bounce_run(void *ctx);
/* The sender is told of a delay, once; recipients that wait since delay_warning. */
void bounce_warn(struct queue *q, struct message *m);
/* When the sender is to be warned, monotonic; INT64_MAX: never. */
int64_t bounce_warning_due(const struct queue *q, const struct message *m);

/* ---- admin.c ---- */

MUST_USE enum err admin_attach(struct queue *q, int fd);

#endif
