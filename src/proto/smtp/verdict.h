/*
 * proto/smtp/verdict.h: every answer of the server, in one table.
 *
 * A verdict is a row: reply code, enhanced status code (RFC 3463, RFC 5248) and a text for people.  Texts
 * never repeat what the client sent.  Whoever decides (role, policy, scan) names a verdict and may replace
 * its text by one of its own, which is cut to printable ASCII.
 */
#ifndef PROTO_SMTP_VERDICT_H
#define PROTO_SMTP_VERDICT_H

#include "base/buf.h"

enum {
	SMTP_REPLY_TEXT_MAX = 400
}; /* octets of text on one reply line; RFC 5321#4.5.3.1.5 allows 512 */

enum smtp_verdict {
	/* Answers to the role's decisions. */
	SMTP_V_OK,
	SMTP_V_SENDER_OK,
	SMTP_V_RCPT_OK,
	SMTP_V_ACCEPTED, /* after the final dot; the queue id follows the text */
	SMTP_V_TEMP, /* 451: something of ours does not work now */
	SMTP_V_BUSY, /* 451: overload */
	SMTP_V_STORAGE, /* 452: below the disk reserve */
	SMTP_V_RCPT_UNKNOWN,
	SMTP_V_RCPT_DISABLED,
	SMTP_V_RCPT_FULL,
	SMTP_V_RCPT_TEMP,
	SMTP_V_RCPT_DENIED, /* known, but not for this sender */
	SMTP_V_RCPT_RATE,
	SMTP_V_RELAY_DENIED,
	SMTP_V_DOMAIN_NO_MAIL,
	SMTP_V_GREYLISTED,
	SMTP_V_SENDER_NOT_OWNED,
	SMTP_V_SENDER_NO_DOMAIN,
	SMTP_V_SENDER_DENIED,
	SMTP_V_SENDER_TEMP,
	SMTP_V_CLIENT_DENIED,
	SMTP_V_POLICY,
	SMTP_V_SPAM,
	SMTP_V_VIRUS,
	SMTP_V_DMARC,
	SMTP_V_TOO_BIG,
	SMTP_V_CONTENT, /* 554 5.6.0 */
	SMTP_V_LOOP,
	SMTP_V_AUTH_OK,
	SMTP_V_AUTH_FAILED,
	SMTP_V_AUTH_TEMP,
	SMTP_V_AUTH_THROTTLED,
	SMTP_V_AUTH_MECHANISM,
	SMTP_V_AUTH_EXPIRED,
	SMTP_V_ROLE_COUNT, /* rows below are the session's own */

	SMTP_V_FLUSHED = SMTP_V_ROLE_COUNT,
	SMTP_V_NOOP,
	SMTP_V_VRFY,
	SMTP_V_HELP,
	SMTP_V_BYE,
	SMTP_V_DATA_GO,
	SMTP_V_TLS_GO,
	SMTP_V_UNKNOWN_COMMAND,
	SMTP_V_SYNTAX,
	SMTP_V_LINE_TOO_LONG,
	SMTP_V_AUTH_LINE_TOO_LONG,
	SMTP_V_LINE_END,
	SMTP_V_BAD_ARGUMENT,
	SMTP_V_NO_ARGUMENT,
	SMTP_V_NOT_HERE,
	SMTP_V_EXPN,
	SMTP_V_BAD_PARAMETER,
	SMTP_V_UNKNOWN_PARAMETER,
	SMTP_V_BAD_SENDER,
	SMTP_V_BAD_RCPT,
	SMTP_V_RCPT_NOT_ASCII,
	SMTP_V_HELLO_FIRST,
	SMTP_V_BAD_HELLO,
	SMTP_V_SEQUENCE,
	SMTP_V_NESTED_MAIL,
	SMTP_V_NEED_MAIL,
	SMTP_V_NEED_RCPT,
	SMTP_V_NO_RCPT_LEFT,
	SMTP_V_BINARY_DATA,
	SMTP_V_DATA_AFTER_BDAT,
	SMTP_V_BDAT_SYNTAX,
	SMTP_V_BDAT_OK,
	SMTP_V_BDAT_FAILED,
	SMTP_V_BDAT_OCTETS,
	SMTP_V_TOO_MANY_RCPT,
	SMTP_V_TOO_MANY_MAIL,
	SMTP_V_TOO_MANY_UNKNOWN,
	SMTP_V_TOO_MANY_BAD,
	SMTP_V_TOO_MANY_AUTH,
	SMTP_V_EARLY_TALK,
	SMTP_V_EARLY_DATA,
	SMTP_V_EARLY_TLS,
	SMTP_V_NOT_HTTP,
	SMTP_V_BODY_LINE_END,
	SMTP_V_LONG_LINE,
	SMTP_V_HEADER_TOO_BIG,
	SMTP_V_HEADER_TOO_MANY,
	SMTP_V_HOPS,
	SMTP_V_OWN_HOPS,
	SMTP_V_FROM_TWICE,
	SMTP_V_FROM_MISSING,
	SMTP_V_FROM_BAD,
	SMTP_V_NEED_TLS,
	SMTP_V_NEED_TLS_FOR_AUTH,
	SMTP_V_REQUIRETLS_NEEDS_TLS,
	SMTP_V_TLS_ALREADY,
	SMTP_V_TLS_UNAVAILABLE,
	SMTP_V_NEED_AUTH,
	SMTP_V_AUTH_ALREADY,
	SMTP_V_AUTH_IN_MAIL,
	SMTP_V_AUTH_CANCELLED,
	SMTP_V_AUTH_BASE64,
	SMTP_V_TIMEOUT,
	SMTP_V_SHUTDOWN,
	SMTP_V_NO_MEMORY,
	SMTP_V_HOLD_RANGE,
	SMTP_V_BY_RANGE,
	SMTP_V_COUNT
};

struct smtp_verdict_row {
	uint16_t code;
	bool close; /* the connection ends with this reply */
	const char *enhanced; /* "5.1.1"; "" for none (220, 354, 334) */
	const char *text;
};

/* The row of v; static. */
const struct smtp_verdict_row *smtp_verdict_row(enum smtp_verdict v);
/* The reply takes the mail or recipient: 2xx. */
bool smtp_verdict_is_ok(enum smtp_verdict v);
/* Append "CODE ENHANCED TEXT CRLF"; text replaces the row's own unless it is empty. */
void smtp_verdict_write(struct buf *out, enum smtp_verdict v, struct view text);
/* Append text as printable ASCII: other octets become '?', at most max octets. */
void smtp_add_printable(struct buf *out, struct view text, size_t max);

#endif
