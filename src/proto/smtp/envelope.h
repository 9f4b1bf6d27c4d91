/*
 * proto/smtp/envelope.h: what a transaction says about a message, outside the message.
 *
 * Filled by the session from MAIL and RCPT; all texts live in the envelope's arena, whose cap bounds a
 * hostile client.  Addresses are local-part@domain without source route, case as received.
 */
#ifndef PROTO_SMTP_ENVELOPE_H
#define PROTO_SMTP_ENVELOPE_H

#include "base/arena.h"
#include "base/vec.h"

enum {
	SMTP_ENVELOPE_MEM = 256 * 1024, /* arena cap: 100 recipients with ORCPT of 500 fit */
	SMTP_RCPT_MAX = 1000, /* hard cap of option rcpt_per_message */
	SMTP_PATH_MAX = 256, /* octets of <path> with brackets   RFC 5321#4.5.3.1.3 */
	SMTP_LOCAL_MAX = 64, /* RFC 5321#4.5.3.1.1 */
	SMTP_DOMAIN_MAX = 255, /* RFC 5321#4.5.3.1.2 */
	SMTP_ENVID_MAX = 100, /* RFC 3461#4.4 */
	SMTP_ORCPT_MAX = 500 /* RFC 3461#4.2 */
};

/* BODY=   RFC 6152, RFC 3030 */
enum smtp_body { SMTP_BODY_7BIT, SMTP_BODY_8BITMIME, SMTP_BODY_BINARYMIME };

/* RET=   RFC 3461#4.3 */
enum smtp_ret { SMTP_RET_NONE, SMTP_RET_FULL, SMTP_RET_HDRS };

/* NOTIFY=   RFC 3461#4.1; 0: not given */
enum {
	SMTP_NOTIFY_NEVER = 1,
	SMTP_NOTIFY_SUCCESS = 2,
	SMTP_NOTIFY_FAILURE = 4,
	SMTP_NOTIFY_DELAY = 8
};

struct smtp_recipient {
	struct view address; /* local@domain; "Postmaster" may stand without domain */
	struct view local;
	struct view domain; /* empty for <Postmaster>; "[...]" for a literal */
	struct view orcpt; /* "type;address", xtext decoded; empty: not given */
	unsigned notify; /* SMTP_NOTIFY_ */
	uint64_t tag; /* the role's own number, from its answer to the look-up */
};

struct smtp_envelope {
	struct arena arena;
	struct view sender; /* empty: <> */
	struct view sender_local;
	struct view sender_domain;
	enum smtp_body body;
	enum smtp_ret ret;
	struct view envid; /* xtext decoded, printable ASCII; empty: not given */
	uint64_t size; /* SIZE= as declared; 0: not given */
	bool smtputf8;
	bool requiretls;
	int64_t hold_until; /* seconds since 1970 (HOLDFOR added to now); 0: not given   RFC 4865 */
	int64_t by_seconds; /* RFC 2852; meaningful when by_mode is set */
	char by_mode; /* 'N' or 'R'; 0: not given */
	bool by_trace;
	bool has_priority; /* RFC 6710 */
	int priority; /* -9..9 */
	VEC(struct smtp_recipient) rcpt;
};

void smtp_envelope_init(struct smtp_envelope *e, size_t rcpt_max);
void smtp_envelope_done(struct smtp_envelope *e);
/* Empty, ready for the next transaction. */
void smtp_envelope_clear(struct smtp_envelope *e);

#endif
