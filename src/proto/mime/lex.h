/*
 * proto/mime/lex.h: the lexical pieces that all structured header fields share.
 *
 * For the parsers of this folder.  Positions are offsets in a text; every function moves forward
 * only, so that parsers made of them are linear.  RFC 5322#3.2.
 */
#ifndef PROTO_MIME_LEX_H
#define PROTO_MIME_LEX_H

#include "base/arena.h"
#include "base/ascii.h"
#include "base/buf.h"

/* atext = ALPHA / DIGIT / "!#$%&'*+-/=?^_`{|}~"   RFC 5322#3.2.3 */
bool lex_is_atext(uint8_t c);
/* token of RFC 2045#5.1: printable ASCII without tspecials. */
bool lex_is_token(uint8_t c);

struct lex_comment {
	struct view text; /* between the outer parentheses, as written */
	size_t depth; /* deepest nesting, at least 1 */
	bool ended; /* false: the text ended first */
};

/* The comment that begins at text[at] == '('; the result is the position behind it. */
size_t lex_comment(struct view text, size_t at, struct lex_comment *ret);
/* Position behind white space and comments.  *ret_comment (may be NULL) is set true if there was
 * one. */
size_t lex_skip_cfws(struct view text, size_t at, bool *ret_comment);
/* Position behind SP, HTAB, CR, LF. */
size_t lex_skip_blank(struct view text, size_t at);

/*
 * The quoted string that begins at text[at] == '"': appends its content to out (which may be NULL),
 * quoted pairs resolved, line ends of folding dropped.  The result is the position behind it.
 */
size_t lex_quoted(struct view text, size_t at, struct buf *out, bool *ret_ended);

#endif
