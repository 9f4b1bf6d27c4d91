/*
 * roles/send/send.h: what the files of the role share.
 *
 * main.c         life of the role, its channels
 * job.c          a message for some recipients of one domain; their results
 * destination.c  one domain (or the smart host): its jobs that wait, its connections
 * lookup.c       questions to resolve, for the plans of destinations
 * connection.c   one connection and those that follow it when it fails
 * dialogue.c     what a connection says: messages, outcomes
 * body.c         the octets of a body, rewritten where the server takes only 7 bits
 * plan.c         pure: from DNS answers to addresses
 * verdict.c      pure: results in words
 *
 * Who owns what: a job is in exactly one place, the list of its destination or the hands of a connection;
 * a destination lives while it has jobs, connections or questions.
 */
#ifndef ROLES_SEND_SEND_H
#define ROLES_SEND_SEND_H

#include "base/map.h"
#include "ipc/connect.h"
#include "ipc/envelope.h"
#include "ipc/transfer.h"
#include "plan.h"
#include "proto/mime/seven_bit.h"
#include "sys/role.h"
#include "sys/stream.h"

enum {
	DESTINATIONS_MAX = 1024, /* no more jobs than that are given to us */
	CONNECTIONS_MAX = 10000,
	OPENING_MAX = 512, /* connections that come about at once; the channel allows 1024 */
	QUESTIONS_MAX = 512, /* questions to resolve at once; the channel allows 1024 */
	CONN_MESSAGES_MAX = 100, /* messages on one connection */
	JOB_RETRIES_MAX = 2, /* times that a job moves on when a used connection had ended */
	ENVELOPE_MAX = 1024 * 1024, /* octets of an encoded envelope */
	PLAN_LIFE_MS = 5 * 60 * 1000, /* a busy destination is looked up again after this */
	QUIT_MS = 10 * 1000, /* wait for the reply to QUIT */
	SECURE_MS = 60 * 1000, /* wait for front's word about TLS; it has a shorter limit itself */
	TLS_WORDS_MAX = 100,
	BODY_PIECE = 16 * 1024 /* octets of a rewritten body in memory at once */
};

struct destination;
struct connection;

struct job_rcpt {
	uint32_t index; /* of the queue */
	struct view address;
	struct view orcpt;
	unsigned notify;
	bool done;
};

struct job {
	struct job *next; /* in its destination's list */
	struct send *send;
	uint64_t id;
	struct buf text; /* envelope, and the body when it came with it */
	struct envelope envelope; /* views into text */
	struct job_rcpt *rcpts;
	size_t rcpt_n;
	size_t left; /* recipients without result */
	int fd; /* the body, behind envelope_n octets; -1: in text */
	size_t envelope_n;
	size_t body_n;
	void *map; /* of fd, while a connection sends it */
	unsigned retries;
	bool inspected;
	bool eightbit; /* the body has octets above 127 */
	bool utf8_needed; /* an address or the header has them */
	bool seven_planned;
	struct mime_seven_bit seven; /* for servers without 8BITMIME */
	uint64_t seven_n; /* octets of the message so rewritten */
	const char *seven_why; /* why it cannot be; static */
};

struct destination {
	struct destination *next, **before;
	struct send *send;
	char key[PLAN_NAME_MAX];
	size_t key_n;
	struct plan plan;
	bool planned; /* the plan has begun */
	unsigned generation; /* counts plans: steps of an earlier one mean nothing */
	int64_t planned_ms;
	size_t questions; /* on their way */
	struct job *jobs, **jobs_end;
	size_t job_n;
	struct connection *connections;
	size_t connection_n;
	uint32_t failed; /* bit i: step i of the plan came to nothing lately */
	bool reached; /* some connection of this plan was of use */
	bool has_failure;
	struct verdict failure; /* why steps failed; one that may pass wins */
	char failure_host[PLAN_NAME_MAX];
	size_t failure_host_n;
};

enum connection_state { CONNECTION_OPENING, CONNECTION_TALKING, CONNECTION_SECURING };

struct connection {
	struct connection *next, **before;
	struct destination *destination;
	uint64_t session;
	enum connection_state state;
	unsigned generation; /* of the plan that step belongs to */
	size_t step;
	char host[PLAN_NAME_MAX];
	size_t host_n;
	struct dns_ip ip;
	bool clear; /* TLS with this server came to nothing: go on without */
	bool ready; /* it was of use */
	bool idle;
	bool open; /* stream and client are in use */
	bool verified; /* the certificate is valid for host */
	char tls[TLS_WORDS_MAX]; /* "none", or version, cipher, verified or not */
	size_t tls_n;
	char why[CONNECT_GONE_WHY_MAX]; /* what front told */
	size_t why_n;
	struct stream stream;
	struct smtp_client client;
	struct smtp_client_config config;
	struct loop_timer timer;
	uint64_t messages;
	struct job *job;
	struct smtp_client_message message;
	struct smtp_client_rcpt *rcpts; /* of message */
	size_t body_at;
	struct {
		bool on; /* the server gets the body in 7 bits */
		struct mime_seven_bit_reader reader;
		struct buf piece;
		size_t at; /* octets of piece that the client has */
		bool last; /* nothing follows piece */
	} seven;
};

struct send {
	struct role *role;
	struct loop *loop;
	struct ipc_chan *transfer; /* NULL while the peer is restarted; so are the others */
	struct ipc_chan *resolve;
	struct ipc_chan *connect;
	struct map by_key; /* destinations */
	struct map by_session; /* connections */
	struct map by_tag; /* questions */
	struct destination *destinations;
	struct loop_defer dispatch; /* look at every destination */
	size_t connection_n;
	size_t opening_n;
	uint64_t last_session;
	uint32_t last_tag;
	size_t job_n;
	bool stopping;
	struct {
		uint64_t delivered, deferred, failed, duplicates, connections, tls, tls_failed;
	} counters;
};

static inline const struct config *send_config(const struct send *s)
{
	return role_config(s->role);
}

static inline struct view connection_host(const struct connection *c)
{
	return view_of(c->host, c->host_n);
}

/* ---- job.c ---- */

/* Take a job over; fd becomes -1 when taken.  An error is the queue's fault and ends the channel. */
MUST_USE enum err job_new(struct send *s, const struct transfer_job *m, int *fd, struct job **ret);
/* Without result, for a queue that no longer waits. */
void job_free(struct job *j);
/* Tell the result of one recipient.  host and tls may be empty. */
void job_result(struct job *j, struct job_rcpt *r, const struct verdict *v, struct view host,
		struct view tls);
/* The same for all that have none; the job ends and is freed. */
void job_end(struct job *j, const struct verdict *v, struct view host);
/* All have their result: tell the queue, free. */
void job_finished(struct job *j);
/* The body, mapped until job_body_close; ERR_CORRUPT when the descriptor is not what it should be. */
MUST_USE enum err job_body_open(struct job *j, struct view *ret);
void job_body_close(struct job *j);
/* Find out what the message needs from a server; once. */
void job_inspect(struct job *j, struct view body);
/* Plan how body is rewritten for a server without 8BITMIME; once.  ERR_UNSUPPORTED (seven_why), ERR_NOMEM. */
MUST_USE enum err job_plan_seven(struct job *j, struct view body);

/* ---- destination.c ---- */

/* Queue a job for a domain.  ERR_NOMEM. */
MUST_USE enum err destination_add(struct send *s, struct view domain, struct job *j);
/* The next job that waits; NULL if none. */
struct job *destination_pop(struct destination *d);
void destination_push_front(struct destination *d, struct job *j);
/* The step of the plan that c has tried came to nothing. */
void destination_step_failed(struct destination *d, const struct connection *c,
			     const struct verdict *v);
/* The first step from here on that has not failed; false when none is left, or the plan is another. */
bool destination_next_step(const struct destination *d, unsigned generation, size_t from,
			   size_t *ret);
/* No step is left for a connection that holds j (or NULL): it ends j, and all that wait when nothing works. */
void destination_exhausted(struct destination *d, struct job *j);
/* Look at all destinations at the end of the turn. */
void destination_dispatch(struct send *s);
/* Deferred work of send. */
void destination_run_all(void *ctx);
/* Forget every job: the queue has gone. */
void destination_drop_jobs(struct send *s);

/* ---- lookup.c ---- */

/* Ask what the plans want to know, as far as QUESTIONS_MAX allows. */
void lookup_ask(struct destination *d);
MUST_USE enum err lookup_answer(struct send *s, const struct resolve_answer *m);
/* resolve has gone: begin again later. */
void lookup_forget(struct send *s);

/* ---- connection.c ---- */

/* Begin to connect on behalf of j, which it takes over.  ERR_NOMEM, j is untouched then. */
MUST_USE enum err connection_new(struct destination *d, struct job *j);
/* Give up without a word to anyone; its job is left to the caller. */
void connection_free(struct connection *c);
/* An idle connection has work again. */
void connection_wake(struct connection *c);
/* Idle: QUIT. */
void connection_quit(struct connection *c);
/* Do whatever is due; c may be gone afterwards. */
void connection_turn(struct connection *c);
MUST_USE enum err connection_opened(struct send *s, const struct connect_opened *m, int *fd);
MUST_USE enum err connection_secured(struct send *s, const struct connect_secured *m, int *fd);
MUST_USE enum err connection_gone(struct send *s, const struct connect_gone *m);
/* front has gone: what was under way there comes to nothing. */
void connection_forget_front(struct send *s);

/* ---- dialogue.c ---- */

/* READY: begin the next message or turn idle; false when there is nothing to do. */
bool dialogue_ready(struct connection *c);
/* REPORT: pass outcomes on. */
void dialogue_report(struct connection *c);

/* ---- body.c ---- */

/* The body of the message that begins, as this server can take it: sets body and size of c->message.
 * ERR_UNSUPPORTED: it cannot (c->job->seven_why); ERR_NOMEM. */
MUST_USE enum err body_begin(struct connection *c, struct view body);
/* BODY: feed some; false when the stream must drain first. */
bool body_feed(struct connection *c);
/* Forget the pieces. */
void body_end(struct connection *c);

#endif
