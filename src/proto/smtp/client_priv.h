/*
 * proto/smtp/client_priv.h: what the files of the client share; nobody else includes it.
 *
 * client.c: life, time, messages, bodies.  client_reply.c: what each reply means.
 */
#ifndef PROTO_SMTP_CLIENT_PRIV_H
#define PROTO_SMTP_CLIENT_PRIV_H

#include "proto/smtp/client.h"

/* n replies to what was just written are to come, the next one for stage. */
void client_expect(struct smtp_client *c, enum smtp_stage stage, size_t n);
void client_write_hello(struct smtp_client *c);
/* Write as much of the transaction as may leave now. */
void client_pump(struct smtp_client *c);
/* Over: recipients without outcome get TEMP, then REPORT, then CLOSE. */
void client_end(struct smtp_client *c, enum smtp_client_end why);
/* As client_end, with QUIT, whose reply nobody waits for. */
void client_end_quit(struct smtp_client *c, enum smtp_client_end why);
/* The message has all its outcomes. */
void client_report(struct smtp_client *c);
/* One reply that was due.  more: other octets came behind it. */
void client_reply(struct smtp_client *c, const struct smtp_reply *reply, bool more);

#endif
