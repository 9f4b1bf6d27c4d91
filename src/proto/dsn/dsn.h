/*
 * proto/dsn/dsn.h: writes delivery status notifications.
 *
 * A multipart/report of three parts (RFC 3464, RFC 6522): words for a person, a table for programs, the
 * message or its header.  Lines end in CRLF and have at most 998 octets; nothing that comes from
 * outside can become a line of its own: replies are reduced to printable ASCII, the quoted message is
 * written line by line.
 */
#ifndef PROTO_DSN_DSN_H
#define PROTO_DSN_DSN_H

#include "proto/dsn/status.h"
#include "proto/mime/build.h"

enum {
	DSN_RECIPIENTS_MAX = 1000, /* in one report */
	DSN_REPLY_MAX = 500, /* octets of a reply that are shown */
	DSN_HEADER_MAX = 64 * 1024, /* octets of a header that are quoted */
	DSN_OVERHEAD_MAX = 4 * 1024 * 1024, /* a report without its quotation is smaller */
};

/* RFC 3464#2.3.3 */
enum dsn_action { DSN_FAILED, DSN_DELAYED, DSN_DELIVERED, DSN_RELAYED, DSN_EXPANDED };
enum dsn_quote { DSN_QUOTE_MESSAGE, DSN_QUOTE_HEADER };

struct dsn_recipient {
	struct view address; /* as in the envelope */
	struct view orcpt; /* "rfc822;a@b", xtext decoded; may be empty */
	struct view status; /* "5.1.1"; else a general one is written */
	struct view reply; /* of the remote server, or our own words; may be empty */
	bool reply_is_smtp; /* the former */
	struct view remote; /* the server's name; may be empty */
	int64_t last_attempt; /* seconds, 0: none */
};

struct dsn_report {
	enum dsn_action action; /* of all recipients */
	struct view hostname; /* this server */
	struct view sender; /* who is told: the sender of the envelope */
	struct view id; /* what `posthold trace` takes */
	struct view envid; /* xtext decoded; may be empty */
	int64_t arrival; /* seconds */
	int64_t now;
	int64_t retry_until; /* DSN_DELAYED */
	uint8_t random[MIME_BOUNDARY_RANDOM]; /* for boundary and Message-ID */
	const struct dsn_recipient *recipients;
	size_t recipient_count;
	struct view message; /* header and body as they were accepted */
	enum dsn_quote
		quote; /* a message that cannot be quoted line by line is cut to its header */
	bool utf8; /* the message was sent with SMTPUTF8: report in UTF-8   RFC 6533 */
};

struct dsn_result {
	bool eight_bit; /* BODY=8BITMIME is needed */
	bool utf8; /* SMTPUTF8 is needed */
};

/*
 * ERR_SYNTAX when the sender is no address that can be written to; ERR_LIMIT past the buffer or
 * DSN_RECIPIENTS_MAX.  out may hold a part then.
 */
MUST_USE enum err dsn_build(struct buf *out, const struct dsn_report *r, struct dsn_result *ret);

#endif
