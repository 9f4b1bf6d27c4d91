/*
 * proto/smtp/command.h: from a complete line to a command.
 *
 * Straight-line parsers over framed lines; no state, no I/O.  One row per command in the table, with the
 * states in which it is allowed.   RFC 5321#4.1, RFC 1870, RFC 2852, RFC 3030, RFC 3461, RFC 4865, RFC 4954,
 * RFC 6152, RFC 6531, RFC 6710, RFC 8689
 */
#ifndef PROTO_SMTP_COMMAND_H
#define PROTO_SMTP_COMMAND_H

#include "proto/mime/address.h"
#include "proto/smtp/envelope.h"

enum {
	SMTP_MECHANISM_MAX = 20, /* RFC 4422#3.1 */
	SMTP_BY_MAX = 999999999, /* RFC 2852#4 */
	SMTP_HOLD_MAX = 999999999 /* RFC 4865#4 */
};

enum smtp_verb {
	SMTP_EHLO,
	SMTP_HELO,
	SMTP_LHLO,
	SMTP_MAIL,
	SMTP_RCPT,
	SMTP_DATA,
	SMTP_BDAT,
	SMTP_RSET,
	SMTP_NOOP,
	SMTP_VRFY,
	SMTP_EXPN,
	SMTP_HELP,
	SMTP_QUIT,
	SMTP_AUTH,
	SMTP_STARTTLS,
	SMTP_VERB_COUNT
};

/* Where a command is allowed (bits). */
enum {
	SMTP_IN_START = 1, /* before EHLO */
	SMTP_IN_READY = 2, /* after EHLO, outside a transaction */
	SMTP_IN_MAIL = 4, /* after MAIL */
	SMTP_IN_RCPT = 8, /* after a recipient was accepted */
	SMTP_IN_BDAT = 16, /* between chunks */
	SMTP_IN_ANY = 31
};

/* Reverse-path or forward-path. */
struct smtp_path {
	struct address addr;
	bool routed; /* a source route stood before it and was dropped */
};

struct smtp_mail_args {
	struct smtp_path path;
	uint64_t size; /* 0: not given */
	enum smtp_body body;
	enum smtp_ret ret;
	struct view envid; /* xtext as received */
	bool has_body, smtputf8, requiretls, has_hold_for, has_hold_until, has_auth, has_priority;
	int64_t hold; /* seconds (HOLDFOR) or seconds since 1970 (HOLDUNTIL) */
	int64_t by_seconds;
	char by_mode; /* 'N', 'R', 0 */
	bool by_trace;
	int priority;
};

struct smtp_rcpt_args {
	struct smtp_path path;
	unsigned notify; /* SMTP_NOTIFY_, 0: not given */
	struct view orcpt; /* "type;xtext" as received */
};

struct smtp_command {
	enum smtp_verb verb;
	/* All views are borrowed from the line. */
	struct view name; /* EHLO, HELO, LHLO: domain or literal; AUTH: mechanism */
	struct view initial; /* AUTH: initial response, base64 */
	bool has_initial;
	uint64_t octets; /* BDAT */
	bool last;
	struct smtp_mail_args mail;
	struct smtp_rcpt_args rcpt;
};

/* Why a known command could not be parsed; the session maps it to a verdict. */
enum smtp_fault {
	SMTP_FAULT_NONE,
	SMTP_FAULT_ARGUMENT, /* something behind a command that takes nothing, or nothing behind one */
	SMTP_FAULT_SYNTAX, /* shape of the command */
	SMTP_FAULT_PATH, /* the address */
	SMTP_FAULT_PARAMETER, /* value of a known parameter, or a parameter twice */
	SMTP_FAULT_UNKNOWN_PARAM /* a parameter that we do not know */
};

struct smtp_command_row {
	const char *name;
	enum smtp_verb verb;
	unsigned states; /* SMTP_IN_ */
	enum smtp_fault (*parse)(struct view args, struct smtp_command *ret);
	const char *reference;
};

/* Find the command of a line: ERR_NOTFOUND when its first word is none. *ret_args: what follows the word. */
MUST_USE enum err smtp_command_find(struct view line, const struct smtp_command_row **ret_row,
				    struct view *ret_args);
/* Parse args by row.  *ret is written only when the result is SMTP_FAULT_NONE. */
enum smtp_fault smtp_command_parse(const struct smtp_command_row *row, struct view args,
				   struct smtp_command *ret);
/* A line that an HTTP client would send first. */
bool smtp_line_is_http(struct view line);

/*
 * Path = "<" [ A-d-l ":" ] Mailbox ">"   RFC 5321#4.1.2, at the head of text; *ret_used octets belong to it.
 * options as in proto/mime/address.h.  ERR_SYNTAX, ERR_LIMIT, ERR_UNSUPPORTED (needs ADDRESS_UTF8).
 */
MUST_USE enum err smtp_path_parse(struct view text, unsigned options, struct smtp_path *ret,
				  size_t *ret_used);
/* ORCPT and ENVID values: xtext of printable ASCII, decoded and appended to out.  ERR_SYNTAX, or err of out. */
MUST_USE enum err smtp_xtext_printable(struct buf *out, struct view xtext);

#endif
