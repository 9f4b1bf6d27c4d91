/*
 * roles/send/verdict.c: see verdict.h.
 */
#include "verdict.h"

#include <stdarg.h>

#include "base/ascii.h"

static void set_text(struct verdict *v, struct view text)
{
	v->text_n = size_min(text.n, VERDICT_TEXT_MAX);
	for (size_t i = 0; i < v->text_n; i++)
		v->text[i] = ascii_is_print(view_at(text, i)) ? text.p[i] : '?';
}

static void set_enhanced(struct verdict *v, unsigned class, unsigned subject, unsigned detail)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(VERDICT_ENHANCED_MAX - 1);

	buf_addf(&text, "%u.%u.%u", class, subject, detail);
	if (buf_err(&text)) {
		buf_clear(&text);
		buf_addf(&text, "%u.0.0", class);
	}
	memset(v->enhanced, 0, sizeof(v->enhanced));
	if (text.n)
		memcpy(v->enhanced, text.p, text.n);
}

void verdict_ours(struct verdict *v, enum transfer_outcome outcome, const char *enhanced,
		  const char *format, ...)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(2 * VERDICT_TEXT_MAX);
	struct view number = view_str(enhanced);
	va_list args;

	*v = (struct verdict){ .outcome = outcome };
	memcpy(v->enhanced, number.p, size_min(number.n, VERDICT_ENHANCED_MAX - 1));
	va_start(args, format);
	buf_vaddf(&text, format, args);
	va_end(args);
	set_text(v, buf_view(&text));
}

/* The reply as it came, in one line; our own words stand alone. */
static void set_reply_text(struct verdict *v, const struct smtp_reply *r, bool local)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(2 * VERDICT_TEXT_MAX);

	if (!local && r->code)
		buf_addf(&text, "%u ", r->code);
	if (!local && r->enhanced[0])
		buf_addf(&text, "%u.%u.%u ", r->enhanced[0], r->enhanced[1], r->enhanced[2]);
	buf_add(&text, view_of(r->text, r->text_n));
	set_text(v, view_trim(buf_view(&text)));
}

static void from_reply(struct verdict *v, const struct smtp_outcome *o, unsigned class)
{
	const uint16_t *e = o->reply.enhanced;

	/* A code tells that a server spoke: the report says "smtp" then (RFC 3464#2.3.6). */
	v->code = o->local ? 0 : (uint16_t)o->reply.code;
	/* RFC 2034#4: the class of the code and of the reply agree; without code we know only that. */
	if (e[0] == class)
		set_enhanced(v, e[0], e[1], e[2]);
	else
		set_enhanced(v, class, 0, 0);
	set_reply_text(v, &o->reply, o->local);
}

void verdict_of_outcome(struct verdict *v, const struct smtp_outcome *o, bool dsn)
{
	*v = (struct verdict){ 0 };
	switch (o->kind) {
	case SMTP_OUT_DELIVERED:
		v->outcome = dsn ? TRANSFER_DELIVERED : TRANSFER_RELAYED;
		from_reply(v, o, 2);
		break;
	case SMTP_OUT_PERM:
		v->outcome = TRANSFER_FAILED;
		from_reply(v, o, 5);
		break;
	default: v->outcome = TRANSFER_DEFERRED; from_reply(v, o, 4);
	}
}

static const char *stage_words(enum smtp_stage stage)
{
	switch (stage) {
	case SMTP_STAGE_GREETING: return "before its greeting";
	case SMTP_STAGE_HELLO: return "after EHLO";
	case SMTP_STAGE_TLS: return "after STARTTLS";
	case SMTP_STAGE_MAIL: return "after MAIL";
	case SMTP_STAGE_RCPT: return "after RCPT";
	case SMTP_STAGE_DATA: return "after DATA";
	case SMTP_STAGE_BODY: return "while the message was sent";
	case SMTP_STAGE_DOT: return "after the message was sent; it may arrive twice";
	default: return "between messages";
	}
}

void verdict_of_end(struct verdict *v, const struct smtp_client *c, struct view host,
		    struct view why)
{
	const char *stage = stage_words(c->last.stage);
	const char *more = why.n ? ": " : "";
	enum smtp_client_end end = c->end;

	/* A yes that the client could not use is no yes. */
	if (c->last.reply.code && c->last.reply.code < 400 &&
	    (end == SMTP_END_GREETING || end == SMTP_END_HELLO))
		end = SMTP_END_PROTOCOL;
	switch (end) {
	case SMTP_END_GREETING:
	case SMTP_END_HELLO:
	case SMTP_END_AUTH:
	case SMTP_END_SHUTDOWN:
		if (c->last.reply.code >= 400) {
			verdict_of_outcome(v, &c->last, false);
			break;
		}
		FALLTHROUGH;
	case SMTP_END_LOST:
		verdict_ours(v, TRANSFER_DEFERRED, "4.4.2",
			     VIEW_FMT " closed the connection %s%s" VIEW_FMT, VIEW_ARG(host), stage,
			     more, VIEW_ARG(why));
		break;
	case SMTP_END_TIMEOUT:
		verdict_ours(v, TRANSFER_DEFERRED, "4.4.2",
			     VIEW_FMT " did not answer in time %s%s" VIEW_FMT, VIEW_ARG(host),
			     stage, more, VIEW_ARG(why));
		break;
	case SMTP_END_TLS_MISSING:
	case SMTP_END_TLS_REFUSED:
	case SMTP_END_TLS_INJECTED:
	case SMTP_END_TLS_FAILED:
		verdict_ours(v, TRANSFER_DEFERRED, "4.7.5",
			     "no TLS connection to " VIEW_FMT " came about%s" VIEW_FMT,
			     VIEW_ARG(host), more, VIEW_ARG(why));
		break;
	case SMTP_END_PROTOCOL:
		verdict_ours(v, TRANSFER_DEFERRED, "4.5.0", VIEW_FMT " broke the rules of SMTP %s",
			     VIEW_ARG(host), stage);
		break;
	default:
		verdict_ours(v, TRANSFER_DEFERRED, "4.3.0",
			     "the connection to " VIEW_FMT " was given up %s", VIEW_ARG(host),
			     stage);
	}
}
