/*
 * proto/imap/parse_fetch.c: FETCH: macros, items, sections, partial ranges.
 */
#include "base/ascii.h"
#include "proto/imap/parser.h"

struct item_list {
	struct imap_fetch_item *at;
	size_t n;
	size_t cap;
};

static void item_add(struct imap_parser *p, struct item_list *list, struct imap_fetch_item item)
{
	if (list->n >= IMAP_FETCH_ITEMS_MAX)
		imap_parser_fail(p, ERR_LIMIT, "[LIMIT] Too many items");
	if (imap_list_grow(p, (void **)&list->at, list->n, &list->cap, sizeof(item)))
		list->at[list->n++] = item;
}

static void item_add_kind(struct imap_parser *p, struct item_list *list, enum imap_fetch_kind kind)
{
	item_add(p, list, (struct imap_fetch_item){ .kind = kind });
}

/* section-part = nz-number *("." nz-number), and whether a "." for what follows was read */
static void path_parse(struct imap_parser *p, struct imap_section *s, bool *ret_more)
{
	uint32_t path[IMAP_SECTION_PATH_MAX];
	size_t n = 0;
	int c = cursor_peek(&p->c);

	*ret_more = true;
	while (c >= 0 && ascii_is_digit((uint8_t)c)) {
		uint64_t number = cursor_u64(&p->c, UINT32_MAX);

		if (number == 0)
			cursor_fail(&p->c, ERR_SYNTAX);
		if (n == IMAP_SECTION_PATH_MAX) {
			imap_parser_fail(p, ERR_LIMIT, "[LIMIT] Section too deep");
			return;
		}
		path[n++] = (uint32_t)number;
		*ret_more = cursor_skip_char(&p->c, '.');
		if (!*ret_more)
			break;
		c = cursor_peek(&p->c);
	}
	if (n == 0)
		return;

	uint32_t *copy = ARENA_ARRAY(p->a, uint32_t, n);

	if (!copy) {
		cursor_fail(&p->c, ERR_NOMEM);
		return;
	}
	memcpy(copy, path, n * sizeof(*copy));
	s->path = copy;
	s->path_n = n;
}

/* header-list = "(" header-fld-name *(SP header-fld-name) ")" */
static void header_list(struct imap_parser *p, struct imap_section *s)
{
	struct imap_view_list names = { 0 };

	cursor_space(&p->c);
	cursor_char(&p->c, '(');
	do
		imap_view_list_add(p, &names, imap_astring(p), IMAP_HEADER_NAMES_MAX,
				   "[LIMIT] Too many field names");
	while (cursor_skip_char(&p->c, ' '));
	cursor_char(&p->c, ')');
	s->names = imap_view_list_done(&names);
}

/* section = "[" [section-spec] "]", behind its "["   RFC 9051#6.4.5.1 */
static void section_parse(struct imap_parser *p, struct imap_section *s)
{
	bool more = true;

	if (cursor_skip_char(&p->c, ']'))
		return;
	path_parse(p, s, &more);
	if (more) {
		if (imap_skip_word(p, "HEADER.FIELDS.NOT")) {
			s->kind = IMAP_SECTION_HEADER_FIELDS_NOT;
			header_list(p, s);
		} else if (imap_skip_word(p, "HEADER.FIELDS")) {
			s->kind = IMAP_SECTION_HEADER_FIELDS;
			header_list(p, s);
		} else if (imap_skip_word(p, "HEADER")) {
			s->kind = IMAP_SECTION_HEADER;
		} else if (imap_skip_word(p, "TEXT")) {
			s->kind = IMAP_SECTION_TEXT;
		} else if (s->path_n && imap_skip_word(p, "MIME")) {
			s->kind = IMAP_SECTION_MIME;
		} else {
			imap_parser_fail(p, ERR_SYNTAX, "Unknown section");
		}
	}
	cursor_char(&p->c, ']');
}

/* partial = "<" number64 "." nz-number64 ">"   RFC 9051#9 */
static void partial_parse(struct imap_parser *p, struct imap_fetch_item *item)
{
	if (!cursor_skip_char(&p->c, '<'))
		return;
	item->partial = true;
	item->offset = cursor_u64(&p->c, INT64_MAX);
	cursor_char(&p->c, '.');
	item->length = cursor_u64(&p->c, INT64_MAX);
	cursor_char(&p->c, '>');
	if (item->length == 0)
		cursor_fail(&p->c, ERR_SYNTAX);
}

/* "BODY" section, "BODY.PEEK" section, "BODY" */
static void body_parse(struct imap_parser *p, struct imap_fetch_item *item, bool peek)
{
	item->peek = peek;
	if (!cursor_skip_char(&p->c, '[')) {
		if (peek)
			cursor_fail(&p->c, ERR_SYNTAX);
		item->kind = IMAP_FETCH_BODY;
		return;
	}
	item->kind = IMAP_FETCH_SECTION;
	section_parse(p, &item->section);
	partial_parse(p, item);
}

/* "BINARY" [".PEEK"] section-binary [partial] / "BINARY.SIZE" section-binary   RFC 9051#9 */
static void binary_parse(struct imap_parser *p, struct imap_fetch_item *item,
			 enum imap_fetch_kind kind, bool peek)
{
	bool more = true;

	item->kind = kind;
	item->peek = peek || kind == IMAP_FETCH_BINARY_SIZE;
	cursor_char(&p->c, '[');
	if (!cursor_skip_char(&p->c, ']')) {
		path_parse(p, &item->section, &more);
		if (more)
			imap_parser_fail(p, ERR_SYNTAX, "Unknown section");
		cursor_char(&p->c, ']');
	}
	if (kind == IMAP_FETCH_BINARY)
		partial_parse(p, item);
}

/* Items that are a word and nothing else. */
static const struct {
	struct view name;
	enum imap_fetch_kind kind;
} plain_items[] = {
	{ VIEW_INIT("UID"), IMAP_FETCH_UID },
	{ VIEW_INIT("FLAGS"), IMAP_FETCH_FLAGS },
	{ VIEW_INIT("INTERNALDATE"), IMAP_FETCH_INTERNALDATE },
	{ VIEW_INIT("ENVELOPE"), IMAP_FETCH_ENVELOPE },
	{ VIEW_INIT("BODYSTRUCTURE"), IMAP_FETCH_BODYSTRUCTURE },
	{ VIEW_INIT("MODSEQ"), IMAP_FETCH_MODSEQ },
	{ VIEW_INIT("EMAILID"), IMAP_FETCH_EMAILID },
	{ VIEW_INIT("THREADID"), IMAP_FETCH_THREADID },
	{ VIEW_INIT("SAVEDATE"), IMAP_FETCH_SAVEDATE },
	{ VIEW_INIT("RFC822.SIZE"), IMAP_FETCH_SIZE },
	{ VIEW_INIT("RFC822.HEADER"), IMAP_FETCH_RFC822_HEADER },
	{ VIEW_INIT("RFC822.TEXT"), IMAP_FETCH_RFC822_TEXT },
	{ VIEW_INIT("RFC822"), IMAP_FETCH_RFC822 },
};

static bool is_item_byte(uint8_t b)
{
	return ascii_is_alnum(b) || b == '.';
}

/* fetch-att   RFC 9051#9, RFC 3501#9 */
static void item_parse(struct imap_parser *p, struct item_list *list)
{
	struct view name = cursor_span(&p->c, is_item_byte, 32);
	struct imap_fetch_item item = { .kind = IMAP_FETCH_UID };

	if (view_eq_nocase(name, VIEW("BODY"))) {
		body_parse(p, &item, false);
	} else if (view_eq_nocase(name, VIEW("BODY.PEEK"))) {
		body_parse(p, &item, true);
	} else if (view_eq_nocase(name, VIEW("BINARY"))) {
		binary_parse(p, &item, IMAP_FETCH_BINARY, false);
	} else if (view_eq_nocase(name, VIEW("BINARY.PEEK"))) {
		binary_parse(p, &item, IMAP_FETCH_BINARY, true);
	} else if (view_eq_nocase(name, VIEW("BINARY.SIZE"))) {
		binary_parse(p, &item, IMAP_FETCH_BINARY_SIZE, true);
	} else if (view_eq_nocase(name, VIEW("PREVIEW"))) {
		item.kind = IMAP_FETCH_PREVIEW;
		item.lazy = cursor_skip_nocase(&p->c, VIEW(" (LAZY)"));
	} else {
		bool known = false;

		for (size_t i = 0; !known && i < ARRAY_LEN(plain_items); i++) {
			known = view_eq_nocase(name, plain_items[i].name);
			if (known)
				item.kind = plain_items[i].kind;
		}
		item.peek = item.kind == IMAP_FETCH_RFC822_HEADER;
		if (!known)
			imap_parser_fail(p, ERR_SYNTAX, "Unknown item of FETCH");
	}
	item_add(p, list, item);
}

/* "ALL" / "FULL" / "FAST": only alone   RFC 9051#6.4.5 */
static bool macro_parse(struct imap_parser *p, struct item_list *list)
{
	bool full = imap_skip_word(p, "FULL");
	bool all = full || imap_skip_word(p, "ALL");

	if (!all && !imap_skip_word(p, "FAST"))
		return false;
	item_add_kind(p, list, IMAP_FETCH_FLAGS);
	item_add_kind(p, list, IMAP_FETCH_INTERNALDATE);
	item_add_kind(p, list, IMAP_FETCH_SIZE);
	if (all)
		item_add_kind(p, list, IMAP_FETCH_ENVELOPE);
	if (full)
		item_add_kind(p, list, IMAP_FETCH_BODY);
	return true;
}

/* fetch-modifiers = "(" "CHANGEDSINCE" SP mod-sequence-value [SP "VANISHED"] ")"   RFC 7162#7 */
static void modifiers_parse(struct imap_parser *p, struct imap_fetch_args *args)
{
	cursor_char(&p->c, '(');
	do {
		if (imap_skip_word(p, "CHANGEDSINCE") && !args->changed_since) {
			cursor_space(&p->c);
			args->modseq = imap_modseq(p);
			args->changed_since = true;
		} else if (imap_skip_word(p, "VANISHED")) {
			args->vanished = true;
		} else {
			imap_parser_fail(p, ERR_SYNTAX, "Unknown modifier of FETCH");
		}
	} while (cursor_skip_char(&p->c, ' '));
	cursor_char(&p->c, ')');
	if (args->vanished && !args->changed_since)
		imap_parser_fail(p, ERR_SYNTAX, "VANISHED without CHANGEDSINCE");
}

/* fetch = "FETCH" SP sequence-set SP (macro / fetch-att / "(" fetch-att *(SP fetch-att) ")")
 * [SP fetch-modifiers]   RFC 9051#9 */
void imap_parse_fetch(struct imap_parser *p, struct imap_command *cmd)
{
	struct item_list items = { 0 };

	cursor_space(&p->c);
	imap_seq(p, &cmd->fetch.seq);
	cursor_space(&p->c);
	if (cursor_skip_char(&p->c, '(')) {
		do
			item_parse(p, &items);
		while (cursor_skip_char(&p->c, ' '));
		cursor_char(&p->c, ')');
	} else if (!macro_parse(p, &items)) {
		item_parse(p, &items);
	}
	if (cursor_skip_char(&p->c, ' '))
		modifiers_parse(p, &cmd->fetch);
	if (cmd->fetch.vanished && !cmd->uid)
		imap_parser_fail(p, ERR_SYNTAX, "VANISHED is for UID FETCH");
	cmd->fetch.items = items.at;
	cmd->fetch.n = items.n;
}
