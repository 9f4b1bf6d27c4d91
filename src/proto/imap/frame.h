/*
 * proto/imap/frame.h: where a command ends: the only resumable code of IMAP.
 *
 * Collects one bounded command, line and literals in one text ("{5}" CRLF "INBOX" stands in it as it
 * came), streams the message literals of APPEND, and decides alone what a literal is.  Resumable at
 * every octet, never looks ahead.  Bare CR, bare LF and NUL outside of literals end the connection; a
 * command that is too long is dropped to its end and answered.  RFC 9051#4.3, RFC 7888#4.
 */
#ifndef PROTO_IMAP_FRAME_H
#define PROTO_IMAP_FRAME_H

#include "base/buf.h"

enum {
	IMAP_PREAUTH_LINE_MAX = 16 * 1024, /* imap_preauth_line, literals included */
	IMAP_PREAUTH_LITERAL_MAX = 4096, /* literal_preauth: all literals of a command */
	IMAP_LINE_MAX = 64 * 1024, /* imap_line, literals included */
	IMAP_NONSYNC_MAX = 4096, /* literal_nonsync: one literal   RFC 7888#5 */
	IMAP_SKIP_MAX = 1024 * 1024, /* of a command that is too long, read this much to its end */
	IMAP_LITERALS_MAX = 1000, /* collected literals in one command */
};

struct imap_frame_limits {
	size_t line; /* octets of a command, collected literals included */
	size_t literals; /* octets of all collected literals together */
	size_t nonsync; /* octets of one non-synchronising literal */
	uint64_t message; /* octets of a message literal of APPEND; 0: APPEND is not streamed */
	bool fatal; /* what is too long ends the connection (before log-in) */
};

/* Before and after log-in; message_size: octets. */
struct imap_frame_limits imap_frame_limits_preauth(void);
struct imap_frame_limits imap_frame_limits_auth(uint64_t message_size);

enum imap_frame_kind {
	IMAP_FRAME_MORE, /* all was taken and nothing is complete */
	IMAP_FRAME_COMMAND, /* text: the command without its last CRLF; after message literals only
				what stands behind the last one */
	IMAP_FRAME_CONTINUE, /* write "+ OK" CRLF and go on */
	IMAP_FRAME_MESSAGE, /* text: an APPEND, or what follows its last message, up to and with the
				announcement of a message literal.  Answer with imap_framer_accept or
				imap_framer_refuse before going on */
	IMAP_FRAME_DATA, /* text: octets of the message literal, never empty */
	IMAP_FRAME_DATA_END, /* the message literal is complete */
	IMAP_FRAME_TOO_BIG, /* the command was dropped: answer reply and go on */
	IMAP_FRAME_FATAL, /* answer reply, say BYE, close: nothing can be taken any more */
};

/* Borrowed until the next call or change of input. */
struct imap_frame {
	enum imap_frame_kind kind;
	struct view text;
	struct view tag; /* TOO_BIG, FATAL: empty if there was none */
	const char *reply; /* TOO_BIG, FATAL: "BAD ..." or "NO ...", static */
	uint64_t size; /* MESSAGE: octets announced */
	bool nonsync; /* MESSAGE: the client does not wait */
	bool binary; /* MESSAGE: literal8, may hold NUL */
};

enum imap_framer_state {
	IMAP_FRAMER_LINE,
	IMAP_FRAMER_LITERAL,
	IMAP_FRAMER_ASKED, /* MESSAGE was returned and not answered */
	IMAP_FRAMER_DATA,
	IMAP_FRAMER_SKIP, /* to the end of a line that is too long */
	IMAP_FRAMER_SKIP_LITERAL,
	IMAP_FRAMER_DEAD,
};

/* Storage is the owner's; fields are private. */
struct imap_framer {
	struct imap_frame_limits limits;
	struct buf text;
	enum imap_framer_state state;
	size_t literal_total; /* of this command */
	size_t literal_count;
	size_t segment; /* where in text the line behind the last literal begins */
	uint64_t left; /* octets of the literal that are still to come */
	uint64_t skipped;
	bool cr; /* the last octet of the line so far is CR */
	bool held; /* text was returned and is to be emptied */
	bool append; /* a message literal has been seen: segments of an APPEND follow */
	bool nonsync;
	const char *reply; /* of what is being skipped */
	char tag[64];
	size_t tag_n;
	char tail[32]; /* the last octets of a line that is skipped */
	size_t tail_n;
};

void imap_framer_init(struct imap_framer *f, struct imap_frame_limits limits);
void imap_framer_done(struct imap_framer *f);
/* Other limits from the next command on (log-in). */
void imap_framer_limit(struct imap_framer *f, struct imap_frame_limits limits);

/*
 * Take from input what makes one frame; *ret_used, at most input.n, is how much that was.  Only
 * DATA_END, CONTINUE and TOO_BIG can come without input.
 */
void imap_framer_take(struct imap_framer *f, struct view input, struct imap_frame *ret,
		      size_t *ret_used);
/* After MESSAGE: stream it.  For a synchronising literal the owner writes "+ OK" CRLF. */
void imap_framer_accept(struct imap_framer *f);
/*
 * After MESSAGE: the owner answers the command itself.  A synchronising literal will not come and the
 * command is over.  Otherwise the literal and the rest of the command are dropped (at most message or
 * nonsync octets, as checked before).
 */
void imap_framer_refuse(struct imap_framer *f);
/*
 * Within APPEND, at DATA or DATA_END: drop the rest of the command; the owner has answered it.
 */
void imap_framer_drop(struct imap_framer *f);
/* Nothing of a command has come. */
static inline bool imap_framer_idle(const struct imap_framer *f)
{
	return f->state == IMAP_FRAMER_LINE && (f->text.n == 0 || f->held) && !f->append;
}

#endif
