/*
 * proto/smtp/param.h: ESMTP parameters of MAIL and RCPT, one row each.
 *
 * Adding a parameter is a row and a function in param.c and a place in the arguments of command.h.
 */
#ifndef PROTO_SMTP_PARAM_H
#define PROTO_SMTP_PARAM_H

#include "base/cursor.h"
#include "base/encode.h"
#include "proto/smtp/command.h"

/*
 * Mail-parameters = esmtp-param *( SP esmtp-param )   RFC 5321#4.1.2.  text is what follows the path, with
 * its leading SP.  A parameter given twice is SMTP_FAULT_PARAMETER.
 */
enum smtp_fault smtp_mail_params_parse(struct view text, struct smtp_mail_args *args);
enum smtp_fault smtp_rcpt_params_parse(struct view text, struct smtp_rcpt_args *args);

#endif
