/*
 * proto/sasl/plain.c: see plain.h.
 */
#include "proto/sasl/plain.h"

enum err sasl_login_check(struct view answer, size_t max)
{
	if (answer.n > max)
		return ERR_LIMIT;
	if (answer.n == 0 || view_has(answer, 0))
		return ERR_SYNTAX;
	return OK;
}

enum err sasl_plain_parse(struct view message, struct sasl_plain *ret)
{
	struct sasl_plain p;
	struct view rest;
	enum err err;

	rest = view_cut(message, 0, &p.authzid);
	if (!rest.p)
		return ERR_SYNTAX;
	rest = view_cut(rest, 0, &p.authcid);
	if (!rest.p)
		return ERR_SYNTAX;
	p.password = rest;
	if (p.authzid.n > SASL_NAME_MAX)
		return ERR_LIMIT;
	err = sasl_login_check(p.authcid, SASL_NAME_MAX);
	if (!err) /* refuses a third NUL too */
		err = sasl_login_check(p.password, SASL_PASSWORD_MAX);
	if (!err)
		*ret = p;
	return err;
}
