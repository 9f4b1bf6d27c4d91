/*
 * proto/smtp/envelope.c: storage of an envelope.
 */
#include "proto/smtp/envelope.h"

void smtp_envelope_init(struct smtp_envelope *e, size_t rcpt_max)
{
	*e = (struct smtp_envelope){ 0 };
	arena_init(&e->arena, SMTP_ENVELOPE_MEM);
	e->rcpt.max = size_min(rcpt_max, SMTP_RCPT_MAX);
}

void smtp_envelope_done(struct smtp_envelope *e)
{
	arena_done(&e->arena);
	VEC_DONE(&e->rcpt);
}

void smtp_envelope_clear(struct smtp_envelope *e)
{
	size_t rcpt_max = e->rcpt.max;

	/* Nothing is kept for the next transaction: an idle session should be small. */
	smtp_envelope_done(e);
	smtp_envelope_init(e, rcpt_max);
}
