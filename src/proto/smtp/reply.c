/*
 * proto/smtp/reply.c: strict reader of replies.
 */
#include "proto/smtp/reply.h"

#include "base/ascii.h"
#include "base/cursor.h"
#include "proto/smtp/verdict.h"

void smtp_reply_parser_init(struct smtp_reply_parser *p, size_t line_max, size_t lines_max)
{
	*p = (struct smtp_reply_parser){ .line_max = line_max, .lines_max = lines_max };
	buf_init(&p->raw, SMTP_REPLY_TOTAL);
	buf_init(&p->line, line_max);
}

void smtp_reply_parser_done(struct smtp_reply_parser *p)
{
	buf_done(&p->raw);
	buf_done(&p->line);
}

void smtp_reply_parser_clear(struct smtp_reply_parser *p)
{
	buf_clear(&p->raw);
	buf_clear(&p->line);
	p->lines = 0;
	p->total = 0;
	p->code = 0;
	p->complete = false;
}

bool smtp_reply_parser_empty(const struct smtp_reply_parser *p)
{
	return p->complete || (!p->lines && !p->line.n);
}

static enum err parser_fail(struct smtp_reply_parser *p, enum err err)
{
	p->failed = err;
	return err;
}

/*
 * Move octets of one line into p->line, up to its LF.  OK: the line is complete, CRLF removed.
 */
static enum err line_take(struct smtp_reply_parser *p, struct view input, size_t *ret_used)
{
	const char *lf = input.n ? memchr(input.p, '\n', input.n) : NULL;
	size_t n = lf ? (size_t)(lf - input.p) + 1 : input.n;
	struct view part = view_head(input, n);

	*ret_used = n;
	p->total += n;
	if (p->line.n + n > p->line_max || p->total > SMTP_REPLY_TOTAL)
		return ERR_LIMIT;
	buf_add(&p->line, part);
	if (buf_err(&p->line))
		return buf_err(&p->line);
	if (!lf)
		return ERR_AGAIN;

	struct view line = buf_view(&p->line);

	if (line.n < 2 || line.p[line.n - 2] != '\r')
		return ERR_SYNTAX;
	buf_truncate(&p->line, line.n - 2);
	line = buf_view(&p->line);
	if (view_has(line, '\r') || view_has(line, '\0'))
		return ERR_SYNTAX;
	return OK;
}

/* Reply-code = %x32-35 %x30-35 %x30-39   RFC 5321#4.2; 1yz is not used by any command we send */
static unsigned line_code(struct view line)
{
	if (line.n < 3 || line.p[0] < '2' || line.p[0] > '5' || line.p[1] < '0' ||
	    line.p[1] > '5' || !ascii_is_digit(view_at(line, 2)))
		return 0;
	return (unsigned)((line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 + (line.p[2] - '0'));
}

/* Keep a line; *ret_last: it ends the reply. */
static enum err line_keep(struct smtp_reply_parser *p, bool *ret_last)
{
	struct view line = buf_view(&p->line);
	unsigned code = line_code(line);
	char separator = line.n > 3 ? line.p[3] : ' ';

	if (!code || (separator != ' ' && separator != '-') || (p->lines && code != p->code))
		return ERR_SYNTAX;
	if (++p->lines > p->lines_max)
		return ERR_LIMIT;
	p->code = code;
	buf_add(&p->raw, view_from(line, 4));
	buf_add_char(&p->raw, '\n');
	buf_clear(&p->line);
	*ret_last = separator == ' ';
	return buf_err(&p->raw);
}

struct view smtp_reply_line(const struct smtp_reply_parser *p, size_t i)
{
	struct view rest = buf_view(&p->raw), line = VIEW_EMPTY;

	if (i >= p->lines)
		return VIEW_EMPTY;
	for (size_t k = 0; k <= i; k++)
		rest = view_cut(rest, '\n', &line);
	return line;
}

/* status-code = class "." subject "." detail   RFC 3463#2, RFC 2034#4; the class must be the code's */
static size_t enhanced_take(struct view text, unsigned code, uint16_t ret[3])
{
	struct cursor c = cursor_init(text);
	uint64_t class = cursor_u64(&c, 9);

	cursor_char(&c, '.');

	uint64_t subject = cursor_u64(&c, 999);

	cursor_char(&c, '.');

	uint64_t detail = cursor_u64(&c, 999);

	if (!cursor_at_end(&c))
		cursor_space(&c);
	if (c.err || class != code / 100)
		return 0;
	ret[0] = (uint16_t) class;
	ret[1] = (uint16_t)subject;
	ret[2] = (uint16_t)detail;
	return c.at;
}

static void reply_fill(const struct smtp_reply_parser *p, struct smtp_reply *ret)
{
	struct view rest = buf_view(&p->raw);
	struct buf CLEANUP(buf_done) text = BUF_INIT(SMTP_REPLY_TOTAL);

	*ret = (struct smtp_reply){ .code = p->code, .lines = p->lines };
	for (size_t i = 0; i < p->lines && text.n < SMTP_REPLY_TEXT; i++) {
		struct view line;
		uint16_t enhanced[3] = { 0 };

		rest = view_cut(rest, '\n', &line);
		line = view_from(line, enhanced_take(line, p->code, enhanced));
		if (!i)
			memcpy(ret->enhanced, enhanced, sizeof(enhanced));
		if (text.n)
			buf_add_char(&text, ' ');
		smtp_add_printable(&text, line, SMTP_REPLY_TEXT);
	}
	ret->text_n = size_min(text.n, SMTP_REPLY_TEXT);
	if (ret->text_n)
		memcpy(ret->text, text.p, ret->text_n);
}

enum err smtp_reply_parser_take(struct smtp_reply_parser *p, struct view input,
				struct smtp_reply *ret, size_t *ret_used)
{
	bool last = false;

	*ret_used = 0;
	if (p->failed)
		return p->failed;
	if (p->complete)
		smtp_reply_parser_clear(p);
	while (!last) {
		size_t used = 0;
		enum err err = line_take(p, view_from(input, *ret_used), &used);

		*ret_used += used;
		if (err == ERR_AGAIN)
			return err;
		if (!err)
			err = line_keep(p, &last);
		if (err)
			return parser_fail(p, err);
	}
	p->complete = true;
	reply_fill(p, ret);
	return OK;
}
