/*
 * proto/smtp/header.h: watches the header of a message while it streams by.
 *
 * Sits between a body framer and the sink.  It counts fields and hops, keeps the From and Sender fields
 * for the check of authors, and at submission completes the header (From, Date, Message-ID), removes Bcc.
 * Everything else passes octet for octet.  At most one field is held back at a time.  The header ends at the
 * first empty line or at the first line that can be no field; behind such a line the watch still looks for
 * what another reader might take for a From field (THREATS 2.6), up to the next empty line.
 */
#ifndef PROTO_SMTP_HEADER_H
#define PROTO_SMTP_HEADER_H

#include "base/arena.h"
#include "base/vec.h"
#include "proto/smtp/frame.h"

enum {
	SMTP_HEADER_BLOCK = 256 * 1024, /* header_block */
	SMTP_HEADER_FIELDS = 1000, /* header_fields */
	SMTP_AUTHORS_MAX = 100, /* mailboxes in From and Sender together */
	SMTP_AUTHOR_MEM = 64 * 1024
};

/* What stands in the header; set as soon as it is known. */
enum smtp_header_flag {
	SMTP_HAS_DATE = 1,
	SMTP_HAS_MESSAGE_ID = 2,
	SMTP_HAS_FROM = 4,
	SMTP_HAS_SENDER = 8,
	SMTP_HAS_BCC = 16,
	SMTP_FROM_TWICE = 32,
	SMTP_FROM_BAD =
		64, /* a From field that is no list of addresses, or a line that looks like From */
	SMTP_HAS_FIELDS = 128, /* at least one field before the end of the header */
	SMTP_TOO_BIG = 256, /* header_block */
	SMTP_TOO_MANY = 512, /* header_fields */
	SMTP_HEADER_NOMEM = 1024, /* memory or a cap; the message is to be refused for now */
	SMTP_SENDER_BAD = 4096, /* a Sender field that is not one address */
	SMTP_HAS_TLS_REQUIRED_NO = 2048 /* "TLS-Required: No"   RFC 8689#5 */
};

struct smtp_header_config {
	uint32_t block; /* octets */
	uint32_t fields;
	struct view hostname; /* own hop: Received with "by" this name */
	bool smtputf8; /* octets above 0x7f may stand in addresses */
	bool complete; /* submission: remove Bcc, add From, Date and Message-ID */
	struct view sender; /* complete: address of an added From; empty: none is added */
	struct view id; /* complete: left side of an added Message-ID */
	int64_t wall_s; /* complete: of an added Date */
	int zone_min;
};

/* An address of From (or Sender); lives in the watch. */
struct smtp_author {
	struct view address;
	struct view local;
	struct view domain;
	bool sender; /* of the Sender field */
};

struct smtp_header_watch {
	struct smtp_header_config config;
	smtp_span_fn emit;
	void *ctx;
	struct buf field; /* the field or line being collected, with its line ends */
	struct arena mem; /* of authors */
	VEC(struct smtp_author) authors;
	unsigned flags; /* SMTP_HAS_ ... */
	uint32_t size; /* octets of header so far */
	uint32_t field_n;
	uint32_t received_n;
	uint32_t own_n;
	size_t line_at; /* where the line being collected begins in field */
	uint8_t state;
	bool line_ended; /* what is collected ends with a line end */
};

/* Ready for a message; emit(ctx) receives what is to be kept. */
void smtp_header_watch_init(struct smtp_header_watch *w, const struct smtp_header_config *config,
			    smtp_span_fn emit, void *ctx);
void smtp_header_watch_done(struct smtp_header_watch *w);
/* An smtp_span_fn whose ctx is the watch. */
void smtp_header_watch_span(void *watch, struct view span);
/* The message ended: emits what was held back. */
void smtp_header_watch_end(struct smtp_header_watch *w);

#endif
