/*
 * roles/supervisor/table.h: which processes there are and which of them may talk.
 *
 * The graph of processes is this list (DESIGN.md 1): two roles without a row here share no socket.
 * SECURITY.md's table is made from it.
 */
#ifndef SUPERVISOR_TABLE_H
#define SUPERVISOR_TABLE_H

#include "base/base.h"

enum instance {
	I_LOG,
	I_KEYS,
	I_AUTH,
	I_QUEUE,
	I_RESOLVE,
	I_SEND,
	I_SMTP_MX,
	I_SMTP_SUBMIT,
	I_LOGIN,
	I_FRONT_MX,
	I_FRONT_USER,
	I_FRONT_OUT,
	I_CONTROL,
	I_COUNT,
	/* Ends of channels that are not in the table of fixed instances. */
	I_SUPERVISOR = 100,
};

enum { UID_MAILBOX_BASE = 1000 }; /* uid_base + this + account */

/* The order in which processes end: those that take in first, then mailboxes, which tell the queue what
 * they have made durable, the log last. */
enum phase { PHASE_ENTRY, PHASE_MAILBOX, PHASE_WORK, PHASE_HOLD, PHASE_LOG, PHASE_COUNT };

struct instance_row {
	const char *name; /* of the instance */
	const char *program; /* posthold-PROGRAM */
	const char *dir; /* below the data directory, given as dir NAME; NULL: none */
	const char *dir_name;
	uint64_t memory; /* octets of data, hard limit; 0: by configuration */
	uint64_t files; /* descriptors */
	enum phase phase;
	const char *reads; /* what hostile bytes it reads, for SECURITY.md */
	const char *holds; /* what is worth stealing there */
};

struct edge_row {
	unsigned client; /* enum instance */
	const char *client_name;
	uint64_t client_id;
	unsigned server;
	const char *server_name;
	uint64_t server_id;
};

extern const struct instance_row instance_rows[I_COUNT];
extern const struct edge_row edge_rows[];
extern const size_t edge_count;
/* Mailbox processes, one per active account. */
extern const struct instance_row mailbox_row;

#endif
