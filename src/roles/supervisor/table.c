/*
 * roles/supervisor/table.c: see table.h.
 */
#include "table.h"

#define MIB (1024ULL * 1024)

const struct instance_row instance_rows[I_COUNT] = {
	[I_LOG] = { "log", "log", "log", "log", 64 * MIB, 256, PHASE_LOG,
		    "event records of the other roles", "the log" },
	[I_KEYS] = { "keys", "keys", "keys", "keys", 64 * MIB, 65536, PHASE_HOLD, "nothing",
		     "private keys, account keys" },
	[I_AUTH] = { "auth", "auth", "directory", "data", 1024 * MIB, 256, PHASE_HOLD,
		     "SASL octets, as opaque bounded requests", "password verifiers, tickets" },
	[I_QUEUE] = { "queue", "queue", "spool", "spool", 4096 * MIB, 65536, PHASE_WORK,
		      "nothing (bodies are opaque)", "mail in transit" },
	[I_RESOLVE] = { "resolve", "resolve", NULL, NULL, 512 * MIB, 4096, PHASE_HOLD, "DNS",
			"cache" },
	[I_SEND] = { "send", "send", NULL, NULL, 1024 * MIB, 65536, PHASE_WORK,
		     "replies of remote servers", "outbound messages" },
	[I_SMTP_MX] = { "smtp-mx", "smtp", NULL, NULL, 2048 * MIB, 65536, PHASE_ENTRY, "SMTP",
			"one message per session" },
	[I_SMTP_SUBMIT] = { "smtp-submit", "smtp", NULL, NULL, 2048 * MIB, 65536, PHASE_ENTRY,
			    "SMTP", "one message per session" },
	[I_LOGIN] = { "login", "login", NULL, NULL, 1024 * MIB, 65536, PHASE_ENTRY,
		      "IMAP before authentication", "nothing" },
	[I_FRONT_MX] = { "front-mx", "front", NULL, NULL, 2048 * MIB, 262144, PHASE_ENTRY,
			 "TLS records", "plain text in flight" },
	[I_FRONT_USER] = { "front-user", "front", NULL, NULL, 2048 * MIB, 262144, PHASE_ENTRY,
			   "TLS records", "plain text in flight" },
	[I_FRONT_OUT] = { "front-out", "front", NULL, NULL, 1024 * MIB, 65536, PHASE_WORK,
			  "TLS records", "plain text in flight" },
	[I_CONTROL] = { "control", "control", NULL, NULL, 128 * MIB, 1024, PHASE_ENTRY,
			"the local administrator", "nothing" },
};

const struct instance_row mailbox_row = { "mailbox",
					  "mailbox",
					  "mail",
					  "account",
					  0,
					  1024,
					  PHASE_MAILBOX,
					  "IMAP after authentication, MIME",
					  "one account's key and mail" };

const struct edge_row edge_rows[] = {
	{ I_FRONT_MX, "session", 0, I_SMTP_MX, "session", 0 },
	{ I_FRONT_USER, "session", 0, I_SMTP_SUBMIT, "session", 0 },
	{ I_FRONT_USER, "session", 1, I_LOGIN, "session", 0 },
	{ I_FRONT_MX, "tls", 0, I_KEYS, "tls", 0 },
	{ I_FRONT_USER, "tls", 0, I_KEYS, "tls", 1 },
	{ I_SMTP_MX, "route", 0, I_AUTH, "route", 0 },
	{ I_SMTP_SUBMIT, "route", 0, I_AUTH, "route", 1 },
	{ I_QUEUE, "route", 0, I_AUTH, "route", 2 },
	{ I_SMTP_SUBMIT, "authn", 0, I_AUTH, "authn", 0 },
	{ I_LOGIN, "authn", 0, I_AUTH, "authn", 1 },
	{ I_LOGIN, "attach", 0, I_SUPERVISOR, "attach", 0 },
	{ I_SUPERVISOR, "redeem", 0, I_AUTH, "redeem", 0 },
	{ I_SMTP_MX, "accept", 0, I_QUEUE, "accept", 0 },
	{ I_SMTP_SUBMIT, "accept", 0, I_QUEUE, "accept", 1 },
	{ I_QUEUE, "spawn", 0, I_SUPERVISOR, "spawn", 0 },
	{ I_QUEUE, "transfer", 0, I_SEND, "transfer", 0 },
	{ I_SEND, "resolve", 0, I_RESOLVE, "resolve", 0 },
	{ I_SEND, "connect", 0, I_FRONT_OUT, "connect", 0 },
	{ I_CONTROL, "admin", 0, I_AUTH, "admin", 0 },
	{ I_CONTROL, "admin", 1, I_QUEUE, "admin", 0 },
	{ I_CONTROL, "admin", 2, I_SUPERVISOR, "admin", 0 },
	{ I_CONTROL, "admin", 3, I_LOG, "admin", 0 },
	{ I_CONTROL, "admin", 4, I_KEYS, "admin", 0 },
};

const size_t edge_count = ARRAY_LEN(edge_rows);
