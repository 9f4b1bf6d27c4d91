/*
 * proto/smtp/param.c: ESMTP parameters.
 *
 * Each parser gets the value (p == NULL: no "=" was there) and says whether it is good.
 */
#include "proto/smtp/param.h"

#include "base/ascii.h"
#include "base/date.h"
#include "base/num.h"

/* A parameter of MAIL, or of RCPT. */
struct param {
	const char *name;
	bool (*mail)(struct view value, struct smtp_mail_args *args);
	bool (*rcpt)(struct view value, struct smtp_rcpt_args *args);
};

/* size-value = 1*20DIGIT   RFC 1870#4; more than 64 bits are more than anybody takes */
static bool parse_size(struct view value, struct smtp_mail_args *args)
{
	enum err err = num_u64(value, UINT64_MAX, &args->size);

	if (err == ERR_RANGE && value.n <= 20) {
		args->size = UINT64_MAX;
		return true;
	}
	return err == OK && value.n <= 20;
}

/* RFC 6152#2, RFC 3030#3 */
static bool parse_body(struct view value, struct smtp_mail_args *args)
{
	static const char *const names[] = { "7BIT", "8BITMIME", "BINARYMIME" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (view_eq_nocase(value, view_str(names[i]))) {
			args->body = (enum smtp_body)i;
			args->has_body = true;
			return true;
		}
	}
	return false;
}

/* RFC 6531#3.4 */
static bool parse_smtputf8(struct view value, struct smtp_mail_args *args)
{
	args->smtputf8 = true;
	return !value.p;
}

/* RFC 8689#2 */
static bool parse_requiretls(struct view value, struct smtp_mail_args *args)
{
	args->requiretls = true;
	return !value.p;
}

/* ret-value = "FULL" / "HDRS"   RFC 3461#4.3 */
static bool parse_ret(struct view value, struct smtp_mail_args *args)
{
	if (view_eq_nocase(value, VIEW("FULL")))
		args->ret = SMTP_RET_FULL;
	else if (view_eq_nocase(value, VIEW("HDRS")))
		args->ret = SMTP_RET_HDRS;
	return args->ret != SMTP_RET_NONE;
}

static bool xtext_ok(struct view value, size_t max)
{
	struct buf CLEANUP(buf_done) decoded = BUF_INIT(max);

	return value.n && value.n <= max && smtp_xtext_printable(&decoded, value) == OK;
}

/* envid-value = xtext   RFC 3461#4.4 */
static bool parse_envid(struct view value, struct smtp_mail_args *args)
{
	args->envid = value;
	return xtext_ok(value, SMTP_ENVID_MAX);
}

/* AUTH=addr   RFC 4954#5; read, never believed */
static bool parse_auth_param(struct view value, struct smtp_mail_args *args)
{
	args->has_auth = true;
	return view_eq(value, VIEW("<>")) || xtext_ok(value, SMTP_ORCPT_MAX);
}

/* future-release-interval = 1*9DIGIT   RFC 4865#4 */
static bool parse_holdfor(struct view value, struct smtp_mail_args *args)
{
	uint64_t seconds;

	if (args->has_hold_until || num_u64(value, SMTP_HOLD_MAX, &seconds))
		return false;
	args->has_hold_for = true;
	args->hold = (int64_t)seconds;
	return true;
}

/* Exactly n digits. */
static int digits(struct cursor *c, size_t n)
{
	uint64_t number = 0;

	if (num_u64(cursor_take(c, n), 9999, &number))
		cursor_fail(c, ERR_SYNTAX);
	return (int)number;
}

/* time-offset = "Z" / ( "+" / "-" ) 2DIGIT ":" 2DIGIT   RFC 3339#5.6; minutes east */
static int time_offset(struct cursor *c)
{
	if (cursor_skip_char(c, 'Z') || cursor_skip_char(c, 'z'))
		return 0;

	int sign = cursor_skip_char(c, '-') ? -1 : 1;

	if (sign > 0)
		cursor_char(c, '+');

	int hours = digits(c, 2);

	cursor_char(c, ':');
	return sign * (hours * 60 + digits(c, 2));
}

/* Internet-style-date-time   RFC 4865#4, RFC 3339#5.6 */
static bool parse_holduntil(struct view value, struct smtp_mail_args *args)
{
	struct cursor c = cursor_init(value);
	struct date d = { 0 };

	d.year = digits(&c, 4);
	cursor_char(&c, '-');
	d.month = digits(&c, 2);
	cursor_char(&c, '-');
	d.day = digits(&c, 2);
	if (!cursor_skip_nocase(&c, VIEW("T")))
		cursor_fail(&c, ERR_SYNTAX);
	d.hour = digits(&c, 2);
	cursor_char(&c, ':');
	d.minute = digits(&c, 2);
	cursor_char(&c, ':');
	d.second = digits(&c, 2);
	d.zone = time_offset(&c);
	cursor_end(&c);
	if (c.err || args->has_hold_for || date_seconds(&d, &args->hold))
		return false;
	args->has_hold_until = true;
	return true;
}

/* by-value = by-time ";" by-mode [ by-trace ]   RFC 2852#4 */
static bool parse_by(struct view value, struct smtp_mail_args *args)
{
	struct cursor c = cursor_init(value);
	bool minus = cursor_skip_char(&c, '-');

	if (!minus)
		cursor_skip_char(&c, '+');
	args->by_seconds = (int64_t)cursor_u64(&c, SMTP_BY_MAX) * (minus ? -1 : 1);
	cursor_char(&c, ';');

	char mode = (char)ascii_upper(cursor_byte(&c));

	args->by_trace = cursor_skip_nocase(&c, VIEW("T"));
	cursor_end(&c);
	/* "R" needs a positive time. */
	if (c.err || (mode != 'N' && mode != 'R') || (mode == 'R' && args->by_seconds <= 0))
		return false;
	args->by_mode = mode;
	return true;
}

/* priority-value = ["-"] NZDIGIT / "0"   RFC 6710#8 */
static bool parse_priority(struct view value, struct smtp_mail_args *args)
{
	struct cursor c = cursor_init(value);
	bool minus = cursor_skip_char(&c, '-');
	int number = (int)cursor_u64(&c, 9);

	cursor_end(&c);
	if (c.err || value.n > 2 || (minus && !number))
		return false;
	args->priority = minus ? -number : number;
	args->has_priority = true;
	return true;
}

/* notify-list-element   RFC 3461#4.1 */
static bool parse_notify(struct view value, struct smtp_rcpt_args *args)
{
	static const struct {
		struct view name;
		unsigned bit;
	} names[] = {
		{ VIEW_INIT("SUCCESS"), SMTP_NOTIFY_SUCCESS },
		{ VIEW_INIT("FAILURE"), SMTP_NOTIFY_FAILURE },
		{ VIEW_INIT("DELAY"), SMTP_NOTIFY_DELAY },
	};
	struct view rest = value;

	if (view_eq_nocase(value, VIEW("NEVER"))) {
		args->notify = SMTP_NOTIFY_NEVER;
		return true;
	}
	do {
		struct view one;
		size_t i = 0;

		rest = view_cut(rest, ',', &one);
		while (i < ARRAY_LEN(names) && !view_eq_nocase(one, names[i].name))
			i++;
		if (i == ARRAY_LEN(names) || (args->notify & names[i].bit))
			return false;
		args->notify |= names[i].bit;
	} while (rest.p);
	return true;
}

static bool is_type_octet(uint8_t c)
{
	return ascii_is_alnum(c) || c == '-';
}

/* original-recipient-address = addr-type ";" xtext   RFC 3461#4.2; utf-8 as in RFC 6533#3 */
static bool parse_orcpt(struct view value, struct smtp_rcpt_args *args)
{
	struct cursor c = cursor_init(value);
	struct view type = cursor_span(&c, is_type_octet, 32);

	cursor_char(&c, ';');

	struct view address = cursor_rest(&c);

	if (c.err || !address.n || value.n > SMTP_ORCPT_MAX)
		return false;
	args->orcpt = value;
	/* utf-8-addr-xtext and -unitext need no decoding here; param_value has refused controls. */
	return view_eq_nocase(type, VIEW("utf-8")) || xtext_ok(address, SMTP_ORCPT_MAX);
}

static const struct param mail_params[] = {
	{ "SIZE", .mail = parse_size },
	{ "BODY", .mail = parse_body },
	{ "SMTPUTF8", .mail = parse_smtputf8 },
	{ "RET", .mail = parse_ret },
	{ "ENVID", .mail = parse_envid },
	{ "AUTH", .mail = parse_auth_param },
	{ "REQUIRETLS", .mail = parse_requiretls },
	{ "HOLDFOR", .mail = parse_holdfor },
	{ "HOLDUNTIL", .mail = parse_holduntil },
	{ "BY", .mail = parse_by },
	{ "MT-PRIORITY", .mail = parse_priority },
};

static const struct param rcpt_params[] = {
	{ "NOTIFY", .rcpt = parse_notify },
	{ "ORCPT", .rcpt = parse_orcpt },
};

/* esmtp-keyword, octets after the first too */
static bool is_keyword_octet(uint8_t c)
{
	return ascii_is_alnum(c) || c == '-';
}

/* esmtp-value = 1*( %d33-60 / %d62-126 ), and UTF-8   RFC 5321#4.1.2, RFC 6531#3.3; "=" occurs in ENVIDs */
static bool is_value_octet(uint8_t c)
{
	return c > 0x20 && c != 0x7f;
}

/* SP esmtp-keyword [ "=" esmtp-value ]; *ret_value has p == NULL without "=" */
static void take_param(struct cursor *c, struct view *ret_keyword, struct view *ret_value)
{
	cursor_space(c);
	while (cursor_skip_char(c, ' '))
		continue;
	*ret_keyword = cursor_span(c, is_keyword_octet, SMTP_MECHANISM_MAX);
	*ret_value = VIEW_EMPTY;
	if (cursor_skip_char(c, '='))
		*ret_value = cursor_span(c, is_value_octet, SMTP_ORCPT_MAX);
}

/* Into the arguments of the command that the rows are of; those of the other are NULL. */
static enum smtp_fault params_parse(struct view text, const struct param *rows, size_t rows_n,
				    struct smtp_mail_args *mail, struct smtp_rcpt_args *rcpt)
{
	struct cursor c = cursor_init(text);
	unsigned seen = 0;

	while (!cursor_at_end(&c)) {
		struct view keyword, value;
		size_t i = 0;

		take_param(&c, &keyword, &value);
		if (c.err)
			return SMTP_FAULT_SYNTAX;
		while (i < rows_n && !view_eq_nocase(keyword, view_str(rows[i].name)))
			i++;
		if (i == rows_n)
			return SMTP_FAULT_UNKNOWN_PARAM;
		if (seen & 1U << i)
			return SMTP_FAULT_PARAMETER;
		if (!(mail ? rows[i].mail(value, mail) : rows[i].rcpt(value, rcpt)))
			return SMTP_FAULT_PARAMETER;
		seen |= 1U << i;
	}
	return SMTP_FAULT_NONE;
}

enum smtp_fault smtp_mail_params_parse(struct view text, struct smtp_mail_args *args)
{
	return params_parse(text, mail_params, ARRAY_LEN(mail_params), args, NULL);
}

enum smtp_fault smtp_rcpt_params_parse(struct view text, struct smtp_rcpt_args *args)
{
	return params_parse(text, rcpt_params, ARRAY_LEN(rcpt_params), NULL, args);
}
