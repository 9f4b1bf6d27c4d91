/*
 * roles/auth/exchange.c: SASL exchanges, each a row of the mechanisms' table in some step.
 *
 * An exchange ends with exactly one success or failure, or silently when its client cancels.  While a
 * password is being hashed the job owns what it needs: the exchange may end meanwhile.
 */
#include "auth.h"

#include <sodium.h>

#include "base/num.h"
#include "proto/sasl/plain.h"
#include "sys/clock.h"
#include "sys/log.h"

struct password_job;

struct exchange {
	struct auth *auth;
	unsigned client;
	uint32_t tag;
	uint64_t session;
	uint8_t service;
	const struct mechanism *mechanism;
	struct guard guard;
	struct buf peer_ip;
	struct buf name; /* as the client gave it, for the log and the account */
	bool asked; /* LOGIN: for the name; SCRAM: the challenge is out */
	bool has_account;
	struct directory_account account;
	struct buf exporter; /* channel bindings */
	struct buf end_point;
	struct scram *scram;
	struct password_job *job;
};

/* A password on its way through a thread.  Everything here is the job's own. */
struct password_job {
	struct pool_job job;
	struct auth *auth;
	struct exchange *exchange; /* NULL once the exchange has ended */
	bool exists;
	uint64_t account;
	struct verifiers verifiers;
	struct password_cost cost;
	struct buf password;
	enum err result;
	bool renewed; /* right, and fresh holds verifiers of today's cost */
	struct verifiers fresh;
};

struct mechanism {
	struct view name;
	bool plus;
	void (*start)(struct exchange *x, const struct authn_start *m);
	void (*step)(struct exchange *x, struct view response);
};

/* ---- the end of an exchange ---- */

static void exchange_free(struct exchange *x)
{
	if (x->job)
		x->job->exchange = NULL;
	if (x->scram) {
		scram_done(x->scram);
		free(x->scram);
	}
	buf_done(&x->peer_ip);
	buf_done(&x->name);
	buf_done(&x->exporter);
	buf_done(&x->end_point);
	free(x);
}

static struct view tag_key(const uint32_t *tag)
{
	return view_of(tag, sizeof(*tag));
}

static void exchange_end(struct exchange *x)
{
	(void)map_remove(&x->auth->exchanges[x->client], tag_key(&x->tag));
	exchange_free(x);
}

/* reason: for the log only; the client learns no more than kind. */
static void fail(struct exchange *x, enum authn_failure_kind kind, const char *reason)
{
	struct auth *a = x->auth;
	unsigned client = x->client;
	uint32_t tag = x->tag;

	a->count.failures++;
	LOG_NOTICE("auth.failed", "a log-in failed", LOG_ID("session", x->session),
		   LOG_IP("address", buf_view(&x->peer_ip)), LOG_VIEW("name", buf_view(&x->name)),
		   LOG_VIEW("mechanism", x->mechanism ? x->mechanism->name : VIEW_EMPTY),
		   LOG_STR("reason", reason));
	if (kind == AUTHN_BAD_CREDENTIALS)
		guard_failed(a, &x->guard);
	exchange_end(x);
	a->hooks->failure(a->ctx, client, tag, kind);
}

/* The password was right: may the account come in? */
static void succeed(struct exchange *x, bool cached, struct view final)
{
	struct auth *a = x->auth;
	uint8_t ticket[TICKET_LEN];
	struct authn_success m = {
		.tag = x->tag,
		.account = x->account.id,
		.name = view_str(x->account.address),
		.final = final,
	};
	struct directory_account account = x->account;
	unsigned client = x->client;

	if (x->account.state != ACCOUNT_ACTIVE) {
		fail(x, AUTHN_DISABLED, "the account is disabled");
		return;
	}
	if (client == AUTH_CLIENT_LOGIN) {
		if (ticket_issue(&a->tickets, account.id, x->session,
				 clock_mono_ms() + (int64_t)a->config->ticket_life, ticket)) {
			fail(x, AUTHN_TEMPORARY, "out of memory");
			return;
		}
		m.ticket = view_of(ticket, sizeof(ticket));
	}
	a->count.successes++;
	a->count.cached += cached;
	LOG_INFO("auth.success", "logged in", LOG_ID("session", x->session),
		 LOG_IP("address", buf_view(&x->peer_ip)), LOG_STR("name", account.address),
		 LOG_VIEW("mechanism", x->mechanism->name), LOG_UINT("service", x->service));
	guard_succeeded(a, &x->guard, account.id);
	m.name = view_str(account.address);
	exchange_end(x);
	a->hooks->success(a->ctx, client, &m);
	sodium_memzero(ticket, sizeof(ticket));
}

/* ---- names ---- */

/*
 * Where nobody has a name, an account that is there is looked at instead, and what was seen is forgotten: the
 * time must not tell who exists (tests/security/timing.py sees less than the row that is not read).
 */
static uint64_t looked_at(const struct exchange *x)
{
	return x->has_account ? x->account.id : x->auth->somebody;
}

/* Find the account that x->name means; false if the exchange was ended. */
static bool find_account(struct exchange *x)
{
	struct auth *a = x->auth;
	enum err err = buf_err(&x->name);

	if (!err)
		err = directory_account_find_even(a->d, buf_view(&x->name), a->somebody,
						  &x->account);
	if (!err)
		a->somebody = x->account.id;
	if (err && err != ERR_NOTFOUND) {
		fail(x, AUTHN_TEMPORARY, err_text(err));
		return false;
	}
	x->has_account = !err;
	if (guard_refuses(a, &x->guard, x->has_account ? x->account.id : 0)) {
		fail(x, AUTHN_BANNED, "the address is banned");
		return false;
	}
	return true;
}

/* ---- passwords: PLAIN and LOGIN ---- */

static void job_free(struct password_job *job)
{
	buf_wipe(&job->password);
	buf_done(&job->password);
	sodium_memzero(&job->verifiers, sizeof(job->verifiers));
	sodium_memzero(&job->fresh, sizeof(job->fresh));
	free(job);
}

/* In a thread. */
static void job_work(struct pool_job *base)
{
	struct password_job *job = (struct password_job *)base;

	job->result = password_verify(buf_view(&job->password),
				      job->exists ? &job->verifiers : NULL, &job->cost);
	if (!job->result && password_outdated(&job->verifiers, &job->cost))
		job->renewed = !password_derive(buf_view(&job->password), &job->cost, &job->fresh);
}

/* The verifiers against which it was checked are still the account's. */
static bool still_current(struct password_job *job, struct directory_account *account)
{
	struct verifiers now;
	bool same;

	if (directory_account_by_id(job->auth->d, job->account, account) ||
	    directory_verifiers(job->auth->d, job->account, &now))
		return false;
	same = now.has_argon2id && strcmp(now.argon2id, job->verifiers.argon2id) == 0;
	sodium_memzero(&now, sizeof(now));
	return same;
}

static void store_renewed(struct password_job *job)
{
	enum err err = directory_account_set_password(job->auth->d, job->account, &job->fresh,
						      clock_wall());

	if (err)
		LOG_WARNING("auth.rehash", "a password's new hash could not be stored",
			    LOG_ERR(err), LOG_UINT("account", job->account));
	else
		LOG_INFO("auth.rehash", "a password was hashed anew with today's parameters",
			 LOG_UINT("account", job->account));
}

static void conclude(struct password_job *job)
{
	struct auth *a = job->auth;
	struct exchange *x = job->exchange;

	x->job = NULL;
	if (job->result == ERR_CRYPTO) {
		fail(x, AUTHN_BAD_CREDENTIALS, job->exists ? "wrong password" : "no such account");
	} else if (job->result) {
		fail(x, AUTHN_TEMPORARY, err_text(job->result));
	} else if (!still_current(job, &x->account)) {
		fail(x, AUTHN_TEMPORARY, "the account changed meanwhile");
	} else {
		if (job->renewed)
			store_renewed(job);
		if (a->config->auth_cache > 0 && x->account.state == ACCOUNT_ACTIVE)
			verified_put(&a->verified, job->account, buf_view(&job->password),
				     clock_mono_ms() + (int64_t)a->config->auth_cache);
		succeed(x, false, VIEW_EMPTY);
	}
}

static void job_done(struct pool_job *base)
{
	struct password_job *job = (struct password_job *)base;

	job->auth->count.hashes++;
	if (job->exchange)
		conclude(job);
	job_free(job);
}

static struct password_job *job_new(struct exchange *x)
{
	struct password_job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->job = (struct pool_job){ .work = job_work, .done = job_done };
	job->auth = x->auth;
	job->cost = auth_cost(x->auth);
	buf_init(&job->password, PASSWORD_MAX);
	return job;
}

/* Fill the job with what it is to check; an account without a password is as good as none. */
static enum err job_fill(struct password_job *job, struct exchange *x, struct view password)
{
	enum err err = password_prepare(password, &job->password);

	if (!err)
		err = directory_verifiers(x->auth->d, looked_at(x), &job->verifiers);
	if (err || !x->has_account)
		return err;
	job->exists = job->verifiers.has_argon2id;
	job->account = x->account.id;
	return OK;
}

/* The last quarter of the queue is for those who are at home: guessers cannot fill it. */
static size_t queue_share(const struct exchange *x)
{
	size_t all = (size_t)x->auth->config->auth_hash_queue;
	bool known = x->guard.exempt ||
		     (x->has_account && guard_knows(x->auth, &x->guard, x->account.id));

	return known ? all : all - all / 4;
}

static void submit(struct exchange *x, struct password_job *job)
{
	struct auth *a = x->auth;

	if (pool_submit(a->pool, &job->job, queue_share(x))) {
		a->count.busy++;
		job_free(job);
		fail(x, AUTHN_BUSY, "too many log-ins at once");
		return;
	}
	job->exchange = x;
	x->job = job;
}

/* Check x->name with this password. */
static void check_password(struct exchange *x, struct view password)
{
	struct auth *a = x->auth;
	struct password_job *job;
	enum err err;

	if (!find_account(x))
		return;
	job = job_new(x);
	err = job ? job_fill(job, x, password) : ERR_NOMEM;
	if (err == ERR_SYNTAX || err == ERR_LIMIT) { /* nobody's password, as anybody can see */
		job_free(job);
		fail(x, AUTHN_BAD_CREDENTIALS, "no password could be so");
	} else if (err) {
		if (job)
			job_free(job);
		fail(x, AUTHN_TEMPORARY, err_text(err));
	} else if (job->exists && verified_has(&a->verified, job->account, buf_view(&job->password),
					       clock_mono_ms())) {
		job_free(job);
		succeed(x, true, VIEW_EMPTY);
	} else {
		submit(x, job);
	}
}

/* Acting for another is not offered: an authzid must be the name itself. */
static bool is_same_name(struct view a, struct view b)
{
	struct name one;
	struct name two;

	if (view_eq(a, b))
		return true;
	if (name_parse(a, &one) || name_parse(b, &two))
		return false;
	return view_eq(name_key(&one), name_key(&two)) &&
	       view_eq(address_domain(&one.address), address_domain(&two.address));
}

static void plain_message(struct exchange *x, struct view message)
{
	struct sasl_plain p;

	if (sasl_plain_parse(message, &p)) {
		fail(x, AUTHN_MALFORMED, "not a message of PLAIN");
		return;
	}
	buf_add(&x->name, p.authcid);
	if (p.authzid.n > 0 && !is_same_name(p.authzid, p.authcid))
		fail(x, AUTHN_BAD_CREDENTIALS, "asked to act for another account");
	else
		check_password(x, p.password);
}

static void challenge(struct exchange *x, struct view text)
{
	x->auth->hooks->challenge(x->auth->ctx, x->client, x->tag, text);
}

static void plain_start(struct exchange *x, const struct authn_start *m)
{
	if (m->has_initial)
		plain_message(x, m->initial);
	else
		challenge(x, VIEW_EMPTY);
}

static void login_name(struct exchange *x, struct view name)
{
	if (sasl_login_check(name, SASL_NAME_MAX)) {
		fail(x, AUTHN_MALFORMED, "not a name");
		return;
	}
	buf_add(&x->name, name);
	challenge(x, SASL_LOGIN_PASSWORD);
}

static void login_start(struct exchange *x, const struct authn_start *m)
{
	if (m->has_initial && m->initial.n > 0)
		login_name(x, m->initial);
	else
		challenge(x, SASL_LOGIN_NAME);
}

static void login_step(struct exchange *x, struct view response)
{
	if (x->name.n == 0)
		login_name(x, response);
	else if (sasl_login_check(response, SASL_PASSWORD_MAX))
		fail(x, AUTHN_MALFORMED, "not a password");
	else
		check_password(x, response);
}

/* ---- SCRAM ---- */

/* What a salt is made from must be the same for all spellings of a name, as an account's is. */
static void nobody_verifiers(const struct exchange *x, struct verifiers *ret)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(SASL_NAME_MAX + NAME_KEY_MAX);
	struct name name;

	if (name_parse(buf_view(&x->name), &name)) {
		buf_add(&text, buf_view(&x->name));
	} else {
		buf_add(&text, name_key(&name));
		buf_add_char(&text, '@');
		buf_add(&text, address_domain(&name.address));
	}
	scram_nobody(x->auth->secret, buf_view(&text), (uint32_t)x->auth->config->scram_iterations,
		     ret);
}

static void scram_answer(struct exchange *x)
{
	struct verifiers real = { 0 };
	struct verifiers none;
	struct view text;
	enum err err;

	nobody_verifiers(x, &none); /* always made, needed or not */
	err = directory_verifiers(x->auth->d, looked_at(x), &real);
	x->has_account = x->has_account && real.has_scram;
	if (!err)
		err = scram_challenge(x->scram, x->has_account ? &real : &none, &text);
	sodium_memzero(&real, sizeof(real));
	if (err) {
		fail(x, AUTHN_TEMPORARY, err_text(err));
		return;
	}
	x->asked = true;
	challenge(x, text);
}

static void scram_message(struct exchange *x, struct view message)
{
	const struct scram_bindings b = { buf_view(&x->exporter), buf_view(&x->end_point) };
	enum err err = scram_begin(x->scram, message, x->mechanism->plus, &b);

	buf_add(&x->name, buf_view(&x->scram->name));
	if (err == ERR_DENIED || err == ERR_UNSUPPORTED)
		fail(x, AUTHN_BAD_CREDENTIALS,
		     "the channel binding or the identity is not what it must be");
	else if (err)
		fail(x, AUTHN_MALFORMED, "not a message of SCRAM");
	else if (find_account(x))
		scram_answer(x);
}

static void scram_last(struct exchange *x, struct view message)
{
	struct buf CLEANUP(buf_done) final = BUF_INIT(AUTHN_SUCCESS_FINAL_MAX);
	enum err err = scram_finish(x->scram, message, &final);

	if (err == ERR_CRYPTO)
		fail(x, AUTHN_BAD_CREDENTIALS, x->has_account ? "wrong proof" : "no such account");
	else if (err)
		fail(x, AUTHN_MALFORMED, "not a message of SCRAM");
	else if (!x->has_account || directory_account_by_id(x->auth->d, x->account.id, &x->account))
		fail(x, AUTHN_TEMPORARY, "the account changed meanwhile");
	else
		succeed(x, false, buf_view(&final));
}

static void scram_start(struct exchange *x, const struct authn_start *m)
{
	x->scram = malloc(sizeof(*x->scram));
	if (!x->scram) {
		fail(x, AUTHN_TEMPORARY, "out of memory");
		return;
	}
	scram_init(x->scram);
	/* The client speaks first; one that did not use the initial response is asked to by nothing. */
	if (m->has_initial)
		scram_message(x, m->initial);
	else
		challenge(x, VIEW_EMPTY);
}

static void scram_step(struct exchange *x, struct view response)
{
	if (x->asked)
		scram_last(x, response);
	else
		scram_message(x, response);
}

/* ---- the table ---- */

static const struct mechanism mechanisms[] = {
	{ VIEW_INIT("PLAIN"), false, plain_start, plain_message },
	{ VIEW_INIT("LOGIN"), false, login_start, login_step },
	{ VIEW_INIT("SCRAM-SHA-256"), false, scram_start, scram_step },
	{ VIEW_INIT("SCRAM-SHA-256-PLUS"), true, scram_start, scram_step },
};

static const struct mechanism *mechanism_find(struct view name)
{
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++)
		if (view_eq_nocase(name, mechanisms[i].name))
			return &mechanisms[i];
	return NULL;
}

static struct exchange *exchange_new(struct auth *a, unsigned client, const struct authn_start *m)
{
	struct exchange *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->auth = a;
	x->client = client;
	x->tag = m->tag;
	x->session = m->session;
	x->service = m->service;
	x->guard = guard_of(a, m->peer_ip, m->loopback);
	buf_init(&x->peer_ip, AUTHN_START_PEER_IP_MAX);
	buf_init(&x->name, SASL_NAME_MAX);
	buf_init(&x->exporter, AUTHN_START_BINDING_EXPORTER_MAX);
	buf_init(&x->end_point, AUTHN_START_BINDING_END_POINT_MAX);
	buf_add(&x->peer_ip, m->peer_ip);
	buf_add(&x->exporter, m->binding_exporter);
	buf_add(&x->end_point, m->binding_end_point);
	if (buf_err(&x->peer_ip) || buf_err(&x->exporter) || buf_err(&x->end_point)) {
		exchange_free(x);
		return NULL;
	}
	return x;
}

enum err auth_start(struct auth *a, unsigned client, const struct authn_start *m)
{
	struct exchange *x;
	enum err err;

	if (map_get(&a->exchanges[client], tag_key(&m->tag)))
		return ERR_PEER;
	x = exchange_new(a, client, m);
	err = x ? map_put(&a->exchanges[client], tag_key(&m->tag), x) : ERR_NOMEM;
	if (err) {
		if (x)
			exchange_free(x);
		a->count.busy++;
		a->hooks->failure(a->ctx, client, m->tag, AUTHN_BUSY);
		return OK;
	}
	x->mechanism = mechanism_find(m->mechanism);
	if (!m->tls)
		fail(x, AUTHN_NEEDS_TLS, "no TLS");
	else if (!x->mechanism)
		fail(x, AUTHN_NO_MECHANISM, "unknown mechanism");
	else
		x->mechanism->start(x, m);
	return OK;
}

enum err auth_step(struct auth *a, unsigned client, const struct authn_step *m)
{
	struct exchange *x = map_get(&a->exchanges[client], tag_key(&m->tag));

	if (!x || x->job) /* nothing was asked */
		return ERR_PEER;
	x->mechanism->step(x, m->response);
	return OK;
}

enum err auth_cancel(struct auth *a, unsigned client, const struct authn_cancel *m)
{
	struct exchange *x = map_get(&a->exchanges[client], tag_key(&m->tag));

	if (x) /* else it has just ended */
		exchange_end(x);
	return OK;
}

void auth_client_gone(struct auth *a, unsigned client)
{
	struct map *map = &a->exchanges[client];
	struct view key;
	void *value;
	size_t at = 0;

	while (map_next(map, &at, &key, &value)) {
		exchange_end(value);
		at = 0; /* the map has changed */
	}
}
