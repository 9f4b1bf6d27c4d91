/*
 * proto/smtp/session.h: one SMTP, submission or LMTP session of the server, without I/O.
 *
 * Bytes and answers in; replies and requests out.  The owner (a role) feeds input, writes what
 * smtp_session_output shows, and performs the one pending request (smtp_session_request), answering it by
 * the function named beside it.  All budgets of a session are enforced here; time is told, never read.
 *
 * The turn, after every event (bytes came, a request was answered, the clock moved):
 *	1. smtp_session_clock(s, ...)
 *	2. smtp_session_input(s, buffered bytes, &used), also with nothing buffered; drop `used` bytes
 *	3. write smtp_session_output, then smtp_session_sent
 *	4. look at smtp_session_request and perform it once
 * Input that was not taken stays with the owner and is shown again in the next turn.  Before STARTTLS
 * is answered everything in the output must have been written.
 *
 * Invariants: at most one request is pending; no input is taken while one is; CLOSED is final; a message
 * is either committed by the owner's answer or aborted through the sink, never both; no reply repeats
 * what the client sent.
 */
#ifndef PROTO_SMTP_SESSION_H
#define PROTO_SMTP_SESSION_H

#include "proto/mime/address.h"
#include "proto/smtp/envelope.h"
#include "proto/smtp/frame.h"
#include "proto/smtp/header.h"
#include "proto/smtp/verdict.h"

enum smtp_service { SMTP_MX, SMTP_SUBMISSION, SMTP_LMTP };

enum {
	SMTP_OUTPUT_MAX = 64 * 1024, /* cap of unwritten replies */
	SMTP_OUTPUT_HIGH = 16 * 1024, /* from here on no input is taken */
	SMTP_HELLO_MAX = SMTP_DOMAIN_MAX, /* octets of the EHLO name */
	SMTP_SASL_MAX = 9216, /* octets of a decoded SASL message */
	SMTP_ACCOUNT_MAX = 320, /* octets of an account's name */
	SMTP_DRAIN_MS = 60 * 1000 /* a refused message is read on for at most so long */
};

/* Options; the defaults are those of the budget table.  Views must outlive the sessions. */
struct smtp_server_config {
	enum smtp_service service;
	struct view hostname; /* our name in greeting, EHLO and Received */
	struct view
		mechanisms; /* SASL mechanisms by SP, e.g. "SCRAM-SHA-256 PLAIN"; empty: no AUTH */
	bool starttls; /* STARTTLS can be offered */
	bool auth_without_tls; /* tests only */
	bool hide_client; /* submission: no client address in Received */
	bool chunking; /* offer CHUNKING and BINARYMIME */
	bool binarymime;
	bool dsn;
	bool smtputf8;
	bool requiretls;
	bool deliverby;
	bool priority; /* MT-PRIORITY */
	uint64_t future_max_s; /* FUTURERELEASE: longest hold in seconds; 0: not offered */
	bool strict_from; /* exactly one From field with parsable addresses, else 550 5.7.1 */
	uint32_t greeting_ms; /* greeting_delay; 0: greet at once */
	bool ask_sender; /* SENDER and AUTHOR are asked */
	uint32_t bad_commands;
	uint32_t bad_commands_auth; /* after log-in */
	uint32_t auth_tries;
	uint32_t rcpt_per_message;
	uint32_t mail_per_session;
	uint32_t unknown_rcpt_delay; /* from this many unknown recipients on each answer waits */
	uint32_t unknown_rcpt_wait_ms;
	uint32_t unknown_rcpt_close;
	uint64_t message_size;
	uint64_t message_line;
	uint32_t header_block;
	uint32_t header_fields;
	uint32_t received_hops;
	uint32_t own_hops;
	uint32_t command_wait_ms; /* smtp_command_wait */
	uint32_t data_rate_min; /* octets per second, */
	uint32_t data_rate_ms; /* judged over so long: data_rate_window */
	uint32_t data_time_ms;
	uint32_t session_time_ms;
	uint32_t preauth_ms; /* preauth_time: from start to log-in, on submission; 0: no bound */
	uint32_t line_max; /* smtp_line, octets with CRLF */
	uint32_t auth_line_max; /* smtp_auth_line: of AUTH and SASL lines, not below line_max */
};

/* Defaults for a service; the caller sets hostname, mechanisms and what is offered. */
void smtp_server_config_init(struct smtp_server_config *c, enum smtp_service service);

/*
 * What a connection has used up, carried from the session before STARTTLS to the one behind it, so that TLS
 * does not double a client's budget.  Numbers and times only: whatever the client said in clear, its EHLO name
 * and mail included, is forgotten (RFC 3207#4.2).
 */
struct smtp_carry {
	uint32_t bad_n; /* bad_commands */
	uint32_t auth_failed_n; /* auth_tries */
	uint32_t mail_n; /* mail_per_session */
	uint32_t unknown_n; /* unknown_rcpt_delay, unknown_rcpt_close */
	int64_t session_end_ms; /* smtp_session_time and */
	int64_t preauth_end_ms; /* preauth_time, by the clock of smtp_session_clock */
};

/* The connection, as the role knows it.  Views must outlive the session. */
struct smtp_peer {
	struct view address; /* "192.0.2.1", "2001:db8::1"; empty: unknown */
	struct view name; /* verified reverse name; empty: none */
	bool tls; /* the stream is TLS from its first octet, or STARTTLS has been done */
	struct view tls_text; /* "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384"; empty: unknown */
	/* The session before STARTTLS on the same connection: no greeting, budgets go on.  NULL: a new
	 * connection.  Read by smtp_session_init only. */
	const struct smtp_carry *carry;
	bool no_greeting_wait; /* known client */
};

/* Where the octets of a message go, in order.  Called from within smtp_session_input and _begin_done. */
struct smtp_sink {
	void *ctx;
	/* ERR_FULL answers 452, other errors 451; after an error abort follows. */
	enum err (*write)(void *ctx, struct view bytes);
	/* Throw away what was written since begin.  Not called after commit was requested. */
	void (*abort)(void *ctx);
};

/* What the session asks of its owner; the answering function stands behind it. */
enum smtp_action {
	SMTP_ASK_NOTHING,
	SMTP_ASK_SENDER, /* may the envelope sender be used?          smtp_session_sender_done */
	SMTP_ASK_RCPT, /* is this recipient taken?                  smtp_session_rcpt_done */
	SMTP_ASK_AUTH_START, /* begin of a SASL exchange                  smtp_session_auth_... */
	SMTP_ASK_AUTH_STEP, /* the client's next SASL message            smtp_session_auth_... */
	SMTP_ASK_STARTTLS, /* write the output, do the handshake, make a new session; never answered */
	SMTP_ASK_BEGIN, /* prepare for a message: id, space          smtp_session_begin_done */
	SMTP_ASK_AUTHOR, /* submission: may From and Sender be used?  smtp_session_author_done */
	SMTP_ASK_COMMIT, /* the message is complete: make it durable  smtp_session_commit_done */
	SMTP_ASK_CLOSE /* write the output, then close; never answered */
};

/* Borrowed until the request is answered. */
struct smtp_request {
	enum smtp_action action;
	struct view address; /* SENDER, RCPT, AUTHOR: local@domain (empty: <>) */
	struct view local;
	struct view domain;
	struct view mechanism; /* AUTH_START: upper case, one of config's */
	bool has_initial; /* AUTH_START: an initial response was given, maybe an empty one */
	struct view sasl; /* AUTH_START, AUTH_STEP: decoded */
	uint64_t size; /* RCPT: declared SIZE or 0; COMMIT: octets written to the sink */
};

/*
 * What became of the message for one recipient (LMTP) or for all: verdict and, if not empty, a text in place
 * of the verdict's own.
 */
struct smtp_result {
	enum smtp_verdict verdict;
	struct view text; /* empty: the verdict's own */
};

enum smtp_phase {
	SMTP_PHASE_GREETING,
	SMTP_PHASE_COMMAND,
	SMTP_PHASE_DATA,
	SMTP_PHASE_BDAT,
	SMTP_PHASE_SASL, /* the next line answers a 334 */
	SMTP_PHASE_CLOSED
};

/*
 * Storage is the owner's; every field but env and header.flags is private.  These may be read while BEGIN (env
 * only), AUTHOR or COMMIT is asked.
 */
struct smtp_session {
	struct smtp_envelope env;
	struct smtp_header_watch header;

	const struct smtp_server_config *config;
	struct smtp_peer peer;
	struct smtp_sink sink;
	enum smtp_phase phase;
	struct smtp_request request;
	struct buf out;
	struct smtp_line_framer line;

	struct buf hello; /* EHLO name; empty: none yet */
	bool extended; /* EHLO or LHLO, not HELO */
	bool mail; /* MAIL was accepted */
	bool fresh; /* the clock was never told */
	bool stopping; /* 421 once the pending commit is answered */

	/* The address being asked about. */
	struct buf asked; /* local@domain */
	struct address asked_parts;
	struct buf asked_orcpt;
	unsigned asked_notify;

	bool authenticated;
	bool sasl_open; /* an exchange is under way */
	bool sasl_final; /* success is known, the client's last empty line is awaited */
	uint64_t account_id;
	struct buf account; /* name */
	struct buf sasl; /* decoded message; wiped after use */
	struct buf mechanism; /* upper case */

	uint32_t bad_n;
	uint32_t excused_n; /* errors that follow from a refused MAIL or RCPT and are not counted */
	uint32_t auth_failed_n;
	uint32_t mail_n;
	uint32_t unknown_n;
	bool rcpt_refused; /* in this transaction */
	bool too_many_told; /* in this transaction: rcpt_per_message was noted */
	enum smtp_verdict noted; /* smtp_session_note; SMTP_V_OK: nothing */

	/* The message being received. */
	struct smtp_body_framer body;
	struct buf id;
	bool open; /* the sink holds octets that are neither committed nor aborted */
	bool bdat; /* chunks, not DATA */
	bool bdat_last; /* this chunk is the last */
	bool bdat_told; /* the refusal was answered to an earlier chunk */
	bool data_ready; /* 354 goes out in the next turn */
	uint64_t chunk; /* octets of the chunk that waits for BEGIN */
	enum smtp_verdict refusal; /* why the message is refused; SMTP_V_OK: it is not */
	struct buf refusal_text;
	uint64_t written; /* octets given to the sink */
	size_t author_at; /* next author to ask about */

	/* Time. */
	int64_t now_ms;
	int64_t wall_s;
	int zone_min;
	int64_t session_end_ms;
	int64_t preauth_end_ms; /* INT64_MAX: no log-in is needed, or it is done */
	int64_t wait_end_ms; /* end of the wait for a command, or of a body */
	int64_t rate_end_ms; /* end of the present window of a body */
	uint64_t rate_seen; /* body.seen at its start */
	int64_t delay_end_ms; /* greeting or tarpit; 0: none */
	enum smtp_verdict delayed; /* reply that is held back */
};

/*
 * A new session.  mono_ms, wall_s and zone_min as in smtp_session_clock.  The greeting goes out in the first
 * turn after the greeting delay.  config and what peer and sink point to are borrowed for the session.
 */
void smtp_session_init(struct smtp_session *s, const struct smtp_server_config *config,
		       const struct smtp_peer *peer, const struct smtp_sink *sink);
/* While STARTTLS is asked, before smtp_session_done: what the next session of the connection goes on from. */
struct smtp_carry smtp_session_carry(const struct smtp_session *s);
/* Free all; aborts an open message. */
void smtp_session_done(struct smtp_session *s);

/*
 * Tell the time: mono_ms never goes back, wall_s is seconds since 1970, zone_min minutes east of UTC.
 * Past a deadline the session answers (421 4.4.2) and asks for close.
 */
void smtp_session_clock(struct smtp_session *s, int64_t mono_ms, int64_t wall_s, int zone_min);
/* When smtp_session_clock and a turn are due at the latest, by the same clock. */
int64_t smtp_session_deadline(const struct smtp_session *s);

/* Take input; *ret_used octets were taken.  Never fails: what is wrong is answered. */
void smtp_session_input(struct smtp_session *s, struct view input, size_t *ret_used);
/*
 * The client closed its side: an open message is aborted and close is asked.  This and smtp_session_shutdown
 * withdraw a pending request (smtp_session_shutdown: but for COMMIT); its answer must then be dropped.
 */
void smtp_session_eof(struct smtp_session *s);
/* The server stops: 421 4.3.2 now (or after a pending commit was answered). */
void smtp_session_shutdown(struct smtp_session *s);

/* Unwritten output, borrowed until the next call.  smtp_session_sent forgets its first n octets. */
struct view smtp_session_output(const struct smtp_session *s);
void smtp_session_sent(struct smtp_session *s, size_t n);
/* The pending request; action SMTP_ASK_NOTHING: none.  Borrowed until the next call. */
const struct smtp_request *smtp_session_request(const struct smtp_session *s);

/* Answers.  Each is allowed only while its request is pending (asserted); text as in smtp_result. */
void smtp_session_sender_done(struct smtp_session *s, struct smtp_result result);
/* tag is kept with the recipient (account, alias, ...). */
void smtp_session_rcpt_done(struct smtp_session *s, struct smtp_result result, uint64_t tag);
void smtp_session_auth_challenge(struct smtp_session *s, struct view sasl);
/* final: what the mechanism sends last (SCRAM), or empty; it goes out as a 334 that the client answers by an
 * empty line before it sees 235. */
void smtp_session_auth_ok(struct smtp_session *s, uint64_t account_id, struct view account_name,
			  struct view final);
/* One of SMTP_V_AUTH_FAILED, _TEMP, _THROTTLED, _MECHANISM, _EXPIRED. */
void smtp_session_auth_failed(struct smtp_session *s, enum smtp_verdict verdict);
/* OK, or the reason why no message can be taken now.  id: the message's identifier, printable ASCII. */
void smtp_session_begin_done(struct smtp_session *s, struct smtp_result result, struct view id);
void smtp_session_author_done(struct smtp_session *s, struct smtp_result result);
/* results: one for all, or (LMTP only) one per recipient of env.rcpt.  After this the message is the owner's. */
void smtp_session_commit_done(struct smtp_session *s, const struct smtp_result *results, size_t n);

/* A SASL exchange is under way.  When this turns false without the owner's answer it was cancelled. */
bool smtp_session_sasl_open(const struct smtp_session *s);
/*
 * What the owner should log of the last turn: why a message was refused or the session ended.  SMTP_V_OK: nothing,
 * or it was asked for already.  What the owner answered itself (recipients, senders, log-ins) is not told.
 */
enum smtp_verdict smtp_session_note(struct smtp_session *s);
/* For log lines; borrowed. */
struct view smtp_session_hello(const struct smtp_session *s);
struct view smtp_session_account(const struct smtp_session *s, uint64_t *ret_id);

#endif
