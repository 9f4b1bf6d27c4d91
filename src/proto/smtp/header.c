/*
 * proto/smtp/header.c: the watch on the header of a passing message.
 *
 * Lines are collected into one field; when the first octet of the next line shows that the field is over,
 * it is judged, and emitted or dropped as a whole.  What a line is, and what an address is, proto/mime decides.
 */
#include "proto/smtp/header.h"

#include "base/ascii.h"
#include "base/date.h"
#include "proto/mime/address_list.h"
#include "proto/mime/header.h"

enum {
	IN_HEADER,
	IN_JUNK, /* behind a line that is no field, before an empty line */
	IN_BODY
};

void smtp_header_watch_init(struct smtp_header_watch *w, const struct smtp_header_config *config,
			    smtp_span_fn emit, void *ctx)
{
	*w = (struct smtp_header_watch){ .config = *config, .emit = emit, .ctx = ctx };
	buf_init(&w->field, size_max(config->block, 1));
	arena_init(&w->mem, SMTP_AUTHOR_MEM);
	w->authors.max = SMTP_AUTHORS_MAX;
	w->line_ended = true;
}

void smtp_header_watch_done(struct smtp_header_watch *w)
{
	buf_done(&w->field);
	arena_done(&w->mem);
	VEC_DONE(&w->authors);
	*w = (struct smtp_header_watch){ .state = IN_BODY };
}

static void watch_emit(struct smtp_header_watch *w, struct view text)
{
	if (text.n)
		w->emit(w->ctx, text);
}

/* From here on everything passes. */
static void watch_give_up(struct smtp_header_watch *w, unsigned flag)
{
	w->flags |= flag;
	watch_emit(w, buf_view(&w->field));
	buf_clear(&w->field);
	w->state = IN_BODY;
}

static void author_add(struct smtp_header_watch *w, const struct address *a, bool sender)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(ADDRESS_TEXT_MAX);
	struct smtp_author author = { .sender = sender };

	address_add(&text, a);
	author.address = arena_copy(&w->mem, buf_view(&text));
	author.local = arena_copy(&w->mem, address_local(a));
	author.domain = arena_copy(&w->mem, address_domain(a));
	if (buf_err(&text) || !author.address.p || !author.local.p || !author.domain.p ||
	    !VEC_PUSH(&w->authors, author))
		w->flags |= SMTP_HEADER_NOMEM;
}

static unsigned address_options(const struct smtp_header_watch *w)
{
	return w->config.smtputf8 ? ADDRESS_UTF8 : 0;
}

/* RFC 5322#3.6.2, read strictly (THREATS 2.6) */
static void judge_from(struct smtp_header_watch *w, struct view value)
{
	struct mime_authors *authors;
	const char *why;

	if (w->flags & SMTP_HAS_FROM) {
		w->flags |= SMTP_FROM_TWICE;
		return;
	}
	w->flags |= SMTP_HAS_FROM;
	authors = malloc(sizeof(*authors));
	if (!authors) {
		w->flags |= SMTP_HEADER_NOMEM;
		return;
	}
	if (mime_authors_parse(buf_view(&w->field), address_options(w), authors, &why)) {
		w->flags |= SMTP_FROM_BAD;
	} else {
		for (size_t i = 0; i < authors->n; i++)
			author_add(w, &authors->at[i], false);
	}
	free(authors);
}

/* RFC 5322#3.6.2: one mailbox; what is odd is refused like an odd From. */
static void judge_sender(struct smtp_header_watch *w, struct view value)
{
	struct arena CLEANUP(arena_done) a;
	struct address_list list;
	struct address address;

	arena_init(&a, SMTP_AUTHOR_MEM);
	w->flags |= SMTP_HAS_SENDER;
	if (address_list_parse(&a, value, &list) || list.n != 1 || list.mailboxes != 1 ||
	    (list.odd & ADDRESS_ODD_REFUSED) ||
	    address_of_entry(&list.at[0], address_options(w), &address))
		w->flags |= SMTP_SENDER_BAD;
	else
		author_add(w, &address, true);
}

/* Skip a comment that begins at text[at]; the position behind it.  Nesting is counted, not recursed. */
static size_t comment_end(struct view text, size_t at)
{
	size_t depth = 0;

	for (; at < text.n; at++) {
		char c = text.p[at];

		if (c == '\\')
			at++;
		else if (c == '(')
			depth++;
		else if (c == ')' && --depth == 0)
			return at + 1;
	}
	return text.n;
}

/* Opt-info "BY" FWS Extended-Domain with our name   RFC 5321#4.4 */
static bool hop_is_own(struct view value, struct view hostname)
{
	bool by = false;
	size_t at = 0;

	while (at < value.n && value.p[at] != ';') {
		if (value.p[at] == '(') {
			at = comment_end(value, at);
			continue;
		}
		if (ascii_is_space(view_at(value, at))) {
			at++;
			continue;
		}

		size_t from = at;

		while (at < value.n && !ascii_is_space(view_at(value, at)) && value.p[at] != '(' &&
		       value.p[at] != ';')
			at++;

		struct view word = view_part(value, from, at - from);

		if (by)
			return view_eq_nocase(word, hostname);
		by = view_eq_nocase(word, VIEW("by"));
	}
	return false;
}

static void judge_received(struct smtp_header_watch *w, struct view value)
{
	w->received_n++;
	w->own_n += hop_is_own(value, w->config.hostname);
}

static void judge_date(struct smtp_header_watch *w, struct view value)
{
	w->flags |= SMTP_HAS_DATE;
}

static void judge_message_id(struct smtp_header_watch *w, struct view value)
{
	w->flags |= SMTP_HAS_MESSAGE_ID;
}

static void judge_bcc(struct smtp_header_watch *w, struct view value)
{
	w->flags |= SMTP_HAS_BCC;
}

/* TLS-Required: No   RFC 8689#5 */
static void judge_tls_required(struct smtp_header_watch *w, struct view value)
{
	if (view_eq_nocase(view_trim(value), VIEW("No")))
		w->flags |= SMTP_HAS_TLS_REQUIRED_NO;
}

static const struct {
	struct view name;
	void (*judge)(struct smtp_header_watch *w, struct view value);
	bool dropped; /* at submission */
} judged[] = {
	{ VIEW_INIT("Received"), judge_received, false },
	{ VIEW_INIT("From"), judge_from, false },
	{ VIEW_INIT("Sender"), judge_sender, false },
	{ VIEW_INIT("Date"), judge_date, false },
	{ VIEW_INIT("Message-ID"), judge_message_id, false },
	{ VIEW_INIT("Bcc"), judge_bcc, true },
	{ VIEW_INIT("Resent-Bcc"), judge_bcc, true },
	{ VIEW_INIT("TLS-Required"), judge_tls_required, false },
};

/* The field collected is complete and well formed as a field. */
static void field_done(struct smtp_header_watch *w)
{
	struct view field = buf_view(&w->field);
	size_t name_n = 0, value_at = 0;
	bool drop = false;

	if (!field.n)
		return;
	if (mime_line_kind(field, &name_n, &value_at) != MIME_LINE_FIELD)
		name_n = 0; /* cannot be: every first line was looked at */
	w->flags |= SMTP_HAS_FIELDS;
	if (++w->field_n > w->config.fields)
		w->flags |= SMTP_TOO_MANY;
	for (size_t i = 0; i < ARRAY_LEN(judged) && !(w->flags & SMTP_TOO_MANY); i++) {
		if (!view_eq_nocase(view_head(field, name_n), judged[i].name))
			continue;
		judged[i].judge(w, view_from(field, value_at));
		drop = judged[i].dropped && w->config.complete;
		/* Blanks before the colon: other readers may not see this field. */
		if (judged[i].judge == judge_from && value_at != name_n + 1)
			w->flags |= SMTP_FROM_BAD;
	}
	if (!drop)
		watch_emit(w, field);
	buf_clear(&w->field);
	w->line_at = 0;
}

/* From, Date and Message-ID where submission lacks them   RFC 6409#8 */
static void header_complete(struct smtp_header_watch *w)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(2048);

	if (!w->config.complete)
		return;
	if (!(w->flags & (SMTP_HAS_FROM | SMTP_FROM_BAD)) && w->config.sender.n) {
		buf_addf(&out, "From: <" VIEW_FMT ">\r\n", VIEW_ARG(w->config.sender));
		w->flags |= SMTP_HAS_FROM;
	}
	if (!(w->flags & SMTP_HAS_DATE)) {
		buf_add(&out, VIEW("Date: "));
		date_add_rfc5322(&out, w->config.wall_s, w->config.zone_min);
		buf_add(&out, VIEW("\r\n"));
	}
	if (!(w->flags & SMTP_HAS_MESSAGE_ID))
		buf_addf(&out, "Message-ID: <" VIEW_FMT "@" VIEW_FMT ">\r\n",
			 VIEW_ARG(w->config.id), VIEW_ARG(w->config.hostname));
	if (buf_err(&out))
		w->flags |= SMTP_HEADER_NOMEM;
	watch_emit(w, buf_view(&out));
}

/* Would a lenient reader take this line for a From field? */
static bool looks_like_from(struct view line)
{
	struct view text = view_trim(line);

	if (!view_starts_nocase(text, VIEW("from")))
		return false;
	text = view_trim(view_from(text, 4));
	return !text.n || text.p[0] == ':';
}

/* A line behind the broken end of the header: it is body, but watched. */
static void junk_line(struct smtp_header_watch *w, struct view line)
{
	if (looks_like_from(line))
		w->flags |= SMTP_FROM_BAD;
	watch_emit(w, line);
	buf_clear(&w->field);
	w->line_at = 0;
	if (!view_trim(line).n)
		w->state = IN_BODY;
}

/* A whole line, its end included, stands in field from line_at on. */
static void line_done(struct smtp_header_watch *w)
{
	struct view line = view_from(buf_view(&w->field), w->line_at);
	size_t name_n, value_at;

	if (w->state == IN_JUNK) {
		junk_line(w, line);
		return;
	}
	if (w->line_at) /* goes on with the field */
		return;
	switch (mime_line_kind(line, &name_n, &value_at)) {
	case MIME_LINE_FIELD: return;
	case MIME_LINE_EMPTY:
		header_complete(w);
		watch_emit(w, line);
		buf_clear(&w->field);
		w->state = IN_BODY;
		return;
	case MIME_LINE_FOLD:
	case MIME_LINE_JUNK: break;
	}
	header_complete(w);
	if (w->config.complete)
		watch_emit(w, VIEW("\r\n"));
	w->state = IN_JUNK;
	junk_line(w, line);
}

/* The next octet begins a line: is the field before it over? */
static void line_begin(struct smtp_header_watch *w, char first)
{
	if (w->state == IN_HEADER && w->field.n && !ascii_is_blank((uint8_t)first))
		field_done(w);
	w->line_at = w->field.n;
	w->line_ended = false;
}

/* Take octets up to the end of a line; the result counts them. */
static size_t line_take(struct smtp_header_watch *w, struct view span)
{
	const char *lf = memchr(span.p, '\n', span.n);
	size_t n = lf ? (size_t)(lf - span.p) + 1 : span.n;

	if (w->line_ended)
		line_begin(w, span.p[0]);
	if (n > w->config.block - w->size) {
		/* Junk is body: that it is long is no fault of a header. */
		watch_give_up(w, w->state == IN_JUNK ? 0 : SMTP_TOO_BIG);
		return 0;
	}
	w->size += (uint32_t)n;
	buf_add(&w->field, view_head(span, n));
	if (buf_err(&w->field)) {
		watch_give_up(w, SMTP_HEADER_NOMEM);
		return 0;
	}
	if (lf) {
		w->line_ended = true;
		line_done(w);
	}
	return n;
}

void smtp_header_watch_span(void *watch, struct view span)
{
	struct smtp_header_watch *w = watch;

	while (span.n && w->state != IN_BODY)
		span = view_from(span, line_take(w, span));
	watch_emit(w, span);
}

void smtp_header_watch_end(struct smtp_header_watch *w)
{
	if (w->state == IN_BODY)
		return;
	if (!w->line_ended) {
		/* The last line has no end (BDAT). */
		if (w->config.complete)
			buf_add(&w->field, VIEW("\r\n"));
		w->line_ended = true;
		line_done(w);
	}
	if (w->state == IN_HEADER) {
		field_done(w);
		header_complete(w);
	}
	w->state = IN_BODY;
}
