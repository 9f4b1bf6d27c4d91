/*
 * proto/imap/parser.c: the arguments that many commands have.
 */
#include "proto/imap/parser.h"

#include "base/ascii.h"
#include "base/date.h"
#include "base/num.h"
#include "proto/imap/name.h"
#include "proto/mime/utf8.h"

/*
 * ATOM-CHAR = any CHAR except "(" ")" "{" SP CTL "%" "*" DQUOTE "\" "]"   RFC 9051#9
 */
#define ALL	(IMAP_IS_ATOM | IMAP_IS_ASTRING | IMAP_IS_LIST | IMAP_IS_TAG)
#define BRACKET (IMAP_IS_ASTRING | IMAP_IS_LIST | IMAP_IS_TAG)
#define PLUS	(IMAP_IS_ATOM | IMAP_IS_ASTRING | IMAP_IS_LIST)
const uint8_t imap_class[256] = {
	['!'] = ALL,	      ['#' ... '$'] = ALL, ['&' ... '\''] = ALL, ['+'] = PLUS,
	[',' ... '['] = ALL,  ['^' ... 'z'] = ALL, ['|' ... '~'] = ALL,	 ['%'] = IMAP_IS_LIST,
	['*'] = IMAP_IS_LIST, [']'] = BRACKET,
};
#undef ALL
#undef BRACKET
#undef PLUS

void imap_parser_fail(struct imap_parser *p, enum err err, const char *problem)
{
	if (!p->c.err)
		p->problem = problem;
	cursor_fail(&p->c, err);
}

struct view imap_word(struct imap_parser *p, uint8_t class)
{
	struct view rest = cursor_rest(&p->c);
	size_t n = 0;

	while (n < rest.n && (imap_class[view_at(rest, n)] & class))
		n++;
	if (n == 0) {
		cursor_fail(&p->c, ERR_SYNTAX);
		return VIEW_EMPTY;
	}
	p->c.at += n;
	return view_head(rest, n);
}

/* May stand inside the names of commands and items. */
static bool is_word_byte(uint8_t b)
{
	return ascii_is_alnum(b) || b == '.' || b == '=' || b == '-';
}

bool imap_skip_word_view(struct imap_parser *p, struct view word)
{
	struct view rest = cursor_rest(&p->c);

	if (!view_starts_nocase(rest, word) ||
	    (rest.n > word.n && is_word_byte(view_at(rest, word.n))))
		return false;
	p->c.at += word.n;
	return true;
}

/* quoted = DQUOTE *QUOTED-CHAR DQUOTE, behind its first DQUOTE */
static struct view quoted(struct imap_parser *p)
{
	struct view rest = cursor_rest(&p->c);
	size_t escapes = 0;
	size_t n = 0;
	bool bad = false;

	for (; !bad && n < rest.n && rest.p[n] != '"'; n++) {
		uint8_t c = view_at(rest, n);

		if (c == '\\') {
			n++;
			escapes++;
			c = n < rest.n ? view_at(rest, n) : 0;
			bad = bad || (c != '"' && c != '\\');
		}
		bad = bad || c == '\r' || c == '\n' || c == '\0';
	}
	if (bad || n >= rest.n) {
		cursor_fail(&p->c, ERR_SYNTAX);
		return VIEW("");
	}
	p->c.at += n + 1;
	if (!escapes)
		return view_head(rest, n);

	char *copy = arena_alloc(p->a, n);
	size_t used = 0;

	if (!copy) {
		cursor_fail(&p->c, ERR_NOMEM);
		return VIEW("");
	}
	for (size_t i = 0; i < n; i++) {
		if (rest.p[i] == '\\')
			i++;
		copy[used++] = rest.p[i];
	}
	return view_of(copy, used);
}

/* literal = "{" number64 ["+"] "}" CRLF *CHAR8, behind its "{" */
static struct view literal(struct imap_parser *p)
{
	uint64_t n = cursor_u64(&p->c, SIZE_MAX);

	cursor_skip_char(&p->c, '+');
	cursor_char(&p->c, '}');
	cursor_char(&p->c, '\r');
	cursor_char(&p->c, '\n');

	struct view text = cursor_take(&p->c, (size_t)n);

	if (view_has(text, '\0'))
		imap_parser_fail(p, ERR_SYNTAX, "NUL in a literal");
	return p->c.err || !text.p ? VIEW("") : text;
}

static bool at_string(const struct imap_parser *p)
{
	int c = cursor_peek(&p->c);

	return c == '"' || c == '{';
}

struct view imap_string(struct imap_parser *p)
{
	if (cursor_skip_char(&p->c, '"'))
		return quoted(p);
	cursor_char(&p->c, '{');
	return literal(p);
}

struct view imap_astring(struct imap_parser *p)
{
	return at_string(p) ? imap_string(p) : imap_word(p, IMAP_IS_ASTRING);
}

struct view imap_nstring(struct imap_parser *p)
{
	if (imap_skip_word(p, "NIL"))
		return VIEW_EMPTY;
	return imap_string(p);
}

/* A name that is none is the command's business; one that found no memory is the parser's. */
static bool name_failed(struct imap_parser *p, enum err err, struct imap_mailbox_arg *ret)
{
	ret->err = err;
	if (err == ERR_NOMEM)
		cursor_fail(&p->c, err);
	return false;
}

bool imap_name_of_wire(struct imap_parser *p, struct view text, struct imap_mailbox_arg *ret)
{
	struct buf CLEANUP(buf_done) decoded = BUF_INIT(IMAP_NAME_WIRE_MAX);
	struct buf CLEANUP(buf_done) name = BUF_INIT(IMAP_NAME_WIRE_MAX);
	enum err err = OK;

	*ret = (struct imap_mailbox_arg){ .name = VIEW("") };
	if (p->c.err)
		return false;
	/* Most names are plain, and then a view of the command does. */
	if (!view_has(text, '&') && mime_ascii_only(text) && text.n <= IMAP_NAME_MAX) {
		err = imap_name_normalise(&name, text);
		if (err)
			return name_failed(p, err, ret);
		ret->name = text;
		return true;
	}
	if (text.n > IMAP_NAME_WIRE_MAX)
		err = ERR_LIMIT;
	else if (p->mode.utf8)
		err = imap_name_normalise(&name, text);
	else
		err = imap_utf7_decode(&decoded, text);
	if (!err && !p->mode.utf8)
		err = imap_name_normalise(&name, buf_view(&decoded));
	if (err)
		return name_failed(p, err, ret);
	ret->name = arena_copy(p->a, buf_view(&name));
	if (name.n && !ret->name.p)
		cursor_fail(&p->c, ERR_NOMEM);
	return true;
}

struct imap_mailbox_arg imap_mailbox(struct imap_parser *p)
{
	struct imap_mailbox_arg ret;

	imap_name_of_wire(p, imap_astring(p), &ret);
	return ret;
}

struct view imap_list_mailbox(struct imap_parser *p)
{
	return at_string(p) ? imap_string(p) : imap_word(p, IMAP_IS_LIST);
}

void imap_seq(struct imap_parser *p, struct imap_seq *ret)
{
	imap_seq_parse(&p->c, p->a, ret);
	if (p->c.err == ERR_LIMIT && !p->problem)
		p->problem = "[LIMIT] Too many ranges";
}

static const struct {
	struct view name;
	unsigned flag;
} system_flags[] = {
	{ VIEW_INIT("Seen"), IMAP_FLAG_SEEN },	     { VIEW_INIT("Answered"), IMAP_FLAG_ANSWERED },
	{ VIEW_INIT("Flagged"), IMAP_FLAG_FLAGGED }, { VIEW_INIT("Deleted"), IMAP_FLAG_DELETED },
	{ VIEW_INIT("Draft"), IMAP_FLAG_DRAFT },     { VIEW_INIT("Recent"), IMAP_FLAG_RECENT },
};

/* flag = "\" atom / atom   RFC 9051#9 */
static void flag(struct imap_parser *p, struct imap_flag_list *ret, struct imap_view_list *keywords)
{
	if (!cursor_skip_char(&p->c, '\\')) {
		struct view word = imap_atom(p);

		if (word.n > IMAP_FLAG_LEN_MAX)
			imap_parser_fail(p, ERR_LIMIT, "[LIMIT] Flag too long");
		imap_view_list_add(p, keywords, word, IMAP_FLAGS_MAX, "[LIMIT] Too many flags");
		return;
	}
	struct view name = imap_atom(p);

	for (size_t i = 0; i < ARRAY_LEN(system_flags); i++) {
		if (!view_eq_nocase(name, system_flags[i].name))
			continue;
		ret->flags |= system_flags[i].flag;
		return;
	}
	imap_parser_fail(p, ERR_SYNTAX, "Unknown system flag");
}

void imap_flag_list(struct imap_parser *p, struct imap_flag_list *ret)
{
	struct imap_view_list keywords = { 0 };
	bool paren = cursor_skip_char(&p->c, '(');

	*ret = (struct imap_flag_list){ 0 };
	if (!(paren && cursor_skip_char(&p->c, ')'))) {
		do
			flag(p, ret, &keywords);
		while (cursor_skip_char(&p->c, ' '));
		if (paren)
			cursor_char(&p->c, ')');
	}
	ret->keywords = imap_view_list_done(&keywords);
}

/* mod-sequence-value: below 2^63   RFC 7162#7 */
uint64_t imap_modseq(struct imap_parser *p)
{
	return cursor_u64(&p->c, INT64_MAX);
}

/* date-text = date-day "-" date-month "-" date-year   RFC 9051#9 */
int64_t imap_date(struct imap_parser *p)
{
	bool quote = cursor_skip_char(&p->c, '"');
	struct date d = { 0 };
	int64_t seconds = 0;

	d.day = (int)cursor_u64(&p->c, 31);
	cursor_char(&p->c, '-');
	d.month = date_month(cursor_take(&p->c, 3));
	cursor_char(&p->c, '-');
	d.year = (int)cursor_u64(&p->c, 9999);
	if (quote)
		cursor_char(&p->c, '"');
	if (!p->c.err && date_seconds(&d, &seconds))
		imap_parser_fail(p, ERR_SYNTAX, "No such date");
	return seconds / (24 * 3600) - (seconds % (24 * 3600) < 0);
}

void imap_date_time(struct imap_parser *p, int64_t *ret_seconds, int *ret_zone)
{
	struct date d;
	int64_t seconds;

	cursor_char(&p->c, '"');

	struct view text;

	view_cut(cursor_rest(&p->c), '"', &text);
	cursor_take(&p->c, text.n);
	cursor_char(&p->c, '"');
	if (p->c.err)
		return;
	if (date_parse_imap(text, &d) || date_seconds(&d, &seconds)) {
		imap_parser_fail(p, ERR_SYNTAX, "Bad date");
		return;
	}
	*ret_seconds = seconds;
	*ret_zone = d.zone;
}

bool imap_list_grow(struct imap_parser *p, void **at, size_t n, size_t *cap, size_t item_size)
{
	size_t grown = *cap ? 2 * *cap : 8;
	void *moved;

	if (p->c.err)
		return false;
	if (n < *cap)
		return true;
	moved = arena_alloc_array(p->a, grown, item_size);
	if (!moved) {
		cursor_fail(&p->c, ERR_NOMEM);
		return false;
	}
	if (n)
		memcpy(moved, *at, n * item_size);
	*at = moved;
	*cap = grown;
	return true;
}

void imap_view_list_add(struct imap_parser *p, struct imap_view_list *list, struct view v,
			size_t max, const char *problem)
{
	if (list->n >= max)
		imap_parser_fail(p, ERR_LIMIT, problem);
	if (imap_list_grow(p, (void **)&list->at, list->n, &list->cap, sizeof(v)))
		list->at[list->n++] = v;
}
