/*
 * spool/change.h: what the records of a change say.
 *
 * Encoding of RECORD_RCPT and RECORD_EXPAND.  Times are wall-clock milliseconds; the age of the message
 * is told besides, so that a clock that was set does not make mail old (THREATS.md R14).
 */
#ifndef SPOOL_CHANGE_H
#define SPOOL_CHANGE_H

#include "base/buf.h"

enum {
	CHANGE_ADDRESS_MAX = 320,
	CHANGE_MAILBOX_MAX = 64,
	CHANGE_STATUS_MAX = 12, /* "5.1.1" */
	CHANGE_REPLY_MAX = 500,
	CHANGE_REMOTE_MAX = 300,
	CHANGE_SIZE_MAX = 2048,
};

/* Part of the file format: never renumber. */
enum rcpt_outcome {
	RCPT_WAITING = 0,
	RCPT_DEFERRED = 1,
	RCPT_DELIVERED = 2, /* locally */
	RCPT_SENT = 3, /* to the next host, which promised delivery reports */
	RCPT_RELAYED = 4, /* to one that did not */
	RCPT_FAILED = 5,
	RCPT_EXPANDED = 6, /* stands for others that were added */
	RCPT_DELETED = 7, /* by the administrator */
	RCPT_OUTCOME_END
};

enum {
	CHANGE_REPORT = 1, /* the sender has still to be told */
	CHANGE_WARNED = 2, /* the sender was told of the delay */
};

struct rcpt_change {
	uint32_t index;
	uint8_t outcome; /* enum rcpt_outcome */
	uint8_t flags; /* CHANGE_ */
	uint16_t attempts;
	uint16_t code; /* SMTP reply, or 0 */
	int64_t wall_ms; /* when this was written */
	int64_t age_ms; /* of the message, then */
	int64_t next_ms; /* of the next attempt; 0: at once */
	struct view status; /* enhanced status code */
	struct view reply; /* of the remote host, or our words */
	struct view remote; /* its name */
};

/* One more recipient, which number `index` of the envelope (or an added one) stands for. */
struct expand_change {
	uint32_t index; /* its own number */
	uint32_t parent;
	uint8_t kind; /* ROUTE_MAILBOX, ROUTE_REMOTE of ipc/types.h */
	uint8_t notify;
	uint64_t account;
	struct view address;
	struct view mailbox;
};

/* Too long texts are cut. */
void rcpt_change_encode(struct buf *out, const struct rcpt_change *c);
void expand_change_encode(struct buf *out, const struct expand_change *c);
/* Views are borrowed from text.  ERR_SYNTAX, ERR_LIMIT. */
MUST_USE enum err rcpt_change_decode(struct view text, struct rcpt_change *ret);
MUST_USE enum err expand_change_decode(struct view text, struct expand_change *ret);

#endif
