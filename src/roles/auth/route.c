/*
 * roles/auth/route.c: what an address means here, with the answers remembered until the directory changes.
 */
#include "auth.h"
#include "sys/log.h"

struct route {
	struct lru_node node;
	enum lookup_status status;
	size_t n;
	struct directory_target at[];
};

static enum route_status status_of(enum lookup_status s)
{
	static const enum route_status table[] = {
		[LOOKUP_OK] = ROUTE_OK,
		[LOOKUP_UNKNOWN] = ROUTE_UNKNOWN,
		[LOOKUP_NOT_OURS] = ROUTE_NOT_OURS,
		[LOOKUP_DISABLED] = ROUTE_DISABLED,
		[LOOKUP_LOOP] = ROUTE_LOOP,
	};

	return table[s];
}

/* Forgetting to remember is no error. */
static void remember(struct auth *a, struct view address, const struct directory_targets *t)
{
	struct route *r;

	if (t->n > AUTH_ROUTE_TARGETS_MAX)
		return;
	r = calloc(1, sizeof(*r) + t->n * sizeof(r->at[0]));
	if (!r)
		return;
	r->status = t->status;
	r->n = t->n;
	if (t->n)
		memcpy(r->at, t->at, t->n * sizeof(r->at[0]));
	if (lru_add(&a->routes, &r->node, address))
		free(r);
}

enum route_status auth_targets(struct auth *a, struct view address, struct directory_targets *ret)
{
	const struct route *known = (struct route *)lru_get(&a->routes, address);
	struct lookup_rules rules = auth_lookup_rules(a);
	enum err err;

	a->count.lookups++;
	if (known) {
		a->count.lookup_hits++;
		ret->status = known->status;
		ret->n = known->n;
		if (known->n)
			memcpy(ret->at, known->at, known->n * sizeof(ret->at[0]));
		return status_of(ret->status);
	}
	err = directory_lookup(a->d, &rules, address, ret);
	if (err) {
		LOG_ERROR("auth.directory", "the directory cannot be read", LOG_ERR(err));
		ret->n = 0;
		return ROUTE_TEMPORARY;
	}
	remember(a, address, ret);
	return status_of(ret->status);
}

enum route_status auth_recipient(struct auth *a, struct view address)
{
	struct directory_targets *t = malloc(sizeof(*t));
	enum route_status status;

	if (!t)
		return ROUTE_TEMPORARY;
	status = auth_targets(a, address, t);
	free(t);
	return status;
}

/* Whoever gets the mail for an address may also send as it. */
static bool leads_to(const struct directory_targets *t, uint64_t account)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->at[i].account == account)
			return true;
	return false;
}

enum route_status auth_sender(struct auth *a, uint64_t account, struct view address)
{
	struct directory_targets *t;
	enum route_status status;

	if (address.n == 0)
		return ROUTE_OK;
	t = malloc(sizeof(*t));
	if (!t)
		return ROUTE_TEMPORARY;
	status = auth_targets(a, address, t);
	if (status == ROUTE_OK)
		status = account && leads_to(t, account) ? ROUTE_OK : ROUTE_NOT_OWNED;
	else if (status != ROUTE_TEMPORARY)
		status = ROUTE_NOT_OWNED;
	free(t);
	return status;
}
