/*
 * roles/send/destination.c: one domain, or the smart host: its jobs that wait, its connections.
 *
 * A destination opens as many connections as it has jobs, up to send_dest_conns, and all together up
 * to send_conns; connections that are done with a job take the next.  A step of the plan (an address)
 * that came to nothing is left out by the connections that follow; when all are, the jobs are deferred.
 */
#include "send.h"

#include "base/ascii.h"
#include "sys/clock.h"
#include "sys/file.h"

enum { DEFAULT_PORT = 25 };

static struct view key_of(const struct destination *d)
{
	return view_of(d->key, d->key_n);
}

static bool has_smart_host(const struct send *s)
{
	const char *host = send_config(s)->smart_host;

	return host && *host;
}

/* ---- life ---- */

static struct destination *destination_new(struct send *s, struct view key)
{
	struct destination *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->send = s;
	d->jobs_end = &d->jobs;
	d->key_n = key.n;
	for (size_t i = 0; i < key.n; i++)
		d->key[i] = (char)ascii_lower(view_at(key, i));
	if (map_put(&s->by_key, key_of(d), d)) {
		free(d);
		return NULL;
	}
	d->next = s->destinations;
	d->before = &s->destinations;
	if (d->next)
		d->next->before = &d->next;
	s->destinations = d;
	return d;
}

static void destination_free(struct destination *d)
{
	ASSERT(!d->jobs && !d->connections && !d->questions);
	*d->before = d->next;
	if (d->next)
		d->next->before = d->before;
	map_remove(&d->send->by_key, key_of(d));
	free(d);
}

static struct destination *destination_get(struct send *s, struct view domain)
{
	char lower[PLAN_NAME_MAX];
	/* One for all mail, by a name that no domain has. */
	struct view key = has_smart_host(s) ? VIEW("smart host") : domain;
	struct destination *d;

	key.n = size_min(key.n, sizeof(lower));
	for (size_t i = 0; i < key.n; i++)
		lower[i] = (char)ascii_lower(view_at(key, i));
	key = view_of(lower, key.n);
	d = map_get(&s->by_key, key);
	return d ? d : destination_new(s, key);
}

/* ---- jobs ---- */

enum err destination_add(struct send *s, struct view domain, struct job *j)
{
	struct destination *d = destination_get(s, domain);

	if (!d)
		return ERR_NOMEM;
	j->next = NULL;
	*d->jobs_end = j;
	d->jobs_end = &j->next;
	d->job_n++;
	destination_dispatch(s);
	return OK;
}

struct job *destination_pop(struct destination *d)
{
	struct job *j = d->jobs;

	if (!j)
		return NULL;
	d->jobs = j->next;
	if (!d->jobs)
		d->jobs_end = &d->jobs;
	d->job_n--;
	j->next = NULL;
	return j;
}

void destination_push_front(struct destination *d, struct job *j)
{
	j->next = d->jobs;
	d->jobs = j;
	if (!j->next)
		d->jobs_end = &j->next;
	d->job_n++;
	destination_dispatch(d->send);
}

static void end_waiting(struct destination *d, const struct verdict *v, struct view host)
{
	struct job *j;

	while ((j = destination_pop(d)))
		job_end(j, v, host);
}

void destination_drop_jobs(struct send *s)
{
	struct destination *next;

	for (struct destination *d = s->destinations; d; d = next) {
		struct connection *c_next;
		struct job *j;

		next = d->next;
		while ((j = destination_pop(d)))
			job_free(j);
		for (struct connection *c = d->connections; c; c = c_next) {
			c_next = c->next;
			j = c->job;
			if (!j)
				continue;
			connection_free(c);
			job_free(j);
		}
	}
	destination_dispatch(s);
}

/* ---- failures ---- */

void destination_step_failed(struct destination *d, const struct connection *c,
			     const struct verdict *v)
{
	struct view host = connection_host(c);

	if (c->generation == d->generation)
		d->failed |= (uint32_t)1 << c->step;
	/* A failure that may pass says more about the whole than one that is final. */
	if (d->has_failure && d->failure.outcome == TRANSFER_DEFERRED &&
	    v->outcome != TRANSFER_DEFERRED)
		return;
	d->has_failure = true;
	d->failure = *v;
	d->failure_host_n = host.n;
	memcpy(d->failure_host, host.p, host.n);
}

bool destination_next_step(const struct destination *d, unsigned generation, size_t from,
			   size_t *ret)
{
	if (generation != d->generation || d->plan.state != PLAN_READY)
		return false;
	for (size_t i = from; i < d->plan.step_n; i++) {
		if (d->failed & (uint32_t)1 << i)
			continue;
		*ret = i;
		return true;
	}
	return false;
}

void destination_exhausted(struct destination *d, struct job *j)
{
	struct view host = view_of(d->failure_host, d->has_failure ? d->failure_host_n : 0);

	if (!d->has_failure)
		verdict_ours(&d->failure, TRANSFER_DEFERRED, "4.4.1",
			     "no mail server of " VIEW_FMT " can be reached now",
			     VIEW_ARG(key_of(d)));
	/* Some mail server could not even be looked up: it may take what the others refuse. */
	if (d->plan.temporary)
		d->failure.outcome = TRANSFER_DEFERRED;
	if (j)
		job_end(j, &d->failure, host);
	if (!d->reached)
		end_waiting(d, &d->failure, host);
	d->has_failure = false;
	d->failed = 0;
	d->planned = false;
	destination_dispatch(d->send);
}

/* ---- dispatch ---- */

static void begin_plan(struct destination *d)
{
	struct send *s = d->send;
	const struct config *config = send_config(s);
	struct plan_options options = { view_str(config->hostname), random_u64(),
					config->send_private };
	struct view host = VIEW_EMPTY;
	uint16_t port;

	d->planned = true;
	d->generation++;
	d->planned_ms = clock_mono_ms();
	d->failed = 0;
	d->reached = false;
	d->has_failure = false;
	if (!has_smart_host(s)) {
		plan_init(&d->plan, key_of(d), &options);
		return;
	}
	if (dns_endpoint_parse(view_str(config->smart_host), DEFAULT_PORT, &host, &port))
		host = VIEW_EMPTY; /* the plan says what is wrong */
	plan_init_host(&d->plan, host, &options);
}

static bool may_open(const struct destination *d)
{
	const struct send *s = d->send;
	const struct config *config = send_config(s);

	return s->connect && d->connection_n < config->send_dest_conns &&
	       s->connection_n < config->send_conns && s->opening_n < OPENING_MAX;
}

/* Room for others: at the limit of all connections those that only wait for work end. */
static void end_idle(struct send *s)
{
	for (struct destination *d = s->destinations; d; d = d->next)
		for (struct connection *c = d->connections; c; c = c->next)
			if (c->idle && !d->jobs) {
				connection_quit(c);
				return;
			}
}

static struct connection *idle_connection(struct destination *d)
{
	for (struct connection *c = d->connections; c; c = c->next)
		if (c->idle)
			return c;
	return NULL;
}

static void hand_out(struct destination *d)
{
	struct send *s = d->send;

	while (d->jobs) {
		struct connection *c = idle_connection(d);
		struct job *j;

		if (c) {
			connection_wake(c);
			continue;
		}
		if (!may_open(d)) {
			if (s->connection_n >= send_config(s)->send_conns)
				end_idle(s);
			return;
		}
		j = destination_pop(d);
		if (connection_new(d, j)) {
			struct verdict v;

			verdict_ours(&v, TRANSFER_DEFERRED, "4.3.0", "out of memory");
			job_end(j, &v, VIEW_EMPTY);
		}
	}
}

static void run(struct destination *d)
{
	bool old = clock_mono_ms() - d->planned_ms >= PLAN_LIFE_MS;

	if (!d->jobs)
		return;
	if (!d->planned || (old && !d->questions && d->plan.state != PLAN_ASKING))
		begin_plan(d);
	lookup_ask(d);
	switch (d->plan.state) {
	case PLAN_ASKING: break;
	case PLAN_READY: hand_out(d); break;
	case PLAN_FAILED: end_waiting(d, &d->plan.failure, VIEW_EMPTY); d->planned = false;
	}
}

void destination_run_all(void *ctx)
{
	struct send *s = ctx;
	struct destination *next;

	for (struct destination *d = s->destinations; d; d = next) {
		if (!s->stopping)
			run(d);
		next = d->next;
		if (!d->jobs && !d->connections && !d->questions)
			destination_free(d);
	}
	if (s->stopping && !s->connection_n)
		role_exit(s->role, 0);
}

void destination_dispatch(struct send *s)
{
	loop_defer_add(&s->dispatch);
}
