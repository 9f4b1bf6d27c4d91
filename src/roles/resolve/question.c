/*
 * roles/resolve/question.c: a question from its arrival to its answer.
 *
 * Invariant: a question is in the list exactly as long as the library or its timer may still name it.
 */
#include "ipc/types.h"
#include "proto/dns/name.h"
#include "resolve.h"
#include "sys/log.h"

struct question {
	struct question *next, **before;
	struct resolve *resolve;
	struct loop_timer timer;
	uint32_t tag;
	int async_id;
};

static void question_free(struct question *q)
{
	*q->before = q->next;
	if (q->next)
		q->next->before = q->before;
	q->resolve->waiting--;
	loop_timer_done(&q->timer);
	free(q);
}

static void send_answer(struct resolve *r, const struct resolve_answer *m)
{
	if (m->status == RESOLVE_TEMPORARY)
		r->temporary++;
	/* When the channel has ended its owner hears of that elsewhere. */
	if (r->chan && resolve_send_answer(r->chan, m))
		LOG_DEBUG("resolve.unanswered", "the asker has gone");
}

static void send_status(struct resolve *r, uint32_t tag, enum resolve_status status)
{
	send_answer(r, &(struct resolve_answer){ .tag = tag, .status = (uint8_t)status });
}

/* Called by the library inside ub_process. */
static void on_result(void *ctx, int error, struct ub_result *result)
{
	struct question *q = ctx;
	struct resolve *r = q->resolve;
	struct resolve_answer_records records[RESOLVE_ANSWER_RECORDS_MAX];
	struct resolve_answer answer;

	answer_make(q->tag, error, result, &r->data, records, &answer);
	if (result && result->bogus) {
		r->bogus++;
		LOG_NOTICE("resolve.bogus", "an answer fails DNSSEC validation",
			   LOG_STR("name", result->qname), LOG_INT("type", result->qtype),
			   LOG_STR("why", result->why_bogus));
	}
	send_answer(r, &answer);
	ub_resolve_free(result);
	question_free(q);
}

static void on_timeout(void *ctx)
{
	struct question *q = ctx;
	struct resolve *r = q->resolve;

	(void)ub_cancel(r->unbound, q->async_id);
	r->timeouts++;
	send_status(r, q->tag, RESOLVE_TEMPORARY);
	question_free(q);
}

static struct question *question_new(struct resolve *r, uint32_t tag)
{
	struct question *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->resolve = r;
	q->tag = tag;
	q->next = r->questions;
	q->before = &r->questions;
	if (q->next)
		q->next->before = &q->next;
	r->questions = q;
	r->waiting++;
	loop_timer_init(&q->timer, r->loop, on_timeout, q);
	return q;
}

void question_ask(struct resolve *r, const struct resolve_query *m)
{
	char room[DNS_NAME_ROOM];
	struct view name;
	struct question *q;

	r->asked++;
	if (dns_name_normalize(m->name, room, &name)) {
		/* No such name can exist; it never leaves this process. */
		r->refused++;
		send_status(r, m->tag, RESOLVE_NXDOMAIN);
		return;
	}
	room[name.n] = '\0';
	q = question_new(r, m->tag);
	if (!q ||
	    ub_resolve_async(r->unbound, room, m->type, DNS_CLASS_IN, q, on_result, &q->async_id)) {
		send_status(r, m->tag, RESOLVE_TEMPORARY);
		if (q)
			question_free(q);
		return;
	}
	loop_timer_set(&q->timer, QUESTION_MS);
}

void question_drop_all(struct resolve *r)
{
	while (r->questions) {
		(void)ub_cancel(r->unbound, r->questions->async_id);
		question_free(r->questions);
	}
}
