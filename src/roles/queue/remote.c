/*
 * roles/queue/remote.c: jobs for other servers: one message, one domain, some recipients.
 *
 * Domains take turns, and each has a bounded share of the jobs that send works on, so that one dead or
 * slow destination cannot hold up the others.  Whether a result is final send decides; when to try again
 * is decided here.
 *
 * Recipients of one message in one domain travel together (RFC 5321#4.5.4.1), TRANSFER_JOB_RECIPIENTS_MAX
 * in a job: none leaves before it is known where the others of its message lead.
 */
#include "base/ascii.h"
#include "roles/queue/queue.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/log.h"

enum { LOST_WAIT_MS = 2000 /* send was restarted: do not meet the same job at once */ };

static void run(void *ctx);

/* ---- domains ---- */

static struct view domain_of(struct view address)
{
	size_t at = view_rfind_char(address, '@');

	return at == VIEW_NONE ? VIEW_EMPTY : view_from(address, at + 1);
}

static struct domain *domain_get(struct queue *q, struct view name)
{
	char lower[256];
	struct view key = view_of(lower, size_min(name.n, sizeof(lower) - 1));
	struct domain *d;

	for (size_t i = 0; i < key.n; i++)
		lower[i] = (char)ascii_lower(view_at(name, i));
	d = map_get(&q->remotes.domains, key);
	if (d)
		return d;
	d = calloc(1, sizeof(*d));
	if (!d)
		return NULL;
	lower[key.n] = 0;
	d->name = strdup(lower);
	d->name_n = key.n;
	if (!d->name || map_put(&q->remotes.domains, key, d)) {
		free(d->name);
		free(d);
		return NULL;
	}
	return d;
}

static void domain_release(struct queue *q, struct domain *d)
{
	if (--d->used || d->ready)
		return;
	map_remove(&q->remotes.domains, view_of(d->name, d->name_n));
	free(d->name);
	free(d);
}

static void make_ready(struct queue *q, struct domain *d)
{
	struct remotes *s = &q->remotes;

	if (!d->ready && d->waiting.n && d->jobs < JOBS_DOMAIN_MAX) {
		d->ready = true;
		d->used++;
		d->ready_next = NULL;
		*s->ready_end = d;
		s->ready_end = &d->ready_next;
	}
	loop_defer_add(&s->run);
}

/* Its way is known, and that of its companions. */
static void enlist(struct queue *q, struct rcpt *r)
{
	struct domain *d = r->owner;

	rcpt_stage(r, STAGE_REMOTE);
	rcpt_list_push(&d->waiting, r);
	make_ready(q, d);
}

void remote_add(struct queue *q, struct rcpt *r, struct view address)
{
	struct domain *d;

	if (!domain_of(address).n) {
		outcome_set(q, r,
			    &(struct outcome){ .what = RCPT_FAILED,
					       .status = VIEW("5.1.3"),
					       .reply = VIEW("the address has no domain") });
		return;
	}
	d = domain_get(q, domain_of(address));
	if (!d) {
		outcome_again(q, r, 60000);
		return;
	}
	d->used++;
	rcpt_stage(r, STAGE_ROUTED);
	r->owner = d;
	r->message->lasting = true;
	if (!r->message->routing_n)
		enlist(q, r);
}

void remote_release(struct queue *q, struct message *m)
{
	for (uint32_t i = 0; i < message_rcpt_count(m) && m->routed_n; i++) {
		struct rcpt *r = message_rcpt(m, i);

		if (r->stage == STAGE_ROUTED)
			enlist(q, r);
	}
}

void remote_withdraw(struct queue *q, struct rcpt *r)
{
	if (r->stage == STAGE_REMOTE)
		rcpt_list_remove(&((struct domain *)r->owner)->waiting, r);
	if (r->stage != STAGE_SENDING) {
		domain_release(q, r->owner);
		return;
	}
	struct job *job = r->owner;

	for (uint32_t i = 0; i < job->n; i++)
		if (job->at[i] == r)
			job->at[i] = NULL;
}

/* ---- jobs ---- */

static struct job *job_new(struct queue *q)
{
	struct remotes *s = &q->remotes;

	for (uint32_t i = 0; i < JOBS_MAX; i++) {
		struct job *job = &s->jobs[i];

		if (job->id)
			continue;
		job->id = (uint64_t)++s->job_count << 16 | i;
		job->n = 0;
		s->jobs_n++;
		return job;
	}
	return NULL;
}

static struct job *job_find(struct queue *q, uint64_t id)
{
	struct job *job = &q->remotes.jobs[(id & 0xffff) % JOBS_MAX];

	return id && job->id == id ? job : NULL;
}

static void job_end(struct queue *q, struct job *job)
{
	struct domain *d = job->domain;

	job->id = 0;
	q->remotes.jobs_n--;
	d->jobs--;
	make_ready(q, d);
	domain_release(q, d);
}

/* Those of the first message that waits, also those that came behind others; their places in the
 * envelope of the job are those here. */
static void job_fill(struct queue *q, struct job *job, struct domain *d)
{
	struct message *m = rcpt_list_first(&d->waiting)->message;

	job->domain = d;
	job->message = m;
	d->used++;
	d->jobs++;
	for (uint32_t i = 0; i < message_rcpt_count(m) && job->n < ARRAY_LEN(job->at); i++) {
		struct rcpt *r = message_rcpt(m, i);

		if (r->stage != STAGE_REMOTE || r->owner != d)
			continue;
		rcpt_list_remove(&d->waiting, r);
		rcpt_stage(r, STAGE_SENDING);
		r->owner = job;
		job->at[job->n++] = r;
		domain_release(q, d);
	}
}

static enum err job_encode(struct queue *q, struct job *job, struct buf *out, uint32_t *ret_attempt)
{
	struct envelope_recipients items[TRANSFER_JOB_RECIPIENTS_MAX];
	struct opened *o;
	struct envelope e;
	enum err err = open_message(q, job->message, &o);

	*ret_attempt = 1;
	for (uint32_t i = 0; i < job->n && !err; i++) {
		err = open_rcpt(q, job->at[i], &items[i]);
		items[i].notify = job->at[i]->notify;
		if (job->at[i]->attempts + 1U > *ret_attempt)
			*ret_attempt = job->at[i]->attempts + 1U;
	}
	if (err)
		return err;
	e = o->envelope;
	e.recipients = items;
	e.recipients_count = job->n;
	envelope_encode(out, &e);
	return buf_err(out);
}

static enum err job_send(struct queue *q, struct job *job)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(RECORD_HEAD_MAX);
	struct transfer_job_recipients items[TRANSFER_JOB_RECIPIENTS_MAX];
	struct transfer_job m = { .job = job->id,
				  .domain = view_of(job->domain->name, job->domain->name_n),
				  .recipients = items,
				  .recipients_count = job->n };
	enum err err = job_encode(q, job, &text, &m.attempt);
	int fd = -1;

	if (err)
		return err;
	for (uint32_t i = 0; i < job->n; i++)
		items[i].index = i;
	m.envelope_n = (uint32_t)text.n;
	m.body_n = q->opened.body.n;
	if (text.n + q->opened.body.n <= TRANSFER_JOB_PAYLOAD_MAX) {
		buf_add(&text, q->opened.body);
		m.payload = buf_view(&text);
	} else {
		fd = open_sealed(buf_view(&text), q->opened.body);
		if (fd < 0)
			return ERR_BUSY;
	}
	return buf_err(&text) ? buf_err(&text) : transfer_send_job(q->remotes.chan, &m, fd);
}

/* Recipients without result go back; wait_ms until they are tried again. */
static void job_undo(struct queue *q, struct job *job, int64_t wait_ms)
{
	struct message *m = job->message;
	bool any = false;

	for (uint32_t i = 0; i < job->n; i++) {
		if (!job->at[i])
			continue;
		rcpt_stage(job->at[i], STAGE_IDLE);
		outcome_again(q, job->at[i], wait_ms);
		job->at[i] = NULL;
		any = true;
	}
	job_end(q, job);
	if (any)
		outcome_settle(q, m);
}

static struct domain *ready_pop(struct remotes *s)
{
	struct domain *d = s->ready;

	s->ready = d->ready_next;
	if (!s->ready)
		s->ready_end = &s->ready;
	d->ready = false;
	return d;
}

static void run(void *ctx)
{
	struct queue *q = ctx;
	struct remotes *s = &q->remotes;

	while (s->ready && s->chan && s->jobs_n < JOBS_MAX && !outcome_is_stopped(q) &&
	       !ipc_chan_full(s->chan) && !ipc_chan_is_closed(s->chan)) {
		struct domain *d = ready_pop(s);

		if (d->waiting.n && d->jobs < JOBS_DOMAIN_MAX) {
			struct job *job = job_new(q);
			enum err err;

			job_fill(q, job, d);
			err = job_send(q, job);
			if (err == ERR_CORRUPT || err == ERR_IO)
				job->message->held = true;
			if (err)
				job_undo(q, job, 60000);
			else
				make_ready(q, d);
		}
		domain_release(q, d);
	}
}

void remote_run(struct queue *q)
{
	loop_defer_add(&q->remotes.run);
}

/* ---- results ---- */

static enum err on_result(void *ctx, const struct transfer_result *m)
{
	static const uint8_t whats[] = {
		[TRANSFER_DELIVERED] = RCPT_SENT,
		[TRANSFER_DEFERRED] = RCPT_DEFERRED,
		[TRANSFER_FAILED] = RCPT_FAILED,
		[TRANSFER_RELAYED] = RCPT_RELAYED,
	};
	struct queue *q = ctx;
	struct job *job = job_find(q, m->job);
	struct rcpt *r;

	if (!job || m->index >= job->n || m->outcome >= ARRAY_LEN(whats) || !whats[m->outcome])
		return ERR_PEER;
	r = job->at[m->index];
	if (!r)
		return OK; /* withdrawn */
	job->at[m->index] = NULL;
	rcpt_stage(r, STAGE_IDLE);
	outcome_set(q, r,
		    &(struct outcome){ .what = whats[m->outcome],
				       .code = m->code,
				       .status = m->enhanced,
				       .reply = m->text,
				       .remote = m->remote });
	outcome_settle(q, r->message);
	return OK;
}

static enum err on_finished(void *ctx, const struct transfer_finished *m)
{
	struct queue *q = ctx;
	struct job *job = job_find(q, m->job);

	if (!job)
		return ERR_PEER;
	job_undo(q, job, (int64_t)q->config->retry_first);
	return OK;
}

static const struct transfer_client_ops ops = { .result = on_result, .finished = on_finished };

static enum err on_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	return transfer_client_dispatch(&ops, ctx, type, body, fd);
}

/* Some of these may have been sent without our knowing: possible duplicates (THREATS.md 4, clause 4). */
static void forget_channel(struct queue *q)
{
	struct remotes *s = &q->remotes;

	ipc_chan_free(s->chan);
	s->chan = NULL;
	for (uint32_t i = 0; i < JOBS_MAX; i++) {
		struct job *job = &s->jobs[i];

		if (!job->id)
			continue;
		for (uint32_t k = 0; k < job->n; k++)
			q->figures.duplicates_possible += job->at[k] != NULL;
		job_undo(q, job, LOST_WAIT_MS);
	}
}

static void on_closed(void *ctx, enum err why)
{
	if (why != ERR_EOF)
		LOG_ERROR("queue.peer", "send broke the rules of its channel", LOG_ERR(why));
	forget_channel(ctx);
}

static void on_drained(void *ctx)
{
	remote_run(ctx);
}

static const struct ipc_ops chan_ops = { on_message, on_closed, on_drained };

enum err remote_attach(struct queue *q, int fd)
{
	enum err err;

	forget_channel(q);
	err = ipc_chan_new(q->loop, fd, &transfer_channel, IPC_CLIENT, &chan_ops, q,
			   &q->remotes.chan);
	if (!err)
		remote_run(q);
	return err;
}

void remote_init(struct queue *q)
{
	struct remotes *s = &q->remotes;
	uint8_t secret[16];

	random_bytes(secret, sizeof(secret));
	map_init(&s->domains, DOMAINS_MAX, secret);
	s->ready_end = &s->ready;
	loop_defer_init(&s->run, q->loop, run, q);
}

void remote_done(struct queue *q)
{
	struct remotes *s = &q->remotes;
	size_t at = 0;
	struct view key;
	void *value;

	ipc_chan_free(s->chan);
	s->chan = NULL;
	loop_defer_done(&s->run);
	while (map_next(&s->domains, &at, &key, &value)) {
		struct domain *d = value;

		free(d->name);
		free(d);
	}
	map_done(&s->domains);
	free(s->jobs);
	s->jobs = NULL;
}
