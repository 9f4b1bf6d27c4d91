/*
 * roles/resolve/resolve.h: what the files of the role share.
 *
 * main.c: life of the role, its channel.  question.c: a question from its arrival to its answer.
 * context.c: the settings of the resolver library.  answer.c: its result as the channel says it.
 */
#ifndef ROLES_RESOLVE_RESOLVE_H
#define ROLES_RESOLVE_RESOLVE_H

#include <unbound.h>

#include "base/buf.h"
#include "ipc/resolve.h"
#include "sys/loop.h"

enum {
	QUESTION_MS = 5000, /* dns_time: past it RESOLVE_TEMPORARY */
	TTL_MAX = 86400, /* what we tell about lifetimes at most, in seconds */
	ANSWER_DATA_MAX = 64 * 1024, /* no DNS message is longer, and decoding does not lengthen */
	DNS_PORT = 53,
	DNS_CLASS_IN = 1
};

struct question;

struct resolve {
	struct loop *loop;
	struct ub_ctx *unbound;
	struct loop_io io; /* the library has results */
	struct ipc_chan *chan; /* to send; NULL while there is none */
	struct question *questions;
	struct buf data; /* decoded records of one answer */
	uint64_t asked;
	uint64_t refused;
	uint64_t temporary;
	uint64_t timeouts;
	uint64_t bogus;
	size_t waiting;
};

/*
 * The library's context: asks the server named by endpoint ("HOST" or "HOST:PORT", an address), or with an
 * empty endpoint resolves from the root and validates with the trust anchor of the system, if it has
 * one.  All files are read here.  ERR_SYNTAX for the endpoint, ERR_NOMEM, ERR_IO with an event logged.
 */
MUST_USE enum err context_new(struct view endpoint, struct ub_ctx **ret);

/* A query of the channel.  It is answered once: now, or by the loop within QUESTION_MS. */
void question_ask(struct resolve *r, const struct resolve_query *m);
/* Forget all: nobody waits for the answers any more. */
void question_drop_all(struct resolve *r);

/*
 * Turn the library's result (NULL with error set where there is none) to question tag into an answer.  Views
 * are borrowed from data, whose maximum is ANSWER_DATA_MAX; records has room for RESOLVE_ANSWER_RECORDS_MAX.
 */
void answer_make(uint32_t tag, int error, const struct ub_result *result, struct buf *data,
		 struct resolve_answer_records *records, struct resolve_answer *ret);

#endif
