/*
 * proto/mime/address_list.c: the tolerant reader of address lists.
 *
 * An entry is read as a run of words up to the character that decides what they were: "<" (a name),
 * "@" (a local part), ":" (a group), "," or the end (a word alone).  Words are gathered in one
 * scratch buffer; texts that stand in the field just so are not copied.  Every step moves forward,
 * so that the time is linear.  The first failure (of memory) sticks in err.
 */
#include "proto/mime/address_list.h"

#include "proto/mime/header.h"
#include "proto/mime/lex.h"
#include "proto/mime/utf8.h"

struct lister {
	struct address_list_builder *b;
	struct view text;
	size_t at;
	enum err err;
	bool in_group;

	/* Of the entry being read. */
	struct address_entry entry;
	struct view comment; /* the last one, p == NULL if none */

	/* Of the words being read; their text, with single blanks between, is in b->scratch. */
	size_t words;
	size_t words_at; /* where the text of the first one stands in the field */
	size_t last_at; /* where the last group of words begins in scratch */
	bool split; /* there are more groups than one: blanks that no dot bridges */
	bool bridged; /* the last group has blanks beside dots */
	bool quoted; /* the last group has a quoted string */
	bool all_quoted; /* there is one word, and it is a quoted string */
};

static int peek(const struct lister *l)
{
	return l->at < l->text.n && !l->err ? view_at(l->text, l->at) : -1;
}

static void note(struct lister *l, unsigned odd)
{
	l->entry.odd |= odd;
}

/* Move over blanks and comments; true if there were any. */
static bool skip_cfws(struct lister *l)
{
	size_t from = l->at;
	struct lex_comment comment;

	for (;;) {
		l->at = lex_skip_blank(l->text, l->at);
		if (peek(l) != '(')
			return l->at != from;
		l->at = lex_comment(l->text, l->at, &comment);
		l->comment = comment.text;
		note(l, ADDRESS_ODD_COMMENT);
		if (!comment.ended)
			note(l, ADDRESS_ODD_UNENDED);
		if (comment.depth > ADDRESS_COMMENT_DEPTH_MAX)
			note(l, ADDRESS_ODD_DEPTH);
	}
}

/* made, for as long as the list lives: in the arena, unless the field has the same bytes at
 * from. */
static struct view keep(struct lister *l, struct view made, size_t from)
{
	struct view same = view_part(l->text, from, made.n);

	if (made.n == 0)
		return VIEW("");
	if (view_eq(made, same))
		return same;
	same = arena_copy(l->b->a, made);
	if (!same.p)
		l->err = ERR_NOMEM;
	return same;
}

/* ---- words ------------------------------------------------------------------------------ */

/* Ends a run of words. */
static bool is_decider(int c)
{
	return c < 0 || c == '<' || c == '@' || c == ',' || c == ':' || c == ';';
}

static bool is_word_char(int c)
{
	return !is_decider(c) && !ascii_is_space((uint8_t)c) && c != '(' && c != '"' && c != '>';
}

/* A word is about to be appended: how it joins those before it. */
static void join_word(struct lister *l, bool gap)
{
	struct buf *scratch = &l->b->scratch;

	l->all_quoted = false;
	if (l->words++ == 0) {
		l->words_at = l->at;
		return;
	}
	if (!gap)
		return;

	/* obs-local-part = word *("." word)   RFC 5322#4.4, with blanks beside the dot */
	bool bridge = peek(l) == '.' || (scratch->n && scratch->p[scratch->n - 1] == '.');

	buf_add_char(scratch, ' ');
	if (bridge) {
		l->bridged = true;
		return;
	}
	l->last_at = scratch->n;
	l->split = true;
	l->bridged = false;
	l->quoted = false;
}

static void read_quoted_word(struct lister *l, bool gap)
{
	bool ended;

	join_word(l, gap);
	if (l->words == 1) {
		l->words_at = l->at + 1;
		l->all_quoted = true;
	}
	l->quoted = true;
	l->at = lex_quoted(l->text, l->at, &l->b->scratch, &ended);
	if (!ended)
		note(l, ADDRESS_ODD_UNENDED);
}

static void read_plain_word(struct lister *l, bool gap)
{
	size_t from = l->at;

	join_word(l, gap);
	for (int c = peek(l); is_word_char(c); c = peek(l)) {
		if (c == ')' || c == '[' || c == ']' || c == '\\')
			note(l, ADDRESS_ODD_JUNK);
		l->at++;
	}
	buf_add(&l->b->scratch, view_part(l->text, from, l->at - from));
}

/* Words up to a decider, or up to ">" inside angle brackets. */
static void read_words(struct lister *l, bool in_angle)
{
	buf_clear(&l->b->scratch);
	l->words = 0;
	l->words_at = l->at;
	l->last_at = 0;
	l->split = l->bridged = l->quoted = l->all_quoted = false;
	for (;;) {
		bool gap = skip_cfws(l);
		int c = peek(l);

		if (is_decider(c) || (c == '>' && in_angle)) {
			if (c == '@' && gap && l->words)
				note(l, ADDRESS_ODD_SPACE);
			break;
		}
		if (c == '"') {
			read_quoted_word(l, gap);
		} else if (c == '>') {
			note(l, ADDRESS_ODD_JUNK);
			l->at++;
		} else {
			read_plain_word(l, gap);
		}
	}
	if (!l->err && buf_err(&l->b->scratch))
		l->err = ERR_NOMEM;
}

/* All words are the display name. */
static void take_name(struct lister *l)
{
	if (l->words == 0)
		return;
	l->entry.name = keep(l, buf_view(&l->b->scratch), l->words_at);
	l->entry.name_quoted = l->all_quoted;
}

/* All words are the local part. */
static void take_words_as_local(struct lister *l)
{
	l->entry.mailbox = keep(l, buf_view(&l->b->scratch), l->words_at);
	l->entry.local_quoted = l->quoted;
}

/* The words stand before "@": the last group is the local part, others before it can only be a
 * name. */
static void take_local(struct lister *l)
{
	struct buf *scratch = &l->b->scratch;
	struct view group = view_from(buf_view(scratch), l->last_at);

	if (l->words == 0) {
		note(l, ADDRESS_ODD_NO_LOCAL);
		return;
	}
	if (l->bridged)
		note(l, ADDRESS_ODD_SPACE);
	l->entry.local_quoted = l->quoted;
	if (l->bridged && !l->quoted) {
		char *to = scratch->p + l->last_at;
		size_t n = 0;

		for (size_t i = 0; i < group.n; i++)
			if (group.p[i] != ' ')
				to[n++] = group.p[i];
		group.n = n;
	}
	if (l->split) {
		note(l, ADDRESS_ODD_JUNK);
		l->entry.mailbox = keep(l, group, l->text.n);
		l->entry.name = keep(l, view_head(buf_view(scratch), l->last_at - 1), l->text.n);
	} else {
		l->entry.mailbox = keep(l, group, l->words_at);
	}
}

/* ---- addr-spec
 * -------------------------------------------------------------------------------- */

static bool is_domain_char(int c)
{
	return is_word_char(c) && c != ')' && c != '[' && c != ']' && c != '\\';
}

/* domain-literal = "[" *dtext "]"   RFC 5322#3.4.1; blanks dropped */
static void read_literal(struct lister *l)
{
	for (int c = peek(l); c >= 0 && c != '<' && c != '>'; c = peek(l)) {
		if (!ascii_is_space((uint8_t)c))
			buf_add_char(&l->b->scratch, (char)c);
		l->at++;
		if (c == ']')
			return;
	}
	note(l, ADDRESS_ODD_UNENDED);
}

/* domain = dot-atom / domain-literal / obs-domain   RFC 5322#3.4.1; behind its "@" */
static void read_domain(struct lister *l)
{
	struct buf *scratch = &l->b->scratch;
	size_t from;

	buf_clear(scratch);
	if (skip_cfws(l))
		note(l, ADDRESS_ODD_SPACE);
	from = l->at;
	if (peek(l) == '[')
		read_literal(l);
	while (is_domain_char(peek(l))) {
		size_t run = l->at;

		while (is_domain_char(peek(l)))
			l->at++;
		buf_add(scratch, view_part(l->text, run, l->at - run));
		if (!skip_cfws(l) || !is_domain_char(peek(l)))
			break;
		if (peek(l) != '.' && scratch->p[scratch->n - 1] != '.')
			break;
		note(l, ADDRESS_ODD_SPACE);
	}
	skip_cfws(l);
	if (!l->err && buf_err(scratch))
		l->err = ERR_NOMEM;
	if (l->err)
		return;
	if (scratch->n)
		l->entry.host = keep(l, buf_view(scratch), from);
	else
		note(l, ADDRESS_ODD_NO_DOMAIN);
}

/* Skip what belongs nowhere, up to a comma, semicolon, end, or one of the two stops. */
static void skip_junk(struct lister *l, unsigned odd, int stop, int other_stop)
{
	bool ended;

	for (;;) {
		skip_cfws(l);

		int c = peek(l);

		if (c < 0 || c == ',' || c == ';' || c == stop || c == other_stop)
			return;
		note(l, odd);
		if (c == '"')
			l->at = lex_quoted(l->text, l->at, NULL, &ended);
		else
			l->at++;
	}
}

/* obs-route = obs-domain-list ":"   RFC 5322#4.4; true if an addr-spec can follow */
static bool read_route(struct lister *l)
{
	struct buf *scratch = &l->b->scratch;
	size_t from = l->at;

	buf_clear(scratch);
	for (int c = peek(l); c == '@' || c == ',' || is_domain_char(c); c = peek(l)) {
		buf_add_char(scratch, (char)c);
		l->at++;
		skip_cfws(l);
	}
	if (!l->err && buf_err(scratch))
		l->err = ERR_NOMEM;
	if (l->err)
		return false;
	if (peek(l) == ':') {
		l->at++;
		note(l, ADDRESS_ODD_ROUTE);
		l->entry.route = keep(l, buf_view(scratch), from);
		return true;
	}
	/* <@host>: no colon, so it is an address without a local part. */
	note(l, ADDRESS_ODD_NO_LOCAL);
	if (scratch->n > 1)
		l->entry.host = keep(l, view_from(buf_view(scratch), 1), from + 1);
	return false;
}

/* What stands between "<" and ">". */
static void read_angle_spec(struct lister *l)
{
	skip_cfws(l);
	if (peek(l) == '@' && !read_route(l))
		return;
	read_words(l, true);
	if (peek(l) == '@') {
		if (l->split) { /* <john doe@host>: there is no name in here */
			note(l, ADDRESS_ODD_JUNK);
			l->split = l->bridged = false;
			l->last_at = 0;
		}
		take_local(l);
		l->at++;
		read_domain(l);
		return;
	}
	if (l->words) {
		take_words_as_local(l);
		note(l, ADDRESS_ODD_NO_DOMAIN);
	} else {
		note(l, ADDRESS_ODD_NO_LOCAL);
	}
}

/* angle-addr = "<" [obs-route] addr-spec ">" and what follows up to the comma   RFC 5322#3.4 */
static void read_angle(struct lister *l)
{
	l->at++;
	read_angle_spec(l);
	skip_junk(l, ADDRESS_ODD_JUNK, '>', '<');
	if (peek(l) != '>') {
		note(l, ADDRESS_ODD_UNENDED);
		return;
	}
	l->at++;
	skip_junk(l, ADDRESS_ODD_AFTER_ANGLE, '<', '<');
	if (peek(l) == '<')
		note(l, ADDRESS_ODD_AFTER_ANGLE);
}

/* addr-spec without brackets; if "<" follows after all, everything before it was a name. */
static void read_bare(struct lister *l, size_t entry_at)
{
	take_local(l);
	l->at++;
	read_domain(l);
	if (peek(l) != '<') {
		skip_junk(l, ADDRESS_ODD_JUNK, '<', '<');
		if (peek(l) == '<')
			note(l, ADDRESS_ODD_JUNK);
		return;
	}

	struct buf *scratch = &l->b->scratch;

	buf_clear(scratch);
	mime_unfold(scratch, view_part(l->text, entry_at, l->at - entry_at));
	note(l, ADDRESS_ODD_JUNK);
	l->entry = (struct address_entry){
		.odd = l->entry.odd,
		.name = keep(l, buf_view(scratch), entry_at),
	};
	read_angle(l);
}

/* ---- entries ---------------------------------------------------------------------------- */

static void push(struct lister *l)
{
	struct address_list_builder *b = l->b;

	if (l->err)
		return;
	if (b->entries.n == ADDRESS_LIST_MAX) {
		b->odd |= ADDRESS_ODD_MANY;
		l->at = l->text.n;
		return;
	}
	if (!VEC_PUSH(&b->entries, l->entry)) {
		l->err = ERR_NOMEM;
		return;
	}
	b->odd |= l->entry.odd;
	b->mailboxes += l->entry.kind == ADDRESS_MAILBOX;
}

/* A comment as a name: unfolded, quoted pairs resolved. */
static struct view comment_as_name(struct lister *l)
{
	struct buf *scratch = &l->b->scratch;
	size_t n = 0;

	buf_clear(scratch);
	mime_unfold(scratch, l->comment);
	if (buf_err(scratch)) {
		l->err = ERR_NOMEM;
		return VIEW_EMPTY;
	}
	for (size_t i = 0; i < scratch->n; i++) {
		if (scratch->p[i] == '\\' && i + 1 < scratch->n)
			i++;
		scratch->p[n++] = scratch->p[i];
	}
	return keep(l, view_of(scratch->p, n), (size_t)(l->comment.p - l->text.p));
}

static void note_bytes(struct lister *l, struct view v)
{
	if (!mime_ascii_only(v))
		note(l, ADDRESS_ODD_8BIT);
	for (size_t i = 0; i < v.n; i++)
		if (ascii_is_ctl(view_at(v, i)))
			note(l, ADDRESS_ODD_CONTROL);
}

static void push_mailbox(struct lister *l)
{
	struct address_entry *e = &l->entry;
	struct address address;

	if (l->err)
		return;
	if (!e->name.p && l->comment.p)
		e->name = comment_as_name(l);
	if (view_has(e->name, '@'))
		note(l, ADDRESS_ODD_NAME_ADDRESS);
	note_bytes(l, e->mailbox);
	note_bytes(l, e->host);
	if (e->mailbox.p && e->host.p &&
	    (address_make(e->mailbox, e->host, ADDRESS_UTF8, &address) ||
	     (!e->local_quoted && address_needs_quotes(e->mailbox))))
		note(l, ADDRESS_ODD_SPEC);
	push(l);
}

/* ":" behind words. */
static void begin_group(struct lister *l)
{
	l->at++;
	if (l->in_group || l->words == 0) {
		note(l, ADDRESS_ODD_JUNK);
		l->b->odd |= l->entry.odd;
		return;
	}
	take_name(l);
	note(l, ADDRESS_ODD_GROUP);
	l->entry.kind = ADDRESS_GROUP_START;
	l->in_group = true;
	push(l);
}

static void end_group(struct lister *l, unsigned odd)
{
	l->in_group = false;
	l->entry = (struct address_entry){ .kind = ADDRESS_GROUP_END, .odd = odd };
	push(l);
}

/* One entry, up to its separator. */
static void read_entry(struct lister *l)
{
	size_t from;

	l->entry = (struct address_entry){ .kind = ADDRESS_MAILBOX };
	l->comment = VIEW_EMPTY;
	skip_cfws(l);
	from = l->at;
	read_words(l, false);

	int c = peek(l);

	if (c == ':') {
		begin_group(l);
		return;
	}
	if (c == '<') {
		take_name(l);
		read_angle(l);
	} else if (c == '@') {
		read_bare(l, from);
	} else if (l->words) {
		take_words_as_local(l);
		note(l, ADDRESS_ODD_NO_DOMAIN);
	} else {
		/* Nothing between two commas, or a comment alone. */
		l->b->odd |= l->entry.odd | (c == ',' ? ADDRESS_ODD_EMPTY : 0U);
		return;
	}
	push_mailbox(l);
}

/* The separator behind an entry. */
static void read_separator(struct lister *l)
{
	int c = peek(l);

	if (c != ',' && c != ';')
		return;
	l->at++;
	if (c == ',')
		return;
	if (l->in_group)
		end_group(l, ADDRESS_ODD_GROUP);
	else
		l->b->odd |= ADDRESS_ODD_JUNK;
	/* The comma behind a group belongs to it; without one the next entry is missing its own. */
	l->at = lex_skip_cfws(l->text, l->at, NULL);
	if (peek(l) == ',')
		l->at++;
}

void address_list_begin(struct address_list_builder *b, struct arena *a)
{
	*b = (struct address_list_builder){
		.entries = VEC_INIT(ADDRESS_LIST_MAX),
		.a = a,
		.text_left = ADDRESS_LIST_TEXT_MAX,
	};
	buf_init(&b->scratch, ADDRESS_LIST_TEXT_MAX);
}

enum err address_list_feed(struct address_list_builder *b, struct view value)
{
	struct lister l = { .b = b, .text = view_head(value, b->text_left) };

	if (value.n > b->text_left)
		b->odd |= ADDRESS_ODD_MANY;
	b->text_left -= l.text.n;
	if (l.text.n == 0)
		return OK;
	while (!l.err && l.at < l.text.n) {
		read_entry(&l);
		read_separator(&l);
	}
	if (!l.err && l.in_group)
		end_group(&l, ADDRESS_ODD_GROUP | ADDRESS_ODD_UNENDED);
	return l.err;
}

void address_list_drop(struct address_list_builder *b)
{
	VEC_DONE(&b->entries);
	buf_done(&b->scratch);
}

enum err address_list_end(struct address_list_builder *b, struct address_list *ret)
{
	size_t n = b->entries.n;
	struct address_entry *at = NULL;

	if (n) {
		at = ARENA_ARRAY(b->a, struct address_entry, n);
		if (at)
			memcpy(at, b->entries.at, n * sizeof(*at));
	}
	address_list_drop(b);
	if (n && !at)
		return ERR_NOMEM;
	*ret = (struct address_list){ .at = at, .n = n, .mailboxes = b->mailboxes, .odd = b->odd };
	return OK;
}

enum err address_list_parse(struct arena *a, struct view value, struct address_list *ret)
{
	struct address_list_builder b;
	enum err err;

	address_list_begin(&b, a);
	err = address_list_feed(&b, value);
	if (!err)
		return address_list_end(&b, ret);
	address_list_drop(&b);
	return err;
}

enum err address_of_entry(const struct address_entry *e, unsigned options, struct address *ret)
{
	if (e->kind != ADDRESS_MAILBOX || !e->mailbox.p || !e->host.p)
		return ERR_SYNTAX;
	return address_make(e->mailbox, e->host, options, ret);
}
