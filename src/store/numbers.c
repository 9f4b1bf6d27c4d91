/*
 * store/numbers.c: UIDs, MODSEQs and mailbox ids never go back (THREATS.md 4, clause 6).
 *
 * Numbers are taken below a ceiling that is on disk before any of them is told to anyone: a transaction
 * that raises a ceiling is synced before it counts.  After an unclean stop counting goes on at the ceilings.
 */
#include "store/internal.h"

#include "sys/clock.h"
#include "sys/file.h"

enum { NUMBER_LOW = STORE_NUMBER_BLOCK / 2 };

/* Raise early in a transaction that is synced anyway. */
static bool reserve_due(const struct txn *t, uint64_t next, uint64_t ceiling)
{
	bool synced = t->durable || !t->s->dirty_durable;

	return next >= ceiling || (synced && ceiling - next < NUMBER_LOW);
}

enum err numbers_modseq(struct txn *t, uint64_t *ret)
{
	struct counters *c = &t->s->counters;
	struct event e = { .kind = EVENT_ACCOUNT };
	enum err err = OK;

	if (t->modseq == 0) {
		t->modseq = c->modseq + 1;
		if (t->modseq >= INT64_MAX)
			return ERR_LIMIT;
		if (reserve_due(t, t->modseq, c->modseq_ceiling)) {
			t->durable = true;
			e.modseq_ceiling = t->modseq + STORE_NUMBER_BLOCK;
			err = txn_event(t, &e);
		}
	}
	if (!err)
		*ret = t->modseq;
	return err;
}

enum err numbers_uid(struct txn *t, struct mailbox *m, uint32_t *ret)
{
	uint32_t next = m->pub.uidnext;
	struct event e = { .kind = EVENT_COUNTERS, .mailbox = m->pub.id };
	enum err err = OK;

	if (next >= UINT32_MAX - STORE_NUMBER_BLOCK)
		return ERR_LIMIT;
	if (reserve_due(t, next, m->ceiling)) {
		t->durable = true;
		e.uid_last = next + STORE_NUMBER_BLOCK;
		err = txn_event(t, &e);
	}
	if (!err)
		*ret = next;
	return err;
}

enum err numbers_mailbox(struct txn *t, uint64_t *ret_id, uint32_t *ret_uidvalidity)
{
	struct counters *c = &t->s->counters;
	int64_t now = clock_wall();
	uint32_t validity = c->uidvalidity + 1;

	/* Time, so that an account that is made anew does not repeat values; never back. */
	if (now > validity && now < UINT32_MAX)
		validity = (uint32_t)now;
	if (c->next_mailbox >= INT64_MAX || validity == 0)
		return ERR_LIMIT;
	*ret_id = c->next_mailbox;
	*ret_uidvalidity = validity;
	return OK;
}

/* Also where no UID is in question HIGHESTMODSEQ rises: changes of flags that were told may be lost. */
static enum err skip_mailbox(struct txn *t, struct mailbox *m, uint32_t step)
{
	struct event e = { .kind = EVENT_COUNTERS, .mailbox = m->pub.id };
	uint64_t next = (uint64_t)m->ceiling + step;
	enum err err = numbers_modseq(t, &e.modseq);

	if (next > UINT32_MAX - STORE_NUMBER_BLOCK)
		next = UINT32_MAX - STORE_NUMBER_BLOCK;
	if (next > m->pub.uidnext) {
		e.kind = EVENT_VANISH;
		e.uid = m->pub.uidnext;
		e.uid_last = (uint32_t)next - 1;
	}
	return err ? err : txn_event(t, &e);
}

enum err numbers_skip(struct store *s, uint32_t step)
{
	struct event e = { .kind = EVENT_ACCOUNT };
	struct txn t;
	enum err err = txn_begin(s, true, &t);

	if (err)
		return err;
	e.modseq = s->counters.modseq_ceiling + step;
	e.modseq_ceiling = e.modseq + STORE_NUMBER_BLOCK;
	err = txn_event(&t, &e);
	for (size_t i = 0; i < s->mailboxes.by_id.n && !err; i++)
		err = skip_mailbox(&t, s->mailboxes.by_id.at[i], step);
	err = txn_end(&t, err);
	failpoint("store.recover.numbers");
	return err;
}

enum err store_numbers_jump(struct store *s, uint32_t step)
{
	return numbers_skip(s, step);
}
