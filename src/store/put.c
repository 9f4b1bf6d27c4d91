/*
 * store/put.c: storing messages: deliveries and IMAP APPEND.
 *
 * One transaction for all of a call; one log record for each message, carrying its octets, where it
 * went and its mark.  The records of an APPEND belong together: replay takes all of them or none.
 */
#include "store/internal.h"

#include "store/folder.h"
#include "sys/clock.h"

struct put_run {
	struct txn txn;
	struct store *s;
	enum store_put_mode mode;
	uint64_t bytes; /* of the account, with what this call adds so far */
	uint64_t messages;
};

static uint64_t put_size(const struct store_put *p)
{
	return p->fd >= 0 ? p->size : p->bytes.n;
}

static enum err targets_check(struct store *s, const struct store_put *p)
{
	if (p->target_n > STORE_TARGET_MAX)
		return ERR_LIMIT;
	if (p->target_n == 0 && !p->marked)
		return ERR_NOTFOUND;
	for (size_t i = 0; i < p->target_n; i++) {
		struct mailbox *m = mailbox_by_id(s, p->targets[i].mailbox);

		if (!m)
			return ERR_NOTFOUND;
		if (!m->pub.selectable)
			return ERR_WRONG_STATE;
		if (m->pub.uidnext >= UINT32_MAX - STORE_NUMBER_BLOCK - STORE_BATCH_MAX)
			return ERR_LIMIT;
	}
	return OK;
}

/* Everything that concerns this message alone, before anything of it is written. */
static enum err put_check(const struct put_run *run, const struct store_put *p)
{
	const struct store_config *c = &run->s->config;
	uint64_t size = put_size(p);
	enum err err = targets_check(run->s, p);

	if (err || p->target_n == 0)
		return err;
	if (size > c->message_size_max)
		return ERR_LIMIT;
	if (c->quota_bytes && run->bytes + size * p->target_n > c->quota_bytes)
		return ERR_QUOTA;
	if (c->quota_messages && run->messages + p->target_n > c->quota_messages)
		return ERR_QUOTA;
	return OK;
}

static enum err put_targets(struct put_run *run, const struct store_put *p, uint64_t blob,
			    struct store_put_result *r)
{
	struct event e = {
		.kind = EVENT_ADD,
		.blob = blob,
		.date = p->date,
		.zone = p->zone,
		.saved = clock_wall(),
		.size = (uint32_t)put_size(p),
	};
	enum err err = numbers_modseq(&run->txn, &e.modseq);

	for (size_t i = 0; i < p->target_n && !err; i++) {
		const struct store_target *target = &p->targets[i];
		struct mailbox *m = mailbox_by_id(run->s, target->mailbox);

		e.mailbox = target->mailbox;
		e.flags = target->flags & STORE_FLAG_MASK;
		e.keywords = target->keywords;
		err = numbers_uid(&run->txn, m, &e.uid);
		if (!err)
			err = txn_event(&run->txn, &e);
		if (i == 0)
			r->uid = e.uid;
	}
	r->blob = blob;
	r->modseq = e.modseq;
	run->bytes += put_size(p) * p->target_n;
	run->messages += p->target_n;
	return err;
}

static enum err put_message(struct put_run *run, const struct store_put *p,
			    struct store_put_result *r)
{
	struct folder_bytes file = { p->bytes, NULL, NULL };
	uint64_t blob;
	enum err err = p->fd >= 0 ? folder_bytes_init(&file, p->fd, p->size) : OK;

	if (!err)
		err = txn_body(&run->txn, file.bytes, &blob);
	if (p->fd >= 0)
		folder_bytes_done(&file);
	return err ? err : put_targets(run, p, blob, r);
}

/* An error here ends the whole call. */
static enum err put_one(struct put_run *run, const struct store_put *p, bool last,
			struct store_put_result *r)
{
	struct event mark = {
		.kind = EVENT_MARK,
		.sequence = p->mark.sequence,
		.sequence_last = p->mark.sequence,
		.recipient = p->mark.recipient,
	};
	enum err err = OK;

	*r = (struct store_put_result){ 0 };
	if (p->marked && marks_has(&run->s->marks, p->mark)) {
		r->replayed = true;
		return OK;
	}
	r->err = put_check(run, p);
	if (r->err)
		return run->mode == STORE_APPEND ? r->err : OK;
	run->txn.flags = run->mode == STORE_APPEND && !last ? RECORD_MORE : 0;
	/* The digest borrows from its caller until the next message: the record ends here. */
	if (p->target_n > 0)
		err = put_message(run, p, r);
	if (!err && p->marked)
		err = txn_event(&run->txn, &mark);
	return err ? err : txn_next_record(&run->txn);
}

enum err store_put(struct store *s, enum store_put_mode mode, const struct store_put *items,
		   size_t n, struct store_put_result *results)
{
	struct put_run run = { .s = s, .mode = mode, .bytes = s->bytes, .messages = s->messages };
	enum err err;

	if (n > STORE_BATCH_MAX)
		return ERR_LIMIT;
	err = txn_begin(s, mode == STORE_APPEND, &run.txn);
	for (size_t i = 0; i < n; i++)
		results[i] = (struct store_put_result){ .err = err };
	if (err)
		return err;
	for (size_t i = 0; i < n && !err; i++)
		err = put_one(&run, &items[i], i + 1 == n, &results[i]);
	return txn_end(&run.txn, err);
}

bool store_mark_known(const struct store *s, struct store_mark mark)
{
	return marks_has(&s->marks, mark);
}
