/*
 * proto/smtp/verdict.c: the table of answers.   RFC 5321#4.2.3, RFC 3463, RFC 5248, RFC 7372
 */
#include "proto/smtp/verdict.h"

#include "base/ascii.h"

/* clang-format off */
static const struct smtp_verdict_row rows[SMTP_V_COUNT] = {
	/*			    code close  enhanced  text */
	[SMTP_V_OK] =			{ 250, false, "2.0.0", "OK" },
	[SMTP_V_SENDER_OK] =		{ 250, false, "2.1.0", "Sender accepted" },
	[SMTP_V_RCPT_OK] =		{ 250, false, "2.1.5", "Recipient accepted" },
	[SMTP_V_ACCEPTED] =		{ 250, false, "2.0.0", "Message accepted as" },
	[SMTP_V_TEMP] =			{ 451, false, "4.3.0", "Temporary failure here, please try again later" },
	[SMTP_V_BUSY] =			{ 451, false, "4.3.2", "Too busy now, please try again later" },
	[SMTP_V_STORAGE] =		{ 452, false, "4.3.1", "Not enough storage now, please try again later" },
	[SMTP_V_RCPT_UNKNOWN] =		{ 550, false, "5.1.1", "No such mailbox here" },
	[SMTP_V_RCPT_DISABLED] =	{ 550, false, "5.2.1", "This mailbox takes no mail" },
	[SMTP_V_RCPT_FULL] =		{ 452, false, "4.2.2", "The mailbox is full, please try again later" },
	[SMTP_V_RCPT_TEMP] =		{ 451, false, "4.3.0", "The recipient cannot be checked now, please try again later" },
	[SMTP_V_RCPT_DENIED] =		{ 550, false, "5.7.1", "You may not send to this recipient" },
	[SMTP_V_RCPT_RATE] =		{ 450, false, "4.7.1", "Too many recipients for now, please try again later" },
	[SMTP_V_RELAY_DENIED] =		{ 550, false, "5.7.1", "This server does not relay mail for you" },
	[SMTP_V_DOMAIN_NO_MAIL] =	{ 556, false, "5.1.10", "The recipient's domain takes no mail" },
	[SMTP_V_GREYLISTED] =		{ 450, false, "4.7.1", "Greylisted, please try again in a few minutes" },
	[SMTP_V_SENDER_NOT_OWNED] =	{ 550, false, "5.7.1", "This sender address does not belong to your account" },
	[SMTP_V_SENDER_NO_DOMAIN] =	{ 550, false, "5.1.8", "The sender's domain does not exist" },
	[SMTP_V_SENDER_DENIED] =	{ 550, false, "5.7.1", "Mail from this sender is not accepted" },
	[SMTP_V_SENDER_TEMP] =		{ 451, false, "4.3.0", "The sender cannot be checked now, please try again later" },
	[SMTP_V_CLIENT_DENIED] =	{ 550, false, "5.7.1", "Mail from your address is not accepted" },
	[SMTP_V_POLICY] =		{ 550, false, "5.7.1", "Refused by local policy" },
	[SMTP_V_SPAM] =			{ 550, false, "5.7.1", "This message looks like spam" },
	[SMTP_V_VIRUS] =		{ 554, false, "5.7.1", "This message has dangerous content" },
	[SMTP_V_DMARC] =		{ 550, false, "5.7.1", "Refused by the DMARC policy of the From domain" },
	[SMTP_V_TOO_BIG] =		{ 552, false, "5.3.4", "The message is too big" },
	[SMTP_V_CONTENT] =		{ 554, false, "5.6.0", "The content of this message is not acceptable" },
	[SMTP_V_LOOP] =			{ 554, false, "5.4.6", "Mail loop" },
	[SMTP_V_AUTH_OK] =		{ 235, false, "2.7.0", "Authentication succeeded" },
	[SMTP_V_AUTH_FAILED] =		{ 535, false, "5.7.8", "Authentication failed" },
	[SMTP_V_AUTH_TEMP] =		{ 454, false, "4.7.0", "Authentication is not possible now, please try again later" },
	[SMTP_V_AUTH_THROTTLED] =	{ 421, true,  "4.7.0", "Too many failed attempts, please try again later" },
	[SMTP_V_AUTH_MECHANISM] =	{ 504, false, "5.5.4", "This authentication mechanism is not offered" },
	[SMTP_V_AUTH_EXPIRED] =		{ 535, false, "5.7.8", "The password has expired" },

	[SMTP_V_FLUSHED] =		{ 250, false, "2.0.0", "Forgotten" },
	[SMTP_V_NOOP] =			{ 250, false, "2.0.0", "OK" },
	[SMTP_V_VRFY] =			{ 252, false, "2.5.0", "Send some mail, it will be tried" },
	[SMTP_V_HELP] =			{ 214, false, "2.0.0", "See RFC 5321" },
	[SMTP_V_BYE] =			{ 221, true,  "2.0.0", "Bye" },
	[SMTP_V_DATA_GO] =		{ 354, false, "", "End the message with a dot on a line of its own" },
	[SMTP_V_TLS_GO] =		{ 220, false, "2.0.0", "Ready for TLS" },
	[SMTP_V_UNKNOWN_COMMAND] =	{ 500, false, "5.5.2", "Command not known" },
	[SMTP_V_SYNTAX] =		{ 501, false, "5.5.4", "The command is not well formed" },
	[SMTP_V_LINE_TOO_LONG] =	{ 500, false, "5.5.2", "The line is too long" },
	[SMTP_V_AUTH_LINE_TOO_LONG] =	{ 500, false, "5.5.6", "The authentication exchange line is too long" },
	[SMTP_V_LINE_END] =		{ 500, true,  "5.5.2", "Lines must end with CRLF and hold no CR, LF or NUL" },
	[SMTP_V_BAD_ARGUMENT] =		{ 501, false, "5.5.4", "This command takes no argument" },
	[SMTP_V_NO_ARGUMENT] =		{ 501, false, "5.5.4", "An argument is missing or wrong" },
	[SMTP_V_NOT_HERE] =		{ 502, false, "5.5.1", "This command is not offered here" },
	[SMTP_V_EXPN] =			{ 502, false, "5.5.1", "Lists are not shown" },
	[SMTP_V_BAD_PARAMETER] =	{ 501, false, "5.5.4", "A parameter has a wrong value" },
	[SMTP_V_UNKNOWN_PARAMETER] =	{ 555, false, "5.5.4", "A parameter is not known or not offered" },
	[SMTP_V_BAD_SENDER] =		{ 501, false, "5.1.7", "The sender address is not well formed" },
	[SMTP_V_BAD_RCPT] =		{ 501, false, "5.1.3", "The recipient address is not well formed" },
	[SMTP_V_RCPT_NOT_ASCII] =	{ 553, false, "5.6.7", "An address beyond ASCII needs SMTPUTF8" },
	[SMTP_V_HELLO_FIRST] =		{ 503, false, "5.5.1", "Introduce yourself first" },
	[SMTP_V_BAD_HELLO] =		{ 501, false, "5.5.4", "Give your host name or address literal" },
	[SMTP_V_SEQUENCE] =		{ 503, false, "5.5.1", "Not allowed at this point" },
	[SMTP_V_NESTED_MAIL] =		{ 503, false, "5.5.1", "A sender has already been given" },
	[SMTP_V_NEED_MAIL] =		{ 503, false, "5.5.1", "MAIL comes first" },
	[SMTP_V_NEED_RCPT] =		{ 503, false, "5.5.1", "RCPT comes first" },
	[SMTP_V_NO_RCPT_LEFT] =		{ 554, false, "5.5.1", "No valid recipients" },
	[SMTP_V_BINARY_DATA] =		{ 503, false, "5.5.1", "BINARYMIME must be sent by BDAT" },
	[SMTP_V_DATA_AFTER_BDAT] =	{ 503, false, "5.5.1", "DATA and BDAT cannot be mixed" },
	[SMTP_V_BDAT_SYNTAX] =		{ 501, true,  "5.5.4", "BDAT needs a size and may have LAST" },
	[SMTP_V_BDAT_OK] =		{ 250, false, "2.0.0", "Chunk received" },
	[SMTP_V_BDAT_FAILED] =		{ 503, false, "5.5.1", "An earlier chunk was refused" },
	[SMTP_V_BDAT_OCTETS] =		{ 550, false, "5.5.2", "The message has a bare CR or a NUL" },
	[SMTP_V_TOO_MANY_RCPT] =	{ 452, false, "4.5.3", "Too many recipients for one message" },
	[SMTP_V_TOO_MANY_MAIL] =	{ 421, true,  "4.7.0", "Too many messages on one connection" },
	[SMTP_V_TOO_MANY_UNKNOWN] =	{ 421, true,  "4.7.0", "Too many unknown recipients" },
	[SMTP_V_TOO_MANY_BAD] =		{ 421, true,  "4.7.0", "Too many errors" },
	[SMTP_V_TOO_MANY_AUTH] =	{ 421, true,  "4.7.0", "Too many failed attempts" },
	[SMTP_V_EARLY_TALK] =		{ 554, true,  "5.5.1", "Wait for the greeting before you send" },
	[SMTP_V_EARLY_DATA] =		{ 554, true,  "5.5.1", "Wait for reply 354 before you send the message" },
	[SMTP_V_EARLY_TLS] =		{ 554, true,  "5.5.1", "Wait for reply 220 before you start TLS" },
	[SMTP_V_NOT_HTTP] =		{ 554, true,  "5.5.1", "This is a mail server" },
	[SMTP_V_BODY_LINE_END] =	{ 550, true,  "5.5.2", "The message has a bare CR, a bare LF or a NUL" },
	[SMTP_V_LONG_LINE] =		{ 554, false, "5.6.0", "A line of the message is too long" },
	[SMTP_V_HEADER_TOO_BIG] =	{ 554, false, "5.6.0", "The header of the message is too big" },
	[SMTP_V_HEADER_TOO_MANY] =	{ 554, false, "5.6.0", "The header of the message has too many fields" },
	[SMTP_V_HOPS] =			{ 554, false, "5.4.6", "Mail loop: too many Received fields" },
	[SMTP_V_OWN_HOPS] =		{ 554, false, "5.4.6", "Mail loop: the message was here too often" },
	[SMTP_V_FROM_TWICE] =		{ 550, false, "5.7.1", "The message has more than one From field" },
	[SMTP_V_FROM_MISSING] =		{ 550, false, "5.7.1", "The message has no From field" },
	[SMTP_V_FROM_BAD] =		{ 550, false, "5.7.1", "The From field of the message is not well formed" },
	[SMTP_V_NEED_TLS] =		{ 530, false, "5.7.0", "STARTTLS comes first" },
	[SMTP_V_NEED_TLS_FOR_AUTH] =	{ 538, false, "5.7.11", "Authentication needs TLS" },
	[SMTP_V_REQUIRETLS_NEEDS_TLS] =	{ 530, false, "5.7.10", "REQUIRETLS needs TLS" },
	[SMTP_V_TLS_ALREADY] =		{ 503, false, "5.5.1", "TLS is already in use" },
	[SMTP_V_TLS_UNAVAILABLE] =	{ 454, false, "4.7.0", "TLS is not available now" },
	[SMTP_V_NEED_AUTH] =		{ 530, false, "5.7.0", "Authentication comes first" },
	[SMTP_V_AUTH_ALREADY] =		{ 503, false, "5.5.1", "You are authenticated already" },
	[SMTP_V_AUTH_IN_MAIL] =		{ 503, false, "5.5.1", "Not allowed during a transaction" },
	[SMTP_V_AUTH_CANCELLED] =	{ 501, false, "5.7.0", "Authentication cancelled" },
	[SMTP_V_AUTH_BASE64] =		{ 501, false, "5.5.2", "The response is not base64" },
	[SMTP_V_TIMEOUT] =		{ 421, true,  "4.4.2", "Too slow, closing the connection" },
	[SMTP_V_SHUTDOWN] =		{ 421, true,  "4.3.2", "The server is stopping, please try again later" },
	[SMTP_V_NO_MEMORY] =		{ 451, false, "4.3.0", "Out of memory, please try again later" },
	[SMTP_V_HOLD_RANGE] =		{ 554, false, "5.7.0", "The message cannot be held for so long" },
	[SMTP_V_BY_RANGE] =		{ 501, false, "5.5.4", "The delivery time cannot be kept" },
};
/* clang-format on */

const struct smtp_verdict_row *smtp_verdict_row(enum smtp_verdict v)
{
	ASSERT((unsigned)v < SMTP_V_COUNT && rows[v].code);
	return &rows[v];
}

bool smtp_verdict_is_ok(enum smtp_verdict v)
{
	return smtp_verdict_row(v)->code / 100 == 2;
}

void smtp_add_printable(struct buf *out, struct view text, size_t max)
{
	for (size_t i = 0; i < size_min(text.n, max); i++) {
		uint8_t c = view_at(text, i);

		buf_add_char(out, ascii_is_print(c) ? (char)c : '?');
	}
}

void smtp_verdict_write(struct buf *out, enum smtp_verdict v, struct view text)
{
	const struct smtp_verdict_row *row = smtp_verdict_row(v);

	buf_add_u64(out, row->code);
	buf_add_char(out, ' ');
	if (row->enhanced[0]) {
		buf_add_str(out, row->enhanced);
		buf_add_char(out, ' ');
	}
	smtp_add_printable(out, text.n ? text : view_str(row->text), SMTP_REPLY_TEXT_MAX);
	buf_add(out, VIEW("\r\n"));
}
