/*
 * proto/smtp/trace.c: Received and Return-Path.
 */
#include "proto/smtp/trace.h"

#include "base/ascii.h"
#include "base/date.h"

enum { NAME_MAX_OCTETS = 255, ID_MAX_OCTETS = 64, TLS_MAX_OCTETS = 128, PATH_MAX_OCTETS = 512 };

const char *smtp_trace_protocol(const struct smtp_trace *t)
{
	/* [smtputf8][lmtp][tls][auth] */
	static const char *const names[2][2][2][2] = {
		{ { { "ESMTP", "ESMTPA" }, { "ESMTPS", "ESMTPSA" } },
		  { { "LMTP", "LMTPA" }, { "LMTPS", "LMTPSA" } } },
		{ { { "UTF8SMTP", "UTF8SMTPA" }, { "UTF8SMTPS", "UTF8SMTPSA" } },
		  { { "UTF8LMTP", "UTF8LMTPA" }, { "UTF8LMTPS", "UTF8LMTPSA" } } },
	};

	if (!t->extended && !t->lmtp)
		return "SMTP";
	return names[t->smtputf8][t->lmtp][t->tls][t->authenticated];
}

/* What the client calls itself, as an atom: octets that could end or restructure the field become '_'. */
static void add_atom(struct buf *out, struct view text, size_t max)
{
	for (size_t i = 0; i < size_min(text.n, max); i++) {
		uint8_t c = view_at(text, i);
		bool plain = ascii_is_alnum(c) || (c && strchr(".-_:[]", c));

		buf_add_char(out, plain ? (char)c : '_');
	}
}

/* Inside a comment: printable, without what has a meaning there.   RFC 5322#3.2.2 */
static void add_ctext(struct buf *out, struct view text, size_t max)
{
	for (size_t i = 0; i < size_min(text.n, max); i++) {
		uint8_t c = view_at(text, i);
		bool plain = ascii_is_print(c) && c != '(' && c != ')' && c != '\\';

		buf_add_char(out, plain ? (char)c : '_');
	}
}

/* An address between brackets that comes from our parser; what the parser never gives is left out. */
static void add_path(struct buf *out, struct view address)
{
	for (size_t i = 0; i < size_min(address.n, PATH_MAX_OCTETS); i++) {
		uint8_t c = view_at(address, i);

		if (!ascii_is_ctl(c) && c != '<' && c != '>')
			buf_add_char(out, (char)c);
	}
}

static bool is_ipv6(struct view address)
{
	return view_has(address, ':');
}

/* From-domain = "FROM" FWS Extended-Domain   RFC 5321#4.4 */
static void add_from(struct buf *out, const struct smtp_trace *t)
{
	buf_add(out, VIEW("from "));
	if (t->hello.n)
		add_atom(out, t->hello, NAME_MAX_OCTETS);
	else
		buf_add(out, VIEW("unknown"));
	if (t->address.n) {
		buf_add(out, VIEW(" ("));
		if (t->name.n) {
			add_atom(out, t->name, NAME_MAX_OCTETS);
			buf_add_char(out, ' ');
		}
		buf_add_str(out, is_ipv6(t->address) ? "[IPv6:" : "[");
		add_atom(out, t->address, NAME_MAX_OCTETS);
		buf_add(out, VIEW("])"));
	}
	buf_add(out, VIEW("\r\n\t"));
}

void smtp_trace_received(struct buf *out, const struct smtp_trace *t)
{
	buf_add(out, VIEW("Received: "));
	if (t->address.n || t->hello.n)
		add_from(out, t);
	buf_add(out, VIEW("by "));
	add_atom(out, t->hostname, NAME_MAX_OCTETS);
	buf_add(out, VIEW(" with "));
	buf_add_str(out, smtp_trace_protocol(t));
	buf_add(out, VIEW(" id "));
	add_atom(out, t->id, ID_MAX_OCTETS);
	if (t->tls && t->tls_text.n) {
		buf_add(out, VIEW("\r\n\t("));
		add_ctext(out, t->tls_text, TLS_MAX_OCTETS);
		buf_add_char(out, ')');
	}
	if (t->recipient.n) {
		buf_add(out, VIEW("\r\n\tfor <"));
		add_path(out, t->recipient);
		buf_add_char(out, '>');
	}
	buf_add(out, VIEW(";\r\n\t"));
	date_add_rfc5322(out, t->wall_s, t->zone_min);
	buf_add(out, VIEW("\r\n"));
}

enum err smtp_trace_return_path(struct buf *out, struct view sender)
{
	for (size_t i = 0; i < sender.n; i++) {
		uint8_t c = view_at(sender, i);

		if (ascii_is_ctl(c) || c == '<' || c == '>')
			return ERR_SYNTAX;
	}
	buf_add(out, VIEW("Return-Path: <"));
	buf_add(out, sender);
	buf_add(out, VIEW(">\r\n"));
	return buf_err(out);
}
