/*
 * proto/smtp/client.h: one outgoing SMTP or LMTP connection, without I/O.
 *
 * Bytes and messages in; bytes, outcomes and requests out.  The owner feeds what the server sent, writes
 * smtp_client_output, and does what smtp_client_request says.  Used by send (to other servers, smart hosts)
 * and for LMTP.
 *
 * The turn, after every event:
 *	1. smtp_client_clock
 *	2. smtp_client_input with everything that was read (also with nothing)
 *	3. write smtp_client_output, then smtp_client_sent (a reply that comes before is one nobody asked for)
 *	4. perform smtp_client_request
 *
 * Invariants: a reply that nobody asked for ends the connection; what came in clear is forgotten at STARTTLS
 * and octets behind its 220 end the connection; every recipient of a message gets exactly one outcome.
 * RFC 5321#4.3, RFC 2920, RFC 3207#4.2, RFC 2033#4.2
 */
#ifndef PROTO_SMTP_CLIENT_H
#define PROTO_SMTP_CLIENT_H

#include "proto/smtp/envelope.h"
#include "proto/smtp/reply.h"
#include "proto/smtp/wire.h"

enum {
	SMTP_CLIENT_OUTPUT_MAX = 128 * 1024, /* unwritten output; body octets stop at half of it */
	SMTP_CLIENT_STAGE_MS = 5 * 60 * 1000, /* send_stage_time: wait for any reply */
	SMTP_CLIENT_DOT_MS = 10 * 60 * 1000, /* ... for the one to the final dot */
	SMTP_CLIENT_SESSION_MS = 2 * 60 * 60 * 1000 /* send_session_time */
};

enum smtp_client_tls {
	SMTP_CLIENT_TLS_NONE, /* no STARTTLS */
	SMTP_CLIENT_TLS_MAY, /* use it when offered; the owner may continue in clear by a new connection */
	SMTP_CLIENT_TLS_MUST, /* nothing but EHLO, STARTTLS and QUIT in clear */
	SMTP_CLIENT_TLS_DONE /* the stream is TLS from its first octet */
};

/* Views must outlive the client. */
struct smtp_client_config {
	struct view hello; /* our name */
	bool lmtp;
	enum smtp_client_tls tls;
	struct view
		sasl_plain; /* smart host: "\0name\0password", sent by AUTH PLAIN inside TLS; empty: none */
	int64_t stage_ms; /* 0: SMTP_CLIENT_STAGE_MS */
	int64_t dot_ms;
	int64_t session_ms;
	size_t reply_line; /* octets of a line of a reply, with CRLF; 0: SMTP_REPLY_LINE */
	size_t reply_lines; /* 0: SMTP_REPLY_LINES */
};

/* What EHLO offered. */
struct smtp_capabilities {
	bool pipelining, size, eightbit, smtputf8, dsn, chunking, binarymime, starttls, requiretls;
	bool enhanced, deliverby, priority, auth_plain, limits;
	uint64_t size_max; /* 0: none told */
	uint64_t rcpt_max; /* LIMITS; 0: none told   RFC 9422 */
	uint64_t mail_max;
};

enum smtp_outcome_kind {
	SMTP_OUT_UNTRIED, /* not attempted: try on another connection */
	SMTP_OUT_DELIVERED,
	SMTP_OUT_TEMP,
	SMTP_OUT_PERM
};

enum smtp_stage {
	SMTP_STAGE_GREETING,
	SMTP_STAGE_HELLO,
	SMTP_STAGE_TLS,
	SMTP_STAGE_AUTH,
	SMTP_STAGE_READY,
	SMTP_STAGE_MAIL,
	SMTP_STAGE_RCPT,
	SMTP_STAGE_DATA,
	SMTP_STAGE_BODY, /* between 354 and the final dot */
	SMTP_STAGE_DOT, /* the final dot is out, its reply not yet in */
	SMTP_STAGE_QUIT,
	SMTP_STAGE_CLOSED
};

/* How it ended for one recipient, or for the connection. */
struct smtp_outcome {
	enum smtp_outcome_kind kind;
	enum smtp_stage stage;
	bool local; /* decided here; code and text are ours */
	bool maybe_sent; /* the dot was out and no answer came: a retry may duplicate */
	struct smtp_reply reply; /* printable text only; code 0: there was none */
};

struct smtp_client_rcpt {
	struct view address;
	struct view orcpt; /* "type;address", decoded */
	unsigned notify; /* SMTP_NOTIFY_ */
	struct smtp_outcome outcome; /* result; kind must be SMTP_OUT_UNTRIED before */
	bool accepted; /* result: RCPT was answered by 2xx */
};

/* A message to send; everything is the owner's and must live until REPORT was taken. */
struct smtp_client_message {
	struct view sender; /* empty: <> */
	enum smtp_body body; /* 7BIT or 8BITMIME */
	bool smtputf8;
	bool requiretls;
	enum smtp_ret ret;
	struct view envid; /* decoded */
	uint64_t size; /* octets, for SIZE=; 0: unknown */
	struct smtp_client_rcpt *rcpt;
	size_t rcpt_n;
};

enum smtp_client_action {
	SMTP_CLIENT_WAIT, /* for input */
	SMTP_CLIENT_STARTTLS, /* do the handshake, then smtp_client_tls_done */
	SMTP_CLIENT_READY, /* smtp_client_send or smtp_client_quit; caps are valid */
	SMTP_CLIENT_BODY, /* smtp_client_body until done, then smtp_client_body_end or _abort */
	SMTP_CLIENT_REPORT, /* all outcomes of the message are in; take them, then smtp_client_reported */
	SMTP_CLIENT_CLOSE /* write the output, close; c->end says how it ended */
};

/* How the connection ended. */
enum smtp_client_end {
	SMTP_END_NONE,
	SMTP_END_QUIT, /* orderly */
	SMTP_END_GREETING, /* refused by greeting (c->last) */
	SMTP_END_HELLO, /* refused EHLO and HELO */
	SMTP_END_TLS_MISSING, /* STARTTLS needed, not offered */
	SMTP_END_TLS_REFUSED, /* STARTTLS answered by other than 220 */
	SMTP_END_TLS_INJECTED, /* octets behind the 220 */
	SMTP_END_TLS_FAILED, /* handshake, told by the owner */
	SMTP_END_AUTH, /* log-in refused or not possible */
	SMTP_END_PROTOCOL, /* not SMTP, too long, a reply nobody asked for */
	SMTP_END_SHUTDOWN, /* 421 */
	SMTP_END_LOST, /* closed by the server without 421 */
	SMTP_END_TIMEOUT,
	SMTP_END_ABORTED /* by the owner, or a body that broke off */
};

/* Storage is the owner's; caps, end and last may be read, the rest is private. */
struct smtp_client {
	struct smtp_capabilities caps;
	enum smtp_client_end end;
	struct smtp_outcome last; /* the connection's own outcome: greeting, EHLO, TLS, AUTH, 421 */

	const struct smtp_client_config *config;
	enum smtp_stage stage; /* whose reply is next, or what is going on */
	enum smtp_client_action action;
	struct smtp_reply_parser parser;
	struct buf out;
	struct smtp_wire wire;
	bool tls;
	bool helo; /* HELO was sent: no extensions */
	bool dirty; /* a transaction was left open: RSET before the next */
	bool resetting; /* the reply to RSET is next */
	bool data_sent; /* DATA is out */
	bool mail_refused;
	size_t queued; /* replies to commands that have not left yet */
	size_t due; /* replies to commands that have left */
	uint64_t mail_n; /* messages on this connection */
	struct smtp_client_message *message;
	size_t tried_n; /* recipients of this transaction */
	size_t sent_n; /* ... whose RCPT is out */
	size_t answered_n; /* ... and answered; after the dot (LMTP): those whose reply is in */
	size_t accepted_n;
	int64_t now_ms;
	int64_t stage_end_ms;
	int64_t session_end_ms;
};

void smtp_client_init(struct smtp_client *c, const struct smtp_client_config *config,
		      int64_t mono_ms);
void smtp_client_done(struct smtp_client *c);

/* Time moved; past a deadline the connection ends (SMTP_END_TIMEOUT). */
void smtp_client_clock(struct smtp_client *c, int64_t mono_ms);
int64_t smtp_client_deadline(const struct smtp_client *c);

/* Everything that was read; all of it is taken. */
void smtp_client_input(struct smtp_client *c, struct view input);
/* The server closed. */
void smtp_client_eof(struct smtp_client *c);

struct view smtp_client_output(const struct smtp_client *c);
void smtp_client_sent(struct smtp_client *c, size_t n);
enum smtp_client_action smtp_client_request(const struct smtp_client *c);

/* Answer to STARTTLS. */
void smtp_client_tls_done(struct smtp_client *c, bool ok);
/* In READY: send a message.  What cannot be sent to this server (SIZE, 8BITMIME, SMTPUTF8, REQUIRETLS) gets a
 * local outcome at once. */
void smtp_client_send(struct smtp_client *c, struct smtp_client_message *message);
/* In BODY: any octets; *ret_used were taken.  ERR_AGAIN: write output first, then give the rest. */
MUST_USE enum err smtp_client_body(struct smtp_client *c, struct view bytes, size_t *ret_used);
/* The body is complete.  ERR_AGAIN as above. */
MUST_USE enum err smtp_client_body_end(struct smtp_client *c);
/* The body cannot be completed: the connection is closed without final dot; outcomes are TEMP. */
void smtp_client_body_abort(struct smtp_client *c);
/* After REPORT. */
void smtp_client_reported(struct smtp_client *c);
/* In READY: QUIT, then CLOSE. */
void smtp_client_quit(struct smtp_client *c);
/* At any time: end now; recipients without outcome get TEMP. */
void smtp_client_abort(struct smtp_client *c, enum smtp_client_end why);

#endif
