/*
 * proto/smtp/command.c: the table of commands and the parsers that are not about parameters.
 */
#include "proto/smtp/command.h"

#include "base/ascii.h"
#include "base/cursor.h"
#include "proto/smtp/frame.h"
#include "proto/smtp/param.h"

/* Without blanks at the end; many clients leave one there. */
static struct view trim_end(struct view text)
{
	while (text.n && ascii_is_blank(view_at(text, text.n - 1)))
		text.n--;
	return text;
}

static bool is_hello_octet(uint8_t c)
{
	return ascii_is_alnum(c) || c == '-' || c == '.' || c == '_' || c == ':' || c == '[' ||
	       c == ']';
}

/* ehlo = "EHLO" SP ( Domain / address-literal ) CRLF   RFC 5321#4.1.1.1.  Underscores occur in real names. */
static enum smtp_fault parse_hello(struct view args, struct smtp_command *ret)
{
	struct cursor c = cursor_init(args);

	ret->name = cursor_span(&c, is_hello_octet, SMTP_DOMAIN_MAX);
	cursor_end(&c);
	return c.err ? SMTP_FAULT_SYNTAX : SMTP_FAULT_NONE;
}

/* RSET, DATA, QUIT, STARTTLS   RFC 5321#4.1.1.4, RFC 5321#4.1.1.5, RFC 5321#4.1.1.10, RFC 3207#4 */
static enum smtp_fault parse_nothing(struct view args, struct smtp_command *ret)
{
	return args.n ? SMTP_FAULT_ARGUMENT : SMTP_FAULT_NONE;
}

/* NOOP, HELP [ SP String ]   RFC 5321#4.1.1.8, RFC 5321#4.1.1.9 */
static enum smtp_fault parse_anything(struct view args, struct smtp_command *ret)
{
	return SMTP_FAULT_NONE;
}

/* VRFY, EXPN SP String   RFC 5321#4.1.1.6, RFC 5321#4.1.1.7.  The string is not looked at. */
static enum smtp_fault parse_something(struct view args, struct smtp_command *ret)
{
	return args.n ? SMTP_FAULT_NONE : SMTP_FAULT_SYNTAX;
}

/* bdat-cmd = "BDAT" SP chunk-size [ SP "LAST" ] CRLF   RFC 3030#2 */
static enum smtp_fault parse_bdat(struct view args, struct smtp_command *ret)
{
	struct cursor c = cursor_init(args);

	ret->octets = cursor_u64(&c, UINT64_MAX);
	if (!cursor_at_end(&c)) {
		cursor_space(&c);
		if (!cursor_skip_nocase(&c, VIEW("LAST")))
			cursor_fail(&c, ERR_SYNTAX);
		ret->last = true;
	}
	cursor_end(&c);
	return c.err ? SMTP_FAULT_SYNTAX : SMTP_FAULT_NONE;
}

static bool is_mechanism_octet(uint8_t c)
{
	return ascii_is_alnum(c) || c == '-' || c == '_';
}

static bool is_base64_octet(uint8_t c)
{
	return ascii_is_alnum(c) || c == '+' || c == '/' || c == '=';
}

/* AUTH mechanism [ SP initial-response ]   RFC 4954#4; "=" is an empty initial response */
static enum smtp_fault parse_auth(struct view args, struct smtp_command *ret)
{
	struct cursor c = cursor_init(args);

	ret->name = cursor_span(&c, is_mechanism_octet, SMTP_MECHANISM_MAX);
	if (!cursor_at_end(&c)) {
		cursor_space(&c);
		ret->initial = cursor_span(&c, is_base64_octet, SMTP_AUTH_LINE_MAX);
		ret->has_initial = true;
	}
	cursor_end(&c);
	return c.err ? SMTP_FAULT_SYNTAX : SMTP_FAULT_NONE;
}

/*
 * Mail = "MAIL FROM:" Reverse-path [ SP Mail-parameters ] CRLF   RFC 5321#4.1.1.2
 * A blank behind the colon is not in the grammar, but common, and harmless.
 */
static enum smtp_fault parse_mail(struct view args, struct smtp_command *ret)
{
	struct cursor c = cursor_init(args);
	size_t used = 0;

	if (!cursor_skip_nocase(&c, VIEW("FROM:")))
		return SMTP_FAULT_SYNTAX;
	cursor_skip_char(&c, ' ');

	struct view rest = cursor_rest(&c);

	if (smtp_path_parse(rest, ADDRESS_UTF8 | ADDRESS_NULL, &ret->mail.path, &used))
		return SMTP_FAULT_PATH;
	return smtp_mail_params_parse(view_from(rest, used), &ret->mail);
}

/* Rcpt = "RCPT TO:" Forward-path [ SP Rcpt-parameters ] CRLF   RFC 5321#4.1.1.3 */
static enum smtp_fault parse_rcpt(struct view args, struct smtp_command *ret)
{
	struct cursor c = cursor_init(args);
	size_t used = 0;

	if (!cursor_skip_nocase(&c, VIEW("TO:")))
		return SMTP_FAULT_SYNTAX;
	cursor_skip_char(&c, ' ');

	struct view rest = cursor_rest(&c);

	if (smtp_path_parse(rest, ADDRESS_UTF8 | ADDRESS_POSTMASTER, &ret->rcpt.path, &used))
		return SMTP_FAULT_PATH;
	return smtp_rcpt_params_parse(view_from(rest, used), &ret->rcpt);
}

#define OUTSIDE (SMTP_IN_START | SMTP_IN_READY)
#define INSIDE	(SMTP_IN_READY | SMTP_IN_MAIL | SMTP_IN_RCPT)

/* Sequence errors with a text of their own (MAIL twice, DATA before RCPT) are allowed here and answered by
 * the session. */
/* clang-format off */
static const struct smtp_command_row table[] = {
	{ "EHLO",     SMTP_EHLO,     SMTP_IN_ANY,  parse_hello,     "RFC 5321#4.1.1.1" },
	{ "HELO",     SMTP_HELO,     SMTP_IN_ANY,  parse_hello,     "RFC 5321#4.1.1.1" },
	{ "LHLO",     SMTP_LHLO,     SMTP_IN_ANY,  parse_hello,     "RFC 2033#4.1" },
	{ "MAIL",     SMTP_MAIL,     INSIDE,	   parse_mail,	    "RFC 5321#4.1.1.2" },
	{ "RCPT",     SMTP_RCPT,     INSIDE,	   parse_rcpt,	    "RFC 5321#4.1.1.3" },
	{ "DATA",     SMTP_DATA,     SMTP_IN_ANY & ~(unsigned)SMTP_IN_START, parse_nothing, "RFC 5321#4.1.1.4" },
	{ "BDAT",     SMTP_BDAT,     SMTP_IN_ANY,  parse_bdat,	    "RFC 3030#2" },
	{ "RSET",     SMTP_RSET,     SMTP_IN_ANY,  parse_nothing,   "RFC 5321#4.1.1.5" },
	{ "NOOP",     SMTP_NOOP,     SMTP_IN_ANY,  parse_anything,  "RFC 5321#4.1.1.9" },
	{ "VRFY",     SMTP_VRFY,     SMTP_IN_ANY,  parse_something, "RFC 5321#4.1.1.6" },
	{ "EXPN",     SMTP_EXPN,     SMTP_IN_ANY,  parse_something, "RFC 5321#4.1.1.7" },
	{ "HELP",     SMTP_HELP,     SMTP_IN_ANY,  parse_anything,  "RFC 5321#4.1.1.8" },
	{ "QUIT",     SMTP_QUIT,     SMTP_IN_ANY,  parse_nothing,   "RFC 5321#4.1.1.10" },
	{ "AUTH",     SMTP_AUTH,     SMTP_IN_READY,	   parse_auth,	    "RFC 4954#4" },
	{ "STARTTLS", SMTP_STARTTLS, OUTSIDE,	   parse_nothing,   "RFC 3207#4" },
};
/* clang-format on */

enum err smtp_command_find(struct view line, const struct smtp_command_row **ret_row,
			   struct view *ret_args)
{
	struct view word;
	struct view args = view_cut(line, ' ', &word);

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (!view_eq_nocase(word, view_str(table[i].name)))
			continue;
		*ret_row = &table[i];
		*ret_args = trim_end(args);
		return OK;
	}
	return ERR_NOTFOUND;
}

enum smtp_fault smtp_command_parse(const struct smtp_command_row *row, struct view args,
				   struct smtp_command *ret)
{
	struct smtp_command command = { .verb = row->verb };
	enum smtp_fault fault = row->parse(args, &command);

	if (!fault)
		*ret = command;
	return fault;
}

bool smtp_line_is_http(struct view line)
{
	static const struct view methods[] = {
		VIEW_INIT("GET /"),    VIEW_INIT("POST /"),  VIEW_INIT("PUT /"),
		VIEW_INIT("HEAD /"),   VIEW_INIT("PRI *"),   VIEW_INIT("DELETE /"),
		VIEW_INIT("PATCH /"),  VIEW_INIT("TRACE /"), VIEW_INIT("OPTIONS "),
		VIEW_INIT("CONNECT "), VIEW_INIT("Host:"),
	};

	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		if (view_starts_nocase(line, methods[i]))
			return true;
	}
	return view_find_nocase(line, VIEW(" HTTP/")) != VIEW_NONE;
}

/* The closing bracket of a path, quoted strings respected; VIEW_NONE: there is none. */
static size_t path_end(struct view text)
{
	bool quoted = false;

	for (size_t i = 1; i < size_min(text.n, 2 * SMTP_PATH_MAX); i++) {
		char c = text.p[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (c == '>' && !quoted)
			return i;
	}
	return VIEW_NONE;
}

/* A-d-l = At-domain *( "," At-domain ), At-domain = "@" domain   RFC 5321#4.1.2; parsed and dropped */
static enum err route_skip(struct view *inner)
{
	size_t colon = view_find_char(*inner, ':');

	if (colon == VIEW_NONE)
		return ERR_SYNTAX;

	struct view route = view_head(*inner, colon);

	while (route.n) {
		struct view one;
		struct view rest = view_cut(route, ',', &one);

		if (!view_starts(one, VIEW("@")))
			return ERR_SYNTAX;

		enum err err = address_check_domain(view_from(one, 1), ADDRESS_UTF8);

		if (err)
			return err;
		if (rest.p && !rest.n)
			return ERR_SYNTAX; /* a comma at the end */
		route = rest;
	}
	*inner = view_from(*inner, colon + 1);
	return OK;
}

enum err smtp_path_parse(struct view text, unsigned options, struct smtp_path *ret,
			 size_t *ret_used)
{
	struct smtp_path path = { 0 };
	size_t end = text.n && text.p[0] == '<' ? path_end(text) : VIEW_NONE;

	if (end == VIEW_NONE)
		return ERR_SYNTAX;
	if (end + 1 > SMTP_PATH_MAX)
		return ERR_LIMIT;

	struct view inner = view_part(text, 1, end - 1);

	if (inner.n && inner.p[0] == '@') {
		enum err err = route_skip(&inner);

		if (err)
			return err;
		path.routed = true;
		options &= ~((unsigned)ADDRESS_NULL | (unsigned)ADDRESS_POSTMASTER);
	}
	if (inner.n && view_eq_nocase(inner, VIEW("postmaster")) &&
	    (options & ADDRESS_POSTMASTER)) {
		memcpy(path.addr.local, "postmaster", 10);
		path.addr.local_n = 10;
	} else if (inner.n || !(options & ADDRESS_NULL)) {
		enum err err = address_parse_mailbox(inner, options, &path.addr);

		if (err)
			return err;
	}
	*ret = path;
	*ret_used = end + 1;
	return OK;
}

enum err smtp_xtext_printable(struct buf *out, struct view xtext)
{
	size_t from = out->n;
	enum err err = xtext_decode(out, xtext);

	if (err)
		return err;
	for (size_t i = from; i < out->n; i++) {
		if (!ascii_is_print((uint8_t)out->p[i]))
			return ERR_SYNTAX;
	}
	return OK;
}
