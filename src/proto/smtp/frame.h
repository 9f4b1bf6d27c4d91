/*
 * proto/smtp/frame.h: where a unit of the server's input ends.
 *
 * The only code that decides on line ends, on the end of DATA and on chunk borders; it runs before any
 * other.  Three framers: command lines, DATA (dot-unstuffed spans up to CRLF . CRLF and nothing else) and
 * BDAT chunks (counted octets).  Framers are resumable at every octet, never look ahead, and hold at most
 * one partial line.  RFC 5321#2.3.8, RFC 5321#4.1.1.4, RFC 5321#4.5.2, RFC 3030#2
 */
#ifndef PROTO_SMTP_FRAME_H
#define PROTO_SMTP_FRAME_H

#include "base/buf.h"

enum {
	SMTP_LINE_MAX = 4096, /* smtp_line: a command line with its CRLF */
	SMTP_AUTH_LINE_MAX = 12288, /* smtp_auth_line: RFC 4954#4 */
	SMTP_LINE_HARD_MAX = 64 * 1024, /* highest value of either option */
	SMTP_LINE_SKIP_MAX =
		64 * 1024 /* of a line that is too long, read this much more to find its end */
};

/* One command line at a time. */
struct smtp_line_framer {
	struct buf partial; /* the beginning of a line whose end has not come */
	size_t skipped; /* octets of a too long line that were dropped */
	char head[8]; /* of a too long line: its first octets */
	bool held; /* partial was returned and is to be emptied */
};

void smtp_line_framer_init(struct smtp_line_framer *f);
void smtp_line_framer_done(struct smtp_line_framer *f);

/*
 * Take one line of at most max octets (CRLF included) from input.  *ret_used is always set: octets taken.
 *   OK          *ret_line is the line without CRLF, borrowed until the next call or change of input
 *   ERR_AGAIN   all was taken, the line is incomplete
 *   ERR_LIMIT   a line that was too long ended here; framing goes on behind it
 *   ERR_SYNTAX  bare CR, bare LF or NUL: framing is lost
 *   ERR_RANGE   a line without end past SMTP_LINE_SKIP_MAX: framing is lost
 *   ERR_NOMEM
 */
MUST_USE enum err smtp_line_framer_take(struct smtp_line_framer *f, struct view input, size_t max,
					struct view *ret_line, size_t *ret_used);
/* A line has begun and its end has not come. */
static inline bool smtp_line_framer_partial(const struct smtp_line_framer *f)
{
	return (f->partial.n && !f->held) || f->skipped;
}

/* Receives spans of a body, borrowed for the call; never empty. */
typedef void (*smtp_span_fn)(void *ctx, struct view span);

/*
 * What a body framer saw.  bad: a bare CR, bare LF or NUL stood in it; from there on no span is emitted,
 * and what was emitted must be thrown away.
 */
struct smtp_body_framer {
	uint64_t seen; /* octets taken, framing included */
	uint64_t size; /* octets emitted */
	uint64_t line; /* octets of the current line so far, without line end */
	uint64_t longest; /* octets of the longest line */
	uint64_t left; /* BDAT: octets of this chunk still to come */
	uint8_t state;
	bool bad;
	bool binary; /* BDAT: BODY=BINARYMIME, octets pass as they are */
};

/* RFC 5321#4.1.1.4 DATA: the first octet stands at the beginning of a line. */
void smtp_data_framer_init(struct smtp_body_framer *f);
/*
 * Take octets up to the end of data; the result counts them.  *ret_end becomes true when CRLF . CRLF was
 * taken as last octets; nothing may be fed after that.
 */
size_t smtp_data_framer_take(struct smtp_body_framer *f, struct view input, smtp_span_fn emit,
			     void *ctx, bool *ret_end);

/* RFC 3030#2: once per message, before its first chunk. */
void smtp_bdat_framer_init(struct smtp_body_framer *f, bool binary);
/* A chunk of so many octets follows. */
void smtp_bdat_framer_chunk(struct smtp_body_framer *f, uint64_t octets);
/* Take octets of the chunk; f->left says how many are still to come. */
size_t smtp_bdat_framer_take(struct smtp_body_framer *f, struct view input, smtp_span_fn emit,
			     void *ctx);
/* After the last chunk: a CR at the very end was bare. */
void smtp_bdat_framer_end(struct smtp_body_framer *f);

#endif
