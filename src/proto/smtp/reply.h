/*
 * proto/smtp/reply.h: strict reader of a remote server's replies.
 *
 * A reply is 1*( code "-" text CRLF ) code [ SP text ] CRLF with one code throughout.  Anything else, and
 * anything past the limits, makes the connection unusable; the caller treats it like a 4xx and closes.  Remote
 * text is reduced to printable ASCII before anyone sees it (THREATS 2.25).   RFC 5321#4.2, RFC 2034
 */
#ifndef PROTO_SMTP_REPLY_H
#define PROTO_SMTP_REPLY_H

#include "base/buf.h"

enum {
	SMTP_REPLY_LINE = 512, /* default of reply_line, with CRLF */
	SMTP_REPLY_LINES = 64, /* default of reply_lines */
	SMTP_REPLY_TOTAL = 8192, /* reply_total, octets of one reply with all its CRLFs */
	SMTP_REPLY_TEXT = 256 /* octets of remote text that are kept for people */
};

/* One complete reply. */
struct smtp_reply {
	unsigned code; /* 200..599 */
	uint16_t enhanced
		[3]; /* class 2, 4 or 5, subject, detail; all 0: none was given, or not fitting */
	size_t lines;
	char text
		[SMTP_REPLY_TEXT]; /* printable ASCII, lines joined by a space, enhanced code removed */
	size_t text_n;
};

struct smtp_reply_parser {
	size_t line_max; /* octets with CRLF */
	size_t lines_max;
	struct buf raw; /* lines of the reply so far, without CRLF but each with one LF behind it */
	struct buf line;
	size_t lines;
	size_t total;
	unsigned code;
	bool complete; /* the last call returned a reply */
	enum err failed; /* final */
};

/* Limits as in the options reply_line and reply_lines; SMTP_REPLY_TOTAL holds whatever they say. */
void smtp_reply_parser_init(struct smtp_reply_parser *p, size_t line_max, size_t lines_max);
void smtp_reply_parser_done(struct smtp_reply_parser *p);
/* Ready for the next reply; forgets a partial one. */
void smtp_reply_parser_clear(struct smtp_reply_parser *p);
/*
 * Take octets up to the end of one reply.  *ret_used is always set.
 *   OK          *ret is the reply; raw holds its lines until the next call
 *   ERR_AGAIN   all was taken, the reply is incomplete
 *   ERR_SYNTAX, ERR_LIMIT, ERR_NOMEM   final: close the connection
 */
MUST_USE enum err smtp_reply_parser_take(struct smtp_reply_parser *p, struct view input,
					 struct smtp_reply *ret, size_t *ret_used);
/* Nothing of a reply has been read. */
bool smtp_reply_parser_empty(const struct smtp_reply_parser *p);
/* Line i (0 is the first) of the reply just returned, behind code and separator.  Borrowed, raw octets
 * (never CR, LF, NUL).  Empty past the last. */
struct view smtp_reply_line(const struct smtp_reply_parser *p, size_t i);

#endif
