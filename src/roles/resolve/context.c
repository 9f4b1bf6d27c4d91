/*
 * roles/resolve/context.c: the settings of the resolver library, libunbound.
 */
#include <unistd.h>

#include "proto/dns/ip.h"
#include "resolve.h"
#include "sys/log.h"

enum { ENDPOINT_TEXT_MAX = 64 };

struct setting {
	const char *name;
	const char *value;
};

/* Bounds on what one question and the whole cache may cost. */
static const struct setting settings[] = {
	{ "msg-cache-size:", "16m" },
	{ "rrset-cache-size:", "32m" },
	{ "key-cache-size:", "4m" },
	{ "neg-cache-size:", "1m" },
	{ "cache-max-negative-ttl:", "300" }, /* a new MX is found soon */
	{ "outgoing-range:", "1024" },
	{ "num-queries-per-thread:", "1024" },
	{ "val-nsec3-keysize-iterations:", "1024 50 2048 50 4096 50" },
	{ "harden-dnssec-stripped:", "yes" },
	{ "harden-glue:", "yes" },
	{ "minimal-responses:", "yes" },
};

/*
 * With a server to ask: it decides what is local, so that private reverse zones and test. are asked for
 * like any other; and it goes on being asked when it was slow for a while, since there is no other.
 */
static const struct setting forward_settings[] = {
	{ "do-not-query-localhost:", "no" },
	{ "unblock-lan-zones:", "yes" },
	{ "infra-keep-probing:", "yes" },
};

/* What the library would answer itself even then. */
static const char *const not_ours[] = { "test.", "127.in-addr.arpa." };

static const char *const trust_anchors[] = {
	"/usr/share/dns/root.key",
	"/var/lib/unbound/root.key",
};

static enum err apply(struct ub_ctx *ub, const struct setting *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int e = ub_ctx_set_option(ub, list[i].name, list[i].value);

		if (e) {
			LOG_ERROR("resolve.option", "the resolver library refuses an option",
				  LOG_STR("option", list[i].name), LOG_STR("why", ub_strerror(e)));
			return ERR_IO;
		}
	}
	return OK;
}

/* The library writes ports as HOST@PORT. */
static enum err ask_server(struct ub_ctx *ub, struct view endpoint)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(ENDPOINT_TEXT_MAX);
	struct view host;
	struct dns_ip ip;
	uint16_t port;
	enum err err = dns_endpoint_parse(endpoint, DNS_PORT, &host, &port);

	if (!err)
		err = dns_ip_parse(host, &ip);
	if (err) {
		LOG_ERROR("resolve.resolver",
			  "option resolver must be an address, as 127.0.0.1 or [::1]:5300",
			  LOG_VIEW("resolver", endpoint));
		return ERR_SYNTAX;
	}
	buf_addf(&text, VIEW_FMT "@%u", VIEW_ARG(host), port);
	err = apply(ub, forward_settings, ARRAY_LEN(forward_settings));
	if (!err && ub_ctx_set_fwd(ub, buf_cstr(&text)))
		err = ERR_IO;
	for (size_t i = 0; i < ARRAY_LEN(not_ours) && !err; i++)
		err = ub_ctx_zone_remove(ub, not_ours[i]) ? ERR_IO : OK;
	return err;
}

static enum err ask_root(struct ub_ctx *ub)
{
	bool anchored = false;

	for (size_t i = 0; i < ARRAY_LEN(trust_anchors) && !anchored; i++)
		anchored = access(trust_anchors[i], R_OK) == 0 &&
			   !ub_ctx_add_ta_file(ub, trust_anchors[i]);
	if (!anchored)
		LOG_NOTICE("resolve.no_anchor",
			   "no trust anchor of the root was found (package dns-root-data): "
			   "answers are not validated");
	/* Changes nothing, but makes the library read the anchor now and not inside the sandbox. */
	return ub_ctx_zone_remove(ub, "posthold.invalid.") ? ERR_IO : OK;
}

enum err context_new(struct view endpoint, struct ub_ctx **ret)
{
	struct ub_ctx *ub = ub_ctx_create();
	enum err err;

	if (!ub)
		return ERR_NOMEM;
	err = apply(ub, settings, ARRAY_LEN(settings));
	if (!err)
		err = ub_ctx_async(ub, 1) ? ERR_IO : OK;
	if (!err)
		err = endpoint.n ? ask_server(ub, endpoint) : ask_root(ub);
	if (err) {
		ub_ctx_delete(ub);
		return err;
	}
	*ret = ub;
	return OK;
}
