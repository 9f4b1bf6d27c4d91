/*
 * roles/send/dialogue.c: what a connection says: messages and their outcomes.
 */
#include "send.h"

/* ---- messages ---- */

static void end_job(struct connection *c, const struct verdict *v)
{
	struct job *j = c->job;

	c->job = NULL;
	job_end(j, v, connection_host(c));
}

/* RFC 8689#4.2.1: a host that proved its name, found by a validated answer, inside TLS. */
static bool is_proven(const struct connection *c)
{
	return c->verified && c->destination->plan.secure &&
	       c->generation == c->destination->generation;
}

static bool fill_rcpts(struct connection *c)
{
	struct job *j = c->job;
	size_t n = 0;

	free(c->rcpts);
	c->rcpts = calloc(j->rcpt_n, sizeof(*c->rcpts));
	if (!c->rcpts)
		return false;
	for (size_t i = 0; i < j->rcpt_n; i++) {
		const struct job_rcpt *r = &j->rcpts[i];

		if (!r->done)
			c->rcpts[n++] = (struct smtp_client_rcpt){ .address = r->address,
								   .orcpt = r->orcpt,
								   .notify = r->notify };
	}
	c->message.rcpt = c->rcpts;
	c->message.rcpt_n = n;
	return true;
}

/* Nothing of it goes to this server. */
static void end_unfit(struct connection *c, enum err err)
{
	struct verdict v;

	if (err == ERR_UNSUPPORTED)
		verdict_ours(&v, TRANSFER_FAILED, "5.6.3",
			     VIEW_FMT
			     " takes only 7-bit messages, and this one cannot be converted: %s",
			     VIEW_ARG(connection_host(c)), c->job->seven_why);
	else
		verdict_ours(&v, TRANSFER_DEFERRED, "4.3.0", "the message cannot be read now");
	end_job(c, &v);
}

/* The job in hand becomes the message of the client; false when it ended at once. */
static bool begin_message(struct connection *c)
{
	struct job *j = c->job;
	const struct envelope *e = &j->envelope;
	struct verdict v;
	struct view body;
	enum err err;

	if (e->requiretls && !is_proven(c)) {
		verdict_ours(&v, TRANSFER_FAILED, "5.7.30",
			     "the sender requires TLS on the whole way, and " VIEW_FMT
			     " does not prove that it is the right server (TLS: " VIEW_FMT ")",
			     VIEW_ARG(connection_host(c)), (int)c->tls_n, c->tls);
		end_job(c, &v);
		return false;
	}
	err = job_body_open(j, &body);
	if (!err && !fill_rcpts(c))
		err = ERR_NOMEM;
	if (!err) {
		job_inspect(j, body);
		c->message = (struct smtp_client_message){
			.sender = e->sender,
			.smtputf8 = j->utf8_needed,
			.requiretls = e->requiretls,
			.ret = (enum smtp_ret)e->ret,
			.envid = e->envid,
			.rcpt = c->message.rcpt,
			.rcpt_n = c->message.rcpt_n,
		};
		err = body_begin(c, body);
	}
	if (err) {
		end_unfit(c, err);
		return false;
	}
	c->messages++;
	smtp_client_send(&c->client, &c->message);
	return true;
}

static bool is_worn(const struct connection *c)
{
	uint64_t max = c->client.caps.mail_max ? c->client.caps.mail_max : CONN_MESSAGES_MAX;

	return c->messages >= max || c->messages >= CONN_MESSAGES_MAX;
}

bool dialogue_ready(struct connection *c)
{
	struct destination *d = c->destination;

	c->ready = true;
	if (c->generation == d->generation)
		d->reached = true;
	if (is_worn(c)) {
		struct job *j = c->job;

		c->job = NULL;
		if (j)
			destination_push_front(d, j);
		smtp_client_quit(&c->client);
		destination_dispatch(d->send);
		return true;
	}
	for (;;) {
		if (!c->job && !d->send->stopping)
			c->job = destination_pop(d);
		if (!c->job)
			break;
		if (begin_message(c))
			return true;
	}
	if (d->send->stopping) {
		smtp_client_quit(&c->client);
		return true;
	}
	c->idle = true;
	return false;
}

/* ---- outcomes ---- */

static struct job_rcpt *rcpt_of(struct job *j, const struct smtp_client_rcpt *r)
{
	/* The client may have changed their order; the address is the same view. */
	for (size_t i = 0; i < j->rcpt_n; i++)
		if (!j->rcpts[i].done && j->rcpts[i].address.p == r->address.p)
			return &j->rcpts[i];
	return NULL;
}

/* The connection ended before the server said anything about this recipient. */
static bool is_lost(const struct connection *c, const struct smtp_outcome *o)
{
	if (o->kind != SMTP_OUT_TEMP || o->maybe_sent)
		return false;
	if (o->local)
		return true;
	/* 421 to the first command of a later message: the server is done with this connection. */
	return c->client.end == SMTP_END_SHUTDOWN && c->messages > 1 && o->stage == SMTP_STAGE_MAIL;
}

static void report_one(struct connection *c, const struct smtp_client_rcpt *r)
{
	const struct smtp_outcome *o = &r->outcome;
	struct job_rcpt *to = rcpt_of(c->job, r);
	struct verdict v;

	if (!to || o->kind == SMTP_OUT_UNTRIED || is_lost(c, o))
		return;
	if (o->maybe_sent) {
		c->destination->send->counters.duplicates++;
		verdict_ours(&v, TRANSFER_DEFERRED, "4.4.2",
			     VIEW_FMT " had the whole message and did not say whether it takes "
				      "it; it is sent again and may arrive twice",
			     VIEW_ARG(connection_host(c)));
	} else {
		verdict_of_outcome(&v, o, c->client.caps.dsn);
	}
	job_result(c->job, to, &v, connection_host(c), view_of(c->tls, c->tls_n));
}

void dialogue_report(struct connection *c)
{
	struct job *j = c->job;

	for (size_t i = 0; i < c->message.rcpt_n; i++)
		report_one(c, &c->message.rcpt[i]);
	smtp_client_reported(&c->client);
	body_end(c);
	if (j->left)
		return;
	c->job = NULL;
	job_finished(j);
}
