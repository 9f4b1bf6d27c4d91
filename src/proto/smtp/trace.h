/*
 * proto/smtp/trace.h: builds Received and Return-Path.
 *
 * Writers of structured fields: no octet of a value can end a line or leave its place (THREATS 2.8).  Names that
 * the client chose are cut and cleaned.   RFC 5321#4.4, RFC 3848, RFC 6531#4.3
 */
#ifndef PROTO_SMTP_TRACE_H
#define PROTO_SMTP_TRACE_H

#include "base/buf.h"

enum { SMTP_TRACE_MAX = 2048 }; /* octets of a Received field at most */

struct smtp_trace {
	struct view hello; /* EHLO name, unchecked */
	struct view address; /* client address; empty: leave the client out */
	struct view name; /* verified reverse name; empty: unknown */
	struct view hostname; /* ours */
	struct view id;
	struct view recipient; /* "for" clause, only for a single recipient; empty: none */
	struct view tls_text;
	bool lmtp;
	bool extended; /* EHLO */
	bool tls;
	bool authenticated;
	bool smtputf8;
	int64_t wall_s;
	int zone_min;
};

/* Append the whole field with CRLF; lines are folded below 78 octets where the values allow. */
void smtp_trace_received(struct buf *out, const struct smtp_trace *t);
/* "Return-Path: <sender>" CRLF.  ERR_SYNTAX, and nothing appended, when sender has control characters, or brackets. */
MUST_USE enum err smtp_trace_return_path(struct buf *out, struct view sender);
/* "ESMTPSA", "LMTPS", "UTF8SMTPSA" ...   RFC 3848, RFC 6531#4.3.  Static. */
const char *smtp_trace_protocol(const struct smtp_trace *t);

#endif
