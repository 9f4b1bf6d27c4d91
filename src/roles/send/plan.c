/*
 * roles/send/plan.c: see plan.h.
 */
#include "plan.h"

#include <idn2.h>

#include "proto/dns/mx.h"
#include "proto/dns/rdata.h"

static const uint16_t family_types[2] = { DNS_TYPE_AAAA, DNS_TYPE_A };

static void plan_fail(struct plan *p)
{
	p->state = PLAN_FAILED;
}

static void copy_text(char *room, size_t *ret_n, struct view text)
{
	*ret_n = size_min(text.n, PLAN_NAME_MAX);
	if (*ret_n)
		memcpy(room, text.p, *ret_n);
}

static void host_add(struct plan *p, struct view name)
{
	struct plan_host *h = &p->hosts[p->host_n++];

	copy_text(h->name, &h->name_n, name);
}

/* ---- the end: from hosts to steps ---- */

static bool is_allowed(const struct plan *p, const struct dns_ip *ip)
{
	return p->private_ok || dns_ip_classify(ip) == DNS_IP_PUBLIC;
}

/* Both families take turns, IPv6 first: one of them being out of order costs one attempt only. */
static void add_steps(struct plan *p, size_t host)
{
	const struct plan_host *h = &p->hosts[host];

	for (size_t i = 0; i < 2 * PLAN_HOST_IPS_MAX && p->step_n < PLAN_STEPS_MAX; i++) {
		size_t family = i % 2;
		const struct dns_ip *ip = &h->ips[family][i / 2];

		if (i / 2 < h->ip_n[family] && is_allowed(p, ip))
			p->steps[p->step_n++] = (struct plan_step){ host, *ip };
	}
}

/* Some address that is_allowed refused; NULL if there was none at all. */
static const struct dns_ip *refused_address(const struct plan *p)
{
	for (size_t i = 0; i < p->host_n; i++)
		for (size_t family = 0; family < 2; family++)
			if (p->hosts[i].ip_n[family])
				return &p->hosts[i].ips[family][0];
	return NULL;
}

static void fail_without_steps(struct plan *p)
{
	const struct dns_ip *ip = refused_address(p);
	struct view domain = plan_domain(p);
	char room[DNS_IP_TEXT_MAX];

	if (p->temporary)
		verdict_ours(&p->failure, TRANSFER_DEFERRED, "4.4.3",
			     "the addresses of the mail servers of " VIEW_FMT
			     " could not be looked up",
			     VIEW_ARG(domain));
	else if (!ip)
		verdict_ours(&p->failure, TRANSFER_FAILED, "5.4.4",
			     VIEW_FMT " has no mail server with an address", VIEW_ARG(domain));
	else if (dns_ip_classify(ip) == DNS_IP_LOOPBACK)
		verdict_ours(&p->failure, TRANSFER_FAILED, "5.4.6",
			     "mail for " VIEW_FMT " would come back here: its mail server is at "
			     "loopback address " VIEW_FMT,
			     VIEW_ARG(domain), VIEW_ARG(dns_ip_text(ip, room)));
	else
		verdict_ours(&p->failure, TRANSFER_FAILED, "5.4.4",
			     "the mail server of " VIEW_FMT " is at " VIEW_FMT
			     ", which is no public address",
			     VIEW_ARG(domain), VIEW_ARG(dns_ip_text(ip, room)));
	plan_fail(p);
}

static bool all_asked(const struct plan *p)
{
	if (!p->mx_asked || p->due)
		return false;
	for (size_t i = 0; i < p->host_n; i++)
		if (!p->hosts[i].asked[0] || !p->hosts[i].asked[1])
			return false;
	return true;
}

static void finish_if_complete(struct plan *p)
{
	if (p->state != PLAN_ASKING || !all_asked(p))
		return;
	for (size_t i = 0; i < p->host_n; i++)
		add_steps(p, i);
	if (p->step_n)
		p->state = PLAN_READY;
	else
		fail_without_steps(p);
}

/* ---- the beginning ---- */

static void begin(struct plan *p, struct view domain, const struct plan_options *options)
{
	char room[DNS_NAME_ROOM];
	struct view own;

	memset(p, 0, sizeof(*p));
	p->seed = options->seed;
	p->private_ok = options->private_ok;
	copy_text(p->domain, &p->domain_n, domain);
	if (!dns_name_normalize(options->own, room, &own))
		copy_text(p->own, &p->own_n, own);
}

/* A host that is its own address: nothing to ask. */
static void begin_at(struct plan *p, struct view name, const struct dns_ip *ip)
{
	struct plan_host *h = &p->hosts[0];
	size_t family = ip->n == 4;

	host_add(p, name);
	h->ips[family][0] = *ip;
	h->ip_n[family] = 1;
	h->asked[0] = h->asked[1] = true;
	p->mx_asked = true;
	finish_if_complete(p);
}

/* "[192.0.2.1]" or "[IPv6:2001:db8::1]"   RFC 5321#4.1.3 */
static bool literal_parse(struct view domain, struct dns_ip *ret)
{
	struct view inside = view_part(domain, 1, domain.n - 2);

	if (domain.n < 3 || view_at(domain, 0) != '[' || view_at(domain, domain.n - 1) != ']')
		return false;
	if (view_starts_nocase(inside, VIEW("IPv6:")))
		inside = view_from(inside, strlen("IPv6:"));
	return dns_ip_parse(inside, ret) == OK;
}

/* The name as the DNS has it: A-labels.   RFC 5891#5 */
static enum err to_ascii(struct view name, char room[DNS_NAME_ROOM], struct view *ret)
{
	char *text, *ascii = NULL;
	enum err err = dns_name_normalize(name, room, ret);

	if (err != ERR_SYNTAX)
		return err;
	text = view_to_cstr(name);
	if (!text)
		return ERR_SYNTAX;
	if (idn2_lookup_u8((const uint8_t *)text, (uint8_t **)&ascii,
			   IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) == IDN2_OK)
		err = dns_name_normalize(view_str(ascii), room, ret);
	free(text);
	idn2_free(ascii);
	return err;
}

void plan_init(struct plan *p, struct view domain, const struct plan_options *options)
{
	char room[DNS_NAME_ROOM];
	struct view name;
	struct dns_ip ip;

	begin(p, domain, options);
	if (literal_parse(domain, &ip)) {
		begin_at(p, domain, &ip);
	} else if (to_ascii(domain, room, &name)) {
		verdict_ours(&p->failure, TRANSFER_FAILED, "5.1.2", VIEW_FMT " is no domain name",
			     VIEW_ARG(domain));
		plan_fail(p);
	} else {
		copy_text(p->domain, &p->domain_n, name);
	}
}

void plan_init_host(struct plan *p, struct view host, const struct plan_options *options)
{
	char room[DNS_NAME_ROOM];
	struct view name;
	struct dns_ip ip;

	begin(p, host, options);
	p->private_ok = true;
	p->mx_asked = true;
	if (!dns_ip_parse(host, &ip)) {
		struct buf CLEANUP(buf_done) literal = BUF_INIT(PLAN_NAME_MAX);

		buf_addf(&literal, "[" VIEW_FMT "]", VIEW_ARG(host));
		begin_at(p, buf_view(&literal), &ip);
	} else if (to_ascii(host, room, &name)) {
		verdict_ours(&p->failure, TRANSFER_DEFERRED, "4.3.5",
			     "option smart_host is no name of a host");
		plan_fail(p);
	} else {
		host_add(p, name);
	}
}

/* ---- questions and answers ---- */

bool plan_question_next(struct plan *p, struct plan_question *ret)
{
	if (p->state != PLAN_ASKING)
		return false;
	if (!p->mx_asked) {
		p->mx_asked = true;
		p->due++;
		*ret = (struct plan_question){ DNS_TYPE_MX, 0, plan_domain(p) };
		return true;
	}
	for (size_t i = 0; i < p->host_n; i++) {
		for (size_t family = 0; family < 2; family++) {
			if (p->hosts[i].asked[family])
				continue;
			p->hosts[i].asked[family] = true;
			p->due++;
			*ret = (struct plan_question){ family_types[family], i,
						       plan_host_name(p, i) };
			return true;
		}
	}
	return false;
}

static void take_choice(struct plan *p, const struct dns_mx *mx, size_t n,
			enum dns_mx_choice choice)
{
	struct view domain = plan_domain(p);

	switch (choice) {
	case DNS_MX_HOSTS:
		for (size_t i = 0; i < n && p->host_n < PLAN_HOSTS_MAX; i++)
			host_add(p, mx[i].name);
		return;
	case DNS_MX_REFUSED:
		verdict_ours(&p->failure, TRANSFER_FAILED, "5.1.10",
			     VIEW_FMT " takes no mail (null MX)", VIEW_ARG(domain));
		break;
	case DNS_MX_SELF:
		verdict_ours(&p->failure, TRANSFER_FAILED, "5.4.6",
			     "mail for " VIEW_FMT " loops back to this server: it is the best "
			     "mail server of that domain, but does not know it",
			     VIEW_ARG(domain));
		break;
	case DNS_MX_NONE:
		verdict_ours(&p->failure, TRANSFER_FAILED, "5.4.4",
			     "the MX records of " VIEW_FMT " name no host", VIEW_ARG(domain));
	}
	plan_fail(p);
}

static void take_mx(struct plan *p, const struct resolve_answer *m)
{
	struct resolve_answer_records record;
	struct view raw = m->records_raw;
	struct dns_mx mx[DNS_MX_MAX];
	size_t n = 0;

	p->secure = m->secure;
	while (n < DNS_MX_MAX && resolve_answer_records_next(&raw, &record))
		mx[n++] = (struct dns_mx){ record.preference, record.data };

	enum dns_mx_choice choice = dns_mx_choose(mx, &n, view_of(p->own, p->own_n), p->seed);

	take_choice(p, mx, n, choice);
}

static void answer_mx(struct plan *p, const struct resolve_answer *m)
{
	struct view domain = plan_domain(p);

	switch (m->status) {
	case RESOLVE_OK: take_mx(p, m); break;
	case RESOLVE_NODATA:
		/* RFC 5321#5.1: the domain itself is its mail server. */
		p->secure = m->secure;
		host_add(p, domain);
		break;
	case RESOLVE_NXDOMAIN:
		verdict_ours(&p->failure, TRANSFER_FAILED, "5.1.2",
			     "the domain " VIEW_FMT " does not exist", VIEW_ARG(domain));
		plan_fail(p);
		break;
	default:
		verdict_ours(&p->failure, TRANSFER_DEFERRED, "4.4.3",
			     "the mail servers of " VIEW_FMT " could not be looked up",
			     VIEW_ARG(domain));
		plan_fail(p);
	}
}

static void answer_address(struct plan *p, const struct plan_question *q,
			   const struct resolve_answer *m)
{
	struct plan_host *h = &p->hosts[q->host];
	size_t family = q->type == DNS_TYPE_A;
	struct resolve_answer_records record;
	struct view raw = m->records_raw;

	if (m->status != RESOLVE_OK) {
		p->temporary |= m->status == RESOLVE_TEMPORARY;
		return;
	}
	while (h->ip_n[family] < PLAN_HOST_IPS_MAX && resolve_answer_records_next(&raw, &record))
		if (!dns_ip_from_octets(record.data, &h->ips[family][h->ip_n[family]]))
			h->ip_n[family]++;
}

void plan_answer(struct plan *p, const struct plan_question *q, const struct resolve_answer *m)
{
	if (p->state != PLAN_ASKING)
		return;
	p->due--;
	if (q->type == DNS_TYPE_MX)
		answer_mx(p, m);
	else
		answer_address(p, q, m);
	finish_if_complete(p);
}
