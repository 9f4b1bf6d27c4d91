/*
 * roles/supervisor/supervisor.h: what the files of the supervisor share.
 *
 * The supervisor binds ports, starts every role, wires channels, restarts what dies and ends all in
 * order.  It reads no byte from the network and no file that another user may write.
 */
#ifndef SUPERVISOR_SUPERVISOR_H
#define SUPERVISOR_SUPERVISOR_H

#include <sys/types.h>

#include "base/map.h"
#include "sys/config.h"
#include "sys/ipc.h"
#include "sys/log.h"
#include "sys/loop.h"
#include "table.h"

enum {
	LISTENERS_MAX = 64,
	CERTIFICATES_MAX = 16,
	BACKOFF_FIRST_MS = 100,
	BACKOFF_MAX_MS = 30000,
	STABLE_MS = 10000, /* a process that lived so long begins again without back-off */
	MAILBOXES_MAX = 100000,
};

enum process_state { PROCESS_DOWN, PROCESS_STARTING, PROCESS_READY, PROCESS_LEAVING };

struct supervisor;
struct mailbox;

/* One child process. */
struct process {
	struct supervisor *sup;
	const struct instance_row *row;
	unsigned instance; /* I_COUNT for a mailbox */
	struct mailbox *mailbox; /* or NULL */
	pid_t pid;
	enum process_state state;
	struct ipc_chan *lifecycle;
	struct loop_timer restart;
	int64_t backoff_ms;
	int64_t started_ms; /* monotonic */
	uint64_t restarts;
	uint64_t sent; /* sessions and descriptors since go, for lifecycle.idle */
	char sandbox[64];
	char weaker[300];
	char last_end[120]; /* how the previous one ended, in words */
};

struct listener {
	int fd;
	unsigned instance;
	char name[16];
	uint64_t id;
};

struct supervisor {
	struct loop *loop;
	struct config config;
	char data_path[1024];
	const char *libexec; /* where the role programs are */
	int data_dir;
	int empty_dir;
	int notify_fd; /* "ready" is written there; -1: none */
	bool root;
	bool ready_said;
	bool stopping;
	bool grace_over; /* stop_grace has passed and all but the log were killed */
	enum phase phase;
	struct loop_timer stop_timer;
	struct loop_signal signals[3], child_signal;
	struct process fixed[I_COUNT];
	struct listener listeners[LISTENERS_MAX];
	size_t listener_count;
	struct map mailboxes; /* account -> struct mailbox */
	/* Own channel ends. */
	struct ipc_chan *attach, *spawn, *redeem, *admin;
	void *attach_state, *admin_state;
};

/* process.c */
void process_init(struct process *p, struct supervisor *sup, const struct instance_row *row,
		  unsigned instance);
/* Fork, exec, send options and descriptors; the caller wires channels and says go. */
MUST_USE enum err process_start(struct process *p);
/* A child ended: say how, close its channel, start it again after its back-off. */
void process_ended(struct process *p, int wait_status);
/* Give a descriptor to a running process; taken over. */
void process_give(struct process *p, const char *kind, const char *name, uint64_t id, int fd);
void process_stop(struct process *p);
/* From SIGCHLD: collect all children that ended. */
void processes_reap(struct supervisor *sup);
void process_send_config(struct process *p);

/* All wired: begin. */
MUST_USE enum err process_go(struct process *p);

/* wire.c */
/* New pairs for every edge of an instance that was just started; peers get their ends. */
MUST_USE enum err wire_instance(struct supervisor *sup, unsigned instance);
/* At the start, when all run: every edge once. */
MUST_USE enum err wire_all(struct supervisor *sup);
/* The log channel of a process (id: the account of a mailbox). */
MUST_USE enum err wire_log(struct supervisor *sup, struct process *p, uint64_t id);
/* Directory, listeners and files of an instance. */
MUST_USE enum err wire_descriptors(struct supervisor *sup, struct process *p);
/* The supervisor's own end of an edge. */
void wire_own(struct supervisor *sup, const char *name, int fd);
/* Open the certificate files again and give them to keys. */
void wire_certificates(struct supervisor *sup, struct process *keys);

/* listen.c */
MUST_USE enum err listen_all(struct supervisor *sup, struct buf *why);

/* dirs.c */
MUST_USE enum err dirs_open(struct supervisor *sup, struct buf *why);
/* The folder of an account, created when new; -1 with errno. */
int dirs_open_account(struct supervisor *sup, uint64_t account);
uint64_t dirs_uid(const struct supervisor *sup, unsigned instance, uint64_t account);

/* mailbox.c */
struct mailbox_session {
	uint64_t session;
	uint8_t service;
	uint16_t peer_port;
	struct view name, peer_ip, tag, pending;
};
/* Starts the process when there is none.  fd is taken over.  ERR_BUSY in back-off. */
MUST_USE enum err mailbox_attach(struct supervisor *sup, uint64_t account,
				 const struct mailbox_session *s, int fd);
/* A new deliver channel to the account: the queue's end, owned by caller. */
MUST_USE enum err mailbox_deliver(struct supervisor *sup, uint64_t account, int *ret_fd);
void mailbox_revoked(struct supervisor *sup, uint64_t account);
/* Have the account checked; answers go to the administrator under tag. */
MUST_USE enum err mailbox_check(struct supervisor *sup, uint64_t account, uint32_t tag,
				bool rebuild);
/* The check of this process is answered: its tag, or 0. */
uint32_t mailbox_check_tag(struct mailbox *m, bool over);
void mailbox_idle(struct process *p, uint64_t seen);
void mailbox_ended(struct mailbox *m);
size_t mailbox_count(const struct supervisor *sup);
bool mailbox_next(struct supervisor *sup, size_t *at, struct process **ret);
uint64_t mailbox_account(const struct mailbox *m);

/* attach.c: tickets and sessions, and the queue's wishes */
void attach_take(struct supervisor *sup, int fd);
void redeem_take(struct supervisor *sup, int fd);
void spawn_take(struct supervisor *sup, int fd);

/* admin.c */
void admin_take(struct supervisor *sup, int fd);
void admin_finding(struct process *p, struct view json);
void admin_checked(struct process *p, enum err err, struct view text);
/* A role's counters: ERR_PEER when they are not what lifecycle.ipc says. */
MUST_USE enum err admin_status_arrived(struct process *p, uint32_t tag, struct view json);

/* whole.c */
/* Read DATA/run/options.  What is wrong with them is told in why. */
MUST_USE enum err supervisor_options(struct supervisor *sup, struct buf *why);
/* Says "ready", once, when every role serves. */
void supervisor_check_ready(struct supervisor *sup);
MUST_USE enum err supervisor_reload(struct supervisor *sup, struct buf *why);
void supervisor_stop(struct supervisor *sup);
/* Part of an orderly end: go on to the next phase when nobody of this one is left. */
void supervisor_stop_step(struct supervisor *sup);
/* The stop timer's: who is left is killed. */
void supervisor_grace_over(void *ctx);
/* SIGKILL to every role. */
void supervisor_kill(struct supervisor *sup);

#endif
