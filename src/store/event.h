/*
 * store/event.h: what a log record says happened, and its bytes.
 *
 * The log is a list of events; the index is what they amount to.  The same events are applied when an
 * operation runs, when the tail of the log is replayed after a crash and when the index is rebuilt, so
 * that there is one meaning of each.  Every event states its result, not a difference: applying one twice
 * does no harm.  Bytes come from our own AEAD-checked packs, yet the decoder trusts none of them.
 */
#ifndef STORE_EVENT_H
#define STORE_EVENT_H

#include "base/buf.h"
#include "base/cursor.h"

enum event_kind {
	EVENT_NONE,
	EVENT_ADD, /* a message came into a mailbox; blob: record that holds its octets */
	EVENT_FLAGS, /* existing messages uid..uid_last have exactly these flags */
	EVENT_EXPUNGE, /* messages uid..uid_last are gone */
	EVENT_VANISH, /* numbers uid..uid_last were skipped */
	EVENT_MAILBOX, /* a mailbox exists with this name and these attributes */
	EVENT_MAILBOX_GONE, /* with its messages */
	EVENT_COUNTERS, /* of a mailbox: uid = next UID, uid_last = ceiling, modseq, number =
			       recent_from, modseq_ceiling = vanished_from */
	EVENT_ACCOUNT, /* modseq, modseq_ceiling, next mailbox id, last UIDVALIDITY */
	EVENT_KEYWORD, /* number = name; an empty name frees it */
	EVENT_SUBSCRIBE, /* name, attributes = 0 or 1 */
	EVENT_MARK, /* deliveries sequence..sequence_last were done for a recipient */
	EVENT_VALUE, /* name = key, value; an empty value removes */
	EVENT_KIND_COUNT
};

enum {
	MAILBOX_NOSELECT = 1 << 0,
};

struct event {
	enum event_kind kind;
	uint64_t mailbox;
	uint64_t blob;
	uint64_t modseq;
	uint64_t modseq_ceiling;
	uint64_t keywords;
	uint64_t sequence;
	uint64_t sequence_last;
	uint32_t recipient;
	uint32_t uid;
	uint32_t uid_last;
	uint32_t flags;
	uint32_t size;
	uint32_t uidvalidity;
	uint32_t special;
	uint32_t attributes;
	uint32_t number;
	int64_t date;
	int64_t saved;
	int64_t zone;
	struct view name;
	struct view value;
};

/* Longest name or value of an event. */
enum { EVENT_TEXT_MAX = 128 * 1024 };

/* LEB128. */
void wire_put_u64(struct buf *out, uint64_t n);
uint64_t wire_get_u64(struct cursor *c, uint64_t max);

/* Append the bytes of e. */
void event_encode(struct buf *out, const struct event *e);
/* The next event; ERR_EOF at the end, ERR_CORRUPT.  Views are borrowed from the cursor's text. */
MUST_USE enum err event_decode(struct cursor *c, struct event *ret);

#endif
