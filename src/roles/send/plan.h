/*
 * roles/send/plan.h: where mail for a domain goes: from DNS answers to an ordered list of addresses.
 *
 * Pure: it says which questions it has, is told the answers, and ends in READY or FAILED.  Nothing here
 * asks, connects or knows the time.  RFC 5321#5.1, RFC 7505; bounded so that no domain makes us ask
 * more than 1 + 2 * PLAN_HOSTS_MAX questions (dns_questions).
 */
#ifndef ROLES_SEND_PLAN_H
#define ROLES_SEND_PLAN_H

#include "ipc/resolve.h"
#include "proto/dns/ip.h"
#include "proto/dns/name.h"
#include "verdict.h"

enum {
	PLAN_HOSTS_MAX = 16, /* best exchangers that are looked at */
	PLAN_HOST_IPS_MAX = 4, /* addresses of a family of one of them */
	PLAN_STEPS_MAX = 32, /* addresses that are tried in all */
	PLAN_NAME_MAX = 256
};

enum plan_state { PLAN_ASKING, PLAN_READY, PLAN_FAILED };

/* Index: 0 IPv6, 1 IPv4. */
struct plan_host {
	char name[PLAN_NAME_MAX]; /* or "[192.0.2.1]" */
	size_t name_n;
	struct dns_ip ips[2][PLAN_HOST_IPS_MAX];
	size_t ip_n[2];
	bool asked[2];
};

/* One address to try. */
struct plan_step {
	size_t host;
	struct dns_ip ip;
};

struct plan {
	enum plan_state state;
	char domain[PLAN_NAME_MAX]; /* as people know it */
	size_t domain_n;
	char own[PLAN_NAME_MAX]; /* our name */
	size_t own_n;
	uint64_t seed; /* for the order of equals */
	bool private_ok; /* private and loopback addresses may be tried */
	bool mx_asked;
	bool secure; /* the MX answer was validated */
	bool temporary; /* some answer was missing */
	size_t due; /* questions asked and not answered */
	struct plan_host hosts[PLAN_HOSTS_MAX];
	size_t host_n;
	struct plan_step steps[PLAN_STEPS_MAX];
	size_t step_n;
	struct verdict failure; /* in FAILED */
};

/* Which question an answer belongs to. */
struct plan_question {
	uint16_t type;
	size_t host; /* A, AAAA: place in hosts */
	struct view name; /* borrowed from the plan */
};

struct plan_options {
	struct view own; /* config hostname */
	uint64_t seed;
	bool private_ok;
};

static inline struct view plan_domain(const struct plan *p)
{
	return view_of(p->domain, p->domain_n);
}

static inline struct view plan_host_name(const struct plan *p, size_t host)
{
	return view_of(p->hosts[host].name, p->hosts[host].name_n);
}

/* Begin for a mail domain: a name, in any script, or an address literal. */
void plan_init(struct plan *p, struct view domain, const struct plan_options *options);
/* Begin for a host that the administrator named: no MX, any address allowed. */
void plan_init_host(struct plan *p, struct view host, const struct plan_options *options);
/* The next question; false when there is none (now).  It counts as asked. */
bool plan_question_next(struct plan *p, struct plan_question *ret);
/* The answer to q; m->records_raw as decoded.  Moves to READY or FAILED with the last one. */
void plan_answer(struct plan *p, const struct plan_question *q, const struct resolve_answer *m);

#endif
