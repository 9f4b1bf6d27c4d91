/*
 * proto/imap/write.c: strings, names, flags, dates, labels.
 */
#include "proto/imap/write.h"

#include "base/ascii.h"
#include "base/date.h"
#include "proto/imap/name.h"
#include "proto/imap/parser.h"

/* What a string needs to be written as. */
enum string_form { FORM_PLAIN, FORM_ESCAPED, FORM_LITERAL, FORM_LITERAL_NUL };

static enum string_form string_form(struct view text, bool utf8)
{
	enum string_form form = text.n > IMAP_QUOTED_MAX ? FORM_LITERAL : FORM_PLAIN;

	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = view_at(text, i);

		if (c == '\0')
			return FORM_LITERAL_NUL;
		if (c == '\r' || c == '\n' || (c >= 0x80 && !utf8))
			form = FORM_LITERAL;
		else if ((c == '"' || c == '\\') && form == FORM_PLAIN)
			form = FORM_ESCAPED;
	}
	return form;
}

static void add_literal(struct buf *out, struct view text)
{
	size_t nuls = 0;

	for (size_t i = 0; i < text.n; i++)
		nuls += text.p[i] == '\0';
	buf_add_char(out, '{');
	buf_add_u64(out, text.n - nuls);
	buf_add(out, VIEW("}\r\n"));
	if (!nuls) {
		buf_add(out, text);
		return;
	}
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] != '\0')
			buf_add_char(out, text.p[i]);
}

void imap_add_string(struct buf *out, struct view text, bool utf8)
{
	enum string_form form = string_form(text, utf8);

	if (form == FORM_LITERAL || form == FORM_LITERAL_NUL) {
		add_literal(out, text);
		return;
	}
	buf_add_char(out, '"');
	if (form == FORM_PLAIN) {
		buf_add(out, text);
	} else {
		for (size_t i = 0; i < text.n; i++) {
			if (text.p[i] == '"' || text.p[i] == '\\')
				buf_add_char(out, '\\');
			buf_add_char(out, text.p[i]);
		}
	}
	buf_add_char(out, '"');
}

void imap_add_nstring(struct buf *out, struct view text, bool utf8)
{
	if (text.p)
		imap_add_string(out, text, utf8);
	else
		buf_add(out, VIEW("NIL"));
}

void imap_add_astring(struct buf *out, struct view text, bool utf8)
{
	bool atom = text.n > 0 && text.n < IMAP_QUOTED_MAX && !view_eq_nocase(text, VIEW("NIL"));

	for (size_t i = 0; atom && i < text.n; i++)
		atom = (imap_class[view_at(text, i)] & IMAP_IS_ATOM) != 0;
	if (atom)
		buf_add(out, text);
	else
		imap_add_string(out, text, utf8);
}

void imap_add_mailbox(struct buf *out, struct view name, bool utf8)
{
	bool plain = true;

	for (size_t i = 0; plain && i < name.n; i++)
		plain = ascii_is_print(view_at(name, i)) && name.p[i] != '&';
	if (plain || utf8) {
		imap_add_astring(out, name, utf8);
		return;
	}
	struct buf CLEANUP(buf_done) wire = BUF_INIT(IMAP_NAME_WIRE_MAX);

	imap_utf7_encode(&wire, name);
	if (buf_err(&wire) && !out->err)
		out->err = buf_err(&wire);
	imap_add_astring(out, buf_view(&wire), false);
}

void imap_add_system_flags(struct buf *out, unsigned flags)
{
	static const struct {
		unsigned flag;
		struct view name;
	} names[] = {
		{ IMAP_FLAG_ANSWERED, VIEW_INIT("\\Answered ") },
		{ IMAP_FLAG_FLAGGED, VIEW_INIT("\\Flagged ") },
		{ IMAP_FLAG_DELETED, VIEW_INIT("\\Deleted ") },
		{ IMAP_FLAG_SEEN, VIEW_INIT("\\Seen ") },
		{ IMAP_FLAG_DRAFT, VIEW_INIT("\\Draft ") },
		{ IMAP_FLAG_RECENT, VIEW_INIT("\\Recent ") },
	};
	size_t from = out->n;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (flags & names[i].flag)
			buf_add(out, names[i].name);
	if (out->n > from && !out->err)
		buf_truncate(out, out->n - 1);
}

void imap_add_date_time(struct buf *out, int64_t seconds, int zone)
{
	buf_add_char(out, '"');
	date_add_imap(out, seconds, zone);
	buf_add_char(out, '"');
}

struct view imap_use_name(uint32_t use)
{
	switch (use) {
	case IMAP_USE_ALL: return VIEW("\\All");
	case IMAP_USE_ARCHIVE: return VIEW("\\Archive");
	case IMAP_USE_DRAFTS: return VIEW("\\Drafts");
	case IMAP_USE_FLAGGED: return VIEW("\\Flagged");
	case IMAP_USE_JUNK: return VIEW("\\Junk");
	case IMAP_USE_SENT: return VIEW("\\Sent");
	case IMAP_USE_TRASH: return VIEW("\\Trash");
	case IMAP_USE_IMPORTANT: return VIEW("\\Important");
	default: return VIEW_EMPTY;
	}
}

static void add_section(struct buf *out, const struct imap_section *s)
{
	static const struct view names[] = {
		[IMAP_SECTION_ALL] = VIEW_INIT(""),
		[IMAP_SECTION_HEADER] = VIEW_INIT("HEADER"),
		[IMAP_SECTION_HEADER_FIELDS] = VIEW_INIT("HEADER.FIELDS"),
		[IMAP_SECTION_HEADER_FIELDS_NOT] = VIEW_INIT("HEADER.FIELDS.NOT"),
		[IMAP_SECTION_TEXT] = VIEW_INIT("TEXT"),
		[IMAP_SECTION_MIME] = VIEW_INIT("MIME"),
	};

	buf_add_char(out, '[');
	for (size_t i = 0; i < s->path_n; i++) {
		if (i > 0)
			buf_add_char(out, '.');
		buf_add_u64(out, s->path[i]);
	}
	if (s->path_n && s->kind != IMAP_SECTION_ALL)
		buf_add_char(out, '.');
	buf_add(out, names[s->kind]);
	if (s->names.n) {
		for (size_t i = 0; i < s->names.n; i++) {
			buf_add(out, i ? VIEW(" ") : VIEW(" ("));
			imap_add_astring(out, s->names.at[i], false);
		}
		buf_add_char(out, ')');
	}
	buf_add_char(out, ']');
}

void imap_add_fetch_label(struct buf *out, const struct imap_fetch_item *item)
{
	static const struct view names[] = {
		[IMAP_FETCH_UID] = VIEW_INIT("UID"),
		[IMAP_FETCH_FLAGS] = VIEW_INIT("FLAGS"),
		[IMAP_FETCH_INTERNALDATE] = VIEW_INIT("INTERNALDATE"),
		[IMAP_FETCH_SIZE] = VIEW_INIT("RFC822.SIZE"),
		[IMAP_FETCH_MODSEQ] = VIEW_INIT("MODSEQ"),
		[IMAP_FETCH_EMAILID] = VIEW_INIT("EMAILID"),
		[IMAP_FETCH_THREADID] = VIEW_INIT("THREADID"),
		[IMAP_FETCH_SAVEDATE] = VIEW_INIT("SAVEDATE"),
		[IMAP_FETCH_PREVIEW] = VIEW_INIT("PREVIEW"),
		[IMAP_FETCH_ENVELOPE] = VIEW_INIT("ENVELOPE"),
		[IMAP_FETCH_BODY] = VIEW_INIT("BODY"),
		[IMAP_FETCH_BODYSTRUCTURE] = VIEW_INIT("BODYSTRUCTURE"),
		[IMAP_FETCH_SECTION] = VIEW_INIT("BODY"),
		[IMAP_FETCH_RFC822] = VIEW_INIT("RFC822"),
		[IMAP_FETCH_RFC822_HEADER] = VIEW_INIT("RFC822.HEADER"),
		[IMAP_FETCH_RFC822_TEXT] = VIEW_INIT("RFC822.TEXT"),
		[IMAP_FETCH_BINARY] = VIEW_INIT("BINARY"),
		[IMAP_FETCH_BINARY_SIZE] = VIEW_INIT("BINARY.SIZE"),
	};
	bool section = item->kind == IMAP_FETCH_SECTION || item->kind == IMAP_FETCH_BINARY ||
		       item->kind == IMAP_FETCH_BINARY_SIZE;

	buf_add(out, names[item->kind]);
	if (section)
		add_section(out, &item->section);
	if (section && item->partial) {
		buf_add_char(out, '<');
		buf_add_u64(out, item->offset);
		buf_add_char(out, '>');
	}
}

void imap_add_line(struct buf *out, struct view tag, const char *text)
{
	buf_add(out, tag.n ? tag : VIEW("*"));
	buf_add_char(out, ' ');
	buf_add_str(out, text);
	buf_add(out, VIEW("\r\n"));
}
