/*
 * proto/mime/header.h: the fields of one message or part header, byte-exact.
 *
 * Reads a header block that lies in memory, front to back, in linear time.  Tolerates bare LF;
 * ends at the first empty line or, flagged, at the first line that is no field (that line then
 * belongs to the body, no byte is lost).  Nothing is copied: all views point into the text.
 */
#ifndef PROTO_MIME_HEADER_H
#define PROTO_MIME_HEADER_H

#include "base/arena.h"
#include "base/buf.h"

enum {
	MIME_HEADER_FIELDS_MAX = 1000, /* fields in one header */
	MIME_HEADER_BLOCK_MAX = 256 * 1024, /* bytes of one header, empty line included */
};

/* What was odd about a header: bits. */
enum mime_header_flag {
	MIME_HEADER_UNENDED = 1 << 0, /* the text ended before an empty line */
	MIME_HEADER_JUNK = 1 << 1, /* ended by a line that is no field */
	MIME_HEADER_FOLD_FIRST = 1 << 2, /* that line was the first one, and begins with a blank */
	MIME_HEADER_SPACE_COLON = 1 << 3, /* blanks between a field's name and its colon */
	MIME_HEADER_BARE_LF = 1 << 4, /* a line ends in LF alone */
	MIME_HEADER_BARE_CR = 1 << 5, /* CR without LF */
	MIME_HEADER_NUL = 1 << 6,
	MIME_HEADER_8BIT = 1 << 7, /* bytes above 0x7f, valid as UTF-8 (RFC 6532) */
	MIME_HEADER_NOT_UTF8 = 1 << 8, /* bytes above 0x7f, not valid UTF-8 */
	MIME_HEADER_BLANK_FOLD = 1 << 9, /* a continuation line of blanks only */
	MIME_HEADER_MANY_FIELDS = 1 << 10, /* more than MIME_HEADER_FIELDS_MAX */
	MIME_HEADER_LONG = 1 << 11, /* more than MIME_HEADER_BLOCK_MAX bytes */
	MIME_HEADER_MBOX = 1 << 12, /* the "From " line of a mailbox file stands before it */
};

struct mime_field {
	struct view name; /* as written, without the colon and blanks before it */
	struct view value; /* all behind the colon, folding included, without the last line end */
	struct view raw; /* name to last line end, all included */
	size_t at; /* where raw begins in the text of the iterator */
};

/* Walks fields.  After mime_header_next has returned false, at is where the body begins. */
struct mime_header_iter {
	struct view text;
	size_t at;
	size_t n; /* fields returned so far */
	unsigned flags; /* enum mime_header_flag of the lines so far, not of their bytes */
	bool done;
};

/* text: a header, or a whole message of which only the header is read.  Borrowed. */
struct mime_header_iter mime_header_iter_init(struct view text);
/*
 * The next field; false at the end of the header.  Goes on past the limits (flagged in it->flags):
 * a reader must show stored mail.  Those that accept mail use mime_header_check.
 */
bool mime_header_next(struct mime_header_iter *it, struct mime_field *ret);

/* What one line can be in a header. */
enum mime_line {
	MIME_LINE_EMPTY, /* nothing but its line end */
	MIME_LINE_FOLD, /* begins with a blank: goes on with the field before */
	MIME_LINE_FIELD, /* field name, blanks, colon   RFC 5322#2.2, RFC 5322#4.5 */
	MIME_LINE_JUNK
};

/* line: with or without its line end.  *ret_name_n and *ret_value_at only for MIME_LINE_FIELD. */
enum mime_line mime_line_kind(struct view line, size_t *ret_name_n, size_t *ret_value_at);

/*
 * Length of the "From " or ">From " line of a mailbox file at the start of text, its line end
 * included; 0 if there is none.  Such lines stand before the header of many imported messages.
 */
size_t mime_mbox_line(struct view text);

struct mime_header_info {
	size_t body_at; /* where the body begins, past the empty line */
	size_t fields;
	unsigned flags; /* enum mime_header_flag */
};

/* Where the header of text ends and what is odd about it; never fails. */
struct mime_header_info mime_header_look(struct view text);
/*
 * For those that accept mail.  ERR_LIMIT past MIME_HEADER_FIELDS_MAX or MIME_HEADER_BLOCK_MAX; text
 * without an end of header is measured as it is.  ret may be NULL.
 */
MUST_USE enum err mime_header_check(struct view text, struct mime_header_info *ret);

/* The nth field (0 is the first from above) of that name, ASCII case ignored; false if none. */
bool mime_header_find(struct view text, struct view name, size_t nth, struct mime_field *ret);
size_t mime_header_count(struct view text, struct view name);

/* value without its line ends (CRLF and LF before a blank vanish, the blank stays; RFC 5322#2.2.3)
 * and without blanks at both ends.  Bare CR, NUL are kept. */
void mime_unfold(struct buf *out, struct view value);
/* Does value contain a line end at all? */
bool mime_is_folded(struct view value);
/* The same as a view with p != NULL: a part of value where that is not folded, else a copy that lives
 * in a.  ERR_NOMEM. */
MUST_USE enum err mime_unfolded(struct arena *a, struct view value, struct view *ret);

#endif
