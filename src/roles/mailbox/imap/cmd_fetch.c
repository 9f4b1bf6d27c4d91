/*
 * roles/mailbox/imap/cmd_fetch.c: FETCH: which messages, which rows, in which order.
 */
#include "roles/mailbox/imap/fetch.h"

/* Does an item need nothing but the row of the message? */
static bool is_plain(enum imap_fetch_kind kind)
{
	return kind <= IMAP_FETCH_SAVEDATE;
}

/* What the items need, and what they imply. */
static void items_look(struct imap_session *s, struct fetch_job *job)
{
	bool uid = false;
	bool modseq = false;

	job->fast = true;
	for (size_t i = 0; i < job->n; i++) {
		const struct imap_fetch_item *item = &job->items[i];
		enum imap_fetch_kind kind = item->kind;
		unsigned column = fetch_column(item);

		uid = uid || kind == IMAP_FETCH_UID;
		modseq = modseq || kind == IMAP_FETCH_MODSEQ;
		job->has_flags = job->has_flags || kind == IMAP_FETCH_FLAGS;
		if (!item->peek && (kind == IMAP_FETCH_SECTION || kind == IMAP_FETCH_RFC822 ||
				    kind == IMAP_FETCH_RFC822_TEXT || kind == IMAP_FETCH_BINARY))
			job->sets_seen = true;
		job->columns |= column;
		job->fast = job->fast && (is_plain(kind) || column);
	}
	job->sets_seen = job->sets_seen && !s->view.read_only;
	job->fast = job->fast && !job->sets_seen && !s->cmd.fetch.changed_since;
	job->add_uid = s->cmd.uid && !uid;
	job->add_modseq = s->cmd.fetch.changed_since && !modseq;
	if (modseq || s->cmd.fetch.changed_since)
		session_condstore(s);
}

/* RFC 9051#6.4.5 */
void cmd_fetch(struct imap_session *s)
{
	const struct imap_fetch_args *args = &s->cmd.fetch;
	struct fetch_job *job = calloc(1, sizeof(*job));
	struct imap_ranges known;

	if (!job) {
		session_fail(s, ERR_NOMEM);
		return;
	}
	s->job.fetch = job;
	arena_init(&job->arena, SESSION_SCAN_MAX);
	buf_init(&job->whole, FETCH_VALUE_MAX);
	buf_init(&job->value, FETCH_VALUE_MAX);
	buf_init(&job->chunk, FETCH_CHUNK_MAX);
	job->items = args->items;
	job->n = args->n;
	job->next = 1;
	if (mbox_resolve(s, &args->seq, s->cmd.uid, &job->seqs))
		return;
	items_look(s, job);
	imap_set_clear(&s->sync.vanished);
	s->sync.vanished_at = 0;
	if (!args->vanished)
		return;
	if (!session_has(s, FEATURE_QRESYNC)) {
		session_reply(s, "BAD QRESYNC has not been enabled");
		return;
	}
	if (imap_seq_resolve(&s->arena, &args->seq, s->view.known, &known) ||
	    vanished_begin(s, args->modseq, known))
		session_fail(s, ERR_NOMEM);
}

void cmd_fetch_end(struct imap_session *s)
{
	struct fetch_job *job = s->job.fetch;

	if (!job)
		return;
	fetch_message_close(s);
	arena_done(&job->arena);
	buf_done(&job->whole);
	buf_done(&job->value);
	buf_done(&job->chunk);
	free(job);
	s->job.fetch = NULL;
}

static bool is_filtered(const struct imap_session *s, const struct store_message *m)
{
	return s->cmd.fetch.changed_since && m->modseq <= s->cmd.fetch.modseq;
}

/* "* 7 FETCH (" and what the command implies */
static void row_begin(struct imap_session *s, const struct fetch_job *job, uint32_t seq,
		      const struct store_message *m)
{
	buf_add(&s->out, VIEW("* "));
	buf_add_u64(&s->out, seq);
	buf_add(&s->out, VIEW(" FETCH ("));
	if (job->add_uid) {
		buf_add(&s->out, VIEW("UID "));
		buf_add_u64(&s->out, m->uid);
		buf_add_char(&s->out, ' ');
	}
	if (job->add_modseq) {
		buf_add(&s->out, VIEW("MODSEQ ("));
		buf_add_u64(&s->out, m->modseq);
		buf_add(&s->out, VIEW(") "));
	}
}

/* A whole row from the message and its columns; false when a column is missing. */
static bool row_fast(struct imap_session *s, struct fetch_job *job, uint32_t seq,
		     const struct store_message *m, const struct store_digest *d)
{
	size_t mark = s->out.n;

	row_begin(s, job, seq, m);
	for (size_t i = 0; i < job->n; i++) {
		if (i > 0)
			buf_add_char(&s->out, ' ');
		if (is_plain(job->items[i].kind)) {
			fetch_add_plain(s, m, &job->items[i]);
		} else if (!fetch_add_column(s, d, &job->items[i])) {
			buf_truncate(&s->out, mark);
			return false;
		}
	}
	buf_add(&s->out, VIEW(")\r\n"));
	return true;
}

/* store_digest_each_fn: ERR_AGAIN stops the walk, job->next says where to go on. */
static enum err row_each(void *ctx, const struct store_message *m, const struct store_digest *d)
{
	struct imap_session *s = ctx;
	struct fetch_job *job = s->job.fetch;
	uint32_t seq = job->next <= s->view.n && s->view.uids[job->next - 1] == m->uid
			       ? job->next
			       : (uint32_t)mbox_seq(&s->view, m->uid);

	if (!seq)
		return OK;
	if (!session_room(s))
		return ERR_AGAIN;
	job->missing = job->missing || seq != job->next;
	job->next = seq;
	if (!is_filtered(s, m) && !row_fast(s, job, seq, m, d)) {
		job->slow_once = true;
		return ERR_AGAIN;
	}
	job->next = seq + 1;
	return OK;
}

/* Rows of seq .. last by one walk over the columns. */
static void range_fast(struct imap_session *s, struct fetch_job *job, uint32_t last)
{
	struct store_range range = { s->view.uids[job->next - 1], s->view.uids[last - 1] };
	enum err err =
		store_digest_each(s->store, s->view.mailbox, range, job->columns, row_each, s);

	if (err == ERR_AGAIN)
		return;
	if (err)
		job->failed = err;
	else
		job->missing = job->missing || job->next <= last;
	job->next = last + 1;
}

/* Set \Seen before anything is told, so that FLAGS among the items are the new ones. */
static const struct store_message *seen_set(struct imap_session *s, struct fetch_job *job,
					    const struct store_message *m)
{
	struct store_range range = { job->uid, job->uid };
	struct store_flag_change change = { .op = STORE_FLAGS_ADD, .flags = STORE_FLAG_SEEN };
	struct store_uids uids = { &range, 1 };

	if (!job->sets_seen || (m->flags & STORE_FLAG_SEEN))
		return m;
	/* A store that cannot write still lets its mail be read. */
	job->seen_set = store_flags(s->store, s->view.mailbox, uids, &change, NULL, NULL) == OK;
	return store_snapshot_find(s->view.snapshot, job->uid);
}

/* Open the message with sequence number seq; false if there is nothing to tell of it. */
static bool message_open(struct imap_session *s, struct fetch_job *job, uint32_t seq)
{
	const struct store_message *m;

	job->uid = s->view.uids[seq - 1];
	m = store_snapshot_find(s->view.snapshot, job->uid);
	job->missing = job->missing || !m;
	if (!m || is_filtered(s, m))
		return false;
	job->seen_set = false;
	m = seen_set(s, job, m);
	if (!m)
		return false;
	job->open = true;
	job->seq = seq;
	job->blob = m->blob;
	job->size = m->size;
	job->item = 0;
	row_begin(s, job, seq, m);
	return true;
}

static void message_end(struct imap_session *s, struct fetch_job *job)
{
	const struct store_message *m = store_snapshot_find(s->view.snapshot, job->uid);

	if (job->seen_set && m) {
		if (!job->has_flags) {
			buf_add(&s->out, VIEW(" FLAGS "));
			session_add_flags(s, m);
		}
		if (session_has(s, FEATURE_CONDSTORE)) {
			buf_add(&s->out, VIEW(" MODSEQ ("));
			buf_add_u64(&s->out, m->modseq);
			buf_add_char(&s->out, ')');
		}
	}
	buf_add(&s->out, VIEW(")\r\n"));
	fetch_message_close(s);
}

/* Items of the open message, as far as there is room. */
static enum job_step message_step(struct imap_session *s, struct fetch_job *job)
{
	while (job->item < job->n || job->source != SOURCE_NONE) {
		if (!session_room(s))
			return STEP_MORE;
		if (job->source != SOURCE_NONE) {
			if (fetch_source_step(s) == STEP_MORE)
				return STEP_MORE;
			continue;
		}
		if (job->item > 0)
			buf_add_char(&s->out, ' ');

		const struct imap_fetch_item *item = &job->items[job->item++];
		const struct store_message *m = store_snapshot_find(s->view.snapshot, job->uid);

		if (!m || !fetch_add_plain(s, m, item))
			fetch_item_begin(s, item);
	}
	message_end(s, job);
	return STEP_DONE;
}

static void fetch_reply(struct imap_session *s, const struct fetch_job *job)
{
	if (job->failed)
		session_fail(s, job->failed);
	else if (job->undecodable)
		session_fail(s, ERR_UNSUPPORTED);
	else if (job->missing && !s->cmd.uid)
		session_reply(s, "NO [EXPUNGEISSUED] Some messages no longer exist");
	else
		session_reply(s, "OK Done");
}

/* The range of sequence numbers that goes on at job->next; false at the end. */
static bool range_next(struct fetch_job *job, uint32_t *ret_last)
{
	if (!imap_ranges_next(job->seqs, job->next, &job->next))
		return false;
	for (size_t i = 0; i < job->seqs.n; i++) {
		if (job->seqs.at[i].last < job->next)
			continue;
		*ret_last = job->seqs.at[i].last;
		break;
	}
	return true;
}

enum job_step cmd_fetch_step(struct imap_session *s)
{
	struct fetch_job *job = s->job.fetch;
	uint32_t last = 0;

	job->cost = 0;
	if (vanished_step(s) == STEP_MORE)
		return STEP_MORE;
	while (session_room(s) && !s->out.err) {
		if (job->open) {
			if (message_step(s, job) == STEP_MORE)
				return STEP_MORE;
			job->next++;
			job->slow_once = false;
		} else if (!range_next(job, &last)) {
			fetch_reply(s, job);
			return STEP_DONE;
		} else if (job->fast && job->columns && !job->slow_once) {
			range_fast(s, job, last);
		} else if (!message_open(s, job, job->next)) {
			job->next++;
			job->slow_once = false;
		}
		if (job->cost >= FETCH_SLICE_COST) {
			s->yield = true;
			return STEP_MORE;
		}
		job->cost += 100;
	}
	return STEP_MORE;
}
