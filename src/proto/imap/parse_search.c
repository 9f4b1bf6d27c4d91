/*
 * proto/imap/parse_search.c: SEARCH: options and the program of keys.
 *
 * Keys without own syntax are rows of a table.  Nesting recurses, capped by IMAP_SEARCH_DEPTH_MAX for
 * NOT and OR and by IMAP_PAREN_DEPTH_MAX for parentheses.
 */
#include "base/ascii.h"
#include "base/num.h"
#include "proto/imap/parser.h"

struct search_parser {
	struct imap_parser *p;
	struct imap_search_args *args;
	size_t keys;
	unsigned depth;
	unsigned parens;
};

/* How the argument of a key is read. */
enum key_form {
	KEY_FLAG, /* no argument; number is the flag */
	KEY_UNFLAG, /* no argument; NOT of the flag */
	KEY_PLAIN, /* no argument */
	KEY_STRING,
	KEY_ATOM,
	KEY_UNATOM, /* NOT of an atom */
	KEY_DATE,
	KEY_NUMBER,
	KEY_INTERVAL, /* seconds, not 0 */
	KEY_SET,
	KEY_HEADER,
	KEY_MODSEQ,
	KEY_NEW,
	KEY_OLD,
	KEY_NOT,
	KEY_OR,
};

/* search-key of RFC 9051#6.4.4 and RFC 3501#6.4.4 */
static const struct key_row {
	struct view name;
	enum key_form form;
	enum imap_search_op op;
	int64_t number;
} key_rows[] = {
	{ VIEW_INIT("ALL"), KEY_PLAIN, IMAP_SEARCH_ALL, 0 },
	{ VIEW_INIT("ANSWERED"), KEY_FLAG, IMAP_SEARCH_FLAG, IMAP_FLAG_ANSWERED },
	{ VIEW_INIT("BCC"), KEY_STRING, IMAP_SEARCH_BCC, 0 },
	{ VIEW_INIT("BEFORE"), KEY_DATE, IMAP_SEARCH_BEFORE, 0 },
	{ VIEW_INIT("BODY"), KEY_STRING, IMAP_SEARCH_BODY, 0 },
	{ VIEW_INIT("CC"), KEY_STRING, IMAP_SEARCH_CC, 0 },
	{ VIEW_INIT("DELETED"), KEY_FLAG, IMAP_SEARCH_FLAG, IMAP_FLAG_DELETED },
	{ VIEW_INIT("DRAFT"), KEY_FLAG, IMAP_SEARCH_FLAG, IMAP_FLAG_DRAFT },
	{ VIEW_INIT("EMAILID"), KEY_ATOM, IMAP_SEARCH_EMAILID, 0 },
	{ VIEW_INIT("FLAGGED"), KEY_FLAG, IMAP_SEARCH_FLAG, IMAP_FLAG_FLAGGED },
	{ VIEW_INIT("FROM"), KEY_STRING, IMAP_SEARCH_FROM, 0 },
	{ VIEW_INIT("HEADER"), KEY_HEADER, IMAP_SEARCH_HEADER, 0 },
	{ VIEW_INIT("KEYWORD"), KEY_ATOM, IMAP_SEARCH_KEYWORD, 0 },
	{ VIEW_INIT("LARGER"), KEY_NUMBER, IMAP_SEARCH_LARGER, 0 },
	{ VIEW_INIT("MODSEQ"), KEY_MODSEQ, IMAP_SEARCH_MODSEQ, 0 },
	{ VIEW_INIT("NEW"), KEY_NEW, IMAP_SEARCH_AND, 0 },
	{ VIEW_INIT("NOT"), KEY_NOT, IMAP_SEARCH_NOT, 0 },
	{ VIEW_INIT("OLD"), KEY_OLD, IMAP_SEARCH_NOT, 0 },
	{ VIEW_INIT("OLDER"), KEY_INTERVAL, IMAP_SEARCH_OLDER, 0 },
	{ VIEW_INIT("ON"), KEY_DATE, IMAP_SEARCH_ON, 0 },
	{ VIEW_INIT("OR"), KEY_OR, IMAP_SEARCH_OR, 0 },
	{ VIEW_INIT("RECENT"), KEY_FLAG, IMAP_SEARCH_FLAG, IMAP_FLAG_RECENT },
	{ VIEW_INIT("SAVEDATESUPPORTED"), KEY_PLAIN, IMAP_SEARCH_SAVEDATE_SUPPORTED, 0 },
	{ VIEW_INIT("SAVEDBEFORE"), KEY_DATE, IMAP_SEARCH_SAVEDBEFORE, 0 },
	{ VIEW_INIT("SAVEDON"), KEY_DATE, IMAP_SEARCH_SAVEDON, 0 },
	{ VIEW_INIT("SAVEDSINCE"), KEY_DATE, IMAP_SEARCH_SAVEDSINCE, 0 },
	{ VIEW_INIT("SEEN"), KEY_FLAG, IMAP_SEARCH_FLAG, IMAP_FLAG_SEEN },
	{ VIEW_INIT("SENTBEFORE"), KEY_DATE, IMAP_SEARCH_SENTBEFORE, 0 },
	{ VIEW_INIT("SENTON"), KEY_DATE, IMAP_SEARCH_SENTON, 0 },
	{ VIEW_INIT("SENTSINCE"), KEY_DATE, IMAP_SEARCH_SENTSINCE, 0 },
	{ VIEW_INIT("SINCE"), KEY_DATE, IMAP_SEARCH_SINCE, 0 },
	{ VIEW_INIT("SMALLER"), KEY_NUMBER, IMAP_SEARCH_SMALLER, 0 },
	{ VIEW_INIT("SUBJECT"), KEY_STRING, IMAP_SEARCH_SUBJECT, 0 },
	{ VIEW_INIT("TEXT"), KEY_STRING, IMAP_SEARCH_TEXT, 0 },
	{ VIEW_INIT("THREADID"), KEY_ATOM, IMAP_SEARCH_THREADID, 0 },
	{ VIEW_INIT("TO"), KEY_STRING, IMAP_SEARCH_TO, 0 },
	{ VIEW_INIT("UID"), KEY_SET, IMAP_SEARCH_UID, 0 },
	{ VIEW_INIT("UNANSWERED"), KEY_UNFLAG, IMAP_SEARCH_FLAG, IMAP_FLAG_ANSWERED },
	{ VIEW_INIT("UNDELETED"), KEY_UNFLAG, IMAP_SEARCH_FLAG, IMAP_FLAG_DELETED },
	{ VIEW_INIT("UNDRAFT"), KEY_UNFLAG, IMAP_SEARCH_FLAG, IMAP_FLAG_DRAFT },
	{ VIEW_INIT("UNFLAGGED"), KEY_UNFLAG, IMAP_SEARCH_FLAG, IMAP_FLAG_FLAGGED },
	{ VIEW_INIT("UNKEYWORD"), KEY_UNATOM, IMAP_SEARCH_KEYWORD, 0 },
	{ VIEW_INIT("UNSEEN"), KEY_UNFLAG, IMAP_SEARCH_FLAG, IMAP_FLAG_SEEN },
	{ VIEW_INIT("YOUNGER"), KEY_INTERVAL, IMAP_SEARCH_YOUNGER, 0 },
};

static struct imap_search_key *key_parse(struct search_parser *s);

static struct imap_search_key *key_new(struct search_parser *s, enum imap_search_op op)
{
	struct imap_search_key *key = NULL;

	if (s->p->c.err)
		return NULL;
	if (++s->keys > IMAP_SEARCH_KEYS_MAX) {
		imap_parser_fail(s->p, ERR_LIMIT, "[LIMIT] Too many search keys");
		return NULL;
	}
	key = ARENA_NEW(s->p->a, struct imap_search_key);
	if (!key) {
		cursor_fail(&s->p->c, ERR_NOMEM);
		return NULL;
	}
	key->op = op;
	return key;
}

static struct imap_search_key *key_not(struct search_parser *s, struct imap_search_key *child)
{
	struct imap_search_key *key = key_new(s, IMAP_SEARCH_NOT);

	if (key)
		key->child = child;
	return key;
}

static struct imap_search_key *key_flag(struct search_parser *s, int64_t flag)
{
	struct imap_search_key *key = key_new(s, IMAP_SEARCH_FLAG);

	if (key)
		key->number = flag;
	return key;
}

/* "HEADER" SP header-fld-name SP astring */
static void header_args(struct search_parser *s, struct imap_search_key *key)
{
	cursor_space(&s->p->c);
	key->field = imap_astring(s->p);
	cursor_space(&s->p->c);
	key->text = imap_astring(s->p);
}

/* "MODSEQ" [SP entry-name SP entry-type-req] SP mod-sequence-valzer   RFC 7162#3.1.5: flags have no
 * MODSEQ of their own here, so that the entry does not matter. */
static void modseq_args(struct search_parser *s, struct imap_search_key *key)
{
	cursor_space(&s->p->c);
	if (cursor_peek(&s->p->c) == '"') {
		imap_string(s->p);
		cursor_space(&s->p->c);
		if (!imap_skip_word(s->p, "ALL") && !imap_skip_word(s->p, "SHARED") &&
		    !imap_skip_word(s->p, "PRIV"))
			cursor_fail(&s->p->c, ERR_SYNTAX);
		cursor_space(&s->p->c);
	}
	key->number = (int64_t)imap_modseq(s->p);
	s->args->modseq = true;
}

/* Keys with an argument of their own. */
static struct imap_search_key *key_simple(struct search_parser *s, const struct key_row *row)
{
	struct imap_search_key *key = key_new(s, row->op);

	if (!key)
		return NULL;
	key->number = row->number;
	switch (row->form) {
	case KEY_STRING:
		cursor_space(&s->p->c);
		key->text = imap_astring(s->p);
		break;
	case KEY_ATOM:
	case KEY_UNATOM:
		cursor_space(&s->p->c);
		key->text = imap_atom(s->p);
		break;
	case KEY_DATE:
		cursor_space(&s->p->c);
		key->number = imap_date(s->p);
		break;
	case KEY_NUMBER:
	case KEY_INTERVAL:
		cursor_space(&s->p->c);
		key->number = (int64_t)cursor_u64(&s->p->c,
						  row->form == KEY_NUMBER ? INT64_MAX : UINT32_MAX);
		if (row->form == KEY_INTERVAL && key->number == 0)
			cursor_fail(&s->p->c, ERR_SYNTAX);
		break;
	case KEY_SET:
		cursor_space(&s->p->c);
		imap_seq(s->p, &key->seq);
		break;
	case KEY_HEADER: header_args(s, key); break;
	case KEY_MODSEQ: modseq_args(s, key); break;
	default: break;
	}
	return key;
}

/* Keys that stand for others, or have keys as arguments. */
static struct imap_search_key *key_of_row(struct search_parser *s, const struct key_row *row)
{
	struct imap_search_key *key;

	switch (row->form) {
	case KEY_UNFLAG:
	case KEY_UNATOM: return key_not(s, key_simple(s, row));
	case KEY_OLD: return key_not(s, key_flag(s, IMAP_FLAG_RECENT));
	case KEY_NEW:
		key = key_new(s, IMAP_SEARCH_AND);
		if (!key)
			return NULL;
		key->child = key_flag(s, IMAP_FLAG_RECENT);
		if (key->child)
			key->child->next = key_not(s, key_flag(s, IMAP_FLAG_SEEN));
		return key;
	case KEY_NOT: cursor_space(&s->p->c); return key_not(s, key_parse(s));
	case KEY_OR:
		key = key_new(s, IMAP_SEARCH_OR);
		if (!key)
			return NULL;
		cursor_space(&s->p->c);
		key->child = key_parse(s);
		cursor_space(&s->p->c);
		if (key->child)
			key->child->next = key_parse(s);
		return key;
	default: return key_simple(s, row);
	}
}

/* search-key *(SP search-key), as one AND */
static struct imap_search_key *keys_parse(struct search_parser *s)
{
	struct imap_search_key *all = key_new(s, IMAP_SEARCH_AND);

	if (!all)
		return NULL;

	struct imap_search_key **link = &all->child;

	do {
		*link = key_parse(s);
		if (!*link)
			return all;
		link = &(*link)->next;
	} while (cursor_skip_char(&s->p->c, ' '));
	return all;
}

static struct imap_search_key *key_paren(struct search_parser *s)
{
	struct imap_search_key *key = NULL;

	if (++s->parens > IMAP_PAREN_DEPTH_MAX)
		imap_parser_fail(s->p, ERR_LIMIT, "[LIMIT] Parentheses too deep");
	else
		key = keys_parse(s);
	cursor_char(&s->p->c, ')');
	s->parens--;
	return key;
}

static const struct key_row *row_find(struct view name)
{
	size_t low = 0;
	size_t high = ARRAY_LEN(key_rows);

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = view_cmp_nocase(key_rows[mid].name, name);

		if (order == 0)
			return &key_rows[mid];
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

static struct imap_search_key *key_parse(struct search_parser *s)
{
	struct imap_search_key *key = NULL;
	int c = cursor_peek(&s->p->c);

	if (s->p->c.err)
		return NULL;
	if (++s->depth > IMAP_SEARCH_DEPTH_MAX) {
		imap_parser_fail(s->p, ERR_LIMIT, "[LIMIT] Search keys nested too deep");
		return NULL;
	}
	if (cursor_skip_char(&s->p->c, '(')) {
		key = key_paren(s);
	} else if (c == '$' || c == '*' || (c >= 0 && ascii_is_digit((uint8_t)c))) {
		key = key_new(s, IMAP_SEARCH_SEQ);
		if (key)
			imap_seq(s->p, &key->seq);
	} else {
		const struct key_row *row = row_find(imap_atom(s->p));

		if (row)
			key = key_of_row(s, row);
		else
			imap_parser_fail(s->p, ERR_SYNTAX, "Unknown search key");
	}
	s->depth--;
	return key;
}

/* partial-range = nz-number ":" nz-number, or both with "-"   RFC 9394#3.1 */
static void partial_range(struct imap_parser *p, struct imap_search_args *args)
{
	int64_t end[2];

	cursor_space(&p->c);
	for (size_t i = 0; i < 2; i++) {
		bool minus = cursor_skip_char(&p->c, '-');

		end[i] = (int64_t)cursor_u64(&p->c, UINT32_MAX);
		if (end[i] == 0)
			cursor_fail(&p->c, ERR_SYNTAX);
		if (minus)
			end[i] = -end[i];
		if (i == 0)
			cursor_char(&p->c, ':');
	}
	if ((end[0] < 0) != (end[1] < 0))
		cursor_fail(&p->c, ERR_SYNTAX);
	args->partial_first = end[0] < end[1] ? end[0] : end[1];
	args->partial_last = end[0] < end[1] ? end[1] : end[0];
	if (args->returns & (IMAP_RETURN_ALL | IMAP_RETURN_PARTIAL))
		imap_parser_fail(p, ERR_SYNTAX, "PARTIAL with ALL, or twice");
	args->returns |= IMAP_RETURN_PARTIAL;
}

/* "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")"   RFC 4731#4 */
static void returns_parse(struct imap_parser *p, struct imap_search_args *args)
{
	cursor_space(&p->c);
	cursor_char(&p->c, '(');
	args->returns |= IMAP_RETURN_GIVEN;
	if (!cursor_skip_char(&p->c, ')')) {
		do {
			if (imap_skip_word(p, "MIN"))
				args->returns |= IMAP_RETURN_MIN;
			else if (imap_skip_word(p, "MAX"))
				args->returns |= IMAP_RETURN_MAX;
			else if (imap_skip_word(p, "ALL"))
				args->returns |= IMAP_RETURN_ALL;
			else if (imap_skip_word(p, "COUNT"))
				args->returns |= IMAP_RETURN_COUNT;
			else if (imap_skip_word(p, "SAVE"))
				args->returns |= IMAP_RETURN_SAVE;
			else if (imap_skip_word(p, "PARTIAL"))
				partial_range(p, args);
			else
				imap_parser_fail(p, ERR_SYNTAX, "Unknown result option of SEARCH");
		} while (cursor_skip_char(&p->c, ' '));
		cursor_char(&p->c, ')');
	}
	if (args->returns == IMAP_RETURN_GIVEN)
		args->returns |= IMAP_RETURN_ALL;
	if ((args->returns & IMAP_RETURN_ALL) && (args->returns & IMAP_RETURN_PARTIAL))
		imap_parser_fail(p, ERR_SYNTAX, "PARTIAL with ALL");
}

/* search = "SEARCH" [SP "RETURN" ...] SP ["CHARSET" SP charset SP] search-key *(SP search-key)
 * RFC 9051#6.4.4 */
void imap_parse_search(struct imap_parser *p, struct imap_command *cmd)
{
	struct search_parser s = { .p = p, .args = &cmd->search };

	cursor_space(&p->c);
	if (imap_skip_word(p, "RETURN")) {
		returns_parse(p, &cmd->search);
		cursor_space(&p->c);
	}
	if (imap_skip_word(p, "CHARSET")) {
		cursor_space(&p->c);

		struct view charset = imap_astring(p);

		cmd->search.bad_charset = !view_eq_nocase(charset, VIEW("UTF-8")) &&
					  !view_eq_nocase(charset, VIEW("US-ASCII"));
		cursor_space(&p->c);
	}
	cmd->search.root = keys_parse(&s);
}
