/*
 * roles/send/verdict.h: what became of a recipient or of an attempt, in words and numbers.
 *
 * Pure.  Text is printable ASCII and cut: it goes into bounces, logs and onto screens.
 */
#ifndef ROLES_SEND_VERDICT_H
#define ROLES_SEND_VERDICT_H

#include "ipc/types.h"
#include "proto/smtp/client.h"

enum { VERDICT_TEXT_MAX = 400, VERDICT_ENHANCED_MAX = 12 };

struct verdict {
	enum transfer_outcome outcome;
	uint16_t code; /* SMTP reply code; 0: nobody replied, text is our own words */
	char enhanced[VERDICT_ENHANCED_MAX]; /* "5.1.1" */
	char text[VERDICT_TEXT_MAX]; /* the reply with its code, or our own words */
	size_t text_n;
};

static inline struct view verdict_text(const struct verdict *v)
{
	return view_of(v->text, v->text_n);
}

/* Our own words.  enhanced is a literal such as "4.4.1". */
void verdict_ours(struct verdict *v, enum transfer_outcome outcome, const char *enhanced,
		  const char *format, ...) PRINTF_LIKE(4, 5);
/* What the dialogue gave a recipient; o->kind is not SMTP_OUT_UNTRIED and o is not a loss of the
 * connection (see verdict_of_end).  dsn: the server takes over reports of success. */
void verdict_of_outcome(struct verdict *v, const struct smtp_outcome *o, bool dsn);
/* How a connection to host ended before it was of use.  why: what front told, may be empty. */
void verdict_of_end(struct verdict *v, const struct smtp_client *c, struct view host,
		    struct view why);

#endif
