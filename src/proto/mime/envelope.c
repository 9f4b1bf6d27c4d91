/*
 * proto/mime/envelope.c: the fields of an envelope in one walk over the header.
 */
#include "proto/mime/envelope.h"

#include "base/ascii.h"
#include "base/date.h"
#include "proto/mime/encoded_word.h"
#include "proto/mime/header.h"
#include "proto/mime/lex.h"

/* Address fields, in the order of struct mime_envelope. */
enum {
	FIELD_FROM,
	FIELD_SENDER,
	FIELD_REPLY_TO,
	FIELD_TO,
	FIELD_CC,
	FIELD_BCC,
	FIELDS,
};

static const struct view ADDRESS_NAMES[FIELDS] = {
	[FIELD_FROM] = VIEW_INIT("From"),
	[FIELD_SENDER] = VIEW_INIT("Sender"),
	[FIELD_REPLY_TO] = VIEW_INIT("Reply-To"),
	[FIELD_TO] = VIEW_INIT("To"),
	[FIELD_CC] = VIEW_INIT("Cc"),
	[FIELD_BCC] = VIEW_INIT("Bcc"),
};

struct envelope_reader {
	struct arena *a;
	struct mime_envelope envelope;
	struct address_list_builder lists[FIELDS];
	bool present[FIELDS];
};

static enum err read_field(struct envelope_reader *r, const struct mime_field *field)
{
	struct mime_envelope *e = &r->envelope;
	const struct {
		struct view name;
		struct view *to;
	} texts[] = {
		{ VIEW("Date"), &e->date },
		{ VIEW("Subject"), &e->subject },
		{ VIEW("In-Reply-To"), &e->in_reply_to },
		{ VIEW("Message-ID"), &e->message_id },
		{ VIEW("References"), &e->references },
	};

	for (size_t i = 0; i < FIELDS; i++) {
		if (view_eq_nocase(field->name, ADDRESS_NAMES[i])) {
			r->present[i] = true;
			return address_list_feed(&r->lists[i], field->value);
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (view_eq_nocase(field->name, texts[i].name) && !texts[i].to->p)
			return mime_unfolded(r->a, field->value, texts[i].to);
	return OK;
}

static void read_date(struct mime_envelope *e)
{
	struct date date;

	if (!e->date.p || date_parse_rfc5322(e->date, &date) ||
	    date_seconds(&date, &e->date_seconds))
		return;
	e->date_valid = true;
	e->date_zone = date.zone;
}

/* Turns what was gathered into the envelope; frees the builders in any case. */
static enum err finish(struct envelope_reader *r, enum err err)
{
	struct mime_envelope *e = &r->envelope;
	const struct {
		struct address_list *list;
		bool *present;
	} to[FIELDS] = {
		[FIELD_FROM] = { &e->from, &e->has_from },
		[FIELD_SENDER] = { &e->sender, &e->has_sender },
		[FIELD_REPLY_TO] = { &e->reply_to, &e->has_reply_to },
		[FIELD_TO] = { &e->to, &e->has_to },
		[FIELD_CC] = { &e->cc, &e->has_cc },
		[FIELD_BCC] = { &e->bcc, &e->has_bcc },
	};

	for (size_t i = 0; i < FIELDS; i++) {
		*to[i].present = r->present[i];
		if (err)
			address_list_drop(&r->lists[i]);
		else
			err = address_list_end(&r->lists[i], to[i].list);
	}
	return err;
}

enum err mime_envelope_parse(struct arena *a, struct view header, struct mime_envelope *ret)
{
	struct envelope_reader r = { .a = a };
	struct mime_header_iter it = mime_header_iter_init(header);
	struct mime_field field;
	enum err err = OK;

	for (size_t i = 0; i < FIELDS; i++)
		address_list_begin(&r.lists[i], a);
	while (!err && mime_header_next(&it, &field))
		err = read_field(&r, &field);
	err = finish(&r, err);
	if (err)
		return err;
	read_date(&r.envelope);
	*ret = r.envelope;
	return OK;
}

const struct address_list *mime_envelope_sender(const struct mime_envelope *e)
{
	return e->sender.mailboxes ? &e->sender : &e->from;
}

const struct address_list *mime_envelope_reply_to(const struct mime_envelope *e)
{
	return e->reply_to.mailboxes ? &e->reply_to : &e->from;
}

/* msg-id = [CFWS] "<" id-left "@" id-right ">" [CFWS]   RFC 5322#3.6.4, without a look at the
 * inside */
bool mime_id_next(struct view list, size_t *at, struct view *ret)
{
	size_t from = VIEW_NONE; /* behind the last "<" */
	struct lex_comment comment;

	while (*at < list.n) {
		char c = list.p[*at];

		if (c == '(' && from == VIEW_NONE) {
			*at = lex_comment(list, *at, &comment);
			continue;
		}
		++*at;
		if (c == '<') {
			from = *at;
		} else if (c == '>' && from != VIEW_NONE && *at - 1 > from) {
			*ret = view_part(list, from, *at - 1 - from);
			return true;
		} else if (ascii_is_space((uint8_t)c) || ascii_is_ctl((uint8_t)c) || c == '>') {
			from = VIEW_NONE;
		}
	}
	return false;
}
