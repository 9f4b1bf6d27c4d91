/*
 * store_audit.h: a journal and a client that remember what was promised, for crash tests.
 *
 * The journal delivers messages 1..n, each with mark n; every fifth is expunged by the client.  After a
 * crash the audit first looks whether what was durable is there, then replays the whole journal and
 * expects every message exactly once.
 */
#ifndef STORE_AUDIT_H
#define STORE_AUDIT_H

#include "store_fixture.h"

enum { AUDIT_MESSAGES = 400 };

struct ledger {
	uint32_t sent; /* deliveries acknowledged: 1..sent */
	uint32_t durable; /* of these, before a sync that returned OK */
	uint32_t appends; /* APPENDs tried: "a1".. */
	bool appended[AUDIT_MESSAGES + 1]; /* answered OK */
	uint32_t uid_max; /* highest UID of INBOX that anyone was told */
	uint64_t modseq_max;
	uint64_t mailbox_max; /* highest mailbox id */
};

static inline bool audit_is_expunged(uint32_t i)
{
	return i % 5 == 0;
}

/* A text that says its number in the first line, of very different lengths. */
static inline struct buf audit_text(char kind, uint32_t i)
{
	struct buf b = BUF_INIT((size_t)1 << 20);

	buf_addf(&b, "%c%u\r\n", kind, i);
	for (uint32_t n = 0; n < (i % 7 == 3 ? 130 : i % 11); n++) {
		buf_addf(&b, "line %u of %u\r\n", n * 7919, i);
		for (uint32_t x = i + n; i % 7 == 3 && x % 1400 != 0; x++)
			buf_add_char(&b, (char)('a' + (x * 2654435761u >> 24) % 26));
	}
	return b;
}

static inline void audit_note(struct account *a, struct ledger *l)
{
	const struct store_mailbox *m = store_mailbox_by_name(a->store, VIEW("INBOX"));

	if (!m)
		return;
	if (m->uidnext - 1 > l->uid_max)
		l->uid_max = m->uidnext - 1;
	if (m->highestmodseq > l->modseq_max)
		l->modseq_max = m->highestmodseq;
}

static inline enum err audit_deliver(struct account *a, struct ledger *l, uint32_t i)
{
	struct buf text = audit_text('m', i);
	struct store_put_result r;
	enum err err = fixture_put(a, STORE_DELIVER, "INBOX", buf_view(&text), i, &r);

	buf_done(&text);
	if (!err && !r.err && i > l->sent)
		l->sent = i;
	if (!err)
		audit_note(a, l);
	return err ? err : r.err;
}

/* One that is not answered may be there or not, but only once. */
static inline enum err audit_append(struct account *a, struct ledger *l)
{
	uint32_t i = ++l->appends;
	struct buf text = audit_text('a', i);
	struct store_put_result r;
	enum err err = fixture_put(a, STORE_APPEND, "Drafts", buf_view(&text), 0, &r);

	buf_done(&text);
	l->appended[i] = !err;
	return err;
}

struct audit_count {
	struct account *a;
	uint32_t seen[AUDIT_MESSAGES + 1];
	uint32_t appended[AUDIT_MESSAGES + 1];
};

static inline enum err audit_each(void *ctx, const struct store_message *m,
				  const struct store_digest *d)
{
	struct audit_count *c = (struct audit_count *)ctx;
	char *text = view_to_cstr(d->envelope);
	unsigned n = 0;

	assert_non_null(text);
	if (sscanf(text, "m%u", &n) == 1 && n <= AUDIT_MESSAGES)
		c->seen[n]++;
	else if (sscanf(text, "a%u", &n) == 1 && n <= AUDIT_MESSAGES)
		c->appended[n]++;
	free(text);
	return OK;
}

/* Count messages; every body must be whole and belong to its digest. */
static inline void audit_count(struct account *a, struct audit_count *c)
{
	size_t at = 0;
	const struct store_mailbox *m;

	memset(c, 0, sizeof(*c));
	while ((m = store_mailbox_next(a->store, &at))) {
		const struct store_snapshot *n;
		struct store_range all = { 1, UINT32_MAX };
		uint64_t size = 0;

		if (!m->selectable || (m->special & STORE_USE_JUNK))
			continue;
		assert_int_equal(store_mailbox_load(a->store, m->id, &n), OK);
		assert_int_equal(n->n, m->messages);
		for (size_t i = 0; i < n->n; i++) {
			struct buf text = fixture_read(a, n->at[i].blob);
			char kind = text.p[0];
			unsigned number = 0;

			assert_int_equal(sscanf(buf_cstr(&text) + 1, "%u", &number), 1);
			struct buf want = audit_text(kind, number);
			assert_true(view_eq(buf_view(&text), buf_view(&want)));
			assert_true(i == 0 || n->at[i].uid > n->at[i - 1].uid);
			assert_true(n->at[i].uid < m->uidnext);
			assert_true(n->at[i].modseq <= m->highestmodseq);
			size += n->at[i].size;
			buf_done(&text);
			buf_done(&want);
		}
		assert_int_equal(size, m->size);
		store_mailbox_release(a->store, n);
		assert_int_equal(
			store_digest_each(a->store, m->id, all, STORE_COL_ENVELOPE, audit_each, c),
			OK);
	}
}

/* kill: the process was killed, the kernel lived: nothing acknowledged may be missing. */
static inline void audit_run(struct account *a, struct ledger *l, bool kill)
{
	struct audit_count *c = calloc(1, sizeof(*c));
	const struct store_mailbox *inbox = store_mailbox_by_name(a->store, VIEW("INBOX"));
	uint32_t there = kill ? l->sent : l->durable;

	assert_non_null(inbox);
	if (l->uid_max) {
		assert_true(inbox->uidnext > l->uid_max);
		assert_true(inbox->highestmodseq >= l->modseq_max);
	}
	audit_count(a, c);
	for (uint32_t i = 1; i <= there; i++) {
		assert_true(store_mark_known(a->store, (struct store_mark){ i, 0 }));
		assert_true(c->seen[i] == 1 || (audit_is_expunged(i) && c->seen[i] == 0));
	}
	for (uint32_t i = 1; i <= l->appends; i++)
		assert_true(c->appended[i] == 1 || (!l->appended[i] && c->appended[i] == 0));
	for (uint32_t i = 1; i <= l->sent; i++)
		assert_int_equal(audit_deliver(a, l, i), OK);
	audit_count(a, c);
	for (uint32_t i = 1; i <= l->sent; i++)
		assert_true(c->seen[i] == 1 || (audit_is_expunged(i) && c->seen[i] == 0));
	free(c);
}

#endif
