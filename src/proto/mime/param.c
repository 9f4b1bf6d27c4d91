/*
 * proto/mime/param.c: values with parameters.
 *
 * First the attributes are read as written (raw), then those that belong together are joined
 * (decoded). Both work on at most MIME_PARAM_SECTIONS_MAX attributes, so that searching among them
 * is cheap.
 */
#include "proto/mime/param.h"

#include "proto/mime/encoded_word.h"
#include "proto/mime/lex.h"

/* An attribute name taken apart: base ["*" section] ["*"]   RFC 2231#7 */
struct attribute {
	struct view base;
	int section; /* -1: none */
	bool extended; /* ends in "*" */
};

struct reader {
	struct arena *a;
	struct view text;
	size_t at;
	struct buf scratch;
	unsigned flags;
	struct mime_param raw[MIME_PARAM_SECTIONS_MAX];
	struct attribute attributes[MIME_PARAM_SECTIONS_MAX]; /* names of raw, taken apart */
	size_t raw_n;
	struct mime_param decoded[MIME_PARAM_SECTIONS_MAX];
	size_t decoded_n;
};

static bool at_end(const struct reader *r)
{
	return r->at >= r->text.n;
}

static char peek(const struct reader *r)
{
	return at_end(r) ? '\0' : r->text.p[r->at];
}

static void skip_cfws(struct reader *r)
{
	r->at = lex_skip_cfws(r->text, r->at, NULL);
}

static struct view read_token(struct reader *r)
{
	size_t from = r->at;

	while (!at_end(r) && lex_is_token(view_at(r->text, r->at)))
		r->at++;
	return view_part(r->text, from, r->at - from);
}

/* To the next ";" or the end; anything but white space and comments on the way is junk. */
static void skip_to_semicolon(struct reader *r)
{
	bool ended;

	skip_cfws(r);
	while (!at_end(r) && peek(r) != ';') {
		r->flags |= MIME_PARAM_JUNK;
		if (peek(r) == '"')
			r->at = lex_quoted(r->text, r->at, NULL, &ended);
		else
			r->at++;
		skip_cfws(r);
	}
}

/* The scratch text in the arena, or the same text in the field when nothing was changed. */
static enum err keep_scratch(struct reader *r, size_t from, struct view *ret)
{
	struct view made = buf_view(&r->scratch);
	struct view same = view_part(r->text, from, made.n);

	if (buf_err(&r->scratch))
		return ERR_NOMEM;
	if (view_eq(made, same)) {
		*ret = same;
		return OK;
	}

	struct view copy = arena_copy(r->a, made);

	if (made.n && !copy.p)
		return ERR_NOMEM;
	*ret = copy;
	return OK;
}

/* value = token / quoted-string; unquoted text with tspecials is taken too, and flagged. */
static enum err read_value(struct reader *r, struct view *ret)
{
	size_t from = r->at;
	bool ended;

	if (peek(r) == '"') {
		buf_clear(&r->scratch);
		r->at = lex_quoted(r->text, r->at, &r->scratch, &ended);
		if (!ended)
			r->flags |= MIME_PARAM_JUNK;
		return keep_scratch(r, from + 1, ret);
	}
	while (!at_end(r) && peek(r) != ';' && !ascii_is_space(view_at(r->text, r->at))) {
		if (!lex_is_token(view_at(r->text, r->at)))
			r->flags |= MIME_PARAM_JUNK;
		r->at++;
	}
	*ret = view_part(r->text, from, r->at - from);
	return OK;
}

static struct attribute attribute_of(struct view name)
{
	struct attribute attribute = { .base = name, .section = -1 };
	struct view head = name;

	if (head.n > 1 && head.p[head.n - 1] == '*') {
		attribute.extended = true;
		head.n--;
		attribute.base = head;
	}

	size_t star = view_rfind_char(head, '*');
	struct view digits = star == VIEW_NONE ? VIEW_EMPTY : view_from(head, star + 1);

	if (star == VIEW_NONE || star == 0 || digits.n == 0 || digits.n > 3)
		return attribute;

	int section = 0;

	for (size_t i = 0; i < digits.n; i++) {
		if (!ascii_is_digit(view_at(digits, i)))
			return attribute;
		section = section * 10 + (digits.p[i] - '0');
	}
	attribute.section = section;
	attribute.base = view_head(head, star);
	return attribute;
}

/* One attribute "=" value, behind its ";". */
static enum err read_param(struct reader *r)
{
	struct mime_param param = { .name = VIEW_EMPTY };

	skip_cfws(r);
	if (at_end(r) || peek(r) == ';')
		return OK; /* ";;" and a last ";" are common */
	param.name = read_token(r);
	skip_cfws(r);
	if (param.name.n == 0 || peek(r) != '=') {
		r->flags |= MIME_PARAM_JUNK;
		return OK;
	}
	r->at++;
	skip_cfws(r);

	enum err err = read_value(r, &param.value);

	if (err)
		return err;
	if (r->raw_n == MIME_PARAM_SECTIONS_MAX) {
		r->flags |= MIME_PARAM_MANY;
		r->at = r->text.n;
		return OK;
	}
	r->attributes[r->raw_n] = attribute_of(param.name);
	r->raw[r->raw_n++] = param;
	return OK;
}

static void add_percent_decoded(struct buf *out, struct view text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '%' && text.n - i > 2 && ascii_is_hex(view_at(text, i + 1)) &&
		    ascii_is_hex(view_at(text, i + 2))) {
			buf_add_char(out, (char)(ascii_hex_value(view_at(text, i + 1)) << 4 |
						 ascii_hex_value(view_at(text, i + 2))));
			i += 2;
		} else {
			buf_add_char(out, text.p[i]);
		}
	}
}

/* extended-initial-value = [charset] "'" [language] "'" extended-other-values   RFC 2231#7 */
static struct view take_charset(struct reader *r, struct mime_param *param, struct view value)
{
	struct view charset, language;
	struct view rest = view_cut(value, '\'', &charset);

	if (!rest.p || !view_has(rest, '\'')) {
		r->flags |= MIME_PARAM_JUNK;
		return value;
	}
	rest = view_cut(rest, '\'', &language);
	param->charset = charset;
	param->language = language;
	return rest;
}

/* The first raw attribute of that base and section in that form, or NULL; the others are
 * counted. */
static const struct mime_param *find_section(struct reader *r, struct view base, int section,
					     bool *ret_extended)
{
	const struct mime_param *found = NULL;

	for (size_t i = 0; i < r->raw_n; i++) {
		const struct attribute *attribute = &r->attributes[i];

		if (attribute->section != section || !view_eq_nocase(attribute->base, base))
			continue;
		if (section < 0 && attribute->extended != *ret_extended)
			continue;
		if (found) {
			r->flags |= MIME_PARAM_DUPLICATE;
			continue;
		}
		found = &r->raw[i];
		*ret_extended = attribute->extended;
	}
	return found;
}

static size_t count_base(const struct reader *r, struct view base)
{
	size_t n = 0;

	for (size_t i = 0; i < r->raw_n; i++)
		n += view_eq_nocase(r->attributes[i].base, base);
	return n;
}

/* Joins name*0, name*1*, ... ; *ret_used counts the sections. */
static void join_sections(struct reader *r, struct mime_param *param, size_t *ret_used)
{
	bool extended = false;
	const struct mime_param *section;

	*ret_used = 0;
	for (int i = 0; (section = find_section(r, param->name, i, &extended)); i++) {
		struct view value = section->value;

		if (extended && i == 0)
			value = take_charset(r, param, value);
		if (extended)
			add_percent_decoded(&r->scratch, value);
		else
			buf_add(&r->scratch, value);
		++*ret_used;
	}
}

/*
 * One decoded parameter for all attributes of this base.  The extended form wins over the sections,
 * and these over the plain form (RFC 6266#4.3 has the same order).
 */
static enum err decode_base(struct reader *r, struct view base)
{
	struct mime_param param = { .name = base };
	bool plain_form = false, extended_form = true;
	const struct mime_param *plain = find_section(r, base, -1, &plain_form);
	const struct mime_param *extended = find_section(r, base, -1, &extended_form);
	size_t sections = 0;

	buf_clear(&r->scratch);
	if (extended) {
		add_percent_decoded(&r->scratch, take_charset(r, &param, extended->value));
	} else {
		join_sections(r, &param, &sections);
		if (!sections && !plain) {
			r->flags |= MIME_PARAM_GAP; /* sections that do not begin with 0 */
			return OK;
		}
		if (!sections)
			buf_add(&r->scratch, plain->value);
	}
	if (count_base(r, base) > (sections ? sections : 1))
		r->flags |= plain && !sections && !extended ? MIME_PARAM_DUPLICATE : MIME_PARAM_GAP;
	if (plain && !sections && !extended) {
		param.value = plain->value;
	} else {
		enum err err = keep_scratch(r, r->text.n, &param.value);

		if (err)
			return err;
	}
	r->decoded[r->decoded_n++] = param;
	return OK;
}

static enum err decode_all(struct reader *r)
{
	for (size_t i = 0; i < r->raw_n; i++) {
		struct view base = r->attributes[i].base;
		bool seen = false;

		for (size_t j = 0; j < i && !seen; j++)
			seen = view_eq_nocase(r->attributes[j].base, base);
		if (seen)
			continue;

		enum err err = decode_base(r, base);

		if (err)
			return err;
	}
	return OK;
}

static enum err keep_params(struct arena *a, const struct mime_param *from, size_t n,
			    struct mime_params *ret)
{
	if (n == 0) {
		*ret = (struct mime_params){ NULL, 0 };
		return OK;
	}

	struct mime_param *to = ARENA_ARRAY(a, struct mime_param, n);

	if (!to)
		return ERR_NOMEM;
	memcpy(to, from, n * sizeof(*to));
	*ret = (struct mime_params){ to, n };
	return OK;
}

static enum err read_all(struct reader *r, struct mime_value *value)
{
	enum err err = OK;

	skip_cfws(r);
	value->main = read_token(r);
	skip_cfws(r);
	if (peek(r) == '/') {
		r->at++;
		skip_cfws(r);
		value->sub = read_token(r);
	}
	for (skip_to_semicolon(r); !err && !at_end(r); skip_to_semicolon(r)) {
		r->at++;
		err = read_param(r);
	}
	if (!err)
		err = decode_all(r);
	if (!err)
		err = keep_params(r->a, r->raw, r->raw_n, &value->raw);
	if (!err)
		err = keep_params(r->a, r->decoded, r->decoded_n, &value->decoded);
	value->flags = r->flags;
	return err;
}

enum err mime_value_parse(struct arena *a, struct view text, struct mime_value *ret)
{
	struct mime_value value = { .flags = 0 };
	struct reader r;

	/* Not all of r: the arrays are large and filled as far as they are used. */
	r.a = a;
	r.text = view_head(text, MIME_PARAM_FIELD_MAX);
	r.at = 0;
	r.flags = text.n > MIME_PARAM_FIELD_MAX ? MIME_PARAM_MANY : 0;
	r.raw_n = 0;
	r.decoded_n = 0;
	buf_init(&r.scratch, MIME_PARAM_FIELD_MAX);

	enum err err = read_all(&r, &value);

	buf_done(&r.scratch);
	if (!err)
		*ret = value;
	return err;
}

const struct mime_param *mime_param_find(struct mime_params params, struct view name)
{
	for (size_t i = 0; i < params.n; i++)
		if (view_eq_nocase(params.at[i].name, name))
			return &params.at[i];
	return NULL;
}

void mime_param_add_utf8(struct buf *out, const struct mime_param *p,
			 const struct mime_converter *conv)
{
	if (!p)
		return;
	if (p->charset.n)
		mime_to_utf8(out, p->charset, p->value, conv);
	else
		encoded_word_decode(out, p->value, conv);
}

struct view mime_token(struct view text, bool *ret_clean)
{
	size_t from = lex_skip_cfws(text, 0, NULL);
	size_t to = from;

	while (to < text.n && lex_is_token(view_at(text, to)))
		to++;
	*ret_clean = lex_skip_blank(text, 0) == from && lex_skip_blank(text, to) == text.n;
	return view_part(text, from, to - from);
}
