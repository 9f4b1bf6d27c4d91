/*
 * proto/mime/encoded_word.c: encoded words, decoding and encoding.
 *
 * encoded-word = "=?" charset ["*" language] "?" encoding "?" encoded-text "?="   RFC 2047#2
 */
#include "proto/mime/encoded_word.h"

#include "proto/mime/fold.h"
#include "proto/mime/lex.h"
#include "proto/mime/transfer.h"
#include "proto/mime/utf8.h"

enum {
	WORD_FRAME = 12, /* "=?utf-8?q?" and "?=" */
	WORD_ROOM_MIN = 12, /* encoded text that the rest of a line must have room for */
	PLAIN_WORD_MAX = 900, /* longer ASCII words are encoded, so that lines can be folded */
	QUOTED_MAX = 900, /* longer names too */
};

struct word {
	struct view charset;
	char encoding; /* 'q' or 'b' */
	struct view text;
	size_t end; /* behind "?=" */
};

/* The part up to the next "?", without blanks. */
static bool cut_part(struct view text, size_t *at, size_t max, struct view *ret)
{
	size_t from = *at;

	while (*at < text.n && *at - from <= max && lex_is_token(view_at(text, *at)))
		++*at;
	if (*at >= text.n || text.p[*at] != '?')
		return false;
	*ret = view_part(text, from, *at - from);
	++*at;
	return true;
}

/* Is there an encoded word at text[at], where "=?" stands?  Blanks in Q text are tolerated. */
static bool read_word(struct view text, size_t at, struct word *ret)
{
	struct view charset, encoding;

	at += 2;
	if (!cut_part(text, &at, MIME_CHARSET_NAME_MAX + 1 + 64, &charset) ||
	    !cut_part(text, &at, 1, &encoding) || encoding.n != 1)
		return false;
	view_cut(charset, '*', &ret->charset); /* the language tag of RFC 2231#5 is dropped */
	ret->encoding = (char)ascii_lower(view_at(encoding, 0));
	if (ret->charset.n == 0 || (ret->encoding != 'q' && ret->encoding != 'b'))
		return false;

	size_t from = at;

	while (at < text.n && text.p[at] != '?' && text.p[at] != '\r' && text.p[at] != '\n')
		at++;
	if (text.n - at < 2 || text.p[at] != '?' || text.p[at + 1] != '=')
		return false;
	ret->text = view_part(text, from, at - from);
	ret->end = at + 2;
	return true;
}

/* RFC 2047#4.2 */
static void decode_q(struct buf *out, struct view text)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (c == '=' && text.n - i > 2 && ascii_is_hex(view_at(text, i + 1)) &&
		    ascii_is_hex(view_at(text, i + 2))) {
			c = (char)(ascii_hex_value(view_at(text, i + 1)) << 4 |
				   ascii_hex_value(view_at(text, i + 2)));
			i += 2;
		} else if (c == '_') {
			c = ' ';
		}
		buf_add_char(out, c);
	}
}

/* Text outside words: without line ends, in UTF-8. */
static void add_plain(struct buf *out, struct view text)
{
	while (text.n) {
		size_t lf = view_find_char(text, '\n');
		struct view line = view_head(text, lf);

		if (lf != VIEW_NONE && line.n && line.p[line.n - 1] == '\r')
			line.n--;
		mime_to_utf8(out, VIEW_EMPTY, line, NULL);
		text = lf == VIEW_NONE ? VIEW_EMPTY : view_from(text, lf + 1);
	}
}

/* Neighbouring words of one charset, gathered. */
struct joined {
	struct buf octets;
	struct view charset;
	const struct mime_converter *conv;
};

static void flush_joined(struct buf *out, struct joined *j)
{
	if (buf_err(&j->octets) && !out->err)
		out->err = j->octets.err;
	mime_to_utf8(out, j->charset, buf_view(&j->octets), j->conv);
	buf_clear(&j->octets);
}

static void join_word(struct buf *out, struct joined *j, const struct word *word)
{
	if (!view_eq_nocase(j->charset, word->charset))
		flush_joined(out, j);
	j->charset = word->charset;
	if (word->encoding == 'q')
		decode_q(&j->octets, word->text);
	else if (mime_decode(MIME_BASE64, word->text, &j->octets, NULL))
		return; /* the buffer's error is seen when it is flushed */
}

/* Position of the next encoded word from at on, or text.n. */
static size_t find_word(struct view text, size_t at, struct word *ret)
{
	while (at < text.n) {
		size_t n = view_find(view_from(text, at), VIEW("=?"));

		if (n == VIEW_NONE)
			return text.n;
		if (read_word(text, at + n, ret))
			return at + n;
		at += n + 1;
	}
	return text.n;
}

void encoded_word_decode(struct buf *out, struct view value, const struct mime_converter *conv)
{
	struct view text = view_trim(value);
	struct joined j = { .octets = BUF_INIT(text.n), .conv = conv };
	struct word word;
	bool after_word = false;

	for (size_t at = 0; at < text.n && !out->err;) {
		size_t next = find_word(text, at, &word);
		struct view between = view_part(text, at, next - at);

		/* White space between two words is not part of the text.   RFC 2047#6.2 */
		if (!(after_word && next < text.n && view_trim(between).n == 0)) {
			flush_joined(out, &j);
			add_plain(out, between);
		}
		if (next == text.n)
			break;
		join_word(out, &j, &word);
		after_word = true;
		at = word.end;
	}
	flush_joined(out, &j);
	buf_done(&j.octets);
}

bool encoded_word_present(struct view text)
{
	return !mime_ascii_only(text) || view_has(text, '\n') ||
	       view_find(text, VIEW("=?")) != VIEW_NONE;
}

/* ---- encoding --------------------------------------------------------------------------- */

/* Characters that stand for themselves in Q text, also within a phrase.   RFC 2047#5 (3) */
static bool is_q_plain(uint8_t c)
{
	return ascii_is_alnum(c) || c == '!' || c == '*' || c == '+' || c == '-' || c == '/';
}

static size_t q_length(struct view text)
{
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++)
		n += is_q_plain(view_at(text, i)) || text.p[i] == ' ' ? 1 : 3;
	return n;
}

static size_t b_length(struct view text)
{
	return (text.n + 2) / 3 * 4;
}

static void add_q(struct buf *out, struct view text)
{
	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = view_at(text, i);

		if (is_q_plain(c))
			buf_add_char(out, (char)c);
		else if (c == ' ')
			buf_add_char(out, '_');
		else
			buf_addf(out, "=%02X", c);
	}
}

static void add_b(struct buf *out, struct view text)
{
	static const char DIGITS[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < text.n; i += 3) {
		size_t n = size_min(text.n - i, 3);
		uint32_t bits = (uint32_t)view_at(text, i) << 16;

		if (n > 1)
			bits |= (uint32_t)view_at(text, i + 1) << 8;
		if (n > 2)
			bits |= view_at(text, i + 2);
		buf_add_char(out, DIGITS[bits >> 18]);
		buf_add_char(out, DIGITS[bits >> 12 & 63]);
		buf_add_char(out, n > 1 ? DIGITS[bits >> 6 & 63] : '=');
		buf_add_char(out, n > 2 ? DIGITS[bits & 63] : '=');
	}
}

/* Longest head of whole characters whose encoded text is at most room characters; at least one. */
static struct view fitting_head(struct view text, size_t room, bool q)
{
	size_t n = 0, length = 0;

	while (n < text.n) {
		uint32_t point;
		bool valid;
		size_t step = mime_utf8_next(text, n, &point, &valid);

		length = q ? length + q_length(view_part(text, n, step))
			   : b_length(view_head(text, n + step));
		if (length > room && n > 0)
			break;
		n += step;
	}
	return view_head(text, n);
}

static void add_words(struct buf *out, struct view text, size_t column)
{
	bool q = q_length(text) <= b_length(text);

	if (column + WORD_FRAME + WORD_ROOM_MIN > ENCODED_WORD_LINE) {
		buf_add(out, VIEW("\r\n "));
		column = 1;
	}
	while (text.n && !out->err) {
		size_t room = size_min(ENCODED_WORD_MAX, ENCODED_WORD_LINE - column) - WORD_FRAME;
		struct view head = fitting_head(text, room, q);

		buf_add(out, q ? VIEW("=?utf-8?q?") : VIEW("=?utf-8?b?"));
		if (q)
			add_q(out, head);
		else
			add_b(out, head);
		buf_add(out, VIEW("?="));
		text = view_from(text, head.n);
		if (text.n)
			buf_add(out, VIEW("\r\n "));
		column = 1;
	}
}

/* Printable ASCII that no decoder takes for an encoded word, with words that can be folded. */
static bool is_plain(struct view text)
{
	size_t word = 0;

	for (size_t i = 0; i < text.n; i++) {
		word = ascii_is_blank(view_at(text, i)) ? 0 : word + 1;
		if ((!ascii_is_print(view_at(text, i)) && text.p[i] != '\t') ||
		    word > PLAIN_WORD_MAX)
			return false;
	}
	return view_find(text, VIEW("=?")) == VIEW_NONE;
}

enum err encoded_word_add_text(struct buf *out, struct view text, size_t column)
{
	if (fold_is_unsafe(text) || !mime_utf8_valid(text))
		return ERR_SYNTAX;
	if (is_plain(text))
		return fold_add(out, text, column);
	add_words(out, text, column);
	return buf_err(out);
}

/* Atoms with single blanks between. */
static bool is_atoms(struct view name)
{
	bool atom = false;

	for (size_t i = 0; i < name.n; i++) {
		uint8_t c = view_at(name, i);

		if (c == ' ' ? !atom : !lex_is_atext(c))
			return false;
		atom = c != ' ';
	}
	return atom;
}

static enum err add_quoted(struct buf *out, struct view name, size_t column)
{
	struct buf CLEANUP(buf_done) quoted = BUF_INIT(2 * QUOTED_MAX + 2);

	buf_add_char(&quoted, '"');
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] == '"' || name.p[i] == '\\')
			buf_add_char(&quoted, '\\');
		buf_add_char(&quoted, name.p[i]);
	}
	buf_add_char(&quoted, '"');
	return buf_err(&quoted) ? buf_err(&quoted) : fold_add(out, buf_view(&quoted), column);
}

enum err encoded_word_add_phrase(struct buf *out, struct view name, size_t column)
{
	if (fold_is_unsafe(name) || !mime_utf8_valid(name))
		return ERR_SYNTAX;
	if (name.n == 0)
		return OK;
	if (is_plain(name) && is_atoms(name))
		return fold_add(out, name, column);
	if (is_plain(name) && !view_has(name, '\t') && q_length(name) <= QUOTED_MAX / 2)
		return add_quoted(out, name, column);
	add_words(out, name, column);
	return buf_err(out);
}
