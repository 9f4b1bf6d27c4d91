/*
 * roles/login/session.h: one session before authentication, without I/O.
 *
 * Bytes, answers and time in; replies and one pending request out.  What IMAP, POP3 or ManageSieve say is
 * in a struct login_protocol each (one file, one row in the table of services); the budgets that they
 * share are enforced here.
 *
 * The turn, after every event:
 *	1. login_session_input(s, buffered bytes), also with nothing new; drop what it took
 *	2. write s->out and empty it
 *	3. look at s->request.ask and perform it once
 * While a request is pending no input is taken: what the client sent ahead stays with the owner and goes to the
 * mailbox process with the session.  CLOSED is final.
 */
#ifndef ROLES_LOGIN_SESSION_H
#define ROLES_LOGIN_SESSION_H

#include "base/arena.h"
#include "base/buf.h"
#include "ipc/types.h"

enum {
	LOGIN_OUTPUT_MAX = 32 * 1024, /* unwritten replies; past it the session ends */
	LOGIN_SASL_MAX = 9216, /* octets of a decoded SASL message */
	LOGIN_TAG_MAX = 128,
	LOGIN_ARENA_MAX = 64 * 1024, /* for parsing one command */
};

/* The owner's options; must outlive the sessions. */
struct login_config {
	struct view hostname;
	uint64_t bad_commands;
	uint64_t auth_tries;
	size_t line; /* imap_preauth_line */
	size_t literals; /* literal_preauth */
	size_t nonsync; /* literal_nonsync */
	struct arena *arena; /* shared by all sessions, empty between turns */
};

/* What the connection is like. */
struct login_peer {
	unsigned service; /* enum service */
	bool tls;
	bool can_bind; /* there is a channel binding: -PLUS is offered */
};

/* What the session asks of its owner; the answering function stands behind it. */
enum login_ask {
	LOGIN_ASK_NOTHING,
	LOGIN_ASK_START, /* begin a SASL exchange       login_session_challenge, _success, _failure */
	LOGIN_ASK_STEP, /* the client's next message   likewise */
	LOGIN_ASK_CANCEL, /* the client gave up          login_session_cancelled */
	LOGIN_ASK_STARTTLS, /* write the output, then TLS  login_session_secured */
	LOGIN_ASK_ATTACH, /* give the session away       login_session_refused; freed on success */
	LOGIN_ASK_CLOSE, /* write the output, close     never answered */
};

/* Borrowed until it is answered. */
struct login_request {
	enum login_ask ask;
	struct view mechanism; /* START: upper case, one of those offered */
	bool has_initial; /* START: maybe an empty one */
	struct view sasl; /* START, STEP: decoded */
	struct view tag; /* ATTACH: of the command that succeeded */
	const char *why; /* CLOSE: for the log */
};

enum login_phase {
	LOGIN_PHASE_COMMAND,
	LOGIN_PHASE_RESPONSE, /* a challenge was sent: the next line answers it */
	LOGIN_PHASE_FINAL, /* the last SASL data was sent: the client acknowledges it */
	LOGIN_PHASE_CLOSED,
};

struct login_session;

struct login_protocol {
	const char *name;
	/* Its own part of the session: s->own.  ERR_NOMEM. */
	enum err (*init)(struct login_session *s);
	void (*done)(struct login_session *s);
	void (*greet)(struct login_session *s);
	/* Take what makes one unit of input; *ret_used is how much.  ERR_AGAIN: more is needed. */
	enum err (*take)(struct login_session *s, struct view input, size_t *ret_used);
	/* Say that the client must answer this. */
	void (*challenge)(struct login_session *s, struct view text);
	/* The command that tried to log in failed. */
	void (*failed)(struct login_session *s, enum authn_failure_kind kind);
	void (*cancelled)(struct login_session *s);
	void (*refused)(struct login_session *s, enum attach_status status);
	/* The last words before closing; reason is one of ours. */
	void (*bye)(struct login_session *s, const char *reason);
};

/* Storage is heap; fields may be read by the protocols, out and request by the owner. */
struct login_session {
	const struct login_config *config;
	const struct login_protocol *protocol;
	struct login_peer peer;
	void *own;
	struct buf out;
	struct buf sasl; /* decoded, wiped when answered */
	struct login_request request;
	enum login_phase phase;
	char tag[LOGIN_TAG_MAX];
	size_t tag_n;
	uint64_t commands; /* seen in all */
	uint64_t bad;
	uint64_t tries;
};

/*
 * A session that has greeted.  ERR_UNSUPPORTED for a service that is not spoken here, ERR_NOMEM.  Owned by
 * caller, login_session_free.
 */
MUST_USE enum err login_session_new(const struct login_config *config,
				    const struct login_peer *peer, struct login_session **ret);
void login_session_free(struct login_session *s);
/* Is this service one of the table? */
bool login_service_known(unsigned service);

/* Returns how many octets were taken. */
size_t login_session_input(struct login_session *s, struct view input);
void login_session_challenge(struct login_session *s, struct view text);
/* final: what the server says last (SCRAM), may be empty. */
void login_session_success(struct login_session *s, struct view final);
void login_session_failure(struct login_session *s, enum authn_failure_kind kind);
void login_session_cancelled(struct login_session *s);
void login_session_refused(struct login_session *s, enum attach_status status);
/* After TLS everything that was said in clear is forgotten, but not the counts.  No greeting.
 * RFC 9051#6.2.1 */
MUST_USE enum err login_session_secured(struct login_session *s, bool can_bind);
/* Say goodbye and ask to be closed: time is over, the server stops, too many. */
void login_session_end(struct login_session *s, const char *reason);

/* For the protocols. */
void login_close(struct login_session *s, const char *why);
/* A command that makes no sense was answered; ends the session past bad_commands. */
void login_bad(struct login_session *s);
/* Ends the session and returns false when auth_tries are used up. */
bool login_may_try(struct login_session *s);
bool login_offers(const struct login_session *s, struct view mechanism, struct view *ret_name);
/* Ask for a START with s->sasl as initial response, or a STEP. */
void login_start(struct login_session *s, struct view mechanism, bool has_initial);
void login_step(struct login_session *s);
/* "POST / HTTP/1.1": a browser that was tricked into talking to us (THREATS.md 2.5). */
bool login_looks_like_http(struct view line);

/* imap.c */
extern const struct login_protocol login_imap;

#endif
