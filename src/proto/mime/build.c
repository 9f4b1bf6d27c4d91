/*
 * proto/mime/build.c: header fields and boundaries.
 *
 * Each field is made in a buffer of its own and added when it is complete, so that a refused value
 * leaves nothing behind.
 */
#include "proto/mime/build.h"

#include "base/date.h"
#include "base/encode.h"
#include "proto/mime/encoded_word.h"
#include "proto/mime/fold.h"
#include "proto/mime/lex.h"
#include "proto/mime/utf8.h"

enum {
	FIELD_NAME_MAX = 76,
	FIELD_BYTES_MAX = 1024 * 1024, /* of one field that we write */
	PARAM_PLAIN_MAX = 60, /* longer values are cut in sections */
	PARAM_PIECE_MAX = 50, /* characters of one section */
};

bool mime_field_name_valid(struct view name)
{
	if (name.n == 0 || name.n > FIELD_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (!ascii_is_graph(view_at(name, i)) || name.p[i] == ':')
			return false;
	return true;
}

static enum err begin_field(struct buf *field, struct view name)
{
	buf_init(field, FIELD_BYTES_MAX);
	if (!mime_field_name_valid(name))
		return ERR_SYNTAX;
	buf_add(field, name);
	buf_add(field, VIEW(": "));
	return buf_err(field);
}

/* Adds the finished field to out unless err; frees it. */
static enum err end_field(struct buf *field, struct buf *out, enum err err)
{
	buf_add(field, VIEW("\r\n"));
	if (!err)
		err = buf_err(field);
	if (!err) {
		buf_add(out, buf_view(field));
		err = buf_err(out);
	}
	buf_done(field);
	return err;
}

enum err mime_add_field(struct buf *out, struct view name, struct view value)
{
	struct buf field;
	enum err err = begin_field(&field, name);

	if (!err && fold_is_unsafe(value))
		err = ERR_SYNTAX;
	if (!err)
		err = fold_add(&field, value, field.n);
	return end_field(&field, out, err);
}

enum err mime_add_text_field(struct buf *out, struct view name, struct view text)
{
	struct buf field;
	enum err err = begin_field(&field, name);

	if (!err)
		err = encoded_word_add_text(&field, text, field.n);
	return end_field(&field, out, err);
}

/* mailbox = [display-name] "<" addr-spec ">" / addr-spec   RFC 5322#3.4 */
static enum err add_mailbox(struct buf *item, struct view name, const struct address *address)
{
	enum err err = encoded_word_add_phrase(item, name, 1);

	if (err)
		return err;
	if (name.n) {
		size_t room = MIME_LINE_SOFT - size_min(fold_column(item), MIME_LINE_SOFT);

		buf_add(item, room < ADDRESS_PATH_MAX / 4 ? VIEW("\r\n <") : VIEW(" <"));
	}
	address_add(item, address);
	if (name.n)
		buf_add_char(item, '>');
	return buf_err(item);
}

enum err mime_add_address_field(struct buf *out, struct view name, const struct view *names,
				const struct address *addresses, size_t n)
{
	struct buf field;
	struct buf CLEANUP(buf_done) item = BUF_INIT(FIELD_BYTES_MAX);
	enum err err = begin_field(&field, name);

	if (!err && n == 0)
		err = ERR_SYNTAX;
	for (size_t i = 0; i < n && !err; i++) {
		buf_clear(&item);
		err = add_mailbox(&item, names[i], &addresses[i]);
		if (err)
			break;

		size_t first_line = view_find_char(buf_view(&item), '\r');
		size_t column = fold_column(&field) + size_min(first_line, item.n) + 3;

		if (i > 0)
			buf_add(&field, column > MIME_LINE_SOFT ? VIEW(",\r\n ") : VIEW(", "));
		buf_add(&field, buf_view(&item));
	}
	return end_field(&field, out, err);
}

enum err mime_add_date_field(struct buf *out, struct view name, int64_t seconds, int zone)
{
	struct buf field;
	enum err err = begin_field(&field, name);

	date_add_rfc5322(&field, seconds, zone);
	return end_field(&field, out, err);
}

/* Behind the value so far: "; ", or a new line when n more characters do not fit. */
static void add_param_gap(struct buf *field, size_t n)
{
	buf_add(field, fold_column(field) + 2 + n > MIME_LINE_SOFT ? VIEW(";\r\n ") : VIEW("; "));
}

static bool is_all(struct view text, bool (*is)(uint8_t))
{
	for (size_t i = 0; i < text.n; i++)
		if (!is(view_at(text, i)))
			return false;
	return true;
}

/* attribute-char of RFC 2231#7: a token character other than "*", "'" and "%" */
static bool is_attribute_char(uint8_t c)
{
	return lex_is_token(c) && c != '*' && c != '\'' && c != '%';
}

static void add_percent(struct buf *out, struct view text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (is_attribute_char(view_at(text, i)))
			buf_add_char(out, text.p[i]);
		else
			buf_addf(out, "%%%02X", view_at(text, i));
	}
}

/* name*=utf-8''text, or name*0*=..., name*1*=... when that is long.   RFC 2231#4.1 */
static enum err add_extended_param(struct buf *field, struct view name, struct view value)
{
	struct buf CLEANUP(buf_done) piece = BUF_INIT(8 * PARAM_PIECE_MAX);
	bool one = 3 * value.n <= PARAM_PIECE_MAX;

	for (unsigned section = 0; section == 0 || value.n; section++) {
		/* Whole characters, so that readers which decode section by section are right
		 * too. */
		struct view head = mime_utf8_head(value, PARAM_PIECE_MAX / 3);

		if (section == MIME_PARAM_SECTIONS_MAX)
			return ERR_LIMIT;
		buf_clear(&piece);
		add_percent(&piece, head);
		if (buf_err(&piece))
			return buf_err(&piece);
		add_param_gap(field, name.n + piece.n + 14);
		buf_add(field, name);
		if (!one)
			buf_addf(field, "*%u", section);
		buf_add_str(field, section == 0 ? "*=utf-8''" : "*=");
		buf_add(field, buf_view(&piece));
		value = view_from(value, head.n);
	}
	return buf_err(field);
}

static enum err add_param(struct buf *field, const struct mime_param *p)
{
	if (p->name.n == 0 || p->name.n > FIELD_NAME_MAX || !is_all(p->name, is_attribute_char) ||
	    fold_is_unsafe(p->value) || !mime_utf8_valid(p->value))
		return ERR_SYNTAX;
	if (p->value.n > PARAM_PLAIN_MAX || !is_all(p->value, ascii_is_print) ||
	    view_find(p->value, VIEW("=?")) != VIEW_NONE)
		return add_extended_param(field, p->name, p->value);
	add_param_gap(field, p->name.n + p->value.n + 3);
	buf_add(field, p->name);
	buf_add_char(field, '=');
	if (p->value.n && is_all(p->value, lex_is_token)) {
		buf_add(field, p->value);
		return buf_err(field);
	}
	buf_add_char(field, '"');
	for (size_t i = 0; i < p->value.n; i++) {
		if (p->value.p[i] == '"' || p->value.p[i] == '\\')
			buf_add_char(field, '\\');
		buf_add_char(field, p->value.p[i]);
	}
	buf_add_char(field, '"');
	return buf_err(field);
}

enum err mime_add_param_field(struct buf *out, struct view name, struct view main,
			      struct mime_params params)
{
	struct buf field;
	enum err err = begin_field(&field, name);

	if (!err && fold_is_unsafe(main))
		err = ERR_SYNTAX;
	buf_add(&field, main);
	for (size_t i = 0; i < params.n && !err; i++)
		err = add_param(&field, &params.at[i]);
	return end_field(&field, out, err);
}

struct view mime_boundary(const uint8_t random[MIME_BOUNDARY_RANDOM], char room[MIME_BOUNDARY_TEXT])
{
	static const char DIGITS[] = "0123456789abcdef";
	size_t n = 0;

	room[n++] = '=';
	room[n++] = '_';
	room[n++] = '.';
	for (size_t i = 0; i < MIME_BOUNDARY_RANDOM; i++) {
		room[n++] = DIGITS[random[i] >> 4];
		room[n++] = DIGITS[random[i] & 15];
	}
	return view_of(room, n);
}

void mime_add_delimiter(struct buf *out, struct view boundary, bool last)
{
	if (fold_column(out) > 0)
		buf_add(out, VIEW("\r\n"));
	buf_add(out, VIEW("--"));
	buf_add(out, boundary);
	buf_add_str(out, last ? "--\r\n" : "\r\n");
}
