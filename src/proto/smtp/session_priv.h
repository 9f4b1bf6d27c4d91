/*
 * proto/smtp/session_priv.h: what the files of the session share; nobody else includes it.
 *
 * session.c: life, time, turns, replies.  session_command.c: dispatch and the small commands.
 * session_mail.c: MAIL and RCPT.  session_data.c: DATA, BDAT and the message.  session_auth.c: AUTH.
 */
#ifndef PROTO_SMTP_SESSION_PRIV_H
#define PROTO_SMTP_SESSION_PRIV_H

#include "proto/smtp/command.h"
#include "proto/smtp/session.h"

/* The owner is to log this. */
void session_note(struct smtp_session *s, enum smtp_verdict v);
/* Append a reply; ends the session when the verdict says so. */
void session_reply(struct smtp_session *s, enum smtp_verdict v);
void session_reply_text(struct smtp_session *s, enum smtp_verdict v, struct view text);
/* A reply to a mistake of the client, which is counted (bad_commands). */
void session_reply_bad(struct smtp_session *s, enum smtp_verdict v);
/* Abort an open message and ask for close; final. */
void session_close(struct smtp_session *s);
/* Behind what was written to out without session_reply: a reply that did not fit ends the session. */
void session_wrote(struct smtp_session *s);
/* Ask the owner. */
void session_ask(struct smtp_session *s, enum smtp_action action);
/* The pending request was answered.  Asserts that it was action. */
void session_answered(struct smtp_session *s, enum smtp_action action);
/* The session now waits for a command line. */
void session_wait_command(struct smtp_session *s);
/* Forget the transaction; an open message is aborted. */
void session_transaction_end(struct smtp_session *s);

/* A complete line.  more: octets were sent behind it. */
void session_line(struct smtp_session *s, struct view line, bool more);
/* A command allowed in this state.  args: what follows the verb. */
void session_mail(struct smtp_session *s, const struct smtp_command_row *row, struct view args);
void session_rcpt(struct smtp_session *s, const struct smtp_command_row *row, struct view args);
void session_data(struct smtp_session *s, bool more);
void session_bdat(struct smtp_session *s, const struct smtp_command *command);
void session_auth(struct smtp_session *s, const struct smtp_command *command);
/* A line that answers a 334. */
void session_sasl_line(struct smtp_session *s, struct view line);
/* The present exchange is over without success. */
void session_sasl_end(struct smtp_session *s);

/* Octets of a body; the result counts what was taken. */
size_t session_body(struct smtp_session *s, struct view input);
/* The BEGIN of a DATA was answered: send 354, unless octets came too early. */
void session_data_go(struct smtp_session *s, bool more);
/* The time for a body is over. */
void session_body_timeout(struct smtp_session *s);
/* Refuse the message being received; it is read on to its end.  text may be empty. */
void session_refuse(struct smtp_session *s, enum smtp_verdict v, struct view text);

/* By the fault of a command's parser. */
enum smtp_verdict session_fault_verdict(enum smtp_fault fault, enum smtp_verdict bad_path);

#endif
