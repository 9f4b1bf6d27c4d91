/*
 * store/event.c: see event.h.  One table says which fields an event of a kind carries, in which order.
 */
#include "store/event.h"

enum field_type { FIELD_U64, FIELD_U32, FIELD_I64, FIELD_TEXT };

enum field {
	F_END,
	F_MAILBOX,
	F_BLOB,
	F_MODSEQ,
	F_MODSEQ_CEILING,
	F_KEYWORDS,
	F_SEQUENCE,
	F_SEQUENCE_LAST,
	F_RECIPIENT,
	F_UID,
	F_UID_LAST,
	F_FLAGS,
	F_SIZE,
	F_UIDVALIDITY,
	F_SPECIAL,
	F_ATTRIBUTES,
	F_NUMBER,
	F_DATE,
	F_SAVED,
	F_ZONE,
	F_NAME,
	F_VALUE,
};

#define FIELD_ROW(type, member)                                                                    \
	{                                                                                          \
		type, offsetof(struct event, member)                                               \
	}

static const struct {
	enum field_type type;
	size_t at;
} fields[] = {
	[F_MAILBOX] = FIELD_ROW(FIELD_U64, mailbox),
	[F_BLOB] = FIELD_ROW(FIELD_U64, blob),
	[F_MODSEQ] = FIELD_ROW(FIELD_U64, modseq),
	[F_MODSEQ_CEILING] = FIELD_ROW(FIELD_U64, modseq_ceiling),
	[F_KEYWORDS] = FIELD_ROW(FIELD_U64, keywords),
	[F_SEQUENCE] = FIELD_ROW(FIELD_U64, sequence),
	[F_SEQUENCE_LAST] = FIELD_ROW(FIELD_U64, sequence_last),
	[F_RECIPIENT] = FIELD_ROW(FIELD_U32, recipient),
	[F_UID] = FIELD_ROW(FIELD_U32, uid),
	[F_UID_LAST] = FIELD_ROW(FIELD_U32, uid_last),
	[F_FLAGS] = FIELD_ROW(FIELD_U32, flags),
	[F_SIZE] = FIELD_ROW(FIELD_U32, size),
	[F_UIDVALIDITY] = FIELD_ROW(FIELD_U32, uidvalidity),
	[F_SPECIAL] = FIELD_ROW(FIELD_U32, special),
	[F_ATTRIBUTES] = FIELD_ROW(FIELD_U32, attributes),
	[F_NUMBER] = FIELD_ROW(FIELD_U32, number),
	[F_DATE] = FIELD_ROW(FIELD_I64, date),
	[F_SAVED] = FIELD_ROW(FIELD_I64, saved),
	[F_ZONE] = FIELD_ROW(FIELD_I64, zone),
	[F_NAME] = FIELD_ROW(FIELD_TEXT, name),
	[F_VALUE] = FIELD_ROW(FIELD_TEXT, value),
};

enum { SHAPE_FIELDS_MAX = 12 };
#define STORE_MARK_RANGE_MAX ((uint64_t)1 << 32)

static const uint8_t shapes[EVENT_KIND_COUNT][SHAPE_FIELDS_MAX] = {
	[EVENT_ADD] = { F_MAILBOX, F_UID, F_BLOB, F_MODSEQ, F_FLAGS, F_KEYWORDS, F_DATE, F_ZONE,
			F_SAVED, F_SIZE },
	[EVENT_FLAGS] = { F_MAILBOX, F_UID, F_UID_LAST, F_MODSEQ, F_FLAGS, F_KEYWORDS },
	[EVENT_EXPUNGE] = { F_MAILBOX, F_UID, F_UID_LAST, F_MODSEQ },
	[EVENT_VANISH] = { F_MAILBOX, F_UID, F_UID_LAST, F_MODSEQ },
	[EVENT_MAILBOX] = { F_MAILBOX, F_NAME, F_SPECIAL, F_ATTRIBUTES, F_UIDVALIDITY },
	[EVENT_MAILBOX_GONE] = { F_MAILBOX },
	[EVENT_COUNTERS] = { F_MAILBOX, F_UID, F_UID_LAST, F_MODSEQ, F_NUMBER, F_MODSEQ_CEILING },
	[EVENT_ACCOUNT] = { F_MODSEQ, F_MODSEQ_CEILING, F_MAILBOX, F_UIDVALIDITY },
	[EVENT_KEYWORD] = { F_NUMBER, F_NAME },
	[EVENT_SUBSCRIBE] = { F_NAME, F_ATTRIBUTES },
	[EVENT_MARK] = { F_SEQUENCE, F_SEQUENCE_LAST, F_RECIPIENT },
	[EVENT_VALUE] = { F_NAME, F_VALUE },
};

void wire_put_u64(struct buf *out, uint64_t n)
{
	for (; n >= 0x80; n >>= 7)
		buf_add_char(out, (char)(n | 0x80));
	buf_add_char(out, (char)n);
}

uint64_t wire_get_u64(struct cursor *c, uint64_t max)
{
	uint64_t n = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t byte = cursor_byte(c);

		if (shift == 63 && byte > 1)
			break;
		n |= (uint64_t)(byte & 0x7f) << shift;
		if (byte & 0x80)
			continue;
		if (n > max)
			break;
		return c->err ? 0 : n;
	}
	cursor_fail(c, ERR_CORRUPT);
	return 0;
}

static uint64_t zigzag(int64_t n)
{
	return ((uint64_t)n << 1) ^ (uint64_t)(n >> 63);
}

static int64_t unzigzag(uint64_t n)
{
	return (int64_t)(n >> 1) ^ -(int64_t)(n & 1);
}

static void field_encode(struct buf *out, const struct event *e, uint8_t field)
{
	const char *at = (const char *)e + fields[field].at;

	switch (fields[field].type) {
	case FIELD_U64: wire_put_u64(out, *(const uint64_t *)at); break;
	case FIELD_U32: wire_put_u64(out, *(const uint32_t *)at); break;
	case FIELD_I64: wire_put_u64(out, zigzag(*(const int64_t *)at)); break;
	case FIELD_TEXT:
		wire_put_u64(out, ((const struct view *)at)->n);
		buf_add(out, *(const struct view *)at);
		break;
	}
}

static void field_decode(struct cursor *c, struct event *e, uint8_t field)
{
	char *at = (char *)e + fields[field].at;

	switch (fields[field].type) {
	case FIELD_U64: *(uint64_t *)at = wire_get_u64(c, UINT64_MAX); break;
	case FIELD_U32: *(uint32_t *)at = (uint32_t)wire_get_u64(c, UINT32_MAX); break;
	case FIELD_I64: *(int64_t *)at = unzigzag(wire_get_u64(c, UINT64_MAX)); break;
	case FIELD_TEXT:
		*(struct view *)at = cursor_take(c, wire_get_u64(c, EVENT_TEXT_MAX));
		break;
	}
}

void event_encode(struct buf *out, const struct event *e)
{
	const uint8_t *shape = shapes[e->kind];

	buf_add_char(out, (char)e->kind);
	for (size_t i = 0; i < SHAPE_FIELDS_MAX && shape[i] != F_END; i++)
		field_encode(out, e, shape[i]);
}

/* What later code relies on without looking again. */
static bool event_sane(const struct event *e)
{
	if ((e->kind == EVENT_EXPUNGE || e->kind == EVENT_FLAGS || e->kind == EVENT_VANISH) &&
	    e->uid > e->uid_last)
		return false;
	if (e->kind == EVENT_ADD && (e->uid == 0 || e->uid == UINT32_MAX))
		return false;
	if (e->kind == EVENT_MARK && (e->sequence > e->sequence_last ||
				      e->sequence_last - e->sequence > STORE_MARK_RANGE_MAX))
		return false;
	if (e->zone < INT16_MIN || e->zone > INT16_MAX || e->flags > UINT16_MAX)
		return false;
	return e->modseq <= INT64_MAX && e->modseq_ceiling <= INT64_MAX &&
	       e->mailbox <= INT64_MAX && e->blob <= INT64_MAX;
}

enum err event_decode(struct cursor *c, struct event *ret)
{
	struct event e = { 0 };

	if (cursor_at_end(c))
		return c->err ? ERR_CORRUPT : ERR_EOF;
	e.kind = (enum event_kind)cursor_byte(c);
	if (e.kind == EVENT_NONE || e.kind >= EVENT_KIND_COUNT)
		return ERR_CORRUPT;
	for (size_t i = 0; i < SHAPE_FIELDS_MAX && shapes[e.kind][i] != F_END; i++)
		field_decode(c, &e, shapes[e.kind][i]);
	if (c->err || !event_sane(&e))
		return ERR_CORRUPT;
	*ret = e;
	return OK;
}
