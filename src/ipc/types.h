/*
 * ipc/types.h: numbers that several channels share.  Values are part of the journal and of channels:
 * never renumber.
 */
#ifndef IPC_TYPES_H
#define IPC_TYPES_H

/* Services, as front names them. */
enum service {
	SERVICE_SMTP = 1,
	SERVICE_SUBMISSION = 2, /* 587, STARTTLS */
	SERVICE_SUBMISSIONS = 3, /* 465, TLS from the start */
	SERVICE_LMTP = 4,
	SERVICE_IMAP = 5, /* 143 */
	SERVICE_IMAPS = 6, /* 993 */
	SERVICE_POP3 = 7,
	SERVICE_POP3S = 8,
	SERVICE_SIEVE = 9,
	SERVICE_HTTPS = 10,
	SERVICE_LOCAL = 11, /* made here: bounces, reports */
};

enum route_status {
	ROUTE_OK = 0,
	ROUTE_UNKNOWN = 1, /* our domain, no such address: 550 5.1.1 */
	ROUTE_NOT_OURS = 2, /* another domain: 550 5.7.1 without authentication, remote otherwise */
	ROUTE_TEMPORARY = 3, /* the directory cannot be asked: 451 4.3.0 */
	ROUTE_FULL = 4, /* over quota: 452 4.2.2 */
	ROUTE_NOT_OWNED = 5, /* sender: 550 5.7.1 */
	ROUTE_DISABLED = 6, /* 550 5.2.1 */
	ROUTE_LOOP = 7, /* aliases lead in a circle or too deep: 554 5.4.6 */
};

enum { ROUTE_MAILBOX = 1, ROUTE_REMOTE = 2 };

enum authn_failure_kind {
	AUTHN_BAD_CREDENTIALS = 1,
	AUTHN_BUSY = 2, /* too many hashes wait: 454 4.7.0 */
	AUTHN_TEMPORARY = 3,
	AUTHN_NO_MECHANISM = 4,
	AUTHN_MALFORMED = 5,
	AUTHN_DISABLED = 6,
	AUTHN_BANNED = 7,
	AUTHN_NEEDS_TLS = 8,
};

enum attach_status { ATTACH_OK = 0, ATTACH_BAD_TICKET = 1, ATTACH_LIMIT = 2, ATTACH_TEMPORARY = 3 };

enum accept_status {
	ACCEPT_OK = 0,
	ACCEPT_FAILED = 1, /* write or sync failed: 451 4.3.0 */
	ACCEPT_FULL = 2, /* 452 4.3.1 */
	ACCEPT_TOO_BIG = 3,
	ACCEPT_BAD = 4, /* descriptor not sealed, lengths wrong: our bug or an attack */
};

enum deliver_status {
	DELIVER_OK = 0,
	DELIVER_QUOTA = 1, /* 452 4.2.2: retried, then bounced */
	DELIVER_TEMPORARY = 2, /* retried */
	DELIVER_FAILED = 3, /* bounced */
};

enum transfer_outcome {
	TRANSFER_DELIVERED = 1,
	TRANSFER_DEFERRED = 2,
	TRANSFER_FAILED = 3,
	TRANSFER_RELAYED = 4, /* delivered to a host without DSN: relayed report when asked */
};

enum resolve_status {
	RESOLVE_OK = 0,
	RESOLVE_NODATA = 1,
	RESOLVE_NXDOMAIN = 2,
	RESOLVE_TEMPORARY = 3, /* SERVFAIL, timeout, bogus */
};

enum body_type { BODY_7BIT = 0, BODY_8BITMIME = 1, BODY_BINARYMIME = 2 };
enum dsn_ret { RET_DEFAULT = 0, RET_FULL = 1, RET_HDRS = 2 };
/* Bits; 0 means that NOTIFY was not given. */
enum dsn_notify { NOTIFY_NEVER = 1, NOTIFY_SUCCESS = 2, NOTIFY_FAILURE = 4, NOTIFY_DELAY = 8 };

#endif
