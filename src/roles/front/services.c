/*
 * roles/front/services.c: the services that are offered, and the role behind each.
 */
#include "front.h"

/* Of these only imap is registered; clients and servers in the field say smtp. */
static const char *const alpn_smtp[] = { "smtp", "esmtp", NULL };
static const char *const alpn_imap[] = { "imap", NULL };

const struct service_row front_services[SERVICES] = {
	{ "smtp", SERVICE_SMTP, 0, false, false, alpn_smtp },
	{ "submission", SERVICE_SUBMISSION, 0, false, false, alpn_smtp },
	{ "submissions", SERVICE_SUBMISSIONS, 0, true, false, alpn_smtp },
	{ "imap", SERVICE_IMAP, 1, false, true, alpn_imap },
	{ "imaps", SERVICE_IMAPS, 1, true, true, alpn_imap },
};

const struct service_row *front_service(struct view name)
{
	for (size_t i = 0; i < SERVICES; i++)
		if (view_eq(name, view_str(front_services[i].name)))
			return &front_services[i];
	return NULL;
}

size_t front_service_index(const struct service_row *s)
{
	return (size_t)(s - front_services);
}
